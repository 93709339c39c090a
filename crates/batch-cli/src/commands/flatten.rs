//! `batch-cli flatten`: columns of a run's answers, made by BigQuery where its predictions are.

use std::fmt::Write as _;

use batch_backend::Flattened;
use batch_model::{BigQueryUri, OutputInfo};
use batch_pipeline::{Spec, state::RunState};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::subject::{ServiceArgs, refuse_local, run_of};
use crate::{
    args::Format,
    connect::{Target, results_in},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    terminal::{Terminal, left, right},
};

#[derive(Debug, Args)]
pub(crate) struct FlattenArgs {
    /// The run's directory or id.
    run: String,

    /// A view, which reads the predictions anew for each query, or a table.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    form: Option<Form>,

    /// Where it goes: bq://project.dataset.name. Beside the predictions by default, under the run's id.
    #[arg(long, value_name = "URI")]
    to: Option<String>,

    /// Write the statement, and run nothing.
    #[arg(long)]
    print_sql: bool,

    /// How what came of it is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    service: ServiceArgs,
}

/// What the answers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    View,
    Table,
}

pub(crate) async fn flatten(args: FlattenArgs, terminal: &Terminal) -> Result<Exit> {
    let (directory, state) = run_of(&args.run)?;
    refuse_local(&state, &directory)?;
    let mut spec = args.service.spec_of(&state)?;
    if let Some(to) = &args.to {
        spec.results.table = Some(to.clone());
    }
    if let Some(form) = args.form {
        spec.results.form = Some(if form == Form::Table { "table" } else { "view" }.to_owned());
    }
    let outputs = outputs(&state)?;
    let results = results_in(&spec, &output_of(&spec)?)?;
    let bigquery = Target::of(&spec)?.bigquery(&spec).await?;
    let (key, columns) = match &state.input.records {
        Some(records) => (records.key.as_str(), records.columns.as_slice()),
        None => ("key", spec.request.columns.as_slice()),
    };
    let inputs = inputs(&state);
    if args.print_sql {
        let statement = results.statement(&bigquery, &state.id, &inputs, key, columns, &outputs).await?;
        terminal.write_report(terminal.safe_data(&statement.to_string()).as_bytes())?;
        return Ok(Exit::Done);
    }
    let flattened = results.make(&bigquery, &state.id, &inputs, key, columns, &outputs).await?;
    let text = match args.format {
        Format::Text => text(&flattened),
        Format::Json => format!("{:#}\n", value(&flattened)),
    };
    terminal.write_report(terminal.safe_data(&text).as_bytes())?;
    if inputs.is_empty() {
        terminal.say("the request lines are on Cloud Storage: records without a prediction have no row");
    }
    Ok(Exit::Done)
}

/// The dataset of the predictions.
fn output_of(spec: &Spec) -> Result<BigQueryUri> {
    let output = spec.target.output.as_deref().unwrap_or_default();
    output.parse().map_err(|_| {
        let failure = Failure::new(format!("the predictions of the run are not in BigQuery: {output}"));
        failure.with_hint("its results.csv has the answers as columns; `bq load` puts it into a table")
    })
}

/// What every job of the run wrote.
fn outputs(state: &RunState) -> Result<Vec<OutputInfo>> {
    let attempts = state.shards.iter().flat_map(|shard| &shard.attempts);
    let outputs: Vec<OutputInfo> = attempts.clone().filter_map(|attempt| attempt.output_info.clone()).collect();
    let open = attempts.filter(|attempt| !attempt.has_ended()).count();
    if outputs.is_empty() || open != 0 {
        let failure = match open {
            0 => Failure::new("no job of the run has written anything"),
            open => Failure::new(format!("{} of the run not ended, as far as is known here", jobs(open))),
        };
        return Err(failure.with_hint("`batch-cli wait` waits for its jobs"));
    }
    Ok(outputs)
}

fn jobs(open: usize) -> String {
    if open == 1 { "a job has".to_owned() } else { format!("{open} jobs have") }
}

/// The tables of requests, each record in one of them: those of retries repeat some.
fn inputs(state: &RunState) -> Vec<BigQueryUri> {
    let shards = state.shards.iter().filter(|shard| shard.round == 0);
    shards.flat_map(|shard| shard.staged.input.uris()).filter_map(|uri| uri.parse().ok()).collect()
}

fn text(flattened: &Flattened) -> String {
    let records: u64 = flattened.outcomes.iter().map(|totals| totals.records).sum();
    let mut out = format!("{}\n", count(records, "record"));
    for totals in &flattened.outcomes {
        let line = format!("{}  {}", right(&totals.records.to_string(), 9), left(&totals.outcome, 14));
        let _ = writeln!(out, "{}", line.trim_end());
    }
    let _ = writeln!(out, "\nresults: {}", flattened.place);
    out
}

fn value(flattened: &Flattened) -> serde_json::Value {
    let outcomes = flattened.outcomes.iter().map(|totals| {
        json!({
            "outcome": totals.outcome, "records": totals.records, "prompt_tokens": totals.prompt_tokens,
            "candidates_tokens": totals.candidates_tokens, "thoughts_tokens": totals.thoughts_tokens,
            "total_tokens": totals.total_tokens,
        })
    });
    json!({ "version": 1, "results": flattened.place, "outcomes": outcomes.collect::<Vec<_>>() })
}
