//! Set-up, sign-up, sign-in, refresh, sign-out, and what ends a session; what is guessed, and from where.

use std::{
    fs::File,
    io::Read as _,
    time::{Duration, Instant},
};

use boxvault_tests::{
    Client, Reply, TestServer,
    client::send,
    server::{ADMIN_NAME, PASSWORD},
    wait_for,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

const WRONG: &str = "wrong horse battery";

fn credentials(username: &str, password: &str) -> Value {
    json!({ "username": username, "password": password })
}

/// An error body without what differs from request to request.
fn plain(reply: &Reply) -> Value {
    let mut body = reply.json();
    body["error"]["request_id"] = Value::Null;
    body
}

#[tokio::test]
async fn only_who_reads_the_set_up_token_becomes_the_first_admin_and_only_one() {
    let server = TestServer::start().await;
    let client = server.anonymous();
    let body = |token: &str, name: &str| {
        let email = format!("{name}@example.com");
        json!({ "token": token, "username": name, "email": email, "password": PASSWORD })
    };
    assert_eq!(client.get("/api/version").await.data()["needsSetup"], true);
    let account = json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD });
    let early = client.post("/api/auth/signup", &account).await;
    assert_eq!((early.status, &*early.code()), (403, "SIGN_UP_CLOSED"), "first come is no admin");
    for wrong in ["", "bvs_", "bvs_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] {
        let reply = client.post("/api/setup", &body(wrong, "eve")).await;
        assert_eq!((reply.status, &*reply.code()), (401, "SETUP_TOKEN_INVALID"), "{wrong:?}");
    }
    let token = server.setup_token();
    let bodies: Vec<_> = (0..8).map(|number| body(&token, &format!("admin{number}"))).collect();
    let replies = join_all(bodies.iter().map(|body| client.post("/api/setup", body))).await;
    let mut statuses: Vec<_> = replies.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{statuses:?}");
    assert!(statuses[1..].iter().all(|status| [401, 409].contains(status)), "{statuses:?}");
    let winner = replies.iter().find(|reply| reply.status == 201).unwrap().data();
    assert_eq!(winner["platformAdmin"], true);
    let admin = client.with_token(winner["accessToken"].as_str().unwrap());
    assert_eq!(admin.get("/api/users").await.json()["page"]["total"], 1);
    let again = client.post("/api/setup", &body(&token, "late")).await;
    assert_eq!((again.status, &*again.code()), (409, "ALREADY_SET_UP"));
    assert_eq!(client.get("/api/version").await.data()["needsSetup"], false);
}

#[tokio::test]
async fn a_closed_server_takes_accounts_from_its_admins_alone() {
    let server = TestServer::builder().set("auth.sign_up", "closed").start().await;
    let admin = server.admin().await;
    let body = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD });
    let refused = server.anonymous().post("/api/auth/signup", &body).await;
    assert_eq!((refused.status, &*refused.code()), (403, "SIGN_UP_CLOSED"));
    assert_eq!(admin.post("/api/users", &body).await.status, 201);
    server.anonymous().sign_in("bob", PASSWORD).await;
}

#[tokio::test]
async fn name_and_address_both_sign_in_and_every_refusal_is_the_same() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    server.user("alice").await;
    server.user("mallory").await;
    let client = server.anonymous();
    for name in ["alice", "ALICE", "alice@example.com", "Alice@Example.com"] {
        client.sign_in(name, PASSWORD).await;
    }
    assert_eq!(admin.put("/api/users/mallory", &json!({ "suspended": true })).await.status, 200);
    let mut refusals = Vec::new();
    for (name, password) in [
        ("alice", WRONG),
        ("nobody", WRONG),
        ("nobody@example.com", WRONG),
        ("mallory", PASSWORD),
        ("alice", ""),
        ("", PASSWORD),
        ("alice\0", PASSWORD),
        ("al*", PASSWORD),
    ] {
        let reply = client.post("/api/auth/signin", &credentials(name, password)).await;
        assert_eq!(reply.status, 401, "{name:?}: {}", reply.text());
        refusals.push((plain(&reply), reply.bytes.len()));
    }
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    for body in [json!({ "username": "alice" }), json!({ "password": PASSWORD }), json!([])] {
        assert_eq!(client.post("/api/auth/signin", &body).await.status, 400, "{body}");
    }
    let long = client.post("/api/auth/signin", &credentials(&"a".repeat(10_000), WRONG)).await;
    assert!([400, 401].contains(&long.status), "{}", long.text());
}

