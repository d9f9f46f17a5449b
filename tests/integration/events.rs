//! Events: who hears of what, at once, and until when.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::BoxBuilder,
    client::send,
    outcome::expect,
    server::{ADMIN_NAME, PASSWORD},
};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long an event may take to come; a second is usual.
const DEADLINE: Duration = Duration::from_secs(20);
const EVENTS: &str = "/api/events";

/// A stream that is read event by event.
struct Stream {
    answer: Response,
    text: String,
    last_id: String,
}

impl Stream {
    async fn open(client: &Client, after: Option<&str>) -> Self {
        let answer = ask(client, after).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let mut stream = Self { answer, text: String::new(), last_id: String::new() };
        let hello = stream.block().await.expect("it says hello");
        assert!(hello.contains(": hello"), "{hello}");
        stream
    }

    /// The next block of lines; nothing at the end.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(id) = block.lines().find_map(|line| line.strip_prefix("id: ")) {
                    id.clone_into(&mut self.last_id);
                }
                return Some(block);
            }
            let chunk = timeout(DEADLINE, self.answer.chunk()).await;
            let chunk = chunk.unwrap_or_else(|_| panic!("nothing came; before: {}", self.text));
            self.text.push_str(std::str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    /// The next event of a kind; others before it are let go.
    async fn next(&mut self, kind: &str) -> Value {
        loop {
            let block = self.block().await;
            let block = block.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if block.contains(&format!("event: {kind}\n")) {
                let data = block.lines().find_map(|line| line.strip_prefix("data: "));
                let data: Value = serde_json::from_str(data.expect("an event has data")).unwrap();
                assert_eq!((&data["kind"], &data["id"]), (&json!(kind), &json!(self.last_id)));
                return data;
            }
        }
    }

    /// The next event about a box.
    async fn next_of_box(&mut self, action: &str) -> Value {
        loop {
            let event = self.next("box").await;
            if event["action"] == action {
                return event;
            }
        }
    }

    async fn ends(mut self) {
        while self.block().await.is_some() {}
    }
}

async fn ask(client: &Client, after: Option<&str>) -> Response {
    let mut request = client.request(Method::GET, EVENTS).header("accept", "text/event-stream");
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    request.send().await.unwrap()
}

async fn missed(client: &Client, after: &str) -> (Vec<Value>, String) {
    let reply = expect(200, client.get_with(EVENTS, &[("last-event-id", after)]).await).data();
    let last = reply["lastEventId"].as_str().unwrap().to_owned();
    (reply["events"].as_array().unwrap().clone(), last)
}

#[tokio::test]
async fn what_happens_to_a_box_is_told_to_whoever_may_read_it_and_to_nobody_else() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "open", &file.bytes)).await;
    let secret = Publication { public: false, ..Publication::new("acme", "secret", &file.bytes) };
    admin.publish(&secret).await;
    let member = server.user("mia").await;
    let place = json!({ "username": "mia", "role": "member" });
    expect(201, admin.post("/api/organization/acme/members", &place).await);
    let stranger = server.user("sam").await;
    let mut of_member = Stream::open(&member, None).await;
    let mut of_stranger = Stream::open(&stranger, None).await;

    admin.publish(&Publication { version: "2.0.0", ..secret }).await;
    let uploaded = of_member.next_of_box("upload").await;
    let object = "box/secret/version/2.0.0/provider/virtualbox/architecture/amd64/file";
    assert_eq!((&uploaded["organization"], &uploaded["object"]), (&json!("acme"), &json!(object)));
    let released = of_member.next_of_box("release").await;
    assert_eq!(released["object"], "box/secret/version/2.0.0");

    // of a public box everybody hears once it is released, and not before
    let open = Publication { version: "2.0.0", ..Publication::new("acme", "open", &file.bytes) };
    admin.publish(&open).await;
    let first = of_stranger.next("box").await;
    assert_eq!(
        (&first["object"], &first["action"]),
        (&json!("box/open/version/2.0.0"), &json!("release"))
    );
    expect(202, admin.post(&format!("{}/verify", open.file_path()), &json!({})).await);
    for stream in [&mut of_member, &mut of_stranger] {
        let verified = stream.next_of_box("verify").await;
        assert!(verified["object"].as_str().unwrap().starts_with("box/open/version/2.0.0/"));
    }
    // by name and by what it belongs to, nothing of the other one came
    let (events, _) = missed(&stranger, first["id"].as_str().unwrap()).await;
    assert!(events.iter().all(|event| !event.to_string().contains("secret")), "{events:?}");
}

