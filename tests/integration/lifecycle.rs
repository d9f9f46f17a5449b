//! Starts that are refused, signals, and stops.

use std::{fs, path::Path};

use boxvault_tests::{
    Publication, TestServer,
    bytes::BoxBuilder,
    faults::{RawConnection, refused_start, signal, upload_head, write_file},
    outcome::{DEADLINE, download, ready},
    plugins::CPlugin,
    skip, wait_for, workspace,
};

#[tokio::test]
async fn a_start_that_cannot_be_good_is_refused_with_a_clear_word() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken");
    copy_policies(&broken);
    write_file(&broken.join("site.csv"), "p, role:member, *, box/**, raed, allow\n").unwrap();
    let broken = broken.to_str().unwrap();
    let not_a_library = folder.path().join("libnothing.so");
    write_file(&not_a_library, "not a library").unwrap();
    let not_a_library = not_a_library.to_str().unwrap();
    write_file(&folder.path().join("typo.toml"), "[server]\nhttp_lisen = 5000\n").unwrap();
    let typo = folder.path().join("typo.toml");
    let typo = typo.to_str().unwrap();
    for (settings, code, words) in [
        (&[("stores.main.plugin", "no-such")][..], 1, &["no-such", "stores.main"][..]),
        (&[("stores.main.plugin", not_a_library)], 1, &["libnothing.so"]),
        (&[("policy.dir", broken)], 1, &["site.csv:1", "raed"]),
        (&[("config", typo)], 2, &["typo.toml", "http_lisen", "http_listen"]),
        (&[("server.http_lisen", "1")], 2, &["BOXVAULT_SERVER__HTTP_LISEN", "http_listen"]),
        (&[("limits.upload_bytes_max", "10 furlongs")], 2, &["BOXVAULT_LIMITS__UPLOAD_BYTES_MAX"]),
        (&[("storage.default_store", "other")], 2, &["other"]),
        (&[("database.url", "oracle://x")], 2, &["database.url"]),
        (&[("database.url", "sqlite:/no/such/folder/x.sqlite3")], 1, &["database.url"]),
        (&[("server.tls_certificate_file", "/no/such.pem")], 2, &["tls_private_key_file"]),
    ] {
        let refused = refused_start(folder.path(), settings).await;
        let said = &refused.output;
        // a part of the configuration may be found out by its reader, or only by the part itself
        assert!([Some(1), Some(2)].contains(&refused.code), "{settings:?}: {said}");
        assert!(refused.code == Some(code), "{settings:?}: exit code {:?}: {said}", refused.code);
        for word in words {
            assert!(said.contains(word), "{settings:?} without {word:?}: {said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    if let Some(other) = CPlugin::compile("storage-faulty/faulty.c", &["FAULT_ABI_MAJOR=7"]) {
        let settings = [("stores.main.plugin", other.source())];
        let refused = refused_start(folder.path(), &settings).await;
        assert_eq!(refused.code, Some(1), "{}", refused.output);
        let said = &refused.output;
        assert!(said.contains("7.2") && said.contains("stores.main"), "{said}");
    } else {
        skip("a_start_that_cannot_be_good_is_refused_with_a_clear_word", "no C compiler");
    }
}

fn copy_policies(to: &Path) {
    fs::create_dir_all(to).unwrap();
    for name in ["model.conf", "policy.csv"] {
        fs::copy(workspace::root().join("policies").join(name), to.join(name)).unwrap();
    }
}

#[tokio::test]
async fn a_broken_policy_file_changes_nothing_but_the_readiness() {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    copy_policies(&policies);
    let server = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "100 ms")
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let site = policies.join("site.csv");

    write_file(&site, "# a comment\np, anonymous, *, box/**, download\n").unwrap();
    let parts = ready(&server, 503).await;
    assert_eq!(parts["parts"]["policy"]["ok"], false, "{parts}");
    wait_for("file and line in the log", DEADLINE, async || {
        server.log().contains("site.csv:2").then_some(())
    })
    .await;
    assert_eq!(server.anonymous().get(&at.vagrant_path()).await.status, 404);
    assert_eq!(admin.get(&at.vagrant_path()).await.status, 200);
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("boxvault_policy_problems 1"), "{metrics}");

    write_file(&site, "p, anonymous, *, box/**, download, allow\n").unwrap();
    ready(&server, 200).await;
    wait_for("the new rule", DEADLINE, async || {
        let reply = server.anonymous().get(&at.vagrant_path()).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn sighup_takes_new_policies_and_a_new_certificate() {
    let test = "sighup_takes_new_policies_and_a_new_certificate";
    let (Some(openssl), Some(_)) =
        (workspace::find_program("openssl"), workspace::find_program("curl"))
    else {
        return skip(test, "no openssl");
    };
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    copy_policies(&policies);
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let issue = |subject: &str| {
        let made = std::process::Command::new(&openssl)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", &format!("/CN={subject}")])
            .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    };
    issue("first.example");
    let server = TestServer::builder()
        .set("policy.dir", policies.to_str().unwrap())
        .set("policy.watch_interval", "0 s")
        .set("server.tls_certificate_file", certificate.to_str().unwrap())
        .set("server.tls_private_key_file", key.to_str().unwrap())
        .start()
        .await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").build();
    let at = Publication { public: false, ..Publication::new("acme", "web", &file.bytes) };
    admin.publish(&at).await;
    let subject = async || {
        let seen = tokio::process::Command::new("curl")
            .args(["-skv", "-o", "/dev/null", &format!("https://{}/health/live", server.https())])
            .output()
            .await
            .unwrap();
        String::from_utf8_lossy(&seen.stderr).into_owned()
    };
    assert!(subject().await.contains("first.example"), "{}", subject().await);
    issue("second.example");
    write_file(&policies.join("site.csv"), "p, anonymous, *, box/**, download, allow\n").unwrap();
    assert_eq!(server.anonymous().get(&at.vagrant_path()).await.status, 404);
    signal(server.pid(), "HUP");
    wait_for("the new certificate", DEADLINE, async || {
        subject().await.contains("second.example").then_some(())
    })
    .await;
    wait_for("the new rule", DEADLINE, async || {
        let reply = server.anonymous().get(&at.vagrant_path()).await;
        (reply.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_waits_for_what_runs() {
    let mut server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(16 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let next = Publication { version: "2.0.0", ..at };
    admin.prepare(&next).await;

    let mut downloading = RawConnection::open(server.http()).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: boxvault\r\n\r\n", at.vagrant_path());
    downloading.send(request.as_bytes()).await;
    assert_eq!(downloading.head().await.map(|head| head.status), Some(200));
    let mut got = downloading.body(1000).await;
    let mut uploading = RawConnection::open(server.http()).await;
    let length = format!("Content-Length: {}", file.bytes.len());
    uploading.send(&upload_head(&next, &admin, &[&length])).await;
    uploading.send(&file.bytes[..1 << 20]).await;
    wait_for("the upload", DEADLINE, async || {
        let text = server.anonymous().get("/metrics").await.text();
        text.contains("boxvault_uploads_in_flight 1").then_some(())
    })
    .await;

    signal(server.pid(), "TERM");
    let addresses = server.data_dir().join("run/addresses.json");
    wait_for("the stop to begin", DEADLINE, async || (!addresses.exists()).then_some(())).await;
    got.append(&mut downloading.body(file.bytes.len() - 1000).await);
    assert!(got == file.bytes, "the download was cut after {} bytes", got.len());
    uploading.send(&file.bytes[1 << 20..]).await;
    let reply = uploading.reply().await.expect("an answer to what was running");
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(server.stop().await.success());
    server.restart().await;
    assert!(download(&server.admin().await, &next).await.bytes == file.bytes);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut server = TestServer::builder().set("server.shutdown_timeout", "1 s").start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(24 << 20).build();
    let at = Publication::new("acme", "web", &file.bytes);
    admin.publish(&at).await;
    let mut downloading = RawConnection::open(server.http()).await;
    let request = format!("GET {} HTTP/1.1\r\nHost: boxvault\r\n\r\n", at.vagrant_path());
    downloading.send(request.as_bytes()).await;
    assert_eq!(downloading.head().await.map(|head| head.status), Some(200));
    // never read on: the harness gives the stop half a minute
    assert!(server.stop().await.success());
}
