//! Files that are read at once, and handed out one after the other.

use std::{sync::Arc, time::Duration};

use batch_backend::contract;
use batch_gcs::GcsOutput;
use batch_model::{BatchPredictionJob, OutputInfo};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use crate::{
    script::request,
    setup::{client_at, uri},
};

const ROWS: &str = "{}\n";

/// A server with two prediction files, whose first one ends only after the second was asked for.
async fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let second = Arc::new(Notify::new());
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(socket, Arc::clone(&second)));
        }
    });
    url
}

async fn serve(mut socket: TcpStream, second: Arc<Notify>) {
    while let Some(head) = request(&mut socket).await {
        let line = head.lines().next().unwrap();
        let head = if line.contains("predictions_") {
            format!("x-goog-generation: 7\r\ncontent-length: {}\r\n\r\n", ROWS.len())
        } else {
            let item = |n: u8| format!(r#"{{"name":"out/p/predictions_{n}.jsonl","size":"3","generation":"7"}}"#);
            let body = format!(r#"{{"items":[{},{}]}}"#, item(1), item(2));
            format!("content-length: {}\r\n\r\n{body}", body.len())
        };
        socket.write_all(format!("HTTP/1.1 200 OK\r\n{head}").as_bytes()).await.unwrap();
        if line.contains("predictions_1") {
            second.notified().await;
        }
        if line.contains("predictions_") {
            socket.write_all(ROWS.as_bytes()).await.unwrap();
        }
        if line.contains("predictions_2") {
            second.notify_one();
        }
    }
}

#[tokio::test]
async fn the_next_file_is_begun_before_the_one_before_has_ended() {
    let url = start().await;
    let output = GcsOutput::new(client_at(&url).await, uri("gs://news/out"));
    let mut info = OutputInfo::default();
    info.gcs_output_directory = Some("gs://news/out/p".to_owned());
    let mut job = BatchPredictionJob::default();
    job.output_info = Some(info);
    let reading = contract::output_store(&output, "p", &job);
    let files = tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the second is asked for");
    let rows = |n: u8| (format!("predictions_{n}.jsonl"), ROWS.as_bytes().to_vec());
    assert_eq!(files, [rows(1), rows(2)]);
}
