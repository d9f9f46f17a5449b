//! API tokens: what they are limited to, and that they never give more than their owner has now.

use boxvault_tests::{Client, Publication, TestServer, bytes::BoxBuilder, client::send};
use reqwest::Method;
use serde_json::{Value, json};

async fn token(owner: &Client, server: &TestServer, body: Value) -> Client {
    let reply = owner.post("/api/user/tokens", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    server.anonymous().with_token(reply.data()["token"].as_str().unwrap())
}

/// A server with `acme/web`, `acme/db` and `globex/web`, all private and of one owner.
async fn world() -> (TestServer, Client) {
    let server = TestServer::start().await;
    server.admin().await;
    let owner = server.user("olivia").await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(100).build();
    for (organization, name) in [("acme", "web"), ("acme", "db"), ("globex", "web")] {
        let mut publication = Publication::new(organization, name, &file.bytes);
        publication.public = false;
        owner.publish(&publication).await;
    }
    (server, owner)
}

async fn status(client: &Client, method: Method, path: &str) -> u16 {
    let request = client.request(method.clone(), path);
    // whoever is let through changes nothing: the condition never holds
    let request = if method == Method::GET { request } else { request.header("if-match", "\"x\"") };
    let request = if method == Method::PUT { request.json(&json!({})) } else { request };
    send(request).await.status
}

#[tokio::test]
async fn a_token_is_limited_to_its_actions() {
    let (server, owner) = world().await;
    let reader = token(&owner, &server, json!({ "description": "", "actions": ["read"] })).await;
    let path = "/api/organization/acme/box/web";
    assert_eq!(status(&reader, Method::GET, path).await, 200);
    assert_eq!(status(&reader, Method::PUT, path).await, 403);
    assert_eq!(status(&reader, Method::DELETE, path).await, 403);
    let download = Publication::new("acme", "web", &[]).file_path() + "/download";
    assert_eq!(status(&reader, Method::GET, &download).await, 403, "download was not asked for");
    let body = json!({ "name": "new" });
    assert_eq!(reader.post("/api/organization/acme/box", &body).await.status, 403);
}

#[tokio::test]
async fn a_token_is_limited_to_its_organization_and_box() {
    let (server, owner) = world().await;
    let body = json!({ "description": "", "organization": "acme" });
    let acme = token(&owner, &server, body).await;
    let body = json!({ "description": "", "organization": "ACME", "box": "Web" });
    let web = token(&owner, &server, body).await;
    for (path, by_acme, by_web) in [
        ("/api/organization/acme", 200, 404),
        ("/api/organization/acme/box/web", 200, 200),
        ("/api/organization/acme/box/web/version/1.0.0", 200, 200),
        ("/api/organization/acme/box/db", 200, 404),
        ("/api/organization/globex", 404, 404),
        ("/api/organization/globex/box/web", 404, 404),
        ("/acme/db", 200, 404),
        ("/globex/web", 404, 404),
    ] {
        assert_eq!(status(&acme, Method::GET, path).await, by_acme, "{path} for the organization");
        assert_eq!(status(&web, Method::GET, path).await, by_web, "{path} for the box");
    }
    // not by a name in a body either
    for (client, path, name, expected) in [
        (&acme, "/api/organization/acme/box", "more", 201),
        (&acme, "/api/organization/globex/box", "more", 404),
        (&web, "/api/organization/acme/box", "less", 404),
        (&acme, "/api/organization", "initech", 403),
    ] {
        let reply = client.post(path, &json!({ "name": name })).await;
        assert_eq!(reply.status, expected, "{path} {name}: {}", reply.text());
    }
    // a box must not slip out of a limit by its new name
    let renamed = web.put("/api/organization/acme/box/web", &json!({ "name": "other" })).await;
    assert_eq!(renamed.status, 403, "{}", renamed.text());
    assert_eq!(owner.get("/api/organization/acme/box/web").await.status, 200);
    // lists show no more than single reads
    let list = acme.get("/api/organization/acme/box").await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|item| &item["name"]).collect();
    assert_eq!(names, ["db", "more", "web"]);
    let all = acme.get("/api/discover").await.json();
    assert_eq!(all["page"]["total"], 3, "the number tells of other organizations: {all}");
}

#[tokio::test]
async fn a_limited_token_makes_nothing_that_is_unlimited() {
    let (server, owner) = world().await;
    for body in [
        json!({ "description": "", "actions": ["create", "update", "delete", "read"] }),
        json!({ "description": "", "organization": "acme" }),
    ] {
        let limited = token(&owner, &server, body).await;
        for (method, path) in [
            (Method::POST, "/api/user/tokens"),
            (Method::PUT, "/api/user"),
            (Method::PUT, "/api/user/password"),
            (Method::DELETE, "/api/user"),
            (Method::DELETE, "/api/auth/sessions"),
            (Method::POST, "/api/auth/signin"),
        ] {
            let request = limited.request(method.clone(), path).json(&json!({ "description": "" }));
            let reply = send(request).await;
            assert_eq!(reply.status, 403, "{method} {path}: {}", reply.text());
        }
    }
    assert_eq!(owner.get("/api/user").await.status, 200, "the session was ended");
}

