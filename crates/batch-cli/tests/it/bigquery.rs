//! Input and output on BigQuery: every mix with Cloud Storage, chosen by the addresses alone.

use serde_json::Value;

use crate::context::{Context, Ran, fixture};

fn run(context: &Context, directory: &str, input: &str, output: &str) -> Ran {
    let spec = fixture("bigquery/batch.toml").display().to_string();
    let (input, output) = (format!("target.input={input}"), format!("target.output={output}"));
    let quick = ["--set", "poll.first=0.05", "--set", "poll.steady=0.1"];
    let args = ["run", &spec, "--local", "--run-dir", directory, "--set", &input, "--set", &output];
    context.run(&[&args[..], &quick[..]].concat())
}

/// A report without what is another in each run: its id, its directory, times, and the names of its jobs.
fn report(context: &Context, directory: &str) -> Value {
    let mut report: Value = serde_json::from_str(&context.read(&format!("{directory}/report.json"))).unwrap();
    let members = report.as_object_mut().unwrap();
    for own in ["run", "directory", "created", "finished", "results", "mismatches"] {
        members.remove(own);
    }
    for job in members["jobs"].as_array_mut().unwrap() {
        job.as_object_mut().unwrap().remove("job");
    }
    report
}

#[test]
fn the_four_combinations_come_to_the_same() {
    let context = Context::new();
    let places = ["gs://batch-demo/tickets", "bq://batch-demo.tickets"];
    let mut first: Option<(Value, String)> = None;
    for (at, (input, output)) in
        places.iter().flat_map(|input| places.iter().map(move |output| (input, output))).enumerate()
    {
        let directory = format!("run{at}");
        run(&context, &directory, input, output).expect(0);
        let came = (report(&context, &directory), context.read(&format!("{directory}/results.csv")));
        assert_eq!(came.0["accounting"]["answered"], 12, "{input} to {output}");
        let first = first.get_or_insert_with(|| came.clone());
        assert_eq!(came.1, first.1, "{input} to {output}: other results");
        assert_eq!(came.0, first.0, "{input} to {output}: another report");
    }
}

#[test]
fn a_place_that_the_service_would_refuse_is_refused_before_anything_is_made() {
    let context = Context::new();
    let ran = run(&context, "run", "bq://batch-demo", "bq://batch-demo.tickets").expect(2);
    assert!(ran.stderr.contains("target.input names no dataset"), "{}", ran.stderr);
    assert!(!context.exists("run/run.json"));
}
