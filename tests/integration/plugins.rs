//! A plugin's library as it is found, trusted, understood and opened: what fits, what is refused, and by which words.
//! What each plugin promises, and ours keep, is asked in `plugin_check.rs`.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use boxvault_plugin_host::{LoadError, PluginKind, PluginSource};
use boxvault_plugin_sdk::{Bytes, Capabilities, PluginErrorKind, StorageBackend, WriteOptions};
use boxvault_tests::{
    plugins::{CPlugin, host, impatient, log},
    server::unconfigured,
    workspace,
};
use serde_json::{Value, json};

async fn refusal(plugin: &CPlugin) -> LoadError {
    host().open_storage(plugin.source(), json!({})).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn a_handshake_says_what_a_plugin_is() {
    let info = host().inspect("fs", PluginKind::Storage).await.unwrap();
    assert_eq!((info.name.as_str(), info.kind), ("fs", PluginKind::Storage));
    assert_eq!(info.abi, (1, 2));
    assert_eq!(info.license, "Apache-2.0 OR MIT");
    assert_eq!(info.config_schema["required"], json!(["root"]));
}

#[tokio::test]
async fn a_plugin_of_the_other_kind_is_refused() {
    let (_, counters) = {
        let host = host();
        host.inspect("fs", PluginKind::Storage).await.unwrap();
        host.plugins().remove(0)
    };
    assert_eq!(counters.calls, 0, "looking at a plugin calls nothing");
    let info = host().inspect("fs", PluginKind::Storage).await.unwrap();
    let error = host().open_auth(info.path.to_str().unwrap(), json!({})).await.map(drop);
    let LoadError::Handshake { field, expected, found, .. } = error.unwrap_err() else {
        panic!("another error")
    };
    assert_eq!((field, expected.as_str(), found.as_str()), ("kind", "auth", "storage"));
}

#[tokio::test]
async fn a_handshake_that_does_not_fit_is_refused_by_its_field() {
    let test = "a_handshake_that_does_not_fit_is_refused_by_its_field";
    for (define, expected) in [
        ("FAULT_MAGIC=1", "magic"),
        ("FAULT_ABI_MAJOR=2", "abi version"),
        ("FAULT_ABI_MAJOR=0", "abi version"),
        ("FAULT_SIZE=32", "size"),
        ("FAULT_KIND=9", "kind"),
        ("FAULT_TARGET=\"sparc-sun-solaris\"", "target"),
        ("FAULT_SCHEMA=\"{\"", "config_schema"),
        ("FAULT_NO_TABLE", "table"),
        ("FAULT_SHORT_TABLE", "table.capabilities"),
        ("FAULT_NO_FUNCTION", "table.stat"),
        ("FAULT_NO_HANDSHAKE", "handshake"),
    ] {
        let Some(plugin) = CPlugin::faulty(test, &[define]) else { return };
        let error = refusal(&plugin).await;
        let LoadError::Handshake { path, field, .. } = &error else { panic!("{define}: {error}") };
        assert_eq!(*field, expected, "{define}");
        assert!(path.ends_with("plugin.so"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_plugin_of_another_abi_is_told_both_versions() {
    let test = "a_plugin_of_another_abi_is_told_both_versions";
    let Some(plugin) = CPlugin::faulty(test, &["FAULT_ABI_MAJOR=7"]) else { return };
    let text = refusal(&plugin).await.to_string();
    assert!(text.contains("abi version is 7.2, expected 1.2"), "{text}");
    assert!(text.contains("plugin.so"), "{text}");
}

#[tokio::test]
async fn a_plugin_of_a_newer_minor_version_loads() {
    let test = "a_plugin_of_a_newer_minor_version_loads";
    let Some(plugin) = CPlugin::faulty(test, &["FAULT_ABI_MINOR=9"]) else { return };
    let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
    assert_eq!(store.info().abi, (1, 9));
    store.health().await.unwrap();
    // It declares what it has no extension table for.
    assert_eq!(store.capabilities(), Capabilities::LIST);
}

#[tokio::test]
async fn a_plugin_of_an_older_minor_version_loads() {
    let test = "a_plugin_of_an_older_minor_version_loads";
    let Some(plugin) = CPlugin::faulty(test, &["FAULT_ABI_MINOR=0"]) else { return };
    let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
    assert_eq!(store.info().abi, (1, 0));
    store.health().await.unwrap();
    // what came with later versions is not there, and is told as such
    let error = store.list_unfinished("", None, 10).await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Unsupported, "{error}");
}

#[tokio::test]
async fn what_is_no_plugin_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text_file = folder.path().join("libtext.so");
    fs::File::create(&text_file).unwrap();
    let open = async |path: &Path| {
        host().open_storage(path.to_str().unwrap(), json!({})).await.map(drop).unwrap_err()
    };
    let error = open(&text_file).await;
    assert!(matches!(error, LoadError::NotALibrary { .. }), "{error}");
    let error = open(&folder.path().join("missing.so")).await;
    assert!(matches!(error, LoadError::NotFound { .. }), "{error}");
    let error = open(folder.path()).await;
    assert!(matches!(error, LoadError::NotFound { .. }), "{error}");

    let Some(plugin) = CPlugin::faulty("what_is_no_plugin_is_refused", &["FAULT_NO_SYMBOL"]) else {
        return;
    };
    let error = refusal(&plugin).await;
    assert!(matches!(error, LoadError::NotAPlugin { .. }), "{error}");
    assert!(error.to_string().contains("boxvault_plugin_entry"), "{error}");
}

#[tokio::test]
async fn a_library_that_everybody_can_write_is_refused_also_behind_a_link() {
    let info = host().inspect("memory", PluginKind::Storage).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libcopy.so");
    fs::copy(&info.path, &copy).unwrap();
    let link = folder.path().join("liblink.so");
    symlink(&copy, &link).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o757)).unwrap();
    let error = host().open_storage(link.to_str().unwrap(), json!({})).await.map(drop).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LoadError::Untrusted { .. }), "{text}");
    assert!(text.contains("chmod o-w") && text.contains("libcopy.so"), "{text}");

    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    host().open_storage(link.to_str().unwrap(), json!({})).await.unwrap();
}

