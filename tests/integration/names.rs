//! Names that mean harm: in every part of every path and in every body, refused with a reason, and nothing made.

use boxvault_tests::{Client, Publication, Reply, TestServer, bytes::BoxBuilder, raw};
use boxvault_types::error::ErrorCode;
use serde_json::{Value, json};

/// What no name may be.
const BAD_NAMES: &[&str] = &[
    "",
    ".",
    "..",
    "...",
    "-",
    "_",
    "a..b",
    "-a",
    "a-",
    ".a",
    "a.",
    "a/b",
    "a\\b",
    "../a",
    "a b",
    " a",
    "a ",
    "a\t",
    "a\n",
    "a\r\nX-Evil: 1",
    "a\0",
    "\0",
    "ä",
    "а",
    "a\u{202e}b",
    "a\u{200b}",
    "\u{feff}a",
    "a%2Fb",
    "a%00",
    "<b>",
    "a'--",
    "a\"b",
    "${a}",
    "a;b",
    "a?b",
    "a#b",
    "a:b",
    "a@b",
    "😀",
    // other forms of letters that look like ours, or become ours in lower case
    "ａcme",
    "acme\u{301}",
    "\u{212a}elvin",
    "\u{130}so",
    "\u{2067}acme\u{2069}",
    "ﬁsh",
];
/// What no version may be, since one bad version makes stock Vagrant refuse the whole box.
const BAD_VERSIONS: &[&str] = &[
    "",
    ".",
    "v1.0.0",
    "1..0",
    "1.",
    ".1",
    "a",
    "latest",
    "1.0.0+build",
    "1.0 beta",
    "1/0",
    "-1",
    "1.0.0\n",
    "1.0.0\0",
    "１.0",
    "1.0.0-",
    "1_0",
];
/// Segments of a path, as they come over the wire.
const BAD_SEGMENTS: &[&str] = &[
    ".",
    "..",
    "-",
    "%2e",
    "%2E%2e",
    "..%2f..%2fetc",
    "a%2Fb",
    "a%5Cb",
    "a%00b",
    "%00",
    "%0d%0aX-Evil:%201",
    "%c3%a4",
    "%ff%fe",
    "%",
    "%zz",
    "%F0%9F%98%80",
    "a%20",
    "a.",
    "*",
    "a;b",
    "~root",
];
/// Words of the server itself.
const RESERVED: &[&str] = &[
    "api",
    "API",
    "health",
    "metrics",
    "assets",
    "api-docs",
    "scim",
    "vagrant",
    "organization",
    "setup",
];

async fn server() -> (TestServer, Client) {
    let server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    (server, admin)
}

/// Panics unless the answer refuses in the contract's form.
#[track_caller]
fn assert_refused(reply: &Reply, statuses: &[u16], what: &str) {
    assert!(statuses.contains(&reply.status), "{what}: {} {}", reply.status, reply.text());
    let body = reply.json();
    assert_eq!(body["success"], false, "{what}: {body}");
    assert!(!body["message"].as_str().unwrap_or_default().is_empty(), "{what}: {body}");
    let code = body.pointer("/error/code").and_then(Value::as_str).unwrap_or_default();
    assert!(ErrorCode::ALL.iter().any(|known| known.as_str() == code), "{what}: {body}");
    assert!(body.pointer("/error/request_id").is_some_and(Value::is_string), "{what}: {body}");
    assert!(reply.header("x-evil").is_none(), "{what}");
}

