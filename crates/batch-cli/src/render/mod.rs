//! Results for people, one file a subject. (For programs they are serialized as they are.)

pub(crate) mod evaluation;
pub(crate) mod join;
pub(crate) mod lint;
pub(crate) mod report;
