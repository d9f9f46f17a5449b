//! Organizations that mirror another registry: two real servers, and a web server that goes away, lies and stalls.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile, DISK_NAME},
    outcome::{expect, swept_and_clean},
    server::{ADMIN_NAME, TestServerBuilder},
    skip,
    upstream::{Page, Upstream},
    wait_for,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);
const FILE: &str = "/copy/boxes/debian/versions/1.0.0/providers/virtualbox/amd64/vagrant.box";

/// A server that may mirror what is on this machine.
pub(crate) fn mirroring() -> TestServerBuilder {
    TestServer::builder()
        .set("mirror.upstream_hosts", "127.0.0.1,localhost")
        .set("mirror.private_addresses_allowed", "true")
        .set("mirror.retry_after", "1 s")
}

/// It, with the organization `copy` that mirrors something, and its admin.
async fn mirror(builder: TestServerBuilder, settings: Value) -> (TestServer, Client) {
    let server = builder.start().await;
    let admin = server.admin().await;
    expect(201, admin.post("/api/organization", &json!({ "name": "copy" })).await);
    expect(200, admin.put("/api/organization/copy/mirror", &settings).await);
    (server, admin)
}

fn file(seed: u64) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(1 << 20).build()
}

/// The catalogue of `debian` with one file.
fn catalogue(url: &str, sum: Option<&str>) -> Value {
    let mut provider = json!({ "name": "virtualbox", "url": url, "architecture": "amd64" });
    if let Some(sum) = sum {
        provider["checksum"] = json!(sum);
        provider["checksum_type"] = json!("sha256");
    }
    json!({
        "name": "there/debian", "description": "d", "license": "MIT",
        "versions": [{ "version": "1.0.0", "providers": [provider] }],
    })
}

/// An upstream with that catalogue and its file, and a mirror of it that everybody reads.
async fn stage(builder: TestServerBuilder, file: &BoxFile) -> (Upstream, TestServer, Client) {
    let upstream = Upstream::start().await;
    upstream.set("/debian.json", Page::json(&catalogue("/debian.box", Some(&file.sha256))));
    upstream.set("/debian.box", Page::Bytes(file.bytes.clone()));
    let settings = json!({ "url": upstream.url("/debian.json"), "isPublic": true });
    let (server, admin) = mirror(builder, settings).await;
    (upstream, server, admin)
}

/// Whether a client takes what it gets for the file.
async fn comes_whole(client: &Client) -> bool {
    let response = client.request(reqwest::Method::GET, FILE).send().await.unwrap();
    response.status() == 200 && response.bytes().await.is_ok()
}

#[tokio::test]
async fn vagrant_installs_through_a_mirror_of_another_boxvault() {
    let source = TestServer::start().await;
    let owner = source.admin().await;
    let (one, two) = (file(1), file(2));
    let first = Publication { public: false, ..Publication::new("acme", "debian", &one.bytes) };
    owner.publish(&first).await;
    owner.publish(&Publication { version: "1.1.0", file: &two.bytes, ..first }).await;
    let token = source.api_token(ADMIN_NAME).await;
    let url = format!("{}/acme", source.url());
    let settings =
        json!({ "url": url, "isPublic": true, "license": "GPL-2.0-only", "token": token });
    let (server, admin) = mirror(mirroring(), settings).await;

    // nobody sees what the upstream does not have; the token shows nowhere
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/copy/nothing").await.status, 404);
    let set = admin.get("/api/organization/copy/mirror").await;
    assert_eq!(
        (set.data()["hasToken"].clone(), set.data()["url"].clone()),
        (json!(true), json!(url))
    );
    assert!(!set.text().contains(&token) && !server.log().contains(&token));

    if let Some(vagrant) = Vagrant::new(&server.url()) {
        let add = ["box", "add", "copy/debian", "--provider", "virtualbox"];
        vagrant.run(&add).await.expect_success();
        let folder = vagrant.installed("copy", "debian", "1.1.0", "virtualbox").unwrap();
        assert!(tokio::fs::read(folder.join(DISK_NAME)).await.unwrap() == two.disk);
        let older = ["box", "add", "copy/debian", "--box-version", "1.0.0"];
        vagrant.run(&older).await.expect_success();
    } else {
        skip(
            "mirrors::vagrant_installs_through_a_mirror_of_another_boxvault",
            "vagrant is not installed",
        );
        for version in ["1.0.0", "1.1.0"] {
            let part = Publication { organization: "copy", version, ..first };
            assert_eq!(anonymous.get(&part.vagrant_path()).await.status, 200);
        }
    }
    let shown = admin.get("/api/organization/copy/box/debian").await.data();
    assert_eq!(shown["origin"]["license"], json!("GPL-2.0-only"), "{shown}");
    let origin = shown["origin"]["url"].as_str().unwrap();
    assert!(origin.starts_with(&source.url()) && origin.ends_with("/acme/debian"), "{shown}");

    // what is here stays when the upstream is gone for good
    drop(source);
    for (version, file) in [("1.0.0", &one), ("1.1.0", &two)] {
        let part = Publication { organization: "copy", version, ..first };
        let fetched = anonymous.get(&part.vagrant_path()).await;
        assert!(fetched.bytes == file.bytes, "{version}: {}", fetched.status);
    }
    let versions = anonymous.get("/api/v2/vagrant/copy/debian").await.json();
    assert_eq!(versions["versions"].as_array().map(Vec::len), Some(2), "{versions}");
}

