//! The Vagrant Cloud API, with the real `vagrant cloud …` and by the shapes that other versions of it and Packer send.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
};

use boxvault_tests::{
    Client, Publication, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile, DISK_NAME},
    client::send,
    server::{ADMIN_NAME, PASSWORD},
    skip, workspace,
};
use reqwest::Method;
use serde_json::{Value, json};

const BASES: [&str; 2] = ["/api/v1", "/api/v2"];

/// A server with an organization, and its admin with a token as clients have one.
async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let reply = admin.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let token = server.api_token(ADMIN_NAME).await;
    let client = server.anonymous().with_token(&token);
    (server, client)
}

async fn ask(client: &Client, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = client.request(method, path).header("content-type", "application/json");
    let reply = send(match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    })
    .await;
    (reply.status, serde_json::from_slice(&reply.bytes).unwrap_or_default())
}

async fn good(client: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = ask(client, method, path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// The one sentence of a refusal, in the form that clients print.
#[track_caller]
fn told(answer: &Value) -> &str {
    assert_eq!(answer["success"], false, "{answer}");
    let first = answer.pointer("/errors/0").and_then(Value::as_str);
    first.unwrap_or_else(|| panic!("no errors: {answer}"))
}

#[tokio::test]
async fn stock_vagrant_manages_boxes_versions_and_providers() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::stock_vagrant_manages_boxes_versions_and_providers",
            "vagrant is not installed",
        );
        return;
    };
    let token = client.token().unwrap().to_owned();
    let bad = vagrant.run(&["cloud", "auth", "login", "--token", "nonsense"]).await;
    bad.expect_failure();
    vagrant.run(&["cloud", "auth", "login", "--token", &token]).await.expect_success();
    let who = vagrant.run(&["cloud", "auth", "whoami"]).await;
    assert!(who.expect_success().output.contains(ADMIN_NAME), "{}", who.output);

    let create = ["cloud", "box", "create", "acme/web", "-s", "short text", "-d", "Long *text*"];
    vagrant.run(&create).await.expect_success();
    vagrant.run(&create).await.expect_failure();
    let shown = vagrant.run(&["cloud", "box", "show", "acme/web"]).await;
    assert!(shown.expect_success().output.contains("acme/web"), "{}", shown.output);
    vagrant.run(&["cloud", "box", "update", "acme/web", "-s", "other"]).await.expect_success();
    let web = good(&client, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(
        (&web["short_description"], &web["description"]),
        (&json!("other"), &json!("Long *text*"))
    );

    let version = ["cloud", "version", "create", "acme/web", "1.0.0", "-d", "first"];
    vagrant.run(&version).await.expect_success();
    vagrant.run(&version).await.expect_failure();
    vagrant
        .run(&["cloud", "version", "update", "acme/web", "1.0.0", "-d", "edited"])
        .await
        .expect_success();
    let provider = ["cloud", "provider", "create", "acme/web", "virtualbox", "1.0.0"];
    vagrant.run(&provider).await.expect_success();
    let empty = vagrant.run(&["cloud", "version", "release", "acme/web", "1.0.0", "-f"]).await;
    empty.expect_failure();
    assert!(empty.output.contains("upload one"), "{}", empty.output);
    vagrant
        .run(&["cloud", "provider", "delete", "acme/web", "virtualbox", "1.0.0", "-f"])
        .await
        .expect_success();
    vagrant.run(&["cloud", "version", "delete", "acme/web", "1.0.0", "-f"]).await.expect_success();
    vagrant.run(&["cloud", "box", "delete", "acme/web", "-f"]).await.expect_success();
    assert_eq!(ask(&client, Method::GET, "/api/v2/box/acme/web", None).await.0, 404);
}

