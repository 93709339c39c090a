//! Joining predictions to records.

use std::fs;
use std::path::PathBuf;

use batch_io::{
    AnswerFormat, Join, JoinSummary, KeySpec, Outcome, PredictionFile, Result, TableFormat, Way, explain_key,
    explain_line,
};

use crate::predictions::fixture;
use crate::support::explain;

/// A folder with an input and what belongs to it.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A join of `input.csv` or `input.jsonl` with the files of these names.
    pub(crate) fn join(&self, predictions: &[&str]) -> Join<'static> {
        let jsonl = self.path("input.jsonl");
        let (input, format) =
            if jsonl.exists() { (jsonl, TableFormat::Jsonl) } else { (self.path("input.csv"), TableFormat::CSV) };
        let files = predictions.iter().map(|name| PredictionFile::new(*name, self.path(name)));
        Join::from_path(input, format, files.collect::<Vec<_>>())
    }
}

pub(crate) fn run(join: Join<'_>) -> Result<(String, JoinSummary)> {
    let mut out = Vec::new();
    let mut rows = 0;
    let summary = join.run(&mut out, &mut |row| {
        assert_eq!(row.record().index(), rows);
        rows += 1;
    })?;
    assert_eq!(rows, summary.records);
    assert_eq!(rows, summary.outcomes.total());
    Ok((String::from_utf8(out).unwrap(), summary))
}

fn error(join: Join<'_>, folder: &Folder) -> String {
    let mut out = Vec::new();
    let error = join.run(&mut out, &mut |_| {}).unwrap_err();
    assert!(out.is_empty(), "nothing is written before the fault is found");
    explain(&error).replace(&format!("{}/", folder.0.path().display()), "")
}

/// A line of a prediction that answers with this text.
fn answer(key: &str, text: &str) -> String {
    let text = serde_json::Value::from(text);
    format!(
        r#"{{"key":{key},"status":"","response":{{"candidates":[{{"content":{{"parts":[{{"text":{text}}}]}},"finishReason":"STOP"}}]}}}}"#
    ) + "\n"
}

