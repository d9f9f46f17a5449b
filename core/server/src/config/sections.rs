//! The sections of the configuration, except `[limits]`: typed, each key with its unit and default.
//!
//! A default stands once, in the section's `Default`; the reference file `config.toml` repeats it,
//! and a test holds the two together. `None` means "derived", and the comment says from what.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use boxvault_plugin_host::{Deadlines, HostOptions, IsolationOptions, PluginSource};
use boxvault_types::byte_count::ByteCount;
use serde::{Deserialize, Serialize};

use super::{
    duration::HumanDuration,
    listen::{Listen, Network},
    placement::PlacementRule,
    plugin_entry::PluginEntry,
    public_url::PublicUrl,
    secret::Secret,
};

/// `[server]`: where it listens, how it is called from outside, where its data lies.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerConfig {
    /// The address for listeners that name only a port. Default `127.0.0.1`: this machine only.
    pub bind: IpAddr,
    /// Plain HTTP. A port, an address with a port, a list of them, or `"off"`. Default 5000.
    pub http_listen: Listen,
    /// HTTPS, in the same form. Default 5001.
    pub https_listen: Listen,
    /// How clients reach the server; the beginning of every URL it prints. Default: derived from
    /// the first listener, see [`Config::public_url`](super::Config::public_url).
    pub public_url: Option<PublicUrl>,
    /// Hosts (`name` or `name:port`) that may stand in generated URLs instead of `public_url`'s,
    /// when a request names them. Default: none.
    pub allowed_hosts: Vec<String>,
    /// The folder of everything that the server keeps. Default `data`.
    pub data_dir: PathBuf,
    /// The certificate chain in PEM form. Default: a self-signed one in the data folder.
    pub tls_certificate_file: Option<PathBuf>,
    /// The certificate's private key in PEM form. Set both or neither.
    pub tls_private_key_file: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed: addresses or networks. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// How long running requests may take to end when the server stops. Default 30 s.
    pub shutdown_timeout: HumanDuration,
    /// Origins whose pages may call the API from a browser. Default: none (CORS is off).
    pub cors_allowed_origins: Vec<String>,
    /// Open connections, all listeners together. Default 4096.
    pub connections_max: usize,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_listen: Listen::port(5000),
            https_listen: Listen::port(5001),
            public_url: None,
            allowed_hosts: Vec::new(),
            data_dir: PathBuf::from("data"),
            tls_certificate_file: None,
            tls_private_key_file: None,
            trusted_proxies: Vec::new(),
            shutdown_timeout: HumanDuration::from_secs(30),
            cors_allowed_origins: Vec::new(),
            connections_max: 4096,
        }
    }
}

/// `[database]`: the catalog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:`, `postgresql://` or `mysql://` (MariaDB) URL; secret, because it may hold a
    /// password. Default: `catalog.sqlite3` in the data folder.
    pub url: Option<Secret>,
    /// Open connections to the database. Default 16.
    pub connections_max: u32,
}

impl Default for DatabaseConfig {
    fn default() -> Self {
        Self { url: None, connections_max: 16 }
    }
}

/// `[plugins]`: where plugin libraries are looked for, and which are trusted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginsConfig {
    /// Folders searched, in this order, before those beside the program. Default: none.
    pub search_paths: Vec<PathBuf>,
    /// Whether a library without a pin is refused. Default false.
    pub require_pins: bool,
    /// Plugin name to the SHA-256 of its library, 64 hexadecimal digits. Default: none.
    pub pins: BTreeMap<String, String>,
    /// How long a plugin may take for a small question, for signing somebody in, or to start.
    /// Default 30 s.
    pub call_timeout: HumanDuration,
    /// How long it may take to give or take one chunk of a file. Default 2 min.
    pub chunk_timeout: HumanDuration,
    /// How long it may take to make a whole file durable. Default 15 min.
    pub finish_timeout: HumanDuration,
    /// Calls of one plugin that may be open at once; more are refused. Default 4096.
    pub calls_open_max: usize,
    /// The most memory for data that the process of an isolated plugin may take; zero is no limit. Default 1 GiB.
    pub process_memory_max: ByteCount,
    /// Calls of an isolated plugin that may be open beyond their time; with one more, its process is ended and started
    /// again. Default 8.
    pub process_hung_calls_max: u64,
    /// The longest wait before the process of an isolated plugin is started again. Default 1 min.
    pub process_restart_wait_max: HumanDuration,
}

