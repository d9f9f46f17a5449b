//! A part that a server depends on goes away: a full disk, a lost store, a lost database. It is told, nothing is lost,
//! and the server is well again without a restart.

use std::{fs, time::Duration};

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::{BoxBuilder, seeded},
    client::send,
    database::{Kind, RealDatabase},
    faults::{RawConnection, SmallDisk, Tunnel, stored_files, upload_head, write_file},
    outcome::{DEADLINE, assert_refused, download, ready, swept_and_clean, upload},
    skip, wait_for,
};
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_heals() {
    let Some(disk) = SmallDisk::new(24 << 20) else {
        return skip("a_full_disk_is_told_loses_nothing_and_heals", "may not mount a tmpfs");
    };
    let root = disk.path().to_str().unwrap().to_owned();
    let server = TestServer::builder()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", &root)
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").seed(1).disk_bytes(8 << 20).build();
    let large = BoxBuilder::new("virtualbox").seed(2).disk_bytes(40 << 20).build();
    let next = BoxBuilder::new("virtualbox").seed(3).disk_bytes(12 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &file.bytes).await.status, 200);
    for _ in 0..2 {
        assert_refused(&upload(&admin, &at, &large.bytes).await, &[507], &["STORAGE_FULL"]);
        assert!(download(&admin, &at).await.bytes == file.bytes, "the old file is damaged");
    }
    // what the refused ones had written is gone, so that a smaller one fits
    assert_eq!(upload(&admin, &at, &next.bytes).await.status, 200);
    assert!(download(&admin, &at).await.bytes == next.bytes);
    // full without any upload
    write_file(&disk.path().join("of-somebody-else"), seeded(1, 1 << 20)).unwrap();
    let filler = disk.path().join("filler");
    let mut filled = 0;
    while write_file(&filler.with_extension(filled.to_string()), seeded(1, 256 << 10)).is_ok() {
        filled += 1;
    }
    assert_refused(&upload(&admin, &at, &large.bytes).await, &[507], &["STORAGE_FULL"]);
    assert!(download(&admin, &at).await.bytes == next.bytes);
    // no reason to take the server out of service: it can read, delete, and tell
    ready(&server, 200).await;
    for number in 0..=filled {
        drop(fs::remove_file(filler.with_extension(number.to_string())));
    }
    swept_and_clean(&server).await;
    let small = BoxBuilder::new("virtualbox").seed(4).disk_bytes(1 << 20).build();
    assert_eq!(upload(&admin, &at, &small.bytes).await.status, 200);
    ready(&server, 200).await;
}

#[tokio::test]
async fn a_store_that_goes_away_is_told_and_is_well_again_when_it_comes_back() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let next = BoxBuilder::new("virtualbox").seed(2).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &file.bytes).await.status, 200);
    let (store, away) = (server.data_dir().join("store"), server.data_dir().join("away"));
    // first where new files are written, then all of it: as when a disk is unmounted
    for part in [store.join(".staging"), store.clone()] {
        fs::rename(&part, &away).unwrap();
        let refused = upload(&admin, &at, &next.bytes).await;
        assert_refused(&refused, &[503], &["STORE_UNAVAILABLE"]);
        assert!(!refused.text().contains("staging"), "paths are for the log: {}", refused.text());
        let parts = ready(&server, 503).await;
        assert_eq!(parts["parts"]["store:main"]["ok"], false, "{parts}");
        assert_eq!(parts["parts"]["catalog"]["ok"], true, "{parts}");
        let found = download(&admin, &at).await;
        if part == store {
            assert_refused(&found, &[500, 503], &["INTERNAL", "STORE_UNAVAILABLE"]);
        } else {
            assert!(found.bytes == file.bytes, "what can be read is served");
        }
        // what needs no store goes on
        assert_eq!(server.anonymous().get("/acme/web").await.status, 200);
        assert!(!part.exists(), "nothing is made in the place of what is missing");
        fs::rename(&away, &part).unwrap();
        ready(&server, 200).await;
        assert!(download(&admin, &at).await.bytes == file.bytes);
    }
    assert_eq!(upload(&admin, &at, &next.bytes).await.status, 200);
    swept_and_clean(&server).await;
}

#[tokio::test]
async fn a_database_that_goes_away_is_told_and_is_well_again_when_it_comes_back() {
    let test = "a_database_that_goes_away_is_told_and_is_well_again_when_it_comes_back";
    let Some(lost) = RealDatabase::make(Kind::PostgreSql) else {
        return skip(test, "PostgreSQL or psql is not installed");
    };
    let tunnel = Tunnel::start(lost.address().parse().unwrap()).await;
    let database = lost.url_through(&tunnel.address().to_string());
    let server = TestServer::builder().set("database.url", &database).start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let next = BoxBuilder::new("virtualbox").seed(2).disk_bytes(3 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &file.bytes).await.status, 200);

    // one upload is on its way when the database goes
    let mut running = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", next.bytes.len());
    running.send(&upload_head(&at, &admin, &[&length])).await;
    running.send(&next.bytes[..2 << 20]).await;
    wait_for("the upload's first bytes", DEADLINE, async || {
        (stored_files(&server).len() > 1).then_some(())
    })
    .await;
    tunnel.cut();
    running.send(&next.bytes[2 << 20..]).await;
    let reply = running.reply().await.expect("an answer");
    assert_refused(&reply, &[503], &["CATALOG_UNAVAILABLE"]);
    assert!(reply.header("retry-after").is_some());
    let reply = admin.get("/api/organization").await;
    assert_refused(&reply, &[503], &["CATALOG_UNAVAILABLE"]);
    let parts = ready(&server, 503).await;
    assert_eq!(parts["parts"]["catalog"]["ok"], false, "{parts}");
    assert_eq!(server.anonymous().get("/health/live").await.status, 200);
    assert_eq!(server.anonymous().get("/metrics").await.status, 200);

    tunnel.mend();
    ready(&server, 200).await;
    assert!(download(&admin, &at).await.bytes == file.bytes, "the old file stands");
    assert_eq!(upload(&admin, &at, &next.bytes).await.status, 200);
    assert!(download(&admin, &at).await.bytes == next.bytes);
    swept_and_clean(&server).await;
    drop(server);
    tunnel.cut();
}

