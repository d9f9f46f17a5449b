//! What a request may ask of a change: only to the state that I have seen (`If-Match`), and only once
//! (`Idempotency-Key`); also where two servers share a database.

use std::{
    fs::{self, File},
    io::Read as _,
    time::Duration,
};

use boxvault_tests::{
    Client, Publication, Reply, TestServer, bytes::BoxBuilder, client::send, server::ADMIN_NAME,
    wait_for,
};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

const DEADLINE: Duration = Duration::from_mins(1);
/// What the server says in its log when a write left the condition out.
const LEFT_OUT: &str = "a write did not look at If-Match";

/// A second server on the database of the first one.
async fn second_server(first: &TestServer) -> TestServer {
    let database = format!("sqlite://{}", first.data_dir().join("catalog.sqlite3").display());
    TestServer::builder().set("database.url", &database).start().await
}

/// Things of every kind that has an `ETag`, with a change to each.
async fn things(admin: &Client) -> Vec<(String, Value)> {
    let file = BoxBuilder::new("virtualbox").build();
    let next = Publication { version: "2.0.0", ..Publication::new("acme", "web", &file.bytes) };
    admin.prepare(&next).await;
    let user = json!({ "username": "mark", "email": "mark@example.com", "password": "correct horse battery" });
    assert_eq!(admin.post("/api/users", &user).await.status, 201);
    let provider = "/api/organization/acme/box/web/version/2.0.0/provider/virtualbox";
    vec![
        ("/api/user".to_owned(), json!({ "name": "N" })),
        ("/api/users/mark".to_owned(), json!({ "name": "N" })),
        (format!("{provider}/architecture/amd64"), json!({ "defaultBox": true })),
        (provider.to_owned(), json!({ "description": "N" })),
        ("/api/organization/acme/box/web/version/2.0.0".to_owned(), json!({ "description": "N" })),
        ("/api/organization/acme/box/web".to_owned(), json!({ "description": "N" })),
        ("/api/organization/acme".to_owned(), json!({ "description": "N" })),
        ("/api/user/preferences".to_owned(), json!({ "theme": "dark" })),
        ("/api/organization/acme/quota".to_owned(), json!({ "bytes": 1_u64 << 40 })),
    ]
}

fn held(
    client: &Client,
    method: Method,
    path: &str,
    tag: &str,
    body: &Value,
) -> reqwest::RequestBuilder {
    client.request(method, path).header("if-match", tag).json(body)
}

async fn tag_of(client: &Client, path: &str) -> String {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.header("etag").unwrap_or_else(|| panic!("{path} has no ETag")).to_owned()
}

#[tokio::test]
async fn of_writers_who_saw_the_same_state_exactly_one_wins() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let things = things(&admin).await;
    let second = second_server(&server).await;
    let there = second.anonymous().with_token(admin.token().unwrap());
    for (path, body) in &things {
        let tag = tag_of(&admin, path).await;
        let writers = (0..12).map(|n| {
            let client = if n % 2 == 0 { &admin } else { &there };
            send(held(client, Method::PUT, path, &tag, body))
        });
        let mut statuses: Vec<_> = join_all(writers).await.iter().map(|one| one.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses[0], 200, "{path}: {statuses:?}");
        assert_eq!(statuses[1..], [412; 11], "{path}");
        // the other server may have made the change, and this one knows a box from memory for a moment
        wait_for("another tag", DEADLINE, async || {
            (tag_of(&admin, path).await != tag).then_some(())
        })
        .await;
    }
    for server in [&server, &second] {
        assert!(!server.log().contains(LEFT_OUT), "{}", server.log());
    }
}

