//! Connections: processes of `ssh`, each of which any number of requests go through at once.

use std::{
    future::Future,
    io,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind as Kind, Result};
use boxvault_storage_opendal::Patience;
use openssh_sftp_client::{Error, Sftp, SftpOptions, error::SftpErrorKind};
use tokio::{
    io::AsyncReadExt as _,
    process::{Child, Command},
    sync::Mutex,
    time::timeout,
};

use crate::Config;

/// More is not kept of what `ssh` says.
const WORDS_BYTES_MAX: u64 = 4096;
/// How long to wait for its last words.
const WORDS_TIMEOUT: Duration = Duration::from_secs(2);

/// What `ssh` says, what it is to us, and what to do.
const ADVICE: &[(&str, Kind, &str)] = &[
    (
        "Host key verification failed",
        Kind::PermissionDenied,
        "it has another key than known_hosts_file says: ask its administrator, and correct the file",
    ),
    (
        "Permission denied (",
        Kind::PermissionDenied,
        "correct user or identity_file, or add the public key to the user's authorized_keys",
    ),
    (
        "subsystem request failed",
        Kind::Unsupported,
        "the server offers no SFTP: switch it on there",
    ),
    ("Could not resolve hostname", Kind::Unavailable, "correct host"),
];

/// One process, and the protocol spoken with it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) sftp: Sftp,
    is_lost: AtomicBool,
    patience: Patience,
    /// Killed when it is dropped.
    _process: Child,
}

impl Connection {
    /// What a failed request means.
    pub(crate) fn failed(&self, error: &Error) -> PluginError {
        let Error::SftpError(kind, message) = error else {
            // not an answer: there is nobody left to answer
            self.is_lost.store(true, Ordering::Relaxed);
            return PluginError::unavailable(format!("the connection was lost: {error}"));
        };
        let kind = match kind {
            SftpErrorKind::NoSuchFile => Kind::NotFound,
            SftpErrorKind::PermDenied => Kind::PermissionDenied,
            SftpErrorKind::OpUnsupported => Kind::Unsupported,
            // the protocol has no word for it; OpenSSH's server says this and no more
            _ => Kind::Unexpected,
        };
        PluginError::new(kind, message.to_string())
    }

    /// The same, for a request whose error came as one of I/O.
    pub(crate) fn failed_io(&self, error: io::Error) -> PluginError {
        match error.downcast::<Error>() {
            Ok(error) => self.failed(&error),
            Err(error) => self.failed(&Error::IOError(error)),
        }
    }

    /// Waits for the answer to a small question.
    pub(crate) async fn ask<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.within(self.patience.question, work).await
    }

    /// Waits for bytes to come or to go.
    pub(crate) async fn transfer<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.within(self.patience.transfer, work).await
    }

    async fn within<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        timeout(patience, work).await.unwrap_or_else(|_| {
            self.is_lost.store(true, Ordering::Relaxed);
            Err(PluginError::unavailable(format!("no answer within {patience:?}")))
        })
    }
}

/// As many connections as are configured, made when they are needed.
#[derive(Debug)]
pub(crate) struct Connections {
    config: Config,
    slots: Vec<Mutex<Option<Arc<Connection>>>>,
    next: AtomicUsize,
}

impl Connections {
    pub(crate) fn new(config: Config) -> Self {
        let slots = (0..config.connections).map(|_| Mutex::default()).collect();
        Self { config, slots, next: AtomicUsize::new(0) }
    }

    /// One that was not seen to fail yet.
    pub(crate) async fn get(&self) -> Result<Arc<Connection>> {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let slot = self.slots.get(index).expect("the index is below the length");
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|one| !one.is_lost.load(Ordering::Relaxed)) {
            return Ok(Arc::clone(connection));
        }
        let connection = Arc::new(self.connect().await?);
        *slot = Some(Arc::clone(&connection));
        Ok(connection)
    }

    async fn connect(&self) -> Result<Connection> {
        let mut process = Command::new("ssh")
            .args(self.config.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                PluginError::invalid_config(format!("ssh: {error}; install OpenSSH's client"))
            })?;
        let (Some(input), Some(output), Some(errors)) =
            (process.stdin.take(), process.stdout.take(), process.stderr.take())
        else {
            return Err(PluginError::unexpected("ssh has no streams"));
        };
        let words = tokio::spawn(async move {
            let mut words = Vec::new();
            drop(errors.take(WORDS_BYTES_MAX).read_to_end(&mut words).await);
            String::from_utf8_lossy(&words).into_owned()
        });
        let patience = Duration::from_secs(self.config.request_timeout_s);
        match timeout(patience, Sftp::new(input, output, SftpOptions::new())).await {
            Ok(Ok(sftp)) => {
                able(&sftp)?;
                Ok(Connection {
                    sftp,
                    is_lost: AtomicBool::new(false),
                    patience: self.config.patience(),
                    _process: process,
                })
            }
            Ok(Err(error)) => {
                drop(process.start_kill());
                let words = timeout(WORDS_TIMEOUT, words).await.ok().and_then(Result::ok);
                Err(refused(&words.unwrap_or_default(), &error))
            }
            Err(_) => Err(PluginError::unavailable(format!("no connection within {patience:?}"))),
        }
    }
}

/// Without these, nothing that is promised could be kept.
fn able(sftp: &Sftp) -> Result<()> {
    for (able, extension) in
        [(sftp.support_fsync(), "fsync"), (sftp.support_posix_rename(), "posix-rename")]
    {
        if !able {
            let message = format!(
                "the server lacks {extension}@openssh.com, without which no file is written safely: OpenSSH's has it"
            );
            return Err(PluginError::new(Kind::Unsupported, message));
        }
    }
    Ok(())
}

fn refused(words: &str, error: &Error) -> PluginError {
    let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let Some(last) = last else {
        return PluginError::unavailable(format!("ssh ends without a word: {error}"));
    };
    match ADVICE.iter().find(|(known, ..)| words.contains(known)) {
        Some((_, kind, advice)) => PluginError::new(*kind, format!("ssh says: {last}; {advice}")),
        None => PluginError::unavailable(format!("ssh says: {last}")),
    }
}