/// How many times as long the second request takes as the first, by their medians. They take turns, so that a busy
/// moment of the machine is one for both.
async fn ratio(rounds: usize, first: impl AsyncFn(), second: impl AsyncFn()) -> f64 {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let began = Instant::now();
        first().await;
        let half = Instant::now();
        second().await;
        ones.push(half - began);
        others.push(half.elapsed());
    }
    ones.sort_unstable();
    others.sort_unstable();
    others[rounds / 2].as_secs_f64() / ones[rounds / 2].as_secs_f64()
}

#[tokio::test]
async fn the_time_of_a_refusal_does_not_tell_what_exists() {
    let server = TestServer::builder()
        .set("auth.lockout_failures_max", "1000")
        .set("auth.lockout_address_failures_max", "1000")
        .set("limits.requests_per_minute", "0")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let admin = server.admin().await;
    let stranger = server.user("mallory").await;
    let client = server.anonymous();
    let guess = async |name: &str| {
        let reply = client.post("/api/auth/signin", &credentials(name, WRONG)).await;
        assert_eq!(reply.status, 401, "{}", reply.text());
    };
    // without a password to compare with, the answer would be there in a hundredth of the time
    let of_names = ratio(9, async || guess("mallory").await, async || guess("nobody").await).await;
    assert!((0.3..3.0).contains(&of_names), "a wrong name takes {of_names:.2} times as long");

    for (path, body) in [
        ("/api/organization", json!({ "name": "acme" })),
        ("/api/organization/acme/box", json!({ "name": "hidden", "isPublic": false })),
    ] {
        assert_eq!(admin.post(path, &body).await.status, 201);
    }
    let look = async |name: &str| {
        let reply = stranger.get(&format!("/api/organization/acme/box/{name}")).await;
        assert_eq!(reply.status, 404, "{}", reply.text());
    };
    let of_boxes = ratio(51, async || look("hidden").await, async || look("nothing").await).await;
    assert!((0.3..3.0).contains(&of_boxes), "a box that is none takes {of_boxes:.2} times as long");
}

#[tokio::test]
async fn guessing_locks_the_account_however_it_is_written_and_whoever_asks() {
    let server = TestServer::builder()
        .set("auth.lockout_failures_max", "3")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    server.admin().await;
    server.user("alice").await;
    server.user("bob").await;
    let client = server.anonymous();
    for (index, name) in ["alice", "ALICE", " alice", "Alice "].into_iter().enumerate() {
        let request = client.request(Method::POST, "/api/auth/signin");
        // an address of the caller's own choosing is not believed
        let request = request.header("x-forwarded-for", format!("203.0.113.{index}"));
        let reply = send(request.json(&credentials(name, WRONG))).await;
        assert_eq!(reply.status, 401, "guess {index}: {}", reply.text());
    }
    let locked = client.post("/api/auth/signin", &credentials("alice", PASSWORD)).await;
    assert_eq!((locked.status, &*locked.code()), (429, "SIGN_IN_THROTTLED"));
    let seconds: u64 = locked.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "Retry-After: {seconds}");
    client.sign_in("bob", PASSWORD).await;
    // a name that nobody has locks just the same
    for _ in 0..4 {
        assert_eq!(client.post("/api/auth/signin", &credentials("x", WRONG)).await.status, 401);
    }
    let unknown = client.post("/api/auth/signin", &credentials("x", WRONG)).await;
    assert_eq!(unknown.status, 429);
    assert_eq!(plain(&unknown)["error"], plain(&locked)["error"]);
}

