//! Boxes that are renamed, handed over, deleted and restored: who may, what stays, what strangers learn.

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::{BoxBuilder, BoxFile},
    outcome::expect,
};
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &*reply.code()), (status, code), "{}", reply.text());
}

/// A public, released box, by the owner of its organization.
async fn published() -> (TestServer, Client, BoxFile) {
    let server = TestServer::start().await;
    // a server takes nobody else before it has its first admin
    server.admin().await;
    let owner = server.user("olivia").await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(50_000).build();
    owner.publish(&Publication::new("acme", "web", &file.bytes)).await;
    (server, owner, file)
}

async fn join(owner: &Client, organization: &str, username: &str, role: &str) {
    let body = json!({ "username": username, "role": role });
    let path = format!("/api/organization/{organization}/members");
    expect(201, owner.post(&path, &body).await);
}

fn rename(name: &str) -> Value {
    json!({ "name": name })
}

#[tokio::test]
async fn a_renamed_box_is_read_under_its_old_name_too_and_written_under_the_new_one_only() {
    let (server, owner, file) = published().await;
    let old = Publication::new("acme", "web", &file.bytes);
    expect(200, owner.put(BOX, &rename("site")).await);
    for client in [&owner, &server.anonymous()] {
        let read = expect(200, client.get(BOX).await);
        assert_eq!(read.data()["name"], "site", "it says what it is called now");
        for path in [format!("{BOX}/version"), format!("{BOX}/version/1.0.0/provider/virtualbox")] {
            expect(200, client.get(&path).await);
        }
        for path in [old.vagrant_path(), format!("{}/download", old.file_path())] {
            assert!(client.get(&path).await.bytes == file.bytes, "{path}");
        }
    }
    assert_refused(&owner.put(BOX, &json!({ "description": "d" })).await, 404, "BOX_NOT_FOUND");
    assert_refused(&owner.delete(BOX).await, 404, "BOX_NOT_FOUND");
    let version = json!({ "versionNumber": "2.0.0" });
    assert_refused(&owner.post(&format!("{BOX}/version"), &version).await, 404, "BOX_NOT_FOUND");
    // Vagrant refuses a box of another name, and continues a download at the same URL only
    for path in ["/acme/web", "/api/v2/vagrant/acme/web"] {
        let catalogue = server.anonymous().get(path).await.json();
        assert_eq!(catalogue["name"], "acme/web", "{path}");
        let url = catalogue["versions"][0]["providers"][0]["url"].as_str().unwrap();
        assert_eq!(url, format!("{}{}", server.url(), old.vagrant_path()), "{path}");
    }
    assert_eq!(server.anonymous().get("/acme/site").await.json()["name"], "acme/site");
}

#[tokio::test]
async fn a_download_that_was_cut_goes_on_after_a_rename() {
    let (server, owner, file) = published().await;
    let path = Publication::new("acme", "web", &file.bytes).vagrant_path();
    let client = server.anonymous();
    let first = client.get_with(&path, &[("range", "bytes=0-999")]).await;
    let tag = first.header("etag").unwrap().to_owned();
    expect(200, owner.put(BOX, &rename("site")).await);
    let rest = client.get_with(&path, &[("range", "bytes=1000-"), ("if-range", &tag)]).await;
    assert_eq!(rest.status, 206, "{}", rest.text());
    assert!([first.bytes, rest.bytes].concat() == file.bytes);
}

#[tokio::test]
async fn nobody_takes_the_old_name_of_a_box_by_accident() {
    let (server, owner, _) = published().await;
    expect(200, owner.put(BOX, &rename("site")).await);
    let boxes = "/api/organization/acme/box";
    // a pipeline that still makes what is missing must not serve another box to those who ask for the old name
    let careless = owner.post(boxes, &json!({ "name": "web", "isPublic": true })).await;
    assert_refused(&careless, 409, "FORMER_NAME");
    assert!(careless.text().contains("replaceFormerName"), "{}", careless.text());
    assert_eq!(server.anonymous().get(BOX).await.data()["name"], "site");
    expect(201, owner.post(boxes, &json!({ "name": "other" })).await);
    let other = "/api/organization/acme/box/other";
    assert_refused(&owner.put(other, &rename("web")).await, 409, "FORMER_NAME");
    let knowing = json!({ "name": "web", "isPublic": true, "replaceFormerName": true });
    expect(201, owner.post(boxes, &knowing).await);
    assert_eq!(server.anonymous().get(BOX).await.data()["name"], "web");
}

