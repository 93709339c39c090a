//! `--limit` and `--sample`: a part of the table.

use batch_pipeline::Selection;
use clap::Args;

/// Which part of the table is asked about.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct PartArgs {
    /// Ask about the first N records only; the others are skipped.
    #[arg(long, value_name = "N", conflicts_with = "sample", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Ask about N records from anywhere in the table, always the same ones; the others are skipped.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
}

impl PartArgs {
    /// The part; `None` for all of the table.
    pub(crate) fn selection(self) -> Option<Selection> {
        self.limit.map(Selection::Limit).or(self.sample.map(Selection::Sample))
    }
}
