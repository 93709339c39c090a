//! Runs that are killed again and again while the service fails at random, and end all the same as one
//! that nobody disturbed.
//!
//! Everything is drawn from a seed: which services are used, how likely faults are, which of them happen,
//! at which request a process is killed, what is typed next. Requests of several jobs come in an order
//! that no seed decides, so a seed leads to the same kind of story rather than to the same story.
//!
//! A few seeds are tried each time. `BATCH_CHAOS_SEEDS=200` tries 200, `BATCH_CHAOS_SEEDS=17..18` that one.

#![expect(clippy::print_stderr, reason = "what was tried is told to whoever tries seeds")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    process::{Child, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use batch_emulator::{Config, Emulator, Faults, JobsConfig};
use serde_json::Value;

use crate::{
    cloud::{Cloud, Job},
    context::{Context, Ran},
};

const PROJECT: &str = "chaos-project";
const LOCATION: &str = "us-central1";
/// The bucket, and the dataset.
const PLACE: &str = "chaos";
/// The records of the table.
const ROWS: usize = 40;
/// The requests of a job, at most.
const PER_JOB: usize = 7;
/// How often the processes of one command may be killed.
const KILLS: u64 = 6;
/// How often what is not answered may be asked again.
const RETRIES: usize = 25;
/// How often one command may give up because the service failed too often in a row.
const GIVE_UPS: usize = 10;
/// What it says then: a call failed six times, a job was neither created nor found three times, a load job
/// failed.
const GIVES_UP: [&str; 3] = ["(after 6 attempts)", "run it again: the job is looked for", "backendError"];

/// Numbers from a seed: SplitMix64.
struct Random(u64);

impl Random {
    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// What happened in all the stories.
#[derive(Debug, Default)]
struct Tally {
    processes: AtomicU64,
    kills: AtomicU64,
    gave_up: AtomicU64,
    rounds: AtomicU64,
    jobs: AtomicU64,
    failed_jobs: AtomicU64,
    requests: AtomicU64,
    refused_requests: AtomicU64,
    dropped_connections: AtomicU64,
    failed_rows: AtomicU64,
    lost_rows: AtomicU64,
    doubled_rows: AtomicU64,
}

fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

/// Where request lines are staged, and predictions written.
fn places(seed: u64) -> [String; 2] {
    let (storage, bigquery) = (format!("gs://{PLACE}"), format!("bq://{PROJECT}.{PLACE}"));
    match seed % 4 {
        0 | 1 => [format!("{storage}/in"), format!("{storage}/out")],
        2 => [format!("{storage}/in"), bigquery],
        _ => [bigquery.clone(), bigquery],
    }
}

/// A folder with a spec and a table, and an emulator beside it.
struct World {
    context: Context,
    emulator: Emulator,
    _runtime: tokio::runtime::Runtime,
}

impl World {
    fn new(seed: u64, jobs: JobsConfig) -> Self {
        let context = Context::new();
        let mut table = String::from("id,text,expected\n");
        for row in 0..ROWS {
            // The same text twice is the same request, but not the same record.
            let text = if row % 10 == 9 { row - 1 } else { row };
            let kind = ["good", "bad", "neither"][text % 3];
            table += &format!("k{row},\"Review {text}, \"\"quoted\"\",\nof two lines; größer 語\",{kind}\n");
        }
        context.write("table.csv", table);
        let [input, output] = places(seed);
        context.write(
            "batch.toml",
            format!(
                r#"version = 1

[input]
path = "table.csv"
key = "id"

[request]
model = "gemini-2.5-flash"
prompt = "Judge: {{{{ text }}}}"

[request.generationConfig]
responseMimeType = "application/json"

[request.generationConfig.responseSchema]
type = "OBJECT"
required = ["verdict", "why"]

[request.generationConfig.responseSchema.properties]
verdict = {{ type = "STRING", enum = ["good", "bad", "neither"] }}
why = {{ type = "STRING" }}

[target]
project = "{PROJECT}"
location = "{LOCATION}"
input = "{input}"
output = "{output}"

[limits]
requests = {PER_JOB}
jobs = 3

[poll]
first = 0.05
steady = 0.05

[evaluate]
expected = "expected"
answer = "verdict"
"#
            ),
        );
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let config = Config {
            buckets: vec![PLACE.to_owned()],
            datasets: vec![format!("{PROJECT}.{PLACE}={LOCATION}")],
            seed,
            jobs,
            ..Config::default()
        };
        let emulator = runtime.block_on(Emulator::start(config)).unwrap();
        Self { context, emulator, _runtime: runtime }
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.context.command(args);
        let url = self.emulator.url();
        command.envs(
            ["STORAGE_EMULATOR_HOST", "BIGQUERY_EMULATOR_HOST", "GOOGLE_VERTEX_BASE_URL"].map(|name| (name, url)),
        );
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// A command that nobody disturbs.
    fn ran(&self, args: &[&str]) -> Ran {
        self.context.ran(&self.spawn(args).wait_with_output().unwrap())
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.context.read(name)).unwrap()
    }

