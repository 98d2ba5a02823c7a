//! `leeway baseline`: named counts to compare later windows with, of a stretch of time, a version, or a file.
//!
//! A baseline counts nothing that is counted already: of a stretch or a version it is a sum of what is stored. A file is
//! counted on the same grids without storing its events.

mod from_file;

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use domain::baseline::{Baseline, INITIAL};
use domain::contract::DEFAULT_ENVIRONMENT;
use domain::signal::{TAG, short_name};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use service::Context;
use sql::Store;
use sql::baseline_sums::Span;
use sql::baselines::BySignal;
use sql::recount::{CountedBy, Watched};
use sql::segments::{Condition, SegmentSums};

use crate::config::Config;
use crate::import::args::MappingArgs;
use crate::import::report::thousands;
use crate::import::{Plan, Source};
use crate::known::{Grids, ModelGrids};

pub use self::from_file::of_file;

/// `leeway baseline …`.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes a baseline, or replaces the one of that name.
    #[command(
        after_help = "Examples:\n  leeway baseline create --model flights --name winter --window 2013-01-01..2013-04-01\n  \
                      leeway baseline create --model fraud --version 2026-11-01\n  \
                      leeway baseline create --model fraud --from training.parquet --timestamp ts --prediction score"
    )]
    Create(Box<Create>),
    /// Lists the baselines there are.
    #[command(after_help = "Example:\n  leeway baseline list --model flights")]
    List(List),
}

/// What a baseline is made of: --from, or --window, --version or both of them.
#[derive(Clone, Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Create {
    /// The model
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// What the baseline is called; the default is the one that watches compare with where they name no other
    #[arg(long, value_name = "NAME", default_value = INITIAL)]
    pub name: String,
    /// A file whose events are counted, not stored
    #[arg(long, value_name = "FILE", conflicts_with = "window")]
    pub from: Option<PathBuf>,
    /// A stretch of event time, such as 2026-01-01..2026-04-01; its ends are widened to whole minutes
    #[arg(long, value_name = "A..B", value_parser = interval)]
    pub window: Option<Interval>,
    #[command(flatten)]
    pub mapping: MappingArgs,
}

#[derive(Clone, Debug, Args)]
pub struct List {
    /// Only of this model
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
}

fn interval(text: &str) -> Result<Interval, String> {
    let interval: Interval = text
        .parse()
        .map_err(|error| format!("{error}; a window is two of them, such as 2026-01-01..2026-04-01"))?;
    if interval.is_empty() { Err("the window ends before it begins".to_owned()) } else { Ok(interval) }
}

/// Runs one of the commands and prints what came of it.
///
/// # Errors
/// Where there is nothing to make a baseline of, saying what is there.
pub async fn run(command: Command, context: &Context, store: &Store) -> anyhow::Result<()> {
    match command {
        Command::List(list) => print_list(&store.baselines(list.model.as_deref()).await?),
        Command::Create(args) => {
            let (baseline, by_signal) = match args.from.clone() {
                Some(file) => from_file(*args, &file, context, store).await?,
                None => from_store(*args, context, store).await?,
            };
            store.write_baseline(&baseline, &by_signal).await.context("the baseline cannot be stored")?;
            println!("{}", described(&baseline, &by_signal));
        }
    }
    Ok(())
}

/// A request for a baseline of what is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    pub model: String,
    pub environment: String,
    pub name: String,
    /// All that is stored where none is given.
    pub window: Option<Interval>,
    /// One version; empty for all.
    pub version: String,
}

/// The sum of what is stored, as a baseline. It is not written yet.
///
/// # Errors
/// Where nothing is counted there.
pub async fn of_stored(
    request: &Request,
    context: &Context,
    store: &Store,
) -> anyhow::Result<(Baseline, BySignal)> {
    let window = request.window.unwrap_or(ALL_TIME).widened_to(MINUTE);
    let Request { model, environment, version, .. } = request;
    let mut span =
        Span { model: model.clone(), environment: environment.clone(), window, version: version.clone() };
    if request.window.is_some() {
        span.window = whole_hours_where_needed(model, window, store).await?;
    }
    let Some(extent) = store.extent(&span).await? else {
        let of = if version.is_empty() { String::new() } else { format!(" of version {version}") };
        bail!(
            "no events{of} of {model} in environment {environment} are counted in {window}: \
             import them, or look with `leeway sql` which there are"
        );
    };
    if request.window.is_none() {
        let end = extent.last_event.saturating_add(MINUTE).floor(MINUTE);
        let window = Interval::new(extent.first_event.floor(MINUTE), end);
        span.window = whole_hours_where_needed(model, window, store).await?;
    }
    let grids = Grids::new(store.clone(), context, std::time::Duration::ZERO);
    let known = grids.refresh().await?.model(model);
    let (signals, watched) = counted_by(&known);
    let prediction = context.contract(model).prediction_signal(signals.iter().map(|by| by.signal.as_str()));
    let by_signal = store.sum_baseline(&span, &signals, &watched, prediction.as_deref()).await?;
    if by_signal.is_empty() {
        bail!(
            "{model} has events in {} but no counts by a grid yet: make them with `leeway recount`",
            span.window
        );
    }
    let source = match (version.as_str(), request.window) {
        ("", _) => "window".to_owned(),
        (version, None) => format!("version {version}"),
        (version, Some(_)) => format!("window of version {version}"),
    };
    let baseline = Baseline {
        model: model.clone(),
        environment: environment.clone(),
        name: request.name.clone(),
        window: span.window,
        source,
        events: extent.events,
        created_at: context.clock.now(),
    };
    Ok((baseline, by_signal))
}

