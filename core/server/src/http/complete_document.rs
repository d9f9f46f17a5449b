//! The last touch to the API document, when all routes are in it: an example for every body, and the error codes of
//! every operation. Both follow from what the document says anyway, so that no route can come without them.

use std::collections::BTreeSet;

use boxvault_types::error::{ErrorCode, ErrorKind};
use salvo::http::StatusCode;
use serde_json::{Map, Value, json};
use utoipa::openapi::{
    OpenApi, RefOr, content::Content, extensions::ExtensionsBuilder, path::Operation,
};

use super::{error::status, routes::Mounted, vagrant};

/// How deep a schema is followed; ours are flat.
const DEPTH_MAX: usize = 8;
/// A time, an id, a name: where a schema says no more than its format.
const TIME: &str = "2026-01-31T12:00:00Z";
const ID: &str = "01980c4e-7a5b-7cc1-9b8e-3d5a6f0e1c2d";
/// Any text at all.
const PLAIN: &str = "text";

/// Completes the document.
pub(super) fn complete(document: &mut OpenApi, mounted: &[Mounted]) {
    let schemas = document.components.as_ref().map(|components| &components.schemas);
    let schemas = serde_json::to_value(schemas).unwrap_or_default();
    for route in mounted {
        let Some(item) = document.paths.paths.get_mut(&route.path) else { continue };
        let operation = match route.method.as_str() {
            "GET" => &mut item.get,
            "POST" => &mut item.post,
            "PUT" => &mut item.put,
            "PATCH" => &mut item.patch,
            _ => &mut item.delete,
        };
        if let Some(operation) = operation {
            let codes = name_codes(operation, route);
            show(operation, route, &schemas, &codes);
        }
    }
}

/// Writes `x-error-codes`: what `error.code` can be, by the statuses that the operation documents.
fn name_codes(operation: &mut Operation, route: &Mounted) -> Vec<ErrorCode> {
    let documented: BTreeSet<_> = operation.responses.responses.keys().cloned().collect();
    let codes: Vec<_> = ErrorCode::ALL
        .iter()
        .copied()
        .filter(|code| documented.contains(status(code.kind()).as_str()) && concerns(*code, route))
        .collect();
    let names: Vec<_> = codes.iter().map(|code| code.as_str()).collect();
    let names = ExtensionsBuilder::new().add("x-error-codes", json!(names)).build();
    match &mut operation.extensions {
        Some(extensions) => extensions.merge(names),
        None => operation.extensions = Some(names),
    }
    codes
}

/// Whether an operation on such a path can fail in such a way. What is not known here may.
fn concerns(code: ErrorCode, route: &Mounted) -> bool {
    let has = |part: &str| route.path.contains(part);
    match code {
        ErrorCode::UserNotFound | ErrorCode::MemberNotFound => {
            has("{username}") || has("/members") || has("/users")
        }
        ErrorCode::OrganizationNotFound => has("{organization}"),
        ErrorCode::BoxNotFound => has("{box}"),
        ErrorCode::VersionNotFound => has("{version}"),
        ErrorCode::ProviderNotFound => has("{provider}") || has("{file}"),
        ErrorCode::ArchitectureNotFound => has("{architecture}"),
        ErrorCode::FileNotFound => has("/file/") || has("{file}") || has("vagrant.box"),
        ErrorCode::SessionNotFound => has("/sessions"),
        ErrorCode::TokenNotFound => has("/tokens"),
        ErrorCode::SignInFailed | ErrorCode::SignInThrottled => {
            has("/auth/signin") || has("/password")
        }
        ErrorCode::RefreshTokenInvalid => has("/auth/refresh-token"),
        ErrorCode::SetupTokenInvalid | ErrorCode::AlreadySetUp => has("/api/setup"),
        ErrorCode::SignUpClosed => has("/auth/signup"),
        ErrorCode::VersionReleased | ErrorCode::VersionEmpty | ErrorCode::VersionState => {
            has("{version}")
        }
        ErrorCode::LastOwner => has("/members") || has("/user"),
        ErrorCode::LastAdmin => has("/user"),
        ErrorCode::NotEmpty => has("{organization}"),
        ErrorCode::ChecksumMismatch
        | ErrorCode::LengthMismatch
        | ErrorCode::NotABox
        | ErrorCode::ProviderMismatch => has("/upload"),
        ErrorCode::IdempotencyKeyInUse
        | ErrorCode::IdempotencyAnswerGone
        | ErrorCode::IdempotencyKeyReused => route.method == "POST",
        _ => true,
    }
}

/// Gives every body an example that has none.
fn show(operation: &mut Operation, route: &Mounted, schemas: &Value, codes: &[ErrorCode]) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                fill(content, || None, schemas);
            }
        }
    }
    for (number, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        for (kind, content) in &mut response.content {
            let (true, RefOr::T(content)) = (kind == "application/json", content) else { continue };
            let failed = number.parse().ok().and_then(|number| StatusCode::from_u16(number).ok());
            let failed = failed.filter(|status| status.as_u16() >= 400);
            fill(content, || failed.and_then(|status| failure(status, route, codes)), schemas);
        }
    }
}

fn fill(content: &mut Content, better: impl Fn() -> Option<Value>, schemas: &Value) {
    if content.example.is_some() || !content.examples.is_empty() {
        return;
    }
    let example = better().or_else(|| {
        let schema = serde_json::to_value(content.schema.as_ref()?).ok()?;
        Some(example(&schema, schemas, 0))
    });
    content.example = example;
}

