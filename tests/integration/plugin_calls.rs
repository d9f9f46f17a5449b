//! Calls into a plugin that misbehaves: each ends, costs nothing but itself, and is counted.

use std::{fs, path::Path, time::Duration};

use boxvault_plugin_host::{LoadError, LoadedStorage, PluginHost};
use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, PluginErrorKind, StorageBackend, WriteOptions,
};
use boxvault_tests::{
    plugins::{CPlugin, host, impatient, log},
    skip, wait_for,
};
use futures_util::FutureExt;
use serde_json::json;

/// How long something that a plugin does on its own threads may take.
const SOON: Duration = Duration::from_secs(20);

async fn faulty(host: &PluginHost) -> LoadedStorage {
    host.open_storage("faulty", json!({})).await.unwrap()
}

/// How many files lie in a folder.
fn files(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// How many files lie unfinished in the staging folder of a file store.
fn unfinished(root: &Path) -> usize {
    let folders = fs::read_dir(root.join(".staging")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.map(|folder| files(&folder)).sum()
}

/// Begins to write, and drops that.
async fn drop_uploads(store: &LoadedStorage) {
    for _ in 0..10 {
        let mut writer = store.open_writer("blobs/x", WriteOptions::default()).await.unwrap();
        writer.write(vec![7; 3 << 20].into()).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_an_error_of_one_call_and_is_counted() {
    let host = host();
    let store = faulty(&host).await;
    for key in ["panic", "panic-later"] {
        let error = store.stat(key).await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::Panicked, "{error}");
        assert!(error.message.contains("faulty") && error.message.contains("as told"), "{error}");
    }
    let mut reader = store.open_reader("panic", ByteRange::FULL).await.unwrap();
    for _ in 0..100 {
        assert_eq!(reader.next().await.unwrap_err().kind, PluginErrorKind::Panicked);
    }
    let mut writer = store.open_writer("panic", WriteOptions::default()).await.unwrap();
    let error = writer.write(Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Panicked);
    assert_eq!(writer.finish().await.unwrap_err().kind, PluginErrorKind::Panicked);
    let writer = store.open_writer("finish-panic", WriteOptions::default()).await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err().kind, PluginErrorKind::Panicked);

    store.health().await.unwrap();
    assert!(store.counters().panics >= 5, "{:?}", store.counters());
    assert_eq!(store.counters().in_flight, 0);
}

#[tokio::test]
async fn a_hanging_call_ends_at_its_deadline_and_hung_calls_are_limited() {
    let host = impatient();
    let store = faulty(&host).await;
    for _ in 0..4 {
        let error = store.stat("hang").await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::DeadlineExceeded, "{error}");
    }
    let counters = store.counters();
    assert_eq!((counters.deadlines_exceeded, counters.in_flight), (4, 4));
    let error = store.stat("anything").await.unwrap_err();
    assert_eq!((error.kind, error.retry), (PluginErrorKind::Unavailable, true), "{error}");
}

#[tokio::test]
async fn a_hanging_reader_and_writer_end_at_their_deadlines() {
    let host = impatient();
    let store = faulty(&host).await;
    let mut reader = store.open_reader("hang", ByteRange::FULL).await.unwrap();
    assert_eq!(reader.next().await.unwrap_err().kind, PluginErrorKind::DeadlineExceeded);
    drop(reader);
    let mut writer = store.open_writer("hang", WriteOptions::default()).await.unwrap();
    let mut result = Ok(());
    for _ in 0..10 {
        result = writer.write(Bytes::from_static(b"x")).await;
        if result.is_err() {
            break;
        }
    }
    assert_eq!(result.unwrap_err().kind, PluginErrorKind::DeadlineExceeded);
}

#[tokio::test]
async fn a_failure_behind_the_hosts_back_comes_with_the_next_call() {
    let host = host();
    let store = faulty(&host).await;
    for more in 1..6 {
        let mut writer = store.open_writer("full", WriteOptions::default()).await.unwrap();
        let mut failed = None;
        for _ in 0..=more {
            if let Err(error) = writer.write(Bytes::from_static(b"x")).await {
                failed = Some(error);
            }
        }
        let error = writer.finish().await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::StorageFull, "{error}");
        assert!(failed.is_none_or(|earlier| earlier.kind == PluginErrorKind::StorageFull));
    }
    assert_eq!(store.stat("full").await.unwrap_err().kind, PluginErrorKind::NotFound);
}

