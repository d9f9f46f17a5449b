//! Uploads that can be continued, spoken byte by byte as tus 1.0 says, and by the client that browsers use.
//!
//! What a server told is durable must be there after anything: dropped connections, a kill, another server.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile, seeded},
    client::send,
    faults::{RawConnection, SmallDisk, stored_files, write_file},
    server::TestServerBuilder,
    skip, wait_for, workspace,
};
use data_encoding::{BASE64, HEXLOWER};
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);
/// Longer than a lease that nobody renews.
const LEASE_DEADLINE: Duration = Duration::from_secs(40);
const CHUNK_TYPE: &str = "application/offset+octet-stream";

/// Who waits for something here asks often.
fn unlimited() -> TestServerBuilder {
    TestServer::builder().set("limits.requests_per_minute", "0")
}

fn built(seed: u64) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(300_000).build()
}

async fn prepared<'a>(admin: &Client, name: &'a str, file: &'a BoxFile) -> Publication<'a> {
    let at = Publication::new("acme", name, &file.bytes);
    admin.prepare(&at).await;
    at
}

fn uploads(at: &Publication<'_>) -> String {
    format!("{}/uploads", at.file_path())
}

async fn tus(
    caller: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut request = caller.request(method, path).header("tus-resumable", "1.0.0");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    send(request.body(body.to_vec())).await
}

async fn begin_with(
    caller: &Client,
    at: &Publication<'_>,
    length: usize,
    more: &[(&str, &str)],
) -> String {
    let length = length.to_string();
    let headers = [&[("upload-length", &*length)], more].concat();
    let reply = tus(caller, Method::POST, &uploads(at), &headers, b"").await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    assert_eq!(reply.header("tus-resumable"), Some("1.0.0"));
    assert_eq!(reply.header("upload-offset"), Some("0"));
    reply.header("location").expect("where it is").to_owned()
}

async fn begin(caller: &Client, at: &Publication<'_>) -> String {
    begin_with(caller, at, at.file.len(), &[]).await
}

async fn patch_with(
    caller: &Client,
    path: &str,
    offset: usize,
    bytes: &[u8],
    more: &[(&str, &str)],
) -> Reply {
    let offset = offset.to_string();
    let headers = [&[("content-type", CHUNK_TYPE), ("upload-offset", &*offset)], more].concat();
    tus(caller, Method::PATCH, path, &headers, bytes).await
}

async fn patch(caller: &Client, path: &str, offset: usize, bytes: &[u8]) -> Reply {
    patch_with(caller, path, offset, bytes, &[]).await
}

async fn head(caller: &Client, path: &str) -> Reply {
    tus(caller, Method::HEAD, path, &[], b"").await
}

async fn offset(caller: &Client, path: &str) -> usize {
    let reply = head(caller, path).await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    number(&reply)
}

#[track_caller]
fn number(reply: &Reply) -> usize {
    let text =
        reply.header("upload-offset").unwrap_or_else(|| panic!("no offset: {}", reply.status));
    text.parse().expect("a number")
}

async fn until_locked(caller: &Client, path: &str) {
    wait_for("somebody to write", DEADLINE, async || {
        let view = tus(caller, Method::GET, path, &[], b"").await;
        (view.data()["locked"] == true).then_some(())
    })
    .await;
}

/// Continues wherever it stands, as often as it takes, as a client does that lost its connection.
async fn to_the_end(caller: &Client, path: &str, file: &[u8]) {
    wait_for("the end of the upload", LEASE_DEADLINE, async || {
        let stands = head(caller, path).await;
        if stands.status == 423 {
            return None;
        }
        assert_eq!(stands.status, 200);
        let offset = number(&stands);
        if offset == file.len() {
            return Some(());
        }
        let reply = patch(caller, path, offset, &file[offset..]).await;
        // 409: what a connection that was cut had sent arrived in between
        assert!([204, 409, 423].contains(&reply.status), "{}", reply.text());
        None
    })
    .await;
}