impl PluginsConfig {
    /// The same for the room that loads plugins.
    pub fn host_options(&self) -> HostOptions {
        HostOptions {
            search_paths: self.search_paths.clone(),
            deadlines: Deadlines {
                create: self.call_timeout.get(),
                question: self.call_timeout.get(),
                read: self.chunk_timeout.get(),
                write: self.chunk_timeout.get(),
                finish: self.finish_timeout.get(),
                authenticate: self.call_timeout.get(),
            },
            calls_in_flight_max: self.calls_open_max,
            calls: None,
            isolation: IsolationOptions {
                memory_bytes_max: self.process_memory_max.bytes(),
                hung_calls_max: self.process_hung_calls_max,
                restart_wait_max: self.process_restart_wait_max.get(),
                ..IsolationOptions::default()
            },
        }
    }

    /// A plugin by name or path, with its pin if it has one.
    pub fn source(&self, plugin: &str) -> PluginSource {
        PluginSource::new(plugin).pinned(self.pins.get(plugin).cloned())
    }
}

impl Default for PluginsConfig {
    fn default() -> Self {
        Self {
            search_paths: Vec::new(),
            require_pins: false,
            pins: BTreeMap::new(),
            call_timeout: HumanDuration::from_secs(30),
            chunk_timeout: HumanDuration::from_mins(2),
            finish_timeout: HumanDuration::from_mins(15),
            calls_open_max: 4096,
            process_memory_max: ByteCount(1 << 30),
            process_hung_calls_max: 8,
            process_restart_wait_max: HumanDuration::from_mins(1),
        }
    }
}

/// `[storage]`: how the stores of `[stores.<name>]` are used.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorageConfig {
    /// The store that takes new files. Default `main`.
    pub default_store: String,
    /// Which other stores take which new files, by the rules' names. Default: none.
    pub rules: BTreeMap<String, PlacementRule>,
    /// How long bytes stay that nothing refers to any more, for downloads that still read them. Default 1 h.
    pub unreferenced_kept_for: HumanDuration,
    /// How often leftovers are swept; zero is never. Default 1 h.
    pub sweep_interval: HumanDuration,
    /// How often every stored file is read again and compared with its digest; zero is never. Default 0 s.
    pub scrub_interval: HumanDuration,
    /// How fast that goes, so that it takes little from downloads. Default 16 MiB a second.
    pub scrub_bytes_per_second: ByteCount,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            default_store: "main".to_owned(),
            rules: BTreeMap::new(),
            unreferenced_kept_for: HumanDuration::from_hours(1),
            sweep_interval: HumanDuration::from_hours(1),
            scrub_interval: HumanDuration::ZERO,
            scrub_bytes_per_second: ByteCount(16 << 20),
        }
    }
}

/// `[boxes]`: how long what was changed of a box is remembered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BoxesConfig {
    /// How long a deleted box can be restored; zero removes it at once. Default 30 days.
    pub restorable_for: HumanDuration,
    /// How long the name that a renamed or transferred box had leads to it; zero is not at all.
    /// Default 365 days.
    pub former_names_lead_for: HumanDuration,
}

impl Default for BoxesConfig {
    fn default() -> Self {
        Self {
            restorable_for: HumanDuration::from_days(30),
            former_names_lead_for: HumanDuration::from_days(365),
        }
    }
}

/// Who may create an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignUp {
    /// Everybody who reaches the server.
    Open,
    /// Nobody; platform admins create accounts.
    Closed,
    /// Those whom an organization invited.
    InvitationOnly,
}

