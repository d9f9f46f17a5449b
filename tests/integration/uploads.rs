//! Uploads: every way in, every refusal, and what is left on the disk after each.
//!
//! The rows of the upload table in the design are tests here, but for the ones that kill the server (`reliability`).
//! What is not stored must leave nothing: [`assert_nothing_stored`] looks into the store's folder, at the staging
//! area as well, and not at what the server says of it.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile, Compression, seeded, sha256},
    client::send,
    faults::{RawConnection, stored_files, upload_head, write_file},
    wait_for, workspace,
};
use bytes::Bytes;
use flate2::{Compression as Level, write::GzEncoder};
use futures_util::stream;
use reqwest::{Body, Method, multipart};
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);

/// A gzip box whose `metadata.json` is the last thing in it, so that a cut shows.
fn metadata_last(provider: &str) -> Vec<u8> {
    let metadata = format!("{{\"provider\":\"{provider}\"}}");
    gzip(&tar(&[("disk.img", &seeded(9, 200_000)), ("metadata.json", metadata.as_bytes())]))
}

fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, *content).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = GzEncoder::new(Vec::new(), Level::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn body_without_length(bytes: &[u8]) -> Body {
    let chunks: Vec<Result<Bytes, std::io::Error>> =
        bytes.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    Body::wrap_stream(stream::iter(chunks))
}

fn form(bytes: &[u8]) -> multipart::Form {
    let file = multipart::Part::bytes(bytes.to_vec()).file_name("web.box");
    multipart::Form::new().text("note", "before the file").part("file", file)
}

/// A digest that this package has no code for, from the system's own tool.
fn digest_by(tool: &str, bytes: &[u8]) -> String {
    let mut child = Command::new(tool)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{tool} is on every machine: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(bytes).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
    assert!(!reply.json()["message"].as_str().unwrap_or_default().is_empty(), "{}", reply.text());
}

/// Nothing in the store, not even half of a file, and nothing in the catalog that waits for one.
async fn assert_nothing_stored(server: &TestServer) {
    wait_for("an empty store", DEADLINE, async || stored_files(server).is_empty().then_some(()))
        .await;
}

async fn assert_slot_is_empty(server: &TestServer, caller: &Client, at: &Publication<'_>) {
    let info = caller.get(&format!("{}/info", at.file_path())).await;
    assert_refused(&info, 404, "FILE_NOT_FOUND");
    assert_nothing_stored(server).await;
}

#[track_caller]
fn assert_holds(reply: &Reply, file: &[u8]) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.bytes == file, "the downloaded bytes are not the uploaded ones");
}

async fn download(caller: &Client, at: &Publication<'_>) -> Reply {
    caller.get(&format!("{}/download", at.file_path())).await
}

#[tokio::test]
async fn a_file_arrives_whole_by_every_way_in() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(2 << 20).build();
    for way in ["put", "post", "form", "form-by-post", "no-length"] {
        let at = Publication::new("acme", way, &file.bytes);
        admin.prepare(&at).await;
        let path = format!("{}/upload", at.file_path());
        let request = match way {
            "put" => admin.request(Method::PUT, &path).body(file.bytes.clone()),
            "post" => admin.request(Method::POST, &path).body(file.bytes.clone()),
            "form" => admin.request(Method::PUT, &path).multipart(form(&file.bytes)),
            "form-by-post" => admin.request(Method::POST, &path).multipart(form(&file.bytes)),
            _ => admin.request(Method::PUT, &path).body(body_without_length(&file.bytes)),
        };
        let reply = send(request).await;
        assert_eq!(reply.status, 200, "{way}: {}", reply.text());
        let view = reply.data();
        assert_eq!(view["checksum"], file.sha256, "{way}");
        assert_eq!(view["fileSize"], file.bytes.len(), "{way}");
        assert_eq!((&view["compression"], &view["replaced"]), (&json!("gzip"), &json!(false)));
        assert_holds(&download(&admin, &at).await, &file.bytes);
    }
    assert_eq!(stored_files(&server).len(), 1, "the same bytes are stored once");
}

