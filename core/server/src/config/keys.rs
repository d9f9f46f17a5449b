//! The keys that exist, what kind of value each takes, and what a misspelt one may have meant.
//!
//! The list is read off `Config::default()`, so that a new field needs no second entry here.

use figment::value::{Dict, Value};

use super::Config;

/// Keys that hold a secret. Each has a sibling `<key>_file` that names a file with the secret.
const SECRET_KEYS: [[&str; 2]; 3] =
    [["database", "url"], ["auth", "sealing_key"], ["mail", "password"]];

/// What may stand at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    /// A section: only keys, no value.
    Table,
    /// A map of entries by name: `[stores]`, `[auth.providers]`, `[storage.rules]`.
    Entries,
    /// One entry. The keys of one that uses a plugin are the plugin's own.
    Entry,
    /// A map of texts by name: `[plugins.pins]`.
    Texts,
    /// A text.
    Text,
    /// A number, or something else that may be written as one.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list of texts.
    List,
    /// A key of a plugin's own table: anything.
    Free,
}

/// All keys of the configuration.
pub(super) struct Keys {
    defaults: Dict,
}

impl Keys {
    /// Reads the keys off the defaults.
    pub(super) fn new() -> Self {
        let defaults = Value::serialize(Config::default())
            .ok()
            .and_then(Value::into_dict)
            .expect("the default configuration is a table of plain values");
        Self { defaults }
    }

    /// What may stand at this path, or `None` when there is no such key.
    pub(super) fn kind(&self, path: &[String]) -> Option<KeyKind> {
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["stores"] | ["auth", "providers"] | ["storage", "rules"] => {
                return Some(KeyKind::Entries);
            }
            ["stores", _] | ["auth", "providers", _] | ["storage", "rules", _] => {
                return Some(KeyKind::Entry);
            }
            ["stores", _, ..] | ["auth", "providers", _, ..] => return Some(KeyKind::Free),
            ["storage", "rules", _, "organizations"] => return Some(KeyKind::List),
            ["plugins", "pins"] => return Some(KeyKind::Texts),
            ["plugins", "pins", _] | ["storage", "rules", _, "larger_than" | "store"] => {
                return Some(KeyKind::Text);
            }
            [section, key] if is_secret_file_key(section, key) => return Some(KeyKind::Text),
            _ => {}
        }
        let (first, rest) = path.split_first()?;
        let value = rest
            .iter()
            .try_fold(self.defaults.get(first)?, |value, word| value.as_dict()?.get(word))?;
        Some(match value {
            Value::Dict(..) => KeyKind::Table,
            Value::Num(..) => KeyKind::Number,
            Value::Bool(..) => KeyKind::Boolean,
            Value::Array(..) => KeyKind::List,
            Value::String(..) | Value::Char(..) | Value::Empty(..) => KeyKind::Text,
        })
    }

    /// The default at a path.
    pub(super) fn default(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.defaults.get(first)?, |value, word| value.as_dict()?.get(word))
    }

    /// Every key that takes a value, with dots; maps stand for themselves.
    pub(super) fn all(&self) -> Vec<String> {
        let mut keys = Vec::new();
        collect(&self.defaults, "", &mut keys);
        keys.extend(SECRET_KEYS.iter().map(|key| format!("{}_file", key.join("."))));
        keys
    }

    /// What to say about a key that does not exist: the nearest one that does.
    pub(super) fn unknown(&self, path: &[String]) -> String {
        let wanted = path.join(".").to_lowercase().replace('-', "_");
        let last = wanted.rsplit('.').next().unwrap_or_default().to_owned();
        let mut sections: Vec<String> = self.defaults.keys().cloned().collect();
        sections.push("auth.providers".to_owned());
        let candidates = self.all().into_iter().chain(sections);
        let nearest = candidates
            .map(|key| {
                let same_name = key.rsplit('.').next() == Some(last.as_str());
                (if same_name { 1 } else { edit_distance(&key, &wanted) }, key)
            })
            .min();
        match nearest {
            Some((distance, key)) if distance <= 1 + last.len() / 4 => {
                format!("is not a key of the configuration; did you mean \"{key}\"?")
            }
            _ => "is not a key of the configuration; the reference config.toml lists all keys"
                .to_owned(),
        }
    }
}