/// `[auth]`: accounts, sessions, and the ways to sign in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthConfig {
    /// Who may create an account: `open`, `closed` or `invitation_only`. Default `open`.
    pub sign_up: SignUp,
    /// How long an access token is good for. Default 15 min.
    pub access_token_ttl: HumanDuration,
    /// How long a session lasts unused, when the user asked to stay signed in. Default 30 days.
    pub refresh_token_ttl: HumanDuration,
    /// How long a session lasts unused otherwise. Default 12 h.
    pub refresh_token_short_ttl: HumanDuration,
    /// Whether signing in needs an e-mail address that is known to be theirs. Default false.
    pub email_verification_required: bool,
    /// How long a link is good for that proves an address. Default 1 day.
    pub email_link_ttl: HumanDuration,
    /// How long a link is good for that resets a password. Default 30 min.
    pub reset_link_ttl: HumanDuration,
    /// How long somebody may take to sign in at another site. Default 10 min.
    pub redirect_ttl: HumanDuration,
    /// How old the key may get that access tokens are signed with. Default 30 days.
    pub signing_key_max_age: HumanDuration,
    /// Characters in a password, at least; not below 8. Default 10.
    pub password_length_min: usize,
    /// Failed sign-ins in a row, after which an account is locked for a while. Default 10.
    pub lockout_failures_max: u32,
    /// Failed sign-ins from one address within `lockout_duration`. Default 100.
    pub lockout_address_failures_max: u32,
    /// How long a lock-out lasts. Default 15 min.
    pub lockout_duration: HumanDuration,
    /// What secrets in the catalog are sealed with; at least 32 characters. Default: a key that the
    /// catalog itself keeps.
    pub sealing_key: Option<Secret>,
    /// The ways to sign in, by name. Default: `local`, the accounts in the catalog.
    pub providers: BTreeMap<String, PluginEntry>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            sign_up: SignUp::Open,
            access_token_ttl: HumanDuration::from_mins(15),
            refresh_token_ttl: HumanDuration::from_days(30),
            refresh_token_short_ttl: HumanDuration::from_hours(12),
            email_verification_required: false,
            email_link_ttl: HumanDuration::from_days(1),
            reset_link_ttl: HumanDuration::from_mins(30),
            redirect_ttl: HumanDuration::from_mins(10),
            signing_key_max_age: HumanDuration::from_days(30),
            password_length_min: 10,
            lockout_failures_max: 10,
            lockout_address_failures_max: 100,
            lockout_duration: HumanDuration::from_mins(15),
            sealing_key: None,
            providers: BTreeMap::from([("local".to_owned(), PluginEntry::new("local"))]),
        }
    }
}

/// `[organizations]`: how long they are remembered, and how they invite.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationsConfig {
    /// How long the old name of a renamed organization leads to it, and is nobody else's.
    /// Default 90 days.
    pub former_names_lead_for: HumanDuration,
    /// How long a deleted organization can be restored, before the sweep removes it for good.
    /// Default 30 days.
    pub restorable_for: HumanDuration,
    /// How long an invitation can be accepted. Default 7 days.
    pub invitation_ttl: HumanDuration,
    /// How long an address is left alone by an organization that sent it an invitation. Default 1 min.
    pub invitation_pause: HumanDuration,
    /// How many invitations an organization sends within a day at most. Default 200.
    pub invitations_per_day: u32,
    /// How long after a request to join an organization the same user cannot make another one to it. Default 1 h.
    pub join_request_pause: HumanDuration,
    /// How many requests to join organizations a user makes within a day at most. Default 20.
    pub join_requests_per_day: u32,
}

impl Default for OrganizationsConfig {
    fn default() -> Self {
        Self {
            former_names_lead_for: HumanDuration::from_days(90),
            restorable_for: HumanDuration::from_days(30),
            invitation_ttl: HumanDuration::from_days(7),
            invitation_pause: HumanDuration::from_secs(60),
            invitations_per_day: 200,
            join_request_pause: HumanDuration::from_hours(1),
            join_requests_per_day: 20,
        }
    }
}

/// `[policy]`: who may do what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyConfig {
    /// The folder of `model.conf` and `policy.csv`; when it is absent, the rules inside the program
    /// hold. Default `policies`.
    pub dir: PathBuf,
    /// How often the files are looked at for a change; zero is never. Default 2 s.
    pub watch_interval: HumanDuration,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self { dir: PathBuf::from("policies"), watch_interval: HumanDuration::from_secs(2) }
    }
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object for machines.
    Json,
}

/// `[log]`: what is written to standard error.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `text` or `json`. Default `text`.
    pub format: LogFormat,
    /// A level (`error`, `warn`, `info`, `debug`, `trace`), and per module after it, such as
    /// `info,boxvault=debug`. Default `info`.
    pub filter: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// `[audit]`: the record of who did what.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditConfig {
    /// The age at which rows are swept; zero is never. Default 365 days.
    pub retention: HumanDuration,
    /// Refusals that may wait to be written, some seconds' worth; more are counted and left out.
    /// Default 2000.
    pub refusals_waiting_max: usize,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { retention: HumanDuration::from_days(365), refusals_waiting_max: 2000 }
    }
}

/// Who may read the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricsAccess {
    /// Callers on this machine.
    Loopback,
    /// Callers whom the policy lets.
    Authenticated,
    /// Everybody who reaches the server.
    Public,
}

/// `[metrics]`: the numbers at `/metrics`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// Whether `/metrics` exists. Default true.
    pub enabled: bool,
    /// Who may read it: `loopback`, `authenticated` or `public`. Default `loopback`.
    pub access: MetricsAccess,
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self { enabled: true, access: MetricsAccess::Loopback }
    }
}
