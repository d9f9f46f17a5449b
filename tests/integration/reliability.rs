//! What must hold when a server is killed, when its files are damaged, and when its clients are bad.
//!
//! A test here breaks something that an operator could see break, and then looks at three things: what was
//! acknowledged is there byte for byte, what was not is nowhere, and the server is well.

use std::{collections::BTreeSet, fs, time::Duration};

use boxvault_tests::{
    Publication, TestServer,
    bytes::BoxBuilder,
    faults::{RawConnection, read_file, stored_files, upload_head, write_file},
    outcome::{DEADLINE, assert_refused, download, swept_and_clean, upload},
};
use serde_json::json;

/// One slot of the killing: what is surely there, and what was on its way.
struct Slot {
    name: String,
    acknowledged: Vec<u8>,
    on_its_way: Option<Vec<u8>>,
}

#[tokio::test]
async fn a_kill_at_any_step_of_an_upload_loses_nothing_and_invents_nothing() {
    const KILLS: u64 = 30;
    const SLOTS: u64 = 3;
    let mut server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let token = server.api_token(boxvault_tests::server::ADMIN_NAME).await;
    let caller = admin.with_token(&token);
    let file = |seed: u64| BoxBuilder::new("virtualbox").seed(seed).disk_bytes(3 << 20).build();
    let mut slots = Vec::new();
    for slot in 0..SLOTS {
        let (name, acknowledged) = (format!("slot{slot}"), file(slot).bytes);
        let at = Publication::new("acme", &name, &[]);
        caller.prepare(&at).await;
        assert_eq!(upload(&caller, &at, &acknowledged).await.status, 200);
        slots.push(Slot { name, acknowledged, on_its_way: None });
    }
    // Every upload is somewhere else when the power goes: at each step of the table, and with ever more time between
    // its last byte and the end. 30 kills of 3 uploads are 90 interrupted uploads.
    let mut acknowledged_late = 0;
    for kill in 0..KILLS {
        let mut running = Vec::new();
        for (index, slot) in (0..SLOTS).zip(&mut slots) {
            let new = file(100 + kill * SLOTS + index).bytes;
            let sent = match (kill + index) % 6 {
                0 => 0,
                1 => 1,
                2 => 2 << 20,
                3 => new.len() - 1,
                _ => new.len(),
            };
            let at = Publication::new("acme", &slot.name, &[]);
            let mut connection = RawConnection::open(server.http()).await;
            let length = format!("Content-Length: {}", new.len());
            connection.send(&upload_head(&at, &caller, &[&length])).await;
            connection.send(&new[..sent]).await;
            slot.on_its_way = (sent == new.len()).then_some(new);
            running.push(connection);
        }
        let patience = Duration::from_millis(kill * 5);
        for (connection, slot) in running.iter_mut().zip(&mut slots) {
            if slot.on_its_way.is_none() {
                continue;
            }
            if let Ok(Some(reply)) = tokio::time::timeout(patience, connection.reply()).await {
                assert_eq!(reply.status, 200, "{}", reply.text());
                slot.acknowledged = slot.on_its_way.take().expect("it was on its way");
                acknowledged_late += 1;
            }
        }
        server.kill9().await;
        drop(running);
        server.restart().await;
        for slot in &mut slots {
            let at = Publication::new("acme", &slot.name, &[]);
            let found = download(&caller, &at).await;
            assert_eq!(found.status, 200, "{}: {}", slot.name, found.text());
            // the server may have made the commit and lost its answer, but only of a file that it had whole
            let on_its_way = slot.on_its_way.take();
            let is_new = on_its_way.is_some_and(|new| found.bytes == new);
            assert!(found.bytes == slot.acknowledged || is_new, "{} has other bytes", slot.name);
            slot.acknowledged = found.bytes;
        }
    }
    println!("{acknowledged_late} of {} uploads were faster than the kill", KILLS * SLOTS);
    swept_and_clean(&server).await;
    let seen: BTreeSet<&[u8]> = slots.iter().map(|slot| &*slot.acknowledged).collect();
    let replaced_and_kept_for_a_while = stored_files(&server).len() - seen.len();
    let said = swept_and_clean(&server).await;
    assert!(
        said.contains(&format!("{} files", seen.len() + replaced_and_kept_for_a_while)),
        "every file in the store is known to the catalog: {said}"
    );
}