/// A server on a database that others use as well, with one box in it.
async fn beside_others(kind: Kind, test: &str) -> Option<(RealDatabase, TestServer, Client)> {
    let Some(database) = RealDatabase::make(kind) else {
        skip(test, &format!("{kind:?} or its client is not installed"));
        return None;
    };
    let server = TestServer::builder().set("database.url", &database.url()).start().await;
    let admin = server.admin().await;
    assert_eq!(admin.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    assert_eq!(admin.post(BOXES, &json!({ "name": "web" })).await.status, 201);
    Some((database, server, admin))
}

const BOXES: &str = "/api/organization/acme/box";
const WEB: &str = "/api/organization/acme/box/web";
/// Longer than a server waits for a lock, on a busy machine.
const LOCK_DEADLINE: Duration = Duration::from_mins(1);

/// The changes that a request makes, and what it would leave half done: its own row, and that of the audit log.
async fn assert_untouched(admin: &Client) {
    assert_eq!(admin.get(WEB).await.data()["description"], "", "a change that was refused");
    let log = admin.get("/api/organization/acme/audit?action=update&object=box").await.json();
    assert_eq!(log["page"]["total"], 0, "{log}");
}

async fn change(admin: &Client) -> boxvault_tests::Reply {
    send(admin.request(Method::PUT, WEB).json(&json!({ "description": "changed" }))).await
}

async fn a_lock_that_is_held_for_too_long(kind: Kind, test: &str) {
    let Some((database, server, admin)) = beside_others(kind, test).await else { return };
    let held = database.hold("UPDATE boxes SET description = 'of somebody else'");
    let refused = change(&admin).await;
    assert_refused(&refused, &[503], &["CATALOG_UNAVAILABLE"]);
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
    // what needs no lock goes on
    assert_untouched(&admin).await;
    ready(&server, 200).await;
    drop(held);
    let done = change(&admin).await;
    assert_eq!(
        (done.status, &done.data()["description"]),
        (200, &json!("changed")),
        "{}",
        done.text()
    );
}

async fn a_connection_that_is_cut_within_a_change(kind: Kind, test: &str) {
    let Some((database, server, admin)) = beside_others(kind, test).await else { return };
    let held = database.hold("UPDATE boxes SET description = 'of somebody else'");
    let waiting = tokio::spawn({
        let admin = admin.clone();
        async move { change(&admin).await }
    });
    wait_for("a change that waits for the lock", LOCK_DEADLINE, async || {
        (database.waiting() > 0).then_some(())
    })
    .await;
    database.cut_connections_of_the_server();
    let refused = waiting.await.unwrap();
    assert_refused(&refused, &[503], &["CATALOG_UNAVAILABLE"]);
    assert!(refused.header("retry-after").is_some(), "{:?}", refused.headers);
    drop(held);
    // the server comes back by itself
    ready(&server, 200).await;
    wait_for("the catalog", DEADLINE, async || (admin.get(WEB).await.status == 200).then_some(()))
        .await;
    assert_untouched(&admin).await;
    assert_eq!(change(&admin).await.status, 200);
}

#[tokio::test]
async fn a_lock_that_postgresql_holds_for_too_long_is_told_and_nothing_is_half_done() {
    let test =
        "outages::a_lock_that_postgresql_holds_for_too_long_is_told_and_nothing_is_half_done";
    a_lock_that_is_held_for_too_long(Kind::PostgreSql, test).await;
}

#[tokio::test]
async fn a_lock_that_mariadb_holds_for_too_long_is_told_and_nothing_is_half_done() {
    let test = "outages::a_lock_that_mariadb_holds_for_too_long_is_told_and_nothing_is_half_done";
    a_lock_that_is_held_for_too_long(Kind::MariaDb, test).await;
}

#[tokio::test]
async fn a_connection_to_postgresql_that_is_cut_within_a_change_leaves_nothing_half_done() {
    let test =
        "outages::a_connection_to_postgresql_that_is_cut_within_a_change_leaves_nothing_half_done";
    a_connection_that_is_cut_within_a_change(Kind::PostgreSql, test).await;
}

#[tokio::test]
async fn a_connection_to_mariadb_that_is_cut_within_a_change_leaves_nothing_half_done() {
    let test =
        "outages::a_connection_to_mariadb_that_is_cut_within_a_change_leaves_nothing_half_done";
    a_connection_that_is_cut_within_a_change(Kind::MariaDb, test).await;
}
