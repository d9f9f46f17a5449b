//! Holds every answer that a test gets to the API document: that its status and its error code are documented for the
//! operation, that its body is of a documented type, and that JSON is what the schema says.
//!
//! The document is the committed one, which a test of its own compares with the served one. So the whole suite proves
//! it, refusals and odd requests included, and no list of what was checked has to be kept.
#![expect(clippy::indexing_slicing, reason = "a key that JSON does not have reads as null")]

use std::{
    collections::HashMap,
    fs,
    sync::{Arc, LazyLock, Mutex},
};

use boxvault_types::names::RESERVED_NAMES;
use jsonschema::Validator;
use percent_encoding::percent_decode_str;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Reply, workspace};

/// What may be said of any path, before it is looked up: bad credentials, too many requests, no such path or method.
const BEFORE_ROUTING: &[u16] = &[401, 404, 405, 429];

struct Document {
    whole: Value,
    /// By the schema's text.
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let path = workspace::root().join("core/server/openapi.json");
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let whole = serde_json::from_str(&text).expect("the committed document is JSON");
    Document { whole, validators: Mutex::default() }
});

/// Whether the document says of an answer that it can come.
///
/// # Errors
/// What the document does not say, in words that tell what to do.
pub fn check(method: &Method, path: &str, reply: &Reply) -> Result<(), String> {
    let documented = &DOCUMENT.whole["paths"];
    let Some((template, item)) = find(documented, path) else { return Ok(()) };
    let name = if method == Method::HEAD {
        "get".to_owned()
    } else {
        method.as_str().to_ascii_lowercase()
    };
    let operation = &item[&name];
    if operation.is_null() {
        return if BEFORE_ROUTING.contains(&reply.status) || method == Method::OPTIONS {
            Ok(())
        } else {
            Err(format!("{method} {template} is not documented, and answers {}", reply.status))
        };
    }
    let id = operation["operationId"].as_str().unwrap_or_default();
    check_answer(method, operation, reply).map_err(|problem| {
        format!(
            "{id} ({method} {path}): {problem}\nMend the answer, or what the handler's #[utoipa::path] says \
             of it. The answer: {} {}",
            reply.status,
            reply.text().chars().take(2000).collect::<String>()
        )
    })
}

fn check_answer(method: &Method, operation: &Value, reply: &Reply) -> Result<(), String> {
    let response = &operation["responses"][reply.status.to_string()];
    if response.is_null() {
        return Err(format!("status {} is not documented", reply.status));
    }
    let kind = plain(reply.header("content-type").unwrap_or_default());
    let Some(content) = response["content"].as_object() else {
        return match reply.bytes.len() {
            0 => Ok(()),
            _ => Err("no body is documented, and there is one".to_owned()),
        };
    };
    if method == Method::HEAD {
        return if reply.bytes.is_empty() { Ok(()) } else { Err("HEAD has a body".to_owned()) };
    }
    let Some((_, media)) = content.iter().find(|(documented, _)| plain(documented) == kind) else {
        let known: Vec<_> = content.keys().collect();
        return Err(format!("the body is {kind:?}, documented is {known:?}"));
    };
    if kind != "application/json" {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&reply.bytes)
        .map_err(|error| format!("the body is no JSON: {error}"))?;
    if let Some(code) = body.pointer("/error/code").and_then(Value::as_str)
        && media["examples"][code].is_null()
    {
        return Err(format!("error code {code} is not documented"));
    }
    validate(&media["schema"], &body)
}

/// A media type without its parameters.
fn plain(kind: &str) -> &str {
    kind.split(';').next().unwrap_or_default().trim()
}

/// Whether a value is what a schema of the document allows.
///
/// # Errors
/// Where it is not.
pub fn validate(schema: &Value, body: &Value) -> Result<(), String> {
    let validator = {
        let mut validators = DOCUMENT.validators.lock().expect("nobody panics while holding it");
        let built = validators.entry(schema.to_string()).or_insert_with(|| {
            let whole = json!({ "allOf": [schema], "components": { "schemas": DOCUMENT.whole["components"]["schemas"] } });
            let built = jsonschema::draft202012::new(&whole);
            Arc::new(built.unwrap_or_else(|error| panic!("{schema} is no schema: {error}")))
        });
        Arc::clone(built)
    };
    let problems: Vec<_> = validator
        .iter_errors(body)
        .map(|error| format!("{} at {:?}", error, error.instance_path().to_string()))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The documented path that a request's path is one of: of those that fit, the one with the most words of its own.
fn find<'a>(documented: &'a Value, path: &str) -> Option<(&'a str, &'a Value)> {
    let path = path.split('?').next().unwrap_or_default();
    let segments: Vec<_> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let first = segments.first()?;
    let is_own = RESERVED_NAMES.iter().any(|name| name.eq_ignore_ascii_case(first));
    let fits = |template: &str| {
        let parts: Vec<_> = template.split('/').filter(|part| !part.is_empty()).collect();
        let same = parts.len() == segments.len()
            && !(is_own && template.starts_with("/{"))
            && parts
                .iter()
                .zip(&segments)
                .all(|(part, segment)| part.starts_with('{') || part == segment);
        same.then(|| parts.iter().filter(|part| !part.starts_with('{')).count())
    };
    documented
        .as_object()?
        .iter()
        .filter_map(|(template, item)| Some((fits(template)?, template.as_str(), item)))
        .max_by_key(|(words, ..)| *words)
        .map(|(_, template, item)| (template, item))
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}
