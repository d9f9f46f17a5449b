//! What stands in `examples/`, and the lines of the README, run as they stand.

mod clients;
mod registry;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use boxvault_tests::{
    TestServer, Vagrant,
    bytes::BoxBuilder,
    server::{ADMIN_NAME, unconfigured},
    skip, workspace,
};
use tokio::process::Command;

fn examples() -> PathBuf {
    workspace::root().join("examples")
}

fn text(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr];
    both.map(|part| String::from_utf8_lossy(part).into_owned()).concat()
}

/// Runs one of the scripts in `examples/curl`; nothing when it cannot run here.
async fn script(
    name: &str,
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Output {
    let mut command = Command::new(examples().join("curl").join(name));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command.envs(variables.iter().copied());
    command.output().await.expect("the script starts")
}

fn curl_is_missing(test: &str) -> bool {
    let missing = workspace::find_program("curl").is_none();
    if missing {
        skip(&format!("examples::{test}"), "curl is not installed");
    }
    missing
}

#[tokio::test]
async fn a_box_published_by_the_script_is_fetched_by_the_script() {
    if curl_is_missing("a_box_published_by_the_script_is_fetched_by_the_script") {
        return;
    }
    let server = TestServer::start().await;
    server.admin().await;
    let token = server.api_token(ADMIN_NAME).await;
    let folder = server.scratch();
    let file = BoxBuilder::new("libvirt").disk_bytes(2 << 20).build();
    std::io::Write::write_all(&mut fs::File::create(folder.join("in.box")).unwrap(), &file.bytes)
        .unwrap();
    let url = server.url();
    let variables = [("SERVER", &*url), ("TOKEN", &*token)];
    let place = ["acme/debian", "1.0.0", "libvirt", "arm64"];

    let arguments: Vec<_> = place.into_iter().chain(["in.box"]).collect();
    let published = script("publish.sh", folder, &arguments, &variables).await;
    assert!(published.status.success(), "{}", text(&published));
    assert!(text(&published).contains(&file.sha256), "{}", text(&published));
    assert!(!text(&published).contains(&token), "the token is not for anybody's log");

    // A part of it is there already, as after a cut.
    let part = fs::File::create(folder.join("out.box.part")).unwrap();
    std::io::Write::write_all(&mut &part, &file.bytes[..1_000_000]).unwrap();
    let arguments: Vec<_> = place.into_iter().chain(["out.box"]).collect();
    let fetched = script("fetch.sh", folder, &arguments, &variables).await;
    assert!(fetched.status.success(), "{}", text(&fetched));
    let same = Command::new("cmp").args(["in.box", "out.box"]).current_dir(folder).status().await;
    assert!(same.unwrap().success());

    // It is private: without a token there is nothing to see.
    let refused = script("fetch.sh", folder, &arguments, &[("SERVER", &*url)]).await;
    assert!(!refused.status.success(), "{}", text(&refused));
}

#[tokio::test]
async fn a_damaged_part_is_noticed() {
    if curl_is_missing("a_damaged_part_is_noticed") {
        return;
    }
    let server = TestServer::start().await;
    let admin = server.admin().await;
    let file = BoxBuilder::new("virtualbox").disk_bytes(1 << 20).build();
    admin.publish(&boxvault_tests::Publication::new("acme", "debian", &file.bytes)).await;

    let mut damaged = file.bytes[..500_000].to_vec();
    damaged[1000] ^= 1;
    let part = fs::File::create(server.scratch().join("out.box.part")).unwrap();
    std::io::Write::write_all(&mut &part, &damaged).unwrap();
    let arguments = ["acme/debian", "1.0.0", "virtualbox", "amd64", "out.box"];
    let url = server.url();
    let fetched = script("fetch.sh", server.scratch(), &arguments, &[("SERVER", &*url)]).await;
    assert!(!fetched.status.success(), "{}", text(&fetched));
    assert!(text(&fetched).contains("remove it"), "{}", text(&fetched));
    assert!(!server.scratch().join("out.box").exists());
}

#[tokio::test]
async fn the_tour_of_the_api_ends_where_it_says() {
    if curl_is_missing("the_tour_of_the_api_ends_where_it_says") {
        return;
    }
    let program = workspace::boxvault().to_str().unwrap();
    let toured = script("tour.sh", &examples(), &[], &[("BOXVAULT_BIN", program)]).await;
    assert!(toured.status.success(), "{}", text(&toured));
    assert!(text(&toured).contains("That was the tour"), "{}", text(&toured));
}

#[tokio::test]
async fn scripts_without_arguments_say_how_to_use_them() {
    for name in ["publish.sh", "fetch.sh"] {
        let output = script(name, &examples(), &[], &[]).await;
        assert_eq!(output.status.code(), Some(2), "{name}: {}", text(&output));
        assert!(text(&output).contains("ORGANIZATION/BOX VERSION"), "{name}: {}", text(&output));
    }
}

#[tokio::test]
async fn every_configuration_file_loads() {
    let root = workspace::root();
    let in_examples = fs::read_dir(examples().join("config")).expect("examples/config");
    let files: Vec<_> = in_examples
        .map(|entry| entry.unwrap().path())
        .chain([root.join("config.toml")])
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    assert!(files.len() >= 2, "{files:?}");
    // the pin in an example only stands for one; this is what it says to ask for the real one
    let pin = unconfigured(&mut Command::new(workspace::boxvault()))
        .args(["plugin", "pin", "fs", "--kind", "storage"])
        .output()
        .await
        .unwrap();
    let pin = text(&pin).split('"').nth(3).map(str::to_owned).expect("a name and a digest");
    for file in files {
        let scratch = tempfile::tempdir().unwrap();
        let output = unconfigured(&mut Command::new(workspace::boxvault()))
            .args(["config", "check"])
            .env("BOXVAULT_CONFIG", &file)
            .env("BOXVAULT_PLUGINS__PINS__FS", &pin)
            .current_dir(scratch.path())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), text(&output));
    }
}

