//! From the sources to one valid `Config`, or to every problem at once.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use figment::{
    Error, Figment, Profile, Provider,
    error::Kind,
    providers::Serialized,
    value::{Dict, Value},
};

use super::{
    Config, check, default_stores,
    keys::{KeyKind, Keys, is_secret},
    layers::{CONFIG_VARIABLE, Layer, Setting, insert},
    problem::{ConfigError, Place, Problem},
    secret::redact_url,
};

/// The largest file that is read: far above any real one, and far below what would hurt.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Everything that a configuration is made of.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The file that an argument names. It must exist.
    pub config_file: Option<PathBuf>,
    /// The file that is read when nothing names one. It may be absent.
    pub default_file: PathBuf,
    /// The environment. Only `BOXVAULT_…` is looked at.
    pub environment: Vec<(OsString, OsString)>,
    /// Keys that arguments set.
    pub settings: Vec<Setting>,
}

/// A valid configuration, and where it came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that was read, if one was.
    pub file: Option<PathBuf>,
    /// What is allowed and still worth a line in the log.
    pub warnings: Vec<Problem>,
    /// Where each key that somebody set was set.
    pub(super) places: BTreeMap<Vec<String>, Place>,
}

impl Inputs {
    /// The sources of this process: its environment, `./config.toml`, and what the arguments say.
    pub fn of_process(config_file: Option<PathBuf>, settings: Vec<Setting>) -> Self {
        Self {
            config_file,
            default_file: PathBuf::from("config.toml"),
            environment: std::env::vars_os().collect(),
            settings,
        }
    }

    /// Reads, merges and checks all sources.
    ///
    /// Blocks on small files; call it before the server runs.
    ///
    /// # Errors
    ///
    /// Every problem of every source, not only the first.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let keys = Keys::new();
        let mut problems = Vec::new();
        let mut warnings = Vec::new();

        let (file, from_file) = self.read_file(&keys, &mut problems);
        let layers = [
            from_file,
            Layer::from_environment(&self.environment, &keys, &mut problems),
            Layer::from_settings(&self.settings, &keys, &mut problems),
        ];
        let secrets = read_secrets(&layers, &mut problems, &mut warnings);
        let layers: Vec<Layer> = layers.into_iter().chain([secrets]).collect();
        let places: BTreeMap<Vec<String>, Place> = layers
            .iter()
            .flat_map(|layer| &layer.values)
            .map(|(path, (_, place))| (path.clone(), place.clone()))
            .collect();

        let mut extraction = Extraction { keys: &keys, places: &places, problems: &mut problems };
        let config = extraction.extract(layers);
        match config {
            Some(mut config) => {
                if let Some(path) = &file {
                    warn_about_open_file(path, &config, &places, &mut warnings);
                }
                if !is_set(&places, &["stores"]) {
                    config.stores = default_stores(&config.server);
                }
                check::check(&config, &places, &mut problems, &mut warnings);
                if problems.is_empty() {
                    return Ok(Loaded { config, file, warnings, places });
                }
                Err(ConfigError { problems })
            }
            None => Err(ConfigError { problems }),
        }
    }

    fn read_file(&self, keys: &Keys, problems: &mut Vec<Problem>) -> (Option<PathBuf>, Layer) {
        let from_variable = self
            .environment
            .iter()
            .find(|(name, value)| name == CONFIG_VARIABLE && !value.is_empty())
            .map(|(_, value)| PathBuf::from(value));
        let named = self
            .config_file
            .clone()
            .map(|path| (path, Place::Argument("--config".to_owned())))
            .or_else(|| {
                from_variable.map(|path| (path, Place::Variable(CONFIG_VARIABLE.to_owned())))
            });
        let (path, named_by) = match named {
            Some((path, place)) => (path, Some(place)),
            None => (self.default_file.clone(), None),
        };
        let error = match read_text(&path) {
            Ok(text) => {
                let layer = Layer::from_toml(&path, &text, keys, problems);
                return (Some(path), layer);
            }
            Err(error) => error,
        };
        if named_by.is_some() || error.kind() != io::ErrorKind::NotFound {
            let message = format!("could not read {}: {error}", path.display());
            problems.push(Problem::new(named_by.unwrap_or(Place::Default), &[], message));
        }
        (None, Layer::new("file"))
    }
}

/// True when somebody set this key or one below it.
pub(super) fn is_set(places: &BTreeMap<Vec<String>, Place>, prefix: &[&str]) -> bool {
    places
        .keys()
        .any(|path| path.iter().zip(prefix).filter(|(a, b)| a == b).count() == prefix.len())
}

/// Where a key was set: its own place, or that of the nearest key above or below it.
pub(super) fn place_of(places: &BTreeMap<Vec<String>, Place>, path: &[String]) -> Place {
    let above = (0..=path.len()).rev().find_map(|length| places.get(path.get(..length)?));
    let below = || places.iter().find(|(set, _)| set.starts_with(path)).map(|(_, place)| place);
    above.or_else(below).cloned().unwrap_or(Place::Default)
}

fn read_text(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    fs::read_to_string(path)
}

