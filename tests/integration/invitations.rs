//! Invitations by mail: who sends, who accepts, what is over when.

use boxvault_tests::{
    Client, TestServer,
    mail::{link_tokens, wait_for_link},
    server::PASSWORD,
};
use serde_json::{Value, json};

const INVITATIONS: &str = "/api/organization/acme/invitations";

/// A server with Olivia's acme, where messages may follow each other.
async fn world(settings: &[(&str, &str)]) -> (TestServer, Client) {
    let mut builder = TestServer::builder().set("organizations.invitation_pause", "0 s");
    for (key, value) in settings {
        builder = builder.set(key, value);
    }
    let server = builder.start().await;
    let root = server.admin().await;
    let olivia =
        json!({ "username": "olivia", "email": "olivia@example.com", "password": PASSWORD });
    assert_eq!(root.post("/api/users", &olivia).await.status, 201);
    let owner = server.anonymous().sign_in("olivia", PASSWORD).await;
    let acme = owner.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(acme.status, 201, "{}", acme.text());
    (server, owner)
}

async fn add(owner: &Client, username: &str, role: &str) {
    let body = json!({ "username": username, "role": role });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
}

async fn invite(client: &Client, email: &str, role: &str) -> Value {
    let reply = client.post(INVITATIONS, &json!({ "email": email, "role": role })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.data()
}

/// The token of the message to an address that came as the last of so many.
async fn token_to(server: &TestServer, email: &str, count: usize) -> String {
    wait_for_link(&server.data_dir().join("mail"), "invitation", email, count).await
}

async fn with_token(client: &Client, verb: &str, token: &str) -> (u16, String, Value) {
    let path = format!("/api/invitations/{verb}");
    let reply = client.post(&path, &json!({ "token": token })).await;
    let code = if reply.status < 400 { String::new() } else { reply.code() };
    (reply.status, code, reply.json())
}

async fn sign_up(
    server: &TestServer,
    username: &str,
    email: &str,
    token: Option<&str>,
) -> (u16, String) {
    let mut body = json!({ "username": username, "email": email, "password": PASSWORD });
    if let Some(token) = token {
        body["invitation"] = json!(token);
    }
    let reply = server.anonymous().post("/api/auth/signup", &body).await;
    (reply.status, if reply.status < 400 { String::new() } else { reply.code() })
}

#[tokio::test]
async fn an_invitation_is_sent_opened_and_accepted_once() {
    let (server, owner) = world(&[]).await;
    let carol = server.user("carol").await;
    let sent = invite(&owner, "Carol@example.com", "admin").await;
    assert_eq!((&sent["invitedBy"], &sent["expired"]), (&json!("olivia"), &json!(false)));
    let token = token_to(&server, "Carol@example.com", 1).await;
    assert!(!sent.to_string().contains(&token), "the token is for the invited alone");

    let (status, _, body) = with_token(&server.anonymous(), "open", &token).await;
    assert_eq!((status, &body["data"]["organization"]), (200, &json!("acme")));
    assert_eq!(body["data"]["role"], "admin");
    assert_eq!(with_token(&server.anonymous(), "accept", &token).await.0, 401);
    let (status, _, body) = with_token(&carol, "accept", &token).await;
    assert_eq!((status, &body["data"]), (200, &json!({ "organization": "acme", "role": "admin" })));
    assert_eq!(carol.get("/api/organization/acme").await.data()["role"], "admin");
    for verb in ["accept", "open", "decline"] {
        let (status, code, _) = with_token(&carol, verb, &token).await;
        assert_eq!((status, &*code), (404, "INVITATION_NOT_FOUND"), "{verb}");
    }
    assert_eq!(owner.get(INVITATIONS).await.json()["page"]["total"], 0);
    assert!(!server.log().contains(&token), "the token is in the log");
}

#[tokio::test]
async fn an_invitation_is_for_the_address_that_it_went_to() {
    let (server, owner) = world(&[]).await;
    let (carol, thief) = (server.user("carol").await, server.user("thief").await);
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    let (status, code, _) = with_token(&thief, "accept", &token).await;
    assert_eq!((status, &*code), (403, "INVITATION_FOR_OTHER"));
    assert_eq!(
        sign_up(&server, "thief2", "thief2@example.com", Some(&token)).await,
        (403, "INVITATION_FOR_OTHER".to_owned())
    );
    assert_eq!(thief.get("/api/organization/acme").await.status, 404);
    assert_eq!(with_token(&carol, "accept", &token).await.0, 200, "it was still open");
}

#[tokio::test]
async fn an_invitation_that_is_accepted_twice_at_once_counts_once() {
    let (server, owner) = world(&[]).await;
    let carol = server.user("carol").await;
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    let (a, b) = futures_util::join!(
        with_token(&carol, "accept", &token),
        with_token(&carol, "accept", &token)
    );
    let mut statuses = [a.0, b.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    assert_eq!(owner.get("/api/organization/acme/members").await.json()["page"]["total"], 2);
}

#[tokio::test]
async fn an_invitation_is_sent_again_withdrawn_and_declined() {
    let (server, owner) = world(&[]).await;
    let carol = server.user("carol").await;
    let sent = invite(&owner, "carol@example.com", "member").await;
    let again = owner.post(INVITATIONS, &json!({ "email": "CAROL@example.com" })).await;
    assert_eq!((again.status, &*again.code()), (409, "ALREADY_EXISTS"));
    let first = token_to(&server, "carol@example.com", 1).await;
    let path = format!("{INVITATIONS}/{}", sent["id"].as_str().unwrap());
    let resent = owner.post(&format!("{path}/resend"), &json!({})).await;
    assert_eq!(resent.status, 200, "{}", resent.text());
    let second = token_to(&server, "carol@example.com", 2).await;
    assert_eq!(with_token(&carol, "open", &first).await.0, 404, "the link before has ended");
    assert_eq!(with_token(&carol, "open", &second).await.0, 200);
    assert_eq!(owner.delete(&path).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &second).await.0, 404);
    let resent = owner.post(&format!("{path}/resend"), &json!({})).await;
    for reply in [owner.delete(&path).await, resent] {
        assert_eq!((reply.status, &*reply.code()), (404, "INVITATION_NOT_FOUND"));
    }
    // there is place for another one, which is declined without an account
    invite(&owner, "carol@example.com", "member").await;
    let third = token_to(&server, "carol@example.com", 3).await;
    assert_eq!(with_token(&server.anonymous(), "decline", &third).await.0, 200);
    assert_eq!(with_token(&carol, "accept", &third).await.0, 404);
}

#[tokio::test]
async fn an_invitation_ends_with_its_time() {
    let (server, owner) = world(&[("organizations.invitation_ttl", "0 s")]).await;
    let carol = server.user("carol").await;
    invite(&owner, "carol@example.com", "member").await;
    let late = token_to(&server, "carol@example.com", 1).await;
    assert_eq!(with_token(&carol, "accept", &late).await.0, 404, "its time was over at once");
    assert_eq!(owner.get(INVITATIONS).await.json()["data"][0]["expired"], true);
    invite(&owner, "carol@example.com", "member").await;
}

#[tokio::test]
async fn an_invitation_gives_nothing_while_its_organization_is_suspended_or_deleted() {
    let (server, owner) = world(&[]).await;
    let (carol, root) = (server.user("carol").await, server.admin().await);
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    assert_eq!(root.put("/api/organization/acme/suspend", &json!({})).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &token).await.0, 404);
    assert_eq!(root.put("/api/organization/acme/resume", &json!({})).await.status, 200);
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 200);
    assert_eq!(with_token(&carol, "open", &token).await.0, 404);
    assert_eq!(owner.post("/api/organization/acme/restore", &json!({})).await.status, 200);
    assert_eq!(with_token(&carol, "accept", &token).await.0, 200);
}

