//! Two windows of a model, from what is counted.

use std::collections::BTreeMap;

use analyzer::side_by_side::judged::judge;
use analyzer::side_by_side::measured::Measured;
use analyzer::side_by_side::report::{Report, Source};
use analyzer::side_by_side::stored::{self, Counted};
use anyhow::{Context as _, bail};
use collector::baseline::{Request, of_segment, of_stored};
use domain::grid::Grid;
use domain::signal::{FEATURE, Role, TAG, role, short_name};
use domain::time::{Clock, Interval, MINUTE};
use service::Context;
use sql::Store;
use sql::baseline_sums::Span;
use sql::baselines::BySignal;
use sql::segments::{Condition, SegmentSums};

use super::Args;
use crate::config::Config;
use crate::system;

pub fn interval(text: &str) -> Result<Interval, String> {
    let interval: Interval = text
        .parse()
        .map_err(|error| format!("{error}; a window is two of them, such as 2026-01-01..2026-04-01"))?;
    if interval.is_empty() { Err("the window ends before it begins".to_owned()) } else { Ok(interval) }
}

/// `country=BR`, or `tag.region=us`.
pub fn condition(text: &str) -> Result<Condition, String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let Some((name, value)) = parts else {
        return Err("a segment is a category or tag and its value, such as country=BR".to_owned());
    };
    let is_whole = name.starts_with(TAG) || role(name) != Role::Other;
    let named = if is_whole { name.to_owned() } else { format!("{FEATURE}{name}") };
    Ok(Condition { named, value: value.to_owned() })
}

pub async fn compare(args: &Args, model: &str, config: Config) -> anyhow::Result<Report> {
    let opened = system::open(&config).await?;
    if opened.is_own_engine() {
        sql::migrate::migrate(&opened.store).await?;
    }
    let report = compared(args, model, &config, &opened.store).await;
    opened.close().await?;
    report
}

async fn compared(args: &Args, model: &str, config: &Config, store: &Store) -> anyhow::Result<Report> {
    let context = Context::quiet(Clock::System, config.models.clone());
    let window = args.current_window.context("--current-window FROM..TO is needed")?;
    let current = counted(args, model, window, &context, store).await?;
    let (baseline, source) = match (&args.baseline, args.baseline_window) {
        (Some(name), _) => named(args, model, name, store).await?,
        (None, Some(window)) => (counted(args, model, window, &context, store).await?, window.to_string()),
        (None, None) => bail!("what is compared with? Give --baseline-window FROM..TO or --baseline NAME"),
    };
    let stored = store.grids(Some(model)).await?;
    let grids: BTreeMap<(String, domain::grid::GridId), Grid> = stored
        .into_iter()
        .map(|stored| ((stored.grid.signal.clone(), stored.grid.id), stored.grid))
        .collect();
    let measured =
        stored::measured(&baseline, &current, |signal, side| grids.get(&(signal.to_owned(), side.grid)));
    let conditions =
        args.segment.iter().map(|one| format!(" where {} is {}", short_name(&one.named), one.value));
    let segment = conditions.collect::<Vec<_>>().join(" and");
    let named = |source: String, events: u64| Source {
        source: format!("{model} ({}) {source}{segment}", args.environment),
        rows: events,
    };
    Ok(Report {
        baseline: named(source, baseline.events),
        current: named(window.to_string(), current.events),
        signals: judge(chosen(args, measured)?, args.correction.into(), args.level),
        notes: Vec::new(),
    })
}

/// A window without an event is one of nothing, which is an answer and no failure.
async fn counted(
    args: &Args,
    model: &str,
    window: Interval,
    context: &Context,
    store: &Store,
) -> anyhow::Result<Counted> {
    let span = Span {
        model: model.to_owned(),
        environment: args.environment.clone(),
        window: window.widened_to(MINUTE),
        version: String::new(),
    };
    if store.extent(&span).await?.is_none() {
        return Ok(Counted::default());
    }
    let request = Request {
        model: model.to_owned(),
        environment: args.environment.clone(),
        name: String::new(),
        window: Some(window),
        version: String::new(),
    };
    if !args.segment.is_empty() {
        let SegmentSums { events, by_signal } = of_segment(&request, &args.segment, context, store).await?;
        let by_signal = if events > 0 { by_signal } else { BySignal::new() };
        return Ok(Counted { events, by_signal });
    }
    let (baseline, by_signal) = of_stored(&request, context, store).await?;
    Ok(Counted { events: baseline.events, by_signal })
}

async fn named(args: &Args, model: &str, name: &str, store: &Store) -> anyhow::Result<(Counted, String)> {
    let all = store.baselines(Some(model)).await?;
    let here = || all.iter().filter(|baseline| baseline.environment == args.environment);
    let Some(baseline) = here().find(|baseline| baseline.name == name) else {
        let known: Vec<&str> = here().map(|baseline| baseline.name.as_str()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("{model} has no baseline \"{name}\" in environment {} (known: {known})", args.environment);
    };
    let by_signal = store.baseline_counts(baseline).await?;
    Ok((Counted { events: baseline.events, by_signal }, format!("baseline \"{name}\"")))
}

fn chosen(args: &Args, mut measured: Vec<Measured>) -> anyhow::Result<Vec<Measured>> {
    for wanted in args.columns.iter().chain(&args.ignore) {
        if !measured.iter().any(|signal| signal.name == *wanted) {
            let known: Vec<&str> = measured.iter().map(|signal| signal.name.as_str()).collect();
            bail!("there is no signal \"{wanted}\" to compare (known: {})", known.join(", "));
        }
    }
    measured.retain(|signal| args.columns.is_empty() || args.columns.contains(&signal.name));
    measured.retain(|signal| !args.ignore.contains(&signal.name));
    Ok(measured)
}
