//! Progress: bars on a terminal, lines elsewhere, JSON for machines; always on standard error.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use batch_model::{CompletionStats, JobState};
use batch_pipeline::{Event, QUEUE_WINDOW, RUN_WINDOW};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::{args::ProgressMode, terminal::Terminal};

/// Tells the events of a run.
pub(crate) struct Progress {
    mode: ProgressMode,
    terminal: Terminal,
    /// Whether jobs are Google's, and there is a page about each.
    has_console: bool,
    bars: MultiProgress,
    shown: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    work: Option<ProgressBar>,
    jobs: BTreeMap<usize, ProgressBar>,
    several: bool,
}

impl Progress {
    pub(crate) fn new(mode: ProgressMode, terminal: &Terminal, has_console: bool) -> Self {
        let mode = match mode {
            ProgressMode::Auto if terminal.is_interactive() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            other => other,
        };
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        Self { mode, terminal: terminal.clone(), has_console, bars, shown: Mutex::default() }
    }

    pub(crate) fn tell(&self, event: &Event) {
        match self.mode {
            ProgressMode::None => {}
            ProgressMode::Json => self.terminal.say_json(json_of(event)),
            ProgressMode::Bar => self.draw(event),
            ProgressMode::Plain | ProgressMode::Auto => {
                if let Some(line) = self.line_of(event) {
                    self.terminal.say(&line);
                }
            }
        }
    }

    /// A line of talk above the bars.
    pub(crate) fn say(&self, line: &str) {
        match self.mode {
            ProgressMode::Bar => self.bars.suspend(|| self.terminal.say(line)),
            _ => self.terminal.say(line),
        }
    }

    /// Takes the bars away.
    pub(crate) fn finish(&self) {
        let mut shown = self.shown();
        shown.work = None;
        shown.jobs.clear();
        let _ = self.bars.clear();
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        // A panic elsewhere leaves bars that can still be drawn.
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self, event: &Event) {
        if let Some(line) = self.line_of(event) {
            self.bars.suspend(|| self.terminal.say(&line));
        }
        let mut shown = self.shown();
        let spinner = |text: String, shown: &mut Shown| {
            let bar = shown.work.get_or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.enable_steady_tick(Duration::from_millis(120));
                bar
            });
            bar.set_message(text);
        };
        match event {
            Event::Staging { records, bytes } => {
                spinner(format!("building and staging: {records} records, {}", size(*bytes)), &mut shown);
            }
            Event::Collecting { bytes, .. } => spinner(format!("collecting: {}", size(*bytes)), &mut shown),
            Event::Joining { records } => spinner(format!("joining: {records} records"), &mut shown),
            Event::Polled { shard, state, stats, records, age, running, next, .. } => {
                shown.work = None;
                if next.is_none() {
                    shown.jobs.remove(shard);
                    return;
                }
                let bar = shown.jobs.entry(*shard).or_insert_with(|| {
                    let style = ProgressStyle::with_template("{spinner} {bar:24} {msg}");
                    let bar = self.bars.add(ProgressBar::new(*records));
                    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                    bar.enable_steady_tick(Duration::from_millis(250));
                    bar
                });
                bar.set_position(done(stats.as_deref()));
                bar.set_message(waiting(state, stats.as_deref(), *records, *age, *running));
            }
            Event::Staged { .. } | Event::Submitted { .. } | Event::Collected { .. } | Event::Finished { .. } => {
                shown.work = None;
            }
            _ => {}
        }
    }

    /// What is worth a line that stays.
    fn line_of(&self, event: &Event) -> Option<String> {
        let several = {
            let mut shown = self.shown();
            if let Event::Staged { shard, .. } | Event::Polled { shard, .. } = event {
                shown.several |= 0 < *shard;
            }
            shown.several
        };
        let of = |shard: usize| if several { format!(" of shard {shard}") } else { String::new() };
        Some(match event {
            Event::Run { directory, resumed: false } => format!("run {}", directory.display()),
            Event::Run { directory, resumed: true } => {
                format!("run {} goes on where it stopped", directory.display())
            }
            Event::Retrying { round, records, resumed } => {
                let how = if *resumed { ", by the service's own resume" } else { "" };
                format!("retry {round}: {}{how}", count(*records, "record"))
            }
            Event::Cached { records } => {
                format!("{} answered before, from the cache (--no-cache asks again)", count(*records, "record"))
            }
            Event::NotNoted { error } => {
                format!("the answers could not be left in the cache: {}", self.terminal.safe(error))
            }
            Event::Staged { records, bytes, uri, found, .. } => {
                let (records, bytes) = (count(*records, "record"), size(*bytes));
                let verb = if *found { "found staged:" } else { "staged" };
                format!("{verb} {records} ({bytes}) at {}", self.terminal.safe(uri))
            }
            Event::Submitted { shard, job, adopted } => {
                let verb = if *adopted { "found the job" } else { "created the job" };
                let console =
                    if self.has_console { format!("\n  {}", batch_api::console_url(job)) } else { String::new() };
                format!("{verb}{}: {job}{console}", of(*shard))
            }
            Event::Refused { shard, error } => {
                let error = self.terminal.safe(error);
                format!("the service refused the job{} for good ({error})", of(*shard))
            }
            Event::Polled { shard, state, stats, records, age, running, changed: true, .. } => {
                format!("job{}: {}", of(*shard), waiting(state, stats.as_deref(), *records, *age, *running))
            }
            Event::PollFailed { shard, error, next } => {
                let error = self.terminal.safe(error);
                format!("job{}: could not look ({error}); again in {}", of(*shard), span(*next))
            }
            Event::Away { shard, doing, error, next } => {
                let error = self.terminal.safe(error);
                format!("could not {doing}{} ({error}); again in {}", of(*shard), span(*next))
            }
            Event::Collected { shard, files, bytes } => {
                format!("collected {} ({}){}", count(*files as u64, "file"), size(*bytes), of(*shard))
            }
            _ => return None,
        })
    }
}