#[tokio::test]
async fn every_compression_is_taken_and_the_metadata_may_come_last() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let built = |compression| BoxBuilder::new("libvirt").compression(compression).build().bytes;
    for (name, compression, bytes) in [
        ("gz", "gzip", built(Compression::Gzip)),
        ("xz", "xz", built(Compression::Xz)),
        ("zst", "zstd", built(Compression::Zstd)),
        ("tar", "none", built(Compression::None)),
        ("last", "gzip", metadata_last("libvirt")),
        ("dot", "gzip", BoxBuilder::new("libvirt").metadata_path("./metadata.json").build().bytes),
    ] {
        let at = Publication { provider: "libvirt", ..Publication::new("acme", name, &bytes) };
        admin.prepare(&at).await;
        let path = format!("{}/upload", at.file_path());
        let reply = admin.upload(&path, bytes.clone(), &[]).await;
        assert_eq!(reply.status, 200, "{name}: {}", reply.text());
        assert_eq!(reply.data()["compression"], compression, "{name}");
        assert_holds(&download(&admin, &at).await, &bytes);
    }
}

#[tokio::test]
async fn damage_behind_the_metadata_is_refused_where_the_whole_archive_is_checked() {
    let server = TestServer::builder().set("limits.archive_check", "whole").start().await;
    let admin = server.admin().await;
    let disk = seeded(5, 200_000);
    let whole = tar(&[("metadata.json", b"{\"provider\":\"virtualbox\"}"), ("disk.img", &disk)]);
    let whole = gzip(&whole);
    let at = Publication::new("acme", "web", &whole);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    let cut = whole[..whole.len() - 5000].to_vec();
    let mut flipped = whole.clone();
    flipped[100_000] ^= 1;
    for damaged in [cut, flipped] {
        assert_refused(&admin.upload(&path, damaged, &[]).await, 422, "NOT_A_BOX");
        assert_slot_is_empty(&server, &admin, &at).await;
    }
    assert_eq!(admin.upload(&path, whole.clone(), &[]).await.status, 200);
    assert_holds(&download(&admin, &at).await, &whole);
}

#[tokio::test]
async fn a_declared_checksum_is_compared_whatever_its_type() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    for kind in ["md5", "sha1", "sha256", "sha384", "sha512"] {
        let checksum = digest_by(&format!("{kind}sum"), &file.bytes);
        for text in [checksum.clone(), format!(" {} ", checksum.to_uppercase())] {
            let headers = [("x-checksum", &*text), ("x-checksum-type", kind)];
            let reply = admin.upload(&path, file.bytes.clone(), &headers).await;
            assert_eq!(reply.status, 200, "{kind}: {}", reply.text());
        }
        let headers = [("x-checksum", &*checksum), ("x-checksum-type", kind)];
        let reply = admin.upload(&path, other.bytes.clone(), &headers).await;
        assert_refused(&reply, 422, "CHECKSUM_MISMATCH");
        let found = digest_by(&format!("{kind}sum"), &other.bytes);
        assert!(reply.text().contains(&checksum) && reply.text().contains(&found), "{kind}");
    }
    let reply = admin.upload(&path, other.bytes, &[("x-checksum", &*file.sha256)]).await;
    assert_refused(&reply, 422, "CHECKSUM_MISMATCH");
    assert_holds(&download(&admin, &at).await, &file.bytes);
    assert_eq!(stored_files(&server).len(), 1, "what was refused is gone");
}

