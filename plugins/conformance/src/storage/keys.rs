//! Keys: the strange ones work, the hostile ones are refused.

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, PluginErrorKind, WriteOptions, storage::KEY_BYTES_MAX,
};

use super::{Case, Entry, cases, ensure_kind, ensure_same};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        strange_keys_keep_their_objects_apart,
        hostile_keys_are_refused;
    LIST:
        a_hostile_prefix_lists_nothing_foreign;
};

async fn strange_keys_keep_their_objects_apart(case: Case) -> Verdict {
    let long = "l".repeat(200);
    let names = [
        "plain",
        "with space",
        "a..b",
        "...",
        "%2e%2e",
        "a%2Fb",
        "q?x=1&y#z",
        "'\"`$(x)",
        "-rf",
        "ümlaut",
        "日本語",
        "🔑",
        "UPPER",
        "upper",
        "d/e/e/p/e/r",
        &long,
    ];
    for (seed, name) in (50..).zip(names) {
        case.put(name, &seeded(seed, 500)).await?;
    }
    for (seed, name) in (50..).zip(names) {
        ensure_same(&case.get(name).await?, &seeded(seed, 500), &format!("{name:?}"))?;
    }
    Ok(())
}

async fn hostile_keys_are_refused(case: Case) -> Verdict {
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let inside = case.key("x/../../y");
    for key in [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/..",
        "a/../b",
        ".",
        "./a",
        "a/.",
        "a/",
        "a//b",
        "a\0b",
        "a\nb",
        "a\\b",
        "..\\x",
        &long,
        &inside,
    ] {
        let what = |operation: &str| {
            let shown: String = key.chars().take(40).collect();
            format!("{operation} {shown:?}")
        };
        let store = &case.store;
        let bad = PluginErrorKind::InvalidInput;
        ensure_kind(store.stat(key).await, bad, &what("stat"))?;
        ensure_kind(store.open_reader(key, ByteRange::FULL).await.map(drop), bad, &what("read"))?;
        let writer = store.open_writer(key, WriteOptions::default()).await;
        ensure_kind(writer.map(drop), bad, &what("write"))?;
        ensure_kind(store.delete(key).await, bad, &what("delete"))?;
        if store.capabilities().contains(Capabilities::LOCAL_PATH) {
            ensure_kind(store.local_path(key).await, bad, &what("local path"))?;
        }
    }
    Ok(())
}

async fn a_hostile_prefix_lists_nothing_foreign(case: Case) -> Verdict {
    for prefix in ["../", "/", "..", "/etc/", "a/../../", "\0"] {
        if let Ok(entries) = case.store.list(prefix, None, 10).await {
            ensure!(entries.is_empty(), "{prefix:?} lists {:?}", entries.first());
        }
    }
    Ok(())
}