#[tokio::test]
async fn a_token_gives_no_more_than_its_owner_has_now() {
    let (server, owner) = world().await;
    let admin = server.admin().await;
    let member = server.user("mark").await;
    let body = json!({ "username": "mark", "role": "admin" });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
    let limits = json!({ "description": "", "organization": "acme" });
    let limited = token(&member, &server, limits).await;
    let unlimited = token(&member, &server, json!({ "description": "" })).await;
    let path = "/api/organization/acme/box/web";
    for client in [&member, &limited, &unlimited] {
        assert_eq!(status(client, Method::DELETE, path).await, 412, "an admin may");
    }
    let role = json!({ "role": "member" });
    assert_eq!(owner.put("/api/organization/acme/members/mark", &role).await.status, 200);
    for client in [&member, &limited, &unlimited] {
        assert_eq!(status(client, Method::DELETE, path).await, 403, "a member may not");
        assert_eq!(status(client, Method::GET, path).await, 200);
    }
    assert_eq!(owner.delete("/api/organization/acme/members/mark").await.status, 200);
    for client in [&member, &limited, &unlimited] {
        assert_eq!(status(client, Method::GET, path).await, 404, "whoever left sees nothing");
        assert_eq!(status(client, Method::GET, "/acme/web").await, 404);
    }
    assert_eq!(admin.put("/api/users/mark", &json!({ "suspended": true })).await.status, 200);
    for client in [&limited, &unlimited] {
        assert_eq!(status(client, Method::GET, "/api/user").await, 401, "suspended");
    }
}

#[tokio::test]
async fn a_removed_member_cannot_write_to_the_box_they_created() {
    let (server, owner) = world().await;
    let member = server.user("mark").await;
    let body = json!({ "username": "mark", "role": "member" });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
    let file = BoxBuilder::new("virtualbox").disk_bytes(100).build();
    let mut publication = Publication::new("acme", "marks", &file.bytes);
    member.prepare(&publication).await;
    let key = token(&member, &server, json!({ "description": "" })).await;
    assert_eq!(owner.delete("/api/organization/acme/members/mark").await.status, 200);
    publication.public = false;
    for client in [&member, &key] {
        let upload = format!("{}/upload", publication.file_path());
        let reply = client.upload(&upload, file.bytes.clone(), &[]).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
        let body = json!({ "versionNumber": "2.0.0" });
        let path = "/api/organization/acme/box/marks/version";
        assert_eq!(client.post(path, &body).await.status, 403, "its list of releases is public");
        assert_eq!(client.delete("/api/organization/acme/box/marks").await.status, 403);
    }
    assert_eq!(owner.get("/api/organization/acme/box/marks").await.status, 200);
}

#[tokio::test]
async fn tokens_are_listed_without_themselves_and_end_at_once() {
    let (server, owner) = world().await;
    let made =
        owner.post("/api/user/tokens", &json!({ "description": "ci", "expiresInDays": 1 })).await;
    assert_eq!(made.status, 201);
    let (made, other) = (made.data(), server.user("other").await);
    let key = server.anonymous().with_token(made["token"].as_str().unwrap());
    assert_eq!(key.get("/api/user").await.data()["username"], "olivia");
    let list = owner.get("/api/user/tokens").await;
    assert_eq!(list.json()["page"]["total"], 1);
    assert!(!list.text().contains(made["token"].as_str().unwrap()));
    assert!(list.json()["data"][0]["lastUsedAt"].is_string(), "{}", list.text());
    let path = format!("/api/user/tokens/{}", made["id"].as_str().unwrap());
    assert_eq!(other.delete(&path).await.status, 404, "somebody else's");
    assert_eq!(key.get("/api/user").await.status, 200);
    assert_eq!(owner.delete(&path).await.status, 200);
    assert_eq!(key.get("/api/user").await.status, 401);
    assert_eq!(owner.delete(&path).await.status, 404);
    assert_eq!(owner.delete("/api/user/tokens/x").await.status, 400);
}

#[tokio::test]
async fn a_token_that_makes_no_sense_is_refused() {
    let (_server, owner) = world().await;
    for body in [
        json!({}),
        json!({ "description": "", "expiresInDays": 0 }),
        json!({ "description": "", "expiresInDays": 3651 }),
        json!({ "description": "", "expiresInDays": -1 }),
        json!({ "description": "", "actions": [] }),
        json!({ "description": "", "actions": ["fly"] }),
        json!({ "description": "", "box": "web" }),
        json!({ "description": "", "organization": "." }),
        json!({ "description": "", "scope": {} }),
        json!({ "description": "x".repeat(256) }),
    ] {
        let reply = owner.post("/api/user/tokens", &body).await;
        assert_eq!(reply.status, 400, "{body}: {}", reply.text());
    }
    assert_eq!(owner.get("/api/user/tokens").await.json()["page"]["total"], 0);
}

#[tokio::test]
async fn a_token_in_a_url_is_taken_by_catalogues_and_files_alone() {
    let (server, owner) = world().await;
    let key = token(&owner, &server, json!({ "description": "" })).await;
    let key = key.token().unwrap();
    let publication = Publication::new("acme", "web", &[]);
    let client = server.anonymous();
    for path in ["/acme/web", "/api/v2/vagrant/acme/web", &publication.vagrant_path()] {
        assert_eq!(client.get(&format!("{path}?access_token={key}")).await.status, 200, "{path}");
        assert_eq!(client.get(path).await.status, 404, "{path}");
    }
    let download = publication.file_path() + "/download";
    assert_eq!(client.get(&format!("{download}?access_token={key}")).await.status, 200);
    for path in ["/api/user", "/api/organization/acme", "/api/organization/acme/box/web"] {
        let reply = client.get(&format!("{path}?access_token={key}")).await;
        assert!([401, 404].contains(&reply.status), "{path}: {}", reply.status);
    }
}
