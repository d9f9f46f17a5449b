//! `boxvault plugin check`, `inspect`, `pin` and `list`: the conformance kit as a command, on every plugin that we
//! ship, on both sides of the process boundary, and on those that break their promises.

use std::{path::Path, process::Output};

use boxvault_plugin_conformance::servers::{
    AzblobServer, GcsServer, LdapServer, OidcServer, S3Server, SftpServer, WebdavServer,
};
use boxvault_plugin_sdk::abi;
use boxvault_tests::{plugins::CPlugin, server::unconfigured, skip, workspace};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder to work in, with the files that a command reads.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes a table.
    async fn file(&self, name: &str, table: &Value) -> String {
        let path = self.0.path().join(name);
        tokio::fs::write(&path, toml::to_string(table).unwrap()).await.unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn boxvault(&self, arguments: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(workspace::boxvault());
        // examples lie beside the test program
        let deps = workspace::profile_dir().join("deps");
        let setting = format!("plugins.search_paths={}", deps.display());
        let command = unconfigured(&mut command).args(arguments).args(["--set", &setting]);
        command.current_dir(self.0.path()).output().await.unwrap()
    }

    /// Judges a plugin; gives the report.
    async fn check(&self, plugin: &str, arguments: &[&str]) -> (Option<i32>, Value) {
        let all = [&["plugin", "check", plugin, "--format", "json"], arguments].concat();
        let output = self.boxvault(&all).await;
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}{}", text(&output.stdout), text(&output.stderr))
        });
        (output.status.code(), report)
    }

    /// Judges a plugin in this process and in one of its own, and fails unless both pass.
    async fn passes(&self, plugin: &str, arguments: &[&str], suites: &[&str]) -> Value {
        let all = [arguments, &["--isolation", "both"]].concat();
        let (code, report) = self.check(plugin, &all).await;
        assert_eq!((code, &report["passed"]), (Some(0), &json!(true)), "{report:#}");
        let ran = report["suites"].as_array().unwrap().iter();
        let ran = ran.map(|suite| suite["suite"].as_str().unwrap());
        // the other suites run in processes of their own anyway
        let twice = |suite: &str| ["storage", "auth", "network"].contains(&suite);
        let expected = suites.iter().flat_map(|suite| {
            let again = twice(suite).then(|| format!("{suite}-isolated"));
            [(*suite).to_owned()].into_iter().chain(again)
        });
        assert!(ran.eq(expected), "{report:#}");
        report
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Fails unless `plugins/README.md` says of a plugin how many cases of each suite passed, of all.
fn stands_in_the_table(report: &Value, server: &str) {
    let suites = report["suites"].as_array().unwrap();
    let cell = |name: &str| {
        let Some(suite) = suites.iter().find(|suite| suite["suite"] == name) else {
            return "–".to_owned();
        };
        let cases = suite["cases"].as_array().unwrap();
        let passed = cases.iter().filter(|case| case["outcome"] == "passed").count();
        format!("{passed} of {}", cases.len())
    };
    let both = |name: &str| {
        let (here, isolated) = (cell(name), cell(&format!("{name}-isolated")));
        assert_eq!(here, isolated, "{name} finds other things in a process of its own");
        here
    };
    let [plugin, kind] = ["name", "kind"].map(|key| report["plugin"][key].as_str().unwrap());
    let cells = [cell("abi"), both(kind), cell("faults"), both("network")].join(" | ");
    let row = format!("| `{plugin}` | {server} | {cells} |");
    let text = std::fs::read_to_string(workspace::root().join("plugins/README.md")).unwrap();
    assert!(text.lines().any(|line| line == row), "plugins/README.md should say:\n{row}");
}

/// How one case of a report ended.
fn outcome<'a>(report: &'a Value, name: &str) -> &'a Value {
    let suites = report["suites"].as_array().unwrap().iter();
    let mut cases = suites.flat_map(|suite| suite["cases"].as_array().unwrap());
    cases.find(|case| case["name"] == name).unwrap_or_else(|| panic!("no case {name}: {report:#}"))
}

