//! One error for every backend: a service's failure is translated into a [`Kind`] once, at its edge.

use std::{error::Error as StdError, fmt, time::Duration};

use serde_json::Value;

/// What became of a call to a backend.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Cause = Box<dyn StdError + Send + Sync>;

/// What kind of failure it was, in the words of `google.rpc.Code` where there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// The call itself was wrong (400).
    InvalidArgument,
    /// The resource is not in a state for it (400, 412).
    FailedPrecondition,
    /// The login was refused (401).
    Unauthenticated,
    /// The login lacks a permission (403).
    PermissionDenied,
    /// There is no such resource (404).
    NotFound,
    /// It is there already (409, 412 on create-if-absent).
    AlreadyExists,
    /// A quota, or a full queue (429).
    ResourceExhausted,
    /// The service is away for the moment (502, 503, 504, or no connection).
    Unavailable,
    /// It took too long (408, 499, or a deadline of ours).
    DeadlineExceeded,
    /// The service failed (500).
    Internal,
    /// The service, or this backend, does not do that.
    Unsupported,
    /// There are no credentials to log in with.
    NoCredentials,
    /// Bytes that came back are not those that were sent.
    DataLoss,
    /// The reply could not be understood.
    BadReply,
    /// A local file could not be read or written.
    Io,
    /// None of the above.
    Other,
}

impl Kind {
    /// The kind that goes with an HTTP status.
    #[must_use]
    pub fn from_http(status: u16) -> Self {
        match status {
            400 | 413 | 416 | 422 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            408 | 499 => Self::DeadlineExceeded,
            409 => Self::AlreadyExists,
            412 => Self::FailedPrecondition,
            429 => Self::ResourceExhausted,
            500 => Self::Internal,
            501 => Self::Unsupported,
            502..=504 => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// The kind that goes with a canonical status (`google.rpc.Code`), such as `PERMISSION_DENIED`;
    /// `None` for one that is not known. It is finer than the HTTP status: 400 stands for three of them.
    #[must_use]
    pub fn from_status(status: &str) -> Option<Self> {
        Some(match status {
            "INVALID_ARGUMENT" | "OUT_OF_RANGE" => Self::InvalidArgument,
            "FAILED_PRECONDITION" => Self::FailedPrecondition,
            "UNAUTHENTICATED" => Self::Unauthenticated,
            "PERMISSION_DENIED" => Self::PermissionDenied,
            "NOT_FOUND" => Self::NotFound,
            "ALREADY_EXISTS" => Self::AlreadyExists,
            "RESOURCE_EXHAUSTED" => Self::ResourceExhausted,
            // Aborted: somebody else was quicker, and trying again may help.
            "UNAVAILABLE" | "ABORTED" => Self::Unavailable,
            "DEADLINE_EXCEEDED" | "CANCELLED" => Self::DeadlineExceeded,
            "INTERNAL" => Self::Internal,
            "UNIMPLEMENTED" => Self::Unsupported,
            "DATA_LOSS" => Self::DataLoss,
            _ => return None,
        })
    }

    /// The canonical status of a `google.rpc.Code`, as failures of jobs and operations number it;
    /// `None` for a number that is no code.
    #[must_use]
    pub fn status_of_code(code: i64) -> Option<&'static str> {
        const NAMES: [&str; 17] = [
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        ];
        NAMES.get(usize::try_from(code).ok()?).copied()
    }

    /// Whether the same call may succeed later without anybody's doing.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::ResourceExhausted | Self::Unavailable | Self::DeadlineExceeded | Self::Internal)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidArgument => "invalid argument",
            Self::FailedPrecondition => "failed precondition",
            Self::Unauthenticated => "not logged in",
            Self::PermissionDenied => "permission denied",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::ResourceExhausted => "resource exhausted",
            Self::Unavailable => "service unavailable",
            Self::DeadlineExceeded => "deadline exceeded",
            Self::Internal => "internal error of the service",
            Self::Unsupported => "not supported",
            Self::NoCredentials => "no credentials",
            Self::DataLoss => "data corrupted on the way",
            Self::BadReply => "reply not understood",
            Self::Io => "local input or output failed",
            Self::Other => "failed",
        })
    }
}

/// What a service said: Google's error envelope, or what came instead of one.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ServiceError {
    /// The HTTP status; 0 where there was none.
    pub http_status: u16,
    /// `error.status`, such as `PERMISSION_DENIED`.
    pub status: Option<String>,
    /// The first reason given: an `ErrorInfo`'s `reason`, or the storage envelope's.
    pub reason: Option<String>,
    /// `error.message`.
    pub message: Option<String>,
    /// `error.details` or `error.errors`, as they came.
    pub details: Vec<Value>,
    /// The first 2 KiB of a body that was no envelope.
    pub body: Option<String>,
    /// How long the service asks to wait.
    pub retry_after: Option<Duration>,
}

