//! Organizations that are renamed, suspended, deleted, restored, handed over and left, and what each does to what they
//! have.

use boxvault_tests::{
    Client, Publication, TestServer, bytes::BoxBuilder, client::send, faults::stored_files,
};
use reqwest::Method;
use serde_json::{Value, json};

/// `acme/web`, public and released, and `other/web` of somebody else.
async fn world(server: &TestServer) -> (Client, Client, Vec<u8>) {
    server.admin().await;
    let (owner, other) = (server.user("olivia").await, server.user("otto").await);
    let file = BoxBuilder::new("virtualbox").seed(1).disk_bytes(100).build().bytes;
    for (client, organization) in [(&owner, "acme"), (&other, "other")] {
        let body = json!({ "name": organization, "accessMode": "request_to_join" });
        assert_eq!(client.post("/api/organization", &body).await.status, 201);
        client.publish(&Publication::new(organization, "web", &file)).await;
    }
    (owner, other, file)
}

async fn add(owner: &Client, username: &str, role: &str) {
    let body = json!({ "username": username, "role": role });
    assert_eq!(owner.post("/api/organization/acme/members", &body).await.status, 201);
}

async fn rename(owner: &Client, from: &str, to: &str) -> u16 {
    owner.put(&format!("/api/organization/{from}"), &json!({ "name": to })).await.status
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_old_name_leads_to_the_new_one_and_is_nobody_elses() {
    let server = TestServer::start().await;
    let (owner, other, file) = world(&server).await;
    let anonymous = server.anonymous();
    assert_eq!(rename(&owner, "acme", "Initech").await, 200);

    let read = owner.get("/api/organization/ACME").await;
    assert_eq!((read.status, &read.data()["name"]), (200, &json!("Initech")));
    assert_eq!(read.data(), owner.get("/api/organization/initech").await.data());
    assert_eq!(read.data()["role"], "owner", "roles are those under the present name");
    assert_eq!(anonymous.get("/api/organization/acme/box/web").await.status, 200);
    // stock clients refuse a document of another name than the one that they asked for
    for path in ["/acme/web", "/api/v2/vagrant/acme/web"] {
        let document = anonymous.get(path).await;
        assert_eq!(
            (document.status, &document.json()["name"]),
            (200, &json!("acme/web")),
            "{path}"
        );
        let url = document.json()["versions"][0]["providers"][0]["url"].to_string();
        assert!(url.contains("/acme/boxes/web/"), "{url}: what was begun there goes on there");
    }
    let old = Publication::new("acme", "web", &file);
    assert_eq!(anonymous.get(&old.vagrant_path()).await.bytes, file, "a download that resumes");

    // by the old name nothing is changed
    let box_path = "/api/organization/acme/box/web";
    for reply in [
        owner.put("/api/organization/acme", &json!({ "description": "x" })).await,
        owner.put(box_path, &json!({ "description": "x" })).await,
        owner.delete(box_path).await,
        owner.upload(&format!("{}/upload", old.file_path()), file.clone(), &[]).await,
    ] {
        assert_eq!((reply.status, &*reply.code()), (409, "ORGANIZATION_RENAMED"));
        assert!(reply.text().contains("Initech"), "{}", reply.text());
    }
    // nor taken, by making or by renaming
    let taken = other.post("/api/organization", &json!({ "name": "Acme" })).await;
    assert_eq!((taken.status, &*taken.code()), (409, "ALREADY_EXISTS"));
    assert_eq!(rename(&other, "other", "acme").await, 409);
    assert_eq!(other.get("/api/organization/other").await.data()["name"], "other");
    // but its own it is
    assert_eq!(rename(&owner, "initech", "acme").await, 200);
    assert_eq!(owner.get("/api/organization/initech").await.data()["name"], "acme");
    assert_eq!(rename(&owner, "acme", "ACME").await, 200, "another case is the same name");
    assert_eq!(owner.get("/api/organization/acme").await.data()["name"], "ACME");
}

#[tokio::test]
async fn an_old_name_does_not_tell_the_new_one_to_those_who_may_not_know() {
    let server = TestServer::start().await;
    let (owner, stranger, _) = world(&server).await;
    assert_eq!(rename(&owner, "acme", "secret").await, 200);
    let private = json!({ "accessMode": "private" });
    assert_eq!(owner.put("/api/organization/secret", &private).await.status, 200);
    for (method, path) in [
        (Method::GET, "/api/organization/acme"),
        (Method::PUT, "/api/organization/acme"),
        (Method::GET, "/api/organization/acme/members"),
    ] {
        let reply = send(stranger.request(method.clone(), path).json(&json!({}))).await;
        assert_eq!(
            (reply.status, &*reply.code()),
            (404, "ORGANIZATION_NOT_FOUND"),
            "{method} {path}"
        );
        assert!(!reply.text().contains("secret"), "{}", reply.text());
        let missing = path.replace("acme", "none");
        let missing = send(stranger.request(method, &missing).json(&json!({}))).await;
        assert_eq!(
            missing.json()["message"].to_string().replace("none", "acme"),
            reply.json()["message"].to_string()
        );
    }
}

#[tokio::test]
async fn an_old_name_that_is_not_kept_is_free_at_once() {
    let server =
        TestServer::builder().set("organizations.former_names_lead_for", "0 s").start().await;
    let (owner, other, _) = world(&server).await;
    assert_eq!(rename(&owner, "acme", "initech").await, 200);
    assert_eq!(owner.get("/api/organization/acme").await.status, 404);
    assert_eq!(rename(&other, "other", "acme").await, 200);
    assert_eq!(other.get("/api/organization/acme").await.data()["role"], "owner");
    assert_eq!(owner.get("/api/organization/acme").await.data()["role"], json!(null));
}

#[tokio::test]
async fn a_suspended_organization_serves_nothing_takes_nothing_and_tells_its_admins_why() {
    let server = TestServer::start().await;
    let (owner, stranger, file) = world(&server).await;
    let root = server.admin().await;
    let (admin, member) = (server.user("ada").await, server.user("mark").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "mark", "member").await;
    let public = Publication::new("acme", "web", &file);
    let suspend = "/api/organization/acme/suspend";
    for client in [&owner, &admin, &member] {
        assert_eq!(client.put(suspend, &json!({})).await.status, 403, "only the platform suspends");
    }
    let done = root.put(suspend, &json!({ "reason": "unpaid since March" })).await;
    assert_eq!((done.status, &done.data()["suspended"]), (200, &json!(true)));

    // outsiders: as if it were not there
    let anonymous = server.anonymous();
    let download = format!("{}/download", public.file_path());
    for client in [&anonymous, &stranger] {
        for path in [
            "/api/organization/acme",
            "/api/organization/acme/box/web",
            "/acme/web",
            &public.vagrant_path(),
            &download,
        ] {
            assert_eq!(client.get(path).await.status, 404, "{path}");
        }
        for path in ["/api/discover", "/api/organization", "/api/organizations/discover"] {
            let list = client.get(path).await;
            assert!(!list.text().contains("acme"), "{path}: {}", list.text());
        }
        let total = client.get("/api/discover").await.json()["page"]["total"].clone();
        assert_eq!(total, 1, "the number tells");
    }
    // insiders: it is there, and does nothing
    let box_path = "/api/organization/acme/box/web";
    for client in [&owner, &admin, &member] {
        let read = client.get("/api/organization/acme").await;
        assert_eq!((read.status, &read.data()["suspended"]), (200, &json!(true)));
        let mut replies = vec![
            client.get(box_path).await,
            client.get("/api/organization/acme/members").await,
            client.post("/api/organization/acme/box", &json!({ "name": "more" })).await,
            client.put("/api/organization/acme", &json!({ "description": "x" })).await,
            client.put("/api/organization/acme/resume", &json!({})).await,
            client.delete("/api/organization/acme?confirm=acme").await,
            client.upload(&format!("{}/upload", public.file_path()), file.clone(), &[]).await,
        ];
        replies.push(client.get(&download).await);
        for reply in replies {
            assert_eq!(
                (reply.status, &*reply.code()),
                (403, "ORGANIZATION_SUSPENDED"),
                "{}",
                reply.text()
            );
        }
        assert_eq!(client.get(&public.vagrant_path()).await.status, 403);
        assert!(!client.get("/api/discover").await.text().contains("acme"));
    }
    for (client, knows) in [(&owner, true), (&admin, true), (&member, false)] {
        for path in ["/api/organization/acme", box_path] {
            let reply = client.get(path).await.text();
            assert_eq!(reply.contains("unpaid since March"), knows, "{path}: {reply}");
        }
    }
    assert_eq!(root.get(box_path).await.status, 200, "those who suspend look into it");
    assert_eq!(stranger.get("/other/web").await.status, 200, "the other one goes on");

    assert_eq!(root.put("/api/organization/acme/resume", &json!({})).await.status, 200);
    assert_eq!(anonymous.get(&public.vagrant_path()).await.bytes, file);
    let read = owner.get("/api/organization/acme").await.data();
    assert_eq!((&read["suspended"], &read["suspendedReason"]), (&json!(false), &json!(null)));
}

#[tokio::test]
async fn a_box_is_not_handed_to_a_suspended_organization() {
    let server = TestServer::start().await;
    let (owner, _, _) = world(&server).await;
    let root = server.admin().await;
    assert_eq!(owner.post("/api/organization", &json!({ "name": "spare" })).await.status, 201);
    let path = "/api/organization/spare/box";
    assert_eq!(owner.post(path, &json!({ "name": "tool" })).await.status, 201);
    assert_eq!(root.put("/api/organization/acme/suspend", &json!({})).await.status, 200);
    let to = json!({ "organization": "acme" });
    let refused = owner.put(&format!("{path}/tool/transfer"), &to).await;
    assert_eq!((refused.status, &*refused.code()), (403, "ORGANIZATION_SUSPENDED"));
    assert_eq!(owner.get(&format!("{path}/tool")).await.status, 200, "it stays where it was");
}

#[tokio::test]
async fn a_suspension_needs_an_organization_and_a_reason_of_bounded_length() {
    let server = TestServer::start().await;
    world(&server).await;
    let root = server.admin().await;
    assert_eq!(root.put("/api/organization/none/suspend", &json!({})).await.status, 404);
    let long = json!({ "reason": "x".repeat(1025) });
    assert_eq!(root.put("/api/organization/acme/suspend", &long).await.status, 400);
    assert_eq!(root.get("/api/organization/acme").await.data()["suspended"], false);
}

#[tokio::test]
async fn an_organization_is_deleted_only_by_its_name_and_restored_as_it_was() {
    let server = TestServer::start().await;
    let (owner, other, file) = world(&server).await;
    let (admin, second) = (server.user("ada").await, server.user("oscar").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "oscar", "owner").await;
    let before = owner.get("/api/organization/acme").await.data();
    for query in ["", "?confirm=", "?confirm=other", "?confirm=ACME"] {
        let reply = owner.delete(&format!("/api/organization/acme{query}")).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{query}");
        assert!(reply.json()["error"]["fields"]["confirm"].is_string());
    }
    assert_eq!(admin.delete("/api/organization/acme?confirm=acme").await.status, 403);
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 200);

    let anonymous = server.anonymous();
    let public = Publication::new("acme", "web", &file);
    for client in [&anonymous, &owner, &admin, &server.admin().await] {
        for path in [
            "/api/organization/acme",
            "/api/organization/acme/box/web",
            "/acme/web",
            &public.vagrant_path(),
        ] {
            assert_eq!(client.get(path).await.status, 404, "{path}");
        }
        for path in ["/api/discover", "/api/organization"] {
            assert!(!client.get(path).await.text().contains("acme"), "{path}");
        }
    }
    assert_eq!(owner.get("/api/user").await.data()["organizations"], json!([]));
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 404);
    let taken = other.post("/api/organization", &json!({ "name": "acme" })).await;
    assert_eq!(taken.status, 409, "its name is kept for it");
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "a sweep before the time is over takes nothing");

    let list = owner.get("/api/organizations/deleted").await.json();
    assert_eq!(names(&list), ["acme"]);
    assert!(list["data"][0]["restorableUntil"].as_str() > list["data"][0]["deletedAt"].as_str());
    for client in [&admin, &other] {
        assert_eq!(
            names(&client.get("/api/organizations/deleted").await.json()),
            Vec::<&str>::new()
        );
    }
    let restore = "/api/organization/acme/restore";
    for (client, status) in
        [(&anonymous, 404), (&other, 404), (&admin, 403), (&second, 200), (&owner, 404)]
    {
        let reply = client.post(restore, &json!({})).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    assert_eq!(owner.get("/api/organization/acme").await.data(), before);
    assert_eq!(anonymous.get(&public.vagrant_path()).await.bytes, file);
    assert_eq!(owner.get("/api/organization/acme/members").await.json()["page"]["total"], 3);
}

