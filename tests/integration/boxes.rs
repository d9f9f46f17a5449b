//! Boxes, providers and architectures: life cycles, who sees what, and exactly one default.

use boxvault_tests::{Publication, TestServer, bytes::BoxBuilder};
use serde_json::{Value, json};

const PROVIDER: &str = "/api/organization/acme/box/web/version/1.0.0/provider/virtualbox";

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_box_lives_from_its_creation_to_its_end() {
    let (server, admin) = TestServer::with_a_box().await;
    let path = "/api/organization/acme/box/db";
    let body =
        json!({ "name": "db", "shortDescription": "s", "description": "d", "readme": "# r" });
    let made = admin.post("/api/organization/acme/box", &body).await;
    assert_eq!(
        (made.status, &made.data()["isPublic"]),
        (201, &json!(false)),
        "private unless said"
    );
    assert_eq!(made.data(), admin.get(path).await.data());
    assert_eq!(admin.post("/api/organization/acme/box", &body).await.status, 409);
    let changed = admin.put(path, &json!({ "description": "e" })).await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        (&changed.data()["shortDescription"], &changed.data()["description"]),
        (&json!("s"), &json!("e"))
    );
    for body in [
        json!({ "shortDescription": "x".repeat(256) }),
        json!({ "description": "x".repeat(65_537) }),
        json!({ "isPublic": "yes" }),
        json!({ "published": true }),
        json!({ "name": null, "organization": "globex" }),
    ] {
        let reply = admin.put(path, &body).await;
        assert_eq!((reply.status, &*reply.code()), (400, "INVALID_INPUT"), "{}", reply.text());
    }
    assert_eq!(admin.put(path, &json!({ "name": "web" })).await.status, 409);
    assert_eq!(
        admin.put(path, &json!({ "name": "DB" })).await.data()["name"],
        "DB",
        "its own name"
    );
    assert_eq!(admin.put(path, &json!({ "name": "data" })).await.status, 200);
    assert_eq!(admin.get(path).await.data()["name"], "data", "the old name leads to it");
    assert_eq!(admin.delete("/api/organization/acme/box/data").await.status, 200);
    assert_eq!(admin.delete("/api/organization/acme/box/data").await.status, 404);
    assert_eq!(admin.get(path).await.status, 404);
    drop(server);
}

#[tokio::test]
async fn hiding_a_box_hides_it_at_once_and_everywhere() {
    let (server, admin) = TestServer::with_a_box().await;
    let file = BoxBuilder::new("virtualbox").build();
    let publication = Publication::new("acme", "web", &file.bytes);
    admin.publish(&publication).await;
    let client = server.anonymous();
    let paths = [
        "/acme/web".to_owned(),
        "/acme/boxes/web".to_owned(),
        "/api/v2/vagrant/acme/web".to_owned(),
        publication.vagrant_path(),
        "/acme/boxes/web/versions/1.0.0/providers/virtualbox.box".to_owned(),
        format!("{}/download", publication.file_path()),
        format!("{}/info", publication.file_path()),
        "/api/organization/acme/box/web".to_owned(),
        "/api/organization/acme/box/web/version/1.0.0".to_owned(),
    ];
    for (public, status, listed) in [(true, 200, 1), (false, 404, 0), (true, 200, 1)] {
        let body = json!({ "isPublic": public });
        assert_eq!(admin.put("/api/organization/acme/box/web", &body).await.status, 200);
        for path in &paths {
            assert_eq!(client.get(path).await.status, status, "{path}, public: {public}");
            assert_eq!(client.head(path).await.status, status, "HEAD {path}, public: {public}");
        }
        assert_eq!(client.get("/api/discover").await.json()["page"]["total"], listed);
    }
}

#[tokio::test]
async fn lists_show_what_single_reads_show() {
    let (server, admin) = TestServer::with_a_box().await;
    let stranger = server.user("sam").await;
    for (name, public) in [("alpha", true), ("beta", false), ("gamma", true)] {
        let body = json!({ "name": name, "isPublic": public, "shortDescription": "Linux" });
        assert_eq!(admin.post("/api/organization/acme/box", &body).await.status, 201);
    }
    assert_eq!(names(&admin.get("/api/discover").await.json()), ["alpha", "beta", "gamma", "web"]);
    for client in [&stranger, &server.anonymous()] {
        let list = client.get("/api/discover").await.json();
        assert_eq!(names(&list), ["alpha", "gamma", "web"]);
        assert_eq!(list["page"]["total"], 3);
        // the organization itself is private, and so is the list of what it has
        assert_eq!(client.get("/api/organization/acme/box").await.status, 404);
    }
    admin.put("/api/organization/acme", &json!({ "accessMode": "invite_only" })).await;
    let list = stranger.get("/api/organization/acme/box").await.json();
    assert_eq!((names(&list), &list["page"]["total"]), (vec!["alpha", "gamma", "web"], &json!(3)));
    let found = stranger.get("/api/discover?q=LINUX&sort=name&order=desc").await.json();
    assert_eq!(names(&found), ["gamma", "alpha"]);
    assert_eq!(stranger.get("/api/discover?sort=secret").await.status, 400);
    for sort in ["name", "created", "updated", "downloads"] {
        assert_eq!(stranger.get(&format!("/api/discover?sort={sort}")).await.status, 200, "{sort}");
    }
}