#[tokio::test]
async fn a_checksum_that_cannot_be_one_is_refused_by_its_field() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    for (headers, field) in [
        ([("x-checksum", "abc"), ("x-checksum-type", "crc32")], "x-checksum-type"),
        ([("x-checksum", "abc"), ("x-checksum-type", "sha256")], "x-checksum"),
        ([("x-checksum", &*"g".repeat(64)), ("x-checksum-type", "sha256")], "x-checksum"),
        ([("x-checksum", &*file.sha256), ("x-checksum-type", "md5")], "x-checksum"),
    ] {
        let reply = admin.upload(&path, file.bytes.clone(), &headers).await;
        assert_refused(&reply, 400, "INVALID_INPUT");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
    assert_slot_is_empty(&server, &admin, &at).await;
}

#[tokio::test]
async fn what_is_no_box_is_refused_and_leaves_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "web", &[]);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    let with_metadata = |text: &str| BoxBuilder::new("x").metadata(text).build().bytes;
    let truncated = metadata_last("virtualbox");
    let half = truncated.len() / 2;
    for (what, bytes, code, word) in [
        ("html", b"<!DOCTYPE html><title>no</title>".to_vec(), "NOT_A_BOX", "HTML"),
        ("zip", b"PK\x03\x04 and so on".to_vec(), "NOT_A_BOX", "zip"),
        ("random", seeded(3, 100_000), "NOT_A_BOX", "unknown data"),
        ("nothing", Vec::new(), "NOT_A_BOX", "empty"),
        ("one byte", vec![0x1f], "NOT_A_BOX", "not a"),
        ("a disk alone", gzip(&tar(&[("disk", b"d")])), "NOT_A_BOX", "metadata.json"),
        ("half a gzip", truncated[..half].to_vec(), "NOT_A_BOX", "middle"),
        ("metadata that is no JSON", with_metadata("{provider"), "NOT_A_BOX", "metadata.json"),
        ("metadata without provider", with_metadata("{}"), "NOT_A_BOX", "provider"),
        (
            "a box for another provider",
            BoxBuilder::new("libvirt").build().bytes,
            "PROVIDER_MISMATCH",
            "libvirt",
        ),
    ] {
        for chunked in [false, true] {
            let body =
                if chunked { body_without_length(&bytes) } else { Body::from(bytes.clone()) };
            let reply = send(admin.request(Method::PUT, &path).body(body)).await;
            assert_refused(&reply, 422, code);
            assert!(reply.text().contains(word), "{what}: {}", reply.text());
        }
        let reply = send(admin.request(Method::POST, &path).multipart(form(&bytes))).await;
        assert_refused(&reply, 422, code);
    }
    let form = multipart::Form::new().text("fiel", "x");
    let reply = send(admin.request(Method::POST, &path).multipart(form)).await;
    assert_refused(&reply, 400, "INVALID_INPUT");
    assert_slot_is_empty(&server, &admin, &at).await;
    let fsck = server.command(&["fsck"], "").await;
    let said = String::from_utf8_lossy(&fsck.stdout).into_owned();
    assert!(said.contains("0 files") && said.contains("0 left over"), "{said}");
}

#[tokio::test]
async fn a_body_that_the_client_cuts_leaves_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(3 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let length = format!("Content-Length: {}", file.bytes.len());
    for (framing, chunked) in [(&*length, false), ("Transfer-Encoding: chunked", true)] {
        for sent in [0, 1, 2 << 20, file.bytes.len() - 1] {
            let mut connection = RawConnection::open(server.http()).await;
            connection.send(&upload_head(&at, &admin, &[framing])).await;
            let part = &file.bytes[..sent];
            if chunked && sent > 0 {
                connection.send(format!("{:x}\r\n", file.bytes.len()).as_bytes()).await;
            }
            connection.send(part).await;
            drop(connection);
        }
    }
    // cut behind a whole chunk: what came so far is a whole box, but nobody said that it is the end
    let mut connection = RawConnection::open(server.http()).await;
    connection.send(&upload_head(&at, &admin, &["Transfer-Encoding: chunked"])).await;
    connection.send(format!("{:x}\r\n", file.bytes.len()).as_bytes()).await;
    connection.send(&file.bytes).await;
    connection.send(b"\r\n").await;
    drop(connection);

    let metrics = server.anonymous();
    wait_for("the end of all uploads", DEADLINE, async || {
        let text = metrics.get("/metrics").await.text();
        text.contains("boxvault_uploads_in_flight 0").then_some(())
    })
    .await;
    assert_slot_is_empty(&server, &admin, &at).await;
    let log = server.log();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test]
