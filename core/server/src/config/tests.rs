//! Loading, as an operator meets it: files, variables, arguments, secrets and mistakes.
#![expect(clippy::disallowed_methods, reason = "a test may write its files without an executor")]

mod reference;

use std::{fs, os::unix::fs::PermissionsExt};

use boxvault_types::byte_count::ByteCount;
use tempfile::TempDir;

use super::{show::Origins, *};

/// A folder with a `config.toml`, and the other sources, for one test.
struct Sources {
    folder: TempDir,
    inputs: Inputs,
}

impl Sources {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let inputs = Inputs {
            config_file: None,
            default_file: folder.path().join("config.toml"),
            environment: Vec::new(),
            settings: Vec::new(),
        };
        Self { folder, inputs }
    }

    fn file(self, text: &str) -> Self {
        fs::write(&self.inputs.default_file, text).unwrap();
        self
    }

    /// Another file in the folder, readable by its owner only; returns its path as text.
    fn other_file(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.inputs.environment.push((name.into(), value.into()));
        self
    }

    fn argument(mut self, argument: &str, key: &str, value: &str) -> Self {
        self.inputs.settings.push(Setting {
            argument: argument.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        });
        self
    }

    fn load(&self) -> Loaded {
        self.inputs.load().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The problems, one text each, without the folder's path.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        match self.inputs.load() {
            Ok(_) => Vec::new(),
            Err(error) => {
                error.problems.iter().map(|p| p.to_string().replace(&folder, "")).collect()
            }
        }
    }
}

