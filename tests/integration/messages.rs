//! Messages in other languages: chosen by the caller, complete, and never the codes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use boxvault_tests::{Client, Reply, TestServer, client::send, workspace};
use boxvault_types::error::ErrorCode;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    operations: BTreeMap<String, String>,
    errors: BTreeMap<String, String>,
}

fn document() -> Value {
    let path = workspace::root().join("core/server/openapi.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A schema, with what it refers to in its place.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The names of the fields of a schema, its parts included.
fn fields(document: &Value, schema: &Value) -> BTreeSet<String> {
    let schema = resolved(document, schema);
    let own = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let parts = schema["allOf"].as_array().into_iter().flatten();
    own.chain(parts.flat_map(|part| fields(document, part))).collect()
}

/// The operations whose success comes with a message, and the arguments that it may name.
fn operations(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let mut arguments: BTreeSet<String> = path
                .split('/')
                .filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned()))
                .collect();
            let successes = operation["responses"].as_object().unwrap().iter();
            let mut speaks = false;
            for (_, response) in successes.filter(|(status, _)| status.starts_with('2')) {
                let schema = &response["content"]["application/json"]["schema"];
                let schema = resolved(document, schema);
                let Some(envelope) = schema["properties"].as_object() else { continue };
                speaks |= envelope.contains_key("message");
                arguments.extend(fields(document, &envelope["data"]));
                if envelope.contains_key("page") {
                    arguments.insert("total".to_owned());
                }
            }
            if speaks {
                all.insert(operation["operationId"].as_str().unwrap().to_owned(), arguments);
            }
        }
    }
    all
}

fn named(sentence: &str) -> BTreeSet<String> {
    let opened = sentence.split('{').skip(1);
    opened.map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
}

#[test]
fn every_language_says_everything_and_nothing_else() {
    let document = document();
    let operations = operations(&document);
    let codes: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    let folder = workspace::root().join("core/server/messages");
    let mut languages = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.display();
        let messages: Messages = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let said: BTreeSet<_> = messages.operations.keys().collect();
        let there: BTreeSet<_> = operations.keys().collect();
        let missing: Vec<_> = there.difference(&said).collect();
        let superfluous: Vec<_> = said.difference(&there).collect();
        assert!(
            missing.is_empty() && superfluous.is_empty(),
            "[operations] of {name}: add {missing:?}, remove {superfluous:?}"
        );
        let said: BTreeSet<_> = messages.errors.keys().cloned().collect();
        let missing: Vec<_> = codes.difference(&said).collect();
        let superfluous: Vec<_> = said.difference(&codes).collect();
        assert!(
            missing.is_empty() && superfluous.is_empty(),
            "[errors] of {name}: add {missing:?}, remove {superfluous:?}"
        );
        for (operation, sentence) in &messages.operations {
            let unknown: Vec<_> =
                named(sentence).difference(&operations[operation]).cloned().collect();
            assert!(unknown.is_empty(), "{operation} in {name} has no {unknown:?}");
        }
        let known = BTreeSet::from(["english".to_owned(), "fields".to_owned()]);
        for (code, sentence) in &messages.errors {
            assert!(named(sentence).is_subset(&known), "{code} in {name}: {sentence}");
        }
        languages += 1;
    }
    assert!(languages >= 1);
}

async fn ask(client: &Client, method: Method, path: &str, language: &str, body: &Value) -> Reply {
    let request = client.request(method, path).header("accept-language", language);
    send(if body.is_null() { request } else { request.json(body) }).await
}

fn message(reply: &Reply) -> String {
    reply.json()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_caller_is_told_in_the_language_that_they_ask_for() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let organization = json!({ "name": "acme" });
    let reply =
        ask(&admin, Method::POST, "/api/organization", "de-AT, en;q=0.5", &organization).await;
    assert_eq!((reply.status, &*message(&reply)), (201, "Organisation acme angelegt"));
    assert_eq!(reply.header("content-language"), Some("de"));
    assert!(reply.header("vary").unwrap().contains("accept-language"));

    let path = "/api/organization/acme/box/none";
    let german = ask(&admin, Method::GET, path, "de", &Value::Null).await;
    assert_eq!((german.status, &*german.code()), (404, "BOX_NOT_FOUND"));
    assert_eq!(message(&german), "diese Box gibt es nicht");
    for language in ["en", "fr", "*", "de;q=0"] {
        let reply = ask(&admin, Method::GET, path, language, &Value::Null).await;
        assert_eq!(message(&reply), "there is no box \"none\" in \"acme\"", "{language}");
        assert_eq!(reply.header("content-language"), Some("en"), "{language}");
        assert!(reply.header("vary").unwrap().contains("accept-language"), "{language}");
    }
    // what only English knows is not lost
    let refused = json!({ "name": ".." });
    let reply = ask(&admin, Method::POST, "/api/organization", "de", &refused).await;
    assert!(message(&reply).starts_with("ein Wert ist nicht zulässig: name: "), "{}", reply.text());
    let list = ask(&admin, Method::GET, "/api/organization", "de", &Value::Null).await;
    assert_eq!(message(&list), "1 Organisationen");
    // refused before any route: a path that is none, and bad credentials
    let nothing = ask(&admin, Method::GET, "/api/nothing", "de", &Value::Null).await;
    assert!(message(&nothing).starts_with("unter diesem Pfad"), "{}", nothing.text());
    let bad = admin.with_token("bad");
    let bad = ask(&bad, Method::GET, "/api/user", "de", &Value::Null).await;
    assert!(message(&bad).starts_with("die Zugangsdaten"), "{}", bad.text());
    // stock clients look for English words
    let catalogue = ask(&server.anonymous(), Method::GET, "/acme/none", "de", &Value::Null).await;
    assert!(!catalogue.text().contains("gibt"), "{}", catalogue.text());
}

#[tokio::test]
async fn an_answer_in_another_language_is_another_representation_of_the_same_state() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    admin.post("/api/organization", &json!({ "name": "acme" })).await;
    let path = "/api/organization/acme";
    let english = ask(&admin, Method::GET, path, "en", &Value::Null).await;
    let german = ask(&admin, Method::GET, path, "de", &Value::Null).await;
    let tag = |reply: &Reply| reply.header("etag").unwrap().to_owned();
    assert_ne!(tag(&english), tag(&german));
    let known = [("if-none-match", &*tag(&english)), ("accept-language", "de")];
    assert_eq!(admin.get_with(path, &known).await.status, 200);
    let known = [("if-none-match", &*tag(&german)), ("accept-language", "de")];
    assert_eq!(admin.get_with(path, &known).await.status, 304);
    // who read it in one language may change it in another
    let change = admin.request(Method::PUT, path).header("if-match", tag(&german));
    let reply = send(change.json(&json!({ "description": "d" }))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}
