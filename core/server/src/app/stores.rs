//! The configured stores, by name. Which of them takes a new file is told by `placement`.

use std::{collections::BTreeMap, sync::Arc};

use boxvault_plugin_sdk::StorageBackend;
use boxvault_types::{error::ErrorCode, ids::UploadId};

use crate::error::{AppError, Result};

/// The first segment of every key, so that a bucket can be shared with other things.
const KEY_PREFIX: &str = "blobs/";
/// Under which keys this server writes; whatever else lies in a store is not ours.
pub(crate) const KEY_PREFIXES: [&str; 2] = [KEY_PREFIX, boxvault_plugin_host::PROBE_PREFIX];

/// The stores of one server.
pub(crate) struct Stores {
    by_name: BTreeMap<String, Arc<dyn StorageBackend>>,
    default: String,
}

impl Stores {
    /// Over opened backends; `default` is one of them.
    pub(crate) fn new(by_name: BTreeMap<String, Arc<dyn StorageBackend>>, default: String) -> Self {
        Self { by_name, default }
    }

    /// The store of a name that stands in a row of the catalog.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` if the configuration does not have it any more.
    pub(crate) fn get(&self, name: &str) -> Result<&Arc<dyn StorageBackend>> {
        self.by_name.get(name).ok_or_else(|| {
            AppError::new(
                ErrorCode::StoreUnavailable,
                "the store that holds this file is not configured on this server",
            )
            .with_source(format!("no [stores.{name}] in the configuration"))
        })
    }

    /// Whether the configuration has it.
    pub(crate) fn is_configured(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of the store that takes new files for which nobody says otherwise.
    pub(crate) fn default_name(&self) -> &str {
        &self.default
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Arc<dyn StorageBackend>)> {
        self.by_name.iter()
    }
}

/// The key of an upload's bytes: new, never reused, never renamed.
///
/// Shape: `blobs/ab/<upload id>`; the two digits are the last of the id, which are random, so that no folder of a
/// file system grows without bound.
pub(crate) fn key(upload: UploadId) -> String {
    let id = upload.0.simple().to_string();
    let fan_out = id.get(id.len() - 2..).unwrap_or("00");
    format!("{KEY_PREFIX}{fan_out}/{id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_over_folders_and_are_plain() {
        let (one, two) = (key(UploadId::new()), key(UploadId::new()));
        assert_ne!(one, two);
        assert!(boxvault_plugin_sdk::storage::check_key(&one).is_ok());
        assert_eq!(one.len(), "blobs/".len() + 3 + 32);
    }
}
