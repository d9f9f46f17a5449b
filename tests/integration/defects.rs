//! Defects seen in an earlier implementation of this API, where no other file has a test of them: each test has the
//! number of what went wrong there. The whole list is in the README of the tests.

use std::collections::BTreeSet;

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, PNG},
    client::send,
    server::PASSWORD,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

fn account(name: &str, email: &str) -> Value {
    json!({ "username": name, "email": email, "password": PASSWORD })
}

async fn created(client: &Client, path: &str, body: &Value) -> Reply {
    let reply = client.post(path, body).await;
    assert_eq!(reply.status, 201, "POST {path}: {}", reply.text());
    reply
}

/// There, each start wrote the schema anew: on the second one a box had one version, and one account a role.
#[tokio::test]
async fn w02_a_restart_forgets_no_rule_and_no_row() {
    let mut server = TestServer::start().await;
    server.admin().await;
    let mut anna = server.user("anna").await;
    created(&anna, "/api/organization", &json!({ "name": "acme" })).await;
    for round in 0..3 {
        let name = format!("box{round}");
        created(&anna, "/api/organization/acme/box", &json!({ "name": name })).await;
        for number in ["1.0.0", "2.0.0"] {
            let path = format!("/api/organization/acme/box/{name}/version");
            created(&anna, &path, &json!({ "versionNumber": number })).await;
            let twice = anna.post(&path, &json!({ "versionNumber": number })).await;
            assert_eq!((twice.status, &*twice.code()), (409, "ALREADY_EXISTS"), "start {round}");
        }
        server.user(&format!("user{round}")).await;
        server.stop().await;
        server.restart().await;
        anna = server.anonymous().sign_in("anna", PASSWORD).await;
        let boxes = anna.get("/api/organization/acme/box").await.json();
        assert_eq!(boxes["page"]["total"], round + 1);
    }
    // what belongs to a row still goes with it
    assert_eq!(anna.delete("/api/organization/acme/box/box0/version/1.0.0").await.status, 200);
    let versions = anna.get("/api/organization/acme/box/box0/version").await.json();
    assert_eq!(versions["page"]["total"], 1);
}

/// There, every packaged installation signed with the same words.
#[tokio::test]
async fn w03_no_two_installations_sign_with_one_key() {
    let (one, other) = (TestServer::start().await, TestServer::start().await);
    let (here, there) = (one.admin().await, other.admin().await);
    for (server, token) in [(&other, here.token()), (&one, there.token())] {
        let foreign = server.anonymous().with_token(token.unwrap()).get("/api/user").await;
        assert_eq!((foreign.status, &*foreign.code()), (401, "CREDENTIALS_INVALID"));
    }
    assert_eq!(here.get("/api/user").await.status, 200);
}

/// There, a sign-up that failed half-way left an organization that nobody owned, or an account without a role.
#[tokio::test]
async fn w11_a_refused_sign_up_leaves_nothing() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let client = server.anonymous();
    created(&client, "/api/auth/signup", &account("anna", "anna@example.com")).await;
    let taken = client.post("/api/auth/signup", &account("ben", "anna@example.com")).await;
    assert_eq!(taken.status, 409, "{}", taken.text());
    let total = async || admin.get("/api/users").await.json()["page"]["total"].clone();
    assert_eq!(total().await, 2);
    // the name that it asked for is free, and of many who want it at once one gets it
    let path = "/api/auth/signup";
    let wishes: Vec<_> = (0..6).map(|n| account("ben", &format!("ben{n}@example.com"))).collect();
    let statuses: Vec<_> = join_all(wishes.iter().map(|wish| client.post(path, wish)))
        .await
        .iter()
        .map(|it| it.status)
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 409].contains(status)), "{statuses:?}");
    assert_eq!(total().await, 3);
    assert_eq!(admin.get("/api/organization").await.json()["page"]["total"], 0);
}

/// There, some reads looked at tokens in their own way, and an account that was suspended went on reading.
#[tokio::test]
async fn w27_a_suspended_account_reads_nothing_by_whatever_it_still_holds() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let anna = server.user("anna").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    anna.publish(&at).await;
    let token = server.anonymous().with_token(&server.api_token("anna").await);
    let link = anna.get(&format!("{}/get-download-link", at.file_path())).await;
    let link = link.data()["downloadUrl"].as_str().unwrap().to_owned();
    let link = link.strip_prefix(&server.url()).unwrap_or(&link).to_owned();
    assert_eq!(server.anonymous().get(&link).await.status, 200);
    let reads = [
        "/api/user".to_owned(),
        "/api/organization/acme/box/web".to_owned(),
        "/api/organization/acme/box/web/version".to_owned(),
        "/api/discover".to_owned(),
        format!("{}/download", at.file_path()),
    ];
    let suspended = admin.put("/api/users/anna", &json!({ "suspended": true })).await;
    assert_eq!(suspended.status, 200, "{}", suspended.text());
    for client in [&anna, &token] {
        for path in &reads {
            assert_eq!(client.get(path).await.status, 401, "{path}");
        }
        // stock clients are as if they had sent nothing
        assert_eq!(client.get(&at.vagrant_path()).await.status, 404);
    }
    assert!([401, 404].contains(&server.anonymous().get(&link).await.status));
}

/// There, a page in a browser could run what a box had as its picture, and nothing kept others from framing it.
#[tokio::test]
async fn w25_every_answer_says_what_a_browser_may_do_with_it() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let put = admin.upload("/api/user/avatar", PNG.to_vec(), &[]).await;
    let avatar = put.data()["avatarUrl"].as_str().unwrap().to_owned();
    let vector =
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec();
    let refused =
        admin.upload("/api/user/avatar", vector, &[("content-type", "image/svg+xml")]).await;
    assert_eq!((refused.status, &*refused.code()), (415, "UNSUPPORTED_MEDIA_TYPE"));
    for path in ["/", "/api/version", "/api/nothing", "/api-docs/", "/health/live", &avatar] {
        let reply = admin.get(path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("default-src 'none'") || policy.contains("frame-ancestors 'none'"),
            "{path}: {policy:?}"
        );
    }
}

/// There, the limit on requests made an upload of some hundred megabytes fail, as each chunk is a request.
#[tokio::test]
async fn w36_an_upload_in_many_chunks_is_not_stopped_by_the_limit_on_requests() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(200_000).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let uploads = format!("{}/uploads", at.file_path());
    let begun = admin.request(Method::POST, &uploads).header("tus-resumable", "1.0.0");
    let begun = send(begun.header("upload-length", file.bytes.len().to_string())).await;
    let path = begun.header("location").unwrap().to_owned();
    let chunk_bytes = file.bytes.len() / 200 + 1;
    let mut statuses = BTreeSet::new();
    for (index, chunk) in file.bytes.chunks(chunk_bytes).enumerate() {
        let request = admin
            .request(Method::PATCH, &path)
            .header("tus-resumable", "1.0.0")
            .header("upload-offset", (index * chunk_bytes).to_string())
            .header("content-type", "application/offset+octet-stream");
        statuses.insert(send(request.body(chunk.to_vec())).await.status);
    }
    assert_eq!(statuses, BTreeSet::from([204]));
    let download = format!("{}/download", at.file_path());
    assert!(admin.get(&download).await.bytes == file.bytes);
}
