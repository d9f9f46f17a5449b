//! Requests that mean harm, or that come ten thousand times as large as anybody needs.

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::BoxBuilder,
    client::send,
    mail::{ARRIVAL_DEADLINE, files},
    raw,
    server::PASSWORD,
    wait_for,
};
use reqwest::Method;
use serde_json::{Value, json};

/// More than any list, text or body of people has.
const MANY: usize = 10_000;

async fn server() -> (TestServer, Client) {
    let server = TestServer::builder()
        .set("limits.requests_per_minute", "0")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let admin = server.admin().await;
    (server, admin)
}

#[track_caller]
fn assert_refused(reply: &Reply, statuses: &[u16], what: &str) {
    let text: String = reply.text().chars().take(500).collect();
    assert!(statuses.contains(&reply.status), "{what}: {} {text}", reply.status);
    assert!(reply.bytes.len() < 3 * MANY, "{what}: the refusal has {} bytes", reply.bytes.len());
}

/// What a request names in its body is looked up as what it names in its path: another tenant's is not there.
#[tokio::test]
async fn what_a_body_names_of_another_tenant_is_as_what_does_not_exist() {
    let (server, admin) = server().await;
    let (anna, ben) = (server.user("anna").await, server.user("ben").await);
    assert_eq!(ben.post("/api/organization", &json!({ "name": "hidden" })).await.status, 201);
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    anna.prepare(&at).await;
    let of_ben = Publication::new("hidden", "web", &file.bytes);
    ben.prepare(&of_ben).await;
    let begin = |client: &Client, at: &Publication<'_>, concat: String| {
        let request = client.request(Method::POST, &format!("{}/uploads", at.file_path()));
        let request = request.header("tus-resumable", "1.0.0").header("upload-concat", &concat);
        if concat == "partial" { request.header("upload-length", "10") } else { request }
    };
    let piece = send(begin(&ben, &of_ben, "partial".to_owned())).await;
    let piece = piece.header("location").expect("it was begun").to_owned();
    let nowhere =
        piece.replace(piece.rsplit('/').next().unwrap(), "01a209f3-f74e-71ed-aee1-23a3bce95a3e");

    let told = |reply: &Reply, name: &str| {
        let mut body = reply.json();
        if let Some(error) = body.get_mut("error").and_then(Value::as_object_mut) {
            error.remove("request_id");
        }
        (reply.status, body.to_string().replace(name, "*"))
    };
    let twins = [("hidden", "absent")];
    for (there, absent) in twins {
        for (method, path, field) in [
            (Method::POST, "/api/user/tokens", "organization"),
            (Method::PUT, "/api/user/preferences", "defaultOrganization"),
            (Method::PUT, "/api/organization/acme/box/web/transfer", "organization"),
        ] {
            let ask = async |name: &str| {
                let mut body = json!({ field: name });
                if path.ends_with("tokens") {
                    body["description"] = json!("d");
                }
                let reply = send(anna.request(method.clone(), path).json(&body)).await;
                told(&reply, name)
            };
            let (found, missing) = (ask(there).await, ask(absent).await);
            assert!(found.0 >= 400, "{path}: {found:?}");
            assert_eq!(found, missing, "{path}");
        }
    }
    let of_another = send(begin(&anna, &at, format!("final;{piece}"))).await;
    let of_nobody = send(begin(&anna, &at, format!("final;{nowhere}"))).await;
    assert_eq!((of_another.status, &*of_another.code()), (404, "UPLOAD_NOT_FOUND"));
    assert_eq!(told(&of_another, &piece), told(&of_nobody, &nowhere));
    // an account that is somebody's is no way in
    let member = json!({ "username": "ben", "role": "member" });
    assert_eq!(anna.post("/api/organization/hidden/members", &member).await.status, 404);
    assert_eq!(admin.get("/api/organization/hidden/members").await.json()["page"]["total"], 1);
}

