//! Runs that are left alone, against an emulator in another process: submit, status, wait, collect, ls,
//! jobs, clean.

use insta::assert_snapshot;
use serde_json::Value;

use crate::{
    context::{Context, Ran, fixture, settings},
    servers::Server,
};

/// A folder with an emulator beside it, and the program pointed at it by its environment.
struct Away {
    context: Context,
    server: Server,
}

impl Away {
    fn new(emulator: &[&str]) -> Self {
        let context = Context::new();
        let server = Server::start(&context, &[&["--bucket", "batch-demo"], emulator].concat());
        Self { context, server }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = self.context.command(args);
        let url = &self.server.url;
        command.envs([("BATCH_ENDPOINTS_STORAGE", url), ("BATCH_ENDPOINTS_VERTEX", url)]);
        command.envs([("GOOGLE_CLOUD_PROJECT", "p"), ("GOOGLE_CLOUD_LOCATION", "us-central1")]);
        command.envs([("BATCH_POLL_FIRST", "0.05"), ("BATCH_POLL_STEADY", "0.1")]);
        self.context.ran(&command.output().expect("start the program"))
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        let ran = self.run(&[args, &["--format", "json"]].concat()).expect(code);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {}", ran.stdout))
    }

    /// Submits the article's batch in three jobs, into the directory `run`.
    fn submit(&self) -> Ran {
        let spec = fixture("article/batch.toml").display().to_string();
        self.run(&["submit", &spec, "--run-dir", "run", "--set", "limits.requests=4", "--progress", "none"]).expect(0)
    }

    /// The names of the run's jobs.
    fn jobs(&self) -> Vec<String> {
        let state: Value = serde_json::from_str(&self.context.read("run/run.json")).unwrap();
        let shards = state["shards"].as_array().unwrap().iter();
        shards.map(|shard| shard["attempts"][0]["job"].as_str().unwrap().to_owned()).collect()
    }
}

/// Times of real clocks are left out.
fn shown(name: &str, ran: &Ran) {
    let mut settings = settings();
    for (pattern, word) in [
        (r"batch-cli [\w-]+ s0", "batch-cli [run] s0"),
        (r"\d+\.\d s running of", "[time] running of"),
        (r"after \d+\.\d s", "after [time]"),
        (r"  \d+\.\d s  ", "  [age]  "),
        (r"article/[\w/.-]*batch.toml", "article/batch.toml"),
        (r" \S*/fixtures/", " [fixtures]/"),
        (r"batch_fingerprint: [0-9a-f]{16}", "batch_fingerprint: [fingerprint]"),
        // Numbers of jobs have 18 or 19 digits.
        (r"(?m)^(input |output|job   )  (\S+) +(may go|removed|stays)", "$1  $2  $3"),
    ] {
        settings.add_filter(pattern, word);
    }
    settings.bind(|| assert_snapshot!(name, ran.show()));
}

#[test]
fn submit_here_collect_there() {
    let away = Away::new(&[]);
    shown("submit", &away.submit());
    shown("wait", &away.run(&["wait", "run", "--progress", "none"]).expect(0));
    shown("status", &away.run(&["status", "run"]).expect(0));
    let status = away.json(&["status", "run"], 0);
    assert_eq!((status["version"].as_u64(), status["stage"].as_str()), (Some(1), Some("ended")));
    assert_eq!(status["shards"].as_array().unwrap().len(), 3);

    // The directory goes to another machine; the table is not where it was.
    std::fs::rename(away.context.path("run"), away.context.path("taken")).unwrap();
    let state = away.context.read("taken/run.json").replace("news.csv", "nowhere.csv");
    away.context.write("taken/run.json", state);
    shown("collect_without_table", &away.run(&["collect", "taken", "--progress", "none"]).expect(2));
    let table = fixture("article/news.csv").display().to_string();
    let report = away.json(&["collect", "taken", "--input", &table, "--progress", "none"], 0);
    assert_eq!(report["accounting"]["answered"], 10);
    assert_eq!(away.context.list("taken/predictions").len(), 3);

    // The results are those of a run that nobody left alone.
    let spec = fixture("article/batch.toml").display().to_string();
    away.run(&["run", &spec, "--run-dir", "whole", "--progress", "none"]).expect(0);
    assert_eq!(away.context.without_cost("whole/results.csv"), away.context.without_cost("taken/results.csv"));
}