#[tokio::test]
async fn everything_that_is_dropped_is_released() {
    let host = host();
    let store = faulty(&host).await;
    for _ in 0..20 {
        let mut reader = store.open_reader("endless", ByteRange::FULL).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        let mut writer = store.open_writer("unfinished", WriteOptions::default()).await.unwrap();
        writer.write(Bytes::from_static(b"x")).await.unwrap();
    }
    // Given up before the plugin answers: what it answers then is released too.
    for _ in 0..20 {
        drop(store.open_reader("late", ByteRange::FULL).now_or_never());
    }
    wait_for("all readers and writers to be released", SOON, async || {
        let idle = store.counters().in_flight == 0;
        (idle && store.stat("alive").await.unwrap().size == 0).then_some(())
    })
    .await;
    assert_eq!(store.stat("unfinished").await.unwrap_err().kind, PluginErrorKind::NotFound);
}

#[tokio::test]
async fn a_dropped_read_loses_no_bytes() {
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    let config = json!({ "root": root.path(), "read_chunk_bytes": 4096 });
    let store = host.open_storage("fs", config).await.unwrap();
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let mut writer = store.open_writer("object", WriteOptions::default()).await.unwrap();
    writer.write(bytes.clone().into()).await.unwrap();
    writer.finish().await.unwrap();

    let mut reader = store.open_reader("object", ByteRange::FULL).await.unwrap();
    let mut found = Vec::new();
    loop {
        // Polled once and dropped; its bytes must come with a later call.
        let polled = tokio::select! {
            biased;
            chunk = reader.next() => Some(chunk),
            () = std::future::ready(()) => None,
        };
        match polled {
            Some(chunk) => match chunk.unwrap() {
                Some(chunk) => found.extend_from_slice(&chunk),
                None => break,
            },
            None => tokio::task::yield_now().await,
        }
    }
    assert!(found == bytes, "{} bytes came instead of {}", found.len(), bytes.len());
}

#[tokio::test]
async fn a_second_answer_is_ignored_and_counted() {
    let Some(plugin) = CPlugin::faulty("a_second_answer_is_ignored_and_counted", &["FAULT_TWICE"])
    else {
        return;
    };
    let host = host();
    let store = host.open_storage(plugin.source(), json!({})).await.unwrap();
    for _ in 0..50 {
        store.stat("key").await.unwrap();
    }
    wait_for("all second answers to be counted", SOON, async || {
        (store.counters().violations == 100).then_some(())
    })
    .await;
    store.health().await.unwrap();
    assert_eq!(store.counters().in_flight, 0);
}

#[tokio::test]
async fn answers_that_break_the_contract_are_errors() {
    let test = "answers_that_break_the_contract_are_errors";
    for (define, kind) in [
        ("FAULT_NO_OUTCOME", PluginErrorKind::ContractViolation),
        ("FAULT_LENGTH_WITHOUT_BYTES", PluginErrorKind::ContractViolation),
        ("FAULT_UNKNOWN_STATUS", PluginErrorKind::Unexpected),
    ] {
        let Some(plugin) = CPlugin::faulty(test, &[define]) else { return };
        let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
        assert_eq!(store.stat("key").await.unwrap_err().kind, kind, "{define}");
        store.health().await.unwrap();
    }
    let Some(plugin) = CPlugin::faulty(test, &["FAULT_NO_HANDLE"]) else { return };
    let error = host().open_storage(plugin.source(), json!({})).await.map(drop).unwrap_err();
    let LoadError::Create { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind, PluginErrorKind::ContractViolation);

    // Opening that answers without a reader or writer, and rows that are not there.
    let Some(plugin) = CPlugin::faulty(test, &["FAULT_TWICE"]) else { return };
    let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
    let opened = store.open_reader("key", ByteRange::FULL).await.map(drop);
    assert_eq!(opened.unwrap_err().kind, PluginErrorKind::ContractViolation);
    let opened = store.open_writer("key", WriteOptions::default()).await.map(drop);
    assert_eq!(opened.unwrap_err().kind, PluginErrorKind::ContractViolation);
    let listed = store.list("", None, 10).await.unwrap_err();
    assert_eq!(listed.kind, PluginErrorKind::ContractViolation);
}

