//! Stock Vagrant, unpatched, against the real server: what users do every day.
//!
//! Runs whichever `vagrant` is installed. What other versions of it send is tested by their recorded shapes, without a
//! client.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
};

use boxvault_tests::{
    Publication, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile, Compression, DISK_NAME},
    proxy::{Fault, Proxy},
    server::ADMIN_NAME,
    skip,
};

/// A client of this server, or a word about why there is none.
fn vagrant_for(test: &str, server_url: &str) -> Option<Vagrant> {
    let vagrant = Vagrant::new(server_url);
    if vagrant.is_none() {
        skip(&format!("vagrant::{test}"), "vagrant is not installed");
    }
    vagrant
}

/// Panics unless that version is installed, with the very disk that was packed.
#[track_caller]
fn assert_installed(vagrant: &Vagrant, name: &str, version: &str, file: &BoxFile) {
    let folder = vagrant
        .installed("acme", name, version, "virtualbox")
        .unwrap_or_else(|| panic!("acme/{name} {version} is not installed"));
    assert!(read(&folder.join(DISK_NAME)) == file.disk, "the disk is not the one that was packed");
    assert!(folder.join("metadata.json").is_file());
}

fn read(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    File::open(path).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// A server that calls itself by the proxy's address, so that catalogue and file go through the proxy.
async fn server_behind(proxy: &Proxy) -> TestServer {
    let server = TestServer::builder().set("server.public_url", &proxy.url()).start().await;
    proxy.forward_to(server.http());
    server
}

#[tokio::test]
async fn stock_vagrant_installs_a_public_box_and_removes_it() {
    let server = TestServer::start().await;
    let Some(vagrant) =
        vagrant_for("stock_vagrant_installs_a_public_box_and_removes_it", &server.url())
    else {
        return;
    };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(3 << 20).build();
    let publication = Publication::new("acme", "debian", &file.bytes);
    admin.publish(&publication).await;

    vagrant.run(&["box", "add", "acme/debian", "--provider", "virtualbox"]).await.expect_success();
    assert_installed(&vagrant, "debian", "1.0.0", &file);
    // The same file by hand: vagrant keeps only what was in it.
    let fetched = server.anonymous().get(&publication.vagrant_path()).await;
    assert_eq!(fetched.status, 200);
    assert!(fetched.bytes == file.bytes, "downloaded bytes differ from uploaded ones");

    let list = vagrant.run(&["box", "list"]).await;
    assert!(list.output.contains("acme/debian"), "{}", list.output);
    vagrant.run(&["box", "remove", "acme/debian", "--force"]).await.expect_success();
    assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_none());
}

#[tokio::test]
async fn every_compression_that_is_accepted_installs() {
    let server = TestServer::start().await;
    let Some(vagrant) = vagrant_for("every_compression_that_is_accepted_installs", &server.url())
    else {
        return;
    };
    let admin = server.admin().await;
    for (name, compression) in
        [("gz", Compression::Gzip), ("xz", Compression::Xz), ("plain", Compression::None)]
    {
        let file = BoxBuilder::new("virtualbox").compression(compression).build();
        admin.publish(&Publication::new("acme", name, &file.bytes)).await;
        vagrant.run(&["box", "add", &format!("acme/{name}")]).await.expect_success();
        assert_installed(&vagrant, name, "1.0.0", &file);
    }
}

#[tokio::test]
async fn both_catalogue_paths_install_the_same_box() {
    let server = TestServer::start().await;
    let Some(vagrant) = vagrant_for("both_catalogue_paths_install_the_same_box", &server.url())
    else {
        return;
    };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;

    // The first is what vagrant 2.3 asks for, the second what 2.4 does; the third is an old form that people wrote
    // into their Vagrantfiles; the fourth is what a server URL with a slash at its end becomes.
    for path in [
        "/acme/debian",
        "/api/v2/vagrant/acme/debian",
        "/acme/boxes/debian",
        "//api/v2/vagrant/acme/debian",
    ] {
        let url = format!("{}{path}", server.url());
        vagrant.run(&["box", "add", &url]).await.expect_success();
        assert_installed(&vagrant, "debian", "1.0.0", &file);
        vagrant.run(&["box", "remove", "acme/debian", "--force"]).await.expect_success();
    }
}

#[tokio::test]
async fn a_private_box_needs_a_token() {
    let server = TestServer::start().await;
    let Some(vagrant) = vagrant_for("a_private_box_needs_a_token", &server.url()) else { return };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").seed(2).build();
    let mut publication = Publication::new("acme", "secret", &file.bytes);
    publication.public = false;
    admin.publish(&publication).await;

    let refused = vagrant.run(&["box", "add", "acme/secret"]).await;
    refused.expect_failure();
    assert!(refused.output.contains("could not be found or"), "{}", refused.output);

    let vagrant = vagrant.token(&server.api_token(ADMIN_NAME).await);
    vagrant.run(&["box", "add", "acme/secret"]).await.expect_success();
    assert_installed(&vagrant, "secret", "1.0.0", &file);
}

#[tokio::test]
async fn a_stale_token_does_not_lock_anybody_out_of_a_public_box() {
    let server = TestServer::start().await;
    let test = "a_stale_token_does_not_lock_anybody_out_of_a_public_box";
    let Some(vagrant) = vagrant_for(test, &server.url()) else { return };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;

    let vagrant = vagrant.token("a-token-of-long-ago");
    vagrant.run(&["box", "add", "acme/debian"]).await.expect_success();
    assert_installed(&vagrant, "debian", "1.0.0", &file);
}