async fn a_stream_that_is_reset_leaves_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let Some(curl) = workspace::find_program("curl") else {
        return boxvault_tests::skip("a_stream_that_is_reset_leaves_nothing", "no curl");
    };
    let file = BoxBuilder::new("virtualbox").disk_bytes(4 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let mut child = tokio::process::Command::new(curl)
        .args(["--silent", "--insecure", "--http2", "--upload-file", "-", "--header"])
        .arg(format!("x-access-token: {}", admin.token().unwrap()))
        .arg(format!("https://{}{}/upload", server.https(), at.file_path()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stdin, &file.bytes[..3 << 20]).await.unwrap();
    wait_for("half a file", DEADLINE, async || (!stored_files(&server).is_empty()).then_some(()))
        .await;
    child.kill().await.unwrap();
    assert_slot_is_empty(&server, &admin, &at).await;
}

#[tokio::test]
async fn a_content_length_that_lies_is_found_out() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let bytes = metadata_last("virtualbox");
    let at = Publication::new("acme", "web", &bytes);
    admin.prepare(&at).await;

    // more was promised than came
    let mut connection = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", bytes.len() + 1);
    connection.send(&upload_head(&at, &admin, &[&length])).await;
    connection.send(&bytes).await;
    connection.end_sending().await;
    if let Some(reply) = connection.reply().await {
        assert_refused(&reply, 422, "LENGTH_MISMATCH");
    }
    assert_slot_is_empty(&server, &admin, &at).await;

    // more came than was promised: the rest is no second request
    let mut connection = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", bytes.len() - 1000);
    connection.send(&upload_head(&at, &admin, &[&length])).await;
    // the server may hang up before it has taken all of it
    drop(connection.try_send(&bytes).await);
    let reply = connection.reply().await.expect("an answer to the request itself");
    assert_refused(&reply, 422, "NOT_A_BOX");
    assert_slot_is_empty(&server, &admin, &at).await;

    // what is no length, or two of them, is no request
    for framing in ["Content-Length: -1", "Content-Length: 7\r\nContent-Length: 8"] {
        let mut connection = RawConnection::open(server.http()).await;
        connection.send(&upload_head(&at, &admin, &[framing])).await;
        let reply = connection.reply().await;
        assert!(reply.is_none_or(|reply| reply.status == 400), "{framing}");
    }
    assert_eq!(server.anonymous().get("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_refused_upload_that_asked_first_sends_no_body() {
    let server = TestServer::builder().set("limits.upload_bytes_max", "1 MiB").start().await;
    let admin = server.admin().await;
    let stranger = server.user("stranger").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: true, ..Publication::new("acme", "web", &file.bytes) };
    admin.prepare(&at).await;
    let released = Publication::new("acme", "done", &file.bytes);
    admin.publish(&released).await;

    let length = format!("Content-Length: {}", file.bytes.len());
    let too_long = "Content-Length: 2000000";
    let anonymous = server.anonymous();
    let wrong = ("x-checksum-type: crc32\r\nx-checksum: 00", 400);
    for (target, caller, lines, status) in [
        (&at, &anonymous, [&*length, "x-note: none"], 401),
        (&at, &stranger, [&*length, "x-note: none"], 403),
        (&at, &admin, [too_long, "x-note: none"], 413),
        (&at, &admin, [&*length, wrong.0], wrong.1),
        (&released, &admin, [&*length, "x-note: none"], 409),
    ] {
        let mut connection = RawConnection::open(server.http()).await;
        let lines = [lines[0], lines[1], "Expect: 100-continue"];
        connection.send(&upload_head(target, caller, &lines)).await;
        let head = connection.head().await.expect("an answer");
        // an unreleased version of a public box is hidden from strangers
        let hidden = head.status == 404 && [401, 403].contains(&status);
        assert!(head.status == status || hidden, "{lines:?}: {}", head.status);
    }

    let mut connection = RawConnection::open(server.http()).await;
    connection.send(&upload_head(&at, &admin, &[&length, "Expect: 100-continue"])).await;
    assert_eq!(connection.head().await.map(|head| head.status), Some(100));
    connection.send(&file.bytes).await;
    assert_eq!(connection.reply().await.map(|reply| reply.status), Some(200));
    assert_holds(&download(&admin, &at).await, &file.bytes);
}

#[tokio::test]
async fn a_refusal_reaches_a_client_that_is_still_sending() {
    let server = TestServer::builder().set("limits.upload_bytes_max", "20 MiB").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(8 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let small = BoxBuilder::new("virtualbox").build();
    let released = Publication::new("acme", "done", &small.bytes);
    admin.publish(&released).await;
    let mut no_box = file.bytes.clone();
    no_box[..5].copy_from_slice(b"PK\x03\x04 ");
    let large = seeded(1, 24 << 20);
    let odd = [("x-checksum", "00"), ("x-checksum-type", "crc32")];
    let (nobody, bogus) = (server.anonymous(), server.anonymous().with_token("bogus"));
    for (target, caller, body, headers, statuses) in [
        (&at, &nobody, &file.bytes, &[][..], [401, 404]),
        (&at, &bogus, &file.bytes, &[], [401, 401]),
        (&released, &admin, &file.bytes, &[], [409, 409]),
        (&at, &admin, &file.bytes, &odd, [400, 400]),
        (&at, &admin, &no_box, &[], [422, 422]),
        (&at, &admin, &large, &[], [413, 413]),
    ] {
        // a client that loses the answer panics here
        let path = format!("{}/upload", target.file_path());
        let reply = caller.upload(&path, body.clone(), headers).await;
        assert!(statuses.contains(&reply.status), "{statuses:?}: {}", reply.text());
    }
    assert_eq!(stored_files(&server).len(), 1, "only the released one is stored");
}

#[tokio::test]
async fn a_file_over_the_limit_is_refused_declared_or_not() {
    let server = TestServer::builder().set("limits.upload_bytes_max", "100 KiB").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(200 << 10).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    let put = || admin.request(Method::PUT, &path);
    for request in [
        put().body(file.bytes.clone()),
        put().body(body_without_length(&file.bytes)),
        put().multipart(form(&file.bytes)),
        put().multipart(multipart::Form::new().text("note", "x".repeat(400 << 10))),
    ] {
        let reply = send(request).await;
        assert_refused(&reply, 413, "BODY_TOO_LARGE");
    }
    assert_slot_is_empty(&server, &admin, &at).await;
    let small = BoxBuilder::new("virtualbox").disk_bytes(50 << 10).build();
    assert_eq!(admin.upload(&path, small.bytes, &[]).await.status, 200);
}

#[tokio::test]
async fn a_client_that_falls_silent_is_let_go() {
    let server = TestServer::builder().set("limits.upload_idle_timeout", "1 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(2 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let length = format!("Content-Length: {}", file.bytes.len());
    for sent in [0, 1 << 20] {
        let mut connection = RawConnection::open(server.http()).await;
        connection.send(&upload_head(&at, &admin, &[&length])).await;
        connection.send(&file.bytes[..sent]).await;
        let answered = tokio::time::timeout(DEADLINE, connection.reply()).await;
        let reply = answered.expect("the server lets it go by itself");
        if let Some(reply) = reply {
            assert_refused(&reply, 408, "CLIENT_TOO_SLOW");
        }
    }
    assert_slot_is_empty(&server, &admin, &at).await;
}

#[tokio::test]
async fn the_old_file_stays_until_the_new_one_is_whole_and_running_downloads_end_well() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let old = BoxBuilder::new("virtualbox").seed(1).disk_bytes(12 << 20).build();
    let new = BoxBuilder::new("virtualbox").seed(2).disk_bytes(4 << 20).build();
    let at = Publication::new("acme", "web", &old.bytes);
    admin.prepare(&at).await;
    let path = format!("{}/upload", at.file_path());
    assert_eq!(admin.upload(&path, old.bytes.clone(), &[]).await.status, 200);

    let mut uploading = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", new.bytes.len());
    uploading.send(&upload_head(&at, &admin, &[&length])).await;
    uploading.send(&new.bytes[..3 << 20]).await;
    wait_for("half a file", DEADLINE, async || (stored_files(&server).len() > 1).then_some(()))
        .await;
    assert_holds(&download(&admin, &at).await, &old.bytes);

    let mut downloading = RawConnection::open(server.http()).await;
    let request = format!(
        "GET {}/download HTTP/1.1\r\nHost: boxvault\r\nx-access-token: {}\r\n\r\n",
        at.file_path(),
        admin.token().unwrap()
    );
    downloading.send(request.as_bytes()).await;
    assert_eq!(downloading.head().await.map(|head| head.status), Some(200));
    let mut begun = downloading.body(1000).await;

    uploading.send(&new.bytes[3 << 20..]).await;
    let reply = uploading.reply().await.expect("an answer");
    assert_eq!((reply.status, &reply.data()["replaced"]), (200, &json!(true)), "{}", reply.text());
    assert_holds(&download(&admin, &at).await, &new.bytes);
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");

    begun.append(&mut downloading.body(old.bytes.len() - 1000).await);
    assert!(begun == old.bytes, "a download that was running gets what it began with");
}

#[tokio::test]
async fn to_replace_takes_more_than_to_upload() {
    let policies = tempfile::tempdir().unwrap();
    for name in ["model.conf", "policy.csv"] {
        fs::copy(workspace::root().join("policies").join(name), policies.path().join(name))
            .unwrap();
    }
    write_file(&policies.path().join("site.csv"), "p, role:member, *, box/*/**, upload, allow\n")
        .unwrap();
    let policies = policies.path().to_str().unwrap().to_owned();
    let server = TestServer::builder().set("policy.dir", &policies).start().await;
    let admin = server.admin().await;
    let member = server.user("member").await;
    let file = BoxBuilder::new("virtualbox").build();
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let body = json!({ "username": "member", "role": "member" });
    let reply = admin.post("/api/organization/acme/members", &body).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let path = format!("{}/upload", at.file_path());
    assert_eq!(member.upload(&path, file.bytes.clone(), &[]).await.status, 200);
    let reply = member.upload(&path, other.bytes.clone(), &[]).await;
    assert_refused(&reply, 403, "PERMISSION_DENIED");
    assert_holds(&download(&admin, &at).await, &file.bytes);
    assert_eq!(admin.upload(&path, other.bytes.clone(), &[]).await.status, 200);
    assert_holds(&download(&admin, &at).await, &other.bytes);
}

#[tokio::test]
async fn a_released_version_takes_no_file_and_gives_none_up() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let reply = admin.upload(&format!("{}/upload", at.file_path()), other.bytes, &[]).await;
    assert_refused(&reply, 409, "VERSION_RELEASED");
    let reply = admin.delete(&format!("{}/delete", at.file_path())).await;
    assert_refused(&reply, 409, "VERSION_RELEASED");
    assert_holds(&server.anonymous().get(&at.vagrant_path()).await, &file.bytes);
    assert_eq!(stored_files(&server).len(), 1);
}

#[tokio::test]
async fn of_two_uploads_to_one_slot_one_wins_and_the_other_is_told() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let files: Vec<BoxFile> = (1..=2)
        .map(|seed| BoxBuilder::new("virtualbox").seed(seed).disk_bytes(1 << 20).build())
        .collect();
    for (name, first) in [("empty", None), ("full", Some(BoxBuilder::new("virtualbox").build()))] {
        let at = Publication::new("acme", name, &[]);
        admin.prepare(&at).await;
        if let Some(first) = &first {
            let path = format!("{}/upload", at.file_path());
            assert_eq!(admin.upload(&path, first.bytes.clone(), &[]).await.status, 200);
        }
        let before = stored_files(&server).len();
        let mut running = Vec::new();
        for file in &files {
            let mut connection = RawConnection::open(server.http()).await;
            let length = format!("Content-Length: {}", file.bytes.len());
            connection.send(&upload_head(&at, &admin, &[&length])).await;
            connection.send(&file.bytes[..file.bytes.len() - 1]).await;
            running.push(connection);
        }
        wait_for("both uploads", DEADLINE, async || {
            let text = server.anonymous().get("/metrics").await.text();
            text.contains("boxvault_uploads_in_flight 2").then_some(())
        })
        .await;
        let mut replies = Vec::new();
        for (connection, file) in running.iter_mut().zip(&files) {
            connection.send(&file.bytes[file.bytes.len() - 1..]).await;
        }
        for connection in &mut running {
            replies.push(connection.reply().await.expect("an answer"));
        }
        let winner = replies.iter().position(|reply| reply.status == 200).expect("one wins");
        assert_refused(&replies[1 - winner], 409, "LOST_RACE");
        assert_holds(&download(&admin, &at).await, &files[winner].bytes);
        let after = stored_files(&server).len();
        assert!(after <= before + 1, "the loser left something: {:?}", stored_files(&server));
    }
}