#[test]
fn jobs_that_take_their_time_are_told_as_running() {
    let away = Away::new(&["--run-delay", "600"]);
    away.submit();
    shown("status_running", &away.run(&["status", "run"]).expect(3));
    shown("wait_timeout", &away.run(&["wait", "run", "--timeout", "0.2", "--progress", "none"]).expect(3));
    shown("collect_running", &away.run(&["collect", "run", "--progress", "none"]).expect(3));
    assert!(!away.context.exists("run/results.csv"));
    let job = &away.jobs()[1];
    shown("status_job", &away.run(&["status", job]).expect(3));
    away.run(&["collect", job, "--out", "files", "--progress", "none"]).expect(3);
    // Partial: nothing is exported yet, and every record is told as missing.
    let partial = away.json(&["collect", "run", "--partial", "--progress", "none"], 3);
    assert_eq!(
        (partial["accounting"]["records"].as_u64(), partial["accounting"]["missing"].as_u64()),
        (Some(10), Some(10))
    );

    // Cancelled by the run, which knows where its jobs are; waited for, collected: what was not answered is told.
    let mut cancel = away.context.command(&["jobs", "cancel", "run", "--wait", "--format", "json"]);
    let cancel = cancel.envs([("BATCH_POLL_FIRST", "0.05"), ("BATCH_POLL_STEADY", "0.1")]).output();
    let cancelled = away.context.ran(&cancel.expect("start the program")).expect(0).stdout;
    let cancelled: Value = serde_json::from_str(&cancelled).unwrap();
    assert_eq!(cancelled["jobs"].as_array().unwrap().len(), 3);
    assert!(cancelled["jobs"].as_array().unwrap().iter().all(|job| job["result"] == "cancelled"), "{cancelled}");
    shown("cancel_again", &away.run(&["jobs", "cancel", job]).expect(0));
    assert_eq!(away.json(&["wait", "run", "--progress", "none"], 1)["stage"], "ended");
}

#[test]
fn a_jobs_name_is_all_that_is_needed() {
    let away = Away::new(&[]);
    away.submit();
    let job = away.jobs()[1].clone();
    std::fs::remove_dir_all(away.context.path("run")).unwrap();
    assert_eq!(away.json(&["wait", &job, "--progress", "none"], 0)["job"]["state"], "JOB_STATE_SUCCEEDED");
    // By its number in the project and location of the environment.
    let number = job.rsplit('/').next().unwrap();
    assert_eq!(away.json(&["status", number], 0)["job"]["done"], 4);

    // Its files alone.
    let ran = away.run(&["collect", &job, "--out", "files", "--progress", "none"]).expect(0);
    assert_eq!(ran.stdout, "files/predictions/predictions.jsonl\n");
    assert_eq!(away.context.list("files"), ["job.json", "predictions"]);

    // With the spec: the whole run, of which it is one job.
    let spec = fixture("article/batch.toml").display().to_string();
    let report = away.json(&["collect", &job, "--out", "all", "--spec", &spec, "--progress", "none"], 0);
    assert_eq!(report["accounting"]["answered"], 10);
    assert_eq!(report["evaluation"]["total"], 10);

    // With the table: joined by the keys, and not compared with anything.
    let table = fixture("article/news.csv").display().to_string();
    let args = ["collect", &job, "--out", "joined", "--table", &table, "--progress", "none"];
    assert_eq!(away.json(&args, 0)["accounting"]["answered"], 10);
    // Again, with what is there.
    assert_eq!(away.json(&args, 0)["accounting"]["answered"], 10);
    shown("collect_no_out", &away.run(&["collect", &job]).expect(2));
    shown(
        "collect_other_job",
        &away
            .run(&[
                "collect",
                "projects/p/locations/us-central1/batchPredictionJobs/1",
                "--out",
                "joined",
                "--table",
                &table,
            ])
            .expect(2),
    );
}

