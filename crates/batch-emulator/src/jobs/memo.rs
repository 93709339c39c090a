//! What the requests of a job have in common: most differ in their contents alone, and what the rest of them
//! comes to is found once.

use super::check::is_well;
use crate::json::{Json, Messages, Shape, Tree, View, canonical_member, hash};

/// How many members are kept. Requests that have more of them have little in common.
const MOST: usize = 16;

/// Members of requests that were met before, word for word. A worker has one for each job.
#[derive(Debug, Default)]
pub(super) struct Memo {
    known: Vec<Known>,
}

/// A member that nothing is wrong with.
#[derive(Debug)]
struct Known {
    name: String,
    /// Its value as it stood in the row.
    text: String,
    canonical: Vec<u8>,
    echo: Vec<u8>,
    hash: u128,
}

/// The members of one request that are known: the number of the value, and its place in the memo.
#[derive(Debug, Default)]
pub(super) struct Met(Vec<(usize, usize)>);

impl Memo {
    /// Finds the members of a request that are known, and keeps others while there is room. `shape` is that of
    /// all requests of the job.
    pub(super) fn meet(&mut self, tree: &Tree<'_>, request: Json<'_>, shape: Option<&Shape>) -> Met {
        let mut met = Met::default();
        let View::Object(members) = request.view() else { return met };
        for (name, value) in members {
            // What differs from row to row is not worth a place.
            if matches!(name, "contents" | "labels") {
                continue;
            }
            let Some(text) = tree.text_of(value) else { continue };
            let found = self.known.iter().position(|known| known.text == text && known.name == name);
            let found = found.or_else(|| self.keep(name, text, value, shape));
            met.0.extend(found.map(|at| (value.number(), at)));
        }
        met
    }

    fn keep(&mut self, name: &str, text: &str, value: Json<'_>, shape: Option<&Shape>) -> Option<usize> {
        if self.known.len() == MOST || !is_well(name, value) {
            return None;
        }
        let (mut canonical, mut echo) = (Vec::new(), Vec::new());
        canonical_member(name, value, Messages::get().request(), &mut canonical);
        Shape::write_echo(shape.and_then(|shape| shape.field(name)), value, &mut echo);
        let (name, text, hash) = (name.to_owned(), text.to_owned(), hash(text.as_bytes()));
        self.known.push(Known { name, text, canonical, echo, hash });
        Some(self.known.len() - 1)
    }

    fn get(&self, met: &Met, value: Json<'_>) -> Option<&Known> {
        let (_, at) = met.0.iter().find(|(number, _)| *number == value.number())?;
        self.known.get(*at)
    }

    /// Whether a value was found to be well before.
    pub(super) fn is_known(&self, met: &Met, value: Json<'_>) -> bool {
        self.get(met, value).is_some()
    }

    /// Its canonical form.
    pub(super) fn canonical(&self, met: &Met, value: Json<'_>) -> Option<&[u8]> {
        self.get(met, value).map(|known| &*known.canonical)
    }

    /// How it comes back.
    pub(super) fn echo(&self, met: &Met, value: Json<'_>) -> Option<&[u8]> {
        self.get(met, value).map(|known| &*known.echo)
    }

    /// What stands for it: the hash of its text.
    pub(super) fn hash(&self, met: &Met, value: Json<'_>) -> Option<u128> {
        self.get(met, value).map(|known| known.hash)
    }
}
