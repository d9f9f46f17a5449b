//! The sockets that a server listens on, and the certificate behind them.

use std::io;

use boxvault_transfer::{FileAcceptor, FileListener, LocalFiles};
use tokio::{sync::watch, task::JoinSet};

use super::StartupError;
use crate::{
    config::Config,
    data_dir::DataDir,
    tls::{self, CertificateSource, Reload, Served, TlsAcceptor},
};

/// The sockets of a server, as configured.
pub(super) struct Listeners {
    pub(super) http: Option<FileAcceptor>,
    pub(super) https: Option<TlsAcceptor>,
    /// Of the certificate that HTTPS begins with.
    pub(super) fingerprint: Option<String>,
    /// What keeps the certificate up to date, until this is dropped.
    pub(super) certificates: JoinSet<()>,
}

impl Listeners {
    pub(super) async fn open(
        config: &Config,
        data_dir: &DataDir,
        files: &LocalFiles,
        closing: watch::Receiver<bool>,
        reload: &Reload,
    ) -> Result<Self, StartupError> {
        let listener = |addresses| FileListener::new(addresses).close_when(closing.clone());
        let mut opened =
            Self { http: None, https: None, fingerprint: None, certificates: JoinSet::new() };
        let http_addresses = config.http_addresses();
        if !http_addresses.is_empty() {
            opened.http = Some(listener(http_addresses).with_sendfile(files).listen()?);
        }
        let https_addresses = config.https_addresses();
        if !https_addresses.is_empty() {
            let source = CertificateSource::new(config, data_dir);
            let loading = source.clone();
            let first = tokio::task::spawn_blocking(move || loading.load())
                .await
                .map_err(io::Error::other)??;
            opened.fingerprint = Some(first.fingerprint().to_owned());
            let served = Served::new(&first);
            let acceptor = TlsAcceptor::new(listener(https_addresses).listen()?, served.clone())?;
            opened.https = Some(acceptor);
            opened.certificates.spawn(tls::keep_current(served, source, first, reload.clone()));
        }
        Ok(opened)
    }
}
