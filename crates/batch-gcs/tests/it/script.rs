//! A server that answers what it is told to: for what no honest server does, and for the transcripts of
//! `fixtures/wire/`. The tests of batch-bq take this file too.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request line with its headers, in lower case.
pub(crate) type Seen = String;

/// One answer after the other, each to one request; afterwards none.
pub(crate) struct Script {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    /// Answers are a status line and headers without the length (`200 OK`), and a body. `{url}` in them
    /// is the server's own address.
    pub(crate) async fn start(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: VecDeque<_> =
            answers.iter().map(|(head, body)| (head.replace("{url}", &url), (*body).to_owned())).collect();
        let (answers, seen) = (Arc::new(Mutex::new(answers)), Arc::new(Mutex::new(Vec::new())));
        let log = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(socket, Arc::clone(&answers), Arc::clone(&log)));
            }
        });
        Self { url, seen }
    }

    /// Answers as some transcripts of `folder` do.
    pub(crate) async fn play(folder: &str, names: &[&str]) -> Self {
        let mut answers = Vec::new();
        for name in names {
            let response = &transcript(folder, name)["response"];
            let mut head = format!("{} -", response["status"]);
            for (name, value) in response["headers"].as_object().into_iter().flatten() {
                // The length is the script's to say, and its server's address has its own scheme.
                if name != "content-length" {
                    head += &format!("\r\n{name}: {}", value.as_str().unwrap().replace("http://{url}", "{url}"));
                }
            }
            let text = response["text"].as_str().unwrap_or_default().to_owned();
            answers.push((head, response.get("body").map_or(text, Value::to_string)));
        }
        let answers: Vec<_> = answers.iter().map(|(head, body)| (head.as_str(), body.as_str())).collect();
        Self::start(&answers).await
    }

    /// The requests, oldest first.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// A transcript of `fixtures/wire/`, its placeholders filled: times with a time, the server with its
/// address, all else with digits.
pub(crate) fn transcript(folder: &str, name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/wire").join(folder);
    let file = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files = file.filter(|file| file.file_name().unwrap().to_str().unwrap()[3..] == format!("{name}.json"));
    let text = std::fs::read_to_string(files.next().unwrap()).unwrap();
    let mut parts = text.split("{{");
    let mut filled = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap();
        filled.push_str(match name {
            "time" => "2026-11-21T03:00:00.123Z",
            "server" => "{url}",
            _ => "1795244981489259",
        });
        filled.push_str(rest);
    }
    serde_json::from_str(&filled).unwrap()
}

async fn serve(mut socket: TcpStream, answers: Arc<Mutex<VecDeque<(String, String)>>>, log: Arc<Mutex<Vec<Seen>>>) {
    while let Some(head) = request(&mut socket).await {
        log.lock().unwrap().push(head);
        let Some((head, body)) = answers.lock().unwrap().pop_front() else { return };
        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The head of the next request, once its body was read.
pub(crate) async fn request(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let chunked = head.contains("transfer-encoding: chunked");
    loop {
        let done = if chunked { bytes.ends_with(b"\r\n0\r\n\r\n") } else { bytes.len() - end >= length.unwrap_or(0) };
        if done {
            return Some(head);
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}
