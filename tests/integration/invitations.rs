//! Invitations by mail, and requests to join: who sends, who accepts, what is over when.

use boxvault_tests::{
    Client, TestServer,
    client::send,
    mail::{self, ARRIVAL_DEADLINE},
    wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

const INVITATIONS: &str = "/api/organization/acme/invitations";
const REQUESTS: &str = "/api/organization/acme/requests";

/// A server with Olivia's acme.
async fn world(mode: &str) -> (TestServer, Client) {
    let server = TestServer::start().await;
    server.admin().await;
    let owner = server.user("olivia").await;
    let body = json!({ "name": "acme", "accessMode": mode });
    assert_eq!(owner.post("/api/organization", &body).await.status, 201);
    (server, owner)
}

async fn add(owner: &Client, username: &str, role: &str) {
    let body = json!({ "username": username, "role": role });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
}

async fn invite(client: &Client, email: &str, role: &str) -> Value {
    let reply = client.post(INVITATIONS, &json!({ "email": email, "role": role })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert!(!reply.text().contains("bvi_"), "the token is for the invited alone");
    reply.data()
}

/// The messages to an address so far, once there are as many as expected.
async fn messages_to(server: &TestServer, email: &str, count: usize) -> Vec<String> {
    let folder = server.data_dir().join("mail");
    let find = || {
        let mut found = mail::files(&folder);
        found.retain(|message| message.contains(&format!("To: {email}")));
        found
    };
    wait_for("the messages", ARRIVAL_DEADLINE, async || (find().len() >= count).then_some(())).await;
    find()
}

/// The token in a message. Lines of mail are folded, and `=` ends a folded one.
fn token_in(message: &str) -> String {
    let unfolded = message.replace("=\r\n", "").replace("=\n", "");
    let at = unfolded.find("bvi_").unwrap_or_else(|| panic!("no token in {message}"));
    unfolded[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

async fn token_to(server: &TestServer, email: &str) -> String {
    token_in(messages_to(server, email, 1).await.last().unwrap())
}

async fn with_token(client: &Client, verb: &str, token: &str) -> (u16, String, Value) {
    let path = format!("/api/invitations/{verb}");
    let reply = client.post(&path, &json!({ "token": token })).await;
    let code = if reply.status < 400 { String::new() } else { reply.code() };
    (reply.status, code, reply.json())
}

#[tokio::test]
async fn an_invitation_is_sent_opened_and_accepted_once() {
    let (server, owner) = world("private").await;
    let (carol, other) = (server.user("carol").await, server.user("otto").await);
    let sent = invite(&owner, "carol@work.example", "admin").await;
    assert_eq!((&sent["invitedBy"], &sent["expired"]), (&json!("olivia"), &json!(false)));
    let message = messages_to(&server, "carol@work.example", 1).await.remove(0);
    assert!(message.contains("acme") && message.contains("olivia"), "{message}");
    let token = token_in(&message);

    let (status, _, body) = with_token(&server.anonymous(), "open", &token).await;
    assert_eq!((status, &body["data"]["organization"]), (200, &json!("acme")));
    assert_eq!(body["data"]["role"], "admin");
    assert_eq!(with_token(&server.anonymous(), "accept", &token).await.0, 401);
    // under another address than the one that it was sent to: the token is the proof
    let (status, _, body) = with_token(&carol, "accept", &token).await;
    assert_eq!((status, &body["data"]), (200, &json!({ "organization": "acme", "role": "admin" })));
    assert_eq!(carol.get("/api/organization/acme").await.data()["role"], "admin");
    for (client, verb) in [(&carol, "accept"), (&other, "accept"), (&other, "open"), (&other, "decline")] {
        let (status, code, _) = with_token(client, verb, &token).await;
        assert_eq!((status, &*code), (404, "INVITATION_NOT_FOUND"), "{verb}");
    }
    assert_eq!(owner.get(INVITATIONS).await.json()["page"]["total"], 0);
    assert!(!server.log().contains(&token), "the token is in the log");
}

#[tokio::test]
async fn two_who_accept_at_once_do_not_both_get_in() {
    let (server, owner) = world("private").await;
    let (one, two) = (server.user("one").await, server.user("two").await);
    invite(&owner, "team@example.com", "member").await;
    let token = token_to(&server, "team@example.com").await;
    let (a, b) = futures_util::join!(with_token(&one, "accept", &token), with_token(&two, "accept", &token));
    let mut statuses = [a.0, b.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(owner.get("/api/organization/acme/members").await.json()["page"]["total"], 2);
}

#[tokio::test]
async fn an_invitation_is_sent_again_withdrawn_and_declined() {
    let (server, owner) = world("private").await;
    let carol = server.user("carol").await;
    let sent = invite(&owner, "carol@example.com", "member").await;
    let again = owner.post(INVITATIONS, &json!({ "email": "CAROL@example.com" })).await;
    assert_eq!((again.status, &*again.code()), (409, "ALREADY_EXISTS"));
    let first = token_to(&server, "carol@example.com").await;
    let path = format!("{INVITATIONS}/{}", sent["id"].as_str().unwrap());
    assert_eq!(owner.post(&format!("{path}/resend"), &json!({})).await.status, 200);
    let second = token_in(messages_to(&server, "carol@example.com", 2).await.last().unwrap());
    assert_ne!(first, second);
    assert_eq!(with_token(&carol, "open", &first).await.0, 404, "the token before has ended");
    assert_eq!(with_token(&carol, "open", &second).await.0, 200);
    assert_eq!(owner.delete(&path).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &second).await.0, 404);
    for reply in [owner.delete(&path).await, owner.post(&format!("{path}/resend"), &json!({})).await] {
        assert_eq!((reply.status, &*reply.code()), (404, "INVITATION_NOT_FOUND"));
    }
    // there is place for another one, which is declined without an account
    invite(&owner, "carol@example.com", "member").await;
    let third = token_in(messages_to(&server, "carol@example.com", 3).await.last().unwrap());
    assert_eq!(with_token(&server.anonymous(), "decline", &third).await.0, 200);
    assert_eq!(with_token(&carol, "accept", &third).await.0, 404);
}

#[tokio::test]
async fn an_invitation_ends_with_its_time_its_organization_and_never_gives_too_much() {
    let server = TestServer::builder().set("organizations.invitation_ttl", "0 s").start().await;
    server.admin().await;
    let (owner, carol) = (server.user("olivia").await, server.user("carol").await);
    owner.post("/api/organization", &json!({ "name": "acme" })).await;
    invite(&owner, "late@example.com", "member").await;
    let late = token_to(&server, "late@example.com").await;
    assert_eq!(with_token(&carol, "accept", &late).await.0, 404, "its time was over at once");
    assert_eq!(owner.get(INVITATIONS).await.json()["data"][0]["expired"], true);
    invite(&owner, "late@example.com", "member").await;

    let (server, owner) = world("private").await;
    let (carol, admin, member) =
        (server.user("carol").await, server.user("ada").await, server.user("mark").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "mark", "member").await;
    let owner_role = json!({ "email": "x@example.com", "role": "owner" });
    assert_eq!(admin.post(INVITATIONS, &owner_role).await.status, 403, "nobody gives more than they have");
    assert_eq!(member.post(INVITATIONS, &json!({ "email": "x@example.com" })).await.status, 403);
    assert_eq!(carol.post(INVITATIONS, &json!({ "email": "x@example.com" })).await.status, 404);
    let bad = owner.post(INVITATIONS, &json!({ "email": "nobody" })).await;
    assert_eq!((bad.status, bad.json()["error"]["fields"]["email"].is_string()), (400, true));
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com").await;
    assert_eq!(with_token(&member, "accept", &token).await.0, 409, "they are a member already");
    let root = server.admin().await;
    assert_eq!(root.put("/api/organization/acme/suspend", &json!({})).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &token).await.0, 404);
    assert_eq!(root.put("/api/organization/acme/resume", &json!({})).await.status, 200);
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 200);
    assert_eq!(with_token(&carol, "open", &token).await.0, 404);
    assert_eq!(owner.post("/api/organization/acme/restore", &json!({})).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &token).await.0, 200);
}

#[tokio::test]
async fn a_request_to_join_is_told_to_admins_and_approved_with_a_role() {
    let (server, owner) = world("request_to_join").await;
    let (admin, carol) = (server.user("ada").await, server.user("carol").await);
    add(&owner, "ada", "admin").await;
    let asked = carol.post(REQUESTS, &json!({ "message": "I build images" })).await;
    assert_eq!((asked.status, &asked.data()["status"]), (201, &json!("pending")), "{}", asked.text());
    for email in ["olivia@example.com", "ada@example.com"] {
        let message = messages_to(&server, email, 1).await.remove(0);
        assert!(message.contains("carol") && message.contains("I build images"), "{message}");
    }
    let twice = carol.post(REQUESTS, &json!({})).await;
    assert_eq!((twice.status, &*twice.code()), (409, "ALREADY_EXISTS"));
    let list = admin.get(REQUESTS).await.json();
    assert_eq!((&list["page"]["total"], &list["data"][0]["username"]), (&json!(1), &json!("carol")));
    assert_eq!(carol.get(REQUESTS).await.status, 403);
    let path = format!("{REQUESTS}/{}", list["data"][0]["id"].as_str().unwrap());
    // W-32: in the original an admin could make an admin by approving, and more than that
    let too_much = admin.post(&format!("{path}/approve"), &json!({ "role": "owner" })).await;
    assert_eq!(too_much.status, 403);
    let approved = admin.post(&format!("{path}/approve"), &json!({ "role": "admin" })).await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    assert_eq!(carol.get("/api/organization/acme").await.data()["role"], "admin");
    assert_eq!(messages_to(&server, "carol@example.com", 1).await.len(), 1);
    assert_eq!(admin.post(&format!("{path}/approve"), &json!({})).await.status, 404);
    let member = carol.post(REQUESTS, &json!({})).await;
    assert_eq!((member.status, &*member.code()), (409, "ALREADY_EXISTS"));
}

/// W-17: in the original a second denial of the same applicant was a 500.
#[tokio::test]
async fn somebody_may_ask_be_denied_and_ask_again() {
    let (server, owner) = world("request_to_join").await;
    let carol = server.user("carol").await;
    for _ in 0..2 {
        assert_eq!(carol.post(REQUESTS, &json!({})).await.status, 201);
        let list = owner.get(REQUESTS).await.json();
        let path = format!("{REQUESTS}/{}/deny", list["data"][0]["id"].as_str().unwrap());
        assert_eq!(owner.post(&path, &json!({})).await.status, 200);
        assert_eq!(owner.post(&path, &json!({})).await.status, 404);
    }
    let asked = carol.post(REQUESTS, &json!({})).await.data();
    let own = format!("/api/user/requests/{}", asked["id"].as_str().unwrap());
    assert_eq!(owner.delete(&own).await.status, 404, "it is somebody else's");
    assert_eq!(carol.delete(&own).await.status, 200);
    assert_eq!(carol.delete(&own).await.status, 404);
    assert_eq!(owner.get(REQUESTS).await.json()["page"]["total"], 0);
    let list = carol.get("/api/user/requests").await.json();
    let statuses: Vec<_> = list["data"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(statuses, ["withdrawn", "denied", "denied"]);
    assert_eq!(carol.get("/api/organization/acme").await.data()["role"], json!(null));
}

#[tokio::test]
async fn the_access_mode_says_who_may_ask() {
    for (mode, status) in [("private", 404), ("invite_only", 403), ("request_to_join", 201)] {
        let (server, owner) = world(mode).await;
        let carol = server.user("carol").await;
        let asked = carol.post(REQUESTS, &json!({})).await;
        assert_eq!(asked.status, status, "{mode}: {}", asked.text());
        let anonymous = send(server.anonymous().request(Method::POST, REQUESTS)).await;
        assert_eq!(anonymous.status, if mode == "private" { 404 } else { 401 }, "{mode}");
        let ci = owner.post("/api/organization/acme/service-accounts", &json!({ "name": "ci" })).await;
        let ci = server.anonymous().with_token(ci.data()["token"].as_str().unwrap());
        assert_eq!(ci.post(REQUESTS, &json!({})).await.status, 403, "{mode}: machines join nothing");
        let long = json!({ "message": "x".repeat(1025) });
        let long = carol.post(REQUESTS, &long).await;
        assert_eq!(long.status, if status == 404 { 404 } else { 400 }, "{mode}");
    }
}
