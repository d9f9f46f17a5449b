//! Downloads: what RFC 9110 promises of ranges, preconditions and entity tags, and what the numbers count.
//!
//! The same file is fetched by every protocol that is served; that stock clients can install it is tested in
//! `vagrant`, and the paths that only they use in `vagrant_dialect`.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    faults::RawConnection,
    skip, wait_for, workspace,
};
use data_encoding::{BASE64, HEXLOWER};

const DEADLINE: Duration = Duration::from_secs(20);
const NAME: &str = "web";

/// A server with one released public box, `acme/web`.
async fn published(bytes: usize) -> (TestServer, Client, BoxFile) {
    // what is deleted is gone with the next sweep
    let server = TestServer::builder().set("boxes.restorable_for", "0 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(bytes).build();
    admin.publish(&Publication::new("acme", NAME, &file.bytes)).await;
    (server, admin, file)
}

/// Its addresses: of the API, and of stock clients.
fn paths() -> [String; 2] {
    let at = Publication::new("acme", NAME, &[]);
    [format!("{}/download", at.file_path()), at.vagrant_path()]
}

#[track_caller]
fn assert_part(reply: &Reply, file: &[u8], range: std::ops::Range<usize>) {
    assert_eq!(reply.status, 206, "{range:?}: {}", reply.text());
    let expected = format!("bytes {}-{}/{}", range.start, range.end - 1, file.len());
    assert_eq!(reply.header("content-range"), Some(&*expected));
    assert_eq!(reply.header("content-length"), Some(&*range.len().to_string()));
    assert!(reply.bytes == file[range.clone()], "{range:?}: other bytes");
}

#[track_caller]
fn assert_whole(reply: &Reply, file: &[u8]) {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.bytes[..99]));
    assert!(reply.bytes == file, "other bytes");
}

#[tokio::test]
async fn a_head_says_what_the_get_would_and_the_type_is_never_json() {
    let (server, _, file) = published(300_000).await;
    let anyone = server.anonymous();
    for path in paths() {
        let (head, get) = (anyone.head(&path).await, anyone.get(&path).await);
        assert_whole(&get, &file.bytes);
        assert_eq!((head.status, head.bytes.len()), (200, 0));
        for name in get.headers.keys().map(reqwest::header::HeaderName::as_str) {
            if !["date", "x-request-id"].contains(&name) {
                assert_eq!(head.header(name), get.header(name), "{path}: {name}");
            }
        }
        let tag = format!("\"{}\"", file.sha256);
        let digest = BASE64.encode(&HEXLOWER.decode(file.sha256.as_bytes()).unwrap());
        for (name, value) in [
            ("content-length", file.bytes.len().to_string()),
            ("content-type", "application/octet-stream".to_owned()),
            ("accept-ranges", "bytes".to_owned()),
            ("etag", tag),
            ("repr-digest", format!("sha-256=:{digest}:")),
        ] {
            assert_eq!(get.header(name), Some(&*value), "{path}");
        }
        let disposition = get.header("content-disposition").unwrap_or_default();
        assert!(disposition.starts_with("attachment; filename=\""), "{disposition}");
        assert!(get.header("content-encoding").is_none() && get.header("location").is_none());
        let accepting = [("accept", "application/json"), ("accept-encoding", "gzip, br")];
        let reply = anyone.get_with(&path, &accepting).await;
        assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
        assert_whole(&reply, &file.bytes);
    }
}

#[tokio::test]
async fn every_form_of_a_single_range_brings_exactly_that_part() {
    let (server, _, file) = published(300_000).await;
    let (anyone, size) = (server.anonymous(), file.bytes.len());
    for path in paths() {
        for (range, part) in [
            ("bytes=0-0".to_owned(), 0..1),
            ("bytes=0-99".to_owned(), 0..100),
            ("bytes=70000-140000".to_owned(), 70_000..140_001),
            ("bytes=1000-".to_owned(), 1000..size),
            ("bytes=-500".to_owned(), size - 500..size),
            (format!("bytes=-{}", size + 10), 0..size),
            (format!("bytes=100-{}", size + 10), 100..size),
            (format!("bytes={}-", size - 1), size - 1..size),
            ("bytes=0-18446744073709551615".to_owned(), 0..size),
            ("Bytes=5-9".to_owned(), 5..10),
        ] {
            let reply = anyone.get_with(&path, &[("range", &range)]).await;
            assert_part(&reply, &file.bytes, part);
            assert_eq!(reply.header("etag"), Some(&*format!("\"{}\"", file.sha256)));
        }
        // what is no range of bytes is ignored, as the RFC lets a server do
        for range in ["bytes=abc", "lines=1-2", "bytes=9-5", "bytes", "bytes=--5"] {
            let reply = anyone.get_with(&path, &[("range", range)]).await;
            assert_whole(&reply, &file.bytes);
        }
    }
}

