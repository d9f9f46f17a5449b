//! `config show`: every effective key, secrets hidden, each with where it came from.

use boxvault_types::views::system::SettingView;
use serde_json::Value;

use super::{Loaded, load::place_of, problem::Place, secret::redact_url};

/// Whether `config show` says where each value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origins {
    /// Only keys and values.
    Hidden,
    /// A comment with the place after each value.
    Shown,
}

impl Loaded {
    /// One line per key, `section.key = value`, loadable as TOML except for hidden secrets. A key
    /// that is not set and has no value to derive stands in a comment.
    pub fn show(&self, origins: Origins) -> String {
        let line = |setting: SettingView| match (setting.value, origins) {
            (None, _) => format!("# {} is not set\n", setting.key),
            (Some(value), Origins::Shown) => {
                format!("{} = {value}  # {}\n", setting.key, setting.origin)
            }
            (Some(value), Origins::Hidden) => format!("{} = {value}\n", setting.key),
        };
        self.settings().into_iter().map(line).collect()
    }

    /// Every key as it is in force, by section: secrets hidden, each with where it came from.
    pub fn settings(&self) -> Vec<SettingView> {
        let tree = serde_json::to_value(&self.config)
            .expect("a configuration is a table of plain values, and its keys are texts");
        let mut lines = Vec::new();
        flatten(&tree, &mut Vec::new(), &mut lines);
        lines.iter().map(|(path, value)| self.setting(path, value)).collect()
    }

    fn setting(&self, path: &[String], value: &Value) -> SettingView {
        let key = path.join(".");
        let derived = match (key.as_str(), value) {
            ("server.public_url", Value::Null) => Some(self.config.public_url(None).to_string()),
            // Hidden as a whole in the tree; everything but the password is worth seeing.
            ("database.url", _) => Some(redact_url(self.config.database_url().expose())),
            _ => None,
        };
        let place = place_of(&self.places, path);
        SettingView {
            key,
            value: match derived.map_or_else(|| value.clone(), Value::from) {
                Value::Null => None,
                value => Some(in_toml(&value)),
            },
            changed: place != Place::Default,
            origin: match place {
                Place::Default if value.is_null() => "derived".to_owned(),
                place => place.to_string(),
            },
        }
    }
}

fn in_toml(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |value| value.to_string())
}

fn flatten(value: &Value, path: &mut Vec<String>, lines: &mut Vec<(Vec<String>, Value)>) {
    match value {
        Value::Object(table) if path.len() < 4 && !table.is_empty() => {
            for (key, value) in table {
                path.push(key.clone());
                flatten(value, path, lines);
                path.pop();
            }
        }
        Value::Object(table) if table.is_empty() => {}
        other => lines.push((path.clone(), other.clone())),
    }
}
