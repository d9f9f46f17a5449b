//! Two servers that share a database and a store, and two who come first.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, TestServer, bytes::BoxBuilder, outcome::swept_and_clean, wait_for,
};
use serde_json::json;

#[tokio::test]
async fn two_servers_on_one_database_and_one_store_are_one() {
    let first = TestServer::start().await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let store = first.data_dir().join("store");
    let second = TestServer::builder()
        .set("database.url", &database)
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", store.to_str().unwrap())
        .start()
        .await;
    let admin = first.admin().await;
    let there = |client: &Client| {
        Client::new(&second.url()).with_token(client.token().expect("it signed in"))
    };
    // a session of one is a session of the other: the signing key lies in the catalog
    assert_eq!(there(&admin).get("/api/user").await.status, 200);
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    assert!(there(&admin).get(&at.vagrant_path()).await.bytes == file.bytes);

    // an API token of one works on the other, until it is revoked on either
    let made = admin.post("/api/user/tokens", &json!({ "description": "ci" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (token, id) = (made.data()["token"].clone(), made.data()["id"].clone());
    let by_token = second.anonymous().with_token(token.as_str().unwrap());
    assert_eq!(by_token.get(&at.vagrant_path()).await.status, 200);
    let path = format!("/api/user/tokens/{}", id.as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 200);
    wait_for("the revocation on the other server", Duration::from_secs(5), async || {
        (by_token.get(&at.vagrant_path()).await.status == 404).then_some(())
    })
    .await;

    // a box that one makes public is public on the other
    let change = json!({ "isPublic": true });
    assert_eq!(admin.put("/api/organization/acme/box/web", &change).await.status, 200);
    wait_for("the other server's view", Duration::from_secs(5), async || {
        (second.anonymous().get(&at.vagrant_path()).await.status == 200).then_some(())
    })
    .await;
    // a file that one replaces is never an error on the other, which may remember for a second where it was
    let newer = BoxBuilder::new("virtualbox").seed(2).build();
    let draft = Publication { version: "1.1.0", ..at };
    let (upload, download) =
        (format!("{}/upload", draft.file_path()), format!("{}/download", draft.file_path()));
    admin.prepare(&draft).await;
    assert_eq!(admin.upload(&upload, file.bytes.clone(), &[]).await.status, 200);
    assert!(there(&admin).get(&download).await.bytes == file.bytes);
    assert_eq!(admin.upload(&upload, newer.bytes.clone(), &[]).await.status, 200);
    wait_for("the newer file on the other server", Duration::from_secs(5), async || {
        let reply = there(&admin).get(&download).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        (reply.bytes == newer.bytes).then_some(())
    })
    .await;

    // the start of the second has not cleaned up behind the first, nor does its sweep
    let swept = second.command(&["sweep"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    swept_and_clean(&first).await;
    assert!(first.anonymous().get(&at.vagrant_path()).await.bytes == file.bytes);
}

#[tokio::test]
async fn of_two_that_set_a_new_server_up_one_becomes_its_admin() {
    let server = TestServer::start().await;
    let output = server.command(&["setup", "token"], "").await;
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let body = |name: &str| {
        json!({ "token": token, "username": name, "email": format!("{name}@example.com"),
                "password": boxvault_tests::server::PASSWORD })
    };
    let (one, two) = (body("one"), body("two"));
    let client = server.anonymous();
    let (one, two) = tokio::join!(client.post("/api/setup", &one), client.post("/api/setup", &two));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{} {}", one.text(), two.text());
    assert!([401, 409].contains(&statuses[1]), "{} {}", one.text(), two.text());
}
