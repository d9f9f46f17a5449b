//! What goes wrong between a client, the server and its disk: connections that are cut by hand, full disks, signals.
//!
//! A well-behaved HTTP library refuses to lie about lengths or to stop in the middle, so [`RawConnection`] is a
//! socket and nothing more. What the server leaves on its disk is looked at from outside, as an operator would.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use reqwest::header::HeaderMap;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{Client, Reply, TestServer, client::Publication, workspace};

/// A connection on which the test writes what it likes.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
    seen: Vec<u8>,
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawHead {
    /// The status code; 100 for an interim answer.
    pub status: u16,
    /// The lines after the first, as they came.
    pub lines: Vec<String>,
}

impl RawHead {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn content_length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }
}

impl RawConnection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a fresh socket takes options");
        Self { stream, seen: Vec::new() }
    }

    /// Sends bytes; panics when the server has closed the connection.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.expect("the connection is open");
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the server has closed the connection.
    pub async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Says that nothing more will be sent, and still listens.
    pub async fn end_sending(&mut self) {
        self.stream.shutdown().await.expect("the connection is open");
    }

    /// The head of the next answer; nothing when the server closed the connection instead.
    pub async fn head(&mut self) -> Option<RawHead> {
        let end = loop {
            if let Some(at) = self.seen.windows(4).position(|four| four == b"\r\n\r\n") {
                break at;
            }
            if self.fill().await == 0 {
                return None;
            }
        };
        let head: Vec<u8> = self.seen.drain(..end + 4).collect();
        let text = String::from_utf8_lossy(&head).into_owned();
        let mut lines = text.lines().map(str::to_owned);
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not an answer: {text}"));
        Some(RawHead { status, lines: lines.filter(|line| !line.is_empty()).collect() })
    }

    /// So many bytes of the body; fewer when the connection ends before.
    pub async fn body(&mut self, length: usize) -> Vec<u8> {
        while self.seen.len() < length {
            if self.fill().await == 0 {
                break;
            }
        }
        self.seen.drain(..length.min(self.seen.len())).collect()
    }

    /// The next final answer, to its end; nothing when the server closed the connection instead.
    pub async fn reply(&mut self) -> Option<Reply> {
        loop {
            let head = self.head().await?;
            if head.status == 100 {
                continue;
            }
            let bytes = self.body(head.content_length().unwrap_or_default()).await;
            let mut headers = HeaderMap::new();
            for line in &head.lines {
                let Some((name, value)) = line.split_once(':') else { continue };
                if let (Ok(name), Ok(value)) = (
                    name.parse::<reqwest::header::HeaderName>(),
                    reqwest::header::HeaderValue::from_str(value.trim()),
                ) {
                    headers.append(name, value);
                }
            }
            return Some(Reply { status: head.status, headers, bytes });
        }
    }

    /// Exactly as many bytes of the body as fit into a buffer. Panics when the connection ends before.
    pub async fn read_into(&mut self, buffer: &mut [u8]) {
        let ready = self.seen.len().min(buffer.len());
        let (first, rest) = buffer.split_at_mut(ready);
        for (to, from) in first.iter_mut().zip(self.seen.drain(..ready)) {
            *to = from;
        }
        self.stream.read_exact(rest).await.expect("the server sends what it promised");
    }

    /// Whether the server has closed the connection, or does so now.
    pub async fn is_closed(&mut self) -> bool {
        self.fill().await == 0
    }

    async fn fill(&mut self) -> usize {
        let mut chunk = vec![0; 64 << 10];
        // a reset is an end, too
        let count = self.stream.read(&mut chunk).await.unwrap_or_default();
        self.seen.extend_from_slice(chunk.get(..count).unwrap_or_default());
        count
    }
}

/// The head of an upload by hand. `headers` are whole lines, such as `Content-Length: 7`.
pub fn upload_head(publication: &Publication<'_>, caller: &Client, headers: &[&str]) -> Vec<u8> {
    let mut lines = vec![
        format!("PUT {}/upload HTTP/1.1", publication.file_path()),
        "Host: boxvault".to_owned(),
    ];
    lines.extend(caller.token().map(|token| format!("x-access-token: {token}")));
    lines.extend(headers.iter().map(|&line| line.to_owned()));
    lines.join("\r\n").into_bytes().into_iter().chain(*b"\r\n\r\n").collect()
}