/// Sends the head of a chunk and some of its bytes, and leaves the connection open.
async fn half_a_patch(
    server: &TestServer,
    caller: &Client,
    path: &str,
    from: usize,
    of: &[u8],
    send: usize,
) -> RawConnection {
    let mut connection = RawConnection::open(server.http()).await;
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: boxvault\r\nTus-Resumable: 1.0.0\r\nx-access-token: {}\r\n\
         Content-Type: {CHUNK_TYPE}\r\nUpload-Offset: {from}\r\nContent-Length: {}\r\n\r\n",
        caller.token().expect("it signed in"),
        of.len() - from
    );
    connection.send(head.as_bytes()).await;
    connection.send(&of[from..from + send]).await;
    connection
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
}

async fn assert_holds(caller: &Client, at: &Publication<'_>) {
    let reply = caller.get(&format!("{}/download", at.file_path())).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(reply.bytes == at.file, "other bytes than were sent");
}

async fn assert_empty(caller: &Client, at: &Publication<'_>) {
    assert_refused(&caller.get(&format!("{}/info", at.file_path())).await, 404, "FILE_NOT_FOUND");
}

/// So many files in the store, once what goes in the background is gone.
async fn assert_stored(server: &TestServer, count: usize) {
    wait_for("the store to hold so much", DEADLINE, async || {
        (stored_files(server).len() == count).then_some(())
    })
    .await;
}

async fn assert_clean(server: &TestServer) {
    let checked = server.command(&["fsck"], "").await;
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn a_file_arrives_in_chunks_and_is_checked_as_a_whole() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let metadata = format!(
        "filename {},checksum {}",
        BASE64.encode(b"web.box"),
        BASE64.encode(file.sha256.as_bytes())
    );
    let path = begin_with(&admin, &at, file.bytes.len(), &[("upload-metadata", &metadata)]).await;
    let (first, second) = (100_000, 100_001);
    for (from, to) in [(0, first), (first, second), (second, file.bytes.len())] {
        assert_eq!(offset(&admin, &path).await, from);
        assert_empty(&admin, &at).await;
        let reply = patch(&admin, &path, from, &file.bytes[from..to]).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        assert_eq!(number(&reply), to);
        assert!(reply.header("upload-expires").is_some_and(|date| date.ends_with("GMT")));
    }
    assert_holds(&admin, &at).await;
    let done = head(&admin, &path).await;
    assert_eq!(number(&done), file.bytes.len());
    assert_eq!(done.header("upload-length"), Some(&*file.bytes.len().to_string()));
    assert_eq!(done.header("upload-metadata"), Some(&*metadata));
    let view = tus(&admin, Method::GET, &path, &[], b"").await.data();
    assert_eq!((&view["done"], &view["offset"]), (&json!(true), &json!(file.bytes.len())));
    // once more at the end is not an error, nor another file
    let again = patch(&admin, &path, file.bytes.len(), b"").await;
    assert_eq!(again.status, 204, "{}", again.text());
    assert_stored(&server, 1).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn the_first_chunk_may_come_with_the_beginning_and_be_the_last() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let length = file.bytes.len().to_string();
    for (name, first) in [("all", file.bytes.len()), ("some", 70_000)] {
        let at = prepared(&admin, name, &file).await;
        let headers = [("upload-length", &*length), ("content-type", CHUNK_TYPE)];
        let reply = tus(&admin, Method::POST, &uploads(&at), &headers, &file.bytes[..first]).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        assert_eq!(number(&reply), first);
        let path = reply.header("location").unwrap();
        to_the_end(&admin, path, &file.bytes).await;
        assert_holds(&admin, &at).await;
    }
    assert_stored(&server, 1).await;
}

