//! Several stores at once: which one takes a file, who says so, and what happens while one of them is away.

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    faults::{files_below, refused_start},
    server::TestServerBuilder,
};
use serde_json::{Value, json};
use tokio::fs;

const PLACEMENT: &str = "/api/organization/acme/placement";

fn built(seed: u64, disk_bytes: usize) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(disk_bytes).build()
}

/// `main` and `cold` are folders, `spare` is memory.
fn three_stores() -> TestServerBuilder {
    TestServer::builder()
        .set("boxes.restorable_for", "0 s")
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "data/store")
        .set("stores.cold.plugin", "fs")
        .set("stores.cold.root", "data/cold")
        .set("stores.spare.plugin", "memory")
}

/// How many files each store holds, as the server tells it.
async fn files_by_store(admin: &Client) -> Vec<(String, u64)> {
    let stores = admin.get("/api/storage").await.data();
    let of = |store: &Value| {
        (store["name"].as_str().unwrap().to_owned(), store["files"].as_u64().unwrap())
    };
    stores.as_array().unwrap().iter().map(of).collect()
}

fn counts(cold: u64, main: u64, spare: u64) -> Vec<(String, u64)> {
    [("cold", cold), ("main", main), ("spare", spare)]
        .map(|(name, count)| (name.to_owned(), count))
        .into()
}

async fn publish(admin: &Client, organization: &str, name: &str, file: &BoxFile) -> String {
    let at = Publication::new(organization, name, &file.bytes);
    admin.publish(&at).await;
    let found = admin.get(&at.vagrant_path()).await;
    assert!(found.status == 200 && found.bytes == file.bytes, "{organization}/{name} is another");
    at.vagrant_path()
}

fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
}

#[tokio::test]
async fn rules_send_files_by_organization_and_size_and_an_admins_choice_overrules_them() {
    let server = three_stores()
        .set("storage.rules.large.larger_than", "500 KiB")
        .set("storage.rules.large.store", "cold")
        .set("storage.rules.fleeting.organizations", "globex")
        .set("storage.rules.fleeting.store", "spare")
        .start()
        .await;
    let admin = server.admin().await;
    let (small, large) = (built(1, 10_000), built(2, 600_000));
    publish(&admin, "acme", "small", &small).await;
    assert_eq!(files_by_store(&admin).await, counts(0, 1, 0));
    publish(&admin, "acme", "large", &large).await;
    publish(&admin, "globex", "large", &large).await;
    assert_eq!(files_by_store(&admin).await, counts(1, 1, 1));

    let placement = admin.get(PLACEMENT).await.data();
    assert_eq!(placement["store"], Value::Null);
    assert_eq!(
        placement["takes"],
        json!([{ "largerThan": null, "store": "main" }, { "largerThan": 500 << 10, "store": "cold" }])
    );
    let set = admin.put(PLACEMENT, &json!({ "store": "spare" })).await;
    assert_eq!(set.status, 200, "{}", set.text());
    assert_eq!(set.data()["takes"], json!([{ "largerThan": null, "store": "spare" }]));
    publish(&admin, "acme", "large-too", &built(3, 600_000)).await;
    assert_eq!(files_by_store(&admin).await, counts(1, 1, 2));
    assert_refused(
        &admin.put(PLACEMENT, &json!({ "store": "elsewhere" })).await,
        400,
        "INVALID_INPUT",
    );
    assert_eq!(admin.put(PLACEMENT, &json!({ "store": null })).await.status, 200);
    publish(&admin, "acme", "large-again", &built(4, 600_000)).await;
    assert_eq!(files_by_store(&admin).await, counts(2, 1, 2));

    // usage and quotas count all of an organization, wherever it lies
    let usage = admin.get("/api/organization/acme/usage").await.data();
    assert_eq!((&usage["files"], usage["stores"].as_array().unwrap().len()), (&json!(4), 3));
    let quota = json!({ "bytes": usage["bytes"] });
    assert_eq!(admin.put("/api/organization/acme/quota", &quota).await.status, 200);
    let one_more = Publication::new("acme", "one-more", &small.bytes);
    admin.prepare(&one_more).await;
    let upload = format!("{}/upload", one_more.file_path());
    assert_refused(&admin.upload(&upload, small.bytes.clone(), &[]).await, 507, "QUOTA_EXCEEDED");
    let verified = server.command(&["storage", "verify", "--json"], "").await;
    // what lies in the memory of the server is not there for a command
    assert_eq!(verified.status.code(), Some(1), "{verified:?}");
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["files"], 5);
    let damaged = verified["damaged"].as_array().unwrap();
    assert!(damaged.len() == 2 && damaged.iter().all(|one| one["store"] == "spare"), "{verified}");
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("boxvault_store_up{store=\"cold\"} 1"), "{metrics}");
}

