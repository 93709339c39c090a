//! Bad input: one clear error that says where and what to do, exit code 2, nothing half-written.

use insta::assert_snapshot;

use crate::context::{Context, settings};

/// Where on Google Cloud a run would be.
const THERE: [&str; 8] = [
    "--project",
    "p",
    "--location",
    "us-central1",
    "--set",
    "target.input=gs://b/in",
    "--set",
    "target.output=gs://b/out",
];

/// What `build` says of a table.
fn build(table: &[u8], more: &[&str]) -> String {
    let context = Context::new();
    context.write("in.csv", table);
    let args = [&["build", "--input", "in.csv", "--output", "out.jsonl", "--prompt", "{{ text }}"], more].concat();
    let ran = context.run(&args).expect(2);
    assert_eq!(ran.stdout, "");
    assert_eq!(context.list("."), ["in.csv"], "something is left behind");
    ran.stderr
}

#[test]
fn tables() {
    settings().bind(|| {
        assert_snapshot!("ragged_row", build(b"id,text\n1,a\n2,b,c\n", &[]));
        assert_snapshot!("bad_utf8", build(b"id,text\n1,a\xff\n", &[]));
        assert_snapshot!("duplicate_header", build(b"text,text\n1,a\n", &[]));
        assert_snapshot!("empty_header", build(b"text,\n1,a\n", &[]));
        assert_snapshot!("empty_file", build(b"", &[]));
        assert_snapshot!("no_records", build(b"id,text\n", &[]));
        assert_snapshot!("unknown_column", build(b"id,txt\n1,a\n", &[]));
        assert_snapshot!("duplicate_key", build(b"id,text\n1,a\n2,b\n1,c\n", &["--key", "id"]));
        assert_snapshot!("empty_key", build(b"id,text\n1,a\n,b\n", &["--key", "id"]));
        assert_snapshot!("unknown_key", build(b"id,text\n1,a\n", &["--key", "ident"]));
        assert_snapshot!("unclosed_quote", build(b"id,text\n1,\"a\n", &[]));
    });
}

#[test]
fn files_and_arguments() {
    let context = Context::new();
    let says = |args: &[&str]| context.run(args).expect(2).stderr;
    settings().bind(|| {
        assert_snapshot!("no_such_table", says(&["build", "--input", "none.csv", "--prompt", "x", "--output", "-"]));
        assert_snapshot!("no_such_spec", says(&["run", "none.toml", "--local"]));
        assert_snapshot!("no_prompt", {
            context.write("a.csv", "a\n1\n");
            says(&["build", "--input", "a.csv", "--output", "-"])
        });
        assert_snapshot!(
            "no_such_template",
            says(&["build", "--input", "a.csv", "--prompt", "@none.txt", "--output", "-"])
        );
        assert_snapshot!(
            "no_such_folder",
            says(&["build", "--input", "a.csv", "--prompt", "x", "--output", "none/out.jsonl"])
        );
        assert_snapshot!(
            "bad_setting",
            says(&["build", "--input", "a.csv", "--prompt", "x", "--set", "limits.jobs=two", "--output", "-"])
        );
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk() {
    let context = Context::new();
    context.write("in.csv", "text\na\n");
    let ran = context.run(&["build", "--input", "in.csv", "--prompt", "{{ text }}", "--output", "/dev/full"]).expect(2);
    settings().bind(|| assert_snapshot!("full_disk", ran.stderr));
}

#[test]
fn a_run_that_cannot_begin() {
    let context = Context::new();
    context.write("in.csv", "text\na\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n",
    );
    // A login that must never be seen; and no machine's own metadata server.
    let says = |more: &[&str]| {
        let mut command = context.command(&[&["run", "batch.toml"], more].concat());
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", "secret-token").env("NO_GCE_CHECK", "true");
        let ran = context.ran(&command.output().unwrap()).expect(2);
        assert!(!ran.show().contains("secret-token"), "{}", ran.show());
        assert!(!context.exists(".batch"), "a run was begun");
        ran.stderr
    };
    settings().bind(|| {
        assert_snapshot!("no_project", says(&[]));
        assert_snapshot!("bad_location", says(&["--project", "p", "--location", "US"]));
        assert_snapshot!(
            "bad_bucket",
            says(&[
                "--project",
                "p",
                "--location",
                "us-central1",
                "--set",
                "target.input=s3://b/in",
                "--set",
                "target.output=gs://b/out"
            ])
        );
        assert_snapshot!(
            "mixed_endpoints",
            says(&[&THERE[..], &["--set", "endpoints.storage=http://127.0.0.1:9"]].concat())
        );
        assert_snapshot!(
            "token_over_plain_http",
            says(
                &[
                    &THERE[..],
                    &["--set", "endpoints.storage=http://example.com", "--set", "endpoints.vertex=http://example.com"]
                ]
                .concat()
            )
        );
        assert_snapshot!("local_unknown_fault", says(&["--local", "--fault", "earthquake"]));
        assert_snapshot!("local_unknown_answerer", says(&["--local", "--answer", "oracle"]));
        assert_snapshot!("local_missing_recording", says(&["--local", "--answer", "replay:none.jsonl"]));
    });
}

#[test]
fn no_credentials() {
    let context = Context::new();
    context.write("in.csv", "text\na\n");
    context.write(
        "batch.toml",
        "version = 1\n[input]\npath = 'in.csv'\n[request]\nmodel = 'gemini-2.5-flash'\nprompt = '{{ text }}'\n",
    );
    let args = [&["run", "batch.toml"], &THERE[..]].concat();
    // A machine of nobody's: no home, no metadata server, no gcloud.
    let output = context.command(&args).env("NO_GCE_CHECK", "true").env("HOME", context.path("home")).output().unwrap();
    let ran = context.ran(&output).expect(2);
    settings().bind(|| assert_snapshot!("no_credentials", ran.stderr));
}
