//! The Vagrant Cloud API, with the real `vagrant cloud …` and Packer, and by the shapes that other versions of them send.

mod accounts;
mod authority;
mod boxes;
mod oauth;
mod packer;
mod pitfalls;
mod providers;
mod replay;
mod uploads;
mod vagrant;

use std::{
    fs::File,
    io::{Read as _, Write as _},
    path::Path,
};

use boxvault_tests::{Client, TestServer, bytes::BoxFile, client::send, server::ADMIN_NAME};
use reqwest::Method;
use serde_json::{Value, json};

/// Both editions of the API.
const BASES: [&str; 2] = ["/api/v1", "/api/v2"];

/// A server with an organization, and its admin with a token as clients have one.
async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let client = owner_of_acme(&server).await;
    (server, client)
}

async fn owner_of_acme(server: &TestServer) -> Client {
    let admin = server.admin().await;
    let reply = admin.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let token = server.api_token(ADMIN_NAME).await;
    server.anonymous().with_token(&token)
}

async fn ask(client: &Client, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = client.request(method, path).header("content-type", "application/json");
    let reply = send(match body {
        Some(body) => request.body(body.to_string()),
        None => request,
    })
    .await;
    (reply.status, serde_json::from_slice(&reply.bytes).unwrap_or_default())
}

async fn good(client: &Client, method: Method, path: &str, body: Option<Value>) -> Value {
    let (status, answer) = ask(client, method, path, body).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer
}

/// The one sentence of a refusal, in the form that clients print.
#[track_caller]
fn told(answer: &Value) -> &str {
    assert_eq!(answer["success"], false, "{answer}");
    let first = answer.pointer("/errors/0").and_then(Value::as_str);
    first.unwrap_or_else(|| panic!("no errors: {answer}"))
}

/// A version that waits for a file, and its provider's path.
async fn waiting(client: &Client) -> String {
    let web = json!({ "username": "acme", "name": "web", "is_private": false });
    good(client, Method::POST, "/api/v2/boxes", Some(web)).await;
    let version = json!({ "version": { "version": "1.0.0" } });
    good(client, Method::POST, "/api/v2/box/acme/web/versions", Some(version)).await;
    let path = "/api/v2/box/acme/web/version/1.0.0";
    let provider = json!({ "provider": { "name": "virtualbox", "architecture": "amd64" } });
    good(client, Method::POST, &format!("{path}/providers"), Some(provider)).await;
    format!("{path}/provider/virtualbox")
}

/// The path of an address that the server gave.
fn path_of(server: &TestServer, answer: &Value, field: &str) -> String {
    let address = answer[field].as_str().expect("an address");
    address.strip_prefix(&server.url()).unwrap_or_else(|| panic!("{address}")).to_owned()
}

fn write(path: &Path, bytes: &[u8]) {
    let mut file = File::create(path).expect("the folder is there");
    file.write_all(bytes).expect("there is room");
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).expect("it was installed");
    file.read_to_end(&mut bytes).expect("it can be read");
    bytes
}

/// Writes a box for the client to upload.
fn write_box(folder: &Path, name: &str, file: &BoxFile) -> String {
    let path = folder.join(name);
    write(&path, &file.bytes);
    path.display().to_string()
}
