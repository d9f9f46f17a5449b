//! What was begun and not ended: notes of uploads, and parts that clients sent (`direct.rs`).
//!
//! Google lists no uploads. So the address of one that takes longer than a chunk is noted beside where the object will be,
//! and the note goes with the upload. What a killed server leaves is found by it, and given up.

use std::sync::Arc;

use boxvault_plugin_sdk::{ObjectEntry, Result, StorageBackend as _, async_trait};
use boxvault_storage_opendal::{
    FindUnfinished, OpendalBackend, STAGING, StagedFiles, abort_staged, list_staged,
};
use uuid::Uuid;

use crate::upload::Bucket;

/// How many digits of a staged name are the upload's. Six more are the part's, from 1 on; those of a note are zeros.
pub(crate) const TOKEN_DIGITS: usize = 26;
const NOTE: &str = "000000";

/// Everything in the staging folder of a bucket.
#[derive(Debug)]
pub(crate) struct Unfinished {
    pub(crate) bucket: Arc<Bucket>,
    /// All files, the staged ones too.
    pub(crate) files: OpendalBackend,
}

/// What the names of an upload have in common that no other one's have.
pub(crate) fn new_token() -> String {
    let mut token = Uuid::new_v4().simple().to_string();
    token.truncate(TOKEN_DIGITS);
    token
}

/// The name that a part has until the object is made: one of those that [`list_staged`] knows.
pub(crate) fn part_name(key: &str, token: &str, number: &str) -> String {
    format!("{STAGING}/{key}~{token}{number}")
}

/// A name for the note of an upload.
pub(crate) fn note_name(key: &str) -> String {
    part_name(key, &new_token(), NOTE)
}

#[async_trait]
impl FindUnfinished for Unfinished {
    async fn list(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<ObjectEntry>> {
        list_staged(self, prefix, after, limit).await
    }

    async fn abort(&self, key: &str) -> Result<()> {
        abort_staged(self, key).await
    }
}

#[async_trait]
impl StagedFiles for Unfinished {
    async fn list_files(&self, prefix: &str, after: &str) -> Result<Vec<ObjectEntry>> {
        self.files.list_files(prefix, after).await
    }

    async fn remove_file(&self, name: &str) -> Result<()> {
        if name.ends_with(NOTE) {
            self.bucket.give_up_noted(name).await?;
        }
        self.files.delete(name).await
    }
}
