//! Checks a plugin's table against the schema in its handshake, before the plugin sees it.
//!
//! All problems at once, each with its key's path and never with its value: it may be a secret.

use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::error::ConfigProblem;

/// Lists what is wrong with a configuration; an empty list is a good one.
pub(crate) fn problems(schema: &Value, config: &Value) -> Vec<ConfigProblem> {
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the schema in the plugin's handshake is broken: {error}");
            return vec![ConfigProblem { key: String::new(), message }];
        }
    };
    let mut problems = Vec::new();
    for error in validator.iter_errors(config) {
        let key = dotted(error.instance_path().as_str());
        match error.kind() {
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let message = match known(schema, error.schema_path().as_str()) {
                    Some(known) => format!("unknown key; known here are {known}"),
                    None => "unknown key; the table has none".to_owned(),
                };
                for name in unexpected {
                    let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
                    problems.push(ConfigProblem { key, message: message.clone() });
                }
            }
            _ => problems.push(ConfigProblem { key, message: error.masked().to_string() }),
        }
    }
    problems
}

/// The keys that the table may have which the keyword at this place of the schema is about.
fn known(schema: &Value, keyword: &str) -> Option<String> {
    let (table, _) = keyword.rsplit_once('/')?;
    let properties = schema.pointer(table)?.get("properties")?.as_object()?;
    let names: Vec<_> = properties.keys().map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A JSON pointer as a path with dots.
fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["root"],
            "properties": {
                "root": { "type": "string" },
                "password": { "type": "string", "minLength": 20, "writeOnly": true },
                "parts": {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": { "size": { "type": "integer" } }
                }
            }
        })
    }

    fn text(config: &Value) -> String {
        let mut lines: Vec<_> =
            problems(&schema(), config).iter().map(ToString::to_string).collect();
        lines.push(String::new());
        lines.join("\n")
    }

    #[test]
    fn a_good_table_has_no_problems() {
        assert_eq!(text(&json!({ "root": "/x", "parts": { "size": 3 } })), "");
    }

    #[test]
    fn every_unknown_key_is_named_by_its_path() {
        let text = text(&json!({ "root": "/x", "rooot": 1, "parts": { "sice": 3 } }));
        assert!(
            text.contains("rooot: unknown key; known here are parts, password, root\n"),
            "{text}"
        );
        assert!(text.contains("parts.sice: unknown key; known here are size\n"), "{text}");
        let none = json!({ "additionalProperties": false });
        let found = problems(&none, &json!({ "x": 1 }));
        assert_eq!(found[0].to_string(), "x: unknown key; the table has none");
    }

    #[test]
    fn a_wrong_type_and_a_missing_key_are_named() {
        let text = text(&json!({ "parts": { "size": "three" } }));
        assert!(text.contains("parts.size: "), "{text}");
        assert!(text.contains("root"), "{text}");
        assert!(!text.contains("three"), "a value is shown: {text}");
    }

    #[test]
    fn a_secret_that_is_wrong_is_not_shown() {
        let text = text(&json!({ "root": "/x", "password": "hunter2" }));
        assert!(text.contains("password: ") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_broken_schema_is_a_problem_and_no_panic() {
        assert_eq!(problems(&json!({ "type": 3 }), &json!({})).len(), 1);
    }
}
