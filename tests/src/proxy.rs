//! A network between client and server that can be made to fail: it cuts a transfer, or flips a bit on the way.
//!
//! One request a connection, without a body: what a client sends to fetch a box, and no more.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What goes wrong with the body of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends after that many bytes of the body.
    CutAt(usize),
    /// One bit of the byte at that offset is flipped.
    FlipAt(usize),
}

/// One request that went through.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Method and path, such as `GET /acme/debian`.
    pub request: String,
    /// The value of the `Range` header.
    pub range: Option<String>,
    /// The status of the answer.
    pub status: u16,
}

#[derive(Debug, Default)]
struct State {
    upstream: Option<SocketAddr>,
    /// Requests that end with this text get the fault; once for a cut, always for a flip.
    planned: Option<(String, Fault)>,
    seen: Vec<Seen>,
}

/// The proxy. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port. Set the server behind it with [`Proxy::forward_to`].
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // A client that goes away in the middle is what this is for.
                tokio::spawn(async move { drop(serve(client, &state).await) });
            }
        });
        Self { address, state, accepting }
    }

    /// Its own URL, for `server.public_url` and for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where requests go.
    pub fn forward_to(&self, upstream: SocketAddr) {
        self.lock().upstream = Some(upstream);
    }

    /// Plans a fault for answers to requests whose path ends with `path_end`. A cut happens once.
    pub fn plan(&self, path_end: &str, fault: Fault) {
        self.lock().planned = Some((path_end.to_owned(), fault));
    }

    /// Every request until now.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().expect("no test panics while it holds the lock")
}

async fn serve(mut client: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let (head, _) = read_head(&mut client).await?;
    let mut lines = head.lines();
    let request = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let is_connection = |line: &&str| line.to_ascii_lowercase().starts_with("connection:");
    let kept: Vec<&str> = lines.filter(|line| !line.is_empty() && !is_connection(line)).collect();
    let range = header(&kept, "range");

    let upstream = lock(state).upstream.ok_or(std::io::ErrorKind::NotConnected)?;
    let mut server = TcpStream::connect(upstream).await?;
    let forwarded =
        format!("{request} HTTP/1.1\r\n{}\r\nConnection: close\r\n\r\n", kept.join("\r\n"));
    server.write_all(forwarded.as_bytes()).await?;

    let (answer, body_start) = read_head(&mut server).await?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let fault = {
        let mut state = lock(state);
        state.seen.push(Seen { request: request.clone(), range, status });
        let applies = |(end, _): &(String, Fault)| {
            request.starts_with("GET ") && request.ends_with(end.as_str())
        };
        match state.planned.clone().filter(applies) {
            Some((_, fault @ Fault::CutAt(_))) => {
                state.planned = None;
                Some(fault)
            }
            planned => planned.map(|(_, fault)| fault),
        }
    };
    client.write_all(answer.as_bytes()).await?;
    forward_body(&mut server, &mut client, body_start, fault).await
}

async fn forward_body(
    server: &mut TcpStream,
    client: &mut TcpStream,
    mut chunk: Vec<u8>,
    fault: Option<Fault>,
) -> std::io::Result<()> {
    let mut sent = 0;
    loop {
        match fault {
            Some(Fault::CutAt(cut)) if sent + chunk.len() >= cut => {
                chunk.truncate(cut - sent);
                client.write_all(&chunk).await?;
                return client.shutdown().await;
            }
            Some(Fault::FlipAt(at)) => {
                if let Some(byte) = at.checked_sub(sent).and_then(|at| chunk.get_mut(at)) {
                    *byte ^= 1;
                }
            }
            _ => {}
        }
        client.write_all(&chunk).await?;
        sent += chunk.len();
        chunk.resize(64 * 1024, 0);
        let length = server.read(&mut chunk).await?;
        if length == 0 {
            return client.shutdown().await;
        }
        chunk.truncate(length);
    }
}

/// Reads until the empty line; returns the head with it, and what came after it.
async fn read_head(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    const HEAD_BYTES_MAX: usize = 64 * 1024;
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        if bytes.len() > HEAD_BYTES_MAX || stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn header(lines: &[&str], name: &str) -> Option<String> {
    lines.iter().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}
