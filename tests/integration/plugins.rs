//! Every plugin through its library: the handshake, the conformance suites, and all that can go
//! wrong at the boundary without taking the server down.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
    time::Duration,
};

use boxvault_plugin_conformance::{
    Outcome, Report, auth,
    servers::{AzblobServer, GcsServer, LdapServer, S3Server, SftpServer, WebdavServer},
    storage,
};
use boxvault_plugin_host::{
    Deadlines, HostOptions, LoadError, LoadedStorage, PluginHost, PluginKind, PluginSource,
};
use boxvault_plugin_sdk::{
    AuthProvider, ByteRange, Bytes, Capabilities, Claims, Credentials, PluginError,
    PluginErrorKind, StorageBackend, WriteOptions,
};
use boxvault_tests::{
    plugins::{CPlugin, host, host_with, log},
    skip, wait_for, workspace,
};
use futures_util::FutureExt;
use serde_json::{Value, json};

/// How long something that a plugin does on its own threads may take.
const SOON: Duration = Duration::from_secs(20);

fn plain(error: &LoadError) -> PluginError {
    PluginError::unexpected(error.to_string())
}

/// A host whose calls end quickly, for plugins that hang.
fn impatient() -> PluginHost {
    let moment = Duration::from_millis(500);
    let deadlines = Deadlines {
        create: moment,
        question: moment,
        read: moment,
        write: moment,
        finish: moment,
        authenticate: moment,
    };
    host_with(HostOptions { deadlines, calls_in_flight_max: 4, ..HostOptions::default() })
}

async fn faulty(host: &PluginHost) -> LoadedStorage {
    host.open_storage("faulty", json!({})).await.unwrap()
}

/// Compiles the C plugin that breaks the table; says so if that is not possible here.
fn broken(test: &str, defines: &[&str]) -> Option<CPlugin> {
    let plugin = CPlugin::compile("storage-faulty/faulty.c", defines);
    if plugin.is_none() {
        skip(test, "there is no C compiler (cc)");
    }
    plugin
}

async fn refusal(plugin: &CPlugin) -> LoadError {
    host().open_storage(plugin.source(), json!({})).await.map(drop).unwrap_err()
}