#[tokio::test]
async fn nobody_invites_above_their_own_role_nor_after_they_lost_it() {
    let (server, owner) = world(&[]).await;
    let (carol, admin, member) =
        (server.user("carol").await, server.user("ada").await, server.user("mark").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "mark", "member").await;
    let as_owner = json!({ "email": "x@example.com", "role": "owner" });
    assert_eq!(admin.post(INVITATIONS, &as_owner).await.status, 403);
    let one = json!({ "email": "x@example.com" });
    assert_eq!(member.post(INVITATIONS, &one).await.status, 403);
    assert_eq!(member.get(INVITATIONS).await.status, 403, "addresses are not for members");
    assert_eq!(carol.post(INVITATIONS, &one).await.status, 404);
    let bad = owner.post(INVITATIONS, &json!({ "email": "nobody" })).await;
    assert_eq!((bad.status, bad.json()["error"]["fields"]["email"].is_string()), (400, true));

    invite(&admin, "mark@example.com", "member").await;
    let token = token_to(&server, "mark@example.com", 1).await;
    assert_eq!(with_token(&member, "accept", &token).await.0, 409, "they are a member already");

    let sent = invite(&admin, "carol@example.com", "admin").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    let less = json!({ "role": "member" });
    let demoted = owner.put("/api/organization/acme/members/ada", &less).await;
    assert_eq!(demoted.status, 200, "{}", demoted.text());
    for verb in ["open", "accept"] {
        let (status, code, _) = with_token(&carol, verb, &token).await;
        assert_eq!((status, &*code), (404, "INVITATION_NOT_FOUND"), "{verb}");
    }
    // whoever sends it again answers for it
    let path = format!("{INVITATIONS}/{}/resend", sent["id"].as_str().unwrap());
    assert_eq!(owner.post(&path, &json!({})).await.status, 200);
    let token = token_to(&server, "carol@example.com", 2).await;
    assert_eq!(with_token(&carol, "accept", &token).await.0, 200);
}

