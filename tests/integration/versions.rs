//! Versions: prepared in private, released once and for ever, revoked perhaps.

use boxvault_tests::{Client, Publication, Reply, TestServer, bytes::BoxBuilder};
use serde_json::{Value, json};

const BOX: &str = "/api/organization/acme/box/web";

fn numbers(list: &Value) -> Vec<&str> {
    let items = list["data"].as_array().unwrap();
    items.iter().map(|item| item["versionNumber"].as_str().unwrap()).collect()
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, &*reply.code()), (status, code), "{}", reply.text());
}

async fn server() -> (TestServer, Client) {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    (server, admin)
}

#[tokio::test]
async fn a_released_version_is_immutable() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").seed(1).build();
    let other = BoxBuilder::new("virtualbox").seed(2).build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.publish(&publication).await;
    let version = format!("{BOX}/version/1.0.0");
    let provider = format!("{version}/provider");
    let architecture = format!("{provider}/virtualbox/architecture");
    let upload = format!("{}/upload", publication.file_path());
    for reply in [
        admin.upload(&upload, other.bytes.clone(), &[]).await,
        admin.delete(&format!("{}/delete", publication.file_path())).await,
        admin.delete(&format!("{architecture}/amd64")).await,
        admin.delete(&format!("{provider}/virtualbox")).await,
        admin.post(&provider, &json!({ "name": "libvirt" })).await,
        admin.post(&architecture, &json!({ "name": "arm64" })).await,
        admin.put(&format!("{architecture}/amd64"), &json!({ "name": "arm64" })).await,
        admin.put(&format!("{provider}/virtualbox"), &json!({ "name": "libvirt" })).await,
        admin.put(&version, &json!({ "versionNumber": "2.0.0" })).await,
        admin.put(&format!("{version}/release"), &json!({})).await,
    ] {
        assert_refused(&reply, 409, "VERSION_RELEASED");
    }
    // Packer goes on when it reads these words
    let again = admin.put(&format!("{version}/release"), &json!({})).await;
    assert!(again.text().contains("already been released"), "{}", again.text());
    // what people write about it is not what it is
    let described = admin.put(&version, &json!({ "description": "better words" })).await;
    assert_eq!(described.status, 200, "{}", described.text());
    let kept = server.anonymous().get(&publication.vagrant_path()).await;
    assert!(kept.bytes == file.bytes, "the bytes have changed");
}

#[tokio::test]
async fn a_version_goes_from_prepared_to_released_to_revoked_and_never_back() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&publication).await;
    let version = format!("{BOX}/version/1.0.0");
    let (release, revoke) = (format!("{version}/release"), format!("{version}/revoke"));
    assert_refused(&admin.put(&release, &json!({})).await, 409, "VERSION_EMPTY");
    assert_refused(&admin.put(&revoke, &json!({})).await, 409, "VERSION_STATE");
    assert_eq!(admin.get(&version).await.data()["status"], "unreleased");
    let upload = format!("{}/upload", publication.file_path());
    assert_eq!(admin.upload(&upload, file.bytes.clone(), &[]).await.status, 200);

    let all =
        futures_util::future::join_all((0..4).map(|_| admin.put(&release, &Value::Null))).await;
    let done = all.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(done, 1, "released once: {:?}", all.iter().map(Reply::text).collect::<Vec<_>>());
    let released = admin.get(&version).await.data();
    assert_eq!(released["status"], "released");
    assert!(released["releasedAt"].is_string());
    assert_eq!(server.anonymous().get(&publication.vagrant_path()).await.status, 200);

    let revoked = admin.put(&revoke, &json!({})).await;
    assert_eq!((revoked.status, &revoked.data()["status"]), (200, &json!("revoked")));
    assert_eq!(server.anonymous().get(&publication.vagrant_path()).await.status, 404);
    let catalogue = server.anonymous().get("/acme/web").await.json();
    assert_eq!(catalogue["versions"], json!([]));
    assert_refused(&admin.put(&release, &json!({})).await, 409, "VERSION_STATE");
    assert_refused(&admin.put(&revoke, &json!({})).await, 409, "VERSION_STATE");
    let replaced = admin.upload(&upload, file.bytes.clone(), &[]).await;
    assert_eq!(replaced.status, 409, "a revoked version takes files: {}", replaced.text());
}

