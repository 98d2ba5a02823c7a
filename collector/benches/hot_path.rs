//! What an event of 50 features costs in the collector: decoding it from JSON, and laying it out with its counts.

use std::collections::BTreeMap;
use std::hint::black_box;

use collector::decode::{Framing, Names, Rules};
use collector::event::Name;
use collector::known::Known;
use collector::predictions::Predictions;
use collector::{batch, decode};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use domain::contract::Contract;
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::Instant;
use sql::grids::StoredGrid;

const EVENTS: usize = 5_000;
const FEATURES: usize = 50;
const SIXTY_DAYS_S: i64 = 60 * 86_400;

/// Values without a pattern that a processor could learn: what it guesses rightly costs a fraction.
fn value(event: usize, feature: usize) -> f64 {
    let mixed = ((event * FEATURES + feature) as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 29)) % 1_000_003) as f64 / 997.0
}

fn ndjson() -> Vec<u8> {
    let mut text = String::new();
    for event in 0..EVENTS {
        let features: Vec<String> =
            (0..FEATURES).map(|feature| format!("\"feature_{feature}\":{}", value(event, feature))).collect();
        text.push_str(&format!(
            "{{\"id\":\"event-{event}\",\"model\":\"bench\",\"version\":\"v1\",\"features\":{{{},\"country\":\"{}\"}},\"prediction\":{{\"score\":0.5}},\"latency_ms\":12.5}}\n",
            features.join(","),
            ["BR", "DE", "FR"][event % 3]
        ));
    }
    text.into_bytes()
}

fn rules() -> Rules {
    let now = Instant::from_seconds(SIXTY_DAYS_S);
    Rules {
        received_at: now,
        source: Name::from("bench"),
        oldest: Instant::EPOCH,
        newest: now,
        models: Vec::new(),
        guards: Default::default(),
    }
}

fn decoded(body: &[u8], names: &mut Names) -> Predictions {
    let mut events = Predictions::default();
    decode::predictions_into(body, Framing::Lines, names, &rules(), &mut events).expect("good events");
    events
}

/// Each line as a message of its own, read into rows that become columns afterwards.
fn decoded_by_rows(body: &[u8], names: &mut Names) -> Predictions {
    let mut events = Vec::new();
    for message in body.trim_ascii().split(|byte| *byte == b'\n') {
        events.extend(
            decode::predictions(message, Framing::Json, names, &rules()).expect("good events").events,
        );
    }
    Predictions::from(events)
}

/// Each line as a message of its own, read into columns at once.
fn decoded_by_columns(body: &[u8], names: &mut Names) -> Predictions {
    let mut events = Predictions::default();
    for message in body.trim_ascii().split(|byte| *byte == b'\n') {
        decode::predictions_into(message, Framing::Json, names, &rules(), &mut events).expect("good events");
    }
    events
}

/// A grid for each feature and the country; with `watched`, the country is a dimension as well.
fn known(watched: bool) -> Known {
    let stored = |signal: &str, bins: Bins| StoredGrid {
        grid: Grid::new("bench", signal, Instant::EPOCH, bins),
        made_from: String::new(),
        made_of: 0,
        announced_at: Instant::EPOCH,
        recounted_at: None,
    };
    let mut grids: Vec<StoredGrid> = (0..FEATURES)
        .map(|feature| {
            let sample = (0..EVENTS).map(|event| value(event, feature)).collect();
            stored(&format!("feature.feature_{feature}"), Bins::Numbers(Edges::of_sample(sample)))
        })
        .collect();
    let levels = Levels::of(["BR", "DE", "FR"].map(str::to_owned));
    grids.push(stored("feature.country", Bins::Categories(levels)));
    let segments = if watched { vec!["country".to_owned()] } else { Vec::new() };
    let contract = Contract { segments, ..Contract::default() };
    Known::of(Instant::EPOCH, grids, BTreeMap::from([("bench".to_owned(), contract)]).into())
}

fn hot_path(criterion: &mut Criterion) {
    let body = ndjson();
    let mut group = criterion.benchmark_group("50 features");
    group.sample_size(10);
    group.throughput(Throughput::Elements(EVENTS as u64));
    let mut names = Names::default();
    group.bench_function("decode NDJSON", |bencher| {
        bencher.iter_batched(|| (), |()| black_box(decoded(&body, &mut names)), BatchSize::PerIteration);
    });
    group.bench_function("decode messages of one event by rows", |bencher| {
        bencher.iter_batched(
            || (),
            |()| black_box(decoded_by_rows(&body, &mut names)),
            BatchSize::PerIteration,
        );
    });
    group.bench_function("decode messages of one event by columns", |bencher| {
        let by_columns = |()| black_box(decoded_by_columns(&body, &mut names));
        bencher.iter_batched(|| (), by_columns, BatchSize::PerIteration);
    });
    let events = decoded(&body, &mut names);
    let nothing = Known::default();
    group.bench_function("lay out, without counts", |bencher| {
        let lay = |events| batch::predictions(events, &nothing).expect("columns");
        bencher.iter_batched(|| events.clone(), lay, BatchSize::PerIteration);
    });
    let plain = known(false);
    group.bench_function("lay out and count", |bencher| {
        let lay = |events| batch::predictions(events, &plain).expect("columns");
        bencher.iter_batched(|| events.clone(), lay, BatchSize::PerIteration);
    });
    let watched = known(true);
    group.bench_function("lay out and count, one watched dimension", |bencher| {
        let lay = |events| batch::predictions(events, &watched).expect("columns");
        bencher.iter_batched(|| events.clone(), lay, BatchSize::PerIteration);
    });
    let counted = batch::predictions(events.clone(), &plain).expect("columns").batch;
    group.bench_function("serialise", |bencher| {
        bencher.iter(|| sql::store::arrow_stream(black_box(&counted)).expect("bytes"));
    });
    group.finish();
}

criterion_group!(benches, hot_path);
criterion_main!(benches);