#[test]
fn without_any_source_the_defaults_hold() {
    let loaded = Sources::new().load();
    let config = loaded.config;
    assert_eq!(loaded.file, None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(config.http_addresses(), ["127.0.0.1:5000".parse().unwrap()]);
    assert_eq!(config.https_addresses(), ["127.0.0.1:5001".parse().unwrap()]);
    assert_eq!(config.public_url(None).to_string(), "http://127.0.0.1:5000");
    assert_eq!(config.database_url().expose(), "sqlite://data/catalog.sqlite3");
    assert_eq!(config.stores["main"].plugin, "fs");
    assert_eq!(config.stores["main"].options["root"], "data/store");
    assert_eq!(config.auth.providers["local"].plugin, "local");
}

#[test]
fn later_sources_overrule_earlier_ones_key_by_key() {
    let sources = Sources::new()
        .file(
            "[server]\nhttp_listen = 1\nhttps_listen = 2\nshutdown_timeout = \"5 s\"\n\
             [limits]\nupload_bytes_max = \"3 GiB\"\n",
        )
        .variable("BOXVAULT_SERVER__HTTPS_LISTEN", "3")
        .variable("BOXVAULT_SERVER__SHUTDOWN_TIMEOUT", "6 s")
        .argument("--set", "server.shutdown_timeout", "7 s");
    let config = sources.load().config;
    assert_eq!(config.http_addresses()[0].port(), 1);
    assert_eq!(config.https_addresses()[0].port(), 3);
    assert_eq!(config.server.shutdown_timeout, HumanDuration::from_secs(7));
    assert_eq!(config.limits.upload_bytes_max, ByteCount(3 << 30));
    assert_eq!(config.limits.page_size_max, 200);
}

#[test]
fn one_key_opens_the_server_to_the_network() {
    let loaded = Sources::new().argument("--bind", "server.bind", "0.0.0.0").load();
    assert_eq!(loaded.config.http_addresses(), ["0.0.0.0:5000".parse().unwrap()]);
    assert_eq!(loaded.config.https_addresses(), ["0.0.0.0:5001".parse().unwrap()]);
    assert_eq!(loaded.config.public_url(None).to_string(), "http://127.0.0.1:5000");
    assert!(loaded.warnings[0].to_string().contains("server.public_url"), "{:?}", loaded.warnings);
}

#[test]
fn a_named_file_must_exist_and_the_default_file_need_not() {
    assert_eq!(Sources::new().problems(), Vec::<String>::new());
    let mut sources = Sources::new().variable("BOXVAULT_CONFIG", "/nonexistent/boxvault.toml");
    let problems = sources.problems();
    assert!(problems[0].starts_with("variable BOXVAULT_CONFIG: could not read"), "{problems:?}");
    // The argument overrules the variable.
    let named = sources.other_file("named.toml", "[server]\nhttp_listen = 80\n");
    sources.inputs.config_file = Some(named.clone().into());
    assert_eq!(sources.load().file, Some(named.into()));
    sources.inputs.config_file = Some("/nonexistent/other.toml".into());
    assert!(sources.problems()[0].starts_with("argument --config: "), "{:?}", sources.problems());
}

#[test]
fn every_problem_of_every_source_is_reported_with_its_place() {
    let problems = Sources::new()
        .file(
            "[server]\n\
             htp_listen = 5000\n\
             shutdown_timeout = 30\n\
             trusted_proxies = [\"10.0.0.0/8\", \"nonsense\"]\n\
             [auth]\n\
             sign_up = \"sometimes\"\n\
             [stores.main]\n\
             root = \"x\"\n",
        )
        .variable("BOXVAULT_LIMITS__UPLOAD_BYTES_MAX", "many")
        .variable("BOXVAULT_DATABASE", "sqlite:x")
        .variable("BOXVAULT_SERVER__DATADIR", "x")
        .argument("--set", "limits.page_size_max", "0.5")
        .problems();
    let expected = [
        "config.toml:2: server.htp_listen is not a key of the configuration; did you mean \
         \"server.http_listen\"?",
        "variable BOXVAULT_DATABASE: database is a section: set its keys one by one",
        "variable BOXVAULT_SERVER__DATADIR: server.datadir is not a key of the configuration; did \
         you mean \"server.data_dir\"?",
        "config.toml:3: server.shutdown_timeout is wrong: \"30\" has no unit",
        "config.toml:4: server.trusted_proxies is wrong: \"nonsense\" is no address or network",
        "config.toml:6: auth.sign_up must be one of \"open\", \"closed\", \"invitation_only\", \
         not \"sometimes\"",
        "config.toml:8: stores.main has no \"plugin\", which it needs",
        "variable BOXVAULT_LIMITS__UPLOAD_BYTES_MAX: limits.upload_bytes_max is wrong: ",
        "argument --set: limits.page_size_max must be a whole number that is not negative, not \
         float `0.5`",
    ];
    for problem in expected {
        assert!(problems.iter().any(|p| p.starts_with(problem)), "no {problem:?} in {problems:#?}");
    }
    // Without its one store the default store is missing as well, and says so.
    assert!(problems.iter().any(|p| p.contains("storage.default_store")), "{problems:#?}");
    assert_eq!(problems.len(), expected.len() + 1, "{problems:#?}");
}

#[test]
fn every_syntax_error_is_reported_with_its_line() {
    let problems = Sources::new().file("[server]\nbind = \nhttp_listen = 5000\n[log\n").problems();
    assert!(problems[0].starts_with("config.toml:2: "), "{problems:?}");
    assert!(problems.iter().any(|p| p.starts_with("config.toml:4: ")), "{problems:?}");
}

#[test]
fn contradictions_are_problems_too() {
    for (text, expected) in [
        ("server.http_listen = 'off'\nserver.https_listen = 'off'", "listen nowhere"),
        ("server.http_listen = 7\nserver.https_listen = 7", "so does server.http_listen"),
        ("server.tls_certificate_file = 'a.pem'", "needs its private key"),
        ("server.tls_private_key_file = 'a.pem'", "needs its certificate"),
        ("server.allowed_hosts = ['https://a']", "which is no host"),
        ("server.cors_allowed_origins = ['ci.example.com']", "which is no origin"),
        ("database.url = 'oracle://db'", "begins with \"oracle:\""),
        ("storage.default_store = 'fast'", "there is no [stores.fast]"),
        ("storage.rules.large.store = 'fast'", "there is no [stores.fast]"),
        ("storage.rules.large.larger_than = '1 GiB'", "has no \"store\", which it needs"),
        ("[storage.rules.a]\nstore = 'main'\nbigger = 1", "storage.rules.a.bigger"),
        (
            "stores.a.plugin = 'fs'\nstores.main.plugin = 'fs'\n\
             storage.rules = { x = { store = 'a' }, y = { store = 'main' } }",
            "and storage.rules.x are for the same files",
        ),
        ("plugins.pins.fs = 'abc'", "64 hexadecimal digits"),
        ("plugins.require_pins = true", "there is no pin for \"fs\""),
        ("auth.password_length_min = 4", "must be from 8"),
        ("auth.access_token_ttl = '2 days'", "longer than auth.refresh_token_short_ttl"),
        ("limits.page_size_default = 500", "must be from 1 to limits.page_size_max"),
        ("limits.request_timeout = '0 s'", "longer than zero"),
        ("limits.presigned_upload_ttl = '8 days'", "must not be longer than 7 days"),
        ("auth.providers.corp = { plugin = 'ldap', transfer = 'auto' }", "is a key of stores"),
        ("log.filter = 'info,,=,boxvault=loud'", "is not a filter"),
        ("stores.Main.plugin = 'fs'", "is not a good name"),
        ("server.public_url = 'https://a.example/boxes'", "after the host and port"),
    ] {
        let problems = Sources::new().file(text).problems();
        assert!(problems.iter().any(|p| p.contains(expected)), "{text}: {problems:?}");
    }
}

#[test]
fn how_clients_exchange_files_with_a_store_is_ours_and_not_the_plugins() {
    let table = "[stores.main]\nplugin = \"s3\"\nbucket = \"boxes\"\n";
    let config = Sources::new().file(table).load().config;
    assert_eq!(config.stores["main"].transfer, Transfer::Proxy, "unless somebody says so");
    for (word, transfer) in
        [("proxy", Transfer::Proxy), ("auto", Transfer::Auto), ("redirect", Transfer::Redirect)]
    {
        let sources = Sources::new().file(table).variable("BOXVAULT_STORES__MAIN__TRANSFER", word);
        let config = sources.load().config;
        let store = &config.stores["main"];
        assert_eq!((store.transfer, store.options.get("transfer")), (transfer, None));
    }
    let problems = Sources::new().file(&format!("{table}transfer = \"both\"\n")).problems();
    assert!(problems.iter().any(|p| p.contains("both")), "{problems:?}");
}

#[test]
fn a_variable_of_digits_stays_a_text_where_a_text_is_meant() {
    let sources = Sources::new()
        .file("[stores.main]\nplugin = \"s3\"\nbucket = \"boxes\"\n")
        .variable("BOXVAULT_STORES__MAIN__SECRET_ACCESS_KEY", "12345")
        .variable("BOXVAULT_STORES__MAIN__PARTS_MAX", "12345")
        .variable("BOXVAULT_STORES__MAIN__QUOTED", "\"12345\"")
        .variable("BOXVAULT_STORES__MAIN__PATH_STYLE", "true")
        .variable("BOXVAULT_STORES__MAIN__TAGS", "[\"a\", \"b\"]")
        .variable("BOXVAULT_STORAGE__DEFAULT_STORE", "main")
        .variable("BOXVAULT_SERVER__ALLOWED_HOSTS", "1.example, b.example:8080")
        .variable("BOXVAULT_LOG__FILTER", "debug")
        .variable("BOXVAULT_SERVER__PUBLIC_URL", "");
    let config = sources.load().config;
    let options = &config.stores["main"].options;
    assert_eq!(options["secret_access_key"], "12345");
    assert_eq!(options["parts_max"], 12345);
    assert_eq!(options["quoted"], "12345");
    assert_eq!(options["path_style"], true);
    assert_eq!(options["tags"], serde_json::json!(["a", "b"]));
    assert_eq!(options["bucket"], "boxes");
    assert_eq!(options.get("root"), None, "the default store's keys must not leak into another");
    assert_eq!(config.server.allowed_hosts, ["1.example", "b.example:8080"]);
    assert_eq!(config.server.public_url, None, "an empty variable counts as not set");
}

#[test]
fn secrets_come_from_files_without_their_line_end() {
    let sources = Sources::new();
    let url = sources.other_file("url", "postgresql://bv:canary@db/boxvault\r\n");
    let key = sources.other_file("key", "canary\n\n");
    let sources = sources
        .file(&format!("[stores.main]\nplugin = \"s3\"\nsecret_access_key_file = {key:?}\n"))
        .variable("BOXVAULT_DATABASE__URL_FILE", &url);
    let loaded = sources.load();
    assert_eq!(loaded.config.database_url().expose(), "postgresql://bv:canary@db/boxvault");
    let options = &loaded.config.stores["main"].options;
    assert_eq!(options["secret_access_key"], "canary\n");
    assert_eq!(options.get("secret_access_key_file"), None);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn a_secret_file_that_everybody_can_read_is_warned_about() {
    let sources = Sources::new();
    let url = sources.other_file("url", "sqlite:x\n");
    fs::set_permissions(&url, fs::Permissions::from_mode(0o644)).unwrap();
    let loaded = sources.variable("BOXVAULT_DATABASE__URL_FILE", &url).load();
    let warning = loaded.warnings[0].to_string();
    assert!(warning.contains("chmod 600") && warning.contains(&url), "{warning}");
}

#[test]
fn a_password_in_a_file_that_everybody_can_read_is_warned_about() {
    for (url, warnings) in [
        ("postgresql://bv:canary@db/boxvault", 1),
        ("postgresql:///boxvault?host=/var/run/postgresql", 0),
    ] {
        let sources = Sources::new().file(&format!("[database]\nurl = \"{url}\"\n"));
        assert_eq!(sources.load().warnings.len(), warnings, "{url}");
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&sources.inputs.default_file, private).unwrap();
        assert!(sources.load().warnings.is_empty(), "{url}");
    }
}

#[test]
fn a_secret_and_its_file_are_refused_together_and_overrule_each_other_across_sources() {
    let sources = Sources::new();
    let url = sources.other_file("url", "sqlite:from-file");
    let sources =
        sources.file(&format!("[database]\nurl = \"sqlite:direct\"\nurl_file = {url:?}\n"));
    let problems = sources.problems();
    assert!(
        problems[0].contains("database.url and database.url_file are both set"),
        "{problems:?}"
    );

    // The file that a variable overrules need not even exist.
    let sources = Sources::new()
        .file("[database]\nurl_file = \"/nonexistent/secret\"\n")
        .variable("BOXVAULT_DATABASE__URL", "sqlite:direct");
    assert_eq!(sources.load().config.database_url().expose(), "sqlite:direct");

    let sources = Sources::new().file("[database]\nurl_file = \"/nonexistent/secret\"\n");
    assert!(sources.problems()[0].contains("could not be read from /nonexistent/secret"));
}

#[test]
fn secrets_are_not_taken_from_arguments() {
    let problems =
        Sources::new().argument("--set", "database.url", "mysql://a:canary@b/c").problems();
    assert!(problems[0].contains("BOXVAULT_DATABASE__URL"), "{problems:?}");
    assert!(!problems[0].contains("canary"), "{problems:?}");
}

#[test]
fn no_message_and_no_output_shows_a_secret() {
    let sources = Sources::new().file(
        "[database]\nurl = \"postgresql://bv:canary@db/boxvault\"\n\
         [stores.main]\nplugin = \"s3\"\nsecret_access_key = \"canary\"\n\
         endpoint = \"https://u:canary@s3\"\n",
    );
    let loaded = sources.load();
    let shown = [
        loaded.show(Origins::Shown),
        loaded.show(Origins::Hidden),
        format!("{loaded:?}"),
        serde_json::to_string(&loaded.config).unwrap(),
    ]
    .concat();
    assert!(!shown.contains("canary"), "{shown}");
    assert!(shown.contains("postgresql://bv:<redacted>@db/boxvault"), "{shown}");

    for wrong in ["[database]\nurl = \"canary\"\n", "[database]\nurl = [\"canary\"]\n"] {
        let problems = Sources::new().file(wrong).problems();
        assert_eq!(problems.len(), 1);
        assert!(!problems[0].contains("canary"), "{problems:?}");
    }
}

#[test]
fn show_names_the_origin_of_every_value() {
    let loaded = Sources::new()
        .file("[server]\n\nhttp_listen = [\"[::1]:80\", 81]\n")
        .variable("BOXVAULT_LOG__FORMAT", "json")
        .argument("--data-dir", "server.data_dir", "/srv/boxvault")
        .load();
    let shown = loaded.show(Origins::Shown);
    let file = loaded.file.as_ref().unwrap().display();
    for line in [
        format!("server.http_listen = [\"[::1]:80\", \"81\"]  # {file}:3"),
        "log.format = \"json\"  # variable BOXVAULT_LOG__FORMAT".to_owned(),
        "server.data_dir = \"/srv/boxvault\"  # argument --data-dir".to_owned(),
        "stores.main.root = \"/srv/boxvault/store\"  # default".to_owned(),
        "server.public_url = \"http://[::1]\"  # derived".to_owned(),
        "database.url = \"sqlite:///srv/boxvault/catalog.sqlite3\"  # derived".to_owned(),
        "limits.upload_bytes_max = \"200 GiB\"  # default".to_owned(),
        "# server.tls_certificate_file is not set".to_owned(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "no {line:?} in\n{shown}");
    }
    // What is shown can be loaded again, and means the same.
    let again = Sources::new().file(&loaded.show(Origins::Hidden)).load();
    assert_eq!(again.show(Origins::Hidden), loaded.show(Origins::Hidden));
}

#[test]
fn the_database_path_survives_characters_that_urls_use() {
    let config = Config::with_data_dir("/srv/50% box?es#1");
    assert_eq!(config.database_url().expose(), "sqlite:///srv/50%25 box%3Fes%231/catalog.sqlite3");
}
