//! What operators see of plugins: the list of the API, readiness, metrics; and plugins that may be away at the start.

use std::fs;

use boxvault_plugin_sdk::abi;
use boxvault_tests::{
    Publication, TestServer,
    bytes::BoxBuilder,
    faults::refused_start,
    outcome::{DEADLINE, assert_refused, upload},
    server::unconfigured,
    wait_for, workspace,
};
use serde_json::{Value, json};

/// Where cargo leaves the libraries of examples.
fn libraries() -> String {
    workspace::profile_dir().join("deps").to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_list_says_what_each_plugin_is_can_do_and_did() {
    let server = TestServer::builder()
        .set("plugins.search_paths", &libraries())
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "store")
        .set("stores.odd.plugin", "faulty")
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.people.plugin", "faulty")
        .set("auth.providers.people.isolation", "process")
        .start()
        .await;
    let admin = server.admin().await;
    let reply = admin.get("/api/admin/plugins").await;
    let list = reply.data();
    let entries: Vec<_> = list.as_array().unwrap().iter().map(|it| it["entry"].clone()).collect();
    assert_eq!(entries, ["auth.providers.people", "stores.main", "stores.odd"], "{list:#}");
    let [people, main, odd] = [&list[0], &list[1], &list[2]];
    assert_eq!((&main["name"], &main["kind"]), (&json!("fs"), &json!("storage")));
    let contract = format!("{}.{}", abi::ABI_MAJOR, abi::ABI_MINOR);
    assert_eq!((&main["contract"], &main["isolation"]), (&json!(contract), &json!("none")));
    assert_eq!((&main["state"], &main["required"]), (&json!("running"), &json!(true)));
    assert!(main["file"].as_str().unwrap().ends_with("libboxvault_storage_fs.so"), "{main}");
    assert_eq!(main["capabilities"]["declared"], main["capabilities"]["working"]);
    assert!(main["counters"]["calls"].as_u64() > Some(0), "{main}");
    let off: Vec<_> = odd["capabilities"]["switchedOff"].as_array().unwrap().iter().collect();
    let off: Vec<_> = off.iter().map(|it| it["capability"].as_str().unwrap()).collect();
    assert_eq!(off, ["local-path", "create-new"]);
    assert_eq!(odd["capabilities"]["working"], json!(["range-read", "list"]));
    assert_eq!((&people["kind"], &people["isolation"]), (&json!("auth"), &json!("process")));
    assert_eq!(people["capabilities"]["declared"], json!(["password"]));

    let parts = server.anonymous().get("/health/ready").await.json()["data"]["parts"].clone();
    for part in ["store:main", "store:odd", "auth:people"] {
        assert_eq!(parts[part]["plugin"], "running", "{parts}");
    }
    assert_eq!(parts["auth:local"].get("plugin"), None, "it is built in");
    let metrics = admin.get("/metrics").await.text();
    for line in [
        r#"boxvault_plugin_up{entry="stores.main",plugin="fs",kind="storage"} 1"#,
        r#"boxvault_plugin_panics_total{entry="stores.odd",plugin="faulty",kind="storage"} 0"#,
    ] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
    // who asks is nobody else
    assert_refused(
        &server.anonymous().get("/api/admin/plugins").await,
        &[401],
        &["CREDENTIALS_MISSING"],
    );
    let ann = server.user("ann").await;
    assert_refused(&ann.get("/api/admin/plugins").await, &[403], &["PERMISSION_DENIED"]);
}

#[tokio::test]
async fn what_the_kit_found_is_told_until_the_library_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libboxvault_storage_memory.so");
    fs::copy(workspace::profile_dir().join("libboxvault_storage_memory.so"), &library).unwrap();
    let path = library.to_str().unwrap();
    let mut server = TestServer::builder()
        .set("stores.main.plugin", path)
        .set("stores.other.plugin", "fs")
        .set("stores.other.root", "store")
        .start()
        .await;
    let admin = server.admin().await;
    let reports = async || {
        let list = admin.get("/api/admin/plugins").await.data();
        let report = |name: &str| {
            let mut all = list.as_array().unwrap().iter();
            all.find(|it| it["entry"] == name).unwrap()["conformance"].clone()
        };
        (report("stores.main"), report("stores.other"))
    };
    assert_eq!(reports().await, (Value::Null, Value::Null));

    let setting = format!("server.data_dir={}", server.data_dir().display());
    let check = async || {
        let mut command = tokio::process::Command::new(workspace::boxvault());
        let command = unconfigured(&mut command).current_dir(folder.path());
        let arguments = ["plugin", "check", path, "--forgets", "--keep", "--set", &setting];
        let output = command.args(arguments).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("\nkept in "), "{text}");
    };
    check().await;
    let (report, other) = reports().await;
    assert_eq!((&report["passed"], &report["isolation"]), (&json!(true), &json!("none")));
    let suites = report["suites"].as_array().unwrap().iter();
    let names: Vec<_> = suites.map(|suite| suite["suite"].as_str().unwrap()).collect();
    assert_eq!(names, ["abi", "storage", "faults"]);
    let cases: Vec<_> = report["suites"][1]["cases"].as_array().unwrap().iter().collect();
    let of = |outcome: &str| *cases.iter().find(|case| case["outcome"] == outcome).unwrap();
    assert_eq!(of("passed")["reason"], Value::Null);
    assert!(of("not-claimed")["reason"].is_string(), "{report:#}");
    assert_eq!(other, Value::Null, "it is of one library");

    // another library in its place: nobody knows what that one keeps
    let mut bytes = tokio::fs::read(&library).await.unwrap();
    bytes.extend_from_slice(b"another build");
    let next = folder.path().join("next");
    tokio::fs::write(&next, bytes).await.unwrap();
    fs::rename(&next, &library).unwrap();
    server.stop().await;
    server.restart().await;
    assert_eq!(reports().await.0, Value::Null);
    check().await;
    assert_eq!(reports().await.0["passed"], json!(true));
}

