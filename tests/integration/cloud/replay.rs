//! Conversations of real clients with a stand-in for Vagrant Cloud, asked again here.
//!
//! What the same requests must bring about is the same: status and type of each answer, its keys and their types, and the
//! values of all that a server does not make up. What it does make up (addresses, tokens, ids) takes the place of what was
//! recorded in the requests that follow. Where this server answers otherwise on purpose, a line in `DIFFERENT` says why.

mod conversation;
mod likeness;

use boxvault_tests::{
    Client, TestServer,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    server::PASSWORD,
    totp,
};
use reqwest::Method;
use serde_json::{Value, json};

use conversation::{Exchange, parse};
use likeness::{assert_alike, forget_provider, forget_what_lies_elsewhere, made_up};

/// A scene, a part of a path in it, the status here, and why it is another one than the recorded.
const DIFFERENT: [(&str, &str, u16, &str); 7] = [
    ("provider delete", "/provider/libvirt", 422, "the files of a released version stay"),
    ("publish same version again", "/upload/direct", 422, "the file of a released version stays"),
    ("publish with --url", "/release", 422, "there is no file, since files lie here alone"),
    ("box_download_url", "/release", 422, "there is no file, since files lie here alone"),
    ("server URL with a path", "/authenticate", 404, "below a prefix there is nothing"),
    ("box add external url provider", "/boxes/ext/", 404, "what has no file is not released"),
    ("build again, same version", "/direct/upload", 409, "the file of a released version stays"),
];

