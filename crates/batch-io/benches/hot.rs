//! The hot loops, each by itself: `cargo bench -p batch-io`. For a comparison with other programs there
//! is `cargo xtask bench`, and for figures that can be compared over time `cargo xtask icount`.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader};
use std::num::NonZero;
use std::path::PathBuf;

use batch_io::{
    AnswerFormat, Join, KeySpec, PredictionLines, Record, RequestLines, RequestSpec, RequestTemplate, Table,
    TableFormat, build,
};
use divan::Bencher;
use divan::counter::BytesCount;
use serde::Deserialize;

fn main() {
    divan::main();
}

const ROWS: u32 = 500;
const LABEL: &str = "n{{ record.index }}";

/// Rows of 2 kB with quotes, line ends and letters that are not ASCII.
fn table() -> String {
    let mut table = "body,category\n".to_owned();
    for row in 0..ROWS {
        table.push('"');
        for sentence in 0..20 {
            _ = write!(
                table,
                "Row {row} of the table says in sentence {sentence} what “everybody” in the café knows. "
            );
            table.push_str(match sentence % 5 {
                0 => "\"\"Indeed,\"\" said one of them.\n\n",
                3 => "\n\n",
                _ => "",
            });
        }
        table.push_str("\",sport\n");
    }
    table
}

fn template(table: &str) -> RequestTemplate {
    let table = Table::new(table.as_bytes(), "table.csv", TableFormat::CSV).expect("the table is one");
    let mut spec = RequestSpec::new("{{ body }}");
    spec.system = Some("Answer with one word: sport or tech.".into());
    spec.labels.push(("id".into(), LABEL.into()));
    RequestTemplate::compile(&spec, table.columns()).expect("the spec fits the table")
}

/// What a job gives back for the table, without keys and in another order.
fn predictions(table: &str) -> String {
    let mut requests = Vec::new();
    let rows = Table::new(table.as_bytes(), "table.csv", TableFormat::CSV).expect("the table is one");
    build(rows, &template(table), &KeySpec::Index, &mut requests).expect("the table can be built of");
    let requests = String::from_utf8(requests).expect("request lines are text");
    let mut lines: Vec<String> = requests
        .lines()
        .map(|line| {
            let request = line.split_once("\"request\":").map_or("", |(_, request)| request);
            let request = request.strip_suffix('}').unwrap_or(request);
            format!(
                "{{\"status\":\"\",\"processed_time\":\"2026-03-19T09:36:26.583+00:00\",\"request\":{request},\
                 \"response\":{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"sport\"}}],\"role\":\"model\"}},\
                 \"finishReason\":\"STOP\"}}],\"usageMetadata\":{{\"promptTokenCount\":512,\
                 \"candidatesTokenCount\":3,\"totalTokenCount\":515}}}}}}\n"
            )
        })
        .collect();
    lines.rotate_left(ROWS as usize / 3);
    lines.concat()
}

#[divan::bench]
fn csv_split(bencher: Bencher<'_, '_>) {
    let table = table();
    bencher.counter(BytesCount::of_str(&table)).bench_local(|| {
        let mut rows = Table::new(table.as_bytes(), "table.csv", TableFormat::CSV)?;
        let mut record = Record::new();
        while rows.read(&mut record)? {
            black_box(record.get(0));
        }
        Ok::<_, batch_io::Error>(rows.records())
    });
}

#[divan::bench]
fn request_lines(bencher: Bencher<'_, '_>) {
    let table = table();
    let template = template(&table);
    bencher.counter(BytesCount::of_str(&table)).bench_local(|| {
        let rows = Table::new(table.as_bytes(), "table.csv", TableFormat::CSV)?;
        let mut lines = RequestLines::new(rows, &template, &KeySpec::Index)?;
        let mut out = Vec::new();
        while lines.next_line(&mut out)?.is_some() {
            black_box(&out);
            out.clear();
        }
        Ok::<_, batch_io::Error>(lines.table().records())
    });
}

