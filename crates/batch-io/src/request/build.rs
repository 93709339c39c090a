//! Request lines of a whole table, on several threads.

use std::fmt;
use std::io::{Read, Write};
use std::num::NonZero;
use std::thread;

use super::{LineInfo, RequestTemplate, no_records};
use crate::aligned::Aligned;
use crate::error::{Error, Result};
use crate::key::{KeySource, KeySpec, Keys};
use crate::page::Page;
use crate::relay::{Drawer, Next, Size, Stages, WORTH, relay};
use crate::table::{Record, Table, TableMemory};

/// So much of a table is rendered at once: a batch and its lines stay in a core's own cache.
const ALONE: Size = Size { bytes: 64 * 1024, records: 512 };
/// So many threads there are where there is little to render: one reads, one writes, one does what is between.
const THREADS: usize = 3;

/// Builds the request lines of tables: [`build`](crate::build) with settings.
///
/// The table is read, the lines are made and handed out by several threads in turn, the calling one among them. The
/// lines come in input order and with the same bytes for any number of [threads](Self::threads), and the
/// error is that of the first record that has one. Threads are started for a table that is larger than
/// some 64 KiB; each holds one to two megabytes, or a few times what a record takes that is larger.
///
/// ```
/// use batch_io::{Build, KeySpec, RequestSpec, RequestTemplate, Table, TableFormat};
///
/// let table = Table::new("body\none\ntwo\nthree\n".as_bytes(), "t.csv", TableFormat::CSV)?;
/// let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table.columns())?;
///
/// let mut keys = Vec::new();
/// let summary = Build::new(&template, &KeySpec::Index).only(|index| index != 1).lines(table, |info, line| {
///     assert_eq!(info.length, line.len());
///     keys.push(info.key.to_owned());
///     Ok::<(), batch_io::Error>(())
/// })?;
/// assert_eq!((summary.records, keys), (2, vec!["r0".to_owned(), "r2".to_owned()]));
/// # Ok::<(), batch_io::Error>(())
/// ```
#[must_use]
pub struct Build<'a> {
    template: &'a RequestTemplate,
    key: KeySpec,
    threads: Option<NonZero<usize>>,
    wanted: Option<Box<Wanted<'a>>>,
    /// For one thread, and for several.
    batch: (Size, Size),
}

/// Tells by its index of which record a line is wanted.
type Wanted<'a> = dyn Fn(u64) -> bool + Sync + 'a;

/// What [`Build`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuildSummary {
    /// Request lines that were made: of all records, or of those that were [wanted](Build::only).
    pub records: u64,
    /// Bytes of the lines.
    pub bytes: u64,
    /// Lines of the table that were blank and passed over.
    pub blank_lines: u64,
}