#[tokio::test]
async fn an_update_and_a_delete_of_the_same_state_are_never_both_done() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let cannot_go = ["/api/user", "/api/user/preferences", "/api/organization/acme/quota"];
    for (path, body) in things(&admin).await.iter().filter(|it| !cannot_go.contains(&&*it.0)) {
        let tag = tag_of(&admin, path).await;
        // an organization is deleted with its name said once more
        let gone = if path == "/api/organization/acme" {
            format!("{path}?confirm=acme")
        } else {
            path.clone()
        };
        let stale = "\"0-0\"";
        for (method, path) in [(Method::PUT, path), (Method::DELETE, &gone)] {
            let reply = send(held(&admin, method, path, stale, body)).await;
            assert_eq!((reply.status, &*reply.code()), (412, "PRECONDITION_FAILED"), "{path}");
        }
        assert_eq!(tag_of(&admin, path).await, tag, "{path} was changed by a refused write");
        let (update, delete) = tokio::join!(
            send(held(&admin, Method::PUT, path, &tag, body)),
            send(held(&admin, Method::DELETE, &gone, &tag, body)),
        );
        let both = (update.status, delete.status);
        assert!(matches!(both, (200, 412) | (404 | 412, 200)), "{path}: {both:?}");
        if delete.status == 412 {
            let any = send(held(&admin, Method::DELETE, &gone, "*", body)).await;
            assert_eq!(any.status, 200, "{path}: {}", any.text());
        }
    }
    assert!(!server.log().contains(LEFT_OUT), "{}", server.log());
}

#[tokio::test]
async fn a_file_and_a_picture_are_held_to_the_bytes_that_were_seen() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (one, two) = (BoxBuilder::new("virtualbox"), BoxBuilder::new("virtualbox").seed(2));
    let (one, two) = (one.build(), two.build());
    let at = Publication::new("acme", "web", &one.bytes);
    admin.prepare(&at).await;
    let (upload, info) = (format!("{}/upload", at.file_path()), format!("{}/info", at.file_path()));
    let put = async |file: &[u8], tag: &str| {
        admin.upload(&upload, file.to_vec(), &[("if-match", tag)]).await.status
    };
    assert_eq!(admin.upload(&upload, one.bytes.clone(), &[]).await.status, 200);
    let tag = tag_of(&admin, &info).await;
    assert_eq!(put(&two.bytes, "\"1-1\"").await, 412);
    assert_eq!(put(&two.bytes, &tag).await, 200);
    assert_eq!(put(&one.bytes, &tag).await, 412);
    assert!(admin.get(&format!("{}/download", at.file_path())).await.bytes == two.bytes);
    assert!(!server.log().contains(LEFT_OUT), "{}", server.log());

    let head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01";
    let picture = |n: u8| [head.as_slice(), &[n]].concat();
    let put = async |n: u8, tag: &str| {
        admin.upload("/api/user/avatar", picture(n), &[("if-match", tag)]).await
    };
    // there is none yet, so that no tag is the right one
    assert_eq!(put(1, "\"1\"").await.status, 412);
    let first = admin.upload("/api/user/avatar", picture(1), &[]).await;
    let path = first.data()["avatarUrl"].as_str().unwrap().to_owned();
    let tag = tag_of(&admin, &path).await;
    // another change of the account is none of the picture
    assert_eq!(admin.put("/api/user", &json!({ "name": "N" })).await.status, 200);
    assert_eq!(put(2, &tag).await.status, 200);
    assert_eq!(put(3, &tag).await.status, 412);
    let delete = held(&admin, Method::DELETE, "/api/user/avatar", &tag, &json!({}));
    assert_eq!(send(delete).await.status, 412);
    assert_eq!(admin.get(&path).await.bytes, picture(2));

    let path = "/api/organization/acme/box/web/artwork";
    let put =
        async |n: u8, tag: &str| admin.upload(path, picture(n), &[("if-match", tag)]).await.status;
    assert_eq!(put(1, "\"1\"").await, 412);
    assert_eq!(admin.upload(path, picture(1), &[]).await.status, 200);
    let tag = tag_of(&admin, path).await;
    let text = json!({ "description": "d" });
    assert_eq!(admin.put("/api/organization/acme/box/web", &text).await.status, 200);
    assert_eq!(put(2, &tag).await, 200);
    assert_eq!(put(3, &tag).await, 412);
    assert_eq!(send(held(&admin, Method::DELETE, path, &tag, &json!({}))).await.status, 412);
    assert_eq!(admin.get(path).await.bytes, picture(2));
}

