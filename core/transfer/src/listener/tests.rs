//! The listener under a real salvo server, spoken to over real sockets.

use std::{
    io::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use salvo::{
    fuse::{FuseConfig, FusePolicy},
    prelude::*,
    server::ServerHandle,
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{Delivery, FileBody, testing::pattern};

const PATIENCE: Duration = Duration::from_secs(20);

struct Serve {
    file: crate::LocalFile,
}

#[async_trait]
impl Handler for Serve {
    async fn handle(
        &self,
        req: &mut Request,
        _depot: &mut Depot,
        res: &mut Response,
        _flow: &mut FlowCtrl,
    ) {
        let delivery = Delivery::of(req.scheme(), req.version());
        let body = FileBody::whole(self.file.clone(), delivery);
        res.headers_mut().insert("content-length", body.remaining_bytes().into());
        res.replace_body(body.into_res_body());
    }
}

struct Running {
    address: SocketAddr,
    handle: ServerHandle,
    closing: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
    file: NamedTempFile,
    bytes: Vec<u8>,
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

async fn start(
    size: usize,
    change: impl FnOnce(Server<FileAcceptor>) -> Server<FileAcceptor>,
) -> Running {
    let bytes = pattern(size);
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let files = LocalFiles::new();
    let served = files.open(file.path()).await.unwrap();
    let (closing, is_closing) = watch::channel(false);
    let listener = FileListener::new(vec![loopback()]).with_sendfile(&files);
    let acceptor = listener.close_when(is_closing).listen().unwrap();
    let address = acceptor.local_addresses()[0];
    let server = change(Server::new(acceptor));
    let handle = server.handle();
    let router = Router::with_path("{**rest}").goal(Serve { file: served });
    let task = tokio::spawn(server.try_serve(router));
    Running { address, handle, closing, task, file, bytes }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.handle.stop_graceful(PATIENCE);
        timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}

const REQUEST: &[u8] = b"GET /a HTTP/1.1\r\nHost: here\r\n\r\n";

/// Reads one answer and returns its body.
async fn answer(stream: &mut TcpStream, size: usize) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&head));
    let mut body = vec![0; size];
    timeout(PATIENCE, stream.read_exact(&mut body)).await.unwrap().unwrap();
    body
}