#[tokio::test]
async fn a_session_that_ends_and_rights_that_change_are_told_at_once() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    expect(201, admin.post("/api/organization", &json!({ "name": "acme" })).await);
    let bob = server.user("bob").await;
    let mut stream = Stream::open(&bob, None).await;
    let place = json!({ "username": "bob", "role": "member" });
    expect(201, admin.post("/api/organization/acme/members", &place).await);
    stream.next("rights").await;
    let body = json!({ "role": "admin" });
    expect(200, admin.put("/api/organization/acme/members/bob", &body).await);
    stream.next("rights").await;
    let rules = json!({ "text": "p, role:member, acme, box/**, verify, allow\n", "message": "m" });
    expect(200, admin.put("/api/organization/acme/policy", &rules).await);
    stream.next("rights").await;
    // an API token is told of its own end as a session is of its
    let made =
        expect(201, bob.post("/api/user/tokens", &json!({ "description": "x" })).await).data();
    let by_token = server.anonymous().with_token(made["token"].as_str().unwrap());
    let mut of_token = Stream::open(&by_token, None).await;
    let path = format!("/api/user/tokens/{}", made["id"].as_str().unwrap());
    expect(200, bob.delete(&path).await);
    of_token.next("end").await;
    of_token.ends().await;
    let elsewhere = server.anonymous().sign_in("bob", PASSWORD).await;
    let mut other = Stream::open(&elsewhere, None).await;
    expect(200, admin.put("/api/users/bob", &json!({ "suspended": true })).await);
    for mut stream in [stream, std::mem::replace(&mut other, Stream::open(&admin, None).await)] {
        stream.next("end").await;
        stream.ends().await;
    }
    // an access token that is over lets nobody in
    assert_eq!(ask(&bob, None).await.status(), StatusCode::UNAUTHORIZED);
    // a server that stops does not wait for who listens
    server.stop().await;
    other.ends().await;
}

#[tokio::test]
async fn who_comes_back_goes_on_where_they_were_or_is_told_to_read_anew() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let mut stream = Stream::open(&admin, None).await;
    expect(201, admin.post("/api/organization", &json!({ "name": "acme" })).await);
    let first = stream.next("organization").await;
    assert_eq!(first["organization"], "acme");
    let at = stream.last_id.clone();
    drop(stream);
    let create = json!({ "name": "web" });
    expect(201, admin.post("/api/organization/acme/box", &create).await);
    let mut again = Stream::open(&admin, Some(&at)).await;
    assert_eq!(again.next("box").await["object"], "box/web");
    // the same without a stream
    let (events, last) = missed(&admin, &at).await;
    assert!(events.iter().any(|event| event["object"] == "box/web"), "{events:?}");
    assert_eq!(missed(&admin, &last).await.0, Vec::<Value>::new());
    let (events, _) = missed(&admin, "01a209f3-f74e-71ed-aee1-23a3bce95a3e").await;
    assert_eq!(events[0]["kind"], "reset");
    let long = "x".repeat(129);
    let refused = admin.get_with(EVENTS, &[("last-event-id", &long)]).await;
    assert_eq!((refused.status, refused.code()), (400, "INVALID_INPUT".to_owned()));
}

#[tokio::test]
async fn streams_are_bounded_and_a_place_is_free_again_when_its_stream_ends() {
    let server = TestServer::builder()
        .set("limits.event_streams_max", "3")
        .set("limits.event_streams_per_user_max", "2")
        .start()
        .await;
    let admin = server.admin().await;
    let bob = server.user("bob").await;
    let mut open = vec![Stream::open(&admin, None).await, Stream::open(&admin, None).await];
    let refused =
        send(admin.request(Method::GET, EVENTS).header("accept", "text/event-stream")).await;
    assert_eq!((refused.status, refused.code()), (503, "BUSY".to_owned()));
    assert!(refused.text().contains("event_streams_per_user_max"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    open.push(Stream::open(&bob, None).await);
    let refused =
        send(bob.request(Method::GET, EVENTS).header("accept", "text/event-stream")).await;
    assert!(refused.text().contains("event_streams_max"), "{}", refused.text());
    open.clear();
    boxvault_tests::wait_for("a free place", DEADLINE, async || {
        (ask(&bob, None).await.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_another_server_on_the_same_catalog_does_is_told_as_well() {
    let first = TestServer::start().await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let second = TestServer::builder().set("database.url", &database).start().await;
    let admin = first.admin().await;
    let there = Client::new(&second.url()).with_token(admin.token().unwrap());
    let mut stream = Stream::open(&there, None).await;
    expect(201, admin.post("/api/organization", &json!({ "name": "acme" })).await);
    assert_eq!(stream.next("organization").await["organization"], "acme");
    let mut own = Stream::open(&there, None).await;
    expect(200, admin.post("/api/auth/signout", &json!({})).await);
    own.next("end").await;
    assert_eq!(
        first.anonymous().sign_in(ADMIN_NAME, PASSWORD).await.get("/api/user").await.status,
        200
    );
}
