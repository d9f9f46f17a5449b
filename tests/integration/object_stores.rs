//! The whole server over stores that are not a disk: real servers, one of each kind.

mod presigned;

use std::{path::Path, time::Duration};

use boxvault_plugin_conformance::servers::{
    AzblobServer, GcsServer, S3Server, SftpServer, WebdavServer,
};
use boxvault_plugin_host::LoadedStorage;
use boxvault_plugin_sdk::{Capabilities, StorageBackend as _};
use boxvault_tests::{
    Publication, TestServer, Vagrant,
    bytes::BoxBuilder,
    faults::{RawConnection, upload_head},
    plugins::host,
    server::TestServerBuilder,
    skip, wait_for,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
/// The smallest that S3 takes, so that small boxes have several.
const PART_BYTES: usize = 5 << 20;

/// A store, and the server behind it.
struct Remote<S> {
    _server: S,
    plugin: &'static str,
    /// The plugin's table.
    config: Value,
    /// What no log may show, if there is anything.
    secret: Option<String>,
}

/// An S3 server, or a word about why there is none.
fn s3(test: &str) -> Option<Remote<S3Server>> {
    let server = found(test, S3Server::start())?;
    let config = json!({
        "endpoint": server.endpoint, "bucket": server.bucket, "prefix": "boxvault", "part_bytes": PART_BYTES,
        "access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key,
    });
    let secret = Some(server.secret_access_key.clone());
    Some(Remote { _server: server, plugin: "s3", config, secret })
}

/// One of Azure's kind.
fn azblob(test: &str) -> Option<Remote<AzblobServer>> {
    let server = found(test, AzblobServer::start())?;
    let config = json!({
        "endpoint": server.endpoint, "container": server.container, "prefix": "boxvault",
        "block_bytes": PART_BYTES, "account_name": server.account_name, "account_key": server.account_key,
    });
    let secret = Some(server.account_key.clone());
    Some(Remote { _server: server, plugin: "azblob", config, secret })
}

/// One of Google's kind, for an identity.
fn gcs(test: &str) -> Option<Remote<GcsServer>> {
    let server = found(test, GcsServer::start())?;
    let file = server.credential_file.clone();
    let secret = std::fs::read_to_string(&file).unwrap();
    Some(gcs_with(server, &file, secret))
}

/// The same for a service account, whose key signs addresses.
fn gcs_account(test: &str) -> Option<Remote<GcsServer>> {
    let server = found(test, GcsServer::start())?;
    let file = server.account_file.clone();
    let account = std::fs::read_to_string(&file).unwrap();
    let account: Value = serde_json::from_str(&account).unwrap();
    let key = account["private_key"].as_str().unwrap().lines().nth(1).unwrap().to_owned();
    Some(gcs_with(server, &file, key))
}

fn gcs_with(server: GcsServer, credential: &Path, secret: String) -> Remote<GcsServer> {
    let config = json!({
        "endpoint": server.endpoint, "bucket": server.bucket, "prefix": "boxvault", "chunk_bytes": PART_BYTES,
        "credential_file": credential,
    });
    Remote { _server: server, plugin: "gcs", config, secret: Some(secret) }
}

/// One that speaks SFTP.
fn sftp(test: &str) -> Option<Remote<SftpServer>> {
    let server = found(test, SftpServer::start())?;
    let config = json!({
        "host": "127.0.0.1", "port": server.port, "user": server.user, "root": server.root,
        "identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file,
    });
    Some(Remote { _server: server, plugin: "sftp", config, secret: None })
}

/// One that speaks WebDAV.
fn webdav(test: &str) -> Option<Remote<WebdavServer>> {
    let server = found(test, WebdavServer::start())?;
    let config = json!({
        "endpoint": server.endpoint, "username": server.username, "password": server.password, "root": "boxvault",
    });
    let secret = Some(server.password.clone());
    Some(Remote { _server: server, plugin: "webdav", config, secret })
}

fn found<S>(test: &str, server: Result<S, String>) -> Option<S> {
    server.map_err(|reason| skip(&format!("object_stores::{test}"), &reason)).ok()
}

impl<S> Remote<S> {
    /// The keys of the store's table, as arguments of the server.
    fn settings(&self) -> Vec<(String, String)> {
        let table = self.config.as_object().unwrap().iter();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let keys = table.map(|(key, value)| (format!("stores.main.{key}"), text(value)));
        [("stores.main.plugin".to_owned(), self.plugin.to_owned())]
            .into_iter()
            .chain(keys)
            .collect()
    }

    /// A server that keeps its boxes there.
    fn server(&self) -> TestServerBuilder {
        let settings = self.settings().into_iter();
        let builder = TestServer::builder().set("boxes.restorable_for", "0 s");
        settings.fold(builder, |builder, (key, value)| builder.set(&key, &value))
    }

    fn is_shown_in(&self, text: &str) -> bool {
        self.secret.as_ref().is_some_and(|secret| text.contains(secret))
    }

    /// The same store, to look into it.
    async fn look_into(&self) -> LoadedStorage {
        let mut config = self.config.clone();
        // the server puts what is in the file in its place
        if let Some(file) = config.as_object_mut().unwrap().remove("credential_file") {
            let credential = std::fs::read_to_string(file.as_str().unwrap()).unwrap();
            config["credential"] = credential.into();
        }
        host().open_storage(self.plugin, config).await.unwrap()
    }
}

async fn sweep(server: &TestServer) {
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
}

#[tokio::test]
async fn a_box_lives_in_a_bucket_from_its_upload_to_the_sweep_after_its_deletion() {
    let test = "a_box_lives_in_a_bucket";
    let Some(s3) = s3(test) else { return };
    a_box_lives_there(&s3, test).await;
}

#[tokio::test]
async fn a_box_lives_in_a_container_from_its_upload_to_the_sweep_after_its_deletion() {
    let test = "a_box_lives_in_a_container";
    let Some(azblob) = azblob(test) else { return };
    a_box_lives_there(&azblob, test).await;
}

#[tokio::test]
async fn a_box_lives_in_a_bucket_of_google_from_its_upload_to_the_sweep_after_its_deletion() {
    let test = "a_box_lives_in_a_bucket_of_google";
    let Some(gcs) = gcs(test) else { return };
    a_box_lives_there(&gcs, test).await;
}

#[tokio::test]
async fn a_box_lives_on_an_sftp_server_from_its_upload_to_the_sweep_after_its_deletion() {
    let test = "a_box_lives_on_an_sftp_server";
    let Some(sftp) = sftp(test) else { return };
    a_box_lives_there(&sftp, test).await;
}

#[tokio::test]
async fn a_box_lives_on_a_webdav_server_from_its_upload_to_the_sweep_after_its_deletion() {
    let test = "a_box_lives_on_a_webdav_server";
    let Some(webdav) = webdav(test) else { return };
    a_box_lives_there(&webdav, test).await;
}

async fn a_box_lives_there<S>(remote: &Remote<S>, test: &str) {
    let server = remote.server().start().await;
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
        None => skip(&format!("object_stores::{test}"), "vagrant is not installed"),
    }

    let store = remote.look_into().await;
    let objects = store.list("blobs/", None, 10).await.unwrap();
    assert_eq!(objects.len(), 1, "{objects:?}");
    assert_eq!(objects[0].size, file.bytes.len() as u64);
    assert_eq!(admin.delete("/api/organization/acme/box/debian").await.status, 200);
    sweep(&server).await;
    assert_eq!(store.list("", None, 10).await.unwrap(), []);
    if store.capabilities().contains(Capabilities::LIST_UNFINISHED) {
        assert_eq!(store.list_unfinished("", None, 10).await.unwrap(), []);
    }
    assert!(!remote.is_shown_in(&server.log()), "the log shows the secret");
}

