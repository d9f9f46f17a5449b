//! The storage suite on this backend directly; `boxvault plugin check` runs it, and more, on the library.

use std::sync::Arc;

use boxvault_plugin_conformance::storage;
use boxvault_plugin_sdk::StoragePlugin;

use crate::{Config, Shelf};

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_suite_passes() {
    let make = || async {
        let config = Config { bytes_max: 1 << 30, chunk_bytes: 64 * 1024 };
        Ok(Arc::from(Shelf::create(config).await?))
    };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
}