#[tokio::test]
async fn a_password_gives_a_token_and_delete_ends_it() {
    let (server, _) = server().await;
    let anyone = server.anonymous();
    for base in BASES {
        let path = format!("{base}/authenticate");
        let with = |password: &str| {
            Some(json!({
                "user": { "login": ADMIN_NAME, "password": password },
                "token": { "description": "Vagrant login from vm" },
                "two_factor": { "code": null },
            }))
        };
        let (status, answer) = ask(&anyone, Method::POST, &path, with("wrong")).await;
        assert_eq!(status, 401, "{answer}");
        assert!(told(&answer).contains("password"), "{answer}");
        let made = good(&anyone, Method::POST, &path, with(PASSWORD)).await;
        assert_eq!(made["description"], "Vagrant login from vm");
        let client = anyone.with_token(made["token"].as_str().unwrap());
        let me = good(&client, Method::GET, &path, None).await;
        assert_eq!(me["user"]["username"], ADMIN_NAME);
        assert_eq!(ask(&client, Method::DELETE, &path, None).await.0, 204);
        for client in [&client, &anyone, &anyone.with_token("nonsense")] {
            let (status, answer) = ask(client, Method::GET, &path, None).await;
            assert_eq!(status, 401, "{answer}");
            told(&answer);
        }
    }
}

#[tokio::test]
async fn pitfall_2_a_search_has_no_key_that_clients_do_not_know() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let empty = json!({ "box": { "username": "acme", "name": "empty", "is_private": false } });
    good(&client, Method::POST, "/api/v2/boxes", Some(empty)).await;
    for base in BASES {
        let query = "q=w&provider=virtualbox&architecture=amd64&sort=downloads&order=desc&limit=5";
        for path in [format!("{base}/search?{query}"), format!("{base}/search")] {
            let found = good(&server.anonymous(), Method::GET, &path, None).await;
            assert_eq!(found.as_object().unwrap().len(), 1, "{found}");
            let [web] = found["boxes"].as_array().unwrap().as_slice() else { panic!("{found}") };
            let known = [
                "name",
                "created_at",
                "updated_at",
                "tag",
                "short_description",
                "description_html",
                "description_markdown",
                "private",
                "downloads",
                "current_version",
                "versions",
                "description",
                "username",
            ];
            for key in web.as_object().unwrap().keys() {
                assert!(known.contains(&&**key), "{key}");
            }
            assert_eq!(web["current_version"]["providers"][0]["checksum"], json!(file.sha256));
        }
    }
}

#[tokio::test]
async fn pitfall_3_null_says_nothing_and_pitfall_5_bodies_come_bare() {
    let (_server, client) = server().await;
    for (base, name) in [("/api/v1", "one"), ("/api/v2", "two")] {
        let new = json!({ "username": "acme", "name": name, "description": "kept", "other": 1 });
        let made = good(&client, Method::POST, &format!("{base}/boxes"), Some(new)).await;
        assert_eq!(
            (&made["tag"], &made["private"]),
            (&json!(format!("acme/{name}")), &json!(true))
        );
        let change = json!({ "short_description": "x", "description": null, "is_private": false });
        let path = format!("{base}/box/acme/{name}");
        let changed = good(&client, Method::PUT, &path, Some(change)).await;
        assert_eq!(changed["description_markdown"], "kept");
        assert_eq!(changed["private"], false);
    }
}

#[tokio::test]
async fn pitfall_11_releasing_says_what_packer_looks_for() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let path = "/api/v2/box/acme/web/version/1.0.0";
    let (status, answer) = ask(&client, Method::PUT, &format!("{path}/release"), None).await;
    assert_eq!(status, 422);
    assert!(told(&answer).contains("already been released"), "{answer}");
    let revoked = good(&client, Method::PUT, &format!("{path}/revoke"), None).await;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(ask(&client, Method::PUT, &format!("{path}/release"), None).await.0, 422);
    // members see what others do not
    let own = good(&client, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(own["versions"].as_array().unwrap().len(), 1);
    let anyone = server.anonymous();
    let public = good(&anyone, Method::GET, "/api/v2/box/acme/web", None).await;
    assert_eq!(public["versions"], json!([]));
    assert_eq!(ask(&anyone, Method::GET, path, None).await.0, 404);
}

#[tokio::test]
async fn pitfall_12_an_organization_lists_its_boxes_without_versions() {
    let (server, client) = server().await;
    for name in ["one", "two"] {
        let new = json!({ "username": "acme", "name": name, "is_private": name == "two" });
        good(&client, Method::POST, "/api/v2/boxes", Some(new)).await;
    }
    let names = |answer: &Value| -> Vec<String> {
        let boxes = answer["boxes"].as_array().unwrap();
        assert!(
            boxes.iter().all(|it| it.get("versions").is_none() && it["created_at"].is_string())
        );
        boxes.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    };
    let own = good(&client, Method::GET, "/api/v2/user/acme", None).await;
    assert_eq!(names(&own), ["one", "two"]);
    let public = good(&server.anonymous(), Method::GET, "//api/v2/user/acme", None).await;
    assert_eq!(names(&public), ["one"]);
    assert_eq!(ask(&client, Method::GET, "/api/v2/user/nobody", None).await.0, 404);
}

