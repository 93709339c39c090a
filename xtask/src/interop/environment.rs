//! Pinned Python and Node environments, made once below `target/interop/`.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::{Result, root, run};

/// A file of requirements in `fixtures/interop/`, and which Python it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Python {
    /// `NAME` of `fixtures/interop/NAME.txt`.
    pub(crate) name: &'static str,
    /// The package whose version the table shows.
    pub(crate) package: &'static str,
    /// The minor version of Python 3 that it needs, where not any from 3.11 will do.
    pub(crate) only: Option<u8>,
}

/// Where all that interop makes is kept: beside the build, so that a clean build removes it.
pub(crate) fn folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    target.join("interop")
}

fn requirements(name: &str) -> PathBuf {
    root().join("fixtures").join("interop").join(format!("{name}.txt"))
}

impl Python {
    /// The version that the requirements pin.
    pub(crate) fn version(&self) -> String {
        let text = fs::read_to_string(requirements(self.name)).unwrap_or_default();
        let pin = format!("{}==", self.package);
        let version = text.lines().find_map(|line| line.strip_prefix(&pin));
        version.map_or_else(|| "?".to_owned(), |version| version.trim().to_owned())
    }

    /// Why it cannot be made here.
    pub(crate) fn missing(&self) -> Option<String> {
        self.interpreter().err()
    }

    /// Makes it unless it is there as the requirements say, and returns its folder.
    pub(crate) fn make(&self) -> Result<PathBuf> {
        let folder = folder().join("python").join(self.name);
        let requirements = requirements(self.name);
        let wanted = fs::read_to_string(&requirements).map_err(|e| format!("{}: {e}", requirements.display()))?;
        let interpreter = self.interpreter()?;
        let wanted = format!("{}\n{wanted}", interpreter.display());
        let stamp = folder.join("made-of.txt");
        if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
            return Ok(folder);
        }
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        run(Command::new(&interpreter).args(["-m", "venv"]).arg(&folder))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(Command::new(folder.join("bin/python")).args(pip).arg(&requirements))?;
        fs::write(&stamp, wanted)?;
        Ok(folder)
    }

    fn interpreter(&self) -> std::result::Result<PathBuf, String> {
        let fits = |version: (u8, u8)| match self.only {
            Some(minor) => version == (3, minor),
            None => version >= (3, 11),
        };
        let names = match self.only {
            Some(minor) => vec![format!("python3.{minor}"), "python3".to_owned()],
            None => ["python3", "python3.11", "python3.12", "python3.13"].map(str::to_owned).to_vec(),
        };
        let found = names.iter().map(PathBuf::from).chain(pyenv()).find(|python| version(python).is_some_and(fits));
        found.ok_or_else(|| match self.only {
            Some(minor) => format!("no Python 3.{minor} here"),
            None => "no Python 3.11 or later here".to_owned(),
        })
    }
}

/// The interpreters of pyenv, which need not be on the path.
fn pyenv() -> Vec<PathBuf> {
    let home = env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".pyenv")));
    let versions = home.and_then(|home| fs::read_dir(home.join("versions")).ok());
    let mut found: Vec<_> = versions.into_iter().flatten().flatten().map(|v| v.path().join("bin/python3")).collect();
    found.sort();
    found
}

/// Asks an interpreter, as a name on the path may lead to none.
fn version(python: &Path) -> Option<(u8, u8)> {
    let program = "import sys, venv, ensurepip; print(sys.version_info[0], sys.version_info[1])";
    let output = Command::new(python).args(["-c", program]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (major, minor) = text.trim().split_once(' ')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Packages of Node, pinned by `fixtures/interop/FOLDER/package.json` and its lock file.
pub(crate) fn make_node(name: &str) -> Result<PathBuf> {
    let source = root().join("fixtures").join("interop").join(name);
    let folder = folder().join("node").join(name);
    let stamp = folder.join("made-of.txt");
    let wanted = fs::read_to_string(source.join("package.json"))?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(folder);
    }
    fs::create_dir_all(&folder)?;
    fs::copy(source.join("package.json"), folder.join("package.json"))?;
    let npm = ["install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"];
    run(Command::new("npm").current_dir(&folder).args(npm))?;
    fs::write(&stamp, wanted)?;
    Ok(folder)
}

/// The version that a `package.json` pins.
pub(crate) fn node_version(name: &str, package: &str) -> String {
    let path = root().join("fixtures").join("interop").join(name).join("package.json");
    let text = fs::read_to_string(path).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    json["dependencies"][package].as_str().unwrap_or("?").to_owned()
}

/// What a client may not inherit: another project, another login, a proxy on the way.
pub(crate) fn clean(command: &mut Command) {
    let kept = ["PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"];
    let kept: BTreeMap<_, _> = kept.iter().filter_map(|name| Some((name, env::var_os(name)?))).collect();
    command.env_clear();
    command.envs(kept);
}

/// Whether a program says its version, and which.
pub(crate) fn program_version(program: &str) -> Option<String> {
    let argument = if program == "bq" { "version" } else { "--version" };
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
}

/// The version of this workspace's crates.
pub(crate) fn own_version() -> String {
    let text = fs::read_to_string(root().join("Cargo.toml")).unwrap_or_default();
    let package = text.split_once("[workspace.package]").map_or("", |(_, rest)| rest);
    let version = package.lines().find_map(|line| line.strip_prefix("version = "));
    version.map_or_else(|| "?".to_owned(), |version| version.trim_matches('"').to_owned())
}
