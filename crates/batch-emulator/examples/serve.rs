//! An emulator for another program to talk to, without the rest of the pipeline:
//! `cargo run -p batch-emulator --example serve -- [PORT [DATA [FAULT…]]]`.

use std::error::Error;
use std::io::Write;

use batch_emulator::{Config, Emulator, Faults};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = arguments.next().map_or(Ok(0), |port| port.parse())?;
    let data = arguments.next().filter(|data| !data.is_empty()).map(Into::into);
    let emulator = Emulator::start(Config {
        addr: ([127, 0, 0, 1], port).into(),
        data,
        buckets: vec!["bucket".to_owned()],
        faults: Faults::parse(arguments)?,
        ..Config::default()
    })
    .await?;
    // For whoever waits for it: requests are answered from now on.
    writeln!(std::io::stdout(), "{}", emulator.url())?;
    std::future::pending().await
}
