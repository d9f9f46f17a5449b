//! Calls of operations by their id, which remember what came.

use std::collections::BTreeSet;

use boxvault_tests::{Client, Reply, client::send};
use reqwest::Method;
use serde_json::Value;

/// Calls operations by their id, and remembers what came.
pub(super) struct Recorder {
    pub(super) document: Value,
    pub(super) seen: BTreeSet<(String, String)>,
    /// The request ids of changes that succeeded, with their operations.
    pub(super) changes: Vec<(String, String)>,
}

impl Recorder {
    pub(super) async fn new(client: &Client) -> Self {
        let document = client.get("/api-docs/openapi.json").await.json();
        Self { document, seen: BTreeSet::new(), changes: Vec::new() }
    }

    /// The method and path of an operation.
    fn operation(&self, id: &str) -> (Method, String) {
        for (path, item) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation["operationId"] == id {
                    let method = method.to_ascii_uppercase().parse().unwrap();
                    return (method, path.clone());
                }
            }
        }
        panic!("the document has no operation {id}")
    }

    /// Calls an operation on the things that are always there. That the answer is a documented one is seen to wherever
    /// a test gets one.
    pub(super) async fn call(
        &mut self,
        client: &Client,
        id: &str,
        status: u16,
        with: With<'_>,
    ) -> Reply {
        let (method, template) = self.operation(id);
        let is_change = !method.is_safe();
        let mut path = template;
        let names = [
            ("organization", "acme"),
            ("box", "web"),
            ("version", "1.0.0"),
            ("provider", "virtualbox"),
            ("architecture", "amd64"),
            ("file", "virtualbox.box"),
            ("badge", "web.svg"),
        ];
        for (name, value) in with.names.iter().chain(&names) {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        path.push_str(with.query);
        let mut request = client.request(method, &path);
        for (name, value) in with.headers {
            request = request.header(*name, *value);
        }
        request = match with.body {
            Some(What::Json(body)) => request.json(&body),
            Some(What::Bytes(bytes)) => request.body(bytes),
            None => request,
        };
        let reply = send(request).await;
        assert_eq!(reply.status, status, "{id}: {}", reply.text());
        if is_change && status < 300 {
            let request = reply.header("x-request-id").expect("each answer has one");
            self.changes.push((request.to_owned(), id.to_owned()));
        }
        self.seen.insert((id.to_owned(), status.to_string()));
        reply
    }
}

pub(super) enum What {
    Json(Value),
    Bytes(Vec<u8>),
}

/// What a call sends beyond its path.
#[derive(Default)]
pub(super) struct With<'a> {
    pub(super) names: &'a [(&'a str, &'a str)],
    pub(super) query: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Option<What>,
}

pub(super) fn nothing() -> With<'static> {
    With::default()
}

pub(super) fn body(value: Value) -> With<'static> {
    With { body: Some(What::Json(value)), ..With::default() }
}

pub(super) fn at<'a>(names: &'a [(&'a str, &'a str)]) -> With<'a> {
    With { names, ..With::default() }
}

pub(super) fn text(reply: &Reply, field: &str) -> String {
    reply.data()[field]
        .as_str()
        .unwrap_or_else(|| panic!("no {field}: {}", reply.text()))
        .to_owned()
}
