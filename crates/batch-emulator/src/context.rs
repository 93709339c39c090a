//! What every handler has at hand.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::bigquery::Store;
use crate::random::Random;
use crate::storage::Objects;
use crate::{Clock, Config, Faults};

/// The parts of one running emulator. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The settings it was started with.
    pub(crate) config: Arc<Config>,
    /// Where clients reach it: `http://127.0.0.1:PORT` or the external address.
    pub(crate) url: Arc<str>,
    /// Where time comes from.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where identifiers and shuffles come from.
    pub(crate) random: Random,
    /// What shall still go wrong.
    pub(crate) faults: Faults,
    /// The buckets and objects.
    pub(crate) objects: Objects,
    /// The datasets and tables.
    pub(crate) tables: Store,
    /// Cancelled when the emulator stops; background work ends then.
    pub(crate) stop: CancellationToken,
}
