//! Where plugins lie: the configured folders, then beside the program.
//!
//! Only a named file is ever opened; no folder is scanned.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    path::{Path, PathBuf},
};

use crate::{error::LoadError, library::PluginKind};

/// Finds the file of a plugin, by name or path.
///
/// # Errors
/// `NotFound` with every path that was tried; `BadName`.
pub(crate) fn locate(
    plugin: &str,
    kind: PluginKind,
    search_paths: &[PathBuf],
) -> Result<PathBuf, LoadError> {
    let candidates = if plugin.contains('/') {
        vec![PathBuf::from(plugin)]
    } else {
        let file_name = file_name(plugin, kind)?;
        folders(search_paths).into_iter().map(|folder| folder.join(&file_name)).collect()
    };
    match candidates.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => Err(LoadError::NotFound { plugin: plugin.to_owned(), searched: candidates }),
    }
}

fn file_name(plugin: &str, kind: PluginKind) -> Result<String, LoadError> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    if plugin.is_empty() || plugin.len() > 64 || !plugin.chars().all(fine) {
        return Err(LoadError::BadName { plugin: plugin.to_owned() });
    }
    let name = plugin.replace('-', "_");
    Ok(format!("{DLL_PREFIX}boxvault_{}_{name}{DLL_SUFFIX}", kind.as_str()))
}

fn folders(search_paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut folders = search_paths.to_vec();
    let program = std::env::current_exe().ok();
    if let Some(beside) = program.as_deref().and_then(Path::parent) {
        folders.push(beside.to_path_buf());
        folders.push(beside.join("plugins"));
        folders.push(beside.join("deps"));
        folders.push(beside.join("../lib/boxvault/plugins"));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_the_file_that_cargo_builds() {
        assert_eq!(
            file_name("my-store", PluginKind::Storage).unwrap(),
            format!("{DLL_PREFIX}boxvault_storage_my_store{DLL_SUFFIX}")
        );
        for name in ["", "..", "a.b", "Fs", "a\0", &"x".repeat(65)] {
            assert!(file_name(name, PluginKind::Auth).is_err(), "{name:?} passed");
        }
    }

    #[test]
    fn configured_folders_come_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(file_name("x", PluginKind::Storage).unwrap());
        std::fs::File::create(&file).unwrap();
        let found = locate("x", PluginKind::Storage, &[folder.path().to_path_buf()]).unwrap();
        assert_eq!(found, file);
    }

    #[test]
    fn a_missing_plugin_names_every_place_and_what_to_run() {
        let error = locate("nowhere", PluginKind::Auth, &["/etc/plugins".into()]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/etc/plugins/libboxvault_auth_nowhere"), "{text}");
        assert!(text.contains("cargo build"), "{text}");
        let LoadError::NotFound { searched, .. } = error else { panic!("{text}") };
        assert_eq!(searched.len(), 5);
    }
}
