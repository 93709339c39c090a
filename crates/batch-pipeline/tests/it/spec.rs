//! Specs: what they may say, and what is said about what they may not.

use batch_pipeline::{Overrides, SAMPLE, Spec};
use insta::assert_snapshot;

fn parse(text: &str) -> Result<Spec, String> {
    with(text, &[])
}

fn with(text: &str, overrides: &[(&str, &str)]) -> Result<Spec, String> {
    let mut settings = Overrides::default();
    for (path, value) in overrides {
        settings.push(*path, *value, format!("--{path}"));
    }
    Spec::parse("batch.toml", text, &settings).map_err(|error| match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    })
}

const SMALL: &str = "version = 1\n[input]\npath = 'a.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ a }}'\n";

fn wrong(extra: &str) -> String {
    parse(&format!("{SMALL}{extra}")).unwrap_err()
}

#[test]
fn the_sample_is_a_spec() {
    let spec = parse(SAMPLE).unwrap();
    assert_eq!(spec.model().unwrap().as_str(), "publishers/google/models/gemini-2.5-flash");
}

#[test]
fn every_setting_of_the_sample_that_is_commented_out_is_one_too() {
    // `# key = value` and `# [table]` are settings, `# Sentences.` are not.
    let uncommented = SAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) => {
            rest
        }
        _ => line,
    });
    let text: String = uncommented.flat_map(|line| [line, "\n"]).collect();
    let spec = parse(&text).unwrap();
    assert_eq!(spec.target.project.as_deref(), Some("my-project"));
    assert_eq!(spec.request.turns.len(), 2);
    assert_eq!(spec.limits, Default::default());
}

