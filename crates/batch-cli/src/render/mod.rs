//! Results for people, one file a subject. (For programs they are serialized as they are.)

pub(crate) mod evaluation;
pub(crate) mod jobs;
pub(crate) mod join;
pub(crate) mod lint;
pub(crate) mod plan;
pub(crate) mod remnants;
pub(crate) mod report;
pub(crate) mod runs;
pub(crate) mod spending;
pub(crate) mod status;