#[test]
fn what_a_job_asked_is_told_each_time_it_is_collected() {
    let away = Away::new(&[]);
    away.submit();
    away.run(&["wait", "run", "--progress", "none"]).expect(0);
    let spec = std::fs::read_to_string(fixture("article/batch.toml")).unwrap();
    away.context.write("other.toml", spec.replace("\"gemini-2.5-flash\"", "\"gemini-2.5-pro\""));
    away.context
        .write("same.toml", spec.replace("\"gemini-2.5-flash\"", "\"publishers/google/models/gemini-2.5-flash\""));
    let (job, table) = (&away.jobs()[1], fixture("article/news.csv").display().to_string());
    let collect = |spec: &str| {
        let args = ["collect", job, "--out", "all", "--spec", spec, "--table", &table, "--progress", "none"];
        away.run(&args).expect(0).stderr
    };
    let told =
        "the jobs asked gemini-2.5-flash, and not gemini-2.5-pro as the spec says: what they cost is by its price";
    for time in ["first", "second"] {
        let stderr = collect("other.toml");
        assert!(stderr.contains(told), "{time}: {stderr}");
    }
    let stderr = collect("same.toml");
    assert!(!stderr.contains("the jobs asked"), "{stderr}");
}

#[test]
fn what_is_answered_is_reported_where_a_shard_was_denied_its_job() {
    for (emulator, code) in [(&[][..], 1), (&["--run-delay", "600"], 3)] {
        let away = Away::new(&[emulator, &["--fault", "create-403=1@2"]].concat());
        let spec = fixture("article/batch.toml").display().to_string();
        let submit = ["submit", &spec, "--run-dir", "run", "--progress", "none", "--set", "limits.requests=5"];
        let submit = [&submit[..], &["--set", "limits.jobs=1"]].concat();
        let ran = away.run(&submit).expect(2);
        assert!(ran.stderr.contains("error: create the job of shard 1\n"), "{}", ran.stderr);
        let ended = code == 1;
        if ended {
            // Until the one job has ended, whichever command sees it.
            let id = away.run(&["jobs", "list", "--format", "ids"]).expect(0).stdout;
            away.run(&["wait", id.trim(), "--progress", "none"]).expect(0);
        }
        let ran = away.run(&["collect", "run", "--progress", "none"]).expect(2);
        assert!(ran.stderr.contains("1 of 2 shards of run have no job yet"), "{}", ran.stderr);
        let ran = away.run(&["collect", "run", "--partial", "--format", "json", "--progress", "none"]).expect(code);
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let accounting = &report["accounting"];
        let answered = if ended { 5 } else { 0 };
        assert_eq!((&accounting["answered"], &accounting["missing"]), (&answered.into(), &(10 - answered).into()));
        let name = if ended { "collect_unsent" } else { "collect_unsent_running" };
        settings().bind(|| assert_snapshot!(name, ran.stderr));
    }
}

