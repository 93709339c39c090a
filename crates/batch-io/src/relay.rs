//! Two cores, or more, for what is read, made and written in order.
//!
//! Each thread carries a batch through all stages itself, and only the right to read, to join and to
//! write goes from thread to thread: while one writes what it made, the other reads and makes. What a core has
//! just read lies in its own cache when it is worked on, and what it made when it is written. With a thread
//! for each stage, every byte would have to cross from core to core twice.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// So often the processor is offered to others before a thread sleeps until it is woken up. To wake a thread takes as
/// long as to write a batch on a virtual machine, and whoever waits here waits for less than that.
const PATIENCE: usize = 200;

/// Whether there is more behind a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    More,
    /// What may be behind it is not looked at.
    Nothing,
}

/// Threads are worth starting for more bytes than these.
pub(crate) const WORTH: usize = 64 * 1024;

/// How much is drawn at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) bytes: usize,
    pub(crate) records: usize,
}

impl Size {
    /// What a thread draws in its turn: so much that turns do not change often.
    pub(crate) const IN_TURN: Self = Self { bytes: 192 * 1024, records: 2048 };

    /// Whether so much is enough. From half of it on a thread that draws in its turn stops where what is held in memory
    /// ends, so that this stays in its core's own cache.
    pub(crate) fn is_filled(self, drawer: Drawer, bytes: usize, records: usize, holds: impl FnOnce() -> bool) -> bool {
        self.records <= records
            || self.bytes <= bytes
            || drawer == Drawer::InTurn && self.bytes / 2 <= bytes && !holds()
    }

    /// Whether the places of records keep too much memory for those to come: now one is large, now another, and each
    /// place would have that of the largest.
    pub(crate) fn is_outgrown_by(self, kept: usize) -> bool {
        6 * self.bytes < kept
    }
}

/// Who draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drawer {
    /// One thread, as far as is known.
    Alone,
    /// One of several, which take turns.
    InTurn,
}

/// What happens to a batch, from the first to the last.
pub(crate) struct Stages<D, W, S, T> {
    /// Puts what comes next into a batch, on one thread at a time.
    pub(crate) draw: D,
    /// What any number of threads may do at once.
    pub(crate) work: W,
    /// What is to be done in the order in which batches were drawn. Behind a batch of which it says that nothing follows,
    /// no other is settled or taken.
    pub(crate) settle: S,
    /// The same again; while one batch is taken another can be settled. An error ends it all, though batches behind
    /// may have been settled.
    pub(crate) take: T,
}

