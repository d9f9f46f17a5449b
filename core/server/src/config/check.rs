//! What no single value shows: keys that contradict each other, and values that parse and still
//! cannot be meant.

use std::collections::BTreeMap;

use boxvault_plugin_host::{EntryLimits, Isolation};
use boxvault_types::byte_count::ByteCount;
use lettre::message::Mailbox;
use tracing_subscriber::EnvFilter;

use super::{
    Config, HumanDuration, LimitsConfig, Listen, MailTls, PluginEntry, Transfer,
    load::place_of,
    problem::{Place, Problem},
};

/// Passwords shorter than this are guessed, whatever the hash.
const PASSWORD_LENGTH_FLOOR: usize = 8;

/// Argon2 takes longer for more, and a request body is bounded anyway.
const PASSWORD_LENGTH_CEILING: usize = 128;

/// Whatever is shorter could be guessed by somebody who has a copy of the catalog.
const SEALING_KEY_CHARS_MIN: usize = 32;

/// What S3 takes at most, and Azure for some kinds of key.
const PRESIGNED_TTL_MAX: HumanDuration = HumanDuration::from_days(7);

/// A row of the catalog takes no more on every database.
const PICTURE_BYTES_CEILING: u64 = 8 << 20;

/// The program, the libraries and their threads have some 50 MiB before anything is done.
const PROCESS_MEMORY_MIN: ByteCount = ByteCount(64 << 20);

/// Reports every contradiction.
pub(super) fn check(
    config: &Config,
    places: &BTreeMap<Vec<String>, Place>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let mut findings = Findings { places, found: Vec::new() };
    check_server(config, &mut findings);
    check_database(config, &mut findings);
    check_plugins(config, &mut findings);
    check_auth(config, &mut findings);
    check_mail(config, &mut findings);
    check_limits(config, &mut findings);
    check_mirror(config, &mut findings);
    check_log(config, &mut findings);
    problems.append(&mut findings.found);

    let mut findings = Findings { places, found: Vec::new() };
    warn(config, &mut findings);
    warnings.append(&mut findings.found);
}

struct Findings<'a> {
    places: &'a BTreeMap<Vec<String>, Place>,
    found: Vec<Problem>,
}

impl Findings<'_> {
    fn add(&mut self, key: &str, message: impl Into<String>) {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        self.found.push(Problem::new(place_of(self.places, &path), &path, message));
    }

    fn add_if(&mut self, wrong: bool, key: &str, message: &str) {
        if wrong {
            self.add(key, message);
        }
    }
}

fn check_server(config: &Config, findings: &mut Findings<'_>) {
    let server = &config.server;
    let (http, https) = (config.http_addresses(), config.https_addresses());
    findings.add_if(
        http.is_empty() && https.is_empty(),
        "server.http_listen",
        "and server.https_listen are both \"off\": the server would listen nowhere",
    );
    if let Some(both) = http.iter().find(|address| address.port() != 0 && https.contains(address)) {
        findings
            .add("server.https_listen", format!("names {both}, and so does server.http_listen"));
    }
    match (&server.tls_certificate_file, &server.tls_private_key_file) {
        (Some(_), None) => findings.add(
            "server.tls_certificate_file",
            "is set and server.tls_private_key_file is not: a certificate needs its private key",
        ),
        (None, Some(_)) => findings.add(
            "server.tls_private_key_file",
            "is set and server.tls_certificate_file is not: a private key needs its certificate",
        ),
        _ => {}
    }
    for host in &server.allowed_hosts {
        let url = format!("http://{host}").parse::<super::PublicUrl>();
        if url.is_err() || host.is_empty() {
            findings.add(
                "server.allowed_hosts",
                format!("has \"{host}\", which is no host: write a name, or a name and port"),
            );
        }
    }
    for origin in server.cors_allowed_origins.iter().filter(|origin| *origin != "*") {
        let url = origin.parse::<super::PublicUrl>();
        if url.is_err() || origin.ends_with('/') {
            findings.add(
                "server.cors_allowed_origins",
                format!(
                    "has \"{origin}\", which is no origin: write for instance \
                     \"https://ci.example.com\""
                ),
            );
        }
    }
    findings.add_if(server.connections_max == 0, "server.connections_max", "must be at least 1");
    findings.add_if(
        server.data_dir.as_os_str().is_empty(),
        "server.data_dir",
        "must name a folder; \".\" is the one that the server starts in",
    );
}

