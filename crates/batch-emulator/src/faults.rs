//! What shall go wrong, by name and count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::random::Random;
use crate::{Error, ErrorKind};

/// One thing that can be made to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// What happens, and what is counted.
    pub what: &'static str,
    /// Whether [`Faults::random`] lets it happen: what may befall anybody and passes by
    /// itself. Refused logins, wrong bits and jobs that wait for three days do not.
    pub random: bool,
}

const fn fault(name: &'static str, what: &'static str) -> Fault {
    Fault { name, what, random: false }
}

const fn passing(name: &'static str, what: &'static str) -> Fault {
    Fault { name, what, random: true }
}

/// Every fault there is.
pub const FAULTS: &[Fault] = &[
    passing("reset", "the connections of the next requests drop before anything is done"),
    passing("lost-response", "the next requests are answered, but the connection drops before the reply"),
    fault("storage-401", "the next storage requests are refused as not logged in"),
    fault("storage-403", "the next storage requests lack a permission"),
    passing("storage-429", "the next storage requests come too fast; the reply has `Retry-After: 1`"),
    passing("storage-503", "the next storage requests find the service unavailable"),
    passing("cut-upload", "the connection drops in the middle of the next uploads"),
    passing("cut-download", "the connection drops in the middle of the next downloads"),
    fault("corrupt-download", "one bit of the next downloads is wrong"),
    passing(
        "lost-upload-response",
        "the next finished uploads and BigQuery jobs are kept, but the connection drops before the reply",
    ),
    fault("bigquery-401", "the next BigQuery requests are refused as not logged in"),
    fault("bigquery-403", "the next BigQuery requests lack a permission"),
    passing("bigquery-429", "the next BigQuery requests come too fast; the reply has `Retry-After: 1`"),
    passing("bigquery-503", "the next BigQuery requests find the service unavailable"),
    passing("lost-insert", "the next streaming inserts are kept, but the connection drops before the reply"),
    passing("load-failed", "the next BigQuery jobs fail inside the service: `backendError`"),
    fault("create-400", "the next job creations are refused as wrong"),
    fault("create-403", "the next job creations lack a permission"),
    passing("create-429", "the next job creations find the quota exhausted; the reply has `Retry-After: 1`"),
    passing("create-500", "the next job creations fail inside the service"),
    passing("lost-create", "the next job creations are accepted, but the connection drops before the reply"),
    fault("poll-401", "the next job reads are refused as not logged in"),
    passing("poll-503", "the next job reads find the service unavailable"),
    fault("unknown-state", "the next job reads show a state of a name that no client knows"),
    passing("drop-row", "the next request lines get no prediction line"),
    passing("duplicate-row", "the next request lines get two prediction lines"),
    passing("fail-row", "the next request lines fail with 429 or 500 in `status`"),
    fault("block-row", "the next prompts are blocked: `promptFeedback`, no candidates"),
    fault("no-candidates-row", "the next responses have no candidates and say not why"),
    fault("truncate-row", "the next candidates end at MAX_TOKENS without any part"),
    fault("thought-row", "the next candidates begin with a thought part"),
    fault("cut-output", "the next predictions files end in the middle of their last line"),
    fault("split-output", "the next jobs write their predictions as three files"),
    fault("job-stuck", "the next jobs stay in the queue until they expire"),
    passing("job-failed", "the next jobs fail as a whole: code 13, INTERNAL"),
    passing("job-expired", "the next jobs expire half-way, with the predictions that are ready"),
];

/// How often each fault is still to happen, or how likely. Clones share the counts.
///
/// ```
/// use batch_emulator::Faults;
///
/// let faults = Faults::parse(["poll-503=2", "cut-upload"])?;
/// assert!(faults.take("poll-503"));
/// assert!(faults.take("poll-503"));
/// assert!(!faults.take("poll-503"));
/// assert_eq!(faults.remaining()["cut-upload"], 1);
/// # Ok::<(), batch_emulator::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<&'static str, u64>,
    /// How often each still passes by before it happens.
    spared: BTreeMap<&'static str, u64>,
    chaos: Option<Chaos>,
}

/// Faults at random.
#[derive(Debug)]
struct Chaos {
    random: Random,
    per_mille: u16,
}

impl State {
    /// Counts a fault down, or draws whether it happens.
    fn take(&mut self, name: &str) -> bool {
        if let Some(spared) = self.spared.get_mut(name).filter(|spared| 0 < **spared) {
            *spared -= 1;
        } else if let Some(count) = self.counts.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(name);
            }
            return true;
        }
        let passing = || FAULTS.iter().any(|fault| fault.name == name && fault.random);
        self.chaos
            .as_ref()
            .is_some_and(|chaos| passing() && chaos.random.next_u64() % 1000 < u64::from(chaos.per_mille))
    }
}

impl Faults {
    /// Lets every fault that passes by itself ([`Fault::random`]) happen with this
    /// probability, in thousandths, each time that it could: at every request, row or job.
    /// Counted faults can be set besides.
    ///
    /// The draws come from `seed`: a client that sends the same requests one after the
    /// other meets the same faults. Those of rows and jobs are drawn when a job is made or
    /// begins, and kept with it.
    ///
    /// ```
    /// use batch_emulator::Faults;
    ///
    /// let faults = Faults::random(7, 100);
    /// let met = (0..1000).filter(|_| faults.take("poll-503")).count();
    /// assert!((50..200).contains(&met));
    /// assert!(!faults.take("job-stuck"));
    /// ```
    pub fn random(seed: u64, per_mille: u16) -> Faults {
        let faults = Faults::default();
        faults.set_random(seed, per_mille);
        faults
    }

