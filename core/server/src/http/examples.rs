//! An example for every body of the API document that has none: made from its schema, so that no route comes without
//! one, and that a test can hold each to its schema.
//!
//! A field's own `#[schema(example = …)]` counts first; then what a field of that name usually holds; then the simplest
//! value that its type allows.

use serde_json::{Map, Value, json};
use utoipa::openapi::{Content, OpenApi, RefOr, path::Operation};

/// How deep a schema is followed, references included; ours are flat.
const DEPTH_MAX: usize = 24;

/// Gives every JSON body an example.
pub(super) fn complete(document: &mut OpenApi) {
    let schemas = document.components.as_ref().map(|components| &components.schemas);
    let schemas = serde_json::to_value(schemas).unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        for operation in [
            &mut item.get,
            &mut item.post,
            &mut item.put,
            &mut item.patch,
            &mut item.delete,
            &mut item.options,
        ]
        .into_iter()
        .flatten()
        {
            show(operation, &schemas);
        }
    }
}

fn show(operation: &mut Operation, schemas: &Value) {
    let mut contents = Vec::new();
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        contents.extend(&mut body.content);
    }
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            contents.extend(&mut response.content);
        }
    }
    for (kind, content) in contents {
        if let ("application/json", RefOr::T(content)) = (&**kind, content) {
            fill(content, schemas);
        }
    }
}

fn fill(content: &mut Content, schemas: &Value) {
    if content.example.is_some() || !content.examples.is_empty() {
        return;
    }
    let schema = content.schema.as_ref().and_then(|schema| serde_json::to_value(schema).ok());
    content.example = schema.map(|schema| example(&schema, schemas, "", 0));
}

/// A value that a schema allows, for a field of this name.
fn example(schema: &Value, schemas: &Value, name: &str, depth: usize) -> Value {
    if depth > DEPTH_MAX {
        return Value::Null;
    }
    if let Some(own) = own_example(schema) {
        return own;
    }
    let inside = |schema: &Value| example(schema, schemas, name, depth + 1);
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let schema = schemas.get(reference.rsplit('/').next().unwrap_or_default());
        return schema.map_or(Value::Null, inside);
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(all) = schema.get(choice).and_then(Value::as_array) {
            let some = all.iter().find(|one| one.get("type") != Some(&json!("null")));
            return some.map_or(Value::Null, inside);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let parts = parts.iter().filter_map(|part| match inside(part) {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        return Value::Object(parts.flatten().collect());
    }
    match kind(schema) {
        "object" => object(schema, schemas, depth),
        "array" => json!([schema.get("items").map_or(Value::Null, inside)]),
        "string" => text(schema, name),
        "integer" | "number" => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

fn own_example(schema: &Value) -> Option<Value> {
    let first = |key: &str| schema.get(key).and_then(|all| all.get(0));
    let own = schema.get("example").or_else(|| first("examples")).or_else(|| schema.get("const"));
    own.or_else(|| schema.get("default")).or_else(|| first("enum")).cloned()
}

/// The type of a schema, without null.
fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null")
        }
        Some(kind) => kind.as_str(),
        None => None,
    };
    named.unwrap_or("null")
}

fn object(schema: &Value, schemas: &Value, depth: usize) -> Value {
    let fields = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut object: Map<String, Value> = fields
        .map(|(name, field)| (name.clone(), example(field, schemas, name, depth + 1)))
        .collect();
    if let (true, Some(values @ Value::Object(_))) =
        (object.is_empty(), schema.get("additionalProperties"))
    {
        object.insert("name".to_owned(), example(values, schemas, "name", depth + 1));
    }
    Value::Object(object)
}

fn text(schema: &Value, name: &str) -> Value {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    json!(match (format, name) {
        ("date-time", _) => "2026-01-31T12:00:00Z",
        ("date", _) => "2026-01-31",
        ("uuid", _) => "01980c4e-7a5b-7cc1-9b8e-3d5a6f0e1c2d",
        ("email", _) | (_, "email") => "alice@example.com",
        ("uri", _) | (_, "url" | "downloadUrl" | "homepage") => "https://boxes.example.com/",
        (_, "username" | "actor" | "createdBy" | "invitedBy") => "alice",
        (_, "organization") => "acme",
        (_, "box") => "debian12",
        (_, "version" | "versionNumber") => "1.0.0",
        (_, "provider") => "virtualbox",
        (_, "architecture") => "amd64",
        (_, "address") => "192.0.2.7",
        (_, "message") => "done",
        (_, "userAgent" | "device") => "Vagrant/2.4.9",
        (_, "password" | "currentPassword" | "newPassword") => "correct horse battery staple",
        (_, "code") => "123456",
        (_, "checksum" | "digest" | "sha256" | "policyDigest") =>
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        (_, "shortDescription") => "Debian 12, minimal",
        (_, "description" | "readme" | "releaseNotes") => "Debian 12 as its installer leaves it.",
        _ => "text",
    })
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
            example(&schema, &schemas, "", 0),
            json!({
                "at": "2026-01-31T12:00:00Z", "name": "acme", "size": 3, "tags": ["a"], "ok": false,
                "nothing": null,
            })
        );
        let endless = json!({ "Endless": { "$ref": "#/components/schemas/Endless" } });
        assert_eq!(example(&endless["Endless"], &endless, "", 0), Value::Null);
    }
}
