//! Plans: the same shards as staging cuts, figures that hold, nothing left behind.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use batch_pipeline::{Kind, Plan, PlanOptions, Selection, Spec, Stop, plan};
use proptest::prelude::*;
use serde::Deserialize;

use crate::world::World;

fn options(world: &World) -> PlanOptions {
    PlanOptions { root: Some(world.path("runs")), ..PlanOptions::default() }
}

fn planned(world: &World, spec: &Spec, options: &PlanOptions) -> batch_pipeline::Result<Plan> {
    plan(spec, &world.path("table.csv"), options, &world.clock)
}

/// A text that was counted with the vocabulary of Gemma 3.
#[derive(Deserialize)]
struct Counted {
    name: String,
    text: String,
    tokens: u64,
}

/// The estimate of a text is near its count, for every kind of text there is in the file.
#[test]
fn prompts_have_about_as_many_tokens_as_are_estimated() {
    let counted: Vec<Counted> = serde_json::from_str(include_str!("data/tokens.json")).unwrap();
    let mut out = String::new();
    let (mut all, mut estimated) = (0, 0);
    for Counted { name, text, tokens } in &counted {
        let world = World::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["text"]).unwrap();
        csv.write_record([text]).unwrap();
        world.table(&String::from_utf8(csv.into_inner().unwrap()).unwrap());
        let input = planned(&world, &world.spec(""), &options(&world)).unwrap().estimate.input;
        // What no vocabulary has words for is beyond every rate.
        if name != "base64" {
            assert!(input.low <= *tokens && *tokens <= input.high, "{name}: {tokens} is not in {input:?}");
        }
        #[expect(clippy::cast_precision_loss, reason = "small counts")]
        let ratio = input.expected as f64 / *tokens as f64;
        out.push_str(&format!("{name}: {tokens} counted, {} expected, {ratio:.2}\n", input.expected));
        all += tokens;
        estimated += input.expected;
    }
    out.push_str(&format!("all: {all} counted, {estimated} expected\n"));
    insta::assert_snapshot!(out);
}

/// Every file below a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn a_plan_leaves_nothing_behind() {
    let world = World::new();
    world.table("text\na\nb\n");
    let before = files(world.path("table.csv").parent().unwrap());
    planned(&world, &world.spec(""), &options(&world)).unwrap();
    assert_eq!(files(world.path("table.csv").parent().unwrap()), before);
    assert!(!world.path("runs").exists());
}

#[tokio::test]
async fn a_plan_knows_the_runs_of_the_same_spec_and_what_they_have_cost() {
    let world = World::new();
    world.table("text\na\nb\n");
    let spec = world.spec("");
    let mut run = world.open(&spec).unwrap();
    let before = planned(&world, &spec, &options(&world)).unwrap();
    assert_eq!(before.runs[0].stage, "staging");
    assert_eq!(before.fingerprint, run.state().fingerprint);
    world.go(&mut run, Stop::never()).await.unwrap();
    let after = planned(&world, &spec, &options(&world)).unwrap();
    assert_eq!((after.runs.len(), &*after.runs[0].stage), (1, "finished"));
    assert_eq!(after.runs[0].accounting.unwrap().answered, 2);
    let other = planned(&world, &world.spec("[request.generationConfig]\nseed = 1\n"), &options(&world)).unwrap();
    assert_eq!(other.runs, []);
}

#[test]
fn a_plan_is_the_same_after_it_was_written_and_read() {
    let world = World::new();
    world.table("text\na\nb\nc\n");
    let options = PlanOptions { selection: Some(Selection::Limit(2)), ..options(&world) };
    let made = planned(&world, &world.spec("[limits]\nrequests = 1\n"), &options).unwrap();
    assert_eq!((made.records, made.requests, made.shards.len()), (3, 2, 2));
    let file = world.path("plan.json");
    std::fs::write(&file, made.to_json().unwrap()).unwrap();
    assert_eq!(Plan::read(&file).unwrap(), made);
    made.verify(&world.clock).unwrap();
}

