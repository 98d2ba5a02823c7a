//! `leeway recount`: counts a stretch of event time again from the raw events and puts the stored counts right, such as
//! after another program wrote into `predictions`.
//!
//! Invariant: a chunk is done when a pass over it finds nothing to correct. Corrections are signed differences between
//! raw events and stored counts; one that was made while events streamed in may be wrong, and the next pass takes it
//! back, because it again compares everything with everything. Chunks into which events are arriving at this moment are
//! cut smaller, and their last minutes are left for later instead of being guessed.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use service::Context;
use sql::Store;
use sql::recount::{CarriedSignal, Day, Stretch};

use crate::baseline::counted_by;
use crate::import::report::thousands;
use crate::known::Grids;

/// `leeway recount`.
#[derive(Clone, Debug, ClapArgs)]
pub struct Args {
    /// The model
    #[arg(long, value_name = "MODEL")]
    pub model: String,
    /// The first instant of event time
    #[arg(long, value_name = "TIME")]
    pub from: Instant,
    /// The instant at which to end; now where none is given
    #[arg(long, value_name = "TIME")]
    pub to: Option<Instant>,
    /// Say what is wrong and correct nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// An event this young may not be counted yet: its batch is gathered, sent, perhaps repeated.
const SETTLED_AFTER: Duration = Duration::from_secs(10);
/// Passes over a chunk before it is cut smaller or left.
const PASSES: u32 = 6;
/// Days with few events are counted together, up to so many events.
const EVENTS_AT_ONCE: u64 = 200_000;
/// Days counted together at most: a chunk's inserts touch a partition a month.
const DAYS_AT_ONCE: u32 = 31;

/// What a recount found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub events: u64,
    /// By signal: values that were not counted, and counts without a value.
    pub signals: BTreeMap<String, Change>,
    /// Minutes of moments and of traffic that were wrong.
    pub moments: u64,
    pub traffic: u64,
    /// Stretches that events kept arriving in.
    pub unsettled: Vec<Interval>,
    /// Signals that raw events carry and that have no grid: they are not counted.
    pub without_grid: Vec<CarriedSignal>,
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub cells: u64,
    pub lacking: u64,
    pub surplus: u64,
}

/// How far a recount is.
pub type Tell<'a> = &'a (dyn Fn(Interval, u64) + Send + Sync);

/// Recounts what the command line says, tells how far it is, and prints what changed.
///
/// # Errors
/// Where the stretch is empty or the store fails; what was corrected until then stays corrected.
pub async fn run(args: Args, context: &Context, store: &Store) -> anyhow::Result<()> {
    let to = args.to.unwrap_or_else(|| context.clock.now());
    if to <= args.from {
        bail!("--to {to} is not after --from {}", args.from);
    }
    let interval = Interval::new(args.from, to);
    let bar = indicatif::ProgressBar::new(interval.length().as_secs());
    let tell = |done: Interval, events: u64| {
        bar.set_position(done.end.since(interval.start).as_secs());
        if bar.is_hidden() {
            eprintln!("recounted {done}: {} events", thousands(events));
        }
    };
    let report = recount(&args.model, interval, args.dry_run, context, store, &tell).await;
    bar.finish_and_clear();
    print!("{}", report?);
    Ok(())
}

