//! Retries: what is asked again, what is kept, and what counts in the end.

use std::sync::Mutex;

use batch_io::Outcome;
use batch_model::prices::{self, UsageCounts, UsageTotals};
use batch_pipeline::{
    Context, CostBound, Event, Events, Kind, MANIFEST, MaxCost, Overrides, Retried, RetryOptions, RunDir, Selection,
    Stop, UNANSWERED, join_of, read_manifest, stopper,
};
use insta::assert_snapshot;

use crate::world::{World, Wrong};

const TABLE: &str = "text\na\nb\nc\nd\n";

fn read(run: &RunDir, name: &str) -> String {
    std::fs::read_to_string(run.path().join(name)).unwrap()
}

/// The first columns of the results.
fn answers(run: &RunDir) -> String {
    let results = read(run, "results.csv");
    results
        .lines()
        .skip(1)
        .map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ").trim_end().to_owned() + "\n")
        .collect()
}

#[tokio::test]
async fn only_what_has_no_answer_is_asked_again_and_every_attempt_is_kept() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b", "d"]);
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    assert_eq!((report.accounting.answered, report.accounting.request_error), (2, 2));
    world.fails([]);
    world.told();

    let Retried { report, round, resumed } = world.retry(&mut run, &RetryOptions::default()).await.unwrap();
    assert_eq!((report.accounting.answered, round, resumed), (4, Some(1), false));
    assert_snapshot!(world.told().join("\n"), @r"
    retry 1: 2
    staged 1: 2
    submitted 1
    1 JOB_STATE_RUNNING
    1 JOB_STATE_SUCCEEDED
    collected 1: 1
    ");
    assert_snapshot!(answers(&run), @r"
    a answered A
    b answered B
    c answered C
    d answered D
    ");
    assert_snapshot!(read(&run, "retries/1.csv"), @r"
    key,index,outcome
    r1,1,request_error
    r3,3,request_error
    ");
    assert_eq!(report.jobs.len(), 2);
    assert!(run.path().join("predictions/s00000-a1/predictions.jsonl").exists());
    assert!(run.path().join("predictions/s00001-a1/predictions.jsonl").exists());
    // The lines that were sent again are those that were sent before.
    let sent = |shard: usize| world.store.read(&run.state().shards[shard].staged.name).unwrap();
    let (first, second) = (sent(0), sent(1));
    assert_eq!(second.iter().filter(|byte| **byte == b'\n').count(), 2);
    let first: Vec<&[u8]> = first.split(|byte| *byte == b'\n').collect();
    assert!(second.split(|byte| *byte == b'\n').all(|line| first.contains(&line)));

    // Nothing is left to be asked: no job, and the same report.
    let Retried { report, round, .. } = world.retry(&mut run, &RetryOptions::default()).await.unwrap();
    assert_eq!((report.accounting.answered, round), (4, None));
    assert_eq!(*world.jobs.created.lock().unwrap(), 2);
    assert!(run.state().is_finished());
}

#[tokio::test]
async fn outcomes_and_settings_of_a_retry_are_chosen() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]).truncates(["c"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).truncates([]);
    let mut settings = Overrides::default();
    settings.push("generationConfig.maxOutputTokens", "4096", "--set");
    let options = RetryOptions { only: vec![Outcome::Truncated], settings, native: false, max_cost: None };
    let Retried { report, .. } = world.retry(&mut run, &options).await.unwrap();
    assert_eq!((report.accounting.answered, report.accounting.request_error), (3, 1));
    let sent = world.store.read(&run.state().shards[1].staged.name).unwrap();
    assert_snapshot!(std::str::from_utf8(&sent).unwrap(), @r#"{"key":"r2","request":{"contents":[{"role":"user","parts":[{"text":"c"}]}],"generationConfig":{"maxOutputTokens":4096}}}"#);
    // The run itself asks what it always did.
    assert!(run.state().spec.request.generation_config.is_none());
    let report = world.retry(&mut run, &RetryOptions::default()).await.unwrap().report;
    assert_eq!(report.accounting.answered, 4);
    let sent = world.store.read(&run.state().shards[2].staged.name).unwrap();
    assert!(!String::from_utf8_lossy(&sent).contains("generationConfig"));
}

#[tokio::test]
async fn what_cannot_be_retried_is_told() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    let mut told = Vec::new();
    for (only, path, native) in [
        (vec![Outcome::Answered], "model", false),
        (vec![Outcome::Skipped], "model", false),
        (Vec::new(), "target.project", false),
        (Vec::new(), "generationconfig.seed", false),
        (Vec::new(), "model", true),
    ] {
        let mut settings = Overrides::default();
        settings.push(path, "x", format!("--set {path}"));
        let error = world.retry(&mut run, &RetryOptions { only, settings, native, max_cost: None }).await.unwrap_err();
        told.push(format!("{error}; {}", error.hint().unwrap_or_default()));
    }
    assert_snapshot!(told.join("\n"), @r#"
    records that are answered are not retried; begin a new run to ask about answered records again
    records that are skipped are not retried; begin a run that does not skip them
    --set target.project: "target.project" is no setting of the request; only what is asked can be changed here
    --set generationconfig.seed: "generationconfig.seed" is no setting of the request; only what is asked can be changed here
    a resume by the service asks the same requests again; leave out --native, or the changed settings
    "#);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_retry_that_may_cost_too_much_is_refused_before_anything_is_begun() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]).truncates(["c"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]).truncates([]);
    let before = std::fs::read(run.path().join("run.json")).unwrap();
    let at_most = |usd, only: &[Outcome]| RetryOptions {
        only: only.to_vec(),
        max_cost: Some(MaxCost { usd, bound: CostBound::High }),
        ..RetryOptions::default()
    };
    // One record is cheaper than two, and one that may be long again is as dear as it can be.
    let mut told = Vec::new();
    for only in [&[Outcome::RequestError][..], &[Outcome::Truncated], &[]] {
        let error = world.retry(&mut run, &at_most(0.0, only)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Cost);
        told.push(error.to_string());
    }
    assert_snapshot!(told.join("\n"), @r"
    it may cost 0.000004 USD (high estimate), more than the 0 USD allowed
    it may cost 0.082 USD (high estimate), more than the 0 USD allowed
    it may cost 0.164 USD (high estimate), more than the 0 USD allowed
    ");
    assert_eq!(std::fs::read(run.path().join("run.json")).unwrap(), before);
    assert_eq!(std::fs::read_dir(run.path().join("retries")).unwrap().count(), 0);
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);

    // A round that was begun, and of which nothing was sent, is held against the ceiling once more.
    let (stopper, stop) = stopper();
    let (backends, context) = world.tools(stop);
    let stopper = Mutex::new(stopper);
    let events = Events::new(move |event| {
        if matches!(event, Event::Retrying { .. }) {
            stopper.lock().unwrap().stop();
        }
    });
    let context = Context { events, ..context };
    batch_pipeline::retry(&mut run, &backends, &context, None, &at_most(1.0, &[])).await.unwrap_err();
    assert_eq!(run.state().rounds.len(), 1);
    assert_eq!(world.retry(&mut run, &at_most(0.0, &[])).await.unwrap_err().kind(), Kind::Cost);
    let retried = world.retry(&mut run, &at_most(1.0, &[])).await.unwrap();
    assert_eq!((retried.report.accounting.answered, retried.resumed), (4, true));
    // Nothing is left to ask, at no cost.
    assert_eq!(world.retry(&mut run, &at_most(0.0, &[])).await.unwrap().round, None);
}

#[tokio::test]
async fn a_failure_never_takes_the_place_of_an_answer_and_the_newest_failure_is_told() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]).truncates(["c"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    // The other way round in the second round.
    world.fails(["c"]).truncates([]);
    let report = world.retry(&mut run, &RetryOptions::default()).await.unwrap().report;
    assert_eq!((report.accounting.answered, report.accounting.request_error), (3, 1));
    assert_snapshot!(answers(&run), @r"
    a answered A
    b answered B
    c request_error
    d answered D
    ");
    assert!(report.accounting.is_balanced());
}

#[tokio::test]
async fn an_unfinished_retry_goes_on_by_run_and_by_retry_and_no_other_is_begun() {
    for by_run in [true, false] {
        let world = World::new();
        let spec = world.table(TABLE).spec("");
        world.fails(["b"]);
        let mut run = world.open(&spec).unwrap();
        world.go(&mut run, Stop::never()).await.unwrap();
        world.fails([]);
        // The job of the retry is refused: the process ends.
        world.goes_wrong([Wrong::NoCreate, Wrong::NoCreate, Wrong::NoCreate]);
        let error = world.retry(&mut run, &RetryOptions::default()).await.unwrap_err();
        assert_eq!(error.hint(), Some("run it again: the job is looked for before another is created"));
        assert!(!run.state().is_finished());
        drop(run);
        let mut run = world.open(&spec).unwrap();
        assert!(run.is_resumed());
        let report = if by_run {
            world.go(&mut run, Stop::never()).await.unwrap()
        } else {
            let other = RetryOptions { only: vec![Outcome::Missing], ..RetryOptions::default() };
            let error = world.retry(&mut run, &other).await.unwrap_err();
            assert_eq!(error.to_string(), "retry 1 of this run is not finished, and was begun with other options");
            let retried = world.retry(&mut run, &RetryOptions::default()).await.unwrap();
            assert_eq!((retried.round, retried.resumed), (Some(1), true));
            retried.report
        };
        assert_eq!(report.accounting.answered, 4);
        assert_eq!(run.state().rounds.len(), 1);
        assert_eq!(*world.jobs.created.lock().unwrap(), 2);
    }
}

#[tokio::test]
async fn jobs_that_failed_as_a_whole_are_retried_too() {
    let world = World::new();
    let spec = world.table(TABLE).spec("[limits]\nrequests = 2\n");
    world.goes_wrong([Wrong::FailedJob, Wrong::FailedJob]);
    let mut run = world.open(&spec).unwrap();
    assert_eq!(world.go(&mut run, Stop::never()).await.unwrap_err().kind(), Kind::Job);
    assert!(run.state().is_finished());
    // One of two fails again.
    world.goes_wrong([Wrong::FailedJob]);
    let report = world.retry(&mut run, &RetryOptions::default()).await.unwrap().report;
    assert_eq!((report.accounting.answered, report.accounting.missing), (2, 2));
    let report = world.retry(&mut run, &RetryOptions::default()).await.unwrap().report;
    assert_eq!((report.accounting.answered, run.state().shards.len()), (4, 5));
}

#[tokio::test]
async fn a_part_of_the_table_is_asked_and_the_rest_is_skipped() {
    let world = World::new();
    let rows: String = (0..50).map(|row| format!("t{row}\n")).collect();
    let spec = world.table(&format!("text\n{rows}")).spec("[limits]\nrequests = 3\n[evaluate]\nexpected = 'text'\n");
    let mut run = world.open_part(&spec, Selection::Sample(7)).unwrap();
    world.fails(["t"]);
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    let counts = (report.accounting.records, report.accounting.request_error, report.accounting.skipped);
    assert_eq!(counts, (50, 7, 43));
    assert_eq!(report.evaluation.unwrap().total, 7);
    assert_eq!(run.state().shards.iter().map(|shard| shard.records).collect::<Vec<_>>(), [3, 3, 1]);
    world.fails([]);
    let report = world.retry(&mut run, &RetryOptions::default()).await.unwrap().report;
    assert_eq!((report.accounting.answered, report.accounting.skipped), (7, 43));
    assert!(report.accounting.is_balanced());
    // Another part is another run.
    let other = world.open_part(&spec, Selection::Limit(7)).unwrap();
    assert_ne!(other.state().fingerprint, run.state().fingerprint);
}

#[tokio::test]
async fn any_prediction_file_can_be_joined_alone_by_the_manifest() {
    let world = World::new();
    let spec = world.table("text\na\nb\nc\nd\ne\n").spec("[limits]\nrequests = 2\n");
    world.fails(["b", "e"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]);
    world.retry(&mut run, &RetryOptions::default()).await.unwrap();
    let mut rows = Vec::new();
    read_manifest(&run.path().join(MANIFEST), |key, row| rows.push((key.to_owned(), row))).unwrap();
    let shards = |wanted: usize| {
        let of_shard = rows.iter().filter(move |(_, row)| row.shard == wanted);
        of_shard.map(|(key, row)| (key.as_str(), row.index)).collect::<Vec<_>>()
    };
    assert_eq!(shards(0), [("r0", 0), ("r1", 1)]);
    assert_eq!(shards(2), [("r4", 4)]);
    assert_eq!(shards(3), [("r1", 1), ("r4", 4)]);
    for shard in &run.state().shards {
        // The range of every line is where the line is.
        let staged = world.store.read(&shard.staged.name).unwrap();
        let mut bytes = 0;
        for (key, row) in rows.iter().filter(|(_, row)| row.shard == shard.index) {
            let from = usize::try_from(row.byte).unwrap();
            let line = &staged[from..from + usize::try_from(row.bytes).unwrap()];
            assert!(line.starts_with(format!("{{\"key\":\"{key}\",").as_bytes()) && line.ends_with(b"\n"));
            bytes += row.bytes;
        }
        assert_eq!(bytes, shard.bytes);
        // The file of one shard alone: its records have an outcome, and all others are none of its business.
        let file = run.path().join(&shard.attempts[0].collected.as_ref().unwrap()[0].path);
        let records: Vec<u64> = shards(shard.index).into_iter().map(|(_, index)| index).collect();
        let join = join_of(&spec, &world.path("table.csv"), vec![file.into()]).unwrap();
        let summary = join.skip(move |index| !records.contains(&index)).run(&mut std::io::sink(), &mut |_| {}).unwrap();
        assert_eq!(summary.outcomes.get(Outcome::Missing), 0);
        assert_eq!(summary.outcomes.get(Outcome::Skipped), 5 - shard.records);
    }
    assert_eq!(UNANSWERED.len() + 2, Outcome::ALL.len());
}

#[tokio::test]
async fn the_service_resumes_its_own_output_where_that_is_all_that_is_wanted() {
    let world = World::new();
    let spec = world.table(TABLE).spec("[limits]\nrequests = 2\n");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.fails([]);
    world.told();
    let native = RetryOptions { native: true, ..RetryOptions::default() };
    let report = world.retry(&mut run, &native).await.unwrap().report;
    assert_eq!(report.accounting.answered, 4);
    assert_eq!(run.state().shards.len(), 2);
    let attempts = &run.state().shards[0].attempts;
    let directory = attempts[0].output_info.as_ref().unwrap().gcs_output_directory.clone().unwrap();
    let input = attempts[1].input.as_ref().unwrap().uris().first().copied().map(str::to_owned);
    assert_eq!(input, Some(format!("{directory}/predictions.jsonl")));
    assert_snapshot!(world.told().join("\n"), @r"
    retry 1: 1 by the service
    submitted 0
    0 JOB_STATE_RUNNING
    0 JOB_STATE_SUCCEEDED
    collected 0: 1
    ");
    assert_eq!(run.state().shards[1].attempts.len(), 1);
}

#[tokio::test]
async fn a_resume_that_would_do_something_else_is_refused_with_the_records() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["a"]).truncates(["b", "c"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    let native = RetryOptions { native: true, ..RetryOptions::default() };
    let error = world.retry(&mut run, &native).await.unwrap_err();
    assert_snapshot!(error, @"the service cannot resume: 2 truncated (r1, r2) have a response, which the service would keep");
    assert!(error.hint().unwrap().contains("without --native"));
    assert!(run.state().rounds.is_empty() && run.state().is_finished());
}

#[tokio::test]
async fn a_resume_asks_nothing_again_that_a_later_round_has_answered() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["a"]).ignores(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.ignores([]);
    let only = RetryOptions { only: vec![Outcome::Empty], ..RetryOptions::default() };
    assert_eq!(world.retry(&mut run, &only).await.unwrap().report.accounting.answered, 3);
    let native = RetryOptions { native: true, ..RetryOptions::default() };
    let error = world.retry(&mut run, &native).await.unwrap_err();
    assert_snapshot!(error, @"the service cannot resume: predictions/s00000-a1/predictions.jsonl has 2 rows without a response, and 1 of them are wanted");
}

#[tokio::test]
async fn a_retry_of_a_table_that_has_changed_is_refused() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    let results = read(&run, "results.csv");
    // A row more in front: every key is another record's now.
    world.fails([]).table("text\nx\na\nb\nc\nd\n");
    let error = world.retry(&mut run, &RetryOptions::default()).await.unwrap_err();
    assert!(error.to_string().ends_with("table.csv has changed since the run was begun"), "{error}");
    assert_eq!(*world.jobs.created.lock().unwrap(), 1);
    assert_eq!(read(&run, "results.csv"), results);
    // With the table as it was it goes on.
    world.table(TABLE);
    assert_eq!(world.retry(&mut run, &RetryOptions::default()).await.unwrap().report.accounting.answered, 4);
}

#[tokio::test]
async fn a_setting_that_cannot_be_asked_with_begins_no_retry() {
    let world = World::new();
    let spec = world.table(TABLE).spec("[limits]\nbytes = 100\n");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    let shards = run.state().shards.len();
    world.fails([]);
    let options = |prompt: &str| {
        let mut settings = Overrides::default();
        settings.push("prompt", prompt, "--set prompt");
        RetryOptions { settings, ..RetryOptions::default() }
    };
    let error = world.retry(&mut run, &options("{{ txet }}")).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Input);
    assert!(run.state().rounds.is_empty() && run.state().is_finished());
    // What shows only while the lines are built has sent nothing: another retry takes its place.
    let long = format!("{{{{ text }}}} {}", "x".repeat(100));
    assert_eq!(world.retry(&mut run, &options(&long)).await.unwrap_err().kind(), Kind::Input);
    assert_eq!(run.state().rounds.len(), 1);
    let Retried { report, round, resumed } = world.retry(&mut run, &options("{{ text }}!")).await.unwrap();
    assert_eq!((report.accounting.answered, round, resumed), (4, Some(1), false));
    assert_eq!((run.state().rounds.len(), run.state().shards.len()), (1, shards + 1));
    assert_eq!(*world.jobs.created.lock().unwrap() as usize, shards + 1);
    assert!(answers(&run).contains("b answered B!"));
}

