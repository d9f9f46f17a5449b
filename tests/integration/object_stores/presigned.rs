//! What clients exchange with the object store themselves: where downloads are sent, and uploads that go straight to it.

use boxvault_plugin_sdk::Capabilities;
use boxvault_tests::{
    Client, Publication, Reply, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    server::ADMIN_NAME,
    skip, wait_for,
};
use reqwest::{Method, header::HOST, redirect::Policy};
use serde_json::{Value, json};

use super::{Remote, SOON, azblob, gcs_account, s3, sweep};

/// Whoever has nothing but an address.
fn stranger() -> reqwest::Client {
    reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

async fn status(method: Method, url: &str, body: &[u8]) -> u16 {
    let answer = stranger().request(method, url).body(body.to_vec()).send().await;
    answer.expect("the store answers").status().as_u16()
}

/// A number of `/metrics`.
async fn counted(server: &TestServer, name: &str) -> u64 {
    let text = server.anonymous().get("/metrics").await.text();
    let line = text.lines().find(|line| line.starts_with(&format!("boxvault_{name} ")));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The address that an answer sends to.
fn sent_to(reply: &Reply) -> String {
    assert_eq!(reply.status, 302, "{}", reply.text());
    assert!(reply.bytes.is_empty());
    assert_eq!(reply.header("cache-control"), Some("private, no-store"));
    reply.header("location").unwrap().to_owned()
}

async fn downloads(admin: &Client, at: &Publication<'_>) -> u64 {
    let info = admin.get(&format!("{}/info", at.file_path())).await;
    info.data()["downloadCount"].as_u64().unwrap()
}

async fn nothing_is_left<S>(remote: &Remote<S>) {
    let store = remote.look_into().await;
    assert_eq!(boxvault_plugin_sdk::StorageBackend::list(&store, "", None, 10).await.unwrap(), []);
    let begun = boxvault_plugin_sdk::StorageBackend::list_unfinished(&store, "", None, 10).await;
    assert_eq!(begun.unwrap(), []);
}

#[tokio::test]
async fn a_download_is_sent_to_the_bucket_and_no_byte_goes_through_the_server() {
    let test = "presigned::a_download_is_sent_to_the_bucket";
    let Some(s3) = s3(test) else { return };
    a_download_is_sent_there(&s3, test).await;
}

#[tokio::test]
async fn a_download_is_sent_to_the_container_and_no_byte_goes_through_the_server() {
    let test = "presigned::a_download_is_sent_to_the_container";
    let Some(azblob) = azblob(test) else { return };
    a_download_is_sent_there(&azblob, test).await;
}

#[tokio::test]
async fn a_download_is_sent_to_the_bucket_of_google_and_no_byte_goes_through_the_server() {
    let test = "presigned::a_download_is_sent_to_the_bucket_of_google";
    let Some(gcs) = gcs_account(test) else { return };
    a_download_is_sent_there(&gcs, test).await;
}

/// Clients know the store by another name than the server does.
async fn a_download_is_sent_there<S>(remote: &Remote<S>, test: &str) {
    let endpoint =
        &*remote.config["endpoint"].as_str().unwrap().replacen("127.0.0.1", "localhost", 1);
    let server = remote
        .server()
        .set("stores.main.transfer", "redirect")
        .set("stores.main.public_endpoint", endpoint)
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(6 << 20).build();
    let at = Publication::new("acme", "debian", &file.bytes);
    admin.publish(&at).await;
    let anyone = server.anonymous();
    let before = counted(&server, "download_bytes_total").await;

    let address = sent_to(&anyone.get(&at.vagrant_path()).await);
    assert!(address.starts_with(endpoint), "another place than the store");
    let whole = stranger().get(&address).send().await.unwrap();
    assert_eq!(whole.status().as_u16(), 200);
    let header = |name: &str| whole.headers().get(name).cloned().unwrap();
    assert_eq!(header("content-type"), "application/octet-stream");
    let name = "attachment; filename=\"debian-1.0.0-virtualbox.box\"";
    assert_eq!(header("content-disposition"), name);
    assert!(whole.bytes().await.unwrap() == file.bytes, "the file is another one");
    // resumed, in the way of the stock client: the range goes along
    let resumed = anyone.get_with(&at.vagrant_path(), &[("range", "bytes=1000000-")]).await;
    let rest = stranger().get(sent_to(&resumed)).header("range", "bytes=1000000-").send().await;
    let rest = rest.unwrap();
    assert_eq!(rest.status().as_u16(), 206);
    assert!(rest.bytes().await.unwrap() == file.bytes[1_000_000..]);
    // by the API as well, and by a link
    let by_api = admin.get(&format!("{}/download", at.file_path())).await;
    assert!(sent_to(&by_api).starts_with(endpoint));
    let link = admin.get(&format!("{}/get-download-link", at.file_path())).await.data();
    let link =
        link["downloadUrl"].as_str().unwrap().strip_prefix(&server.url()).unwrap().to_owned();
    assert!(sent_to(&anyone.get(&link).await).starts_with(endpoint));
    assert_eq!(counted(&server, "download_bytes_total").await, before, "bytes went through");
    assert_eq!(counted(&server, "downloads_redirected_total").await, 4);
    // three began; what was resumed had begun before
    wait_for("the count", SOON, async || (downloads(&admin, &at).await == 3).then_some(())).await;

    answers_what_the_store_would_answer_wrongly(&anyone, &at, &file.bytes).await;
    let (start, end) = address.split_at(address.len() - 1);
    let other = if end == "1" { "2" } else { "1" };
    for tampered in
        [format!("{start}{other}"), address.replacen("boxvault/blobs", "boxvault/blobz", 1)]
    {
        let answer = status(Method::GET, &tampered, &[]).await;
        assert!((400..500).contains(&answer), "a tampered address is answered with {answer}");
    }
    let log = server.log();
    for secret in [
        "X-Amz-Signature",
        "X-Goog-Signature",
        "sig=",
        remote.secret.as_deref().expect("it has one"),
    ] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
    match Vagrant::new(&server.url()) {
        Some(vagrant) => {
            let add = ["box", "add", "acme/debian", "--provider", "virtualbox"];
            vagrant.run(&add).await.expect_success();
            assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_some());
            assert_eq!(counted(&server, "downloads_redirected_total").await, 5);
        }
        None => skip(&format!("object_stores::{test}"), "vagrant is not installed"),
    }
}

async fn answers_what_the_store_would_answer_wrongly(
    anyone: &Client,
    at: &Publication<'_>,
    bytes: &[u8],
) {
    let head = anyone.head(&at.vagrant_path()).await;
    assert_eq!(head.status, 200);
    assert_eq!(head.header("content-length"), Some(&*bytes.len().to_string()));
    let tag = head.header("etag").unwrap().to_owned();
    let beyond = format!("bytes={}-", bytes.len());
    for (name, value, expected) in [
        ("range", &*beyond, 200),
        ("range", "bytes=0-9,20-29", 200),
        ("if-match", &*tag, 200),
        ("if-none-match", &*tag, 304),
    ] {
        let reply = anyone.get_with(&at.vagrant_path(), &[(name, value)]).await;
        assert_eq!(reply.status, expected, "{name}: {value}");
        assert!(expected == 304 || reply.bytes == bytes, "{name}: {value}");
    }
}

#[tokio::test]
async fn an_address_ends_with_its_time_and_the_next_download_gets_another_one() {
    let Some(s3) = s3("presigned::an_address_ends_with_its_time") else { return };
    let server = s3
        .server()
        .set("stores.main.transfer", "redirect")
        .set("limits.presigned_download_ttl", "1 s")
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "debian", &file.bytes);
    admin.publish(&at).await;
    let address = sent_to(&server.anonymous().get(&at.vagrant_path()).await);
    wait_for("the end of the address", SOON, async || {
        // Garage calls what is too late a bad request
        [400, 403].contains(&status(Method::GET, &address, &[]).await).then_some(())
    })
    .await;
    let another = sent_to(&server.anonymous().get(&at.vagrant_path()).await);
    assert_eq!(status(Method::GET, &another, &[]).await, 200);
}

