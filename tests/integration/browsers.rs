//! What browsers are told: who may read an answer from another site, who may frame a page, what may be kept, and
//! where nobody is sent.
//!
//! Credentials travel in headers and never in cookies, so another site cannot use those of somebody who is signed in
//! here; that holds only as long as no answer sets one.

use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, client::send, server::PASSWORD,
};
use reqwest::Method;
use serde_json::{Value, json};

const OURS: &str = "https://boxes.example.com";
const THEIRS: &str = "https://evil.example";

async fn ask(client: &Client, method: Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = client.request(method, path);
    send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))).await
}

/// Whom an answer lets read it from another site.
fn allowed(reply: &Reply) -> Option<&str> {
    reply.header("access-control-allow-origin")
}

fn list(reply: &Reply, header: &str) -> Vec<String> {
    let values = reply.headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|item| item.trim().to_ascii_lowercase()).collect()
}

#[tokio::test]
async fn no_other_site_reads_anything_unless_the_configuration_names_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for path in ["/api/version", "/api/user", "/health/ready", "/api/no-such-path"] {
        for origin in [OURS, THEIRS, "null"] {
            let reply = ask(&admin, Method::GET, path, &[("origin", origin)]).await;
            assert_eq!(allowed(&reply), None, "{path} {origin}");
        }
    }
    let preflight = [("origin", OURS), ("access-control-request-method", "PUT")];
    let reply = ask(&server.anonymous(), Method::OPTIONS, "/api/user", &preflight).await;
    assert_eq!(allowed(&reply), None);
}

#[tokio::test]
async fn a_site_that_is_named_reads_and_writes_and_no_other_does() {
    let origins = format!("[\"{OURS}\"]");
    let server = TestServer::builder().set("server.cors_allowed_origins", &origins).start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let upload = format!("{}/upload", at.file_path());

    // a browser asks first, without any credential
    let preflight = |origin| {
        [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-access-token,if-match,x-checksum,content-type"),
        ]
    };
    let anonymous = server.anonymous();
    for path in ["/api/organization/acme", &*upload, "/api/files/resumable"] {
        let reply = ask(&anonymous, Method::OPTIONS, path, &preflight(OURS)).await;
        assert!([200, 204].contains(&reply.status), "{path}: {}", reply.status);
        assert_eq!(allowed(&reply), Some(OURS), "{path}");
        let methods = list(&reply, "access-control-allow-methods");
        for method in ["put", "patch", "delete", "post"] {
            assert!(methods.iter().any(|it| it == method), "{path}: {methods:?}");
        }
        let headers = list(&reply, "access-control-allow-headers");
        for header in ["x-access-token", "if-match", "x-checksum", "tus-resumable"] {
            assert!(headers.iter().any(|it| it == header), "{path}: {headers:?}");
        }
        let theirs = ask(&anonymous, Method::OPTIONS, path, &preflight(THEIRS)).await;
        assert_eq!(allowed(&theirs), None, "{path}");
    }

    let download = format!("{}/download", at.file_path());
    for (client, path, status) in [
        (&admin, "/api/user", 200),
        (&anonymous, "/api/user", 401),
        (&anonymous, &*download, 200),
        (&anonymous, "/api/organization/nobody/box/nothing", 404),
    ] {
        let reply = ask(client, Method::GET, path, &[("origin", OURS)]).await;
        // a page has to be able to read why it was refused
        assert_eq!((reply.status, allowed(&reply)), (status, Some(OURS)), "{path}");
        assert!(list(&reply, "vary").iter().any(|it| it == "origin"), "{path}");
        let exposed = list(&reply, "access-control-expose-headers");
        for header in ["etag", "location", "content-range", "upload-offset", "x-request-id"] {
            assert!(exposed.iter().any(|it| it == header), "{path}: {exposed:?}");
        }
        // there are no cookies that a browser could send along
        assert_eq!(reply.header("access-control-allow-credentials"), None, "{path}");
        for origin in [THEIRS, "null", "https://boxes.example.com.evil.example"] {
            let reply = ask(client, Method::GET, path, &[("origin", origin)]).await;
            assert_eq!(allowed(&reply), None, "{path} {origin}");
        }
    }
}

