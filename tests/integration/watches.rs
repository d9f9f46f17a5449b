//! Watches: who hears of a release, and who does not any more.

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    mail::{self, ARRIVAL_DEADLINE, wait_for_link},
    outcome::expect,
    wait_for,
};
use serde_json::json;

const BOX: &str = "/api/organization/acme/box/web";
const WATCH: &str = "/api/organization/acme/box/web/watch";

async fn published(public: bool) -> (TestServer, Client, BoxFile) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    (server, admin, file)
}

/// A user who has proven the e-mail address.
async fn proven(server: &TestServer, name: &str) -> Client {
    let client = server.user(name).await;
    let (folder, address) = (server.data_dir().join("mail"), format!("{name}@example.com"));
    let token = wait_for_link(&folder, "verify_email", &address, 1).await;
    let body = json!({ "token": token });
    expect(200, server.anonymous().post("/api/auth/verify-email", &body).await);
    client
}

/// The message of a release to somebody, with its folded lines put together.
fn message_to(server: &TestServer, who: &str) -> String {
    let to = format!("To: {who}@example.com");
    let all = mail::files(&server.data_dir().join("mail"));
    let message = all.iter().find(|one| one.contains("was released") && one.contains(&to));
    message.unwrap().replace("=\r\n", "").replace("=3D", "=")
}

