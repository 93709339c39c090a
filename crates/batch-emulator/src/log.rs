//! The requests an emulator has seen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// One request that the emulator has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedRequest {
    /// The HTTP method, in capitals.
    pub method: String,
    /// The path and query as they were sent, still percent-encoded.
    pub path: String,
    /// The status of the reply, or `None` where the connection was dropped instead.
    pub status: Option<u16>,
}

/// How many requests are kept; older ones are forgotten.
const KEPT: usize = 10_000;

/// The last requests, oldest first. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLog(Arc<Mutex<VecDeque<LoggedRequest>>>);

impl RequestLog {
    pub(crate) fn push(&self, request: LoggedRequest) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == KEPT {
            log.pop_front();
        }
        log.push_back(request);
    }

    pub(crate) fn all(&self) -> Vec<LoggedRequest> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.iter().cloned().collect()
    }
}
