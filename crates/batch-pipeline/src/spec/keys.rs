//! The keys of a spec, for the check of unknown ones and for overrides by name.

/// Each table of the spec and the keys it may have. A path that is not listed here is a value or a
/// table that is passed through whole (`request.generationConfig`).
pub(super) const TABLES: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "version",
            "input",
            "request",
            "target",
            "endpoints",
            "local",
            "evaluate",
            "results",
            "limits",
            "poll",
            "cache",
        ],
    ),
    ("input", &["path", "table", "query", "format", "delimiter", "key"]),
    (
        "request",
        &[
            "model",
            "prompt",
            "system",
            "turns",
            "generationConfig",
            "labels",
            "safetySettings",
            "tools",
            "toolConfig",
            "files",
            "columns",
        ],
    ),
    ("request.turns", &["role", "template"]),
    ("request.files", &["column", "mimeType", "mimeTypeColumn"]),
    ("target", &["project", "location", "input", "output", "labels"]),
    ("endpoints", &["storage", "bigquery", "vertex"]),
    ("local", &["answer", "answer_concurrency", "seed", "faults", "queue_seconds", "run_seconds"]),
    ("evaluate", &["expected", "answer", "labels", "trim", "ignore_case", "min_accuracy", "max_failed"]),
    ("results", &["format", "column_prefix", "field_prefix", "in", "table", "as"]),
    ("limits", &["requests", "bytes", "jobs"]),
    ("cache", &["enabled", "path"]),
    ("poll", &["first", "steady", "young", "fraction", "longest", "jitter"]),
];

/// The keys of the table at `path`; `None` where any key goes.
pub(super) fn of(path: &str) -> Option<&'static [&'static str]> {
    TABLES.iter().find(|(table, _)| *table == path).map(|(_, keys)| *keys)
}

/// Every setting that is one value, as a dotted path: what can come by flag or by environment.
pub(super) fn settings() -> impl Iterator<Item = String> {
    let leaves = TABLES.iter().flat_map(|(table, keys)| keys.iter().map(move |key| join(table, key)));
    // The version says how the file is written; nobody else can know that.
    leaves.filter(|path| of(path).is_none() && path != "version")
}

/// `target.project` of `target` and `project`.
pub(super) fn join(table: &str, key: &str) -> String {
    if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") }
}

/// The environment variable of a setting: `BATCH_` and its path in capitals with underscores.
pub(super) fn variable(path: &str) -> String {
    let mut name = String::from("BATCH_");
    for c in path.chars() {
        match c {
            '.' | '-' => name.push('_'),
            c if c.is_ascii_uppercase() => {
                name.push('_');
                name.push(c);
            }
            c => name.push(c.to_ascii_uppercase()),
        }
    }
    name
}
