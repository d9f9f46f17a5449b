//! Power cuts, full and read-only disks in the middle of what takes bytes away: replacing, deleting, sweeping.
//!
//! An upload that is cut is tested in `reliability`. Here the danger is the other one: that bytes which somebody still
//! needs are removed, because a server died between two steps or a sweep met an upload half-way.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile, seeded},
    faults::{RawConnection, SmallDisk, stored_files, write_file},
    skip, wait_for,
};
use reqwest::Method;
use serde_json::json;

const DEADLINE: Duration = Duration::from_secs(20);

fn file(seed: u64) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(256 << 10).build()
}

/// A platform admin whose credential outlives every restart.
async fn lasting(server: &TestServer) -> Client {
    let admin = server.admin().await;
    let token = server.api_token(boxvault_tests::server::ADMIN_NAME).await;
    admin.with_token(&token)
}

async fn server() -> TestServer {
    TestServer::builder().set("limits.requests_per_minute", "0").start().await
}

async fn upload(caller: &Client, at: &Publication<'_>, bytes: &[u8]) -> Reply {
    caller.upload(&format!("{}/upload", at.file_path()), bytes.to_vec(), &[]).await
}

async fn download(caller: &Client, at: &Publication<'_>) -> Reply {
    caller.get(&format!("{}/download", at.file_path())).await
}

/// What the check of every byte says. A file that a row needs and that is not there whole makes it fail.
async fn assert_nothing_is_missing(server: &TestServer) -> String {
    let fsck = server.command(&["fsck", "--rehash"], "").await;
    let said = String::from_utf8_lossy(&fsck.stdout).into_owned();
    assert!(fsck.status.success(), "{said}{}", String::from_utf8_lossy(&fsck.stderr));
    said
}

async fn sweep(server: &TestServer) {
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
}

/// Sends a request without a body, and waits for no answer.
async fn begin(server: &TestServer, caller: &Client, method: Method, path: &str) -> RawConnection {
    let mut connection = RawConnection::open(server.http()).await;
    let token = caller.token().expect("it has one");
    let head =
        format!("{method} {path} HTTP/1.1\r\nHost: boxvault\r\nx-access-token: {token}\r\n\r\n");
    connection.send(head.as_bytes()).await;
    connection
}

#[tokio::test]
async fn a_kill_at_any_step_of_a_deletion_leaves_all_of_it_or_nothing() {
    const KILLS: u64 = 12;
    let mut server = server().await;
    let caller = lasting(&server).await;
    let mut acknowledged = 0;
    let mut kept = BTreeMap::new();
    for kill in 0..KILLS {
        // one deletes a file, one a version, one a box, all at the same time
        let names = ["file", "version", "box"].map(|what| format!("{what}{kill}"));
        let files = [0, 1, 2].map(|index| file(kill * 3 + index));
        for (name, file) in names.iter().zip(&files) {
            let at = Publication::new("acme", name, &file.bytes);
            caller.prepare(&at).await;
            assert_eq!(upload(&caller, &at, &file.bytes).await.status, 200);
        }
        let paths = [
            format!("{}/delete", Publication::new("acme", &names[0], &[]).file_path()),
            format!("/api/organization/acme/box/{}/version/1.0.0", names[1]),
            format!("/api/organization/acme/box/{}", names[2]),
        ];
        let mut running = Vec::new();
        for path in &paths {
            running.push(begin(&server, &caller, Method::DELETE, path).await);
        }
        let patience = Duration::from_millis(kill * 2);
        let mut answered = [false; 3];
        for (connection, answered) in running.iter_mut().zip(&mut answered) {
            if let Ok(Some(reply)) = tokio::time::timeout(patience, connection.reply()).await {
                assert_eq!(reply.status, 200, "{}", reply.text());
                *answered = true;
                acknowledged += 1;
            }
        }
        server.kill9().await;
        server.restart().await;
        for ((name, file), answered) in names.iter().zip(&files).zip(answered) {
            let at = Publication::new("acme", name, &file.bytes);
            let found = download(&caller, &at).await;
            match found.status {
                200 => {
                    assert!(!answered, "{name} was deleted, and is there again");
                    assert!(found.bytes == file.bytes, "{name} has other bytes");
                    kept.insert(name.clone(), file.bytes.clone());
                }
                404 => {}
                status => panic!("{name}: {status} {}", found.text()),
            }
        }
        // a box that is gone can be brought back with every byte
        let gone = Publication::new("acme", &names[2], &files[2].bytes);
        if download(&caller, &gone).await.status == 404 {
            let path = format!("/api/organization/acme/box/{}/restore", names[2]);
            assert_eq!(caller.put(&path, &json!({})).await.status, 200);
            assert!(download(&caller, &gone).await.bytes == files[2].bytes);
        }
        kept.insert(names[2].clone(), files[2].bytes.clone());
    }
    assert!(acknowledged > 0, "no deletion was faster than its kill");
    sweep(&server).await;
    assert_nothing_is_missing(&server).await;
    for (name, bytes) in &kept {
        let found = download(&caller, &Publication::new("acme", name, bytes)).await;
        assert!(found.bytes == *bytes, "{name}: {}", found.status);
    }
}