#[tokio::test]
async fn if_match_on_what_has_no_tag_is_refused_and_nothing_is_done() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.post("/api/organization", &json!({ "name": "acme" })).await;
    admin.post("/api/organization/acme/box", &json!({ "name": "web" })).await;
    let made = admin.post("/api/user/tokens", &json!({ "description": "d" })).await;
    let token = format!("/api/user/tokens/{}", made.data()["id"].as_str().unwrap());
    assert_eq!(admin.delete("/api/organization/acme/box/web").await.status, 200);
    let member = format!("/api/organization/acme/members/{ADMIN_NAME}");
    for (method, path) in [
        (Method::DELETE, &*token),
        (Method::DELETE, "/api/auth/sessions"),
        (Method::PUT, &*member),
        (Method::PUT, "/api/organization/acme/box/web/restore"),
        (Method::POST, "/api/organization/acme/box"),
    ] {
        let body = json!({ "role": "member", "name": "other" });
        let reply = send(held(&admin, method.clone(), path, "\"1-1\"", &body)).await;
        let found = (reply.status, &*reply.code());
        assert_eq!(found, (412, "PRECONDITION_FAILED"), "{method} {path}");
        assert!(reply.text().contains("leave If-Match out"), "{}", reply.text());
    }
    assert_eq!(admin.get("/api/user/tokens").await.json()["page"]["total"], 1);
    let boxes = admin.get("/api/organization/acme/box").await;
    assert_eq!(boxes.json()["page"]["total"], 0);
}

#[tokio::test]
async fn a_download_that_is_counted_is_no_change_to_whoever_edits_the_box() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let published = Publication::new("acme", "web", &file.bytes);
    admin.publish(&published).await;
    let path = "/api/organization/acme/box/web";
    let tag = tag_of(&admin, path).await;
    assert_eq!(admin.get(&published.vagrant_path()).await.status, 200);
    let counted = wait_for("the download to be counted", DEADLINE, async || {
        Some(tag_of(&admin, path).await).filter(|now| *now != tag)
    })
    .await;
    // the old tag is not what is there now, but it is the state that its holder may change
    let known = admin.get_with(path, &[("if-none-match", &counted)]).await;
    assert_eq!(known.status, 304);
    let reply = send(held(&admin, Method::PUT, path, &tag, &json!({ "description": "d" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let reply = send(held(&admin, Method::PUT, path, &tag, &json!({ "description": "e" }))).await;
    assert_eq!(reply.status, 412, "{}", reply.text());
    // a file is told by its upload; a version by its release
    let info = format!("{}/info", published.file_path());
    let upload = format!("{}/delete", published.file_path());
    assert_eq!(
        send(held(&admin, Method::DELETE, &upload, "\"1-1\"", &json!({}))).await.status,
        412
    );
    tag_of(&admin, &info).await;
    let version = "/api/organization/acme/box/web/version/1.0.0";
    let tag = tag_of(&admin, version).await;
    let revoke = format!("{version}/revoke");
    assert_eq!(send(held(&admin, Method::PUT, &revoke, "\"1-1\"", &json!({}))).await.status, 412);
    assert_eq!(send(held(&admin, Method::PUT, &revoke, &tag, &json!({}))).await.status, 200);
}

#[tokio::test]
async fn every_write_of_the_document_looks_at_if_match() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    server.user("mark").await;
    let document = admin.get("/api-docs/openapi.json").await.json();
    let mut looked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let held_to = |parameter: &Value| parameter["name"] == "If-Match";
            if !operation["parameters"].as_array().is_some_and(|all| all.iter().any(held_to)) {
                continue;
            }
            let path = path
                .replace("{organization}", "acme")
                .replace("{box}", "web")
                .replace("{version}", "1.0.0")
                .replace("{provider}", "virtualbox")
                .replace("{architecture}", "amd64")
                .replace("{username}", "mark")
                .replace("{id}", "01a209f3-f74e-71ed-aee1-23a3bce95a3e")
                .replace("{number}", "1");
            let method: Method = method.to_ascii_uppercase().parse().unwrap();
            let example = operation.pointer("/requestBody/content/application~1json/example");
            let body = example.cloned().unwrap_or_else(|| json!({}));
            let reply = send(held(&admin, method.clone(), &path, "\"never\"", &body)).await;
            // a value that is not allowed is found before anything is looked up; stock clients are told without a code
            let told = if path.starts_with("/api/v1/") || path.starts_with("/api/v2/") {
                [(412, ""), (422, "")]
            } else if path.starts_with("/vagrant/") {
                [(412, ""), (400, "")]
            } else {
                [(412, "PRECONDITION_FAILED"), (400, "INVALID_INPUT")]
            };
            let found = (reply.status, &*reply.code());
            assert!(told.contains(&found), "{method} {path}: {}", reply.text());
            looked += usize::from(reply.status == 412);
        }
    }
    assert!(looked >= 15, "only {looked} writes were held");
    assert_eq!(admin.get("/api/organization/acme/box/web").await.status, 200);
}

