//! Requests written byte by byte: paths and headers that no well-behaved client would send.
//!
//! A client library normalizes `..`, encodes blanks and refuses odd headers, which is just what must reach the server
//! here.

use std::net::SocketAddr;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::Reply;

/// Sends the lines of a head (the first is the request line) and a body, and reads until the server closes.
///
/// `Connection: close` is added, `Content-Length` where there is a body, and `Host` unless the lines have one.
pub async fn send(address: SocketAddr, lines: &[&str], body: &[u8]) -> Reply {
    let mut head = lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    if !lines.iter().any(|line| line.to_ascii_lowercase().starts_with("host:")) {
        head.push(format!("Host: {address}"));
    }
    if !body.is_empty() {
        head.push(format!("Content-Length: {}", body.len()));
    }
    head.push("Connection: close\r\n\r\n".to_owned());
    let head = head.join("\r\n");
    let mut stream = TcpStream::connect(address).await.expect("the server listens");
    // a server that refuses early may close before it has read everything
    let _sent = stream.write_all(&[head.as_bytes(), body].concat()).await;
    let mut bytes = Vec::new();
    let _read = stream.read_to_end(&mut bytes).await;
    parse(&bytes).unwrap_or_else(|| {
        panic!("no answer to {:?} but {:?}", lines.first(), String::from_utf8_lossy(&bytes))
    })
}

fn parse(bytes: &[u8]) -> Option<Reply> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(bytes.get(..end)?).ok()?, bytes.get(end + 4..)?);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    Some(Reply { status, headers, bytes: body.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let reply = parse(b"HTTP/1.1 404 Not Found\r\nX-A: b\r\n\r\nbody").unwrap();
        assert_eq!((reply.status, reply.header("x-a"), &*reply.text()), (404, Some("b"), "body"));
        assert!(parse(b"HTTP/1.1").is_none());
    }
}