#[tokio::test]
async fn a_bad_name_in_a_body_is_refused_and_makes_nothing() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.prepare(&Publication::new("acme", "web", &file.bytes)).await;
    let version = "/api/organization/acme/box/web/version/1.0.0";
    let longer = "a".repeat(129);
    let huge = "a".repeat(10 * 1024);
    let names: Vec<&str> = BAD_NAMES.iter().copied().chain([&*longer, &*huge]).collect();
    for (path, field) in [
        ("/api/organization".to_owned(), "name"),
        ("/api/organization/acme/box".to_owned(), "name"),
        (format!("{version}/provider"), "name"),
        (format!("{version}/provider/virtualbox/architecture"), "name"),
    ] {
        for name in &names {
            let reply = admin.post(&path, &json!({ field: name })).await;
            let what = format!("POST {path} {name:?}");
            assert_refused(&reply, &[400], &what);
            assert!(reply.json().pointer(&format!("/error/fields/{field}")).is_some(), "{what}");
        }
        let list = admin.get(&path).await.json();
        assert_eq!(list.pointer("/page/total"), Some(&json!(1)), "{path}: {list}");
    }
    for name in &names {
        let user =
            json!({ "username": name, "email": "a@example.com", "password": "correct horse" });
        for path in ["/api/auth/signup", "/api/users"] {
            let client = if path == "/api/users" { admin.clone() } else { server.anonymous() };
            assert_refused(
                &client.post(path, &user).await,
                &[400, 429],
                &format!("{path} {name:?}"),
            );
        }
    }
    assert_eq!(admin.get("/api/users").await.json().pointer("/page/total"), Some(&json!(1)));
    // renaming is another door to the same room
    for (path, name) in [
        ("/api/organization/acme", "."),
        ("/api/organization/acme/box/web", ".."),
        (version, "v1"),
        ("/api/organization/acme/box/web/version/1.0.0/provider/virtualbox", "a/b"),
    ] {
        let field = if path == version { "versionNumber" } else { "name" };
        assert_refused(&admin.put(path, &json!({ field: name })).await, &[400], path);
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_version_that_vagrant_cannot_read_is_refused() {
    let (_server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.prepare(&Publication::new("acme", "web", &file.bytes)).await;
    let path = "/api/organization/acme/box/web/version";
    let long = format!("1.{}", "0".repeat(100));
    for number in BAD_VERSIONS.iter().copied().chain([&*long]) {
        let reply = admin.post(path, &json!({ "versionNumber": number })).await;
        assert_refused(&reply, &[400], &format!("{number:?}"));
    }
    // 1.0 and 1.0.0 are one version to Vagrant, so they cannot both exist
    for same in ["1.0", "1", "1.0.0.0"] {
        let reply = admin.post(path, &json!({ "versionNumber": same })).await;
        assert_refused(&reply, &[409], same);
    }
    let list = admin.get(path).await.json();
    assert_eq!(list.pointer("/page/total"), Some(&json!(1)), "{list}");
}

/// A path of the document with the names of things that are there.
fn named(path: &str) -> String {
    path.replace("{organization}", "acme")
        .replace("{box}", "web")
        .replace("{version}", "1.0.0")
        .replace("{provider}", "virtualbox")
        .replace("{architecture}", "amd64")
        .replace("{username}", "root-of-tests")
        .replace("{file}", "virtualbox.box")
}

#[tokio::test]
async fn a_bad_name_in_a_path_is_refused_everywhere() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.prepare(&Publication::new("acme", "web", &file.bytes)).await;
    let document = admin.get("/api-docs/openapi.json").await.json();
    let token = format!("x-access-token: {}", admin.token().unwrap());
    let huge = "a".repeat(10 * 1024);
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        let parameters: Vec<_> = path.split('/').filter(|part| part.starts_with('{')).collect();
        for method in item.as_object().unwrap().keys() {
            for parameter in &parameters {
                for bad in BAD_SEGMENTS.iter().copied().chain([&*huge]) {
                    let target = named(&path.replace(parameter, bad));
                    let method = method.to_ascii_uppercase();
                    let line = format!("{method} {target} HTTP/1.1");
                    let kind = "Content-Type: application/json";
                    let reply = raw::send(server.http(), &[&line, &token, kind], b"{}").await;
                    let shown: String = line.chars().take(200).collect();
                    assert!(
                        (400..500).contains(&reply.status),
                        "{shown}: {} {}",
                        reply.status,
                        reply.text()
                    );
                    assert!(reply.header("x-evil").is_none(), "{shown}");
                    let is_of_vagrant =
                        ["/api/v1/", "/api/v2/"].iter().any(|it| path.starts_with(it));
                    if path.starts_with("/api/") && !is_of_vagrant {
                        assert_refused(&reply, &[400, 404, 405, 414], &shown);
                    }
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 1000, "only {asked} requests were made");
    // all is as it was
    let paths = ["", "/version/1.0.0", "/version/1.0.0/provider/virtualbox/architecture/amd64"];
    for path in paths {
        let path = format!("/api/organization/acme/box/web{path}");
        assert_eq!(admin.get(&path).await.status, 200, "{path}");
    }
    assert_eq!(admin.get("/api/users/root-of-tests").await.status, 200);
    let log = server.log();
    assert!(!log.contains("panicked"), "a handler panicked: {log}");
}

#[tokio::test]
async fn organization_named_dot_is_refused() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.publish(&publication).await;
    let user = server.user("mallory").await;
    for name in [".", "..", "-"] {
        assert_refused(
            &user.post("/api/organization", &json!({ "name": name })).await,
            &[400],
            name,
        );
        let line = format!("DELETE /api/organization/{name} HTTP/1.1");
        let token = format!("x-access-token: {}", user.token().unwrap());
        let reply = raw::send(server.http(), &[&line, &token], b"").await;
        assert_refused(&reply, &[400, 404, 405], &line);
    }
    let kept = server.anonymous().get(&publication.vagrant_path()).await;
    assert!(kept.status == 200 && kept.bytes == file.bytes, "the box is gone");
}

#[tokio::test]
async fn organization_named_iso_is_like_any_other() {
    let (_server, admin) = server().await;
    for organization in ["iso", "isolab"] {
        let file = BoxBuilder::new("virtualbox").build();
        admin.publish(&Publication::new(organization, "isobox", &file.bytes)).await;
        let path = format!("/api/organization/{organization}/box/isobox");
        let changed = admin.put(&path, &json!({ "shortDescription": "iso" })).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
    }
}

#[tokio::test]
async fn words_of_the_server_itself_name_no_organization() {
    let (server, admin) = server().await;
    for word in RESERVED {
        assert_refused(
            &admin.post("/api/organization", &json!({ "name": word })).await,
            &[400],
            word,
        );
        let page = server.anonymous().get(&format!("/{word}/web")).await;
        assert!([404, 405].contains(&page.status), "{word}: {}", page.status);
    }
    // a box may be called so, and a user: neither stands first in a path
    admin.post("/api/organization", &json!({ "name": "acme" })).await;
    let user = json!({ "username": "api", "email": "a@example.com", "password": "correct horse" });
    assert_eq!(admin.post("/api/users", &user).await.status, 201);
    let reply = admin.post("/api/organization/acme/box", &json!({ "name": "api" })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
}

#[tokio::test]
async fn names_that_differ_in_case_are_one_name() {
    let (_server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.prepare(&Publication::new("Acme", "Web", &file.bytes)).await;
    let version = "/api/organization/acme/box/web/version/1.0.0";
    for (path, name) in [
        ("/api/organization".to_owned(), "ACME"),
        ("/api/organization/acme/box".to_owned(), "wEB"),
        (format!("{version}/provider"), "VirtualBox"),
        (format!("{version}/provider/virtualbox/architecture"), "AMD64"),
    ] {
        let reply = admin.post(&path, &json!({ "name": name })).await;
        assert_refused(&reply, &[409], &format!("{path} {name}"));
    }
    let user = json!({ "username": "Root-Of-Tests", "email": "a@example.com", "password": "correct horse" });
    assert_refused(&admin.post("/api/users", &user).await, &[409], "user name");
    let user =
        json!({ "username": "other", "email": "ROOT@example.com", "password": "correct horse" });
    assert_refused(&admin.post("/api/users", &user).await, &[409], "e-mail");
    // read by any case, shown as it was given
    let found = admin.get("/api/organization/ACME/box/WEB").await.data();
    assert_eq!(
        (found["organization"].as_str(), found["name"].as_str()),
        (Some("Acme"), Some("Web"))
    );
}

#[tokio::test]
async fn same_named_box_in_another_organization_is_untouched() {
    let (server, admin) = server().await;
    let (mine, yours) = (
        BoxBuilder::new("virtualbox").seed(1).build(),
        BoxBuilder::new("virtualbox").seed(2).build(),
    );
    let (one, other) = (
        Publication::new("acme", "web", &mine.bytes),
        Publication::new("globex", "web", &yours.bytes),
    );
    admin.publish(&one).await;
    let before = admin.get(&format!("{}/info", one.file_path())).await.data();
    admin.publish(&other).await;
    assert_eq!(admin.get(&format!("{}/info", one.file_path())).await.data(), before);
    let info = admin.get(&format!("{}/info", other.file_path())).await.data();
    assert_eq!(info["checksum"], yours.sha256.as_str());
    assert_eq!(admin.delete("/api/organization/globex/box/web").await.status, 200);
    let kept = server.anonymous().get(&one.vagrant_path()).await;
    assert!(kept.status == 200 && kept.bytes == mine.bytes, "the other box was touched");
}

#[tokio::test]
async fn parallel_creation_makes_one_thing() {
    let (_server, admin) = server().await;
    admin.post("/api/organization", &json!({ "name": "acme" })).await;
    for (path, body) in [
        ("/api/organization", json!({ "name": "globex" })),
        ("/api/organization/acme/box", json!({ "name": "web" })),
        ("/api/organization/acme/box/web/version", json!({ "versionNumber": "1.0.0" })),
        (
            "/api/users",
            json!({ "username": "bob", "email": "b@example.com", "password": "correct horse" }),
        ),
    ] {
        let all = (0..6).map(|_| admin.post(path, &body));
        let replies = futures_util::future::join_all(all).await;
        let made = replies.iter().filter(|reply| reply.status == 201).count();
        let late = replies.iter().filter(|reply| reply.status == 409).count();
        assert_eq!((made, late), (1, 5), "{path}");
    }
}

#[tokio::test]
async fn a_failed_rename_changes_nothing() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.publish(&publication).await;
    admin.publish(&Publication::new("globex", "db", &file.bytes)).await;
    let organization = "/api/organization/acme";
    for (body, status) in [
        (json!({ "name": "new", "email": "no address" }), 400),
        (json!({ "name": "globex", "description": "changed" }), 409),
        (json!({ "name": "new", "orgCode": "x" }), 400),
    ] {
        assert_refused(&admin.put(organization, &body).await, &[status], &body.to_string());
    }
    let now = admin.get(organization).await.data();
    assert_eq!((now["name"].as_str(), now["description"].as_str()), (Some("acme"), Some("")));
    assert_eq!(server.anonymous().get(&publication.vagrant_path()).await.status, 200);
    // a good one moves everything
    assert_eq!(admin.put(organization, &json!({ "name": "initech" })).await.status, 200);
    let moved = Publication { organization: "initech", ..publication };
    assert_eq!(server.anonymous().get(&moved.vagrant_path()).await.bytes, file.bytes);
    let old = server.anonymous().get(&publication.vagrant_path()).await;
    assert_eq!(old.bytes, file.bytes, "the old name leads to it for a while");
}

#[tokio::test]
async fn a_path_in_another_spelling_gets_no_other_treatment() {
    let server = TestServer::builder()
        .set("limits.sign_in_requests_per_minute", "2")
        .set("metrics.access", "authenticated")
        .start()
        .await;
    for path in ["/metrics", "//metrics", "/%6detrics", "/metrics/", "/%6Detrics//"] {
        let reply = raw::send(server.http(), &[&format!("GET {path} HTTP/1.1")], b"").await;
        assert!([401, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
    for path in ["/api/user", "//api/user", "/%61pi/user", "/api//user/"] {
        let line = format!("GET {path} HTTP/1.1");
        let reply = raw::send(server.http(), &[&line, "x-access-token: stale"], b"").await;
        assert_eq!((reply.status, &*reply.code()), (401, "CREDENTIALS_INVALID"), "{path}");
    }
    let mut statuses = Vec::new();
    for path in
        ["/api/auth/signin", "//api/auth/signin", "/api/auth/%73ignin", "/api//auth/signin/"]
    {
        let line = format!("POST {path} HTTP/1.1");
        let body = br#"{"username":"nobody","password":"wrong"}"#;
        let kind = "Content-Type: application/json";
        statuses.push(raw::send(server.http(), &[&line, kind], body).await.status);
    }
    assert_eq!(statuses, [401, 401, 429, 429], "another spelling evades the limit");
}
