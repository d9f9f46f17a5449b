//! The real Packer with its `vagrant-cloud`.

use std::path::{Path, PathBuf};

use boxvault_tests::{
    Client, TestServer,
    bytes::{BoxBuilder, BoxFile},
    skip, workspace,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{authority::Authority, good, owner_of_acme, server, write, write_box};

/// The client, in a folder of its own.
pub(super) struct Packer {
    program: PathBuf,
    folder: TempDir,
    url: String,
    token: String,
}

impl Packer {
    /// Nothing when packer is not installed.
    pub(super) fn new(url: &str, client: &Client) -> Option<Self> {
        let program = workspace::find_program("packer")?;
        let folder = tempfile::tempdir().expect("a folder can be made");
        let token = client.token().expect("the client has a token").to_owned();
        Some(Self { program, folder, url: format!("{url}/api/v1"), token })
    }

    /// Publishes a box that is there already. Whether it did, and what it said.
    async fn publish(&self, file: &BoxFile, options: Value) -> (bool, String) {
        self.publish_trusting(None, file, options).await
    }

    async fn publish_trusting(
        &self,
        authority: Option<&Path>,
        file: &BoxFile,
        options: Value,
    ) -> (bool, String) {
        let path = write_box(self.folder.path(), "web.box", file);
        let mut cloud = json!({
            "type": "vagrant-cloud",
            "vagrant_cloud_url": self.url,
            "access_token": self.token,
            "box_tag": "acme/web",
        });
        let options = options.as_object().expect("options by name").clone();
        cloud.as_object_mut().expect("an object").extend(options);
        let template = json!({
            "builders": [{ "type": "null", "communicator": "none" }],
            "post-processors": [[{ "type": "artifice", "files": [path] }, cloud]],
        });
        write(&self.folder.path().join("web.json"), template.to_string().as_bytes());
        let mut command = tokio::process::Command::new(&self.program);
        command
            .args(["build", "-color=false", "web.json"])
            .current_dir(self.folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_CONFIG_DIR", self.folder.path())
            .kill_on_drop(true);
        if let Some(authority) = authority {
            command.env("SSL_CERT_FILE", authority);
        }
        let output = command.output().await.expect("packer starts");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

async fn box_for_all(client: &Client) {
    let web = json!({ "username": "acme", "name": "web", "is_private": false });
    good(client, Method::POST, "/api/v1/boxes", Some(web)).await;
}

#[tokio::test]
async fn packer_publishes_in_both_ways_and_never_twice() {
    let (server, client) = server().await;
    let Some(packer) = Packer::new(&server.url(), &client) else {
        skip(
            "cloud::packer::packer_publishes_in_both_ways_and_never_twice",
            "packer is not installed",
        );
        return;
    };
    box_for_all(&client).await;
    let file = BoxBuilder::new("virtualbox").build();
    for options in [
        json!({ "version": "1.0.0" }),
        json!({ "version": "1.1.0", "no_direct_upload": true, "no_release": true }),
    ] {
        let (success, said) = packer.publish(&file, options).await;
        assert!(success, "{said}");
    }
    let (success, said) = packer.publish(&file, json!({ "version": "1.0.0" })).await;
    assert!(!success && said.contains("must be unique"), "{said}");
    let catalogue = server.anonymous().get("/acme/web").await.json();
    let versions = catalogue["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 1, "{catalogue}");
    let file_path = "/acme/boxes/web/versions/1.0.0/providers/virtualbox.box";
    assert!(server.anonymous().get(file_path).await.bytes == file.bytes);
    let waiting = good(&client, Method::GET, "/api/v1/box/acme/web/version/1.1.0", None).await;
    assert_eq!(waiting["status"], "unreleased");
    assert_eq!(waiting["providers"][0]["checksum"], json!(file.sha256));
}

#[tokio::test]
async fn packer_takes_back_what_failed_says_why_and_publishes_the_next_time() {
    // so that it sees what Packer does not
    let server = TestServer::builder().set("limits.archive_check", "whole").start().await;
    let client = owner_of_acme(&server).await;
    let Some(packer) = Packer::new(&server.url(), &client) else {
        skip(
            "cloud::packer::packer_takes_back_what_failed_says_why_and_publishes_the_next_time",
            "packer is not installed",
        );
        return;
    };
    box_for_all(&client).await;
    let whole = BoxBuilder::new("virtualbox").disk_bytes(200_000).build();
    let half = whole.bytes[..whole.bytes.len() / 2].to_vec();
    let cut = BoxFile { bytes: half, ..BoxBuilder::new("virtualbox").build() };
    let (success, said) = packer.publish(&cut, json!({ "version": "1.0.0" })).await;
    assert!(!success && said.contains("the archive ends in the middle"), "{said}");
    let version = "/api/v1/box/acme/web/version/1.0.0";
    let left = good(&client, Method::GET, version, None).await;
    assert_eq!((&left["status"], &left["providers"]), (&json!("unreleased"), &json!([])), "{said}");
    let (success, said) = packer.publish(&whole, json!({ "version": "1.0.0" })).await;
    assert!(success, "{said}");
    let catalogue = server.anonymous().get("/acme/web").await.json();
    assert_eq!(catalogue["versions"][0]["providers"][0]["checksum"], json!(whole.sha256));
}

#[tokio::test]
async fn packer_publishes_over_tls_of_an_authority_of_ones_own() {
    let test = "cloud::packer::packer_publishes_over_tls_of_an_authority_of_ones_own";
    let Some(authority) = Authority::new() else { return skip(test, "openssl is not installed") };
    let (server, client) = authority.server().await;
    let url = format!("https://{}", server.https());
    let Some(packer) = Packer::new(&url, &client) else {
        return skip(test, "packer is not installed");
    };
    box_for_all(&client).await;
    let file = BoxBuilder::new("virtualbox").build();
    let options = json!({ "version": "1.0.0" });
    let (success, said) = packer.publish(&file, options.clone()).await;
    assert!(!success && said.contains("certificate"), "{said}");
    let trusted = Some(authority.certificate());
    let (success, said) = packer.publish_trusting(trusted.as_deref(), &file, options).await;
    assert!(success, "{said}");
    let released = good(&client, Method::GET, "/api/v1/box/acme/web/version/1.0.0", None).await;
    assert_eq!(released["status"], "active");
}