/// Makes or replaces a file.
///
/// # Errors
/// When the disk refuses, which some tests want.
pub fn write_file(path: &Path, content: impl AsRef<[u8]>) -> io::Result<()> {
    File::create(path)?.write_all(content.as_ref())
}

/// All of a file.
pub fn read_file(path: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut content));
    read.unwrap_or_else(|error| panic!("could not read {}: {error}", path.display()));
    content
}

/// Every file below a folder; none when there is no such folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.append(&mut files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

/// The bytes that a server's default store holds: whole objects, and what is half written, without lock files.
pub fn stored_files(server: &TestServer) -> Vec<PathBuf> {
    let mut files = files_below(&server.data_dir().join("store"));
    files.retain(|file| {
        file.extension().is_none_or(|suffix| suffix != "lock")
            && file.file_name().is_some_and(|name| name != "lock")
    });
    files
}

/// A file system of its own with so many bytes, for as long as it is kept.
#[derive(Debug)]
pub struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts one; nothing where this is not allowed.
    pub fn new(bytes: u64) -> Option<Self> {
        let folder = tempfile::Builder::new().prefix("boxvault-disk-").tempdir().ok()?;
        let options = format!("size={bytes},mode=0700");
        mount(&["-t", "tmpfs", "-o", &options, "tmpfs"], folder.path()).then_some(Self { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Lets a folder of it only be read, also by a server that has files there open, as long as what this gives lives.
    pub fn read_only(&self, folder: &str) -> ReadOnly {
        let path = self.path().join(folder);
        let own = path.to_str().expect("the folder's name is text");
        let done = mount(&["--bind", own], &path) && mount(&["-o", "remount,bind,ro"], &path);
        assert!(done, "could not mount {own} again");
        ReadOnly(path)
    }
}

/// A folder that can only be read.
#[derive(Debug)]
pub struct ReadOnly(PathBuf);

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.0).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "could not undo {self:?}");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // lazily: the server may still be ending
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        drop(unmounted);
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mut command = Command::new("mount");
    command.args(arguments).arg(folder).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A TCP connection to a server behind it that can be cut, and mended.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    is_open: tokio::sync::watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Tunnel {
    /// Opens one to a server.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (is_open, watching) = tokio::sync::watch::channel(true);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut watching = watching.clone();
                if *watching.borrow_and_update() {
                    tokio::spawn(async move {
                        tokio::select! {
                            () = forward(client, upstream) => {}
                            _ = watching.wait_for(|is_open| !is_open) => {}
                        }
                    });
                }
            }
        });
        Self { address, is_open, accepting }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends every connection, and new ones at once.
    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets new connections through again.
    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(mut client: TcpStream, upstream: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(upstream).await {
        // however it ends, both ends see it
        drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
    }
}

/// Sends a signal, such as `HUP`, to a process.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status();
    assert!(sent.is_ok_and(|status| status.success()), "no process {pid}");
}

/// The processes that one has started.
///
/// # Panics
/// If there is no such process.
pub fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let text = tasks.filter_map(Result::ok).filter_map(|task| {
        // a thread may end meanwhile
        fs::read_to_string(task.path().join("children")).ok()
    });
    let numbers = |text: String| -> Vec<u32> {
        text.split_whitespace().map(|word| word.parse().expect("a number")).collect()
    };
    text.flat_map(numbers).collect()
}

/// The most memory that a process has had, in bytes.
pub fn peak_memory_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux tells");
    let kilobytes = line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    kilobytes.expect("a number of kB") << 10
}

/// How a start ended that was refused.
#[derive(Debug)]
pub struct RefusedStart {
    /// The exit code.
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub output: String,
}

/// Starts the program in a folder, with these configuration keys, for as long as it takes to be refused.
pub async fn refused_start(folder: &Path, settings: &[(&str, &str)]) -> RefusedStart {
    let mut command = tokio::process::Command::new(workspace::boxvault());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BOXVAULT_") {
            command.env_remove(name);
        }
    }
    command
        .args(["serve", "--http-listen", "127.0.0.1:0", "--https-listen", "off"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    for (key, value) in settings {
        let name = format!("BOXVAULT_{}", key.to_ascii_uppercase().replace('.', "__"));
        command.env(name, value);
    }
    let output = tokio::time::timeout(std::time::Duration::from_mins(1), command.output()).await;
    let output = output.expect("the start is refused, not made").expect("the program starts");
    let text =
        [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
    RefusedStart { code: output.status.code(), output: text.concat() }
}
