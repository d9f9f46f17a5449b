//! A TypeScript client that is generated from the API document: it type-checks against it, and works with the server.

use std::{
    path::Path,
    process::{Output, Stdio},
};

use boxvault_tests::{
    TestServer,
    bytes::BoxBuilder,
    faults::write_file,
    server::{ADMIN_NAME, PASSWORD},
    skip, workspace,
};
use serde_json::{Value, json};
use tokio::process::Command;

const CLIENT: &str = include_str!("../typescript/client.mts");
/// Everything that the compiler can hold against a program.
const STRICT: &[&str] = &[
    "--strict",
    "--noUncheckedIndexedAccess",
    "--exactOptionalPropertyTypes",
    "--target",
    "es2022",
    "--module",
    "nodenext",
    "--types",
    "node",
];

async fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().await.unwrap()
}

#[track_caller]
fn assert_well(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn a_client_that_is_generated_from_the_document_type_checks_and_works() {
    let name = "a_client_that_is_generated_from_the_document_type_checks_and_works";
    let Some(node) = workspace::find_program("node") else { return skip(name, "no node") };
    let modules = workspace::root().join("tests/node_modules");
    if !modules.join("openapi-typescript").is_dir() {
        return skip(name, "openapi-typescript is not installed: npm ci --prefix tests");
    }
    let server = TestServer::start().await;
    server.admin().await;
    let folder = server.scratch().join("typescript");
    std::fs::create_dir_all(&folder).unwrap();
    // modules are looked for beside the program
    std::os::unix::fs::symlink(&modules, folder.join("node_modules")).unwrap();
    let file = BoxBuilder::new("virtualbox").disk_bytes(50_000).build();
    let document = server.anonymous().get("/api-docs/openapi.json").await;
    let wrong = CLIENT.replace("isPublic: true", "isPublic: \"yes\"");
    for (name, bytes) in [
        ("openapi.json", &*document.bytes),
        ("client.mts", CLIENT.as_bytes()),
        ("wrong.mts", wrong.as_bytes()),
        ("web.box", &file.bytes),
    ] {
        write_file(&folder.join(name), bytes).unwrap();
    }

    let generate = ["node_modules/openapi-typescript/bin/cli.js", "openapi.json", "-o", "api.d.ts"];
    assert_well(&run(&node, &folder, &generate).await);
    let compile = [&["node_modules/typescript/bin/tsc"], STRICT].concat();
    assert_well(&run(&node, &folder, &[&*compile, &["client.mts"]].concat()).await);
    // the check can fail: a field of another type than the document says
    let refused = run(&node, &folder, &[&*compile, &["--noEmit", "wrong.mts"]].concat()).await;
    assert!(!refused.status.success(), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stdout).contains("wrong.mts"), "{refused:?}");

    let url = server.url();
    let done = run(&node, &folder, &["client.mjs", &url, ADMIN_NAME, PASSWORD, "web.box"]).await;
    assert_well(&done);
    let said: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&said["names"], &said["total"]), (&json!(["typed/web"]), &json!(1)));
    assert_eq!((&said["checksum"], &said["same"]), (&json!(file.sha256), &json!(true)));
}
