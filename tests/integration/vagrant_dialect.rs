//! The paths that only stock clients use: both catalogues, the file, and who gets to see them.
//!
//! Each test stands for something that a released Vagrant does on the wire and cannot be told to do otherwise; the
//! real client is in `vagrant`.

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    faults::RawConnection,
};
use reqwest::Method;
use serde_json::{Value, json};

/// Every path at which a stock client may look for a box.
fn all_paths(at: &Publication<'_>) -> [String; 6] {
    let Publication { organization, name, version, provider, .. } = at;
    [
        format!("/{organization}/{name}"),
        format!("/api/v2/vagrant/{organization}/{name}"),
        format!("/{organization}/boxes/{name}"),
        at.vagrant_path(),
        format!("/{organization}/boxes/{name}/versions/{version}/providers/{provider}.box"),
        format!("{}/download", at.file_path()),
    ]
}

async fn catalogue(client: &Client, path: &str) -> Value {
    let reply = client.get_with(path, &[("accept", "application/json")]).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
    reply.json()
}

#[track_caller]
fn assert_not_found(reply: &Reply, what: &str) {
    assert_eq!(reply.status, 404, "{what}: {}", reply.text());
    let kind = reply.header("content-type");
    assert!(kind.is_none_or(|kind| kind == "application/json"), "{what}: {kind:?}");
}

#[tokio::test]
async fn a_private_box_is_not_there_for_strangers_whatever_the_path() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (stranger, anyone) = (server.user("stranger").await, server.anonymous());
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let missing = Publication { name: "nothing", ..at };
    for (path, nothing) in all_paths(&at).into_iter().zip(all_paths(&missing)) {
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
        for caller in [&stranger, &anyone] {
            let (hidden, missing) = (caller.get(&path).await, caller.get(&nothing).await);
            assert_not_found(&hidden, &path);
            assert_not_found(&missing, &nothing);
            // the answer for what is hidden is the answer for what is not there
            let told = |reply: &Reply, own: &str| {
                let mut body = reply.json();
                if let Some(id) = body.pointer_mut("/error/request_id") {
                    *id = Value::Null;
                }
                body.to_string().replace(own, "NAME")
            };
            assert_eq!(told(&hidden, "web"), told(&missing, "nothing"), "{path}");
            assert_eq!(caller.head(&path).await.status, 404, "HEAD {path}");
        }
    }
}

#[tokio::test]
async fn every_way_to_bring_a_token_opens_a_private_box() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let token = server.api_token(boxvault_tests::server::ADMIN_NAME).await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let anyone = server.anonymous();
    let basic = data_encoding::BASE64.encode(format!("vagrant:{token}").as_bytes());
    for path in all_paths(&at) {
        for (name, value) in [
            ("authorization", format!("Bearer {token}")),
            ("authorization", format!("bearer {token}")),
            ("authorization", format!("Bearer bogus;{token}")),
            ("authorization", format!("Bearer {token};bogus")),
            ("authorization", format!("Basic {basic}")),
            ("x-atlas-token", token.clone()),
            ("x-access-token", token.clone()),
        ] {
            let reply = anyone.get_with(&path, &[(name, &value)]).await;
            assert_eq!(reply.status, 200, "{path} by {name}: {}", reply.text());
        }
        let reply = anyone.get(&format!("{path}?access_token={token}")).await;
        assert_eq!(reply.status, 200, "{path} by query: {}", reply.text());
        let head = anyone.head(&format!("{path}?access_token={token}")).await;
        assert_eq!(head.status, 200, "HEAD {path} by query");
    }
    // a token in the address is for old clients that can do no better, and for nothing else
    for path in ["/api/user", "/api/organization/acme", "/api/organization/acme/box/web"] {
        let reply = anyone.get(&format!("{path}?access_token={token}")).await;
        assert!([401, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
    let upload = format!("{}/upload?access_token={token}", at.file_path());
    let reply = anyone.upload(&upload, file.bytes.clone(), &[]).await;
    assert!([401, 404].contains(&reply.status), "{}", reply.status);
    assert!(!server.log().contains(&token), "the token is in the log");
}

#[tokio::test]
async fn a_stale_token_counts_as_none_for_stock_clients_and_as_bad_on_the_api() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let public = Publication::new("acme", "pub", &file.bytes);
    let private = Publication { public: false, ..Publication::new("acme", "priv", &file.bytes) };
    admin.publish(&public).await;
    admin.publish(&private).await;
    let stale = [("authorization", "Bearer long.gone.token")];
    let anyone = server.anonymous();
    let dialect = |at: &Publication<'_>| {
        let mut paths = all_paths(at).to_vec();
        paths.pop().map(|api| (paths, api)).expect("there are some")
    };
    let (paths, api) = dialect(&public);
    for path in paths {
        assert_eq!(anyone.get_with(&path, &stale).await.status, 200, "{path}");
    }
    let reply = anyone.get_with(&api, &stale).await;
    assert_eq!((reply.status, reply.code().as_str()), (401, "CREDENTIALS_INVALID"));
    assert!(reply.header("www-authenticate").is_some());
    let (paths, _) = dialect(&private);
    for path in paths {
        assert_not_found(&anyone.get_with(&path, &stale).await, &path);
    }
}

