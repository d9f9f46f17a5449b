//! Links in messages: forgotten passwords, proven addresses, other addresses. No mail server: messages are files.

use std::path::PathBuf;

use boxvault_tests::{
    Client, Reply, TestServer,
    mail::{self, ARRIVAL_DEADLINE, link_tokens, wait_for_link},
    server::PASSWORD,
    wait_for,
};
use serde_json::{Value, json};

const NEW_PASSWORD: &str = "another horse battery";

fn folder(server: &TestServer) -> PathBuf {
    server.data_dir().join("mail")
}

fn plain(reply: &Reply) -> Value {
    let mut body = reply.json();
    body["error"]["request_id"] = Value::Null;
    body
}

async fn forgot(client: &Client, typed: &str) -> Reply {
    client.post("/api/auth/forgot-password", &json!({ "email": typed })).await
}

async fn reset(client: &Client, token: &str, password: &str) -> Reply {
    let body = json!({ "token": token, "newPassword": password });
    client.post("/api/auth/reset-password", &body).await
}

async fn sign_in(client: &Client, name: &str, password: &str) -> Reply {
    client.post("/api/auth/signin", &json!({ "username": name, "password": password })).await
}

async fn verify(client: &Client, token: &str) -> Reply {
    client.post("/api/auth/verify-email", &json!({ "token": token })).await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_by_the_link_and_every_session_ends() {
    let server =
        TestServer::builder().set("server.public_url", "https://boxes.example.com").start().await;
    server.admin().await;
    let alice = server.user("alice").await;
    let client = server.anonymous();
    assert_eq!(forgot(&client, "Alice@Example.com").await.status, 200);
    let token = wait_for_link(&folder(&server), "reset_password", "alice@example.com", 1).await;
    let messages = mail::files(&folder(&server)).concat();
    // the link is of the public URL, never of a host that somebody sent
    assert!(messages.contains("https://boxes.example.com/reset-password#token"), "{messages}");

    // a password that is refused does not cost the link
    let weak = reset(&client, &token, "Alice12345").await;
    assert_eq!((weak.status, &*weak.code()), (400, "INVALID_INPUT"));
    assert!(weak.json()["error"]["fields"]["newPassword"].is_string(), "{}", weak.text());
    let done = reset(&client, &token, NEW_PASSWORD).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(alice.get("/api/user").await.status, 401, "the session is still open");
    assert_eq!(sign_in(&client, "alice", PASSWORD).await.status, 401);
    let again = client.sign_in("alice", NEW_PASSWORD).await;
    // whoever has the mailbox has proven the address
    assert_eq!(again.get("/api/user").await.data()["emailVerified"], true);

    for dead in [&*token, "", "bvl_", "bvl_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "x\0"] {
        let reply = reset(&client, dead, "a third horse battery").await;
        assert_eq!((reply.status, &*reply.code()), (401, "LINK_INVALID"), "{dead:?}");
    }
    // the user is told, and nothing secret is in the log or in clear in the catalog
    wait_for("a message that tells of it", ARRIVAL_DEADLINE, async || {
        let all = mail::files(&folder(&server)).concat();
        all.contains("Your password was changed").then_some(())
    })
    .await;
    assert!(!server.log().contains(&token));
    for file in ["catalog.sqlite3", "catalog.sqlite3-wal"] {
        let bytes = tokio::fs::read(server.data_dir().join(file)).await.unwrap_or_default();
        let holds = bytes.windows(token.len()).any(|window| window == token.as_bytes());
        assert!(!holds, "{file} holds the token");
    }
}

#[tokio::test]
async fn asking_for_a_link_tells_nobody_who_has_an_account() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    for name in ["alice", "mallory"] {
        server.user(name).await;
    }
    assert_eq!(admin.put("/api/users/mallory", &json!({ "suspended": true })).await.status, 200);
    let client = server.anonymous();
    for path in ["/api/auth/forgot-password", "/api/auth/resend-verification"] {
        let mut answers = Vec::new();
        for typed in
            ["alice", "alice@example.com", "nobody@example.com", "nobody", "", "a\0b", "mallory"]
        {
            let reply = client.post(path, &json!({ "email": typed })).await;
            assert_eq!(reply.status, 200, "{typed:?}: {}", reply.text());
            answers.push((plain(&reply), reply.bytes.len()));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let long = json!({ "email": "a".repeat(300) });
    assert_eq!(client.post("/api/auth/forgot-password", &long).await.status, 400);
    // every wish has been looked at, and of two for one account the second came too soon
    wait_for("an empty outbox", ARRIVAL_DEADLINE, async || {
        let metrics = client.get("/metrics").await.text();
        metrics.contains("boxvault_mail_queue{state=\"waiting\"} 0").then_some(())
    })
    .await;
    wait_for_link(&folder(&server), "reset_password", "alice@example.com", 1).await;
    for to in ["mallory@example.com", "nobody@example.com"] {
        assert!(link_tokens(&folder(&server), "reset_password", to).is_empty(), "{to}");
    }
}

#[tokio::test]
async fn a_newer_link_another_address_and_a_suspension_end_the_link_before() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    server.user("alice").await;
    let client = server.anonymous();
    let (mail, to) = (folder(&server), "alice@example.com");
    forgot(&client, "alice").await;
    let first = wait_for_link(&mail, "reset_password", to, 1).await;
    let by_admin = admin.post("/api/users/alice/reset-password", &json!({})).await;
    assert_eq!(by_admin.status, 200, "{}", by_admin.text());
    let second = wait_for_link(&mail, "reset_password", to, 2).await;
    assert_eq!(reset(&client, &first, NEW_PASSWORD).await.code(), "LINK_INVALID");
    // a link of one kind opens nothing of the other
    assert_eq!(verify(&client, &second).await.code(), "LINK_INVALID");

    let moved = admin.put("/api/users/alice", &json!({ "email": "al@example.com" })).await;
    assert_eq!((moved.status, &moved.data()["emailVerified"]), (200, &json!(false)));
    assert_eq!(reset(&client, &second, NEW_PASSWORD).await.code(), "LINK_INVALID");
    admin.post("/api/users/alice/reset-password", &json!({})).await;
    let third = wait_for_link(&mail, "reset_password", "al@example.com", 1).await;
    for suspended in [true, false] {
        admin.put("/api/users/alice", &json!({ "suspended": suspended })).await;
    }
    assert_eq!(reset(&client, &third, NEW_PASSWORD).await.code(), "LINK_INVALID");
    // the admin has ended the password, which a link of one's own gives back
    assert_eq!(sign_in(&client, "alice", PASSWORD).await.code(), "SIGN_IN_FAILED");
    forgot(&client, "alice").await;
    let fourth = wait_for_link(&mail, "reset_password", "al@example.com", 2).await;
    assert_eq!(reset(&client, &fourth, NEW_PASSWORD).await.status, 200);
    client.sign_in("alice", NEW_PASSWORD).await;
}

#[tokio::test]
async fn a_link_ends_by_itself() {
    let server = TestServer::builder()
        .set("auth.reset_link_ttl", "1 s")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    server.admin().await;
    server.user("alice").await;
    let client = server.anonymous();
    forgot(&client, "alice").await;
    let token = wait_for_link(&folder(&server), "reset_password", "alice@example.com", 1).await;
    // the shortest password is refused only as long as the link works
    wait_for("the end of the link", ARRIVAL_DEADLINE, async || {
        (reset(&client, &token, "short").await.code() == "LINK_INVALID").then_some(())
    })
    .await;
    assert_eq!(reset(&client, &token, NEW_PASSWORD).await.code(), "LINK_INVALID");
    client.sign_in("alice", PASSWORD).await;
}

#[tokio::test]
async fn of_two_who_open_one_link_at_once_one_gets_in() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    server.admin().await;
    server.user("alice").await;
    let client = server.anonymous();
    forgot(&client, "alice").await;
    let token = wait_for_link(&folder(&server), "reset_password", "alice@example.com", 1).await;
    let passwords: Vec<_> = (0..4).map(|number| format!("{NEW_PASSWORD} {number}")).collect();
    let replies = futures_util::future::join_all(
        passwords.iter().map(|password| reset(&client, &token, password)),
    )
    .await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401]);
}

