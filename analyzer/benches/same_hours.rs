//! One evaluation of an hour against the same hours of four weeks, for 1, 100 and 1,000 signals: pooling the weeks' counts,
//! every statistic of every signal, limits from learned spreads, verdicts. What a window costs beside the store.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use analyzer::Config;
use analyzer::counted::{BySignal, Counted};
use analyzer::finding::Context;
use analyzer::hours::{Chosen, Hours};
use analyzer::reference::{Healthy, Reference};
use analyzer::signals;
use analyzer::spread::{Form, Spread};
use analyzer::standings::Standings;
use analyzer::threshold::Rules;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::counts::{CountPoint, CountSeries};
use sql::grids::StoredGrid;

const ROWS: u64 = 100_000;
const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());

fn window() -> Interval {
    Interval::ending_at(Instant::EPOCH.saturating_add(5 * WEEK), HOUR)
}

/// An hour of values over the bins of a grid, a little moved by `shift`.
fn hour(bins: u64, shift: u64) -> impl Iterator<Item = (Bin, u64)> {
    let bin =
        move |bin: u64| (Bin(Bin::FIRST_VALUE.0 + bin as u16), ROWS / bins + (bin * 7_919 + shift) % 97);
    (0..bins).map(bin).chain([(Bin::MISSING, 100)])
}

struct Prepared {
    base: Reference,
    hours: Hours,
    current: BySignal,
}

fn prepared(signals: usize) -> Prepared {
    let (mut grids, mut counts, mut current) = (Vec::new(), Vec::new(), BySignal::new());
    let values: Vec<f64> = (0..672).map(|k| f64::from(k) / 336.0).collect();
    let spread =
        |form| Spread::fitted(form, &values, 672, None).map(|spread| Spread { days: 28.0, ..spread });
    let healthy = Healthy {
        drift: spread(Form::Squares),
        missing: spread(Form::Difference),
        invalid: None,
        unseen: None,
        outside: spread(Form::Difference),
        top: spread(Form::Difference),
    };
    let mut learned = BTreeMap::new();
    for place in 0..signals {
        let name = format!("feature.number_{place}");
        let sample = (0..5_000).map(|n| (f64::from(n) + place as f64).sqrt()).collect();
        let grid = Grid::new("m", &name, Instant::EPOCH, Bins::Numbers(Edges::of_sample(sample)));
        let bins = grid.value_bins() as u64;
        let points = (1..=4_u32).rev().flat_map(|ago| {
            let at = window().start.saturating_sub(ago * WEEK);
            hour(bins, u64::from(ago)).map(move |(bin, n)| CountPoint { at, bin, n })
        });
        counts.push(CountSeries {
            segment: String::new(),
            signal: name.clone(),
            grid: grid.id,
            points: points.collect(),
        });
        let counted = Counted { counts: Counts::of(hour(bins, 311)), ..Counted::default() };
        current.insert((String::new(), name.clone()), counted);
        learned.insert((String::new(), name), healthy);
        grids.push(StoredGrid {
            grid,
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        });
    }
    let base = Reference::new(&Config::default(), &Contract::default(), &Watch::default(), None, grids);
    let base = base.learned(Arc::new(learned));
    Prepared { base, hours: Hours { counts, moments: Vec::new() }, current }
}

fn evaluate(prepared: &Prepared) -> usize {
    let Prepared { base, hours, current } = prepared;
    let chosen = Chosen::of(hours, window(), WEEK, 4, &[]);
    let reference = base.with(chosen.pooled(hours, &base.in_force), String::new());
    let findings = signals::findings(&reference, &Watch::default(), current);
    let context = Context {
        model: "m",
        environment: "production",
        watch: "hourly",
        baseline: "",
        window: window(),
        evaluated_at: window().end,
    };
    Standings::new(Rules::from(&Config::default())).judge(findings, &context, &[]).len()
}

fn same_hours(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an hour against the same hours of 4 weeks");
    for signals in [1, 100, 1_000] {
        let prepared = prepared(signals);
        assert!(evaluate(&prepared) >= signals);
        group.bench_with_input(BenchmarkId::new("signals", signals), &prepared, |bencher, prepared| {
            bencher.iter(|| black_box(evaluate(black_box(prepared))));
        });
    }
}

criterion_group!(benches, same_hours);
criterion_main!(benches);