/// How one case ended in the process of its own.
fn isolated<'a>(report: &'a Value, name: &str) -> &'a Value {
    let mut suites = report["suites"].as_array().unwrap().iter();
    let suite = suites.find(|suite| suite["suite"] == "storage-isolated").unwrap();
    let mut cases = suite["cases"].as_array().unwrap().iter();
    &cases.find(|case| case["name"] == name).unwrap()["outcome"]
}

/// The version of the contract that everything here was built for.
fn contract() -> String {
    format!("{}.{}", abi::ABI_MAJOR, abi::ABI_MINOR)
}

const STORAGE: [&str; 3] = ["abi", "storage", "faults"];
const NETWORKED: [&str; 4] = ["abi", "storage", "faults", "network"];

#[tokio::test]
async fn fs_passes_the_whole_kit_on_both_sides_of_the_process() {
    let desk = Desk::new();
    let table = desk.file("fs.toml", &json!({ "root": desk.0.path().join("store") })).await;
    let report = desk.passes("fs", &["--config", &table], &STORAGE).await;
    stands_in_the_table(&report, "a disk");
    for case in [
        "a_full_disk_is_told_and_leaves_nothing",
        "what_was_finished_survives_a_kill",
        "a_kill_while_an_object_is_finished_leaves_all_of_it_or_nothing",
        "a_thousand_random_calls_are_each_answered_once",
    ] {
        assert_eq!(outcome(&report, case)["outcome"], "passed", "{case}");
    }
    for case in ["offsets_beyond_4_gib_are_right", "the_local_file_holds_the_same_bytes"] {
        assert_eq!(isolated(&report, case), "passed", "{case}");
    }
}

#[tokio::test]
async fn plugins_for_tests_and_the_example_pass_the_whole_kit_on_both_sides() {
    let desk = Desk::new();
    for plugin in ["memory", "shelf"] {
        let report = desk.passes(plugin, &["--forgets"], &STORAGE).await;
        assert_eq!(isolated(&report, "a_taken_key_is_refused"), "passed");
        stands_in_the_table(&report, "memory");
    }
    // and are told that they forget, when nobody says that they may
    let (code, report) = desk.check("memory", &["--isolation", "process"]).await;
    assert_eq!((code, &report["isolation"]), (Some(1), &json!("process")));
    assert_eq!(outcome(&report, "what_was_finished_survives_a_kill")["outcome"], "failed");
}

#[tokio::test]
async fn the_example_in_c_passes_the_whole_kit_on_both_sides() {
    let Some(plugin) = CPlugin::compile("storage-c/storage_c.c", &[]) else {
        let test = "the_example_in_c_passes_the_whole_kit_on_both_sides";
        return skip(test, "there is no C compiler (cc)");
    };
    let desk = Desk::new();
    let table = desk.file("c.toml", &json!({ "root": desk.0.path().join("store") })).await;
    let report = desk.passes(plugin.source(), &["--config", &table], &STORAGE).await;
    stands_in_the_table(&report, "a disk");
}

#[tokio::test]
async fn s3_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "s3_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match S3Server::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let table = json!({
        "bucket": server.bucket, "endpoint": server.endpoint, "part_bytes": 5 << 20,
        "access_key_id": server.access_key_id, "secret_access_key": server.secret_access_key,
        "retries": 2,
    });
    let table = desk.file("s3.toml", &table).await;
    let name = if server.is_garage() { "Garage" } else { "moto" };
    let arguments = ["--config", &table, "--network", "endpoint"];
    let report = desk.passes("s3", &arguments, &NETWORKED).await;
    stands_in_the_table(&report, name);
}

