//! What users do with their own account: preferences, picture, leaving, taking their data; sessions and keys.

use boxvault_tests::{TestServer, bytes::PNG, client::send, server::PASSWORD};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn preferences_are_checked_and_what_is_absent_stays() {
    let server = TestServer::start().await;
    server.admin().await;
    let alice = server.user("alice").await;
    let path = "/api/user/preferences";
    assert_eq!(alice.get(path).await.data()["language"], Value::Null);
    assert_eq!(alice.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    let all = json!({
        "language": "de-AT", "theme": "dark", "timeZone": "Europe/Vienna", "defaultOrganization": "ACME",
    });
    let reply = alice.put(path, &all).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.data()["defaultOrganization"], "acme");
    let reply = alice.put(path, &json!({ "theme": null })).await;
    assert_eq!(
        (&reply.data()["theme"], &reply.data()["language"]),
        (&Value::Null, &json!("de-AT"))
    );
    for (field, value) in [
        ("language", json!("not a tag")),
        ("language", json!("")),
        ("language", json!("x".repeat(40))),
        ("theme", json!("pink")),
        ("timeZone", json!("../../etc/passwd")),
        ("defaultOrganization", json!("globex")),
        ("defaultOrganization", json!("..")),
        ("colour", json!("red")),
    ] {
        let reply = alice.put(path, &json!({ field: value })).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{field}");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
}

/// The original kept the primary organization in two places, and leaving changed only one.
#[tokio::test]
async fn leaving_the_primary_organization_leaves_none() {
    let server = TestServer::start().await;
    server.admin().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    assert_eq!(alice.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    let bob_joins = json!({ "username": "bob", "role": "member" });
    assert_eq!(alice.post("/api/organization/acme/members", &bob_joins).await.status, 201);
    let first = json!({ "defaultOrganization": "acme" });
    assert_eq!(bob.put("/api/user/preferences", &first).await.status, 200);
    assert_eq!(bob.get("/api/user").await.data()["organizations"][0]["primary"], true);

    assert_eq!(bob.post("/api/user/leave/acme", &json!({})).await.status, 200);
    assert_eq!(bob.get("/api/organization/acme").await.status, 404, "at once");
    assert_eq!(bob.get("/api/user").await.data()["organizations"], json!([]));
    assert_eq!(bob.get("/api/user/preferences").await.data()["defaultOrganization"], Value::Null);
    // what one is no member of, and what is not there, are one
    let mut answers = Vec::new();
    for name in ["acme", "acmf"] {
        let reply = bob.post(&format!("/api/user/leave/{name}"), &json!({})).await;
        assert_eq!((reply.status, &*reply.code()), (404, "MEMBER_NOT_FOUND"));
        answers.push(reply.json()["message"].as_str().unwrap().replace(name, "*"));
    }
    assert_eq!(answers[0], answers[1]);
    let last = alice.post("/api/user/leave/acme", &json!({})).await;
    assert_eq!((last.status, &*last.code()), (409, "LAST_OWNER"));
}

#[tokio::test]
async fn a_picture_is_taken_by_its_bytes_and_served_so_that_it_does_nothing() {
    let server = TestServer::builder().set("limits.avatar_bytes_max", "1 KiB").start().await;
    server.admin().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let put = async |bytes: &[u8], kind: &str| {
        let request = alice.request(Method::PUT, "/api/user/avatar");
        send(request.header("content-type", kind).body(bytes.to_vec())).await
    };
    // what it calls itself does not matter
    for bytes in [&b"<svg xmlns='http://www.w3.org/2000/svg'/>"[..], b"<html>", b"GIF89a", b""] {
        let reply = put(bytes, "image/png").await;
        assert_eq!((reply.status, &*reply.code()), (415, "UNSUPPORTED_MEDIA_TYPE"), "{bytes:?}");
    }
    let large = put(&[PNG, &[0; 2000]].concat(), "image/png").await;
    assert_eq!((large.status, &*large.code()), (413, "BODY_TOO_LARGE"));
    assert!(large.text().contains("limits.avatar_bytes_max"), "{}", large.text());
    let taken = put(PNG, "text/html").await;
    assert_eq!(taken.status, 200, "{}", taken.text());
    let url = taken.data()["avatarUrl"].as_str().unwrap().to_owned();

    let picture = bob.get(&url).await;
    assert_eq!((picture.status, &*picture.bytes), (200, PNG));
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert_eq!(picture.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(
        picture.header("content-security-policy"),
        Some("default-src 'none'; sandbox; frame-ancestors 'none'")
    );
    let tag = picture.header("etag").unwrap();
    assert_eq!(bob.get_with(&url, &[("if-none-match", tag)]).await.status, 304);
    assert_eq!(server.anonymous().get(&url).await.status, 401);
    let held =
        send(alice.request(Method::DELETE, "/api/user/avatar").header("if-match", "\"x\"")).await;
    assert_eq!(held.status, 412);
    assert_eq!(alice.delete("/api/user/avatar").await.status, 200);
    assert_eq!(alice.delete("/api/user/avatar").await.status, 200, "twice is once");
    assert_eq!(bob.get(&url).await.status, 404);
    assert_eq!(alice.get("/api/user").await.data()["avatarUrl"], Value::Null);
}

#[tokio::test]
async fn the_export_holds_what_the_server_knows_and_no_secret() {
    let server = TestServer::start().await;
    server.admin().await;
    let alice = server.user("alice").await;
    let token = alice.post("/api/user/tokens", &json!({ "description": "ci" })).await.data();
    let export = alice.get("/api/user/export").await;
    assert_eq!(export.status, 200, "{}", export.text());
    let data = export.data();
    assert_eq!(data["profile"]["email"], "alice@example.com");
    assert_eq!(data["tokens"][0]["description"], "ci");
    assert_eq!(data["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(data["secondFactor"]["enabled"], false);
    for secret in ["argon2", token["token"].as_str().unwrap(), alice.token().unwrap()] {
        assert!(!export.text().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_at_once() {
    let server = TestServer::start().await;
    server.admin().await;
    let first = server.user("alice").await;
    let second = server.anonymous().sign_in("alice", PASSWORD).await;
    assert_eq!(first.post("/api/auth/signout-everywhere", &json!({})).await.status, 200);
    for client in [first, second] {
        assert_eq!(client.get("/api/user").await.status, 401);
    }
}

#[tokio::test]
async fn a_new_signing_key_signs_nobody_out() {
    let mut server = TestServer::start().await;
    server.admin().await;
    let alice = server.user("alice").await;
    let output = server.command(&["keys", "rotate"], "").await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(alice.get("/api/user").await.status, 200);
    server.stop().await;
    server.restart().await;
    assert_eq!(alice.get("/api/user").await.status, 200, "signed with the key before");
    let kid = |token: &str| token.split('.').next().unwrap_or_default().to_owned();
    let again = server.anonymous().sign_in("alice", PASSWORD).await;
    assert_ne!(kid(again.token().unwrap()), kid(alice.token().unwrap()), "signed with the old key");
    assert_eq!(again.get("/api/user").await.status, 200);
}

/// The original let everybody with a stolen session choose a password and an address.
#[tokio::test]
async fn a_stolen_session_alone_changes_neither_password_nor_address() {
    let server = TestServer::builder()
        .set("auth.lockout_failures_max", "3")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    server.admin().await;
    let stolen = server.user("alice").await;
    for body in [
        json!({ "newPassword": PASSWORD }),
        json!({ "newPassword": PASSWORD, "currentPassword": "" }),
    ] {
        assert_eq!(stolen.put("/api/user/password", &body).await.status, 400, "{body}");
    }
    let mut codes = Vec::new();
    for _ in 0..6 {
        let body = json!({ "email": "eve@example.com", "currentPassword": "wrong horse battery" });
        codes.push(stolen.put("/api/user/email", &body).await.code());
    }
    assert_eq!(codes.last().unwrap(), "SIGN_IN_THROTTLED", "guesses are not counted: {codes:?}");
    assert_eq!(stolen.get("/api/user").await.data()["email"], "alice@example.com");
}