#[tokio::test]
async fn auto_sends_whoever_can_follow_and_takes_no_token_along() {
    let Some(s3) = s3("presigned::auto_sends_whoever_can_follow") else { return };
    let server = s3.server().set("stores.main.transfer", "auto").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "debian", &file.bytes) };
    admin.publish(&at).await;
    let token = server.api_token(ADMIN_NAME).await;
    let bearer = format!("Bearer {token}");
    // the store is at 127.0.0.1, and so are we; by another name we are another host
    let elsewhere = format!("localhost:{}", server.http().port());
    let ask = async |host: Option<&str>, headers: &[(&'static str, &str)]| {
        let mut request = server.anonymous().request(Method::GET, &at.vagrant_path());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(match host {
            Some(host) => request.header(HOST, host),
            None => request,
        })
        .await
    };
    let same_host = ask(None, &[("authorization", &bearer)]).await;
    assert!(same_host.status == 200 && same_host.bytes == file.bytes, "{}", same_host.status);
    let other_host = ask(Some(&elsewhere), &[("authorization", &bearer)]).await;
    assert_eq!(status(Method::GET, &sent_to(&other_host), &[]).await, 200);
    for (name, value) in [
        ("x-atlas-token", &*token),
        ("x-access-token", &*token),
        ("origin", "https://example.com"),
        ("sec-fetch-mode", "cors"),
    ] {
        let reply = ask(Some(&elsewhere), &[("authorization", &bearer), (name, value)]).await;
        assert!(reply.status == 200 && reply.bytes == file.bytes, "{name}: {}", reply.status);
    }

    // the store refuses an address that comes with a token of ours
    let Some(vagrant) = Vagrant::new(&format!("http://{elsewhere}")) else {
        skip("object_stores::presigned::auto_sends_whoever_can_follow", "vagrant is not installed");
        return;
    };
    let before = counted(&server, "downloads_redirected_total").await;
    let vagrant = vagrant.token(&token);
    let add = ["box", "add", "acme/debian", "--provider", "virtualbox"];
    vagrant.run(&add).await.expect_success();
    assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_some());
    assert_eq!(counted(&server, "downloads_redirected_total").await, before + 1);
}