#[tokio::test]
async fn a_resume_that_fails_as_a_whole_takes_no_answer_away() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.goes_wrong([Wrong::FailedJob]);
    let native = RetryOptions { native: true, ..RetryOptions::default() };
    let report = world.retry(&mut run, &native).await.unwrap().report;
    assert_eq!((report.accounting.answered, report.accounting.request_error), (3, 1));
    assert_eq!(report.jobs.len(), 2);
}

#[tokio::test]
async fn answers_that_the_service_carries_over_are_paid_for_once() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.fails(["b"]);
    let mut run = world.open(&spec).unwrap();
    let before = world.go(&mut run, Stop::never()).await.unwrap().spending;
    assert_eq!(before.usage.all().answers(), 3);
    world.fails([]);
    let native = RetryOptions { native: true, ..RetryOptions::default() };
    let after = world.retry(&mut run, &native).await.unwrap().report;
    assert_eq!((after.join.duplicates, after.spending.usage.all().answers()), (4, 4));
    assert_eq!(after.spending.superseded.all().answers(), 0);
    assert_eq!(after.spending.total_usd, after.spending.cost.and_then(|cost| cost.total()));
}

#[tokio::test]
async fn answers_of_another_model_are_priced_as_that_models() {
    let world = World::new();
    let spec = world.table(TABLE).spec("");
    world.truncates(["b"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    world.truncates([]);
    let mut settings = Overrides::default();
    settings.push("model", "gemini-2.5-pro", "--set model");
    let report = world.retry(&mut run, &RetryOptions { settings, ..RetryOptions::default() }).await.unwrap().report;
    let each = |model: &str| {
        let mut totals = UsageTotals::default();
        totals.add_counts(&UsageCounts { prompt: 1, candidates: 1, ..UsageCounts::default() });
        prices::cost(prices::find(&model.parse().unwrap()).unwrap(), &totals).total().unwrap()
    };
    let (flash, pro) = (each("gemini-2.5-flash"), each("gemini-2.5-pro"));
    // Three answers and one that was cut; one answer of the other model.
    let total = report.spending.total_usd.unwrap();
    assert!((total - (4.0 * flash + pro)).abs() < 1e-12, "{total}");
    let cell = |key: &str| {
        let results = read(&run, "results.csv");
        let line = results.lines().find(|line| line.starts_with(key)).unwrap().to_owned();
        line.rsplit(',').next().unwrap().parse::<f64>().unwrap()
    };
    assert!((cell("b,") - pro).abs() < 1e-9 && (cell("a,") - flash).abs() < 1e-9);
}
