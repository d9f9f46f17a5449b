//! The keys of the webdav backend.

use std::path::PathBuf;

use boxvault_plugin_sdk::{
    Result, Secret,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use boxvault_storage_opendal::{
    Patience,
    keys::{self, bad, check_endpoint, check_folder},
};

/// The webdav backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// Where the server is, such as `https://nas.example.com/dav`.
    pub endpoint: String,
    /// The folder there below which everything is kept, such as `boxvault`; not set: the top. It is made if it is not
    /// there.
    #[serde(default)]
    pub root: String,
    /// Who signs in (basic authentication).
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
    /// A bearer token, instead of a user and a password.
    pub token: Option<Secret>,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How often a request is sent again that failed for a reason that may pass, with growing pauses: up to 10.
    #[serde(default = "keys::retries")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: usize,
    /// How long one request that moves no file may take, in seconds: 1 to 30.
    #[serde(default = "keys::request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
    /// How long one piece of a file may take on its way, and the server to keep a file when all of it is there, in
    /// seconds: 5 to 600.
    #[serde(default = "keys::transfer_timeout_s")]
    #[schemars(range(min = 5, max = 600))]
    pub transfer_timeout_s: u64,
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        check_endpoint("endpoint", Some(&self.endpoint))?;
        if self.endpoint.contains(['?', '#', '@']) {
            return bad("endpoint", "it has no query and no user: username and password are keys");
        }
        check_folder("root", &self.root)?;
        if self.username.is_some() != self.password.is_some() {
            return bad("username", "set it together with password, or neither");
        }
        if self.token.is_some() && self.username.is_some() {
            return bad("token", "set it or username, not both");
        }
        self.patience().check()
    }

    /// Where the server is, without a slash at the end.
    pub(crate) fn endpoint(&self) -> &str {
        self.endpoint.trim_end_matches('/')
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of_keys(self.retries, self.request_timeout_s, self.transfer_timeout_s)
    }
}