impl ServiceError {
    /// An answer with this HTTP status about which nothing else is known yet.
    #[must_use]
    pub fn new(http_status: u16) -> Self {
        Self { http_status, ..Self::default() }
    }
}

/// A failed call to a backend.
///
/// `Display` says what was being done to which resource, and what the service said; what lies below
/// (a broken connection, a file) is in `source()` only.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    doing: String,
    resource: String,
    service: Option<ServiceError>,
    attempts: u32,
    maybe_done: bool,
    hint: Option<String>,
    source: Option<Cause>,
}

impl Error {
    /// A failure of `kind` while `doing` something ("create the job") to `resource` (its name or URL).
    #[must_use]
    pub fn new(kind: Kind, doing: impl Into<String>, resource: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            doing: doing.into(),
            resource: resource.into(),
            service: None,
            attempts: 1,
            maybe_done: false,
            hint: None,
            source: None,
        }))
    }

    /// Adds what the service said.
    #[must_use]
    pub fn with_service(mut self, service: ServiceError) -> Self {
        self.0.service = Some(service);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Cause>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Says how many times the call was made.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    /// Says that the call may have taken effect although no answer came (a lost reply to a create).
    #[must_use]
    pub fn with_maybe_done(mut self, maybe_done: bool) -> Self {
        self.0.maybe_done = maybe_done;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The resource it was about.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.0.resource
    }

    /// What the service said, where it said something.
    #[must_use]
    pub fn service(&self) -> Option<&ServiceError> {
        self.0.service.as_ref()
    }

    /// How many times the call was made.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// Whether the call may have taken effect although it failed.
    #[must_use]
    pub fn maybe_done(&self) -> bool {
        self.0.maybe_done
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, doing, resource, service, attempts, .. } = &*self.0;
        write!(f, "{doing} {resource}: ")?;
        match service {
            None => write!(f, "{kind}")?,
            Some(service) => {
                let text =
                    service.message.as_deref().or(service.body.as_deref()).map(str::trim).filter(|t| !t.is_empty());
                let status = service.status.as_deref().or(service.reason.as_deref());
                match (service.http_status, status) {
                    (0, Some(status)) => write!(f, "{status}")?,
                    (0, None) => write!(f, "{kind}")?,
                    (http, Some(status)) => write!(f, "{http} {status}")?,
                    (http, None) => write!(f, "{http} {kind}")?,
                }
                if let Some(text) = text {
                    write!(f, ": {text}")?;
                }
            }
        }
        if *attempts > 1 {
            write!(f, " (after {attempts} attempts)")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, doing, resource, service, attempts, maybe_done, hint, source } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("doing", doing)
            .field("resource", resource)
            .field("service", service)
            .field("attempts", attempts)
            .field("maybe_done", maybe_done)
            .field("hint", hint)
            .field("source", source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_a_status_and_a_status_a_kind() {
        let kind = |code| Kind::status_of_code(code).and_then(Kind::from_status);
        assert_eq!(kind(3), Some(Kind::InvalidArgument));
        assert_eq!(kind(7), Some(Kind::PermissionDenied));
        assert_eq!(kind(9), Some(Kind::FailedPrecondition));
        assert_eq!(kind(16), Some(Kind::Unauthenticated));
        assert_eq!((kind(2), kind(17), kind(-1)), (None, None, None));
    }

    #[test]
    fn the_cause_is_in_source_only() {
        let cause = std::io::Error::other("connection reset");
        let error = Error::new(Kind::Unavailable, "get the job", "projects/p/x").with_source(cause).with_attempts(3);
        assert_eq!(error.to_string(), "get the job projects/p/x: service unavailable (after 3 attempts)");
        assert_eq!(error.source().unwrap().to_string(), "connection reset");
    }

    #[test]
    fn the_service_is_quoted() {
        let mut service = ServiceError::new(403);
        service.status = Some("PERMISSION_DENIED".to_owned());
        service.message = Some("Permission 'storage.objects.create' denied".to_owned());
        let error = Error::new(Kind::from_http(403), "write", "gs://b/x").with_service(service);
        assert_eq!(
            error.to_string(),
            "write gs://b/x: 403 PERMISSION_DENIED: Permission 'storage.objects.create' denied"
        );
        assert_eq!(error.kind(), Kind::PermissionDenied);
    }
}