#[tokio::test]
async fn a_c_plugin_that_never_answers_is_given_up() {
    let Some(plugin) =
        CPlugin::faulty("a_c_plugin_that_never_answers_is_given_up", &["FAULT_NEVER"])
    else {
        return;
    };
    let host = impatient();
    let store = host.open_storage(plugin.source(), json!({})).await.unwrap();
    let error = store.stat("key").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::DeadlineExceeded, "{error}");
    store.health().await.unwrap();
}

#[tokio::test]
async fn listings_that_cannot_be_right_are_refused() {
    let host = host();
    let store = faulty(&host).await;
    for prefix in ["unsorted/", "foreign/", "endless/"] {
        let error = store.list(prefix, None, 10).await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::ContractViolation, "{prefix}: {error}");
    }
    let error = store.local_path("anything").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::ContractViolation, "{error}");
    assert_eq!(store.counters().violations, 4);
}

#[tokio::test]
async fn the_probe_switches_off_what_is_not_true() {
    let host = host();
    let store = faulty(&host).await;
    assert!(store.capabilities().contains(Capabilities::CREATE_NEW | Capabilities::LOCAL_PATH));
    let report = store.probe().await.unwrap();
    let off: Vec<_> = report.switched_off.iter().map(|(capability, _)| *capability).collect();
    assert_eq!(off, [Capabilities::LOCAL_PATH, Capabilities::CREATE_NEW]);
    assert_eq!(store.capabilities(), Capabilities::RANGE_READ | Capabilities::LIST);
    let error = store.local_path("anything").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Unsupported);
}

#[tokio::test]
async fn the_probe_believes_honest_stores_and_leaves_nothing() {
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    for (plugin, config) in [("fs", json!({ "root": root.path() })), ("memory", json!({}))] {
        let store = host.open_storage(plugin, config).await.unwrap();
        let declared = store.capabilities();
        let report = store.probe().await.unwrap();
        assert_eq!(report.switched_off, [], "{plugin}");
        assert_eq!(store.capabilities(), declared, "{plugin}");
        assert_eq!(store.list("", None, 10).await.unwrap(), [], "{plugin}");
    }
}

#[tokio::test]
async fn a_dropped_upload_leaves_no_file_behind() {
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    let store = host.open_storage("fs", json!({ "root": root.path() })).await.unwrap();
    drop_uploads(&store).await;
    wait_for("the unfinished files to go", SOON, async || {
        (unfinished(root.path()) == 0).then_some(())
    })
    .await;
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_dropped_upload_to_a_plugin_in_c_leaves_no_file_behind() {
    let test = "a_dropped_upload_to_a_plugin_in_c_leaves_no_file_behind";
    let Some(plugin) = CPlugin::compile("storage-c/storage_c.c", &[]) else {
        return skip(test, "there is no C compiler (cc)");
    };
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    let config = json!({ "root": root.path() });
    let store = host.open_storage(plugin.source(), config).await.unwrap();
    drop_uploads(&store).await;
    wait_for("the unfinished files to go", SOON, async || {
        (files(&root.path().join(".staging")) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_plugin_logs_and_its_panics_are_in_the_hosts_log_under_its_name() {
    let host = host();
    let store = faulty(&host).await;
    store.stat("log").await.unwrap();
    store.stat("panic").await.unwrap_err();
    let log = log();
    let line = log.lines().find(|line| line.contains("a line from the plugin"));
    let line = line.unwrap_or_else(|| panic!("the line is not in the log: {log}"));
    assert!(line.contains("WARN") && line.contains("answer=42"), "{line}");
    assert!(line.contains(r#"plugin="faulty""#), "{line}");
    let line = log.lines().find(|line| line.contains("stat panics, as told"));
    assert!(log.contains("panicked at"), "{log}");
    assert!(line.is_some(), "the panic is not in the log: {log}");
}