#[tokio::test]
async fn pitfall_15_packer_takes_back_only_what_has_no_file_and_pitfall_16_one_is_the_default() {
    let (server, client) = server().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(
        admin.upload(&format!("{}/upload", at.file_path()), file.bytes.clone(), &[]).await.status,
        200
    );
    let version = "/api/v2/box/acme/web/version/1.0.0";
    let providers = format!("{version}/providers");
    let new = json!({ "provider": { "name": "virtualbox", "architecture": "arm64", "default_architecture": true } });
    let made = good(&client, Method::POST, &providers, Some(new.clone())).await;
    assert_eq!((&made["hosted"], &made["checksum"]), (&json!(true), &Value::Null));
    let (status, answer) = ask(&client, Method::POST, &providers, Some(new)).await;
    assert_eq!(status, 422);
    assert!(told(&answer).starts_with("Metadata provider must be unique for version"), "{answer}");
    let (status, _) = ask(
        &client,
        Method::POST,
        &providers,
        Some(json!({ "provider": { "name": "virtualbox" } })),
    )
    .await;
    assert_eq!(status, 422);
    let defaults = async || {
        let version = good(&client, Method::GET, version, None).await;
        let all = version["providers"].as_array().unwrap().clone();
        all.into_iter()
            .filter(|it| it["default_architecture"] == true)
            .map(|it| it["architecture"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, [json!("arm64")]);
    let first = good(&client, Method::GET, &version.replace("v2", "v1"), None).await;
    assert_eq!(first["providers"].as_array().unwrap().len(), 1, "{first}");
    assert!(first["providers"][0].get("architecture").is_none(), "{first}");
    let provider = format!("{version}/provider/virtualbox");
    let gone = good(&client, Method::DELETE, &provider, None).await;
    assert_eq!(gone["architecture"], "arm64");
    assert_eq!(defaults().await, [json!("amd64")]);
    // the only one
    good(&client, Method::DELETE, &provider, None).await;
    assert_eq!(ask(&client, Method::GET, &provider, None).await.0, 404);
    let (status, answer) = ask(
        &client,
        Method::POST,
        &providers,
        Some(json!({ "provider": { "name": "virtualbox", "url": "http://x/" } })),
    )
    .await;
    assert_eq!(status, 422);
    assert!(told(&answer).contains("upload the file"), "{answer}");
}

#[tokio::test]
async fn pitfall_6_and_22_names_and_numbers_that_vagrant_cannot_read_are_refused() {
    let (_server, client) = server().await;
    good(
        &client,
        Method::POST,
        "/api/v2/boxes",
        Some(json!({ "username": "acme", "name": "web" })),
    )
    .await;
    for number in ["v1", "1.0.0+build", "", "latest"] {
        let new = json!({ "version": { "version": number } });
        let (status, answer) =
            ask(&client, Method::POST, "/api/v2/box/acme/web/versions", Some(new)).await;
        assert_eq!(status, 422, "{number}: {answer}");
        told(&answer);
    }
    for name in ["a b", "", "a/b"] {
        let new = json!({ "username": "acme", "name": name });
        assert_eq!(ask(&client, Method::POST, "/api/v2/boxes", Some(new)).await.0, 422, "{name}");
    }
}

#[tokio::test]
async fn pitfall_18_what_may_not_be_known_is_404_and_every_token_form_opens_it() {
    let (server, client) = server().await;
    good(
        &client,
        Method::POST,
        "/api/v2/boxes",
        Some(json!({ "username": "acme", "name": "web" })),
    )
    .await;
    let anyone = server.anonymous();
    let token = client.token().unwrap();
    for base in BASES {
        let path = format!("{base}/box/acme/web");
        assert_eq!(ask(&anyone, Method::GET, &path, None).await.0, 404);
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("Bearer bogus;{token}")),
            ("x-atlas-token", token.to_owned()),
        ] {
            assert_eq!(anyone.get_with(&path, &[(name, &value)]).await.status, 200, "{name}");
        }
        assert_eq!(anyone.get(&format!("/{path}?access_token={token}")).await.status, 200);
        assert_eq!(anyone.head(&format!("{path}?access_token={token}")).await.status, 200);
    }
    let nobody = json!({ "username": "acme", "name": "mine" });
    assert_eq!(ask(&anyone, Method::POST, "/api/v2/boxes", Some(nobody.clone())).await.0, 404);
    let stranger = server.user("stranger").await;
    assert_eq!(ask(&stranger, Method::POST, "/api/v2/boxes", Some(nobody)).await.0, 404);
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("the folder is there");
    file.write_all(bytes).expect("there is room");
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).expect("it was installed");
    file.read_to_end(&mut bytes).expect("it can be read");
    bytes
}

