//! What the crate does, through its public face.

#![allow(clippy::unwrap_used, reason = "the lint's own exception for tests does not see their helpers")]

mod bad_input;
mod guide;
mod join;
mod lint;
mod lint_properties;
mod predictions;
mod properties;
mod request_lines;
mod support;
mod table;
mod template;
mod turns;
