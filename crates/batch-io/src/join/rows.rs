//! The last pass over the records: a row for each.

use std::io::{Read, Write};

use super::ahead::{Ahead, Asked};
use super::columns::ResultColumns;
use super::identity::Hash96;
use super::index::EntryId;
use super::matches::{Matches, State};
use super::pass::{Keyed, Pass, Skip, changed};
use super::predictions::Predictions;
use super::row::{Found, JoinedRow, Way};
use super::summary::JoinSummary;
use super::write::RowWriter;
use crate::aligned::Aligned;
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::page::Page;
use crate::relay::{Drawer, Next, Stages, WORTH, relay};
use crate::table::{Columns, TableFormat, TableMemory};
use crate::template::Template;

/// While one thread reads, another may join and a third write; a fourth would wait for its turn.
const THREADS: usize = 3;

/// What rows are made of.
pub(super) struct Rows<'r, R> {
    pub(super) pass: Pass<'r, R>,
    pub(super) finding: Finding<'r>,
    pub(super) joining: Joining<'r>,
}

/// What to look for, for each record.
pub(super) struct Finding<'r> {
    /// Where each record's prediction was looked for in passes of their own.
    pub(super) matches: Option<Matches>,
    /// A label that tells records apart, where it is all there is to find predictions by.
    pub(super) own_label: Option<Template>,
    pub(super) skip: Option<&'r Skip<'r>>,
    pub(super) table: String,
}

/// How a record and what was found become a row.
pub(super) struct Joining<'r> {
    pub(super) predictions: &'r mut Predictions,
    pub(super) columns: Columns,
    pub(super) layout: &'r ResultColumns,
    pub(super) summary: &'r mut JoinSummary,
}

/// Records on their way to the results.
#[derive(Default)]
struct Batch {
    ahead: Ahead,
    /// Their rows as they are written.
    page: Page,
    /// What is wrong with the record behind the last one.
    failed: Option<Error>,
    memory: TableMemory,
}

impl Batch {
    fn fill<R: Read>(&mut self, pass: &mut Pass<'_, R>, drawer: Drawer) -> Next {
        if drawer == Drawer::InTurn {
            pass.exchange(&mut self.memory);
        }
        let filled = self.ahead.fill(pass, drawer);
        if drawer == Drawer::InTurn {
            pass.exchange(&mut self.memory);
        }
        filled.unwrap_or_else(|error| {
            self.failed = Some(error);
            Next::Nothing
        })
    }

    fn ask(&mut self, finding: &Finding<'_>) {
        let mut text = String::new();
        if let Err(error) = self.ahead.ask(|keyed| finding.asked(keyed, &mut text)) {
            // It stands before what failed in reading.
            self.failed = Some(error);
        }
    }

    fn join(&mut self, joining: &mut Joining<'_>, mut on_row: impl FnMut(&JoinedRow<'_>, &mut Page)) -> Next {
        self.page.clear();
        self.ahead.look_up(joining.predictions);
        for (keyed, asked) in self.ahead.rows() {
            if let Err(error) = joining.join(keyed, asked, |row| on_row(row, &mut self.page)) {
                self.failed = Some(error);
                break;
            }
        }
        if self.failed.is_some() { Next::Nothing } else { Next::More }
    }
}