/// `acme/web` in four versions, each for two architectures of virtualbox and an unknown one of libvirt; and a fifth
/// version without a file. Gives the files.
async fn publish_many(admin: &Client) -> [BoxFile; 3] {
    let amd64 = BoxBuilder::new("virtualbox").seed(1).build();
    let arm64 = BoxBuilder::new("virtualbox").seed(2).build();
    let libvirt = BoxBuilder::new("libvirt").seed(3).build();
    // in no order, and with numbers that text would sort wrongly
    for version in ["1.9.0", "1.10.0", "2.0.0-rc1", "1.2.0"] {
        for (provider, architecture, file) in [
            ("virtualbox", "amd64", &amd64),
            ("virtualbox", "arm64", &arm64),
            ("libvirt", "unknown", &libvirt),
        ] {
            let at = Publication {
                version,
                provider,
                architecture,
                ..Publication::new("acme", "web", &file.bytes)
            };
            admin.prepare(&at).await;
            let path = format!("{}/upload", at.file_path());
            assert_eq!(admin.upload(&path, file.bytes.clone(), &[]).await.status, 200);
        }
        admin.release(&Publication { version, ..Publication::new("acme", "web", &[]) }).await;
    }
    admin.prepare(&Publication { version: "3.0.0", ..Publication::new("acme", "web", &[]) }).await;
    [amd64, arm64, libvirt]
}

