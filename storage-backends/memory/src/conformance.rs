//! The storage suite on this backend directly.

use std::sync::Arc;

use boxvault_plugin_conformance::storage;
use boxvault_plugin_sdk::StoragePlugin;

use crate::{Config, Memory};

#[tokio::test]
async fn the_storage_suite_passes() {
    let make = || async { Ok(Arc::from(Memory::create(Config {}).await?)) };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
}
