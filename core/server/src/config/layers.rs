//! One source of configuration as a flat list of keys, values and places, for figment to merge.
//!
//! A variable or an argument is only text; what it becomes is decided by the kind of its key, not
//! by its looks, so that a password of digits stays a text.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use figment::{
    Error, Metadata, Profile, Provider,
    value::{Dict, Map, Value},
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    keys::{KeyKind, Keys, is_secret, is_snake_case, secret_of_file_key},
    problem::{Place, Problem},
    secret::is_secret_name,
};

/// What every variable begins with.
const PREFIX: &str = "BOXVAULT_";

/// The variable that names the file; not a key.
pub(super) const CONFIG_VARIABLE: &str = "BOXVAULT_CONFIG";

/// A key that an argument sets.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The argument, for messages: `--data-dir`.
    pub argument: String,
    /// The key with dots: `server.data_dir`.
    pub key: String,
    /// The value as it was written.
    pub value: String,
}

/// One source: its keys, each with its value and place, and its secret files.
pub(super) struct Layer {
    name: &'static str,
    pub(super) values: BTreeMap<Vec<String>, (Value, Place)>,
    /// Secret's path to the file that holds it.
    pub(super) secret_files: BTreeMap<Vec<String>, (PathBuf, Place)>,
}

impl Layer {
    pub(super) const fn new(name: &'static str) -> Self {
        Self { name, values: BTreeMap::new(), secret_files: BTreeMap::new() }
    }

