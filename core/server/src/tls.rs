//! The certificate of the HTTPS listener: from configured files or self-signed, checked before it is
//! used, and exchanged while the server runs.
//!
//! A certificate that cannot be used never replaces one that can: a broken file is an error line,
//! and the old certificate goes on. Connections that exist keep theirs.

mod listener;
mod self_signed;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use tracing::{error, info};

pub use self::listener::{Served, TlsAcceptor};
use crate::{config::Config, data_dir::DataDir};

/// Sets the one TLS implementation of this process. Call it first thing in `main`: rustls cannot
/// choose by itself when a dependency brings another one along. A second call changes nothing.
pub fn install_crypto_provider() {
    drop(aws_lc_rs::default_provider().install_default());
}

/// How often files are looked at for a change, and a self-signed certificate for its age.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// A certificate file that is larger is no certificate.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why there is no certificate to serve.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("could not read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The self-signed certificate could not be kept.
    #[error("could not write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file holds no certificate.
    #[error(
        "{} holds no certificate in PEM form; a certificate begins with -----BEGIN CERTIFICATE-----",
        path.display()
    )]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The file holds no private key that can be used as it is.
    #[error(
        "{} holds no unencrypted private key in PEM form; decrypt an encrypted one with \
         openssl pkey", path.display()
    )]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// The file is PEM, and damaged.
    #[error("{} is damaged: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What the parser says. Never quotes the key.
        reason: String,
    },
    /// The private key belongs to another certificate.
    #[error(
        "the private key in {} does not belong to the first certificate in {}; the server's own \
         certificate must stand first, before those of its issuers",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// `server.tls_certificate_file`.
        certificate: PathBuf,
        /// `server.tls_private_key_file`.
        key: PathBuf,
    },
    /// The cryptography does not accept the pair.
    #[error("the certificate in {} cannot be used", certificate.display())]
    Unusable {
        /// The file.
        certificate: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The cryptography speaks no version of TLS.
    #[error("could not set up TLS")]
    Protocol(#[source] rustls::Error),
    /// No self-signed certificate could be made.
    #[error("could not make a self-signed certificate")]
    Generate(#[from] rcgen::Error),
}

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateSource {
    /// Files that the operator keeps.
    Files {
        /// `server.tls_certificate_file`: the chain, the server's own certificate first.
        certificate: PathBuf,
        /// `server.tls_private_key_file`.
        key: PathBuf,
    },
    /// A certificate that the server makes, keeps in a folder, and renews.
    SelfSigned {
        /// The folder.
        folder: PathBuf,
        /// The names and addresses that the certificate is for.
        names: Vec<String>,
    },
}

impl CertificateSource {
    /// What the configuration asks for.
    pub fn new(config: &Config, data_dir: &DataDir) -> Self {
        let server = &config.server;
        match (&server.tls_certificate_file, &server.tls_private_key_file) {
            (Some(certificate), Some(key)) => {
                Self::Files { certificate: certificate.clone(), key: key.clone() }
            }
            _ => Self::SelfSigned { folder: data_dir.tls_dir(), names: self_signed::names(config) },
        }
    }

    /// Reads and checks the certificate; makes a self-signed one if there is none that still fits.
    /// Blocks on the disk.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be read, made or used; the message names the file.
    pub fn load(&self) -> Result<Certificate, TlsError> {
        match self {
            Self::Files { certificate, key } => {
                Certificate::check(certificate, &read(certificate)?, key, &read(key)?)
            }
            Self::SelfSigned { folder, names } => {
                let file = self_signed::ensure(folder, names, chrono::Utc::now())?;
                let pem = read(&file)?;
                Certificate::check(&file, &pem, &file, &pem)
            }
        }
    }

    /// What changes when somebody writes the files.
    fn stamp(&self) -> Vec<Option<(SystemTime, u64)>> {
        let files: &[&PathBuf] = match self {
            Self::Files { certificate, key } => &[certificate, key],
            Self::SelfSigned { .. } => &[],
        };
        let stamp = |path: &&PathBuf| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        files.iter().map(stamp).collect()
    }

    /// Whether there may be something new to load.
    fn is_due(&self, seen: &[Option<(SystemTime, u64)>]) -> bool {
        match self {
            Self::Files { .. } => self.stamp() != seen,
            // Cheap: the file is read, and written only when the certificate is about to expire.
            Self::SelfSigned { .. } => true,
        }
    }
}

/// A certificate with its private key, known to belong together.
#[derive(Clone)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    fingerprint: String,
}

impl Certificate {
    fn check(
        certificate_file: &Path,
        chain_pem: &[u8],
        key_file: &Path,
        key_pem: &[u8],
    ) -> Result<Self, TlsError> {
        let malformed =
            |path: &Path, reason: String| TlsError::Malformed { path: path.to_owned(), reason };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain_pem)
            .collect::<Result<_, _>>()
            .map_err(|error| malformed(certificate_file, error.to_string()))?;
        let Some(own) = chain.first() else {
            return Err(TlsError::NoCertificate { path: certificate_file.to_owned() });
        };
        let digest = Sha256::digest(own);
        let fingerprint: Vec<String> = digest.iter().map(|byte| format!("{byte:02X}")).collect();
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| match error {
            rustls::pki_types::pem::Error::NoItemsFound => {
                TlsError::NoPrivateKey { path: key_file.to_owned() }
            }
            error => malformed(key_file, error.to_string()),
        })?;
        // Proves that the key is of a kind that can sign, and that it signs for this certificate.
        let provider = aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::Mismatch {
                certificate: certificate_file.to_owned(),
                key: key_file.to_owned(),
            },
            source => TlsError::Unusable { certificate: certificate_file.to_owned(), source },
        })?;
        Ok(Self { key: Arc::new(key), fingerprint: fingerprint.join(":") })
    }

    /// The SHA-256 fingerprint as browsers and openssl show it: `AB:CD:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// Asks the listener to look for a new certificate at once; what SIGHUP does.