/// Reads the files of `…_file` keys that count: a later source overrules an earlier one, and both
/// forms of one secret in the same source are a problem.
fn read_secrets(
    layers: &[Layer],
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Layer {
    let mut secrets = Layer::new("secret files");
    let mut counting: BTreeMap<&Vec<String>, Option<(&PathBuf, &Place)>> = BTreeMap::new();
    for layer in layers {
        for (path, (file, place)) in &layer.secret_files {
            if let Some((_, direct)) = layer.values.get(path) {
                let message = format!(
                    "and {}_file are both set; keep one (the other is at {place})",
                    path.join(".")
                );
                problems.push(Problem::new(direct.clone(), path, message));
            }
            counting.insert(path, Some((file, place)));
        }
        for path in layer.values.keys().filter(|path| !layer.secret_files.contains_key(*path)) {
            if let Some(overruled) = counting.get_mut(path) {
                *overruled = None;
            }
        }
    }
    let counting = counting.into_iter().filter_map(|(path, file)| Some((path, file?)));
    for (path, (file, named_by)) in counting {
        match read_text(file) {
            Ok(text) => {
                let place =
                    Place::SecretFile { path: file.clone(), named_by: Box::new(named_by.clone()) };
                if is_open_to_others(file) {
                    let message = "is a secret that every user of this machine can read; \
                                   chmod 600 the file";
                    warnings.push(Problem::new(place.clone(), path, message));
                }
                let secret = text.strip_suffix('\n').unwrap_or(&text);
                let secret = secret.strip_suffix('\r').unwrap_or(secret);
                secrets.values.insert(path.clone(), (Value::from(secret), place));
            }
            Err(error) => {
                let message = format!("could not be read from {}: {error}", file.display());
                problems.push(Problem::new(named_by.clone(), path, message));
            }
        }
    }
    secrets
}

fn warn_about_open_file(
    file: &Path,
    config: &Config,
    places: &BTreeMap<Vec<String>, Place>,
    warnings: &mut Vec<Problem>,
) {
    let in_file = |place: &Place| matches!(place, Place::File { .. });
    let url = config.database_url();
    let has_password = redact_url(url.expose()) != url.expose();
    let is_worth_hiding =
        |path: &[String]| is_secret(path) && (has_password || path != ["database", "url"]);
    let found = places.iter().find(|(path, place)| is_worth_hiding(path) && in_file(place));
    let Some((path, place)) = found else { return };
    if is_open_to_others(file) {
        let message = "is a secret in a file that every user of this machine can read; \
                       chmod 600 the file, or set the key with _file";
        warnings.push(Problem::new(place.clone(), path, message));
    }
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> bool {
    false
}

struct Extraction<'a> {
    keys: &'a Keys,
    places: &'a BTreeMap<Vec<String>, Place>,
    problems: &'a mut Vec<Problem>,
}

impl Extraction<'_> {
    /// Merges the layers over the defaults and makes the typed configuration of them.
    ///
    /// figment stops at the first value of a wrong type, so the wrong value is set aside, the
    /// default takes its place, and extraction begins anew until nothing is wrong any more.
    fn extract(&mut self, layers: Vec<Layer>) -> Option<Config> {
        let mut defaults = Config::default();
        if is_set(self.places, &["stores"]) {
            defaults.stores.clear();
        }
        if is_set(self.places, &["auth", "providers"]) {
            defaults.auth.providers.clear();
        }
        let merged = layers
            .into_iter()
            .fold(Figment::from(Serialized::defaults(defaults)), Figment::merge)
            .data();
        let mut merged = match merged {
            Ok(mut profiles) => profiles.remove(&Profile::Default).unwrap_or_default(),
            Err(error) => {
                self.problems.push(self.describe(&error, &error.path));
                return None;
            }
        };
        // Each round settles one path for good, and there are no more paths than settings.
        for _ in 0..=self.places.len() {
            let error = match Value::from(merged.clone()).deserialize::<Config>() {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
            let path = self.settled_path(&error.path);
            self.problems.push(self.describe(&error, &path));
            if path.is_empty() {
                return None;
            }
            match self.keys.default(&path) {
                Some(default) if self.keys.kind(&path) != Some(KeyKind::Entry) => {
                    insert(&mut merged, &path, default.clone());
                }
                _ => remove(&mut merged, &path),
            }
        }
        None
    }

    /// Cuts what lies inside a value (the index in a list, the key of an entry) off a path.
    fn settled_path(&self, path: &[String]) -> Vec<String> {
        (0..=path.len())
            .rev()
            .filter_map(|length| path.get(..length))
            .find(|prefix| !matches!(self.keys.kind(prefix), None | Some(KeyKind::Free)))
            .unwrap_or_default()
            .to_vec()
    }

    fn describe(&self, error: &Error, path: &[String]) -> Problem {
        let secret = is_secret(path);
        let message = match &error.kind {
            Kind::MissingField(field) => format!("has no \"{field}\", which it needs"),
            Kind::InvalidType(..) | Kind::InvalidValue(..) if secret => "must be a text".to_owned(),
            Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
                format!("must be {}, not {found}", in_words(expected))
            }
            Kind::UnknownVariant(found, known) => {
                let known: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
                format!("must be one of {}, not \"{found}\"", known.join(", "))
            }
            Kind::Message(message) => format!("is wrong: {message}"),
            other => format!("is wrong: {other}"),
        };
        Problem::new(place_of(self.places, path), path, message)
    }
}

/// serde's names of types, as an operator would say them.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number that is not negative",
        "a boolean" => "true or false",
        "a string" | "path string" => "a text",
        "a sequence" => "a list",
        other => other,
    }
}

fn remove(dict: &mut Dict, path: &[String]) {
    match path {
        [] => {}
        [key] => {
            dict.remove(key);
        }
        [key, rest @ ..] => {
            if let Some(Value::Dict(_, inner)) = dict.get_mut(key) {
                remove(inner, rest);
            }
        }
    }
}