#[tokio::test]
async fn an_upload_that_is_continued_keeps_its_parts_where_its_file_will_lie() {
    let server = three_stores()
        .set("storage.rules.large.larger_than", "500 KiB")
        .set("storage.rules.large.store", "cold")
        .start()
        .await;
    let admin = server.admin().await;
    let file = built(1, 900_000);
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    let length = file.bytes.len().to_string();
    let uploads = format!("{}/uploads", at.file_path());
    let begun = admin.request(reqwest::Method::POST, &uploads).header("tus-resumable", "1.0.0");
    let begun = boxvault_tests::client::send(begun.header("upload-length", &length)).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let location = begun.header("location").unwrap().to_owned();
    let path = &location[location.find("/api/").unwrap()..];
    let cold = server.data_dir().join("cold/blobs");
    for (from, to) in [(0, 300_000), (300_000, file.bytes.len())] {
        let chunk = admin
            .request(reqwest::Method::PATCH, path)
            .header("tus-resumable", "1.0.0")
            .header("content-type", "application/offset+octet-stream")
            .header("upload-offset", from.to_string())
            .body(file.bytes[from..to].to_vec());
        let reply = boxvault_tests::client::send(chunk).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        assert_eq!(files_below(&cold).len(), 1, "a part, or the file");
    }
    assert_eq!(
        files_below(&server.data_dir().join("store/blobs")),
        Vec::<std::path::PathBuf>::new()
    );
    assert_eq!(files_by_store(&admin).await, counts(1, 0, 0));
}

#[tokio::test]
async fn a_server_does_not_start_without_a_store_that_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").await.unwrap();
    let refused = refused_start(
        folder.path(),
        &[
            ("stores.main.plugin", "fs"),
            ("stores.main.root", "store"),
            ("stores.cold.plugin", "fs"),
            ("stores.cold.root", "file/cold"),
        ],
    )
    .await;
    assert!(refused.output.contains("stores.cold"), "{}", refused.output);
    let refused = refused_start(
        folder.path(),
        &[
            ("stores.main.plugin", "fs"),
            ("stores.main.root", "store"),
            ("storage.rules.large.store", "nowhere"),
        ],
    )
    .await;
    assert_eq!(refused.code, Some(2), "{}", refused.output);
    assert!(refused.output.contains("there is no [stores.nowhere]"), "{}", refused.output);
}

#[tokio::test]
async fn only_platform_admins_choose_stores_and_only_members_see_the_choice() {
    let server = three_stores().start().await;
    server.admin().await;
    let (owner, stranger) = (server.user("owner").await, server.user("stranger").await);
    let body = json!({ "name": "acme", "accessMode": "invite_only" });
    assert_eq!(owner.post("/api/organization", &body).await.status, 201);
    assert_eq!(owner.get(PLACEMENT).await.status, 200);
    assert_refused(
        &owner.put(PLACEMENT, &json!({ "store": "cold" })).await,
        403,
        "PERMISSION_DENIED",
    );
    assert_refused(&stranger.get(PLACEMENT).await, 403, "PERMISSION_DENIED");
    let wish = json!({ "from": "main", "to": "cold" });
    for path in ["/api/storage/moves", "/api/storage/plan"] {
        assert_refused(&owner.post(path, &wish).await, 403, "PERMISSION_DENIED");
    }
}

#[tokio::test]
async fn usage_is_told_by_the_command_too() {
    let server = three_stores()
        .set("storage.rules.acme.organizations", "acme")
        .set("storage.rules.acme.store", "cold")
        .start()
        .await;
    let admin = server.admin().await;
    let file = built(1, 10_000);
    publish(&admin, "acme", "web", &file).await;
    let told = server.command(&["storage", "usage"], "").await;
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.contains("cold: 1 files") && text.contains("[fs, default]"), "{text}");
    let told = server.command(&["storage", "usage", "--org", "acme", "--json"], "").await;
    let usage: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(usage["stores"][0]["store"], "cold");
    assert_eq!(usage["bytes"], file.bytes.len());
    let told = server.command(&["storage", "usage", "--org", "nobody"], "").await;
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let swept = server.command(&["storage", "sweep", "--json"], "").await;
    let swept: Value = serde_json::from_slice(&swept.stdout).unwrap();
    assert_eq!(swept, json!({ "uploads": 0, "boxes": 0, "files": 0, "objects": 0 }));
}