    /// Begins with random faults on these, as [`Faults::random`] does; 0 thousandths end
    /// them.
    pub fn set_random(&self, seed: u64, per_mille: u16) {
        self.state().chaos = (per_mille > 0).then(|| Chaos { random: Random::new(seed), per_mille });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads `name` (once), `name=COUNT`, and `name=COUNT@FIRST`: so many, from the so-manieth time on that it
    /// could happen. A name that comes twice adds up, from the later beginning on.
    ///
    /// ```
    /// # use batch_emulator::Faults;
    /// let faults = Faults::parse(["create-403=1@2"])?;
    /// assert_eq!([1, 2, 3].map(|_| faults.take("create-403")), [false, true, false]);
    /// # Ok::<(), batch_emulator::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that [`FAULTS`] does not list, and for a count or a beginning that is
    /// no number.
    pub fn parse<I>(faults: I) -> Result<Faults, Error>
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let parsed = Faults::default();
        for fault in faults {
            let fault = fault.as_ref();
            let number = |what: &str, text: &str| {
                text.trim().parse::<u64>().map_err(|error| {
                    Error::new(ErrorKind::Config, format!("the {what} of fault {fault:?} is not a number"))
                        .with_hint("write `name` for once, `name=COUNT`, or `name=COUNT@FIRST`")
                        .with_source(error)
                })
            };
            let (name, times) = fault.split_once('=').unwrap_or((fault, "1"));
            let (count, first) = times.split_once('@').unwrap_or((times, "1"));
            let (name, count, first) = (name.trim(), number("count", count)?, number("beginning", first)?);
            let spared = parsed.state().spared.get(name).copied().unwrap_or(0);
            parsed.set(name, count + parsed.count(name))?;
            parsed.spare(name, spared.max(first.saturating_sub(1)));
        }
        Ok(parsed)
    }

    /// Lets `name` happen `count` times from now on; 0 ends it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a name that [`FAULTS`] does not list.
    pub fn set(&self, name: &str, count: u64) -> Result<(), Error> {
        let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) else {
            let names: Vec<_> = FAULTS.iter().map(|fault| fault.name).collect();
            return Err(Error::new(ErrorKind::Config, format!("there is no fault {name:?}"))
                .with_hint(format!("the faults are {}", names.join(", "))));
        };
        let mut state = self.state();
        state.spared.remove(fault.name);
        if count == 0 {
            state.counts.remove(fault.name);
        } else {
            state.counts.insert(fault.name, count);
        }
        Ok(())
    }

    /// Lets `name` pass by so often before it happens.
    fn spare(&self, name: &str, times: u64) {
        if let Some(fault) = FAULTS.iter().find(|fault| fault.name == name) {
            self.state().spared.insert(fault.name, times);
        }
    }

    /// Whether `name` is to happen now; counts it down.
    pub fn take(&self, name: &str) -> bool {
        debug_assert!(FAULTS.iter().any(|fault| fault.name == name), "{name} is missing in FAULTS");
        self.state().take(name)
    }

    /// How many of `most` things `name` is to happen to; counts it down.
    pub(crate) fn take_of(&self, name: &str, most: usize) -> usize {
        let mut state = self.state();
        (0..most).filter(|_| state.take(name)).count()
    }

    /// The faults that are still to happen, and how often.
    pub fn remaining(&self) -> BTreeMap<&'static str, u64> {
        self.state().counts.clone()
    }

    fn count(&self, name: &str) -> u64 {
        self.remaining().get(name).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_name_says_which_there_are() {
        let error = Faults::parse(["pol-503"]).unwrap_err();
        assert_eq!(error.to_string(), "there is no fault \"pol-503\"");
        assert!(error.hint().unwrap().contains("poll-503"));
    }

    #[test]
    fn random_faults_are_the_same_for_the_same_seed() {
        let draws = |seed| {
            let faults = Faults::random(seed, 300);
            faults.set("drop-row", 1).unwrap();
            (0..100).map(|_| faults.take("drop-row")).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
        assert!(draws(3)[0], "what is counted comes first");
        let faults = Faults::random(1, 300);
        assert!((0..1000).all(|_| !faults.take("storage-401")));
        faults.set_random(1, 0);
        assert!((0..1000).all(|_| !faults.take("drop-row")));
    }

    #[test]
    fn what_happens_later_passes_by_before() {
        let faults = Faults::parse(["create-403=2@3", "cut-upload=1@1"]).unwrap();
        let happens = |name| (0..6).map(|_| faults.take(name)).collect::<Vec<_>>();
        assert_eq!(happens("create-403"), [false, false, true, true, false, false]);
        assert_eq!(happens("cut-upload"), [true, false, false, false, false, false]);
        // Whoever sets it anew means from now on.
        let faults = Faults::parse(["create-403=1@9"]).unwrap();
        faults.set("create-403", 1).unwrap();
        assert!(faults.take("create-403"));
        let error = Faults::parse(["create-403=1@x"]).unwrap_err();
        assert_eq!(error.to_string(), "the beginning of fault \"create-403=1@x\" is not a number");
        // A name that comes twice has one count and one beginning, the later.
        let faults = Faults::parse(["create-403=1@2", "create-403"]).unwrap();
        assert_eq!((0..4).map(|_| faults.take("create-403")).collect::<Vec<_>>(), [false, true, true, false]);
    }

    #[test]
    fn counts_add_up_and_run_out() {
        let faults = Faults::parse(["cut-upload", "cut-upload = 1", "poll-503=0"]).unwrap();
        assert_eq!(faults.remaining().into_iter().collect::<Vec<_>>(), [("cut-upload", 2)]);
        assert!(faults.take("cut-upload"));
        assert!(faults.take("cut-upload"));
        assert!(!faults.take("cut-upload"));
        assert!(!faults.take("poll-503"));
    }
}
