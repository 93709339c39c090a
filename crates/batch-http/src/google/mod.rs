//! What the crates that use Google's own clients have in common: those clients' errors in our words, and
//! our patience behind their traits.
//!
//! The login that those clients get is [`Credentials::google`](crate::Credentials::google).

mod error;
mod patience;

pub use error::{cause, causes, reason, translate};
pub use patience::{Patience, Unthrottled};
