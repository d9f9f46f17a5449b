//! The real Packer with its `vagrant-cloud`.

use boxvault_tests::{bytes::BoxBuilder, skip, workspace};
use reqwest::Method;
use serde_json::json;

use super::{good, server, write, write_box};

#[tokio::test]
async fn packer_publishes_in_both_ways_and_never_twice() {
    let (server, client) = server().await;
    let Some(program) = workspace::find_program("packer") else {
        skip(
            "cloud::packer::packer_publishes_in_both_ways_and_never_twice",
            "packer is not installed",
        );
        return;
    };
    let web = json!({ "username": "acme", "name": "web", "is_private": false });
    good(&client, Method::POST, "/api/v1/boxes", Some(web)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = BoxBuilder::new("virtualbox").build();
    let path = write_box(folder.path(), "web.box", &file);
    let build = async |version: &str, direct: bool, release: bool| {
        let cloud = json!({
            "type": "vagrant-cloud",
            "vagrant_cloud_url": format!("{}/api/v1", server.url()),
            "access_token": client.token(),
            "box_tag": "acme/web",
            "version": version,
            "no_direct_upload": !direct,
            "no_release": !release,
        });
        let template = json!({
            "builders": [{ "type": "null", "communicator": "none" }],
            "post-processors": [[{ "type": "artifice", "files": [path] }, cloud]],
        });
        write(&folder.path().join("web.json"), template.to_string().as_bytes());
        let output = tokio::process::Command::new(&program)
            .args(["build", "-color=false", "web.json"])
            .current_dir(folder.path())
            .env("CHECKPOINT_DISABLE", "1")
            .env("PACKER_CONFIG_DIR", folder.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for (version, direct, release) in [("1.0.0", true, true), ("1.1.0", false, false)] {
        let (success, said) = build(version, direct, release).await;
        assert!(success, "{said}");
    }
    let (success, said) = build("1.0.0", true, true).await;
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