#[test]
fn what_has_changed_since_is_told() {
    let world = World::new();
    world.table("text\na\nb\n");
    std::fs::write(world.path("batch.toml"), "version = 1\n").unwrap();
    let options = PlanOptions { spec_file: Some(world.path("batch.toml")), ..options(&world) };
    let made = planned(&world, &world.spec(""), &options).unwrap();
    let refusal = |plan: &Plan| {
        let error = plan.verify(&world.clock).unwrap_err();
        assert_eq!(error.kind(), Kind::Changed);
        assert!(error.hint().unwrap().starts_with("plan again: `batch-cli plan "), "{error:?}");
        let folder = format!("{}/", world.path("table.csv").parent().unwrap().display());
        error.to_string().replace(&folder, "")
    };

    let mut edited = made.clone();
    edited.spec.request.prompt = "{{ text }}!".to_owned();
    insta::assert_snapshot!(refusal(&edited), @"the plan was changed since it was made: its fingerprint is another's");
    let mut edited = made.clone();
    edited.shards[0].digest = "0".repeat(32);
    insta::assert_snapshot!(refusal(&edited), @"other request lines are built now than were planned");

    world.table("text\na\nb\nc\n");
    insta::assert_snapshot!(refusal(&made), @"table.csv has changed since the plan was made: it had 9 bytes and has 11");
    world.table("text\na\nb\n");
    made.verify(&world.clock).unwrap();

    std::fs::write(world.path("batch.toml"), "version = 1 # other\n").unwrap();
    insta::assert_snapshot!(refusal(&made), @"batch.toml has changed since the plan was made");
    // A plan stands for itself where the spec is gone.
    std::fs::remove_file(world.path("batch.toml")).unwrap();
    made.verify(&world.clock).unwrap();
    std::fs::remove_file(world.path("table.csv")).unwrap();
    insta::assert_snapshot!(refusal(&made), @"the planned input table.csv is not there");
}

#[test]
fn a_plan_of_another_version_and_a_file_that_is_no_plan() {
    let world = World::new();
    let file = world.path("plan.json");
    let refusal = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let folder = format!("{}/", file.parent().unwrap().display());
        Plan::read(&file).unwrap_err().to_string().replace(&folder, "")
    };
    assert_eq!(refusal(r#"{"version":2,"fingerprint":"0"}"#), "plan.json: its version 2 is not known");
    assert_eq!(refusal(r#"{"version":1}"#), "plan.json: not a plan");
    assert_eq!(refusal(r#"{"version":1,"fingerprint":"0"}"#), "plan.json: not a plan");
}

#[test]
fn findings_are_counted_with_one_example() {
    let world = World::new();
    world.table("text\nx\n\"\"\n\"\"\n");
    let made = planned(&world, &world.spec(""), &options(&world)).unwrap();
    let empty = made.findings.iter().find(|finding| finding.code == "B210").unwrap();
    assert_eq!((empty.count, empty.line), (2, Some(3)), "{empty:?}");
}

#[test]
fn a_pipe_cannot_be_planned() {
    let world = World::new();
    let error = plan(&world.spec(""), Path::new("-"), &options(&world), &world.clock).unwrap_err();
    insta::assert_snapshot!(error, @"a plan reads the table, and its run reads it again: this input can be read once");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// For all tables and limits: what is planned is what is staged, byte for byte.
    #[test]
    fn planned_shards_are_the_staged_ones(
        rows in proptest::collection::vec("[a-zあ \",]{0,40}", 1..40),
        requests in 1_u64..50, bytes in 200_u64..4000,
        selection in proptest::option::of(1_u64..50), sampled in any::<bool>(),
    ) {
        let world = World::new();
        let mut csv = csv::Writer::from_writer(Vec::new());
        csv.write_record(["id", "text"]).unwrap();
        for (id, row) in rows.iter().enumerate() {
            csv.write_record([&id.to_string(), row]).unwrap();
        }
        world.table(&String::from_utf8(csv.into_inner().unwrap()).unwrap());
        let spec = world.spec(&format!("[limits]\nrequests = {requests}\nbytes = {bytes}\n"));
        let selection = selection.map(if sampled { Selection::Sample } else { Selection::Limit });
        let made = planned(&world, &spec, &PlanOptions { selection, ..options(&world) }).unwrap();

        let mut run = match selection {
            Some(part) => world.open_part(&spec, part).unwrap(),
            None => world.open(&spec).unwrap(),
        };
        prop_assert_eq!(&made.fingerprint, &run.state().fingerprint);
        let report = runtime().block_on(world.go(&mut run, Stop::never())).unwrap();
        let staged: Vec<_> = run.state().shards.iter()
            .map(|shard| (shard.index, shard.first, shard.records, shard.bytes, shard.digest.clone())).collect();
        let planned: Vec<_> = made.shards.iter()
            .map(|shard| (shard.index, shard.first, shard.records, shard.bytes, shard.digest.clone())).collect();
        prop_assert_eq!(planned, staged);
        prop_assert_eq!(made.records, report.accounting.records);
        prop_assert_eq!(made.records - made.requests, report.accounting.skipped);
    }
}
