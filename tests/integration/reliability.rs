//! What must hold when the machine does not: kills, full and missing disks, a lost database, bad files, two servers.
//!
//! A test here breaks something that an operator could see break, and then looks at three things: what was
//! acknowledged is there byte for byte, what was not is nowhere, and the server is well again without a restart.

use std::{collections::BTreeSet, fs, path::Path, process::Stdio, time::Duration};

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, seeded},
    faults::{
        RawConnection, SmallDisk, Tunnel, peak_memory_bytes, read_file, refused_start, signal,
        stored_files, upload_head, write_file,
    },
    plugins::CPlugin,
    skip, wait_for, workspace,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

const DEADLINE: Duration = Duration::from_secs(20);

#[track_caller]
fn assert_refused(reply: &Reply, statuses: &[u16], codes: &[&str]) {
    assert!(statuses.contains(&reply.status), "{}: {}", reply.status, reply.text());
    assert!(codes.contains(&&*reply.code()), "{}", reply.text());
    let body = reply.json();
    assert!(body["error"]["request_id"].is_string() && body["message"].is_string(), "{body}");
}

async fn upload(caller: &Client, at: &Publication<'_>, file: &[u8]) -> Reply {
    caller.upload(&format!("{}/upload", at.file_path()), file.to_vec(), &[]).await
}

async fn download(caller: &Client, at: &Publication<'_>) -> Reply {
    caller.get(&format!("{}/download", at.file_path())).await
}

async fn ready(server: &TestServer, status: u16) -> serde_json::Value {
    let client = server.anonymous();
    wait_for(&format!("/health/ready with {status}"), DEADLINE, async || {
        let reply = client.try_get("/health/ready").await?;
        (reply.status == status).then(|| reply.data())
    })
    .await
}

/// A sweep of everything that no row needs, and a check that reads every byte. Tells what the check said.
async fn swept_and_clean(server: &TestServer) -> String {
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    let fsck = server.command(&["fsck", "--rehash"], "").await;
    let said = String::from_utf8_lossy(&fsck.stdout).into_owned();
    assert!(fsck.status.success(), "{said}");
    assert!(said.contains("clean:") && said.contains(" 0 left over"), "{said}");
    said
}

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
    let scripts = workspace::root().join("core/catalog/testing/databases.sh");
    let (Some(_), true) = (workspace::find_program("psql"), scripts.is_file()) else {
        return skip(test, "no psql to make a database with");
    };
    // into a file and not through a pipe, which the servers it starts would hold open as long as they live
    let urls = tempfile::NamedTempFile::new().unwrap();
    let ensured = std::process::Command::new(scripts)
        .arg("ensure")
        .stdin(Stdio::null())
        .stdout(urls.reopen().unwrap())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(ensured.success(), "{ensured}");
    let text = String::from_utf8(read_file(urls.path())).unwrap();
    let url = text.lines().find_map(|line| line.strip_prefix("BOXVAULT_TEST_POSTGRESQL_URL="));
    let Some(url) = url else { return skip(test, "PostgreSQL is not installed") };
    let (base, _) = url.rsplit_once('/').unwrap();
    let name = format!("lost_{}", std::process::id());
    let psql = |statement: &str| {
        let done = std::process::Command::new("psql").args([url, "-qc", statement]).output();
        let done = done.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    psql(&format!("CREATE DATABASE {name}"));
    let address = base.rsplit_once('@').unwrap().1.parse().unwrap();
    let tunnel = Tunnel::start(address).await;
    let database = format!("{}@{}/{name}", base.rsplit_once('@').unwrap().0, tunnel.address());
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
    psql(&format!("DROP DATABASE {name} WITH (FORCE)"));
}