async fn release(admin: &Client, version: &str, file: &BoxFile) {
    let at = Publication { version, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
}

/// Waits until somebody has a message of a release; tells whom all such messages went to.
async fn told(server: &TestServer, version: &str, who: &str) -> Vec<String> {
    let folder = server.data_dir().join("mail");
    let subject = format!("acme/web {version} was released");
    let about = |message: &String| message.contains(&subject);
    wait_for(&format!("a message to {who} of {version}"), ARRIVAL_DEADLINE, async || {
        let to = format!("To: {who}@example.com");
        mail::files(&folder)
            .iter()
            .any(|message| about(message) && message.contains(&to))
            .then_some(())
    })
    .await;
    let mut all: Vec<String> = mail::files(&folder)
        .iter()
        .filter(|message| about(message))
        .filter_map(|message| message.lines().find_map(|line| line.strip_prefix("To: ")))
        .map(|address| address.trim().trim_end_matches("@example.com").to_owned())
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn whoever_watches_a_box_hears_of_its_releases_once() {
    let (server, admin, file) = published(true).await;
    let (ann, bob) = (proven(&server, "ann").await, proven(&server, "bob").await);
    let zoe = proven(&server, "zoe").await;
    for client in [&ann, &ann, &bob, &zoe] {
        assert_eq!(expect(200, client.put(WATCH, &json!({})).await).data()["watched"], true);
    }
    assert_eq!(expect(200, bob.delete(WATCH).await).data()["watched"], false);
    expect(200, bob.delete(WATCH).await);
    release(&admin, "2.0.0", &file).await;
    told(&server, "2.0.0", "ann").await;
    assert_eq!(told(&server, "2.0.0", "zoe").await, ["ann", "zoe"]);
    let message = mail::files(&server.data_dir().join("mail")).join("\n");
    assert!(message.contains(&format!("{}/acme/boxes/web", server.url())), "{message}");
    release(&admin, "2.1.0", &file).await;
    told(&server, "2.1.0", "ann").await;
    assert_eq!(told(&server, "2.1.0", "zoe").await, ["ann", "zoe"]);
    assert_eq!(told(&server, "2.0.0", "zoe").await, ["ann", "zoe"], "and not told again");
}

#[tokio::test]
async fn whoever_may_not_read_a_box_any_more_hears_nothing() {
    let (server, admin, file) = published(true).await;
    let (ann, bob) = (proven(&server, "ann").await, proven(&server, "bob").await);
    let (carl, zoe) = (proven(&server, "carl").await, proven(&server, "zoe").await);
    for name in ["bob", "carl", "zoe"] {
        let body = json!({ "username": name, "role": "member" });
        expect(201, admin.post("/api/organization/acme/members", &body).await);
    }
    for client in [&ann, &bob, &carl, &zoe] {
        expect(200, client.put(WATCH, &json!({})).await);
    }
    // ann was never a member, bob is none any more, carl is suspended
    expect(200, admin.put(BOX, &json!({ "isPublic": false })).await);
    expect(200, admin.delete("/api/organization/acme/members/bob").await);
    expect(200, admin.put("/api/users/carl", &json!({ "suspended": true })).await);
    release(&admin, "2.0.0", &file).await;
    assert_eq!(told(&server, "2.0.0", "zoe").await, ["zoe"]);
}

#[tokio::test]
async fn nobody_gets_messages_at_an_address_that_they_have_not_proven() {
    let (server, admin, file) = published(true).await;
    let (ann, zoe) = (server.user("ann").await, proven(&server, "zoe").await);
    let told_so = expect(200, ann.put(WATCH, &json!({})).await).text();
    assert!(told_so.contains("once your e-mail address is confirmed"), "{told_so}");
    let told_so = expect(200, zoe.put(WATCH, &json!({})).await).text();
    assert!(!told_so.contains("confirmed"), "{told_so}");
    release(&admin, "2.0.0", &file).await;
    assert_eq!(told(&server, "2.0.0", "zoe").await, ["zoe"]);
}

#[tokio::test]
async fn messages_are_stopped_by_one_click_without_signing_in() {
    let (server, admin, file) = published(true).await;
    let (ann, zoe) = (proven(&server, "ann").await, proven(&server, "zoe").await);
    for client in [&ann, &zoe] {
        expect(200, client.put(WATCH, &json!({})).await);
    }
    release(&admin, "2.0.0", &file).await;
    told(&server, "2.0.0", "ann").await;
    let message = message_to(&server, "ann");
    assert!(message.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{message}");
    let header = message.lines().find(|line| line.starts_with("List-Unsubscribe: <")).unwrap();
    let (_, path) = header.trim_end().trim_end_matches('>').split_once(&server.url()).unwrap();
    let (_, token) = message.split_once("/stop-watching#token=").expect(&message);
    let token = token.split_whitespace().next().unwrap();
    assert!(path.ends_with(token), "{path} {token}");

    let anyone = server.anonymous();
    let damaged = if token.ends_with('A') { 'B' } else { 'A' };
    let damaged = format!("{}{damaged}", &token[..token.len() - 1]);
    for bad in ["", "x", &damaged, &token[4..], &token.repeat(9)] {
        let reply = anyone.post("/api/watches/stop", &json!({ "token": bad })).await;
        assert_eq!((reply.status, &*reply.code()), (401, "LINK_INVALID"), "{bad:?}");
    }
    assert_eq!(anyone.post("/api/watches/stop", &json!({})).await.status, 400);
    // looking at it, as mail programs do beforehand, stops nothing
    assert_eq!(anyone.get(path).await.status, 405);
    assert_eq!(ann.get("/api/user/watches").await.json()["page"]["total"], 1);
    // as a mail program sends it (RFC 8058), and again
    for _ in 0..2 {
        let click = anyone.request(reqwest::Method::POST, path);
        let click = click
            .header("content-type", "application/x-www-form-urlencoded")
            .body("List-Unsubscribe=One-Click");
        expect(200, send(click).await);
    }
    assert_eq!(ann.get("/api/user/watches").await.json()["page"]["total"], 0);
    assert_eq!(zoe.get("/api/user/watches").await.json()["page"]["total"], 1, "only this watch");
    // as the page sends it
    expect(200, ann.put(WATCH, &json!({})).await);
    expect(200, anyone.post("/api/watches/stop", &json!({ "token": token })).await);
    release(&admin, "2.1.0", &file).await;
    assert_eq!(told(&server, "2.1.0", "zoe").await, ["zoe"]);
}

#[tokio::test]
async fn what_somebody_watches_is_listed_as_far_as_they_may_see_it() {
    let (server, admin, _) = published(true).await;
    let ann = server.user("ann").await;
    expect(401, server.anonymous().put(WATCH, &json!({})).await);
    expect(401, server.anonymous().get("/api/user/watches").await);
    expect(404, ann.put("/api/organization/acme/box/none/watch", &json!({})).await);
    assert_eq!(ann.get("/api/user/watches").await.json()["page"]["total"], 0);
    expect(200, ann.put(WATCH, &json!({})).await);
    let list = expect(200, ann.get("/api/user/watches").await).json();
    assert_eq!(ann.get("/api/user/export").await.data()["watches"], list["data"]);
    let first = &list["data"][0];
    assert_eq!((&first["organization"], &first["name"]), (&json!("acme"), &json!("web")));
    // it is called otherwise now, and is watched still
    expect(200, admin.put(BOX, &json!({ "name": "site" })).await);
    assert_eq!(ann.get("/api/user/watches").await.json()["data"][0]["name"], "site");
    let site = "/api/organization/acme/box/site";
    expect(200, admin.put(site, &json!({ "isPublic": false })).await);
    let hidden = ann.get("/api/user/watches").await;
    assert!(!hidden.text().contains("site"), "{}", hidden.text());
    assert_eq!(hidden.json()["page"]["total"], 0, "nor does the number tell of it");
    expect(404, ann.put(&format!("{site}/watch"), &json!({})).await);
    expect(200, admin.put(site, &json!({ "isPublic": true })).await);
    expect(200, admin.delete(site).await);
    assert_eq!(ann.get("/api/user/watches").await.json()["page"]["total"], 0);
    expect(200, admin.put(&format!("{site}/restore"), &json!({})).await);
    assert_eq!(ann.get("/api/user/watches").await.json()["page"]["total"], 1);
}