/// A server whose clients send files to the store, its admin, and a place for a file.
async fn direct<S>(remote: &Remote<S>) -> (TestServer, Client, Publication<'static>) {
    let server = remote.server().set("stores.main.transfer", "auto").start().await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "web", &[]);
    admin.prepare(&at).await;
    (server, admin, at)
}

fn uploads(at: &Publication<'_>) -> String {
    format!("{}/direct-uploads", at.file_path())
}

/// Begins an upload, and sends what it is told to.
async fn begin(client: &Client, at: &Publication<'_>, file: &BoxFile, more: Value) -> String {
    let mut wanted = json!({ "fileSize": file.bytes.len() });
    wanted.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let begun = client.post(&uploads(at), &wanted).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let begun = begun.data();
    assert_eq!(begun["partCount"], begun["parts"].as_array().unwrap().len());
    for part in begun["parts"].as_array().unwrap() {
        let from = usize::try_from(part["offset"].as_u64().unwrap()).unwrap();
        let size = usize::try_from(part["size"].as_u64().unwrap()).unwrap();
        let url = part["url"].as_str().unwrap();
        let answer = status(Method::PUT, url, &file.bytes[from..from + size]).await;
        assert!((200..300).contains(&answer), "a part is answered with {answer}");
    }
    begun["id"].as_str().unwrap().to_owned()
}

async fn finish(client: &Client, at: &Publication<'_>, id: &str) -> Reply {
    client.post(&format!("{}/{id}/finish", uploads(at)), &json!({})).await
}

#[tokio::test]
async fn a_file_goes_straight_to_the_bucket_and_is_there_once_it_was_looked_at() {
    let Some(s3) = s3("presigned::a_file_goes_straight_to_the_bucket") else { return };
    a_file_goes_straight_there(&s3).await;
}

#[tokio::test]
async fn a_file_goes_straight_to_the_container_and_is_there_once_it_was_looked_at() {
    let Some(azblob) = azblob("presigned::a_file_goes_straight_to_the_container") else { return };
    a_file_goes_straight_there(&azblob).await;
}

#[tokio::test]
async fn a_file_goes_straight_to_the_bucket_of_google_and_is_there_once_it_was_looked_at() {
    let test = "presigned::a_file_goes_straight_to_the_bucket_of_google";
    let Some(gcs) = gcs_account(test) else { return };
    a_file_goes_straight_there(&gcs).await;
}

