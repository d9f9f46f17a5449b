//! Service accounts: what pipelines sign in as. They act in one organization, and never above whoever vouches for them.

use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, client::send, faults::write_file,
};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/api/organization/acme/service-accounts";

/// A server with `acme/web` and `acme/db` of Olivia, and `globex/web` of hers as well, all private.
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

async fn add(owner: &Client, username: &str, role: &str) {
    let body = json!({ "username": username, "role": role });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
}

/// A service account of acme.
async fn service(server: &TestServer, sponsor: &Client, body: Value) -> Client {
    let reply = sponsor.post(PATH, &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    client(server, &reply)
}

fn client(server: &TestServer, reply: &Reply) -> Client {
    let data = reply.data();
    let token = data["token"].as_str().unwrap_or_else(|| panic!("no token: {}", reply.text()));
    assert!(token.starts_with("bvc_"), "{token}");
    server.anonymous().with_token(token)
}

async fn status(client: &Client, method: Method, path: &str) -> u16 {
    let request = client.request(method.clone(), path);
    // whoever is let through changes nothing: the condition never holds
    let request = if method == Method::GET { request } else { request.header("if-match", "\"x\"") };
    let request = if method == Method::PUT { request.json(&json!({})) } else { request };
    send(request).await.status
}

#[tokio::test]
async fn a_service_account_publishes_in_its_organization_by_its_role() {
    let (server, owner) = world().await;
    let body = json!({ "name": "ci", "description": "build server", "role": "admin" });
    let ci = service(&server, &owner, body).await;
    let file = BoxBuilder::new("virtualbox").seed(3).disk_bytes(100).build().bytes;
    let next =
        Publication { version: "2.0.0", public: false, ..Publication::new("acme", "web", &file) };
    for (path, body) in [
        ("/api/organization/acme/box/web/version", json!({ "versionNumber": "2.0.0" })),
        ("/api/organization/acme/box/web/version/2.0.0/provider", json!({ "name": "virtualbox" })),
        (
            "/api/organization/acme/box/web/version/2.0.0/provider/virtualbox/architecture",
            json!({ "name": "amd64" }),
        ),
    ] {
        assert_eq!(ci.post(path, &body).await.status, 201, "{path}");
    }
    let upload = format!("{}/upload", next.file_path());
    assert_eq!(ci.upload(&upload, file.clone(), &[]).await.status, 200);
    ci.release(&next).await;
    assert_eq!(ci.get(&next.vagrant_path()).await.bytes, file);
    // it is the sponsor in no other way
    for (method, path) in [
        (Method::GET, "/api/user"),
        (Method::PUT, "/api/user"),
        (Method::DELETE, "/api/user"),
        (Method::GET, "/api/user/tokens"),
        (Method::GET, "/api/auth/sessions"),
        (Method::DELETE, "/api/auth/sessions"),
        (Method::GET, "/api/organization"),
        (Method::POST, "/api/organization"),
        (Method::GET, "/api/users"),
    ] {
        assert_eq!(status(&ci, method.clone(), path).await, 403, "{method} {path}");
    }
    // a box of its own, made by a mere member
    let body = json!({ "name": "builder" });
    let builder = service(&server, &owner, body).await;
    let made = builder.post("/api/organization/acme/box", &json!({ "name": "fresh" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let described = json!({ "description": "d" });
    assert_eq!(builder.put("/api/organization/acme/box/fresh", &described).await.status, 200);
}

#[tokio::test]
async fn a_service_account_never_reaches_another_organization() {
    let (server, owner) = world().await;
    let root = server.admin().await;
    let ci = service(&server, &owner, json!({ "name": "ci", "role": "admin" })).await;
    // nor by a sponsor who may everything
    let by_root = root.post(PATH, &json!({ "name": "root", "role": "admin" })).await;
    let by_root = client(&server, &by_root);
    for client in [&ci, &by_root] {
        assert_eq!(status(client, Method::GET, "/api/organization/acme/box/web").await, 200);
        for (method, path) in [
            (Method::GET, "/api/organization/globex"),
            (Method::GET, "/api/organization/globex/box"),
            (Method::GET, "/api/organization/globex/box/web"),
            (Method::DELETE, "/api/organization/globex/box/web"),
            (Method::GET, "/api/organization/globex/service-accounts"),
            (Method::GET, "/globex/web"),
            (Method::GET, "/globex/boxes/web/versions/1.0.0/providers/virtualbox.box"),
        ] {
            assert_eq!(status(client, method.clone(), path).await, 404, "{method} {path}");
        }
        let make = client.post("/api/organization/globex/box", &json!({ "name": "x" })).await;
        assert_eq!(make.status, 404);
        let all = client.get("/api/discover").await.json();
        assert_eq!(all["page"]["total"], 2, "the number tells of other organizations: {all}");
        assert_eq!(status(client, Method::GET, "/api/users").await, 403);
        assert_eq!(client.put("/api/organization/acme/suspend", &json!({})).await.status, 403);
    }
    // what everybody sees, it sees
    let public = json!({ "isPublic": true });
    assert_eq!(owner.put("/api/organization/globex/box/web", &public).await.status, 200);
    assert_eq!(status(&ci, Method::GET, "/api/organization/globex/box/web").await, 200);
    assert_eq!(status(&ci, Method::DELETE, "/api/organization/globex/box/web").await, 403);
}

#[tokio::test]
async fn a_service_account_is_limited_to_its_actions_and_pattern() {
    let (server, owner) = world().await;
    let body =
        json!({ "name": "reader", "role": "admin", "actions": ["read", "download"], "box": "web" });
    let reader = service(&server, &owner, body).await;
    let body = json!({ "name": "versions", "role": "admin", "pattern": "box/*/version/**" });
    let versions = service(&server, &owner, body).await;
    let (web, db) = ("/api/organization/acme/box/web", "/api/organization/acme/box/db");
    for (method, path, by_reader, by_versions) in [
        (Method::GET, web.to_owned(), 200, 404),
        (Method::PUT, web.to_owned(), 403, 404),
        (Method::GET, format!("{web}/version/1.0.0"), 200, 200),
        (Method::PUT, format!("{web}/version/1.0.0"), 403, 412),
        (Method::GET, db.to_owned(), 404, 404),
        (Method::GET, format!("{db}/version/1.0.0"), 404, 200),
        (Method::GET, "/acme/web".to_owned(), 200, 404),
        (Method::GET, "/api/organization/acme".to_owned(), 404, 404),
    ] {
        let name = format!("{method} {path}");
        assert_eq!(status(&reader, method.clone(), &path).await, by_reader, "{name} by reader");
        assert_eq!(status(&versions, method, &path).await, by_versions, "{name} by versions");
    }
    for bad in [
        json!({ "name": "a", "pattern": "member/**" }),
        json!({ "name": "a", "pattern": "box/w*" }),
        json!({ "name": "a", "pattern": "box/web/**", "box": "web" }),
        json!({ "name": "a", "actions": [] }),
        json!({ "name": "a", "actions": ["fly"] }),
        json!({ "name": "a", "role": "owner" }),
        json!({ "name": "a", "expiresInDays": 0 }),
        json!({ "name": "a", "expiresInDays": 3651 }),
        json!({ "name": "a/b" }),
        json!({ "name": "a", "organization": "globex" }),
    ] {
        let reply = owner.post(PATH, &bad).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (400, "INVALID_INPUT"),
            "{bad}: {}",
            reply.text()
        );
        assert!(reply.json()["error"]["fields"].is_object(), "{bad}: {}", reply.text());
    }
}

/// W-21: in the original a key still worked after whoever had made it was removed from the organization.
#[tokio::test]
async fn a_service_account_is_never_above_its_sponsor_also_after_they_left() {
    let (server, owner) = world().await;
    let admin = server.user("ada").await;
    add(&owner, "ada", "admin").await;
    let ci = service(&server, &admin, json!({ "name": "ci", "role": "admin" })).await;
    let path = "/api/organization/acme/box/web";
    assert_eq!(status(&ci, Method::DELETE, path).await, 412, "an admin may");
    let role = json!({ "role": "member" });
    assert_eq!(owner.put("/api/organization/acme/members/ada", &role).await.status, 200);
    assert_eq!(status(&ci, Method::DELETE, path).await, 403, "a member may not");
    assert_eq!(status(&ci, Method::GET, path).await, 200);
    assert_eq!(owner.delete("/api/organization/acme/members/ada").await.status, 200);
    for (method, path) in [
        (Method::GET, path),
        (Method::GET, "/acme/web"),
        (Method::GET, "/api/organization/acme"),
        (Method::GET, "/api/organization/acme/box"),
    ] {
        assert_eq!(status(&ci, method, path).await, 404, "whoever vouched has left: {path}");
    }
    assert_eq!(ci.get("/api/discover").await.json()["page"]["total"], 0);
    // somebody else vouches by giving it a new secret
    let rotated = owner.put(&format!("{PATH}/ci/secret"), &json!({})).await;
    assert_eq!((rotated.status, &rotated.data()["sponsor"]), (200, &json!("olivia")));
    assert_eq!(status(&ci, Method::GET, path).await, 401, "the old secret has ended");
    assert_eq!(status(&client(&server, &rotated), Method::DELETE, path).await, 412);
    // whose sponsor is gone altogether signs in no more
    let last = server.user("lars").await;
    add(&owner, "lars", "admin").await;
    let lost = service(&server, &last, json!({ "name": "lost" })).await;
    assert_eq!(status(&lost, Method::GET, path).await, 200);
    assert_eq!(last.delete_account().await.status, 200);
    assert_eq!(status(&lost, Method::GET, path).await, 401);
    let read = owner.get(&format!("{PATH}/lost")).await;
    assert_eq!((read.status, &read.data()["sponsor"]), (200, &json!(null)));
}

#[tokio::test]
async fn admins_list_suspend_rotate_and_delete_what_others_made() {
    let (server, owner) = world().await;
    let (admin, member) = (server.user("ada").await, server.user("mark").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "mark", "member").await;
    let made = owner.post(PATH, &json!({ "name": "CI", "description": "d" })).await;
    assert_eq!(made.status, 201);
    let ci = client(&server, &made);
    let one = format!("{PATH}/ci");
    assert_eq!(owner.post(PATH, &json!({ "name": "ci" })).await.status, 409);
    for (method, path) in [
        (Method::GET, PATH),
        (Method::POST, PATH),
        (Method::GET, &*one),
        (Method::PUT, &*one),
        (Method::DELETE, &*one),
    ] {
        assert_eq!(status(&member, method.clone(), path).await, 403, "{method} {path}");
        assert_eq!(status(&ci, method.clone(), path).await, 403, "{method} {path} by itself");
    }
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/web").await, 200);
    let list = admin.get(PATH).await.json();
    assert_eq!((&list["page"]["total"], &list["data"][0]["name"]), (&json!(1), &json!("CI")));
    assert_eq!(list["data"][0]["sponsor"], "olivia");
    assert!(list["data"][0]["lastUsedAt"].is_string(), "{list}");
    assert!(list["data"][0]["expiresAt"].is_string(), "a secret without an end: {list}");
    assert!(!list.to_string().contains("bvc_"), "the secret shows twice");

    let suspend = async |suspended: bool| {
        let reply = admin.put(&one, &json!({ "suspended": suspended })).await;
        assert_eq!((reply.status, &reply.data()["suspended"]), (200, &json!(suspended)));
    };
    suspend(true).await;
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/web").await, 401);
    suspend(false).await;
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/web").await, 200);
    assert_eq!(admin.delete(&one).await.status, 200);
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/web").await, 401);
    let gone = admin.delete(&one).await;
    assert_eq!((gone.status, &*gone.code()), (404, "SERVICE_ACCOUNT_NOT_FOUND"));
    assert_eq!(admin.put(&format!("{one}/secret"), &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_limited_token_makes_no_service_account() {
    let (server, owner) = world().await;
    let body = json!({ "description": "", "organization": "acme" });
    let reply = owner.post("/api/user/tokens", &body).await;
    let limited = server.anonymous().with_token(reply.data()["token"].as_str().unwrap());
    let ci = service(&server, &owner, json!({ "name": "ci", "role": "admin" })).await;
    for client in [&limited, &ci] {
        assert_eq!(client.post(PATH, &json!({ "name": "more" })).await.status, 403);
        assert_eq!(client.put(&format!("{PATH}/ci/secret"), &json!({})).await.status, 403);
        assert_eq!(client.post("/api/user/tokens", &body).await.status, 403);
    }
}

#[tokio::test]
async fn a_service_account_and_a_limited_token_follow_their_organization_to_its_new_name() {
    let (server, owner) = world().await;
    let other = server.user("otto").await;
    let ci = service(&server, &owner, json!({ "name": "ci", "box": "web" })).await;
    let body = json!({ "description": "", "organization": "acme" });
    let reply = owner.post("/api/user/tokens", &body).await;
    let id = reply.data()["id"].as_str().unwrap().to_owned();
    let limited = server.anonymous().with_token(reply.data()["token"].as_str().unwrap());
    let renamed = owner.put("/api/organization/acme", &json!({ "name": "initech" })).await;
    assert_eq!(renamed.status, 200);
    for client in [&ci, &limited] {
        assert_eq!(status(client, Method::GET, "/api/organization/initech/box/web").await, 200);
        assert_eq!(status(client, Method::GET, "/acme/web").await, 200);
    }
    let read = owner.get(&format!("/api/user/tokens/{id}")).await;
    assert_eq!(read.data()["scope"]["organization"], "initech");
    assert_eq!(other.get(&format!("/api/user/tokens/{id}")).await.status, 404);
    // with the organization they end, and with its return they come back
    let gone = owner.delete("/api/organization/initech?confirm=initech").await;
    assert_eq!(gone.status, 200);
    for client in [&ci, &limited] {
        let expected = if client.token() == ci.token() { 401 } else { 404 };
        let found = status(client, Method::GET, "/api/organization/initech/box/web").await;
        assert_eq!(found, expected);
    }
    assert_eq!(owner.post("/api/organization/initech/restore", &json!({})).await.status, 200);
    for client in [&ci, &limited] {
        assert_eq!(status(client, Method::GET, "/api/organization/initech/box/web").await, 200);
    }
}

#[tokio::test]
async fn rules_of_a_site_speak_of_one_service_account_and_never_lift_it_above_its_sponsor() {
    let policies = boxvault_tests::workspace::root().join("policies");
    let folder = tempfile::tempdir().unwrap();
    for name in ["model.conf", "policy.csv"] {
        std::fs::copy(policies.join(name), folder.path().join(name)).unwrap();
    }
    let rules = "p, service:acme/ci, acme, box/db/**, read, deny\n\
                 p, service:acme/ci, acme, organization, delete, allow\n";
    write_file(&folder.path().join("site.csv"), rules).unwrap();
    let dir = folder.path().to_str().unwrap().to_owned();
    let server = TestServer::builder().set("policy.dir", &dir).start().await;
    server.admin().await;
    let (owner, admin) = (server.user("olivia").await, server.user("ada").await);
    for name in ["web", "db"] {
        owner.prepare(&Publication { public: false, ..Publication::new("acme", name, &[]) }).await;
    }
    add(&owner, "ada", "admin").await;
    let ci = service(&server, &admin, json!({ "name": "ci" })).await;
    let more = service(&server, &admin, json!({ "name": "more" })).await;
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/web").await, 200);
    assert_eq!(status(&ci, Method::GET, "/api/organization/acme/box/db").await, 404);
    assert_eq!(status(&more, Method::GET, "/api/organization/acme/box/db").await, 200);
    // an admin vouches, and admins delete no organization
    assert_eq!(status(&ci, Method::DELETE, "/api/organization/acme").await, 403);
    let rotated = owner.put(&format!("{PATH}/ci/secret"), &json!({})).await;
    let ci = client(&server, &rotated);
    assert_eq!(status(&ci, Method::DELETE, "/api/organization/acme").await, 412, "an owner may");
}
