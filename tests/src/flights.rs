//! A model off course, for the tests of the pages: a day and a half of flights, and from 13:35 on the wind at JFK reads
//! 1.6 times too high.

use domain::baseline::Baseline;
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::time::{Instant, Interval};
use sql::Store;
use sql::baseline_sums::Span;
use sql::changes::Change;
use sql::counts::Resolution;
use sql::grids::StoredGrid;
use sql::recount::{CountedBy, Stretch, Watched};

use crate::text;

/// When the pages are looked at.
pub const NOW: &str = "2026-11-20T14:43:10Z";

fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

/// When the wind went off course.
pub fn since() -> Instant {
    at("2026-11-20T13:35:00Z")
}

/// A day and a half of events; from 13:35 on the wind at JFK reads 1.6 times too high.
const EVENTS: &str = "
INSERT INTO predictions (id, model, version, environment, timestamp, received_at, numbers, categories, error, source)
WITH
    (salt) -> (cityHash64(number, salt) % 1000000 + 0.5) / 1000000 AS u,
    sqrt(-2 * log(u('a'))) * cos(2 * pi() * u('b')) AS normal,
    fromUnixTimestamp64Milli(toInt64(1795089600000 + number * 2500), 'UTC') AS at,
    ['JFK', 'EWR', 'LGA'][1 + (u('o') > 0.35) + (u('o') > 0.71)] AS origin,
    ['B6', 'DL', 'UA', 'AA', 'EV'][1 + toUInt8(u('c') * 5)] AS carrier,
    if(origin = 'JFK' AND at >= toDateTime64('2026-11-20 13:35:00', 3, 'UTC'), 1.609, 1.) AS factor,
    round(greatest(0, 10.4 + 5 * normal) * factor, 1) AS wind,
    round(58 + 9 * sqrt(-2 * log(u('d'))) * cos(2 * pi() * u('f')), 1) AS temp
SELECT
    leftPad(toString(number), 6, '0'), 'flights', 'v7', 'production', at, at,
    map('feature.wind_speed', wind, 'feature.temp', temp, 'feature.visib', if(u('v') < 0.9, 10., round(u('w') * 10, 1)),
        'latency_ms', 6 + 7 * u('l'), 'prediction.score', least(1, 0.1 + wind * 0.008 + 0.02 * u('s'))),
    map('feature.origin', origin, 'feature.carrier', carrier), if(u('e') < 0.0005, 'timeout', ''), 'test'
FROM numbers(51000)";

fn grids() -> Vec<Grid> {
    let numbers = |signal: &str, from: f64, step: f64, count: u32| {
        let edges: Vec<f64> = (0..=count).map(|n| from + step * f64::from(n)).collect();
        let edges = Edges::try_from(edges).expect("ascending");
        Grid::new("flights", signal, Instant::EPOCH, Bins::Numbers(edges))
    };
    let levels = |signal: &str, names: &[&str]| {
        let levels = Levels::of(names.iter().map(|name| (*name).to_owned()));
        Grid::new("flights", signal, Instant::EPOCH, Bins::Categories(levels))
    };
    vec![
        numbers("feature.wind_speed", 0.0, 1.0, 50),
        numbers("feature.temp", 20.0, 2.0, 40),
        numbers("feature.visib", 0.0, 0.5, 20),
        numbers("prediction.score", 0.0, 0.01, 60),
        levels("feature.origin", &["EWR", "LGA", "JFK"]),
        levels("feature.carrier", &["B6", "DL", "UA", "AA", "EV"]),
        Grid::of_duration("flights", "latency_ms", &[50.0]),
    ]
}

/// Its events, their counts, and a baseline of the first half day.
pub async fn seed(store: &Store) {
    let grids = grids();
    let stored = |grid: &Grid| StoredGrid {
        grid: grid.clone(),
        made_from: "5,000 events".to_owned(),
        made_of: 5_000,
        announced_at: Instant::EPOCH,
        recounted_at: Some(Instant::EPOCH),
    };
    store.write_grids(&grids.iter().map(stored).collect::<Vec<_>>()).await.expect("grids");
    store.reload_grid_dictionaries().await.expect("dictionaries");
    text(store, EVENTS).await;
    let counted =
        |grid: &Grid| CountedBy { signal: grid.signal.clone(), grid: grid.id, is_numeric: grid.is_numeric() };
    let signals: Vec<CountedBy> = grids.iter().map(counted).collect();
    let dimension = |dimension: &str, levels: &[&str]| Watched {
        dimension: dimension.to_owned(),
        signal: format!("feature.{dimension}"),
        levels: levels.iter().map(|level| (*level).to_owned()).collect(),
    };
    let watched = vec![
        dimension("origin", &["EWR", "LGA", "JFK"]),
        dimension("carrier", &["B6", "DL", "UA", "AA", "EV"]),
    ];
    let stretch = Stretch {
        model: "flights".to_owned(),
        resolution: Resolution::Minutes,
        interval: Interval::new(at("2026-11-19T12:00:00Z"), at("2026-11-21T00:00:00Z")),
        received_before: None,
        signals: signals.clone(),
        watched: watched.clone(),
        whole: true,
        compared: true,
        values_kept: true,
        unvalued: Vec::new(),
    };
    store.correct_counts(&stretch).await.expect("counts");
    store.correct_moments(&stretch).await.expect("moments");
    store.correct_traffic(&stretch).await.expect("traffic");
    let window = Interval::new(at("2026-11-19T12:00:00Z"), at("2026-11-20T00:00:00Z"));
    let span = Span {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        window,
        version: String::new(),
    };
    let sums = store.sum_baseline(&span, &signals, &watched, Some("prediction.score")).await.expect("sums");
    let baseline = Baseline {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        name: "initial".to_owned(),
        window,
        source: "window".to_owned(),
        events: 17_280,
        created_at: at("2026-11-20T00:00:00Z"),
    };
    store.write_baseline(&baseline, &sums).await.expect("a baseline");
}

/// What was deployed just before.
pub async fn deploy(store: &Store) {
    let change = Change {
        id: "c1".to_owned(),
        at: at("2026-11-20T13:31:00Z"),
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        kind: "deployment".to_owned(),
        title: "weather-feed 4.2".to_owned(),
        detail: "from 4.1".to_owned(),
        actor: "ci".to_owned(),
        link: String::new(),
    };
    store.write_changes(&[change]).await.expect("a change");
}
