//! Looking up: sizes, times, and what is not there.

use std::time::{Duration, SystemTime};

use boxvault_plugin_sdk::{ByteRange, PluginErrorKind};

use super::{Case, Entry, cases, ensure_kind};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        a_healthy_store_says_so,
        stat_of_a_missing_object_is_not_found,
        stat_says_the_size_and_a_plausible_time,
        a_folder_of_objects_is_no_object;
};

async fn a_healthy_store_says_so(case: Case) -> Verdict {
    Ok(case.store.health().await?)
}

async fn stat_of_a_missing_object_is_not_found(case: Case) -> Verdict {
    let stat = case.store.stat(&case.key("missing")).await;
    ensure_kind(stat, PluginErrorKind::NotFound, "stat")
}

async fn stat_says_the_size_and_a_plausible_time(case: Case) -> Verdict {
    for size in [0, 1, 4096, 100_001] {
        let name = format!("object{size}");
        case.put(&name, &seeded(30, size)).await?;
        let meta = case.store.stat(&case.key(&name)).await?;
        ensure!(meta.size == size as u64, "{size} bytes were written, stat says {}", meta.size);
        if let Some(modified) = meta.modified {
            // Another machine's clock may be off; another year's is not.
            let now = SystemTime::now();
            let off = now.duration_since(modified).unwrap_or_else(|error| error.duration());
            ensure!(off < Duration::from_hours(24), "it was written {off:?} away from now");
        }
    }
    Ok(())
}

async fn a_folder_of_objects_is_no_object(case: Case) -> Verdict {
    case.put("folder/object", &seeded(31, 10)).await?;
    let folder = case.key("folder");
    ensure_kind(case.store.stat(&folder).await, PluginErrorKind::NotFound, "stat")?;
    if let Ok(mut reader) = case.store.open_reader(&folder, ByteRange::FULL).await {
        ensure_kind(reader.next().await, PluginErrorKind::NotFound, "reading")?;
    }
    // Whether removing it is an error or nothing: the object stays.
    drop(case.store.delete(&folder).await);
    ensure!(case.get("folder/object").await?.len() == 10, "deleting the folder took the object");
    Ok(())
}