fn check_database(config: &Config, findings: &mut Findings<'_>) {
    if let Some(url) = &config.database.url {
        // The URL may hold a password, so that only its scheme is ever quoted.
        match url.expose().split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite" | "postgres" | "postgresql" | "mysql" | "mariadb") => {}
            Some(scheme) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => findings.add(
                "database.url",
                format!(
                    "begins with \"{scheme}:\"; known are sqlite:, postgresql:// and mysql:// \
                     (also for MariaDB)"
                ),
            ),
            _ => findings.add(
                "database.url",
                "is not a URL: write for instance postgresql://boxvault@localhost/boxvault",
            ),
        }
    }
    findings.add_if(
        config.database.connections_max == 0,
        "database.connections_max",
        "must be at least 1",
    );
}

fn check_pins(config: &Config, findings: &mut Findings<'_>) {
    for (plugin, pin) in &config.plugins.pins {
        if pin.len() != 64 || !pin.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            findings.add(
                &format!("plugins.pins.{plugin}"),
                "must be a SHA-256 digest: 64 hexadecimal digits",
            );
        }
    }
}

/// The limits that one entry has of its own.
fn check_entry_limits(key: &str, entry: &PluginEntry, findings: &mut Findings<'_>) {
    let built_in = key.starts_with("auth.") && entry.plugin == "local";
    findings.add_if(
        built_in && entry.limits() != EntryLimits::default(),
        key,
        "is built in, and has no limits of a plugin",
    );
    findings.add_if(
        entry.calls_open_max == Some(0),
        &format!("{key}.calls_open_max"),
        "must be at least 1",
    );
    findings.add_if(
        entry.calls_waiting_max.is_some() && entry.calls_open_max.is_none(),
        &format!("{key}.calls_waiting_max"),
        "says how many wait beyond calls_open_max, which is not set",
    );
    findings.add_if(
        entry.call_timeout.is_some_and(HumanDuration::is_zero),
        &format!("{key}.call_timeout"),
        "must be longer than zero",
    );
    let memory = entry.process_memory_max;
    findings.add_if(
        memory.is_some_and(|memory| memory.bytes() > 0 && memory < PROCESS_MEMORY_MIN),
        &format!("{key}.process_memory_max"),
        &format!("must be at least {PROCESS_MEMORY_MIN}, or 0 for no limit"),
    );
    findings.add_if(
        memory.is_some() && entry.isolation != Isolation::Process,
        &format!("{key}.process_memory_max"),
        "is for a plugin in a process of its own: set isolation = \"process\" as well",
    );
}

