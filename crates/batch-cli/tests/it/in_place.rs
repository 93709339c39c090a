//! Records that lie in BigQuery: run, submitted and collected where they are, on an emulator beside them.

use batch_http::{Credentials, Endpoints, HttpClient, HttpConfig, Request, Service};
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::{
    context::{Context, Ran, fixture, settings},
    servers::Server,
};

/// An emulator with a dataset, and a folder.
struct There {
    context: Context,
    server: Server,
}

/// The tables of a test, below `projects/batch-demo/datasets/`.
const TABLES: [&str; 6] = ["bigquery", "v2", "projects", "batch-demo", "datasets", "tickets"];

impl There {
    fn new(emulator: &[&str]) -> Self {
        let context = Context::new();
        let own = ["--bucket", "batch-demo", "--dataset", "batch-demo.tickets=us-central1"];
        let server = Server::start(&context, &[&own, emulator].concat());
        Self { context, server }
    }

    /// Calls the emulator's BigQuery.
    fn post(&self, path: &[&str], body: &Value) -> Value {
        let config = HttpConfig::new(Endpoints::all_at(&self.server.url).unwrap(), Credentials::anonymous());
        let request = Request::post(Service::BigQuery, TABLES.iter().chain(path).copied()).json(body).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let reply = runtime.block_on(async { HttpClient::new(config).unwrap().send(&request).await.unwrap() });
        serde_json::from_slice(&reply.body).unwrap()
    }

    /// Makes a table of these columns, name and type, and puts rows into it.
    fn table(&self, name: &str, columns: &[(&str, &str)], rows: &[Value]) {
        let fields: Vec<Value> = columns
            .iter()
            .map(|(name, kind)| match kind.strip_prefix("ARRAY ") {
                Some(kind) => json!({ "name": name, "type": kind, "mode": "REPEATED" }),
                None => json!({ "name": name, "type": kind }),
            })
            .collect();
        self.post(
            &["tables"],
            &json!({ "tableReference": { "projectId": "batch-demo", "datasetId": "tickets", "tableId": name },
            "schema": { "fields": fields } }),
        );
        let rows: Vec<Value> = rows.iter().map(|row| json!({ "json": row })).collect();
        let reply = self.post(&["tables", name, "insertAll"], &json!({ "rows": rows }));
        assert!(reply.get("insertErrors").is_none(), "{reply}");
    }

    /// The table of the fixture's tickets, with the requests that the spec makes of them.
    fn tickets(&self, name: &str) -> Vec<Value> {
        let spec = fixture("bigquery/batch.toml").display().to_string();
        self.context.run(&["build", &spec, "--output", "requests.jsonl"]).expect(0);
        let text = self.context.read("requests.jsonl");
        let requests: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut csv = csv::Reader::from_path(fixture("bigquery/tickets.csv")).unwrap();
        let names: Vec<String> = csv.headers().unwrap().iter().map(str::to_owned).collect();
        let rows: Vec<Value> = csv
            .records()
            .zip(&requests)
            .map(|(record, line)| {
                let mut row: Value = names
                    .iter()
                    .cloned()
                    .zip(record.unwrap().iter().map(Value::from))
                    .collect::<serde_json::Map<_, _>>()
                    .into();
                assert_eq!(row["ticket"], line["key"]);
                row["request"] = line["request"].to_string().into();
                row
            })
            .collect();
        let mut columns: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "STRING")).collect();
        columns.push(("request", "JSON"));
        self.table(name, &columns, &rows);
        rows
    }

    /// Writes a spec with this input and output, and whatever else.
    fn spec(&self, input: &str, output: &str, more: &str) {
        let text = format!(
            "version = 1\n[input]\n{input}\n[request]\nmodel = \"gemini-2.5-flash\"\n[request.generationConfig]\n\
             responseMimeType = \"text/x.enum\"\nresponseSchema = {{ type = \"STRING\", enum = [\"repair\", \"billing\", \"howto\"] }}\n\
             [target]\nproject = \"batch-demo\"\nlocation = \"us-central1\"\noutput = \"{output}\"\n{more}"
        );
        self.context.write("batch.toml", text);
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.context.command(args);
        let url = &self.server.url;
        for service in ["STORAGE", "VERTEX", "BIGQUERY"] {
            command.env(format!("BATCH_ENDPOINTS_{service}"), url);
        }
        command.envs([("BATCH_POLL_FIRST", "0.05"), ("BATCH_POLL_STEADY", "0.1")]);
        self.context.ran(&command.output().expect("start the program"))
    }

    fn report(&self, directory: &str) -> Value {
        serde_json::from_str(&self.context.read(&format!("{directory}/report.json"))).unwrap()
    }
}

