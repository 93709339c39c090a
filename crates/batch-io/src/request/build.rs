//! Request lines of a whole table, on several threads.

use std::fmt;
use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::{self, Scope};

use super::{LineInfo, RequestTemplate, no_records};
use crate::error::{Error, Result};
use crate::key::{KeySource, KeySpec, Keys};
use crate::page::Page;
use crate::table::{Record, Table};

/// So much of a table is rendered at once: a batch and its lines stay in a core's own cache.
const BATCH: Size = Size { bytes: 64 * 1024, records: 512 };
/// The records of a batch but the first keep no more memory for those of the next than so many times what they
/// may have in text.
const KEPT: usize = 16;
/// How many batches a thread has at most, with the one that it renders.
const WAITING: usize = 2;

/// Builds the request lines of tables: [`build`](crate::build) with settings.
///
/// The calling thread reads the table, tells keys apart and takes the lines; others may render them. The
/// lines come in input order and with the same bytes for any number of [threads](Self::threads), and the
/// error is that of the first record that has one. Threads are started for a table that is larger than
/// some 64 KiB; what is held in memory is a few times that for each.
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
    wanted: Option<Box<dyn Fn(u64) -> bool + 'a>>,
    batch: Size,
}

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
        Self { template, key: key.clone(), threads: None, wanted: None, batch: BATCH }
    }

    /// On how many threads lines are rendered, beside the one that reads the table. With one all is done
    /// on the calling thread.
    ///
    /// By default on as many as the machine has where a template has logic in it; where there is nothing but
    /// text and plain placeholders, all on one: to put those together takes no longer than to hand a batch over
    /// to another core.
    pub fn threads(mut self, threads: NonZero<usize>) -> Self {
        self.threads = Some(threads);
        self
    }

    fn thread_count(&self) -> usize {
        let default = || match self.template.has_logic() {
            true => thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN),
            false => NonZero::<usize>::MIN,
        };
        self.threads.unwrap_or_else(default).get()
    }

    /// Tells by its index of which record a line is wanted. The others are read, so that their keys are
    /// known to differ, and not rendered.
    pub fn only(mut self, wanted: impl Fn(u64) -> bool + 'a) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// Writes the lines to `out`.
    ///
    /// # Errors
    /// Those of [`Table::read`], [`Keys::key`] and [`RequestTemplate::render`];
    /// [`ErrorKind::UnknownColumn`](crate::ErrorKind::UnknownColumn) for a key column that the table does not have;
    /// [`ErrorKind::NoRecords`](crate::ErrorKind::NoRecords), since no job can be made of none;
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) when writing fails. What was written until then is nothing to be
    /// used.
    pub fn write<R: Read, W: Write>(self, table: Table<R>, mut out: W) -> Result<BuildSummary> {
        let failed = |error| Error::io("writing the request lines failed", error);
        let summary = self.run(table, |batch, _| out.write_all(batch.page.bytes()).map_err(failed))?;
        out.flush().map_err(failed)?;
        Ok(summary)
    }

    /// Hands each line to `each`, line feed included, and stops at its first error.
    ///
    /// # Errors
    /// Those of [`write`](Self::write) but for the last, and whatever `each` returns.
    pub fn lines<R: Read, E: From<Error>>(
        self,
        table: Table<R>,
        mut each: impl FnMut(LineInfo<'_>, &[u8]) -> Result<(), E>,
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

    fn run<R: Read, E: From<Error>>(
        self,
        table: Table<R>,
        mut take: impl FnMut(&Batch, KeySource) -> Result<(), E>,
    ) -> Result<BuildSummary, E> {
        let mut source = Source::new(table, &self)?;
        let threads = self.thread_count();
        let (name, keys) = (source.table.name().to_owned(), source.keys.source());
        let render = Render { template: self.template, keys, name: &name };
        let mut summary = BuildSummary::default();
        let mut take = |batch: &mut Batch| {
            take(batch, keys)?;
            summary.records += batch.ends.len() as u64;
            summary.bytes += batch.page.len() as u64;
            batch.failed.take().map_or(Ok(()), |error| Err(E::from(error)))
        };
        let mut batch = Batch::default();
        let filled = source.fill(&mut batch);
        if threads == 1 || !matches!(filled, Filled::Full) {
            alone(&mut source, (batch, filled), &render, &mut take)?;
        } else {
            thread::scope(|scope| {
                let workers = (0..threads).map(|_| Worker::start(scope, &render));
                together(&mut source, (batch, filled), &mut Workers::new(workers.collect()), &mut take)
            })?;
        }
        summary.blank_lines = source.table.blank_lines();
        Ok(summary)
    }
}

/// One batch after the other.
fn alone<R: Read, E: From<Error>>(
    source: &mut Source<'_, R>,
    (mut batch, mut filled): (Batch, Filled),
    render: &Render<'_>,
    take: &mut impl FnMut(&mut Batch) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        render.render(&mut batch);
        take(&mut batch)?;
        match filled {
            Filled::Full => filled = source.fill(&mut batch),
            Filled::Ended => return Ok(()),
            Filled::Failed(error) => return Err(error.into()),
        }
    }
}