/// Writes a box for the client to upload.
fn write_box(folder: &Path, name: &str, file: &BoxFile) -> String {
    let path = folder.join(name);
    write(&path, &file.bytes);
    path.display().to_string()
}

#[tokio::test]
async fn stock_vagrant_publishes_and_installs_what_it_published() {
    let (server, client) = server().await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        skip(
            "cloud::stock_vagrant_publishes_and_installs_what_it_published",
            "vagrant is not installed",
        );
        return;
    };
    let vagrant = vagrant.token(client.token().unwrap());
    let (one, two) = (
        BoxBuilder::new("virtualbox").seed(1).build(),
        BoxBuilder::new("virtualbox").seed(2).build(),
    );
    let first = write_box(vagrant.home(), "one.box", &one);
    let second = write_box(vagrant.home(), "two.box", &two);
    let publish = async |version: &str, file: &str, more: &[&str]| {
        let mut all = vec!["cloud", "publish", "acme/debian", version, "virtualbox", file, "-f"];
        all.extend(more);
        vagrant.run(&all).await
    };
    // a new box, then a known one, then a known version
    publish("1.0.0", &first, &["-r", "--no-private"]).await.expect_success();
    publish("1.1.0", &first, &["--no-direct-upload"]).await.expect_success();
    publish("1.1.0", &second, &["-r"]).await.expect_success();
    for (version, file) in [("1.0.0", &one), ("1.1.0", &two)] {
        let add = ["box", "add", "acme/debian", "--box-version", version];
        vagrant.run(&add).await.expect_success();
        let folder = vagrant.installed("acme", "debian", version, "virtualbox").unwrap();
        assert!(read(&folder.join(DISK_NAME)) == file.disk, "{version}");
    }
    // piece by piece, in both ways
    for command in [
        ["cloud", "version", "create", "acme/debian", "2.0.0"].as_slice(),
        &["cloud", "provider", "create", "acme/debian", "virtualbox", "2.0.0"],
        &["cloud", "provider", "upload", "acme/debian", "virtualbox", "2.0.0", &first],
        &[
            "cloud",
            "provider",
            "upload",
            "acme/debian",
            "virtualbox",
            "2.0.0",
            &second,
            "--no-direct",
        ],
        &["cloud", "version", "release", "acme/debian", "2.0.0", "-f"],
        &["cloud", "version", "revoke", "acme/debian", "2.0.0", "-f"],
    ] {
        vagrant.run(command).await.expect_success();
    }
    let found = vagrant.run(&["cloud", "search", "debian"]).await;
    assert!(found.expect_success().output.contains("acme/debian"), "{}", found.output);
    // what cannot be published leaves what is there as it was
    let wrong = "0".repeat(64);
    for (version, file, more) in
        [("1.0.0", &*second, [].as_slice()), ("3.0.0", &*second, &["-c", &wrong, "-C", "sha256"])]
    {
        publish(version, file, more).await.expect_failure();
    }
    let catalogue = server.anonymous().get("/acme/debian").await.json();
    let versions: Vec<_> =
        catalogue["versions"].as_array().unwrap().iter().map(|it| it["version"].clone()).collect();
    assert_eq!(versions, ["1.1.0", "1.0.0"]);
    assert!(!server.log().contains("ticket="), "an upload address is in the log");
}

