//! Messages in other languages: chosen by the caller, complete, and never the codes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use boxvault_tests::{
    Client, Reply, TestServer,
    client::send,
    mail::{ARRIVAL_DEADLINE, files},
    reasons::{fits, pieces},
    server::PASSWORD,
    wait_for, workspace,
};
use boxvault_types::error::ErrorCode;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    operations: BTreeMap<String, Sentences>,
    errors: BTreeMap<String, Sentences>,
    reasons: BTreeMap<String, String>,
    mails: BTreeMap<String, MailText>,
    words: BTreeMap<String, String>,
}

/// What English says in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnglishMails {
    mails: BTreeMap<String, MailText>,
    words: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MailText {
    subject: String,
    paragraphs: Vec<String>,
    link: Option<String>,
}

impl MailText {
    fn values(&self) -> BTreeSet<String> {
        let sentences = self.paragraphs.iter().chain([&self.subject]);
        sentences.flat_map(|sentence| named(sentence)).collect()
    }
}

/// What parsers of others say; everything else stands in our own sources.
const OF_PARSERS: &[&str] = &[
    "missing field `{}`",
    "unknown field `{}`, expected {}",
    "unknown field `{}`, there are no fields",
    "duplicate field `{}`",
    "unknown variant `{}`, expected {}",
    "invalid type: {}, expected {}",
    "invalid value: {}, expected {}",
    "invalid length {}, expected {}",
    "a string",
    "a boolean",
    "a sequence",
    "u64",
    "u32",
    "UUID parsing failed: {}",
];

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
                // where the thing itself is the answer, nothing is said
                if !envelope.contains_key("message") {
                    continue;
                }
                speaks = true;
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
fn differences<'a, T>(
    wanted: impl Iterator<Item = &'a str>,
    said: &'a BTreeMap<String, T>,
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
    let of_errors = BTreeSet::from(["details".to_owned(), "reasons".to_owned()]);
    for path in other_languages() {
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
            if !last.is_subset(&BTreeSet::from(["details".to_owned()])) {
                problems.push(format!("{code} has no sentence that can always be said"));
            }
        }
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

/// The files of messages, but for the one of English, which holds mails alone.
fn other_languages() -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(workspace::root().join("core/server/messages")).unwrap();
    let mut all: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    all.retain(|path| path.file_name().is_some_and(|name| name != "en.toml"));
    assert!(!all.is_empty());
    all
}

#[test]
fn every_language_has_the_words_of_every_mail_and_no_other_values() {
    let path = workspace::root().join("core/server/messages/en.toml");
    let english: EnglishMails = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    for path in other_languages() {
        let messages: Messages = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut problems = differences(english.mails.keys().map(String::as_str), &messages.mails);
        problems.extend(differences(english.words.keys().map(String::as_str), &messages.words));
        for (kind, said) in &messages.mails {
            let Some(wanted) = english.mails.get(kind) else { continue };
            if said.values() != wanted.values() || said.link.is_some() != wanted.link.is_some() {
                problems.push(format!("{kind} names other values, or is without its link"));
            }
        }
        assert!(problems.is_empty(), "{}: {problems:#?}", path.display());
    }
}

/// That none is missing is seen by the tests' client, in every answer that any test gets, and here of those that stand
/// where they are given.
#[test]
fn every_language_says_every_reason_that_stands_in_the_sources_and_no_other_one() {
    let root = workspace::root();
    let mut literals = BTreeSet::new();
    let mut given = BTreeSet::new();
    for (folder, reasons_are_in) in [
        ("core/server/src/app", ["AppError::invalid(", "refuse("].as_slice()),
        ("core/server/src/http", &["AppError::invalid("]),
        ("core/server/src/upstream.rs", &[]),
        ("core/server/src/upstream", &[]),
        ("core/types/src", &["#[error(", "Err(\""]),
    ] {
        for text in sources(&root.join(folder)) {
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            literals.extend(literals_of(code));
            for call in reasons_are_in {
                for (_, rest) in code.match_indices(call).map(|(at, _)| code.split_at(at)) {
                    let call = call_of(rest);
                    given.extend(literals_of(call).into_iter().filter(|text| is_sentence(text)));
                }
            }
        }
    }
    for path in other_languages() {
        let messages: Messages = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        let said: Vec<_> = messages.reasons.keys().map(|reason| pieces(reason)).collect();
        let known = |reason: &str| literals.contains(reason) || OF_PARSERS.contains(&reason);
        let superfluous: Vec<_> =
            said.iter().map(|pieces| pieces.join("{}")).filter(|reason| !known(reason)).collect();
        assert!(superfluous.is_empty(), "remove from {}: {superfluous:#?}", path.display());
        let wanted = given.iter().map(String::as_str).chain(OF_PARSERS.iter().copied());
        let missing: Vec<_> =
            wanted.filter(|reason| !said.iter().any(|pieces| fits(pieces, reason))).collect();
        assert!(missing.is_empty(), "add to {}: {missing:#?}", path.display());
        for (reason, sentence) in &messages.reasons {
            assert!(named(sentence).is_subset(&named(reason)), "{reason:?} names no such value");
        }
    }
}

/// More than a name or what stands between the parts of a list.
fn is_sentence(text: &str) -> bool {
    text.contains(' ') && text.contains(char::is_alphabetic)
}

fn sources(folder: &Path) -> Vec<String> {
    if folder.is_file() {
        return vec![fs::read_to_string(folder).unwrap()];
    }
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs") {
            all.push(fs::read_to_string(path).unwrap());
        }
    }
    all
}

