//! The program as a process: what goes to which stream, and what the shell gets back.

use std::{
    fs,
    process::{Command, Output},
};

/// The program in a folder of its own, without the variables of whoever runs the tests.
fn boxvault(folder: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boxvault"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BOXVAULT_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_good_configuration_is_ok_and_a_wrong_one_is_told_on_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    let output = boxvault(&folder).args(["config", "check"]).output().unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""), "{answer}");
    assert!(answer.starts_with("OK: "), "{answer}");

    // ./config.toml is read without being named.
    let file = folder.path().join("config.toml");
    fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config.toml"), &file).unwrap();
    let output = boxvault(&folder)
        .args(["config", "check", "--set", "limits.page_size_max=0"])
        .env("BOXVAULT_SERVER__HTTP_LISTENER", "5000")
        .output()
        .unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!((output.status.code(), answer.as_str()), (Some(2), ""), "{errors}");
    for line in [
        "variable BOXVAULT_SERVER__HTTP_LISTENER: server.http_listener is not a key",
        "argument --set: limits.page_size_max must be from 1 to 1000",
    ] {
        assert!(errors.contains(line), "no {line:?} in {errors}");
    }
}

#[test]
fn the_environment_and_the_arguments_of_the_process_count() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/config/minimal.toml"),
        folder.path().join("other.toml"),
    )
    .unwrap();
    let output = boxvault(&folder)
        .args(["--bind", "::1", "config", "show", "--origin"])
        .env("BOXVAULT_CONFIG", "other.toml")
        .env("BOXVAULT_LIMITS__UPLOAD_BYTES_MAX", "1 GiB")
        .env("BOXVAULT_DATABASE__URL", "postgresql://bv:canary@db/boxvault")
        .output()
        .unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!((output.status.code(), errors.as_str()), (Some(0), ""));
    for line in [
        "server.bind = \"::1\"  # argument --bind",
        "server.data_dir = \"/var/lib/boxvault\"  # other.toml:7",
        "limits.upload_bytes_max = \"1 GiB\"  # variable BOXVAULT_LIMITS__UPLOAD_BYTES_MAX",
        "database.url = \"postgresql://bv:<redacted>@db/boxvault\"  # variable BOXVAULT_DATABASE__URL",
        "log.filter = \"info\"  # default",
    ] {
        assert!(answer.lines().any(|shown| shown == line), "no {line:?} in\n{answer}");
    }
    assert!(!answer.contains("canary"), "{answer}");
}

#[test]
fn the_shipped_policy_is_ok_and_a_broken_one_fails() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let output = boxvault(&folder).args(["policy", "check", shipped]).output().unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(answer.contains("OK: "), "{answer}");

    // Without a folder of its own, a server goes by the rules inside the program.
    let embedded = boxvault(&folder).args(["policy", "matrix"]).output().unwrap();
    let read = boxvault(&folder).args(["policy", "matrix", shipped]).output().unwrap();
    assert_eq!(embedded.stdout, read.stdout);
    assert!(!read.stdout.is_empty());

    let output = boxvault(&folder).args(["policy", "check", "absent"]).output().unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!((output.status.code(), answer.as_str()), (Some(1), ""));
    assert!(errors.contains("absent"), "{errors}");
}

#[test]
fn a_mistake_in_the_arguments_is_a_usage_error_and_help_is_none() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code) in [
        (["config", "chek"], 2),
        (["--set", "nonsense"], 2),
        (["config", "--help"], 0),
        (["plugin", "--version"], 2),
    ] {
        let output = boxvault(&folder).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {:?}", texts(&output));
    }
    let output = boxvault(&folder).arg("--version").output().unwrap();
    assert!(texts(&output).0.starts_with("boxvault 0."), "{:?}", texts(&output));
}