    fn cloud(&self) -> Cloud {
        Cloud::at(self.emulator.url(), PROJECT)
    }

    /// All that lies in the bucket and in the dataset.
    fn things(&self) -> Vec<String> {
        let mut things = self.cloud().objects(PLACE, "");
        things.extend(self.cloud().tables(PLACE));
        things
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept for a look: {}", self.context.keep().display());
        }
    }
}

/// A story that goes on: what is disturbed, and by what.
struct Story<'a> {
    world: World,
    random: Random,
    tally: &'a Tally,
}

impl Story<'_> {
    /// A command, killed once the emulator has seen so many more requests and a moment has passed: `None`
    /// where it was. What it sends in that moment is on its way when it dies.
    fn process(&mut self, args: &[&str], may_be_killed: bool) -> Option<Ran> {
        add(&self.tally.processes, 1);
        let kill_at = match may_be_killed {
            // Most die early, where a run has little behind it, and some at any point of a whole run.
            true => {
                let far = [3, 10, 30, 60][self.random.below(4) as usize];
                self.seen() + self.random.below(far) as usize
            }
            false => usize::MAX,
        };
        let moment = Duration::from_millis(self.random.below(60));
        let mut child = self.world.spawn(args);
        loop {
            if child.try_wait().unwrap().is_some() {
                return Some(self.world.context.ran(&child.wait_with_output().unwrap()));
            }
            if kill_at <= self.seen() {
                thread::sleep(moment);
                child.kill().unwrap();
                let output = child.wait_with_output().unwrap();
                if output.status.code().is_some() {
                    // It was quicker.
                    return Some(self.world.context.ran(&output));
                }
                add(&self.tally.kills, 1);
                return None;
            }
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn seen(&self) -> usize {
        self.world.emulator.requests().len()
    }

    /// One of the commands after the other, until one ends by itself.
    fn until_done(&mut self, commands: &[&[&str]]) {
        let kills = self.random.below(KILLS + 1);
        let (mut killed, mut gave_up) = (0, 0);
        loop {
            let command = commands[self.random.below(commands.len() as u64) as usize];
            let Some(ran) = self.process(command, killed < kills) else {
                killed += 1;
                continue;
            };
            match ran.code {
                Some(0 | 1) => return,
                // Nothing to join: that is asked again, as anything else that is not answered.
                Some(2) if ran.stderr.contains("answered nothing") => return,
                // The service failed too often in a row, and the same command goes on.
                Some(2) if GIVES_UP.iter().any(|words| ran.stderr.contains(words)) && gave_up < GIVE_UPS => {
                    gave_up += 1;
                    add(&self.tally.gave_up, 1);
                }
                _ => panic!("{command:?} ended otherwise than it should: {}", ran.show()),
            }
        }
    }

    /// Lets happen what is too seldom where there are few jobs.
    fn provoke(&mut self, faults: &Faults) {
        for name in ["job-failed", "job-expired", "lost-create", "lost-upload-response"] {
            faults.set(name, self.random.below(3)).unwrap();
        }
    }

    /// Whether every record has its answer.
    fn is_answered(&self) -> bool {
        // Where nothing was answered there is no report.
        let context = &self.world.context;
        context.exists("run/report.json") && self.world.json("run/report.json")["accounting"]["answered"] == ROWS
    }

    fn count_requests(&self) {
        let requests = self.world.emulator.requests();
        let is_refused = |status: u16| status == 429 || 500 <= status;
        let refused = requests.iter().filter(|request| request.status.is_some_and(is_refused));
        add(&self.tally.requests, requests.len());
        add(&self.tally.refused_requests, refused.count());
        add(&self.tally.dropped_connections, requests.iter().filter(|request| request.status.is_none()).count());
    }
}

const RUN: [&str; 6] = ["run", "batch.toml", "--run-dir", "run", "--progress", "none"];
const RETRY: [&str; 4] = ["retry", "run", "--progress", "none"];

/// The whole story of a seed.
fn story(seed: u64, tally: &Tally) {
    let mut random = Random(seed);
    let delay = Duration::from_millis(random.below(150));
    let jobs = JobsConfig { queue_delay: delay / 3, run_delay: delay, ..JobsConfig::default() };
    let world = World::new(seed, jobs);
    let faults = world.emulator.faults().clone();
    faults.set_random(seed, 20 + random.below(40) as u16);
    let mut story = Story { world, random, tally };

    story.provoke(&faults);
    story.until_done(&[&RUN]);
    let mut retries = 0;
    while !story.is_answered() {
        assert!(retries < RETRIES, "not answered after {retries} retries");
        retries += 1;
        if retries < 3 {
            story.provoke(&faults);
        }
        // A retry that was killed goes on by either command.
        story.until_done(&[&RETRY, &RETRY, &RUN]);
    }
    faults.set_random(seed, 0);
    story.count_requests();

    let world = story.world;
    check_results(&world, seed);
    check_jobs(&world, tally);
    check_directory(&world.context.path("run"));
    check_cache(&world);
    check_cleaning(&world);
}

/// The results are those of a run that nobody disturbed.
fn check_results(world: &World, seed: u64) {
    // Of the same seed: what is answered, and what it costs, depends on that and on the request alone.
    let calm = World::new(seed, JobsConfig::default());
    calm.ran(&RUN).expect(0);
    let (came, wanted) = (world.json("run/report.json"), calm.json("run/report.json"));
    assert_eq!(came["accounting"], wanted["accounting"]);
    assert_eq!(came["accounting"]["records"], ROWS);
    assert_eq!(came["evaluation"], wanted["evaluation"]);
    for file in ["run/results.csv", "run/mismatches.csv"] {
        assert_eq!(world.context.read(file), calm.context.read(file), "{file}");
    }
    // Each record once, by its key: what an undisturbed run writes is not taken for granted either.
    let mut results = csv::Reader::from_reader(fs::File::open(world.context.path("run/results.csv")).unwrap());
    let keys: Vec<String> = results.records().map(|row| row.unwrap()[0].to_owned()).collect();
    assert_eq!(keys, (0..ROWS).map(|row| format!("k{row}")).collect::<Vec<_>>());
}

/// One job for each piece, one address for each piece, and one answer for each request.
fn check_jobs(world: &World, tally: &Tally) {
    let state = world.json("run/run.json");
    let jobs = world.cloud().jobs(LOCATION);
    let mut pieces = BTreeSet::new();
    for job in &jobs {
        assert_eq!(job.labels["batch_run"], state["id"], "a job of another run");
        assert!(pieces.insert(&job.labels["batch_shard"]), "two jobs for {}", job.labels["batch_shard"]);
    }
    let shards = state["shards"].as_array().unwrap();
    assert_eq!(jobs.len(), shards.len(), "a job for each shard");
    assert_eq!(world.json("run/report.json")["jobs"].as_array().unwrap().len(), jobs.len());

    // What is staged, under one name each; all else are predictions of the jobs.
    let staged: BTreeSet<&str> = jobs.iter().map(|job| &*job.input).collect();
    assert_eq!(staged.len(), jobs.len(), "two jobs have one input");
    for thing in world.things() {
        let of_a_job = jobs.iter().filter_map(|job| job.output.as_deref()).any(|output| thing.starts_with(output));
        assert!(of_a_job || staged.contains(&*thing), "{thing} is nobody's");
    }

    // Each round asks about what it lists, and each record is answered by one job.
    let (mut asked, mut answered) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    for job in &jobs {
        let keys = |lines: &[Value], wanted: fn(&Value) -> bool| {
            let keys = lines.iter().filter(|line| wanted(line)).map(|line| line["key"].as_str().unwrap().to_owned());
            keys.collect::<BTreeSet<String>>()
        };
        let in_job = keys(&job.asked, |_| true);
        assert_eq!(in_job.len(), job.asked.len(), "a record twice in one job");
        in_job.into_iter().for_each(|key| *asked.entry(key).or_default() += 1);
        let in_job = keys(&job.predictions, is_answer);
        in_job.into_iter().for_each(|key| *answered.entry(key).or_default() += 1);
        count_job(job, tally);
    }
    let mut listed: BTreeMap<String, usize> = (0..ROWS).map(|row| (format!("k{row}"), 1)).collect();
    let once = listed.clone();
    for round in state["rounds"].as_array().into_iter().flatten() {
        let list = world.context.path("run").join(round["list"].as_str().unwrap());
        for row in csv::Reader::from_path(list).unwrap().records() {
            *listed.get_mut(&row.unwrap()[0]).unwrap() += 1;
        }
        add(&tally.rounds, 1);
    }
    assert_eq!(asked, listed, "how often each record was asked about");
    assert_eq!(answered, once, "how often each record was answered");
}

fn is_answer(prediction: &Value) -> bool {
    prediction["response"]["candidates"][0].is_object()
}

fn count_job(job: &Job, tally: &Tally) {
    add(&tally.jobs, 1);
    add(&tally.failed_jobs, usize::from(job.state != "JOB_STATE_SUCCEEDED"));
    add(&tally.failed_rows, job.predictions.iter().filter(|prediction| !is_answer(prediction)).count());
    let keys: BTreeSet<&str> = job.predictions.iter().map(|prediction| prediction["key"].as_str().unwrap()).collect();
    add(&tally.lost_rows, job.asked.len() - keys.len());
    add(&tally.doubled_rows, job.predictions.len() - keys.len());
}

/// Nothing is left of what was being written when a process died.
fn check_directory(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_directory(&path);
        }
        assert!(path.extension().is_none_or(|extension| extension != "part"), "left over: {}", path.display());
    }
}