fn check_plugins(config: &Config, findings: &mut Findings<'_>) {
    check_pins(config, findings);
    for (key, time) in [
        ("plugins.call_timeout", config.plugins.call_timeout),
        ("plugins.chunk_timeout", config.plugins.chunk_timeout),
        ("plugins.finish_timeout", config.plugins.finish_timeout),
        ("plugins.process_restart_wait_max", config.plugins.process_restart_wait_max),
    ] {
        findings.add_if(time.is_zero(), key, "must be longer than zero");
    }
    let memory = config.plugins.process_memory_max;
    findings.add_if(
        memory.bytes() > 0 && memory < PROCESS_MEMORY_MIN,
        "plugins.process_memory_max",
        &format!("must be at least {PROCESS_MEMORY_MIN}, or 0 for no limit"),
    );
    findings.add_if(
        config.plugins.calls_open_max == 0,
        "plugins.calls_open_max",
        "must be at least 1",
    );
    let named: Vec<&String> = config
        .stores
        .values()
        .chain(config.auth.providers.values().filter(|entry| entry.plugin != "local"))
        .map(|entry| &entry.plugin)
        .collect();
    if let Some(plugin) = named.iter().find(|plugin| !config.plugins.pins.contains_key(**plugin)) {
        findings.add_if(
            config.plugins.require_pins,
            "plugins.require_pins",
            &format!(
                "is true, and there is no pin for \"{plugin}\": \
                 `boxvault plugin pin {plugin}` prints one"
            ),
        );
    }
    let entries = config.stores.iter().map(|(name, entry)| (format!("stores.{name}"), entry));
    let providers = &config.auth.providers;
    let providers = providers.iter().map(|(name, entry)| (format!("auth.providers.{name}"), entry));
    for (key, entry) in entries.chain(providers) {
        findings.add_if(entry.plugin.is_empty(), &key, "names no plugin");
        findings.add_if(
            key.starts_with("auth.") && entry.transfer != Transfer::Proxy,
            &format!("{key}.transfer"),
            "is a key of stores; nobody exchanges files with an auth provider",
        );
        check_entry_limits(&key, entry, findings);
    }
    check_placement(config, findings);
    let default_store = &config.storage.default_store;
    findings.add_if(
        config.stores.get(default_store).is_some_and(|entry| !entry.required),
        &format!("stores.{default_store}.required"),
        "must be true: it is storage.default_store, without which nothing can be published",
    );
    if !config.stores.contains_key(default_store) {
        let names: Vec<&str> = config.stores.keys().map(String::as_str).collect();
        findings.add(
            "storage.default_store",
            format!(
                "is \"{default_store}\", and there is no [stores.{default_store}]; configured \
                 are: {}",
                names.join(", ")
            ),
        );
    }
}

/// Rules that name no store, and such that contradict each other.
fn check_placement(config: &Config, findings: &mut Findings<'_>) {
    let rules = &config.storage.rules;
    let known: Vec<&str> = config.stores.keys().map(String::as_str).collect();
    for (name, rule) in rules {
        let key = format!("storage.rules.{name}");
        if !config.stores.contains_key(&rule.store) {
            findings.add(
                &format!("{key}.store"),
                format!(
                    "is \"{0}\", and there is no [stores.{0}]; configured are: {1}",
                    rule.store,
                    known.join(", ")
                ),
            );
        }
        let before = rules.range(..name.clone());
        for (other, _) in before.filter(|(_, other)| rule.contradicts(other)) {
            findings.add(
                &key,
                format!(
                    "and storage.rules.{other} are for the same files and name different stores: \
                     change organizations or larger_than of one"
                ),
            );
        }
    }
}

fn check_auth(config: &Config, findings: &mut Findings<'_>) {
    let auth = &config.auth;
    if !(PASSWORD_LENGTH_FLOOR..=PASSWORD_LENGTH_CEILING).contains(&auth.password_length_min) {
        findings.add(
            "auth.password_length_min",
            format!("must be from {PASSWORD_LENGTH_FLOOR} to {PASSWORD_LENGTH_CEILING}"),
        );
    }
    for (key, ttl) in [
        ("auth.access_token_ttl", auth.access_token_ttl),
        ("auth.refresh_token_ttl", auth.refresh_token_ttl),
        ("auth.refresh_token_short_ttl", auth.refresh_token_short_ttl),
        ("auth.email_link_ttl", auth.email_link_ttl),
        ("auth.reset_link_ttl", auth.reset_link_ttl),
        ("auth.redirect_ttl", auth.redirect_ttl),
        ("auth.signing_key_max_age", auth.signing_key_max_age),
        ("auth.lockout_duration", auth.lockout_duration),
    ] {
        findings.add_if(ttl.get().as_secs() == 0, key, "must be at least 1 s");
    }
    findings.add_if(
        auth.access_token_ttl > auth.refresh_token_short_ttl,
        "auth.access_token_ttl",
        "is longer than auth.refresh_token_short_ttl: a session would end after its token",
    );
    findings.add_if(
        auth.refresh_token_short_ttl > auth.refresh_token_ttl,
        "auth.refresh_token_short_ttl",
        "is longer than auth.refresh_token_ttl, which is for those who stay signed in",
    );
    findings.add_if(
        auth.sealing_key
            .as_ref()
            .is_some_and(|key| key.expose().chars().count() < SEALING_KEY_CHARS_MIN),
        "auth.sealing_key",
        "must have at least 32 characters: `openssl rand -base64 32` prints a good one",
    );
    for (key, number) in [
        ("auth.lockout_failures_max", auth.lockout_failures_max),
        ("auth.lockout_address_failures_max", auth.lockout_address_failures_max),
    ] {
        findings.add_if(number == 0, key, "must be at least 1");
    }
}

