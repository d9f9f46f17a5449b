//! Limits of one entry of the configuration: how many of its calls may be with its plugin, how many wait, how long they
//! may take, how much memory its process has. Whatever its plugin does, the others notice nothing.

use std::time::Duration;

use boxvault_plugin_host::{
    CallLimits, EntryLimits, HostOptions, Isolation, IsolationOptions, PluginHost, Store,
};
use boxvault_plugin_sdk::{ByteRange, Bytes, PluginErrorKind, StorageBackend, WriteOptions};
use boxvault_tests::{
    TestServer,
    faults::refused_start,
    outcome::{DEADLINE, assert_refused, ready},
    plugins::host_with,
    wait_for, workspace,
};
use futures_util::future::join_all;
use serde_json::json;

fn host() -> PluginHost {
    let isolation = IsolationOptions {
        program: Some(workspace::boxvault().to_owned()),
        restart_wait_max: Duration::from_millis(400),
        hung_calls_max: 2,
        ..IsolationOptions::default()
    };
    host_with(HostOptions { isolation, ..HostOptions::default() })
}

const TWO_AND_ONE: EntryLimits = EntryLimits {
    calls: Some(CallLimits { open_max: 2, waiting_max: 1 }),
    call_timeout: Some(Duration::from_millis(500)),
    process_memory_bytes_max: None,
};

async fn open(host: &PluginHost, isolation: Isolation) -> Store {
    host.store("faulty", json!({}), isolation).await.unwrap()
}

#[tokio::test]
async fn calls_that_hang_keep_their_places_and_take_none_of_another_entry() {
    let host = host();
    let limited = open(&host.with_limits(TWO_AND_ONE), Isolation::None).await.backend();
    let other = open(&host, Isolation::None).await.backend();
    // two hang, one waits in vain, and the last is refused at once
    let calls = join_all((0..4).map(|_| limited.stat("hang"))).await;
    let kinds: Vec<_> = calls.iter().map(|call| call.as_ref().unwrap_err().kind).collect();
    let of = |kind| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!(
        (of(PluginErrorKind::DeadlineExceeded), of(PluginErrorKind::Unavailable)),
        (2, 2),
        "{calls:?}"
    );
    let refused = limited.health().await.unwrap_err();
    assert_eq!((refused.kind, refused.retry), (PluginErrorKind::Unavailable, true), "{refused}");
    assert!(refused.message.contains("calls_open_max lets (2)"), "{refused}");
    other.health().await.unwrap();
    assert_eq!(other.stat("nothing").await.unwrap_err().kind, PluginErrorKind::NotFound);
}

#[tokio::test]
async fn a_process_that_hangs_is_started_again_and_its_places_with_it() {
    let store = open(&host().with_limits(TWO_AND_ONE), Isolation::Process).await;
    let (backend, before) = (store.backend(), store.status().pid);
    wait_for("another process", DEADLINE, async || {
        drop(join_all((0..4).map(|_| backend.stat("hang"))).await);
        (store.status().pid.is_some() && store.status().pid != before).then_some(())
    })
    .await;
    wait_for("the store to work", DEADLINE, async || backend.health().await.ok()).await;
}

#[tokio::test]
async fn files_that_are_on_their_way_wait_for_their_turn_and_are_whole() {
    for isolation in [Isolation::None, Isolation::Process] {
        let calls = Some(CallLimits { open_max: 1, waiting_max: 16 });
        let limits = EntryLimits { calls, ..EntryLimits::default() };
        let store = host().with_limits(limits).store("memory", json!({}), isolation).await.unwrap();
        let backend = store.backend();
        let copies = (0..16_u8).map(|number| copied(&*backend, number));
        for (number, found) in (0..16_u8).zip(join_all(copies).await) {
            assert!(found == vec![number; 300_000], "{isolation}: {number} is not whole");
        }
    }
}

/// Writes an object in chunks, and reads it.
async fn copied(store: &dyn StorageBackend, number: u8) -> Vec<u8> {
    let key = format!("object-{number}");
    let mut writer = store.open_writer(&key, WriteOptions::default()).await.unwrap();
    for _ in 0..3 {
        writer.write(Bytes::from(vec![number; 100_000])).await.unwrap();
    }
    writer.finish().await.unwrap();
    let mut reader = store.open_reader(&key, ByteRange::FULL).await.unwrap();
    let mut found = Vec::new();
    while let Some(chunk) = reader.next().await.unwrap() {
        found.extend_from_slice(&chunk);
    }
    found
}