#[tokio::test]
async fn a_download_that_was_cut_is_resumed() {
    let proxy = Proxy::start().await;
    let server = server_behind(&proxy).await;
    let Some(vagrant) = vagrant_for("a_download_that_was_cut_is_resumed", &proxy.url()) else {
        return;
    };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(4 << 20).build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;

    let cut = 1_500_000;
    proxy.plan("vagrant.box", Fault::CutAt(cut));
    vagrant.run(&["box", "add", "acme/debian"]).await.expect_failure();
    let partial = vagrant.partial_downloads();
    let [(_, size)] = partial.as_slice() else { panic!("one partial download, not {partial:?}") };
    assert_eq!(*size, cut as u64);

    vagrant.run(&["box", "add", "acme/debian"]).await.expect_success();
    assert_installed(&vagrant, "debian", "1.0.0", &file);
    let seen = proxy.seen();
    let resumed = seen.last().unwrap();
    assert_eq!(resumed.range.as_deref(), Some("bytes=1500000-"), "{seen:#?}");
    assert_eq!(resumed.status, 206, "{seen:#?}");
}

#[tokio::test]
async fn a_download_that_was_complete_but_never_installed_is_taken() {
    let proxy = Proxy::start().await;
    let server = server_behind(&proxy).await;
    let test = "a_download_that_was_complete_but_never_installed_is_taken";
    let Some(vagrant) = vagrant_for(test, &proxy.url()) else { return };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(1 << 20).build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;

    proxy.plan("vagrant.box", Fault::CutAt(1000));
    vagrant.run(&["box", "add", "acme/debian"]).await.expect_failure();
    let (path, _) = vagrant.partial_downloads().pop().expect("a partial download");
    // As if vagrant had been stopped between the last byte and unpacking.
    std::io::Write::write_all(&mut File::create(&path).unwrap(), &file.bytes).unwrap();

    vagrant.run(&["box", "add", "acme/debian"]).await.expect_success();
    assert_installed(&vagrant, "debian", "1.0.0", &file);
    let seen = proxy.seen();
    let range = format!("bytes={}-", file.bytes.len());
    assert!(seen.iter().any(|seen| seen.range.as_deref() == Some(&range)), "{seen:#?}");
}

#[tokio::test]
async fn bytes_that_changed_on_the_way_are_refused() {
    let proxy = Proxy::start().await;
    let server = server_behind(&proxy).await;
    let Some(vagrant) = vagrant_for("bytes_that_changed_on_the_way_are_refused", &proxy.url())
    else {
        return;
    };
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(1 << 20).build();
    admin.publish(&Publication::new("acme", "debian", &file.bytes)).await;

    proxy.plan("vagrant.box", Fault::FlipAt(file.bytes.len() / 2));
    let refused = vagrant.run(&["box", "add", "acme/debian"]).await;
    refused.expect_failure();
    assert!(refused.output.contains("checksum"), "{}", refused.output);
    assert!(refused.output.contains(&file.sha256), "{}", refused.output);
    assert!(vagrant.installed("acme", "debian", "1.0.0", "virtualbox").is_none());
}

#[tokio::test]
async fn a_newer_version_is_seen_and_fetched_once_it_is_released() {
    let server = TestServer::start().await;
    let test = "a_newer_version_is_seen_and_fetched_once_it_is_released";
    let Some(vagrant) = vagrant_for(test, &server.url()) else { return };
    let admin = server.admin().await;
    let old = BoxBuilder::new("virtualbox").seed(1).build();
    let new = BoxBuilder::new("virtualbox").seed(2).build();
    // Version 1.10.0 is newer than 1.9.0: versions are compared by number, not by letter.
    let mut publication =
        Publication { version: "1.9.0", ..Publication::new("acme", "debian", &old.bytes) };
    admin.publish(&publication).await;
    vagrant.run(&["box", "add", "acme/debian"]).await.expect_success();

    let outdated = vagrant.run(&["box", "outdated", "--global"]).await;
    assert!(outdated.expect_success().output.contains("up to date"), "{}", outdated.output);

    let versions = "/api/organization/acme/box/debian/version";
    let unreleased = admin.post(versions, &serde_json::json!({ "versionNumber": "2.0.0" })).await;
    assert_eq!(unreleased.status, 201, "{}", unreleased.text());
    publication = Publication { version: "1.10.0", file: &new.bytes, ..publication };
    admin.publish(&publication).await;

    let outdated = vagrant.run(&["box", "outdated", "--global"]).await;
    assert!(outdated.output.contains("1.10.0"), "{}", outdated.output);
    assert!(!outdated.output.contains("2.0.0"), "{}", outdated.output);
    vagrant.run(&["box", "update", "--box", "acme/debian"]).await.expect_success();
    assert_installed(&vagrant, "debian", "1.10.0", &new);
    assert_installed(&vagrant, "debian", "1.9.0", &old);
}

#[tokio::test]
async fn a_box_that_does_not_exist_is_reported_as_such() {
    let server = TestServer::start().await;
    let Some(vagrant) = vagrant_for("a_box_that_does_not_exist_is_reported_as_such", &server.url())
    else {
        return;
    };
    let refused = vagrant.run(&["box", "add", "acme/nothing"]).await;
    refused.expect_failure();
    assert!(refused.output.contains("could not be found or"), "{}", refused.output);
    assert!(fs::read_dir(vagrant.home().join("boxes")).unwrap().next().is_none());
}