#[tokio::test]
async fn a_catalogue_is_kept_and_asked_for_again_when_it_is_old() {
    let one = file(3);
    let (upstream, server, _) = stage(mirroring().set("mirror.catalogue_ttl", "1 s"), &one).await;
    let anonymous = server.anonymous();
    let count = || upstream.asked_for("/debian.json").len();
    let first = anonymous.get("/copy/debian").await;
    assert_eq!(first.json()["versions"][0]["providers"][0]["checksum"], json!(one.sha256));
    let asked = count();
    // old now: asked again with its entity tag, and unchanged
    wait_for("another look at the upstream", PATIENCE, async || {
        assert_eq!(anonymous.get("/copy/debian").await.status, 200);
        (count() > asked).then_some(())
    })
    .await;
    assert_eq!(upstream.asked_for("/debian.json").last().unwrap().status, 304);

    // a new version shows, and what the upstream takes away stays
    let mut two = catalogue("/debian.box", Some(&one.sha256));
    two["versions"][0]["version"] = json!("2.0.0");
    upstream.set("/debian.json", Page::json(&two));
    assert!(anonymous.get(FILE).await.bytes == one.bytes);
    wait_for("the new version", PATIENCE, async || {
        let all = anonymous.get("/copy/debian").await.json();
        let numbers: Vec<_> =
            all["versions"].as_array()?.iter().map(|it| it["version"].clone()).collect();
        (numbers == ["2.0.0", "1.0.0"]).then_some(())
    })
    .await;
    // and all of it when the upstream is away
    upstream.clear();
    for path in ["/debian.json", "/debian.box"] {
        upstream.set(path, Page::Status(502));
    }
    let asked = count();
    wait_for("a look that finds nobody", PATIENCE, async || {
        assert_eq!(anonymous.get("/copy/debian").await.json()["versions"].as_array()?.len(), 2);
        (count() > asked).then_some(())
    })
    .await;
    assert!(anonymous.get(FILE).await.bytes == one.bytes, "pinned for ever");
    let missing = FILE.replace("1.0.0", "2.0.0");
    let away = anonymous.get(&missing).await;
    assert_eq!(away.status, 503, "{}", away.text());
    assert!(away.header("retry-after").is_some());

    // it comes back
    upstream.set("/debian.box", Page::Bytes(one.bytes.clone()));
    wait_for("the upstream to be asked again", PATIENCE, async || {
        (anonymous.get(&missing).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_silent_upstream_holds_up_nobody_who_can_have_what_is_here() {
    let one = file(15);
    let builder =
        mirroring().set("mirror.catalogue_ttl", "1 s").set("mirror.answer_timeout", "1 h");
    let (upstream, server, _) = stage(builder, &one).await;
    let anonymous = server.anonymous();
    assert!(anonymous.get(FILE).await.bytes == one.bytes);
    upstream.set("/debian.json", Page::Silent);
    let asked = upstream.asked_for("/debian.json").len();
    wait_for("a look that gets no answer", PATIENCE, async || {
        let versions = anonymous.get("/copy/debian").await.json();
        assert_eq!(versions["versions"].as_array().map(Vec::len), Some(1));
        (upstream.asked_for("/debian.json").len() > asked).then_some(())
    })
    .await;
    assert!(anonymous.get(FILE).await.bytes == one.bytes);
}

#[tokio::test]
async fn a_wrong_file_is_cut_and_never_visible() {
    let (right, wrong) = (file(4), file(5));
    let (upstream, server, admin) = stage(mirroring(), &right).await;
    upstream.set("/debian.box", Page::Bytes(wrong.bytes.clone()));
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/copy/debian").await.status, 200);
    // the whole never comes: the connection is cut before
    assert!(!comes_whole(&anonymous).await, "a client has to notice");
    let path =
        "/api/organization/copy/box/debian/version/1.0.0/provider/virtualbox/architecture/amd64";
    let info = admin.get(&format!("{path}/file/info")).await;
    assert_eq!((info.status, &*info.code()), (404, "FILE_NOT_FOUND"));
    assert!(server.log().contains("CHECKSUM_MISMATCH"), "{}", server.log());

    upstream.set("/debian.box", Page::Bytes(right.bytes.clone()));
    assert!(anonymous.get(FILE).await.bytes == right.bytes);
    let info = admin.get(&format!("{path}/file/info")).await;
    assert_eq!(info.data()["checksum"], json!(right.sha256));
}

#[tokio::test]
async fn many_who_ask_at_once_share_one_fetch_and_see_the_first_byte_before_the_last() {
    let one = file(6);
    let (upstream, server, _) = stage(mirroring(), &one).await;
    let anonymous = server.anonymous();
    // a hundred pieces with a pause after each
    let piece = one.bytes.len() / 100;
    upstream.set("/debian.box", Page::Slow(one.bytes.clone(), piece, Duration::from_millis(20)));
    let mut early = anonymous.request(reqwest::Method::GET, FILE).send().await.unwrap();
    let length = early.content_length();
    let first = early.chunk().await.unwrap().unwrap();
    assert!(!first.is_empty() && length == Some(one.bytes.len() as u64));
    let asked = upstream.asked_for("/debian.box").len();
    let late: Vec<_> = (0..8)
        .map(|index| {
            let client = anonymous.clone();
            let range = (index == 0).then_some(("range", "bytes=1000-"));
            tokio::spawn(async move {
                client.get_with(FILE, &range.into_iter().collect::<Vec<_>>()).await
            })
        })
        .collect();
    for (index, late) in late.into_iter().enumerate() {
        let reply = late.await.unwrap();
        let (status, from) = if index == 0 { (206, 1000) } else { (200, 0) };
        assert_eq!((reply.status, reply.bytes == one.bytes[from..]), (status, true), "{index}");
    }
    let mut all = first.to_vec();
    while let Some(chunk) = early.chunk().await.unwrap() {
        all.extend_from_slice(&chunk);
    }
    assert!(all == one.bytes);
    assert_eq!((asked, upstream.asked_for("/debian.box").len()), (1, 1));
}

#[tokio::test]
async fn two_servers_that_bring_one_file_at_once_keep_it_once_and_fail_nobody() {
    let one = file(14);
    let (upstream, first, admin) = stage(mirroring(), &one).await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let second = mirroring()
        .set("database.url", &database)
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", first.data_dir().join("store").to_str().unwrap())
        .start()
        .await;
    let piece = one.bytes.len() / 20;
    upstream.set("/debian.box", Page::Slow(one.bytes.clone(), piece, Duration::from_millis(50)));
    let (one_there, other_there) = (first.anonymous(), second.anonymous());
    let both = tokio::join!(one_there.get(FILE), other_there.get(FILE));
    for reply in [both.0, both.1] {
        assert_eq!((reply.status, reply.bytes == one.bytes), (200, true), "{}", reply.text());
    }
    assert_eq!(upstream.asked_for("/debian.box").len(), 2, "each asked, since neither had it");
    // what the slower one brought is nobody's, and goes
    upstream.set("/debian.box", Page::Status(503));
    for server in [&first, &second] {
        assert!(server.anonymous().get(FILE).await.bytes == one.bytes);
    }
    swept_and_clean(&first).await;
    assert!(other_there.get(FILE).await.bytes == one.bytes);
    let uploads = admin.get("/api/organization/copy/audit?action=upload").await.data();
    assert_eq!(uploads.as_array().unwrap().len(), 1, "{uploads:#}");
}

#[tokio::test]
async fn what_a_client_gives_up_is_brought_here_all_the_same_and_a_stalled_upstream_is_given_up() {
    let one = file(7);
    let (upstream, server, _) = stage(mirroring().set("mirror.idle_timeout", "1 s"), &one).await;
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/copy/debian").await.status, 200);
    upstream.set("/debian.box", Page::StallsAt(one.bytes.clone(), 300_000));
    assert!(!comes_whole(&anonymous).await, "the upstream said nothing for a second");

    upstream.set("/debian.box", Page::Slow(one.bytes.clone(), 100_000, Duration::from_millis(50)));
    let response = wait_for("the next attempt", PATIENCE, async || {
        let request = anonymous.request(reqwest::Method::GET, FILE);
        request.send().await.ok().filter(|response| response.status() == 200)
    })
    .await;
    drop(response);
    wait_for("the file that nobody waits for", PATIENCE, async || {
        server.log().contains("stored the file of copy/debian").then_some(())
    })
    .await;
    upstream.clear();
    assert!(anonymous.get(FILE).await.bytes == one.bytes);
}

#[tokio::test]
async fn a_file_goes_on_where_the_connection_to_the_upstream_broke() {
    let one = file(11);
    let (upstream, server, _) = stage(mirroring().set("mirror.idle_timeout", "1 s"), &one).await;
    let anonymous = server.anonymous();
    upstream.set("/debian.box", Page::StallsAt(one.bytes.clone(), 300_000));
    let client = anonymous.clone();
    let reading = tokio::spawn(async move { client.get(FILE).await });
    wait_for("the first request", PATIENCE, async || {
        (!upstream.asked_for("/debian.box").is_empty()).then_some(())
    })
    .await;
    upstream.set("/debian.box", Page::Bytes(one.bytes.clone()));
    assert!(reading.await.unwrap().bytes == one.bytes);
    let ranges: Vec<_> =
        upstream.asked_for("/debian.box").into_iter().map(|asked| asked.range).collect();
    assert_eq!(ranges, [None, Some("bytes=300000-".to_owned())]);
}

#[tokio::test]
async fn own_boxes_stay_and_mirrored_ones_are_shown_and_come_again_as_the_mirror_says() {
    let (own, one) = (file(12), file(13));
    let server = mirroring().start().await;
    let admin = server.admin().await;
    admin.publish(&Publication::new("copy", "own", &own.bytes)).await;
    let upstream = Upstream::start().await;
    let there = |name: &str| {
        let mut document = catalogue("/debian.box", Some(&one.sha256));
        document["name"] = json!(format!("there/{name}"));
        Page::json(&document)
    };
    upstream.set("/api/v2/vagrant/there/own", there("own"));
    upstream.set("/api/v2/vagrant/there/debian", there("debian"));
    upstream.set("/api/v2/vagrant/there/broken", Page::Bytes(b"<html>".to_vec()));
    upstream.set("/debian.box", Page::Bytes(one.bytes.clone()));
    let mirror = "/api/organization/copy/mirror";
    let url = upstream.url("/there");
    expect(200, admin.put(mirror, &json!({ "url": url, "isPublic": true })).await);

    // one that cannot be read keeps no other one back
    let anonymous = server.anonymous();
    let broken = anonymous.get("/copy/broken").await;
    assert_eq!(broken.status, 503, "{}", broken.text());
    assert!(anonymous.get(FILE).await.bytes == one.bytes, "by its address alone");
    let kept = Publication::new("copy", "own", &own.bytes);
    assert!(anonymous.get(&kept.vagrant_path()).await.bytes == own.bytes);
    assert!(upstream.asked_for("/api/v2/vagrant/there/own").is_empty());
    let shown = admin.get("/api/organization/copy/box/own").await.data();
    assert_eq!(shown["origin"], Value::Null);

    // what was deleted here comes again for who asks
    expect(200, admin.delete("/api/organization/copy/box/debian/version/1.0.0").await);
    assert!(anonymous.get(FILE).await.bytes == one.bytes);

    // hidden: the mirrored ones, and they alone
    expect(200, admin.put(mirror, &json!({ "url": url, "isPublic": false })).await);
    assert_eq!(anonymous.get("/copy/debian").await.status, 404);
    assert_eq!(anonymous.get(FILE).await.status, 404);
    assert_eq!(anonymous.get(&kept.vagrant_path()).await.status, 200);
    assert!(admin.get(FILE).await.bytes == one.bytes);
}

#[tokio::test]
async fn only_so_many_files_come_at_once() {
    let one = file(14);
    let (upstream, server, _) = stage(mirroring().set("mirror.fetches_max", "1"), &one).await;
    let anonymous = server.anonymous();
    let mut two = catalogue("/debian.box", Some(&one.sha256));
    two["versions"].as_array_mut().unwrap().push(json!({
        "version": "2.0.0", "providers": [{ "name": "virtualbox", "url": "/other.box" }],
    }));
    upstream.set("/debian.json", Page::json(&two));
    upstream.set("/debian.box", Page::Slow(one.bytes.clone(), 300_000, Duration::from_millis(200)));
    upstream.set("/other.box", Page::Bytes(one.bytes.clone()));
    let first = anonymous.request(reqwest::Method::GET, FILE).send().await.unwrap();
    let other = FILE.replace("1.0.0/providers/virtualbox/amd64", "2.0.0/providers/virtualbox");
    let other = other.replace("/vagrant.box", ".box");
    let busy = anonymous.get(&other).await;
    assert_eq!((busy.status, busy.header("retry-after").is_some()), (503, true), "{}", busy.text());
    assert!(first.bytes().await.unwrap() == one.bytes);
    wait_for("room", PATIENCE, async || (anonymous.get(&other).await.status == 200).then_some(()))
        .await;
}

#[tokio::test]
async fn who_may_read_what_a_mirror_has_is_told_what_it_mirrors() {
    let one = file(16);
    let (upstream, server, admin) = stage(mirroring(), &one).await;
    let (path, url) = ("/api/organization/copy", upstream.url("/debian.json"));
    expect(200, admin.put(path, &json!({ "accessMode": "invite_only" })).await);
    let anonymous = server.anonymous();
    let of = async |client: &Client| expect(200, client.get(path).await).data()["mirrorOf"].take();
    assert_eq!((of(&admin).await, of(&anonymous).await), (json!(url), json!(url)));
    let listed = expect(200, admin.get("/api/organization").await).data();
    assert_eq!(listed[0]["mirrorOf"], json!(url), "{listed}");
    // where it is for members alone, so is what it mirrors
    let hidden = json!({ "url": url, "isPublic": false });
    expect(200, admin.put(&format!("{path}/mirror"), &hidden).await);
    assert_eq!((of(&admin).await, of(&anonymous).await), (json!(url), Value::Null));
    expect(200, admin.delete(&format!("{path}/mirror")).await);
    assert_eq!(of(&admin).await, Value::Null);
}

#[tokio::test]
async fn boxes_of_a_mirror_are_read_only_until_it_ends() {
    let one = file(8);
    let builder = mirroring().set("mirror.catalogue_ttl", "1 s");
    let (upstream, server, admin) = stage(builder, &one).await;
    assert!(admin.get(FILE).await.bytes == one.bytes);
    let two = catalogue("/debian.box", Some(&one.sha256));
    let boxes = "/api/organization/copy/box";
    for reply in [
        admin.post(boxes, &json!({ "name": "other" })).await,
        admin.put(&format!("{boxes}/debian"), &json!({ "description": "x" })).await,
        admin.post(&format!("{boxes}/debian/version"), &json!({ "versionNumber": "3.0.0" })).await,
        admin.put(&format!("{boxes}/debian/version/1.0.0/revoke"), &json!({})).await,
    ] {
        assert_eq!((reply.status, &*reply.code()), (409, "MIRROR_READ_ONLY"), "{}", reply.text());
        assert!(reply.text().contains("mirrors http://"), "{}", reply.text());
    }
    // pages offer no more than that
    let allowed = async |path: &str| {
        expect(200, admin.get(&format!("{path}/permissions")).await).data()["allowed"].take()
    };
    let in_copy = allowed("/api/organization/copy").await;
    let offered = (&in_copy["box"], &in_copy["mirror"]);
    assert_eq!(offered, (&json!(["restore"]), &json!(["read", "update", "delete"])));
    assert_eq!(
        allowed(&format!("{boxes}/debian")).await,
        json!({ "box": ["read", "delete", "watch"] })
    );
    assert_eq!(
        allowed(&format!("{boxes}/debian/version/1.0.0")).await,
        json!({
            "version": ["read", "delete"],
            "architecture": ["delete"],
            "file": ["download", "verify", "delete"],
        })
    );
    let cloud = json!({ "username": "copy", "name": "other", "is_private": false });
    let cloud = admin.post("/api/v2/boxes", &cloud).await;
    assert_eq!(cloud.status, 422, "{}", cloud.text());
    assert!(cloud.text().contains("mirrors http://"), "{}", cloud.text());

    // a second version that nobody asked for goes with the mirror; what is here stays
    let mut more = two;
    more["versions"].as_array_mut().unwrap().push(json!({
        "version": "2.0.0", "providers": [{ "name": "virtualbox", "url": "/other.box" }],
    }));
    upstream.set("/debian.json", Page::json(&more));
    wait_for("the second version", PATIENCE, async || {
        let all = server.anonymous().get("/copy/debian").await.json();
        (all["versions"].as_array()?.len() == 2).then_some(())
    })
    .await;
    let ended = expect(200, admin.delete("/api/organization/copy/mirror").await);
    assert_eq!(ended.data()["url"], Value::Null);
    let versions = admin.get(&format!("{boxes}/debian/version")).await.data();
    assert_eq!(versions.as_array().map(Vec::len), Some(1), "{versions}");
    assert!(server.anonymous().get(FILE).await.bytes == one.bytes);
    expect(201, admin.post(boxes, &json!({ "name": "other" })).await);
}

#[tokio::test]
async fn only_configured_hosts_are_asked_and_the_token_goes_to_its_origin_alone() {
    let server = TestServer::builder()
        .set("mirror.upstream_hosts", "boxes.example.com,127.0.0.1")
        .start()
        .await;
    let admin = server.admin().await;
    expect(201, admin.post("/api/organization", &json!({ "name": "copy" })).await);
    for (url, why) in [
        ("https://other.example.com/acme", "mirror.upstream_hosts"),
        ("http://127.0.0.1:1/acme", "mirror.private_addresses_allowed"),
        ("file:///etc/passwd.json", "must begin with https://"),
        ("https://a:b@boxes.example.com/acme", "must not hold a name or a password"),
    ] {
        let refused = admin.put("/api/organization/copy/mirror", &json!({ "url": url })).await;
        assert_eq!((refused.status, &*refused.code()), (400, "INVALID_INPUT"), "{url}");
        assert!(refused.text().contains(why), "{url}: {}", refused.text());
    }
    let secret = json!({ "url": "https://boxes.example.com/debian.json?key=canary" });
    let refused = admin.put("/api/organization/copy/mirror", &secret).await;
    assert!(refused.status == 400 && !refused.text().contains("canary"), "{}", refused.text());
    let soon = json!({ "url": "https://boxes.example.com/acme", "syncSeconds": 5 });
    assert_eq!(admin.put("/api/organization/copy/mirror", &soon).await.status, 400);

    // redirects are looked at like addresses, and take no token along
    let (upstream, elsewhere) = (Upstream::start().await, Upstream::start().await);
    let one = file(9);
    elsewhere.set("/debian.box", Page::Bytes(one.bytes.clone()));
    upstream.set("/debian.json", Page::json(&catalogue("/moved", Some(&one.sha256))));
    upstream.set("/moved", Page::Redirect(elsewhere.url("/debian.box")));
    let url = upstream.url("/debian.json");
    let settings = json!({ "url": url, "isPublic": true, "token": "canary-of-a-token" });
    let (server, admin) = mirror(mirroring(), settings).await;
    let anonymous = server.anonymous();
    assert!(anonymous.get(FILE).await.bytes == one.bytes);
    assert!(
        upstream
            .asked()
            .iter()
            .all(|it| it.authorization.as_deref() == Some("Bearer canary-of-a-token"))
    );
    assert!(elsewhere.asked().iter().all(|it| it.authorization.is_none()));
    assert!(!server.log().contains("canary"));
    // kept for the same origin, and for no other
    let same = json!({ "url": upstream.url("/other.json") });
    let kept = expect(200, admin.put("/api/organization/copy/mirror", &same).await);
    assert_eq!(kept.data()["hasToken"], json!(true));
    let other = json!({ "url": elsewhere.url("/debian.json") });
    let lost = expect(200, admin.put("/api/organization/copy/mirror", &other).await);
    assert_eq!(lost.data()["hasToken"], json!(false));

    upstream.set("/moved", Page::Redirect("http://10.1.2.3/debian.box".to_owned()));
    let server = mirroring().start().await;
    let admin = server.admin().await;
    expect(201, admin.post("/api/organization", &json!({ "name": "copy" })).await);
    expect(
        200,
        admin.put("/api/organization/copy/mirror", &json!({ "url": url, "isPublic": true })).await,
    );
    let refused = server.anonymous().get(FILE).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    assert!(server.log().contains("mirror.upstream_hosts"), "the operator learns why");
}

#[tokio::test]
async fn a_private_mirror_brings_nothing_for_strangers_and_respects_the_quota() {
    let one = file(10);
    let upstream = Upstream::start().await;
    upstream.set("/debian.json", Page::json(&catalogue("/debian.box", Some(&one.sha256))));
    upstream.set("/debian.box", Page::Bytes(one.bytes.clone()));
    let settings = json!({ "url": upstream.url("/debian.json") });
    let (server, admin) = mirror(mirroring(), settings).await;
    assert_eq!(server.anonymous().get("/copy/debian").await.status, 404);
    assert_eq!(server.anonymous().get(FILE).await.status, 404);
    assert_eq!(server.user("stranger").await.get(FILE).await.status, 404);
    assert!(upstream.asked().is_empty(), "{:?}", upstream.asked());

    expect(200, admin.put("/api/organization/copy/quota", &json!({ "bytes": 1000 })).await);
    let refused = admin.get(FILE).await;
    assert_eq!(refused.status, 507, "{}", refused.text());
    expect(200, admin.put("/api/organization/copy/quota", &json!({})).await);
    assert!(admin.get(FILE).await.bytes == one.bytes);
}

#[tokio::test]
async fn a_mirror_with_a_schedule_brings_everything_over() {
    let source = TestServer::start().await;
    let owner = source.admin().await;
    let files: Vec<_> = (0..3).map(|seed| file(20 + seed)).collect();
    for (name, file) in ["aaa", "bbb", "ccc"].iter().zip(&files) {
        owner.publish(&Publication::new("acme", name, &file.bytes)).await;
    }
    let settings =
        json!({ "url": format!("{}/acme", source.url()), "syncSeconds": 3600, "isPublic": true });
    let (server, admin) = mirror(mirroring(), settings).await;
    wait_for("all files", PATIENCE, async || {
        let usage = admin.get("/api/organization/copy/usage").await.data();
        (usage["total"]["files"] == json!(3) || usage["files"] == json!(3)).then_some(())
    })
    .await;
    drop(source);
    for (name, file) in ["aaa", "bbb", "ccc"].iter().zip(&files) {
        let part = Publication::new("copy", name, &file.bytes);
        assert!(server.anonymous().get(&part.vagrant_path()).await.bytes == file.bytes, "{name}");
    }
    let set = admin.get("/api/organization/copy/mirror").await.data();
    assert!(set["syncedAt"].is_string() && set["problem"].is_null(), "{set}");
}
