//! JSON as the service sees it: rows that are echoed, requests that are checked.
//!
//! A job reads each row once and writes most of it again, in another order and with nulls
//! added. [`Tree`] is the form in between: flat, borrowed from the line, without a hash
//! map for each object. [`Messages`] knows which fields the service's messages have and
//! complains as its front end does; [`Shape`] knows what an import made of all rows.

mod canonical;
mod marks;
mod messages;
mod parse;
mod shape;
mod text;
mod tree;

pub(crate) use canonical::{canonical, canonical_member, canonical_request, hash};
pub(crate) use messages::Messages;
pub(crate) use shape::{Column, Place, Shape};
pub(crate) use text::Text;
pub(crate) use tree::{Json, Tree, View, write_count, write_number, write_plain, write_text};

#[cfg(test)]
mod properties;