#[tokio::test]
async fn a_plugin_that_is_not_required_may_be_away_and_is_taken_when_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().join("libboxvault_storage_shelf.so");
    let server = TestServer::builder()
        .set("plugins.search_paths", folder.path().to_str().unwrap())
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "store")
        .set("stores.late.plugin", library.to_str().unwrap())
        .set("stores.late.required", "false")
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.people.plugin", "nobody")
        .set("auth.providers.people.required", "false")
        .start()
        .await;
    let admin = server.admin().await;
    let entry = async |index: usize| admin.get("/api/admin/plugins").await.data()[index].clone();
    let people = entry(0).await;
    assert_eq!((&people["state"], &people["name"]), (&json!("failed"), &json!("nobody")));
    assert_eq!((&people["file"], &people["required"]), (&Value::Null, &json!(false)));
    let why = people["lastError"]["message"].as_str().unwrap().to_owned();
    assert!(why.contains("there is no plugin \"nobody\""), "{why}");
    assert_eq!(entry(1).await["state"], "failed");
    // the server works without them, and says that they are away
    let ready = server.anonymous().get("/health/ready").await;
    assert_eq!(ready.status, 200, "{}", ready.text());
    let part = &ready.json()["data"]["parts"]["store:late"];
    assert_eq!((&part["ok"], &part["plugin"]), (&json!(false), &json!("failed")));
    let file = BoxBuilder::new("virtualbox").seed(1).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &file.bytes).await.status, 200);
    let body = json!({ "username": "ann", "password": "right", "provider": "people" });
    let refused = server.anonymous().post("/api/auth/signin", &body).await;
    assert_eq!(refused.status, 503, "{}", refused.text());

    fs::copy(workspace::profile_dir().join("deps/libboxvault_storage_shelf.so"), &library).unwrap();
    wait_for("the store to be taken", DEADLINE, async || {
        (entry(1).await["state"] == "running").then_some(())
    })
    .await;
    let late = entry(1).await;
    assert_eq!((&late["name"], &late["lastError"]), (&json!("shelf"), &Value::Null), "{late}");
    let parts = server.anonymous().get("/health/ready").await.json()["data"]["parts"].clone();
    assert_eq!(parts["store:late"]["ok"], true, "{parts}");
}

#[tokio::test]
async fn a_required_plugin_that_is_away_or_not_pinned_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let fs = [("stores.main.plugin", "fs"), ("stores.main.root", "store")];
    let refused =
        async |more: &[(&str, &str)]| refused_start(folder.path(), &[&fs[..], more].concat()).await;
    let away = refused(&[("stores.other.plugin", "tape")]).await;
    assert!(away.output.contains("could not open stores.other: there is no plugin \"tape\""));
    let unpinned = refused(&[("plugins.require_pins", "true")]).await;
    assert!(unpinned.output.contains("plugins.require_pins"), "{}", unpinned.output);
    assert!(unpinned.output.contains("boxvault plugin pin fs"), "{}", unpinned.output);
    let wrong = "0".repeat(64);
    let tampered = refused(&[("plugins.require_pins", "true"), ("plugins.pins.fs", &wrong)]).await;
    assert!(tampered.output.contains("is not the pinned one"), "{}", tampered.output);
    let isolated = refused(&[
        ("stores.main.isolation", "process"),
        ("plugins.require_pins", "true"),
        ("plugins.pins.fs", &wrong),
    ])
    .await;
    assert!(isolated.output.contains("is not the pinned one"), "{}", isolated.output);
    let optional = refused(&[("stores.main.required", "false")]).await;
    assert!(optional.output.contains("stores.main.required"), "{}", optional.output);
    let unknown = refused(&[("stores.main.isolation", "container")]).await;
    assert!(unknown.output.contains("must be one of \"none\", \"process\""), "{}", unknown.output);
}
