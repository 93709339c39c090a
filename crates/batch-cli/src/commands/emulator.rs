//! `batch-cli emulator`: Cloud Storage, BigQuery and Vertex AI batch jobs on this machine.

use std::net::SocketAddr;

use batch_emulator::{Config, Emulator, Faults, JobsConfig, LineGeneration};
use serde_json::json;

use crate::{
    args::{EmulatorArgs, JobArgs},
    exit::Exit,
    failure::{Failure, Result},
    local,
    terminal::Terminal,
};

pub(crate) async fn emulator(args: EmulatorArgs, terminal: &Terminal) -> Result<Exit> {
    let faults = Faults::parse(&args.fault)?;
    faults.set_random(args.seed, args.chaos);
    let config = Config {
        addr: SocketAddr::new(args.host, args.port),
        allow_remote: args.allow_remote,
        external_url: args.external_url,
        data: args.data,
        buckets: args.bucket,
        datasets: args.dataset,
        faults,
        seed: args.seed,
        jobs: JobsConfig {
            answer: args.answer.parse()?,
            answer_options: local::answer_options(Some(args.answer_concurrency)),
            ..jobs(&args.jobs)
        },
        ..Config::default()
    };
    let emulator = Emulator::start(config).await?;
    // One line, for programs: it is there once requests are answered.
    let line = json!({ "listening": emulator.url() }).to_string() + "\n";
    terminal.write(line.as_bytes()).map_err(|error| Failure::caused("say where it listens", error))?;
    terminal.say(&format!(
        "serving Cloud Storage, BigQuery and Vertex AI batch jobs at {0}; Ctrl-C ends it\nfor other programs: STORAGE_EMULATOR_HOST={0} BIGQUERY_EMULATOR_HOST={0} GOOGLE_VERTEX_BASE_URL={0}",
        emulator.url()
    ));
    tokio::signal::ctrl_c().await.map_err(|error| Failure::caused("wait for Ctrl-C", error))?;
    emulator.shutdown().await;
    Ok(Exit::Done)
}

fn jobs(args: &JobArgs) -> JobsConfig {
    JobsConfig {
        queue_delay: args.queue_delay,
        run_delay: args.run_delay,
        queue_limit: args.queue_limit,
        run_limit: args.run_limit,
        lines: if args.line_generation == 1 { LineGeneration::First } else { LineGeneration::Second },
        normalize_echo: !args.verbatim_echo,
        retype_digits: !args.keep_digits,
        pass_through: !args.lose_keys,
        shuffle: !args.in_order,
        ..JobsConfig::default()
    }
}