#[tokio::test]
async fn a_flipped_bit_is_found_and_named_while_the_rest_is_served() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let good = BoxBuilder::new("virtualbox").seed(1).build();
    let bad = BoxBuilder::new("virtualbox").seed(2).build();
    admin.publish(&Publication::new("acme", "good", &good.bytes)).await;
    let before = stored_files(&server);
    admin.publish(&Publication::new("acme", "bad", &bad.bytes)).await;
    let mut after = stored_files(&server);
    after.retain(|file| !before.contains(file));
    let [damaged] = &*after else { panic!("{after:?}") };
    let mut bytes = read_file(damaged);
    bytes[1000] ^= 1;
    write_file(damaged, bytes).unwrap();

    let quick = server.command(&["fsck"], "").await;
    assert!(quick.status.success(), "its length is right: {quick:?}");
    let thorough = server.command(&["fsck", "--rehash"], "").await;
    let said = String::from_utf8_lossy(&thorough.stdout).into_owned();
    let name = damaged.file_name().unwrap().to_str().unwrap();
    assert_eq!(thorough.status.code(), Some(1), "{said}");
    assert!(said.contains(name) && said.contains(&bad.sha256), "{said}");
    assert!(said.contains("DAMAGED: 2 files") && said.contains("1 damaged"), "{said}");
    let path = Publication::new("acme", "good", &[]).vagrant_path();
    assert!(server.anonymous().get(&path).await.bytes == good.bytes);

    fs::remove_file(damaged).unwrap();
    let quick = server.command(&["fsck"], "").await;
    let said = String::from_utf8_lossy(&quick.stdout).into_owned();
    assert!(quick.status.code() == Some(1) && said.contains("missing"), "{said}");
    let path = Publication::new("acme", "bad", &[]).vagrant_path();
    let gone = server.anonymous().get(&path).await;
    assert!([500, 503].contains(&gone.status), "{}", gone.text());
    assert_eq!(gone.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn slow_heads_are_cut_and_fast_ones_are_not() {
    let server = TestServer::builder()
        .set("limits.header_timeout", "1 s")
        .set("limits.connection_idle_timeout", "2 s")
        .start()
        .await;
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nHost: boxvault\r\nX-Slow: "] {
        let mut connection = RawConnection::open(server.http()).await;
        connection.send(begun.as_bytes()).await;
        let ended = tokio::time::timeout(DEADLINE, async {
            // a word in farewell is allowed
            while !connection.is_closed().await {}
        });
        assert!(ended.await.is_ok(), "{begun:?} is still waited for");
    }
    assert_eq!(server.anonymous().get("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_json_body_over_the_limit_is_refused_declared_or_not() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let body = json!({ "name": "acme", "description": "x".repeat(1 << 20) });
    let reply = admin.post("/api/organization", &body).await;
    assert_refused(&reply, &[413], &["BODY_TOO_LARGE"]);
    let text = serde_json::to_vec(&body).unwrap();
    let chunks: Vec<Result<bytes::Bytes, std::io::Error>> =
        text.chunks(5000).map(|chunk| Ok(bytes::Bytes::copy_from_slice(chunk))).collect();
    let request = admin
        .request(reqwest::Method::POST, "/api/organization")
        .header("content-type", "application/json")
        .body(reqwest::Body::wrap_stream(futures_util::stream::iter(chunks)));
    let reply = boxvault_tests::client::send(request).await;
    assert_refused(&reply, &[413], &["BODY_TOO_LARGE"]);
    assert_eq!(admin.get("/api/organization/acme").await.status, 404);
}