#[tokio::test]
async fn azblob_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "azblob_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match AzblobServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let table = json!({
        "container": server.container, "endpoint": server.endpoint, "block_bytes": 1 << 20,
        "account_name": server.account_name, "account_key": server.account_key, "retries": 2,
    });
    let table = desk.file("azblob.toml", &table).await;
    let arguments = ["--config", &table, "--network", "endpoint"];
    let report = desk.passes("azblob", &arguments, &NETWORKED).await;
    stands_in_the_table(&report, "Azurite");
}

#[tokio::test]
async fn gcs_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "gcs_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match GcsServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let account = tokio::fs::read_to_string(&server.account_file).await.unwrap();
    let table = json!({
        "bucket": server.bucket, "endpoint": server.endpoint, "chunk_bytes": 1 << 20,
        "credential": account, "retries": 2,
    });
    let table = desk.file("gcs.toml", &table).await;
    let arguments = ["--config", &table, "--network", "endpoint"];
    let report = desk.passes("gcs", &arguments, &NETWORKED).await;
    stands_in_the_table(&report, "gcp-storage-emulator");
}

#[tokio::test]
async fn webdav_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "webdav_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match WebdavServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let table = json!({
        "endpoint": server.endpoint, "username": server.username, "password": server.password,
        "retries": 2,
    });
    let table = desk.file("webdav.toml", &table).await;
    let arguments = ["--config", &table, "--network", "endpoint"];
    let report = desk.passes("webdav", &arguments, &NETWORKED).await;
    stands_in_the_table(&report, "WsgiDAV");
}

#[tokio::test]
async fn sftp_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "sftp_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match SftpServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let table = json!({
        "host": "127.0.0.1", "port": server.port, "user": server.user, "root": server.root,
        "identity_file": server.identity_file, "known_hosts_file": server.known_hosts_file,
        "connections": 2, "retries": 2,
    });
    let table = desk.file("sftp.toml", &table).await;
    let arguments = ["--config", &table, "--network", "host"];
    let report = desk.passes("sftp", &arguments, &NETWORKED).await;
    stands_in_the_table(&report, "OpenSSH");
}

#[tokio::test]
async fn the_auth_example_passes_the_whole_kit_on_both_sides() {
    let desk = Desk::new();
    let password = "correct hörse 🔋";
    let table = json!({ "issuer": "example", "users": [
        {
            "username": "ann", "password": password, "email": "ann@example.org",
            "display_name": "Ann", "groups": ["staff", "admins"],
        },
        { "username": "bob", "password": "another one", "disabled": true }
    ]});
    let people = json!({
        "user": { "username": "ann", "password": password },
        "claims": {
            "issuer": "example", "subject": "ann", "username": "ann", "email": "ann@example.org",
            "email_verified": true, "display_name": "Ann", "groups": ["staff", "admins"],
        },
        "disabled": { "username": "bob", "password": "another one" },
    });
    let table = desk.file("static.toml", &table).await;
    let people = desk.file("people.toml", &people).await;
    let arguments = ["--config", &table, "--people", &people];
    let report = desk.passes("static", &arguments, &["abi", "auth", "faults"]).await;
    stands_in_the_table(&report, "its own table");
    // without people there is still the table
    desk.passes("static", &["--config", &table], &["abi"]).await;
}

#[tokio::test]
async fn ldap_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "ldap_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match LdapServer::start() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let [bind_dn, bind_password] = LdapServer::SEARCHES;
    let table = json!({
        "urls": [server.url], "ca_file": server.ca_file,
        "bind_dn": bind_dn, "bind_password": bind_password,
        "user_base": "ou=people,dc=example,dc=org", "group_base": "ou=groups,dc=example,dc=org",
        "disabled_filter": "(employeeType=left)",
        // a connection that ends before it is encrypted is noticed only then
        "connect_timeout_s": 1,
    });
    let people = json!({
        "user": { "username": "ann", "password": "correct horse" },
        "claims": {
            "issuer": server.url, "subject": "00000000-0000-4000-8000-000000000001",
            "username": "ann", "email": "ann@example.org", "email_verified": true,
            "display_name": "Ann Example",
            "groups": ["builders", "engineers", "staff", "unix"],
        },
        "disabled": { "username": "bob", "password": "battery staple" },
    });
    let table = desk.file("ldap.toml", &table).await;
    let people = desk.file("people.toml", &people).await;
    let arguments = ["--config", &table, "--people", &people, "--network", "urls"];
    let report = desk.passes("ldap", &arguments, &["abi", "auth", "faults", "network"]).await;
    stands_in_the_table(&report, "slapd");
}

