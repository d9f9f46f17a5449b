//! The HTTPS listener: rustls over the listener of the transfer room.
//!
//! Not salvo's own, for what one connection may hold: with a thousand slow downloads the records that
//! wait for their clients are most of the server's memory, and only a hand on each connection bounds them.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwap;
use boxvault_transfer::FileAcceptor;
use rustls::{
    ServerConfig, ServerConnection,
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use salvo::{
    conn::{Accepted, Acceptor, HandshakeStream, Holding, tcp::TcpCoupler},
    fuse::ArcFusePolicy,
    http::uri::Scheme,
};
use tokio_rustls::server::TlsStream;

use super::{Certificate, TlsError};

/// How much a connection may keep encrypted for a client that is slower than the server, bytes: two records of TLS.
/// One is in the hands of the kernel while the next one is made; more than that is only memory.
const UNSENT_BYTES_MAX: usize = 32 << 10;

/// Speaks TLS with whoever connects. A clone serves the same certificate.
#[derive(Clone)]
pub struct Served(Arc<ArcSwap<CertifiedKey>>);

impl Served {
    /// Begins with this certificate.
    pub fn new(certificate: &Certificate) -> Self {
        Self(Arc::new(ArcSwap::new(Arc::clone(&certificate.key))))
    }

    /// Serves this certificate from now on. Connections that exist keep theirs.
    pub(super) fn replace(&self, certificate: &Certificate) {
        self.0.store(Arc::clone(&certificate.key));
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Served").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Accepts connections and has them speak TLS 1.2 or 1.3, and in it HTTP/2 or HTTP/1.1.
pub struct TlsAcceptor {
    inner: FileAcceptor,
    tls: tokio_rustls::TlsAcceptor,
    holdings: Vec<Holding>,
}

impl TlsAcceptor {
    /// Speaks TLS on these sockets, with the certificate that is served at the time.
    ///
    /// # Errors
    ///
    /// When the cryptography offers neither TLS 1.2 nor 1.3.
    pub fn new(inner: FileAcceptor, served: Served) -> Result<Self, TlsError> {
        let mut config = ServerConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Protocol)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(served));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let holdings = inner.holdings().iter().map(|holding| Holding {
            local_addr: holding.local_addr.clone(),
            http_versions: holding.http_versions.clone(),
            http_scheme: Scheme::HTTPS,
        });
        Ok(Self { holdings: holdings.collect(), inner, tls: Arc::new(config).into() })
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Acceptor for TlsAcceptor {
    type Coupler = TcpCoupler<Self::Stream>;
    type Stream = HandshakeStream<TlsStream<<FileAcceptor as Acceptor>::Stream>>;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        let accepted = self.inner.accept(fuse_policy).await?;
        let handshake =
            self.tls.accept_with(accepted.stream, |connection: &mut ServerConnection| {
                connection.set_buffer_limit(Some(UNSENT_BYTES_MAX));
            });
        Ok(Accepted {
            coupler: TcpCoupler::new(),
            // Whoever answers the connection waits for the handshake, so that a slow one keeps nobody else waiting.
            stream: HandshakeStream::new(handshake, accepted.fuse_config),
            fuse_config: accepted.fuse_config,
            conn_ctrl: accepted.conn_ctrl,
            local_addr: accepted.local_addr,
            remote_addr: accepted.remote_addr,
            http_scheme: Scheme::HTTPS,
        })
    }
}