async fn a_file_goes_straight_there<S>(remote: &Remote<S>) {
    let (mut server, admin, at) = direct(remote).await;
    // two parts
    let file = BoxBuilder::new("virtualbox").disk_bytes(65 << 20).build();
    let id = begin(&admin, &at, &file, json!({ "checksum": file.sha256 })).await;
    let info = format!("{}/info", at.file_path());
    assert_eq!(admin.get(&info).await.code(), "FILE_NOT_FOUND", "nobody has looked at it");
    let rest = admin.get(&format!("{}/{id}?from=2", uploads(&at))).await.data();
    assert_eq!(
        (rest["partCount"].as_u64(), rest["parts"][0]["number"].as_u64()),
        (Some(2), Some(2))
    );

    // what was sent is safe with the store, whatever becomes of us
    server.kill9().await;
    server.restart().await;
    let done = finish(&admin, &at, &id).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(done.data()["checksum"], file.sha256);
    assert_eq!(counted(&server, "upload_bytes_total").await, 0, "bytes came through");
    admin.release(&at).await;
    let fetched = server.anonymous().get(&at.vagrant_path()).await;
    assert!(fetched.status == 200 && fetched.bytes == file.bytes, "{}", fetched.status);
    assert_eq!(finish(&admin, &at, &id).await.code(), "UPLOAD_NOT_FOUND");
    // nothing but that one object, also after everything that is old is swept
    sweep(&server).await;
    let store = remote.look_into().await;
    let objects = boxvault_plugin_sdk::StorageBackend::list(&store, "", None, 10).await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert!(
        boxvault_plugin_sdk::StorageBackend::capabilities(&store)
            .contains(Capabilities::PRESIGN_WRITE)
    );
}

#[tokio::test]
async fn what_is_not_as_declared_is_refused_and_harms_nothing() {
    let Some(s3) = s3("presigned::what_is_not_as_declared_is_refused") else { return };
    what_is_wrong_is_refused(&s3).await;
}

#[tokio::test]
async fn what_is_not_as_declared_is_refused_by_a_container_too() {
    let Some(azblob) = azblob("presigned::what_is_not_as_declared_is_refused_by_a_container")
    else {
        return;
    };
    what_is_wrong_is_refused(&azblob).await;
}

async fn what_is_wrong_is_refused<S>(remote: &Remote<S>) {
    let (server, admin, at) = direct(remote).await;
    let good = BoxBuilder::new("virtualbox").seed(1).build();
    let old = admin.upload(&format!("{}/upload", at.file_path()), good.bytes.clone(), &[]).await;
    assert_eq!(old.status, 200, "{}", old.text());
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let elsewhere = BoxBuilder::new("libvirt").build();
    let no_box = BoxFile { bytes: vec![7; 2000], ..other.clone() };
    let wrong = json!({ "checksum": good.sha256 });
    for (file, more, code) in [
        (&other, wrong, "CHECKSUM_MISMATCH"),
        (&no_box, json!({}), "NOT_A_BOX"),
        (&elsewhere, json!({}), "PROVIDER_MISMATCH"),
        (&other, json!({ "fileSize": other.bytes.len() + 10 }), "LENGTH_MISMATCH"),
    ] {
        let id = if more.get("fileSize").is_some() {
            let begun = admin.post(&uploads(&at), &more).await.data();
            // the store holds the sender to the length where it can
            let url = begun["parts"][0]["url"].as_str().unwrap();
            let answer = status(Method::PUT, url, &file.bytes).await;
            if !(200..300).contains(&answer) {
                continue;
            }
            begun["id"].as_str().unwrap().to_owned()
        } else {
            begin(&admin, &at, file, more).await
        };
        let refused = finish(&admin, &at, &id).await;
        assert_eq!(refused.code(), code, "{}", refused.text());
        assert_eq!(finish(&admin, &at, &id).await.code(), "UPLOAD_NOT_FOUND", "it is over");
    }
    let kept = admin.get(&format!("{}/download", at.file_path())).await;
    assert!(kept.bytes == good.bytes, "the file that was there is another one");

    // nothing came, and then it does
    let begun = admin.post(&uploads(&at), &json!({ "fileSize": other.bytes.len() })).await.data();
    let id = begun["id"].as_str().unwrap();
    assert_eq!(finish(&admin, &at, id).await.code(), "LENGTH_MISMATCH");
    let sam = server.user("sam").await;
    assert_ne!(finish(&sam, &at, id).await.status, 200);
    let tampered = format!("{id}x");
    assert_eq!(finish(&admin, &at, &tampered).await.code(), "UPLOAD_NOT_FOUND");
    let url = begun["parts"][0]["url"].as_str().unwrap();
    assert!((200..300).contains(&status(Method::PUT, url, &other.bytes).await));
    let done = finish(&admin, &at, id).await;
    assert!(done.status == 200 && done.data()["replaced"] == true, "{}", done.text());
    // who is late changes nothing
    status(Method::PUT, url, &good.bytes).await;
    let kept = admin.get(&format!("{}/download", at.file_path())).await;
    assert!(kept.bytes == other.bytes, "a late part changed the file");

    // given up, and abandoned
    let id = begin(&admin, &at, &good, json!({})).await;
    let given_up = admin.delete(&format!("{}/{id}", uploads(&at))).await;
    assert_eq!(given_up.status, 200, "{}", given_up.text());
    assert_eq!(finish(&admin, &at, &id).await.code(), "UPLOAD_NOT_FOUND");
    let abandoned = begin(&admin, &at, &good, json!({})).await;
    assert_eq!(admin.delete("/api/organization/acme/box/web").await.status, 200);
    sweep(&server).await;
    assert_eq!(finish(&admin, &at, &abandoned).await.status, 404);
    sweep(&server).await;
    nothing_is_left(remote).await;
}

