//! Plugins that are old, foreign, tampered with or hostile, in a whole server: each is told by a clear message, and the
//! server is up. `tests/README.md` lists them; what happens at the boundary itself is in `plugins` and `isolation`.

use std::{fs, os::unix::fs::PermissionsExt};

use boxvault_tests::{
    Client, Publication, Reply, TestServer,
    bytes::BoxBuilder,
    outcome::{DEADLINE, assert_refused, download, ready, upload},
    plugins::CPlugin,
    skip, wait_for, workspace,
};
use serde_json::{Value, json};

/// Where cargo leaves the libraries of examples.
fn libraries() -> String {
    workspace::profile_dir().join("deps").to_str().unwrap().to_owned()
}

/// What the list of plugins says of an entry.
async fn entry(admin: &Client, key: &str) -> Value {
    let list = admin.get("/api/admin/plugins").await.data();
    let found = list.as_array().unwrap().iter().find(|view| view["entry"] == key);
    found.unwrap_or_else(|| panic!("no entry {key}: {list:#}")).clone()
}

/// The server takes a file and gives it back.
async fn ensure_up(server: &TestServer, admin: &Client) {
    let file = BoxBuilder::new("virtualbox").seed(1).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(admin, &at, &file.bytes).await.status, 200);
    assert!(download(admin, &at).await.bytes == file.bytes);
    ready(server, 200).await;
}

async fn sign_in(server: &TestServer, provider: &str, username: &str, password: &str) -> Reply {
    let body = json!({ "username": username, "password": password, "provider": provider });
    server.anonymous().post("/api/auth/signin", &body).await
}

#[tokio::test]
async fn plugins_that_cannot_be_used_leave_the_server_up_with_a_clear_message() {
    let test = "plugins_that_cannot_be_used_leave_the_server_up_with_a_clear_message";
    let Some(other_major) = CPlugin::compile("storage-faulty/faulty.c", &["FAULT_ABI_MAJOR=7"])
    else {
        return skip(test, "there is no C compiler (cc)");
    };
    let folder = tempfile::tempdir().unwrap();
    let library = |name: &str| format!("{}/lib{name}.so", libraries());
    let writable = folder.path().join("libwritable.so");
    fs::copy(library("boxvault_storage_shelf"), &writable).unwrap();
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o666)).unwrap();
    let mut builder = TestServer::builder()
        .set("plugins.search_paths", &libraries())
        .set("plugins.call_timeout", "2 s")
        .set("plugins.pins.shelf", &"0".repeat(64))
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "store")
        .set("stores.panics.create", "panics")
        .set("stores.hangs.create", "hangs")
        .set("stores.aborts.create", "aborts")
        .set("stores.aborts.isolation", "process");
    let stores = [
        ("kind", library("boxvault_auth_static"), "kind is auth, expected storage"),
        ("major", other_major.source().to_owned(), "abi version is 7."),
        ("writable", writable.to_str().unwrap().to_owned(), "everybody can write to it"),
        ("tampered", "shelf".to_owned(), "is not the pinned one: expected sha256 0000"),
        ("panics", "faulty".to_owned(), "create panics, as told"),
        ("hangs", "faulty".to_owned(), "no answer to create within 2s"),
        ("aborts", "faulty".to_owned(), "signal 6"),
    ];
    for (name, plugin, _) in &stores {
        builder = builder
            .set(&format!("stores.{name}.plugin"), plugin)
            .set(&format!("stores.{name}.required"), "false");
    }
    let server = builder.start().await;
    let admin = server.admin().await;
    for (name, _, message) in stores {
        let view = entry(&admin, &format!("stores.{name}")).await;
        assert_eq!(view["state"], "failed", "{view}");
        let found = view["lastError"]["message"].as_str().unwrap();
        assert!(found.contains(message), "{name}: {found}");
    }
    ensure_up(&server, &admin).await;
}