/// Batches are read while others are rendered, and taken in the order in which they were read.
fn together<R: Read, E: From<Error>>(
    source: &mut Source<'_, R>,
    (mut batch, mut filled): (Batch, Filled),
    workers: &mut Workers,
    take: &mut impl FnMut(&mut Batch) -> Result<(), E>,
) -> Result<(), E> {
    loop {
        workers.send(batch)?;
        let is_last = !matches!(filled, Filled::Full);
        while workers.are_full() || is_last && !workers.are_idle() {
            let mut batch = workers.receive()?;
            take(&mut batch)?;
            workers.spare.push(batch);
        }
        match filled {
            Filled::Full => {
                batch = workers.spare.pop().unwrap_or_default();
                filled = source.fill(&mut batch);
            }
            Filled::Ended => return Ok(()),
            // What stands before it in the table was taken, and had no error.
            Filled::Failed(error) => return Err(error.into()),
        }
    }
}

/// Records, and the lines that are made of them.
#[derive(Debug, Default)]
struct Batch {
    /// The first `count` are those of the batch, the others memory.
    records: Vec<Record>,
    count: usize,
    /// The lines, one after the other, and where each ends.
    page: Page,
    ends: Vec<usize>,
    /// What is wrong with the record behind the last line.
    failed: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
struct Size {
    bytes: usize,
    records: usize,
}

/// Why no more records were put into a batch.
enum Filled {
    Full,
    /// The table has no more.
    Ended,
    /// What is wrong with the record behind those of the batch.
    Failed(Error),
}

/// Where batches come from.
struct Source<'b, R> {
    table: Table<R>,
    keys: Keys,
    wanted: Option<&'b (dyn Fn(u64) -> bool + 'b)>,
    batch: Size,
}

impl<'b, R: Read> Source<'b, R> {
    fn new(table: Table<R>, build: &'b Build<'_>) -> Result<Self> {
        let keys = Keys::new(&build.key, table.columns(), table.name())?;
        Ok(Self { table, keys, wanted: build.wanted.as_deref(), batch: build.batch })
    }

    /// Puts the next records into a batch in place of those that it has.
    fn fill(&mut self, batch: &mut Batch) -> Filled {
        batch.count = 0;
        // The first of a batch may be as large as it will. Behind it large ones stand now here, now there, and
        // each of these places would keep the memory of the largest.
        let kept: usize = batch.records.iter().skip(1).map(Record::memory).sum();
        if KEPT * self.batch.bytes < kept {
            batch.records.truncate(1);
        }
        let mut bytes = 0;
        while batch.count < self.batch.records && bytes < self.batch.bytes {
            if batch.count == batch.records.len() {
                batch.records.push(Record::new());
            }
            let record = &mut batch.records[batch.count];
            match self.table.read(record) {
                Ok(true) => {}
                Ok(false) if self.table.records() == 0 => return Filled::Failed(no_records(self.table.name())),
                Ok(false) => return Filled::Ended,
                Err(error) => return Filled::Failed(error),
            }
            if let Err(error) = self.keys.key(record) {
                return Filled::Failed(error);
            }
            if self.wanted.is_none_or(|wanted| wanted(record.index())) {
                batch.count += 1;
                bytes += record.size();
            }
        }
        Filled::Full
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

/// A thread that renders batches in the order in which it gets them.
struct Worker {
    to: SyncSender<Batch>,
    from: Receiver<Batch>,
}

impl Worker {
    fn start<'scope>(scope: &'scope Scope<'scope, '_>, render: &'scope Render<'scope>) -> Self {
        // There is room for all that a worker may have, so that neither side ever waits to hand over.
        let (to, batches) = mpsc::sync_channel::<Batch>(WAITING);
        let (rendered, from) = mpsc::sync_channel(WAITING);
        scope.spawn(move || {
            for mut batch in batches {
                render.render(&mut batch);
                if rendered.send(batch).is_err() {
                    // Nobody wants any more: there was an error.
                    return;
                }
            }
        });
        Self { to, from }
    }
}

/// Threads that get batches in turn, so that what comes back in turn is in order.
struct Workers {
    workers: Vec<Worker>,
    sent: usize,
    received: usize,
    /// Batches that were taken, for their memory.
    spare: Vec<Batch>,
}

impl Workers {
    fn new(workers: Vec<Worker>) -> Self {
        Self { workers, sent: 0, received: 0, spare: Vec::new() }
    }

    fn are_full(&self) -> bool {
        self.sent - self.received == WAITING * self.workers.len()
    }

    fn are_idle(&self) -> bool {
        self.sent == self.received
    }

    fn send(&mut self, batch: Batch) -> Result<()> {
        let worker = &self.workers[self.sent % self.workers.len()];
        self.sent += 1;
        worker.to.send(batch).map_err(|_| gone())
    }

    fn receive(&mut self) -> Result<Batch> {
        let worker = &self.workers[self.received % self.workers.len()];
        self.received += 1;
        worker.from.recv().map_err(|_| gone())
    }
}

/// A thread that ends too early does so in a panic, which the scope goes on with.
fn gone() -> Error {
    Error::io("rendering failed", std::io::Error::other("a thread ended too early"))
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
        build.batch = batch;
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
        build.batch = Size { bytes: 1000, records: 512 };
        let mut source = Source::new(table(&text), &build).unwrap();
        let mut batch = Batch::default();
        while matches!(source.fill(&mut batch), Filled::Full) {}
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
