//! Stages rows in a dataset and reads them back, and says how fast, and in how much memory.
//!
//!     cargo run --release -p batch-bq --example round_trip -- http://127.0.0.1:8085 100000
//!
//! The server is one that needs no login: `batch-cli emulator`, or another.

use std::{error::Error, io::Write, time::Instant};

use batch_backend::{Columns, InputStore};
use batch_bq::{BqClient, BqInput};
use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, RetryPolicy};
use batch_model::BigQueryUri;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().ok_or("the address of a server is missing")?;
    let count: usize = args.next().ok_or("the number of rows is missing")?.parse()?;
    let http = HttpClient::new(HttpConfig::new(Endpoints::all_at(&url)?, Credentials::anonymous()))?;
    let client = BqClient::connect(http, RetryPolicy::default(), "demo").await?;
    let dataset: BigQueryUri = "bq://demo.round_trip".parse()?;
    client.ensure_dataset(&dataset, "us-central1").await?;

    let store = BqInput::new(client.clone(), dataset)?;
    let text = "Say in one word what this is about. ".repeat(25);
    let began = Instant::now();
    let mut sink = store.create("rows", &Columns::default()).await?;
    let (mut piece, mut bytes) = (Vec::new(), 0);
    for n in 0..count {
        writeln!(
            piece,
            r#"{{"key":"r{n}","request":{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}}]}}}}"#
        )?;
        if 1 << 20 < piece.len() || n + 1 == count {
            bytes += piece.len();
            sink.write(std::mem::take(&mut piece).into()).await?;
        }
    }
    let staged = sink.finish().await?;
    let staging = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let uri: BigQueryUri = staged.input.uris().first().ok_or("nothing is staged")?.parse()?;
    let mut rows = client.read_table(&uri).await?;
    let (mut back, mut pages) = (0, 0);
    while let Some(page) = rows.next().await? {
        back += page.rows;
        pages += 1;
    }
    let reading = began.elapsed().as_secs_f64();
    store.remove(&staged).await?;

    let mut out = std::io::stdout().lock();
    let rate = |seconds: f64| count as f64 / seconds;
    writeln!(out, "{count} rows, {:.1} MB", bytes as f64 / 1e6)?;
    writeln!(out, "staged in {staging:.2} s, {:.0} rows/s", rate(staging))?;
    writeln!(out, "read back {back} rows in {pages} pages, {reading:.2} s, {:.0} rows/s", rate(reading))?;
    // Where the system tells, which is Linux.
    if let Ok(status) = std::fs::read_to_string("/proc/self/status")
        && let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))
    {
        writeln!(out, "peak memory {}", peak.trim())?;
    }
    Ok(())
}