#[tokio::test]
async fn options_tells_nobody_what_there_is() {
    let (server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let stranger = server.user("stranger").await;
    let document = admin.get("/api-docs/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().unwrap() {
        let fill = |organization: &str| {
            let path = path.replace("{organization}", organization).replace("{version}", "1.0.0");
            path.replace("{id}", "01a209f3-f74e-71ed-aee1-23a3bce95a3e")
                .replace("{number}", "1")
                .replace(['{', '}'], "")
        };
        let ask =
            async |client: &Client, path: &str| send(client.request(Method::OPTIONS, path)).await;
        let documented = item.get("options").is_some();
        let is_of_others = ["/{", "/api/v1/", "/api/v2/", "/vagrant/", "/operation/", "/oauth2/"]
            .iter()
            .any(|it| path.starts_with(it));
        for client in [&server.anonymous(), &stranger] {
            let (there, absent) =
                (ask(client, &fill("acme")).await, ask(client, &fill("acmf")).await);
            assert_eq!(there.status, absent.status, "{path}");
            if !documented && !is_of_others {
                assert_eq!((there.status, &*there.code()), (405, "METHOD_NOT_ALLOWED"), "{path}");
            }
            assert!(there.status >= 400 || documented, "{path}: {}", there.status);
            assert_eq!(there.header("access-control-allow-origin"), None, "{path}");
        }
    }
}

/// Whoever slips their own token to somebody gets nothing of what that somebody signs in for.
#[tokio::test]
async fn signing_in_takes_over_nothing_that_was_presented() {
    let (server, _) = server().await;
    let (mallory, _victim) = (server.user("mallory").await, server.user("victim").await);
    let id = |client: &Value| client["current"].as_bool().unwrap_or_default();
    let credentials = json!({ "username": "victim", "password": PASSWORD });
    let signed_in = mallory.post("/api/auth/signin", &credentials).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    let data = signed_in.data();
    let victim = server.anonymous().with_token(data["accessToken"].as_str().unwrap());
    assert_ne!(victim.token(), mallory.token());
    assert_eq!(victim.get("/api/user").await.data()["username"], "victim");
    assert_eq!(mallory.get("/api/user").await.data()["username"], "mallory");
    let session = async |client: &Client| {
        let list = client.get("/api/auth/sessions").await.data();
        let current = list.as_array().unwrap().iter().find(|one| id(one)).cloned().unwrap();
        current["id"].clone()
    };
    assert_ne!(session(&victim).await, session(&mallory).await);
    // a refresh gives tokens that were never there before, whoever asks
    let refresh = json!({ "refreshToken": data["refreshToken"] });
    let fresh = mallory.post("/api/auth/refresh-token", &refresh).await.data();
    assert_ne!(fresh["refreshToken"], data["refreshToken"]);
    assert_eq!(mallory.get("/api/user").await.data()["username"], "mallory");
}

#[tokio::test]
async fn a_host_that_is_not_ours_reaches_no_mail_and_no_location() {
    let (server, admin) = server().await;
    let anna = server.user("anna").await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    anna.prepare(&at).await;
    let token = format!("x-access-token: {}", anna.token().unwrap());
    let evil = [
        "Host: evil.example",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Proto: gopher",
        "X-Forwarded-Port: 666",
        "X-Original-URL: //evil.example/",
        "Forwarded: host=evil.example;proto=gopher",
    ];
    let post = async |path: &str, more: &[&str], body: &Value| {
        let line = format!("POST {path} HTTP/1.1");
        let json = if body.is_null() { "X-None: 1" } else { "Content-Type: application/json" };
        let lines = [&[&*line, &*token, json], more, &evil[..]].concat();
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        raw::send(server.http(), &lines, &body).await
    };
    let invitation = json!({ "email": "guest@example.com" });
    let sent = post("/api/organization/acme/invitations", &[], &invitation).await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    let wish = post("/api/auth/forgot-password", &[], &json!({ "email": "anna" })).await;
    assert_eq!(wish.status, 200, "{}", wish.text());
    let uploads = format!("{}/uploads", at.file_path());
    let begun = post(&uploads, &["Tus-Resumable: 1.0.0", "Upload-Length: 10"], &Value::Null).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    let upload = format!("{}/upload", at.file_path());
    assert_eq!(anna.upload(&upload, file.bytes.clone(), &[]).await.status, 200);
    let link = post(&format!("{}/get-download-link", at.file_path()), &[], &json!({})).await;
    assert_eq!(link.status, 200, "{}", link.text());
    for reply in [sent, wish, begun, link] {
        let shown = format!("{:?} {}", reply.headers, reply.text());
        assert!(!shown.contains("evil") && !shown.contains("gopher"), "{shown}");
    }
    let folder = server.data_dir().join("mail");
    let messages = wait_for("both messages", ARRIVAL_DEADLINE, async || {
        let all = files(&folder);
        let sent = |page: &str| all.iter().any(|message| message.contains(page));
        (sent("/invitation#") && sent("/reset-password#")).then_some(all)
    })
    .await;
    for message in messages {
        assert!(!message.contains("evil") && !message.contains("gopher"), "{message}");
    }
    drop(admin);
}

#[tokio::test]
async fn ten_thousand_of_anything_in_a_body_is_refused_or_made_little() {
    let (server, admin) = server().await;
    assert_eq!(admin.post("/api/organization", &json!({ "name": "acme" })).await.status, 201);
    let boxes = "/api/organization/acme/box";
    assert_eq!(admin.post(boxes, &json!({ "name": "web" })).await.status, 201);
    let web = format!("{boxes}/web");
    let tags: Vec<_> = (0..MANY).map(|number| format!("t{number}")).collect();
    let long = "x".repeat(MANY);
    let fields: serde_json::Map<_, _> = (0..MANY).map(|n| (format!("f{n}"), json!(n))).collect();
    for (what, reply) in [
        ("tags", admin.put(&web, &json!({ "tags": tags })).await),
        ("a tag", admin.put(&web, &json!({ "tags": [&long] })).await),
        ("unknown fields", admin.put(&web, &Value::Object(fields)).await),
        ("a name", admin.post(boxes, &json!({ "name": &long })).await),
        (
            "an address",
            admin
                .put(
                    "/api/user/email",
                    &json!({ "email": format!("{long}@example.com"), "currentPassword": PASSWORD }),
                )
                .await,
        ),
        (
            "a password",
            admin
                .put(
                    "/api/user/password",
                    &json!({ "newPassword": &long, "currentPassword": PASSWORD }),
                )
                .await,
        ),
        ("a short description", admin.put(&web, &json!({ "shortDescription": &long })).await),
        ("a language", admin.put("/api/user/preferences", &json!({ "language": &long })).await),
    ] {
        assert_refused(&reply, &[400], what);
    }
    // the same action ten thousand times is that action
    let actions = json!({ "description": "", "actions": vec!["read"; MANY] });
    let token = admin.post("/api/user/tokens", &actions).await;
    assert_eq!(token.status, 201, "{}", token.text());
    assert_eq!(token.data()["scope"]["actions"], json!(["read"]));
    // as deep as no reader goes
    let nest = |open: &str, close: &str| format!("{}{}", open.repeat(MANY), close.repeat(MANY));
    for body in [nest("[", "]"), nest("{\"a\":", "}"), format!("{{\"name\":{}}}", nest("[", "]"))] {
        let request = admin.request(Method::POST, boxes).header("content-type", "application/json");
        assert_refused(&send(request.body(body)).await, &[400], "deep JSON");
    }
    assert_eq!(admin.get(&web).await.data()["tags"], json!([]));
    assert_eq!(server.anonymous().get("/health/live").await.status, 200);
}

#[tokio::test]
async fn ten_thousand_of_anything_in_a_head_is_refused() {
    let (server, admin) = server().await;
    let long = "x".repeat(MANY);
    for path in [
        "/api/organization?per_page=10000".to_owned(),
        "/api/organization?page=18446744073709551615".to_owned(),
        format!("/api/organization?q={long}"),
        format!("/api/organization?sort={long}"),
        format!("/api/discover?tag={long}"),
        format!("/api/audit?actor={long}"),
        format!("/api/organization/{long}"),
        format!("/api/organization/acme/box/{long}"),
        format!("/api/users/{long}"),
    ] {
        assert_refused(&admin.get(&path).await, &[400, 404, 414, 431], &path[..40.min(path.len())]);
    }
    // many parameters, many headers, many tokens: answered, or refused, and soon
    // half as many: a client sends no longer address
    let parameters: Vec<_> = (0..MANY / 2).map(|number| format!("p{number}=1")).collect();
    let parameters = parameters.join("&");
    let reply = admin.get(&format!("/api/organization?{parameters}")).await;
    assert!([200, 400, 414, 431].contains(&reply.status), "{}", reply.status);
    let tokens = "bvt_nothing;".repeat(300);
    let reply = server.anonymous().with_token(&tokens).get("/api/user").await;
    assert_eq!((reply.status, &*reply.code()), (401, "CREDENTIALS_INVALID"));
    let header = format!("x-access-token: {}", admin.token().unwrap());
    let many: Vec<_> = (0..MANY).map(|number| format!("X-Header-{number}: 1")).collect();
    let lines: Vec<_> = ["GET /api/user HTTP/1.1", &*header]
        .into_iter()
        .chain(many.iter().map(String::as_str))
        .collect();
    let reply = raw::send(server.http(), &lines, b"").await;
    assert!([400, 431].contains(&reply.status), "{}", reply.status);
    assert_eq!(admin.get("/api/user").await.status, 200);
}

/// Whatever a name holds, it stands in headers and in pictures as what it is.
#[tokio::test]
async fn no_name_gets_out_of_the_header_or_the_picture_that_it_stands_in() {
    let (_server, admin) = server().await;
    let file = BoxBuilder::new("virtualbox").build();
    // as odd as names and versions can be
    let at = Publication {
        version: "1.0.0-rc.1",
        provider: "a.b_c-d",
        architecture: "x86_64",
        ..Publication::new("A.c_m-e", "w.e_b-B", &file.bytes)
    };
    let boxed = BoxBuilder::new("a.b_c-d").build();
    let at = Publication { file: &boxed.bytes, ..at };
    admin.publish(&at).await;
    let reply = admin.get(&format!("{}/download", at.file_path())).await;
    let disposition = reply.header("content-disposition").unwrap();
    let inner =
        disposition.strip_prefix("attachment; filename=\"").unwrap().strip_suffix('"').unwrap();
    assert!(!inner.contains(['"', '\\', ';', '/', '\r', '\n']), "{disposition}");
    // what a form calls its file is nobody's name
    let part = reqwest::multipart::Part::bytes(boxed.bytes.clone())
        .file_name("x\"; filename=\"evil.exe\r\nX-Evil: 1");
    let form = reqwest::multipart::Form::new().part("file", part);
    let next = Publication { version: "1.0.0-rc.2", ..at };
    admin.prepare(&next).await;
    let request = admin.request(Method::POST, &format!("{}/upload", next.file_path()));
    let sent = send(request.multipart(form)).await;
    assert!([200, 400].contains(&sent.status), "{}", sent.text());
    let reply = admin.get(&format!("{}/download", next.file_path())).await;
    let shown = format!("{:?}", reply.headers);
    assert!(!shown.contains("evil"), "{shown}");
    let badge = admin.get("/badge/A.c_m-e/w.e_b-B.svg").await;
    assert_eq!(badge.status, 200, "{}", badge.text());
    assert!(
        badge.text().contains("1.0.0-rc.1") && !badge.text().contains("<script"),
        "{}",
        badge.text()
    );
    let policy = badge.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("default-src 'none'")
            || policy.contains("sandbox")
            || policy.contains("default-src 'self'"),
        "{policy}"
    );
}