/// The lines taken apart one by one, as a library's user would.
#[divan::bench]
fn prediction_lines(bencher: Bencher<'_, '_>) {
    let predictions = predictions(&table());
    let format = AnswerFormat::text();
    bencher.counter(BytesCount::of_str(&predictions)).bench_local(|| {
        let mut lines = PredictionLines::new(predictions.as_bytes(), "predictions.jsonl");
        let mut answers = 0;
        while let Some(line) = lines.next_line()? {
            answers += line.prediction().map_or(0, |prediction| prediction.read(&format).answer.map_or(0, |a| a.len()));
        }
        Ok::<_, batch_io::Error>(answers)
    });
}

/// Reading a predictions file as a join does, beside what a program would do by hand: `serde_json` into
/// structs that borrow.
mod parse {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf, BytesCount) {
        let folder = tempfile::tempdir().expect("there is room for files");
        let path = folder.path().join("predictions.jsonl");
        let predictions = predictions(&table());
        std::fs::write(&path, &predictions).expect("there is room for files");
        (folder, path, BytesCount::of_str(&predictions))
    }

    /// A join to a table without records: all lines are looked over and indexed, and what each says is read.
    #[divan::bench]
    fn ours(bencher: Bencher<'_, '_>) {
        let (_folder, path, bytes) = file();
        bencher.counter(bytes).bench_local(|| {
            let open = || {
                Table::new(Box::new(&b"body,category\n"[..]) as Box<dyn io::Read + Send>, "table.csv", TableFormat::CSV)
            };
            let join = Join::new(open, [path.clone()]).label("id", LABEL).threads(NonZero::<usize>::MIN);
            join.run(&mut io::sink(), &mut |_| {}).map(|summary| summary.superseded)
        });
    }

    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        status: Cow<'a, str>,
        #[serde(borrow)]
        request: Request<'a>,
        #[serde(borrow, default)]
        response: Response<'a>,
    }

    #[derive(Deserialize)]
    struct Request<'a> {
        #[serde(borrow)]
        labels: HashMap<&'a str, &'a str>,
    }

    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase")]
    struct Response<'a> {
        #[serde(borrow, default)]
        candidates: Vec<Candidate<'a>>,
        #[serde(default)]
        usage_metadata: Usage,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Candidate<'a> {
        #[serde(borrow)]
        content: Content<'a>,
        #[serde(borrow)]
        finish_reason: Cow<'a, str>,
    }

    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow)]
        parts: Vec<Part<'a>>,
    }

    #[derive(Deserialize)]
    struct Part<'a> {
        #[serde(borrow)]
        text: Cow<'a, str>,
    }

    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Usage {
        prompt_token_count: u64,
        candidates_token_count: u64,
        total_token_count: u64,
    }

    #[divan::bench]
    fn serde_json_borrowed(bencher: Bencher<'_, '_>) {
        let (_folder, path, bytes) = file();
        bencher.counter(bytes).bench_local(|| {
            let mut reader = BufReader::with_capacity(256 * 1024, File::open(&path)?);
            let (mut text, mut sum) = (String::new(), 0);
            while 0 < reader.read_line(&mut text)? {
                let line: Line<'_> = serde_json::from_str(&text)?;
                let usage = &line.response.usage_metadata;
                sum += usage.prompt_token_count + usage.candidates_token_count + usage.total_token_count;
                for candidate in &line.response.candidates {
                    black_box((&candidate.finish_reason, candidate.content.parts.first().map(|part| &part.text)));
                }
                black_box((&line.status, line.request.labels.get("id")));
                text.clear();
            }
            Ok::<_, io::Error>(sum)
        });
    }
}

#[divan::bench(args = [TableFormat::CSV, TableFormat::Jsonl])]
fn join(bencher: Bencher<'_, '_>, output: &TableFormat) {
    let folder = tempfile::tempdir().expect("there is room for files");
    let (table, path) = (table(), folder.path().join("predictions.jsonl"));
    let predictions = predictions(&table);
    std::fs::write(&path, &predictions).expect("there is room for files");
    bencher.counter(BytesCount::new(table.len() + predictions.len())).bench_local(|| {
        let open =
            || Table::new(Box::new(table.as_bytes()) as Box<dyn io::Read + Send + '_>, "table.csv", TableFormat::CSV);
        let join = Join::new(open, [path.clone()]).label("id", LABEL).output(*output);
        join.threads(NonZero::<usize>::MIN).run(&mut io::sink(), &mut |_| {})
    });
}
