//! Moves of files from store to store, with clients that download, upload and delete meanwhile.

use std::{
    path::PathBuf,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_conformance::servers::S3Server;
use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::{BoxBuilder, BoxFile, sha256},
    faults::{SmallDisk, files_below},
    server::TestServerBuilder,
    skip, wait_for,
};
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::{fs, task::JoinSet};

/// For what takes a lease of a server that was killed, and a few seconds of work.
const SOON: Duration = Duration::from_secs(100);
const MOVES: &str = "/api/storage/moves";

fn built(seed: u64, disk_bytes: usize) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(disk_bytes).build()
}

/// New files go to `main`; `cold` is another folder.
fn two_folders() -> TestServerBuilder {
    TestServer::builder()
        .set("boxes.restorable_for", "0 s")
        .set("limits.requests_per_minute", "0")
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "data/store")
        .set("stores.cold.plugin", "fs")
        .set("stores.cold.root", "data/cold")
}

/// A box that was published, and what it has to be.
#[derive(Debug, Clone)]
struct Published {
    organization: &'static str,
    name: String,
    path: String,
    sha256: String,
}

async fn publish(
    admin: &Client,
    organization: &'static str,
    seeds: std::ops::Range<u64>,
    disk_bytes: usize,
) -> Vec<Published> {
    let one = async |seed: u64| {
        let name = format!("box-{seed}");
        let file = built(seed, disk_bytes);
        let at = Publication::new(organization, &name, &file.bytes);
        admin.publish(&at).await;
        let path = at.vagrant_path();
        Published { organization, path, sha256: file.sha256, name: name.clone() }
    };
    // the first one makes the organization
    let mut all = vec![one(seeds.start).await];
    let rest = stream::iter(seeds.skip(1)).map(one).buffered(8);
    all.extend(rest.collect::<Vec<_>>().await);
    all
}

async fn assert_all_are_there(client: &Client, boxes: &[Published]) {
    for one in boxes {
        let found = client.get(&one.path).await;
        assert_eq!(found.status, 200, "{}: {}", one.path, found.text());
        assert_eq!(sha256(&found.bytes), one.sha256, "{} is another file", one.path);
    }
}

/// Clients that download one box after the other until they are stopped; every file has to be whole.
struct Downloads {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

impl Downloads {
    fn start(server: &TestServer, boxes: &[Published], clients: usize) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        for number in 0..clients {
            let (client, boxes) = (server.anonymous(), boxes.to_vec());
            let (stop, done) = (Arc::clone(&stop), Arc::clone(&done));
            tasks.spawn(async move {
                let shifted = boxes.iter().cycle().skip(number * boxes.len() / clients);
                for one in shifted {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let found = client.get(&one.path).await;
                    assert_eq!(found.status, 200, "{}: {}", one.path, found.text());
                    assert_eq!(sha256(&found.bytes), one.sha256, "{} is another file", one.path);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Self { stop, done, clients: tasks }
    }

    /// Tells how many files were fetched.
    async fn stop(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.expect("no download failed");
        }
        self.done.load(Ordering::Relaxed)
    }
}

async fn migrate(server: &TestServer, more: &[&str]) -> (Option<i32>, Value) {
    let arguments = ["storage", "migrate", "--from", "main", "--to", "cold", "--json"];
    let Output { status, stdout, stderr } =
        server.command(&[&arguments[..], more].concat(), "").await;
    let told = serde_json::from_slice(&stdout);
    (status.code(), told.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&stderr))))
}