fn numbers(document: &Value) -> Vec<String> {
    let versions = document["versions"].as_array().expect("an array").iter();
    versions.map(|version| version["version"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_old_catalogue_has_one_entry_for_each_provider_and_no_architectures() {
    let server = TestServer::start().await;
    let [amd64, ..] = publish_many(&server.admin().await).await;
    for path in ["/acme/web", "/acme/boxes/web", "//acme/web"] {
        let document = catalogue(&server.anonymous(), path).await;
        assert_eq!(document["name"], "acme/web", "{path}");
        assert_eq!(numbers(&document), ["2.0.0-rc1", "1.10.0", "1.9.0", "1.2.0"], "{path}");
        for version in document["versions"].as_array().unwrap() {
            assert_eq!(version["status"], "active");
            let providers = version["providers"].as_array().unwrap();
            let names: Vec<_> = providers.iter().map(|provider| &provider["name"]).collect();
            assert_eq!(names, ["libvirt", "virtualbox"], "one for each provider: {version}");
            for provider in providers {
                assert!(provider.get("architecture").is_none(), "{provider}");
                assert!(provider.get("default_architecture").is_none(), "{provider}");
                assert_eq!(provider["checksum_type"], "sha256");
            }
            assert_eq!(providers[1]["checksum"], amd64.sha256, "the first is the default one");
        }
    }
}

#[tokio::test]
async fn the_new_catalogue_has_every_architecture_and_the_default_one_last() {
    let server = TestServer::start().await;
    let [amd64, arm64, libvirt] = publish_many(&server.admin().await).await;
    let anyone = server.anonymous();
    for path in ["/api/v2/vagrant/acme/web", "//api/v2/vagrant/acme/web"] {
        let document = catalogue(&anyone, path).await;
        assert_eq!(numbers(&document).len(), 4, "{path}");
        for version in document["versions"].as_array().unwrap() {
            let providers = version["providers"].as_array().unwrap();
            let told: Vec<_> = providers
                .iter()
                .map(|provider| {
                    let text = |key: &str| provider[key].as_str().unwrap();
                    let is_default = provider["default_architecture"].as_bool().unwrap();
                    (text("name"), text("architecture"), is_default)
                })
                .collect();
            let expected = [
                ("libvirt", "unknown", true),
                ("virtualbox", "arm64", false),
                ("virtualbox", "amd64", true),
            ];
            assert_eq!(told, expected, "{path}");
            for (provider, file) in providers.iter().zip([&libvirt, &arm64, &amd64]) {
                assert_eq!(provider["checksum"], file.sha256);
                let url = provider["url"].as_str().unwrap();
                let path = url.strip_prefix(&server.url()).expect("absolute, at our own address");
                assert!(anyone.get(path).await.bytes == file.bytes, "{url}");
            }
        }
    }
    let default = "/acme/boxes/web/versions/1.10.0/providers/virtualbox.box";
    assert!(anyone.get(default).await.bytes == amd64.bytes);
}

#[tokio::test]
async fn what_is_not_released_or_has_no_file_is_in_no_catalogue() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let anyone = server.anonymous();
    for path in ["/acme/web", "/api/v2/vagrant/acme/web"] {
        assert_eq!(catalogue(&anyone, path).await["versions"], json!([]), "{path}");
    }
    let path = format!("{}/upload", at.file_path());
    assert_eq!(admin.upload(&path, file.bytes.clone(), &[]).await.status, 200);
    assert_eq!(catalogue(&anyone, "/acme/web").await["versions"], json!([]));
    // not even for those who may see it on the API, since clients would install it
    assert_not_found(&admin.get(&at.vagrant_path()).await, "an unreleased file");
    assert!(admin.get(&format!("{}/download", at.file_path())).await.bytes == file.bytes);

    admin.release(&at).await;
    assert_eq!(catalogue(&anyone, "/acme/web").await["versions"].as_array().unwrap().len(), 1);
    let revoke = "/api/organization/acme/box/web/version/1.0.0/revoke";
    let reply = admin.put(revoke, &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(catalogue(&anyone, "/acme/web").await["versions"], json!([]));
    assert_not_found(&anyone.get(&at.vagrant_path()).await, "a revoked file");
}

#[tokio::test]
async fn browsers_get_a_page_and_everybody_else_json() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let anyone = server.anonymous();
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    for path in ["/acme/web", "/acme/boxes/web"] {
        let page = anyone.get_with(path, &[("accept", browser)]).await;
        assert_eq!(page.status, 200, "{path}");
        let kind = page.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("text/html"), "{path}: {kind}");
        let vary = page.header("vary").unwrap_or_default().to_lowercase();
        assert!(vary.contains("accept"), "a cache must not give a page to vagrant: {vary:?}");
        for accept in ["application/json", "*/*", "application/json, text/html;q=0.1", ""] {
            let reply = anyone.get_with(path, &[("accept", accept)]).await;
            assert_eq!(reply.header("content-type"), Some("application/json"), "{accept:?}");
            let vary = reply.header("vary").unwrap_or_default().to_lowercase();
            assert!(vary.contains("accept") && vary.contains("authorization"), "{vary:?}");
            let head = anyone.request(Method::HEAD, path).header("accept", accept);
            let head = send(head).await;
            assert_eq!(head.header("content-type"), Some("application/json"), "HEAD {accept:?}");
            assert_eq!(head.header("content-length"), reply.header("content-length"));
        }
    }
    // the v2 path has no page
    let reply = anyone.get_with("/api/v2/vagrant/acme/web", &[("accept", browser)]).await;
    assert_eq!(reply.header("content-type"), Some("application/json"));
    // a box that is not there is 404 for clients, never a page with 200
    for accept in ["application/json", "*/*"] {
        let reply = anyone.get_with("/acme/nothing", &[("accept", accept)]).await;
        assert_not_found(&reply, accept);
    }
}

#[tokio::test]
async fn unknown_paths_and_methods_are_refused_as_json_and_never_as_a_page() {
    let server = TestServer::start().await;
    let anyone = server.anonymous();
    for (method, path) in [
        (Method::POST, "/api/nothing"),
        (Method::PATCH, "/api/nothing/at/all"),
        (Method::PUT, "/api"),
        (Method::GET, "/api/"),
        (Method::GET, "/api/v2/vagrant"),
        (Method::DELETE, "/api/v2/vagrant/acme/web/more"),
        (Method::POST, "/api/v1/nothing"),
        (Method::GET, "/a/b/c/d/e"),
        (Method::GET, "/health/nothing"),
    ] {
        let reply = send(anyone.request(method.clone(), path)).await;
        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"), "{method} {path}");
        assert_eq!(reply.json()["success"], false, "{method} {path}");
    }
    let reply = send(anyone.request(Method::PATCH, "/health/live")).await;
    assert_eq!((reply.status, reply.code().as_str()), (405, "METHOD_NOT_ALLOWED"));
}

#[tokio::test]
async fn no_host_header_gets_into_a_catalogue() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let port = server.http().port();
    for (host, expected) in [
        ("evil.example".to_owned(), server.url()),
        (format!("evil.example:{port}"), server.url()),
        (format!("localhost:{port}"), format!("http://localhost:{port}")),
        ("localhost:1".to_owned(), server.url()),
    ] {
        let mut connection = RawConnection::open(server.http()).await;
        let request = format!(
            "GET /acme/web HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-Host: evil.example\r\n\
             X-Forwarded-Proto: gopher\r\nForwarded: host=evil.example\r\n\r\n"
        );
        connection.send(request.as_bytes()).await;
        let reply = connection.reply().await.expect("an answer");
        assert_eq!(reply.status, 200, "{host}: {}", reply.text());
        assert!(!reply.text().contains("evil") && !reply.text().contains("gopher"), "{host}");
        let document = reply.json();
        let url = document["versions"][0]["providers"][0]["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("{expected}/")), "{host}: {url}");
    }
}