async fn post_once(client: &Client, path: &str, key: &str, body: &Value) -> Reply {
    send(client.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

#[tokio::test]
async fn a_request_that_is_sent_twice_is_done_once_and_answered_twice() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let (anna, ben) = (server.user("anna").await, server.user("ben").await);
    let acme = json!({ "name": "acme" });
    let first = post_once(&anna, "/api/organization", "k1", &acme).await;
    let again = post_once(&anna, "/api/organization", "k1", &acme).await;
    assert_eq!((first.status, again.status), (201, 201));
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(first.header("idempotency-replayed"), None);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(again.header("content-type"), Some("application/json"));
    let log = anna.get("/api/organization/acme/audit").await;
    assert_eq!(log.json()["page"]["total"], 1, "{}", log.text());

    let other = post_once(&anna, "/api/organization", "k1", &json!({ "name": "other" })).await;
    assert_eq!((other.status, &*other.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    // a key is its caller's and its operation's own
    let by_ben = post_once(&ben, "/api/organization", "k1", &acme).await;
    assert_eq!((by_ben.status, &*by_ben.code()), (409, "ALREADY_EXISTS"));
    let elsewhere = post_once(&anna, "/api/organization/acme/box", "k1", &acme).await;
    assert_eq!(elsewhere.status, 201, "{}", elsewhere.text());
    for bad in ["", " ", &"k".repeat(256)] {
        let reply = post_once(&anna, "/api/organization", bad, &acme).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{bad:?}");
    }
    // what was refused changed nothing, and is tried again
    let path = "/api/organization/umbrella/box";
    assert_eq!(post_once(&root, path, "k2", &acme).await.status, 404);
    root.post("/api/organization", &json!({ "name": "umbrella" })).await;
    assert_eq!(post_once(&root, path, "k2", &acme).await.status, 201);
}

#[tokio::test]
async fn an_answer_with_a_secret_is_not_kept_and_neither_is_a_password() {
    const CANARY: &str = "canary-71c0 password";
    let server = TestServer::start().await;
    let root = server.admin().await;
    let token = json!({ "description": "ci" });
    let first = post_once(&root, "/api/user/tokens", "k", &token).await;
    assert_eq!(first.status, 201, "{}", first.text());
    let again = post_once(&root, "/api/user/tokens", "k", &token).await;
    assert_eq!((again.status, &*again.code()), (409, "IDEMPOTENCY_ANSWER_GONE"));
    let tokens = root.get("/api/user/tokens").await;
    assert_eq!(tokens.json()["page"]["total"], 1);
    let user = json!({ "username": "cara", "email": "cara@example.com", "password": CANARY });
    for _ in 0..2 {
        assert_eq!(post_once(&root, "/api/users", "k", &user).await.status, 201);
    }
    let secret = first.data()["token"].as_str().unwrap().to_owned();
    for file in fs::read_dir(server.data_dir()).unwrap() {
        let path = file.unwrap().path();
        if !path.is_file() {
            continue;
        }
        let mut bytes = Vec::new();
        File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
        for secret in [CANARY, &secret] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} is in {}", path.display());
        }
    }
}

#[tokio::test]
async fn of_many_at_once_on_two_servers_one_is_done() {
    let first = TestServer::start().await;
    first.admin().await;
    let anna = first.user("anna").await;
    let second = second_server(&first).await;
    let there = second.anonymous().with_token(anna.token().unwrap());
    for n in 0..5 {
        let (key, body) = (format!("key-{n}"), json!({ "description": format!("{n}") }));
        // nothing but the key keeps two tokens of one description apart
        let all = join_all((0..10).map(|i| {
            post_once(if i % 2 == 0 { &anna } else { &there }, "/api/user/tokens", &key, &body)
        }))
        .await;
        let done = all.iter().filter(|reply| reply.status == 201).count();
        assert_eq!(done, 1);
        for reply in all.iter().filter(|reply| reply.status != 201) {
            let code = reply.code();
            assert_eq!(reply.status, 409, "{}", reply.text());
            assert!(["IDEMPOTENCY_KEY_IN_USE", "IDEMPOTENCY_ANSWER_GONE"].contains(&&*code));
            assert_eq!(reply.header("retry-after").is_some(), code == "IDEMPOTENCY_KEY_IN_USE");
        }
    }
    let tokens = anna.get("/api/user/tokens").await;
    assert_eq!(tokens.json()["page"]["total"], 5);
}

#[tokio::test]
async fn whoever_asks_again_for_long_enough_gets_the_one_answer_and_there_is_one_box() {
    let first = TestServer::start().await;
    first.admin().await;
    let anna = first.user("anna").await;
    let second = second_server(&first).await;
    let there = second.anonymous().with_token(anna.token().unwrap());
    anna.post("/api/organization", &json!({ "name": "acme" })).await;
    let path = "/api/organization/acme/box";
    let (body, other) = (json!({ "name": "web" }), json!({ "name": "another" }));
    let retried = (0..12).map(|n| {
        let client = if n % 2 == 0 { &anna } else { &there };
        let body = if n < 9 { &body } else { &other };
        async move {
            wait_for("an answer", DEADLINE, async || {
                let reply = post_once(client, path, "key", body).await;
                (reply.code() != "IDEMPOTENCY_KEY_IN_USE").then_some(reply)
            })
            .await
        }
    });
    let answers = join_all(retried).await;
    // whichever of the two bodies came first is the one
    let done: Vec<_> = answers.iter().filter(|reply| reply.status == 201).collect();
    assert!([3, 9].contains(&done.len()), "{} were done", done.len());
    for reply in &done {
        assert_eq!(reply.bytes, done[0].bytes);
    }
    let fresh = done.iter().filter(|reply| reply.header("idempotency-replayed").is_none()).count();
    assert_eq!(fresh, 1);
    for reply in answers.iter().filter(|reply| reply.status != 201) {
        assert_eq!((reply.status, &*reply.code()), (422, "IDEMPOTENCY_KEY_REUSED"));
    }
    assert_eq!(anna.get(path).await.json()["page"]["total"], 1);
    let log = anna.get("/api/organization/acme/audit?action=create&object=box").await;
    assert_eq!(log.json()["page"]["total"], 1, "{}", log.text());
}

#[tokio::test]
async fn a_change_whose_client_went_away_is_done_recorded_and_answered_when_asked_again() {
    let server = TestServer::start().await;
    server.admin().await;
    let anna = server.user("anna").await;
    for n in 0..10 {
        let (name, body) = (format!("o{n}"), json!({ "name": format!("o{n}") }).to_string());
        let mut socket = TcpStream::connect(server.http()).await.unwrap();
        let head = format!(
            "POST /api/organization HTTP/1.1\r\nHost: x\r\nx-access-token: {}\r\n\
             Idempotency-Key: {name}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            anna.token().unwrap(),
            body.len()
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        drop(socket);
        let answer = wait_for("an answer to the same request", DEADLINE, async || {
            let body = serde_json::from_str(&body).unwrap();
            let reply = post_once(&anna, "/api/organization", &name, &body).await;
            (reply.status == 201).then_some(reply)
        })
        .await;
        assert_eq!(answer.data()["name"], name);
        let log = anna.get(&format!("/api/organization/{name}/audit")).await;
        assert_eq!(log.json()["page"]["total"], 1, "{}", log.text());
    }
}

#[tokio::test]
async fn what_was_kept_is_forgotten_after_the_configured_time() {
    let server = TestServer::builder()
        .set("limits.idempotency_keys_kept_for", "1 s")
        .set("limits.request_timeout", "1 s")
        .start()
        .await;
    server.admin().await;
    let anna = server.user("anna").await;
    let body = json!({ "description": "d" });
    assert_eq!(post_once(&anna, "/api/user/tokens", "k", &body).await.status, 201);
    wait_for("the key to be free again", DEADLINE, async || {
        (post_once(&anna, "/api/user/tokens", "k", &body).await.status == 201).then_some(())
    })
    .await;
}