#[tokio::test]
async fn unreleased_versions_of_a_public_box_are_for_those_who_prepare_them() {
    let (server, admin) = server().await;
    let owner = server.user("olivia").await;
    let (member, stranger) = (server.user("mark").await, server.user("sam").await);
    let file = BoxBuilder::new("virtualbox").build();
    owner.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let body = json!({ "username": "mark", "role": "member" });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
    let next = Publication { version: "2.0.0", ..Publication::new("acme", "web", &file.bytes) };
    owner.prepare(&next).await;
    let upload = format!("{}/upload", next.file_path());
    assert_eq!(owner.upload(&upload, file.bytes.clone(), &[]).await.status, 200);
    let gone = Publication { version: "0.9.0", ..Publication::new("acme", "web", &file.bytes) };
    owner.publish(&gone).await;
    assert_eq!(owner.put(&format!("{BOX}/version/0.9.0/revoke"), &json!({})).await.status, 200);

    let list = format!("{BOX}/version");
    for client in [&stranger, &server.anonymous()] {
        let listed = client.get(&list).await.json();
        assert_eq!((numbers(&listed), &listed["page"]["total"]), (vec!["1.0.0"], &json!(1)));
        for hidden in [&next, &gone] {
            let version = format!("{BOX}/version/{}", hidden.version);
            let slot = format!("{version}/provider/virtualbox/architecture");
            for path in [
                version.clone(),
                format!("{version}/provider"),
                format!("{version}/provider/virtualbox"),
                slot.clone(),
                format!("{slot}/amd64"),
                format!("{}/info", hidden.file_path()),
                format!("{}/download", hidden.file_path()),
                hidden.vagrant_path(),
            ] {
                assert_eq!(client.get(&path).await.status, 404, "{path}");
            }
            let write = client.put(&version, &json!({})).await;
            assert_eq!(write.status, 404, "a refusal tells that {version} exists");
        }
    }
    for client in [&member, &owner, &admin] {
        let listed = client.get(&list).await.json();
        assert_eq!(numbers(&listed), ["2.0.0", "1.0.0", "0.9.0"]);
        assert_eq!(client.get(&format!("{}/download", next.file_path())).await.bytes, file.bytes);
        // stock clients get what was released, whoever asks
        assert_eq!(client.get(&next.vagrant_path()).await.status, 404);
    }
    for path in ["/acme/web", "/api/v2/vagrant/acme/web"] {
        let catalogue = owner.get(path).await.json();
        let versions: Vec<_> =
            catalogue["versions"].as_array().unwrap().iter().map(|v| &v["version"]).collect();
        assert_eq!(versions, ["1.0.0"], "{path}");
    }
}

#[tokio::test]
async fn versions_sort_as_vagrant_sorts_them() {
    let (_server, admin) = server().await;
    admin.prepare(&Publication::new("acme", "web", &[])).await;
    for number in ["1.10.0", "1.9.0", "2.0.0-rc1", "2.0.0", "1.0.0.beta", "20240101"] {
        let reply =
            admin.post(&format!("{BOX}/version"), &json!({ "versionNumber": number })).await;
        assert_eq!(reply.status, 201, "{number}: {}", reply.text());
    }
    let newest = admin.get(&format!("{BOX}/version")).await.json();
    let expected = ["20240101", "2.0.0", "2.0.0-rc1", "1.10.0", "1.9.0", "1.0.0", "1.0.0.beta"];
    assert_eq!(numbers(&newest), expected);
    let oldest = admin.get(&format!("{BOX}/version?order=asc&per_page=2")).await.json();
    assert_eq!(numbers(&oldest), ["1.0.0.beta", "1.0.0"]);
    assert_eq!(admin.get(&format!("{BOX}/version?sort=size")).await.status, 400);
}

#[tokio::test]
async fn a_version_lives_from_its_creation_to_its_end() {
    let (_server, admin) = server().await;
    admin.prepare(&Publication::new("acme", "web", &[])).await;
    let version = format!("{BOX}/version/1.0.0");
    let body = json!({ "versionNumber": "1.0.1", "description": "d", "releaseNotes": "n" });
    let changed = admin.put(&version, &body).await;
    assert_eq!((changed.status, &changed.data()["releaseNotes"]), (200, &json!("n")));
    assert_eq!(admin.get(&version).await.status, 404);
    let body = json!({ "version": "2.0.0" });
    assert_eq!(
        admin.post(&format!("{BOX}/version"), &body).await.status,
        201,
        "as the original calls it"
    );
    let renamed =
        admin.put(&format!("{BOX}/version/2.0.0"), &json!({ "versionNumber": "1.0.1" })).await;
    assert_refused(&renamed, 409, "ALREADY_EXISTS");
    assert_eq!(admin.delete(&format!("{BOX}/version/1.0.1")).await.status, 200);
    assert_refused(&admin.delete(&format!("{BOX}/version/1.0.1")).await, 404, "VERSION_NOT_FOUND");
    assert_eq!(numbers(&admin.get(&format!("{BOX}/version")).await.json()), ["2.0.0"]);
}