#[tokio::test]
async fn a_server_by_invitation_takes_the_invited_and_nobody_else() {
    let settings =
        [("auth.sign_up", "invitation_only"), ("auth.email_verification_required", "true")];
    let (server, owner) = world(&settings).await;
    let closed = (403, "SIGN_UP_CLOSED".to_owned());
    assert_eq!(sign_up(&server, "carol", "carol@example.com", None).await, closed);
    let unknown = (404, "INVITATION_NOT_FOUND".to_owned());
    assert_eq!(sign_up(&server, "carol", "carol@example.com", Some("bvl_x")).await, unknown);
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    // whoever has no invitation of theirs learns nothing of who has an account
    assert_eq!(
        sign_up(&server, "carol", "olivia@example.com", Some(&token)).await,
        (403, "INVITATION_FOR_OTHER".to_owned())
    );
    assert_eq!(sign_up(&server, "olivia", "carol@example.com", Some(&token)).await.0, 409);
    assert_eq!(sign_up(&server, "carol", "carol@example.com", Some(&token)).await.0, 201);
    // the link came by that address, so nothing is left to prove
    let carol = server.anonymous().sign_in("carol", PASSWORD).await;
    assert_eq!(carol.get("/api/organization/acme").await.data()["role"], "member");
    assert_eq!(
        link_tokens(&server.data_dir().join("mail"), "verify_email", "carol@example.com").len(),
        0
    );
    assert_eq!(sign_up(&server, "carol2", "carol@example.com", Some(&token)).await, unknown);
}

#[tokio::test]
async fn whoever_signs_up_by_invitation_is_in_the_log_of_the_organization() {
    let (server, owner) = world(&[("auth.sign_up", "invitation_only")]).await;
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    let refused = sign_up(&server, "carol", "carol@example.com", Some("bvl_x")).await;
    assert_eq!(refused.0, 404);
    assert_eq!(sign_up(&server, "carol", "carol@example.com", Some(&token)).await.0, 201);
    let log = owner.get("/api/organization/acme/audit?action=create&object=account").await.json();
    let row = &log["data"][0];
    assert_eq!((&log["page"]["total"], &row["actor"]), (&json!(1), &json!("carol")), "{log}");
    assert_eq!((&row["detail"]["operation"], &row["status"]), (&json!("sign_up"), &json!(201)));
    assert!(!log.to_string().contains(&token), "{log}");
}

#[tokio::test]
async fn a_closed_server_takes_nobody_not_even_by_invitation() {
    let (server, owner) = world(&[("auth.sign_up", "closed")]).await;
    invite(&owner, "carol@example.com", "member").await;
    let token = token_to(&server, "carol@example.com", 1).await;
    assert_eq!(
        sign_up(&server, "carol", "carol@example.com", Some(&token)).await,
        (403, "SIGN_UP_CLOSED".to_owned())
    );
}

#[tokio::test]
async fn invitations_are_limited_for_an_address_and_for_a_day() {
    let (_server, owner) = world(&[("organizations.invitations_per_day", "2")]).await;
    let first = invite(&owner, "one@example.com", "member").await;
    let path = format!("{INVITATIONS}/{}", first["id"].as_str().unwrap());
    assert_eq!(owner.post(&format!("{path}/resend"), &json!({})).await.status, 200);
    assert_eq!(owner.delete(&path).await.status, 200, "what is withdrawn was sent");
    let third = owner.post(INVITATIONS, &json!({ "email": "two@example.com" })).await;
    assert_eq!((third.status, &*third.code()), (429, "RATE_LIMITED"));
    assert!(third.header("retry-after").is_some());

    let (_server, owner) = world(&[("organizations.invitation_pause", "1 h")]).await;
    let first = invite(&owner, "one@example.com", "member").await;
    let path = format!("{INVITATIONS}/{}", first["id"].as_str().unwrap());
    let soon = owner.post(&format!("{path}/resend"), &json!({})).await;
    assert_eq!((soon.status, &*soon.code()), (429, "RATE_LIMITED"));
    assert_eq!(owner.delete(&path).await.status, 200);
    let anew = owner.post(INVITATIONS, &json!({ "email": "ONE@example.com" })).await;
    assert_eq!(anew.status, 429, "withdrawing does not get around it");
    invite(&owner, "two@example.com", "member").await;
}