impl fmt::Debug for Build<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Build").field("key", &self.key).field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl<'a> Build<'a> {
    /// Builds by a template, which must have been compiled for the columns of the table that is built of.
    pub fn new(template: &'a RequestTemplate, key: &KeySpec) -> Self {
        Self { template, key: key.clone(), threads: None, wanted: None, batch: (ALONE, Size::IN_TURN) }
    }

    /// On how many threads the table is read, lines are rendered and handed out: by turns where order asks for it,
    /// else at once. With one all is done on the calling thread.
    ///
    /// By default on as many as the machine has; where a template has nothing but text and plain placeholders, on
    /// three at most, since a fourth would only wait for its turn.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    fn thread_count(&self) -> usize {
        let default = || {
            let cores = thread::available_parallelism().map_or(1, usize::from);
            if self.template.has_logic() { cores } else { cores.min(THREADS) }
        };
        self.threads.map_or_else(default, usize::from)
    }

    /// Tells by its index of which record a line is wanted. The others are read, so that their keys are
    /// known to differ, and not rendered.
    pub fn only(mut self, wanted: impl Fn(u64) -> bool + Sync + 'a) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// Writes the lines to `out`, in large pieces, by one thread at a time. What cannot go from thread to thread, such
    /// as a locked standard output, is no writer for this; the output itself is.
    ///
    /// # Errors
    /// Those of [`Table::read`], [`Keys::key`] and [`RequestTemplate::render`];
    /// [`ErrorKind::UnknownColumn`](crate::ErrorKind::UnknownColumn) for a key column that the table does not have;
    /// [`ErrorKind::NoRecords`](crate::ErrorKind::NoRecords), since no job can be made of none;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when writing fails. What was written until then is nothing to be
    /// used.
    pub fn write<R: Read + Send, W: Write + Send>(self, table: Table<R>, out: W) -> Result<BuildSummary> {
        let failed = |error| Error::io("writing the request lines failed", error);
        let mut out = Aligned::new(out);
        let summary = self.run(table, |batch, _| out.write(batch.page.bytes()).map_err(failed))?;
        out.finish().map_err(failed)?;
        Ok(summary)
    }

    /// Hands each line to `each`, line feed included, by one thread at a time, and stops at its first error.
    ///
    /// # Errors
    /// Those of [`write`](Self::write) but for the last, and whatever `each` returns.
    pub fn lines<R: Read + Send, E: From<Error> + Send>(
        self,
        table: Table<R>,
        mut each: impl FnMut(LineInfo<'_>, &[u8]) -> Result<(), E> + Send,
    ) -> Result<BuildSummary, E> {
        let mut key = String::new();
        self.run(table, |batch, keys| {
            let mut start = 0;
            for (record, &end) in batch.records.iter().zip(&batch.ends) {
                let key = keys.of(record, &mut key);
                let info = LineInfo { index: record.index(), line: record.line(), key, length: end - start };
                each(info, &batch.page.bytes()[start..end])?;
                start = end;
            }
            Ok(())
        })
    }

    fn run<R: Read + Send, E: From<Error> + Send>(
        self,
        table: Table<R>,
        mut take: impl FnMut(&Batch, KeySource) -> Result<(), E> + Send,
    ) -> Result<BuildSummary, E> {
        let mut source = Source::new(table, &self)?;
        let (name, keys) = (source.table.name().to_owned(), source.keys.source());
        let render = Render { template: self.template, keys, name: &name };
        let mut summary = BuildSummary::default();
        let take = |batch: &mut Batch| {
            take(batch, keys)?;
            summary.records += batch.ends.len() as u64;
            summary.bytes += batch.page.len() as u64;
            batch.page.give_back();
            match batch.failed.take().or(batch.no_more.take()) {
                Some(error) => Err(E::from(error)),
                None => Ok(()),
            }
        };
        let (mut bytes, mut count) = (0, None);
        let threads = |batch: &Batch| {
            bytes += batch.bytes;
            // To ask the system takes a look into its files.
            if bytes < WORTH { 1 } else { *count.get_or_insert_with(|| self.thread_count()) }
        };
        let stages = Stages {
            draw: |batch: &mut Batch, drawer| source.fill(batch, drawer),
            work: |batch: &mut Batch| render.render(batch),
            settle: |_: &mut Batch| Next::More,
            take,
        };
        relay(stages, threads)?;
        summary.blank_lines = source.table.blank_lines();
        Ok(summary)
    }
}

/// Records, and the lines that are made of them.
#[derive(Debug, Default)]
struct Batch {
    /// The first `count` are those of the batch, the others memory.
    records: Vec<Record>,
    count: usize,
    /// About how many bytes they take in the table.
    bytes: usize,
    /// The lines, one after the other, and where each ends.
    page: Page,
    ends: Vec<usize>,
    /// What is wrong with the record behind the last line.
    failed: Option<Error>,
    /// What is wrong with the record behind the last one.
    no_more: Option<Error>,
    memory: TableMemory,
}

/// Where batches come from.
struct Source<'b, R> {
    table: Table<R>,
    keys: Keys,
    wanted: Option<&'b Wanted<'b>>,
    batch: (Size, Size),
}

impl<'b, R: Read> Source<'b, R> {
    fn new(table: Table<R>, build: &'b Build<'_>) -> Result<Self> {
        let keys = Keys::new(&build.key, table.columns(), table.name())?;
        Ok(Self { table, keys, wanted: build.wanted.as_deref(), batch: build.batch })
    }

    /// Puts the next records into a batch in place of those that it has.
    fn fill(&mut self, batch: &mut Batch, drawer: Drawer) -> Next {
        if drawer == Drawer::InTurn {
            self.table.exchange(&mut batch.memory);
        }
        let filled = self.fill_here(batch, drawer);
        if drawer == Drawer::InTurn {
            self.table.exchange(&mut batch.memory);
        }
        match filled {
            Ok(next) => next,
            Err(error) => {
                batch.no_more = Some(error);
                Next::Nothing
            }
        }
    }

    fn fill_here(&mut self, batch: &mut Batch, drawer: Drawer) -> Result<Next> {
        let size = if drawer == Drawer::Alone { self.batch.0 } else { self.batch.1 };
        batch.count = 0;
        // The first of a batch may be as large as it will. Behind it large ones stand now here, now there, and
        // each of these places would keep the memory of the largest.
        let kept: usize = batch.records.iter().skip(1).map(Record::memory).sum();
        if size.is_outgrown_by(kept) {
            batch.records.truncate(1);
        }
        batch.bytes = 0;
        loop {
            if batch.count == batch.records.len() {
                batch.records.push(Record::new());
            }
            let record = &mut batch.records[batch.count];
            if !self.table.read(record)? {
                return if self.table.records() == 0 { Err(no_records(self.table.name())) } else { Ok(Next::Nothing) };
            }
            self.keys.key(record)?;
            if self.wanted.is_none_or(|wanted| wanted(record.index())) {
                batch.count += 1;
                batch.bytes += record.size();
            }
            if size.is_filled(drawer, batch.bytes, batch.count, || self.table.holds_next()) {
                return Ok(Next::More);
            }
        }
    }
}