/// Carries batch after batch through the stages until the last was taken, or one was not.
///
/// How many threads there are to be is asked behind each batch that was drawn, until there are to be several: as long as
/// it is one, the calling thread does it all, and then it is one of them. A thread that cannot be started is one less.
pub(crate) fn relay<B, D, W, S, T, E>(stages: Stages<D, W, S, T>, mut threads: impl FnMut(&B) -> usize) -> Result<(), E>
where
    B: Default + Send,
    D: FnMut(&mut B, Drawer) -> Next + Send,
    W: Fn(&mut B) + Sync,
    S: FnMut(&mut B) -> Next + Send,
    T: FnMut(&mut B) -> Result<(), E> + Send,
    E: Send,
{
    let Stages { mut draw, work, mut settle, mut take } = stages;
    let mut batch = B::default();
    let threads = loop {
        let drawn = draw(&mut batch, Drawer::Alone);
        let threads = if drawn == Next::More { threads(&batch) } else { 1 };
        if 1 < threads {
            break threads;
        }
        work(&mut batch);
        let settled = settle(&mut batch);
        take(&mut batch)?;
        if [drawn, settled].contains(&Next::Nothing) {
            return Ok(());
        }
    };
    let relay = Relay {
        draw: Mutex::new(Some(draw)),
        drawn: AtomicU64::new(1),
        work,
        settle: Gate::new(settle),
        take: Gate::new((take, Ok(()))),
    };
    thread::scope(|scope| {
        let start = |_| thread::Builder::new().spawn_scoped(scope, || relay.run(None)).ok();
        let others: Vec<_> = (1..threads).map_while(start).collect();
        relay.run(Some((0, batch)));
        for other in others {
            // With what it panicked with, not with the news that it did.
            other.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
    });
    relay.take.into_inner().1
}

struct Relay<D, W, S, T> {
    /// Nothing where there is no more to draw.
    draw: Mutex<Option<D>>,
    /// How many batches were drawn: the number of the next.
    drawn: AtomicU64,
    work: W,
    settle: Gate<S>,
    /// With how it ended.
    take: Gate<T>,
}

impl<D, W, S, T, E> Relay<D, W, S, (T, Result<(), E>)> {
    /// Carries the batch that was drawn, if one was, and then others until there are no more.
    fn run<B: Default>(&self, first: Option<(u64, B)>)
    where
        D: FnMut(&mut B, Drawer) -> Next,
        W: Fn(&mut B),
        S: FnMut(&mut B) -> Next,
        T: FnMut(&mut B) -> Result<(), E>,
    {
        let (settle, take, was_panicking) = (&self.settle, &self.take, thread::panicking());
        let _closes = ClosesBoth { settle, take, was_panicking };
        let (mut number, mut batch) = match first {
            Some((number, batch)) => (Some(number), batch),
            None => (None, B::default()),
        };
        while let Some(drawn) = number.take().or_else(|| self.draw(&mut batch)) {
            (self.work)(&mut batch);
            if !self.settle.pass(drawn, |settle| settle(&mut batch)) {
                return;
            }
            let taken = self.take.pass(drawn, |(take, ended)| {
                *ended = take(&mut batch);
                if ended.is_ok() { Next::More } else { Next::Nothing }
            });
            if !taken {
                return;
            }
        }
    }

    /// The number of the batch that was drawn.
    fn draw<B>(&self, batch: &mut B) -> Option<u64>
    where
        D: FnMut(&mut B, Drawer) -> Next,
    {
        let mut held = match be_patient(|| self.draw.try_lock().ok()) {
            Some(held) => held,
            // Of one that panicked nothing more is drawn.
            None => self.draw.lock().ok()?,
        };
        if self.settle.is_closed() || self.take.is_closed() {
            return None;
        }
        if held.as_mut()?(batch, Drawer::InTurn) == Next::Nothing {
            *held = None;
        }
        // While nobody else can draw: the numbers are in the order of what was drawn.
        Some(self.drawn.fetch_add(1, Ordering::Relaxed))
    }
}

/// What batches pass one at a time, in the order of their numbers.
struct Gate<T> {
    behind: Mutex<T>,
    /// The number of the batch that may pass. It changes while `behind` is locked, and is looked at without.
    turn: AtomicU64,
    turned: Condvar,
}

/// The turn of a gate that no batch passes any more.
const CLOSED: u64 = u64::MAX;

impl<T> Gate<T> {
    fn new(behind: T) -> Self {
        Self { behind: Mutex::new(behind), turn: AtomicU64::new(0), turned: Condvar::new() }
    }

    /// Waits for its turn; `false` where that never comes.
    fn pass(&self, number: u64, with: impl FnOnce(&mut T) -> Next) -> bool {
        let has_come = || [number, CLOSED].contains(&self.turn.load(Ordering::Acquire));
        be_patient(|| has_come().then_some(()));
        let behind = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = self.turned.wait_while(behind, |_| !has_come());
        let mut behind = behind.unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return false;
        }
        let next = match with(&mut behind) {
            Next::More => number + 1,
            Next::Nothing => CLOSED,
        };
        self.turn.store(next, Ordering::Release);
        drop(behind);
        self.turned.notify_all();
        true
    }

    fn is_closed(&self) -> bool {
        self.turn.load(Ordering::Acquire) == CLOSED
    }

    fn close(&self) {
        let behind = self.behind.lock();
        self.turn.store(CLOSED, Ordering::Release);
        drop(behind);
        self.turned.notify_all();
    }

    fn into_inner(self) -> T {
        self.behind.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the others end where its thread panics: the turn of its batch never comes.
struct ClosesBoth<'a, S, T> {
    settle: &'a Gate<S>,
    take: &'a Gate<T>,
    /// Whether it panics already: then that is no business of the relay.
    was_panicking: bool,
}

impl<S, T> Drop for ClosesBoth<'_, S, T> {
    fn drop(&mut self) {
        if thread::panicking() && !self.was_panicking {
            self.settle.close();
            self.take.close();
        }
    }
}

