//! Which crate may know which: `docs/architecture.md` as a check of `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::run::{Result, cargo, output};

/// A crate of ours: which of ours it may import, and which crates of others must not be in its tree.
struct Rule {
    name: &'static str,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

const NO_IO: &[&str] = &["tokio", "reqwest", "hyper", "futures-util", "async-trait", "clap"];
const NO_SERVICE: &[&str] = &["reqwest", "gcp_auth", "clap", "google-cloud-auth", "google-cloud-storage"];

const RULES: &[Rule] = &[
    Rule { name: "batch-model", may: &[], never: NO_IO },
    Rule { name: "batch-eval", may: &[], never: NO_IO },
    Rule { name: "batch-io", may: &["batch-model"], never: NO_IO },
    Rule { name: "batch-parquet", may: &["batch-io"], never: NO_IO },
    Rule { name: "batch-backend", may: &["batch-model"], never: NO_SERVICE },
    Rule {
        name: "batch-http",
        may: &["batch-backend", "batch-model"],
        never: &["clap", "google-cloud-storage", "aws-lc-sys", "openssl-sys"],
    },
    Rule {
        name: "batch-bq",
        may: &["batch-backend", "batch-http", "batch-io", "batch-model"],
        never: &["clap", "google-cloud-storage", "aws-lc-sys", "openssl-sys"],
    },
    Rule {
        name: "batch-gcs",
        may: &["batch-backend", "batch-http", "batch-model"],
        never: &["clap", "aws-lc-sys", "openssl-sys"],
    },
    Rule {
        name: "batch-api",
        may: &["batch-backend", "batch-http", "batch-model"],
        never: &["clap", "google-cloud-storage", "google-cloud-auth", "aws-lc-sys", "openssl-sys"],
    },
    Rule {
        name: "batch-pipeline",
        may: &["batch-backend", "batch-eval", "batch-io", "batch-model", "batch-parquet"],
        never: NO_SERVICE,
    },
    Rule { name: "batch-emulator", may: &[], never: &["clap", "google-cloud-auth", "google-cloud-storage"] },
    Rule {
        name: "batch-cli",
        may: &[
            "batch-api",
            "batch-backend",
            "batch-bq",
            "batch-emulator",
            "batch-eval",
            "batch-gcs",
            "batch-http",
            "batch-io",
            "batch-model",
            "batch-parquet",
            "batch-pipeline",
        ],
        never: &["aws-lc-sys", "openssl-sys", "native-tls"],
    },
    Rule { name: "hot", may: &["batch-io"], never: NO_IO },
    Rule { name: "xtask", may: &[], never: &["tokio", "clap"] },
];

pub(crate) fn check() -> Result {
    let metadata = output(cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            wrong.push(format!("{name} has no rule in xtask/src/layering.rs"));
            continue;
        };
        seen.insert(name);
        // Tests may use what stands higher; what is built may not.
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"].is_null()) {
            let on = dependency["name"].as_str().unwrap_or_default();
            let ours = RULES.iter().any(|rule| rule.name == on);
            if ours && !rule.may.contains(&on) {
                wrong.push(format!("{name} imports {on}"));
            }
        }
        let tree = tree(name)?;
        wrong.extend(
            rule.never
                .iter()
                .filter(|other| tree.contains(**other))
                .map(|other| format!("{name} has {other} in its tree")),
        );
    }
    wrong.extend(
        RULES.iter().filter(|rule| !seen.contains(rule.name)).map(|rule| format!("there is no crate {}", rule.name)),
    );
    if wrong.is_empty() {
        println!("{} crates, every arrow points down", RULES.len());
        return Ok(());
    }
    Err(wrong.join("\n       ").into())
}

/// Every crate that `package` is built with, its default features on.
fn tree(package: &str) -> Result<BTreeSet<String>> {
    let args = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--package"];
    let tree = output(cargo().args(args).arg(package))?;
    let names: BTreeMap<&str, ()> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).map(|name| (name, ())).collect();
    Ok(names.into_keys().map(str::to_owned).collect())
}