/// The columns `outcome` and `answer` alone, of an input of one column.
fn answers(csv: &str) -> Vec<String> {
    let lines = csv.lines().skip(1);
    lines.map(|line| line.split(',').take(3).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn a_walkthroughs_file_joins_by_its_label() {
    let folder = Folder::new(&[("input.csv", "body,category\na,tech\nb,entertainment\nc,\"sport, games\"\nd,tech\n")]);
    let join = Join::from_path(folder.path("input.csv"), TableFormat::CSV, [fixture("generation1.jsonl")])
        .label("id", "n{{ record.index }}");
    let (csv, summary) = run(join).unwrap();
    insta::assert_snapshot!("walkthrough", csv);
    assert_eq!(summary.by_way.label, 3);
    assert_eq!(summary.outcomes.get(Outcome::Missing), 1);
}

#[test]
fn shards_leftovers_and_errors_of_one_job_are_one_result() {
    let folder = Folder::new(&[("input.csv", "text\na\nb\nc\nd\ne\nf\n")]);
    let files = [
        "predictions.jsonl-00000-of-00002",
        "predictions.jsonl-00001-of-00002",
        "incremental_predictions.jsonl",
        "errors.jsonl",
        "duplicates.jsonl",
        "cut.jsonl",
        "nothing.jsonl",
    ];
    let files = files.map(|name| PredictionFile::new(name, fixture(name)));
    let (csv, summary) = run(Join::from_path(folder.path("input.csv"), TableFormat::CSV, files)).unwrap();
    insta::assert_snapshot!("many_files", csv);
    insta::assert_json_snapshot!("many_files_summary", summary);
    let JoinSummary { predictions, by_way, duplicates, unmatched, .. } = summary;
    assert_eq!(predictions, by_way.key + duplicates + unmatched.count);
}

#[test]
fn an_answered_duplicate_wins_and_then_the_earliest() {
    let folder = Folder::new(&[
        ("input.csv", "text\na\nb\nc\n"),
        (
            "1",
            r#"{"key":"r0","status":"Bad Request"}
{"key":"r1","status":"Conflict"}
"#,
        ),
        ("2", &(answer("\"r0\"", "second file") + r#"{"key":"r1","status":"Forbidden"}"#)),
        ("3", &(answer("\"r0\"", "third file") + &answer("\"r2\"", "only here"))),
    ]);
    let (csv, summary) = run(folder.join(&["1", "2", "3"])).unwrap();
    assert_eq!(answers(&csv), ["a answered second file", "b request_error ", "c answered only here"]);
    assert!(csv.contains("409"), "the first of two failures");
    assert_eq!(summary.duplicates, 3);

    let (csv, _) = run(folder.join(&["3", "2", "1"])).unwrap();
    assert_eq!(answers(&csv)[0], "a answered third file");
    assert!(csv.contains("403"));
}

#[test]
fn a_retyped_key_joins_where_only_one_record_can_be_meant() {
    let input = "id\n007\n1e3\nTRUE\n0.50\nr7\n8\n08\n";
    let predictions: String = [
        answer("7", "seven"),
        answer("1000.0", "thousand"),
        answer("true", "yes"),
        answer("0.5", "half"),
        answer("\"r7\"", "text"),
        answer("8", "whose?"),
        answer("9", "nobody's"),
    ]
    .concat();
    let folder = Folder::new(&[("input.csv", input), ("p", &predictions)]);
    let (csv, summary) = run(folder.join(&["p"]).key(KeySpec::Column("id".into()))).unwrap();
    assert_eq!(
        answers(&csv),
        [
            "007 answered seven",
            "1e3 answered thousand",
            "TRUE answered yes",
            "0.50 answered half",
            "r7 answered text",
            "8 missing ",
            "08 missing "
        ]
    );
    assert_eq!((summary.by_way.key, summary.ambiguous, summary.unmatched.count), (5, 2, 2));
    let unmatched: Vec<_> = summary.unmatched.first.iter().map(|one| (one.line, one.key.as_deref())).collect();
    assert_eq!(unmatched, [(6, Some("8")), (7, Some("9"))]);
}

#[test]
fn a_record_whose_exact_key_is_there_makes_no_other_ambiguous() {
    let predictions = answer("\"8\"", "text") + &answer("8", "number");
    let folder = Folder::new(&[("input.csv", "id\n8\n08\n"), ("p", &predictions)]);
    let (csv, _) = run(folder.join(&["p"]).key(KeySpec::Column("id".into()))).unwrap();
    assert_eq!(answers(&csv), ["8 answered text", "08 answered number"]);
}

#[test]
fn a_key_that_came_back_in_two_spellings_is_one_key() {
    // A job of many keys leaves them texts; one of all-digit keys, a retry, makes numbers of them.
    let failed = r#"{"key":"7","request":{},"status":"Bad Request: {}","response":{}}"#.to_owned() + "\n";
    let folder = Folder::new(&[("input.csv", "id\n7\nx\n"), ("first", &failed), ("retry", &answer("7", "number"))]);
    let join = || KeySpec::Column("id".into());
    for files in [["first", "retry"], ["retry", "first"]] {
        let (csv, summary) = run(folder.join(&files).key(join())).unwrap();
        assert_eq!(answers(&csv), ["7 answered number", "x missing "], "{files:?}");
        assert_eq!((summary.duplicates, summary.unmatched.count), (1, 0), "{files:?}");
    }
}

#[test]
fn other_programs_names_for_the_key_are_known_or_can_be_told() {
    let predictions = answer("\"r0\"", "as id").replace("\"key\"", "\"id\"")
        + &answer("\"r1\"", "as custom_id").replace("\"key\"", "\"custom_id\"");
    let odd = answer("\"x\"", "mine").replace("\"key\"", "\"id\":5,\"row\"");
    let folder = Folder::new(&[("input.csv", "text\nx\nb\n"), ("p", &predictions), ("odd", &odd)]);
    let (csv, _) = run(folder.join(&["p"])).unwrap();
    assert_eq!(answers(&csv), ["x answered as id", "b answered as custom_id"]);
    let (csv, _) = run(folder.join(&["odd"]).key(KeySpec::Column("text".into())).key_member("row")).unwrap();
    assert_eq!(answers(&csv), ["x answered mine", "b missing "]);
}

fn echo(text: &str, answer: &str) -> String {
    format!(
        r#"{{"status":"","request":{{"contents":[{{"parts":[{{"fileData":null,"text":"{text}"}}],"role":"user"}}],"generationConfig":{{"temperature":1,"topK":null}}}},"response":{{"candidates":[{{"content":{{"parts":[{{"text":"{answer}"}}]}}}}]}}}}"#
    ) + "\n"
}

fn request(key: &str, text: &str) -> String {
    let key = if key.is_empty() { String::new() } else { format!(r#""key":"{key}","#) };
    format!(
        r#"{{{key}"request":{{"contents":[{{"role":"user","parts":[{{"text":"{text}"}}]}}],"generation_config":{{"temperature":1.0}}}}}}"#
    ) + "\n"
}

#[test]
fn equal_requests_share_their_predictions() {
    let texts = ["same", "other", "same", "same", "alone"];
    let requests: String = texts.iter().enumerate().map(|(place, text)| request(&format!("r{place}"), text)).collect();
    let predictions: String = [
        echo("same", "first"),
        echo("alone", "spare"),
        echo("other", "other"),
        echo("same", "second"),
        echo("alone", "spare too"),
        echo("unknown", "nobody's"),
    ]
    .concat();
    let input = format!("text\n{}\n", texts.join("\n"));
    let folder = Folder::new(&[("input.csv", &input), ("p", &predictions), ("requests", &requests)]);
    let (csv, summary) = run(folder.join(&["p"]).requests(folder.path("requests"))).unwrap();
    assert_eq!(
        answers(&csv),
        [
            "same answered first",
            "other answered other",
            "same answered second",
            "same missing ",
            "alone answered spare"
        ]
    );
    assert_eq!((summary.by_way.request, summary.duplicates, summary.unmatched.count), (4, 1, 1));

    // Without the request lines nothing tells whose they are.
    let (_, summary) = run(folder.join(&["p"])).unwrap();
    assert_eq!((summary.outcomes.get(Outcome::Missing), summary.unmatched.count), (5, 6));
    assert_eq!(summary.unmatched.first[3].line, 4);
}

#[test]
fn a_weaker_way_takes_nothing_from_a_stronger_one() {
    // Record 0 has no prediction; record 1, of the same request, has one by its key.
    let keyed = echo("same", "by key").replace("{\"status\"", "{\"key\":\"r1\",\"status\"");
    let requests = request("r0", "same") + &request("r1", "same");
    let folder = Folder::new(&[("input.csv", "text\nx\ny\n"), ("p", &keyed), ("requests", &requests)]);
    let mut ways = Vec::new();
    let join = folder.join(&["p"]).requests(folder.path("requests"));
    let summary = join.run(&mut Vec::new(), &mut |row| ways.push(row.found().map(|found| found.way))).unwrap();
    assert_eq!(ways, [None, Some(Way::Key)]);
    assert_eq!(summary.by_way.key, 1);
}

#[test]
fn a_label_that_several_records_share_tells_nothing() {
    let labelled = |label: &str, text: &str| {
        echo("x", text).replace("\"contents\"", &format!("\"labels\":{{\"id\":{label}}},\"contents\""))
    };
    let predictions = labelled("\"n1\"", "one") + &labelled("\"shared\"", "whose?") + &labelled("4", "four");
    let input = "label\nn1\nshared\nshared\n04\n";
    let folder = Folder::new(&[("input.csv", input), ("p", &predictions)]);
    let (csv, summary) = run(folder.join(&["p"]).label("id", "{{ label }}")).unwrap();
    assert_eq!(answers(&csv), ["n1 answered one", "shared missing ", "shared missing ", "04 answered four"]);
    assert_eq!((summary.by_way.label, summary.ambiguous, summary.unmatched.count), (2, 2, 1));
}

/// A label of the index and of unchanging text is one record's alone, so that no record is asked for its
/// label beforehand; a template with logic in it may make anything, and all are.
#[test]
fn a_label_that_is_one_records_alone_is_joined_as_any_other() {
    let labelled = |label: &str, text: &str| {
        echo("x", text).replace("\"contents\"", &format!("\"labels\":{{\"id\":{label}}},\"contents\""))
    };
    let failed = labelled("\"n12\"", "").replace("\"status\":\"\"", "\"status\":\"Bad Request: no\"");
    let predictions = [
        failed.clone(),
        labelled("\"n3\"", "three"),
        labelled("\"n12\"", "twelve"),
        labelled("\"n1\"", "skipped"),
        labelled("\"n99\"", "nobody's"),
        labelled("7", "a number"),
        echo("x", "no label"),
        labelled("\"n0\"", "zero"),
        failed.replace("n12", "n5"),
    ];
    let input: String = (0..14).map(|row| format!("row {row}\n")).collect();
    let folder = Folder::new(&[("input.csv", &format!("text\n{input}")), ("p", &predictions.concat())]);
    let join = |template: &str| run(folder.join(&["p"]).skip(|index| index == 1).label("id", template)).unwrap();
    let (csv, summary) = join("n{{ record.index }}");
    let (other, other_summary) = join("{{ 'n' ~ record.index }}");
    assert_eq!(csv, other);
    assert_eq!(serde_json::to_value(&summary).unwrap(), serde_json::to_value(other_summary).unwrap());
    assert_eq!((summary.by_way.label, summary.duplicates, summary.unmatched.count), (4, 1, 4));
    assert_eq!(answers(&csv)[12], "row 12 answered twelve");
    // As soon as one has a key, keys come first.
    let keyed = predictions.concat() + &answer("\"r0\"", "by its key");
    let folder = Folder::new(&[("input.csv", &format!("text\n{input}")), ("p", &keyed)]);
    let (csv, _) = run(folder.join(&["p"]).label("id", "n{{ record.index }}")).unwrap();
    assert_eq!(answers(&csv)[0], "row 0 answered by its key");
    assert_eq!(answers(&csv)[3], "row 3 answered three");
}

#[test]
fn request_lines_may_lack_records_but_not_be_of_another_table() {
    let folder = Folder::new(&[
        ("input.csv", "text\na\nb\nc\n"),
        ("p", &(echo("b", "B") + &echo("c", "C"))),
        ("some", &(request("r1", "b") + &request("r2", "c"))),
        ("keyless", &(request("", "a") + &request("", "b") + &request("", "c"))),
        ("keyless-some", &request("", "b")),
        ("keyless-more", &request("", "b").repeat(4)),
        ("swapped", &(request("r2", "c") + &request("r1", "b"))),
        ("foreign", &request("n1", "b")),
        ("broken", "{\"key\":\"r0\",\"request\":{}}\n{\"key\":\n"),
        ("no-request", "{\"key\":\"r0\"}\n"),
    ]);
    for requests in ["some", "keyless"] {
        let (csv, _) = run(folder.join(&["p"]).requests(folder.path(requests))).unwrap();
        assert_eq!(answers(&csv), ["a missing ", "b answered B", "c answered C"], "{requests}");
    }
    let errors: Vec<_> = ["keyless-some", "keyless-more", "swapped", "foreign", "broken", "no-request", "absent"]
        .map(|requests| error(folder.join(&["p"]).requests(folder.path(requests)), &folder))
        .into();
    insta::assert_snapshot!("wrong_request_lines", errors.join("\n\n"));
}

const OBJECTS: [&str; 3] = [r#"{"b":1.0,"a":"x, \"y\""}"#, r#"{"c":{"d":[1, 2]},"a":null}"#, r#"[1, 2]"#];

#[test]
fn the_fields_of_objects_are_columns_in_an_order_of_their_own() {
    let lines: Vec<_> =
        OBJECTS.iter().enumerate().map(|(place, text)| answer(&format!("\"r{place}\""), text)).collect();
    let backwards: String = lines.iter().rev().map(String::as_str).collect();
    let folder = Folder::new(&[("input.csv", "text\nx\ny\nz\n"), ("p", &lines.concat()), ("q", &backwards)]);
    let (csv, summary) = run(folder.join(&["p"]).answer_format(AnswerFormat::json())).unwrap();
    insta::assert_snapshot!("fields", csv);
    assert_eq!(summary.field_columns, ["a", "b", "c"]);
    assert_eq!(run(folder.join(&["q"]).answer_format(AnswerFormat::json())).unwrap().0, csv);

    // A schema says which there are, and in which order, whatever the answers have.
    let config = r#"{"responseSchema":{"type":"OBJECT","properties":{"z":{},"b":{},"a":{"type":"STRING","nullable":true}},"propertyOrdering":["b","z"]}}"#;
    let format = AnswerFormat::from_generation_config(serde_json::from_str(config).unwrap());
    let (csv, summary) = run(folder.join(&["p"]).answer_format(format).field_prefix("answer_")).unwrap();
    assert_eq!(summary.field_columns, ["answer_b", "answer_z", "answer_a"]);
    insta::assert_snapshot!("fields_of_a_schema", csv);
}

#[test]
fn the_echo_tells_what_was_asked_for() {
    let folder = Folder::new(&[("input.csv", &format!("text\n{}", "x\n".repeat(15)))]);
    let files = [PredictionFile::new("json.jsonl", fixture("json.jsonl"))];
    let (csv, summary) = run(Join::from_path(folder.path("input.csv"), TableFormat::CSV, files)).unwrap();
    insta::assert_snapshot!("asked_by_echo", csv);
    assert_eq!(summary.field_columns, ["name", "score", "id", "tags"]);
}

#[test]
fn results_in_jsonl_keep_the_types_there_are() {
    let folder = Folder::new(&[
        (
            "input.jsonl",
            "{\"text\":\"a\\u2028\",\"n\":1.50,\"deep\":{\"x\": [1]},\"no\":null,\"yes\":true}\n{\"text\":\"b\"}\n",
        ),
        ("p", &answer("\"r0\"", r#"{"id":12345678901234567890,"tags":[ ]}"#)),
    ]);
    let join = folder.join(&["p"]).answer_format(AnswerFormat::json()).output(TableFormat::Jsonl);
    let (jsonl, _) = run(join).unwrap();
    insta::assert_snapshot!("jsonl", jsonl);
    for line in jsonl.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn the_inputs_values_come_through_verbatim() {
    let input = "a,\"b \"\"b\"\"\"\r\n\" x \",\"1\n2\"\r\n\"\",\"\r\"\r\n007,=1+1\r\n";
    let folder = Folder::new(&[("input.csv", input), ("p", &answer("\"r0\"", "a\tb"))]);
    let (tsv, _) = run(folder.join(&["p"]).output(TableFormat::TSV)).unwrap();
    let read = |text: &[u8], format| crate::support::read_all(text, format).unwrap();
    let before = read(input.as_bytes(), TableFormat::CSV);
    let after = read(tsv.as_bytes(), TableFormat::TSV);
    assert_eq!(after[1][3], "a\tb");
    assert_eq!(after.into_iter().map(|row| row[..2].to_vec()).collect::<Vec<_>>(), before);
}

#[test]
fn a_record_that_was_not_sent_is_skipped() {
    let folder =
        Folder::new(&[("input.csv", "text\na\nb\n"), ("p", &(answer("\"r0\"", "A") + &answer("\"r1\"", "B")))]);
    let (csv, summary) = run(folder.join(&["p"]).skip(|index| index == 1)).unwrap();
    assert_eq!(answers(&csv), ["a answered A", "b skipped "]);
    assert_eq!(summary.unmatched.count, 1);
    // The same where the matches are made beforehand.
    let (again, _) = run(folder.join(&["p"]).skip(|index| index == 1).label("id", "x")).unwrap();
    assert_eq!(again, csv);
}

#[test]
fn a_column_that_is_there_twice_is_an_error_that_names_the_setting() {
    let folder = Folder::new(&[
        ("input.csv", "text,answer\na,b\n"),
        ("p", &answer("\"r0\"", r#"{"text":1,"detail":2,"answer":3}"#)),
    ]);
    let json = || folder.join(&["p"]).answer_format(AnswerFormat::json());
    let errors = [
        error(json(), &folder),
        error(json().column_prefix("batch_"), &folder),
        error(json().field_prefix("f_"), &folder),
        error(json().column_prefix("batch_").field_prefix("batch_"), &folder),
    ];
    insta::assert_snapshot!("clashes", errors.join("\n\n"));
    let (csv, _) = run(json().column_prefix("batch_").field_prefix("f_")).unwrap();
    insta::assert_snapshot!("prefixes", csv);
}

#[test]
fn what_is_not_there_is_named() {
    let folder = Folder::new(&[("input.csv", "text\na\n"), ("p", "")]);
    let other = Folder::new(&[("p", "")]);
    let errors = [
        error(folder.join(&["nowhere.jsonl"]), &folder),
        error(other.join(&["p"]), &other),
        error(folder.join(&["p"]).key(KeySpec::Column("txt".into())), &folder),
        error(folder.join(&["p"]).label("id", "{{ txt }}"), &folder),
    ];
    insta::assert_snapshot!("not_there", errors.join("\n\n"));
    let (csv, _) = run(folder.join(&[])).unwrap();
    assert_eq!(answers(&csv), ["a missing "]);
}

#[test]
fn free_form_keys_are_no_columns() {
    let lines: String = (0..40)
        .map(|row| {
            let members: Vec<_> = (0..40).map(|field| format!("\"k{row}-{field}\":{field}")).collect();
            answer(&format!("\"r{row}\""), &format!("{{{}}}", members.join(",")))
        })
        .collect();
    let folder = Folder::new(&[("input.csv", &format!("text\n{}", "x\n".repeat(40))), ("p", &lines)]);
    let (csv, summary) = run(folder.join(&["p"]).answer_format(AnswerFormat::json())).unwrap();
    assert!(summary.too_many_fields);
    assert!(summary.field_columns.is_empty());
    assert_eq!(summary.outcomes.get(Outcome::Answered), 40);
    assert!(csv.lines().last().unwrap().contains("k39-39"));
}

#[test]
fn a_records_predictions_can_be_looked_up() {
    let files = [fixture("keys.jsonl"), fixture("duplicates.jsonl")].map(PredictionFile::from);
    let lines =
        |key: &str| -> Vec<u64> { explain_key(&files, key, None).unwrap().into_iter().map(|told| told.line).collect() };
    assert_eq!(lines("r1"), [2, 4]);
    assert_eq!(lines("007"), [1]);
    assert_eq!(lines("nowhere"), [0; 0]);

    let duplicates = &files[1];
    let told = explain_line(duplicates, 2686, None).unwrap().unwrap();
    assert_eq!((told.line, told.key.as_deref()), (6, Some("nobody")));
    assert!(explain_line(duplicates, 2687, None).unwrap().is_none());
}

/// Every prediction was paid for, also the one that another one beats; what is not known stays empty.
#[test]
fn the_cost_of_each_answer_and_of_what_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("t.csv"), "body\na\nb\nc\n").unwrap();
    let line = |key: &str, text: &str, usage: &str| {
        format!(
            r#"{{"key":"{key}","status":"","response":{{"candidates":[{{"content":{{"parts":[{text}]}}}}]{usage}}}}}"#
        ) + "\n"
    };
    let usage = r#","usageMetadata":{"promptTokenCount":3000,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":2000},
        {"modality":"TEXT","tokenCount":1000}],"candidatesTokenCount":10,"thoughtsTokenCount":90}"#;
    let (usage, again) = (usage.replace('\n', ""), r#","usageMetadata":{"promptTokenCount":7}"#);
    let predictions = [
        line("r0", r#"{"text":"x"}"#, &usage),
        line("r0", "", again),
        line("r1", r#"{"text":"y"}"#, ""),
        line("r9", r#"{"text":"z"}"#, again),
    ];
    std::fs::write(path("p.jsonl"), predictions.concat()).unwrap();
    let price = batch_model::prices::find(&"gemini-2.5-flash".parse().unwrap());
    let join = |price| {
        let mut out = Vec::new();
        let join = Join::from_path(path("t.csv"), TableFormat::CSV, [path("p.jsonl")]).price(price);
        let summary = join.run(&mut out, &mut |_| {}).unwrap();
        (String::from_utf8(out).unwrap(), summary)
    };
    let (results, summary) = join(price);
    let costs: Vec<&str> = results.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    // 1000 at 0.15 a million, 2000 of sound at 0.5, 100 of answer and thinking at 1.25.
    assert_eq!(costs, ["cost_usd", "0.001275", "", ""]);
    assert_eq!((summary.superseded.base.input, summary.superseded.base.output), (14, 0));
    let (results, _) = join(None);
    assert!(results.lines().skip(1).all(|line| line.ends_with(',')), "{results}");

    // What was paid before costs nothing, also where it tells no tokens and the price is not known.
    for price in [price, None] {
        for (format, costs) in
            [(TableFormat::CSV, ["cost_usd", "0", "0", ""]), (TableFormat::Jsonl, ["0", "0", "null", ""])]
        {
            let (mut out, mut told) = (Vec::new(), Vec::new());
            let join = Join::from_path(path("t.csv"), TableFormat::CSV, [path("p.jsonl")]).price(price).output(format);
            let name = path("p.jsonl").display().to_string();
            join.paid_before(name).run(&mut out, &mut |row| told.push(row.cost())).unwrap();
            let text = String::from_utf8(out).unwrap();
            let found = text.lines().map(|line| match format {
                TableFormat::Jsonl => line.split_once("\"cost_usd\":").unwrap().1.split([',', '}']).next().unwrap(),
                _ => line.rsplit(',').next().unwrap(),
            });
            assert!(found.eq(costs.into_iter().take(text.lines().count())), "{text}");
            assert_eq!(told, [Some(0.0), Some(0.0), None]);
        }
    }
}

#[test]
fn rows_without_a_writer_tell_what_the_csv_has() {
    let folder = Folder::new(&[
        ("input.csv", "body\na\nb\n"),
        ("p.jsonl", &(answer("\"r0\"", r#"{"class":"x"}"#) + &answer("\"r1\"", r#"{"class":null}"#))),
        ("none.csv", "body\n"),
    ]);
    let join = || folder.join(&["p.jsonl"]).answer_format(AnswerFormat::json()).price(None).column_prefix("b_");
    let (csv, _) = run(join()).unwrap();
    let header = csv.lines().next().unwrap();

    let mut rows = Vec::new();
    let summary = join()
        .for_each(&mut |row| {
            assert!(row.result_columns().names().eq(header.split(',')));
            let (field, column) = row.result_columns().fields().next().unwrap();
            assert_eq!((field, column, row.cost()), ("class", "class", None));
            rows.push((row.value("body").unwrap().to_owned(), row.field_text(field).unwrap().into_owned()));
        })
        .unwrap();
    assert_eq!(rows, [("a".into(), "x".into()), ("b".into(), String::new())]);
    assert!(summary.columns.has_cost());

    // Where there is no record, the summary is all that tells of columns.
    let empty = Join::from_path(folder.path("none.csv"), TableFormat::CSV, Vec::<PredictionFile>::new());
    let summary = empty.for_each(&mut |_| panic!("there is no row")).unwrap();
    assert_eq!(summary.columns.input(), ["body"]);
    assert_eq!(summary.columns.names().collect::<Vec<_>>()[..2], ["body", "outcome"]);
    assert_eq!(summary.columns.added(), batch_io::RESULT_COLUMNS);
}

/// Whichever columns are looked at, and wherever keys and labels come from.
#[test]
fn values_that_nobody_asks_for_change_nothing_else() {
    let labelled = |n: u32| {
        format!(
            "{{\"request\":{{\"contents\":[],\"labels\":{{\"id\":\"n{n}\"}}}},\"response\":{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{n}\"}}]}}}}]}}}}\n"
        )
    };
    let folder = Folder::new(&[
        ("input.csv", "id,class,body\nn2,\"a\"\"b\",\"x,\"\"\ny\"\nn1,,é\nn0,c,z\n"),
        ("labels.jsonl", &(labelled(0) + &labelled(1))),
        ("keys.jsonl", &(answer("\"n1\"", "sport") + &answer("\"n2\"", "tech"))),
    ]);
    let joins = || {
        [
            folder.join(&["labels.jsonl"]).label("id", "n{{ record.index }}"),
            folder.join(&["labels.jsonl"]).label("id", "{{ id }}"),
            folder.join(&["keys.jsonl"]).key(KeySpec::Column("id".into())),
        ]
    };
    for wanted in [vec![], vec![0], vec![1], vec![2, 1], vec![0, 1, 2]] {
        for (all, some) in joins().into_iter().zip(joins()) {
            let some = some.wanted_columns(wanted.clone());
            let rows = |join: Join<'_>| {
                let mut rows = Vec::new();
                let summary = join
                    .for_each(&mut |row| {
                        let values: Vec<_> = wanted.iter().map(|column| row.record().get(*column).to_owned()).collect();
                        let said = (row.outcome(), row.answer().map(str::to_owned), row.detail().to_owned());
                        rows.push(format!("{} {values:?} {said:?} {:?}", row.key(), row.found()));
                    })
                    .unwrap();
                (rows, serde_json::to_string(&summary).unwrap())
            };
            let (expected, found) = (rows(all), rows(some));
            assert_eq!(found, expected);
            assert!(expected.1.contains("\"answered\":2"), "{expected:?}");
        }
        // What is written is written whole.
        for (all, some) in joins().into_iter().zip(joins()) {
            assert_eq!(run(some.wanted_columns(wanted.clone())).unwrap().0, run(all).unwrap().0);
        }
    }
}