#[tokio::test]
async fn a_range_beyond_the_file_is_416_on_the_api_and_the_whole_file_for_stock_clients() {
    let (server, _, file) = published(10_000).await;
    let (anyone, size) = (server.anonymous(), file.bytes.len());
    let [api, vagrant] = paths();
    for range in [format!("bytes={size}-"), format!("bytes={}-", size + 7), "bytes=-0".to_owned()] {
        let refused = anyone.get_with(&api, &[("range", &range)]).await;
        assert_eq!((refused.status, refused.code().as_str()), (416, "RANGE_NOT_SATISFIABLE"));
        assert_eq!(refused.header("content-range"), Some(&*format!("bytes */{size}")));
        assert_eq!(refused.header("content-type"), Some("application/json"));
        for name in ["repr-digest", "content-disposition"] {
            assert!(refused.header(name).is_none(), "{name} is of the file, not of the error");
        }
        assert_whole(&anyone.get_with(&vagrant, &[("range", &range)]).await, &file.bytes);
    }
}

#[tokio::test]
async fn several_ranges_come_as_parts_of_one_answer() {
    let (server, _, file) = published(300_000).await;
    let (anyone, size) = (server.anonymous(), file.bytes.len());
    for path in paths() {
        let range = "bytes=0-9, 200000-200099, -5";
        let reply = anyone.get_with(&path, &[("range", range)]).await;
        assert_eq!(reply.status, 206);
        assert_eq!(reply.header("content-length"), Some(&*reply.bytes.len().to_string()));
        let kind = reply.header("content-type").unwrap_or_default();
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("a boundary");
        let boundary = format!("--{}", boundary.trim_matches('"'));
        let text = split(&reply.bytes, boundary.as_bytes());
        // before the first boundary nothing, behind the last one "--"
        let parts = &text[1..text.len() - 1];
        assert!(text[text.len() - 1].starts_with(b"--"), "no end");
        let expected = [0..10, 200_000..200_100, size - 5..size];
        assert_eq!(parts.len(), expected.len());
        for (part, range) in parts.iter().zip(expected) {
            let at = part.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
            let head = String::from_utf8_lossy(&part[..at]).to_lowercase();
            let claim = format!("content-range: bytes {}-{}/{size}", range.start, range.end - 1);
            assert!(head.contains(&claim), "{head}");
            assert!(part[at + 4..part.len() - 2] == file.bytes[range], "other bytes");
        }
    }
    // so many small ranges are an attack or a mistake; one whole file is cheaper than to answer them
    let many: Vec<String> = (0..5000).map(|at| format!("{}-{}", at * 2, at * 2)).collect();
    let range = format!("bytes={}", many.join(","));
    let reply = anyone.get_with(&paths()[0], &[("range", &range)]).await;
    assert!(reply.bytes.len() <= size + 1000, "{} bytes", reply.bytes.len());
    assert!([200, 206, 416, 431].contains(&reply.status), "{}", reply.status);
}

#[tokio::test]
async fn ranges_that_lie_over_each_other_or_beyond_the_end_never_send_more_than_the_file() {
    let (server, _, file) = published(100_000).await;
    let (anyone, size) = (server.anonymous(), file.bytes.len());
    let [api, _] = paths();
    let get = async |range: &str| anyone.get_with(&api, &[("range", range)]).await;
    // more bytes than the file has: the whole file once
    for range in ["bytes=0-, 0-", "bytes=0-70000, 10-70000", "bytes=-90000, 5-", "bytes=0-, -1"] {
        assert_whole(&get(range).await, &file.bytes);
    }
    // fewer: as they were asked for
    for range in ["bytes=0-99, 50-149", "bytes=500-599, 0-99", "bytes=0-0, 0-0"] {
        let reply = get(range).await;
        assert_eq!(reply.status, 206, "{range}");
        let kind = reply.header("content-type").unwrap_or_default();
        assert!(kind.starts_with("multipart/byteranges"), "{range}: {kind}");
    }
    // what lies beyond is left out, and what is left is one part
    assert_part(&get(&format!("bytes=0-99, {size}-")).await, &file.bytes, 0..100);
    assert_eq!(get(&format!("bytes={size}-, {}-", size + 9)).await.status, 416);
    // one that is none makes the whole header mean nothing
    assert_whole(&get("bytes=0-99, 9-5").await, &file.bytes);
    // a HEAD has no ranges (RFC 9110, 14.2), and says what a GET without one would
    let head = anyone.request(reqwest::Method::HEAD, &api).header("range", "bytes=0-9");
    let head = boxvault_tests::client::send(head).await;
    let length = size.to_string();
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*length)));
    // without a strong tag that fits, several ranges are no ranges either
    let stale = [("range", "bytes=0-9, 20-29"), ("if-range", "\"other\"")];
    assert_whole(&anyone.get_with(&api, &stale).await, &file.bytes);
    let tag = format!("\"{}\"", file.sha256);
    let fresh = [("range", "bytes=0-9, 20-29"), ("if-range", &*tag)];
    assert_eq!(anyone.get_with(&api, &fresh).await.status, 206);
}