#[tokio::test]
async fn an_old_name_tells_nobody_what_a_private_box_is_called_now() {
    let (server, owner, _) = published().await;
    let stranger = server.user("sam").await;
    expect(200, owner.put(BOX, &json!({ "name": "skunkworks", "isPublic": false })).await);
    for client in [&stranger, &server.anonymous()] {
        for path in [BOX, "/acme/web", "/api/v2/vagrant/acme/web", "/acme/boxes/web"] {
            let json = [("accept", "application/json")];
            let hidden = client.get_with(path, &json).await;
            let missing = client.get_with(&path.replace("web", "wab"), &json).await;
            assert_eq!((hidden.status, missing.status), (404, 404), "{path}");
            let (hidden, missing) = (hidden.text(), missing.text());
            assert!(!hidden.contains("skunkworks"), "{hidden}");
            assert_eq!(hidden.len(), missing.len(), "{hidden} and {missing}");
        }
    }
    expect(200, owner.get(BOX).await);
}

#[tokio::test]
async fn a_former_name_leads_as_long_as_the_operator_says() {
    let server = TestServer::builder().set("boxes.former_names_lead_for", "0 s").start().await;
    let admin = server.admin().await;
    admin.prepare(&Publication::new("acme", "web", &[])).await;
    expect(200, admin.put(BOX, &rename("site")).await);
    assert_refused(&admin.get(BOX).await, 404, "BOX_NOT_FOUND");
    expect(201, admin.post("/api/organization/acme/box", &json!({ "name": "web" })).await);
}

#[tokio::test]
async fn a_transfer_needs_a_right_in_both_organizations() {
    let (server, owner, file) = published().await;
    let (member, receiver) = (server.user("mark").await, server.user("rita").await);
    join(&owner, "acme", "mark", "member").await;
    expect(201, receiver.post("/api/organization", &json!({ "name": "globex" })).await);
    join(&receiver, "globex", "mark", "member").await;
    let path = format!("{BOX}/transfer");
    let to = |organization: &str| json!({ "organization": organization });
    // no right here; no right there, and nothing told of what is there
    assert_refused(&member.put(&path, &to("globex")).await, 403, "PERMISSION_DENIED");
    assert_refused(&receiver.put(&path, &to("globex")).await, 403, "PERMISSION_DENIED");
    assert_refused(&server.anonymous().put(&path, &to("globex")).await, 401, "CREDENTIALS_MISSING");
    for organization in ["globex", "nowhere"] {
        let refused = owner.put(&path, &to(organization)).await;
        assert_refused(&refused, 403, "PERMISSION_DENIED");
    }
    assert_refused(&owner.put(&path, &to("acme")).await, 400, "INVALID_INPUT");
    join(&receiver, "globex", "olivia", "member").await;
    expect(201, receiver.post("/api/organization/globex/box", &json!({ "name": "WEB" })).await);
    assert_refused(&owner.put(&path, &to("globex")).await, 409, "ALREADY_EXISTS");
    expect(200, receiver.delete("/api/organization/globex/box/web").await);
    assert_refused(&owner.put(&path, &to("globex")).await, 409, "ALREADY_EXISTS");
    expect(200, receiver.put("/api/organization/globex/box/web/restore", &json!({})).await);
    expect(200, receiver.put("/api/organization/globex/box/web", &rename("old")).await);
    assert_refused(&owner.put(&path, &to("globex")).await, 409, "FORMER_NAME");
    let admin = server.admin().await;
    let stale = admin.request(reqwest::Method::PUT, &path).header("if-match", "\"stale\"");
    let stale = boxvault_tests::client::send(stale.json(&to("globex"))).await;
    assert_refused(&stale, 412, "PRECONDITION_FAILED");
    let download = Publication::new("acme", "web", &[]).vagrant_path();
    assert!(server.anonymous().get(&download).await.bytes == file.bytes, "it is where it was");
}

