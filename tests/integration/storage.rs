//! What files take, what they may take, and which store holds what.

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    client::send,
    faults::stored_files,
};
use bytes::Bytes;
use futures_util::{future::join_all, stream};
use reqwest::{Body, Method};
use serde_json::{Value, json};

const QUOTA: &str = "/api/organization/acme/quota";
const USAGE: &str = "/api/organization/acme/usage";

fn built(seed: u64) -> BoxFile {
    BoxBuilder::new("virtualbox").seed(seed).disk_bytes(200_000).build()
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text());
}

async fn prepared<'a>(admin: &Client, name: &'a str, file: &'a BoxFile) -> Publication<'a> {
    let at = Publication::new("acme", name, &file.bytes);
    admin.prepare(&at).await;
    at
}

async fn put(admin: &Client, at: &Publication<'_>) -> Reply {
    admin.upload(&format!("{}/upload", at.file_path()), at.file.to_vec(), &[]).await
}

/// The same without telling the length first.
async fn put_without_length(admin: &Client, at: &Publication<'_>) -> Reply {
    let chunks: Vec<Result<Bytes, std::io::Error>> =
        at.file.chunks(10_000).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    let body = Body::wrap_stream(stream::iter(chunks));
    send(admin.request(Method::PUT, &format!("{}/upload", at.file_path())).body(body)).await
}

async fn set_quota(admin: &Client, quota: Value) -> Value {
    let reply = admin.put(QUOTA, &quota).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.data()
}

#[tokio::test]
async fn usage_is_told_by_organization_by_box_and_by_store() {
    let server = TestServer::builder().set("boxes.restorable_for", "0 s").start().await;
    let admin = server.admin().await;
    let (one, two) = (built(1), built(2));
    for (name, file) in [("web", &one), ("web-copy", &one), ("db", &two)] {
        let at = prepared(&admin, name, file).await;
        assert_eq!(put(&admin, &at).await.status, 200);
    }
    let (first, second) = (one.bytes.len(), two.bytes.len());
    let usage = admin.get(USAGE).await.data();
    assert_eq!(usage["files"], 3);
    assert_eq!(usage["bytes"], 2 * first + second);
    assert_eq!((&usage["storedFiles"], &usage["storedBytes"]), (&json!(2), &json!(first + second)));
    assert_eq!(usage["stores"][0]["store"], "main");
    assert_eq!(usage["quota"]["bytes"], Value::Null);
    let list = admin.get(&format!("{USAGE}/boxes?sort=name&order=desc&q=web")).await;
    let names: Vec<_> =
        list.data().as_array().unwrap().iter().map(|one| one["box"].clone()).collect();
    assert_eq!(names, ["web-copy", "web"]);
    assert_eq!(list.data()[0]["bytes"], first);
    assert_refused(&admin.get(&format!("{USAGE}/boxes?sort=age")).await, 400, "INVALID_INPUT");
    let stores = admin.get("/api/storage").await.data();
    assert_eq!(stores[0]["name"], "main");
    assert_eq!((&stores[0]["plugin"], &stores[0]["isDefault"]), (&json!("fs"), &json!(true)));
    assert_eq!((&stores[0]["files"], &stores[0]["bytes"]), (&json!(2), &json!(first + second)));
    // what a box held is free again once the box cannot be restored any more
    assert_eq!(admin.delete("/api/organization/acme/box/db").await.status, 200);
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert_eq!(admin.get(USAGE).await.data()["bytes"], 2 * first);
}

#[tokio::test]
async fn a_file_over_the_quota_is_refused_declared_or_not_and_leaves_nothing() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let (one, two) = (built(1), built(2));
    let first = prepared(&admin, "web", &one).await;
    let second = prepared(&admin, "db", &two).await;
    let allowed = one.bytes.len() + two.bytes.len() - 1;
    let mut quota = set_quota(&admin, json!({ "bytes": allowed })).await;
    assert!(quota.as_object_mut().unwrap().remove("updatedAt").unwrap().is_string());
    assert_eq!(
        quota,
        json!({ "bytes": allowed, "fileBytes": null, "bytesIsDefault": false, "fileBytesIsDefault": true })
    );
    assert_eq!(put(&admin, &first).await.status, 200);
    let declared = put(&admin, &second).await;
    assert_refused(&declared, 507, "QUOTA_EXCEEDED");
    let fields = &declared.json()["error"]["fields"];
    for (field, number) in
        [("usedBytes", one.bytes.len()), ("allowedBytes", allowed), ("askedBytes", two.bytes.len())]
    {
        assert_eq!(fields[field], number.to_string(), "{}", declared.text());
        assert!(declared.json()["message"].as_str().unwrap().contains(&number.to_string()));
    }
    assert_refused(&put_without_length(&admin, &second).await, 507, "QUOTA_EXCEEDED");
    assert_refused(
        &admin.get(&format!("{}/info", second.file_path())).await,
        404,
        "FILE_NOT_FOUND",
    );
    assert_eq!(stored_files(&server).len(), 1, "what was refused is gone");
    // another one in its place is no more than there was
    assert_eq!(put(&admin, &first).await.status, 200);
    set_quota(&admin, json!({ "bytes": 1 })).await;
    assert_eq!(put(&admin, &first).await.status, 200);
    set_quota(&admin, json!({ "fileBytes": two.bytes.len() - 1 })).await;
    assert_refused(&put(&admin, &second).await, 413, "FILE_TOO_LARGE");
    assert_refused(&put_without_length(&admin, &second).await, 413, "FILE_TOO_LARGE");
    set_quota(&admin, json!({})).await;
    assert_eq!(put(&admin, &second).await.status, 200);
}

