//! From the name of a job to its predictions, and to a run that is made of jobs alone.

use batch_backend::JobService;
use batch_io::Outcome;
use batch_model::{BatchPredictionJob, JobName};
use batch_pipeline::{
    Fate, Overrides, RetryOptions, RunDir, RunDirOptions, Selection, Spec, Stop, adopt, collect, download,
    find_remnants, is_of, jobs_of_run, wait, wait_for_job,
};

use crate::world::{TABLE, THREE_SHARDS, World, names};

#[tokio::test]
async fn a_jobs_name_is_enough_to_find_the_whole_run() {
    let world = World::new();
    let (run, spec) = world.submitted().await;
    let (of_run, second) = (names(&run), names(&run)[1].clone());
    let gone = run.path().to_owned();
    drop(run);
    std::fs::remove_dir_all(&gone).unwrap();

    // Nothing is left but the name of one of its jobs.
    let jobs = &world.jobs;
    let job = wait_for_job(&second, jobs, &spec.poll, &world.context()).await.unwrap();
    let files = download(&world.store, &job, &world.path("files"), &world.context()).await.unwrap();
    let files: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(files, ["predictions/predictions.jsonl"]);

    let all = jobs_of_run(jobs, &job).await.unwrap();
    let found: Vec<JobName> = all.iter().map(|job| job.name.as_deref().unwrap().parse().unwrap()).collect();
    assert_eq!(found, of_run, "in order of their shards");
    let mut run = adopt(&spec, &world.path("table.csv"), &all, &world.path("adopted"), &world.clock).unwrap();
    assert_eq!(is_of(&run, &job), Some(true));
    wait(&mut run, &world.backends(), &world.context()).await.unwrap();
    let collected = collect(&mut run, &world.backends(), &world.context(), false, None).await.unwrap();
    assert_eq!(collected.report.unwrap().accounting.answered, 5);
    assert_eq!(*world.jobs.created.lock().unwrap(), 3);

    // Of another spec the job says so itself.
    let other = world.spec("[limits]\nrequests = 3\n");
    let run = adopt(&other, &world.path("table.csv"), &all, &world.path("other"), &world.clock).unwrap();
    assert_eq!(is_of(&run, &job), Some(false));
}

#[tokio::test]
async fn a_job_of_others_stands_alone() {
    let world = World::new();
    let mut job = BatchPredictionJob::default();
    job.name = Some("projects/1/locations/us-central1/batchPredictionJobs/7".to_owned());
    assert_eq!(jobs_of_run(&world.jobs, &job).await.unwrap(), std::slice::from_ref(&job));
    let run = adopt(
        &world.table(TABLE).spec(""),
        &world.path("table.csv"),
        &[job.clone()],
        &world.path("adopted"),
        &world.clock,
    )
    .unwrap();
    assert_eq!(is_of(&run, &job), None);
    // What it reads and writes is not ours to remove.
    let remnants = find_remnants(run.state(), run.path(), &world.backends(), &world.context(), true).await.unwrap();
    assert!(
        remnants.iter().take(2).all(|remnant| remnant.fate == Fate::Kept("the job was not made by a run".to_owned())),
        "{remnants:?}"
    );
}

#[tokio::test]
async fn an_adopted_run_knows_its_rounds() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    world.fails(["b", "d"]);
    let mut run = world.open(&spec).unwrap();
    world.go(&mut run, Stop::never()).await.unwrap();
    // One is cut in the second round, and asked again by the service in the third for nothing; the other is
    // answered.
    world.fails(["d"]).truncates(["b"]);
    let only = |outcome| RetryOptions { only: vec![outcome], ..RetryOptions::default() };
    world.retry(&mut run, &only(Outcome::RequestError)).await.unwrap();
    let native = RetryOptions { native: true, ..only(Outcome::RequestError) };
    world.fails(["d"]).truncates([]);
    world.retry(&mut run, &native).await.unwrap();
    let report = world.retry(&mut run, &only(Outcome::Blocked)).await.unwrap().report;
    assert_eq!((report.accounting.truncated, report.accounting.request_error), (1, 1));

    let jobs = &world.jobs;
    let job = jobs.get(&names(&run)[0]).await.unwrap();
    let all = jobs_of_run(jobs, &job).await.unwrap();
    assert_eq!(all.len(), 5, "every attempt");
    let mut adopted = adopt(&spec, &world.path("table.csv"), &all, &world.path("adopted"), &world.clock).unwrap();
    let rounds = |run: &RunDir| {
        let shards = run.state().shards.iter();
        shards.flat_map(|shard| shard.attempts.iter().map(|attempt| (shard.round, attempt.round))).collect::<Vec<_>>()
    };
    assert_eq!(rounds(&adopted), rounds(&run));
    assert_eq!(rounds(&adopted), [(0, 0), (0, 0), (0, 0), (1, 1), (1, 2)]);
    let there = collect(&mut adopted, &world.backends(), &world.context(), false, None).await.unwrap().report.unwrap();
    assert_eq!(there.accounting, report.accounting);
    let read = |run: &RunDir| std::fs::read_to_string(run.path().join("results.csv")).unwrap();
    assert_eq!(read(&adopted), read(&run));

    // It can be asked again as any other, in a round of its own.
    world.fails([]);
    let retried = world.retry(&mut adopted, &RetryOptions::default()).await.unwrap();
    assert_eq!((retried.report.accounting.answered, retried.round), (5, Some(3)));
    assert_eq!(adopted.state().shards.len(), 5);
}

