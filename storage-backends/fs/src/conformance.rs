//! The storage suite on this backend directly, and what only this backend promises.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command, sync::Arc};

use boxvault_plugin_conformance::storage;
use boxvault_plugin_sdk::{Bytes, PluginErrorKind, StorageBackend, StoragePlugin, WriteOptions};

use crate::{Config, Fs, staging};

fn config(root: &Path) -> Config {
    Config { root: root.to_path_buf(), read_chunk_bytes: 64 << 10, write_chunk_bytes: 64 << 10 }
}

async fn store(root: &Path) -> Box<dyn StorageBackend> {
    Fs::create(config(root)).await.unwrap()
}

/// How many unfinished files lie in the staging folder.
fn unfinished(root: &Path) -> usize {
    let folders = fs::read_dir(root.join(staging::FOLDER)).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.map(|folder| fs::read_dir(folder).unwrap().count()).sum()
}

#[tokio::test]
async fn the_storage_suite_passes() {
    let root = tempfile::tempdir().unwrap();
    let make = || async { Ok(Arc::from(Fs::create(config(root.path())).await?)) };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(unfinished(root.path()), 0);
}

#[tokio::test]
async fn an_aborted_and_a_dropped_writer_leave_no_file() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path()).await;
    let mut writer = store.open_writer("a/b", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from(vec![1; 200_000])).await.unwrap();
    assert_eq!(unfinished(root.path()), 1, "it is written somewhere else");
    writer.abort().await.unwrap();
    assert_eq!(unfinished(root.path()), 0);
}

#[tokio::test]
async fn keys_in_the_staging_folder_are_refused_and_not_listed() {
    let root = tempfile::tempdir().unwrap();
    let store = store(root.path()).await;
    for key in [".staging", ".staging/x", ".staging/lock"] {
        let error = store.stat(key).await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::InvalidInput, "{key}");
    }
    let mut writer = store.open_writer("x", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from(vec![1; 200_000])).await.unwrap();
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
    assert_eq!(store.list(".staging/", None, 10).await.unwrap(), []);
    writer.abort().await.unwrap();
}

/// Set for the copy of this program that runs on a small disk.
const SMALL_DISK: &str = "BOXVAULT_TEST_SMALL_DISK";

/// Runs itself again with a tmpfs of one megabyte as root; that needs a user namespace.
#[tokio::test]
async fn a_full_disk_is_storage_full_and_leaves_nothing() {
    if let Some(root) = std::env::var_os(SMALL_DISK) {
        return fill_the_disk(Path::new(&root)).await;
    }
    let root = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=1m none \"$1\" && exec \"$0\" --exact \"$2\"";
    let name = "conformance::a_full_disk_is_storage_full_and_leaves_nothing";
    let mut probe = Command::new("unshare");
    probe.args(["-rm", "mount", "-t", "tmpfs", "none"]).arg(root.path());
    if !probe.output().is_ok_and(|output| output.status.success()) {
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!ci, "with CI=true it must be possible to mount a tmpfs");
        println!("skipped: no tmpfs can be mounted here, so no disk can be filled");
        return;
    }
    let inner = Command::new("unshare")
        .args(["-rm", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(root.path())
        .arg(name)
        .env(SMALL_DISK, root.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&inner.stdout);
    assert!(inner.status.success() && text.contains("1 passed"), "{inner:?}");
}

async fn fill_the_disk(root: &Path) {
    let store = store(root).await;
    let mut writer = store.open_writer("small", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from(vec![1; 100_000])).await.unwrap();
    writer.finish().await.unwrap();

    let mut writer = store.open_writer("big", WriteOptions::default()).await.unwrap();
    let mut failure = None;
    for _ in 0..32 {
        if let Err(error) = writer.write(Bytes::from(vec![2; 100_000])).await {
            failure = Some(error);
            break;
        }
    }
    let failure = match failure {
        Some(error) => {
            writer.abort().await.unwrap();
            error
        }
        None => writer.finish().await.unwrap_err(),
    };
    assert_eq!(failure.kind, PluginErrorKind::StorageFull, "{failure}");
    assert_eq!(unfinished(root), 0);
    assert_eq!(store.stat("big").await.unwrap_err().kind, PluginErrorKind::NotFound);
    assert_eq!(store.stat("small").await.unwrap().size, 100_000);
}

#[tokio::test]
async fn a_new_root_is_closed_to_other_users() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("new/root");
    drop(store(&root).await);
    let mode = fs::metadata(&root).unwrap().permissions().mode();
    assert_eq!(mode & 0o007, 0, "{mode:o}");
}

#[tokio::test]
async fn a_root_that_is_a_file_is_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::File::create(&file).unwrap();
    let error = Fs::create(config(&file)).await.map(drop).unwrap_err();
    assert!(error.message.contains("root"), "{error}");
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    let config = Config { read_chunk_bytes: 1, ..config(Path::new("/x")) };
    let error = Fs::validate(&config).unwrap_err();
    assert!(error.message.starts_with("read_chunk_bytes: "), "{error}");
}