#[tokio::test]
async fn where_it_is_asked_for_nobody_signs_in_before_the_address_is_proven() {
    let server = TestServer::builder()
        .set("auth.email_verification_required", "true")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    // an operator vouches for those that the command line makes
    server.admin().await;
    let client = server.anonymous();
    let body = json!({ "username": "alice", "email": "alice@example.com", "password": PASSWORD });
    let created = client.post("/api/auth/signup", &body).await;
    assert_eq!((created.status, &created.data()["emailVerified"]), (201, &json!(false)));
    let refused = sign_in(&client, "alice", PASSWORD).await;
    assert_eq!((refused.status, &*refused.code()), (403, "EMAIL_UNVERIFIED"));
    // only who knows the password learns that
    assert_eq!(sign_in(&client, "alice", "wrong horse battery").await.code(), "SIGN_IN_FAILED");
    let token = wait_for_link(&folder(&server), "verify_email", "alice@example.com", 1).await;
    let done = verify(&client, &token).await;
    assert_eq!(done.status, 200, "{}", done.text());
    assert_eq!(verify(&client, &token).await.code(), "LINK_INVALID");
    let alice = client.sign_in("alice", PASSWORD).await;
    assert_eq!(alice.get("/api/user").await.data()["emailVerified"], true);
}