#[tokio::test]
async fn a_pinned_plugin_loads_and_a_changed_one_does_not() {
    let host = host();
    let (path, digest) = host.digest("memory", PluginKind::Storage).await.unwrap();
    let source = PluginSource::new(path.to_str().unwrap());
    host.open_storage(source.clone().pinned(Some(digest.clone())), json!({})).await.unwrap();
    let wrong = digest.replace(|c: char| c.is_ascii_digit(), "a");
    let error = host.open_storage(source.pinned(Some(wrong.clone())), json!({})).await;
    let text = error.map(drop).unwrap_err().to_string();
    assert!(text.contains(&digest) && text.contains(&wrong), "{text}");
}

#[tokio::test]
async fn config_check_asks_each_plugin_about_its_own_table() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let check = async |stores: &str| {
        tokio::fs::write(&file, stores).await.unwrap();
        let mut command = tokio::process::Command::new(workspace::boxvault());
        let command = unconfigured(&mut command).args(["config", "check"]);
        let output = command.current_dir(folder.path()).output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let good = "[stores.main]\nplugin = \"s3\"\nbucket = \"b\"\n";
    let (code, answer, errors) = check(good).await;
    assert!(code == Some(0) && answer.contains("OK: "), "{answer}{errors}");

    let canary = "secret_access_key = \"canary\"\n";
    let two = "[stores.old]\nplugin = \"fs\"\n";
    let (code, answer, errors) = check(&format!("{good}bukcet = 1\n{canary}{two}")).await;
    assert_eq!((code, answer.as_str()), (Some(2), ""), "{errors}");
    assert!(errors.contains("stores.main.bukcet: unknown key; known here are "), "{errors}");
    assert!(errors.contains(", bucket, ") && errors.contains("stores.old: "), "{errors}");
    assert!(!errors.contains("canary"), "{errors}");
    // what no schema says, the plugin does
    let (code, _, errors) = check(&format!("{good}{canary}")).await;
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("stores.main: access_key_id: set it together"), "{errors}");

    let elsewhere = "[stores.main]\nplugin = \"tape\"\nreel = 7\n";
    let (code, answer, errors) = check(elsewhere).await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(answer.contains("not on this machine: stores.main"), "{answer}");
}

#[tokio::test]
async fn a_wrong_configuration_is_named_by_its_keys_and_shows_no_value() {
    let refused = async |config: Value| {
        host().open_storage("faulty", config).await.map(drop).unwrap_err().to_string()
    };
    let text = refused(json!({ "creat": "works" })).await;
    assert!(text.contains("creat: unknown key; known here are create"), "{text}");
    let text = refused(json!({ "password": 123_454_321 })).await;
    assert!(text.contains("password: ") && !text.contains("123454321"), "{text}");
    let text = refused(json!("not a table")).await;
    assert!(text.contains("faulty"), "{text}");

    let text = host().open_storage("fs", json!({})).await.map(drop).unwrap_err().to_string();
    assert!(text.contains("root"), "{text}");
    let config = json!({ "root": "/nowhere", "read_chunk_bytes": 1 });
    let text = host().open_storage("fs", config).await.map(drop).unwrap_err().to_string();
    assert!(text.contains("read_chunk_bytes: "), "{text}");
}

#[tokio::test]
async fn a_plugin_that_cannot_start_says_why_and_leaves_the_host_working() {
    let host = impatient();
    for (create, kind) in [
        ("panics", PluginErrorKind::Panicked),
        ("hangs", PluginErrorKind::DeadlineExceeded),
        ("fails", PluginErrorKind::Unavailable),
    ] {
        let opened = host.open_storage("faulty", json!({ "create": create })).await;
        let LoadError::Create { plugin, source } = opened.map(drop).unwrap_err() else {
            panic!("{create}: another error")
        };
        assert_eq!((plugin.as_str(), source.kind), ("faulty", kind), "{source}");
    }
    host.open_storage("faulty", json!({})).await.unwrap().health().await.unwrap();
}

#[tokio::test]
async fn one_library_makes_many_instances_that_share_nothing() {
    let host = host();
    let one = host.open_storage("memory", json!({})).await.unwrap();
    let two = host.open_storage("memory", json!({})).await.unwrap();
    let mut writer = one.open_writer("key", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from_static(b"x")).await.unwrap();
    writer.finish().await.unwrap();
    assert_eq!(one.stat("key").await.unwrap().size, 1);
    assert_eq!(two.stat("key").await.unwrap_err().kind, PluginErrorKind::NotFound);
    assert_eq!(host.plugins().len(), 1);
}

#[tokio::test]
async fn a_secret_of_the_configuration_is_in_no_log_and_no_message() {
    let host = host();
    let canary = "canary-4711-secret";
    let store = host.open_storage("faulty", json!({ "password": canary })).await.unwrap();
    let opened = host.open_storage("faulty", json!({ "password": canary, "x": 1 })).await;
    let refused = format!("{:?}", opened.map(drop).unwrap_err());
    let failed = format!("{:?}", store.stat("panic").await.unwrap_err());
    for text in [refused, failed, format!("{store:?}"), format!("{host:?}"), log()] {
        assert!(!text.contains(canary), "{text}");
    }
}
