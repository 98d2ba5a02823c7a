//! What a window costs beside the store, in memory: a day of 50 signals against a baseline; an hour of 1,000 signals
//! against the same hours of four weeks; and what `leeway compare` does with a column of a million values a side.

use std::collections::BTreeMap;
use std::hint::black_box;

use analyzer::Config;
use analyzer::counted::{BySignal, Counted};
use analyzer::files::rungs::{Rungs, Side};
use analyzer::reference::Reference;
use analyzer::side_by_side::measured::Measured;
use analyzer::side_by_side::{Kind, Signal, Tally};
use analyzer::signals;
use criterion::{Criterion, criterion_group, criterion_main};
use domain::baseline::{Baseline, Moments, SignalBaseline};
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::time::{DAY, Instant, Interval};
use sql::grids::StoredGrid;

const EVENTS: u64 = 1_000_000;
/// The same hour of each day of four weeks.
const HOURS: u64 = 28;

fn grid(signal: &str) -> Grid {
    let sample = (0..5_000).map(|n| f64::from(n).sqrt()).collect();
    Grid::new("m", signal, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)))
}

/// A day of events over the bins of `grid`, a little moved by `shift`.
fn day(grid: &Grid, shift: u64) -> Counts {
    let bins = grid.value_bins() as u64;
    let places = (0..bins).map(|bin| (bin, EVENTS / bins + (bin * 7_919 + shift) % 997));
    let values = places.map(|(bin, n)| (Bin(Bin::FIRST_VALUE.0 + bin as u16), n));
    Counts::of(values.chain([(Bin::MISSING, 1_000)]))
}

fn moments(n: u64) -> Moments {
    Moments { n, sum: 50.0 * n as f64, sum_of_squares: 2_900.0 * n as f64, least: 0.0, greatest: 100.0 }
}

fn prepared(signals_of_model: usize) -> (Reference, BySignal) {
    let names: Vec<String> = (0..signals_of_model).map(|place| format!("feature.number_{place}")).collect();
    let (mut signals, mut current, mut grids) = (BTreeMap::new(), BySignal::new(), Vec::new());
    for name in names {
        let grid = grid(&name);
        let key = (String::new(), name);
        let baseline = SignalBaseline {
            grid: grid.id,
            counts: day(&grid, 0),
            moments: moments(EVENTS),
            ..SignalBaseline::default()
        };
        current.insert(key.clone(), Counted { counts: day(&grid, 311), moments: moments(EVENTS) });
        signals.insert(key, baseline);
        grids.push(StoredGrid {
            grid,
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        });
    }
    let baseline = Baseline {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        name: "first".to_owned(),
        window: Interval::new(Instant::EPOCH, Instant::EPOCH.saturating_add(DAY)),
        source: String::new(),
        events: EVENTS,
        created_at: Instant::EPOCH,
    };
    let named = Some((baseline, signals));
    let reference = Reference::new(&Config::default(), &Contract::default(), &Watch::default(), named, grids);
    (reference, current)
}

fn compare_day(criterion: &mut Criterion) {
    let (reference, current) = prepared(50);
    let watch = Watch::default();
    criterion.bench_function("compare 50 signals over a day", |bencher| {
        bencher.iter(|| black_box(signals::findings(&reference, &watch, black_box(&current))));
    });
}

/// The baseline is summed of its hours each time, as nobody has it ready.
fn compare_hour(criterion: &mut Criterion) {
    let (mut reference, current) = prepared(1_000);
    let watch = Watch::default();
    let grid = grid("feature.number_0");
    let hours: Vec<Counts> = (0..HOURS).map(|hour| day(&grid, hour * 13)).collect();
    criterion.bench_function("compare 1,000 signals, an hour against the same of four weeks", |bencher| {
        bencher.iter(|| {
            for baseline in reference.signals.values_mut() {
                baseline.counts = Counts::default();
                hours.iter().for_each(|hour| baseline.counts.merge(hour));
            }
            black_box(signals::findings(&reference, &watch, black_box(&current)))
        });
    });
}

/// A number that looks random and is the same each time.
fn noise(row: u64) -> f64 {
    let mut hash = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}

fn compare_column(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a column of a million values a side");
    group.sample_size(10);
    let tally = Tally { n: EVENTS, ..Tally::default() };
    for (name, steps) in [("all different", f64::INFINITY), ("a thousand different", 1_000.0)] {
        let value = |row: u64| if steps.is_finite() { (noise(row) * steps).floor() } else { noise(row) };
        let sides = [0, EVENTS].map(|from| (from..from + EVENTS).map(value).collect::<Vec<f64>>());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut rungs = Rungs::default();
                for (side, values) in [Side::Baseline, Side::Current].into_iter().zip(&sides) {
                    values.iter().for_each(|value| rungs.push(side, *value));
                }
                let signal =
                    Signal { pair: rungs.into_pair(), ..Signal::new("x", Kind::Number, tally, tally) };
                black_box(Measured::of(signal))
            });
        });
    }
}

criterion_group!(benches, compare_day, compare_hour, compare_column);
criterion_main!(benches);