/// A version that waits for a file, and its provider's path.
async fn waiting(client: &Client) -> String {
    let web = json!({ "username": "acme", "name": "web", "is_private": false });
    good(client, Method::POST, "/api/v2/boxes", Some(web)).await;
    let version = json!({ "version": { "version": "1.0.0" } });
    good(client, Method::POST, "/api/v2/box/acme/web/versions", Some(version)).await;
    let path = "/api/v2/box/acme/web/version/1.0.0";
    let provider = json!({ "provider": { "name": "virtualbox", "architecture": "amd64" } });
    good(client, Method::POST, &format!("{path}/providers"), Some(provider)).await;
    format!("{path}/provider/virtualbox")
}

/// The path of an address that the server gave.
fn path_of(server: &TestServer, answer: &Value, field: &str) -> String {
    let address = answer[field].as_str().expect("an address");
    address.strip_prefix(&server.url()).unwrap_or_else(|| panic!("{address}")).to_owned()
}

#[tokio::test]
async fn pitfall_8_an_upload_address_takes_one_file_and_that_again() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let (one, two) =
        (BoxBuilder::new("virtualbox").build(), BoxBuilder::new("virtualbox").seed(2).build());
    let anyone = server.anonymous();
    for direct in ["", "/direct"] {
        let given = good(&client, Method::GET, &format!("{provider}/upload{direct}"), None).await;
        let put = path_of(&server, &given, "upload_path");
        let send_file =
            async |path: &str, bytes: &[u8]| anyone.upload(path, bytes.to_vec(), &[]).await;
        let bare = put.split('?').next().unwrap();
        assert_eq!(send_file(bare, &one.bytes).await.status, 404, "without its ticket");
        assert_eq!(send_file(&format!("{put}x"), &one.bytes).await.status, 401, "forged");
        let elsewhere = put.replace("/amd64/", "/arm64/");
        assert!([401, 404].contains(&send_file(&elsewhere, &one.bytes).await.status));
        let refused = send_file(&put, b"no box").await;
        assert_eq!(refused.status, 422, "{}", refused.text());
        if direct == "/direct" {
            let (status, answer) =
                ask(&client, Method::PUT, &path_of(&server, &given, "callback"), None).await;
            assert_eq!(status, 422, "{answer}");
            assert!(told(&answer).contains("upload it first"), "{answer}");
        }
        for _ in 0..2 {
            let taken = send_file(&put, &one.bytes).await;
            assert_eq!((taken.status, taken.bytes.len()), (200, 0), "{}", taken.text());
        }
        assert_eq!(send_file(&put, &two.bytes).await.status, 422, "another file");
        if direct == "/direct" {
            // pitfall 9: the state is in the path, and it may be called again
            for _ in 0..2 {
                let callback = path_of(&server, &given, "callback");
                assert_eq!(good(&client, Method::PUT, &callback, None).await, json!({}));
            }
        }
    }
    let shown = good(&client, Method::GET, &format!("{provider}/amd64"), None).await;
    assert_eq!(
        (&shown["checksum"], &shown["checksum_type"]),
        (&json!(one.sha256), &json!("sha256"))
    );
    let release = "/api/v2/box/acme/web/version/1.0.0/release";
    good(&client, Method::PUT, release, None).await;
    let (status, answer) = ask(&client, Method::GET, &format!("{provider}/upload"), None).await;
    assert_eq!(status, 422, "{answer}");
    let fetched = anyone.get(&path_of(&server, &shown, "download_url")).await;
    assert!(fetched.bytes == one.bytes);
}

#[tokio::test]
async fn an_upload_address_dies_with_the_token_that_it_was_made_with() {
    let (server, _) = server().await;
    let anyone = server.anonymous();
    let login = json!({ "user": { "login": ADMIN_NAME, "password": PASSWORD } });
    let token = good(&anyone, Method::POST, "/api/v1/authenticate", Some(login)).await;
    let client = anyone.with_token(token["token"].as_str().unwrap());
    let provider = waiting(&client).await;
    let given = good(&client, Method::GET, &format!("{provider}/amd64/upload"), None).await;
    assert_eq!(ask(&client, Method::DELETE, "/api/v1/authenticate", None).await.0, 204);
    let file = BoxBuilder::new("virtualbox").build();
    let put = path_of(&server, &given, "upload_path");
    assert_eq!(anyone.upload(&put, file.bytes, &[]).await.status, 401);
}

