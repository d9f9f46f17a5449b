//! Connections to the directory: TLS, the list of servers, those that are kept, and what an answer means.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, Result};
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapError};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::{
    fs,
    sync::{Semaphore, SemaphorePermit},
};

use crate::Config;

/// Result codes of LDAP (RFC 4511, appendix A).
pub(crate) mod code {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const SIZE_LIMIT_EXCEEDED: u32 = 4;
    pub(crate) const CONSTRAINT_VIOLATION: u32 = 19;
    pub(crate) const NO_SUCH_OBJECT: u32 = 32;
    pub(crate) const INVALID_DN_SYNTAX: u32 = 34;
    pub(crate) const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
    pub(crate) const INVALID_CREDENTIALS: u32 = 49;
    pub(crate) const INSUFFICIENT_ACCESS_RIGHTS: u32 = 50;
    pub(crate) const UNWILLING_TO_PERFORM: u32 = 53;
}

/// What Active Directory adds to "invalid credentials" when they are valid, and the account may not sign in: password
/// expired, at this time, at this machine, account disabled, expired, password to be changed, locked.
const ACTIVE_DIRECTORY_DISABLED: [&str; 7] = ["532", "530", "531", "533", "701", "773", "775"];

/// The servers, and the connections that search.
pub(crate) struct Connections {
    config: Config,
    tls: Arc<ClientConfig>,
    /// The server that answered last.
    preferred: AtomicUsize,
    idle: Mutex<Vec<Ldap>>,
    permits: Semaphore,
}

/// A connection that searches. It is kept when it is given back.
pub(crate) struct Searching<'a> {
    pub(crate) ldap: Ldap,
    connections: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Searching<'_> {
    /// Keeps it for the next one. Without that it is closed.
    pub(crate) fn give_back(mut self) {
        if !self.ldap.is_closed() {
            let ldap = self.ldap.clone();
            self.connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(ldap);
        }
    }
}

impl Connections {
    pub(crate) async fn new(config: Config) -> Result<Self> {
        let tls = Arc::new(tls(&config).await?);
        let permits = Semaphore::new(config.connections_max);
        Ok(Self { tls, preferred: AtomicUsize::new(0), idle: Mutex::default(), permits, config })
    }

    /// A connection that searches: one that is kept, or else a new one.
    pub(crate) async fn searching(&self, fresh: bool) -> Result<Searching<'_>> {
        let wait = self.permits.acquire();
        let permit = tokio::time::timeout(self.request_timeout(), wait).await;
        let permit = permit
            .map_err(|_| PluginError::unavailable("all connections to the directory are in use"))?
            .map_err(|error| PluginError::unexpected(error.to_string()))?;
        let kept = if fresh { None } else { self.take_idle() };
        let ldap = match kept {
            Some(kept) => kept,
            None => self.open_searching().await?,
        };
        Ok(Searching { ldap, connections: self, _permit: permit })
    }

    fn take_idle(&self) -> Option<Ldap> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| idle.pop()).find_map(|mut kept| (!kept.is_closed()).then_some(kept))
    }

    /// Forgets the connections that are kept: the server behind them has ended.
    pub(crate) fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn open_searching(&self) -> Result<Ldap> {
        let mut ldap = self.open().await?;
        let (Some(dn), Some(password)) = (&self.config.bind_dn, &self.config.bind_password) else {
            return Ok(ldap);
        };
        let bound = ldap
            .with_timeout(self.request_timeout())
            .simple_bind(dn, password.expose())
            .await
            .map_err(|error| unavailable(&error))?;
        if bound.rc == code::SUCCESS {
            return Ok(ldap);
        }
        // not what whoever signs in typed: it is the server's configuration that is wrong
        Err(PluginError::new(
            PluginErrorKind::PermissionDenied,
            format!("the directory refuses bind_dn with code {}", bound.rc),
        ))
    }

    /// A connection as nobody, to the first server that answers; the one that did so last is asked first.
    pub(crate) async fn open(&self) -> Result<Ldap> {
        let count = self.config.urls.len();
        let first = self.preferred.load(Ordering::Relaxed);
        let mut last = PluginError::unavailable("no server is configured");
        for number in (0..count).map(|step| (first + step) % count.max(1)) {
            let Some(url) = self.config.urls.get(number) else { continue };
            match self.open_at(url).await {
                Ok(ldap) => {
                    self.preferred.store(number, Ordering::Relaxed);
                    return Ok(ldap);
                }
                Err(error) => last = unavailable(&error).context(url),
            }
        }
        Err(last)
    }

    async fn open_at(&self, url: &str) -> std::result::Result<Ldap, LdapError> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(Duration::from_secs(self.config.connect_timeout_s))
            .set_starttls(self.config.start_tls && url.starts_with("ldap://"))
            .set_config(Arc::clone(&self.tls));
        let (connection, ldap) = LdapConnAsync::with_settings(settings, url).await?;
        // it ends with the last handle; whoever waits for an answer learns that it broke
        tokio::spawn(async move { drop(connection.drive().await) });
        Ok(ldap)
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(self.config.request_timeout_s)
    }
}