#[tokio::test]
async fn one_user_begins_no_more_than_the_limit_says() {
    let Some(s3) = s3("presigned::one_user_begins_no_more_than_the_limit_says") else { return };
    let server = s3
        .server()
        .set("stores.main.transfer", "redirect")
        .set("limits.uploads_open_per_user_max", "2")
        .start()
        .await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "web", &[]);
    admin.prepare(&at).await;
    let begin = async || admin.post(&uploads(&at), &json!({ "fileSize": 1000 })).await;
    assert_eq!((begin().await.status, begin().await.status), (201, 201));
    assert_eq!(begin().await.code(), "TOO_MANY_UPLOADS");
}

#[tokio::test]
async fn where_files_go_through_the_server_no_upload_goes_past_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "web", &[]);
    admin.prepare(&at).await;
    let refused = admin.post(&uploads(&at), &json!({ "fileSize": 1000 })).await;
    assert_eq!((refused.status, &*refused.code()), (409, "DIRECT_UPLOAD_UNAVAILABLE"));
    let empty = admin.post(&uploads(&at), &json!({ "fileSize": 0 })).await;
    assert_eq!((empty.status, &*empty.code()), (400, "INVALID_INPUT"));
    let unknown = admin.get(&format!("{}/none", uploads(&at))).await;
    assert_eq!((unknown.status, &*unknown.code()), (404, "UPLOAD_NOT_FOUND"));
}

#[tokio::test]
async fn stock_vagrant_publishes_straight_to_the_bucket() {
    let test = "presigned::stock_vagrant_publishes_straight_to_the_bucket";
    let Some(s3) = s3(test) else { return };
    stock_vagrant_publishes_straight_there(&s3, test).await;
}

#[tokio::test]
async fn stock_vagrant_publishes_straight_to_the_container() {
    let test = "presigned::stock_vagrant_publishes_straight_to_the_container";
    let Some(azblob) = azblob(test) else { return };
    stock_vagrant_publishes_straight_there(&azblob, test).await;
}

#[tokio::test]
async fn stock_vagrant_publishes_straight_to_the_bucket_of_google() {
    let test = "presigned::stock_vagrant_publishes_straight_to_the_bucket_of_google";
    let Some(gcs) = gcs_account(test) else { return };
    stock_vagrant_publishes_straight_there(&gcs, test).await;
}

