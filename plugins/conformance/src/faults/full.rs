//! The disk of a store is full. Files of its process may not be longer than a limit, which fails like a full disk.

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, WriteOptions};

use super::{Case, Entry, cases, ensure_works};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
    storage::ensure_kind,
};

/// Where a disk is full.
pub(super) const FILE_BYTES_MAX: u64 = 1 << 20;

pub(super) const CASES: &[Entry<Case>] = cases! {
    LOCAL_PATH:
        a_full_disk_is_told_and_leaves_nothing;
};

async fn a_full_disk_is_told_and_leaves_nothing(case: Case) -> Verdict {
    let place = &case.place;
    let key = place.key("full");
    for hint in [None, Some(4 << 20)] {
        let error = write_too_much(place, &key, hint).await;
        let Some(error) = error else {
            return Err(crate::case::Finding::Failed(
                "more was written than the disk takes".to_owned(),
            ));
        };
        let kind = error.kind;
        ensure!(kind == PluginErrorKind::StorageFull, "expected storage full, got {error}");
        ensure_kind(place.store.stat(&key).await, PluginErrorKind::NotFound, "stat")?;
    }
    ensure_works(place).await
}

async fn write_too_much(
    place: &crate::storage::Case,
    key: &str,
    hint: Option<u64>,
) -> Option<PluginError> {
    let opened = place.store.open_writer(key, WriteOptions::with_size_hint(hint)).await;
    let mut writer = match opened {
        Ok(writer) => writer,
        Err(error) => return Some(error),
    };
    for seed in 0..16 {
        if let Err(error) = writer.write(seeded(seed, 256 * 1024)).await {
            return Some(error);
        }
    }
    writer.finish().await.err()
}
