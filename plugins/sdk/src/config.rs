//! A plugin's configuration: JSON text in, typed struct out, problems with the key's path.
//!
//! The host has checked the table against the schema before it comes here; this side still parses
//! strictly, because a host written in another language may not.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::de::DeserializeOwned;

use crate::error::{PluginError, Result};

/// Reads a configuration.
///
/// # Errors
/// `InvalidConfig`, naming the key by its path and never its value's neighbors.
pub fn parse<C: DeserializeOwned>(json: &[u8]) -> Result<C> {
    // a list could stand for the fields of a struct, in their order
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(PluginError::invalid_config("the configuration is no table"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        PluginError::invalid_config(format!("{place}{}", error.inner()))
    })
}

/// The JSON Schema (2020-12) of a configuration, as it goes into the handshake.
pub fn schema<C: JsonSchema>() -> String {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<C>().to_value().to_string()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::secret::Secret;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Config {
        root: String,
        limits: Limits,
        password: Option<Secret>,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its shape matters")]
    struct Limits {
        parts: u32,
    }

    #[test]
    fn a_wrong_value_is_named_by_its_path() {
        let error = parse::<Config>(br#"{"root":"/x","limits":{"parts":"three"}}"#).unwrap_err();
        assert!(error.message.starts_with("limits.parts: "), "{error}");
    }

    #[test]
    fn what_is_no_table_is_an_error() {
        for json in ["", "null", "[]", "[\"/x\"]", "\"text\"", "7"] {
            let error = parse::<Config>(json.as_bytes()).unwrap_err();
            assert_eq!(error.message, "the configuration is no table", "{json}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        let error =
            parse::<Config>(br#"{"root":"/x","limits":{"parts":3,"prats":4}}"#).unwrap_err();
        assert!(error.message.contains("prats"), "{error}");
    }

    #[test]
    fn the_schema_forbids_unknown_keys_and_marks_secrets() {
        let schema: serde_json::Value = serde_json::from_str(&schema::<Config>()).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["limits"]["additionalProperties"], false);
        assert!(schema["properties"]["password"].to_string().contains("writeOnly"));
    }
}