/// How lines are made of the records of a batch.
#[derive(Clone, Copy)]
struct Render<'t> {
    template: &'t RequestTemplate,
    keys: KeySource,
    /// What errors call the table.
    name: &'t str,
}

impl Render<'_> {
    fn render(&self, batch: &mut Batch) {
        batch.page.clear();
        batch.ends.clear();
        let mut key = String::new();
        for record in &batch.records[..batch.count] {
            let key = self.keys.of(record, &mut key);
            if let Err(error) = self.template.render_to(record, key, &mut batch.page) {
                batch.failed = Some(error.in_file(self.name));
                return;
            }
            batch.ends.push(batch.page.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::{RequestLines, RequestSpec};
    use crate::table::TableFormat;

    /// Lines with what is told about them, and the error at the end.
    type Lines = (Vec<(u64, u64, String, String)>, Option<String>);

    fn table(text: &str) -> Table<&[u8]> {
        Table::new(text.as_bytes(), "t.csv", TableFormat::CSV).unwrap()
    }

    fn by_build(text: &str, template: &RequestTemplate, key: &KeySpec, threads: usize, batch: Size) -> Lines {
        let mut lines = Vec::new();
        let mut build = Build::new(template, key).threads(NonZero::new(threads).unwrap()).only(|index| index % 5 != 3);
        build.batch = (batch, batch);
        let built = build.lines(table(text), |info, line| {
            lines.push((info.index, info.line, info.key.to_owned(), String::from_utf8(line.to_vec()).unwrap()));
            Ok::<(), Error>(())
        });
        if let Ok(summary) = &built {
            assert_eq!(summary.records, lines.len() as u64);
            assert_eq!(summary.bytes, lines.iter().map(|line| line.3.len() as u64).sum::<u64>());
        }
        (lines, built.err().map(|error| error.to_string()))
    }

    fn one_by_one(text: &str, template: &RequestTemplate, key: &KeySpec) -> Lines {
        let (mut lines, mut out) = (Vec::new(), Vec::new());
        let mut source = RequestLines::new(table(text), template, key).unwrap();
        loop {
            out.clear();
            match source.next_line_if(&mut out, |index| index % 5 != 3) {
                Ok(Some(info)) => {
                    lines.push((info.index, info.line, info.key.to_owned(), String::from_utf8(out.clone()).unwrap()));
                }
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error.to_string())),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_number_of_threads_makes_the_same_lines_and_finds_the_same_error(
            rows in proptest::collection::vec(
                prop_oneof![
                    20 => "[a-f]{3}[0-9]{3},\"[a-z\n]{0,9}\"",
                    // A key that is empty or was there before, a template that fails, a row that is none.
                    1 => Just(",x".to_owned()),
                    1 => Just("aaa000,x".to_owned()),
                    1 => Just("zzz,fail".to_owned()),
                    1 => Just("a,b,c".to_owned()),
                ],
                0..60,
            ),
            threads in 1_usize..5,
            batch in (1_usize..40, 1_usize..9),
            with_key: bool,
        ) {
            let text = format!("id,body\n{}\n", rows.join("\n"));
            let spec = RequestSpec::new("{{ body }}{% if body == 'fail' %}{{ body.x.y }}{% endif %} {{ record.key }}");
            let template = RequestTemplate::compile(&spec, table(&text).columns()).unwrap();
            let key = if with_key { KeySpec::Column("id".into()) } else { KeySpec::Index };
            let built = by_build(&text, &template, &key, threads, Size { bytes: batch.0, records: batch.1 });
            prop_assert_eq!(built, one_by_one(&text, &template, &key));
        }
    }

    /// Wherever in their batches they stand.
    #[test]
    fn large_records_do_not_each_leave_their_memory() {
        let large = "x".repeat(100_000);
        let rows = (0..20).map(|before| format!("{}{large}\n", "a\n".repeat(before)));
        let text = format!("body\n{}", rows.collect::<String>());
        let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table(&text).columns()).unwrap();
        let mut build = Build::new(&template, &KeySpec::Index);
        build.batch.0 = Size { bytes: 1000, records: 512 };
        let mut source = Source::new(table(&text), &build).unwrap();
        let mut batch = Batch::default();
        while source.fill(&mut batch, Drawer::Alone) == Next::More {}
        let memory: usize = batch.records.iter().map(Record::memory).sum();
        assert!(memory < 5 * large.len(), "{memory}");
    }

    /// Takes some bytes, and then no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_ends_it_on_any_number_of_threads() {
        let text = format!("body\n{}", "a record of some length\n".repeat(20_000));
        let template = RequestTemplate::compile(&RequestSpec::new("{{ body }}"), table(&text).columns()).unwrap();
        for threads in 1..4 {
            let build = Build::new(&template, &KeySpec::Index).threads(NonZero::new(threads).unwrap());
            let error = build.write(table(&text), Full(1_000_000)).unwrap_err();
            assert!(error.is_io());
            assert_eq!(error.to_string(), "writing the request lines failed");
        }
    }
}