/// A new run of the same table asks nothing, and has the same results for nothing.
fn check_cache(world: &World) {
    let jobs = world.cloud().jobs(LOCATION).len();
    world.ran(&["run", "batch.toml", "--run-dir", "again", "--progress", "none"]).expect(0);
    assert_eq!(world.cloud().jobs(LOCATION).len(), jobs, "a new run asked again");
    assert_eq!(world.context.without_cost("again/results.csv"), world.context.without_cost("run/results.csv"));
    assert_eq!(world.json("again/report.json")["spending"]["total_usd"], 0.0);
}

/// What a run leaves in the cloud can all be taken away.
fn check_cleaning(world: &World) {
    world.ran(&["clean", "run", "--yes"]).expect(0);
    assert_eq!(world.things(), [""; 0]);
    assert_eq!(world.cloud().jobs(LOCATION).len(), 0);
}

/// The stories of some seeds, several at once: most of their time is spent waiting.
fn stories(seeds: &[u64]) {
    let at_once = 6 * thread::available_parallelism().map_or(1, usize::from);
    let (left, tally, failed) = (Mutex::new(seeds.iter()), Tally::default(), Mutex::new(BTreeSet::new()));
    let worker = || {
        loop {
            let next = left.lock().unwrap().next();
            let Some(&seed) = next else { return };
            let begun = Instant::now();
            let told = catch_unwind(AssertUnwindSafe(|| story(seed, &tally)));
            eprintln!("seed {seed}: {} s, {}", begun.elapsed().as_secs(), if told.is_ok() { "well" } else { "FAILED" });
            if told.is_err() {
                failed.lock().unwrap().insert(seed);
            }
        }
    };
    thread::scope(|scope| {
        for _ in seeds.iter().take(at_once) {
            scope.spawn(worker);
        }
    });
    eprintln!("{} seeds: {tally:?}", seeds.len());
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "BATCH_CHAOS_SEEDS=SEED..SEED+1 tries one of those that failed: {failed:?}");
}

#[test]
fn whatever_happens_each_record_is_answered_once() {
    let seeds: Vec<u64> = match std::env::var("BATCH_CHAOS_SEEDS") {
        Ok(text) => match text.split_once("..") {
            Some((first, end)) => (first.parse().unwrap()..end.parse().unwrap()).collect(),
            None => (0..text.parse().unwrap()).collect(),
        },
        // Short stories, one for each kind of place.
        Err(_) => vec![4, 10, 3],
    };
    stories(&seeds);
}
