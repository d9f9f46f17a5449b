//! Plugins in processes of their own: whatever a plugin does to its process, the server lives on, says so, and starts
//! another one. That all suites pass there is in `plugin_check`.

use std::{path::Path, sync::Arc, time::Duration};

use boxvault_plugin_host::{
    Deadlines, HostOptions, Isolation, IsolationOptions, LoadError, PluginHost, PluginState,
    Provider, Store,
};
use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, Credentials, PluginError, PluginErrorKind, WriteOptions,
};
use boxvault_tests::{
    Publication, TestServer,
    bytes::BoxBuilder,
    faults::{children, peak_memory_bytes, signal},
    outcome::{DEADLINE, download, ready, upload},
    plugins::{host_with, log},
    wait_for, workspace,
};
use serde_json::{Value, json};

/// How long another process may take to come.
const SOON: Duration = Duration::from_secs(30);

fn isolation() -> IsolationOptions {
    IsolationOptions {
        program: Some(workspace::boxvault().to_owned()),
        restart_wait_max: Duration::from_millis(400),
        hung_calls_max: 3,
        ..IsolationOptions::default()
    }
}

fn host() -> PluginHost {
    host_with(HostOptions { isolation: isolation(), ..HostOptions::default() })
}

/// A host whose calls end quickly, for plugins that hang.
fn impatient() -> PluginHost {
    let moment = Duration::from_millis(500);
    let deadlines = Deadlines {
        question: moment,
        read: moment,
        write: moment,
        authenticate: moment,
        ..Deadlines::default()
    };
    host_with(HostOptions { deadlines, isolation: isolation(), ..HostOptions::default() })
}

async fn open(host: &PluginHost, plugin: &str, config: Value) -> Store {
    host.store(plugin, config, Isolation::Process).await.unwrap()
}

async fn open_auth(host: &PluginHost, plugin: &str, config: Value) -> Provider {
    host.provider(plugin, config, Isolation::Process).await.unwrap()
}

