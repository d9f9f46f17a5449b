//! What `boxvault plugin new` writes builds as it is, and passes the kit.

use std::{fs, path::Path, process::Output};

use boxvault_tests::{faults::write_file, server::unconfigured, workspace};
use serde_json::{Value, json};
use tokio::process::Command;

async fn boxvault(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(workspace::boxvault());
    unconfigured(&mut command).args(arguments).current_dir(folder).output().await.unwrap()
}

fn text(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    format!("{out}{err}")
}

/// Writes a plugin, builds it and its tests without a network, and gives its library.
async fn built(folder: &Path, kind: &str, name: &str) -> String {
    let sdk = workspace::root().join("plugins");
    let new = ["plugin", "new", kind, name, "--sdk", sdk.to_str().unwrap()];
    let output = boxvault(folder, &new).await;
    assert!(output.status.success(), "{}", text(&output));
    let project = folder.join(format!("boxvault-{kind}-{name}"));
    // again writes nothing over what is there
    assert_eq!(boxvault(folder, &new).await.status.code(), Some(2));

    // the crates that this checkout was built with
    fs::copy(workspace::root().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = workspace::profile_dir().parent().unwrap().join("templates");
    for arguments in [&["build"][..], &["test"]] {
        let output = Command::new(env!("CARGO"))
            .args(arguments)
            .args(["--offline", "--quiet", "--target-dir"])
            .arg(&target)
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("CARGO_PROFILE_TEST_DEBUG", "0")
            .env("RUSTFLAGS", "-D warnings")
            .current_dir(&project)
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    }
    let library = format!("libboxvault_{kind}_{}.so", name.replace('-', "_"));
    target.join("debug").join(library).to_str().unwrap().to_owned()
}

async fn passes(folder: &Path, library: &str, arguments: &[&str]) {
    let all = [&["plugin", "check", library, "--format", "json"], arguments].concat();
    let output = boxvault(folder, &all).await;
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    assert_eq!(report["passed"], true, "{report:#}");
}

#[tokio::test]
async fn a_new_storage_plugin_builds_and_passes_the_kit() {
    let folder = tempfile::tempdir().unwrap();
    let library = built(folder.path(), "storage", "cold-attic").await;
    passes(folder.path(), &library, &["--forgets"]).await;
}

#[tokio::test]
async fn a_new_auth_plugin_builds_and_passes_the_kit() {
    let folder = tempfile::tempdir().unwrap();
    let library = built(folder.path(), "auth", "badges").await;
    let write = |name: &str, table: &Value| {
        let path = folder.path().join(name);
        write_file(&path, toml::to_string(table).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let table = json!({ "issuer": "example", "users": [
        { "username": "ann", "password": "correct horse" },
        { "username": "bob", "password": "another one", "disabled": true }
    ]});
    let people = json!({
        "user": { "username": "ann", "password": "correct horse" },
        "claims": { "issuer": "example", "subject": "ann", "username": "ann" },
        "disabled": { "username": "bob", "password": "another one" },
    });
    let (table, people) = (write("badges.toml", &table), write("people.toml", &people));
    passes(folder.path(), &library, &["--config", &table, "--people", &people]).await;
}