/// Asks again and again for a while.
fn be_patient<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    for _ in 0..PATIENCE {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        thread::yield_now();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::{Barrier, mpsc};

    use super::*;

    /// Numbers below `end`, one a batch, each squared; settled up to one, and taken up to one.
    fn squares(end: u64, threads: usize, settle_to: u64, take_to: u64) -> (Vec<u64>, Vec<u64>, Result<(), u64>) {
        let (mut next, mut settled, mut taken) = (0, Vec::new(), Vec::new());
        let stages = Stages {
            draw: |batch: &mut u64, _| {
                *batch = next;
                next += 1;
                if next < end { Next::More } else { Next::Nothing }
            },
            work: |batch: &mut u64| *batch *= *batch,
            settle: |batch: &mut u64| {
                settled.push(*batch);
                if settled.len() as u64 <= settle_to { Next::More } else { Next::Nothing }
            },
            take: |batch: &mut u64| {
                if taken.len() as u64 == take_to {
                    return Err(*batch);
                }
                taken.push(*batch);
                Ok(())
            },
        };
        let ended = relay(stages, |_| threads);
        (settled, taken, ended)
    }

    fn all_to(end: u64) -> Vec<u64> {
        (0..end).map(|number| number * number).collect()
    }

    #[test]
    fn all_pass_in_the_order_in_which_they_were_drawn() {
        for threads in 1..5 {
            for end in [1, 2, 3, 1000] {
                assert_eq!(squares(end, threads, u64::MAX, u64::MAX), (all_to(end), all_to(end), Ok(())));
            }
        }
    }

    #[test]
    fn what_is_not_taken_ends_it() {
        for threads in 1..5 {
            for to in [0, 1, 2, 500, 999] {
                let (_, taken, ended) = squares(1000, threads, u64::MAX, to);
                assert_eq!((taken, ended), (all_to(to), Err(to * to)));
            }
        }
    }

    #[test]
    fn behind_what_ends_the_settling_nothing_is_settled_and_all_before_is_taken() {
        for threads in 1..5 {
            for to in [0, 1, 2, 500, 999] {
                let expected = all_to(to + 1);
                assert_eq!(squares(1000, threads, to, u64::MAX), (expected.clone(), expected, Ok(())));
            }
        }
    }

    /// Each waits for what the other says.
    #[test]
    fn the_stages_go_on_beside_each_other() {
        let (said, heard) = mpsc::channel();
        // A receiver can only be looked at by one thread at a time.
        let heard = Mutex::new(heard);
        let mut drawn = 0;
        let both = Barrier::new(2);
        let mut taken = Vec::new();
        let stages = Stages {
            draw: |batch: &mut u64, _| {
                *batch = drawn;
                drawn += 1;
                if drawn < 3 { Next::More } else { Next::Nothing }
            },
            work: |batch: &mut u64| {
                if *batch < 2 {
                    both.wait();
                }
            },
            settle: |batch: &mut u64| {
                if *batch == 2 {
                    said.send(()).expect("the one before is being taken");
                }
                Next::More
            },
            take: |batch: &mut u64| {
                if *batch == 1 {
                    let heard = heard.lock().map_err(|_| "a thread panicked")?;
                    heard.recv().map_err(|_| "nothing is settled any more")?;
                }
                taken.push(*batch);
                Ok::<_, &str>(())
            },
        };
        assert_eq!(relay(stages, |_| 2), Ok(()));
        assert_eq!(taken, [0, 1, 2]);
    }

    /// As in a `Drop` of who has panicked.
    #[test]
    fn whoever_panics_already_loses_nothing() {
        struct Late;
        static TAKEN: AtomicU64 = AtomicU64::new(0);
        impl Drop for Late {
            fn drop(&mut self) {
                for _ in 0..200 {
                    let (_, taken, _) = squares(10, 3, u64::MAX, u64::MAX);
                    TAKEN.fetch_add(taken.len() as u64, Ordering::Relaxed);
                }
            }
        }
        let panicked = std::panic::catch_unwind(|| {
            let _late = Late;
            panic!("something else");
        });
        assert!(panicked.is_err());
        assert_eq!(TAKEN.load(Ordering::Relaxed), 2000);
    }

    #[test]
    fn threads_are_started_when_there_are_to_be_several() {
        let (mut asked, mut next, ids) = (0, 0, Mutex::new(std::collections::HashSet::new()));
        let both = Barrier::new(2);
        let stages = Stages {
            draw: |batch: &mut u64, drawer| {
                *batch = next;
                next += 1;
                assert_eq!(drawer == Drawer::Alone, *batch < 3);
                if next < 20 { Next::More } else { Next::Nothing }
            },
            work: |batch: &mut u64| {
                if (2..20).contains(batch) {
                    both.wait();
                }
                ids.lock().expect("nobody panics").insert((*batch < 2, thread::current().id()));
            },
            settle: |_: &mut u64| Next::More,
            take: |_: &mut u64| Ok::<(), ()>(()),
        };
        let threads = |_: &u64| {
            asked += 1;
            if asked < 3 { 1 } else { 2 }
        };
        assert_eq!(relay(stages, threads), Ok(()));
        let ids = ids.into_inner().expect("nobody panics");
        assert_eq!(ids.iter().filter(|(before, _)| *before).count(), 1);
        assert_eq!(ids.iter().filter(|(before, _)| !before).count(), 2);
    }

    #[test]
    fn a_panic_ends_it_and_is_handed_on() {
        for stage in 0..4 {
            let panicked = std::panic::catch_unwind(|| {
                let mut next = 0;
                let stages = Stages {
                    draw: |batch: &mut u64, _| {
                        *batch = next;
                        next += 1;
                        assert!(stage != 0 || next < 100, "drawing");
                        Next::More
                    },
                    work: |batch: &mut u64| assert!(stage != 1 || *batch < 100, "working"),
                    settle: |batch: &mut u64| {
                        assert!(stage != 2 || *batch < 100, "settling");
                        Next::More
                    },
                    take: |batch: &mut u64| {
                        assert!(stage != 3 || *batch < 100, "taking");
                        Ok::<_, ()>(())
                    },
                };
                relay(stages, |_| 3)
            });
            let panic = panicked.expect_err("it panicked");
            let said = panic.downcast_ref::<&str>().expect("what it panicked with is a text");
            assert_eq!(*said, ["drawing", "working", "settling", "taking"][stage]);
        }
    }
}