/// A failure with this status, in the dialect of the path.
fn failure(status: StatusCode, route: &Mounted, codes: &[ErrorCode]) -> Option<Value> {
    let code = codes.iter().find(|code| super::error::status(code.kind()) == status)?;
    let message = words(code.kind());
    if vagrant::is_of_dialect(&route.path) {
        return Some(json!({ "errors": [message], "success": false }));
    }
    let mut error = json!({ "code": code.as_str(), "request_id": ID });
    if *code == ErrorCode::InvalidInput
        && let Some(error) = error.as_object_mut()
    {
        error.insert("fields".to_owned(), json!({ "name": "must have at most 128 characters" }));
    }
    Some(json!({ "success": false, "message": message, "error": error }))
}

fn words(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Invalid => "name: must have at most 128 characters",
        ErrorKind::Unauthenticated => "sign in first",
        ErrorKind::Forbidden => "you may not do this; ask an admin of the organization for the right to",
        ErrorKind::NotFound => "there is no such thing",
        ErrorKind::MethodNotAllowed => "this path does not take this method",
        ErrorKind::Conflict => "the present state does not allow it",
        ErrorKind::PreconditionFailed => "it was changed since you read it; read it again",
        ErrorKind::TooLarge => "the body is longer than the limit",
        ErrorKind::UnsupportedMediaType => "send the body as JSON, with Content-Type: application/json",
        ErrorKind::RangeNotSatisfiable => "the range lies outside the file",
        ErrorKind::Unprocessable => "the bytes are not what was declared",
        ErrorKind::TooManyRequests => "too many requests; come back in 3 s",
        ErrorKind::RequestTimeout => "nothing came for too long",
        ErrorKind::Unavailable => "out of reach for the moment; try again",
        ErrorKind::StorageFull => "the store has no room left",
        ErrorKind::Internal => "something went wrong on the server",
    }
}

/// A value that a schema allows: its own example where it has one, else the simplest one.
fn example(schema: &Value, schemas: &Value, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    let inside = |schema: &Value| example(schema, schemas, depth + 1);
    for own in ["example", "const", "default"] {
        if let Some(value) = schema.get(own) {
            return value.clone();
        }
    }
    for first in ["examples", "enum"] {
        if let Some(value) = schema.get(first).and_then(|all| all.get(0)) {
            return value.clone();
        }
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or_default();
        return schemas.get(name).map_or(Value::Null, inside);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(all) = schema.get(choice).and_then(Value::as_array) {
            let some = all.iter().find(|one| one.get("type") != Some(&json!("null")));
            return some.map_or(Value::Null, inside);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let mut whole = Map::new();
        for part in parts {
            if let Value::Object(fields) = inside(part) {
                whole.extend(fields);
            }
        }
        return Value::Object(whole);
    }
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.clone(),
        Some(kind) => vec![kind.clone()],
        None => Vec::new(),
    };
    let kind = kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null");
    match kind.unwrap_or("null") {
        "object" => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten();
            let shown = |name: &str, field: &Value| match inside(field) {
                // no example of its own: its name says what it is
                Value::String(text) if text == PLAIN => json!(called(name)),
                value => value,
            };
            Value::Object(fields.map(|(name, field)| (name.clone(), shown(name, field))).collect())
        }
        "array" => schema.get("items").map_or_else(|| json!([]), |items| json!([inside(items)])),
        "string" => text(schema),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// A text as it could stand in a field of this name.
fn called(name: &str) -> &'static str {
    match name {
        "email" => "alice@example.com",
        "address" => "192.0.2.7",
        "username" | "actor" => "alice",
        "organization" => "acme",
        "box" => "debian12",
        "versionNumber" | "version" => "1.0.0",
        "message" => "done",
        "userAgent" => "Vagrant/2.4.9",
        "downloadUrl" | "url" => "https://boxes.example.com/",
        "accessToken" | "refreshToken" | "token" => "…",
        "shortDescription" => "Debian 12, minimal",
        "description" | "readme" | "releaseNotes" => "Debian 12 as it comes from the installer.",
        _ => PLAIN,
    }
}

fn text(schema: &Value) -> Value {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    match format {
        "date-time" => json!(TIME),
        "date" => json!("2026-01-31"),
        "uuid" => json!(ID),
        "email" => json!("alice@example.com"),
        "uri" => json!("https://boxes.example.com/"),
        _ => json!(PLAIN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_is_what_its_schema_allows() {
        let schemas = json!({
            "Name": { "type": "string", "examples": ["acme"] },
            "Base": { "type": "object", "properties": { "at": { "type": "string", "format": "date-time" } } },
        });
        let schema = json!({
            "allOf": [
                { "$ref": "#/components/schemas/Base" },
                { "type": "object", "properties": {
                    "name": { "oneOf": [{ "type": "null" }, { "$ref": "#/components/schemas/Name" }] },
                    "size": { "type": ["integer", "null"], "minimum": 3 },
                    "tags": { "type": "array", "items": { "type": "string", "enum": ["a", "b"] } },
                    "ok": { "type": "boolean", "example": false },
                    "nothing": { "type": "null" },
                } },
            ],
        });
        assert_eq!(
            example(&schema, &schemas, 0),
            json!({ "at": TIME, "name": "acme", "size": 3, "tags": ["a"], "ok": false, "nothing": null })
        );
        let endless = json!({ "Endless": { "$ref": "#/components/schemas/Endless" } });
        assert_eq!(example(&endless["Endless"], &endless, 0), Value::Null);
    }
}