async fn sweep(server: &TestServer) {
    let swept = server.command(&["storage", "sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
}

/// Everything is as the catalog says, and nothing is left over.
async fn assert_clean(server: &TestServer) {
    let verified = server.command(&["storage", "verify", "--json"], "").await;
    let told: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!((&told["damaged"], &told["leftovers"]), (&json!([]), &json!([])), "{told}");
    assert!(verified.status.success());
}

fn files_in(server: &TestServer, store: &str) -> Vec<PathBuf> {
    files_below(&server.data_dir().join(store).join("blobs"))
}

async fn files_of_store(admin: &Client, name: &str) -> u64 {
    let stores = admin.get("/api/storage").await.data();
    let store = stores.as_array().unwrap().iter().find(|store| store["name"] == name).unwrap();
    store["files"].as_u64().unwrap() - store["unreferencedFiles"].as_u64().unwrap()
}

async fn start_move(admin: &Client, wish: Value) -> String {
    let begun = admin.post(MOVES, &wish).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    format!("{MOVES}/{}", begun.data()["id"].as_str().unwrap())
}

async fn ended(admin: &Client, path: &str) -> Value {
    wait_for("the move to end", SOON, async || {
        let view = admin.get(path).await.data();
        (!matches!(view["state"].as_str(), Some("waiting" | "running"))).then_some(view)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_boxes_go_to_a_bucket_while_clients_download_them() {
    let s3 = match S3Server::start() {
        Ok(s3) => s3,
        Err(reason) => return skip("store_moves::two_hundred_boxes", &reason),
    };
    let server = two_folders()
        .set("stores.cold.plugin", "s3")
        .set("stores.cold.endpoint", &s3.endpoint)
        .set("stores.cold.bucket", &s3.bucket)
        .set("stores.cold.access_key_id", &s3.access_key_id)
        .set("stores.cold.secret_access_key", &s3.secret_access_key)
        .set("stores.cold.root", "")
        .start()
        .await;
    let admin = server.admin().await;
    let mut boxes = publish(&admin, "acme", 0..199, 60_000).await;
    // and one that goes in parts
    boxes.extend(publish(&admin, "acme", 199..200, 12 << 20).await);
    let (code, plan) = migrate(&server, &["--dry-run"]).await;
    assert_eq!((code, &plan["files"]), (Some(0), &json!(200)));
    assert_eq!(files_of_store(&admin, "cold").await, 0, "a dry run moves nothing");

    let downloads = Downloads::start(&server, &boxes, 3);
    let (code, told) = migrate(&server, &["--concurrency", "4"]).await;
    let fetched = downloads.stop().await;
    assert_eq!(code, Some(0), "{told}");
    assert_eq!((&told["moved"], &told["notMoved"]), (&told["total"], &json!([])), "{told}");
    assert_eq!(told["moved"]["files"], 200);
    assert!(fetched > 0, "nobody downloaded meanwhile");
    assert_eq!(files_of_store(&admin, "cold").await, 200);
    assert_eq!(files_in(&server, "store").len(), 200, "the old copies have their grace time");
    assert!(!server.log().contains(&s3.secret_access_key));

    let downloads = Downloads::start(&server, &boxes[..20], 2);
    sweep(&server).await;
    assert_eq!(files_in(&server, "store"), Vec::<PathBuf>::new());
    assert!(downloads.stop().await > 0);
    assert_all_are_there(&server.anonymous(), &boxes).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_middle_goes_on_when_it_is_back() {
    let mut server = two_folders().start().await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..24, 200_000).await;
    let wish = json!({
        "from": "main", "to": "cold", "bytesPerSecond": 400_000, "concurrency": 3,
    });
    let path = start_move(&admin, wish).await;
    wait_for("some files to be moved", SOON, async || {
        (files_of_store(&admin, "cold").await >= 3).then_some(())
    })
    .await;
    server.kill9().await;
    server.restart().await;
    let moved = files_of_store(&admin, "cold").await;
    assert!(moved < 24, "it was killed in the middle");
    assert_all_are_there(&server.anonymous(), &boxes).await;
    let view = ended(&admin, &path).await;
    assert_eq!((&view["state"], &view["problem"]), (&json!("done"), &Value::Null), "{view}");
    assert_eq!(files_of_store(&admin, "cold").await, 24);
    assert_all_are_there(&server.anonymous(), &boxes).await;
    sweep(&server).await;
    assert_eq!((files_in(&server, "store").len(), files_in(&server, "cold").len()), (0, 24));
    assert_clean(&server).await;
    assert_eq!(admin.get(MOVES).await.data().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_command_that_is_killed_is_given_again_and_goes_on() {
    let server = two_folders().start().await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..16, 200_000).await;
    let slow =
        ["storage", "migrate", "--from", "main", "--to", "cold", "--bytes-per-second", "200 kB"];
    server.killed_command(&slow, Duration::from_secs(4)).await;
    assert_all_are_there(&server.anonymous(), &boxes).await;
    let (code, told) = migrate(&server, &[]).await;
    assert_eq!((code, &told["notMoved"]), (Some(0), &json!([])), "{told}");
    assert_eq!(files_of_store(&admin, "cold").await, 16);
    let (code, told) = migrate(&server, &[]).await;
    assert_eq!((code, &told["total"]["files"]), (Some(0), &json!(0)), "nothing is left");
    sweep(&server).await;
    assert_eq!((files_in(&server, "store").len(), files_in(&server, "cold").len()), (0, 16));
    assert_all_are_there(&server.anonymous(), &boxes).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn what_is_damaged_is_told_and_stays_where_it_is() {
    let server = two_folders().start().await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..6, 50_000).await;
    let mut files = files_in(&server, "store");
    files.sort();
    let mut bytes = fs::read(&files[0]).await.unwrap();
    bytes[40_000] ^= 1;
    fs::write(&files[0], &bytes).await.unwrap();
    fs::write(&files[1], &bytes[..100]).await.unwrap();
    fs::remove_file(&files[2]).await.unwrap();
    let (code, told) = migrate(&server, &[]).await;
    assert_eq!(code, Some(1), "{told}");
    assert_eq!((&told["damagedFiles"], &told["failedFiles"]), (&json!(3), &json!(0)), "{told}");
    assert_eq!(told["moved"]["files"], 3);
    let not_moved = told["notMoved"].as_array().unwrap();
    assert!(not_moved.len() == 3 && not_moved.iter().all(|one| one["store"] == "main"), "{told}");
    let problems = told["notMoved"].to_string();
    for words in ["its sha256 is", "it has 100 bytes, not", "it is missing"] {
        assert!(problems.contains(words), "{problems}");
    }
    assert_eq!(files_in(&server, "cold").len(), 3, "nothing damaged was copied");
    let damaged = admin.get("/api/storage/damaged").await;
    assert_eq!(damaged.json()["page"]["total"], 3, "{}", damaged.text());
    let whole = async |one: &Published| admin.get(&one.path).await;
    let mut good = 0;
    for one in &boxes {
        let found = whole(one).await;
        good += u32::from(found.status == 200 && sha256(&found.bytes) == one.sha256);
    }
    assert_eq!(good, 3);
    // mended, it goes: the file that was changed is what it was again
    bytes[40_000] ^= 1;
    fs::write(&files[0], &bytes).await.unwrap();
    let (code, told) = migrate(&server, &[]).await;
    let counts = (&told["moved"]["files"], &told["damagedFiles"]);
    assert_eq!((code, counts), (Some(1), (&json!(1), &json!(2))), "{told}");
}

#[tokio::test]
async fn a_full_store_ends_the_move_and_what_is_moved_stays_moved() {
    let Some(disk) = SmallDisk::new(3 << 20) else {
        return skip("store_moves::a_full_store", "no file system may be mounted");
    };
    let root = disk.path().join("cold").display().to_string();
    let server = two_folders().set("stores.cold.root", &root).start().await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..10, 500_000).await;
    let (code, told) = migrate(&server, &["--concurrency", "1"]).await;
    assert_eq!(code, Some(1), "{told}");
    let problem = told["problem"].as_str().unwrap();
    assert!(problem.contains("\"cold\" is full"), "{problem}");
    let moved = told["moved"]["files"].as_u64().unwrap();
    assert!((1..10).contains(&moved), "{told}");
    assert_eq!(files_of_store(&admin, "cold").await, moved);
    assert_all_are_there(&server.anonymous(), &boxes).await;
    sweep(&server).await;
    assert_all_are_there(&server.anonymous(), &boxes).await;
    assert_clean(&server).await;
}

#[tokio::test]
async fn a_store_that_fails_now_and_then_is_asked_again_and_one_that_always_does_ends_the_move() {
    let server = two_folders()
        .set("storage.sweep_interval", "0 s")
        .set("stores.shaky.plugin", "faulty")
        .set("stores.shaky.writer_fails_every", "3")
        .set("stores.broken.plugin", "faulty")
        .set("stores.broken.writer_fails_every", "1")
        .start()
        .await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..12, 20_000).await;
    let broken = start_move(&admin, json!({ "from": "main", "to": "broken" })).await;
    let view = ended(&admin, &broken).await;
    assert_eq!(view["state"], "failed", "{view}");
    assert!(view["problem"].as_str().unwrap().contains("seems to be away"), "{view}");
    assert_eq!(view["moved"]["files"], 0);
    assert_all_are_there(&server.anonymous(), &boxes).await;
    let shaky = start_move(&admin, json!({ "from": "main", "to": "shaky" })).await;
    let view = ended(&admin, &shaky).await;
    assert_eq!((&view["state"], &view["moved"]["files"]), (&json!("done"), &json!(12)), "{view}");
    assert_all_are_there(&server.anonymous(), &boxes).await;
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("boxvault_moved_files_total{outcome=\"moved\"} 12"), "{metrics}");
}

#[tokio::test]
async fn boxes_come_and_go_while_others_are_moved() {
    let server = two_folders().start().await;
    let admin = server.admin().await;
    let old = publish(&admin, "acme", 0..30, 100_000).await;
    let path = start_move(
        &admin,
        json!({ "from": "main", "to": "cold", "bytesPerSecond": 600_000, "concurrency": 2 }),
    )
    .await;
    let (deleted, kept) = old.split_at(10);
    let downloads = Downloads::start(&server, kept, 2);
    let new = publish(&admin, "acme", 100..110, 100_000).await;
    for one in deleted.iter().rev() {
        let path = format!("/api/organization/{}/box/{}", one.organization, one.name);
        assert_eq!(admin.delete(&path).await.status, 200);
    }
    let view = ended(&admin, &path).await;
    assert_eq!(view["state"], "done", "{view}");
    downloads.stop().await;
    assert_all_are_there(&server.anonymous(), kept).await;
    assert_all_are_there(&server.anonymous(), &new).await;
    sweep(&server).await;
    sweep(&server).await;
    assert_all_are_there(&server.anonymous(), kept).await;
    assert_all_are_there(&server.anonymous(), &new).await;
    assert_clean(&server).await;
    for one in deleted {
        assert_eq!(server.anonymous().get(&one.path).await.status, 404);
    }
    assert_eq!(files_in(&server, "store").len() + files_in(&server, "cold").len(), 30);
}

#[tokio::test]
async fn one_box_or_one_organization_or_only_large_files_are_moved() {
    let server = two_folders().start().await;
    let admin = server.admin().await;
    publish(&admin, "acme", 0..3, 50_000).await;
    publish(&admin, "acme", 3..4, 400_000).await;
    publish(&admin, "globex", 10..12, 50_000).await;
    for (more, moved) in [
        (&["--org", "acme", "--box", "box-1"][..], 1),
        (&["--larger-than", "300 KiB"][..], 1),
        (&["--org", "acme"][..], 2),
        (&["--org", "acme"][..], 0),
        (&[][..], 2),
    ] {
        let (code, told) = migrate(&server, more).await;
        assert_eq!((code, &told["moved"]["files"]), (Some(0), &json!(moved)), "{more:?}: {told}");
    }
    for (more, words) in [
        (&["--to", "nowhere"][..], "configured are: cold, main"),
        (&["--to", "main"][..], "lie in already"),
        (&["--to", "cold", "--org", "nobody"][..], "no organization nobody"),
        (&["--to", "cold", "--concurrency", "1000"][..], "from 1 to 64"),
    ] {
        let arguments = [&["storage", "migrate", "--from", "main"][..], more].concat();
        let refused = server.command(&arguments, "").await;
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains(words), "{more:?}: {text}");
    }
}

#[tokio::test]
async fn a_move_is_planned_watched_and_ended_by_a_platform_admin() {
    let server = two_folders().start().await;
    let admin = server.admin().await;
    let boxes = publish(&admin, "acme", 0..8, 100_000).await;
    let wish = json!({
        "from": "main", "to": "cold", "organization": "acme", "bytesPerSecond": 100_000, "concurrency": 1,
    });
    let plan = admin.post("/api/storage/plan", &wish).await.data();
    assert_eq!(plan["files"], 8);
    let path = start_move(&admin, wish).await;
    let running = wait_for("the first file", SOON, async || {
        let view = admin.get(&path).await.data();
        view["moved"]["files"].as_u64().filter(|files| *files > 0).map(|_| view)
    })
    .await;
    assert_eq!((&running["state"], &running["organization"]), (&json!("running"), &json!("acme")));
    assert_eq!(running["total"]["files"], 8);
    assert!(
        running["secondsLeft"].is_u64() && running["speedBytesPerSecond"].is_u64(),
        "{running}"
    );
    let view = admin.delete(&path).await;
    assert_eq!((view.status, &view.data()["state"]), (200, &json!("canceled")));
    let log = "a move of files was ended";
    wait_for("the server to stop", SOON, async || server.log().contains(log).then_some(())).await;
    let moved = files_of_store(&admin, "cold").await;
    assert!((1..8).contains(&moved), "{moved}");
    assert_all_are_there(&server.anonymous(), &boxes).await;
    assert_eq!(files_in(&server, "cold").len() as u64, moved, "what was in the middle is gone");
    for (wish, field) in [
        (json!({ "from": "main", "to": "nowhere" }), "to"),
        (json!({ "from": "main", "to": "main" }), "to"),
        (json!({ "from": "main", "to": "cold", "box": "web" }), "organization"),
        (json!({ "from": "main", "to": "cold", "concurrency": 0 }), "concurrency"),
        (json!({ "from": "main", "to": "cold", "bytesPerSecond": 0 }), "bytesPerSecond"),
    ] {
        let refused = admin.post(MOVES, &wish).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "INVALID_INPUT"), "{wish}");
        assert!(refused.json()["error"]["fields"][field].is_string(), "{}", refused.text());
    }
    let missing = admin.get(&format!("{MOVES}/01a209f3-f74e-71ed-aee1-23a3bce95a3e")).await;
    assert_eq!((missing.status, missing.code().as_str()), (404, "MOVE_NOT_FOUND"));
    let audit = admin.get("/api/audit/export?allowed=true").await.text();
    assert!(audit.contains("start_move") && audit.contains("end_move"), "{audit}");
}
