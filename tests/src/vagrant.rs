//! `Vagrant`: the real, unpatched `vagrant` command in a home of its own.
//!
//! It needs no hypervisor: `box add`, `outdated`, `update` and `remove` only talk to the registry and to the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;
use tokio::process::Command;

use crate::workspace::find_program;

/// What a run of it said.
#[derive(Debug)]
pub struct Run {
    /// Whether it exited with 0.
    pub success: bool,
    /// Standard output and standard error.
    pub output: String,
}

impl Run {
    /// Panics with what it said unless it succeeded.
    #[track_caller]
    pub fn expect_success(&self) -> &Self {
        assert!(self.success, "vagrant failed:\n{}", self.output);
        self
    }

    /// Panics with what it said unless it failed.
    #[track_caller]
    pub fn expect_failure(&self) -> &Self {
        assert!(!self.success, "vagrant succeeded:\n{}", self.output);
        self
    }
}

/// The client.
#[derive(Debug)]
pub struct Vagrant {
    program: PathBuf,
    home: TempDir,
    server_url: String,
    token: Option<String>,
    /// A certificate authority of the house.
    authority: Option<PathBuf>,
}

impl Vagrant {
    /// A client with an empty home that asks this server; nothing when vagrant is not installed.
    pub fn new(server_url: &str) -> Option<Self> {
        let program = find_program("vagrant")?;
        let home = tempfile::Builder::new().prefix("vagrant-home-").tempdir().ok()?;
        Some(Self {
            program,
            home,
            server_url: server_url.to_owned(),
            token: None,
            authority: None,
        })
    }

    /// Presents a token, as `VAGRANT_CLOUD_TOKEN` does.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    /// Trusts a certificate authority besides those of the system, as people are told to: for its API and for curl.
    #[must_use]
    pub fn trusting(mut self, authority: &Path) -> Self {
        self.authority = Some(authority.to_owned());
        self
    }

    /// Its home: boxes, partial downloads.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs it in its home folder.
    pub async fn run(&self, arguments: &[&str]) -> Run {
        self.run_in(self.home(), arguments).await
    }

    /// Runs it in another folder, for instance one with a `Vagrantfile`.
    pub async fn run_in(&self, folder: &Path, arguments: &[&str]) -> Run {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(folder)
            .env("VAGRANT_HOME", self.home())
            .env("VAGRANT_SERVER_URL", &self.server_url)
            .env("VAGRANT_CHECKPOINT_DISABLE", "1")
            .env("VAGRANT_NO_COLOR", "1")
            // the host's, so that the tests say the same on every machine
            .env("VAGRANT_HOST_ARCHITECTURE", "amd64")
            .env("VAGRANT_DEFAULT_PROVIDER", "virtualbox")
            .env_remove("VAGRANT_CLOUD_TOKEN")
            .env_remove("ATLAS_TOKEN")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(token) = &self.token {
            command.env("VAGRANT_CLOUD_TOKEN", token);
        }
        if let Some(authority) = &self.authority {
            command.env("SSL_CERT_FILE", authority).env("CURL_CA_BUNDLE", authority);
        }
        let output = command.output().await.expect("vagrant starts");
        let text =
            [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
        Run { success: output.status.success(), output: text.concat() }
    }

    /// The folder of an installed version; nothing when it is not installed.
    ///
    /// Source: vagrant `lib/vagrant/box_collection.rb`; 2.4 has a folder for the architecture in between.
    pub fn installed(
        &self,
        organization: &str,
        name: &str,
        version: &str,
        provider: &str,
    ) -> Option<PathBuf> {
        let boxes = self.home().join("boxes");
        let version = boxes.join(format!("{organization}-VAGRANTSLASH-{name}")).join(version);
        let inner = fs::read_dir(&version).ok()?.filter_map(Result::ok);
        let below_architecture = inner.map(|entry| entry.path().join(provider));
        std::iter::once(version.join(provider)).chain(below_architecture).find(|path| path.is_dir())
    }

    /// Downloads that were cut and can be resumed, with their sizes.
    pub fn partial_downloads(&self) -> Vec<(PathBuf, u64)> {
        let Ok(entries) = fs::read_dir(self.home().join("tmp")) else { return Vec::new() };
        entries
            .filter_map(Result::ok)
            .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?.len())))
            .filter(|(_, size)| *size > 0)
            .collect()
    }
}
