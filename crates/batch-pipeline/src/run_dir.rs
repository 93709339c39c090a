//! The directory of a run: found or made, locked, and saved so that a kill at any instant leaves it whole.

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use batch_backend::RecordsInfo;

use crate::{
    CacheUse, Clock, Error, Kind, Result, Selection, Spec,
    in_place::RECORDS,
    input::{Seen, digest_of},
    state::{InputState, RecordsState, RunState, VERSION},
};

/// Where runs live, unless a directory is named: below the working directory.
pub const RUNS: &str = ".batch/runs";

const STATE: &str = "run.json";
/// What the name of an input begins with that is not in its place yet.
const SPOOLED: &str = ".input-";

/// How the directory of a run is chosen.
#[derive(Debug, Clone, Default)]
pub struct RunDirOptions {
    /// This directory and no other.
    pub directory: Option<PathBuf>,
    /// Never one that is there already.
    pub new: bool,
    /// Where runs live; [`RUNS`] by default.
    pub root: Option<PathBuf>,
    /// Whether the service is the emulator of this process.
    pub local: bool,
    /// The part of the table that is asked about; all of it by default.
    pub selection: Option<Selection>,
    /// The cache that a new run takes answers from and leaves its own in; none by default.
    pub cache: Option<CacheUse>,
    /// The spec's file, as a list of runs shall name it.
    pub spec_file: Option<PathBuf>,
}

/// The directory of a run, held by this process alone, with its state.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    state: RunState,
    resumed: bool,
    /// How the input looked when its bytes were seen to be the right ones.
    seen: Option<Seen>,
    // Held until the value is dropped, and by the kernel no longer than the process lives.
    _lock: File,
}

impl RunDir {
    /// Finds the run of this spec and input that can go on, or makes a new one.
    ///
    /// `input` is the table as it can be opened; `-` is standard input, which is spooled into the
    /// directory of a new run.
    ///
    /// # Errors
    /// The input cannot be read; the named directory is another run's, or of an input that has
    /// changed since; another process holds it.
    pub fn open(spec: &Spec, input: &Path, options: &RunDirOptions, clock: &dyn Clock) -> Result<Self> {
        if input == Path::new("-") {
            return Self::spool(&mut io::stdin().lock(), spec, options, clock);
        }
        let failed = |error| Error::io(Kind::Input, "read the input", input, error);
        let meta = fs::metadata(input).map_err(failed)?;
        if !meta.is_file() && !meta.is_dir() {
            // A pipe by a name, such as a shell's <(…), can be read once only as well.
            return Self::spool(&mut File::open(input).map_err(failed)?, spec, options, clock);
        }
        let seen = Seen::of(input);
        let mut this =
            Self::choose(new_state(spec, digest_of(input)?, options.local, options.selection, clock), options)?;
        this.see(seen);
        Ok(this)
    }

    /// As [`open`](Self::open), for records that lie in the service's own storage, as a look at them found
    /// them.
    ///
    /// # Errors
    /// A part of the records is asked about, or a cache, which both need them here; as for `open`.
    pub fn open_records(spec: &Spec, info: &RecordsInfo, options: &RunDirOptions, clock: &dyn Clock) -> Result<Self> {
        let refused = |what: &str, hint: &str| {
            Err(Error::new(Kind::Spec, format!("{what}: the records are in {}", info.place)).with_hint(hint))
        };
        if options.selection.is_some() {
            return refused("no part of the records can be chosen here", "select it with SQL, in input.query");
        }
        if options.cache.is_some() {
            return refused("no answers can be taken from the cache", "leave out cache.enabled");
        }
        let input = InputState {
            path: String::new(),
            bytes: info.bytes,
            digest: info.identity.clone(),
            records: Some(RecordsState::of(info)),
        };
        let mut this = Self::choose(new_state(spec, input, options.local, None, clock), options)?;
        // Wherever the directory is now.
        this.state.input.path = this.path.join(RECORDS).display().to_string();
        this.save()?;
        Ok(this)
    }

    /// Whether [`open`](Self::open) would go on with a run of this fingerprint, and make no new one.
    ///
    /// # Errors
    /// The folder of runs cannot be read.
    pub fn goes_on(fingerprint: &str, options: &RunDirOptions) -> Result<bool> {
        match &options.directory {
            Some(directory) => Ok(directory.join(STATE).exists()),
            None if options.new => Ok(false),
            None => newest_unfinished(&root_of(options), fingerprint).map(|found| found.is_some()),
        }
    }

