//! Grids and baselines as they are kept, and counting in SQL: the same bins as in Rust, for every value there is.

use std::collections::BTreeMap;

use domain::baseline::{Baseline, Moments, SignalBaseline};
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::time::{HOUR, Instant, Interval};
use sql::counts::{Question, Resolution};
use sql::grids::{StoredGrid, in_force};
use sql::recount::{CountedBy, Stretch};
use tests::fresh_store;

use crate::batches::{Batch, Event, START_S};

fn stored(grid: Grid) -> StoredGrid {
    StoredGrid {
        grid,
        made_from: "5,000 events".to_owned(),
        made_of: 5_000,
        announced_at: Instant::from_millis(START_S * 1_000 + 123),
        recounted_at: None,
    }
}

fn numbers(signal: &str, edges: &[f64]) -> Grid {
    let edges = Edges::try_from(edges.to_vec()).expect("ascending");
    Grid::new("m", signal, Instant::from_seconds(START_S), Bins::Numbers(edges))
}

fn categories(signal: &str, levels: &[&str]) -> Grid {
    let levels = Levels::of(levels.iter().map(|level| (*level).to_owned()));
    Grid::new("m", signal, Instant::from_seconds(START_S), Bins::Categories(levels))
}

#[tokio::test]
async fn grids_read_back_as_they_were_written_to_the_last_bit() {
    let store = fresh_store().await;
    let edges = [-1e300, -0.1, 0.0, f64::MIN_POSITIVE, 0.1 + 0.2, 1.0_f64.next_up(), 1e300];
    let mut grids =
        vec![stored(numbers("feature.x", &edges)), stored(categories("feature.c", &["", "it's", "ü\n\\"]))];
    let before = store.grids_version().await.expect("a version");
    store.write_grids(&grids).await.expect("written");
    let announced = store.grids_version().await.expect("a version");
    assert_ne!(before, announced);
    let by_signal = |mut grids: Vec<StoredGrid>| {
        grids.sort_by(|a, b| b.grid.signal.cmp(&a.grid.signal));
        grids
    };
    assert_eq!(by_signal(store.grids(None).await.expect("grids")), grids);
    assert_eq!(store.grids(Some("another")).await.expect("none"), []);
    assert_eq!(store.grids_of("m", &["feature.c".to_owned()]).await.expect("one"), [grids[1].clone()]);

    // Written again once everything earlier is counted by it, it replaces what was announced.
    grids[0].recounted_at = Some(Instant::from_millis(START_S * 1_000 + 999));
    store.write_grids(&grids[..1]).await.expect("written");
    assert_eq!(by_signal(store.grids(Some("m")).await.expect("grids")), grids);
    assert_ne!(store.grids_version().await.expect("a version"), announced);
}

#[tokio::test]
async fn of_two_grids_announced_at_once_everybody_takes_the_same() {
    let store = fresh_store().await;
    let rivals = [stored(numbers("feature.x", &[1.0])), stored(numbers("feature.x", &[2.0]))];
    for rival in &rivals {
        store.write_grids(std::slice::from_ref(rival)).await.expect("written");
    }
    let known = store.grids(Some("m")).await.expect("grids");
    assert_eq!(known.len(), 2);
    let mut reversed = known.clone();
    reversed.reverse();
    assert_eq!(in_force(known), in_force(reversed));
}

fn signal_baseline() -> SignalBaseline {
    SignalBaseline {
        grid: numbers("feature.x", &[1.0]).id,
        counts: Counts::of([(Bin::MISSING, 2), (Bin(3), 40), (Bin(4), 2)]),
        moments: Moments { n: 42, sum: 0.1 + 0.2, sum_of_squares: 7.5, least: -1.0, greatest: 1e9 },
        means: BTreeMap::from([(Bin(3), 0.5), (Bin(4), 1e9)]),
        mean_predictions: BTreeMap::from([(Bin::MISSING, 0.9), (Bin(3), 0.25)]),
    }
}

