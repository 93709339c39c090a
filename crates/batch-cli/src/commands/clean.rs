//! `batch-cli clean`: what a run left in the cloud; removed only when that is asked for.

use batch_pipeline::{Fate, Remnant, RunDir, cached_answers, find_remnants, remove_directory, remove_remnants};
use clap::Args;
use serde_json::json;

use super::{
    session::{Session, quoted},
    subject::{ServiceArgs, run_of},
};
use crate::{
    args::{Format, ProgressMode},
    exit::Exit,
    failure::{Failure, Result},
    progress::count,
    render,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct CleanArgs {
    /// The run's directory or id.
    run: String,

    /// Remove what may go. Without it, nothing is removed.
    #[arg(long)]
    yes: bool,

    /// Also predictions that are not collected, and what is staged for jobs that are not created. What a
    /// running job needs stays all the same.
    #[arg(long)]
    force: bool,

    /// Also the run's own directory, with its results, once nothing of it is left in the cloud.
    #[arg(long)]
    local: bool,

    /// How it is written.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    service: ServiceArgs,
}

pub(crate) async fn clean(args: CleanArgs, terminal: &Terminal) -> Result<Exit> {
    let (directory, state) = run_of(&args.run)?;
    // Nobody works on the run while it is taken away; to look, nothing is held.
    let held = if args.yes { Some(RunDir::load(&directory)?) } else { None };
    let state = held.as_ref().map_or(&state, |run| run.state());
    // What a local run made lies in its directory.
    let mut remnants = Vec::new();
    let mut stopped = None;
    if !state.local {
        let backends = args.service.connect(state).await?.backends;
        let session = Session::start(ProgressMode::Auto, terminal, true);
        remnants = find_remnants(state, &directory, &backends, &session.context, args.force).await?;
        if args.yes {
            stopped = remove_remnants(&mut remnants, &backends, &session.context).await.err();
        }
        session.finish();
    }
    let left = remnants.iter().filter(|remnant| !matches!(remnant.fate, Fate::Gone | Fate::Removed)).count();
    let cached = cached_answers(state);
    let removed_directory = args.local && args.yes && left == 0;
    if removed_directory {
        drop(held);
        remove_directory(&directory)?;
    }
    let text = match args.format {
        Format::Text => terminal.safe_data(&render::remnants::text(&remnants)).into_owned(),
        Format::Json => format!(
            "{:#}\n",
            json!({
                "version": 1, "directory": directory, "removes": args.yes, "remnants": remnants,
                "directory_removed": removed_directory,
            })
        ),
    };
    terminal.write_report(text.as_bytes())?;
    if let Some(stopped) = stopped {
        return Err(Failure::from(stopped).with_hint("the same command goes on"));
    }
    say(&args, &remnants, (left, cached), &quoted(&directory.display().to_string()), terminal);
    let failed = remnants.iter().any(|remnant| matches!(remnant.fate, Fate::Failed(_)));
    let directory_stays = args.yes && args.local && !removed_directory;
    Ok(if failed {
        Exit::Failed
    } else if directory_stays {
        Exit::No
    } else {
        Exit::Done
    })
}

fn say(args: &CleanArgs, remnants: &[Remnant], (left, cached): (usize, u64), directory: &str, terminal: &Terminal) {
    let things = |fate: fn(&Fate) -> bool| remnants.iter().filter(|remnant| fate(&remnant.fate)).count() as u64;
    let (may_go, removed) = (things(|fate| *fate == Fate::Removable), things(|fate| *fate == Fate::Removed));
    if args.yes {
        let still =
            if 0 < left { format!("; {} stays in the cloud", count(left as u64, "thing")) } else { String::new() };
        terminal.say(&format!("{} removed{still}", count(removed, "thing")));
    } else if 0 < may_go {
        terminal.say(&format!("nothing was removed; --yes removes {}", count(may_go, "thing")));
    } else {
        terminal.say("there is nothing to remove in the cloud");
    }
    let with = match cached {
        0 => String::new(),
        _ => format!(", and with it {} that the cache had for later runs", count(cached, "answer")),
    };
    match (args.local, args.yes) {
        (true, true) if 0 < left => terminal.say(&format!("{directory} stays: it tells of what is left in the cloud")),
        (true, true) => terminal.say(&format!("{directory} is removed{with}")),
        (true, false) => terminal.say(&format!("--yes would remove the directory {directory} too{with}")),
        (false, _) => {}
    }
}
