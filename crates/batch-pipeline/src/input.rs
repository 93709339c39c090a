//! The table of a run: where it is, and that it is still the one that the run was begun with.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
    time::SystemTime,
};

use twox_hash::XxHash3_128;

use crate::{Error, Kind, Result, RunDir, in_place::RECORDS, state::InputState};

/// How a file looks from outside: while it looks the same, its bytes are taken for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    modified: SystemTime,
    bytes: u64,
}

impl Seen {
    /// `None` where that cannot be told.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok()?;
        Some(Self { modified: meta.modified().ok()?, bytes: meta.len() })
    }
}

/// Sees that the table is what the run was begun with: days may lie between a run's first step and its last, and
/// answers would be joined to other records.
///
/// # Errors
/// It is not, or not there any more; `hint` says what to do then.
pub(crate) fn check_input(run: &mut RunDir, hint: impl FnOnce(&Path) -> String) -> Result<()> {
    let same = run.seen().is_some_and(|seen| Seen::of(&run.state().input_path()) == Some(seen));
    if same || run.state().input.records.is_some() {
        return Ok(());
    }
    find_input(run, None).map_err(|error| error.with_hint(hint(run.path())))
}

/// Sees to it that the run's table can be read: where it was, in the run's own directory, or as `given`.
/// Its bytes have to be those that the run was begun with.
///
/// # Errors
/// There is no such table, or it is another one.
pub fn find_input(run: &mut RunDir, given: Option<&Path>) -> Result<()> {
    let wanted = run.state().input.clone();
    if wanted.records.is_some() {
        let Some(given) = given else {
            // Wherever the directory was taken.
            let own = run.path().join(RECORDS).display().to_string();
            return run.update(|state| state.input.path = own);
        };
        let message = format!("the run has no file as its table, and {} is one", given.display());
        let hint = format!("its records are in {}; leave out --input", run.state().input_name());
        return Err(Error::new(Kind::Input, message).with_hint(hint));
    }
    let take = |run: &mut RunDir, path: &Path, seen: Option<Seen>| {
        run.see(seen);
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        run.update(|state| state.input.path = path.display().to_string())
    };
    if let Some(given) = given {
        let (seen, found) = (Seen::of(given), digest_of(given)?);
        if found.digest != wanted.digest {
            let message = format!("{} is not the table of this run: its bytes are others", given.display());
            let hint = format!("the run was begun with {}, of {} bytes", wanted.path, wanted.bytes);
            return Err(Error::new(Kind::Input, message).with_hint(hint));
        }
        return take(run, given, seen);
    }
    // How it looks is looked at first: what changes in between is noticed the next time.
    let find = |path: &Path| {
        let seen = Seen::of(path);
        digest_of(path).is_ok_and(|found| found.digest == wanted.digest).then_some(seen)
    };
    if let Some(seen) = find(Path::new(&wanted.path)) {
        run.see(seen);
        return Ok(());
    }
    // A run that read standard input has its table with it, wherever its directory was taken.
    let own = run.path().join("input");
    if let Some(seen) = find(&own) {
        return take(run, &own, seen);
    }
    let there = Path::new(&wanted.path).exists();
    let message = if there {
        format!("{} has changed since the run was begun", wanted.path)
    } else {
        format!("the table of the run is not here: {}", wanted.path)
    };
    Err(Error::new(Kind::Input, message).with_hint("name the table as it was with --input FILE"))
}

/// The state of an input, with the digest of its bytes.
pub(crate) fn digest_of(path: &Path) -> Result<InputState> {
    let failed = |error| Error::io(Kind::Input, "read the input", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let (mut hasher, mut buffer, mut bytes) = (XxHash3_128::with_seed(0), vec![0; 1 << 18], 0);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.write(&buffer[..n]);
                bytes += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(InputState {
        path: path.display().to_string(),
        bytes,
        digest: format!("{:032x}", hasher.finish_128()),
        records: None,
    })
}