#[tokio::test]
async fn guessing_locks_the_address_that_really_asks() {
    for trusted in [false, true] {
        let mut builder = TestServer::builder()
            .set("auth.lockout_address_failures_max", "3")
            .set("limits.sign_in_requests_per_minute", "0");
        if trusted {
            builder = builder.set("server.trusted_proxies", "127.0.0.1");
        }
        let server = builder.start().await;
        server.admin().await;
        let guess = async |address: String, name: String| {
            let request = server.anonymous().request(Method::POST, "/api/auth/signin");
            let request = request.header("x-forwarded-for", address);
            send(request.json(&credentials(&name, WRONG))).await.status
        };
        let mut statuses = Vec::new();
        for index in 0..6 {
            statuses.push(guess(format!("203.0.113.{index}"), format!("user{index}")).await);
        }
        let expected = if trusted { [401; 6] } else { [401, 401, 401, 401, 429, 429] };
        assert_eq!(statuses, expected, "trusted: {trusted}");
        if trusted {
            // one address behind the proxy, whatever it claims to have come by
            let mut statuses = Vec::new();
            for index in 0..6 {
                let hops = format!("198.51.100.{index}, 203.0.113.99");
                statuses.push(guess(hops, format!("other{index}")).await);
            }
            assert_eq!(statuses, [401, 401, 401, 401, 429, 429]);
        }
    }
}

#[tokio::test]
async fn requests_are_counted_by_who_really_asks_and_bad_tokens_count() {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "1")
        .set("limits.requests_burst", "20")
        .start()
        .await;
    let client = server.anonymous();
    let mut limited = None;
    for index in 0..30 {
        let request = client.request(Method::GET, "/api/version");
        let request = request
            .header("x-forwarded-for", format!("203.0.113.{index}"))
            .header("x-access-token", format!("bvt_{index}"));
        let reply = send(request).await;
        match reply.status {
            401 => {}
            429 => {
                limited = Some(reply);
                break;
            }
            other => panic!("{other}: {}", reply.text()),
        }
    }
    let limited = limited.expect("thirty requests are more than twenty");
    assert_eq!(limited.code(), "RATE_LIMITED");
    assert!(limited.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}

#[tokio::test]
async fn a_refresh_token_works_once_and_an_old_one_ends_the_session() {
    let server = TestServer::start().await;
    server.admin().await;
    server.user("alice").await;
    let client = server.anonymous();
    let signed_in = client.post("/api/auth/signin", &credentials("alice", PASSWORD)).await.data();
    let refresh = async |token: &Value| {
        client.post("/api/auth/refresh-token", &json!({ "refreshToken": token })).await
    };
    let first = refresh(&signed_in["refreshToken"]).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let first = first.data();
    assert_ne!(first["refreshToken"], signed_in["refreshToken"]);
    // a page that was reloaded before it had the answer, and two tabs at once: each gets what goes on
    let lost = refresh(&signed_in["refreshToken"]).await;
    assert_eq!(lost.status, 200, "{}", lost.text());
    assert_eq!(lost.data()["refreshToken"], first["refreshToken"]);
    assert_eq!(lost.data()["refreshTokenExpiresAt"], first["refreshTokenExpiresAt"]);
    let second = refresh(&first["refreshToken"]).await;
    assert_eq!(second.status, 200);
    let session = client.with_token(second.data()["accessToken"].as_str().unwrap());
    assert_eq!(session.get("/api/user").await.status, 200);
    // one that was replaced twice is in other hands
    let reused = refresh(&signed_in["refreshToken"]).await;
    assert_eq!((reused.status, &*reused.code()), (401, "REFRESH_TOKEN_INVALID"));
    assert_eq!(session.get("/api/user").await.status, 401, "the session goes on");
    assert_eq!(refresh(&second.data()["refreshToken"]).await.status, 401);
    for garbage in ["", "bvr_", "bvr_a_b", "x", "bvr_a_01a209f3f74e71edaee123a3bce95a3e"] {
        assert_eq!(refresh(&json!(garbage)).await.status, 401, "{garbage:?}");
    }
    // neither kind of token stands in for the other
    let fresh = client.post("/api/auth/signin", &credentials("alice", PASSWORD)).await.data();
    assert_eq!(refresh(&fresh["accessToken"]).await.status, 401);
    let wrong_kind = client.with_token(fresh["refreshToken"].as_str().unwrap());
    assert_eq!(wrong_kind.get("/api/user").await.status, 401);
}

