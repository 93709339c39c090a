//! The way from a line to one of its values.

use super::json::{Kind, Value};

/// A list that grows on the stack of the walk, and becomes a JSON pointer when something is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pointer<'p> {
    Line,
    Name(&'p Pointer<'p>, &'p str),
    Index(&'p Pointer<'p>, usize),
}

impl<'p> Pointer<'p> {
    pub(super) fn name(&'p self, name: &'p str) -> Self {
        Pointer::Name(self, name)
    }

    pub(super) fn index(&'p self, index: usize) -> Self {
        Pointer::Index(self, index)
    }

    /// The way to one of the [`elements`](Value::elements) of the value here, which is itself where it
    /// is no array.
    pub(super) fn element(&'p self, list: &Value<'_>, index: usize) -> Self {
        if matches!(list.kind, Kind::Array(_)) { self.index(index) } else { *self }
    }

    /// Its name, where it is a member.
    pub(super) fn last_name(&self) -> Option<&'p str> {
        match self {
            Pointer::Name(_, name) => Some(name),
            _ => None,
        }
    }
}

impl std::fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pointer::Line => Ok(()),
            Pointer::Index(parent, index) => write!(f, "{parent}/{index}"),
            Pointer::Name(parent, name) => write!(f, "{parent}/{}", name.replace('~', "~0").replace('/', "~1")),
        }
    }
}