#[tokio::test]
async fn a_transferred_box_keeps_its_bytes_and_changes_its_rights_at_once() {
    let (server, owner, file) = published().await;
    let (member, receiver) = (server.user("mark").await, server.user("rita").await);
    join(&owner, "acme", "mark", "member").await;
    expect(200, owner.put(BOX, &json!({ "isPublic": false })).await);
    expect(200, member.get(BOX).await);
    expect(201, receiver.post("/api/organization", &json!({ "name": "globex" })).await);
    join(&receiver, "globex", "olivia", "member").await;
    let moved = owner.put(&format!("{BOX}/transfer"), &json!({ "organization": "globex" })).await;
    assert_eq!(expect(200, moved).data()["organization"], "globex");

    let new = Publication::new("globex", "web", &file.bytes);
    let old = Publication::new("acme", "web", &file.bytes);
    for at in [&new, &old] {
        let path = format!("{}/download", at.file_path());
        assert!(receiver.get(&path).await.bytes == file.bytes, "{path}");
        assert!(receiver.get(&at.vagrant_path()).await.bytes == file.bytes);
        // who was a member of the old organization only is a stranger now
        assert_eq!(member.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(member.get(BOX).await.status, 404);
    expect(200, receiver.put("/api/organization/globex/box/web", &json!({ "readme": "r" })).await);
    // the list of the one has it, that of the other has not
    let total = async |client: &Client, organization: &str| {
        let path = format!("/api/organization/{organization}/box");
        client.get(&path).await.json()["page"]["total"].clone()
    };
    assert_eq!(total(&receiver, "globex").await, 1);
    assert_eq!(total(&member, "acme").await, 0);
}

#[tokio::test]
async fn a_deleted_box_is_gone_for_everybody_and_is_restored_with_all_its_files() {
    let (server, owner, file) = published().await;
    let (member, stranger) = (server.user("mark").await, server.user("sam").await);
    join(&owner, "acme", "mark", "member").await;
    let at = Publication::new("acme", "web", &file.bytes);
    let restore = format!("{BOX}/restore");
    assert_refused(&owner.put(&restore, &json!({})).await, 409, "NOT_DELETED");
    let deleted = expect(200, owner.delete(BOX).await).json();
    assert!(deleted["message"].as_str().unwrap().contains("can be restored until"), "{deleted}");
    for client in [&owner, &member, &server.anonymous()] {
        for path in [BOX, "/acme/web", &at.vagrant_path(), &format!("{BOX}/version")] {
            assert_eq!(client.get(path).await.status, 404, "{path}");
        }
        assert_eq!(client.get("/api/discover").await.json()["page"]["total"], 0);
    }
    assert_refused(&owner.delete(BOX).await, 404, "BOX_NOT_FOUND");
    let list = "/api/organization/acme/deleted-boxes";
    let listed = expect(200, owner.get(list).await).json();
    assert_eq!((&listed["data"][0]["name"], &listed["page"]["total"]), (&json!("web"), &json!(1)));
    assert_refused(&member.get(list).await, 403, "PERMISSION_DENIED");
    assert_refused(&member.put(&restore, &json!({})).await, 403, "PERMISSION_DENIED");
    for client in [&stranger, &server.anonymous()] {
        assert_eq!(client.get(list).await.status, 404);
        assert_refused(&client.put(&restore, &json!({})).await, 404, "BOX_NOT_FOUND");
    }
    // the name waits for it
    let same = owner.post("/api/organization/acme/box", &json!({ "name": "Web" })).await;
    assert_refused(&same, 409, "ALREADY_EXISTS");
    assert!(same.text().contains("a deleted box keeps the name"), "{}", same.text());
    // a sweep leaves it alone
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");

    let restored = expect(200, owner.put(&restore, &json!({})).await).data();
    assert_eq!((&restored["name"], &restored["isPublic"]), (&json!("web"), &json!(true)));
    assert!(server.anonymous().get(&at.vagrant_path()).await.bytes == file.bytes);
    assert_eq!(owner.get(list).await.json()["page"]["total"], 0);
    let checked = server.command(&["fsck", "--rehash"], "").await;
    assert!(checked.status.success(), "{checked:?}");
}

#[tokio::test]
async fn whoever_created_a_box_restores_it_while_a_member() {
    let (server, owner, _) = published().await;
    let maker = server.user("mia").await;
    join(&owner, "acme", "mia", "member").await;
    let path = "/api/organization/acme/box/own";
    expect(201, maker.post("/api/organization/acme/box", &json!({ "name": "own" })).await);
    expect(200, maker.delete(path).await);
    expect(200, maker.put(&format!("{path}/restore"), &json!({})).await);
    expect(200, maker.delete(path).await);
    expect(200, owner.delete("/api/organization/acme/members/mia").await);
    assert_refused(&maker.put(&format!("{path}/restore"), &json!({})).await, 404, "BOX_NOT_FOUND");
}

#[tokio::test]
async fn a_deleted_box_is_swept_with_its_bytes_when_its_time_is_over() {
    let server = TestServer::builder().set("boxes.restorable_for", "0 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let deleted = expect(200, admin.delete(BOX).await).json();
    assert!(deleted["message"].as_str().unwrap().contains("for good"), "{deleted}");
    assert_refused(&admin.put(&format!("{BOX}/restore"), &json!({})).await, 404, "BOX_NOT_FOUND");
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    let said = String::from_utf8_lossy(&swept.stdout).into_owned();
    assert!(said.contains("1 blobs"), "{said}");
    expect(201, admin.post("/api/organization/acme/box", &json!({ "name": "web" })).await);
}

#[tokio::test]
async fn w06_a_refused_rename_moves_nothing() {
    let (server, owner, file) = published().await;
    let other = BoxBuilder::new("virtualbox").seed(9).build();
    owner.publish(&Publication::new("acme", "other", &other.bytes)).await;
    assert_refused(&owner.put(BOX, &rename("OTHER")).await, 409, "ALREADY_EXISTS");
    let both = json!({ "name": "new", "shortDescription": "x".repeat(256) });
    assert_refused(&owner.put(BOX, &both).await, 400, "INVALID_INPUT");
    for (name, file) in [("web", &file), ("other", &other)] {
        let path = Publication::new("acme", name, &[]).vagrant_path();
        assert!(server.anonymous().get(&path).await.bytes == file.bytes, "{name}");
    }
    assert_eq!(owner.get("/api/organization/acme/box/new").await.status, 404);
}

#[tokio::test]
async fn w08_of_many_who_create_a_box_at_once_one_does() {
    let (_server, owner, _) = published().await;
    let body = json!({ "name": "fresh" });
    let create = || owner.post("/api/organization/acme/box", &body);
    let all = futures_util::future::join_all((0..6).map(|_| create())).await;
    let mut statuses: Vec<_> = all.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn w10_boxes_stay_when_the_account_of_who_made_them_goes() {
    let (server, owner, _) = published().await;
    let maker = server.user("mia").await;
    join(&owner, "acme", "mia", "member").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "own", &file.bytes);
    maker.publish(&at).await;
    expect(200, maker.delete_account().await);
    assert!(server.anonymous().get(&at.vagrant_path()).await.bytes == file.bytes);
    expect(200, owner.put("/api/organization/acme/box/own", &json!({ "readme": "r" })).await);
}

#[tokio::test]
async fn w32_a_removed_member_changes_nothing_of_the_boxes_they_made() {
    let (server, owner, _) = published().await;
    let maker = server.user("mia").await;
    join(&owner, "acme", "mia", "member").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "own", &file.bytes);
    maker.prepare(&at).await;
    expect(200, owner.delete("/api/organization/acme/members/mia").await);
    let own = "/api/organization/acme/box/own";
    let upload = format!("{}/upload", at.file_path());
    for reply in [
        maker.post(&format!("{own}/version"), &json!({ "versionNumber": "9.0.0" })).await,
        maker.upload(&upload, file.bytes.clone(), &[]).await,
        maker.put(own, &json!({ "description": "d" })).await,
        maker.put(&format!("{own}/transfer"), &json!({ "organization": "mine" })).await,
        maker.delete(own).await,
    ] {
        assert!([403, 404].contains(&reply.status), "{}: {}", reply.status, reply.text());
    }
}

#[tokio::test]
async fn a_deprecated_version_says_why_and_can_still_be_fetched() {
    let (server, owner, file) = published().await;
    let version = format!("{BOX}/version/1.0.0");
    let change = async |body: Value| owner.put(&version, &body).await;
    for (body, field) in [
        (json!({ "deprecated": true }), "deprecationReason"),
        (json!({ "deprecated": true, "deprecationReason": "  " }), "deprecationReason"),
        (json!({ "deprecationReason": "old" }), "deprecationReason"),
        (json!({ "deprecated": false, "deprecationReason": "old" }), "deprecationReason"),
        (json!({ "deprecated": true, "deprecationReason": "x".repeat(513) }), "deprecationReason"),
        (json!({ "deprecated": "yes" }), "deprecated"),
    ] {
        let refused = change(body.clone()).await;
        assert_refused(&refused, 400, "INVALID_INPUT");
        assert!(refused.json()["error"]["fields"][field].is_string(), "{body}: {}", refused.text());
    }
    let reason = "CVE-2026-1: use 1.0.1";
    let body = json!({ "deprecated": true, "deprecation_reason": reason });
    expect(200, change(body).await);
    let listed = server.anonymous().get(&format!("{BOX}/version")).await.json();
    let first = &listed["data"][0];
    assert_eq!((&first["deprecated"], &first["deprecationReason"]), (&json!(true), &json!(reason)));
    assert!(first["deprecatedAt"].is_string());
    let path = Publication::new("acme", "web", &[]).vagrant_path();
    assert!(server.anonymous().get(&path).await.bytes == file.bytes);
    assert_eq!(server.anonymous().get("/acme/web").await.json()["versions"][0]["version"], "1.0.0");
    // other changes leave it, and it can be taken back
    assert_eq!(expect(200, change(json!({ "description": "d" })).await).data()["deprecated"], true);
    let undone = expect(200, change(json!({ "deprecated": false })).await).data();
    assert_eq!(
        (&undone["deprecated"], &undone["deprecationReason"]),
        (&json!(false), &Value::Null)
    );
}
