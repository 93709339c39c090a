//! The one HTTP stack of the batch clients: endpoints, credentials, retry, the error envelope.
