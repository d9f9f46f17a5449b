//! What `boxvault plugin new` writes builds as it is, and passes the kit.
//!
//! One test for all templates: they share nearly all of what they are built from, and cargo builds one at a time. They
//! are built into the folder of this build, by the same profile, so that whatever both need with the same features is
//! there already; most of all what is not Rust.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

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

/// The folder of all that is built.
fn target() -> PathBuf {
    workspace::profile_dir().parent().unwrap().to_owned()
}

/// Where templates are written: the same place each time, so that a later run builds nothing again but them.
fn projects() -> PathBuf {
    let folder = target().join("templates");
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => fs::create_dir(&folder).unwrap(),
    }
    folder
}

/// Runs cargo in a project, without a network, and fails on the first warning.
async fn cargo(project: &Path, command: &str) {
    let output = Command::new(env!("CARGO"))
        .args([command, "--offline", "--quiet", "--target-dir"])
        .arg(target())
        // as this checkout builds what is not its own
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_SPLIT_DEBUGINFO", "unpacked")
        .current_dir(project)
        .output()
        .await
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && !said.contains("warning"), "cargo {command}: {said}");
}

/// Writes a plugin, builds it and its tests, and gives its library.
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
    cargo(&project, "test").await;
    cargo(&project, "build").await;
    let library = format!("libboxvault_{kind}_{}.so", name.replace('-', "_"));
    target().join("debug").join(library).to_str().unwrap().to_owned()
}

async fn passes(folder: &Path, library: &str, arguments: &[&str]) {
    let all = [&["plugin", "check", library, "--format", "json"], arguments].concat();
    let output = boxvault(folder, &all).await;
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output)));
    assert_eq!(report["passed"], true, "{report:#}");
}

#[tokio::test]
async fn new_plugins_of_both_kinds_build_and_pass_the_kit() {
    let folder = projects();
    let storage = built(&folder, "storage", "cold-attic").await;
    let auth = built(&folder, "auth", "badges").await;
    let write = |name: &str, table: &Value| {
        let path = folder.join(name);
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
    let arguments = ["--config", &table, "--people", &people];
    tokio::join!(passes(&folder, &storage, &["--forgets"]), passes(&folder, &auth, &arguments));
}