const TABLE: &str = "table = \"bq://batch-demo.tickets.requests\"\nkey = \"ticket\"";
const DATASET: &str = "bq://batch-demo.tickets";

/// A report without what is another in each run, or is told of another kind of input.
fn comparable(mut report: Value) -> Value {
    let members = report.as_object_mut().unwrap();
    for own in ["run", "directory", "created", "finished", "input", "mismatches"] {
        members.remove(own);
    }
    for job in members["jobs"].as_array_mut().unwrap() {
        job.as_object_mut().unwrap().remove("job");
    }
    report
}

#[test]
fn a_table_with_requests_comes_to_the_same_as_its_rows_in_a_file() {
    let there = There::new(&[]);
    there.tickets("requests");
    let spec = fixture("bigquery/batch.toml").display().to_string();
    there.run(&["run", &spec, "--run-dir", "file", "--progress", "none", "--no-cache"]).expect(0);
    let expected = (there.report("file"), there.context.read("file/results.csv"));
    assert_eq!(expected.0["accounting"]["answered"], 12);
    for (directory, output) in [("there", DATASET), ("here", "gs://batch-demo/out")] {
        there.spec(TABLE, output, "[evaluate]\nexpected = \"queue\"\n");
        there.run(&["run", "batch.toml", "--run-dir", directory, "--progress", "none"]).expect(0);
        let report = there.report(directory);
        assert_eq!(report["input"], "bq://batch-demo.tickets.requests");
        assert_eq!(there.context.read(&format!("{directory}/results.csv")), expected.1, "{output}");
        assert_eq!(comparable(report), comparable(expected.0.clone()), "{output}");
        // What came of the records is what the results need, and no request.
        let records = there.context.read(&format!("{directory}/records.jsonl"));
        assert_eq!(records.lines().count(), 12);
        assert!(!records.contains("request"), "{records}");
    }
}

#[test]
fn what_cannot_be_is_refused_before_there_is_a_run() {
    let there = There::new(&["--dataset", "batch-demo.abroad=US"]);
    let rows = there.tickets("requests");
    let columns = [("ticket", "STRING"), ("request", "JSON"), ("tags", "ARRAY STRING")];
    there.table("arrays", &columns, &[json!({ "ticket": "a", "request": "{}", "tags": ["x"] })]);
    there.table("bare", &[("ticket", "STRING"), ("message", "STRING")], &[json!({ "ticket": "a", "message": "b" })]);
    there.table("price", &[("key", "FLOAT"), ("request", "JSON")], &[json!({ "key": 1.5, "request": "{}" })]);
    assert_eq!(rows.len(), 12);
    let table = |name: &str| format!("table = \"bq://batch-demo.tickets.{name}\"\nkey = \"ticket\"");
    let prompt = "[request]\nprompt = \"{{ message }}\"\n";
    let cases: [(&str, String, &str, &str, &[&str]); 14] = [
        ("no table", table("missing"), DATASET, "", &[]),
        ("an array", table("arrays"), DATASET, "", &[]),
        ("no request, no prompt", table("bare"), DATASET, "", &[]),
        ("no SQL", table("bare"), DATASET, prompt, &[]),
        ("both", table("requests"), DATASET, prompt, &[]),
        ("keys of no one spelling", "table = \"bq://batch-demo.tickets.price\"".to_owned(), DATASET, "", &[]),
        ("no keys", "table = \"bq://batch-demo.tickets.requests\"".to_owned(), DATASET, "", &[]),
        ("another region", table("requests"), "bq://batch-demo.abroad", "", &[]),
        ("a query on a server without SQL", "query = \"SELECT 1\"".to_owned(), DATASET, "", &[]),
        ("results there without SQL", table("requests"), DATASET, "[results]\nin = \"bigquery\"\n", &[]),
        (
            "results there of predictions elsewhere",
            table("requests"),
            "gs://batch-demo/o",
            "[results]\nin = \"bigquery\"\n",
            &[],
        ),
        ("a part", table("requests"), DATASET, "", &["--limit", "3"]),
        ("a local run", table("requests"), DATASET, "", &["--local"]),
        ("two inputs", table("requests"), DATASET, "", &["--input", "x.csv"]),
    ];
    let mut said = String::new();
    for (what, input, output, more, args) in cases {
        there.spec(&input, output, "");
        let text = there.context.read("batch.toml");
        let text = match more.strip_prefix("[request]\n") {
            Some(request) => text.replace("[request]\n", &format!("[request]\n{request}")),
            None => text + more,
        };
        there.context.write("batch.toml", text);
        let own = ["run", "batch.toml", "--run-dir", "run", "--progress", "none"];
        let ran = there.run(&[&own[..], args].concat()).expect(2);
        assert!(!there.context.exists("run/run.json"), "{what}: there is a run");
        said.push_str(&format!("{what}\n{}\n", ran.stderr.trim_end()));
    }
    settings().bind(|| assert_snapshot!("refused_records", said));
}