/// Its provider is known by its address, so that the tunnel is opened there, and the provider listens elsewhere.
#[tokio::test]
async fn oidc_passes_the_whole_kit_on_both_sides_also_when_its_network_fails() {
    let test = "oidc_passes_the_whole_kit_on_both_sides_also_when_its_network_fails";
    let server = match OidcServer::start_elsewhere() {
        Ok(server) => server,
        Err(reason) => return skip(test, &reason),
    };
    let desk = Desk::new();
    let table = json!({
        "issuer": server.issuer, "ca_file": server.ca_file, "keys_pause_s": 1, "clock_skew_s": 5,
        "client_id": server.client_id, "client_secret": server.client_secret,
    });
    let people = json!({
        "user": { "username": "ann", "password": "correct horse" },
        "claims": {
            "issuer": server.issuer, "subject": "ann", "username": "ann",
            "email": "ann@example.org", "email_verified": true, "display_name": "Ann Example",
            "groups": ["builders", "staff"],
        },
        "redirect": { "driver": server.driver(), "callback_url": OidcServer::CALLBACK },
    });
    let table = desk.file("oidc.toml", &table).await;
    let mut lonely = people.clone();
    let people = desk.file("people.toml", &people).await;
    let network = format!("issuer={}", server.listens);
    let arguments = ["--config", &table, "--people", &people, "--network", &network];
    let report = desk.passes("oidc", &arguments, &["abi", "auth", "faults", "network"]).await;
    stands_in_the_table(&report, "oidc-provider");
    // without a driver nobody signs in there, and the report says so
    drop(lonely.as_object_mut().unwrap().remove("redirect"));
    let lonely = desk.file("lonely.toml", &lonely).await;
    let (code, report) = desk.check("oidc", &["--config", &table, "--people", &lonely]).await;
    assert_eq!(code, Some(1), "nothing of a suite could be tried: {report:#}");
    let replayed = outcome(&report, "what_a_browser_brings_back_is_good_once");
    assert_eq!(replayed["outcome"], "skipped", "{replayed}");
}

#[tokio::test]
async fn a_plugin_that_lies_fails_by_the_promises_that_it_breaks() {
    let desk = Desk::new();
    let (code, report) = desk.check("faulty", &["--kind", "storage", "--forgets"]).await;
    assert_eq!((code, &report["passed"]), (Some(1), &json!(false)));
    let off: Vec<_> = report["capabilities"]["switchedOff"].as_array().unwrap().iter().collect();
    let off: Vec<_> = off.iter().map(|off| off["capability"].as_str().unwrap()).collect();
    assert_eq!(off, ["local-path", "create-new"]);
    assert_eq!(outcome(&report, "a_taken_key_is_refused")["outcome"], "failed");
    // for people
    let arguments = ["plugin", "check", "faulty", "--kind", "storage", "--forgets"];
    let output = desk.boxvault(&arguments).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    for line in ["NOT TRUE: create-new: ", "FAILED  a_taken_key_is_refused: ", "storage suite: "] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(shown.trim_end().ends_with("FAILED"), "{shown}");
}

