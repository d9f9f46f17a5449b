//! `boxvault import`: another registry's boxes, brought over once.

use std::{path::Path, process::Output, time::Duration};

use boxvault_tests::{
    Client, Publication, TestServer, Vagrant,
    bytes::{BoxBuilder, BoxFile},
    proxy::{Fault, Proxy},
    server::ADMIN_NAME,
    skip,
    upstream::{Page, Upstream},
    wait_for,
};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|part| String::from_utf8_lossy(part).into_owned()).concat()
}

/// A server with the organization `here`, and its admin.
async fn target(builder: boxvault_tests::server::TestServerBuilder) -> (TestServer, Client) {
    let server = builder.start().await;
    let admin = server.admin().await;
    let made = admin.post("/api/organization", &json!({ "name": "here" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    (server, admin)
}

fn small(seed: u64) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).build()
}

fn files_below(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.map(|path| if path.is_dir() { files_below(&path) } else { 1 }).sum()
}

/// The catalogue of one box with one file.
fn catalogue(url: &str, sum: Option<&str>) -> Value {
    let mut provider = json!({ "name": "virtualbox", "url": url, "architecture": "amd64" });
    if let Some(sum) = sum {
        provider["checksum"] = json!(sum);
        provider["checksum_type"] = json!("sha256");
    }
    json!({ "name": "there/debian", "versions": [{ "version": "1.0.0", "providers": [provider] }] })
}

#[tokio::test]
async fn an_organization_is_brought_over_once_and_a_second_run_copies_nothing() {
    let source = TestServer::start().await;
    let owner = source.admin().await;
    let (one, two, other) = (small(1), small(2), BoxBuilder::new("libvirt").seed(3).build());
    let first = Publication::new("acme", "debian", &one.bytes);
    owner.prepare(&first).await;
    let libvirt =
        Publication { provider: "libvirt", architecture: "arm64", file: &other.bytes, ..first };
    owner.prepare(&libvirt).await;
    for part in [&first, &libvirt] {
        let path = format!("{}/upload", part.file_path());
        assert_eq!(owner.upload(&path, part.file.to_vec(), &[]).await.status, 200);
    }
    owner.release(&first).await;
    owner.publish(&Publication { version: "1.1.0", file: &two.bytes, ..first }).await;
    let hidden = Publication { name: "secret", public: false, file: &one.bytes, ..first };
    owner.publish(&hidden).await;

    let (server, admin) = target(TestServer::builder()).await;
    let token = server.scratch().join("token");
    tokio::fs::write(&token, source.api_token(ADMIN_NAME).await).await.unwrap();
    let (url, token) = (format!("{}/acme", source.url()), token.to_str().unwrap().to_owned());
    let import = ["import", &url, "--org", "here", "--token-file", &token];

    let dry = server.command(&[&import[..], &["--dry-run"]].concat(), "").await;
    assert!(dry.status.success(), "{}", text(&dry));
    assert!(text(&dry).contains("would copy 4 files; 0 were here"), "{}", text(&dry));
    assert_eq!(admin.get("/api/organization/here/box").await.data(), json!([]));

    let done = server.command(&import, "").await;
    assert!(done.status.success(), "{}", text(&done));
    assert!(text(&done).contains("copied 4 files"), "{}", text(&done));
    for (file, part) in [
        (&one, first),
        (&other, libvirt),
        (&two, Publication { version: "1.1.0", ..first }),
        (&one, hidden),
    ] {
        let part = Publication { organization: "here", ..part };
        let fetched = admin.get(&part.vagrant_path()).await;
        assert_eq!((fetched.status, fetched.bytes == file.bytes), (200, true), "{part:?}");
    }
    let anonymous = server.anonymous();
    assert_eq!(anonymous.get("/here/debian").await.status, 200);
    assert_eq!(anonymous.get("/here/secret").await.status, 404, "it is private there");

    let again = server.command(&import, "").await;
    assert!(again.status.success(), "{}", text(&again));
    assert!(text(&again).contains("copied 0 files (0 B); 4 were here"), "{}", text(&again));
    // what was done stands in the log, and no token
    let log = admin.get("/api/organization/here/audit?per_page=200").await.text();
    assert!(log.contains("\"command\"") && log.contains("box/debian"), "{log}");

    // without a token there is only what everybody sees
    let public = ["import", &url, "--org", "here", "--only", "secret"];
    let refused = server.command(&public, "").await;
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("does not list it"), "{}", text(&refused));
}

