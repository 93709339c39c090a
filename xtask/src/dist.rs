//! The program as it is shipped: stripped, with licences and checksums in an archive, tried from an
//! empty folder.

use std::{
    ffi::{OsStr, OsString},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    order,
    run::{Result, cargo, output, root, run, target},
};

pub(crate) fn dist(args: &[String]) -> Result {
    if let Some(unknown) = args.first() {
        return Err(format!("dist takes no argument, not {unknown:?}").into());
    }
    let root = root();
    let binary = build(&map())?;
    let version = output(Command::new(&binary).arg("--version"))?;
    let version = version.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    let host = host()?;
    let name = format!("batch-cli-{version}-{host}");
    let folder = root.join("target").join("dist-packages");
    let stage = folder.join(&name);
    if stage.exists() {
        fs::remove_dir_all(&stage)?;
    }
    fs::create_dir_all(&stage)?;
    fs::copy(&binary, stage.join("batch-cli"))?;
    for file in ["README.md", "README.ja.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        fs::copy(root.join(file), stage.join(file)).map_err(|error| format!("{file}: {error}"))?;
    }
    // The archive is the same for the same files: names in order, no owner, no time.
    let archive = format!("{name}.tar.gz");
    let tar = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf", &archive, &name];
    run(Command::new("tar").current_dir(&folder).args(tar).env("GZIP", "-n"))?;
    let sums = output(Command::new("sha256sum").current_dir(&folder).arg(&archive))?;
    fs::write(folder.join("SHA256SUMS"), sums)?;
    try_out(&folder, &archive, &name)?;
    let size = fs::metadata(&binary)?.len();
    println!("target/dist-packages/{archive}: the program has {:.1} MB", size as f64 / 1e6);
    Ok(())
}

/// Builds the program as it is shipped, and says where it is.
///
/// Where that was tried, the linker lays what a start runs together, and leaves a map of what lies where. Who looks at that
/// names one that was never written to: cargo keeps programs that it linked before, and their maps are gone.
pub(crate) fn build(map: &Path) -> Result<PathBuf> {
    let folder = folder();
    let mut command = cargo();
    command.args(["rustc", "--locked", "--profile", "dist", "--package", "batch-cli", "--bin", "batch-cli"]);
    if host()? == "x86_64-unknown-linux-gnu" {
        // Cargo knows no more of the order than the name of its file, so another order has another name.
        let order = fs::read(order::file()).map_err(|error| format!("{}: {error}", order::FILE))?;
        let mut hasher = DefaultHasher::new();
        order.hash(&mut hasher);
        let script = folder.join(format!("start-{:016x}.ld", hasher.finish()));
        fs::create_dir_all(&folder)?;
        fs::write(&script, order)?;
        let map = OsString::from_iter([OsStr::new("-Map="), map.as_os_str()]);
        command.arg("--");
        for word in [OsStr::new("-T"), script.as_os_str(), OsStr::new("-Xlinker"), &map] {
            command.arg("-C").arg(OsString::from_iter([OsStr::new("link-arg="), word]));
        }
    }
    run(&mut command)?;
    Ok(folder.join("batch-cli"))
}

/// Where the linker says what lies where in the program.
pub(crate) fn map() -> PathBuf {
    folder().join("batch-cli.map")
}

fn folder() -> PathBuf {
    target().join("dist")
}

/// Unpacks the archive where nothing else is, and runs a small batch with what is in it.
fn try_out(folder: &Path, archive: &str, name: &str) -> Result {
    let empty = folder.join("try");
    if empty.exists() {
        fs::remove_dir_all(&empty)?;
    }
    fs::create_dir_all(&empty)?;
    run(Command::new("sha256sum").current_dir(folder).args(["--check", "--quiet", "SHA256SUMS"]))?;
    run(Command::new("tar").current_dir(&empty).arg("-xzf").arg(folder.join(archive)))?;
    let program = empty.join(name).join("batch-cli");
    run(Command::new(&program).current_dir(&empty).args(["init", "batch.toml"]))?;
    fs::write(empty.join("table.csv"), "text\nA goal in the last minute\nA vote in parliament\n")?;
    let report = output(Command::new(&program).current_dir(&empty).env_clear().args([
        "run",
        "batch.toml",
        "--local",
        "--format",
        "json",
    ]))?;
    if !report.contains("\"answered\": 2") && !report.contains("\"answered\":2") {
        return Err(format!("the shipped program did not answer two records:\n{report}").into());
    }
    fs::remove_dir_all(&empty)?;
    Ok(())
}

fn host() -> Result<String> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say its host".into())
}