impl<R: Read> Rows<'_, R> {
    /// Hands out all rows.
    pub(super) fn for_each(self, on_row: &mut dyn FnMut(&JoinedRow<'_>)) -> Result<()> {
        let Self { mut pass, finding, mut joining } = self;
        let mut batch = Batch::default();
        let mut drawn = Next::More;
        while drawn == Next::More {
            drawn = batch.fill(&mut pass, Drawer::Alone);
            batch.ask(&finding);
            batch.join(&mut joining, |row, _| on_row(row));
            batch.failed.take().map_or(Ok(()), Err)?;
        }
        finding.has_found_all(joining.summary)
    }

    /// Writes all rows, and hands each out.
    pub(super) fn write(
        self,
        format: TableFormat,
        threads: usize,
        out: &mut (dyn Write + Send),
        on_row: &mut (dyn FnMut(&JoinedRow<'_>) + Send),
    ) -> Result<()>
    where
        R: Send,
    {
        let failed = |error| Error::io("writing the results failed", error);
        let Self { mut pass, finding, mut joining } = self;
        let layout = joining.layout;
        let mut out = Aligned::new(out);
        let mut header = Page::default();
        let writer = RowWriter::new(format, layout, &mut header);
        out.write(header.bytes()).map_err(failed)?;
        let stages = Stages {
            draw: |batch: &mut Batch, drawer| batch.fill(&mut pass, drawer),
            work: |batch: &mut Batch| batch.ask(&finding),
            settle: |batch: &mut Batch| {
                batch.join(&mut joining, |row, page| {
                    on_row(row);
                    writer.push(row, layout, page);
                })
            },
            take: |batch: &mut Batch| {
                out.write(batch.page.bytes()).map_err(failed)?;
                batch.page.give_back();
                batch.failed.take().map_or(Ok(()), Err)
            },
        };
        let mut bytes = 0;
        let threads = |batch: &Batch| {
            bytes += batch.ahead.bytes();
            if bytes < WORTH { 1 } else { threads.min(THREADS) }
        };
        relay(stages, threads)?;
        finding.has_found_all(joining.summary)?;
        out.finish().map_err(failed)
    }
}

impl Finding<'_> {
    /// What is asked for, for this record.
    fn asked(&self, keyed: &Keyed, text: &mut String) -> Result<Asked> {
        let record = keyed.record();
        match (&self.matches, &self.own_label) {
            (Some(matches), _) => {
                let (state, entry) = matches.get(record.index()).ok_or_else(|| changed(&self.table))?;
                Ok(Asked::Settled(state, entry))
            }
            (None, _) if self.skip.is_some_and(|skip| skip(record.index())) => Ok(Asked::Settled(State::Skipped, 0)),
            (None, Some(template)) => {
                text.clear();
                template.render(record, keyed.key(), text)?;
                Ok(Asked::Hash(Way::Label, Hash96::exact(text).in_place_of_a_key()))
            }
            (None, None) => Ok(Asked::Hash(Way::Key, Hash96::exact(keyed.key()))),
        }
    }

    /// Whether all records were read that there were before.
    fn has_found_all(&self, summary: &JoinSummary) -> Result<()> {
        match &self.matches {
            Some(matches) if matches.len() != summary.records => Err(changed(&self.table)),
            _ => Ok(()),
        }
    }
}

impl Joining<'_> {
    /// Hands out the row of a record.
    fn join(&mut self, keyed: &Keyed, asked: &Asked, on_row: impl FnOnce(&JoinedRow<'_>)) -> Result<()> {
        let Self { predictions, columns, layout, summary } = self;
        let (state, entry) = match asked.clone() {
            Asked::Settled(state, entry) => (state, entry),
            Asked::Hash(way, hash) => found(way, predictions.take_group(predictions.group(hash))?),
            Asked::Group(way, group) => found(way, predictions.take_group(group)?),
        };
        let (columns, record, key) = (&*columns, keyed.record(), keyed.key());
        let on_row = |row: &JoinedRow<'_>| {
            summary.add(row);
            summary.ambiguous += u64::from(state == State::Ambiguous);
            on_row(row);
        };
        let missing = JoinedRow {
            columns,
            layout,
            record,
            key,
            outcome: Outcome::Missing,
            reading: None,
            detail: "",
            found: None,
        };
        match state {
            State::Found(way) => predictions.with_reading(entry, |reading, file, byte| {
                on_row(&JoinedRow {
                    outcome: reading.outcome,
                    reading: Some(reading),
                    detail: &reading.detail(),
                    found: Some(Found { way, file, byte }),
                    columns,
                    layout,
                    record,
                    key,
                });
            })?,
            State::Open => on_row(&JoinedRow { detail: &format!("no prediction has the key {key:?}"), ..missing }),
            State::Ambiguous => {
                let detail = "the predictions with this key, which came back retyped, may be another record's";
                on_row(&JoinedRow { detail, ..missing });
            }
            State::Skipped => on_row(&JoinedRow { outcome: Outcome::Skipped, detail: "not sent", ..missing }),
        }
        Ok(())
    }
}

fn found(way: Way, entry: Option<EntryId>) -> (State, EntryId) {
    entry.map_or((State::Open, 0), |entry| (State::Found(way), entry))
}