#[tokio::test]
async fn a_start_that_cannot_be_good_is_refused_with_a_clear_word() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    copy_policies(&broken);
    write_file(&broken.join("site.csv"), "p, role:member, *, box/**, raed, allow\n").unwrap();
    let broken = broken.to_str().unwrap();
    let not_a_library = folder.path().join("libnothing.so");
    write_file(&not_a_library, "not a library").unwrap();
    let not_a_library = not_a_library.to_str().unwrap();
    write_file(&folder.path().join("typo.toml"), "[server]\nhttp_lisen = 5000\n").unwrap();
    let typo = folder.path().join("typo.toml");
    let typo = typo.to_str().unwrap();
    for (settings, code, words) in [
        (&[("stores.main.plugin", "no-such")][..], 1, &["no-such", "stores.main"][..]),
        (&[("stores.main.plugin", not_a_library)], 1, &["libnothing.so"]),
        (&[("policy.dir", broken)], 1, &["site.csv:1", "raed"]),
        (&[("config", typo)], 2, &["typo.toml", "http_lisen", "http_listen"]),
        (&[("server.http_lisen", "1")], 2, &["BOXVAULT_SERVER__HTTP_LISEN", "http_listen"]),
        (&[("limits.upload_bytes_max", "10 furlongs")], 2, &["BOXVAULT_LIMITS__UPLOAD_BYTES_MAX"]),
        (&[("storage.default_store", "other")], 2, &["other"]),
        (&[("database.url", "oracle://x")], 2, &["database.url"]),
        (&[("database.url", "sqlite:/no/such/folder/x.sqlite3")], 1, &["database.url"]),
        (&[("server.tls_certificate_file", "/no/such.pem")], 2, &["tls_private_key_file"]),
    ] {
        let refused = refused_start(folder.path(), settings).await;
        let said = &refused.output;
        // a part of the configuration may be found out by its reader, or only by the part itself
        assert!([Some(1), Some(2)].contains(&refused.code), "{settings:?}: {said}");
        assert!(refused.code == Some(code), "{settings:?}: exit code {:?}: {said}", refused.code);
        for word in words {
            assert!(said.contains(word), "{settings:?} without {word:?}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    if let Some(other) = CPlugin::compile("storage-faulty/faulty.c", &["FAULT_ABI_MAJOR=7"]) {
        let settings = [("stores.main.plugin", other.source())];
        let refused = refused_start(folder.path(), &settings).await;
        assert_eq!(refused.code, Some(1), "{}", refused.output);
        let said = &refused.output;
        assert!(said.contains("7.0") && said.contains("stores.main"), "{said}");
    } else {
        skip("a_start_that_cannot_be_good_is_refused_with_a_clear_word", "no C compiler");
    }
}

fn copy_policies(to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["model.conf", "policy.csv"] {
        fs::copy(workspace::root().join("policies").join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_broken_policy_file_changes_nothing_but_the_readiness() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    copy_policies(&policies);
    let server = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "100 ms")
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let site = policies.join("site.csv");

    write_file(&site, "# a comment\np, anonymous, *, box/**, download\n").unwrap();
    let parts = ready(&server, 503).await;
    assert_eq!(parts["parts"]["policy"]["ok"], false, "{parts}");
    wait_for("file and line in the log", DEADLINE, async || {
        server.log().contains("site.csv:2").then_some(())
    })
    .await;
    assert_eq!(server.anonymous().get(&at.vagrant_path()).await.status, 404);
    assert_eq!(admin.get(&at.vagrant_path()).await.status, 200);
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("boxvault_policy_problems 1"), "{metrics}");

    write_file(&site, "p, anonymous, *, box/**, download, allow\n").unwrap();
    ready(&server, 200).await;
    wait_for("the new rule", DEADLINE, async || {
        let reply = server.anonymous().get(&at.vagrant_path()).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn sighup_takes_new_policies_and_a_new_certificate() {
    let test = "sighup_takes_new_policies_and_a_new_certificate";
    let (Some(openssl), Some(_)) =
        (workspace::find_program("openssl"), workspace::find_program("curl"))
    else {
        return skip(test, "no openssl");
    };
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    copy_policies(&policies);
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let issue = |subject: &str| {
        let made = std::process::Command::new(&openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={subject}")])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    issue("first.example");
    let server = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "0 s")
        .set("server.tls_certificate_file", certificate.to_str().unwrap())
        .set("server.tls_private_key_file", key.to_str().unwrap())
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let subject = async || {
        let seen = tokio::process::Command::new("curl")
            .args(["-skv", "-o", "/dev/null", &format!("https://{}/health/live", server.https())])
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&seen.stderr).into_owned()
    };
    assert!(subject().await.contains("first.example"), "{}", subject().await);
    issue("second.example");
    write_file(&policies.join("site.csv"), "p, anonymous, *, box/**, download, allow\n").unwrap();
    assert_eq!(server.anonymous().get(&at.vagrant_path()).await.status, 404);
    signal(server.pid(), "HUP");
    wait_for("the new certificate", DEADLINE, async || {
        subject().await.contains("second.example").then_some(())
    })
    .await;
    wait_for("the new rule", DEADLINE, async || {
        let reply = server.anonymous().get(&at.vagrant_path()).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_what_runs() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(16 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let next = Publication { version: "2.0.0", ..at };
    admin.prepare(&next).await;

    let mut downloading = RawConnection::open(server.http()).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: boxvault\r\n\r\n", at.vagrant_path());
    downloading.send(request.as_bytes()).await;
    assert_eq!(downloading.head().await.map(|head| head.status), Some(200));
    let mut got = downloading.body(1000).await;
    let mut uploading = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", file.bytes.len());
    uploading.send(&upload_head(&next, &admin, &[&length])).await;
    uploading.send(&file.bytes[..1 << 20]).await;
    wait_for("the upload", DEADLINE, async || {
        let text = server.anonymous().get("/metrics").await.text();
        text.contains("boxvault_uploads_in_flight 1").then_some(())
    })
    .await;

    signal(server.pid(), "TERM");
    let addresses = server.data_dir().join("run/addresses.json");
    wait_for("the stop to begin", DEADLINE, async || (!addresses.exists()).then_some(())).await;
    got.append(&mut downloading.body(file.bytes.len() - 1000).await);
    assert!(got == file.bytes, "the download was cut after {} bytes", got.len());
    uploading.send(&file.bytes[1 << 20..]).await;
    let reply = uploading.reply().await.expect("an answer to what was running");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(server.stop().await.success());
    server.restart().await;
    assert!(download(&server.admin().await, &next).await.bytes == file.bytes);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut server = TestServer::builder().set("server.shutdown_timeout", "1 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(24 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let mut downloading = RawConnection::open(server.http()).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: boxvault\r\n\r\n", at.vagrant_path());
    downloading.send(request.as_bytes()).await;
    assert_eq!(downloading.head().await.map(|head| head.status), Some(200));
    // never read on: the harness gives the stop half a minute
    assert!(server.stop().await.success());
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

#[tokio::test]
async fn two_servers_on_one_database_and_one_store_are_one() {
    let first = TestServer::start().await;
    let database = format!("sqlite:{}", first.data_dir().join("catalog.sqlite3").display());
    let store = first.data_dir().join("store");
    let second = TestServer::builder()
        .set("database.url", &database)
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", store.to_str().unwrap())
        .start()
        .await;
    let admin = first.admin().await;
    let there = |client: &Client| {
        Client::new(&second.url()).with_token(client.token().expect("it signed in"))
    };
    // a session of one is a session of the other: the signing key lies in the catalog
    assert_eq!(there(&admin).get("/api/user").await.status, 200);
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    assert!(there(&admin).get(&at.vagrant_path()).await.bytes == file.bytes);

    // an API token of one works on the other, until it is revoked on either
    let made = admin.post("/api/user/tokens", &json!({ "description": "ci" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (token, id) = (made.data()["token"].clone(), made.data()["id"].clone());
    let by_token = second.anonymous().with_token(token.as_str().unwrap());
    assert_eq!(by_token.get(&at.vagrant_path()).await.status, 200);
    let path = format!("/api/user/tokens/{}", id.as_str().unwrap());
    assert_eq!(admin.delete(&path).await.status, 200);
    wait_for("the revocation on the other server", Duration::from_secs(5), async || {
        (by_token.get(&at.vagrant_path()).await.status == 404).then_some(())
    })
    .await;

    // a box that one makes public is public on the other
    let change = json!({ "isPublic": true });
    assert_eq!(admin.put("/api/organization/acme/box/web", &change).await.status, 200);
    wait_for("the other server's view", Duration::from_secs(5), async || {
        (second.anonymous().get(&at.vagrant_path()).await.status == 200).then_some(())
    })
    .await;
    // a file that one replaces is never an error on the other, which may remember for a second where it was
    let newer = BoxBuilder::new("virtualbox").seed(2).build();
    let draft = Publication { version: "1.1.0", ..at };
    let (upload, download) =
        (format!("{}/upload", draft.file_path()), format!("{}/download", draft.file_path()));
    admin.prepare(&draft).await;
    assert_eq!(admin.upload(&upload, file.bytes.clone(), &[]).await.status, 200);
    assert!(there(&admin).get(&download).await.bytes == file.bytes);
    assert_eq!(admin.upload(&upload, newer.bytes.clone(), &[]).await.status, 200);
    wait_for("the newer file on the other server", Duration::from_secs(5), async || {
        let reply = there(&admin).get(&download).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        (reply.bytes == newer.bytes).then_some(())
    })
    .await;

    // the start of the second has not cleaned up behind the first, nor does its sweep
    let swept = second.command(&["sweep"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    swept_and_clean(&first).await;
    assert!(first.anonymous().get(&at.vagrant_path()).await.bytes == file.bytes);
}

#[tokio::test]
async fn of_two_that_set_a_new_server_up_one_becomes_its_admin() {
    let server = TestServer::start().await;
    let output = server.command(&["setup", "token"], "").await;
    let token = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let body = |name: &str| {
        json!({ "token": token, "username": name, "email": format!("{name}@example.com"),
                "password": boxvault_tests::server::PASSWORD })
    };
    let (one, two) = (body("one"), body("two"));
    let client = server.anonymous();
    let (one, two) = tokio::join!(client.post("/api/setup", &one), client.post("/api/setup", &two));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 201, "{} {}", one.text(), two.text());
    assert!([401, 409].contains(&statuses[1]), "{} {}", one.text(), two.text());
}

/// A plain tar with a disk of 4.5 GiB, made piece by piece, never a file of its own.
struct HugeBox {
    head: Vec<u8>,
    block: Vec<u8>,
    blocks: u64,
}

impl HugeBox {
    const BLOCK: usize = 1 << 20;

    fn new(disk_bytes: u64) -> Self {
        let mut archive = tar::Builder::new(Vec::new());
        let metadata = b"{\"provider\":\"virtualbox\"}";
        let mut header = tar::Header::new_gnu();
        header.set_size(metadata.len() as u64);
        archive.append_data(&mut header, "metadata.json", &metadata[..]).unwrap();
        let mut head = archive.get_ref().clone();
        let mut header = tar::Header::new_gnu();
        header.set_path("disk.img").unwrap();
        header.set_size(disk_bytes);
        header.set_cksum();
        head.extend_from_slice(header.as_bytes());
        Self { head, block: seeded(5, Self::BLOCK), blocks: disk_bytes / Self::BLOCK as u64 }
    }

    fn size(&self) -> u64 {
        // two blocks of zeros end a tar
        self.head.len() as u64 + self.blocks * Self::BLOCK as u64 + 1024
    }

    /// The disk's piece of that number: no two are the same, so that one in the wrong place shows.
    fn block(&mut self, number: u64) -> &[u8] {
        self.block[..8].copy_from_slice(&number.to_le_bytes());
        &self.block
    }
}

#[tokio::test]
async fn a_box_larger_than_4_gib_goes_up_and_comes_down_right_in_constant_memory() {
    const MEMORY_MAX: u64 = 200 << 20;
    let mut file = HugeBox::new((4 << 30) + (512 << 20));
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let at = Publication::new("acme", "huge", &[]);
    admin.prepare(&at).await;

    let mut connection = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", file.size());
    connection.send(&upload_head(&at, &admin, &[&length])).await;
    let mut hasher = Sha256::new();
    hasher.update(&file.head);
    connection.send(&file.head.clone()).await;
    for number in 0..file.blocks {
        let block = file.block(number);
        hasher.update(block);
        connection.send(block).await;
    }
    hasher.update([0; 1024]);
    connection.send(&[0; 1024]).await;
    let reply = connection.reply().await.expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let digest = data_encoding::HEXLOWER.encode(&hasher.finalize());
    assert_eq!(reply.data()["checksum"], digest);
    assert_eq!(reply.data()["fileSize"], file.size());
    let peak = peak_memory_bytes(server.pid());
    assert!(peak < MEMORY_MAX, "{} MiB after the upload", peak >> 20);

    let get = format!("GET {}/download HTTP/1.1\r\nHost: boxvault\r\n", at.file_path());
    let get = format!("{get}x-access-token: {}\r\n", admin.token().unwrap());
    let mut connection = RawConnection::open(server.http()).await;
    connection.send(format!("{get}\r\n").as_bytes()).await;
    let head = connection.head().await.expect("an answer");
    assert_eq!(head.header("content-length"), Some(&*file.size().to_string()));
    let mut buffer = vec![0; file.head.len()];
    connection.read_into(&mut buffer).await;
    assert!(buffer == file.head);
    let mut buffer = vec![0; HugeBox::BLOCK];
    for number in 0..file.blocks {
        connection.read_into(&mut buffer).await;
        assert!(buffer == file.block(number), "piece {number} is another one");
    }
    let mut end = [1; 1024];
    connection.read_into(&mut end).await;
    assert_eq!(end, [0; 1024]);

    // a part that begins beyond 4 GiB, and the end
    let from = file.head.len() as u64 + 4200 * HugeBox::BLOCK as u64;
    let range = format!("{get}Range: bytes={from}-{}\r\n\r\n", from + HugeBox::BLOCK as u64 - 1);
    connection.send(range.as_bytes()).await;
    let head = connection.head().await.expect("an answer");
    assert_eq!(head.status, 206);
    connection.read_into(&mut buffer).await;
    assert!(buffer == file.block(4200));
    connection.send(format!("{get}Range: bytes=-2048\r\n\r\n").as_bytes()).await;
    assert_eq!(connection.head().await.map(|head| head.status), Some(206));
    let tail = connection.body(2048).await;
    let last = file.blocks - 1;
    assert!(tail[..1024] == file.block(last)[HugeBox::BLOCK - 1024..] && tail[1024..] == [0; 1024]);
    let peak = peak_memory_bytes(server.pid());
    assert!(peak < MEMORY_MAX, "{} MiB after the download", peak >> 20);
}