fn check_mail(config: &Config, findings: &mut Findings<'_>) {
    let mail = &config.mail;
    findings.add_if(
        mail.host.is_some() && mail.from.is_none(),
        "mail.from",
        "is not set: mail servers take only messages with a sender, such as \"boxvault@example.com\"",
    );
    findings.add_if(
        mail.from.as_ref().is_some_and(|from| from.parse::<Mailbox>().is_err()),
        "mail.from",
        "is no sender: write \"boxvault@example.com\" or \"BoxVault <boxvault@example.com>\"",
    );
    findings.add_if(
        mail.username.is_some() != mail.password.is_some(),
        "mail.username",
        "and mail.password belong together: set both, or neither",
    );
    findings.add_if(mail.port == 0, "mail.port", "must be from 1 to 65535");
    findings.add_if(mail.attempts_max == 0, "mail.attempts_max", "must be at least 1");
    for (key, time) in [
        ("mail.timeout", mail.timeout),
        ("mail.retry_first", mail.retry_first),
        ("mail.retry_longest", mail.retry_longest),
    ] {
        findings.add_if(time.is_zero(), key, "must be longer than zero");
    }
    findings.add_if(
        mail.retry_first > mail.retry_longest,
        "mail.retry_first",
        "is longer than mail.retry_longest",
    );
}

fn check_presigned(limits: &LimitsConfig, findings: &mut Findings<'_>) {
    for (key, time) in [
        ("limits.presigned_download_ttl", limits.presigned_download_ttl),
        ("limits.presigned_upload_ttl", limits.presigned_upload_ttl),
    ] {
        findings.add_if(
            time > PRESIGNED_TTL_MAX,
            key,
            "must not be longer than 7 days: no object store takes an address that is older",
        );
    }
}

