//! The audit log: every change and every refused access, for those who may read it, and no secrets.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, TestServer, bytes::BoxBuilder, client::send, server::PASSWORD, wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);

/// The rows at a path, newest first.
async fn rows(client: &Client, path: &str) -> Vec<Value> {
    let reply = client.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.data().as_array().unwrap().clone()
}

/// `actor credential action object status` of a row.
fn short(row: &Value) -> String {
    let word = |field: &str| row[field].as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {} {} {}",
        word("actor"),
        word("credential"),
        word("action"),
        word("object"),
        row["status"]
    )
}

/// Waits until a refusal is written, which happens every few seconds.
async fn wait_for_row(client: &Client, path: &str, wanted: &str) -> Value {
    wait_for(wanted, DEADLINE, async || {
        rows(client, path).await.into_iter().find(|row| short(row) == wanted)
    })
    .await
}

#[tokio::test]
async fn every_change_is_in_the_log_once_before_its_answer_is() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let anna = server.user("anna").await;
    server.user("ben").await;
    let file = BoxBuilder::new("virtualbox").build();
    anna.publish(&Publication::new("acme", "web", &file.bytes)).await;
    let members = "/api/organization/acme/members";
    anna.post(members, &json!({ "username": "ben", "role": "member" })).await;
    anna.put(&format!("{members}/ben"), &json!({ "role": "admin" })).await;
    anna.put("/api/organization/acme/box/web", &json!({ "isPublic": false, "readme": "secret" }))
        .await;
    anna.delete("/api/organization/acme/box/web").await;

    let version = "box/web/version/1.0.0";
    let provider = format!("{version}/provider/virtualbox");
    let architecture = format!("{provider}/architecture/amd64");
    let of_acme: Vec<_> =
        rows(&anna, "/api/organization/acme/audit").await.iter().map(short).collect();
    assert_eq!(
        of_acme,
        [
            "anna session delete box/web 200".to_owned(),
            "anna session update box/web 200".to_owned(),
            "anna session update member/ben 200".to_owned(),
            "anna session create member/ben 201".to_owned(),
            format!("anna session release {version} 200"),
            format!("anna session upload {architecture}/file 200"),
            format!("anna session create {architecture} 201"),
            format!("anna session create {provider} 201"),
            format!("anna session create {version} 201"),
            "anna session create box/web 201".to_owned(),
            "anna session create organization 201".to_owned(),
        ]
    );
    let changed = rows(&anna, "/api/organization/acme/audit?action=update&object=box").await;
    assert_eq!(changed[0]["detail"]["fields"], json!(["isPublic=false", "readme"]));
    assert_eq!(changed[0]["detail"]["operation"], "update_box");
    for field in ["requestId", "policyDigest", "address", "at", "organization", "actorId"] {
        assert!(changed[0][field].is_string(), "{field}: {}", changed[0]);
    }
    // who signed in is known from then on, and so is who signed up
    let everything = rows(&root, "/api/audit?actor=anna&object=session").await;
    assert_eq!(short(&everything[0]), "anna none create session 200");
    let signed_up = rows(&root, "/api/audit?actor=anna&object=account").await;
    assert_eq!(short(&signed_up[0]), "anna none create account 201");
}

#[tokio::test]
async fn a_row_says_who_by_what_to_what_from_where_by_which_policy_in_which_request() {
    let server = TestServer::builder().set("server.trusted_proxies", "127.0.0.1").start().await;
    server.admin().await;
    let anna = server.user("anna").await;
    let account = anna.get("/api/user").await.data();
    let token = server.api_token("anna").await;
    let by_token = server.anonymous().with_token(&token);
    for (client, credential, name) in [(&anna, "session", "acme"), (&by_token, "token", "globex")] {
        let request = client.request(Method::POST, "/api/organization");
        let request = request.header("x-forwarded-for", "192.0.2.7").json(&json!({ "name": name }));
        let reply = send(request.header("x-request-id", format!("of-{name}"))).await;
        assert_eq!(reply.header("x-request-id"), Some(&*format!("of-{name}")));
        let log = rows(client, &format!("/api/organization/{name}/audit")).await;
        let [row] = &log[..] else { panic!("{log:?}") };
        for (field, expected) in [
            ("actor", json!("anna")),
            ("actorId", account["id"].clone()),
            ("credential", json!(credential)),
            ("action", json!("create")),
            ("organization", json!(name)),
            ("object", json!("organization")),
            ("allowed", json!(true)),
            ("status", json!(201)),
            ("address", json!("192.0.2.7")),
            ("requestId", json!(format!("of-{name}"))),
        ] {
            assert_eq!(row[field], expected, "{field} of {row}");
        }
        let digest = row["policyDigest"].as_str().unwrap();
        assert!(digest.len() == 64 && digest.bytes().all(|c| c.is_ascii_hexdigit()), "{digest}");
    }
}

