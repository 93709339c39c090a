//! Plan, build, stage, submit, wait, collect, join, evaluate: one run of a batch, its spec and its directory.