#[tokio::test]
async fn an_adopted_run_knows_the_part_that_was_asked_about() {
    for part in [Selection::Limit(2), Selection::Sample(2)] {
        let world = World::new();
        let spec = world.table(TABLE).spec("");
        let mut run = world.open_part(&spec, part).unwrap();
        let report = world.go(&mut run, Stop::never()).await.unwrap();
        let job = world.jobs.get(&names(&run)[0]).await.unwrap();
        let mut adopted =
            adopt(&spec, &world.path("table.csv"), std::slice::from_ref(&job), &world.path("adopted"), &world.clock)
                .unwrap();
        assert_eq!(is_of(&adopted, &job), Some(true));
        let there = collect(&mut adopted, &world.backends(), &world.context(), false, None).await.unwrap();
        assert_eq!(there.report.unwrap().accounting, report.accounting);
        // Nothing of the rest is asked.
        assert_eq!(world.retry(&mut adopted, &RetryOptions::default()).await.unwrap().round, None);
    }
}

/// The run of a job's siblings, adopted under `spec`, and what it reports.
async fn adopted(world: &World, run: &RunDir, spec: &Spec, name: &str) -> (RunDir, batch_pipeline::Report) {
    let job = world.jobs.get(&names(run)[0]).await.unwrap();
    let all = jobs_of_run(&world.jobs, &job).await.unwrap();
    let mut adopted = adopt(spec, &world.path("table.csv"), &all, &world.path(name), &world.clock).unwrap();
    let collected = collect(&mut adopted, &world.backends(), &world.context(), false, None).await.unwrap();
    (adopted, collected.report.unwrap())
}

fn changed(settings: &[(&str, &str)]) -> Overrides {
    let mut overrides = Overrides::default();
    settings.iter().for_each(|(name, value)| overrides.push(*name, *value, "--set"));
    overrides
}

#[tokio::test]
async fn an_adopted_run_has_the_model_that_its_jobs_asked() {
    let world = World::new();
    let spec = world.table(TABLE).spec(THREE_SHARDS);
    let mut run = world.open(&spec).unwrap();
    let report = world.go(&mut run, Stop::never()).await.unwrap();
    // The spec was edited since, or was run with flags that nobody remembers.
    let other = spec.with_request(&changed(&[("model", "gemini-2.5-pro")])).unwrap();
    let (adopted, there) = adopted(&world, &run, &other, "adopted").await;
    assert_eq!((&there.model, &there.spending), (&report.model, &report.spending));
    let job = world.jobs.get(&names(&run)[0]).await.unwrap();
    assert_eq!(is_of(&adopted, &job), Some(true), "it is that spec otherwise");
    assert_eq!(batch_pipeline::cached_before(&job), 0);
}

#[tokio::test]
async fn an_adopted_run_knows_that_a_retry_asked_otherwise_and_reads_what_it_asked() {
    let world = World::new();
    let spec = world.table(TABLE).spec("[request.generationConfig]\nmaxOutputTokens = 9\n");
    let results = |run: &RunDir| std::fs::read_to_string(run.path().join("results.csv")).unwrap();
    for (settings, is_unknown) in [
        (vec![], false),
        (vec![("model", "gemini-2.5-pro")], false),
        (vec![("generationConfig.responseMimeType", "application/json")], true),
        (vec![("generationConfig.responseMimeType", "application/json"), ("model", "gemini-2.5-pro")], true),
    ] {
        world.fails(["b"]);
        world.clock.later(1);
        let options = RunDirOptions { root: Some(world.path("runs")), new: true, ..RunDirOptions::default() };
        let mut run = RunDir::open(&spec, &world.path("table.csv"), &options, &world.clock).unwrap();
        world.go(&mut run, Stop::never()).await.unwrap();
        world.fails([]);
        let options = RetryOptions { settings: changed(&settings), ..RetryOptions::default() };
        let report = world.retry(&mut run, &options).await.unwrap().report;
        // No JSON, where it was to be.
        assert_eq!(report.accounting.invalid_answer, u64::from(is_unknown));

        let (adopted, there) = adopted(&world, &run, &spec, &run.state().id).await;
        assert_eq!((there.accounting, &there.spending), (report.accounting, &report.spending), "{settings:?}");
        assert_eq!(results(&adopted), results(&run));
        assert_eq!(adopted.state().rounds[0].unknown_settings, is_unknown, "{settings:?}");
        let asked = &adopted.state().spec_of(1).request.model;
        assert_eq!(asked.contains("pro"), settings.iter().any(|(name, _)| *name == "model"));
    }
}