/// A server whose people come by the plugin of an older contract, and by one that does what it should not.
async fn server_with(older: &CPlugin) -> TestServer {
    TestServer::builder()
        .set("plugins.search_paths", &libraries())
        .set("plugins.call_timeout", "500 ms")
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.older.plugin", older.source())
        .set("auth.providers.people.plugin", "faulty")
        .set("auth.providers.apart.plugin", "faulty")
        .set("auth.providers.apart.isolation", "process")
        .set("plugins.process_restart_wait_max", "1 s")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await
}

#[tokio::test]
async fn a_plugin_of_an_older_sdk_signs_people_in_and_is_not_asked_what_it_does_not_know() {
    let test = "a_plugin_of_an_older_sdk_signs_people_in_and_is_not_asked_what_it_does_not_know";
    let Some(older) = CPlugin::compile("auth-faulty/older.c", &[]) else {
        return skip(test, "there is no C compiler (cc)");
    };
    let server = server_with(&older).await;
    let admin = server.admin().await;
    let view = entry(&admin, "auth.providers.older").await;
    assert_eq!((&view["contract"], &view["state"]), (&json!("1.1"), &json!("running")), "{view}");
    let ann = sign_in(&server, "older", "ann", "right").await;
    assert_eq!((ann.status, &ann.data()["issuer"]), (200, &json!("older")), "{}", ann.text());
    let wrong = sign_in(&server, "older", "ann", "wrong").await;
    assert_refused(&wrong, &[401], &["SIGN_IN_FAILED"]);
    // a function that came later lies beyond the table that the plugin has
    let notice = "/api/auth/methods/older/logout-notice";
    let request = server.anonymous().request(reqwest::Method::POST, notice);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let told = boxvault_tests::client::send(request.body("logout_token=x")).await;
    assert!([404, 503].contains(&told.status), "{}", told.text());
    ensure_up(&server, &admin).await;
}

#[tokio::test]
async fn plugins_that_answer_twice_hang_panic_or_abort_cost_that_call_alone() {
    let test = "plugins_that_answer_twice_hang_panic_or_abort_cost_that_call_alone";
    let Some(older) = CPlugin::compile("auth-faulty/older.c", &[]) else {
        return skip(test, "there is no C compiler (cc)");
    };
    let server = server_with(&older).await;
    let admin = server.admin().await;
    let twice = sign_in(&server, "older", "twice", "right").await;
    assert_eq!(twice.status, 200, "the first answer counts: {}", twice.text());
    wait_for("both further answers to be counted", DEADLINE, async || {
        let view = entry(&admin, "auth.providers.older").await;
        (view["counters"]["violations"] == 2).then_some(())
    })
    .await;
    for (provider, username, message) in [
        ("older", "never", "no answer to sign-in within 500ms"),
        ("people", "hang", "no answer to sign-in within 500ms"),
        ("people", "panic", "signing in panics, as told"),
        ("apart", "panic", "signing in panics, as told"),
        ("apart", "abort", "signal 6"),
    ] {
        let refused = sign_in(&server, provider, username, "right").await;
        assert_refused(&refused, &[503], &["AUTH_PROVIDER_UNAVAILABLE"]);
        assert!(refused.header("retry-after").is_some(), "{provider}, {username}");
        let told = wait_for("the failure to be told", DEADLINE, async || {
            let view = entry(&admin, &format!("auth.providers.{provider}")).await;
            let text = view["lastError"]["message"].as_str()?.to_owned();
            text.contains(message).then_some(text)
        });
        told.await;
        assert!(!refused.text().contains(message), "it is for operators: {}", refused.text());
    }
    // whoever else signs in there does
    for provider in ["older", "people", "apart"] {
        wait_for("the provider to work", DEADLINE, async || {
            (sign_in(&server, provider, &format!("{provider}-ann"), "right").await.status == 200)
                .then_some(())
        })
        .await;
    }
    ensure_up(&server, &admin).await;
}