#[tokio::test]
async fn a_connection_that_drops_at_any_byte_loses_none_that_came() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let mut stands = 0;
    for more in [1, 65_536, 99_999] {
        let connection = half_a_patch(&server, &admin, &path, stands, &file.bytes, more).await;
        until_locked(&admin, &path).await;
        drop(connection);
        wait_for("the offset", DEADLINE, async || {
            (offset(&admin, &path).await == stands + more).then_some(())
        })
        .await;
        stands += more;
    }
    to_the_end(&admin, &path, &file.bytes).await;
    assert_holds(&admin, &at).await;
    assert_stored(&server, 1).await;
}

#[tokio::test]
async fn a_kill_at_any_step_loses_at_most_the_part_that_was_being_written() {
    let mut server = unlimited().set("limits.upload_part_bytes_max", "64 KiB").start().await;
    let admin = server.admin().await;
    let files: Vec<_> = (0..5).map(|seed| built(seed + 1)).collect();
    let names = ["begun", "middle", "between", "whole", "done"];
    let mut slots = Vec::new();
    for (name, file) in names.iter().zip(&files) {
        let at = prepared(&admin, name, file).await;
        let path = begin(&admin, &at).await;
        slots.push((at, path));
    }
    let mut open = Vec::new();
    for (index, (at, path)) in slots.iter().enumerate() {
        match names[index] {
            "middle" => {
                open.push(half_a_patch(&server, &admin, path, 0, at.file, 200_000).await);
                wait_for("a part", DEADLINE, async || {
                    (offset(&admin, path).await > 0).then_some(())
                })
                .await;
            }
            "between" => assert_eq!(patch(&admin, path, 0, &at.file[..70_000]).await.status, 204),
            "whole" => {
                // all of it, and nobody waits for the outcome
                let all = at.file.len();
                open.push(half_a_patch(&server, &admin, path, 0, at.file, all).await);
            }
            "done" => assert_eq!(patch(&admin, path, 0, at.file).await.status, 204),
            _ => {}
        }
    }
    server.kill9().await;
    drop(open);
    server.restart().await;
    let admin = server.admin().await;
    let between = offset(&admin, &slots[2].1).await;
    assert_eq!(between, 70_000, "what was acknowledged is durable");
    let middle = offset(&admin, &slots[1].1).await;
    assert!(middle > 0 && middle <= 200_000, "{middle}");
    join_all(slots.iter().map(|(at, path)| to_the_end(&admin, path, at.file))).await;
    for (at, _) in &slots {
        assert_holds(&admin, at).await;
    }
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_stored(&server, 5).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn a_chunk_that_is_not_what_was_declared_is_thrown_away() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let (one, rest) = file.bytes.split_at(80_000);
    let sha256 = |bytes: &[u8]| {
        let hex = boxvault_tests::bytes::sha256(bytes);
        format!("sha256 {}", BASE64.encode(&HEXLOWER.decode(hex.as_bytes()).unwrap()))
    };
    let wrong = patch_with(&admin, &path, 0, one, &[("upload-checksum", &sha256(rest))]).await;
    assert_refused(&wrong, 460, "CHUNK_MISMATCH");
    assert_eq!(offset(&admin, &path).await, 0);
    assert_stored(&server, 0).await;
    let right = patch_with(&admin, &path, 0, one, &[("upload-checksum", &sha256(one))]).await;
    assert_eq!((right.status, number(&right)), (204, one.len()));
    let sha1 = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="; // of "hello world"
    let wrong = patch_with(&admin, &path, one.len(), b"hello", &[("upload-checksum", sha1)]).await;
    assert_refused(&wrong, 460, "CHUNK_MISMATCH");
    for odd in ["crc32 AAAA", "sha1", "sha1 !", "sha256 Kq5sNclPz7QV2+lfQIuc6R7oRu0="] {
        let reply = patch_with(&admin, &path, one.len(), rest, &[("upload-checksum", odd)]).await;
        assert_refused(&reply, 400, "INVALID_INPUT");
    }
    // one that ends in the middle cannot be checked, so that nothing of it is kept
    let mut cut = RawConnection::open(server.http()).await;
    let head = format!(
        "PATCH {path} HTTP/1.1\r\nHost: boxvault\r\nTus-Resumable: 1.0.0\r\nx-access-token: {}\r\n\
         Content-Type: {CHUNK_TYPE}\r\nUpload-Offset: {}\r\nContent-Length: {}\r\nUpload-Checksum: {}\r\n\r\n",
        admin.token().unwrap(),
        one.len(),
        rest.len(),
        sha256(rest)
    );
    cut.send(head.as_bytes()).await;
    cut.send(&rest[..50_000]).await;
    drop(cut);
    wait_for("the upload to be free", DEADLINE, async || {
        let reply = patch(&admin, &path, one.len(), b"").await;
        (reply.status == 204).then_some(())
    })
    .await;
    assert_eq!(offset(&admin, &path).await, one.len());
    let right =
        patch_with(&admin, &path, one.len(), rest, &[("upload-checksum", &sha256(rest))]).await;
    assert_eq!(right.status, 204, "{}", right.text());
    assert_holds(&admin, &at).await;
    assert_stored(&server, 1).await;
}