#[tokio::test]
async fn a_store_without_local_files_answers_ranges_as_well() {
    let server = TestServer::builder().set("stores.main.plugin", "memory").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(300_000).build();
    admin.publish(&Publication::new("acme", NAME, &file.bytes)).await;
    let (anyone, size) = (server.anonymous(), file.bytes.len());
    for path in paths() {
        assert_whole(&anyone.get(&path).await, &file.bytes);
        for (range, part) in [
            ("bytes=0-0".to_owned(), 0..1),
            ("bytes=1000-".to_owned(), 1000..size),
            ("bytes=-500".to_owned(), size - 500..size),
            (format!("bytes=100-{}", size + 10), 100..size),
        ] {
            assert_part(&anyone.get_with(&path, &[("range", &range)]).await, &file.bytes, part);
        }
        // several parts are one whole file there, which the RFC allows
        let several = anyone.get_with(&path, &[("range", "bytes=0-9, 20-29")]).await;
        assert_whole(&several, &file.bytes);
        let (head, get) = (anyone.head(&path).await, anyone.get(&path).await);
        for name in ["content-length", "content-type", "etag", "repr-digest", "accept-ranges"] {
            assert_eq!(head.header(name), get.header(name), "{name}");
        }
    }
    let beyond = anyone.get_with(&paths()[0], &[("range", &format!("bytes={size}-"))]).await;
    assert_eq!(beyond.status, 416);
}

fn split(bytes: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(separator.len()).position(|window| window == separator) {
        parts.push(rest[..at].to_vec());
        rest = &rest[at + separator.len()..];
    }
    parts.push(rest.to_vec());
    parts
}

