//! A real mail server for tests (aiosmtpd, in Python), and what arrived there or in the folder of messages.

use std::{fs, net::SocketAddr, path::Path, process::Stdio, time::Duration};

use serde::Deserialize;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{wait_for, workspace};

/// How long a message may take to arrive on a busy machine before the test fails.
pub const ARRIVAL_DEADLINE: Duration = Duration::from_secs(30);
/// The interpreters that are tried: Debian's own, which has Debian's aiosmtpd, and whatever is first on the path.
const PYTHONS: [&str; 2] = ["/usr/bin/python3", "python3"];

/// A message that arrived.
#[derive(Debug, Clone, Deserialize)]
pub struct Received {
    /// The sender's address.
    pub from: String,
    /// The recipients' addresses.
    pub to: Vec<String>,
    /// Head and body, as they came.
    pub content: String,
    /// Whether it came encrypted.
    pub tls: bool,
    /// Whether name and password came before it.
    pub authenticated: bool,
}

/// What the mail server asks for.
#[derive(Debug, Clone, Copy)]
pub struct Secured<'a> {
    /// Certificate and private key in one file.
    pub pem: &'a Path,
    /// The name.
    pub name: &'a str,
    /// The password.
    pub password: &'a str,
}

/// A mail server. Ends when it is dropped.
#[derive(Debug)]
pub struct SmtpServer {
    folder: TempDir,
    arguments: Vec<String>,
    port: u16,
    child: Option<Child>,
}

impl SmtpServer {
    /// Starts one that takes everything; `None` where aiosmtpd is not installed.
    pub async fn start() -> Option<Self> {
        Self::start_with(None).await
    }

    /// Starts one that wants STARTTLS, a name and a password.
    pub async fn start_secured(secured: Secured<'_>) -> Option<Self> {
        Self::start_with(Some(secured)).await
    }

    async fn start_with(secured: Option<Secured<'_>>) -> Option<Self> {
        let arguments = secured.map_or_else(Vec::new, |secured| {
            let pem = secured.pem.display().to_string();
            vec![pem, secured.name.to_owned(), secured.password.to_owned()]
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut server = Self { folder, arguments, port: 0, child: None };
        server.launch().await.then_some(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Ends it; connections to its port are refused from now on.
    pub async fn stop(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.expect("our own child can be killed");
    }

    /// Starts it again on the same port.
    pub async fn restart(&mut self) {
        assert!(self.launch().await, "it started before");
    }

    /// What arrived, the oldest first.
    pub fn received(&self) -> Vec<Received> {
        let mut paths: Vec<_> = fs::read_dir(self.folder.path())
            .expect("the folder is ours")
            .map(|entry| entry.expect("the folder is ours").path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .collect();
        paths.sort();
        let read = |path| fs::read_to_string(path).expect("it appeared whole");
        paths
            .into_iter()
            .map(|path| serde_json::from_str(&read(path)).expect("our script writes JSON"))
            .collect()
    }

    /// Waits for a message to somebody.
    pub async fn message_to(&self, address: &str) -> Received {
        wait_for(&format!("a message to {address}"), ARRIVAL_DEADLINE, async || {
            self.received().into_iter().find(|message| message.to.iter().any(|to| to == address))
        })
        .await
    }

    async fn launch(&mut self) -> bool {
        for python in PYTHONS {
            let mut child = Command::new(python)
                .arg(workspace::root().join("tests/src/smtp_server.py"))
                .arg(self.folder.path())
                .arg(self.port.to_string())
                .args(&self.arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .ok();
            let Some(output) = child.as_mut().and_then(|child| child.stdout.take()) else {
                continue;
            };
            let line = BufReader::new(output).lines().next_line().await.ok().flatten();
            if let Some(port) = line.and_then(|line| line.parse().ok()) {
                self.port = port;
                self.child = child;
                return true;
            }
        }
        false
    }
}

/// The tokens of the links in messages of a kind to somebody, the oldest first.
pub fn link_tokens(folder: &Path, kind: &str, to: &str) -> Vec<String> {
    let to = format!("To: {to}\r\n");
    let about = format!("/{}#token=", kind.replace('_', "-"));
    files(folder)
        .into_iter()
        .filter(|message| message.contains(&to))
        // quoted-printable, where a line was too long
        .map(|message| message.replace("=\r\n", "").replace("=3D", "="))
        .filter_map(|message| {
            let (_, rest) = message.split_once(&about)?;
            Some(
                rest.chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c))
                    .collect(),
            )
        })
        .collect()
}

/// Waits until so many links of a kind were sent to somebody; gives the token of the newest.
pub async fn wait_for_link(folder: &Path, kind: &str, to: &str, count: usize) -> String {
    wait_for(&format!("link {count} of {kind} to {to}"), ARRIVAL_DEADLINE, async || {
        let tokens = link_tokens(folder, kind, to);
        tokens.get(count - 1).cloned().filter(|_| tokens.len() == count)
    })
    .await
}

/// What stands in the folder of messages of a server without a mail server, the oldest first.
pub fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("the folder is ours").path())
        .filter(|path| path.extension().is_some_and(|end| end == "eml"))
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read_to_string(path).expect("it appeared whole")).collect()
}