#[tokio::test]
async fn uploads_that_run_at_once_do_not_pass_the_quota_together() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let files: Vec<_> = (0..6).map(|seed| built(seed + 10)).collect();
    let names: Vec<_> = (0..6).map(|number| format!("box-{number}")).collect();
    let mut slots = Vec::new();
    for (name, file) in names.iter().zip(&files) {
        slots.push(prepared(&admin, name, file).await);
    }
    let largest = files.iter().map(|file| file.bytes.len()).max().unwrap();
    set_quota(&admin, json!({ "bytes": 3 * largest + 1000 })).await;
    let replies = join_all(slots.iter().map(|at| put_without_length(&admin, at))).await;
    let stored = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(stored, 3, "{:?}", replies.iter().map(Reply::text).collect::<Vec<_>>());
    for refused in replies.iter().filter(|reply| reply.status != 200) {
        assert_refused(refused, 507, "QUOTA_EXCEEDED");
    }
    assert_eq!(admin.get(USAGE).await.data()["files"], 3);
    assert_eq!(stored_files(&server).len(), 3, "what was refused is gone");
}

#[tokio::test]
async fn the_default_quota_holds_until_a_platform_admin_sets_another() {
    let file = built(1);
    let server = TestServer::builder()
        .set("limits.organization_bytes_max", "1000 B")
        .set("limits.organization_file_bytes_max", "900 B")
        .start()
        .await;
    let admin = server.admin().await;
    let at = prepared(&admin, "web", &file).await;
    let quota = admin.get(QUOTA).await.data();
    assert_eq!((&quota["bytes"], &quota["bytesIsDefault"]), (&json!(1000), &json!(true)));
    assert_refused(&put(&admin, &at).await, 413, "FILE_TOO_LARGE");
    set_quota(&admin, json!({ "fileBytes": 0 })).await;
    assert_refused(&put(&admin, &at).await, 507, "QUOTA_EXCEEDED");
    set_quota(&admin, json!({ "bytes": 0, "fileBytes": 0 })).await;
    assert_eq!(put(&admin, &at).await.status, 200);
}

#[tokio::test]
async fn a_box_is_handed_over_only_where_its_files_fit() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = built(1);
    let at = prepared(&admin, "web", &file).await;
    assert_eq!(put(&admin, &at).await.status, 200);
    assert_eq!(admin.post("/api/organization", &json!({ "name": "globex" })).await.status, 201);
    let bytes = file.bytes.len();
    let of_globex = async |quota: Value| {
        assert_eq!(admin.put("/api/organization/globex/quota", &quota).await.status, 200);
    };
    let transfer = async || {
        let to = json!({ "organization": "globex" });
        admin.put("/api/organization/acme/box/web/transfer", &to).await
    };
    of_globex(json!({ "bytes": bytes - 1 })).await;
    let refused = transfer().await;
    assert_refused(&refused, 507, "QUOTA_EXCEEDED");
    assert_eq!(refused.json()["error"]["fields"]["askedBytes"], bytes.to_string());
    of_globex(json!({ "fileBytes": bytes - 1 })).await;
    assert_refused(&transfer().await, 413, "FILE_TOO_LARGE");
    assert_eq!(admin.get(USAGE).await.data()["bytes"], bytes, "it is where it was");
    of_globex(json!({ "bytes": bytes })).await;
    assert_eq!(transfer().await.status, 200);
    assert_eq!(admin.get(USAGE).await.data()["bytes"], 0);
    let moved = "/api/organization/globex/box/web";
    // it keeps its room while it is deleted, and so comes back into an organization that is full
    assert_eq!(admin.delete(moved).await.status, 200);
    of_globex(json!({ "bytes": 1 })).await;
    assert_eq!(admin.get("/api/organization/globex/usage").await.data()["bytes"], bytes);
    assert_eq!(admin.put(&format!("{moved}/restore"), &json!({})).await.status, 200);
    assert_eq!(admin.get("/api/organization/globex/usage").await.data()["bytes"], bytes);
}

#[tokio::test]
async fn only_platform_admins_set_quotas_and_only_members_see_what_is_used() {
    let server = TestServer::start().await;
    let (admin, owner, stranger) =
        (server.admin().await, server.user("owner").await, server.user("stranger").await);
    let body = json!({ "name": "acme", "accessMode": "invite_only" });
    assert_eq!(owner.post("/api/organization", &body).await.status, 201);
    let tag = admin.get(QUOTA).await.header("etag").unwrap().to_owned();
    assert_eq!(owner.get(USAGE).await.status, 200);
    assert_refused(&stranger.get(USAGE).await, 403, "PERMISSION_DENIED");
    assert_refused(&server.anonymous().get(USAGE).await, 401, "CREDENTIALS_MISSING");
    assert_refused(&owner.get("/api/storage").await, 403, "PERMISSION_DENIED");
    let more = json!({ "bytes": 0 });
    assert_refused(&owner.put(QUOTA, &more).await, 403, "PERMISSION_DENIED");
    let held = admin.request(Method::PUT, QUOTA).header("if-match", tag).json(&more);
    let held = held.build().unwrap();
    let again = held.try_clone().unwrap();
    let http = reqwest::Client::new();
    assert_eq!(http.execute(held).await.unwrap().status(), 200);
    assert_eq!(http.execute(again).await.unwrap().status(), 412, "it was changed since");
    for (body, field) in [
        (json!({ "bytes": -1 }), "bytes"),
        (json!({ "bytes": u64::MAX }), "bytes"),
        (json!({ "fileBytes": "1 GiB" }), "fileBytes"),
        (json!({ "byte": 1 }), "byte"),
    ] {
        let reply = admin.put(QUOTA, &body).await;
        assert_refused(&reply, 400, "INVALID_INPUT");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{}", reply.text());
    }
}
