//! The storage suite on this backend directly, and what only this backend promises. The server is a real one.

use std::sync::Arc;

use boxvault_plugin_conformance::{
    Outcome,
    servers::{SftpServer, skip},
    storage,
};
use boxvault_plugin_sdk::{Bytes, PluginErrorKind, StorageBackend, StoragePlugin, WriteOptions};

use tokio::fs;

use crate::{Config, Sftp};

/// A server, or a word about why there is none.
fn server(test: &str) -> Option<SftpServer> {
    SftpServer::start().map_err(|reason| skip(test, &reason)).ok()
}

fn config(server: &SftpServer) -> Config {
    Config {
        host: "127.0.0.1".to_owned(),
        port: server.port,
        user: server.user.clone(),
        root: server.root.clone(),
        identity_file: server.identity_file.clone().into(),
        known_hosts_file: server.known_hosts_file.clone().into(),
        connections: 2,
        retries: 1,
        request_timeout_s: 20,
        transfer_timeout_s: 30,
    }
}

async fn store(config: Config) -> Box<dyn StorageBackend> {
    Sftp::create(config).await.unwrap()
}

#[tokio::test]
async fn the_storage_suite_passes() {
    let Some(server) = server("the_storage_suite_passes (sftp)") else { return };
    // one at a time cannot wait for another
    let config = Config { connections: 1, ..config(&server) };
    let store: Arc<dyn StorageBackend> = Arc::from(store(config).await);
    let make = || async { Ok(Arc::clone(&store)) };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    let case = report.outcome("what_was_begun_is_listed_and_can_be_removed");
    assert_eq!(case, Some(&Outcome::Passed));
}

#[tokio::test]
async fn a_connection_that_is_lost_is_made_again() {
    let Some(mut server) = server("a_connection_that_is_lost_is_made_again (sftp)") else { return };
    let store = store(Config { connections: 1, ..config(&server) }).await;
    let mut writer = store.open_writer("object", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from(vec![7; 3 << 20])).await.unwrap();
    writer.finish().await.unwrap();
    server.cut_connections();
    assert_eq!(store.stat("object").await.unwrap().size, 3 << 20);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let Some(server) = server("what_is_wrong_is_said_with_what_to_do (sftp)") else { return };
    let good = config(&server);
    let folder = tempfile::tempdir().unwrap();
    // the user's key in the place of the host's
    let other = fs::read_to_string(format!("{}.pub", server.identity_file)).await.unwrap();
    let other_host = folder.path().join("known_hosts");
    fs::write(&other_host, format!("[127.0.0.1]:{} {other}", server.port)).await.unwrap();
    let no_host = folder.path().join("none");
    fs::write(&no_host, "").await.unwrap();
    let other_key = format!("{}/host", folder.path().display());
    fs::write(&other_key, "no key").await.unwrap();
    for (config, kind, words) in [
        (
            Config { known_hosts_file: other_host, ..good.clone() },
            PluginErrorKind::PermissionDenied,
            "correct the file",
        ),
        (
            Config { known_hosts_file: no_host, ..good.clone() },
            PluginErrorKind::PermissionDenied,
            "known_hosts_file",
        ),
        (
            Config { identity_file: other_key.into(), ..good.clone() },
            PluginErrorKind::PermissionDenied,
            "correct user or identity_file",
        ),
        (
            Config { root: "/no/such/folder".to_owned(), ..good.clone() },
            PluginErrorKind::InvalidConfig,
            "create it, or correct root",
        ),
        // nobody listens on the port of discarding
        (Config { port: 9, retries: 0, ..good.clone() }, PluginErrorKind::Unavailable, "port 9"),
    ] {
        let error = store(config).await.health().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    let missing = Config { identity_file: "/no/such/key".into(), ..good };
    let error = Sftp::create(missing).await.map(drop).unwrap_err();
    assert!(error.message.starts_with("identity_file: /no/such/key: "), "{error}");
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let good: Config = boxvault_plugin_sdk::config::parse(
        br#"{"host":"h","user":"u","root":"r","identity_file":"/k","known_hosts_file":"/h"}"#,
    )
    .unwrap();
    for (config, key) in [
        (Config { host: "-oProxyCommand=x".to_owned(), ..good.clone() }, "host"),
        (Config { host: "u@h".to_owned(), ..good.clone() }, "host"),
        (Config { user: "a b".to_owned(), ..good.clone() }, "user"),
        (Config { root: "/".to_owned(), ..good.clone() }, "root"),
        (Config { port: 0, ..good.clone() }, "port"),
        (Config { connections: 0, ..good.clone() }, "connections"),
        (Config { transfer_timeout_s: 1, ..good.clone() }, "transfer_timeout_s"),
    ] {
        let error = Sftp::validate(&config).unwrap_err();
        assert!(error.message.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    Sftp::validate(&good).unwrap();
}