#[tokio::test]
async fn what_the_protocol_does_not_allow_is_refused_and_changes_nothing() {
    let server = unlimited().set("limits.upload_bytes_max", "1 MiB").start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    for (headers, status, code) in [
        (&[][..], 400, "INVALID_INPUT"),
        (&[("upload-length", "0")], 400, "INVALID_INPUT"),
        (&[("upload-length", "-1")], 400, "INVALID_INPUT"),
        (&[("upload-length", "1048577")], 413, "BODY_TOO_LARGE"),
        (&[("upload-defer-length", "1")], 400, "INVALID_INPUT"),
        (&[("upload-length", "9"), ("upload-metadata", "name !")], 400, "INVALID_INPUT"),
        (&[("upload-length", "9"), ("x-checksum", "abc")], 400, "INVALID_INPUT"),
        (&[("upload-length", "9"), ("upload-concat", "half")], 400, "INVALID_INPUT"),
        (&[("upload-concat", "final;/nothing")], 400, "INVALID_INPUT"),
    ] {
        let reply = tus(&admin, Method::POST, &uploads(&at), headers, b"").await;
        assert_refused(&reply, status, code);
        assert_eq!(reply.header("tus-resumable"), Some("1.0.0"), "{headers:?}");
    }
    let path = begin(&admin, &at).await;
    let none = send(admin.request(Method::PATCH, &path).body("x")).await;
    assert_refused(&none, 412, "PROTOCOL_VERSION");
    assert_eq!(none.header("tus-version"), Some("1.0.0"));
    let other = admin.request(Method::HEAD, &path).header("tus-resumable", "0.2.2");
    assert_eq!(send(other).await.status, 412);
    assert_refused(&patch(&admin, &path, 1, &file.bytes[1..]).await, 409, "OFFSET_MISMATCH");
    assert_eq!(patch(&admin, &path, 0, &file.bytes[..10]).await.status, 204);
    assert_refused(&patch(&admin, &path, 0, &file.bytes[..10]).await, 409, "OFFSET_MISMATCH");
    let more = [&file.bytes[10..], b"x"].concat();
    assert_refused(&patch(&admin, &path, 10, &more).await, 413, "BODY_TOO_LARGE");
    let headers = [("content-type", "application/octet-stream"), ("upload-offset", "10")];
    let reply = tus(&admin, Method::PATCH, &path, &headers, b"x").await;
    assert_refused(&reply, 415, "UNSUPPORTED_MEDIA_TYPE");
    let reply = tus(&admin, Method::PATCH, &path, &[("content-type", CHUNK_TYPE)], b"x").await;
    assert_refused(&reply, 400, "INVALID_INPUT");
    assert_eq!(offset(&admin, &path).await, 10);
}