#[test]
fn an_unknown_key_is_told_with_its_place_and_the_nearest_known_one() {
    assert_snapshot!(wrong("promt = 'x'\n"), @r#"
    batch.toml:7:1: unknown key "promt" in [request]
    hint: did you mean "prompt"?
    "#);
    assert_snapshot!(wrong("generation_config = {}\n"), @r#"
    batch.toml:7:1: unknown key "generation_config" in [request]
    hint: did you mean "generationConfig"?
    "#);
    assert_snapshot!(wrong("expected = 'x'\n"), @r#"
    batch.toml:7:1: unknown key "expected" in [request]
    hint: "expected" belongs to [evaluate]
    "#);
    assert_snapshot!(wrong("[[request.turns]]\nrole = 'user'\ntext = 'x'\n"), @r#"
    batch.toml:9:1: unknown key "text" in [request.turns]
    hint: the keys there are: role, template
    "#);
    assert_snapshot!(wrong("[zzz]\n"), @r#"
    batch.toml:7:2: unknown key "zzz"
    hint: the keys there are: version, input, request, target, endpoints, local, evaluate, results, limits, poll, cache
    "#);
}

#[test]
fn a_value_that_cannot_be_is_told_with_its_place() {
    assert_snapshot!(wrong("[limits]\nrequests = 'many'\n"), @r#"batch.toml:8:1: limits.requests: invalid type: string "many", expected u64"#);
    // A wait that no clock can hold.
    assert!(wrong("[poll]\nlongest = 1e300\n").contains("not without end"));
    assert_snapshot!(wrong("[limits]\njobs = 0\n"), @"batch.toml:8:1: the limit is 0");
    assert_snapshot!(wrong("[[request.turns]]\nrole = 'system'\ntemplate = 'x'\n"), @r#"batch.toml:8:1: the role "system" is neither "user" nor "model""#);
    assert_snapshot!(wrong("[request.labels]\nid = 7\n"), @r#"batch.toml:8:1: the label "id" is not a text"#);
    assert_snapshot!(wrong("[[request.files]]\ncolumn = 'uri'\n"), @"batch.toml:7:11: a file part needs one of mimeType and mimeTypeColumn");
    assert_snapshot!(wrong("[evaluate]\n"), @"batch.toml:7:2: evaluate: missing field `expected`");
    assert_snapshot!(parse("version = 1\n[request\n").unwrap_err(), @"batch.toml:2:9: not valid TOML: unclosed table, expected `]`");
    assert_snapshot!(parse("version = 2\n").unwrap_err(), @r"
    batch.toml:1:1: version 2 of the format is not known
    hint: this program reads version = 1
    ");
    assert_snapshot!(parse("[input]\npath = 'a.csv'\n").unwrap_err(), @r"
    batch.toml: the spec does not say its version
    hint: write `version = 1` at its top
    ");
    assert_snapshot!(parse("version = 1\n").unwrap_err(), @r#"
    batch.toml: no input table is named
    hint: write `path = "table.csv"` under [input], or pass --input; or name a table of BigQuery, `table = "bq://project.dataset.table"`
    "#);
}

#[test]
fn a_flag_stands_over_the_file_and_is_named_when_it_is_wrong() {
    let spec = with(SMALL, &[("request.model", "123"), ("limits.jobs", "2"), ("request.generationConfig.seed", "7")]);
    let spec = spec.unwrap();
    assert_eq!(spec.request.model, "123");
    assert_eq!(spec.limits.jobs, 2);
    assert_eq!(spec.request.generation_config.unwrap()["seed"], 7);
    assert_snapshot!(with(SMALL, &[("limits.jobs", "two")]).unwrap_err(), @r#"--limits.jobs: limits.jobs: invalid type: string "two", expected usize"#);
    assert_snapshot!(with(SMALL, &[("request.modle", "x")]).unwrap_err(), @r#"
    --request.modle: unknown key "modle" in [request]
    hint: did you mean "model"?
    "#);
    assert_snapshot!(with(SMALL, &[("request.model.name", "x")]).unwrap_err(), @r#"--request.model.name: "request.model" is not a table of settings"#);
}

#[test]
fn every_setting_has_a_variable_and_googles_own_stand_below() {
    let variables = Overrides::environment_variables();
    assert!(variables.contains(&("request.generationConfig".to_owned(), "BATCH_REQUEST_GENERATION_CONFIG".to_owned())));
    let environment = |name: &str| match name {
        "GOOGLE_CLOUD_PROJECT" => Some("google".to_owned()),
        "GOOGLE_CLOUD_LOCATION" => Some("global".to_owned()),
        "BATCH_TARGET_PROJECT" => Some("ours".to_owned()),
        "BATCH_REQUEST_COLUMNS" => Some(r#"["a","b"]"#.to_owned()),
        _ => None,
    };
    let text = format!("{SMALL}[target]\nproject = 'file'\nlocation = 'file'\n");
    let spec = Spec::parse("batch.toml", &text, &Overrides::from_environment(environment)).unwrap();
    assert_eq!(spec.target.project.as_deref(), Some("ours"));
    assert_eq!(spec.target.location.as_deref(), Some("global"));
    assert_eq!(spec.request.columns, ["a", "b"]);
}

#[test]
fn the_generation_config_keeps_its_order_and_its_numbers() {
    let text = format!(
        "{SMALL}[request.generationConfig]\ntopP = 0.2\ntemperature = 0\nseed = 1\nresponseSchema = {{ type = 'STRING', enum = ['b', 'a'] }}\n"
    );
    let config = parse(&text).unwrap().request.generation_config.unwrap();
    assert_eq!(
        serde_json::to_string(&config).unwrap(),
        r#"{"topP":0.2,"temperature":0,"seed":1,"responseSchema":{"type":"STRING","enum":["b","a"]}}"#
    );
}

#[test]
fn a_template_may_be_a_file_beside_the_spec() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt.txt"), "About {{ a }}\n").unwrap();
    let file = folder.path().join("batch.toml");
    std::fs::write(&file, SMALL.replace("'{{ a }}'", "'@prompt.txt'\nsystem = '@@home'")).unwrap();
    let spec = Spec::load(&file, &Overrides::default()).unwrap();
    assert_eq!(spec.request.prompt, "About {{ a }}\n");
    assert_eq!(spec.request.system.as_deref(), Some("@home"));
    std::fs::remove_file(folder.path().join("prompt.txt")).unwrap();
    assert!(Spec::load(&file, &Overrides::default()).unwrap_err().to_string().contains("prompt.txt"));
}

#[test]
fn the_version_of_the_format_comes_from_the_file_alone() {
    let set = |name: &str| (name == "BATCH_VERSION").then(|| "3".to_owned());
    let overrides = Overrides::from_environment(set);
    let text = "version = 1\n[input]\npath = 't.csv'\n";
    assert_eq!(Spec::parse("batch.toml", text, &overrides).unwrap().version, 1);
}
