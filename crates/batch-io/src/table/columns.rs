//! The names of a table's columns.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind, Result};

/// The columns of a [`Table`](crate::Table): distinct names that are not empty, in the
/// table's order, each with its position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

/// Why names are no columns; positions count from 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadName {
    Empty { position: usize },
    Duplicate { name: String, first: usize, second: usize },
}

impl Columns {
    /// The columns of a table that is not read here, such as one in a database.
    ///
    /// # Errors
    /// [`ErrorKind::Header`] for a name that is empty or stood before.
    pub fn of(names: impl IntoIterator<Item = impl Into<String>>) -> Result<Self> {
        Self::new(names.into_iter().map(Into::into).collect()).map_err(|bad| match bad {
            BadName::Empty { position } => {
                Error::new(ErrorKind::Header, format!("the name of column {} is empty", position + 1))
            }
            BadName::Duplicate { name, .. } => {
                Error::new(ErrorKind::Header, format!("two columns have the name {name:?}"))
            }
        })
    }

    /// `Err` tells the first name that is empty or stood before.
    pub(crate) fn new(names: Vec<String>) -> Result<Self, BadName> {
        let mut positions = HashMap::with_capacity(names.len());
        for (position, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(BadName::Empty { position });
            }
            if let Some(first) = positions.insert(name.clone(), position) {
                return Err(BadName::Duplicate { name: name.clone(), first, second: position });
            }
        }
        Ok(Self { names, positions })
    }

    /// Where the column of this name stands, from 0; names are compared as they are.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }

    /// The name at a position.
    pub fn name(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(String::as_str)
    }

    /// All names in the table's order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// How many columns there are; never 0 in a table that could be opened.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}