    /// The run that `state` goes on with, or a new one.
    fn choose(mut state: RunState, options: &RunDirOptions) -> Result<Self> {
        state.cache.clone_from(&options.cache);
        state.spec_file = options.spec_file.as_deref().map(|file| file.display().to_string());
        let root = root_of(options);
        match &options.directory {
            Some(directory) => {
                let is_there = || directory.join(STATE).exists();
                if !is_there() {
                    let made = Self::create(directory.clone(), state.clone());
                    // Another process may have begun there since we looked; then that is what there is to say.
                    if made.is_ok() || !is_there() {
                        return made;
                    }
                }
                if options.new {
                    let message = format!("{} is a run already", directory.display());
                    let hint = "leave out --new, or name another directory";
                    return Err(Error::new(Kind::RunDirectory, message).with_hint(hint));
                }
                Self::resume(directory, &state, "")
            }
            None => {
                let _held = hold(&root)?;
                let newest = if options.new { None } else { newest_unfinished(&root, &state.fingerprint)? };
                match newest {
                    Some(directory) => Self::resume(&directory, &state, "; or begin another run with --new"),
                    None => Self::create(root.join(&state.id), state),
                }
            }
        }
    }

    /// Opens a run by its directory alone, whatever its spec.
    ///
    /// # Errors
    /// There is no run, it cannot be read, or another process holds it.
    pub fn load(directory: &Path) -> Result<Self> {
        Self::take(directory, "")
    }

    /// Takes the run there is; where another process holds it, the hint ends with `or`.
    fn take(directory: &Path, or: &str) -> Result<Self> {
        // Before the lock, which would leave a file in a directory that is no run's.
        if !directory.join(STATE).exists() {
            return Err(Error::new(Kind::RunDirectory, format!("there is no run in {}", directory.display())));
        }
        let lock = take_lock(directory, or)?;
        Ok(Self { state: read_state(directory)?, path: directory.to_owned(), resumed: true, seen: None, _lock: lock })
    }

    fn resume(directory: &Path, wanted: &RunState, or: &str) -> Result<Self> {
        let mut this = Self::take(directory, or)?;
        if this.state.fingerprint != wanted.fingerprint {
            let path = directory.display();
            let what = if this.state.input.digest == wanted.input.digest {
                format!("{path} is a run of another spec")
            } else if this.state.input_name() == wanted.input_name() {
                format!("{path} is a run of {}, which has changed since", wanted.input_name())
            } else {
                format!("{path} is a run of another input, {}", this.state.input_name())
            };
            let hint = "name another --run-dir, or leave it out for a new run";
            return Err(Error::new(Kind::RunDirectory, what).with_hint(hint));
        }
        if wanted.cache.is_none() {
            if 0 < this.state.cached_records() {
                let (path, records) = (directory.display(), this.state.cached_records());
                let message = format!("{path} was begun with the cache, and has taken {records} answers from it");
                return Err(Error::new(Kind::RunDirectory, message).with_hint("begin a new run with --new"));
            }
            this.state.cache = None;
        }
        // What the fingerprint leaves out may have changed: how to evaluate, when to poll.
        this.state.spec = wanted.spec.clone();
        this.state.input.path = wanted.input.path.clone();
        this.save()?;
        Ok(this)
    }

