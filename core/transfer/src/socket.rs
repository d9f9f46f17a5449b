//! A TCP stream that lets the kernel send slices of mapped files.
//!
//! hyper hands the body's slices to the socket as they are. A slice that lies in a file of
//! [`LocalFiles`] is not written but sent with `sendfile(2)`, so its bytes never enter the process.
//! Everything else, and everything on systems without that call, is written as usual.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use bytes::BufMut as _;
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};

use crate::{LocalFiles, mapping::Mapping, os, share};

/// Shorter slices are copied: one system call for head and body is cheaper than two.
const SEND_FILE_MIN_BYTES: usize = 16 << 10;

/// The most that one call may send, so that a fast client does not keep a worker for itself.
const SEND_FILE_MAX_BYTES: usize = 2 << 20;

/// The stream of one plain connection.
#[derive(Debug)]
pub struct FileSocket {
    tcp: TcpStream,
    files: Option<LocalFiles>,
    /// The file of the last slice. Weak, so that an idle connection keeps no deleted file; an
    /// upgrade succeeds only while the addresses are still that file's.
    last: Weak<Mapping>,
    /// Whether the kernel waits for full packets, see [`cork`](Self::cork).
    corked: bool,
}

impl FileSocket {
    /// Wraps a stream. Without `files` it writes everything as usual.
    pub(crate) fn new(tcp: TcpStream, files: Option<LocalFiles>) -> Self {
        Self { tcp, files, last: Weak::new(), corked: false }
    }

    /// The file that the kernel can send this slice from.
    fn mapping_of(&mut self, slice: &[u8]) -> Option<(Arc<Mapping>, u64)> {
        if slice.len() < SEND_FILE_MIN_BYTES {
            return None;
        }
        let files = self.files.as_ref()?;
        let remembered = self.last.upgrade().filter(|it| it.offset_of(slice).is_some());
        let mapping = if let Some(mapping) = remembered {
            mapping
        } else {
            let found = files.find(slice)?;
            self.last = Arc::downgrade(&found);
            found
        };
        let offset = mapping.offset_of(slice)?;
        mapping.sendable().then_some((mapping, offset))
    }

    /// Lets the kernel wait for full packets from the head of an answer to the end of its file.
    ///
    /// hyper flushes when it has nothing more to write, and that takes the cork out. Without it each
    /// piece that the kernel splices is pushed by itself: a fifth slower over loopback, and a packet
    /// of its own for the head.
    fn cork(&mut self) {
        if !self.corked {
            self.corked = true;
            os::set_cork(&self.tcp, true);
        }
    }

    fn uncork(&mut self) {
        if self.corked {
            self.corked = false;
            os::set_cork(&self.tcp, false);
        }
    }

    /// Sends the beginning of a slice, or says by `None` that it must be written as usual.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        mapping: &Mapping,
        offset: u64,
        bytes: usize,
    ) -> Poll<Option<io::Result<usize>>> {
        let bytes = bytes.min(SEND_FILE_MAX_BYTES);
        self.cork();
        loop {
            if let Err(error) = ready!(self.tcp.poll_write_ready(cx)) {
                return Poll::Ready(Some(Err(error)));
            }
            let sent = self.tcp.try_io(Interest::WRITABLE, || {
                os::send_file(&self.tcp, mapping.file(), offset, bytes)
            });
            return Poll::Ready(match sent {
                Ok(0) => Some(Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("{} was cut short at offset {offset}", mapping.path().display()),
                ))),
                Ok(sent) => Some(Ok(sent)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported => {
                        tracing::debug!(
                            path = %mapping.path().display(),
                            "the file system cannot send files, writing the bytes instead"
                        );
                        mapping.refuse_sending();
                        None
                    }
                    _ => Some(Err(error)),
                },
            });
        }
    }
}

impl AsyncRead for FileSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let share_bytes = share::piece_bytes();
        if buffer.remaining() <= share_bytes {
            return Pin::new(&mut self.tcp).poll_read(cx, buffer);
        }
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            match self.tcp.try_read_buf(&mut buffer.limit(share_bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for FileSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some((mapping, offset)) = self.mapping_of(bytes)
            && let Some(sent) = ready!(self.poll_send_file(cx, &mapping, offset, bytes.len()))
        {
            return Poll::Ready(sent);
        }
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(first) = slices.iter().position(|slice| !slice.is_empty()) else {
            return Poll::Ready(Ok(0));
        };
        let (_, slices) = slices.split_at(first);
        if let Some(slice) = slices.first()
            && let Some((mapping, offset)) = self.mapping_of(slice)
            && let Some(sent) = ready!(self.poll_send_file(cx, &mapping, offset, slice.len()))
        {
            return Poll::Ready(sent);
        }
        // The first is written as usual, whatever it is; the rest only up to the next file slice.
        let next_file = slices.iter().skip(1).position(|slice| self.mapping_of(slice).is_some());
        if next_file.is_some() {
            self.cork();
        }
        let ordinary = next_file.map_or(slices.len(), |after_first| after_first + 1);
        let (ordinary, _) = slices.split_at(ordinary);
        Pin::new(&mut self.tcp).poll_write_vectored(cx, ordinary)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.uncork();
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.uncork();
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;
    use crate::testing::pattern;

    #[tokio::test]
    async fn a_read_takes_no_more_than_its_share_and_loses_nothing() {
        let bytes = pattern(5 * share::PIECE_BYTES_MAX + 77);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (tcp, _) = listener.accept().await.unwrap();
        let mut socket = FileSocket::new(tcp, None);
        let sent = bytes.clone();
        let client = tokio::spawn(async move {
            client.write_all(&sent).await.unwrap();
        });
        let mut found = Vec::new();
        loop {
            let mut piece = Vec::with_capacity(4 * share::PIECE_BYTES_MAX);
            if socket.read_buf(&mut piece).await.unwrap() == 0 {
                break;
            }
            assert!(piece.len() <= share::PIECE_BYTES_MAX, "{}", piece.len());
            found.extend(piece);
        }
        client.await.unwrap();
        assert!(found == bytes);
    }
}
