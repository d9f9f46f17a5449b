//! Objects that are not finished yet, for stores that know nothing of the kind: files of another name.
//!
//! What is written under `blobs/ab/1` is `.staging/blobs/ab/1~<32 digits>` until it is renamed. The name tells whose it
//! is, so that what a killed server leaves can be listed and removed.

use std::{collections::BTreeMap, time::SystemTime};

use boxvault_plugin_sdk::{ObjectEntry, Result, async_trait, storage::LIST_LIMIT_MAX};
use uuid::Uuid;

/// The folder of what is not finished; no key of an object begins with it.
pub const STAGING: &str = ".staging";
/// A tilde and the digits.
const SUFFIX_BYTES: usize = 33;

/// A new name for what will be this object.
pub fn staged(key: &str) -> String {
    format!("{STAGING}/{key}~{}", Uuid::new_v4().simple())
}

/// What all names of what will be this object begin with.
fn staged_prefix(key: &str) -> String {
    format!("{STAGING}/{key}~")
}

/// The key that a name stands for.
fn key_of(name: &str) -> Option<&str> {
    let name = name.strip_prefix(STAGING)?.strip_prefix('/')?;
    let (key, suffix) = name.split_at_checked(name.len().checked_sub(SUFFIX_BYTES)?)?;
    let digits = suffix.strip_prefix('~')?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(key)
}

/// Files of a store, those of the staging folder among them.
#[async_trait]
pub trait StagedFiles: Sync {
    /// A page of the files whose names begin with a prefix, those after `after` in their order: as many as a page may have.
    async fn list_files(&self, prefix: &str, after: &str) -> Result<Vec<ObjectEntry>>;

    /// Removes a file; one that is not there is fine.
    async fn remove_file(&self, name: &str) -> Result<()>;
}

/// Lists unfinished objects as a backend has to.
///
/// # Errors
/// Those of the files.
pub async fn list_staged(
    files: &impl StagedFiles,
    prefix: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<ObjectEntry>> {
    let mut begun: BTreeMap<String, Option<SystemTime>> = BTreeMap::new();
    // All of them: the order of the names is not that of the keys, and there are never many.
    for file in everything(files, &format!("{STAGING}/{prefix}")).await? {
        let Some(key) = key_of(&file.key).filter(|key| *key > after) else { continue };
        let last = begun.entry(key.to_owned()).or_insert(file.modified);
        *last = (*last).max(file.modified);
    }
    let rows = begun.into_iter().take(limit as usize);
    Ok(rows.map(|(key, modified)| ObjectEntry { key, size: 0, modified }).collect())
}

/// Removes everything that was begun for a key.
///
/// # Errors
/// Those of the files.
pub async fn abort_staged(files: &impl StagedFiles, key: &str) -> Result<()> {
    for file in everything(files, &staged_prefix(key)).await? {
        if key_of(&file.key) == Some(key) {
            files.remove_file(&file.key).await?;
        }
    }
    Ok(())
}

async fn everything(files: &impl StagedFiles, prefix: &str) -> Result<Vec<ObjectEntry>> {
    let mut all = Vec::new();
    let mut after = String::new();
    loop {
        let page = files.list_files(prefix, &after).await?;
        let is_last = page.len() < LIST_LIMIT_MAX as usize;
        all.extend(page);
        match all.last() {
            Some(last) if !is_last => after = last.key.clone(),
            _ => return Ok(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_key_and_others_tell_none() {
        for key in ["a", "blobs/ab/1", "a~b/c~", "ü"] {
            let name = staged(key);
            assert_eq!(key_of(&name), Some(key));
            assert!(name.starts_with(&staged_prefix(key)) && name != staged(key));
        }
        for name in ["", "blobs/ab/1", ".staging/short", ".staging/blobs/no~0123", STAGING] {
            assert_eq!(key_of(name), None, "{name}");
        }
    }
}
