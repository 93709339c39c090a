//! A proxy in front of a server: it keeps every exchange, to show the one that failed, and makes
//! `Location` lead back to itself.
//!
//! Servers of others build the address of an upload from the `Host` header or from what they take for
//! their own name. Google's Rust client sends `Host` without the port, so that an upload would go on at
//! port 80.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use crate::run::Result;

/// The longest time that a server may take for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A request and what was answered.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) request: Message,
    pub(crate) reply: Message,
}

/// The first line, the headers and the body, which is never chunked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
    }

    fn set(&mut self, name: &str, value: String) {
        self.remove(name);
        self.headers.push((name.to_owned(), value));
    }

    fn bytes(&self) -> Vec<u8> {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut bytes = format!("{}\r\n{headers}\r\n", self.line).into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Whether a client that sends this waits for the end of the connection.
    fn is_last(&self) -> bool {
        let connection = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        connection == "close" || (self.line.ends_with("HTTP/1.0") && connection != "keep-alive")
    }

    /// The status of a reply.
    pub(crate) fn status(&self) -> u16 {
        self.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }
}

/// A running proxy; it serves until the process ends.
pub(crate) struct Proxy {
    addr: SocketAddr,
    upstream: Arc<OnceLock<SocketAddr>>,
    seen: Arc<Mutex<Vec<Exchange>>>,
}

impl Proxy {
    /// Listens on a free port of the loopback interface, so that a server may be told its address before
    /// it starts.
    pub(crate) fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let proxy = Self { addr: listener.local_addr()?, upstream: Arc::default(), seen: Arc::default() };
        let (addr, upstream, seen) = (proxy.addr, Arc::clone(&proxy.upstream), Arc::clone(&proxy.seen));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (upstream, seen) = (Arc::clone(&upstream), Arc::clone(&seen));
                // A broken connection is the client's to notice.
                thread::spawn(move || serve(client, addr, &upstream, &seen));
            }
        });
        Ok(proxy)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Says where the server is, once it answers.
    pub(crate) fn forward_to(&self, port: u16) {
        let _ = self.upstream.set(SocketAddr::from(([127, 0, 0, 1], port)));
    }

    /// How many exchanges there were.
    pub(crate) fn count(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The exchanges from the one numbered `from`.
    pub(crate) fn since(&self, from: usize) -> Vec<Exchange> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(from..).unwrap_or_default().to_vec()
    }
}

fn serve(client: TcpStream, addr: SocketAddr, upstream: &OnceLock<SocketAddr>, seen: &Mutex<Vec<Exchange>>) {
    let Ok(reading) = client.try_clone() else { return };
    let (mut reader, mut writer) = (BufReader::new(reading), client);
    while let Some(request) = read_request(&mut reader, &mut writer) {
        let Some(upstream) = upstream.get() else { return };
        // Without a reply the connection was dropped; the client shall see that too.
        let Some(mut reply) = pass_on(request.clone(), *upstream) else { return };
        if let Some(location) = reply.header("location") {
            let location = rewrite(location, addr, *upstream);
            reply.set("Location", location);
        }
        let is_last = request.is_last();
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(Exchange { request, reply: reply.clone() });
        if writer.write_all(&reply.bytes()).is_err() || is_last {
            return;
        }
    }
}

/// Lets an address of the server, with its port, without it or with another name, be ours.
fn rewrite(location: &str, addr: SocketAddr, upstream: SocketAddr) -> String {
    let Some((_, rest)) = location.split_once("://") else { return location.to_owned() };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let own = [upstream.to_string(), upstream.ip().to_string(), format!("localhost:{}", upstream.port())];
    let of_server = own.iter().any(|own| own == host) || host.starts_with("0.0.0.0") || host == addr.to_string();
    if of_server { format!("http://{addr}{path}") } else { location.to_owned() }
}

/// Sends a request on a connection of its own, and reads the reply to its end.
fn pass_on(mut request: Message, upstream: SocketAddr) -> Option<Message> {
    let mut server = TcpStream::connect(upstream).ok()?;
    server.set_read_timeout(Some(PATIENCE)).ok()?;
    let headless = request.line.starts_with("HEAD ");
    request.set("Connection", "close".to_owned());
    server.write_all(&request.bytes()).ok()?;
    let mut reader = BufReader::new(server);
    let mut reply = read_head(&mut reader)?;
    if headless || matches!(reply.status(), 204 | 304) {
        reply.remove("connection");
        return Some(reply);
    }
    let announced = reply.header("content-length").and_then(|length| length.parse::<usize>().ok());
    if chunked(&reply) {
        reply.body = read_chunks(&mut reader)?;
    } else if let Some(length) = announced {
        reply.body = vec![0; length];
        reader.read_exact(&mut reply.body).ok()?;
    } else {
        reader.read_to_end(&mut reply.body).ok()?;
    }
    for name in ["connection", "transfer-encoding", "content-length", "keep-alive"] {
        reply.remove(name);
    }
    reply.set("Content-Length", reply.body.len().to_string());
    Some(reply)
}

fn read_request(reader: &mut BufReader<TcpStream>, writer: &mut TcpStream) -> Option<Message> {
    let mut request = read_head(reader)?;
    if request.header("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        request.remove("expect");
    }
    if chunked(&request) {
        request.body = read_chunks(reader)?;
        request.remove("transfer-encoding");
        request.set("Content-Length", request.body.len().to_string());
    } else if let Some(length) = request.header("content-length").and_then(|length| length.parse().ok()) {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

fn chunked(message: &Message) -> bool {
    message.header("transfer-encoding").is_some_and(|encoding| encoding.to_ascii_lowercase().contains("chunked"))
}

fn read_head(reader: &mut impl BufRead) -> Option<Message> {
    let mut message = Message { line: read_line(reader)?, ..Message::default() };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Some(message);
        }
        let (name, value) = line.split_once(':')?;
        message.headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    if !line.ends_with(b"\n") {
        return None;
    }
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader)?;
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if length == 0 {
            // Trailers, up to the empty line.
            while !read_line(reader)?.is_empty() {}
            return Some(body);
        }
        let begin = body.len();
        body.resize(begin + length, 0);
        reader.read_exact(&mut body[begin..]).ok()?;
        read_line(reader)?;
    }
}