/// Waits until the plugin has another process than that one, and works.
async fn restarted(store: &Store, before: Option<u32>) {
    wait_for("another process of the plugin", SOON, async || {
        let status = store.status();
        let is_new = status.pid.is_some() && status.pid != before;
        (is_new && store.backend().health().await.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_a_plugin_is_and_what_works_of_what_it_declares_is_known_across_the_process() {
    let store = open(&host(), "faulty", json!({})).await;
    let status = store.status();
    assert_eq!((status.info.name.as_str(), status.isolation), ("faulty", Isolation::Process));
    assert!(store.declared().contains(Capabilities::CREATE_NEW | Capabilities::LOCAL_PATH));
    let report = store.probe().await.unwrap();
    let off: Vec<_> = report.switched_off.iter().map(|(capability, _)| *capability).collect();
    assert_eq!(off, [Capabilities::LOCAL_PATH, Capabilities::CREATE_NEW]);
    let works = Capabilities::RANGE_READ | Capabilities::LIST;
    assert_eq!(store.backend().capabilities(), works);
    // and in the next process as well
    let before = store.status().pid;
    store.backend().stat("abort").await.unwrap_err();
    restarted(&store, before).await;
    assert_eq!(store.backend().capabilities(), works);
    let path = store.backend().local_path("anything").await.unwrap_err();
    assert_eq!(path.kind, PluginErrorKind::Unsupported, "{path}");
}

#[tokio::test]
async fn a_plugin_that_aborts_fails_the_calls_that_were_open_and_is_started_again() {
    let store = open(&host(), "faulty", json!({})).await;
    let backend = store.backend();
    for round in 1..=3 {
        let before = store.status().pid;
        let mut writer = backend.open_writer("object", WriteOptions::default()).await.unwrap();
        writer.write(Bytes::from_static(b"half")).await.unwrap();
        let mut reader = backend.open_reader("endless", ByteRange::FULL).await.unwrap();
        reader.next().await.unwrap().unwrap();
        let error = backend.stat("abort").await.unwrap_err();
        assert_eq!((error.kind, error.retry), (PluginErrorKind::Unavailable, true), "{error}");
        assert!(error.message.contains("faulty"), "{error}");
        assert!(writer.write(Bytes::from_static(b"more")).await.is_err());
        assert!(writer.finish().await.is_err());
        assert!(reader.next().await.is_err());
        restarted(&store, before).await;
        assert_eq!(store.status().restarts, round);
        assert_eq!(backend.stat("object").await.unwrap_err().kind, PluginErrorKind::NotFound);
    }
    let status = store.status();
    let message = status.last_error.unwrap().message;
    assert!(message.contains("signal 6"), "{message}");
    assert!(log().contains("has ended; starting another one"), "{}", log());
}

#[tokio::test]
async fn a_panic_is_an_error_of_one_call_there_too() {
    let store = open(&host(), "faulty", json!({})).await;
    let before = store.status().pid;
    let error = store.backend().stat("panic").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Panicked, "{error}");
    let status = store.status();
    assert_eq!((status.pid, status.restarts, status.counters.panics), (before, 0, 1));
}

#[tokio::test]
async fn calls_that_hang_end_at_their_deadline_and_too_many_of_them_end_the_process() {
    let store = open(&impatient(), "faulty", json!({})).await;
    let (before, backend) = (store.status().pid, store.backend());
    for hung in 1..=3 {
        let error = backend.stat("hang").await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::DeadlineExceeded, "{error}");
        assert_eq!(store.status().counters.hung, hung);
    }
    assert_eq!(store.status().pid, before, "three may hang");
    backend.health().await.unwrap();
    backend.stat("hang").await.unwrap_err();
    restarted(&store, before).await;
    let status = store.status();
    assert_eq!((status.counters.hung, status.restarts), (0, 1));
    assert!(status.last_error.unwrap().message.contains("4 of its calls hang"));
}

#[tokio::test]
async fn a_plugin_that_keeps_every_thread_is_noticed_and_started_again() {
    let store = open(&impatient(), "faulty", json!({})).await;
    let (before, backend) = (store.status().pid, store.backend());
    // more than there are threads
    let blocked = (0..64).map(|_| {
        let backend = Arc::clone(&backend);
        tokio::spawn(async move { backend.stat("block").await.unwrap_err() })
    });
    for call in blocked.collect::<Vec<_>>() {
        let error = call.await.unwrap();
        let kinds = [PluginErrorKind::DeadlineExceeded, PluginErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind), "{error}");
    }
    restarted(&store, before).await;
}

#[tokio::test]
async fn a_process_that_is_stopped_is_noticed_and_started_again() {
    let store = open(&impatient(), "memory", json!({})).await;
    let before = store.status().pid;
    signal(before.unwrap(), "STOP");
    let error = store.backend().health().await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::DeadlineExceeded, "{error}");
    restarted(&store, before).await;
    assert!(store.status().last_error.unwrap().message.contains("did not answer to health"));
}

#[tokio::test]
async fn a_plugin_that_leaks_meets_its_limit_and_is_started_again() {
    let limited = IsolationOptions { memory_bytes_max: 256 << 20, ..isolation() };
    let host = host_with(HostOptions { isolation: limited, ..HostOptions::default() });
    let store = open(&host, "faulty", json!({})).await;
    let before = store.status().pid;
    let error = store.backend().stat("leak").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Unavailable, "{error}");
    restarted(&store, before).await;
    let message = store.status().last_error.unwrap().message;
    assert!(message.contains("memory allocation of"), "{message}");

    let provider = open_auth(&host, "faulty", json!({})).await;
    let before = provider.status().pid;
    let leak = Credentials::new("leak", "right");
    provider.provider().authenticate_password(leak).await.unwrap_err();
    signed_in_again(&provider, before).await;
}