#[test]
fn any_jobs_are_listed_shown_and_deleted() {
    let away = Away::new(&[]);
    away.submit();
    away.run(&["wait", "run", "--progress", "none"]).expect(0);
    shown("jobs_list", &away.run(&["jobs", "list", "--filter", "display_name:\"*s00001*\""]).expect(0));
    let ids = away.run(&["jobs", "list", "--state", "succeeded", "--format", "ids"]).expect(0).stdout;
    let (mut ids, mut all): (Vec<&str>, Vec<String>) = (ids.lines().collect(), away.jobs());
    ids.sort_unstable();
    all.sort_unstable();
    assert_eq!(ids, all);
    assert_eq!(away.json(&["jobs", "list", "--limit", "2"], 0)["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(
        away.json(&["jobs", "list", "--state", "running", "--state", "failed"], 0)["jobs"],
        Value::Array(vec![])
    );
    let job = &away.jobs()[1];
    shown("jobs_get", &away.run(&["jobs", "get", job]).expect(0));
    assert_eq!(away.json(&["jobs", "get", job], 0)["job"]["name"], job.as_str());
    shown("cancel_ended", &away.run(&["jobs", "cancel", job]).expect(1));
    shown("delete", &away.run(&["jobs", "delete", job]).expect(0));
    shown("delete_again", &away.run(&["jobs", "delete", job]).expect(2));
    shown("jobs_bad_state", &away.run(&["jobs", "list", "--state", "dreaming"]).expect(2));
}

#[test]
fn what_a_run_left_in_the_cloud_is_removed_when_that_is_asked_for() {
    let away = Away::new(&[]);
    away.submit();
    away.run(&["wait", "run", "--progress", "none"]).expect(0);
    shown("clean_not_collected", &away.run(&["clean", "run"]).expect(0));
    away.run(&["collect", "run", "--progress", "none"]).expect(0);
    shown("clean_dry", &away.run(&["clean", "run"]).expect(0));
    shown("clean", &away.run(&["clean", "run", "--yes"]).expect(0));
    let again = away.json(&["clean", "run", "--yes"], 0);
    let fates = again["remnants"].as_array().unwrap().iter().map(|remnant| remnant["fate"]["fate"].as_str().unwrap());
    assert!(fates.into_iter().all(|fate| fate == "gone" || fate == "removed"), "{again}");
    assert_eq!(away.json(&["jobs", "list"], 0)["jobs"], Value::Array(vec![]));
    assert!(away.context.exists("run/results.csv"));
    away.run(&["clean", "run", "--yes", "--local"]).expect(0);
    assert!(!away.context.exists("run"));
}

#[test]
fn runs_are_listed_and_damaged_ones_too() {
    let away = Away::new(&[]);
    shown("ls_none", &away.run(&["ls"]).expect(0));
    let spec = fixture("article/batch.toml").display().to_string();
    away.run(&["run", &spec, "--progress", "none"]).expect(0);
    away.context.write(".batch/runs/torn/run.json", "{\"version\": 1");
    let ran = away.run(&["ls"]).expect(0);
    assert!(ran.stdout.contains("finished") && ran.stdout.contains(".batch/runs/torn  damaged: "), "{}", ran.stdout);
    let runs = away.json(&["ls"], 0);
    assert_eq!(runs["runs"][0]["run"]["accounting"]["answered"], 10);
    assert_eq!(runs["runs"][0]["run"]["stage"], "finished");
    assert!(runs["runs"][1]["damage"].as_str().unwrap().contains("not the state of a run"));
    // A run is named by its id as well.
    let id = runs["runs"][0]["run"]["id"].as_str().unwrap();
    assert_eq!(away.json(&["status", id], 0)["stage"], "finished");
}

#[test]
fn what_cannot_be() {
    let context = Context::new();
    let spec = fixture("article/batch.toml").display().to_string();
    shown("submit_local", &context.run(&["submit", &spec, "--local"]).expect(2));
    shown("no_run", &context.run(&["status", "nowhere"]).expect(2));
    shown("no_project", &context.run(&["status", "123"]).expect(2));
    shown("bad_name", &context.run(&["status", "projects/p/batchPredictionJobs/1"]).expect(2));
    shown("bad_time", &context.run(&["wait", "nowhere", "--timeout", "soon"]).expect(2));
    context.run(&["run", &spec, "--local", "--run-dir", "run", "--progress", "none"]).expect(0);
    shown("wait_local", &context.run(&["wait", "run"]).expect(2));
    shown("out_of_run", &context.run(&["collect", "run", "--out", "x"]).expect(2));
    // What a local run made lies in its directory: there is nothing in a cloud.
    context.run(&["clean", "run"]).expect(0);
    context.run(&["status", "run"]).expect(0);
}