#[tokio::test]
async fn another_address_counts_once_it_is_proven_and_the_old_one_is_told() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let alice = server.user("alice").await;
    server.user("bob").await;
    let client = server.anonymous();
    let mail = folder(&server);
    let change =
        |email: &str, password: &str| json!({ "email": email, "currentPassword": password });
    let wrong = alice.put("/api/user/email", &change("new@example.com", "wrong horse")).await;
    assert_eq!(wrong.status, 400);
    assert!(wrong.json()["error"]["fields"]["currentPassword"].is_string(), "{}", wrong.text());
    assert_eq!(alice.put("/api/user/email", &change("no address", PASSWORD)).await.status, 400);

    assert_eq!(
        alice.put("/api/user/email", &change("new@example.com", PASSWORD)).await.status,
        200
    );
    let token = wait_for_link(&mail, "verify_email", "new@example.com", 1).await;
    wait_for("a message to the old address", ARRIVAL_DEADLINE, async || {
        let told = mail::files(&mail).into_iter().any(|message| {
            message.contains("To: alice@example.com")
                && message.contains("Your account is to get another address")
        });
        told.then_some(())
    })
    .await;
    assert_eq!(alice.get("/api/user").await.data()["email"], "alice@example.com");
    assert_eq!(sign_in(&client, "new@example.com", PASSWORD).await.status, 401);
    // the link that came with the sign-up would take the change back
    let old = link_tokens(&mail, "verify_email", "alice@example.com").remove(0);
    assert_eq!(verify(&client, &old).await.code(), "LINK_INVALID");
    assert_eq!(verify(&alice, &token).await.status, 200);
    let profile = alice.get("/api/user").await.data();
    assert_eq!(
        (&profile["email"], &profile["emailVerified"]),
        (&json!("new@example.com"), &json!(true))
    );
    client.sign_in("new@example.com", PASSWORD).await;
    assert_eq!(sign_in(&client, "alice@example.com", PASSWORD).await.status, 401);

    // an address that somebody else has: no difference in the answer, and no way to take it
    let asked = alice.put("/api/user/email", &change("bob@example.com", PASSWORD)).await;
    assert_eq!(asked.status, 200);
    let token = wait_for("a link to bob's mailbox", ARRIVAL_DEADLINE, async || {
        link_tokens(&mail, "verify_email", "bob@example.com").get(1).cloned()
    })
    .await;
    let taken = verify(&client, &token).await;
    assert_eq!((taken.status, &*taken.code()), (409, "ALREADY_EXISTS"));
    assert_eq!(admin.get("/api/users?q=bob@").await.json()["page"]["total"], 1);
}

#[tokio::test]
async fn the_pages_that_links_lead_to_are_there() {
    let server = TestServer::start().await;
    for path in ["/reset-password", "/verify-email", "/stop-watching", "/organization/join-request"]
    {
        let page = server.anonymous().get(path).await;
        assert_eq!(page.status, 200, "{path}");
        // one page for all where the interface was built, and else one for these
        let text = page.text();
        let script = text.split('"').find(|part| {
            part.strip_prefix("/assets/").is_some_and(|name| name.strip_suffix(".js").is_some())
        });
        let script = server.anonymous().get(script.unwrap_or_else(|| panic!("{text}"))).await;
        assert_eq!(script.status, 200, "{path}");
        let policy = page.header("content-security-policy").unwrap();
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{path}");
    }
}