    pub(crate) fn create(path: PathBuf, state: RunState) -> Result<Self> {
        make_directory(&path).map_err(|error| Error::io(Kind::RunDirectory, "make the directory", &path, error))?;
        if fs::read_dir(&path)
            .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| !is_a_beginning(&entry.file_name()))))
        {
            let message = format!("{} is not empty, and is no run", path.display());
            return Err(Error::new(Kind::RunDirectory, message).with_hint("name a new directory, or an empty one"));
        }
        let lock = take_lock(&path, "")?;
        // Between the look and the lock another process may have come and gone.
        if path.join(STATE).exists() {
            let message = format!("another process has begun a run in {} meanwhile", path.display());
            return Err(Error::new(Kind::RunDirectory, message)
                .with_hint("run the same command again: it goes on with it where it is of the same spec and input"));
        }
        let this = Self { path, state, resumed: false, seen: None, _lock: lock };
        this.save()?;
        Ok(this)
    }

    /// What can be read once only becomes a file of the run first.
    fn spool(from: &mut dyn Read, spec: &Spec, options: &RunDirOptions, clock: &dyn Clock) -> Result<Self> {
        // On the disk of the run, where it can be renamed to its place.
        let folder = options.directory.clone().unwrap_or_else(|| root_of(options));
        fs::create_dir_all(&folder)
            .map_err(|error| Error::io(Kind::RunDirectory, "make the directory", &folder, error))?;
        let spooled = folder.join(format!("{SPOOLED}{}", std::process::id()));
        let mut copy = || -> io::Result<()> {
            let mut file = File::create(&spooled)?;
            io::copy(from, &mut file)?;
            file.sync_all()
        };
        let digest = copy()
            .map_err(|error| Error::io(Kind::Input, "spool the input into", &spooled, error))
            .and_then(|()| digest_of(&spooled));
        let placed = digest.and_then(|mut input| {
            input.path = "-".to_owned();
            let mut this = Self::choose(new_state(spec, input, options.local, options.selection, clock), options)?;
            let target = this.path.join("input");
            put_in_place(&spooled, &target).map_err(|e| Error::io(Kind::RunDirectory, "write", &target, e))?;
            this.state.input.path = target.display().to_string();
            this.see(Seen::of(&target));
            this.save()?;
            Ok(this)
        });
        if placed.is_err() {
            // Nothing half-written stays behind; the first error is the one to tell.
            let _ = fs::remove_file(&spooled);
        }
        placed
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Whether the run was there already.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// How the input looked when it was last seen to be the right one; `None` where nobody has looked.
    pub(crate) fn seen(&self) -> Option<Seen> {
        self.seen
    }

    /// Remembers how the input looks, which is the right one.
    pub(crate) fn see(&mut self, seen: Option<Seen>) {
        self.seen = seen;
    }

    /// Changes the state, and has it on disk before it returns.
    pub(crate) fn update<T>(&mut self, change: impl FnOnce(&mut RunState) -> T) -> Result<T> {
        let value = change(&mut self.state);
        self.save()?;
        Ok(value)
    }

    fn save(&self) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(&self.state)
            .map_err(|error| Error::new(Kind::Bug, "write the state of the run").with_source(error))?;
        text.push(b'\n');
        write_atomically(&self.path.join(STATE), |file| file.write_all(&text))
    }
}

/// Writes a file under a temporary name and puts it in place when it is whole and on disk.
pub(crate) fn write_atomically(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
    let failed = |error| Error::io(Kind::RunDirectory, "write", path, error);
    let temporary = temporary_of(path);
    let written = File::create(&temporary).and_then(|mut file| {
        write(&mut file)?;
        file.sync_all()
    });
    if let Err(error) = written {
        let _ = fs::remove_file(&temporary);
        return Err(failed(error));
    }
    put_in_place(&temporary, path).map_err(failed)
}

/// A file that is handed to the disk as it grows: what is on it already need not be waited for at the end.
#[derive(Debug)]
pub(crate) struct PacedFile {
    file: File,
    /// How many bytes were written since it was last synced.
    waiting: usize,
}

impl PacedFile {
    /// How many bytes are handed to the disk at once.
    const PACE: usize = 64 << 20;

    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, waiting: 0 })
    }

    /// Has all of it on disk before it returns.
    pub(crate) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for PacedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.waiting += written;
        if Self::PACE <= self.waiting {
            self.waiting = 0;
            self.file.sync_data()?;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The name under which a file is written before it is whole.
pub(crate) fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    path.with_file_name(name)
}