#[tokio::test]
async fn a_sweep_that_is_killed_takes_nothing_that_is_needed_and_the_next_one_ends_its_work() {
    const SLOTS: u64 = 4;
    const KILLS: u64 = 10;
    let mut server = server().await;
    let caller = lasting(&server).await;
    let names: Vec<_> = (0..SLOTS).map(|slot| format!("slot{slot}")).collect();
    let mut newest = BTreeMap::new();
    for name in &names {
        caller.prepare(&Publication::new("acme", name, &[])).await;
    }
    let mut seed = 0;
    for kill in 0..KILLS {
        for name in &names {
            // what was there before is dust now
            seed += 1;
            let file = file(seed);
            let at = Publication::new("acme", name, &file.bytes);
            assert_eq!(upload(&caller, &at, &file.bytes).await.status, 200);
            newest.insert(name, file.bytes);
        }
        // a sweep starts in some milliseconds and removes in others
        let patience = Duration::from_millis(20 + kill * 12);
        server.killed_command(&["sweep", "--older-than", "0 s"], patience).await;
        if kill % 3 == 2 {
            server.kill9().await;
            server.restart().await;
        }
        for (name, bytes) in &newest {
            let found = download(&caller, &Publication::new("acme", name, bytes)).await;
            assert!(found.bytes == *bytes, "{name}: {}", found.status);
        }
    }
    sweep(&server).await;
    let said = assert_nothing_is_missing(&server).await;
    assert!(said.contains(" 0 left over"), "{said}");
    assert_eq!(stored_files(&server).len(), names.len(), "{:?}", stored_files(&server));
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % count
    }
}

#[tokio::test]
async fn sweeps_beside_uploads_of_the_same_bytes_never_take_what_is_referenced() {
    const WORKERS: u64 = 4;
    const SWEEPS: u64 = 4;
    const FILES: u64 = 3;
    let server = server().await;
    let caller = lasting(&server).await;
    let files: Arc<Vec<BoxFile>> = Arc::new((0..FILES).map(file).collect());
    let slots = ["acme", "globex"].map(|organization| [organization, "one", "two"]);
    for [organization, boxes @ ..] in slots {
        for name in boxes {
            caller.prepare(&Publication::new(organization, name, &[])).await;
        }
    }
    let enough = Arc::new(AtomicBool::new(false));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (caller, files, enough) = (caller.clone(), Arc::clone(&files), Arc::clone(&enough));
        workers.spawn(async move {
            let mut dice = Dice(worker + 1);
            let mut stored = 0_u64;
            while !enough.load(Ordering::Relaxed) {
                let organization = ["acme", "globex"][usize::from(dice.below(2) == 1)];
                let name = ["one", "two"][usize::from(dice.below(2) == 1)];
                let at = Publication::new(organization, name, &[]);
                if dice.below(3) == 0 {
                    let reply = caller.delete(&format!("{}/delete", at.file_path())).await;
                    // there is none to delete
                    let is_none = reply.status == 404 && reply.code() == "FILE_NOT_FOUND";
                    assert!(reply.status == 200 || is_none, "{}", reply.text());
                    continue;
                }
                let file = &files[usize::try_from(dice.below(FILES)).unwrap()];
                let reply = upload(&caller, &at, &file.bytes).await;
                match (reply.status, &*reply.code()) {
                    // what this one stored, whatever became of it since
                    (200, _) => {
                        assert_eq!(reply.data()["checksum"], file.sha256);
                        stored += 1;
                    }
                    // another one is on its way into this place, or the sweep was told to take uploads of any age
                    (409, _) | (404, "UPLOAD_NOT_FOUND") => {}
                    _ => panic!("{}", reply.text()),
                }
            }
            stored
        });
    }
    // no sweep leaves anything alone for being young, so that it may take what nobody needs at that moment
    for _ in 0..SWEEPS {
        sweep(&server).await;
    }
    enough.store(true, Ordering::Relaxed);
    let mut changes = 0;
    while let Some(worker) = workers.join_next().await {
        changes += worker.unwrap();
    }
    assert!(changes > SWEEPS, "{SWEEPS} sweeps beside {changes} changes");
    for [organization, boxes @ ..] in slots {
        for name in boxes {
            let found = download(&caller, &Publication::new(organization, name, &[])).await;
            let is_one = files.iter().any(|file| file.bytes == found.bytes);
            assert!(found.status == 404 || is_one, "{organization}/{name}: {}", found.status);
        }
    }
    sweep(&server).await;
    let said = assert_nothing_is_missing(&server).await;
    assert!(said.contains(" 0 left over"), "{said}");
}