/// The events of a segment that nobody watches, counted from what is kept of raw events. `request` names no baseline.
///
/// # Errors
/// Where a condition is about something that is no category of the model, saying which there are.
pub async fn of_segment(
    request: &Request,
    conditions: &[Condition],
    context: &Context,
    store: &Store,
) -> anyhow::Result<SegmentSums> {
    let Request { model, environment, version, .. } = request;
    let grids = Grids::new(store.clone(), context, std::time::Duration::ZERO);
    let (signals, _) = counted_by(&grids.refresh().await?.model(model));
    for condition in conditions.iter().filter(|one| !one.named.starts_with(TAG)) {
        let mut categories = signals.iter().filter(|counted| !counted.is_numeric);
        if !categories.clone().any(|counted| counted.signal == condition.named) {
            let known: Vec<&str> = categories.by_ref().map(|counted| short_name(&counted.signal)).collect();
            bail!(
                "{model} has no category \"{}\" to make a segment of (known: {}; or a tag, such as tag.region)",
                short_name(&condition.named),
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            );
        }
    }
    let window = request.window.unwrap_or(ALL_TIME).widened_to(MINUTE);
    let span =
        Span { model: model.clone(), environment: environment.clone(), window, version: version.clone() };
    Ok(store.segment_sums(&span, &signals, conditions).await?)
}

/// Counts by the minute are not kept as long as those by the hour: where some of them are gone, the window is widened to
/// whole hours.
async fn whole_hours_where_needed(model: &str, window: Interval, store: &Store) -> anyhow::Result<Interval> {
    let gone = store.hours_beyond_minutes(model, window).await?;
    Ok(if gone.is_empty() { window } else { window.widened_to(HOUR) })
}

/// As far as `DateTime` reaches.
const ALL_TIME: Interval = Interval { start: Instant::EPOCH, end: Instant::from_seconds(4_294_944_000) };

/// A model's grids in force and watched dimensions in the words of the store.
pub fn counted_by(known: &ModelGrids) -> (Vec<CountedBy>, Vec<Watched>) {
    let mut signals: Vec<CountedBy> = known
        .by_signal
        .values()
        .map(|stored| CountedBy {
            signal: stored.grid.signal.clone(),
            grid: stored.grid.id,
            is_numeric: stored.grid.is_numeric(),
        })
        .collect();
    signals.sort_by(|a, b| a.signal.cmp(&b.signal));
    let watched = known.dimensions.iter().map(|dimension| Watched {
        dimension: dimension.name.clone(),
        signal: dimension.signal.clone(),
        levels: dimension.levels.clone(),
    });
    (signals, watched.collect())
}

async fn from_store(args: Create, context: &Context, store: &Store) -> anyhow::Result<(Baseline, BySignal)> {
    let (mapping, _) = args.mapping.resolve()?;
    if mapping.names_columns() {
        bail!("columns are named but no file: say with --from which file they are in");
    }
    if args.window.is_none() && mapping.version.is_none() {
        bail!("what is the baseline to be made of? Give --window A..B, --version VERSION or --from FILE");
    }
    let request = Request {
        model: args.model,
        environment: mapping.environment.unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned()),
        name: args.name,
        window: args.window,
        version: mapping.version.unwrap_or_default(),
    };
    of_stored(&request, context, store).await
}

async fn from_file(
    args: Create,
    file: &std::path::Path,
    context: &Context,
    store: &Store,
) -> anyhow::Result<(Baseline, BySignal)> {
    let (mapping, format) = args.mapping.resolve()?;
    let environment = mapping.environment.clone().unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
    let plan = Plan::new(Source::file(file, format)?, &args.model, mapping);
    of_file(plan, &environment, &args.name, &Config::default(), context, store).await
}

fn described(baseline: &Baseline, by_signal: &BySignal) -> String {
    let all = by_signal.keys().filter(|(segment, _)| segment.is_empty()).count();
    let segments: std::collections::BTreeSet<&str> =
        by_signal.keys().map(|(segment, _)| segment.as_str()).filter(|segment| !segment.is_empty()).collect();
    format!(
        "Baseline \"{}\" of {} ({}): {} events, {}, from {}; {} signals, {} segments",
        baseline.name,
        baseline.model,
        baseline.environment,
        thousands(baseline.events),
        baseline.window,
        baseline.source,
        all,
        segments.len()
    )
}

fn print_list(baselines: &[Baseline]) {
    if baselines.is_empty() {
        println!("There are no baselines. Make one with `leeway baseline create`.");
    }
    for baseline in baselines {
        println!(
            "{}  {}  {}  {} events  {}  from {}  made {}",
            baseline.model,
            baseline.environment,
            baseline.name,
            thousands(baseline.events),
            baseline.window,
            baseline.source,
            baseline.created_at
        );
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(version = "0", propagate_version = true)]
    struct Cli {
        #[command(subcommand)]
        command: Command,
    }

    #[test]
    fn a_version_is_an_argument_and_not_a_question() {
        let line = "leeway create --model m --version 2013-04";
        let Command::Create(create) = Cli::try_parse_from(line.split(' ')).expect("a command line").command
        else {
            panic!("create expected")
        };
        assert_eq!(create.mapping.version.as_deref(), Some("2013-04"));
        assert_eq!(create.name, INITIAL);
    }

    #[test]
    fn a_window_that_is_none_is_explained() {
        assert!(interval("2026-01-01..2026-02-01").is_ok());
        assert!(interval("2026-01-01").expect_err("one").contains(".."));
        assert!(interval("2026-02-01..2026-01-01").is_err());
    }
}