/// Renames a file that is on disk already, and has the new name on disk before it returns.
pub(crate) fn put_in_place(temporary: &Path, path: &Path) -> io::Result<()> {
    fs::rename(temporary, path)?;
    #[cfg(unix)]
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Makes a directory and those above it that are not there, and has their names on disk before it returns:
/// a run that is lost with the power would leave its jobs to nobody.
fn make_directory(path: &Path) -> io::Result<()> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(path)?;
    #[cfg(unix)]
    for made in missing {
        let parent = made.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    #[cfg(not(unix))]
    drop(missing);
    Ok(())
}

/// Where runs live.
fn root_of(options: &RunDirOptions) -> PathBuf {
    options.root.clone().unwrap_or_else(|| PathBuf::from(RUNS))
}

/// Whether a file of this name is there before a run has its state: a kill then leaves it behind.
fn is_a_beginning(name: &OsStr) -> bool {
    let part = temporary_of(Path::new(STATE));
    name == "lock" || name == part.as_os_str() || name.to_string_lossy().starts_with(SPOOLED)
}

/// Holds the folder of runs while one is looked for and made: of two processes that begin at once, the second finds
/// what the first has begun, and does not pay for it again. A system that lends no locks on folders does without.
fn hold(root: &Path) -> Result<Option<File>> {
    make_directory(root).map_err(|error| Error::io(Kind::RunDirectory, "make the directory", root, error))?;
    Ok(File::open(root).and_then(|folder| folder.lock().map(|()| folder)).ok())
}

fn take_lock(directory: &Path, or: &str) -> Result<File> {
    let path = directory.join("lock");
    let failed = |error| Error::io(Kind::RunDirectory, "lock", &path, error);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        if missing {
            Error::new(Kind::RunDirectory, format!("there is no run in {}", directory.display()))
        } else {
            failed(error)
        }
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = format!("another process is working on the run {}", directory.display());
            let directory = directory.display();
            let hint = format!("`batch-cli status {directory}` looks at it; wait for it, or stop it first{or}");
            Err(Error::new(Kind::RunDirectory, message).with_hint(hint))
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// The state of the run in `directory`, without holding it: to look at it while it goes on.
///
/// # Errors
/// There is no run, or it is of another version.
pub fn read_run(directory: &Path) -> Result<RunState> {
    read_state(directory)
}

fn read_state(directory: &Path) -> Result<RunState> {
    let path = directory.join(STATE);
    let text = fs::read(&path).map_err(|error| Error::io(Kind::RunDirectory, "read", &path, error))?;
    let wrong = |message: String| Error::new(Kind::RunDirectory, format!("{}: {message}", path.display()));
    // The version first: a later format may differ in everything else.
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let version =
        serde_json::from_slice::<Version>(&text).map_err(|e| wrong("not the state of a run".into()).with_source(e))?;
    if version.version != VERSION {
        let hint = format!("this program reads version {VERSION}; use the one that made the run");
        return Err(wrong(format!("its version {} is not known", version.version)).with_hint(hint));
    }
    serde_json::from_slice(&text).map_err(|error| wrong("not the state of a run".into()).with_source(error))
}

/// The newest run below `root` with this fingerprint that has not finished.
fn newest_unfinished(root: &Path, fingerprint: &str) -> Result<Option<PathBuf>> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(Kind::RunDirectory, "read", root, error)),
    };
    let runs = entries.filter_map(|entry| {
        let directory = entry.ok()?.path();
        // What is no run, or of another version, is none of our business here.
        let state = read_state(&directory).ok()?;
        (state.fingerprint == fingerprint && !state.is_finished()).then_some((state.created, directory))
    });
    Ok(runs.max_by_key(|(created, _)| *created).map(|(_, directory)| directory))
}

pub(crate) fn new_state(
    spec: &Spec,
    input: InputState,
    local: bool,
    selection: Option<Selection>,
    clock: &dyn Clock,
) -> RunState {
    let fingerprint = fingerprint_of(spec, &input.digest, local, selection);
    let created = clock.now();
    // Readable, in order by name, and unique even for runs of one second.
    let time = created.strftime("%Y%m%d-%H%M%S").to_string();
    let id = format!("{time}-{:03}-{}", created.subsec_millisecond(), &fingerprint[..8]);
    let (shards, spec) = (Vec::new(), spec.clone());
    RunState {
        version: VERSION,
        id,
        fingerprint,
        created,
        local,
        spec_file: None,
        spec,
        input,
        selection,
        selected: None,
        cache: None,
        cached: None,
        shards,
        staged: false,
        rounds: Vec::new(),
        finished: None,
    }
}

/// Which spec and input a run is of. How answers are evaluated, how results are written and when
/// jobs are looked at make no other run of it.
fn fingerprint_of(spec: &Spec, input: &str, local: bool, selection: Option<Selection>) -> String {
    let mut parts = serde_json::json!({
        "format": [&spec.input.format, &spec.input.delimiter, &spec.input.key],
        "request": &spec.request,
        "target": &spec.target,
        "limits": [spec.limits.requests, spec.limits.bytes],
        "input": input,
        "local": local,
        "endpoints": &spec.endpoints,
    });
    // A run of the whole table has the fingerprint that it always had.
    if let Some(selection) = selection {
        parts["selection"] = serde_json::json!(selection);
    }
    let digest = Sha256::digest(parts.to_string().as_bytes());
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