/// Waits until the plugin has another process than that one, and signs somebody in.
async fn signed_in_again(provider: &Provider, before: Option<u32>) {
    wait_for("another process of the plugin", SOON, async || {
        let is_new = provider.status().pid.is_some_and(|pid| Some(pid) != before);
        let right = Credentials::new("ann", "right");
        let signed_in = provider.provider().authenticate_password(right).await;
        (is_new && signed_in.is_ok()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_auth_plugin_that_aborts_or_hangs_lets_nobody_in_and_is_started_again() {
    let provider = open_auth(&impatient(), "faulty", json!({})).await;
    let sign_in = async |name: &str, password: &str| {
        provider.provider().authenticate_password(Credentials::new(name, password)).await
    };
    assert_eq!(sign_in("ann", "right").await.unwrap().username, "ann");
    let wrong = sign_in("ann", "wrong").await.unwrap_err();
    assert_eq!(wrong, PluginError::bad_credentials());
    let before = provider.status().pid;
    let error = sign_in("abort", "right").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Unavailable, "{error}");
    signed_in_again(&provider, before).await;
    let before = provider.status().pid;
    for _ in 0..4 {
        let error = sign_in("hang", "right").await.unwrap_err();
        assert_eq!(error.kind, PluginErrorKind::DeadlineExceeded, "{error}");
    }
    signed_in_again(&provider, before).await;
    assert_eq!(provider.status().restarts, 2);
}

#[tokio::test]
async fn a_plugin_that_cannot_start_says_why_across_the_process() {
    let refused = async |plugin: &str, config: Value| {
        let opened = impatient().store(plugin, config, Isolation::Process).await;
        opened.map(drop).unwrap_err()
    };
    let error = refused("faulty", json!({ "creat": "works" })).await;
    assert!(matches!(error, LoadError::Isolated { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("creat: unknown key; known here are create"), "{text}");
    for (create, why) in [("panics", "create panics, as told"), ("fails", "create fails, as told")]
    {
        let text = refused("faulty", json!({ "create": create })).await.to_string();
        assert!(text.contains(why), "{text}");
    }
    let text = refused("nowhere", json!({})).await.to_string();
    assert!(text.contains("there is no plugin"), "{text}");
    let text = refused("faulty", json!({ "password": 123_454_321 })).await.to_string();
    assert!(text.contains("password: ") && !text.contains("123454321"), "{text}");
}

#[tokio::test]
async fn a_process_that_is_none_of_ours_is_ended_and_told() {
    let started = async |program: &str, script: &str| {
        let options = IsolationOptions {
            program: Some(program.into()),
            arguments: vec!["-c".to_owned(), script.to_owned()],
            ..isolation()
        };
        let host = host_with(HostOptions { isolation: options, ..HostOptions::default() });
        let opened = host.store("memory", json!({}), Isolation::Process).await;
        opened.map(drop).unwrap_err().to_string()
    };
    for (program, script, why) in [
        ("/bin/sh", "printf 'this is no frame' >&0; sleep 60", "a frame is longer than any"),
        ("/bin/sh", r"printf '\004\0\0\0\0\0\0\0null' >&0; sleep 60", "of another shape"),
        ("/bin/sh", "exit 3", "it ended with code 3"),
        ("/bin/sh", "echo ouch >&2; kill -9 $$", "it was ended by signal 9: ouch"),
        ("/bin/nothing", "", "its process could not be started"),
    ] {
        let text = started(program, script).await;
        assert!(text.contains(why), "{script}: {text}");
    }
}

#[tokio::test]
async fn a_process_ends_with_whoever_needed_it() {
    let store = open(&host(), "memory", json!({})).await;
    let process = format!("/proc/{}", store.status().pid.unwrap());
    assert!(Path::new(&process).is_dir());
    drop(store);
    wait_for("the process to end", SOON, async || (!Path::new(&process).is_dir()).then_some(()))
        .await;
}

#[tokio::test]
async fn a_signal_that_ends_the_server_cuts_nothing_off_in_the_process() {
    let store = open(&host(), "memory", json!({})).await;
    let (backend, pid) = (store.backend(), store.status().pid);
    let mut writer = backend.open_writer("object", WriteOptions::default()).await.unwrap();
    for name in ["TERM", "INT", "HUP"] {
        signal(pid.unwrap(), name);
        writer.write(Bytes::from_static(b"x")).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap().size, 3);
    assert_eq!((store.status().pid, store.status().restarts), (pid, 0));
}

#[tokio::test]
async fn no_side_holds_more_of_an_object_than_a_few_chunks() {
    let root = tempfile::tempdir().unwrap();
    let store = open(&host(), "fs", json!({ "root": root.path() })).await;
    let (backend, pid) = (store.backend(), store.status().pid.unwrap());
    let empty = peak_memory_bytes(pid);
    let chunk = Bytes::from(vec![7_u8; 4 << 20]);
    let mut writer = backend.open_writer("large", WriteOptions::default()).await.unwrap();
    for _ in 0..100 {
        writer.write(chunk.clone()).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap().size, 400 << 20);
    // readers that take one chunk and then nothing
    let mut readers = Vec::new();
    for _ in 0..20 {
        let mut reader = backend.open_reader("large", ByteRange::FULL).await.unwrap();
        assert!(reader.next().await.unwrap().is_some());
        readers.push(reader);
    }
    let grown = peak_memory_bytes(pid) - empty;
    assert!(grown < 160 << 20, "the process grew by {} MiB", grown >> 20);
}

#[tokio::test]
async fn what_an_isolated_plugin_logs_is_in_the_hosts_log_under_its_name() {
    let store = open(&host(), "faulty", json!({})).await;
    store.backend().stat("log").await.unwrap();
    let line = wait_for("the line of the plugin", SOON, async || {
        log().lines().find(|line| line.contains("a line from the plugin")).map(str::to_owned)
    })
    .await;
    assert!(line.contains("WARN") && line.contains("answer=42"), "{line}");
    assert!(line.contains(r#"plugin="faulty""#), "{line}");
}

#[tokio::test]
async fn a_server_lives_on_when_the_process_of_its_store_is_killed_and_says_so() {
    let server = TestServer::builder()
        .set("stores.main.plugin", "fs")
        .set("stores.main.root", "store")
        .set("stores.main.isolation", "process")
        .set("plugins.process_restart_wait_max", "1 s")
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").seed(1).disk_bytes(3 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.prepare(&at).await;
    assert_eq!(upload(&admin, &at, &file.bytes).await.status, 200);
    assert!(download(&admin, &at).await.bytes == file.bytes);

    let plugin = async || admin.get("/api/admin/plugins").await.data()[0].clone();
    let view = plugin().await;
    assert_eq!((&view["entry"], &view["isolation"]), (&json!("stores.main"), &json!("process")));
    assert_eq!((&view["state"], &view["restarts"]), (&json!("running"), &json!(0)));
    let process = children(server.pid());
    let [process] = process.as_slice() else { panic!("processes: {process:?}") };
    signal(*process, "KILL");
    wait_for("the end to be known", DEADLINE, async || {
        (plugin().await["restarts"] == 1 || plugin().await["state"] == "restarting").then_some(())
    })
    .await;
    wait_for("the store to be well again", DEADLINE, async || {
        let reply = server.anonymous().get("/health/ready").await;
        let part = reply.json()["data"]["parts"]["store:main"].clone();
        (reply.status == 200 && part["plugin"] == "running").then_some(())
    })
    .await;
    ready(&server, 200).await;
    assert!(download(&admin, &at).await.bytes == file.bytes);
    let other = BoxBuilder::new("virtualbox").seed(2).disk_bytes(3 << 20).build();
    assert_eq!(upload(&admin, &at, &other.bytes).await.status, 200);
    let view = plugin().await;
    assert_eq!(view["restarts"], 1);
    let message = view["lastError"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("signal 9"), "{message}");
    let metrics = admin.get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("boxvault_plugin_restarts_total{"));
    assert!(line.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
}

#[tokio::test]
async fn a_process_that_is_down_says_so_until_the_next_one_runs() {
    let options = IsolationOptions { restart_wait_max: Duration::from_mins(1), ..isolation() };
    let host = host_with(HostOptions { isolation: options, ..HostOptions::default() });
    let store = open(&host, "faulty", json!({})).await;
    store.backend().stat("abort").await.unwrap_err();
    let error = wait_for("the end to be known", SOON, async || {
        let restarting = matches!(store.status().state, PluginState::Restarting { .. });
        let error = store.backend().health().await.err();
        error.filter(|error| restarting && error.message.contains("being started again"))
    })
    .await;
    assert!(error.retry && error.message.contains("signal 6"), "{error}");
    restarted(&store, None).await;
}