    /// The keys of a TOML text. Every syntax error and every unknown key becomes a problem.
    pub(super) fn from_toml(
        file: &Path,
        text: &str,
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layer = Self::new("file");
        let (table, mut errors) = DeTable::parse_recoverable(text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        let place = |start: usize| {
            let before = text.get(..start).unwrap_or(text);
            Place::File { path: file.to_owned(), line: 1 + before.matches('\n').count() }
        };
        for error in &errors {
            let place = place(error.span().map_or(0, |span| span.start));
            problems.push(Problem::new(place, &[], error.message().replace('\n', ", ")));
        }
        // What a broken text still yields would only add misleading problems.
        if errors.is_empty() {
            let mut reader = TomlReader { layer: &mut layer, keys, place: &place, problems };
            reader.read_table(&mut Vec::new(), table.get_ref());
        }
        layer
    }

    /// The keys of the environment: `BOXVAULT_SERVER__DATA_DIR` is `server.data_dir`.
    ///
    /// An empty variable counts as not set, because that is what compose files make of a variable
    /// that nobody filled in.
    pub(super) fn from_environment(
        variables: &[(OsString, OsString)],
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layer = Self::new("environment");
        for (name, value) in variables {
            let name = name.to_string_lossy();
            let Some(key) = name.strip_prefix(PREFIX).filter(|_| name != CONFIG_VARIABLE) else {
                continue;
            };
            let place = Place::Variable(name.clone().into_owned());
            let path: Vec<String> = key.to_lowercase().split("__").map(str::to_owned).collect();
            match value.to_str() {
                Some("") => {}
                Some(text) => layer.set_text(path, text, place, keys, problems),
                None => problems.push(Problem::new(place, &path, "is not valid UTF-8")),
            }
        }
        layer
    }

    /// The keys of the arguments.
    pub(super) fn from_settings(
        settings: &[Setting],
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut layer = Self::new("arguments");
        for setting in settings {
            let place = Place::Argument(setting.argument.clone());
            let path: Vec<String> = setting.key.split('.').map(str::to_owned).collect();
            if is_secret(&path) {
                let message = format!(
                    "is a secret, and other users of this machine can see arguments: set {}_file \
                     or the variable {}",
                    setting.key,
                    variable_name(&path)
                );
                problems.push(Problem::new(place, &path, message));
                continue;
            }
            layer.set_text(path, &setting.value, place, keys, problems);
        }
        layer
    }

    fn set_text(
        &mut self,
        path: Vec<String>,
        text: &str,
        place: Place,
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) {
        let value = match keys.kind(&path) {
            None => Err(keys.unknown(&path)),
            Some(KeyKind::Table | KeyKind::Entries | KeyKind::Entry | KeyKind::Texts) => {
                Err("is a section: set its keys one by one".to_owned())
            }
            Some(KeyKind::Text) => Ok(Value::from(text)),
            Some(KeyKind::Number) => Ok(number(text).unwrap_or_else(|| Value::from(text))),
            Some(KeyKind::Boolean) => {
                Ok(text.trim().parse::<bool>().map_or_else(|_| Value::from(text), Value::from))
            }
            Some(KeyKind::List) => list(text),
            Some(KeyKind::Free) => Ok(free(path.last().map_or("", String::as_str), text)),
        };
        match value {
            Ok(value) => self.set(path, value, place, problems),
            Err(message) => problems.push(Problem::new(place, &path, message)),
        }
    }

    fn set(&mut self, path: Vec<String>, value: Value, place: Place, problems: &mut Vec<Problem>) {
        let Some(secret) = secret_of_file_key(&path) else {
            self.values.insert(path, (value, place));
            return;
        };
        match value.as_str() {
            Some(file) => {
                self.secret_files.insert(secret, (PathBuf::from(file), place));
            }
            None => problems.push(Problem::new(place, &path, "must be the path of a file")),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let mut dict = Dict::new();
        for (path, (value, _)) in &self.values {
            insert(&mut dict, path, value.clone());
        }
        Ok(Profile::Default.collect(dict))
    }
}

/// Puts a value at a path, making the tables on the way. A scalar on the way gives way.
pub(super) fn insert(dict: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [key] => {
            dict.insert(key.clone(), value);
        }
        [key, rest @ ..] => {
            let inner = dict.entry(key.clone()).or_insert_with(|| Value::from(Dict::new()));
            if !matches!(inner, Value::Dict(..)) {
                *inner = Value::from(Dict::new());
            }
            if let Value::Dict(_, inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The variable that sets a key.
pub(super) fn variable_name(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

struct TomlReader<'a, P> {
    layer: &'a mut Layer,
    keys: &'a Keys,
    place: &'a P,
    problems: &'a mut Vec<Problem>,
}

impl<P: Fn(usize) -> Place> TomlReader<'_, P> {
    fn read_table(&mut self, path: &mut Vec<String>, table: &DeTable<'_>) {
        for (key, value) in table {
            let place = (self.place)(key.span().start);
            path.push(key.get_ref().clone().into_owned());
            self.read_value(path, value, place);
            path.pop();
        }
    }

    fn read_value(&mut self, path: &mut Vec<String>, value: &Spanned<DeValue<'_>>, place: Place) {
        let table = value.get_ref().as_table();
        let kind = self.keys.kind(path);
        let in_map = matches!(kind, Some(KeyKind::Entry));
        let name = path.last().map_or("", String::as_str);
        let message = match (kind, table) {
            (None, _) => self.keys.unknown(path),
            (Some(KeyKind::Entry), _) if in_map && !is_snake_case(name) => {
                "is not a good name: lower-case letters, digits and single underscores, so that a \
                 variable can spell it"
                    .to_owned()
            }
            (
                Some(KeyKind::Table | KeyKind::Entries | KeyKind::Entry | KeyKind::Texts),
                Some(table),
            ) => return self.read_table(path, table),
            (Some(KeyKind::Table | KeyKind::Entries | KeyKind::Entry | KeyKind::Texts), None) => {
                format!("is a section, not a value: write [{}]", path.join("."))
            }
            (Some(_), _) => match convert(value.get_ref()) {
                Ok(value) => return self.layer.set(path.clone(), value, place, self.problems),
                Err(message) => message.to_owned(),
            },
        };
        self.problems.push(Problem::new(place, path, message));
    }
}

fn convert(value: &DeValue<'_>) -> Result<Value, &'static str> {
    Ok(match value {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Integer(integer) => {
            let number = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::from(number.map_err(|_| "is a number that does not fit into 64 bits")?)
        }
        DeValue::Float(float) => {
            Value::from(float.as_str().parse::<f64>().map_err(|_| "is not a number")?)
        }
        DeValue::Boolean(boolean) => Value::from(*boolean),
        DeValue::Datetime(_) => return Err("is a date, which no key takes: put it in quotes"),
        DeValue::Array(list) => {
            let items: Result<Vec<Value>, _> =
                list.iter().map(|item| convert(item.get_ref())).collect();
            Value::from(items?)
        }
        DeValue::Table(table) => {
            let mut entries = Dict::new();
            for (key, value) in table {
                entries.insert(key.get_ref().clone().into_owned(), convert(value.get_ref())?);
            }
            Value::from(entries)
        }
    })
}

fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<f64>().map(Value::from)).ok()
}

/// A list as TOML writes it, or separated by commas.
fn list(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('[') {
        return toml_value(text).ok_or_else(|| {
            "is no list: write [\"one\", \"two\"], or one,two without brackets".to_owned()
        });
    }
    let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
    Ok(Value::from(items.map(Value::from).collect::<Vec<_>>()))
}

/// A value for a plugin's own key, whose type only the plugin knows: secrets and paths are texts,
/// everything else is read as TOML where it is TOML. `"12345"` with its quotes is a text.
fn free(key: &str, text: &str) -> Value {
    if key == "plugin" || key.ends_with("_file") || is_secret_name(key) {
        return Value::from(text);
    }
    toml_value(text).unwrap_or_else(|| Value::from(text))
}

fn toml_value(text: &str) -> Option<Value> {
    convert(DeValue::parse(text.trim()).ok()?.get_ref()).ok()
}