#[tokio::test]
async fn a_full_disk_under_the_catalog_is_told_loses_nothing_and_heals() {
    let Some(disk) = SmallDisk::new(8 << 20) else {
        return skip(
            "a_full_disk_under_the_catalog_is_told_loses_nothing_and_heals",
            "may not mount a tmpfs",
        );
    };
    let url = format!("sqlite:{}", disk.path().join("catalog.sqlite3").display());
    let mut server = TestServer::builder().set("database.url", &url).start().await;
    let admin = lasting(&server).await;
    let (old, new) = (file(1), file(2));
    let at = Publication::new("acme", "web", &old.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &old.bytes).await.status, 200);

    let mut filled = 0;
    let filler = disk.path().join("filler");
    for bytes in [256 << 10, 4 << 10] {
        while write_file(&filler.with_extension(filled.to_string()), seeded(1, bytes)).is_ok() {
            filled += 1;
        }
        filled += 1;
    }
    // the log of the catalog may have room left from before; it is used up by writing
    let mut made = Vec::new();
    let refused = loop {
        let name = format!("org-{}", made.len());
        let reply = admin.post("/api/organization", &json!({ "name": name })).await;
        if reply.status != 201 {
            break reply;
        }
        made.push(name);
        assert!(made.len() < 5_000, "a full disk takes everything");
    };
    assert_eq!((refused.status, &*refused.code()), (503, "CATALOG_UNAVAILABLE"));
    assert!(refused.header("retry-after").is_some());
    let refused = upload(&admin, &at, &new.bytes).await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "CATALOG_UNAVAILABLE"),
        "{}",
        refused.text()
    );
    // what is read goes on
    assert!(download(&admin, &at).await.bytes == old.bytes);

    for number in 0..=filled {
        drop(fs::remove_file(filler.with_extension(number.to_string())));
    }
    wait_for("an upload that is taken again", DEADLINE, async || {
        (upload(&admin, &at, &new.bytes).await.status == 200).then_some(())
    })
    .await;
    // what was acknowledged after the failure is on the disk, and not in a transaction that never ends
    assert_eq!(admin.post("/api/organization", &json!({ "name": "globex" })).await.status, 201);
    made.push("globex".to_owned());
    server.kill9().await;
    server.restart().await;
    let found = download(&admin, &at).await;
    assert!(found.bytes == new.bytes, "{}", found.status);
    for name in &made {
        assert_eq!(admin.get(&format!("/api/organization/{name}")).await.status, 200, "{name}");
    }
    sweep(&server).await;
    assert_nothing_is_missing(&server).await;
}

#[tokio::test]
async fn a_disk_that_turns_read_only_is_told_serves_on_and_heals() {
    let Some(disk) = SmallDisk::new(24 << 20) else {
        return skip(
            "a_disk_that_turns_read_only_is_told_serves_on_and_heals",
            "may not mount a tmpfs",
        );
    };
    let server = TestServer::builder()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", disk.path().to_str().unwrap())
        .start()
        .await;
    let admin = server.admin().await;
    let (old, new) = (file(1), file(2));
    let at = Publication::new("acme", "web", &old.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &old.bytes).await.status, 200);

    // as the kernel does when a disk begins to fail
    let folders = [".staging", "blobs"].map(|folder| disk.read_only(folder));
    let refused = upload(&admin, &at, &new.bytes).await;
    assert_eq!(
        (refused.status, &*refused.code()),
        (503, "STORE_UNAVAILABLE"),
        "{}",
        refused.text()
    );
    let ready = wait_for("/health/ready to tell", DEADLINE, async || {
        server.anonymous().try_get("/health/ready").await.filter(|reply| reply.status == 503)
    });
    assert_eq!(ready.await.data()["parts"]["store:main"]["ok"], false);
    assert!(download(&admin, &at).await.bytes == old.bytes);

    drop(folders);
    wait_for("an upload that is taken again", DEADLINE, async || {
        (upload(&admin, &at, &new.bytes).await.status == 200).then_some(())
    })
    .await;
    assert!(download(&admin, &at).await.bytes == new.bytes);
    sweep(&server).await;
    assert_nothing_is_missing(&server).await;
}
