//! Requests as bytes: with the headers, the framing and the faults of real clients.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http::Reply;

/// A request to be sent on a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
    chunk: Option<usize>,
}

/// `METHOD PATH` without a body.
pub(crate) fn request(method: &str, path: &str) -> Request {
    // As Google's Rust client does, leave the port out of `Host`.
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
    Request { head, body: Vec::new(), chunk: None }
}

impl Request {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Request {
        self.head.push_str(&format!("{name}: {value}\r\n"));
        self
    }

    pub(crate) fn body(mut self, body: impl AsRef<[u8]>) -> Request {
        self.body = body.as_ref().to_vec();
        self
    }

    pub(crate) fn json(self, body: &serde_json::Value) -> Request {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    /// Sends the body in HTTP chunks of `length` bytes instead of saying its length.
    pub(crate) fn chunked(mut self, length: usize) -> Request {
        self.chunk = Some(length);
        self
    }

    /// The bytes of the request.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone().into_bytes();
        match self.chunk {
            None => {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", self.body.len()).into_bytes());
                bytes.extend_from_slice(&self.body);
            }
            Some(length) => {
                bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in self.body.chunks(length) {
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend_from_slice(chunk);
                    bytes.extend_from_slice(b"\r\n");
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        bytes
    }

    /// Sends it and reads the reply. An error where the connection drops before the reply
    /// is whole.
    pub(crate) async fn try_send(&self, url: &str) -> io::Result<Reply> {
        let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).await?;
        let (mut reader, mut writer) = stream.split();
        let bytes = self.bytes();
        // The server may drop the connection before it has read everything.
        let (_, reply) = tokio::join!(writer.write_all(&bytes), async {
            let mut reply = Vec::new();
            reader.read_to_end(&mut reply).await.map(|_| reply)
        });
        parse(&reply?, self.head.starts_with("HEAD "))
    }

    pub(crate) async fn send(&self, url: &str) -> Reply {
        self.try_send(url).await.unwrap()
    }
}

fn parse(reply: &[u8], headless: bool) -> io::Result<Reply> {
    let end = reply.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let reply = Reply { status, head, body: reply[end + 4..].to_vec() };
    let length = reply.header("content-length").map(|length| length.parse::<usize>().unwrap());
    match length {
        Some(length) if !headless && length != reply.body.len() => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(reply),
    }
}