/// Whom to trust: the system's authorities, and those of `ca_file`.
async fn tls(config: &Config) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // what the system has and nobody can read is no reason to trust nobody
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = &config.ca_file {
        let wrong = |problem: String| {
            PluginError::invalid_config(format!("ca_file: {}: {problem}", path.display()))
        };
        let pem = fs::read(path).await.map_err(|error| wrong(error.to_string()))?;
        let mut count = 0;
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
            count += 1;
        }
        if count == 0 {
            return Err(wrong("it holds no certificate".to_owned()));
        }
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| PluginError::unexpected(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// What went wrong on the way. None of it holds what was typed.
pub(crate) fn unavailable(error: &LdapError) -> PluginError {
    PluginError::unavailable(error.to_string()).with_retry(true)
}

/// Reads the answer to a bind.
pub(crate) fn judge(code: u32, words: &str) -> Result<()> {
    let disabled = || PluginError::new(PluginErrorKind::AccountDisabled, "the account is disabled");
    match code {
        code::SUCCESS => Ok(()),
        code::INVALID_CREDENTIALS if is_disabled(words) => Err(disabled()),
        code::CONSTRAINT_VIOLATION
        | code::INSUFFICIENT_ACCESS_RIGHTS
        | code::UNWILLING_TO_PERFORM => Err(disabled()),
        code::INVALID_CREDENTIALS
        | code::NO_SUCH_OBJECT
        | code::INVALID_DN_SYNTAX
        | code::INAPPROPRIATE_AUTHENTICATION => Err(PluginError::bad_credentials()),
        other => Err(PluginError::unavailable(format!("the directory answered with code {other}"))),
    }
}

/// `… data 533, …` in the words of Active Directory.
fn is_disabled(words: &str) -> bool {
    let data = words.split("data ").nth(1).and_then(|rest| rest.split([',', ' ']).next());
    data.is_some_and(|data| ACTIVE_DIRECTORY_DISABLED.contains(&data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_directory_says_is_a_wrong_password_a_disabled_account_or_no_answer() {
        let words = |data: &str| {
            format!(
                "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data {data}, v3839"
            )
        };
        let kind = |code, words: &str| judge(code, words).unwrap_err().kind;
        assert!(judge(0, "").is_ok());
        assert_eq!(kind(49, &words("52e")), PluginErrorKind::BadCredentials);
        assert_eq!(kind(49, &words("525")), PluginErrorKind::BadCredentials);
        for data in ACTIVE_DIRECTORY_DISABLED {
            assert_eq!(kind(49, &words(data)), PluginErrorKind::AccountDisabled, "{data}");
        }
        assert_eq!(kind(53, ""), PluginErrorKind::AccountDisabled);
        assert_eq!(kind(32, ""), PluginErrorKind::BadCredentials);
        assert_eq!(kind(51, ""), PluginErrorKind::Unavailable);
        assert_eq!(kind(8, ""), PluginErrorKind::Unavailable);
    }
}
