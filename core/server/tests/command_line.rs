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
    let output = boxvault(&folder).args(["policy", "check", "--dir", shipped]).output().unwrap();
    let (answer, errors) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    assert!(answer.contains("OK: "), "{answer}");

    // Without a folder of its own, a server goes by the rules inside the program.
    let embedded = boxvault(&folder).args(["policy", "matrix"]).output().unwrap();
    let read = boxvault(&folder).args(["policy", "matrix", "--dir", shipped]).output().unwrap();
    assert_eq!(embedded.stdout, read.stdout);
    assert!(!read.stdout.is_empty());
}

#[test]
fn the_policy_answers_questions_with_words_json_and_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |arguments: &[&str]| {
        let output = boxvault(&folder).arg("policy").args(arguments).output().unwrap();
        let (answer, errors) = texts(&output);
        (output.status.code().unwrap(), answer, errors)
    };
    let member = ["role:member", "delete", "box/web", "--org", "acme"];
    let owner = ["role:owner", "delete", "box/web", "--org", "acme"];
    let with = |command: &'static str, words: [&'static str; 5], more: &[&'static str]| {
        ask(&[&[command][..], &words[..], more].concat())
    };
    assert_eq!(with("can", member, &[]), (1, "no\n".into(), String::new()));
    assert_eq!(with("can", owner, &[]), (0, "yes\n".into(), String::new()));
    assert_eq!(with("can", member, &["--quiet"]), (1, String::new(), String::new()));
    let (code, answer, _) = with("explain", member, &["--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((code, &answer["reason"]), (1, &serde_json::json!("no_rule")));
    assert_eq!(answer["remedies"][0], "p, role:member, acme, box/web, delete, allow");
    let (code, answer, _) = with("explain", owner, &[]);
    assert!(code == 0 && answer.contains("allowed by policy.csv:"), "{answer}");

    for (arguments, part) in [
        (&["can", "role:member", "delete", "box/web"][..], "say which one"),
        (&["can", "membr", "delete", "box/web", "--org", "acme"], "unknown subject"),
        (&["who-can", "delte", "box/web", "--org", "acme"], "did you mean \"delete\"?"),
        (&["can", "role:member", "read", "policy", "--dir", "absent"], "absent"),
        (&["check", "--dir", "absent"], "absent"),
        (&["diff", "absent", "absent"], "absent"),
        (&["fmt"], "no folder"),
    ] {
        let (code, answer, errors) = ask(arguments);
        assert_eq!((code, answer.as_str()), (2, ""), "{arguments:?}: {errors}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
    let (code, answer, _) = ask(&["who-can", "delete", "box/web", "--org", "acme"]);
    assert!(code == 0 && answer.contains("role:owner  by policy.csv:"), "{answer}");
    let (code, answer, _) = ask(&["list", "role:member"]);
    assert!(code == 0 && answer.contains("box/**"), "{answer}");
    let (code, answer, _) = ask(&["test"]);
    assert!(code == 0 && answer.starts_with("OK: "), "{answer}");
}

#[test]
fn files_of_a_policy_are_tested_compared_and_printed_in_one_form() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies");
    let own = folder.path().join("own");
    fs::create_dir(&own).unwrap();
    for name in ["model.conf", "policy.csv", "tests.csv"] {
        fs::copy(std::path::Path::new(shipped).join(name), own.join(name)).unwrap();
    }
    let write = |name: &str, text: &str| {
        let mut file = fs::File::create(own.join(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    let ask = |arguments: &[&str]| {
        let output = boxvault(&folder).arg("policy").args(arguments).output().unwrap();
        let (answer, errors) = texts(&output);
        (output.status.code().unwrap(), answer, errors)
    };
    let dir = own.to_str().unwrap();
    write("site.csv", "# ours\np,role:member,*,box/*,delete,allow\n");
    let (code, _, errors) = ask(&["check", "--dir", dir]);
    assert!(code == 1 && errors.contains("tests.csv:"), "{errors}");
    let (code, answer, _) = ask(&["check", "--dir", dir, "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (code, &answer["ok"], &answer["problems"][0]["file"]),
        (1, &false.into(), &"tests.csv".into())
    );
    let (code, answer, _) = ask(&["test", "--dir", dir]);
    assert!(code == 1 && answer.contains("it is allowed by site.csv:2"), "{answer}");
    // questions are answered all the same, with a note
    let can = ["can", "role:member", "delete", "box/web", "--org", "acme", "--dir", dir];
    let (code, answer, errors) = ask(&can);
    assert_eq!((code, answer.as_str()), (0, "yes\n"));
    assert!(errors.contains("a server would refuse these files"), "{errors}");

    let (code, answer, _) = ask(&["diff", shipped, dir]);
    assert!(code == 1 && answer.contains("+ member: delete box/* in *: . -> yes"), "{answer}");
    assert_eq!(ask(&["diff", dir, dir]).0, 0);

    let (code, answer, _) = ask(&["fmt", "--check", "--dir", dir]);
    assert_eq!((code, answer.as_str()), (1, "would change: site.csv\n"));
    assert_eq!(ask(&["fmt", "--dir", dir]).0, 0);
    let printed = fs::read_to_string(own.join("site.csv")).unwrap();
    assert_eq!(printed, "# ours\np, role:member, *, box/*, delete, allow\n");
    assert_eq!(ask(&["fmt", "--check", "--dir", dir]).0, 0);

    write("site.csv", "p, role:member, *, box/*, delete, Allow\n");
    let (code, answer, errors) =
        ask(&["can", "role:member", "read", "box", "--org", "acme", "--dir", dir]);
    assert_eq!(
        (code, answer.as_str()),
        (2, ""),
        "a policy that cannot be read says neither yes nor no"
    );
    assert!(errors.contains("site.csv:1:35"), "{errors}");
    assert_eq!(ask(&["fmt", "--dir", dir]).0, 1);
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