#[tokio::test]
async fn what_is_spoken_is_told_to_everybody() {
    let server = unlimited().start().await;
    let file = built(1);
    let at = Publication::new("nobody", "knows", &file.bytes);
    for path in [uploads(&at), format!("{}/01a209f3-f74e-71ed-aee1-23a3bce95a3e", uploads(&at))] {
        let reply = send(server.anonymous().request(Method::OPTIONS, &path)).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        for (name, value) in [
            ("tus-resumable", "1.0.0"),
            ("tus-version", "1.0.0"),
            (
                "tus-extension",
                "creation,creation-with-upload,termination,checksum,expiration,concatenation",
            ),
            ("tus-checksum-algorithm", "sha1,sha256,md5"),
            ("tus-max-size", "214748364800"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn of_two_writers_the_second_is_told_that_the_upload_is_locked() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let half = file.bytes.len() / 2;
    let mut first = half_a_patch(&server, &admin, &path, 0, &file.bytes, half).await;
    until_locked(&admin, &path).await;
    let second = patch(&admin, &path, 0, &file.bytes).await;
    assert_refused(&second, 423, "UPLOAD_LOCKED");
    assert!(second.header("retry-after").is_some());
    assert_eq!(offset(&admin, &path).await, 0, "to look is allowed");
    let ended = tus(&admin, Method::DELETE, &path, &[], b"").await;
    assert_refused(&ended, 423, "UPLOAD_LOCKED");
    first.send(&file.bytes[half..]).await;
    assert_eq!(first.reply().await.map(|reply| reply.status), Some(204));
    assert_holds(&admin, &at).await;
}

#[tokio::test]
async fn of_chunks_that_come_at_once_one_is_taken_and_no_short_file_is_published() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let third = file.bytes.len() / 3;
    let mut stands = 0;
    while stands < file.bytes.len() {
        let end = (stands + third).min(file.bytes.len());
        let piece = &file.bytes[stands..end];
        let replies = join_all((0..8).map(|_| patch(&admin, &path, stands, piece))).await;
        let taken = replies.iter().filter(|reply| reply.status == 204).count();
        for reply in &replies {
            assert!([204, 409, 423].contains(&reply.status), "{}", reply.text());
        }
        assert_eq!(taken, 1, "at {stands}");
        if end < file.bytes.len() {
            assert_empty(&admin, &at).await;
        }
        stands = end;
    }
    assert_holds(&admin, &at).await;
    assert_stored(&server, 1).await;
}

#[tokio::test]
async fn a_full_disk_is_told_keeps_what_came_and_goes_on_when_there_is_room() {
    let Some(disk) = SmallDisk::new(24 << 20) else {
        return skip(
            "a_full_disk_is_told_keeps_what_came_and_goes_on_when_there_is_room",
            "may not mount a tmpfs",
        );
    };
    let server = unlimited()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", disk.path().to_str().unwrap())
        .set("limits.upload_part_bytes_max", "1 MiB")
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(6 << 20).build();
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let filler = disk.path().join("of-somebody-else");
    write_file(&filler, seeded(1, 21 << 20)).unwrap();
    let full = patch(&admin, &path, 0, &file.bytes).await;
    assert_refused(&full, 507, "STORAGE_FULL");
    let stands = offset(&admin, &path).await;
    assert!(stands > 0 && stands < file.bytes.len(), "{stands}");
    assert_empty(&admin, &at).await;
    std::fs::remove_file(&filler).unwrap();
    // room for the parts, and not for the joined file: all came, and it waits
    let joined = write_file(&filler, seeded(1, 13 << 20));
    assert!(joined.is_ok());
    let full = patch(&admin, &path, stands, &file.bytes[stands..]).await;
    assert_refused(&full, 507, "STORAGE_FULL");
    assert_empty(&admin, &at).await;
    std::fs::remove_file(&filler).unwrap();
    to_the_end(&admin, &path, &file.bytes).await;
    assert_holds(&admin, &at).await;
}

#[tokio::test]
async fn an_upload_that_is_ended_or_expires_leaves_nothing() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let ended = begin(&admin, &at).await;
    let expired = begin(&admin, &at).await;
    for path in [&ended, &expired] {
        assert_eq!(patch(&admin, path, 0, &file.bytes[..1000]).await.status, 204);
    }
    assert_eq!(stored_files(&server).len(), 2);
    assert_eq!(tus(&admin, Method::DELETE, &ended, &[], b"").await.status, 204);
    assert_eq!(stored_files(&server).len(), 1);
    for path in [&ended, &format!("{}/nonsense", uploads(&at))] {
        let gone = head(&admin, path).await;
        assert!([404, 400].contains(&gone.status), "{}", gone.status);
    }
    let gone = patch(&admin, &ended, 1000, &file.bytes[1000..]).await;
    assert_refused(&gone, 404, "UPLOAD_NOT_FOUND");
    // with what the sweep of the stores knows, parts are no dust
    assert_clean(&server).await;
    let swept = server.command(&["sweep"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_eq!(offset(&admin, &expired).await, 1000);
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_eq!(head(&admin, &expired).await.status, 404);
    assert_stored(&server, 0).await;
}

#[tokio::test]
async fn a_whole_file_is_refused_for_what_a_single_request_is_refused_for() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let (file, other) = (built(1), built(2));
    let noise = BoxFile { bytes: seeded(3, 50_000), ..built(3) };
    let wrong = BoxBuilder::new("libvirt").build();
    for (name, file, headers, code) in [
        ("noise", &noise, &[][..], "NOT_A_BOX"),
        ("provider", &wrong, &[], "PROVIDER_MISMATCH"),
        ("sum", &file, &[("x-checksum", &*other.sha256)], "CHECKSUM_MISMATCH"),
    ] {
        let at = prepared(&admin, name, file).await;
        let path = begin_with(&admin, &at, file.bytes.len(), headers).await;
        assert_refused(&patch(&admin, &path, 0, &file.bytes).await, 422, code);
        assert_empty(&admin, &at).await;
        assert_eq!(head(&admin, &path).await.status, 404, "{name}: it is over");
        assert_stored(&server, 0).await;
    }
    // a file that came meanwhile stands
    let at = prepared(&admin, "race", &file).await;
    let path = begin(&admin, &at).await;
    let upload = format!("{}/upload", at.file_path());
    assert_eq!(admin.upload(&upload, other.bytes.clone(), &[]).await.status, 200);
    assert_refused(&patch(&admin, &path, 0, &file.bytes).await, 409, "LOST_RACE");
    assert_holds(&admin, &Publication { file: &other.bytes, ..at }).await;
    // and to take its place is as good as by a single request
    let path = begin(&admin, &at).await;
    assert_eq!(patch(&admin, &path, 0, &file.bytes).await.status, 204);
    assert_holds(&admin, &at).await;
    let open = begin(&admin, &at).await;
    admin.release(&at).await;
    let late = patch(&admin, &open, 0, &other.bytes).await;
    assert!([409, 413].contains(&late.status), "{}", late.text());
    let late = tus(&admin, Method::POST, &uploads(&at), &[("upload-length", "9")], b"").await;
    assert_refused(&late, 409, "VERSION_RELEASED");
    assert_holds(&admin, &at).await;
    // and so is the quota, before the first byte
    let at = prepared(&admin, "more", &file).await;
    let quota = json!({ "bytes": file.bytes.len() });
    assert_eq!(admin.put("/api/organization/acme/quota", &quota).await.status, 200);
    let length = file.bytes.len().to_string();
    let over = tus(&admin, Method::POST, &uploads(&at), &[("upload-length", &length)], b"").await;
    assert_refused(&over, 507, "QUOTA_EXCEEDED");
}

#[tokio::test]
async fn an_upload_is_its_own_users_and_for_one_architecture() {
    let server = unlimited().set("limits.uploads_open_per_user_max", "2").start().await;
    let (admin, other) = (server.admin().await, server.user("other").await);
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let elsewhere = prepared(&admin, "db", &file).await;
    let member = json!({ "username": "other", "role": "admin" });
    assert_eq!(admin.post("/api/organization/acme/members", &member).await.status, 201);
    let path = begin(&admin, &at).await;
    let id = path.rsplit('/').next().unwrap();
    for (caller, path) in [
        (&other, path.clone()),
        (&admin, format!("{}/{id}", uploads(&elsewhere))),
        (&admin, format!("{}/01a209f3-f74e-71ed-aee1-23a3bce95a3e", uploads(&at))),
    ] {
        assert_refused(&patch(caller, &path, 0, &file.bytes).await, 404, "UPLOAD_NOT_FOUND");
        let ended = tus(caller, Method::DELETE, &path, &[], b"").await;
        assert_refused(&ended, 404, "UPLOAD_NOT_FOUND");
        assert_eq!(head(caller, &path).await.status, 404);
    }
    begin(&admin, &elsewhere).await;
    let third = tus(&admin, Method::POST, &uploads(&at), &[("upload-length", "9")], b"").await;
    assert_refused(&third, 429, "TOO_MANY_UPLOADS");
    begin(&other, &at).await;
    // one that is done is not open any more
    to_the_end(&admin, &path, &file.bytes).await;
    begin(&admin, &elsewhere).await;
    // a right that is gone is gone for what was begun, too
    let theirs = begin(&other, &elsewhere).await;
    assert_eq!(admin.delete("/api/organization/acme/members/other").await.status, 200);
    wait_for("the right to be gone", DEADLINE, async || {
        let reply = patch(&other, &theirs, 0, &file.bytes[..10]).await;
        ([403, 404].contains(&reply.status) && reply.code() != "UPLOAD_NOT_FOUND").then_some(())
    })
    .await;
}

#[tokio::test]
async fn several_go_on_at_once_to_different_architectures() {
    let server = unlimited().set("limits.upload_part_bytes_max", "32 KiB").start().await;
    let admin = server.admin().await;
    let files: Vec<_> = (0..6).map(|seed| built(seed + 1)).collect();
    let names: Vec<_> = (0..6).map(|number| format!("box-{number}")).collect();
    let mut slots = Vec::new();
    for (name, file) in names.iter().zip(&files) {
        slots.push(prepared(&admin, name, file).await);
    }
    join_all(slots.iter().map(|at| async {
        let path = begin(&admin, at).await;
        let mut stands = 0;
        for piece in at.file.chunks(77_777) {
            let reply = patch(&admin, &path, stands, piece).await;
            assert_eq!(reply.status, 204, "{}", reply.text());
            stands += piece.len();
        }
    }))
    .await;
    for at in &slots {
        assert_holds(&admin, at).await;
    }
    assert_stored(&server, 6).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn pieces_that_came_side_by_side_are_joined_into_one_file() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let (first, second) = file.bytes.split_at(123_456);
    let mut pieces = Vec::new();
    for piece in [first, second] {
        let path = begin_with(&admin, &at, piece.len(), &[("upload-concat", "partial")]).await;
        assert_eq!(patch(&admin, &path, 0, piece).await.status, 204);
        let stands = head(&admin, &path).await;
        assert_eq!((stands.status, stands.header("upload-concat")), (200, Some("partial")));
        pieces.push(path);
    }
    assert_empty(&admin, &at).await;
    let short = begin_with(&admin, &at, 10, &[("upload-concat", "partial")]).await;
    let concat = format!("final;{short}");
    let reply = tus(&admin, Method::POST, &uploads(&at), &[("upload-concat", &concat)], b"").await;
    assert_refused(&reply, 404, "UPLOAD_NOT_FOUND");
    let concat = format!("final;{}", pieces.join(" "));
    let headers = [("upload-concat", &*concat), ("x-checksum", &file.sha256)];
    let reply = tus(&admin, Method::POST, &uploads(&at), &headers, b"").await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let path = reply.header("location").unwrap();
    assert_eq!(offset(&admin, path).await, file.bytes.len());
    assert_holds(&admin, &at).await;
    assert_eq!(head(&admin, &pieces[0]).await.status, 404);
    assert_stored(&server, 1).await;
}

#[tokio::test]
async fn what_one_server_took_another_one_continues() {
    let first = unlimited().start().await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let second = unlimited()
        .set("database.url", &database)
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", first.data_dir().join("store").to_str().unwrap())
        .start()
        .await;
    let admin = first.admin().await;
    let there = Client::new(&second.url()).with_token(admin.token().unwrap());
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    let third = file.bytes.len() / 3;
    assert_eq!(patch(&admin, &path, 0, &file.bytes[..third]).await.status, 204);
    assert_eq!(offset(&there, &path).await, third);
    let busy = half_a_patch(&first, &admin, &path, third, &file.bytes, 1000).await;
    until_locked(&there, &path).await;
    assert_refused(&patch(&there, &path, third, b"").await, 423, "UPLOAD_LOCKED");
    drop(busy);
    to_the_end(&there, &path, &file.bytes).await;
    assert_holds(&admin, &at).await;
    assert_holds(&there, &at).await;
    assert_stored(&first, 1).await;
}

#[tokio::test]
async fn a_store_that_keeps_nothing_on_a_disk_can_be_continued_to_as_well() {
    let server = unlimited().set("stores.main.plugin", "memory").start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    let path = begin(&admin, &at).await;
    for (index, piece) in file.bytes.chunks(50_000).enumerate() {
        assert_eq!(patch(&admin, &path, index * 50_000, piece).await.status, 204);
    }
    assert_holds(&admin, &at).await;
    assert_clean_of_parts(&admin).await;
}

/// One blob, and nothing besides it.
async fn assert_clean_of_parts(admin: &Client) {
    let stores = admin.get("/api/storage").await.data();
    assert_eq!(stores[0]["files"], 1, "{stores}");
}

/// Uploads a file by tus-js-client, and cuts its connection once on the way.
const SCRIPT: &str = r"
const fs = require('fs');
const tus = require('tus-js-client');
const [file, endpoint, token, parallel] = process.argv.slice(2);
const options = {
  endpoint, retryDelays: [0, 200, 500, 1000, 2000, 4000, 8000],
  headers: { 'x-access-token': token },
  metadata: { filename: 'web.box' },
  uploadSize: fs.statSync(file).size,
  chunkSize: 200000,
  onError: (error) => { console.error(String(error)); process.exit(1); },
  onSuccess: () => { console.log('done ' + upload.url); },
};
if (parallel !== '1') {
  options.parallelUploads = Number(parallel);
  delete options.chunkSize;
  delete options.uploadSize;
}
let stopped = false;
options.onProgress = (sent, total) => {
  if (!stopped && parallel === '1' && sent > total / 3) {
    stopped = true;
    upload.abort().then(() => setTimeout(() => upload.start(), 50));
  }
};
const upload = new tus.Upload(fs.createReadStream(file), options);
upload.start();
";

#[tokio::test]
async fn tus_js_client_uploads_is_interrupted_and_goes_on() {
    let name = "tus_js_client_uploads_is_interrupted_and_goes_on";
    let Some(node) = workspace::find_program("node") else { return skip(name, "no node") };
    let modules = workspace::root().join("tests/node_modules");
    if !modules.join("tus-js-client").is_dir() {
        return skip(name, "tus-js-client is not installed: npm ci --prefix tests");
    }
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(3 << 20).build();
    let (script, path) = (server.scratch().join("tus.cjs"), server.scratch().join("web.box"));
    write_file(&script, SCRIPT).unwrap();
    write_file(&path, &file.bytes).unwrap();
    for (name, parallel) in [("web", "1"), ("parallel", "3")] {
        let at = prepared(&admin, name, &file).await;
        let output = tokio::process::Command::new(&node)
            .arg(&script)
            .arg(&path)
            .arg(format!("{}{}", server.url(), uploads(&at)))
            .arg(admin.token().unwrap())
            .arg(parallel)
            .env("NODE_PATH", &modules)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.starts_with("done "), "{output:?}");
        assert_holds(&admin, &at).await;
    }
    assert_stored(&server, 1).await;
}
