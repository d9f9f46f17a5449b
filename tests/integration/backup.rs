//! Backups beside a running server, and what comes back of them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::Duration,
};

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::{BoxBuilder, BoxFile, sha256},
    database::{Kind, RealDatabase},
    faults::files_below,
    server::ADMIN_NAME,
    skip, wait_for,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

fn built(seed: u64, disk_bytes: usize) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(disk_bytes).build()
}

async fn publish(admin: &Client, name: &str, seed: u64) -> (String, String) {
    let file = built(seed, 200_000);
    let at = Publication::new("acme", name, &file.bytes);
    admin.publish(&at).await;
    (at.vagrant_path(), file.sha256)
}

fn folder(server: &TestServer) -> String {
    server.scratch().join("backup").display().to_string()
}

/// What a command prints, with its exit code.
fn said(output: &Output) -> (i32, String) {
    let text = [&*output.stdout, &*output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

async fn back_up(server: &TestServer, more: &[&str]) -> Value {
    let folder = folder(server);
    let output = server.command(&[&["backup", &folder, "--json"], more].concat(), "").await;
    assert!(output.status.success(), "{:?}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A file that somebody would miss.
fn a_box_of(folder: &Path) -> PathBuf {
    let is_box = |path: &PathBuf| fs::metadata(path).unwrap().len() > 100_000;
    files_below(folder).into_iter().find(is_box).expect("there is a box")
}

/// Loses the data folder, with the server; tells where it is to be found.
async fn lose(server: &mut TestServer) -> PathBuf {
    server.kill9().await;
    let lost = server.scratch().join("lost");
    fs::rename(server.data_dir(), &lost).unwrap();
    lost
}

async fn assert_whole(server: &TestServer, boxes: &[(String, String)]) {
    let client = server.anonymous();
    for (path, expected) in boxes {
        let found = client.get(path).await;
        assert_eq!(found.status, 200, "{path}: {}", found.text());
        assert_eq!(sha256(&found.bytes), *expected, "{path} is another file");
    }
    let check = server.command(&["fsck", "--rehash"], "").await;
    let (code, text) = said(&check);
    assert!(code == 0 && text.contains("clean"), "{text}");
}

#[tokio::test]
async fn a_backup_beside_a_running_server_comes_back_whole() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let mut boxes = vec![publish(&admin, "one", 1).await, publish(&admin, "two", 2).await];
    let token = server.api_token(ADMIN_NAME).await;
    let first = back_up(&server, &[]).await;
    assert_eq!((&first["files"], &first["leftOut"]), (&2.into(), &Value::Array(vec![])));

    // the next one copies what is new
    boxes.push(publish(&admin, "three", 3).await);
    let second = back_up(&server, &[]).await;
    assert_eq!(second["files"], 3);
    let new_bytes = second["copiedBytes"].as_u64().unwrap();
    assert!(new_bytes < first["copiedBytes"].as_u64().unwrap(), "all is copied again: {second}");
    // what was published after it is not in it
    let (later, _) = publish(&admin, "later", 4).await;

    lose(&mut server).await;
    let restored = server.command(&["restore", &folder(&server)], "").await;
    let (code, text) = said(&restored);
    assert!(code == 0 && text.contains("restored 3 files"), "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
    assert_eq!(server.anonymous().get(&later).await.status, 404);
    // people and their tokens are back as well
    server.anonymous().sign_in(ADMIN_NAME, boxvault_tests::server::PASSWORD).await;
    let profile = server.anonymous().with_token(&token).get("/api/user").await;
    assert_eq!(profile.status, 200, "{}", profile.text());

    // an existing catalog is never replaced
    server.stop().await;
    let again = server.command(&["restore", &folder(&server)], "").await;
    let (code, text) = said(&again);
    assert!(code == 1 && text.contains("there is a catalog already"), "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
}

#[tokio::test]
async fn what_is_written_during_a_backup_is_in_it_whole_or_not_at_all() {
    let mut server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    let admin = server.admin().await;
    let mut boxes = Vec::new();
    for seed in 0..6 {
        boxes.push(publish(&admin, &format!("before-{seed}"), seed).await);
    }
    let writing = async {
        for seed in 100..112 {
            publish(&admin, &format!("during-{seed}"), seed).await;
        }
    };
    let folder = folder(&server);
    let slowly = ["backup", &folder, "--bytes-per-second", "1 MiB"];
    let (output, ()) = tokio::join!(server.command(&slowly, ""), writing);
    let (code, text) = said(&output);
    assert_eq!(code, 0, "{text}");
    lose(&mut server).await;
    let (code, text) = said(&server.command(&["restore", &folder], "").await);
    assert_eq!(code, 0, "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
}

#[tokio::test]
async fn a_restore_that_was_killed_goes_on_and_shows_nothing_before() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let boxes = [publish(&admin, "one", 1).await, publish(&admin, "two", 2).await];
    back_up(&server, &[]).await;
    lose(&mut server).await;
    let folder = folder(&server);
    let slowly = ["restore", &folder, "--bytes-per-second", "100 KiB"];
    let begun = async {
        let store = server.data_dir().join("store");
        wait_for("a file", SOON, async || {
            (store.is_dir() && !files_below(&store).is_empty()).then_some(())
        })
        .await;
    };
    server.command_killed_when(&slowly, begun).await;
    assert!(!server.data_dir().join("catalog.sqlite3").exists(), "it shows half of a catalog");
    let (code, text) = said(&server.command(&["restore", &folder], "").await);
    assert_eq!(code, 0, "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
}

#[tokio::test]
async fn a_damaged_file_is_told_and_left_out_and_a_damaged_backup_is_refused() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let boxes = [publish(&admin, "one", 1).await, publish(&admin, "two", 2).await];
    let store = server.data_dir().join("store");
    let victim = a_box_of(&store);
    let good = tokio::fs::read(&victim).await.unwrap();
    let mut bad = good.clone();
    bad[1000] ^= 1;
    tokio::fs::write(&victim, &bad).await.unwrap();
    let folder = folder(&server);
    let (code, text) = said(&server.command(&["backup", &folder], "").await);
    assert!(code == 1 && text.contains("not in the backup: blobs/"), "{text}");
    assert!(text.contains("its sha256 is"), "{text}");

    // mended, all is in it, and nothing is left of what nobody has any more
    tokio::fs::write(&victim, &good).await.unwrap();
    back_up(&server, &[]).await;
    assert_eq!(admin.delete("/api/organization/acme/box/two").await.status, 200);
    let (code, text) = said(&server.command(&["sweep", "--older-than", "0 s"], "").await);
    assert_eq!(code, 0, "{text}");
    let kept = PathBuf::from(&folder).join("files");
    let before = files_below(&kept).len();
    back_up(&server, &[]).await;
    assert_eq!(files_below(&kept).len(), before, "nobody asked to remove anything");

    lose(&mut server).await;
    let nothing = server.scratch().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let nothing = nothing.display().to_string();
    let (code, text) = said(&server.command(&["restore", &nothing], "").await);
    assert!(code == 1 && text.contains("no complete backup"), "{text}");
    // a catalog that is not what was written
    let catalog = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let catalog = catalog.filter(|path| path.extension().is_some_and(|end| end == "sqlite3"));
    let [catalog] = <[PathBuf; 1]>::try_from(catalog.collect::<Vec<_>>()).unwrap();
    let whole = tokio::fs::read(&catalog).await.unwrap();
    tokio::fs::write(&catalog, [&*whole, b"more"].concat()).await.unwrap();
    let (code, text) = said(&server.command(&["restore", &folder], "").await);
    assert!(code == 1 && text.contains("is damaged"), "{text}");
    tokio::fs::write(&catalog, whole).await.unwrap();
    // a file that is not
    let first = a_box_of(&kept);
    tokio::fs::write(&first, b"another").await.unwrap();
    let (code, text) = said(&server.command(&["restore", &folder], "").await);
    assert!(code == 1 && text.contains("not restored: blobs/"), "{text}");
    server.restart().await;
    let client = server.anonymous();
    let mut whole = 0;
    for (path, expected) in &boxes {
        let found = client.get(path).await;
        whole += u32::from(found.status == 200 && sha256(&found.bytes) == *expected);
    }
    assert!(whole <= 1, "a damaged file came back as a good one");
}

#[tokio::test]
async fn what_has_gone_bad_in_a_backup_is_found_when_asked_and_made_whole() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let boxes = [publish(&admin, "one", 1).await, publish(&admin, "two", 2).await];
    back_up(&server, &[]).await;
    let kept = PathBuf::from(folder(&server)).join("files");
    let victim = a_box_of(&kept);
    let good = tokio::fs::read(&victim).await.unwrap();
    let mut bad = good.clone();
    bad[1000] ^= 1;
    tokio::fs::write(&victim, &bad).await.unwrap();
    let plain = back_up(&server, &[]).await;
    assert_eq!((&plain["copiedBytes"], &plain["replacedFiles"]), (&json!(0), &json!(0)));
    assert!(tokio::fs::read(&victim).await.unwrap() == bad, "nobody asked to read it");
    let verified = back_up(&server, &["--verify"]).await;
    assert_eq!(verified["replacedFiles"], 1, "{verified}");
    assert_eq!(verified["copiedBytes"], good.len(), "only that one is copied");
    assert!(tokio::fs::read(&victim).await.unwrap() == good);
    // one that was cut
    tokio::fs::write(&victim, &good[..1000]).await.unwrap();
    assert_eq!(back_up(&server, &["--verify"]).await["replacedFiles"], 1);
    assert_eq!(back_up(&server, &["--verify"]).await["replacedFiles"], 0);

    // where the source has gone bad as well, what is there stays, and is told
    tokio::fs::write(&victim, &bad).await.unwrap();
    let mut source = PathBuf::new();
    for path in files_below(&server.data_dir().join("store")) {
        if tokio::fs::read(&path).await.unwrap() == good {
            source = path;
        }
    }
    tokio::fs::write(&source, &bad).await.unwrap();
    let (code, text) = said(&server.command(&["backup", &folder(&server), "--verify"], "").await);
    assert!(code == 1 && text.contains("not in the backup: blobs/"), "{text}");
    assert!(tokio::fs::read(&victim).await.unwrap() == bad);

    tokio::fs::write(&source, &good).await.unwrap();
    back_up(&server, &["--verify"]).await;
    lose(&mut server).await;
    let (code, text) = said(&server.command(&["restore", &folder(&server)], "").await);
    assert_eq!(code, 0, "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
}

#[tokio::test]
async fn a_database_of_another_kind_is_backed_up_by_its_own_tool() {
    let test = "backup::a_database_of_another_kind_is_backed_up_by_its_own_tool";
    let Some(database) = RealDatabase::make(Kind::PostgreSql) else {
        skip(test, "PostgreSQL is not installed");
        return;
    };
    let mut server = TestServer::builder().set("database.url", &database.url()).start().await;
    let admin = server.admin().await;
    let boxes = [publish(&admin, "one", 1).await];
    let folder = folder(&server);
    let (code, text) = said(&server.command(&["backup", &folder], "").await);
    assert!(code == 1 && text.contains("pg_dump") && text.contains("--files-only"), "{text}");
    back_up(&server, &["--files-only", "--prune"]).await;
    // the database is still there, and every file is lost
    lose(&mut server).await;
    let (code, text) = said(&server.command(&["restore", &folder], "").await);
    assert_eq!(code, 0, "{text}");
    server.restart().await;
    assert_whole(&server, &boxes).await;
}
