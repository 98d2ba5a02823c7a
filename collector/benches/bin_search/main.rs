//! How the bins of a column of numbers are found: what counting does (`collector::count::search`) beside other ways. Each is
//! first held to the bins that the grid says, on random numbers, on the edges themselves, and on what is no number.
//!
//! ```text
//! cargo bench -p collector --bench bin_search
//! ```

mod ways;

use std::hint::black_box;

use collector::count::search::Search;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use domain::grid::{Bins, Edges, Grid};
use domain::time::Instant;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::ways::{Eytzinger, Halving, Linear, LinearAcross, Partition, Way};

const VALUES: usize = 5_000;
/// The last is a duration's grid: 5 % wide from a twentieth of a millisecond to a day.
const SIZES: [usize; 5] = [10, 20, 50, 200, 440];

/// So many bins of equal mass for values from 0 to 1.
fn edges(bins: usize) -> Edges {
    let edges: Vec<f64> = (1..bins).map(|edge| edge as f64 / bins as f64).collect();
    Edges::try_from(edges).expect("ascending")
}

/// Values that no branch predictor learns.
fn values(seed: u64) -> Vec<f64> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..VALUES).map(|_| random.random_range(-0.1..1.1)).collect()
}

/// What is easily placed wrongly: edges and their neighbours, both zeros, and what is not finite.
fn special(edges: &Edges) -> Vec<f64> {
    let around = |edge: &f64| [*edge, edge.next_down(), edge.next_up()];
    let others = [0.0, -0.0, f64::MIN_POSITIVE, f64::MAX, f64::MIN, f64::NAN, -f64::NAN];
    let infinite = [f64::INFINITY, f64::NEG_INFINITY];
    edges.as_slice().iter().flat_map(around).chain(others).chain(infinite).collect()
}

fn hold_to_the_grid(name: &str, bins: usize, way: &dyn Way) {
    let edges = edges(bins);
    let numbers = [values(1), special(&edges)].concat();
    let grid = Grid::new("m", "x", Instant::EPOCH, Bins::Numbers(edges));
    let expected: Vec<u16> = numbers.iter().map(|number| grid.bin_of_number(*number).0).collect();
    let mut found = Vec::new();
    way.place(&numbers, &mut found);
    assert!(found == expected, "{name} finds other bins than the grid of {bins}");
}

fn ways(edges: &Edges) -> Vec<(&'static str, Box<dyn Way>)> {
    vec![
        ("as counting does", Box::new(Search::of(edges))),
        ("partition_point", Box::new(Partition::of(edges))),
        ("halving, one by one", Box::new(Halving::<1>::of(edges))),
        ("halving, 8 abreast", Box::new(Halving::<8>::of(edges))),
        ("halving, 16 abreast", Box::new(Halving::<16>::of(edges))),
        ("Eytzinger, one by one", Box::new(Eytzinger::<1>::of(edges))),
        ("Eytzinger, 8 abreast", Box::new(Eytzinger::<8>::of(edges))),
        ("Eytzinger, 16 abreast", Box::new(Eytzinger::<16>::of(edges))),
        ("sum over edges, one by one", Box::new(Linear::of(edges))),
        ("sum over edges, 16 abreast", Box::new(LinearAcross::<16>::of(edges))),
    ]
}

fn bin_search(criterion: &mut Criterion) {
    for bins in SIZES {
        let edges = edges(bins);
        let columns: Vec<Vec<f64>> = (0..16).map(values).collect();
        let mut group = criterion.benchmark_group(format!("{bins} bins"));
        group.sample_size(20).throughput(Throughput::Elements(VALUES as u64));
        group.warm_up_time(std::time::Duration::from_millis(200));
        group.measurement_time(std::time::Duration::from_millis(600));
        for (name, way) in ways(&edges) {
            hold_to_the_grid(name, bins, way.as_ref());
            let (mut found, mut next) = (Vec::with_capacity(VALUES), 0);
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| {
                    // Another column each time: one that comes again is learnt by heart.
                    next = (next + 1) % columns.len();
                    found.clear();
                    way.place(black_box(&columns[next]), &mut found);
                    black_box(found.last().copied())
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, bin_search);
criterion_main!(benches);
