//! A way to a service through which everything goes, and which can be slowed, cut and closed.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, ToSocketAddrs},
    sync::watch,
    time::sleep,
};

/// How much goes through at once while it is slow, and the pause after that: about 1 MiB a second.
const SLOW_BYTES: usize = 16 * 1024;
const SLOW_PAUSE: Duration = Duration::from_millis(15);

/// A TCP proxy with faults. Cloning is cheap and shares it; it lives as long as the runtime.
#[derive(Clone, Debug)]
pub struct Tunnel {
    address: SocketAddr,
    faults: Arc<Faults>,
}

#[derive(Debug)]
struct Faults {
    /// Ends all connections each time it changes.
    cuts: watch::Sender<u64>,
    is_closed: AtomicBool,
    is_slow: AtomicBool,
    /// So many bytes still go through; `u64::MAX` is all.
    left: AtomicU64,
    /// So many went through.
    passed: AtomicU64,
}

impl Tunnel {
    /// Opens a way to a service at a place; a port of 0 is any.
    ///
    /// # Errors
    /// If the place is not free.
    pub async fn start(
        place: impl ToSocketAddrs,
        upstream: impl ToSocketAddrs + Clone + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(place).await?;
        let address = listener.local_addr()?;
        let faults = Arc::new(Faults {
            cuts: watch::Sender::new(0),
            is_closed: AtomicBool::new(false),
            is_slow: AtomicBool::new(false),
            left: AtomicU64::new(u64::MAX),
            passed: AtomicU64::new(0),
        });
        let all = Arc::clone(&faults);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if all.is_closed.load(Ordering::SeqCst) {
                    continue; // dropped, so closed at once
                }
                let (faults, upstream) = (Arc::clone(&all), upstream.clone());
                tokio::spawn(async move {
                    let mut cuts = faults.cuts.subscribe();
                    if let Ok(server) = TcpStream::connect(upstream).await {
                        // it delays nothing unless it is told to
                        drop(client.set_nodelay(true).and(server.set_nodelay(true)));
                        tokio::select! {
                            () = both_ways(client, server, &faults) => {}
                            _ = cuts.changed() => {}
                        }
                    }
                });
            }
        });
        Ok(Self { address, faults })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everything through again, as fast as it comes.
    pub fn mend(&self) {
        self.faults.is_closed.store(false, Ordering::SeqCst);
        self.faults.is_slow.store(false, Ordering::SeqCst);
        self.faults.left.store(u64::MAX, Ordering::SeqCst);
    }

    /// Ends every connection, and new ones at once.
    pub fn close(&self) {
        self.faults.is_closed.store(true, Ordering::SeqCst);
        self.cut();
    }

    /// Ends every connection that there is.
    pub fn cut(&self) {
        self.faults.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts, once, when so many more bytes went through, whichever way.
    pub fn cut_after(&self, bytes: u64) {
        self.faults.left.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes went through so far, both ways.
    pub fn passed(&self) -> u64 {
        self.faults.passed.load(Ordering::SeqCst)
    }

    /// Lets about 1 MiB a second through.
    pub fn slow(&self) {
        self.faults.is_slow.store(true, Ordering::SeqCst);
    }
}

async fn both_ways(client: TcpStream, server: TcpStream, faults: &Faults) {
    let ((client_in, client_out), (server_in, server_out)) =
        (client.into_split(), server.into_split());
    let (up, down) =
        (one_way(client_in, server_out, faults), one_way(server_in, client_out, faults));
    drop(futures_util::future::join(up, down).await);
}

async fn one_way(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    faults: &Faults,
) -> io::Result<()> {
    let mut buffer = vec![0; SLOW_BYTES];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else {
            return to.shutdown().await;
        };
        let left = faults.left.load(Ordering::SeqCst);
        if left != u64::MAX {
            let rest = left.saturating_sub(count as u64);
            // once: what comes after the cut goes through
            faults.left.store(if rest == 0 { u64::MAX } else { rest }, Ordering::SeqCst);
            if rest == 0 {
                faults.cuts.send_modify(|cuts| *cuts += 1);
                return Ok(());
            }
        }
        to.write_all(bytes).await?;
        faults.passed.fetch_add(count as u64, Ordering::SeqCst);
        if faults.is_slow.load(Ordering::SeqCst) {
            sleep(SLOW_PAUSE).await;
        }
    }
}