fn check_limits(config: &Config, findings: &mut Findings<'_>) {
    let limits = &config.limits;
    for (key, bytes) in [
        ("limits.json_body_bytes_max", limits.json_body_bytes_max),
        ("limits.policy_body_bytes_max", limits.policy_body_bytes_max),
        ("limits.avatar_bytes_max", limits.avatar_bytes_max),
        ("limits.artwork_bytes_max", limits.artwork_bytes_max),
        ("limits.upload_bytes_max", limits.upload_bytes_max),
        ("limits.upload_part_bytes_max", limits.upload_part_bytes_max),
        ("limits.archive_decompressed_bytes_max", limits.archive_decompressed_bytes_max),
        ("limits.archive_metadata_bytes_max", limits.archive_metadata_bytes_max),
    ] {
        findings.add_if(bytes.bytes() == 0, key, "must be at least 1 byte");
        // Sizes are signed 64-bit numbers in the catalog.
        findings.add_if(i64::try_from(bytes.bytes()).is_err(), key, "must be below 8 EiB");
    }
    for (key, bytes) in [
        ("limits.organization_bytes_max", limits.organization_bytes_max),
        ("limits.organization_file_bytes_max", limits.organization_file_bytes_max),
    ] {
        findings.add_if(i64::try_from(bytes.bytes()).is_err(), key, "must be below 8 EiB");
    }
    for (key, bytes) in [
        ("limits.avatar_bytes_max", limits.avatar_bytes_max),
        ("limits.artwork_bytes_max", limits.artwork_bytes_max),
    ] {
        findings.add_if(
            bytes.bytes() > PICTURE_BYTES_CEILING,
            key,
            "must be at most 8 MiB: pictures lie in the catalog",
        );
    }
    for (key, time) in [
        ("limits.upload_idle_timeout", limits.upload_idle_timeout),
        ("limits.uploads_abandoned_after", limits.uploads_abandoned_after),
        ("limits.download_link_ttl", limits.download_link_ttl),
        ("limits.upload_ticket_ttl", limits.upload_ticket_ttl),
        ("limits.service_token_ttl", limits.service_token_ttl),
        ("limits.presigned_download_ttl", limits.presigned_download_ttl),
        ("limits.presigned_upload_ttl", limits.presigned_upload_ttl),
        ("limits.download_write_timeout", limits.download_write_timeout),
        ("limits.header_timeout", limits.header_timeout),
        ("limits.request_timeout", limits.request_timeout),
        ("limits.connection_idle_timeout", limits.connection_idle_timeout),
    ] {
        findings.add_if(time.is_zero(), key, "must be longer than zero");
    }
    findings.add_if(
        limits.uploads_abandoned_after <= limits.upload_idle_timeout,
        "limits.uploads_abandoned_after",
        "must be longer than limits.upload_idle_timeout, or a running upload could be swept",
    );
    check_presigned(limits, findings);
    findings.add_if(
        limits.uploads_concurrent_max == 0,
        "limits.uploads_concurrent_max",
        "must be at least 1",
    );
    findings.add_if(
        !(1..=1000).contains(&limits.page_size_max),
        "limits.page_size_max",
        "must be from 1 to 1000",
    );
    findings.add_if(
        limits.page_size_default == 0 || limits.page_size_default > limits.page_size_max,
        "limits.page_size_default",
        "must be from 1 to limits.page_size_max",
    );
}

fn check_mirror(config: &Config, findings: &mut Findings<'_>) {
    let mirror = &config.mirror;
    for host in &mirror.upstream_hosts {
        let name = host.strip_prefix("*.").unwrap_or(host);
        if host != "*" && (name.is_empty() || name.contains(['/', '*', '@', ' ', '?'])) {
            findings.add(
                "mirror.upstream_hosts",
                format!(
                    "has \"{host}\", which is no host: write a name without https:// and port, \"*.example.com\" or \"*\""
                ),
            );
        }
    }
    findings.add_if(mirror.fetches_max == 0, "mirror.fetches_max", "must be at least 1");
    for (key, time) in [
        ("mirror.catalogue_ttl", mirror.catalogue_ttl),
        ("mirror.connect_timeout", mirror.connect_timeout),
        ("mirror.answer_timeout", mirror.answer_timeout),
        ("mirror.idle_timeout", mirror.idle_timeout),
    ] {
        findings.add_if(time.is_zero(), key, "must be longer than zero");
    }
}

fn check_log(config: &Config, findings: &mut Findings<'_>) {
    if let Err(error) = EnvFilter::try_new(&config.log.filter) {
        findings.add(
            "log.filter",
            format!("is not a filter ({error}): write for instance \"info,boxvault=debug\""),
        );
    }
}

fn warn(config: &Config, findings: &mut Findings<'_>) {
    let server = &config.server;
    let addresses = || config.http_addresses().into_iter().chain(config.https_addresses());
    findings.add_if(
        server.public_url.is_none() && addresses().any(|address| address.ip().is_unspecified()),
        "server.public_url",
        "is not set while the server listens on all addresses: URLs in metadata will name this \
         machine's loopback address, which other machines cannot use",
    );
    findings.add_if(
        server.https_listen == Listen::off() && server.tls_certificate_file.is_some(),
        "server.tls_certificate_file",
        "is set and has no effect, because server.https_listen is \"off\"",
    );
    findings.add_if(
        config.mail.password.is_some() && config.mail.tls == MailTls::Off,
        "mail.tls",
        "is \"off\", and so mail.password crosses the network as plain text",
    );
    findings.add_if(
        server.cors_allowed_origins.iter().any(|origin| origin == "*"),
        "server.cors_allowed_origins",
        "lets the pages of every site call the API",
    );
}