/// A call up to the end of its statement or attribute.
fn call_of(code: &str) -> &str {
    let mut depth = 0_i32;
    let mut in_text = false;
    let mut before = ' ';
    for (at, c) in code.char_indices() {
        match c {
            '"' if before != '\\' && before != '\'' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return &code[..at];
                }
            }
            _ => {}
        }
        before = c;
    }
    code
}

/// The texts in quotes, whatever stands in braces left out.
fn literals_of(code: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for line in joined(code).split('\n').filter(|line| !line.trim_start().starts_with("//")) {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once('"') {
            let mut text = String::new();
            let mut characters = after.chars();
            while let Some(c) = characters.next() {
                match c {
                    '"' => break,
                    '\\' => text.extend(characters.next()),
                    c => text.push(c),
                }
            }
            all.insert(pieces(&text).join("{}"));
            rest = characters.as_str();
        }
    }
    all
}

/// The same code, texts that go over several lines in one.
fn joined(code: &str) -> String {
    let mut lines = String::with_capacity(code.len());
    let mut goes_on = false;
    for line in code.lines() {
        let line = if goes_on { line.trim_start() } else { line };
        goes_on = line.ends_with('\\');
        lines.push_str(line.strip_suffix('\\').unwrap_or(line));
        if !goes_on {
            lines.push('\n');
        }
    }
    lines
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
    // so are the reasons, whether ours or of whatever read the body
    for (body, field, reason) in [
        (json!({ "name": "" }), "name", "darf nicht leer sein"),
        (json!({ "name": "a..b" }), "name", "darf kein '..' enthalten"),
        (json!({ "name": "ab", "nmae": 1 }), "nmae", "ist unbekannt; bekannt sind: "),
        (json!({ "name": 5 }), "name", "ist integer `5`; erwartet wird ein Text"),
        (json!({}), "name", "fehlt"),
    ] {
        let reply = ask(&admin, Method::POST, "/api/organization", "de", &body).await;
        let said = reply.json()["error"]["fields"][field].as_str().unwrap_or_default().to_owned();
        assert!(said.starts_with(reason), "{body}: {}", reply.text());
        assert_eq!(message(&reply), format!("nicht zulässig: {field}: {said}"));
    }
    let broken = admin.request(Method::POST, "/api/organization").header("accept-language", "de");
    let broken = send(broken.header("content-type", "application/json").body("{")).await;
    assert!(message(&broken).contains("er ist kein gültiges JSON"), "{}", broken.text());
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

#[tokio::test]
async fn whoever_chose_a_language_is_written_to_in_it() {
    let server = TestServer::builder().set("limits.sign_in_requests_per_minute", "0").start().await;
    let root = server.admin().await;
    for name in ["olivia", "carol"] {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        assert_eq!(root.post("/api/users", &body).await.status, 201);
    }
    let olivia = server.anonymous().sign_in("olivia", PASSWORD).await;
    let carol = server.anonymous().sign_in("carol", PASSWORD).await;
    let german = json!({ "language": "de-AT" });
    assert_eq!(olivia.put("/api/user/preferences", &german).await.status, 200);
    let folder = server.data_dir().join("mail");
    let written = async |to: &str, words: &str| {
        let to = format!("To: {to}@example.com\r\n");
        wait_for(&format!("{words} {to}"), ARRIVAL_DEADLINE, async || {
            files(&folder)
                .into_iter()
                .map(|message| message.replace("=\r\n", ""))
                .find(|message| message.contains(&to) && message.contains(words))
        })
        .await
    };

    let acme = json!({ "name": "acme", "accessMode": "request_to_join" });
    assert_eq!(olivia.post("/api/organization", &acme).await.status, 201);
    // each in the language of whoever reads it, whatever that of the request
    let asked =
        ask(&carol, Method::POST, "/api/organization/acme/requests", "en", &json!({})).await;
    assert_eq!(asked.status, 201, "{}", asked.text());
    let message = written("olivia", "carol hat ein Konto auf diesem Server").await;
    for said in ["=?utf-8?", "lang=3D\"de\"", "BoxVault"] {
        assert!(message.contains(said), "{said} is missing in {message}");
    }
    let id = asked.data()["id"].as_str().unwrap().to_owned();
    let approve = format!("/api/organization/acme/requests/{id}/approve");
    assert_eq!(ask(&olivia, Method::POST, &approve, "de", &json!({})).await.status, 200);
    written("carol", "You are now in acme, as member.").await;
    // who has no account yet is written to in the language of whoever invites
    let invitation = json!({ "email": "nobody@example.com" });
    let invited = olivia.post("/api/organization/acme/invitations", &invitation).await;
    assert_eq!(invited.status, 201, "{}", invited.text());
    written("nobody", "einmal, innerhalb von 7 Tagen").await;
    // and who has one, in theirs
    let dora = json!({ "username": "dora", "email": "dora@example.com", "password": PASSWORD });
    let new = ask(&server.anonymous(), Method::POST, "/api/auth/signup", "de", &dora).await;
    assert_eq!(new.status, 201, "{}", new.text());
    written("dora", "Diese Adresse wurde").await;
    let invitation = json!({ "email": "dora@example.com" });
    olivia.post("/api/organization/acme/invitations", &invitation).await;
    written("dora", "olivia invites you to acme, as member.").await;
    // wishes of nobody in particular follow the account that they are about
    let wish = json!({ "email": "olivia" });
    assert_eq!(server.anonymous().post("/api/auth/forgot-password", &wish).await.status, 200);
    written("olivia", "wurde ein neues Passwort").await;
}
