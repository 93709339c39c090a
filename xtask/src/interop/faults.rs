//! The known faults of servers: one table, so that nobody mistakes those of others for ours. What our
//! emulator leaves out on purpose is in it too.

use super::server::Server::{self, BqEmulator, Emulator, FakeGcs, GcpStorage};

/// What a server does otherwise than the service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) server: Server,
    /// The checks that fail because of it, and must.
    pub(crate) checks: &'static [&'static str],
    /// What it does, and what the service does.
    pub(crate) what: &'static str,
    /// Where its maintainers were told, if we know of a thread.
    pub(crate) link: Option<&'static str>,
}

const fn fault(
    server: Server,
    checks: &'static [&'static str],
    what: &'static str,
    link: Option<&'static str>,
) -> Fault {
    Fault { server, checks, what, link }
}

/// All that we know. A thread is named where we found one; nobody told the maintainers of the rest, or
/// we did not find where.
pub(crate) const FAULTS: &[Fault] = &[
    fault(
        Emulator,
        &[
            "query: rows of a table",
            "query: into JSON",
            "query: as a job with labels and a destination",
            "query: wrong SQL is told",
            "bq: query",
            "foreign::a_table_that_sql_made_is_read_as_predictions",
            "foreign::queries_run_once_under_their_name",
        ],
        "Ours: it runs no SQL, and says so with 501. Servers with a query engine are for that.",
        None,
    ),
    fault(
        FakeGcs,
        &["multipart: a wrong checksum is refused"],
        "Takes an upload whose declared CRC-32C or MD5 is wrong; the service answers 400. Merged after 1.54.0.",
        Some("https://github.com/fsouza/fake-gcs-server/pull/2283"),
    ),
    fault(
        FakeGcs,
        &["list: a glob"],
        "Ignores `matchGlob` and lists all. Merged after 1.54.0.",
        Some("https://github.com/fsouza/fake-gcs-server/issues/1415"),
    ),
    fault(
        FakeGcs,
        &["preconditions: get only that generation", "preconditions: get only another generation"],
        "Ignores preconditions of a get; the service answers 412 or 304.",
        Some("https://github.com/fsouza/fake-gcs-server/issues/1076"),
    ),
    fault(
        FakeGcs,
        &["preconditions: delete only that generation"],
        "Ignores preconditions of a delete, and deletes; the service answers 412. Merged after 1.54.0.",
        Some("https://github.com/fsouza/fake-gcs-server/issues/1282"),
    ),
    fault(
        FakeGcs,
        &["objects: patch counts metagenerations"],
        "An object has no metageneration in the reply to a patch; the service counts them.",
        None,
    ),
    fault(
        FakeGcs,
        &["objects: compose"],
        "A composed object has no `componentCount`, and has an MD5, which the service never gives it.",
        None,
    ),
    fault(
        FakeGcs,
        &["batch: deletes", "batch: one that is not there"],
        "The reply to a batch is not the multipart that Python's client reads.",
        Some("https://github.com/fsouza/fake-gcs-server/issues/1443"),
    ),
    fault(
        FakeGcs,
        &["buckets: one with objects is not deleted"],
        "Answers 412 where a bucket is not empty; the service answers 409.",
        None,
    ),
    fault(
        GcpStorage,
        &["ranges: the last bytes"],
        "Sends the whole object for `bytes=-5`; the service sends five bytes.",
        None,
    ),
    fault(
        GcpStorage,
        &["ranges: beyond the end"],
        "Answers 206 to a range beyond the end; the service answers 416.",
        None,
    ),
    fault(
        GcpStorage,
        &["list: pages", "list: at most so many"],
        "Ignores `maxResults` and lists all in one page.",
        None,
    ),
    fault(GcpStorage, &["list: from one name to another"], "Ignores `startOffset` and `endOffset`.", None),
    fault(
        GcpStorage,
        &[
            "preconditions: create only what is new, multipart",
            "preconditions: create only what is new, resumable",
            "preconditions: overwrite only that generation",
            "preconditions: get only that generation",
            "preconditions: get only another generation",
            "preconditions: delete only that generation",
        ],
        "Ignores every precondition.",
        None,
    ),
    fault(
        GcpStorage,
        &["objects: a generation that never was"],
        "Ignores `generation` and returns the object; the service answers 404.",
        None,
    ),
    fault(GcpStorage, &["objects: patch counts metagenerations"], "Counts one metageneration too many.", None),
    fault(
        GcpStorage,
        &["objects: compose"],
        "A composed object has no `componentCount`, and has an MD5, which the service never gives it.",
        None,
    ),
    fault(
        GcpStorage,
        &["objects: gzip, raw and unpacked by the client"],
        "Says no `Content-Encoding` for a gzip object, so that the client does not unpack it.",
        None,
    ),
    fault(
        GcpStorage,
        &[
            "servers::every_length_arrives_whole",
            "servers::more_files_than_a_page_are_listed",
            "servers::predictions_are_read_and_removed",
        ],
        "Sends an object without `x-goog-generation`, without which Google's Rust client refuses it.",
        None,
    ),
    fault(
        BqEmulator,
        &[
            "load: a small file, multipart",
            "load: rows from memory",
            "load: appends, and replaces",
            // What was not loaded cannot be read.
            "rows: some columns",
            "rows: every type comes back",
            "rows: JSON as it was, with nulls and large numbers",
            "query: into JSON",
        ],
        "Refuses a multipart upload whose second part is `Content-Type: */*`, as Google's Python client writes it.",
        None,
    ),
    fault(
        BqEmulator,
        &["insert: rows at once, and a row that does not fit"],
        "Takes a row with an unknown field; the service tells it in `insertErrors`.",
        None,
    ),
    fault(
        BqEmulator,
        &["query: as a job with labels and a destination"],
        "A query's destination table is not there afterwards.",
        None,
    ),
    fault(
        BqEmulator,
        &["records::requests_are_built_and_answers_read_where_the_records_lie"],
        "A JSON column of a table that a statement makes is `STRING` in the table's schema; the service has `JSON`.",
        None,
    ),
    fault(BqEmulator, &["query: wrong SQL is told"], "Answers a query that is no SQL with no rows.", None),
    fault(
        BqEmulator,
        &["jobs: a second of that id is a conflict", "jobs: list, and none is not found"],
        "Gives uploads ids of its own instead of those asked for; the service answers 409 to an id's second use.",
        None,
    ),
];

/// The fault that explains why `check` fails on `server`.
pub(crate) fn of(server: Server, check: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.server == server && fault.checks.contains(&check))
}
