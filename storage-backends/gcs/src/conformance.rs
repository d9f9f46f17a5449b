//! The storage suite on this backend directly, and what only this backend promises. The server is a real one.

use std::{fs, sync::Arc, time::Duration};

use boxvault_plugin_conformance::{
    Outcome,
    servers::{GcsServer, skip},
    storage,
};
use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, PartOptions, PluginErrorKind, PresignOptions, Secret,
    StorageBackend, StoragePlugin, WriteOptions,
};

use crate::{Config, Gcs};

/// A server, or a word about why there is none.
fn server(test: &str) -> Option<GcsServer> {
    GcsServer::start().map_err(|reason| skip(test, &reason)).ok()
}

fn config(server: &GcsServer) -> Config {
    let credential = fs::read_to_string(&server.credential_file).unwrap();
    Config {
        bucket: server.bucket.clone(),
        credential: Some(credential.as_str().into()),
        endpoint: Some(server.endpoint.clone()),
        public_endpoint: None,
        prefix: "somewhere/below".to_owned(),
        ca_file: None,
        storage_class: Some("NEARLINE".to_owned()),
        kms_key_name: None,
        chunk_bytes: 1 << 20,
        retries: 1,
        request_timeout_s: 10,
        transfer_timeout_s: 30,
    }
}

async fn store(config: Config) -> Box<dyn StorageBackend> {
    Gcs::create(config).await.unwrap()
}

#[tokio::test]
async fn the_storage_suite_passes() {
    let Some(server) = server("the_storage_suite_passes (gcs)") else { return };
    let account = fs::read_to_string(&server.account_file).unwrap();
    let config = Config { credential: Some(account.as_str().into()), ..config(&server) };
    let make = || async { Ok(Arc::from(Gcs::create(config.clone()).await?)) };
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
    let public =
        Config { public_endpoint: Some("https://files.example.com/".to_owned()), ..config };
    let store = store(public).await;
    let read = PresignOptions::expires_in(Duration::from_mins(1));
    let read = store.presign_read("object", read).await.unwrap();
    let part = PartOptions::new(1, None, Duration::from_mins(1));
    let part = store.presign_part("object", &"a".repeat(26), part).await.unwrap();
    let begin = "https://files.example.com/boxes/somewhere/below/";
    assert!(read.starts_with(begin) && part.starts_with(begin), "{read} {part}");
}

/// Before, between and after the ends of chunks.
#[tokio::test]
async fn an_object_of_any_number_of_chunks_is_what_was_sent() {
    let Some(server) = server("an_object_of_any_number_of_chunks_is_what_was_sent (gcs)") else {
        return;
    };
    let store = store(config(&server)).await;
    // an identity has no key to sign addresses with
    assert!(!store.capabilities().contains(Capabilities::PRESIGN_READ));
    let chunk = 1_usize << 20;
    for size in [0_usize, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3 * chunk + 7] {
        let key = format!("chunks/{size}");
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut writer = store.open_writer(&key, WriteOptions::default()).await.unwrap();
        for piece in bytes.chunks(300_000) {
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        let meta = writer.finish().await.unwrap();
        assert_eq!(meta.size, size as u64);
        let found = store.stat(&key).await.unwrap();
        assert_eq!((found.size, found.etag), (meta.size, meta.etag), "{size}");
        let mut reader = store.open_reader(&key, ByteRange::default()).await.unwrap();
        let mut read = Vec::new();
        while let Some(piece) = reader.next().await.unwrap() {
            read.extend_from_slice(&piece);
        }
        assert!(read == bytes, "{size}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let Some(server) = server("what_is_wrong_is_said_with_what_to_do (gcs)") else { return };
    let good = config(&server);
    let no_bucket = Config { bucket: "no-such-bucket".to_owned(), ..good.clone() };
    // nobody listens on the port of discarding
    let no_server =
        Config { endpoint: Some("http://127.0.0.1:9".to_owned()), retries: 0, ..good.clone() };
    for (config, kind, words) in [
        (no_bucket, PluginErrorKind::InvalidConfig, "create the bucket"),
        (no_server, PluginErrorKind::Unavailable, "127.0.0.1:9"),
    ] {
        let error = store(config).await.health().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
    // what the identity is recognized by is another one's
    let token_file = server.credential_file.with_file_name("subject-token");
    tokio::fs::write(token_file, "somebody else").await.unwrap();
    let error = Gcs::create(good.clone()).await.err().unwrap();
    assert_eq!(error.kind, PluginErrorKind::InvalidConfig, "{error}");
    assert!(error.message.starts_with("credential: it cannot be used"), "{error}");
    // keys of accounts: of one that the server does not know, and two that are none
    let account = fs::read_to_string(&server.account_file).unwrap();
    for (account, words) in [
        (account.replace("boxvault@", "nobody@"), "Invalid JWT Signature"),
        (account.replace("-----BEGIN PRIVATE KEY-----\\n", "AAAA"), "no RSA key in PEM"),
        (account.replace("client_email", "clientEmail"), "lacks client_email"),
    ] {
        let config = Config { credential: Some(account.as_str().into()), ..good.clone() };
        let error = Gcs::create(config).await.err().unwrap();
        assert_eq!(error.kind, PluginErrorKind::InvalidConfig, "{error}");
        assert!(error.message.starts_with("credential: "), "{error}");
        assert!(error.message.contains(words) && !error.message.contains("MII"), "{error}");
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let good: Config = boxvault_plugin_sdk::config::parse(br#"{"bucket":"b"}"#).unwrap();
    let secret = |text: &str| Some(Secret::from(text));
    for (config, key) in [
        (Config { bucket: "a/b".to_owned(), ..good.clone() }, "bucket"),
        (Config { endpoint: Some("storage.example.com".to_owned()), ..good.clone() }, "endpoint"),
        (Config { public_endpoint: Some("ftp://a".to_owned()), ..good.clone() }, "public_endpoint"),
        (Config { prefix: "a/../b".to_owned(), ..good.clone() }, "prefix"),
        (Config { credential: secret("/etc/key.json"), ..good.clone() }, "credential"),
        (Config { storage_class: Some("\"".to_owned()), ..good.clone() }, "storage_class"),
        (Config { kms_key_name: Some("my-key".to_owned()), ..good.clone() }, "kms_key_name"),
        (Config { chunk_bytes: 1, ..good.clone() }, "chunk_bytes"),
        (Config { chunk_bytes: 1 << 18, ..good.clone() }, "chunk_bytes"),
        (Config { retries: 11, ..good.clone() }, "retries"),
        (Config { transfer_timeout_s: 1, ..good.clone() }, "transfer_timeout_s"),
    ] {
        let error = Gcs::validate(&config).unwrap_err();
        assert!(error.message.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    Gcs::validate(&good).unwrap();
}
