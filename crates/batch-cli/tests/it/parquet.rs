//! Results as Parquet, beside the same results as CSV.

use std::{fs::File, path::Path};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};

use crate::context::{Context, fixture};

/// The names of the columns and the rows, as the cells of a CSV.
fn read_back(path: &Path) -> Vec<Vec<String>> {
    let reader = SerializedFileReader::new(File::open(path).expect("open the results")).expect("a Parquet file");
    let fields = reader.metadata().file_metadata().schema().get_fields().iter();
    let header = fields.map(|field| field.name().to_owned()).collect();
    let cell = |field| match field {
        Field::Null => String::new(),
        Field::Str(text) => text,
        Field::Long(count) => count.to_string(),
        Field::Double(cost) => cost.to_string(),
        other => panic!("no column has {other:?}"),
    };
    let rows = reader.get_row_iter(None).expect("rows");
    let rows = rows.map(|row| row.expect("a row").into_columns().into_iter().map(|(_, field)| cell(field)).collect());
    std::iter::once(header).chain(rows).collect()
}

fn csv(context: &Context, name: &str) -> Vec<Vec<String>> {
    let text = context.read(name);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|record| record.expect("a record").iter().map(str::to_owned).collect()).collect()
}

#[test]
fn a_run_writes_what_it_writes_as_csv() {
    let spec = fixture("extract/batch.toml").display().to_string();
    let run = |format: &str| {
        let context = Context::new();
        let format = format!("results.format={format}");
        let quick = ["--set", "poll.first=0.05", "--set", "poll.steady=0.1", "--set", &format];
        let ran = context.run(&[&["run", &spec, "--local", "--run-dir", "run"], &quick[..]].concat()).expect(0);
        (context, ran.show())
    };
    let (with_csv, _) = run("csv");
    let expected = csv(&with_csv, "run/results.csv");
    assert!(1 < expected.len());
    let (context, told) = run("parquet");
    assert!(told.contains("results.parquet"), "{told}");
    assert_eq!(read_back(&context.path("run/results.parquet")), expected);
    assert!(!context.exists("run/results.csv"));
}

#[test]
fn a_join_writes_it_by_the_name_or_the_flag() {
    let context = Context::new();
    context.write("in.csv", "text\na\n\"b \"\"\n\"\n");
    let response = r#"{"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":3}}"#;
    context.write("p.jsonl", format!(r#"{{"key":"r1","status":"","response":{response}}}"#));
    let join = |more: &[&str]| {
        let args = ["join", "--input", "in.csv", "--predictions", "p.jsonl", "--max-failed", "1"];
        context.run(&[&args, more].concat())
    };
    join(&["--output", "out.csv"]).expect(0);
    join(&["--output", "out.parquet"]).expect(0);
    join(&["--output", "out", "--output-format", "parquet"]).expect(0);
    let expected = csv(&context, "out.csv");
    assert_eq!(read_back(&context.path("out.parquet")), expected);
    assert_eq!(read_back(&context.path("out")), expected);

    let ran = join(&["--output", "out.xml", "--output-format", "xml"]).expect(2);
    assert!(ran.stderr.contains(r#"as "csv", as "jsonl" or as "parquet""#), "{}", ran.stderr);
    let ran = context.run(&["eval", "--input", "out.parquet", "--expected", "text"]).expect(2);
    assert!(ran.stderr.contains("out.parquet is Parquet") && ran.stderr.contains("--predictions"), "{}", ran.stderr);
}

#[test]
fn standard_output_has_its_bytes_and_no_others() {
    let context = Context::new();
    context.write("in.csv", "text\na\n").write("p.jsonl", "");
    let args = ["join", "--input", "in.csv", "--predictions", "p.jsonl", "--max-failed", "1", "--output"];
    context.run(&[&args[..], &["out.parquet"]].concat()).expect(0);
    let piped = context.command(&[&args[..], &["-", "--output-format", "parquet"]].concat()).output();
    let piped = piped.expect("run it");
    assert!(piped.status.success());
    assert_eq!(piped.stdout, std::fs::read(context.path("out.parquet")).expect("the file"));
}