fn collect(table: &Dict, prefix: &str, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        let is_map =
            matches!(key.as_str(), "stores" | "auth.providers" | "plugins.pins" | "storage.rules");
        match value {
            Value::Dict(_, inner) if !is_map => collect(inner, &key, keys),
            _ => keys.push(key),
        }
    }
}

/// Tells whether this key of a section names the file of a secret.
fn is_secret_file_key(section: &str, key: &str) -> bool {
    SECRET_KEYS.iter().any(|[secret_section, secret]| {
        section == *secret_section && key.strip_suffix("_file") == Some(secret)
    })
}

/// For a key that names a secret's file, the path of the secret itself.
pub(super) fn secret_of_file_key(path: &[String]) -> Option<Vec<String>> {
    let (last, table) = path.split_last()?;
    let stem = last.strip_suffix("_file")?;
    let words: Vec<&str> = table.iter().map(String::as_str).collect();
    let is_secret = match words.as_slice() {
        ["stores", _] | ["auth", "providers", _] => super::secret::is_secret_name(stem),
        [section] => is_secret_file_key(section, last),
        _ => false,
    };
    is_secret.then(|| table.iter().cloned().chain([stem.to_owned()]).collect())
}

/// Tells whether a value at this path must not be shown.
pub(super) fn is_secret(path: &[String]) -> bool {
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stores", _, key, ..] | ["auth", "providers", _, key, ..] => {
            super::secret::is_secret_name(key)
        }
        words => SECRET_KEYS.iter().any(|key| words == key),
    }
}

/// A name that variables can spell as well: lower snake case.
pub(super) fn is_snake_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
}

/// How many single-letter changes make one word of the other.
fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, other_letter) in row.iter_mut().skip(1).zip(&other) {
            let changed = diagonal + usize::from(letter != *other_letter);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &str) -> Vec<String> {
        key.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn edit_distance_counts_changes() {
        for (one, other, distance) in
            [("", "", 0), ("abc", "abc", 0), ("abc", "", 3), ("listen", "litsen", 2), ("a", "b", 1)]
        {
            assert_eq!(edit_distance(one, other), distance, "{one} {other}");
        }
    }

    #[test]
    fn unknown_keys_get_the_nearest_known_one() {
        let keys = Keys::new();
        for (wrong, right) in [
            ("server.htp_listen", "server.http_listen"),
            ("server.http-listen", "server.http_listen"),
            ("limits.upload_max_bytes", "reference config.toml"),
            ("server.page_size_max", "limits.page_size_max"),
            ("databse.url", "database.url"),
            ("srever", "server"),
            ("store.main", "reference config.toml"),
        ] {
            let message = keys.unknown(&path(wrong));
            assert!(message.contains(right), "{wrong}: {message}");
        }
    }

    #[test]
    fn kinds_follow_the_defaults() {
        let keys = Keys::new();
        for (key, kind) in [
            ("server", Some(KeyKind::Table)),
            ("server.public_url", Some(KeyKind::Text)),
            ("server.allowed_hosts", Some(KeyKind::List)),
            ("server.http_listen", Some(KeyKind::Number)),
            ("plugins.require_pins", Some(KeyKind::Boolean)),
            ("plugins.pins.fs", Some(KeyKind::Text)),
            ("stores.main.root", Some(KeyKind::Free)),
            ("storage.rules.large", Some(KeyKind::Entry)),
            ("storage.rules.large.organizations", Some(KeyKind::List)),
            ("storage.rules.large.shop", None),
            ("database.url_file", Some(KeyKind::Text)),
            ("server.data_dir_file", None),
            ("server.bind.deeper", None),
        ] {
            assert_eq!(keys.kind(&path(key)), kind, "{key}");
        }
    }
}
