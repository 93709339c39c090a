//! Records that are read a few at a time, so that their predictions are looked up together.
//!
//! Of many predictions no cache holds the index, and each look waits for memory. Several that do not
//! depend on each other wait no longer than one.

use std::io::Read;
use std::ops::Range;

use super::identity::Hash96;
use super::index::EntryId;
use super::matches::State;
use super::pass::{Keyed, Pass};
use super::predictions::Predictions;
use super::row::Way;
use crate::error::Result;

/// So many are read at most; more than a processor waits for at once is of no use.
const RECORDS: usize = 16;
/// Of larger records there are fewer, and a place but the first keeps no memory of one for the next: now one, now
/// another would have been that of the largest.
const BYTES: usize = 64 * 1024;

/// What of a record's prediction is known before it is looked up.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    /// Everything.
    Settled(State, EntryId),
    /// It is one of those of this hash.
    Hash(Way, Hash96),
    /// It is one of these.
    Group(Way, Range<EntryId>),
}

/// The records that were read, each with its key and what is asked for.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The first `count` are those that were read, the others memory.
    rows: Vec<(Keyed, Result<Asked>)>,
    count: usize,
}

impl Ahead {
    /// Reads the next records in place of those before; `Ok(false)` where they are the last.
    ///
    /// `ask` says what is asked for. Behind a record of which it fails no other is read. Whatever fails, those
    /// that were read before are there.
    pub(super) fn fill<R: Read>(
        &mut self,
        pass: &mut Pass<'_, R>,
        mut ask: impl FnMut(&Pass<'_, R>, &Keyed) -> Result<Asked>,
    ) -> Result<bool> {
        self.count = 0;
        for (keyed, _) in self.rows.iter_mut().skip(1).filter(|(keyed, _)| BYTES < keyed.record().memory()) {
            *keyed = Keyed::default();
        }
        let mut bytes = 0;
        while self.count < RECORDS && bytes < BYTES {
            if self.count == self.rows.len() {
                self.rows.push((Keyed::default(), Ok(Asked::Settled(State::Open, 0))));
            }
            let (keyed, asked) = &mut self.rows[self.count];
            if !pass.read_to(keyed)? {
                return Ok(false);
            }
            self.count += 1;
            bytes += keyed.record().size();
            *asked = ask(pass, keyed);
            if asked.is_err() {
                break;
            }
        }
        Ok(true)
    }

    /// Finds the groups of the hashes that are asked for.
    pub(super) fn look_up(&mut self, predictions: &Predictions) {
        let rows = &mut self.rows[..self.count];
        let mut each = |look: &dyn Fn(&mut Asked)| {
            rows.iter_mut().filter_map(|(_, asked)| asked.as_mut().ok()).for_each(look);
        };
        each(&|asked| match asked {
            Asked::Hash(_, hash) => predictions.touch(*hash),
            Asked::Settled(State::Found(_), entry) => predictions.touch_entry(*entry),
            Asked::Settled(..) | Asked::Group(..) => {}
        });
        each(&|asked| {
            if let Asked::Hash(way, hash) = asked {
                *asked = Asked::Group(*way, predictions.group(*hash));
            }
        });
        each(&|asked| match asked {
            Asked::Group(_, group) if group.start < group.end => predictions.touch_reply(group.start),
            Asked::Settled(State::Found(_), entry) => predictions.touch_reply(*entry),
            Asked::Group(..) | Asked::Settled(..) | Asked::Hash(..) => {}
        });
    }

    /// Hands out the records in their order.
    pub(super) fn rows(&mut self) -> impl Iterator<Item = (&Keyed, Result<Asked>)> {
        let taken = || Ok(Asked::Settled(State::Open, 0));
        self.rows[..self.count].iter_mut().map(move |(keyed, asked)| (&*keyed, std::mem::replace(asked, taken())))
    }
}
