//! Programs that end when we do: each on a leash, in a process group of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use crate::run::Result;

/// Starts the program, and ends its process group once standard input closes: that happens however we
/// end, by Ctrl-C, by a panic or killed, so that no server outlives us.
const LEASH: &str = r#"exec 3<&0
"$@" 3<&- </dev/null &
program=$!
{ while read -r _ <&3; do :; done; kill -TERM 0; } >/dev/null 2>&1 &
watcher=$!
wait $program
status=$?
kill $watcher 2>/dev/null
exit $status"#;

/// How long a program may take to end once it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// A program that is ended when this is dropped.
pub(crate) struct Leashed {
    child: Child,
    leash: Option<ChildStdin>,
}

impl Leashed {
    /// Starts `command`. What it says on standard error goes to `log`, and what it says on standard
    /// output too, unless `lines` takes it.
    pub(crate) fn start(command: &Command, log: &Path, lines: Option<mpsc::Sender<String>>) -> Result<Self> {
        let shown = command.get_program().to_string_lossy().into_owned();
        let file = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut leashed = Command::new("/bin/sh");
        leashed.args(["-c", LEASH, "leash"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => leashed.env(name, value),
                None => leashed.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            leashed.current_dir(folder);
        }
        leashed.process_group(0).stdin(Stdio::piped()).stderr(file.try_clone()?);
        leashed.stdout(if lines.is_some() { Stdio::piped() } else { file.into() });
        let mut child = leashed.spawn().map_err(|error| format!("start {shown}: {error}"))?;
        let leash = child.stdin.take();
        if let (Some(lines), Some(output)) = (lines, child.stdout.take()) {
            thread::spawn(move || {
                for line in BufReader::new(output).split(b'\n') {
                    let Ok(line) = line else { return };
                    if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, leash })
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end, for at most `limit`.
    pub(crate) fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if Instant::now() >= deadline {
                return None;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        drop(self.leash.take());
        if self.wait(GRACE).is_none() {
            // Its whole group, by the number of the one that we started.
            let group = format!("-{}", self.child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            let _ = self.child.wait();
        }
    }
}

/// The last lines of a log, to be shown beside a failure.
pub(crate) fn tail(log: &Path, lines: usize) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].iter().map(|line| format!("    | {line}\n")).collect()
}