#[tokio::test]
async fn plugins_that_break_the_table_are_found_and_take_no_command_with_them() {
    let test = "plugins_that_break_the_table_are_found_and_take_no_command_with_them";
    let desk = Desk::new();
    for (define, case, reason) in [
        (
            "FAULT_TWICE",
            "no_call_was_answered_twice",
            "answers came to calls that had their answer",
        ),
        ("FAULT_UNKNOWN_STATUS", "keys_that_are_none_are_errors", "has error"),
        ("FAULT_CRASH", "keys_that_are_none_are_errors", "ended the process"),
    ] {
        let Some(plugin) = CPlugin::compile("storage-faulty/faulty.c", &[define]) else {
            return skip(test, "there is no C compiler (cc)");
        };
        let (code, report) = desk.check_table(plugin.path()).await;
        assert_eq!(code, Some(1), "{define}: {report:#}");
        let found = outcome(&report, case)["reason"].as_str().unwrap_or_default().to_owned();
        assert!(found.contains(reason), "{define}: {found}");
    }
}

impl Desk {
    /// Judges a library that does not work at all: what is said of its table stands in the report all the same.
    async fn check_table(&self, library: &Path) -> (Option<i32>, Value) {
        self.check(library.to_str().unwrap(), &[]).await
    }
}

#[tokio::test]
async fn a_table_that_is_wrong_is_named_by_its_keys_and_shows_no_value() {
    let desk = Desk::new();
    let wrong = json!({ "root": "/x", "rooot": "canary", "read_chunk_bytes": "canary" });
    let table = desk.file("fs.toml", &wrong).await;
    let output = desk.boxvault(&["plugin", "check", "fs", "--config", &table]).await;
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("rooot: unknown key") && errors.contains("read_chunk_bytes: "));
    assert!(!errors.contains("canary"), "{errors}");
    let table = desk.file("right.toml", &json!({ "root": "/x" })).await;
    let network = ["plugin", "check", "fs", "--config", &table, "--network", "root"];
    let output = desk.boxvault(&network).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--network root: it is no address"));
    let missing = desk.boxvault(&["plugin", "check", "fs", "--config", "nowhere.toml"]).await;
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("nowhere.toml"));
}

#[tokio::test]
async fn inspect_and_pin_find_the_kind_by_themselves() {
    let desk = Desk::new();
    for (plugin, kind) in [("fs", "storage"), ("ldap", "auth")] {
        let output = desk.boxvault(&["plugin", "inspect", plugin]).await;
        let info: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&info["name"], &info["kind"]), (&json!(plugin), &json!(kind)));
        assert_eq!(info["abi"], contract());
        let path = info["path"].as_str().unwrap();
        let by_path = desk.boxvault(&["plugin", "inspect", path]).await;
        assert_eq!(text(&by_path.stdout), text(&output.stdout));
        let pin = text(&desk.boxvault(&["plugin", "pin", plugin]).await.stdout);
        let (name, digest) = pin.trim().split_once(" = ").unwrap();
        assert_eq!((name, digest.len()), (&*format!("\"{plugin}\""), 66), "{pin}");
    }
    // there is one of each kind by this name
    let output = desk.boxvault(&["plugin", "inspect", "faulty"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--kind storage or --kind auth"));
}

#[tokio::test]
async fn list_says_of_each_entry_what_it_uses_and_whether_that_can_be_used() {
    let desk = Desk::new();
    let settings = [
        "stores.main.plugin=fs",
        "stores.main.root=store",
        "stores.main.isolation=process",
        "stores.tape.plugin=tape",
        "stores.tape.required=false",
    ];
    let mut arguments = vec!["plugin", "list"];
    arguments.extend(settings.iter().flat_map(|setting| ["--set", setting]));
    let output = desk.boxvault(&arguments).await;
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", text(&output.stderr));
    let line = |start: &str| {
        let line = shown.lines().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{start}: {shown}")).to_owned()
    };
    let main = line("stores.main: fs ");
    assert!(
        main.contains(&format!("contract {}", contract())) && main.ends_with("isolation process"),
        "{main}"
    );
    assert!(line("stores.tape: ").contains("tape cannot be used, not required: "), "{shown}");
    assert_eq!(line("auth.providers.local: "), "auth.providers.local: local, built in");
}
