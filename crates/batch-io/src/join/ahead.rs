//! Records that are read some at a time, so that their predictions are looked up together.
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
use crate::relay::{Drawer, Next, Size};

/// Records of so many bytes fill a page that is worth writing; of small ones more than a processor waits for at once are
/// of little use.
const ALONE: Size = Size { bytes: 64 * 1024, records: 64 };

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

impl Default for Asked {
    fn default() -> Self {
        Self::Settled(State::Open, 0)
    }
}

/// The records that were read, each with its key and what is asked for.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The first `count` are those that were read, the others memory.
    rows: Vec<(Keyed, Asked)>,
    count: usize,
    /// About how many bytes they take in the table.
    bytes: usize,
}

impl Ahead {
    /// Reads the next records in place of those before. Whatever fails, those that were read before are there.
    pub(super) fn fill<R: Read>(&mut self, pass: &mut Pass<'_, R>, drawer: Drawer) -> Result<Next> {
        let size = if drawer == Drawer::Alone { ALONE } else { Size::IN_TURN };
        self.count = 0;
        let kept: usize = self.rows.iter().skip(1).map(|(keyed, _)| keyed.record().memory()).sum();
        if size.is_outgrown_by(kept) {
            self.rows.truncate(1);
        }
        self.bytes = 0;
        loop {
            if self.count == self.rows.len() {
                self.rows.push(<(Keyed, Asked)>::default());
            }
            let (keyed, _) = &mut self.rows[self.count];
            if !pass.read_to(keyed)? {
                return Ok(Next::Nothing);
            }
            self.count += 1;
            self.bytes += keyed.record().size();
            if size.is_filled(drawer, self.bytes, self.count, || pass.holds_next()) {
                return Ok(Next::More);
            }
        }
    }

    /// Notes of each record what is asked for. Those behind one for which that fails are forgotten.
    pub(super) fn ask(&mut self, mut ask: impl FnMut(&Keyed) -> Result<Asked>) -> Result<()> {
        for (number, (keyed, asked)) in self.rows[..self.count].iter_mut().enumerate() {
            match ask(keyed) {
                Ok(what) => *asked = what,
                Err(error) => {
                    self.count = number;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Finds the groups of the hashes that are asked for.
    pub(super) fn look_up(&mut self, predictions: &Predictions) {
        let rows = &mut self.rows[..self.count];
        for (_, asked) in &mut *rows {
            match asked {
                Asked::Hash(_, hash) => predictions.touch(*hash),
                Asked::Settled(State::Found(_), entry) => predictions.touch_entry(*entry),
                Asked::Settled(..) | Asked::Group(..) => {}
            }
        }
        for (_, asked) in &mut *rows {
            if let Asked::Hash(way, hash) = asked {
                *asked = Asked::Group(*way, predictions.group(*hash));
            }
        }
        for (_, asked) in rows {
            match asked {
                Asked::Group(_, group) if group.start < group.end => predictions.touch_reply(group.start),
                Asked::Settled(State::Found(_), entry) => predictions.touch_reply(*entry),
                Asked::Group(..) | Asked::Settled(..) | Asked::Hash(..) => {}
            }
        }
    }

    /// About how many bytes the records take in the table.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records in their order.
    pub(super) fn rows(&self) -> &[(Keyed, Asked)] {
        &self.rows[..self.count]
    }
}
