//! The hot loops, each by itself: `cargo bench -p batch-io`. For a comparison with other programs there
//! is `cargo xtask bench`, and for figures that can be compared over time `cargo xtask icount`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io;
use std::num::NonZero;

use batch_io::{
    AnswerFormat, Join, KeySpec, PredictionLines, Record, RequestLines, RequestSpec, RequestTemplate, Table,
    TableFormat, build,
};
use divan::Bencher;
use divan::counter::BytesCount;

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

/// With the glance over each line, which is not public, and the second reading of the answers.
#[divan::bench(args = [TableFormat::CSV, TableFormat::Jsonl])]
fn join(bencher: Bencher<'_, '_>, output: &TableFormat) {
    let folder = tempfile::tempdir().expect("there is room for files");
    let (table, path) = (table(), folder.path().join("predictions.jsonl"));
    let predictions = predictions(&table);
    std::fs::write(&path, &predictions).expect("there is room for files");
    bencher.counter(BytesCount::new(table.len() + predictions.len())).bench_local(|| {
        let open = || Table::new(Box::new(table.as_bytes()) as Box<dyn io::Read + '_>, "table.csv", TableFormat::CSV);
        let join = Join::new(open, [path.clone()]).label("id", LABEL).output(*output);
        join.threads(NonZero::<usize>::MIN).run(&mut io::sink(), &mut |_| {})
    });
}
