//! Somebody else's web server, which answers as a test says: catalogues, files, redirects, lies, silence.
//!
//! Answers one request a connection. Knows ranges and entity tags, as what serves boxes does. It never asks for a token,
//! but notes which one came.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::bytes::sha256;

/// What a path answers.
#[derive(Debug, Clone)]
pub enum Page {
    /// This, with an entity tag of its own.
    Bytes(Vec<u8>),
    /// This, up to that byte; then nothing more comes, and the connection stays.
    StallsAt(Vec<u8>, usize),
    /// This, in pieces of that many bytes with a pause after each.
    Slow(Vec<u8>, usize, Duration),
    /// Another address.
    Redirect(String),
    /// Nothing at all, and the connection stays.
    Silent,
    /// This status.
    Status(u16),
}

impl Page {
    /// A catalogue.
    pub fn json(value: &Value) -> Self {
        Self::Bytes(value.to_string().into_bytes())
    }
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path, with its query.
    pub path: String,
    /// `Range`.
    pub range: Option<String>,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// What was answered; 0 for nothing.
    pub status: u16,
}

#[derive(Debug, Default)]
struct State {
    pages: BTreeMap<String, Page>,
    asked: Vec<Asked>,
}

/// The server. Ends when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port; every path is 404 until it is set.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // a client that goes away is its own affair
                tokio::spawn(async move { drop(serve(client, &state).await) });
            }
        });
        Self { address, state, accepting }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Says what a path answers from now on.
    pub fn set(&self, path: &str, page: Page) {
        self.lock().pages.insert(path.to_owned(), page);
    }

    /// Says that every path is gone, and says nothing but that.
    pub fn clear(&self) {
        self.lock().pages.clear();
    }

    /// Every request until now.
    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    /// The requests for one path until now.
    pub fn asked_for(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path == path).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no test panics while it holds the lock")
}

async fn serve(mut client: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let head = read_head(&mut client).await?;
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (range, known) = (header(&head, "range"), header(&head, "if-none-match"));
    let page = lock(state).pages.get(&path).cloned().unwrap_or(Page::Status(404));
    let from = range.as_deref().and_then(first_byte);
    let status = match &page {
        Page::Bytes(bytes) | Page::StallsAt(bytes, _) | Page::Slow(bytes, ..) => {
            match (known == Some(tag(bytes)), from) {
                (true, _) => 304,
                (false, Some(_)) => 206,
                (false, None) => 200,
            }
        }
        Page::Redirect(_) => 302,
        Page::Silent => 0,
        Page::Status(status) => *status,
    };
    let authorization = header(&head, "authorization");
    lock(state).asked.push(Asked { path, range, authorization, status });
    match page {
        Page::Bytes(_) if status == 304 => send(&mut client, 304, "", &[]).await,
        Page::Bytes(bytes) => file(&mut client, &bytes, from, bytes.len(), None).await,
        Page::StallsAt(bytes, at) => {
            file(&mut client, &bytes, from, at, None).await?;
            hold(&mut client).await
        }
        Page::Slow(bytes, piece, pause) => {
            file(&mut client, &bytes, from, bytes.len(), Some((piece, pause))).await
        }
        Page::Redirect(to) => send(&mut client, 302, &format!("Location: {to}\r\n"), &[]).await,
        Page::Silent => hold(&mut client).await,
        Page::Status(status) => send(&mut client, status, "", b"no\n").await,
    }
}

/// A file from a byte on, up to another one.
async fn file(
    client: &mut TcpStream,
    bytes: &[u8],
    from: Option<usize>,
    until: usize,
    pace: Option<(usize, Duration)>,
) -> std::io::Result<()> {
    let start = from.unwrap_or_default().min(bytes.len());
    let (status, range) = match from {
        Some(_) => {
            let last = bytes.len().saturating_sub(1);
            (206, format!("Content-Range: bytes {start}-{last}/{}\r\n", bytes.len()))
        }
        None => (200, String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status} Answer\r\nETag: {}\r\n{range}Content-Length: {}\r\nConnection: close\r\n\r\n",
        tag(bytes),
        bytes.len() - start
    );
    client.write_all(head.as_bytes()).await?;
    let sent = bytes.get(start..until.max(start)).unwrap_or_default();
    let (piece, pause) = pace.unwrap_or((sent.len().max(1), Duration::ZERO));
    for piece in sent.chunks(piece) {
        client.write_all(piece).await?;
        tokio::time::sleep(pause).await;
    }
    client.flush().await
}

async fn send(
    client: &mut TcpStream,
    status: u16,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Answer\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    client.write_all(&[head.as_bytes(), body].concat()).await
}

/// Until the client gives up.
async fn hold(client: &mut TcpStream) -> std::io::Result<()> {
    client.read(&mut [0]).await.map(drop)
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{}\"", sha256(bytes))
}

fn first_byte(range: &str) -> Option<usize> {
    range.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

async fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    const HEAD_BYTES_MAX: usize = 64 * 1024;
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|window| window == b"\r\n\r\n") {
        if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
