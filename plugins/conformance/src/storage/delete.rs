//! Deleting: gone is gone, and twice is once.

use boxvault_plugin_sdk::{Capabilities, PluginErrorKind};

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        a_deleted_object_is_gone,
        deleting_twice_is_no_error,
        deleting_leaves_the_neighbors_alone;
};

async fn a_deleted_object_is_gone(case: Case) -> Verdict {
    case.put("object", &seeded(40, 1000)).await?;
    let key = case.key("object");
    case.store.delete(&key).await?;
    ensure_kind(case.store.stat(&key).await, PluginErrorKind::NotFound, "stat")?;
    if case.store.capabilities().contains(Capabilities::LIST) {
        ensure!(case.names("").await?.is_empty(), "a deleted object is listed");
    }
    Ok(())
}

async fn deleting_twice_is_no_error(case: Case) -> Verdict {
    case.put("object", &seeded(41, 1000)).await?;
    let key = case.key("object");
    case.store.delete(&key).await?;
    case.store.delete(&key).await?;
    case.store.delete(&case.key("never/there")).await?;
    Ok(())
}

async fn deleting_leaves_the_neighbors_alone(case: Case) -> Verdict {
    let bytes = seeded(42, 1000);
    for name in ["a/b", "a/bb", "a/c/d"] {
        case.put(name, &bytes).await?;
    }
    case.store.delete(&case.key("a/b")).await?;
    for name in ["a/bb", "a/c/d"] {
        ensure_same(&case.get(name).await?, &bytes, name)?;
    }
    Ok(())
}
