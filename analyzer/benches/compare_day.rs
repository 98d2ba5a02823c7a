//! One comparison of 50 signals over a day's counts with a baseline, in memory: what a window costs beside the store.

use std::collections::BTreeMap;
use std::hint::black_box;

use analyzer::Config;
use analyzer::counted::{BySignal, Counted};
use analyzer::reference::Reference;
use analyzer::signals;
use criterion::{Criterion, criterion_group, criterion_main};
use domain::baseline::{Baseline, Moments, SignalBaseline};
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::time::{DAY, Instant, Interval};
use sql::grids::StoredGrid;

const SIGNALS: usize = 50;
const EVENTS: u64 = 1_000_000;

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

fn prepared() -> (Reference, BySignal) {
    let names: Vec<String> = (0..SIGNALS).map(|place| format!("feature.number_{place}")).collect();
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
    let (reference, current) = prepared();
    let watch = Watch::default();
    criterion.bench_function("compare 50 signals over a day", |bencher| {
        bencher.iter(|| black_box(signals::findings(&reference, &watch, black_box(&current))));
    });
}

criterion_group!(benches, compare_day);
criterion_main!(benches);