#[tokio::test]
async fn the_vagrantfile_is_valid() {
    let Some(vagrant) = Vagrant::new("http://127.0.0.1:5000") else {
        return skip("examples::the_vagrantfile_is_valid", "vagrant is not installed");
    };
    // Beside a copy: vagrant leaves a folder where its Vagrantfile is.
    let folder = tempfile::tempdir().unwrap();
    fs::copy(examples().join("vagrant/Vagrantfile"), folder.path().join("Vagrantfile")).unwrap();
    let run = vagrant.run_in(folder.path(), &["validate", "--ignore-provider"]).await;
    assert!(run.expect_success().output.contains("validated successfully"), "{}", run.output);
}

#[tokio::test]
async fn the_lines_of_the_readme_publish_fetch_and_keep_a_box() {
    if curl_is_missing("the_lines_of_the_readme_publish_fetch_and_keep_a_box") {
        return;
    }
    let readme = fs::read_to_string(workspace::root().join("README.md")).unwrap();
    let blocks: Vec<_> =
        readme.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let [publish, fetch, keep] = blocks.as_slice() else {
        panic!("three blocks of sh, not {blocks:?}")
    };
    let is_vagrant = |line: &str| line.contains("vagrant box add");
    let fetch: String = fetch
        .lines()
        .filter(|line| !is_vagrant(line))
        .fold(String::new(), |all, line| all + line + "\n");

    // As they stand, but for the port and the place of the program.
    let server = TestServer::start().await;
    let folder = server.scratch();
    fs::create_dir_all(folder.join("target")).unwrap();
    let built = workspace::boxvault().parent().unwrap();
    std::os::unix::fs::symlink(built, folder.join("target/release")).unwrap();
    let lines = format!("{publish}{fetch}{keep}").replace("http://127.0.0.1:5000", &server.url());
    // `curl` alone would not fail for an answer that is an error.
    let script = format!("curl() {{ command curl --fail-with-body \"$@\"; }}\n{lines}");
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &script]).current_dir(folder).stdin(Stdio::null());
    let output = unconfigured(&mut command).output().await.unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(folder.join("fetched.box").is_file());
    assert!(folder.join("restored/catalog.sqlite3").is_file());
}
