//! Accounts: one's own, and everybody's for platform admins.

use boxvault_tests::{TestServer, server::PASSWORD};
use serde_json::json;

#[tokio::test]
async fn an_account_is_checked_before_it_is_made() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let client = server.anonymous();
    let good = json!({ "username": "alice", "email": "alice@example.com", "password": PASSWORD });
    for (field, value) in [
        ("email", json!("alice")),
        ("email", json!("a b@example.com")),
        ("email", json!("a@example.com\r\nBcc: all@example.com")),
        ("email", json!(format!("{}@example.com", "a".repeat(300)))),
        ("password", json!("short")),
        ("password", json!("password123")),
        ("password", json!("x".repeat(2000))),
        ("password", json!(12_345_678_901_u64)),
        ("name", json!("x".repeat(256))),
        ("name", json!("line\nbreak")),
        ("platformAdmin", json!(true)),
        ("roles", json!(["admin"])),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let reply = client.post("/api/auth/signup", &body).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (400, "INVALID_INPUT"),
            "{field}: {}",
            reply.text()
        );
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
    let mut same_as_name = good.clone();
    same_as_name["username"] = json!("alicealice");
    same_as_name["password"] = json!("AliceAlice");
    assert_eq!(client.post("/api/auth/signup", &same_as_name).await.status, 400);
    assert_eq!(admin.get("/api/users").await.json()["page"]["total"], 1);
    assert_eq!(client.post("/api/auth/signup", &good).await.status, 201);
    for (field, other) in [("username", "Alice"), ("email", "ALICE@example.com")] {
        let mut body =
            json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD });
        body[field] = json!(other);
        let reply = client.post("/api/auth/signup", &body).await;
        assert_eq!((reply.status, &*reply.code()), (409, "ALREADY_EXISTS"), "{field}");
    }
}

#[tokio::test]
async fn one_changes_ones_own_name_and_nothing_above_it() {
    let server = TestServer::start().await;
    server.admin().await;
    let alice = server.user("alice").await;
    let reply = alice.put("/api/user", &json!({ "name": "Alice" })).await;
    assert_eq!((reply.status, &reply.data()["name"]), (200, &json!("Alice")));
    for body in [
        json!({ "platformAdmin": true }),
        json!({ "suspended": false }),
        json!({ "email": "root@example.com" }),
        json!({ "username": "root-of-tests" }),
        json!({ "organizations": [] }),
    ] {
        assert_eq!(alice.put("/api/user", &body).await.status, 400, "{body}");
    }
    let profile = alice.get("/api/user").await.data();
    assert_eq!((&profile["platformAdmin"], &profile["username"]), (&json!(false), &json!("alice")));
    assert!(!profile.to_string().contains("argon2"), "{profile}");
}

#[tokio::test]
async fn platform_admins_manage_accounts_and_others_learn_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (alice, bob) = (server.user("alice").await, server.user("bob").await);
    let list = admin.get("/api/users?sort=name&order=desc").await.json();
    let names: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|item| &item["username"]).collect();
    assert_eq!(names, ["root-of-tests", "bob", "alice"]);
    assert_eq!(admin.get("/api/users?q=bob@").await.json()["page"]["total"], 1);
    // whether an account exists is nobody else's business
    let mut bodies = Vec::new();
    for name in ["bob", "bab"] {
        let reply = alice.get(&format!("/api/users/{name}")).await;
        assert_eq!(reply.status, 404);
        bodies.push(reply.json()["message"].as_str().unwrap().replace(name, "*"));
    }
    assert_eq!(bodies[0], bodies[1]);
    let taken = admin.put("/api/users/bob", &json!({ "email": "ALICE@example.com" })).await;
    assert_eq!((taken.status, &*taken.code()), (409, "ALREADY_EXISTS"));
    let promoted = admin.put("/api/users/bob", &json!({ "platformAdmin": true })).await;
    assert_eq!((promoted.status, &promoted.data()["platformAdmin"]), (200, &json!(true)));
    assert_eq!(bob.get("/api/users").await.status, 200, "at once");
    assert_eq!(admin.put("/api/users/bob", &json!({ "platformAdmin": false })).await.status, 200);
    let own =
        format!("/api/users/{}", admin.get("/api/user").await.data()["username"].as_str().unwrap());
    for changes in [json!({ "platformAdmin": false }), json!({ "suspended": true })] {
        let last = admin.put(&own, &changes).await;
        assert_eq!((last.status, &*last.code()), (409, "LAST_ADMIN"), "{changes}");
    }
    assert_eq!(admin.delete(&own).await.code(), "LAST_ADMIN");
    assert_eq!(bob.get("/api/users").await.status, 403, "at once");
    assert_eq!(admin.delete("/api/users/bob").await.status, 200);
    assert_eq!(admin.get("/api/users/bob").await.status, 404);
    assert_eq!(bob.get("/api/user").await.status, 401);
    // the name is free again, and its new holder is somebody else
    server.user("bob").await;
    assert_eq!(bob.get("/api/user").await.status, 401, "an old session opens a new account");
}