async fn stock_vagrant_publishes_straight_there<S>(remote: &Remote<S>, test: &str) {
    let server = remote.server().set("stores.main.transfer", "redirect").start().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(&format!("object_stores::{test}"), "vagrant is not installed");
        return;
    };
    let admin = server.admin().await;
    assert_eq!(admin.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    let vagrant = vagrant.token(&server.api_token(ADMIN_NAME).await);
    let file = BoxBuilder::new("virtualbox").disk_bytes(6 << 20).build();
    let path = vagrant.home().join("one.box");
    tokio::fs::write(&path, &file.bytes).await.unwrap();
    let path = path.display().to_string();
    let publish = async |version: &str, file: &str, more: &[&str]| {
        let mut all = vec!["cloud", "publish", "acme/debian", version, "virtualbox", file, "-f"];
        all.extend(more);
        vagrant.run(&all).await
    };
    let sum = file.sha256.clone();
    let declared = ["-r", "--no-private", "--checksum", &sum, "--checksum-type", "sha256"];
    publish("1.0.0", &path, &declared).await.expect_success();
    assert_eq!(counted(&server, "upload_bytes_total").await, 0, "bytes came through");

    // what it is told of a file that is none, or another one
    let bad = vagrant.home().join("bad.box");
    tokio::fs::write(&bad, b"not a box").await.unwrap();
    let refused = publish("1.1.0", &bad.display().to_string(), &["-r"]).await;
    refused.expect_failure();
    assert!(refused.output.contains("not a Vagrant box"), "{}", refused.output);
    let wrong = "0".repeat(64);
    let declared = ["-r", "--checksum", &wrong, "--checksum-type", "sha256"];
    let refused = publish("1.2.0", &path, &declared).await;
    refused.expect_failure();
    assert!(refused.output.contains(&sum), "{}", refused.output);

    let add = ["box", "add", "acme/debian", "--provider", "virtualbox"];
    vagrant.run(&add).await.expect_success();
    assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_some());
    assert_eq!(counted(&server, "download_bytes_total").await, 0, "bytes went through");
    assert_eq!(admin.delete("/api/organization/acme/box/debian").await.status, 200);
    sweep(&server).await;
    sweep(&server).await;
    nothing_is_left(remote).await;
}

#[tokio::test]
async fn a_callback_may_be_said_again_and_says_what_is_missing() {
    let Some(s3) = s3("presigned::a_callback_may_be_said_again") else { return };
    let (server, admin, at) = direct(&s3).await;
    let path = "/api/v2/box/acme/web/version/1.0.0/provider/virtualbox/amd64/upload/direct";
    let invitation = admin.get(path).await.json();
    let callback = invitation["callback"].as_str().unwrap().strip_prefix(&server.url()).unwrap();
    the_word_is_taken(&admin, &at, invitation["upload_path"].as_str().unwrap(), callback).await;
}

#[tokio::test]
async fn the_newer_api_sends_straight_to_the_bucket_too() {
    let Some(s3) = s3("presigned::the_newer_api_sends_straight_to_the_bucket_too") else { return };
    let (server, admin, at) = direct(&s3).await;
    let registry = "/vagrant/2022-09-30/registry/acme/box/web/version/1.0.0";
    let here = format!("{registry}/provider/virtualbox/architecture/amd64/direct");
    let invitation = admin.get(&format!("{here}/upload")).await.json();
    let complete = format!("{here}/complete/{}", invitation["object"].as_str().unwrap());
    the_word_is_taken(&admin, &at, invitation["url"].as_str().unwrap(), &complete).await;
    assert_eq!(counted(&server, "upload_bytes_total").await, 0, "bytes came through");

    // what is no box harms nothing
    let invitation = admin.get(&format!("{here}/upload")).await.json();
    let complete = format!("{here}/complete/{}", invitation["object"].as_str().unwrap());
    let url = invitation["url"].as_str().unwrap();
    assert_eq!(status(Method::PUT, url, b"not a box").await, 200);
    let refused = send(admin.request(Method::PUT, &complete)).await;
    assert!((400..500).contains(&refused.status), "{}", refused.text());
    assert!(refused.text().contains("not a Vagrant box"), "{}", refused.text());
    let info = admin.get(&format!("{}/info", at.file_path())).await;
    assert_eq!(info.status, 200, "the file before is gone");
}

async fn the_word_is_taken(admin: &Client, at: &Publication<'_>, url: &str, callback: &str) {
    let file = BoxBuilder::new("virtualbox").build();
    let call = async || send(admin.request(Method::PUT, callback)).await;
    let early = call().await;
    assert!(early.status == 422 && early.text().contains("nothing came"), "{}", early.text());
    // as often as it takes
    for _ in 0..2 {
        assert_eq!(status(Method::PUT, url, &file.bytes).await, 200);
    }
    for _ in 0..2 {
        let reply = call().await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let info = admin.get(&format!("{}/info", at.file_path())).await.data();
    assert_eq!(info["checksum"], file.sha256);
}
