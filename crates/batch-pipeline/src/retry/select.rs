//! The records that a retry asks about: those whose outcome so far is one of the chosen.

use std::{collections::BTreeMap, fs, io};

use batch_io::{Cause, JoinedRow, Nothing, Outcome};

use crate::{Error, Kind, Result, RunDir, join::RunJoin, records::RecordList};

/// How many records are named where something stands in the way.
pub(super) const NAMED: usize = 3;

/// What was chosen.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// How many records.
    pub(super) records: u64,
    /// By prediction file: how many of them have a row in it without a response.
    pub(super) unanswered_in: BTreeMap<String, u64>,
    /// Those that have a response, or no row at all: by outcome, with the keys of the first.
    pub(super) others: BTreeMap<Outcome, (u64, Vec<String>)>,
}

impl Chosen {
    fn add(&mut self, row: &JoinedRow<'_>) {
        self.records += 1;
        let is_unanswered = match row.cause() {
            Some(Cause::RequestError(_)) => true,
            Some(Cause::Empty(empty)) => empty.what == Nothing::Response,
            _ => false,
        };
        if let Some(found) = row.found().filter(|_| is_unanswered) {
            // Few files, and their names seldom change from row to row.
            match self.unanswered_in.get_mut(found.file) {
                Some(count) => *count += 1,
                None => drop(self.unanswered_in.insert(found.file.to_owned(), 1)),
            }
        } else {
            let (count, keys) = self.others.entry(row.outcome()).or_default();
            *count += 1;
            if keys.len() < NAMED {
                keys.push(row.key().to_owned());
            }
        }
    }
}

/// Joins what there is, and writes the list of the records whose outcome is one of `only`.
pub(super) async fn select(run: &RunDir, only: &[Outcome], list: &str) -> Result<Chosen> {
    let path = run.path().join(list);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)
            .map_err(|error| Error::io(Kind::RunDirectory, "make the directory", folder, error))?;
    }
    let (join, only) = (RunJoin::new(run), only.to_vec());
    let selecting = tokio::task::spawn_blocking(move || {
        let (_, (chosen, list)) = join.run(|join| {
            let (mut chosen, mut list, mut written) = (Chosen::default(), RecordList::create(&path)?, Ok(()));
            let mut each = |row: &JoinedRow<'_>| {
                if only.contains(&row.outcome()) && written.is_ok() {
                    chosen.add(row);
                    written = list.add(row.key(), row.record().index(), row.outcome());
                }
            };
            let summary = join.run(&mut io::sink(), &mut each);
            let summary =
                summary.map_err(|error| Error::new(Kind::Input, "join the predictions").with_source(error))?;
            written?;
            Ok((summary, (chosen, list)))
        })?;
        if 0 < chosen.records {
            list.place()?;
        }
        Ok(chosen)
    });
    selecting.await.map_err(|error| Error::new(Kind::Bug, "choose the records of a retry").with_source(error))?
}