#[tokio::test]
async fn preconditions_decide_before_the_range_does() {
    let (server, _, file) = published(100_000).await;
    let anyone = server.anonymous();
    let tag = format!("\"{}\"", file.sha256);
    let weak = format!("W/{tag}");
    let list = format!("\"other\", {tag}");
    for path in paths() {
        let get = async |headers: &[(&'static str, &str)]| anyone.get_with(&path, headers).await;
        for known in [&*tag, &weak, &list, "*"] {
            let reply = get(&[("if-none-match", known), ("range", "bytes=0-9")]).await;
            assert_eq!((reply.status, reply.bytes.len()), (304, 0), "{known}");
            assert_eq!(reply.header("etag"), Some(&*tag));
        }
        assert_whole(&get(&[("if-none-match", "\"other\"")]).await, &file.bytes);

        for wanted in [&*tag, &list, "*"] {
            assert_whole(&get(&[("if-match", wanted)]).await, &file.bytes);
        }
        let failed = get(&[("if-match", "\"other\""), ("range", "bytes=0-9")]).await;
        assert_eq!(failed.status, 412, "{}", failed.text());
        assert_eq!(failed.header("content-type"), Some("application/json"));

        let resume = get(&[("if-range", &*tag), ("range", "bytes=10-")]).await;
        assert_part(&resume, &file.bytes, 10..file.bytes.len());
        for stale in ["\"other\"", &*weak, "Wed, 21 Oct 2015 07:28:00 GMT"] {
            let reply = get(&[("if-range", stale), ("range", "bytes=10-")]).await;
            assert_whole(&reply, &file.bytes);
        }
    }
    let [api, _] = paths();
    let head = anyone.request(reqwest::Method::HEAD, &api).header("if-none-match", &tag);
    assert_eq!(boxvault_tests::client::send(head).await.status, 304);
}

#[tokio::test]
async fn http_1_and_2_plain_and_encrypted_bring_the_same_bytes() {
    let (server, _, file) = published(5 << 20).await;
    let Some(curl) = workspace::find_program("curl") else {
        return skip("http_1_and_2_plain_and_encrypted_bring_the_same_bytes", "no curl");
    };
    let [api, vagrant] = paths();
    let (http, https) = (server.url(), format!("https://{}", server.https()));
    for (base, version, said) in [
        (&http, "--http1.1", "1.1"),
        (&http, "--http2-prior-knowledge", "2"),
        (&https, "--http1.1", "1.1"),
        (&https, "--http2", "2"),
    ] {
        for path in [&api, &vagrant] {
            for (range, part) in [(None, 0..file.bytes.len()), (Some("99-2000000"), 99..2_000_001)]
            {
                let mut command = tokio::process::Command::new(&curl);
                command.args(["--silent", "--show-error", "--fail", "--insecure", version]);
                command.args(["--write-out", "%{stderr}%{http_version}"]);
                if let Some(range) = range {
                    command.args(["--range", range]);
                }
                let output = command.arg(format!("{base}{path}")).output().await.unwrap();
                let text = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{base} {version}: {text}");
                assert_eq!(text, said, "{base} {version}");
                assert!(output.stdout == file.bytes[part], "{base} {version} {range:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_download_that_runs_outlives_the_deletion_of_its_box() {
    let (server, admin, file) = published(16 << 20).await;
    let [_, path] = paths();
    let mut connection = RawConnection::open(server.http()).await;
    connection.send(format!("GET {path} HTTP/1.1\r\nHost: boxvault\r\n\r\n").as_bytes()).await;
    assert_eq!(connection.head().await.map(|head| head.status), Some(200));
    let mut got = connection.body(100_000).await;
    let reply = admin.delete("/api/organization/acme/box/web").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    wait_for("the box to be gone", DEADLINE, async || {
        (server.anonymous().get(&path).await.status == 404).then_some(())
    })
    .await;
    got.append(&mut connection.body(file.bytes.len() - got.len()).await);
    assert!(got == file.bytes, "{} of {} bytes", got.len(), file.bytes.len());
}

#[tokio::test]
async fn a_download_is_counted_once_however_many_requests_it_takes() {
    let (server, admin, file) = published(100_000).await;
    let anyone = server.anonymous();
    let info = format!("{}/info", Publication::new("acme", NAME, &[]).file_path());
    let count = async || admin.get(&info).await.data()["downloadCount"].as_u64().unwrap();
    let [api, vagrant] = paths();
    let tag = format!("\"{}\"", file.sha256);
    // none of these is a download
    assert_eq!(anyone.head(&vagrant).await.status, 200);
    assert_eq!(anyone.get_with(&vagrant, &[("if-none-match", &tag)]).await.status, 304);
    assert_eq!(anyone.get_with(&api, &[("range", "bytes=999999-")]).await.status, 416);
    assert_eq!(anyone.get(&vagrant.replace("amd64", "arm64")).await.status, 404);
    // one that is cut and continued is one
    for range in ["bytes=0-9999", "bytes=10000-49999", "bytes=50000-"] {
        assert_eq!(anyone.get_with(&vagrant, &[("range", range)]).await.status, 206);
    }
    // and these are two
    assert_eq!(anyone.get(&vagrant).await.status, 200);
    assert_eq!(anyone.get(&api).await.status, 200);
    wait_for("three downloads", DEADLINE, async || (count().await >= 3).then_some(())).await;
    let mut server = server;
    // what is not written yet is written at the end, and nothing twice
    assert_eq!(anyone.get(&vagrant).await.status, 200);
    assert!(server.stop().await.success());
    server.restart().await;
    let admin = server.admin().await;
    assert_eq!(admin.get(&info).await.data()["downloadCount"], 4);
}

#[tokio::test]
async fn a_slow_reader_holds_no_memory_and_nobody_up() {
    let (server, _, file) = published(24 << 20).await;
    let [api, vagrant] = paths();
    let before = boxvault_tests::faults::peak_memory_bytes(server.pid());
    let mut slow = Vec::new();
    for path in [&api, &vagrant].into_iter().cycle().take(40) {
        let mut connection = RawConnection::open(server.http()).await;
        connection.send(format!("GET {path} HTTP/1.1\r\nHost: boxvault\r\n\r\n").as_bytes()).await;
        assert_eq!(connection.head().await.map(|head| head.status), Some(200));
        slow.push(connection);
    }
    assert_whole(&server.anonymous().get(&vagrant).await, &file.bytes);
    let grown = boxvault_tests::faults::peak_memory_bytes(server.pid()).saturating_sub(before);
    assert!(grown < 200 << 20, "{} MiB for 40 slow readers", grown >> 20);
    for mut connection in slow.into_iter().take(2) {
        assert!(connection.body(file.bytes.len()).await == file.bytes);
    }
}
