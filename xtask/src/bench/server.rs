//! A store to upload to: the program's own emulator, on a processor of its own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::run::{Result, output};

/// The bucket that there is.
pub(super) const BUCKET: &str = "bench";

/// An emulator that is ended when it goes out of scope.
pub(super) struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts one on a processor. Its jobs stay in the queue, so that nothing runs beside an upload.
    pub(super) fn start(product: &Path, processor: usize, folder: &Path) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", &processor.to_string()]).arg(product);
        command.args(["emulator", "--port", "0", "--bucket", BUCKET, "--fault", "job-stuck=1000000"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(folder.join("emulator.txt"))?);
        let mut child = command.spawn().map_err(|error| format!("start an emulator with taskset: {error}"))?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("the emulator has no standard output")?;
        let mut server = Self { child, url: String::new() };
        BufReader::new(stdout).read_line(&mut line)?;
        let said: Value = serde_json::from_str(&line).map_err(|_| format!("the emulator said {line:?}"))?;
        server.url = said["listening"].as_str().ok_or("the emulator does not say where it listens")?.to_owned();
        Ok(server)
    }

    /// What makes every client use it.
    pub(super) fn environment(&self) -> [(String, String); 2] {
        ["STORAGE_EMULATOR_HOST", "GOOGLE_VERTEX_BASE_URL"].map(|name| (name.to_owned(), self.url.clone()))
    }

    /// All that was uploaded, one behind the other.
    pub(super) fn fetch(&self, into: &Path) -> Result {
        let objects = format!("{}/storage/v1/b/{BUCKET}/o", self.url);
        let listed: Value = serde_json::from_str(&output(curl().arg(&objects))?)?;
        let mut out = File::create(into)?;
        for object in listed["items"].as_array().into_iter().flatten() {
            let name = object["name"].as_str().ok_or("an object without a name")?.replace('/', "%2F");
            let bytes = curl().arg(format!("{objects}/{name}?alt=media")).output()?;
            out.write_all(&bytes.stdout)?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn curl() -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail"]);
    curl
}