#[tokio::test]
async fn what_ends_a_session_ends_it_at_once() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    server.user("alice").await;
    let session = async || server.anonymous().sign_in("alice", PASSWORD).await;
    let alive = async |client: &Client| client.get("/api/user").await.status == 200;

    let (one, two, three) = (session().await, session().await, session().await);
    assert!(alive(&one).await && alive(&two).await && alive(&three).await);
    assert_eq!(one.post("/api/auth/signout", &json!({})).await.status, 200);
    assert!(!alive(&one).await && alive(&two).await, "signing out");

    let list = two.get("/api/auth/sessions").await.json();
    let others: Vec<_> = list["data"].as_array().unwrap().iter().collect();
    assert_eq!(others.iter().filter(|session| session["current"] == true).count(), 1);
    let third = others.iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/auth/sessions/{}", third["id"].as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 404, "somebody else's session");
    assert!(alive(&two).await);

    let (four, five) = (session().await, session().await);
    assert_eq!(four.delete("/api/auth/sessions").await.status, 200);
    assert!(alive(&four).await && !alive(&two).await && !alive(&five).await, "ending others");

    let six = session().await;
    let change = json!({ "currentPassword": WRONG, "newPassword": "another horse battery" });
    assert_eq!(six.put("/api/user/password", &change).await.status, 400);
    let change = json!({ "currentPassword": PASSWORD, "newPassword": "another horse battery" });
    assert_eq!(six.put("/api/user/password", &change).await.status, 200);
    assert!(alive(&six).await && !alive(&four).await, "a new password");
    let old = server.anonymous().post("/api/auth/signin", &credentials("alice", PASSWORD)).await;
    assert_eq!(old.status, 401);
    let refresh = server
        .anonymous()
        .post("/api/auth/signin", &credentials("alice", "another horse battery"))
        .await
        .data();

    assert_eq!(admin.put("/api/users/alice", &json!({ "suspended": true })).await.status, 200);
    assert!(!alive(&six).await, "suspension");
    let body = json!({ "refreshToken": refresh["refreshToken"] });
    assert_eq!(server.anonymous().post("/api/auth/refresh-token", &body).await.status, 401);
    assert_eq!(admin.put("/api/users/alice", &json!({ "suspended": false })).await.status, 200);
    assert!(!alive(&six).await, "what was ended stays so");

    let seven = server.anonymous().sign_in("alice", "another horse battery").await;
    assert_eq!(admin.delete("/api/users/alice").await.status, 200);
    assert!(!alive(&seven).await, "deletion");
}

#[tokio::test]
async fn an_access_token_ends_by_itself() {
    let server = TestServer::builder().set("auth.access_token_ttl", "1 s").start().await;
    let admin = server.admin().await;
    assert_eq!(admin.get("/api/user").await.status, 200);
    // a second, and ten for clocks that differ
    wait_for("the end of an access token", Duration::from_secs(40), async || {
        let reply = admin.get("/api/user").await;
        (reply.status == 401).then(|| assert_eq!(reply.code(), "CREDENTIALS_INVALID"))
    })
    .await;
}

#[tokio::test]
async fn a_session_lives_on_after_a_restart() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    server.stop().await;
    server.restart().await;
    assert_eq!(admin.get("/api/user").await.status, 200);
}

#[tokio::test]
async fn nothing_secret_is_written_down() {
    let server = TestServer::builder().set("log.filter", "trace").start().await;
    let admin = server.admin().await;
    let client = server.anonymous();
    let secrets = ["canary-password-one", "canary-password-two", "canary-password-three"];
    let [first, second, third] = secrets;
    let body = json!({ "username": "alice", "email": "alice@example.com", "password": first });
    assert_eq!(client.post("/api/auth/signup", &body).await.status, 201);
    let mut shown = vec![client.post("/api/auth/signup", &body).await];
    shown.push(client.post("/api/auth/signin", &credentials("alice", third)).await);
    let signed_in = client.post("/api/auth/signin", &credentials("alice", first)).await.data();
    let session = client.with_token(signed_in["accessToken"].as_str().unwrap());
    let change = json!({ "currentPassword": first, "newPassword": second });
    shown.push(session.put("/api/user/password", &change).await);
    shown.push(session.put("/api/user/password", &change).await);
    let token = session.post("/api/user/tokens", &json!({ "description": "ci" })).await.data();
    let token = token["token"].as_str().unwrap().to_owned();
    shown.push(client.get(&format!("/acme/web?access_token={token}")).await);
    shown.push(client.get(&format!("/api/user?access_token={token}")).await);
    shown.push(client.with_token(&token).get("/api/nothing").await);
    shown.push(client.with_token(&token).get("/api/users").await);
    shown.push(client.with_token(&format!("{token}x")).get("/api/user").await);
    shown.push(client.post("/api/auth/signin", &json!({ "username": 1, "password": third })).await);
    shown.push(client.post("/api/setup", &json!({ "token": third })).await);
    let refresh = signed_in["refreshToken"].as_str().unwrap();
    let body = json!({ "refreshToken": format!("{refresh}x") });
    shown.push(client.post("/api/auth/refresh-token", &body).await);
    shown.push(admin.get("/metrics").await);
    shown.push(session.get("/api/user/tokens").await);
    shown.push(session.get("/api/auth/sessions").await);
    shown.push(admin.get("/api/users").await);

    let log = server.log();
    assert!(log.contains("/api/auth/signin"), "the log says nothing");
    let access = signed_in["accessToken"].as_str().unwrap();
    let signature = access.rsplit('.').next().unwrap();
    for secret in secrets.into_iter().chain([&*token, refresh, access, signature]) {
        assert!(!log.contains(secret), "the log holds {secret}");
        for reply in &shown {
            assert!(!reply.text().contains(secret), "an answer holds {secret}: {}", reply.text());
            assert!(!format!("{:?}", reply.headers).contains(secret));
        }
    }
    for path in ["catalog.sqlite3", "catalog.sqlite3-wal"] {
        let mut bytes = Vec::new();
        if let Ok(mut file) = File::open(server.data_dir().join(path)) {
            file.read_to_end(&mut bytes).unwrap();
        }
        for secret in secrets.into_iter().chain([&*token, refresh]) {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{path} holds {secret}");
        }
    }
}

