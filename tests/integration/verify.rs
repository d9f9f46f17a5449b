//! Verification: stored bytes are read again on demand and by the scrub, and damage is named and never removed.

use std::{fs, path::PathBuf, time::Duration};

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::{BoxBuilder, BoxFile},
    faults::{read_file, stored_files, write_file},
    server::TestServerBuilder,
    wait_for,
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(40);

struct Stored {
    good: BoxFile,
    bad: BoxFile,
    /// Where the store keeps the second one.
    path: PathBuf,
}

/// Two boxes with a file each, `acme/good` and `acme/bad`.
async fn stored(server: &TestServer, admin: &Client) -> Stored {
    let good = BoxBuilder::new("virtualbox").seed(1).disk_bytes(3 << 20).build();
    let bad = BoxBuilder::new("virtualbox").seed(2).disk_bytes(3 << 20).build();
    admin.publish(&Publication::new("acme", "good", &good.bytes)).await;
    let before = stored_files(server);
    admin.publish(&Publication::new("acme", "bad", &bad.bytes)).await;
    let path = stored_files(server).into_iter().find(|file| !before.contains(file)).unwrap();
    Stored { good, bad, path }
}

/// Who waits for something here asks often.
fn unlimited() -> TestServerBuilder {
    TestServer::builder().set("limits.requests_per_minute", "0")
}

fn flip(stored: &Stored) {
    let mut bytes = read_file(&stored.path);
    bytes[1000] ^= 1;
    write_file(&stored.path, bytes).unwrap();
}

fn file(name: &str) -> String {
    Publication::new("acme", name, &[]).file_path()
}

async fn verification(admin: &Client, name: &str) -> Value {
    let reply = admin.get(&format!("{}/info", file(name))).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.data()["verification"].clone()
}

/// Asks for it, and waits for what is found.
async fn verify(admin: &Client, name: &str) -> Value {
    let asked = admin.post(&format!("{}/verify", file(name)), &json!({})).await;
    assert_eq!(asked.status, 202, "{}", asked.text());
    assert!(asked.data()["totalBytes"].as_u64() > Some(1000), "{}", asked.text());
    wait_for("the file to be read", DEADLINE, async || {
        let found = verification(admin, name).await;
        ["ok", "damaged"].contains(&found["state"].as_str()?).then_some(found)
    })
    .await
}

#[tokio::test]
async fn a_flipped_bit_is_found_on_demand_named_and_left_alone() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let stored = stored(&server, &admin).await;
    assert_eq!(verification(&admin, "bad").await, Value::Null, "nobody looked yet");
    let fine = verify(&admin, "bad").await;
    assert_eq!((&fine["state"], &fine["damaged"]), (&json!("ok"), &json!(false)));
    flip(&stored);
    let found = verify(&admin, "bad").await;
    assert_eq!((&found["state"], &found["damaged"]), (&json!("damaged"), &json!(true)));
    assert!(found["problem"].as_str().unwrap().contains(&stored.bad.sha256), "{found}");
    assert!(found["checkedAt"].is_string());
    assert_eq!(verify(&admin, "good").await["state"], "ok");
    let list = admin.get("/api/storage/damaged").await.json();
    assert_eq!(list["page"]["total"], 1, "{list}");
    let named = &list["data"][0];
    assert_eq!((&named["organization"], &named["box"]), (&json!("acme"), &json!("bad")));
    assert_eq!(named["checksum"], stored.bad.sha256);
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("boxvault_damaged_files 1"), "{metrics}");
    assert_eq!(server.anonymous().get("/health/ready").await.status, 200, "the rest is served");
    // the bytes are still there, and what is mended is well again
    write_file(&stored.path, &stored.bad.bytes).unwrap();
    assert_eq!(verify(&admin, "bad").await["state"], "ok");
    assert_eq!(admin.get("/api/storage/damaged").await.json()["page"]["total"], 0);
    assert_eq!(verify(&admin, "good").await["totalBytes"], stored.good.bytes.len());
}

#[tokio::test]
async fn a_missing_or_shorter_file_is_damaged_as_well() {
    let server = unlimited().start().await;
    let admin = server.admin().await;
    let stored = stored(&server, &admin).await;
    write_file(&stored.path, &stored.bad.bytes[..1000]).unwrap();
    let found = verify(&admin, "bad").await;
    assert!(found["problem"].as_str().unwrap().contains("1000 bytes"), "{found}");
    fs::remove_file(&stored.path).unwrap();
    assert_eq!(verify(&admin, "bad").await["problem"], "it is missing");
    assert!(server.log().contains("a stored file is damaged"));
}

#[tokio::test]
async fn the_scrub_comes_by_every_file_and_a_restart_does_not_stop_it() {
    let mut server = unlimited()
        .set("storage.scrub_interval", "30 days")
        .set("storage.scrub_bytes_per_second", "100 MiB")
        .start()
        .await;
    let admin = server.admin().await;
    let stored = stored(&server, &admin).await;
    for name in ["good", "bad"] {
        wait_for("the scrub", DEADLINE, async || {
            (verification(&admin, name).await["state"] == "ok").then_some(())
        })
        .await;
    }
    // a file that came since the last round is next
    let next = BoxBuilder::new("virtualbox").seed(7).build();
    server.kill9().await;
    server.restart().await;
    let admin = server.admin().await;
    admin.publish(&Publication::new("acme", "next", &next.bytes)).await;
    wait_for("the scrub", DEADLINE, async || {
        (verification(&admin, "next").await["state"] == "ok").then_some(())
    })
    .await;
    drop(stored);
}

#[tokio::test]
async fn only_who_may_change_the_file_asks_for_it_to_be_read() {
    let server = unlimited().start().await;
    let (admin, stranger) = (server.admin().await, server.user("stranger").await);
    stored(&server, &admin).await;
    let path = format!("{}/verify", file("good"));
    for (caller, status) in [(&server.anonymous(), 401), (&stranger, 403)] {
        assert_eq!(caller.post(&path, &json!({})).await.status, status);
    }
    assert_eq!(stranger.get("/api/storage/damaged").await.status, 403);
    let none = path.replace("amd64", "arm64");
    assert_eq!(admin.post(&none, &json!({})).await.status, 404);
}
