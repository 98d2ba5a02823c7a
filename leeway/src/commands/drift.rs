//! `leeway drift`: what no signal shows by itself, from samples of a model's events: correlations, whether a classifier can
//! tell the two stretches apart, embeddings, attributions; and the same events offline and online.

use std::fmt::Write;

use analyzer::together::report::{Sampled, Together};
use analyzer::together::table::{Sides, Table};
use analyzer::together::{attributions, classifier, correlations, embeddings, parity};
use anyhow::bail;
use clap::ValueEnum;
use domain::time::Interval;
use sql::Store;
use sql::sampled_events::{SampledEvent, Side};

use super::compare::windows::interval;
use crate::config::Config;
use crate::system;

pub const EXAMPLES: &str = "Examples:
  leeway drift --model fraud --baseline-window 2026-11-01..2026-11-08 --current-window 2026-11-08..2026-11-09
  leeway drift --model fraud --baseline-window 2026-11-08..2026-11-09 --baseline-version 7 --current-version 8
  leeway drift --model fraud --baseline-window 2026-11-08..2026-11-09 --baseline-environment offline --by-id --format json";

/// More events a side than this make nothing surer that matters, and cost memory.
const MOST_EVENTS: u32 = 100_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model whose events are looked at
    #[arg(long, value_name = "MODEL")]
    model: String,
    /// The environment of the model
    #[arg(long, value_name = "NAME", default_value = domain::contract::DEFAULT_ENVIRONMENT)]
    environment: String,
    /// The stretch of event time to compare with, such as 2026-11-01..2026-11-08
    #[arg(long, value_name = "FROM..TO", value_parser = interval)]
    baseline_window: Interval,
    /// The stretch that is looked at; the same where none is named
    #[arg(long, value_name = "FROM..TO", value_parser = interval)]
    current_window: Option<Interval>,
    /// Another environment to compare with, such as the one that offline features were imported to
    #[arg(long, value_name = "NAME")]
    baseline_environment: Option<String>,
    /// Only this version, to compare with
    #[arg(long, value_name = "VERSION", default_value = "")]
    baseline_version: String,
    /// Only this version, of what is looked at
    #[arg(long, value_name = "VERSION", default_value = "")]
    current_version: String,
    /// Join events by their ids, and say which features differ, by how much, in what share of ids
    #[arg(long)]
    by_id: bool,
    /// How many events a side are looked at
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=i64::from(MOST_EVENTS)))]
    events: u32,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// # Errors
/// The store's; and where both sides are the same, or one has no event.
pub async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let current = Side {
        model: args.model.clone(),
        environment: args.environment.clone(),
        version: args.current_version.clone(),
        window: args.current_window.unwrap_or(args.baseline_window),
    };
    let baseline = Side {
        environment: args.baseline_environment.clone().unwrap_or_else(|| args.environment.clone()),
        version: args.baseline_version.clone(),
        window: args.baseline_window,
        ..current.clone()
    };
    if baseline == current {
        bail!("both sides are the same events: name another --current-window, environment or version");
    }
    let opened = system::open(config).await?;
    if opened.is_own_engine() {
        ::sql::migrate::migrate(&opened.store).await?;
    }
    let compared = compared(&opened.store, &args, &baseline, &current).await;
    opened.close().await?;
    let compared = compared?;
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(&compared)?,
        Format::Text => told(&compared),
    };
    println!("{}", text.trim_end());
    Ok(())
}

async fn compared(store: &Store, args: &Args, baseline: &Side, current: &Side) -> anyhow::Result<Together> {
    let (before_n, now_n) = tokio::try_join!(store.events_in(baseline), store.events_in(current))?;
    for (side, n) in [(baseline, before_n), (current, now_n)] {
        if n == 0 {
            bail!("{} has no event whose values are kept; `leeway import` loads recorded ones", source(side));
        }
    }
    let pairs = |other| args.by_id.then_some(other);
    let before = store.sampled_events(baseline, pairs(current), args.events).await?;
    let now = store.sampled_events(current, pairs(baseline), args.events).await?;
    if args.by_id && before.is_empty() {
        bail!("no id is on both sides: parity needs the same ids offline and online");
    }
    let sampled = |side: &Side, events: u64, of: &[SampledEvent]| Sampled {
        source: source(side),
        events,
        sampled: of.len() as u64,
    };
    let nothing = Together {
        baseline: sampled(baseline, before_n, &before),
        current: sampled(current, now_n, &now),
        classifier: None,
        correlations: None,
        embeddings: Vec::new(),
        attributions: None,
        parity: None,
    };
    if args.by_id {
        return Ok(Together { parity: parity::parity(&before, &now), ..nothing });
    }
    let sides = Sides { baseline: Table::of(&before), current: Table::of(&now) };
    Ok(Together {
        classifier: classifier::classifier(&sides),
        correlations: correlations::correlations(&sides),
        embeddings: embeddings::embeddings(&sides),
        attributions: attributions::attributions(&sides),
        ..nothing
    })
}

/// `fraud (production, version 7) 2026-11-01T00:00:00Z..2026-11-08T00:00:00Z`.
fn source(side: &Side) -> String {
    let version = if side.version.is_empty() { String::new() } else { format!(", version {}", side.version) };
    format!("{} ({}{version}) {}", side.model, side.environment, side.window)
}

/// The report as a person reads it.
fn told(report: &Together) -> String {
    use analyzer::words::{count, number, percent};
    let side = |sampled: &Sampled| {
        format!("{}, {} of {} events", sampled.source, count(sampled.sampled), count(sampled.events))
    };
    let mut text = format!("{}\nagainst {}\n", side(&report.current), side(&report.baseline));
    let mut part = |title: String, lines: Vec<String>| {
        let _ = write!(text, "\n{title}\n");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    };
    if let Some(one) = &report.classifier {
        let interval =
            format!("95 %: {} to {}; apart beyond {}", number(one.low), number(one.high), number(one.limit));
        let used = one.signals.iter().filter(|used| used.part >= 0.01);
        let used = used.map(|used| format!("{} of it by {}", percent(used.part), used.signal));
        part(
            format!("Classifier: {} ({interval})", one.sentence),
            if one.is_apart { used.collect() } else { Vec::new() },
        );
    }
    if let Some(one) = &report.correlations {
        let title = format!("Correlations: {} of {} pairs changed", one.changed.len(), one.pairs);
        part(title, one.changed.iter().take(20).map(|pair| pair.sentence.clone()).collect());
    }
    for embedding in &report.embeddings {
        part(format!("Embedding: {}", embedding.sentence), Vec::new());
    }
    if let Some(one) = &report.attributions {
        let line = |feature: &analyzer::together::attributions::Feature| {
            format!("{}. {} (was {})", feature.place_current, feature.signal, feature.place_baseline)
        };
        part(format!("Attributions: {}", one.sentence), one.features.iter().take(20).map(line).collect());
    }
    if let Some(one) = &report.parity {
        let differing = one.features.iter().filter(|feature| feature.differing > 0);
        part(
            format!("Parity: {}", one.sentence),
            differing.map(|feature| feature.sentence.clone()).collect(),
        );
    }
    text
}
