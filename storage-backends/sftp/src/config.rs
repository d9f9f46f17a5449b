//! The keys of the sftp backend.

use std::{
    ffi::OsString,
    fs::File,
    path::{Path, PathBuf},
};

use boxvault_plugin_sdk::{
    PluginError, Result,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use boxvault_storage_opendal::{
    Patience,
    keys::{self, bad, between},
};

/// The sftp backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    #[serde(default = "port")]
    pub port: u16,
    /// Who signs in there.
    pub user: String,
    /// The folder below which everything is kept, such as `/srv/boxes`; a relative one begins where the user arrives.
    /// It must exist.
    pub root: String,
    /// The private key that the user signs in with, without a passphrase. Only the server's user may read it.
    pub identity_file: PathBuf,
    /// The keys that the server may have, as OpenSSH writes them: `ssh-keyscan -p PORT HOST`, compared with what the
    /// server's administrator says.
    pub known_hosts_file: PathBuf,
    /// How many connections there are at most, each a process of `ssh`: 1 to 16.
    #[serde(default = "connections")]
    #[schemars(range(min = 1, max = 16))]
    pub connections: usize,
    /// How often something is tried again that failed for a reason that may pass, with growing pauses: up to 10.
    #[serde(default = "retries")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: usize,
    /// How long connecting may take, and one request that moves no file, in seconds: 1 to 30.
    #[serde(default = "request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
    /// How long one piece of a file may take on its way, and the server to make a file durable, in seconds: 5 to 600.
    #[serde(default = "keys::transfer_timeout_s")]
    #[schemars(range(min = 5, max = 600))]
    pub transfer_timeout_s: u64,
}

const fn port() -> u16 {
    22
}

const fn connections() -> usize {
    4
}

const fn retries() -> usize {
    2
}

/// The server waits 30 seconds for an answer to a small question.
const fn request_timeout_s() -> u64 {
    8
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        // what begins with a dash would be an option of ssh
        for (key, value) in [("host", &self.host), ("user", &self.user)] {
            let plain = |c: char| c.is_ascii_graphic() && c != '@';
            if value.is_empty() || value.starts_with('-') || !value.chars().all(plain) {
                return bad(key, "it is a plain name, without blanks");
            }
        }
        if self.root.trim_end_matches('/').is_empty() || self.root.contains(['\0', '\n']) {
            return bad("root", "it is a folder below the root of the file system");
        }
        between("port", self.port.into(), 1..=u16::MAX.into())?;
        between("connections", self.connections, 1..=16)?;
        self.patience().check()
    }

    /// Checks that the files can be read, which `ssh` would only say in its own way.
    pub(crate) fn check_files(&self) -> Result<()> {
        let files =
            [("identity_file", &self.identity_file), ("known_hosts_file", &self.known_hosts_file)];
        for (key, path) in files {
            if let Err(error) = File::open(path) {
                let message = format!("{key}: {}: {error}", path.display());
                return Err(PluginError::invalid_config(message));
            }
        }
        Ok(())
    }

    /// The arguments of `ssh`. Nothing comes from a file of the user's: what is not said here is the default.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let known = quoted("UserKnownHostsFile=", &self.known_hosts_file);
        let timeout = format!("ConnectTimeout={}", self.request_timeout_s);
        let options: [OsString; 12] = [
            "BatchMode=yes".into(),
            "StrictHostKeyChecking=yes".into(),
            known,
            "GlobalKnownHostsFile=/dev/null".into(),
            "IdentitiesOnly=yes".into(),
            "IdentityAgent=none".into(),
            "PreferredAuthentications=publickey".into(),
            "ClearAllForwardings=yes".into(),
            "ServerAliveInterval=15".into(),
            "ServerAliveCountMax=3".into(),
            "LogLevel=ERROR".into(),
            timeout.into(),
        ];
        let mut all: Vec<OsString> = vec!["-F".into(), "/dev/null".into()];
        all.extend(options.into_iter().flat_map(|option| ["-o".into(), option]));
        all.extend(["-i".into(), self.identity_file.clone().into_os_string()]);
        all.extend(["-p".into(), self.port.to_string().into()]);
        all.extend(["-l".into(), self.user.clone().into()]);
        all.extend(["-s".into(), "--".into(), self.host.clone().into(), "sftp".into()]);
        all
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of_keys(self.retries, self.request_timeout_s, self.transfer_timeout_s)
    }
}

/// An option whose value is a path, which may have blanks.
fn quoted(option: &str, path: &Path) -> OsString {
    let mut all = OsString::from(format!("{option}\""));
    all.push(path);
    all.push("\"");
    all
}