#[tokio::test]
async fn the_same_bytes_in_two_organizations_are_one_file_with_separate_rights() {
    let server = TestServer::builder().set("boxes.restorable_for", "0 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let (ann, bob) = (server.user("ann").await, server.user("bob").await);
    let of_ann = Publication { public: false, ..Publication::new("ann-org", "web", &file.bytes) };
    let of_bob = Publication { public: false, ..Publication::new("bob-org", "web", &file.bytes) };
    ann.publish(&of_ann).await;
    bob.publish(&of_bob).await;
    assert_eq!(stored_files(&server).len(), 1);
    assert_eq!(download(&ann, &of_bob).await.status, 404);
    assert_eq!(download(&bob, &of_ann).await.status, 404);
    assert_holds(&download(&bob, &of_bob).await, &file.bytes);

    let reply = ann.delete("/api/organization/ann-org/box/web").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_eq!(download(&ann, &of_ann).await.status, 404);
    assert_holds(&download(&bob, &of_bob).await, &file.bytes);
    assert_eq!(sha256(&download(&admin, &of_bob).await.bytes), file.sha256);
}

#[tokio::test]
async fn one_upload_too_many_is_told_when_to_come_back() {
    let server = TestServer::builder().set("limits.uploads_concurrent_max", "1").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let (first, second) =
        (Publication::new("acme", "one", &file.bytes), Publication::new("acme", "two", &[]));
    admin.prepare(&first).await;
    admin.prepare(&second).await;
    let mut running = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", file.bytes.len());
    running.send(&upload_head(&first, &admin, &[&length])).await;
    running.send(&file.bytes[..100]).await;
    wait_for("the first upload", DEADLINE, async || {
        let text = server.anonymous().get("/metrics").await.text();
        text.contains("boxvault_uploads_in_flight 1").then_some(())
    })
    .await;
    let path = format!("{}/upload", second.file_path());
    let reply = admin.upload(&path, file.bytes.clone(), &[]).await;
    assert_refused(&reply, 503, "BUSY");
    let seconds: u64 = reply.header("retry-after").expect("Retry-After").parse().unwrap();
    assert!(seconds > 0);
    running.send(&file.bytes[100..]).await;
    assert_eq!(running.reply().await.map(|reply| reply.status), Some(200));
    assert_eq!(admin.upload(&path, file.bytes.clone(), &[]).await.status, 200);
}