fn done(stats: Option<&CompletionStats>) -> u64 {
    let count = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0);
    stats.map_or(0, |stats| count(stats.successful_count) + count(stats.failed_count))
}

/// A job in one line: state, counts, age, and how much of the service's windows is used.
fn waiting(
    state: &JobState,
    stats: Option<&CompletionStats>,
    records: u64,
    age: Duration,
    running: Option<Duration>,
) -> String {
    let name = state.as_str().trim_start_matches("JOB_STATE_").to_lowercase().replace('_', " ");
    let mut text = name;
    if let Some(stats) = stats {
        let failed = stats.failed_count.unwrap_or(0);
        text.push_str(&format!(", {} of {records} rows", done(Some(stats))));
        if 0 < failed {
            text.push_str(&format!(", {failed} failed"));
        }
    }
    text.push_str(&format!(", {} old", span(age)));
    // A window is worth a word once there is something to see of it.
    let window = match running {
        Some(since) => Some((since, RUN_WINDOW, "24 h run window")),
        None if matches!(state, JobState::Pending | JobState::Queued) => Some((age, QUEUE_WINDOW, "72 h queue window")),
        None => None,
    };
    if let Some((used, window, name)) = window
        && !state.is_terminal()
    {
        let percent = 100.0 * used.as_secs_f64() / window.as_secs_f64();
        if 1.0 <= percent {
            text.push_str(&format!(", {percent:.0} % of the {name} used"));
        }
    }
    if let JobState::Unknown(_) = state {
        text.push_str(" (a state that this version does not know; waiting on)");
    }
    text
}

fn json_of(event: &Event) -> Value {
    match event {
        Event::Run { directory, resumed } => json!({ "event": "run", "directory": directory, "resumed": resumed }),
        Event::Retrying { round, records, resumed } => {
            json!({ "event": "retrying", "round": round, "records": records, "resumed": resumed })
        }
        Event::Cached { records } => json!({ "event": "cached", "records": records }),
        Event::NotNoted { error } => json!({ "event": "not_noted", "error": error }),
        Event::Staging { records, bytes } => json!({ "event": "staging", "records": records, "bytes": bytes }),
        Event::Staged { shard, records, bytes, uri, found } => {
            json!({ "event": "staged", "shard": shard, "records": records, "bytes": bytes, "uri": uri, "found": found })
        }
        Event::Submitted { shard, job, adopted } => {
            json!({ "event": "submitted", "shard": shard, "job": job, "adopted": adopted })
        }
        Event::Refused { shard, error } => json!({ "event": "refused", "shard": shard, "error": error }),
        Event::Polled { shard, job, state, stats, records, age, running, next, .. } => json!({
            "event": "polled", "shard": shard, "job": job, "state": state, "stats": stats, "records": records,
            "age_seconds": age.as_secs_f64(), "running_seconds": running.map(|since| since.as_secs_f64()),
            "next_seconds": next.map(|next| next.as_secs_f64()),
        }),
        Event::PollFailed { shard, error, next } => {
            json!({ "event": "poll_failed", "shard": shard, "error": error, "next_seconds": next.as_secs_f64() })
        }
        Event::Away { shard, doing, error, next } => json!({
            "event": "away", "shard": shard, "doing": doing, "error": error, "next_seconds": next.as_secs_f64(),
        }),
        Event::Collecting { shard, bytes } => json!({ "event": "collecting", "shard": shard, "bytes": bytes }),
        Event::Collected { shard, files, bytes } => {
            json!({ "event": "collected", "shard": shard, "files": files, "bytes": bytes })
        }
        Event::Joining { records } => json!({ "event": "joining", "records": records }),
        Event::Finished { directory } => json!({ "event": "finished", "directory": directory }),
        _ => json!({ "event": "other" }),
    }
}

/// `1 record`, `2 records`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.2} GB", number / 1e9),
    }
}

/// A time as people read it.
pub(crate) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..10 => format!("{:.1} s", duration.as_secs_f64()),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_in_one_line() {
        let mut stats = CompletionStats::default();
        stats.successful_count = Some(9);
        stats.failed_count = Some(1);
        let line =
            waiting(&JobState::Running, Some(&stats), 20, Duration::from_secs(9000), Some(Duration::from_secs(8640)));
        assert_eq!(line, "running, 10 of 20 rows, 1 failed, 2 h 30 min old, 10 % of the 24 h run window used");
        let line = waiting(&JobState::Pending, None, 20, Duration::from_secs(5), None);
        assert_eq!(line, "pending, 5.0 s old");
        let line = waiting(&JobState::from_name("JOB_STATE_DREAMING"), None, 20, Duration::from_secs(5), None);
        assert_eq!(line, "dreaming, 5.0 s old (a state that this version does not know; waiting on)");
    }
}
