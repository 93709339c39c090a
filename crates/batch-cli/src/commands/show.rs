//! `batch-cli show`: one record of a run, from its request to its answer.

use std::{fmt::Write as _, path::PathBuf};

use batch_io::{Explanation, Keys, PredictionFile, Record, RequestTemplate, explain_key};
use batch_pipeline::{answer_format, key_spec, open_table, read_run, request_spec, state::RunState};
use serde_json::{Value, json};

use crate::{
    args::{Format, ShowArgs},
    exit::Exit,
    failure::{Failure, Result},
    terminal::Terminal,
};

pub(crate) fn show(args: &ShowArgs, terminal: &Terminal) -> Result<Exit> {
    let state = read_run(&args.run)?;
    let (record, request) = find(&state, &args.key)?;
    let files =
        state.shards.iter().flat_map(|shard| &shard.attempts).flat_map(|attempt| attempt.collected.iter().flatten());
    let files: Vec<PredictionFile> =
        files.map(|file| PredictionFile::new(&file.path, args.run.join(&file.path))).collect();
    let predictions = explain_key(&files, &args.key, answer_format(&state.spec).as_ref())?;
    let text = match args.format {
        Format::Text => text(args, &record, &request, &predictions),
        Format::Json => {
            let request: Value = serde_json::from_str(&request).unwrap_or(Value::Null);
            let predictions = serde_json::to_value(&predictions);
            let predictions = predictions.map_err(|error| Failure::caused("write the record", error))?;
            let value = json!({
                "version": 1, "key": args.key, "record": record, "request_line": request, "predictions": predictions,
            });
            format!("{value:#}\n")
        }
    };
    terminal.write(terminal.safe_data(&text).as_bytes()).map_err(|error| Failure::caused("write the record", error))?;
    Ok(if predictions.is_empty() { Exit::No } else { Exit::Done })
}

/// The record of this key, and its request line as it was sent.
fn find(state: &RunState, key: &str) -> Result<(Vec<(String, String)>, String)> {
    let input = PathBuf::from(&state.input.path);
    let spec = state.table_spec();
    let mut table = open_table(&input, &spec)?;
    let template = match &state.input.records {
        None => Some(RequestTemplate::compile(&request_spec(&spec)?, table.columns())?),
        // The requests stayed where the records are.
        Some(_) => None,
    };
    let mut keys = Keys::new(&key_spec(&spec), table.columns(), table.name())?;
    let mut record = Record::new();
    while table.read(&mut record)? {
        if keys.key(&record)? != key {
            continue;
        }
        let line = match &template {
            Some(template) => {
                let mut line = Vec::new();
                template.render(&record, key, &mut line)?;
                String::from_utf8(line).map_err(|error| Failure::caused("render the request", error))?
            }
            None => format!("(in {})", state.input_name()),
        };
        let names = table.columns().names().iter().cloned();
        return Ok((names.zip(record.iter().map(str::to_owned)).collect(), line));
    }
    let failure = Failure::new(format!("{} has no record with the key {key:?}", input.display()));
    Err(failure.with_hint(match &spec.input.key {
        Some(column) => format!("the keys are the values of the column {column:?}"),
        None => "the keys are r0, r1, … in the table's order".to_owned(),
    }))
}

fn text(args: &ShowArgs, record: &[(String, String)], request: &str, predictions: &[Explanation]) -> String {
    let mut out = format!("record {}\n", args.key);
    for (name, value) in record {
        let _ = writeln!(out, "  {name}: {}", indented(value));
    }
    let _ = write!(out, "\nrequest line\n  {}\n", request.trim_end());
    if predictions.is_empty() {
        out.push_str("\nmissing: no prediction has this key\n");
    }
    for prediction in predictions {
        let _ =
            writeln!(out, "\nprediction in {}, line {}, byte {}", prediction.file, prediction.line, prediction.byte);
        let _ = writeln!(out, "  outcome: {}", prediction.outcome);
        let mut member = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                let _ = writeln!(out, "  {name}: {}", indented(value));
            }
        };
        member("detail", Some(&prediction.detail));
        member("answer", prediction.answer.as_deref());
        member("thoughts", prediction.thoughts.as_deref());
        member("finish reason", prediction.finish_reason.as_deref());
        member("model version", prediction.model_version.as_deref());
        let usage = &prediction.usage;
        let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
        let tokens =
            [usage.prompt_tokens, usage.candidates_tokens, usage.thoughts_tokens, usage.total_tokens].map(count);
        let [prompt, answer, thoughts, total] = tokens;
        member("tokens", Some(&format!("{prompt} prompt, {answer} answer, {thoughts} thinking, {total} in all")));
        member("status", prediction.status.as_ref().map(|status| status.get()).filter(|status| *status != "\"\""));
        member("response", prediction.response.as_ref().map(|response| response.get()));
    }
    out
}

/// Lines after the first stand below the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}
