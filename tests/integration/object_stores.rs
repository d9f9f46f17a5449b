//! The whole server over a store that is not a disk: a real S3 server.

use std::time::Duration;

use boxvault_plugin_conformance::servers::S3Server;
use boxvault_plugin_host::LoadedStorage;
use boxvault_plugin_sdk::StorageBackend as _;
use boxvault_tests::{
    Publication, TestServer, Vagrant,
    bytes::BoxBuilder,
    faults::{RawConnection, upload_head},
    plugins::host,
    server::TestServerBuilder,
    skip, wait_for,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(20);
/// The smallest that S3 takes, so that small boxes have several.
const PART_BYTES: usize = 5 << 20;

/// An S3 server, or a word about why there is none.
fn s3(test: &str) -> Option<S3Server> {
    S3Server::start().map_err(|reason| skip(&format!("object_stores::{test}"), &reason)).ok()
}

/// A server that keeps its boxes there.
fn server_on(s3: &S3Server) -> TestServerBuilder {
    TestServer::builder()
        .set("stores.main.plugin", "s3")
        .set("stores.main.endpoint", &s3.endpoint)
        .set("stores.main.bucket", &s3.bucket)
        .set("stores.main.prefix", "boxvault")
        .set("stores.main.part_bytes", &PART_BYTES.to_string())
        .set("stores.main.access_key_id", &s3.access_key_id)
        .set("stores.main.secret_access_key", &s3.secret_access_key)
        .set("boxes.restorable_for", "0 s")
}

/// The same store, to look into it.
async fn look_into(s3: &S3Server) -> LoadedStorage {
    let config = json!({
        "endpoint": s3.endpoint, "bucket": s3.bucket, "prefix": "boxvault",
        "access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key,
    });
    host().open_storage("s3", config).await.unwrap()
}

async fn sweep(server: &TestServer) {
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
}

#[tokio::test]
async fn a_box_lives_in_a_bucket_from_its_upload_to_the_sweep_after_its_deletion() {
    let Some(s3) = s3("a_box_lives_in_a_bucket") else { return };
    let server = server_on(&s3).start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(12 << 20).build();
    let publication = Publication::new("acme", "debian", &file.bytes);
    admin.publish(&publication).await;

    let whole = server.anonymous().get(&publication.vagrant_path()).await;
    assert!(whole.status == 200 && whole.bytes == file.bytes, "the file is another one");
    let range = server
        .anonymous()
        .get_with(&publication.vagrant_path(), &[("range", "bytes=6000000-6000099")])
        .await;
    assert!(range.status == 206 && range.bytes == file.bytes[6_000_000..6_000_100]);
    match Vagrant::new(&server.url()) {
        Some(vagrant) => {
            let add = ["box", "add", "acme/debian", "--provider", "virtualbox"];
            vagrant.run(&add).await.expect_success();
            assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_some());
        }
        None => skip("object_stores::a_box_lives_in_a_bucket", "vagrant is not installed"),
    }

    let store = look_into(&s3).await;
    let objects = store.list("blobs/", None, 10).await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(objects[0].size, file.bytes.len() as u64);
    assert_eq!(admin.delete("/api/organization/acme/box/debian").await.status, 200);
    sweep(&server).await;
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
    assert_eq!(store.list_unfinished("", None, 10).await.unwrap(), []);
    assert!(!server.log().contains(&s3.secret_access_key), "the log shows the secret");
}

#[tokio::test]
async fn what_a_killed_server_has_begun_to_upload_is_swept_and_what_runs_is_not() {
    let Some(s3) = s3("what_a_killed_server_has_begun") else { return };
    let mut server = server_on(&s3).start().await;
    let admin = server.admin().await;
    let publication = Publication::new("acme", "web", &[]);
    admin.prepare(&publication).await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(24 << 20).build();
    let store = look_into(&s3).await;

    let length = format!("Content-Length: {}", file.bytes.len());
    let mut connection = RawConnection::open(server.http()).await;
    connection.send(&upload_head(&publication, &admin, &[&length])).await;
    connection.send(&file.bytes[..3 * PART_BYTES + (64 << 10)]).await;
    let begun = async || store.list_unfinished("blobs/", None, 10).await.unwrap();
    wait_for("the upload to be on its way", SOON, async || {
        (begun().await.len() == 1).then_some(())
    })
    .await;
    // An hour is what nobody has for an upload; the store says that it began long ago.
    let swept = server.command(&["sweep", "--older-than", "1 h"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_eq!(begun().await.len(), 1, "an upload that runs was swept");

    server.kill9().await;
    server.restart().await;
    assert_eq!(begun().await.len(), 1, "nobody was there to abort it");
    sweep(&server).await;
    assert_eq!(begun().await, []);
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn a_server_says_what_is_wrong_with_its_bucket_and_does_not_start() {
    let Some(s3) = s3("a_server_says_what_is_wrong_with_its_bucket") else { return };
    let folder = tempfile::tempdir().unwrap();
    let refused = boxvault_tests::faults::refused_start(
        folder.path(),
        &[
            ("stores.main.plugin", "s3"),
            ("stores.main.endpoint", &s3.endpoint),
            ("stores.main.bucket", "no-such-bucket"),
            ("stores.main.access_key_id", &s3.access_key_id),
            ("stores.main.secret_access_key", &s3.secret_access_key),
        ],
    )
    .await;
    assert!(refused.output.contains("create the bucket, or correct bucket"), "{}", refused.output);
    assert!(!refused.output.contains(&s3.secret_access_key), "{}", refused.output);
}
