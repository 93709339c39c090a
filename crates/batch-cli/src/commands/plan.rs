//! `batch-cli plan`: what a run would do and cost, before anything is done.

use std::{io::Write as _, path::PathBuf};

use batch_pipeline::{CostBound, Destination, MaxCost, Plan, PlanOptions, Spec, system};
use clap::{Args, ValueEnum};

use super::{cache::UseArgs, output::Output, part::PartArgs};
use crate::{
    args::{Format, PlaceArgs, RequestArgs, SettingArgs},
    connect::Target,
    exit::Exit,
    failure::{Failure, Result},
    local, render,
    settings::Settings,
    terminal::Terminal,
};

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The spec: batch.toml.
    spec: PathBuf,

    /// Plan a local run. Nothing is started.
    #[arg(long)]
    local: bool,

    /// Ask nobody: no login, no look at the buckets.
    #[arg(long)]
    offline: bool,

    /// Write the plan to this file, for `batch-cli run FILE`; `-` is standard output.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    part: PartArgs,

    #[command(flatten)]
    cache: UseArgs,

    #[command(flatten)]
    cost: CostArgs,

    /// Where to look for earlier runs.
    #[arg(long, value_name = "DIR", default_value = batch_pipeline::RUNS)]
    runs: PathBuf,

    /// How the plan is written on standard output.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    settings: SettingArgs,

    #[command(flatten)]
    request: RequestArgs,
}

/// A ceiling on what a run costs.
#[derive(Debug, Default, Args)]
pub(crate) struct CostArgs {
    /// Refuse (exit code 4) what may cost more, or has no known price.
    #[arg(long, value_name = "USD", value_parser = amount)]
    pub(crate) max_cost: Option<f64>,

    /// Which figure of the estimate --max-cost is held against.
    #[arg(long, value_enum, default_value = "high", value_name = "FIGURE")]
    pub(crate) max_cost_by: Bound,
}

/// A figure of the estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bound {
    /// The best guess.
    Expected,
    /// What it will hardly be more than.
    #[default]
    High,
}

impl CostArgs {
    /// Refuses a plan that may cost more than is allowed.
    pub(crate) fn check(&self, plan: &Plan) -> Result<()> {
        let Some(ceiling) = self.ceiling() else { return Ok(()) };
        Ok(ceiling.check(&plan.spec.request.model, plan.cost.as_ref())?)
    }

    /// The ceiling, where there is one.
    pub(crate) fn ceiling(&self) -> Option<MaxCost> {
        let bound = match self.max_cost_by {
            Bound::Expected => CostBound::Expected,
            Bound::High => CostBound::High,
        };
        Some(MaxCost { usd: self.max_cost?, bound })
    }
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(usd) if usd.is_finite() && 0.0 <= usd => Ok(usd),
        _ => Err(format!("{text:?} is no amount of money")),
    }
}

pub(crate) async fn plan(args: PlanArgs, terminal: &Terminal) -> Result<Exit> {
    let mut settings = Settings::from_environment();
    settings.place(&args.place);
    let settings = settings.table(&args.settings, Some(&args.spec))?.request(&args.request)?;
    let mut spec = settings.load(Some(&args.spec))?;
    if args.local {
        local::fill(&mut spec)?;
    }
    if !spec.input.is_here() {
        let failure = Failure::new(format!("a plan reads every record, and {} is not read here", spec.input.name()));
        return Err(failure.with_hint("`batch-cli build SPEC --print-sql` shows what BigQuery would do with it; its console tells what that costs"));
    }
    let input = Spec::resolve_path(&args.spec, &spec.input.path);
    if let Some(out) = args.out.as_deref() {
        Output::is_none_of(out, [input.as_path(), args.spec.as_path()])?;
    }
    let target = Target::of(&spec)?;
    let options = PlanOptions {
        spec_file: Some(args.spec.clone()),
        local: args.local,
        selection: args.part.selection(),
        root: Some(args.runs.clone()),
        cache: args.cache.planned(&spec, &args.spec, args.local)?,
    };
    let mut plan = batch_pipeline::plan(&spec, &input, &options, &*system())?;
    plan.destinations =
        if args.local || args.offline { destinations(&spec) } else { target.destinations(&spec).await? };
    write(&args, &plan, terminal)?;
    args.cost.check(&plan)?;
    let is_refused = plan.findings.iter().any(|finding| finding.severity == "error")
        || plan.destinations.iter().any(|destination| destination.fits == Some(false));
    Ok(if is_refused { Exit::No } else { Exit::Done })
}

fn write(args: &PlanArgs, plan: &Plan, terminal: &Terminal) -> Result<()> {
    let json = plan.to_json()?;
    let mut text = match args.format {
        Format::Text => terminal.safe_data(&render::plan::text(plan)).into_owned(),
        Format::Json => json.clone(),
    };
    match args.out.as_deref() {
        // One thing on standard output: the plan.
        Some(out) if out == std::path::Path::new("-") => text = json,
        Some(out) => {
            let mut output = Output::create(out)?;
            output.write_all(json.as_bytes()).map_err(|error| Failure::io("write", out, error))?;
            output.finish()?;
        }
        None => {}
    }
    terminal.write_report(text.as_bytes())?;
    if let Some(out) = args.out.as_deref().filter(|out| *out != std::path::Path::new("-")) {
        terminal.say(&format!("wrote {}; `batch-cli run {0}` runs exactly that", out.display()));
    }
    Ok(())
}

/// The addresses of the spec, with nobody asked about them.
pub(crate) fn destinations(spec: &Spec) -> Vec<Destination> {
    let target = [("input", &spec.target.input), ("output", &spec.target.output)];
    let named = target.into_iter().filter_map(|(role, uri)| Some((role, uri.clone()?)));
    named
        .map(|(role, uri)| Destination { role: role.to_owned(), uri, location: None, fits: None, note: None })
        .collect()
}