#[tokio::test]
async fn a_file_arrives_unchanged_again_and_again_on_one_connection() {
    let server = start(9_700_000, |it| it).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut stream, server.bytes.len()).await == server.bytes);
    }
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn requests_that_are_sent_ahead_are_answered_in_order() {
    let server = start(100_000, |it| it).await;
    let mut stream = server.connect().await;
    stream.write_all(&REQUEST.repeat(5)).await.unwrap();
    for _ in 0..5 {
        assert!(answer(&mut stream, server.bytes.len()).await == server.bytes);
    }
    drop(stream);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_clients_get_the_same_file_at_once() {
    let server = Arc::new(start(3_000_000, |it| it).await);
    let clients: Vec<_> = (0..24)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move {
                let mut stream = server.connect().await;
                stream.write_all(REQUEST).await.unwrap();
                assert!(answer(&mut stream, server.bytes.len()).await == server.bytes);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    Arc::into_inner(server).unwrap().stop().await;
}

#[tokio::test]
async fn http2_without_tls_gets_the_same_bytes() {
    let server = start(2_000_000, |it| it).await;
    let url = format!("http://{}/a", server.address);
    let curl = tokio::process::Command::new("curl")
        .args(["-s", "--http2-prior-knowledge", "--max-time", "20", &url])
        .output()
        .await;
    match curl {
        Ok(output) => assert!(output.stdout == server.bytes),
        Err(error) => println!("skipped: no curl here ({error})"),
    }
    server.stop().await;
}

#[tokio::test]
async fn closing_refuses_new_clients_and_finishes_with_the_present_ones() {
    let server = start(30_000_000, |it| it).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    stream.peek(&mut [0]).await.unwrap(); // it has been accepted and is being answered
    server.closing.send(true).unwrap();
    let refused = async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, refused).await.unwrap();
    assert!(answer(&mut stream, server.bytes.len()).await == server.bytes);
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_file_that_is_cut_ends_the_connection_and_not_the_server() {
    let server = start(30_000_000, |it| it).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    stream.read_u8().await.unwrap();
    server.file.as_file().set_len(1000).unwrap();
    let mut rest = Vec::new();
    // Either the end or a reset, but not all of it.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.len() < server.bytes.len());
    server.file.as_file().set_len(30_000_000).unwrap();
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    answer(&mut stream, server.bytes.len()).await;
    drop(stream);
    server.stop().await;
}

#[tokio::test]
async fn a_graceful_stop_lets_a_download_end() {
    let server = start(20_000_000, |it| it).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    stream.readable().await.unwrap();
    server.handle.stop_graceful(PATIENCE);
    assert!(answer(&mut stream, server.bytes.len()).await == server.bytes);
    // The connection is closed after it, not kept alive.
    assert_eq!(timeout(PATIENCE, stream.read(&mut [0])).await.unwrap().unwrap(), 0);
    timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_client_that_stops_reading_is_cut_by_the_fuse() {
    let stall = Duration::from_millis(200);
    let fuse = FuseConfig::default().with_write_stall_timeout(stall);
    let server = start(60_000_000, |it| it.fuse_config(fuse)).await;
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    // Nothing is read: what the kernel has buffered ends the wait for the server to give up.
    server.handle.stop_graceful(None);
    timeout(PATIENCE, server.task).await.unwrap().unwrap().unwrap();
    let mut rest = Vec::new();
    let _end = stream.read_to_end(&mut rest).await;
    assert!(rest.len() < server.bytes.len());
}

struct Nobody;

#[async_trait]
impl FusePolicy for Nobody {
    async fn decide(&self, info: &FuseInfo) -> FuseAction {
        assert_eq!(info.trans_proto, TransProto::Tcp);
        FuseAction::Reject
    }
}

#[tokio::test]
async fn a_policy_can_reject_a_connection() {
    let server = start(10, |it| it.fuse_policy(Nobody)).await;
    let mut stream = server.connect().await;
    let _sent = stream.write_all(REQUEST).await;
    let read = timeout(PATIENCE, stream.read(&mut [0])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)));
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let server = start(1000, |it| it.max_connections(1)).await;
    let mut first = server.connect().await;
    first.write_all(REQUEST).await.unwrap();
    answer(&mut first, 1000).await;
    let mut second = server.connect().await;
    second.write_all(REQUEST).await.unwrap();
    // The kernel holds the second one; it is served once the first has gone.
    drop(first);
    assert_eq!(answer(&mut second, 1000).await, server.bytes);
    drop(second);
    server.stop().await;
}

#[tokio::test]
async fn several_addresses_are_listened_on_and_reported() {
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let addresses = match listen_on(v6, true) {
        Ok(_) => vec![loopback(), v6, loopback()],
        Err(error) => {
            println!("without IPv6, which is not to be had here: {error}");
            vec![loopback(), loopback()]
        }
    };
    let mut acceptor = FileListener::new(addresses.clone()).listen().unwrap();
    let bound = acceptor.local_addresses();
    assert_eq!(bound.len(), addresses.len());
    assert_eq!(acceptor.holdings().len(), addresses.len());
    for address in bound {
        assert_ne!(address.port(), 0);
        let client = TcpStream::connect(address).await.unwrap();
        let accepted = timeout(PATIENCE, acceptor.accept(None)).await.unwrap().unwrap();
        assert_eq!(accepted.local_addr.into_std(), Some(address));
        assert_eq!(accepted.remote_addr.into_std(), Some(client.local_addr().unwrap()));
    }
}

#[tokio::test]
async fn an_address_in_use_is_named_in_the_error() {
    let taken = FileListener::new(vec![loopback()]).listen().unwrap();
    let address = taken.local_addresses()[0];
    let error = FileListener::new(vec![address]).listen().unwrap_err();
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[tokio::test]
async fn an_accept_that_is_given_up_loses_no_connection() {
    let mut acceptor = FileListener::new(vec![loopback()]).listen().unwrap();
    let _client = TcpStream::connect(acceptor.local_addresses()[0]).await.unwrap();
    timeout(PATIENCE, acceptor.next_connection()).await.unwrap().unwrap();
    // As if the future had been dropped while a policy decided: the connection is still there.
    let accepted = timeout(PATIENCE, acceptor.accept(None)).await.unwrap();
    assert!(accepted.is_ok());
}

#[test]
fn an_ipv4_client_of_an_ipv6_socket_is_written_as_ipv4() {
    assert_eq!(canonical("[::ffff:1.2.3.4]:5".parse().unwrap()), "1.2.3.4:5".parse().unwrap());
    assert_eq!(canonical("[::1]:5".parse().unwrap()), "[::1]:5".parse().unwrap());
}
