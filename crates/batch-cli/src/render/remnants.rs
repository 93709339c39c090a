//! What a run left in the cloud, one thing a line.

use std::fmt::Write as _;

use batch_pipeline::{Fate, Remnant, RemnantKind};

use crate::terminal::{left, width};

pub(crate) fn text(remnants: &[Remnant]) -> String {
    let wide = remnants.iter().map(|remnant| width(&remnant.address)).max().unwrap_or(0);
    let mut out = String::new();
    for remnant in remnants {
        let kind = match remnant.kind {
            RemnantKind::Input => "input ",
            RemnantKind::Output => "output",
            RemnantKind::Job => "job   ",
        };
        let fate = match &remnant.fate {
            Fate::Removable => "may go".to_owned(),
            Fate::Gone => "is gone".to_owned(),
            Fate::Kept(why) => format!("stays: {why}"),
            Fate::Removed => "removed".to_owned(),
            Fate::Failed(why) => format!("failed: {why}"),
        };
        let _ = writeln!(out, "{kind}  {}  {fate}", left(&remnant.address, wide));
    }
    out
}