/// Recounts `interval` of `model`.
///
/// # Errors
/// The store's; what was corrected until then stays corrected, and the same call goes on.
pub async fn recount(
    model: &str,
    interval: Interval,
    dry_run: bool,
    context: &Context,
    store: &Store,
    tell: Tell<'_>,
) -> anyhow::Result<Report> {
    let interval = interval.widened_to(MINUTE);
    let grids = Grids::new(store.clone(), context, Duration::ZERO);
    let known = grids.refresh().await.context("the grids cannot be read")?.model(model);
    let (signals, watched) = counted_by(&known);
    store.reload_grid_dictionaries().await.context("the grids cannot be made known to the store")?;
    let days = store.days_of(model, interval).await?;
    let counted: Vec<String> = signals.iter().map(|by| by.signal.clone()).collect();
    let mut report = Report { dry_run, ..Report::default() };
    report.events = days.iter().map(|day| day.events).sum();
    report.without_grid = store.signals_beside(model, interval, &counted).await?;
    let stretch = |interval: Interval| Stretch {
        model: model.to_owned(),
        interval,
        received_before: None,
        signals: signals.clone(),
        watched: watched.clone(),
        whole: true,
        compared: true,
    };
    let mut chunks: VecDeque<Chunk> = chunks(&days, interval).into();
    while let Some(chunk) = chunks.pop_front() {
        let pass = Pass { stretch: stretch(chunk.interval), context, store };
        let outcome = if dry_run { pass.look(&mut report).await? } else { pass.settle(&mut report).await? };
        match (outcome, smaller(chunk.interval)) {
            (Outcome::Right, _) => tell(chunk.interval, chunk.events),
            (Outcome::Moving, Some(parts)) => {
                parts.into_iter().rev().for_each(|part| chunks.push_front(part))
            }
            (Outcome::Moving, None) => report.unsettled.push(chunk.interval),
        }
    }
    Ok(report)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Chunk {
    interval: Interval,
    events: u64,
}

/// Whole days, several where they hold few events, cut to the interval.
fn chunks(days: &[Day], interval: Interval) -> Vec<Chunk> {
    let mut chunks: Vec<(Chunk, u32)> = Vec::new();
    for day in days {
        let whole = Interval::new(day.at, day.at.saturating_add(DAY));
        let Some(part) = whole.intersection(interval) else { continue };
        match chunks.last_mut() {
            Some((chunk, n)) if chunk.events + day.events <= EVENTS_AT_ONCE && *n < DAYS_AT_ONCE => {
                chunk.interval.end = part.end;
                chunk.events += day.events;
                *n += 1;
            }
            _ => chunks.push((Chunk { interval: part, events: day.events }, 1)),
        }
    }
    chunks.into_iter().map(|(chunk, _)| chunk).collect()
}

/// The next smaller parts: days of a longer chunk, hours of a day, minutes of an hour.
fn smaller(interval: Interval) -> Option<Vec<Chunk>> {
    let step = [DAY, HOUR, MINUTE].into_iter().find(|step| interval.length() > *step)?;
    let mut parts = Vec::new();
    let mut start = interval.start;
    while start < interval.end {
        let end = start.floor(step).saturating_add(step).min(interval.end);
        parts.push(Chunk { interval: Interval::new(start, end), events: 0 });
        start = end;
    }
    Some(parts)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Raw events and counts agree, or (in a dry run) were compared.
    Right,
    /// Events are arriving.
    Moving,
}

struct Pass<'a> {
    stretch: Stretch,
    context: &'a Context,
    store: &'a Store,
}

/// What one comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Found {
    signals: BTreeMap<String, Change>,
    moments: u64,
    traffic: u64,
}

impl Pass<'_> {
    /// Compares and corrects until nothing is left to correct.
    async fn settle(&self, report: &mut Report) -> anyhow::Result<Outcome> {
        let mut all = Found::default();
        for _ in 0..PASSES {
            if self.is_moving().await? {
                break;
            }
            let found = self.compare().await?;
            if found == Found::default() {
                report.add(&all);
                return Ok(Outcome::Right);
            }
            self.correct(&found).await?;
            all.add(&found);
        }
        report.add(&all);
        Ok(Outcome::Moving)
    }

    /// Compares only.
    async fn look(&self, report: &mut Report) -> anyhow::Result<Outcome> {
        report.add(&self.compare().await?);
        Ok(Outcome::Right)
    }

    /// Whether an event of the chunk was received so lately that its counts may not be there yet.
    async fn is_moving(&self) -> anyhow::Result<bool> {
        let last = self.store.last_received(&self.stretch.model, self.stretch.interval).await?;
        Ok(last.saturating_add(SETTLED_AFTER) > self.context.clock.now())
    }

    async fn compare(&self) -> anyhow::Result<Found> {
        let differences = self.store.count_differences(&self.stretch).await?;
        let signals = differences.into_iter().map(|difference| {
            let change =
                Change { cells: difference.cells, lacking: difference.lacking, surplus: difference.surplus };
            (difference.signal, change)
        });
        Ok(Found {
            signals: signals.collect(),
            moments: self.store.moment_differences(&self.stretch).await?,
            traffic: self.store.traffic_differences(&self.stretch).await?,
        })
    }

    async fn correct(&self, found: &Found) -> anyhow::Result<()> {
        if !found.signals.is_empty() {
            self.store.correct_counts(&self.stretch).await?;
        }
        if found.moments > 0 {
            self.store.correct_moments(&self.stretch).await?;
        }
        if found.traffic > 0 {
            self.store.correct_traffic(&self.stretch).await?;
        }
        Ok(())
    }
}