#[tokio::test]
async fn every_refusal_is_in_the_log_for_whom_it_concerns() {
    let server = TestServer::start().await;
    let root = server.admin().await;
    let anna = server.user("anna").await;
    let stranger = server.user("stranger").await;
    anna.post("/api/organization", &json!({ "name": "acme", "accessMode": "invite_only" })).await;
    let path = "/api/organization/acme/box";
    anna.post(path, &json!({ "name": "secret" })).await;

    assert_eq!(stranger.get("/api/organization/acme/box/secret").await.status, 404);
    assert_eq!(stranger.delete("/api/organization/acme").await.status, 403);
    assert_eq!(server.anonymous().get("/api/organization/acme/box/secret").await.status, 404);
    let bad = server.anonymous().with_token("bvt_nothing");
    assert_eq!(bad.put("/api/organization/acme/box/secret", &json!({})).await.status, 401);
    let wrong = json!({ "username": "anna", "password": "not the password" });
    assert_eq!(server.anonymous().post("/api/auth/signin", &wrong).await.status, 401);
    // nobody presented anything: nothing to record
    assert_eq!(server.anonymous().get("/api/user").await.status, 401);

    let log = "/api/organization/acme/audit?allowed=false";
    for wanted in [
        "stranger session read box/secret 404",
        "stranger session delete organization 403",
        "- none read box/secret 404",
        "- invalid update box/secret 401",
    ] {
        let row = wait_for_row(&anna, log, wanted).await;
        assert_eq!(row["allowed"], false);
        assert!(row["policyDigest"].is_string() && row["address"].is_string(), "{row}");
    }
    wait_for_row(&root, "/api/audit?allowed=false", "- none create session 401").await;
    let all: Vec<_> = rows(&root, "/api/audit?allowed=false").await.iter().map(short).collect();
    assert_eq!(all.len(), 5, "{all:#?}");
    // a refused look into the log is one, too
    assert_eq!(stranger.get("/api/organization/acme/audit").await.status, 403);
    assert_eq!(stranger.get("/api/audit").await.status, 403);
    wait_for_row(&anna, log, "stranger session read audit 403").await;
    // so is an attempt without credentials at what is somebody's
    assert_eq!(server.anonymous().delete("/api/organization/acme").await.status, 401);
    wait_for_row(&anna, log, "- none delete organization 401").await;
}

#[tokio::test]
async fn of_an_upload_in_pieces_its_begin_and_its_end_are_told_and_no_chunk() {
    let server = TestServer::start().await;
    server.admin().await;
    let anna = server.user("anna").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    anna.prepare(&at).await;
    let uploads = format!("{}/uploads", at.file_path());
    let tus = async |method: Method, path: &str, headers: &[(&str, &str)], body: &[u8]| {
        let mut request = anna.request(method, path).header("tus-resumable", "1.0.0");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(request.body(body.to_vec())).await
    };
    let length = file.bytes.len().to_string();
    let begin = async || {
        let begun = tus(Method::POST, &uploads, &[("upload-length", &length)], b"").await;
        assert_eq!(begun.status, 201, "{}", begun.text());
        begun.header("location").unwrap().to_owned()
    };
    let (kept, given_up) = (begin().await, begin().await);
    let (first, rest) = file.bytes.split_at(100);
    let (half, end) = first.split_at(50);
    for (offset, chunk) in [(0, half), (50, end), (100, rest)] {
        assert_eq!(tus(Method::HEAD, &kept, &[], b"").await.status, 200);
        assert_eq!(tus(Method::GET, &kept, &[], b"").await.status, 200);
        let offset = offset.to_string();
        let headers =
            [("upload-offset", &*offset), ("content-type", "application/offset+octet-stream")];
        let reply = tus(Method::PATCH, &kept, &headers, chunk).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
    }
    assert_eq!(tus(Method::DELETE, &given_up, &[], b"").await.status, 204);
    assert_eq!(tus(Method::DELETE, &given_up, &[], b"").await.status, 404);
    let log = rows(&anna, "/api/organization/acme/audit?action=upload").await;
    let told = |row: &Value| (row["detail"]["step"].clone(), row["detail"]["upload"].clone());
    let id = |location: &str| location.rsplit('/').next().unwrap().to_owned();
    let (kept, given_up) = (json!(id(&kept)), json!(id(&given_up)));
    assert_eq!(
        log.iter().map(told).collect::<Vec<_>>(),
        [
            (json!("aborted"), given_up.clone()),
            (json!("finished"), kept.clone()),
            (json!("begun"), given_up),
            (json!("begun"), kept),
        ]
    );
}