#[tokio::test]
async fn what_was_deleted_long_ago_goes_for_good_and_its_bytes_with_it() {
    let server = TestServer::builder().set("organizations.restorable_for", "0 s").start().await;
    let (owner, other, _) = world(&server).await;
    // bytes of its own, beside those that another organization has, too
    let alone = BoxBuilder::new("virtualbox").seed(2).disk_bytes(100).build().bytes;
    owner.publish(&Publication::new("acme", "db", &alone)).await;
    let before = stored_files(&server).len();
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 200);
    let late = owner.post("/api/organization/acme/restore", &json!({})).await;
    assert_eq!((late.status, &*late.code()), (404, "ORGANIZATION_NOT_FOUND"));
    let swept = server.command(&["sweep", "--older-than", "0 s"], "").await;
    assert!(swept.status.success(), "{swept:?}");
    assert!(stored_files(&server).len() < before, "the bytes stayed");
    let file = BoxBuilder::new("virtualbox").seed(1).disk_bytes(100).build().bytes;
    let same = Publication::new("other", "web", &file);
    let kept = server.anonymous().get(&same.vagrant_path()).await;
    assert_eq!((kept.status, kept.bytes), (200, file), "a same-named box elsewhere was touched");
    // the name is free for anybody
    assert_eq!(other.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    assert_eq!(owner.get("/api/organization/acme").await.status, 404);
    let fsck = server.command(&["fsck"], "").await;
    assert!(fsck.status.success(), "{fsck:?}");
}

