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
    operations: BTreeMap<String, Sentences>,
    errors: BTreeMap<String, Sentences>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Sentences {
    One(String),
    Several(Vec<String>),
}

impl Sentences {
    fn all(&self) -> Vec<&str> {
        match self {
            Self::One(sentence) => vec![sentence],
            Self::Several(sentences) => sentences.iter().map(String::as_str).collect(),
        }
    }
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

fn parameters(path: &str) -> impl Iterator<Item = String> {
    path.split('/').filter_map(|part| Some(part.strip_prefix('{')?.strip_suffix('}')?.to_owned()))
}

/// The operations whose success comes with a message, and the values that it may name.
fn operations(document: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let mut values: BTreeSet<String> = parameters(path).collect();
            let successes = operation["responses"].as_object().unwrap().iter();
            let mut speaks = false;
            for (_, response) in successes.filter(|(status, _)| status.starts_with('2')) {
                let schema = &response["content"]["application/json"]["schema"];
                let schema = resolved(document, schema);
                let Some(envelope) = schema["properties"].as_object() else { continue };
                speaks |= envelope.contains_key("message");
                values.extend(fields(document, &envelope["data"]));
                if envelope.contains_key("page") {
                    values.insert("total".to_owned());
                }
            }
            if speaks {
                all.insert(operation["operationId"].as_str().unwrap().to_owned(), values);
            }
        }
    }
    all
}

fn named(sentence: &str) -> BTreeSet<String> {
    let opened = sentence.split('{').skip(1);
    opened.map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
}

/// The differences between what has to be said and what is said.
fn differences<'a>(
    wanted: impl Iterator<Item = &'a str>,
    said: &'a BTreeMap<String, Sentences>,
) -> Vec<String> {
    let wanted: BTreeSet<_> = wanted.collect();
    let said: BTreeSet<_> = said.keys().map(String::as_str).collect();
    let missing = wanted.difference(&said).map(|key| format!("add {key}"));
    missing.chain(said.difference(&wanted).map(|key| format!("remove {key}"))).collect()
}

#[test]
fn every_language_says_everything_and_nothing_else() {
    let document = document();
    let operations = operations(&document);
    let in_paths: BTreeSet<_> =
        document["paths"].as_object().unwrap().keys().flat_map(|path| parameters(path)).collect();
    let of_errors = BTreeSet::from(["english".to_owned(), "fields".to_owned()]);
    let mut languages = 0;
    for file in fs::read_dir(workspace::root().join("core/server/messages")).unwrap() {
        let path = file.unwrap().path();
        let messages: Messages = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let codes = ErrorCode::ALL.iter().map(|code| code.as_str());
        let mut problems = differences(operations.keys().map(String::as_str), &messages.operations);
        problems.extend(differences(codes, &messages.errors));
        for (operation, sentences) in &messages.operations {
            let Some(values) = operations.get(operation) else { continue };
            for sentence in sentences.all() {
                let unknown: Vec<_> = named(sentence).difference(values).cloned().collect();
                if !unknown.is_empty() {
                    problems.push(format!("{operation} knows no {unknown:?}"));
                }
            }
        }
        for (code, sentences) in &messages.errors {
            let sentences = sentences.all();
            let known: BTreeSet<_> = of_errors.union(&in_paths).cloned().collect();
            if !sentences.iter().all(|sentence| named(sentence).is_subset(&known)) {
                problems.push(format!("{code} names what no failure knows"));
            }
            let last = named(sentences.last().unwrap());
            if !last.is_subset(&BTreeSet::from(["english".to_owned()])) {
                problems.push(format!("{code} has no sentence that can always be said"));
            }
        }
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
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
    assert_eq!(message(&german), "es gibt keine Box none in acme");
    for language in ["en", "fr", "*", "de;q=0"] {
        let reply = ask(&admin, Method::GET, path, language, &Value::Null).await;
        assert_eq!(message(&reply), "there is no box \"none\" in \"acme\"", "{language}");
        assert_eq!(reply.header("content-language"), Some("en"), "{language}");
        assert!(reply.header("vary").unwrap().contains("accept-language"), "{language}");
    }
    // what only English knows is not lost
    let refused = json!({ "name": ".." });
    let reply = ask(&admin, Method::POST, "/api/organization", "de", &refused).await;
    assert!(message(&reply).starts_with("nicht zulässig: name (name: "), "{}", reply.text());
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
async fn who_chose_a_language_is_told_in_it_whatever_their_browser_says() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let asked = async |language: &str| {
        let reply = ask(&admin, Method::GET, "/api/user/preferences", language, &Value::Null).await;
        reply.header("content-language").unwrap().to_owned()
    };
    let choose = async |language: Value| {
        let body = json!({ "language": language });
        assert_eq!(admin.put("/api/user/preferences", &body).await.status, 200);
    };
    assert_eq!(asked("de").await, "de");
    choose(json!("de-AT")).await;
    assert_eq!(asked("en").await, "de");
    assert_eq!(message(&admin.get("/api/user").await), "angemeldet");
    let denied = server.anonymous().get("/api/user").await;
    assert_eq!(denied.header("content-language"), Some("en"), "nobody knows who asks");
    choose(json!("en")).await;
    assert_eq!(asked("de").await, "en");
    // a language that there is not, and none
    for language in [json!("fr"), Value::Null] {
        choose(language).await;
        assert_eq!(asked("de").await, "de");
    }
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