struct Replay {
    server: TestServer,
    anyone: Client,
    /// What was recorded, and what stands for it here.
    learned: Vec<(String, String)>,
    /// By the length that was recorded.
    files: [(&'static str, BoxFile); 2],
    asked: usize,
    scene: String,
    /// Whether a provider is still here that the recorded server deleted.
    stays: bool,
}

impl Replay {
    /// Alice, who owns acme and has the token of the recordings, Carol, who has one, and Bob, who has a second factor.
    async fn start(recorded_base: &str) -> Self {
        let server = TestServer::start().await;
        server.admin().await;
        let alice = server.user("alice").await;
        let reply = alice.post("/api/organization", &json!({ "name": "acme" })).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        let token = server.api_token("alice").await;
        server.user("carol").await;
        let carol = server.api_token("carol").await;
        let bob = server.user("bob2fa").await;
        let begun =
            bob.post("/api/user/second-factor", &json!({ "currentPassword": PASSWORD })).await;
        let secret =
            begun.data().get("secret").and_then(Value::as_str).expect("a secret").to_owned();
        let code = totp::code(&secret, totp::step());
        let on = bob.put("/api/user/second-factor", &json!({ "code": code })).await;
        assert_eq!(on.status, 200, "{}", on.text());
        let small = BoxBuilder::new("virtualbox").build();
        let big = BoxBuilder::new("virtualbox").seed(2).disk_bytes(3_000_000).build();
        let service = service_account(&alice).await;
        let small_size = format!("\"{}\"", small.bytes.len());
        let learned = vec![
            ("Basic YWxpY2Utc3A6c3Atc2VjcmV0".to_owned(), service),
            ("\"4416\"".to_owned(), small_size),
            (recorded_base.to_owned(), server.url()),
            ("\"secret\"".to_owned(), format!("\"{PASSWORD}\"")),
            ("testtoken".to_owned(), token),
            ("caroltoken".to_owned(), carol),
            (
                "652e527ab08d5f18856cc21aa44b887add8980eddf1b0965245523503d74db7a".to_owned(),
                small.sha256.clone(),
            ),
            (
                "93ab405632bc9db3f92d43c2f631f50fe3b50f8d86b2051363134288754c47e0".to_owned(),
                big.sha256.clone(),
            ),
        ];
        let files = [("<4416 bytes", small), ("<3000768 bytes", big)];
        let anyone = server.anonymous();
        Self { server, anyone, learned, files, asked: 0, scene: String::new(), stays: false }
    }

    fn here(&self, recorded: &str) -> String {
        let put = |text: String, (old, new): &(String, String)| text.replace(old, new);
        self.learned.iter().rev().fold(recorded.to_owned(), put)
    }

    async fn run(&mut self, recording: &str) {
        for exchange in parse(recording) {
            self.scene.clone_from(&exchange.scene);
            if let Some(elsewhere) = exchange.without_place_elsewhere() {
                let refused = self.ask(&exchange).await;
                assert!([400, 422].contains(&refused.0), "{exchange:?}: {}", refused.1);
                assert!(refused.1.to_string().contains("upload the file"), "{}", refused.1);
                self.check(&elsewhere).await;
            } else {
                self.check(&exchange).await;
            }
        }
    }

    async fn check(&mut self, exchange: &Exchange) {
        self.asked += 1;
        let (status, mut answer) = self.ask(exchange).await;
        let what = format!("{}: {} {}", self.scene, exchange.method, exchange.path);
        // what follows there has no address here
        let follows = ["publish same version again", "build again, same version"];
        let needs_it = ["/_store/", "/upload/direct/", "/direct/complete"];
        if follows.iter().any(|scene| self.scene.contains(scene))
            && needs_it.iter().any(|part| exchange.path.contains(part))
        {
            return;
        }
        let other = DIFFERENT
            .iter()
            .find(|(scene, part, ..)| self.scene.contains(scene) && exchange.path.contains(part));
        if let Some((_, _, expected, why)) = other {
            assert_eq!(status, *expected, "{what}, since {why}: {answer}");
            // it was deleted there
            self.stays |= exchange.method == "DELETE";
            return;
        }
        assert_eq!(status, exchange.status, "{what}: {answer}");
        let Some(recorded) = &exchange.answer else { return };
        let mut recorded = serde_json::from_str(&self.here(&recorded.to_string())).expect("JSON");
        forget_what_lies_elsewhere(&mut recorded, &exchange.path);
        if self.stays {
            forget_provider(&mut answer, "libvirt");
            forget_provider(&mut recorded, "libvirt");
        }
        assert_alike(&recorded, &answer, &what);
        let base = self.server.url();
        for (old, new) in made_up(&recorded, &answer) {
            let path = |address: &str| address.strip_prefix(&base).unwrap_or(address).to_owned();
            if !old.is_empty() && old != new {
                self.learned.push((path(&old), path(&new)));
            }
        }
    }

    async fn ask(&self, exchange: &Exchange) -> (u16, Value) {
        let path = self.here(&exchange.path);
        let method: Method = exchange.method.parse().expect("a method");
        let mut request = self.anyone.request(method.clone(), &path);
        for (name, value) in &exchange.headers {
            request = request.header(name, self.here(value));
        }
        if let Some(body) = exchange.said() {
            let file = self.files.iter().find(|(mark, _)| body.starts_with(mark));
            request = match file {
                Some((_, file)) => request.body(file.bytes.clone()),
                None => request.body(self.here(&body)),
            };
        }
        let reply = send(request).await;
        if let (Some(kind), 200) = (&exchange.kind, reply.status) {
            let found = reply.header("content-type").unwrap_or_default();
            let is_json = |kind: &str| kind.starts_with("application/json");
            assert_eq!(is_json(kind), is_json(found), "{}: {path} is {found}", self.scene);
        }
        (reply.status, serde_json::from_slice(&reply.bytes).unwrap_or_default())
    }
}

/// A service account of acme, as OAuth clients sign in with it.
async fn service_account(alice: &Client) -> String {
    let path = "/api/organization/acme/service-accounts";
    let made = alice.post(path, &json!({ "name": "ci" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let token = made.data().get("token").and_then(Value::as_str).expect("a token").to_owned();
    format!("Basic {}", data_encoding::BASE64.encode(format!("acme/ci:{token}").as_bytes()))
}

async fn replay(recording: &str, base: &str, least: usize) {
    let mut replay = Replay::start(base).await;
    replay.run(recording).await;
    assert!(replay.asked >= least, "only {} requests were asked", replay.asked);
}

#[tokio::test]
async fn what_vagrant_2_4_9_sends_is_answered_as_it_needs_it() {
    replay(include_str!("transcripts/vagrant-2.4.9.txt"), "http://127.0.0.1:18123", 230).await;
}

#[tokio::test]
async fn what_vagrant_2_3_4_sends_is_answered_as_it_needs_it() {
    replay(include_str!("transcripts/vagrant-2.3.4.txt"), "http://127.0.0.1:18123", 220).await;
}

#[tokio::test]
async fn what_packer_1_6_6_sends_is_answered_as_it_needs_it() {
    replay(include_str!("transcripts/packer-1.6.6.txt"), "http://127.0.0.1:18123", 50).await;
}

#[tokio::test]
async fn what_the_packer_plugin_1_1_7_sends_is_answered_as_it_needs_it() {
    replay(include_str!("transcripts/packer-plugin-1.1.7.txt"), "http://127.0.0.1:18123", 50).await;
}

#[tokio::test]
async fn what_the_packer_plugin_1_1_7_sends_to_hcp_is_answered_as_it_needs_it() {
    replay(include_str!("transcripts/packer-registry-1.1.7.txt"), "https://localhost:43567", 35)
        .await;
}