#[tokio::test]
async fn an_owner_hands_over_and_leaves() {
    let server = TestServer::start().await;
    let (owner, other, _) = world(&server).await;
    let (admin, member) = (server.user("ada").await, server.user("mark").await);
    add(&owner, "ada", "admin").await;
    add(&owner, "mark", "member").await;
    let path = "/api/organization/acme/owner";
    let to = |name: &str| json!({ "username": name });
    for client in [&admin, &member] {
        assert_eq!(client.put(path, &to("ada")).await.status, 403);
    }
    let stranger = owner.put(path, &to("otto")).await;
    assert_eq!((stranger.status, &*stranger.code()), (404, "MEMBER_NOT_FOUND"));
    assert_eq!(owner.put(path, &to("olivia")).await.status, 400);
    let leave = "/api/user/leave/acme";
    let alone = owner.post(leave, &json!({})).await;
    assert_eq!((alone.status, &*alone.code()), (409, "LAST_OWNER"));

    assert_eq!(owner.put(path, &to("mark")).await.status, 200);
    for (client, role) in [(&owner, "admin"), (&member, "owner"), (&admin, "admin")] {
        assert_eq!(client.get("/api/organization/acme").await.data()["role"], role);
    }
    assert_eq!(owner.delete("/api/organization/acme?confirm=acme").await.status, 403);
    assert_eq!(owner.post(leave, &json!({})).await.status, 200);
    assert_eq!(owner.get("/api/organization/acme").await.data()["role"], json!(null));
    for client in [&owner, &other] {
        for path in [leave, "/api/user/leave/none"] {
            let reply = client.post(path, &json!({})).await;
            assert_eq!((reply.status, &*reply.code()), (404, "MEMBER_NOT_FOUND"), "{path}");
        }
    }
}