#[tokio::test]
async fn who_gives_access_away_is_in_the_log_and_the_link_is_not() {
    let server = TestServer::start().await;
    server.admin().await;
    let anna = server.user("anna").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    anna.publish(&at).await;
    let path = format!("{}/get-download-link", at.file_path());
    for reply in [anna.get(&path).await, anna.post(&path, &json!({})).await] {
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    // to read the file itself is no change
    assert_eq!(anna.get(&format!("{}/download", at.file_path())).await.status, 200);
    let log = rows(&anna, "/api/organization/acme/audit?action=download").await;
    let object = "box/web/version/1.0.0/provider/virtualbox/architecture/amd64/file";
    let expected = format!("anna session download {object} 200");
    assert_eq!(log.iter().map(short).collect::<Vec<_>>(), [&*expected, &*expected]);
    let text = anna.get("/api/organization/acme/audit/export").await.text();
    assert!(!text.contains("link=") && !text.contains("http"), "{text}");
}

#[tokio::test]
async fn what_concerns_two_organizations_or_a_member_who_leaves_is_in_each_log() {
    let server = TestServer::start().await;
    server.admin().await;
    let (anna, ben) = (server.user("anna").await, server.user("ben").await);
    for name in ["acme", "globex"] {
        anna.post("/api/organization", &json!({ "name": name })).await;
    }
    anna.post("/api/organization/acme/box", &json!({ "name": "web" })).await;
    let to = json!({ "organization": "globex" });
    let moved = anna.put("/api/organization/acme/box/web/transfer", &to).await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    let member = json!({ "username": "ben", "role": "member" });
    anna.post("/api/organization/globex/members", &member).await;
    assert_eq!(ben.post("/api/user/leave/globex", &json!({})).await.status, 200);
    let newest = async |path: &str| rows(&anna, path).await.first().cloned().unwrap();
    for organization in ["acme", "globex"] {
        let log = format!("/api/organization/{organization}/audit?action=transfer");
        let row = newest(&log).await;
        assert_eq!(short(&row), "anna session transfer box/web 200");
        assert_eq!(row["detail"]["fields"], json!(["organization=globex"]));
    }
    let row = newest("/api/organization/globex/audit").await;
    assert_eq!(short(&row), "ben session update profile 200");
    assert_eq!(row["detail"]["operation"], "leave_organization");
}

#[tokio::test]
async fn nothing_secret_is_in_the_audit_log() {
    const CANARY: &str = "canary-0f3c9a";
    let server = TestServer::start().await;
    let root = server.admin().await;
    let password = format!("{CANARY} password");
    let user = json!({ "username": "cara", "email": "cara@example.com", "password": password });
    assert_eq!(server.anonymous().post("/api/auth/signup", &user).await.status, 201);
    let cara = server.anonymous().sign_in("cara", &password).await;
    let reply = cara.post("/api/user/tokens", &json!({ "description": "d" })).await;
    let token = reply.data()["token"].as_str().unwrap().to_owned();
    let next = format!("{CANARY} another one");
    let change = json!({ "currentPassword": password, "newPassword": next });
    assert_eq!(cara.put("/api/user/password", &change).await.status, 200);
    for (name, wrong) in [("cara", CANARY), (CANARY, CANARY)] {
        let wrong = json!({ "username": name, "password": wrong });
        assert_eq!(server.anonymous().post("/api/auth/signin", &wrong).await.status, 401);
    }
    let bad = server.anonymous().with_token(CANARY);
    assert_eq!(bad.get(&format!("/api/user?access_token={CANARY}")).await.status, 401);
    assert_eq!(bad.delete("/api/user").await.status, 401);

    wait_for_row(&root, "/api/audit?allowed=false", "- invalid delete profile 401").await;
    let everything = root.get("/api/audit/export").await.text();
    assert!(everything.lines().count() > 5, "{everything}");
    let session = cara.token().unwrap();
    for secret in [CANARY, PASSWORD, &*token, session] {
        assert!(!everything.contains(secret), "{secret} is in the log:\n{everything}");
    }
}

#[tokio::test]
async fn an_organizations_log_is_its_own_whatever_becomes_of_its_name() {
    let server =
        TestServer::builder().set("organizations.former_names_lead_for", "0 s").start().await;
    server.admin().await;
    let (anna, ben) = (server.user("anna").await, server.user("ben").await);
    anna.post("/api/organization", &json!({ "name": "acme" })).await;
    anna.put("/api/organization/acme", &json!({ "name": "umbrella" })).await;
    ben.post("/api/organization", &json!({ "name": "acme" })).await;
    let of = async |client: &Client, name: &str| {
        let path = format!("/api/organization/{name}/audit");
        rows(client, &path).await.iter().map(short).collect::<Vec<_>>()
    };
    assert_eq!(
        of(&anna, "umbrella").await,
        ["anna session update organization 200", "anna session create organization 201"]
    );
    assert_eq!(of(&ben, "acme").await, ["ben session create organization 201"]);
    // members do not read it
    let path = "/api/organization/acme/members";
    ben.post(path, &json!({ "username": "anna", "role": "member" })).await;
    assert_eq!(anna.get("/api/organization/acme/audit").await.status, 403);
}

#[tokio::test]
async fn the_log_is_filtered_paged_and_exported() {
    let server = TestServer::builder().set("limits.requests_per_minute", "0").start().await;
    server.admin().await;
    let anna = server.user("anna").await;
    anna.post("/api/organization", &json!({ "name": "acme" })).await;
    for n in 0..40 {
        anna.post("/api/organization/acme/box", &json!({ "name": format!("b{n}") })).await;
    }
    let log = "/api/organization/acme/audit";
    let page = anna.get(&format!("{log}?per_page=20&page=2&action=create&object=box")).await;
    assert_eq!(page.json()["page"], json!({ "number": 2, "size": 20, "total": 40 }));
    assert!(page.header("link").unwrap().contains("action=create"), "{:?}", page.header("link"));
    let first = page.data()[0]["at"].as_str().unwrap().to_owned();
    let later = rows(&anna, &format!("{log}?since={first}&per_page=200")).await;
    let earlier = rows(&anna, &format!("{log}?until={first}&per_page=200")).await;
    assert_eq!(later.len() + earlier.len(), 41);
    for (query, field) in [
        ("since=yesterday", "since"),
        ("allowed=maybe", "allowed"),
        ("actor=..", "actor"),
        ("q=x", "q"),
        ("sort=name", "sort"),
        ("per_page=201", "per_page"),
    ] {
        let reply = anna.get(&format!("{log}?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        assert!(reply.json()["error"]["fields"][field].is_string(), "{query}: {}", reply.text());
    }

    let lines = anna.get(&format!("{log}/export")).await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let lines: Vec<Value> =
        lines.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 41);
    assert_eq!(short(&lines[0]), "anna session create organization 201");
    let table = anna.get(&format!("{log}/export?format=csv&object=box/b7")).await;
    assert_eq!(table.header("content-type"), Some("text/csv"));
    let disposition = table.header("content-disposition").unwrap();
    assert_eq!(disposition, "attachment; filename=\"audit-acme.csv\"");
    let text = table.text();
    let rows: Vec<_> = text.lines().collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert!(rows[0].starts_with("id,at,actor,actorId,"), "{text}");
    assert!(
        rows[1].contains(",anna,") && rows[1].contains(",create,acme,box/b7,true,201,"),
        "{text}"
    );
    assert_eq!(anna.get(&format!("{log}/export?format=xml")).await.status, 400);
    assert_eq!(anna.get("/api/audit/export").await.status, 403);
}

#[tokio::test]
async fn refusals_that_do_not_fit_are_counted_and_those_that_wait_survive_a_stop() {
    let mut server = TestServer::builder()
        .set("audit.refusals_waiting_max", "3")
        .set("limits.requests_per_minute", "0")
        .start()
        .await;
    let root = server.admin().await;
    let anonymous = server.anonymous();
    let dropped = async || {
        let text = anonymous.get("/metrics").await.text();
        let prefix = "boxvault_audit_entries_total{outcome=\"dropped\"} ";
        let line = text.lines().find_map(|line| line.strip_prefix(prefix));
        line.map_or(0, |number| number.parse::<u64>().unwrap())
    };
    // the queue is emptied now and then, so that it takes some of them to fill it
    wait_for("a refusal that was dropped", DEADLINE, async || {
        for _ in 0..20 {
            let request = anonymous.request(Method::GET, "/api/organization/acme/box/none");
            assert_eq!(send(request).await.status, 404);
        }
        (dropped().await > 0).then_some(())
    })
    .await;
    server.stop().await;
    server.restart().await;
    let refused = rows(&root, "/api/audit?allowed=false").await;
    assert!(!refused.is_empty());
}

#[tokio::test]
async fn old_rows_are_swept() {
    let server = TestServer::builder()
        .set("audit.retention", "1 ms")
        .set("storage.sweep_interval", "100 ms")
        .start()
        .await;
    let root = server.admin().await;
    wait_for("an empty log", DEADLINE, async || {
        rows(&root, "/api/audit").await.is_empty().then_some(())
    })
    .await;
}