#[tokio::test]
async fn parts_that_a_killed_server_has_sent_are_swept_and_those_of_an_upload_that_runs_are_not() {
    let Some(s3) = s3("parts_that_a_killed_server_has_sent") else { return };
    what_was_begun_is_swept(&s3).await;
}

#[tokio::test]
async fn blocks_that_a_killed_server_has_sent_are_swept_and_those_of_an_upload_that_runs_are_not() {
    let Some(azblob) = azblob("blocks_that_a_killed_server_has_sent") else { return };
    what_was_begun_is_swept(&azblob).await;
}

#[tokio::test]
async fn files_that_a_killed_server_has_begun_are_swept_and_those_of_an_upload_that_runs_are_not() {
    let Some(sftp) = sftp("files_that_a_killed_server_has_begun") else { return };
    what_was_begun_is_swept(&sftp).await;
}

#[tokio::test]
async fn chunks_that_a_killed_server_has_sent_are_swept_and_those_of_an_upload_that_runs_are_not() {
    let Some(gcs) = gcs("chunks_that_a_killed_server_has_sent") else { return };
    what_was_begun_is_swept(&gcs).await;
}

async fn what_was_begun_is_swept<S>(remote: &Remote<S>) {
    let mut server = remote.server().start().await;
    let admin = server.admin().await;
    let publication = Publication::new("acme", "web", &[]);
    admin.prepare(&publication).await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(24 << 20).build();
    let store = remote.look_into().await;

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
    let Some(mut s3) = s3("a_server_says_what_is_wrong_with_its_bucket") else { return };
    s3.config["bucket"] = "no-such-bucket".into();
    does_not_start(&s3, "create the bucket, or correct bucket").await;
}

#[tokio::test]
async fn a_server_says_what_is_wrong_with_its_container_and_does_not_start() {
    let Some(mut azblob) = azblob("a_server_says_what_is_wrong_with_its_container") else { return };
    azblob.config["container"] = "no-such-container".into();
    does_not_start(&azblob, "create the container, or correct container").await;
}

#[tokio::test]
async fn a_server_says_what_is_wrong_with_its_bucket_at_google_and_does_not_start() {
    let Some(mut gcs) = gcs("a_server_says_what_is_wrong_with_its_bucket_at_google") else {
        return;
    };
    gcs.config["bucket"] = "no-such-bucket".into();
    does_not_start(&gcs, "create the bucket, or correct bucket").await;
}

#[tokio::test]
async fn a_server_does_not_start_with_a_store_that_has_another_key_than_it_should() {
    let Some(mut sftp) = sftp("a_server_does_not_start_with_a_store_that_has_another_key") else {
        return;
    };
    // what lies there is no list of hosts
    sftp.config["known_hosts_file"] = sftp.config["identity_file"].clone();
    does_not_start(&sftp, "known_hosts_file").await;
}

#[tokio::test]
async fn a_server_does_not_start_with_a_wrong_password_for_its_store() {
    let Some(mut webdav) = webdav("a_server_does_not_start_with_a_wrong_password") else { return };
    webdav.config["password"] = "wrong".into();
    does_not_start(&webdav, "correct username and password").await;
}

async fn does_not_start<S>(remote: &Remote<S>, words: &str) {
    let folder = tempfile::tempdir().unwrap();
    let settings = remote.settings();
    let settings: Vec<_> =
        settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let refused = boxvault_tests::faults::refused_start(folder.path(), &settings).await;
    assert!(refused.output.contains(words), "{}", refused.output);
    assert!(!remote.is_shown_in(&refused.output), "{}", refused.output);
}