#[tokio::test]
async fn a_host_that_is_not_ours_reaches_no_url() {
    let server =
        TestServer::builder().set("server.allowed_hosts", "boxes.example.com").start().await;
    let admin = server.admin().await;
    let file = boxvault_tests::bytes::BoxBuilder::new("virtualbox").build();
    admin.publish(&boxvault_tests::Publication::new("acme", "web", &file.bytes)).await;
    let token = format!("x-access-token: {}", admin.token().unwrap());
    let info = boxvault_tests::Publication::new("acme", "web", &[]).file_path() + "/info";
    for path in [
        "/acme/web",
        "/api/v2/vagrant/acme/web",
        "/api/discover",
        "/api/organization",
        &info,
        "/",
        "/api/user",
    ] {
        for lines in [
            ["Host: evil.example.com", "X-A: b"],
            ["Host: evil.example.com:80@boxes.example.com", "X-A: b"],
            ["Host: boxes.example.com", "X-Forwarded-Host: evil.example.com"],
            ["Host: boxes.example.com", "Forwarded: host=evil.example.com"],
            ["Host: boxes.example.com", "X-Forwarded-Proto: evil.example.com"],
        ] {
            let line = format!("GET {path} HTTP/1.1");
            let all = [&*line, &*token, lines[0], lines[1]];
            let reply = boxvault_tests::raw::send(server.http(), &all, b"").await;
            let shown = format!("{:?} {}", reply.headers, reply.text());
            assert!(!shown.contains("evil"), "{path} with {lines:?}: {shown}");
        }
    }
    // a host that is ours is kept, since Vagrant gives its token to the very name that it knows
    let lines = ["GET /acme/web HTTP/1.1", "Host: boxes.example.com"];
    let reply = boxvault_tests::raw::send(server.http(), &lines, b"").await;
    assert!(reply.text().contains("http://boxes.example.com/acme/"), "{}", reply.text());
}

#[tokio::test]
async fn to_open_pages_is_no_guessing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let wish = json!({ "username": ADMIN_NAME, "password": PASSWORD });
    let mut token = admin.post("/api/auth/signin", &wish).await.data()["refreshToken"].clone();
    // more than may guess at passwords in a minute, all from one address
    for _ in 0..60 {
        let page = json!({ "refreshToken": token });
        let refreshed = server.anonymous().post("/api/auth/refresh-token", &page).await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.text());
        token = refreshed.data()["refreshToken"].clone();
    }
    assert_eq!(server.anonymous().post("/api/auth/signin", &wish).await.status, 200);
}

#[tokio::test]
async fn files_of_the_page_are_nobodys_requests() {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "1")
        .set("limits.requests_burst", "1")
        .start()
        .await;
    let anyone = server.anonymous();
    // whether there is such a file makes no difference
    for _ in 0..20 {
        assert_ne!(anyone.get("/assets/page.js").await.status, 429);
    }
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(anyone.get("/api/auth/methods").await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
}
