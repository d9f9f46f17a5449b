//! Presigned addresses.

use std::time::Duration;

use boxvault_plugin_sdk::{Capabilities, PluginErrorKind, PresignOptions};

use super::{Case, Entry, cases, ensure_kind};
use crate::{
    bytes::seeded,
    case::{Verdict, ensure},
};

pub(super) const CASES: &[Entry] = cases! {
    NONE:
        what_is_not_declared_is_unsupported;
    PRESIGN_READ:
        a_presigned_address_is_one_of_the_web;
};

async fn a_presigned_address_is_one_of_the_web(case: Case) -> Verdict {
    case.put("object", &seeded(80, 100)).await?;
    let options = PresignOptions::expires_in(Duration::from_mins(5));
    let url = case.store.presign_read(&case.key("object"), options).await?;
    let web = url.starts_with("http://") || url.starts_with("https://");
    ensure!(web, "the address is not http or https");
    Ok(())
}

async fn what_is_not_declared_is_unsupported(case: Case) -> Verdict {
    case.put("object", &seeded(81, 100)).await?;
    let (key, store) = (case.key("object"), &case.store);
    let declared = store.capabilities();
    let unsupported = PluginErrorKind::Unsupported;
    if !declared.contains(Capabilities::PRESIGN_READ) {
        let options = PresignOptions::expires_in(Duration::from_mins(5));
        ensure_kind(store.presign_read(&key, options).await, unsupported, "presign")?;
    }
    if !declared.contains(Capabilities::LOCAL_PATH) {
        ensure_kind(store.local_path(&key).await, unsupported, "local path")?;
    }
    if !declared.contains(Capabilities::LIST) {
        ensure_kind(store.list("", None, 10).await, unsupported, "list")?;
    }
    if !declared.contains(Capabilities::LIST_UNFINISHED) {
        let listed = store.list_unfinished("", None, 10).await;
        ensure_kind(listed, unsupported, "list unfinished")?;
        ensure_kind(store.abort_unfinished(&key).await, unsupported, "abort unfinished")?;
    }
    Ok(())
}