#[tokio::test]
async fn a_box_that_was_brought_over_is_installed_by_vagrant() {
    let (server, admin) = target(TestServer::builder()).await;
    let upstream = Upstream::start().await;
    let file = small(4);
    upstream.set("/files/debian.box", Page::Bytes(file.bytes.clone()));
    // an address relative to the catalogue's
    upstream.set("/debian.json", Page::json(&catalogue("files/debian.box", Some(&file.sha256))));
    let url = upstream.url("/debian.json");

    let nowhere = server.command(&["import", &url], "").await;
    assert_eq!(nowhere.status.code(), Some(2), "{}", text(&nowhere));
    assert!(text(&nowhere).contains("--org"), "{}", text(&nowhere));
    let done = server.command(&["import", &url, "--org", "here"], "").await;
    assert!(done.status.success(), "{}", text(&done));
    // another name here
    let renamed = ["import", &url, "--org", "here", "--only", "other"];
    assert!(server.command(&renamed, "").await.status.success());
    assert_eq!(admin.get("/here/other").await.status, 200);

    let token = server.api_token(ADMIN_NAME).await;
    let Some(vagrant) = Vagrant::new(&server.url()) else {
        return skip(
            "import::a_box_that_was_brought_over_is_installed_by_vagrant",
            "vagrant is not installed",
        );
    };
    let vagrant = vagrant.token(&token);
    vagrant.run(&["box", "add", "here/debian", "--provider", "virtualbox"]).await.expect_success();
    assert!(vagrant.installed("here", "debian", "1.0.0", "virtualbox").is_some());
}

#[tokio::test]
async fn a_file_with_another_checksum_never_shows() {
    let (server, admin) = target(TestServer::builder()).await;
    let upstream = Upstream::start().await;
    let (file, other) = (small(5), small(6));
    upstream.set("/debian.box", Page::Bytes(other.bytes.clone()));
    upstream.set("/debian.json", Page::json(&catalogue("/debian.box", Some(&file.sha256))));
    let url = upstream.url("/debian.json");
    let refused = server.command(&["import", &url, "--org", "here"], "").await;
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused));
    assert!(text(&refused).contains("sha256"), "{}", text(&refused));
    let versions = admin.get("/here/debian").await.json();
    assert_eq!(versions["versions"], json!([]), "{versions}");

    // once the upstream is right, another run completes it
    upstream.set("/debian.box", Page::Bytes(file.bytes.clone()));
    let done = server.command(&["import", &url, "--org", "here"], "").await;
    assert!(done.status.success(), "{}", text(&done));
    // and later another file in its place is told, and changes nothing
    upstream.set("/debian.json", Page::json(&catalogue("/debian.box", Some(&other.sha256))));
    let told = server.command(&["import", &url, "--org", "here"], "").await;
    assert!(told.status.success(), "{}", text(&told));
    assert!(text(&told).contains("another file is here"), "{}", text(&told));
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_within_the_file() {
    let part = 256 * 1024;
    let (server, admin) =
        target(TestServer::builder().set("limits.upload_part_bytes_max", "256 KiB")).await;
    let upstream = Upstream::start().await;
    let file = BoxBuilder::new("virtualbox").seed(7).disk_bytes(2 << 20).build();
    upstream.set("/debian.box", Page::StallsAt(file.bytes.clone(), 3 * part + 1000));
    upstream.set("/debian.json", Page::json(&catalogue("/debian.box", Some(&file.sha256))));
    let url = upstream.url("/debian.json");
    let import = ["import", &url, "--org", "here"];

    let stored = wait_for("three parts in the store", PATIENCE, async || {
        (files_below(&server.data_dir().join("store/blobs")) >= 3).then_some(())
    });
    server.command_killed_when(&import, stored).await;
    assert_eq!(admin.get("/here/debian").await.json()["versions"], json!([]));

    upstream.set("/debian.box", Page::Bytes(file.bytes.clone()));
    let done = server.command(&import, "").await;
    assert!(done.status.success(), "{}", text(&done));
    let ranges: Vec<_> =
        upstream.asked_for("/debian.box").into_iter().map(|asked| asked.range).collect();
    // a part ends with the piece that fills it; what was written of the third may not have been confirmed
    let [None, Some(range)] = &ranges[..] else { panic!("{ranges:?}") };
    let from: usize = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!((2 * part..=3 * part + 1000).contains(&from), "{range}");
    let part = Publication::new("here", "debian", &file.bytes);
    assert!(admin.get(&part.vagrant_path()).await.bytes == file.bytes);
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_told_and_the_rest_goes_on() {
    let proxy = Proxy::start().await;
    let source = TestServer::builder().set("server.public_url", &proxy.url()).start().await;
    proxy.forward_to(source.http());
    let owner = source.admin().await;
    let (one, two) = (small(8), small(9));
    owner.publish(&Publication::new("acme", "aaa", &one.bytes)).await;
    owner.publish(&Publication::new("acme", "bbb", &two.bytes)).await;
    let (server, admin) = target(TestServer::builder()).await;
    let url = format!("{}/acme", proxy.url());
    let import = ["import", &url, "--org", "here"];

    proxy.plan("/aaa/versions/1.0.0/providers/virtualbox/amd64/vagrant.box", Fault::CutAt(1000));
    let broken = server.command(&import, "").await;
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken));
    assert!(text(&broken).contains("FAILED here/aaa 1.0.0"), "{}", text(&broken));
    assert!(text(&broken).contains("copied 1 files"), "{}", text(&broken));
    let again = server.command(&import, "").await;
    assert!(again.status.success(), "{}", text(&again));
    for (name, file) in [("aaa", &one), ("bbb", &two)] {
        let part = Publication::new("here", name, &file.bytes);
        assert!(admin.get(&part.vagrant_path()).await.bytes == file.bytes, "{name}");
    }
}