/// How many files lie unfinished in the staging folder of a file store.
fn unfinished(root: &Path) -> usize {
    let folders = fs::read_dir(root.join(".staging")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.map(|folder| fs::read_dir(folder).unwrap().count()).sum()
}

#[tokio::test]
async fn fs_passes_the_storage_suite_through_its_library() {
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    let config = json!({ "root": root.path() });
    let make = || async {
        let store = host.open_storage("fs", config.clone()).await.map_err(|error| plain(&error))?;
        Ok(Arc::new(store) as Arc<dyn StorageBackend>)
    };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.outcome("offsets_beyond_4_gib_are_right"), Some(&Outcome::Passed));
    assert_eq!(report.outcome("the_local_file_holds_the_same_bytes"), Some(&Outcome::Passed));
    let (_, counters) = &host.plugins()[0];
    assert_eq!((counters.panics, counters.violations), (0, 0), "{counters:?}");
    assert_eq!(counters.in_flight, 0);
    wait_for("no unfinished file to be left", SOON, async || {
        (!root.path().join(".staging").is_dir() || unfinished(root.path()) == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn memory_passes_the_storage_suite_through_its_library() {
    let host = host();
    let make = || async {
        let store = host.open_storage("memory", json!({})).await.map_err(|error| plain(&error))?;
        Ok(Arc::new(store) as Arc<dyn StorageBackend>)
    };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.outcome("a_taken_key_is_refused"), Some(&Outcome::Passed));
}

#[tokio::test]
async fn s3_passes_the_storage_suite_through_its_library() {
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(reason) => return skip("s3_passes_the_storage_suite_through_its_library", &reason),
    };
    let config = json!({
        "bucket": server.bucket, "endpoint": server.endpoint, "part_bytes": 5 << 20,
        "access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key,
    });
    let report = passes_through_its_library("s3", config).await;
    let case = report.outcome("what_was_begun_is_listed_and_can_be_removed");
    assert_eq!(case, Some(&Outcome::Passed));
}

#[tokio::test]
async fn azblob_passes_the_storage_suite_through_its_library() {
    let server = match AzblobServer::start() {
        Ok(server) => server,
        Err(reason) => return skip("azblob_passes_the_storage_suite_through_its_library", &reason),
    };
    let config = json!({
        "container": server.container, "endpoint": server.endpoint, "block_bytes": 1 << 20,
        "account_name": server.account_name, "account_key": server.account_key,
    });
    let report = passes_through_its_library("azblob", config).await;
    let case = report.outcome("what_was_begun_is_listed_and_can_be_removed");
    assert_eq!(case, Some(&Outcome::Passed));
}

#[tokio::test]
async fn gcs_passes_the_storage_suite_through_its_library() {
    let server = match GcsServer::start() {
        Ok(server) => server,
        Err(reason) => return skip("gcs_passes_the_storage_suite_through_its_library", &reason),
    };
    let config = json!({
        "bucket": server.bucket, "endpoint": server.endpoint, "chunk_bytes": 1 << 20,
        "credential": fs::read_to_string(&server.credential_file).unwrap(),
    });
    passes_through_its_library("gcs", config).await;
}

#[tokio::test]
async fn sftp_passes_the_storage_suite_through_its_library() {
    let server = match SftpServer::start() {
        Ok(server) => server,
        Err(reason) => return skip("sftp_passes_the_storage_suite_through_its_library", &reason),
    };
    let config = json!({
        "host": "127.0.0.1", "port": server.port, "user": server.user, "root": server.root, "connections": 1,
        "identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file,
    });
    let report = passes_through_its_library("sftp", config).await;
    let case = report.outcome("what_was_begun_is_listed_and_can_be_removed");
    assert_eq!(case, Some(&Outcome::Passed));
}

#[tokio::test]
async fn webdav_passes_the_storage_suite_through_its_library() {
    let server = match WebdavServer::start() {
        Ok(server) => server,
        Err(reason) => return skip("webdav_passes_the_storage_suite_through_its_library", &reason),
    };
    let config = json!({
        "endpoint": server.endpoint, "username": server.username, "password": server.password,
    });
    let report = passes_through_its_library("webdav", config).await;
    let case = report.outcome("what_was_begun_is_listed_and_can_be_removed");
    assert_eq!(case, Some(&Outcome::Passed));
}

/// Runs the suite on a store behind a network, and the probe.
async fn passes_through_its_library(plugin: &str, config: Value) -> Report {
    let host = host();
    let make = || async {
        let store =
            host.open_storage(plugin, config.clone()).await.map_err(|error| plain(&error))?;
        Ok(Arc::new(store) as Arc<dyn StorageBackend>)
    };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    let probed = host.open_storage(plugin, config.clone()).await.unwrap().probe().await.unwrap();
    assert_eq!(probed.switched_off, []);
    let (_, counters) = &host.plugins()[0];
    assert_eq!((counters.panics, counters.violations), (0, 0), "{counters:?}");
    report
}

#[tokio::test]
async fn a_plugin_in_c_passes_the_storage_suite() {
    let Some(plugin) = CPlugin::compile("storage-c/storage_c.c", &[]) else {
        return skip("a_plugin_in_c_passes_the_storage_suite", "there is no C compiler (cc)");
    };
    let (host, root) = (host(), tempfile::tempdir().unwrap());
    let config = json!({ "root": root.path() });
    let make = || async {
        let store = host
            .open_storage(plugin.source(), config.clone())
            .await
            .map_err(|error| plain(&error))?;
        Ok(Arc::new(store) as Arc<dyn StorageBackend>)
    };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    let left: Vec<_> = fs::read_dir(root.path().join(".staging")).unwrap().collect();
    assert!(left.is_empty(), "unfinished writes are left: {left:?}");
}

#[tokio::test]
async fn the_auth_example_passes_the_auth_suite_through_its_library() {
    let host = host();
    let config = json!({
        "issuer": "example",
        "users": [
            {
                "username": "ann", "password": "correct hörse 🔋", "email": "ann@example.org",
                "display_name": "Ann", "groups": ["staff", "admins"]
            },
            { "username": "bob", "password": "another one", "disabled": true }
        ]
    });
    let fixture = auth::Fixture {
        credentials: Credentials::new("ann", "correct hörse 🔋"),
        claims: Claims {
            issuer: "example".into(),
            subject: "ann".into(),
            username: "ann".into(),
            email: Some("ann@example.org".into()),
            email_verified: true,
            display_name: Some("Ann".into()),
            groups: vec!["staff".into(), "admins".into()],
            ..Claims::default()
        },
        disabled: Some(Credentials::new("bob", "another one")),
        driver: None,
    };
    let make = || async {
        let provider =
            host.open_auth("static", config.clone()).await.map_err(|error| plain(&error))?;
        Ok(Arc::new(provider) as Arc<dyn AuthProvider>)
    };
    let report = auth::run(make, &fixture).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    assert_eq!(report.outcome("a_disabled_account_is_refused"), Some(&Outcome::Passed));
}

#[tokio::test]
async fn ldap_passes_the_auth_suite_through_its_library() {
    let test = "ldap_passes_the_auth_suite_through_its_library";
    let server = match LdapServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let host = host();
    let [bind_dn, bind_password] = LdapServer::SEARCHES;
    let config = json!({
        "urls": [server.tls_url], "ca_file": server.ca_file,
        "bind_dn": bind_dn, "bind_password": bind_password,
        "user_base": "ou=people,dc=example,dc=org", "group_base": "ou=groups,dc=example,dc=org",
        "disabled_filter": "(employeeType=left)",
    });
    let fixture = auth::Fixture {
        credentials: Credentials::new("ann", "correct horse"),
        claims: Claims {
            issuer: server.tls_url.clone(),
            subject: "00000000-0000-4000-8000-000000000001".into(),
            username: "ann".into(),
            email: Some("ann@example.org".into()),
            email_verified: true,
            display_name: Some("Ann Example".into()),
            groups: ["builders", "engineers", "staff", "unix"].map(str::to_owned).into(),
            ..Claims::default()
        },
        disabled: Some(Credentials::new("bob", "battery staple")),
        driver: None,
    };
    let make = || async {
        let provider =
            host.open_auth("ldap", config.clone()).await.map_err(|error| plain(&error))?;
        Ok(Arc::new(provider) as Arc<dyn AuthProvider>)
    };
    let report = auth::run(make, &fixture).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    let (_, counters) = &host.plugins()[0];
    assert_eq!((counters.panics, counters.violations), (0, 0), "{counters:?}");
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
        let Some(plugin) = broken(test, &[define]) else { return };
        let error = refusal(&plugin).await;
        let LoadError::Handshake { path, field, .. } = &error else { panic!("{define}: {error}") };
        assert_eq!(*field, expected, "{define}");
        assert!(path.ends_with("plugin.so"), "{}", path.display());
    }
}

#[tokio::test]
async fn a_plugin_of_another_abi_is_told_both_versions() {
    let test = "a_plugin_of_another_abi_is_told_both_versions";
    let Some(plugin) = broken(test, &["FAULT_ABI_MAJOR=7"]) else { return };
    let text = refusal(&plugin).await.to_string();
    assert!(text.contains("abi version is 7.2, expected 1.2"), "{text}");
    assert!(text.contains("plugin.so"), "{text}");
}

#[tokio::test]
async fn a_plugin_of_a_newer_minor_version_loads() {
    let test = "a_plugin_of_a_newer_minor_version_loads";
    let Some(plugin) = broken(test, &["FAULT_ABI_MINOR=9"]) else { return };
    let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
    assert_eq!(store.info().abi, (1, 9));
    store.health().await.unwrap();
    // It declares what it has no extension table for.
    assert_eq!(store.capabilities(), Capabilities::LIST);
}

#[tokio::test]
async fn a_plugin_of_an_older_minor_version_loads() {
    let test = "a_plugin_of_an_older_minor_version_loads";
    let Some(plugin) = broken(test, &["FAULT_ABI_MINOR=0"]) else { return };
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

    let Some(plugin) = broken("what_is_no_plugin_is_refused", &["FAULT_NO_SYMBOL"]) else { return };
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
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BOXVAULT_") {
                command.env_remove(name);
            }
        }
        let command = command.args(["config", "check"]).current_dir(folder.path());
        let output = command.output().await.unwrap();
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
    faulty(&host).await.health().await.unwrap();
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
    let Some(plugin) = broken("a_second_answer_is_ignored_and_counted", &["FAULT_TWICE"]) else {
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
        let Some(plugin) = broken(test, &[define]) else { return };
        let store = host().open_storage(plugin.source(), json!({})).await.unwrap();
        assert_eq!(store.stat("key").await.unwrap_err().kind, kind, "{define}");
        store.health().await.unwrap();
    }
    let Some(plugin) = broken(test, &["FAULT_NO_HANDLE"]) else { return };
    let error = refusal(&plugin).await;
    let LoadError::Create { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.kind, PluginErrorKind::ContractViolation);

    // Opening that answers without a reader or writer, and rows that are not there.
    let Some(plugin) = broken(test, &["FAULT_TWICE"]) else { return };
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
    let Some(plugin) = broken("a_c_plugin_that_never_answers_is_given_up", &["FAULT_NEVER"]) else {
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
    for _ in 0..10 {
        let mut writer = store.open_writer("blobs/x", WriteOptions::default()).await.unwrap();
        writer.write(vec![7; 3 << 20].into()).await.unwrap();
    }
    wait_for("the unfinished files to go", SOON, async || {
        (unfinished(root.path()) == 0).then_some(())
    })
    .await;
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
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
