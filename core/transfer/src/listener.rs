//! Listening on several addresses, for salvo: each connection gets a [`FileSocket`] inside salvo's
//! own stream, so that its fuse policies, time limits, graceful shutdown and limit of connections
//! hold as they do for salvo's listener.

use std::{
    io,
    net::SocketAddr,
    task::{Context, Poll},
};

use salvo::{
    conn::{Accepted, Acceptor, ConnCtrl, Holding, StraightStream, tcp::TcpCoupler},
    fuse::{ArcFusePolicy, FuseAction, FuseInfo, TransProto},
    http::{Version, uri::Scheme},
};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use crate::{FileSocket, LocalFiles, TransferError};

/// Connections that the kernel keeps for us until they are accepted.
const BACKLOG: i32 = 1024;

/// What to listen on. TLS is spoken by an acceptor around the one that this becomes.
#[derive(Debug)]
pub struct FileListener {
    addresses: Vec<SocketAddr>,
    files: Option<LocalFiles>,
    closing: Option<watch::Receiver<bool>>,
}

/// Listening sockets that accept connections.
#[derive(Debug)]
pub struct FileAcceptor {
    listeners: Vec<TcpListener>,
    holdings: Vec<Holding>,
    files: Option<LocalFiles>,
    closing: Option<watch::Receiver<bool>>,
    /// Which listener is asked first next time, so that none starves.
    turn: usize,
    /// A connection that is accepted but not admitted yet. It lies here and not in the future, so
    /// that it survives when the future is dropped.
    pending: Option<(usize, TcpStream, SocketAddr)>,
}

impl FileListener {
    /// Listens on all of these addresses; port 0 lets the system choose.
    ///
    /// An IPv6 address serves IPv4 clients as well when no IPv4 address is given beside it.
    pub fn new(addresses: Vec<SocketAddr>) -> Self {
        Self { addresses, files: None, closing: None }
    }

    /// Lets the kernel send slices of these files. For plain HTTP only: TLS must see the bytes.
    #[must_use]
    pub fn with_sendfile(mut self, files: &LocalFiles) -> Self {
        self.files = Some(files.clone());
        self
    }

    /// Closes the sockets as soon as this becomes true: a client that comes then is refused at once, and not left to
    /// wait for a server that ends without having seen it.
    #[must_use]
    pub fn close_when(mut self, closing: watch::Receiver<bool>) -> Self {
        self.closing = Some(closing);
        self
    }

    /// Opens the sockets. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// `Listen`, with the address that failed.
    pub fn listen(self) -> Result<FileAcceptor, TransferError> {
        let v6_only = self.addresses.iter().any(SocketAddr::is_ipv4);
        let mut listeners = Vec::with_capacity(self.addresses.len());
        let mut holdings = Vec::with_capacity(self.addresses.len());
        for address in self.addresses {
            let failed = |source| TransferError::Listen { address, source };
            let listener = listen_on(address, v6_only).map_err(failed)?;
            holdings.push(Holding {
                local_addr: listener.local_addr().map_err(failed)?.into(),
                http_versions: vec![Version::HTTP_11, Version::HTTP_2],
                http_scheme: Scheme::HTTP,
            });
            listeners.push(listener);
        }
        let Self { files, closing, .. } = self;
        Ok(FileAcceptor { listeners, holdings, files, closing, turn: 0, pending: None })
    }
}

impl FileAcceptor {
    /// The addresses that are listened on, in the order given, with the ports that the system chose.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.holdings.iter().filter_map(|it| it.local_addr.clone().into_std()).collect()
    }

    /// Takes a connection from whichever listener has one.
    fn poll_connection(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(usize, TcpStream, SocketAddr)>> {
        let count = self.listeners.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let Some(listener) = self.listeners.get(index) else { continue };
            if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                self.turn = index + 1;
                return Poll::Ready(accepted.map(|(tcp, remote)| (index, tcp, remote)));
            }
        }
        Poll::Pending
    }

    /// The connection that waits to be admitted, or the next one.
    async fn next_connection(&mut self) -> io::Result<(usize, SocketAddr)> {
        loop {
            if let Some((index, _, remote)) = &self.pending {
                return Ok((*index, *remote));
            }
            let mut closing = self.closing.clone();
            let connection = tokio::select! {
                biased;
                () = closed(closing.as_mut()) => {
                    self.listeners.clear();
                    // the server ends this future when the last request is answered
                    std::future::pending().await
                }
                connection = std::future::poll_fn(|cx| self.poll_connection(cx)) => connection,
            };
            match connection {
                Ok((index, tcp, remote)) => {
                    // So that an answer of several parts does not wait for an acknowledgement. A
                    // socket that is broken already says so at its first read.
                    if let Err(error) = tcp.set_nodelay(true) {
                        tracing::debug!(%error, "could not set TCP_NODELAY");
                    }
                    self.pending = Some((index, tcp, canonical(remote)));
                }
                // The client went away between the handshake and now; the next one is not at fault.
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Acceptor for FileAcceptor {
    type Coupler = TcpCoupler<Self::Stream>;
    type Stream = StraightStream<FileSocket>;

    fn holdings(&self) -> &[Holding] {
        &self.holdings
    }

    async fn accept(
        &mut self,
        fuse_policy: Option<ArcFusePolicy>,
    ) -> io::Result<Accepted<Self::Coupler, Self::Stream>> {
        loop {
            let (index, remote) = self.next_connection().await?;
            let Some(holding) = self.holdings.get(index) else {
                return Err(io::Error::other("a connection from no listener"));
            };
            let info = FuseInfo {
                trans_proto: TransProto::Tcp,
                remote_addr: remote.into(),
                local_addr: holding.local_addr.clone(),
            };
            let conn_ctrl = ConnCtrl::new();
            let (fuse_config, observer) = match &fuse_policy {
                Some(policy) => match policy.decide(&info).await {
                    FuseAction::Accept(config) => (Some(config), policy.observe(&info, &conn_ctrl)),
                    FuseAction::Reject => {
                        self.pending = None;
                        continue;
                    }
                },
                None => (None, None),
            };
            let Some((_, tcp, _)) = self.pending.take() else { continue };
            let socket = FileSocket::new(tcp, self.files.clone());
            return Ok(Accepted {
                coupler: TcpCoupler::new(),
                stream: StraightStream::new(socket, fuse_config, conn_ctrl.clone(), observer),
                fuse_config,
                conn_ctrl,
                local_addr: info.local_addr,
                remote_addr: info.remote_addr,
                http_scheme: Scheme::HTTP,
            });
        }
    }
}

/// Waits until the sockets are to be closed, if ever.
async fn closed(closing: Option<&mut watch::Receiver<bool>>) {
    if let Some(closing) = closing
        && closing.wait_for(|closing| *closing).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

fn listen_on(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
    }
    // So that a restart need not wait for the connections of the last run to time out.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// An IPv4 client of an IPv6 socket, written as IPv4.
fn canonical(remote: SocketAddr) -> SocketAddr {
    SocketAddr::new(remote.ip().to_canonical(), remote.port())
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
