//! The configuration: `config.toml` < environment `BOXVAULT_…` < arguments, checked as a whole.
//!
//! This is the only reader of the environment and of secret files. What is unknown, misspelt or
//! contradictory is an error with its place, and all errors are reported in one go. The decision
//! worth knowing: figment merges and extracts, but the places (file and line, variable, argument)
//! are kept by our own layers, because figment's TOML provider forgets the lines.

mod check;
mod duration;
mod keys;
mod layers;
mod limits;
mod listen;
mod load;
mod mail;
mod mirror;
pub(crate) mod placement;
mod plugin_entry;
mod problem;
mod public_url;
mod secret;
mod sections;
mod show;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::{
    duration::{DurationError, HumanDuration},
    layers::Setting,
    limits::{ArchiveCheck, LimitsConfig},
    listen::{Listen, ListenAddress, Network},
    load::{Inputs, Loaded},
    mail::{MailConfig, MailTls},
    mirror::MirrorConfig,
    placement::PlacementRule,
    plugin_entry::{PluginEntry, Transfer},
    problem::{ConfigError, Place, Problem},
    public_url::PublicUrl,
    secret::{REDACTED, Secret},
    sections::{
        AuditConfig, AuthConfig, BoxesConfig, DatabaseConfig, LogConfig, LogFormat, MetricsAccess,
        MetricsConfig, OrganizationsConfig, PluginsConfig, PolicyConfig, ServerConfig, SignUp,
        StorageConfig,
    },
    show::Origins,
};

/// The whole configuration, valid and complete. Get one from [`Inputs::load`], or
/// [`Config::default`] in a test.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Listeners, addresses, the data folder.
    pub server: ServerConfig,
    /// The catalog.
    pub database: DatabaseConfig,
    /// Where plugin libraries are found.
    pub plugins: PluginsConfig,
    /// The stores, by name. Default: `main`, the `fs` plugin with `store` in the data folder.
    pub stores: BTreeMap<String, PluginEntry>,
    /// How the stores are used.
    pub storage: StorageConfig,
    /// Old names and deleted boxes.
    pub boxes: BoxesConfig,
    /// Accounts and sessions.
    pub auth: AuthConfig,
    /// Messages to users.
    pub mail: MailConfig,
    /// How long organizations are remembered.
    pub organizations: OrganizationsConfig,
    /// Requests to other registries.
    pub mirror: MirrorConfig,
    /// Who may do what.
    pub policy: PolicyConfig,
    /// What a caller may cost.
    pub limits: LimitsConfig,
    /// The record of who did what.
    pub audit: AuditConfig,
    /// Log lines.
    pub log: LogConfig,
    /// Numbers for monitoring.
    pub metrics: MetricsConfig,
}

impl Default for Config {
    fn default() -> Self {
        let server = ServerConfig::default();
        Self {
            stores: default_stores(&server),
            server,
            database: DatabaseConfig::default(),
            plugins: PluginsConfig::default(),
            storage: StorageConfig::default(),
            boxes: BoxesConfig::default(),
            auth: AuthConfig::default(),
            mail: MailConfig::default(),
            organizations: OrganizationsConfig::default(),
            mirror: MirrorConfig::default(),
            policy: PolicyConfig::default(),
            limits: LimitsConfig::default(),
            audit: AuditConfig::default(),
            log: LogConfig::default(),
            metrics: MetricsConfig::default(),
        }
    }
}

/// The one store of a server whose configuration names none.
fn default_stores(server: &ServerConfig) -> BTreeMap<String, PluginEntry> {
    let root = server.data_dir.join("store").to_string_lossy().into_owned();
    BTreeMap::from([("main".to_owned(), PluginEntry::new("fs").with_option("root", root))])
}

impl Config {
    /// The defaults, with another data folder; what a test or a demonstration needs.
    pub fn with_data_dir(data_dir: impl Into<PathBuf>) -> Self {
        let server = ServerConfig { data_dir: data_dir.into(), ..ServerConfig::default() };
        Self { stores: default_stores(&server), server, ..Self::default() }
    }

    /// The catalog's URL: `database.url`, or a SQLite file in the data folder.
    pub fn database_url(&self) -> Secret {
        let in_data_dir = || sqlite_url(&self.server.data_dir.join("catalog.sqlite3"));
        self.database.url.clone().unwrap_or_else(in_data_dir)
    }

    /// Puts the catalog into another file.
    pub fn set_catalog_file(&mut self, path: &Path) {
        self.database.url = Some(sqlite_url(path));
    }

    /// The addresses of the HTTP listener; none when it is off.
    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.server.http_listen.resolve(self.server.bind)
    }

    /// The addresses of the HTTPS listener; none when it is off.
    pub fn https_addresses(&self) -> Vec<SocketAddr> {
        self.server.https_listen.resolve(self.server.bind)
    }

    /// How clients reach the server: `server.public_url`, or else the first HTTP listener, or else
    /// the first HTTPS listener. An unspecified address (`0.0.0.0`) becomes this machine's own, so
    /// that a server opened to the network should have a `public_url`.
    ///
    /// `bound` are the real addresses (HTTP, HTTPS) where a port was 0; pass `None` otherwise.
    pub fn public_url(&self, bound: Option<(&[SocketAddr], &[SocketAddr])>) -> PublicUrl {
        if let Some(url) = &self.server.public_url {
            return url.clone();
        }
        let (http, https) = match bound {
            Some((http, https)) => (http.to_vec(), https.to_vec()),
            None => (self.http_addresses(), self.https_addresses()),
        };
        let derived = match (http.first(), https.first()) {
            (Some(address), _) => format!("http://{}", reachable(*address)),
            (None, Some(address)) => format!("https://{}", reachable(*address)),
            (None, None) => "http://localhost".to_owned(),
        };
        derived.parse().expect("a scheme and a socket address make a URL")
    }
}

/// The same address, with this machine's own in place of "every address".
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn sqlite_url(path: &Path) -> Secret {
    Secret::new(format!("sqlite://{}", escape_path(&path.to_string_lossy())))
}

/// Writes a path so that it survives as part of a URL: `?`, `#` and `%` would end or change it.
fn escape_path(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

#[cfg(test)]
mod tests;
