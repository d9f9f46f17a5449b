//! The storage suite on this backend directly, and what only this backend promises. The server is a real one.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_conformance::{
    Outcome,
    servers::{S3Server, skip},
    storage,
};
use boxvault_plugin_sdk::{
    Bytes, PartOptions, PluginErrorKind, PresignOptions, Secret, StorageBackend, StoragePlugin,
    WriteOptions,
};

use crate::{Config, Encryption, S3};

/// A server, or a word about why there is none.
fn server(test: &str) -> Option<S3Server> {
    S3Server::start().map_err(|reason| skip(test, &reason)).ok()
}

fn config(server: &S3Server) -> Config {
    Config {
        bucket: server.bucket.clone(),
        region: "us-east-1".to_owned(),
        endpoint: Some(server.endpoint.clone()),
        public_endpoint: None,
        prefix: "somewhere/below".to_owned(),
        access_key_id: Some(Secret::new(&*server.access_key_id)),
        secret_access_key: Some(Secret::new(&*server.secret_access_key)),
        session_token: None,
        path_style: None,
        ca_file: None,
        server_side_encryption: Some(Encryption::Aes256),
        kms_key_id: None,
        storage_class: None,
        part_bytes: 5 << 20,
        parts_concurrent: 2,
        retries: 1,
        request_timeout_s: 10,
        transfer_timeout_s: 30,
    }
}

async fn store(config: Config) -> Box<dyn StorageBackend> {
    S3::create(config).await.unwrap()
}

#[tokio::test]
async fn the_storage_suite_passes() {
    let Some(server) = server("the_storage_suite_passes (s3)") else { return };
    let config = config(&server);
    let make = || async { Ok(Arc::from(S3::create(config.clone()).await?)) };
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

#[tokio::test]
async fn a_long_object_goes_in_parts_and_comes_back() {
    let Some(server) = server("a_long_object_goes_in_parts_and_comes_back (s3)") else { return };
    let store = store(config(&server)).await;
    let chunk = Bytes::from(vec![7; 3 << 20]);
    let options = WriteOptions::with_size_hint(Some(18 << 20));
    let mut writer = store.open_writer("long", options).await.unwrap();
    for _ in 0..6 {
        writer.write(chunk.clone()).await.unwrap();
    }
    let meta = writer.finish().await.unwrap();
    assert_eq!(meta.size, 18 << 20);
    let etag = store.stat("long").await.unwrap().etag.unwrap();
    assert!(etag.contains("-4"), "18 MiB are four parts of 5 MiB: {etag}");
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_to_do() {
    let Some(server) = server("what_is_wrong_is_said_with_what_to_do (s3)") else { return };
    let good = config(&server);
    let wrong_key = Config { access_key_id: Some("AKIDOESNOTEXIST00000".into()), ..good.clone() };
    let wrong_secret = Config { secret_access_key: Some("wrong".into()), ..good.clone() };
    let no_bucket = Config { bucket: "no-such-bucket".to_owned(), ..good.clone() };
    // nobody listens on the port of discarding
    let no_server =
        Config { endpoint: Some("http://127.0.0.1:9".to_owned()), retries: 0, ..good.clone() };
    for (config, kind, words) in [
        (wrong_key, PluginErrorKind::PermissionDenied, "correct access_key_id"),
        (wrong_secret, PluginErrorKind::PermissionDenied, "correct secret_access_key"),
        (no_bucket, PluginErrorKind::InvalidConfig, "create the bucket"),
        (no_server, PluginErrorKind::Unavailable, "127.0.0.1:9"),
    ] {
        let error = store(config).await.health().await.unwrap_err();
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(words), "{error}");
        assert!(!error.message.contains(&server.secret_access_key), "{error}");
    }
}

#[tokio::test]
async fn addresses_for_clients_begin_with_the_public_endpoint() {
    let config: Config = boxvault_plugin_sdk::config::parse(
        br#"{"bucket":"b","endpoint":"http://10.0.0.1:9000","public_endpoint":"https://files.example.com/",
            "access_key_id":"id","secret_access_key":"secret"}"#,
    )
    .unwrap();
    for (config, begin) in [
        (config.clone(), "https://files.example.com/b/object?"),
        (Config { path_style: Some(false), ..config }, "https://b.files.example.com/object?"),
    ] {
        let store = store(config).await;
        let read = PresignOptions::expires_in(Duration::from_mins(1));
        let read = store.presign_read("object", read).await.unwrap();
        let part = PartOptions::new(1, None, Duration::from_mins(1));
        let part = store.presign_part("object", "token", part).await.unwrap();
        assert!(read.starts_with(begin) && part.starts_with(begin), "{read} {part}");
    }
}

#[test]
fn what_cannot_work_is_refused_by_name() {
    let good: Config = boxvault_plugin_sdk::config::parse(br#"{"bucket":"b"}"#).unwrap();
    for (config, key) in [
        (Config { bucket: "a/b".to_owned(), ..good.clone() }, "bucket"),
        (Config { bucket: "fast--use1-az4--x-s3".to_owned(), ..good.clone() }, "bucket"),
        (Config { endpoint: Some("s3.example.com".to_owned()), ..good.clone() }, "endpoint"),
        (Config { public_endpoint: Some("ftp://a".to_owned()), ..good.clone() }, "public_endpoint"),
        (Config { prefix: "a/../b".to_owned(), ..good.clone() }, "prefix"),
        (Config { access_key_id: Some("id".into()), ..good.clone() }, "access_key_id"),
        (Config { session_token: Some("t".into()), ..good.clone() }, "session_token"),
        (Config { kms_key_id: Some("k".to_owned()), ..good.clone() }, "kms_key_id"),
        (Config { part_bytes: 1 << 20, ..good.clone() }, "part_bytes"),
        (Config { parts_concurrent: 0, ..good.clone() }, "parts_concurrent"),
        (Config { transfer_timeout_s: 1, ..good.clone() }, "transfer_timeout_s"),
    ] {
        let error = S3::validate(&config).unwrap_err();
        assert!(error.message.starts_with(&format!("{key}: ")), "{key}: {error}");
    }
    S3::validate(&good).unwrap();
}