#[tokio::test]
async fn the_memory_of_one_process_may_be_less_than_that_of_others() {
    let little =
        EntryLimits { process_memory_bytes_max: Some(256 << 20), ..EntryLimits::default() };
    let host = host();
    let store = open(&host.with_limits(little), Isolation::Process).await;
    let other = open(&host, Isolation::Process).await;
    let (before, others) = (store.status().pid, other.status().pid);
    let limit = |pid: Option<u32>| {
        let text = std::fs::read_to_string(format!("/proc/{}/limits", pid.unwrap())).unwrap();
        let line = text.lines().find(|line| line.starts_with("Max data size")).unwrap().to_owned();
        line.split_whitespace().nth(3).unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((limit(before), limit(others)), (256 << 20, 1 << 30));
    let error = store.backend().stat("leak").await.unwrap_err();
    assert_eq!(error.kind, PluginErrorKind::Unavailable, "{error}");
    wait_for("another process", DEADLINE, async || {
        (store.status().pid.is_some() && store.status().pid != before).then_some(())
    })
    .await;
    assert_eq!((limit(store.status().pid), other.status().pid), (256 << 20, others));
}

#[tokio::test]
async fn a_provider_that_drowns_is_told_with_503_and_keeps_nobody_from_another() {
    let libraries = workspace::profile_dir().join("deps");
    let server = TestServer::builder()
        .set("plugins.search_paths", libraries.to_str().unwrap())
        .set("auth.providers.local.plugin", "local")
        .set("auth.providers.people.plugin", "faulty")
        .set("auth.providers.people.calls_open_max", "2")
        .set("auth.providers.people.calls_waiting_max", "1")
        .set("auth.providers.people.call_timeout", "1 s")
        .set("auth.providers.others.plugin", "faulty")
        .set("limits.sign_in_requests_per_minute", "0")
        .start()
        .await;
    let client = server.anonymous();
    let sign_in = async |provider: &str, username: &str| {
        let body = json!({ "username": username, "password": "right", "provider": provider });
        client.post("/api/auth/signin", &body).await
    };
    assert_eq!(sign_in("people", "ann").await.status, 200);
    for reply in join_all((0..6).map(|_| sign_in("people", "hang"))).await {
        assert_refused(&reply, &[503], &["AUTH_PROVIDER_UNAVAILABLE"]);
        assert!(reply.header("retry-after").is_some());
    }
    // both places hang, and the next one is told at once why nobody comes through
    assert_refused(&sign_in("people", "ann").await, &[503], &["AUTH_PROVIDER_UNAVAILABLE"]);
    assert!(server.log().contains("as many calls are open as its calls_open_max lets (2)"));
    assert_eq!(sign_in("others", "bob").await.status, 200, "the same library, another entry");
    let admin = server.admin().await;
    assert_eq!(admin.get("/api/user").await.status, 200);
    ready(&server, 200).await;
    let shown = admin.get("/api/configuration").await.text();
    assert!(shown.contains("calls_waiting_max"), "{shown}");
}

#[tokio::test]
async fn limits_that_cannot_be_are_refused_by_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let store = [("stores.main.plugin", "fs"), ("stores.main.root", "store")];
    for (key, value, why) in [
        ("stores.main.calls_open_max", "0", "must be at least 1"),
        ("stores.main.calls_waiting_max", "4", "beyond calls_open_max, which is not set"),
        ("stores.main.call_timeout", "0 s", "must be longer than zero"),
        ("stores.main.process_memory_max", "1 GiB", "set isolation = \"process\" as well"),
        ("stores.main.call_timeout", "soon", "is not a length of time"),
        ("auth.providers.local.calls_open_max", "4", "is built in"),
    ] {
        let settings = [&store[..], &[("auth.providers.local.plugin", "local"), (key, value)]];
        let refused = refused_start(folder.path(), &settings.concat()).await;
        let (output, entry) = (&refused.output, key.rsplit_once('.').unwrap().0);
        assert!(output.contains(entry) && output.contains(why), "{key}: {output}");
    }
}
