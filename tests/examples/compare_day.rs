//! The time of one comparison of 50 signals over a day at 1,000,000 events, on the real engine: the question for the
//! day's counts, their reading, and every statistic of every signal.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example compare_day
//! target/release/examples/compare_day
//! ```

use std::time::{Duration, Instant as Moment};

use analyzer::Config;
use analyzer::counted::Stretch;
use analyzer::reference::Reference;
use analyzer::signals;
use domain::baseline::{Baseline, Moments};
use domain::contract::{Contract, Watch};
use domain::grid::{Bins, Edges, Grid};
use domain::time::{DAY, Instant, Interval};
use sql::Store;
use sql::baselines::BySignal;
use sql::counts::{Question, Resolution};
use sql::grids::StoredGrid;
use tests::{OwnEngine, text};

const MODEL: &str = "compared";
const SIGNALS: usize = 50;
const EVENTS: u64 = 1_000_000;
const REPEATS: usize = 21;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let day = Interval::new("2026-03-02".parse()?, "2026-03-03".parse()?);
    let grids: Vec<Grid> = (0..SIGNALS).map(grid).collect();
    fill(&store, &grids, day).await;
    let rows = text(&store, "SELECT count() FROM signal_minutes").await;
    println!("{SIGNALS} signals, {EVENTS} events a day, {rows} rows of counts by the minute");
    let reference = reference(&store, &grids, day).await?;
    for (name, resolution) in [("by minutes", Resolution::Minutes), ("by hours", Resolution::Hours)] {
        let mut times = Vec::new();
        for _ in 0..REPEATS {
            times.push(compare(&store, &reference, day, resolution).await?);
        }
        times.sort_by_key(|(all, _)| *all);
        let (all, statistics) = times[REPEATS / 2];
        println!(
            "{name}: median of {REPEATS} comparisons {all:.1?}, of that {statistics:.1?} for the statistics"
        );
    }
    Ok(())
}

/// What the analyzer does for one window, and how long it took, also without the store.
async fn compare(
    store: &Store,
    reference: &Reference,
    day: Interval,
    resolution: Resolution,
) -> anyhow::Result<(Duration, Duration)> {
    let began = Moment::now();
    let question = question(day, resolution);
    let (counts, moments) = tokio::try_join!(store.counts(&question), store.moments(&question))?;
    let answered = Moment::now();
    let stretch = Stretch { counts, moments, ..Stretch::default() };
    let current = stretch.signals(day, |segment, signal| reference.grid_of(segment, signal));
    let found = signals::findings(reference, &Watch::default(), &current);
    anyhow::ensure!(found.len() >= SIGNALS, "only {} findings", found.len());
    Ok((began.elapsed(), answered.elapsed()))
}

fn question(interval: Interval, resolution: Resolution) -> Question {
    Question {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        interval,
        resolution,
        segments: Vec::new(),
        signals: Vec::new(),
        step_s: 0,
    }
}

fn grid(place: usize) -> Grid {
    let sample = (0..5_000).map(|n| (f64::from(n) + place as f64).sqrt()).collect();
    Grid::new(
        MODEL,
        &format!("feature.number_{place}"),
        Instant::EPOCH,
        Bins::Numbers(Edges::of_sample(sample)),
    )
}

/// Two days of counts, as the collector would have made them of so many events: the first is the baseline.
async fn fill(store: &Store, grids: &[Grid], day: Interval) {
    let ids: Vec<String> = grids.iter().map(|grid| format!("toUInt32({})", grid.id.0)).collect();
    let (minutes, bins) = (2 * DAY.as_secs() / 60, 128);
    let each = EVENTS / (DAY.as_secs() / 60) / bins;
    let start = day.start.saturating_sub(DAY).seconds();
    let counts = format!(
        "INSERT INTO signal_minutes (model, version, environment, grid, segment, signal, minute, bin, n) \
         SELECT '{MODEL}', '1', 'production', [{}][place + 1], '', concat('feature.number_', toString(place)), \
         toDateTime({start} + 60 * intDiv(rest, {bins}), 'UTC'), toUInt16(13 + rest % {bins}), \
         toInt64({each} + cityHash64(number) % 2) \
         FROM (SELECT number, number % {SIGNALS} AS place, intDiv(number, {SIGNALS}) AS rest FROM numbers({}))",
        ids.join(", "),
        SIGNALS as u64 * minutes * bins
    );
    text(store, &counts).await;
    let moments = format!(
        "INSERT INTO signal_moments (model, version, environment, segment, signal, minute, n, sum, sum_of_squares, \
         least, greatest) SELECT '{MODEL}', '1', 'production', '', concat('feature.number_', toString(number % {SIGNALS})), \
         toDateTime({start} + 60 * intDiv(number, {SIGNALS}), 'UTC'), 694, 32000., 1600000., 0., 70. \
         FROM numbers({})",
        SIGNALS as u64 * minutes
    );
    text(store, &moments).await;
    text(store, "OPTIMIZE TABLE signal_minutes FINAL").await;
}

async fn reference(store: &Store, grids: &[Grid], day: Interval) -> anyhow::Result<Reference> {
    let before = Interval::ending_at(day.start, DAY);
    let mut signals = BySignal::new();
    for series in store.counts(&question(before, Resolution::Hours)).await? {
        let signal = signals.entry((series.segment, series.signal)).or_default();
        signal.grid = series.grid;
        series.points.iter().for_each(|point| signal.counts.add(point.bin, point.n));
        signal.moments = Moments { n: EVENTS, sum: 46e6, sum_of_squares: 2.3e9, least: 0.0, greatest: 70.0 };
    }
    let stored = |grid: &Grid| StoredGrid {
        grid: grid.clone(),
        made_from: String::new(),
        made_of: 5_000,
        announced_at: Instant::EPOCH,
        recounted_at: None,
    };
    let baseline = Baseline {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        name: "before".to_owned(),
        window: before,
        source: String::new(),
        events: EVENTS,
        created_at: Instant::EPOCH,
    };
    let stored = grids.iter().map(stored).collect();
    let named = Some((baseline, signals));
    Ok(Reference::new(&Config::default(), &Contract::default(), &Watch::default(), named, stored))
}