#[tokio::test]
async fn the_token_goes_to_the_registry_and_to_nobody_else() {
    let (server, _) = target(TestServer::builder()).await;
    let (upstream, elsewhere) = (Upstream::start().await, Upstream::start().await);
    let file = small(10);
    elsewhere.set("/debian.box", Page::Bytes(file.bytes.clone()));
    upstream.set("/file", Page::Redirect(elsewhere.url("/debian.box")));
    upstream.set("/debian.json", Page::json(&catalogue("/file", Some(&file.sha256))));
    let token = server.scratch().join("token");
    tokio::fs::write(&token, "canary-of-a-token\n").await.unwrap();
    let url = upstream.url("/debian.json");
    let import = ["import", &url, "--org", "here", "--token-file", token.to_str().unwrap()];
    let done = server.command(&import, "").await;
    assert!(done.status.success(), "{}", text(&done));
    assert!(!text(&done).contains("canary"), "{}", text(&done));
    for asked in upstream.asked() {
        assert_eq!(asked.authorization.as_deref(), Some("Bearer canary-of-a-token"), "{asked:?}");
    }
    assert!(elsewhere.asked().iter().all(|asked| asked.authorization.is_none()));

    // in a circle
    upstream.set("/debian.json", Page::Redirect(upstream.url("/debian.json")));
    let circle = server.command(&import, "").await;
    assert_eq!(circle.status.code(), Some(1), "{}", text(&circle));
    assert!(text(&circle).contains("other addresses in a row"), "{}", text(&circle));
}

#[tokio::test]
async fn a_registry_behind_a_certificate_of_its_own_is_trusted_by_name_alone() {
    let source = TestServer::start().await;
    let file = small(11);
    source.admin().await.publish(&Publication::new("acme", "debian", &file.bytes)).await;
    let url = format!("https://{}/acme", source.https());
    let (server, _) = target(TestServer::builder()).await;
    let untrusted = server.command(&["import", &url, "--org", "here"], "").await;
    assert_eq!(untrusted.status.code(), Some(1), "{}", text(&untrusted));
    let ca = source.data_dir().join("tls/self-signed.crt");
    let import = ["import", &url, "--org", "here", "--ca-file", ca.to_str().unwrap()];
    let done = server.command(&import, "").await;
    assert!(done.status.success(), "{}", text(&done));
    let missing = ["import", &url, "--org", "here", "--ca-file", "/nowhere.pem"];
    assert_eq!(server.command(&missing, "").await.status.code(), Some(2));
}
