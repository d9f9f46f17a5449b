//! What whoever looks after a server sees of it, what callers may do, and what boxes say of themselves.

use std::time::Duration;

use boxvault_tests::{
    Publication, TestServer, bytes::BoxBuilder, outcome::expect, server::PASSWORD, wait_for,
};
use serde_json::{Value, json};

#[tokio::test]
async fn jobs_tell_when_they_ran_and_what_waits_for_them() {
    let server = TestServer::builder().set("storage.scrub_interval", "0 s").start().await;
    let admin = server.admin().await;
    let job = async |name: &str| {
        let jobs = expect(200, admin.get("/api/jobs").await).data();
        let found = jobs.as_array().unwrap().iter().find(|job| job["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no job {name}"))
    };
    let sweep = wait_for("the first sweep", Duration::from_secs(20), async || {
        let sweep = job("sweep").await;
        (sweep["runs"].as_u64() > Some(0)).then_some(sweep)
    })
    .await;
    assert_eq!((&sweep["enabled"], &sweep["running"]), (&json!(true), &json!(false)));
    assert!(sweep["nextAt"].as_str() > sweep["endedAt"].as_str(), "{sweep}");
    assert_eq!((&sweep["failures"], &sweep["problem"]), (&json!(0), &Value::Null));
    assert_eq!(job("scrub").await["enabled"], false);
    assert_eq!(job("mail").await["givenUp"], 0);
    assert_eq!(job("verification").await["waiting"], 0);
    let moves = job("moves").await;
    assert_eq!((&moves["enabled"], &moves["waiting"]), (&json!(true), &json!(0)));
}