#[tokio::test]
async fn no_page_of_another_site_frames_ours_and_no_answer_is_taken_for_another_type() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let download = format!("{}/download", at.file_path());
    for path in [
        "/",
        "/acme/web",
        "/invitation",
        "/organization/join-request",
        "/reset-password",
        "/api-docs/",
        "/api/version",
        "/api/user",
        "/api/no-such-path",
        &*download,
        &*at.vagrant_path(),
    ] {
        let reply = ask(&admin, Method::GET, path, &[("accept", "text/html")]).await;
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(policy.contains("default-src"), "{path}: {policy}");
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src"));
        assert!(!scripts.unwrap_or_default().contains("unsafe"), "{path}: {policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(reply.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(reply.header("set-cookie"), None, "{path}");
    }
    // a badge is made to stand in other pages, and can do nothing there
    let badge = server.anonymous().get("/badge/acme/web.svg").await;
    let policy = badge.header("content-security-policy");
    assert_eq!((badge.status, policy), (200, Some("default-src 'none'; sandbox")));
}

#[tokio::test]
async fn no_credential_is_ever_a_cookie_and_none_is_kept_by_a_cache() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let credentials =
        json!({ "username": boxvault_tests::server::ADMIN_NAME, "password": PASSWORD });
    let signed_in = admin.post("/api/auth/signin", &credentials).await;
    let refresh = signed_in.data()["refreshToken"].clone();
    let refreshed =
        admin.post("/api/auth/refresh-token", &json!({ "refreshToken": refresh })).await;
    let token = admin.post("/api/user/tokens", &json!({ "description": "ci" })).await;
    for (what, reply) in [("sign-in", signed_in), ("refresh", refreshed), ("token", token)] {
        assert!([200, 201].contains(&reply.status), "{what}: {}", reply.text());
        assert_eq!(reply.header("set-cookie"), None, "{what}");
        let cache = reply.header("cache-control").unwrap_or_default();
        assert!(cache.contains("no-store"), "{what}: {cache:?}");
    }
    // what only some may read is in no cache that others share
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let download = format!("{}/download", at.file_path());
    let paths = [
        "/api/user",
        "/api/organization/acme/box/web",
        "/acme/web",
        &*download,
        &*at.vagrant_path(),
    ];
    for path in paths {
        let reply = admin.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let cache = reply.header("cache-control").unwrap_or_default();
        let private = cache.contains("private") || cache.contains("no-store");
        assert!(private && !cache.contains("public"), "{path}: {cache:?}");
    }
}

#[tokio::test]
async fn no_path_and_no_parameter_sends_a_browser_to_another_site() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin
        .publish(&Publication::new("acme", "web", &BoxBuilder::new("virtualbox").build().bytes))
        .await;
    for path in [
        "//evil.example",
        "//evil.example/",
        "//evil.example/%2e%2e",
        "/\\evil.example",
        "/%5cevil.example",
        "/%2f%2fevil.example",
        "/https://evil.example",
        "/acme/web?next=https://evil.example",
        "/?redirect=https://evil.example&url=//evil.example&return_to=%2f%2fevil.example",
        "/api-docs?url=https://evil.example/openapi.json",
        "/api-docs//evil.example",
        "/reset-password?next=//evil.example",
    ] {
        for client in [&admin, &server.anonymous()] {
            for accept in ["text/html", "application/json"] {
                let reply = ask(client, Method::GET, path, &[("accept", accept)]).await;
                let location = reply.header("location").unwrap_or("/");
                let stays = location.starts_with('/') && !location[1..].starts_with(['/', '\\'])
                    || location.starts_with(&server.url());
                assert!(stays, "{path} sends to {location}");
                assert_eq!(reply.header("refresh"), None, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_failure_says_holds_no_internals() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let inside = [".rs:", "sqlx", "sea_orm", "SELECT ", "panicked", "/src/", "stack backtrace"];
    let folder = server.data_dir().display().to_string();
    for (method, path, body) in [
        (Method::GET, "/api/organization/%00", None),
        (Method::GET, "/api/organization?page=99999999999999999999", None),
        (Method::GET, "/api/organization?per_page=-1", None),
        (Method::GET, "/api/discover?sort=%27%3B--", None),
        (Method::POST, "/api/organization", Some("{\"name\": 7}")),
        (Method::POST, "/api/organization", Some("{\"name\": \"a\", \"name\": \"b\"}")),
        (Method::POST, "/api/organization", Some("{")),
        (Method::POST, "/api/organization", Some("\u{0}")),
        (Method::POST, "/api/auth/signin", Some("[]")),
        (Method::PUT, "/api/user", Some("null")),
    ] {
        let mut request = admin.request(method.clone(), path);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let reply = send(request).await;
        assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status);
        let text = reply.text();
        for word in inside.iter().copied().chain([&*folder]) {
            assert!(!text.contains(word), "{method} {path} tells {word:?}: {text}");
        }
        let code = reply.json().pointer("/error/code").and_then(Value::as_str).map(str::len);
        assert!(code.is_some_and(|length| length > 0), "{method} {path}: {text}");
    }
}