#[test]
fn keys_that_are_not_unique_are_found_before_a_job_is_paid_for() {
    let there = There::new(&[]);
    let columns = [("ticket", "STRING"), ("request", "JSON")];
    there.table(
        "requests",
        &columns,
        &[json!({ "ticket": "a", "request": "{}" }), json!({ "ticket": "a", "request": "{}" })],
    );
    there.spec(TABLE, DATASET, "");
    let ran = there.run(&["run", "batch.toml", "--run-dir", "run", "--progress", "none"]).expect(2);
    assert!(ran.stderr.contains("\"a\" stood in line 1 before"), "{}", ran.stderr);
    let jobs = there.run(&["jobs", "list", "--project", "batch-demo", "--location", "us-central1", "--format", "json"]);
    assert!(!jobs.expect(0).stdout.contains("batchPredictionJobs"));
}

#[test]
fn a_run_over_a_table_is_left_alone_collected_looked_at_and_cleaned() {
    let there = There::new(&[]);
    there.tickets("requests");
    there.spec(TABLE, DATASET, "");
    there.run(&["submit", "batch.toml", "--run-dir", "run", "--progress", "none"]).expect(0);
    there.run(&["wait", "run", "--progress", "none"]).expect(0);
    there.run(&["collect", "run", "--progress", "none"]).expect(0);
    assert_eq!(there.report("run")["accounting"]["answered"], 12);
    let refused = there.run(&["retry", "run", "--progress", "none"]).expect(2);
    assert!(refused.stderr.contains("are not here, to be asked again"), "{}", refused.stderr);
    let cleaned = there.run(&["clean", "run", "--yes"]);
    assert!(cleaned.stdout.contains("it was there before the run"), "{}", cleaned.show());
    // The table is the user's, and stays.
    there.run(&["run", "batch.toml", "--run-dir", "again", "--progress", "none"]).expect(0);
}

#[test]
fn the_sql_is_shown_without_a_server() {
    let there = There::new(&[]);
    there.spec("table = \"bq://demo.shop.tickets\"\nkey = \"ticket\"", "bq://demo.shop", "");
    let text = there
        .context
        .read("batch.toml")
        .replace("[request]\n", "[request]\nprompt = \"{{ message }}\"\ncolumns = [\"n\"]\n");
    there.context.write("batch.toml", text);
    let columns = r#"[{"name":"ticket","type":"STRING"},{"name":"message","type":"STRING","mode":"REQUIRED"},{"name":"n","type":"INTEGER"}]"#;
    there.context.write("schema.json", columns);
    let args = ["build", "batch.toml", "--print-sql", "--schema", "schema.json"];
    let ran = there.context.run(&args).expect(0);
    assert_snapshot!("print_sql", ran.stdout);
    there.context.write("schema.json", columns.replace("INTEGER", "RECORD"));
    let ran = there.context.run(&args).expect(2);
    assert!(ran.stderr.contains("\"n\""), "{}", ran.stderr);
}

#[test]
fn answers_are_flattened_by_sql_of_which_the_emulator_runs_none() {
    let there = There::new(&[]);
    let spec = fixture("bigquery/batch.toml").display().to_string();
    there.run(&["run", &spec, "--run-dir", "run", "--progress", "none", "--no-cache"]).expect(0);
    let shown = there.run(&["flatten", "run", "--print-sql", "--to", "bq://batch-demo.tickets.answers"]).expect(0);
    let id = there.report("run")["run"].as_str().unwrap().replace('-', "_");
    for part in [
        "CREATE OR REPLACE VIEW `batch-demo.tickets.answers` AS".to_owned(),
        format!("FROM `batch-demo.tickets.{id}__s00000`"),
        format!("FROM `batch-demo.tickets.{id}__s00000_a1`"),
        "i.`product`".to_owned(),
        "IFNULL(a.b_outcome, 'missing') AS `outcome`".to_owned(),
    ] {
        assert!(shown.stdout.contains(&part), "{part}: {}", shown.stdout);
    }
    let ran = there.run(&["flatten", "run"]).expect(2);
    assert!(ran.stderr.contains("hint: this server runs no SQL"), "{}", ran.stderr);
    // Of predictions elsewhere there is nothing to be said in SQL.
    let output = "target.output=gs://batch-demo/out";
    there.run(&["run", &spec, "--run-dir", "other", "--progress", "none", "--no-cache", "--set", output]).expect(0);
    let ran = there.run(&["flatten", "other"]).expect(2);
    assert!(ran.stderr.contains("are not in BigQuery: gs://batch-demo/out"), "{}", ran.stderr);
}
