//! What operators read: numbers, health, request ids and log lines, and that no secret is in any of them.
//!
//! The log is taken from the process itself, so a line that a library writes is judged like one of ours.

use std::time::Duration;

use boxvault_tests::{
    Client, Publication, TestServer,
    bytes::BoxBuilder,
    server::{ADMIN_NAME, PASSWORD},
    wait_for,
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(20);

/// The value of a series in a text of metrics; zero when it is not there.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics
        .lines()
        .find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

#[tokio::test]
async fn metrics_are_well_formed_and_count_what_happens() {
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let anyone = server.anonymous();
    assert!(anyone.get(&at.vagrant_path()).await.bytes == file.bytes);
    let refused = admin.upload(&format!("{}/upload", at.file_path()), vec![1], &[]).await;
    assert_eq!(refused.status, 409);
    let odd = format!("/{}/x", "y".repeat(50));
    assert_eq!(anyone.get(&odd).await.status, 404);

    let reply = anyone.get("/metrics").await;
    assert_eq!(reply.status, 200);
    let kind = reply.header("content-type").unwrap_or_default();
    assert!(kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text"));
    let text = reply.text();
    for line in text.lines() {
        let is_comment = line.starts_with("# HELP ")
            || line.starts_with("# TYPE ")
            || line.starts_with("# UNIT ")
            || line == "# EOF";
        let is_sample = line.starts_with("boxvault_")
            && line.rsplit(' ').next().is_some_and(|number| number.parse::<f64>().is_ok());
        assert!(is_comment || is_sample, "not a line of metrics: {line:?}");
        assert!(!line.contains(&"y".repeat(50)), "a path that a client chose is a label: {line}");
    }
    assert!(value(&text, "boxvault_uploads_total{outcome=\"stored\"}") >= 1.0, "{text}");
    let bytes = f64::from(u32::try_from(file.bytes.len()).unwrap());
    assert!(value(&text, "boxvault_upload_bytes_total") >= bytes, "{text}");
    assert!(value(&text, "boxvault_download_bytes_total") >= bytes, "{text}");
    assert!(text.contains("boxvault_uploads_in_flight 0"), "{text}");
    assert!(text.contains("boxvault_sign_ins_total"), "{text}");
    for noun in ["acme", ADMIN_NAME, "web\""] {
        assert!(!text.contains(noun), "{noun} of a tenant is in the metrics");
    }
}

#[tokio::test]
async fn metrics_are_shown_as_the_configuration_says() {
    let off = TestServer::builder().set("metrics.enabled", "false").start().await;
    assert_eq!(off.anonymous().get("/metrics").await.status, 404);
    let known = TestServer::builder().set("metrics.access", "authenticated").start().await;
    let (admin, user) = (known.admin().await, known.user("somebody").await);
    assert!([401, 404].contains(&known.anonymous().get("/metrics").await.status));
    assert!([403, 404].contains(&user.get("/metrics").await.status));
    assert_eq!(admin.get("/metrics").await.status, 200);
    // what only this machine may read is not for those whom a proxy on it brings
    let proxied = TestServer::builder().set("server.trusted_proxies", "127.0.0.1").start().await;
    assert_eq!(proxied.anonymous().get("/metrics").await.status, 200);
    let from_afar = [("x-forwarded-for", "203.0.113.9")];
    let reply = proxied.anonymous().get_with("/metrics", &from_afar).await;
    assert!([401, 404].contains(&reply.status), "{}", reply.status);
}

#[tokio::test]
async fn health_tells_machines_and_people_part_by_part() {
    let server = TestServer::start().await;
    let anyone = server.anonymous();
    let live = anyone.get("/health/live").await;
    assert_eq!((live.status, live.json()["success"].clone()), (200, json!(true)));
    let ready = anyone.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    let data = ready.data();
    assert_eq!(data["ready"], true);
    for part in ["catalog", "store:main", "policy"] {
        assert_eq!(data["parts"][part]["ok"], true, "{data}");
    }
    assert_eq!(anyone.head("/health/ready").await.status, 200);
    // a stale credential of a monitoring tool does not look like an outage of the server
    let bad = anyone.with_token("bogus").get("/health/live").await;
    assert!([200, 401].contains(&bad.status), "{}", bad.status);
}

#[tokio::test]
async fn every_answer_has_a_request_id_that_the_log_knows() {
    let server = TestServer::start().await;
    let anyone = server.anonymous();
    let given = anyone.get_with("/api/nothing", &[("x-request-id", "from-a-client.7")]).await;
    assert_eq!(given.header("x-request-id"), Some("from-a-client.7"));
    assert_eq!(given.json()["error"]["request_id"], "from-a-client.7");
    let made = anyone.get("/api/nothing").await;
    let id = made.header("x-request-id").expect("one of ours").to_owned();
    assert_eq!(made.json()["error"]["request_id"], *id);
    for odd in ["with blank", "\"quoted\"", &"x".repeat(65), "a;b", "<script>"] {
        let reply = anyone.get_with("/health/live", &[("x-request-id", odd)]).await;
        let own = reply.header("x-request-id").expect("one of ours");
        assert!(own != odd && own.len() == 36, "{odd:?} became {own:?}");
    }
    for path in ["/", "/acme/web", "/api-docs/openapi.json", "/metrics"] {
        assert!(anyone.get(path).await.header("x-request-id").is_some(), "{path}");
    }
    wait_for("both ids in the log", DEADLINE, async || {
        let log = server.log();
        (log.contains("from-a-client.7") && log.contains(&id)).then_some(())
    })
    .await;
}

/// Everything secret that a server can be told, sent the ways that it is told.
async fn tell_secrets(server: &TestServer) -> Vec<String> {
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let api_token = server.api_token(ADMIN_NAME).await;
    let setup = server.command(&["setup", "token"], "").await;
    assert!(!setup.status.success(), "it is set up");
    let anyone = server.anonymous();
    let session = json!({ "username": ADMIN_NAME, "password": PASSWORD });
    let session = anyone.post("/api/auth/signin", &session).await.data();
    let text = |key: &str| session[key].as_str().unwrap_or_default().to_owned();
    let mut secrets = vec![api_token.clone(), text("accessToken")];
    for canary in ["canary-password", "canary-token-1", "canary-query"] {
        secrets.push(canary.to_owned());
    }
    let wrong = json!({ "username": ADMIN_NAME, "password": "canary-password" });
    assert_eq!(anyone.post("/api/auth/signin", &wrong).await.status, 401);
    let short = json!({ "username": "a", "password": "canary-password", "x": "canary-password" });
    assert_eq!(anyone.post("/api/auth/signup", &short).await.status, 400);
    assert_eq!(anyone.with_token("canary-token-1").get("/api/user").await.status, 401);
    for (path, status) in [
        (format!("{}?access_token={api_token}", at.vagrant_path()), 200),
        (format!("{}?access_token=canary-query", at.vagrant_path()), 404),
        ("/api/user?access_token=canary-query".to_owned(), 401),
    ] {
        assert_eq!(anyone.get(&path).await.status, status, "{path}");
    }
    let refresh = session["refreshToken"].as_str().unwrap_or_default().to_owned();
    if !refresh.is_empty() {
        let body = json!({ "refreshToken": refresh });
        let renewed = anyone.post("/api/auth/refresh-token", &body).await;
        assert_eq!(renewed.status, 200, "{}", renewed.text());
        secrets.push(refresh);
    }
    secrets.push(PASSWORD.to_owned());
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

#[tokio::test]
async fn no_secret_is_in_the_log_however_much_it_says() {
    let mut server = TestServer::builder().set("log.filter", "debug,boxvault=trace").start().await;
    let secrets = tell_secrets(&server).await;
    let metrics = Client::new(&server.url()).get("/metrics").await.text();
    assert!(server.stop().await.success());
    let log = server.log();
    assert!(log.contains("DEBUG") && log.lines().count() > 20, "too little was logged: {log}");
    for secret in secrets {
        let at = log.find(&secret);
        let around =
            at.map(|at| log[at.saturating_sub(300)..].chars().take(700).collect::<String>());
        assert!(around.is_none(), "{secret:?} is in the log: {}", around.unwrap_or_default());
        assert!(!metrics.contains(&secret), "{secret:?} is in the metrics");
    }
}

#[tokio::test]
async fn log_lines_are_json_when_asked_for_and_name_what_happened() {
    let mut server = TestServer::builder().set("log.format", "json").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    admin.publish(&Publication::new("acme", "web", &file.bytes)).await;
    assert_eq!(admin.get("/api/nothing").await.status, 404);
    assert!(server.stop().await.success());
    let log = server.log();
    // the words for a person at the terminal go to standard output, which is in the same file here
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(!log.lines().any(|line| line.contains(" INFO ")), "a line of text among JSON: {log}");
    for line in &lines {
        for key in ["timestamp", "level", "message", "target"] {
            assert!(line[key].is_string(), "{line} without {key}");
        }
    }
    let stored = lines.iter().find(|line| line["box.name"] == "web").expect("the stored file");
    assert_eq!(stored["size_bytes"], file.bytes.len());
    let refused = lines.iter().find(|line| line["status"] == 404).expect("the refused request");
    assert_eq!(refused["code"], "PATH_NOT_FOUND");
    assert!(refused["duration_ms"].is_u64() && refused["request_id"].is_string(), "{refused}");
    assert!(lines.iter().any(|line| line["message"] == "stopped"));
}
