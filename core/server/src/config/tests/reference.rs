//! `config.toml` is the reference: it documents every key with its default, and nothing else. The
//! examples load.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::super::{keys::Keys, show::Origins, *};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(file: &Path) -> Loaded {
    let inputs = Inputs {
        config_file: Some(file.to_owned()),
        default_file: PathBuf::from("unused"),
        environment: Vec::new(),
        settings: Vec::new(),
    };
    inputs.load().unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn reference() -> String {
    fs::read_to_string(repository().join("config.toml")).unwrap()
}

const SECRET_FILES: [&str; 3] = ["# url_file", "# sealing_key_file", "# password_file"];

/// A line without the mark that makes it a comment, where it would be TOML without it.
fn uncommented(line: &str) -> &str {
    let Some(rest) = line.strip_prefix("# ") else { return line };
    let is_name = |text: &str| {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c))
    };
    let is_key = rest.split_once(" = ").is_some_and(|(key, _)| is_name(key));
    let is_section =
        rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).is_some_and(is_name);
    if is_key || is_section { rest } else { line }
}

/// Every key that the reference names, in a comment or not.
fn documented() -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in reference().lines().map(uncommented).filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, _)) = line.split_once(" = ") {
            assert!(keys.insert(format!("{section}.{key}")), "{section}.{key} stands there twice");
        }
    }
    keys
}

#[test]
fn the_reference_changes_nothing() {
    let loaded = load(&repository().join("config.toml"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let defaults = Inputs {
        config_file: None,
        default_file: PathBuf::from("/nonexistent/config.toml"),
        environment: Vec::new(),
        settings: Vec::new(),
    };
    assert_eq!(loaded.show(Origins::Hidden), defaults.load().unwrap().show(Origins::Hidden));
}

#[test]
fn the_reference_documents_every_key_and_nothing_else() {
    let documented = documented();
    for key in Keys::new().all() {
        let prefix = format!("{key}.");
        assert!(
            documented.iter().any(|name| *name == key || name.starts_with(&prefix)),
            "config.toml does not document {key}"
        );
    }
    for key in &documented {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        assert!(Keys::new().kind(&path).is_some(), "config.toml documents {key}, which is no key");
    }
}

#[test]
fn the_reference_sets_every_key_that_has_a_fixed_default() {
    let loaded = load(&repository().join("config.toml"));
    let unset: Vec<String> = loaded
        .show(Origins::Shown)
        .lines()
        .filter(|line| line.ends_with("# default"))
        .map(str::to_owned)
        .collect();
    // The default store lies in the data folder, wherever that is, and so cannot be fixed.
    assert_eq!(
        unset,
        ["stores.main.plugin = \"fs\"  # default", "stores.main.root = \"data/store\"  # default"]
    );
}

#[test]
fn what_the_reference_shows_in_comments_loads_when_it_is_uncommented() {
    let text: Vec<String> = reference()
        .lines()
        // One of the two ways to give a secret.
        .filter(|line| !SECRET_FILES.iter().any(|key| line.starts_with(key)))
        .map(|line| uncommented(line).to_owned())
        .collect();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, text.join("\n")).unwrap();
    let loaded = load(&file);
    assert!(loaded.config.server.tls_private_key_file.is_some());
    assert!(loaded.config.database.url.is_some());
    assert_eq!(loaded.config.plugins.pins.len(), 1);
}

#[test]
fn every_example_loads_without_a_warning() {
    let mut names = Vec::new();
    for entry in fs::read_dir(repository().join("examples/config")).unwrap() {
        let path = entry.unwrap().path();
        let loaded = load(&path);
        assert!(loaded.warnings.is_empty(), "{}: {:?}", path.display(), loaded.warnings);
        names.push(path.file_name().unwrap().to_str().unwrap().to_owned());
    }
    for name in ["minimal.toml", "behind-a-proxy.toml", "postgresql.toml", "closed.toml"] {
        assert!(names.iter().any(|found| found == name), "{name} is missing: {names:?}");
    }
}