#[derive(Clone, Debug, Default)]
pub struct Reload(Arc<Notify>);

impl Reload {
    /// Looks now. Returns at once; what happens is in the log.
    pub fn request(&self) {
        self.0.notify_one();
    }
}

/// Reloads on every SIGHUP, for as long as it is polled. While it waits, SIGHUP does not end the
/// process.
///
/// # Errors
///
/// When the signal cannot be listened for.
#[cfg(unix)]
pub async fn reload_on_hangup(reload: Reload) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangups = signal(SignalKind::hangup())?;
    while hangups.recv().await.is_some() {
        info!("looking for a new certificate, as SIGHUP asks");
        reload.request();
    }
    Ok(())
}

/// Keeps what is served up to date, for as long as it is polled; `first` is served now.
///
/// A new certificate is looked for on [`Reload::request`], and every half minute where a file changed or a self-signed
/// certificate comes of age. What cannot be used is logged and skipped.
pub async fn keep_current(
    served: Served,
    source: CertificateSource,
    first: Certificate,
    reload: Reload,
) {
    let mut watch = Watch::new(source, &first, reload);
    loop {
        served.replace(&watch.next().await);
    }
}

struct Watch {
    source: CertificateSource,
    stamp: Vec<Option<(SystemTime, u64)>>,
    fingerprint: String,
    reload: Reload,
}

impl Watch {
    fn new(source: CertificateSource, first: &Certificate, reload: Reload) -> Self {
        Self { stamp: source.stamp(), fingerprint: first.fingerprint.clone(), source, reload }
    }

    async fn next(&mut self) -> Certificate {
        loop {
            let asked = tokio::time::timeout(LOOK_INTERVAL, self.reload.0.notified()).await.is_ok();
            if let Some(certificate) = self.look(asked).await {
                return certificate;
            }
        }
    }

    async fn look(&mut self, asked: bool) -> Option<Certificate> {
        let (source, seen) = (self.source.clone(), self.stamp.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let due = asked || source.is_due(&seen);
            due.then(|| (source.stamp(), source.load()))
        });
        let (stamp, loaded) = looked.await.ok().flatten()?;
        // The stamp is older than what was read, so that a write in between is seen next time.
        self.stamp = stamp;
        match loaded {
            Ok(certificate) if certificate.fingerprint == self.fingerprint => {
                if asked {
                    info!("the certificate is the same as before");
                }
                None
            }
            Ok(certificate) => {
                info!(fingerprint = certificate.fingerprint, "serving a new certificate");
                certificate.fingerprint.clone_into(&mut self.fingerprint);
                Some(certificate)
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                error!(error, "the new certificate cannot be used; the old one stays");
                None
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    use io::Read;

    let read = || {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
