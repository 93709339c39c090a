//! What an emulator is started with.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{Clock, Faults, JobsConfig, SystemClock};

/// The settings of an [`Emulator`](crate::Emulator).
///
/// The default is an empty emulator in memory, on a free port of the loopback interface,
/// that lets everybody in and where nothing goes wrong.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address to listen on; port 0 picks a free one. Default: `127.0.0.1:0`.
    pub addr: SocketAddr,
    /// Lets `addr` be another than a loopback address. Without it such an address is an
    /// error: the emulator knows no permissions, and whoever reaches it reads everything.
    pub allow_remote: bool,
    /// The address under which clients reach the emulator, where that is not the one it
    /// listens on: `http://batch.test:8080`, no path, no trailing slash. Links in replies
    /// start with it.
    ///
    /// Links never come from the `Host` header: some of Google's clients leave the port
    /// out of it.
    pub external_url: Option<String>,
    /// The directory that keeps buckets, objects, unfinished uploads and jobs over a
    /// restart; made when it is missing. `None`: all is in memory, object bodies too.
    pub data: Option<PathBuf>,
    /// Buckets that are made at the start unless they exist.
    pub buckets: Vec<String>,
    /// BigQuery datasets that are made at the start unless they exist: `NAME`,
    /// `NAME=LOCATION` or `PROJECT.NAME=LOCATION`. The project is `local` where none is
    /// named, the location `US`.
    pub datasets: Vec<String>,
    /// The numbers of projects, by project id. A project that is not named here gets the
    /// number that [`Config::project_number`] computes from its id.
    pub project_numbers: BTreeMap<String, u64>,
    /// The token that requests have to carry, as `Authorization: Bearer <token>`; others
    /// get 401. `None`: the header is not looked at. `/token` gives it out.
    pub require_token: Option<String>,
    /// What shall go wrong.
    pub faults: Faults,
    /// What identifiers and the order of predictions are drawn from.
    pub seed: u64,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// The settings of batch prediction jobs.
    pub jobs: JobsConfig,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            external_url: None,
            data: None,
            buckets: Vec::new(),
            datasets: Vec::new(),
            project_numbers: BTreeMap::new(),
            require_token: None,
            faults: Faults::default(),
            seed: 0,
            clock: Arc::new(SystemClock),
            jobs: JobsConfig::default(),
        }
    }
}

impl Config {
    /// The number of the project that a resource name calls `project`, which may be an id
    /// or the number itself. Resource names in replies hold the number, as the service's
    /// do.
    ///
    /// An id that [`Config::project_numbers`] does not list gets twelve digits from a
    /// hash of it, the same on every machine.
    ///
    /// ```
    /// use batch_emulator::Config;
    ///
    /// let config = Config::default();
    /// let number = config.project_number("my-project");
    /// assert_eq!(number, config.project_number(&number.to_string()));
    /// ```
    pub fn project_number(&self, project: &str) -> u64 {
        if let Ok(number) = project.parse() {
            return number;
        }
        if let Some(number) = self.project_numbers.get(project) {
            return *number;
        }
        let digest = Sha256::digest(project.as_bytes());
        let hash = digest.iter().take(8).fold(0_u64, |hash, byte| (hash << 8) | u64::from(*byte));
        100_000_000_000 + hash % 900_000_000_000
    }
}