#[tokio::test]
async fn the_configuration_is_shown_with_its_origins_and_without_its_secrets() {
    let server = TestServer::builder()
        .set("limits.page_size_max", "150")
        .set("mail.password", "a-password-of-a-mailbox")
        .set("mail.username", "postmaster")
        .start()
        .await;
    let admin = server.admin().await;
    let reply = expect(200, admin.get("/api/configuration").await);
    assert!(!reply.text().contains("a-password-of-a-mailbox"));
    let all = reply.data();
    let of = |key: &str| {
        let found = all.as_array().unwrap().iter().find(|setting| setting["key"] == key).cloned();
        found.unwrap_or_else(|| panic!("no key {key}"))
    };
    let set = of("limits.page_size_max");
    assert_eq!((&set["value"], &set["changed"]), (&json!("150"), &json!(true)));
    assert_ne!(set["origin"], "default");
    let kept = of("limits.page_size_default");
    assert_eq!((&kept["origin"], &kept["changed"]), (&json!("default"), &json!(false)));
    assert_eq!(of("mail.password")["value"], "\"<redacted>\"");
    let bob = server.user("bob").await;
    for path in ["/api/configuration", "/api/jobs"] {
        assert_eq!(bob.get(path).await.status, 403, "{path}");
        assert_eq!(server.anonymous().get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn what_is_offered_is_what_is_allowed() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let member = server.user("mia").await;
    let place = json!({ "username": "mia", "role": "member" });
    expect(201, admin.post("/api/organization/acme/members", &place).await);
    let (organization, web) = ("/api/organization/acme", "/api/organization/acme/box/web");
    let allowed = async |client: &boxvault_tests::Client, path: &str| {
        expect(200, client.get(&format!("{path}/permissions")).await).data()["allowed"].take()
    };
    assert_eq!(allowed(&member, "/api/user").await, json!({ "organization": ["read", "create"] }));
    let of_admin = allowed(&admin, "/api/user").await;
    assert_eq!(of_admin["system"], json!(["read"]));
    assert_eq!(of_admin["storage"], json!(["read", "update", "verify"]));
    let in_acme = allowed(&member, organization).await;
    assert_eq!((&in_acme["box"], &in_acme["member"]), (&json!(["create"]), &json!(["read"])));
    assert_eq!(in_acme["rules"], Value::Null);
    assert_eq!(allowed(&member, web).await, json!({ "box": ["read", "watch"] }));
    let version = format!("{web}/version/1.0.0");
    assert_eq!(allowed(&member, &version).await["file"], json!(["download"]));
    assert_eq!(
        allowed(&admin, &version).await["version"],
        json!(["read", "update", "delete", "release", "revoke"])
    );
    // a rule of the organization's own counts at once
    let rules = json!({ "text": "p, role:member, acme, box/**, verify, allow\n", "message": "m" });
    expect(200, admin.put(&format!("{organization}/policy"), &rules).await);
    assert_eq!(allowed(&member, &version).await["file"], json!(["download", "verify"]));
    // whoever sees only what is public is offered nothing more, and what is hidden is hidden
    let anyone = server.anonymous();
    assert_eq!(allowed(&anyone, web).await, json!({ "box": ["read"] }));
    assert_eq!(anyone.get(&format!("{organization}/permissions")).await.status, 404);
    // a limited token is offered what it is limited to
    let limited = json!({ "description": "x", "actions": ["read"] });
    let made = expect(201, admin.post("/api/user/tokens", &limited).await).data();
    let by_token = anyone.with_token(made["token"].as_str().unwrap());
    assert_eq!(allowed(&by_token, web).await, json!({ "box": ["read"] }));
    drop(server.anonymous().sign_in("mia", PASSWORD).await);
}

#[tokio::test]
async fn each_part_of_the_server_is_shown_to_who_may_read_that_part() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let olga = server.user("olga").await;
    let parts = async |client: &boxvault_tests::Client| {
        expect(200, client.get("/api/user/permissions").await).data()["system"].take()
    };
    let all = [
        ("configuration", "/api/configuration"),
        ("jobs", "/api/jobs"),
        ("plugins", "/api/admin/plugins"),
    ];
    assert_eq!(parts(&admin).await, json!(["configuration", "jobs", "plugins"]));
    assert_eq!(parts(&olga).await, Value::Null);
    let mut files = expect(200, admin.get("/api/policies").await).data()["files"].take();
    let rules = files.as_array_mut().unwrap();
    rules.push(json!({ "name": "site.csv", "text": "" }));
    for (mine, _) in all {
        let text = format!("p, user:local:olga, -, system/{mine}, read, allow\n");
        *files.as_array_mut().unwrap().last_mut().unwrap() =
            json!({ "name": "site.csv", "text": text });
        let change = json!({ "files": files, "message": mine });
        expect(200, admin.put("/api/policies", &change).await);
        assert_eq!(parts(&olga).await, json!([mine]));
        for (part, path) in all {
            let status = if part == mine { 200 } else { 403 };
            assert_eq!(olga.get(path).await.status, status, "{part} to who reads {mine}");
        }
    }
}

#[tokio::test]
async fn the_files_of_a_version_come_at_once_with_what_their_archives_say() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let other = BoxBuilder::new("libvirt").seed(2).build();
    let next = Publication { version: "2.0.0", ..at };
    admin.prepare(&next).await;
    let version = "/api/organization/acme/box/web/version/2.0.0";
    for (path, body) in [
        (format!("{version}/provider"), json!({ "name": "libvirt" })),
        (format!("{version}/provider/libvirt/architecture"), json!({ "name": "arm64" })),
    ] {
        expect(201, admin.post(&path, &body).await);
    }
    let upload = format!("{version}/provider/libvirt/architecture/arm64/file/upload");
    expect(200, admin.upload(&upload, other.bytes.clone(), &[]).await);
    let files = expect(200, admin.get(&format!("{version}/files")).await).data();
    let names: Vec<_> = files
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["provider"].as_str().unwrap(), file["architecture"].as_str().unwrap()))
        .collect();
    assert_eq!(names, [("libvirt", "arm64"), ("virtualbox", "amd64")]);
    let (first, second) = (&files[0]["file"], &files[1]["file"]);
    assert_eq!((&first["checksum"], second), (&json!(other.sha256), &Value::Null));
    assert_eq!(first["archive"]["metadata"]["provider"], "libvirt");
    assert_eq!(first["archive"]["compression"], "gzip");
    let info = format!("{version}/provider/libvirt/architecture/arm64/file/info");
    let info = expect(200, admin.get(&info).await).data();
    assert_eq!(info["archive"], first["archive"]);
    // nobody sees those of a version that is being prepared
    let anyone = server.anonymous();
    assert_eq!(anyone.get(&format!("{version}/files")).await.status, 404);
    let released = "/api/organization/acme/box/web/version/1.0.0/files";
    assert_eq!(expect(200, anyone.get(released).await).data().as_array().unwrap().len(), 1);
}