#[tokio::test]
async fn pitfall_4_an_echoed_checksum_is_no_declaration_and_another_one_is() {
    let (server, client) = server().await;
    let provider = waiting(&client).await;
    let (one, two) =
        (BoxBuilder::new("virtualbox").build(), BoxBuilder::new("virtualbox").seed(2).build());
    let upload = async |file: &BoxFile| {
        let given = good(&client, Method::GET, &format!("{provider}/upload"), None).await;
        let put = path_of(&server, &given, "upload_path");
        server.anonymous().upload(&put, file.bytes.clone(), &[]).await.status
    };
    let declare = async |sum: &str| {
        let change = json!({ "provider": { "name": "virtualbox", "url": null, "checksum": sum, "checksum_type": "sha256" } });
        good(&client, Method::PUT, &format!("{provider}/amd64"), Some(change)).await
    };
    assert_eq!(upload(&one).await, 200);
    declare(&one.sha256).await;
    assert_eq!(upload(&two).await, 200, "the old checksum came back");
    declare(&one.sha256).await;
    assert_eq!(upload(&two).await, 422, "another one was declared");
    assert_eq!(upload(&one).await, 200);
    assert_eq!(upload(&two).await, 200, "what was declared was for that upload");
    let (status, answer) = ask(
        &client,
        Method::PUT,
        &format!("{provider}/amd64"),
        Some(json!({ "provider": { "checksum": "x", "checksum_type": "md5" } })),
    )
    .await;
    assert_eq!(status, 422, "{answer}");
}

#[tokio::test]
async fn pitfall_7_an_upload_may_be_typed_as_json_and_sent_with_a_token_as_packer_does() {
    let (server, client) = server().await;
    let provider = waiting(&client).await.replace("/v2/", "/v1/");
    let file = BoxBuilder::new("virtualbox").build();
    let given = good(&client, Method::GET, &format!("{provider}/upload"), None).await;
    let put = path_of(&server, &given, "upload_path");
    assert!(put.starts_with("/api/v1/"), "{put}");
    let sent = client.upload(&put, file.bytes, &[("content-type", "application/json")]).await;
    assert_eq!(sent.status, 200, "{}", sent.text());
    let release = "/api/v1/box/acme/web/version/1.0.0/release";
    let released = good(&client, Method::PUT, release, None).await;
    assert_eq!(released["status"], "active");
}

#[tokio::test]
async fn packer_publishes_in_both_ways_and_never_twice() {
    let (server, client) = server().await;
    let Some(program) = workspace::find_program("packer") else {
        skip("cloud::packer_publishes_in_both_ways_and_never_twice", "packer is not installed");
        return;
    };
    let web = json!({ "username": "acme", "name": "web", "is_private": false });
    good(&client, Method::POST, "/api/v1/boxes", Some(web)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = BoxBuilder::new("virtualbox").build();
    let path = write_box(folder.path(), "web.box", &file);
    let build = async |version: &str, direct: bool, release: bool| {
        let cloud = json!({
            "type": "vagrant-cloud",
            "vagrant_cloud_url": format!("{}/api/v1", server.url()),
            "access_token": client.token(),
            "box_tag": "acme/web",
            "version": version,
            "no_direct_upload": !direct,
            "no_release": !release,
        });
        let template = json!({
            "builders": [{ "type": "null", "communicator": "none" }],
            "post-processors": [[{ "type": "artifice", "files": [path] }, cloud]],
        });
        write(&folder.path().join("web.json"), template.to_string().as_bytes());
        let output = tokio::process::Command::new(&program)
            .args(["build", "-color=false", "web.json"])
            .current_dir(folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_CONFIG_DIR", folder.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (version, direct, release) in [("1.0.0", true, true), ("1.1.0", false, false)] {
        let (success, said) = build(version, direct, release).await;
        assert!(success, "{said}");
    }
    let (success, said) = build("1.0.0", true, true).await;
    assert!(!success && said.contains("must be unique"), "{said}");
    let catalogue = server.anonymous().get("/acme/web").await.json();
    let versions = catalogue["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1, "{catalogue}");
    let file_path = "/acme/boxes/web/versions/1.0.0/providers/virtualbox.box";
    assert!(server.anonymous().get(file_path).await.bytes == file.bytes);
    let waiting = good(&client, Method::GET, "/api/v1/box/acme/web/version/1.1.0", None).await;
    assert_eq!(waiting["status"], "unreleased");
    assert_eq!(waiting["providers"][0]["checksum"], json!(file.sha256));
}