#[tokio::test]
async fn a_baseline_reads_back_and_a_later_one_of_its_name_replaces_it() {
    let store = fresh_store().await;
    let start = Instant::from_seconds(START_S);
    let first = Baseline {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        name: "initial".to_owned(),
        window: Interval::new(start, start.saturating_add(HOUR)),
        source: "window".to_owned(),
        events: 44,
        created_at: Instant::from_millis(START_S * 1_000 + 5),
    };
    let key = |segment: &str, signal: &str| (segment.to_owned(), signal.to_owned());
    let whole = BTreeMap::from([
        (key("", "feature.x"), signal_baseline()),
        (key("origin=JFK", "feature.x"), SignalBaseline { means: BTreeMap::new(), ..signal_baseline() }),
    ]);
    store.write_baseline(&first, &whole).await.expect("written");
    assert_eq!(store.baselines(Some("m")).await.expect("one"), std::slice::from_ref(&first));
    assert_eq!(store.baseline_counts(&first).await.expect("its counts"), whole);

    let second =
        Baseline { created_at: Instant::from_millis(START_S * 1_000 + 6), events: 1, ..first.clone() };
    let fewer = BTreeMap::from([(key("", "feature.x"), signal_baseline())]);
    store.write_baseline(&second, &fewer).await.expect("written");
    assert_eq!(store.baselines(None).await.expect("one"), std::slice::from_ref(&second));
    assert_eq!(store.baseline_counts(&second).await.expect("its counts"), fewer);
    let named = ("m", "production", "initial");
    let asked = store.baseline_counts_of(named, &["feature.x".to_owned()], &[]).await.expect("its counts");
    assert_eq!(asked.keys().collect::<Vec<_>>(), [&key("", "feature.x")]);
}

const EDGES: [f64; 5] = [-1.5, 0.0, 1e-9, 7.25, 1e12];

/// Every kind of value a numeric signal can carry, and how many events carry it.
fn numeric_values() -> Vec<Option<f64>> {
    let mut values: Vec<Option<f64>> =
        EDGES.iter().flat_map(|e| [*e, e.next_up(), e.next_down()]).map(Some).collect();
    values.extend([f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 3.0, 3.0].map(Some));
    values.extend([None, None, None]);
    values
}

/// Written past the collector, then counted in SQL: each event is in exactly the bin that Rust puts it in.
#[tokio::test]
async fn counting_in_sql_puts_every_value_where_rust_does_and_loses_none() {
    let store = fresh_store().await;
    let (x, c) = (numbers("feature.x", &EDGES), categories("feature.c", &["even", "it's"]));
    store.write_grids(&[stored(x.clone()), stored(c.clone())]).await.expect("written");
    store.reload_grid_dictionaries().await.expect("reloaded");

    let values = numeric_values();
    let texts = [Some("even"), Some("never seen"), Some(""), Some("it's"), None];
    let events: Vec<Event> = values
        .iter()
        .enumerate()
        .map(|(row, value)| Event {
            id: format!("e{row}"),
            second: 3,
            numbers: value.iter().map(|value| ("feature.x".to_owned(), *value)).collect(),
            categories: texts[row % 5]
                .iter()
                .map(|text| ("feature.c".to_owned(), (*text).to_owned()))
                .collect(),
        })
        .collect();
    let batch = Batch { model: "m".to_owned(), events: events.clone(), ..Batch::default() };
    batch.insert(&store, "raw only").await;

    let mut expected: BTreeMap<&str, Counts> = BTreeMap::new();
    for event in &events {
        let bin_x = event.numbers.first().map_or(Bin::MISSING, |(_, value)| x.bin_of_number(*value));
        let bin_c = event.categories.first().map_or(Bin::MISSING, |(_, text)| c.bin_of_category(text));
        expected.entry("feature.x").or_default().add(bin_x, 1);
        expected.entry("feature.c").or_default().add(bin_c, 1);
    }

    let start = Instant::from_seconds(START_S);
    let interval = Interval::new(start, start.saturating_add(HOUR));
    let counted_by =
        |grid: &Grid| CountedBy { signal: grid.signal.clone(), grid: grid.id, is_numeric: grid.is_numeric() };
    let stretch = Stretch {
        model: "m".to_owned(),
        resolution: Resolution::Minutes,
        interval,
        received_before: None,
        signals: vec![counted_by(&x), counted_by(&c)],
        watched: Vec::new(),
        whole: true,
        compared: true,
        values_kept: true,
        unvalued: Vec::new(),
    };
    let lacking = store.count_differences(&stretch).await.expect("differences");
    assert_eq!(lacking.iter().map(|difference| difference.lacking).sum::<u64>(), 2 * events.len() as u64);
    store.correct_counts(&stretch).await.expect("corrected");
    assert_eq!(store.count_differences(&stretch).await.expect("none"), []);

    let question = Question {
        model: "m".to_owned(),
        environment: "production".to_owned(),
        interval,
        resolution: Resolution::Hours,
        segments: Vec::new(),
        signals: Vec::new(),
        step_s: 0,
    };
    let found: BTreeMap<String, Counts> = store
        .counts(&question)
        .await
        .expect("counts")
        .into_iter()
        .map(|series| (series.signal, Counts::of(series.points.iter().map(|point| (point.bin, point.n)))))
        .collect();
    let expected: BTreeMap<String, Counts> =
        expected.into_iter().map(|(name, counts)| (name.to_owned(), counts)).collect();
    assert_eq!(found, expected);
    assert_eq!(found["feature.x"].missing(), 3);
    assert_eq!(found["feature.x"].invalid(), 3);
}
