//! What judging costs, on the real engine: many models with a month of hours that nobody has judged yet, as after an analyzer
//! was away; each hour against the same hours of the four weeks before it. Or windows of fewer minutes, which are counted by
//! the minute.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example catch_up
//! target/release/examples/catch_up [models] [signals of each] [days] [minutes of a window]
//! ```

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Moment};

use analyzer::{Analyzer, Config};
use domain::contract::{Contract, Rfc3339, Watch};
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::time::{Clock, DAY, Instant, Interval, ManualClock};
use sql::Store;
use sql::grids::StoredGrid;
use tests::{OwnEngine, text};

/// Days that the first window is compared with.
const BEFORE: u32 = 28;
const EVENTS_A_WINDOW: u64 = 2_000;
const BINS: u16 = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stated: Vec<u32> = std::env::args().skip(1).map(|word| word.parse()).collect::<Result<_, _>>()?;
    let [models, signals, days, minutes] = [(0, 100), (1, 20), (2, 30), (3, 60)]
        .map(|(place, usual): (usize, u32)| stated.get(place).copied().unwrap_or(usual));
    anyhow::ensure!(
        minutes > 0 && 60 % minutes == 0,
        "an hour has to hold whole windows, not of {minutes} minutes"
    );
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let begin: Instant = "2026-03-02T00:00:00Z".parse()?;
    let first = begin.saturating_add(DAY * BEFORE);
    let end = first.saturating_add(DAY * days);

    let grids: Vec<Grid> = (0..models).flat_map(|model| (0..signals).map(move |n| grid(model, n))).collect();
    store.write_grids(&grids.iter().map(stored).collect::<Vec<_>>()).await?;
    for model in 0..models {
        fill(&store, (model, signals), Interval::new(begin, first), [60, minutes]).await;
        fill(&store, (model, signals), Interval::new(first, end), [minutes, minutes]).await;
    }
    text(&store, "OPTIMIZE TABLE signal_hours FINAL").await;
    println!(
        "{models} models of {signals} signals, {days} days of windows of {minutes} minutes and {EVENTS_A_WINDOW} events"
    );

    let watch = Watch {
        name: "judged".to_owned(),
        window_s: u64::from(minutes) * 60,
        step_s: u64::from(minutes) * 60,
        grace_s: 10,
        from: Some(Rfc3339(first)),
        ..Watch::default()
    };
    let contract = Contract { watches: vec![watch], ..Contract::default() };
    let contracts: BTreeMap<String, Contract> = (0..models).map(|n| (name(n), contract.clone())).collect();
    let clock = ManualClock::starting_at(end.saturating_add(Duration::from_secs(15)));
    let context = service::Context::quiet(Clock::Manual(clock), contracts);
    let mut analyzer = Analyzer::new(Config::default(), context, store.clone());
    let (began, mut told) = (Moment::now(), Moment::now());
    while analyzer.pass().await?.is_more {
        if told.elapsed() > Duration::from_secs(10) {
            told = Moment::now();
            println!("  {:.0?}: {} windows", began.elapsed(), windows(&store).await);
        }
    }
    let took = began.elapsed();
    let judged = windows(&store).await;
    anyhow::ensure!(
        judged >= u64::from(models * days * 24 * (60 / minutes) / 2),
        "only {judged} windows were judged"
    );
    println!(
        "caught up in {took:.1?}: {judged} windows of a model, {:.1} ms each, {:.2} ms a signal",
        took.as_secs_f64() * 1e3 / judged as f64,
        took.as_secs_f64() * 1e3 / judged as f64 / f64::from(signals)
    );
    own.engine.stop().await?;
    Ok(())
}

async fn windows(store: &Store) -> u64 {
    let judged = "SELECT uniqExact(model, watch, window_end) FROM evaluations";
    text(store, judged).await.parse().expect("a number")
}

fn name(model: u32) -> String {
    format!("model-{model:03}")
}

fn grid(model: u32, signal: u32) -> Grid {
    let edges: Vec<f64> = (1..BINS).map(|edge| f64::from(edge) * 0.3 - 3.0).collect();
    let edges = Edges::try_from(edges).expect("ascending");
    Grid::new(&name(model), &format!("feature.number_{signal}"), Instant::EPOCH, Bins::Numbers(edges))
}

fn stored(grid: &Grid) -> StoredGrid {
    StoredGrid {
        grid: grid.clone(),
        made_from: "recorded".to_owned(),
        made_of: 5_000,
        announced_at: Instant::EPOCH,
        recounted_at: Some(Instant::EPOCH),
    }
}

/// The counts of a model in steps of so many minutes, as the collector would have made them of windows of so many minutes
/// with their events, and some noise.
async fn fill(store: &Store, (model, signals): (u32, u32), stretch: Interval, [step, window]: [u32; 2]) {
    let (start, first, step_s) = (stretch.start.seconds(), Bin::FIRST_VALUE.0, step * 60);
    let steps = stretch.length().as_secs() / u64::from(step_s);
    let events = EVENTS_A_WINDOW * u64::from(step / window);
    let ids: Vec<String> =
        (0..signals).map(|signal| format!("toUInt32({})", grid(model, signal).id.0)).collect();
    let (name, each) = (name(model), events / u64::from(BINS));
    let counts = format!(
        "INSERT INTO signal_minutes (model, version, environment, grid, segment, signal, minute, bin, n) \
         SELECT '{name}', '1', 'production', [{}][place + 1], '', concat('feature.number_', toString(place)), \
         toDateTime({start} + {step_s} * intDiv(rest, {BINS}), 'UTC'), toUInt16({first} + rest % {BINS}), \
         toInt64({each} + cityHash64(number, {model}) % 35) - 17 \
         FROM (SELECT number, number % {signals} AS place, intDiv(number, {signals}) AS rest FROM numbers({}))",
        ids.join(", "),
        u64::from(signals) * steps * u64::from(BINS)
    );
    text(store, &counts).await;
    let traffic = format!(
        "INSERT INTO traffic_minutes (model, version, environment, segment, minute, events, errors, first_event, \
         last_event, largest_lag_ms, last_received_at) SELECT '{name}', '1', 'production', '', \
         toDateTime({start} + {step_s} * number, 'UTC') AS at, {events}, 0, toDateTime64(at, 3, 'UTC'), \
         toDateTime64(at + {step_s} - 1, 3, 'UTC'), 0, toDateTime64(at + {step_s} - 1, 3, 'UTC') FROM numbers({steps})"
    );
    text(store, &traffic).await;
}