#[tokio::test]
async fn an_admin_neither_makes_nor_unmakes_owners() {
    let server = TestServer::start().await;
    let (owner, _, _) = world(&server).await;
    let admin = server.user("ada").await;
    add(&owner, "ada", "admin").await;
    server.user("nina").await;
    let members = "/api/organization/acme/members";
    for reply in [
        admin.post(members, &json!({ "username": "nina", "role": "owner" })).await,
        admin.put(&format!("{members}/ada"), &json!({ "role": "owner" })).await,
        admin.put(&format!("{members}/olivia"), &json!({ "role": "member" })).await,
        admin.delete(&format!("{members}/olivia")).await,
        admin.put("/api/organization/acme/owner", &json!({ "username": "ada" })).await,
    ] {
        assert_eq!(reply.status, 403, "{}", reply.text());
    }
}

#[tokio::test]
async fn discover_shows_what_everybody_sees_with_its_numbers() {
    let server = TestServer::start().await;
    let (owner, _, _) = world(&server).await;
    server.user("mark").await;
    add(&owner, "mark", "member").await;
    assert_eq!(owner.post("/api/organization", &json!({ "name": "hidden" })).await.status, 201);
    let hidden = json!({ "name": "inner" });
    assert_eq!(owner.post("/api/organization/acme/box", &hidden).await.status, 201);
    let path = "/api/organizations/discover";
    for client in [&server.anonymous(), &owner] {
        let list = client.get(path).await.json();
        assert_eq!(names(&list), ["acme", "other"]);
        let acme = &list["data"][0];
        assert_eq!((&acme["memberCount"], &acme["publicBoxCount"]), (&json!(2), &json!(1)));
        assert_eq!(acme["accessMode"], "request_to_join");
        assert!(!list.to_string().contains("olivia"), "members are not for everybody");
    }
    let get = async |query: &str| server.anonymous().get(&format!("{path}?{query}")).await;
    assert_eq!(names(&get("q=OTH").await.json()), ["other"]);
    assert_eq!(names(&get("sort=created&order=desc&per_page=1").await.json()), ["other"]);
    assert_eq!(
        get("per_page=1&page=2").await.json()["page"],
        json!({ "number": 2, "size": 1, "total": 2 })
    );
    assert_eq!(get("sort=members").await.status, 400);
}
