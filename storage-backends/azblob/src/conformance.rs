//! The storage suite on this backend directly, and what only this backend promises. The server is a real one.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_conformance::{
    Outcome,
    servers::{AzblobServer, skip},
    storage,
};
use boxvault_plugin_sdk::{
    Bytes, PartOptions, PluginErrorKind, PresignOptions, Secret, StorageBackend, StoragePlugin,
    WriteOptions,
};
use data_encoding::BASE64;

use crate::{Azblob, Config};

/// A server, or a word about why there is none.
fn server(test: &str) -> Option<AzblobServer> {
    AzblobServer::start().map_err(|reason| skip(test, &reason)).ok()
}

fn config(server: &AzblobServer) -> Config {
    Config {
        container: server.container.clone(),
        account_name: server.account_name.clone(),
        account_key: Some(Secret::new(&*server.account_key)),
        sas_token: None,
        endpoint: Some(server.endpoint.clone()),
        public_endpoint: None,
        prefix: "somewhere/below".to_owned(),
        ca_file: None,
        encryption_key: None,
        block_bytes: 1 << 20,
        blocks_concurrent: 2,
        retries: 1,
        request_timeout_s: 10,
        transfer_timeout_s: 30,
    }
}

async fn store(config: Config) -> Box<dyn StorageBackend> {
    Azblob::create(config).await.unwrap()
}

#[tokio::test]
async fn the_storage_suite_passes() {
    let Some(server) = server("the_storage_suite_passes (azblob)") else { return };
    let config = config(&server);
    let make = || async { Ok(Arc::from(Azblob::create(config.clone()).await?)) };
    let report = storage::run(make).await;
    println!("{report}");
    assert!(report.passed(), "{report}");
    for case in [
        "what_was_begun_is_listed_and_can_be_removed",
        "a_presigned_address_reads_the_object_and_nothing_else",
        "what_others_send_is_there_once_it_is_finished",
    ] {
        assert_eq!(report.outcome(case), Some(&Outcome::Passed), "{case}");
    }
}

/// Azurite does not encrypt, and refuses requests that ask for it by the name of what asks.
#[tokio::test]
async fn a_key_to_encrypt_with_comes_along_with_what_is_read_and_written() {
    let test = "a_key_to_encrypt_with_comes_along_with_what_is_read_and_written (azblob)";
    let Some(server) = server(test) else { return };
    let key: Secret = BASE64.encode(&[7; 32]).as_str().into();
    let store = store(Config { encryption_key: Some(key), ..config(&server) }).await;
    let mut writer = store.open_writer("object", WriteOptions::default()).await.unwrap();
    writer.write(Bytes::from(vec![7; 3 << 20])).await.unwrap();
    let refused = writer.finish().await.unwrap_err();
    assert!(refused.message.starts_with("x-ms-encryption-key"), "{refused}");
    let refused = store.stat("object").await.unwrap_err();
    assert!(refused.message.contains("FeatureNotSupported"), "{refused}");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let Some(server) = server("what_is_wrong_is_said_with_what_to_do (azblob)") else { return };
    let good = config(&server);
    let wrong_key = BASE64.encode(b"not the key of this account");
    let wrong_key = Config { account_key: Some(wrong_key.as_str().into()), ..good.clone() };
    let wrong_token = Config {
        account_key: None,
        sas_token: Some("?sv=2022-11-02&sr=c&sp=rl&se=2099-01-01T00:00:00Z&sig=d3Jvbmc%3D".into()),
        ..good.clone()
    };
    let no_container = Config { container: "no-such-container".to_owned(), ..good.clone() };
    // nobody listens on the port of discarding
    let no_server = Config {
        endpoint: Some("http://127.0.0.1:9/boxvault".to_owned()),
        retries: 0,
        ..good.clone()
    };
    for (config, kind, words) in [
        (wrong_key, PluginErrorKind::PermissionDenied, "correct account_key"),
        (wrong_token, PluginErrorKind::PermissionDenied, "sas_token"),
        (no_container, PluginErrorKind::InvalidConfig, "create the container"),
        (no_server, PluginErrorKind::Unavailable, "127.0.0.1:9"),
    ] {
        let error = store(config).await.health().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.message.contains(&server.account_key), "{error}");
    }
}

#[tokio::test]
async fn addresses_for_clients_begin_with_the_public_endpoint() {
    let config: Config = boxvault_plugin_sdk::config::parse(
        br#"{"container":"c","account_name":"a","account_key":"a2V5",
            "public_endpoint":"https://files.example.com/"}"#,
    )
    .unwrap();
    let store = store(config).await;
    let read = PresignOptions::expires_in(Duration::from_mins(1));
    let read = store.presign_read("object", read).await.unwrap();
    let part = PartOptions::new(1, None, Duration::from_mins(1));
    let part = store.presign_part("object", "token", part).await.unwrap();
    let begin = "https://files.example.com/c/object";
    assert!(read.starts_with(begin) && part.starts_with(begin), "{read} {part}");
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let good: Config =
        boxvault_plugin_sdk::config::parse(br#"{"container":"c","account_name":"a"}"#).unwrap();
    let key: Secret = BASE64.encode(b"key").as_str().into();
    for (config, key) in [
        (Config { container: "a/b".to_owned(), ..good.clone() }, "container"),
        (Config { account_name: String::new(), ..good.clone() }, "account_name"),
        (Config { endpoint: Some("blob.example.com".to_owned()), ..good.clone() }, "endpoint"),
        (Config { public_endpoint: Some("ftp://a".to_owned()), ..good.clone() }, "public_endpoint"),
        (Config { prefix: "a/../b".to_owned(), ..good.clone() }, "prefix"),
        (Config { account_key: Some("no base64!".into()), ..good.clone() }, "account_key"),
        (
            Config { account_key: Some(key.clone()), sas_token: Some("t".into()), ..good.clone() },
            "sas_token",
        ),
        (Config { encryption_key: Some(key), ..good.clone() }, "encryption_key"),
        (Config { block_bytes: 1, ..good.clone() }, "block_bytes"),
        (Config { blocks_concurrent: 0, ..good.clone() }, "blocks_concurrent"),
        (Config { transfer_timeout_s: 1, ..good.clone() }, "transfer_timeout_s"),
    ] {
        let error = Azblob::validate(&config).unwrap_err();
        assert!(error.message.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    Azblob::validate(&good).unwrap();
}