impl Found {
    fn add(&mut self, other: &Self) {
        for (signal, change) in &other.signals {
            self.signals.entry(signal.clone()).or_default().add(change);
        }
        self.moments += other.moments;
        self.traffic += other.traffic;
    }
}

impl Change {
    fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.lacking += other.lacking;
        self.surplus += other.surplus;
    }
}

impl Report {
    fn add(&mut self, found: &Found) {
        for (signal, change) in &found.signals {
            self.signals.entry(signal.clone()).or_default().add(change);
        }
        self.moments += found.moments;
        self.traffic += found.traffic;
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.signals.is_empty() && self.moments == 0 && self.traffic == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.dry_run { "would be corrected" } else { "corrected" };
        writeln!(f, "{} events compared with their counts", thousands(self.events))?;
        if self.is_clean() {
            writeln!(f, "  every count is right")?;
        }
        for (signal, change) in &self.signals {
            writeln!(
                f,
                "  {signal}: {} counts {done} ({} values were not counted, {} counted too much)",
                thousands(change.cells),
                thousands(change.lacking),
                thousands(change.surplus)
            )?;
        }
        if self.moments + self.traffic > 0 {
            let (moments, traffic) = (thousands(self.moments), thousands(self.traffic));
            writeln!(f, "  moments of {moments} and traffic of {traffic} minutes {done}")?;
        }
        for interval in &self.unsettled {
            writeln!(f, "  left as it was: {interval}, where events are arriving; run again later")?;
        }
        for carried in &self.without_grid {
            writeln!(
                f,
                "  not counted: {} has {} values and no grid yet; a running collector makes one",
                carried.signal,
                thousands(carried.numbers + carried.categories)
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal instant")
    }

    fn day(text: &str, events: u64) -> Day {
        Day { at: at(text), events, last_received_at: Instant::EPOCH }
    }

    #[test]
    fn small_days_are_counted_together_and_large_ones_alone() {
        let days = [day("2026-01-01", 10), day("2026-01-02", 20), day("2026-01-03", EVENTS_AT_ONCE)];
        let interval = Interval::new(at("2026-01-01T06:00:00Z"), at("2026-01-03T12:00:00Z"));
        let found = chunks(&days, interval);
        let expected = [
            Chunk { interval: Interval::new(interval.start, at("2026-01-03")), events: 30 },
            Chunk { interval: Interval::new(at("2026-01-03"), interval.end), events: EVENTS_AT_ONCE },
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_moving_chunk_is_cut_down_to_minutes() {
        let interval = Interval::new(at("2026-01-01T22:30:00Z"), at("2026-01-03"));
        let days = smaller(interval).expect("more than a day");
        assert_eq!(days.len(), 2);
        let hours = smaller(days[0].interval).expect("more than an hour");
        assert_eq!(hours.len(), 2);
        let minutes = smaller(hours[0].interval).expect("more than a minute");
        assert_eq!(minutes.len(), 30);
        assert_eq!(smaller(minutes[0].interval), None);
    }
}