#[tokio::test]
async fn a_provider_has_exactly_one_default_architecture() {
    let (_server, admin) = TestServer::with_a_box().await;
    let path = format!("{PROVIDER}/architecture");
    let defaults = async || {
        let list = admin.get(&path).await.json();
        let all = list["data"].as_array().unwrap().clone();
        let of = all.iter().filter(|item| item["defaultBox"] == true);
        of.map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, ["amd64"], "the first one is");
    let body = json!({ "name": "arm64", "defaultBox": false });
    assert_eq!(admin.post(&path, &body).await.status, 201);
    assert_eq!(defaults().await, ["amd64"]);
    assert_eq!(admin.post(&path, &json!({ "name": "i386", "defaultBox": true })).await.status, 201);
    assert_eq!(defaults().await, ["i386"], "a new one takes it over");
    let set = admin.put(&format!("{path}/arm64"), &json!({ "defaultBox": true })).await;
    assert_eq!((set.status, &set.data()["defaultBox"]), (200, &json!(true)));
    assert_eq!(defaults().await, ["arm64"]);
    let unset = admin.put(&format!("{path}/arm64"), &json!({ "defaultBox": false })).await;
    assert_eq!((unset.status, &*unset.code()), (400, "INVALID_INPUT"));
    assert_eq!(defaults().await, ["arm64"]);
    assert_eq!(admin.delete(&format!("{path}/arm64")).await.status, 200);
    assert_eq!(defaults().await.len(), 1, "another one is promoted");
    let renames = [("amd64", "i386", 409), ("amd64", "x64", 200)];
    for (from, to, status) in renames {
        let reply = admin.put(&format!("{path}/{from}"), &json!({ "name": to })).await;
        assert_eq!(reply.status, status, "{from} to {to}: {}", reply.text());
    }
    for name in ["i386", "x64"] {
        assert_eq!(admin.delete(&format!("{path}/{name}")).await.status, 200);
    }
    assert_eq!(defaults().await, Vec::<String>::new());
    // many at once still leave one
    let bodies: Vec<_> = (0..5)
        .map(|number| json!({ "name": format!("cpu{number}"), "defaultBox": true }))
        .collect();
    let all =
        futures_util::future::join_all(bodies.iter().map(|body| admin.post(&path, body))).await;
    assert!(all.iter().all(|reply| reply.status == 201));
    assert_eq!(defaults().await.len(), 1);
}

#[tokio::test]
async fn a_provider_lives_from_its_creation_to_its_end() {
    let (_server, admin) = TestServer::with_a_box().await;
    let path = "/api/organization/acme/box/web/version/1.0.0/provider";
    let made = admin.post(path, &json!({ "name": "libvirt", "description": "d" })).await;
    assert_eq!(made.status, 201);
    assert_eq!(names(&admin.get(path).await.json()), ["libvirt", "virtualbox"]);
    let changed = admin.put(&format!("{path}/libvirt"), &json!({ "name": "qemu" })).await;
    assert_eq!((changed.status, &changed.data()["description"]), (200, &json!("d")));
    assert_eq!(
        admin.put(&format!("{path}/qemu"), &json!({ "name": "virtualbox" })).await.status,
        409
    );
    assert_eq!(admin.delete(&format!("{path}/qemu")).await.status, 200);
    let gone = admin.get(&format!("{path}/qemu")).await;
    assert_eq!((gone.status, &*gone.code()), (404, "PROVIDER_NOT_FOUND"));
    for (path, code) in [
        ("/api/organization/acme/box/web/version/9.9.9", "VERSION_NOT_FOUND"),
        ("/api/organization/acme/box/nobox/version/1.0.0", "BOX_NOT_FOUND"),
        ("/api/organization/nowhere/members", "ORGANIZATION_NOT_FOUND"),
    ] {
        let reply = admin.get(path).await;
        assert_eq!((reply.status, &*reply.code()), (404, code), "{path}");
    }
    let reply = admin.get(&format!("{PROVIDER}/architecture/mips")).await;
    assert_eq!((reply.status, &*reply.code()), (404, "ARCHITECTURE_NOT_FOUND"));
}

#[tokio::test]
async fn a_body_that_is_no_json_of_ours_is_refused_with_its_reason() {
    let server = TestServer::builder().set("limits.json_body_bytes_max", "1 KiB").start().await;
    let admin = server.admin().await;
    let send = async |kind: &str, body: Vec<u8>| {
        let request = admin.request(reqwest::Method::POST, "/api/organization");
        boxvault_tests::client::send(request.header("content-type", kind).body(body)).await
    };
    let json = "application/json";
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500)).into_bytes();
    for (kind, body, status, code) in [
        (json, b"{".to_vec(), 400, "MALFORMED_BODY"),
        (json, b"{\"name\":\"a\"}x".to_vec(), 400, "MALFORMED_BODY"),
        (json, b"{\"name\":\"\xff\"}".to_vec(), 400, "MALFORMED_BODY"),
        (json, b"null".to_vec(), 400, "INVALID_INPUT"),
        (json, b"[]".to_vec(), 400, "INVALID_INPUT"),
        (json, b"{\"name\":\"a\",\"name\":\"b\"}".to_vec(), 400, "INVALID_INPUT"),
        (json, deep, 400, "INVALID_INPUT"),
        ("text/plain", b"{\"name\":\"a\"}".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("application/x-www-form-urlencoded", b"name=a".to_vec(), 415, "UNSUPPORTED_MEDIA_TYPE"),
        (json, vec![b' '; 2000], 413, "BODY_TOO_LARGE"),
    ] {
        let reply = send(kind, body.clone()).await;
        let shown = String::from_utf8_lossy(&body).chars().take(40).collect::<String>();
        assert_eq!(
            (reply.status, &*reply.code()),
            (status, code),
            "{kind} {shown}: {}",
            reply.text()
        );
    }
    assert_eq!(admin.get("/api/organization").await.json()["page"]["total"], 0);
    assert_eq!(
        send("application/json; charset=utf-8", b"{\"name\":\"a\"}".to_vec()).await.status,
        201
    );
}
