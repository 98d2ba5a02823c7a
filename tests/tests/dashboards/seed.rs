//! What is in the store: a model whose wind reads 1.6 times too high at one airport, names that an attacker would
//! choose, and a model with very many signals.

use std::collections::BTreeMap;

use domain::baseline::Baseline;
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::grid::{Bins, Edges, Grid, Levels};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use sql::Store;
use sql::baseline_sums::Span;
use sql::changes::Change;
use sql::grids::StoredGrid;
use sql::recount::{CountedBy, Stretch, Watched};
use tests::text;

pub const NOW: &str = "2026-11-20T14:43:10Z";

/// Names of models.
pub const HOSTILE: [&str; 3] = ["<script>alert(1)</script>", "\u{202e}נהג \"'&/?#", "a very/long name "];

pub fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn since() -> Instant {
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
    round(greatest(0, 10.4 + 5 * normal) * factor, 1) AS wind
SELECT
    toString(number), 'flights', 'v7', 'production', at, at,
    map('feature.wind_speed', wind, 'feature.temp', round(58 + 9 * normal, 1), 'latency_ms', 6 + 7 * u('l'),
        'prediction.score', least(1, 0.1 + wind * 0.008 + 0.02 * u('s'))),
    map('feature.origin', origin, 'feature.carrier', carrier), if(u('e') < 0.0005, 'timeout', ''), 'test'
FROM numbers(50000)";

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
        numbers("prediction.score", 0.0, 0.01, 60),
        levels("feature.origin", &["EWR", "LGA", "JFK"]),
        levels("feature.carrier", &["B6", "DL", "UA", "AA", "EV"]),
        Grid::of_duration("flights", "latency_ms", &[50.0]),
    ]
}

async fn counts(store: &Store) {
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
        interval: Interval::new(at("2026-11-19T12:00:00Z"), at("2026-11-21T00:00:00Z")),
        received_before: None,
        signals: signals.clone(),
        watched: watched.clone(),
        whole: true,
        compared: true,
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

fn subject(model: &str, signal: &str, segment: &str) -> Subject {
    Subject {
        model: model.to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor: Monitor::Drift,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// Windows to the present, small before the onset and `most` after it.
fn evaluations(subject: &Subject, windows: u32, (small, most): (f64, f64)) -> Vec<Evaluation> {
    let last = at(NOW).floor(MINUTE * 5);
    (0..windows)
        .map(|index| {
            let end = last.saturating_sub(MINUTE * 5 * (windows - 1 - index));
            let value = if end > since() { most } else { small };
            let is_page = subject.signal.starts_with("prediction");
            Evaluation {
                subject: subject.clone(),
                window: Interval::ending_at(end, HOUR),
                baseline: "initial".to_owned(),
                statistic: "psi".to_owned(),
                value,
                threshold: 0.1,
                recovery: 0.07,
                noise: 0.02,
                n_baseline: 17_280,
                n_current: 1_440,
                verdict: if value > 0.1 { Verdict::OffCourse } else { Verdict::OnCourse },
                severity: if is_page { Severity::Page } else { Severity::Ticket },
                since: since(),
                streak: 3,
                numbers: BTreeMap::from([("ks_low".to_owned(), 0.2), ("ks_high".to_owned(), 0.21)]),
                sentence: format!("{} moved: PSI {value:.2} (limit 0.10), 1,440 events", subject.signal),
                evaluated_at: end.saturating_add(MINUTE),
            }
        })
        .collect()
}

fn opened(finding: &Evaluation) -> IncidentEvent {
    IncidentEvent {
        incident: "7f3ck2m9qx".to_owned(),
        sequence: 1,
        kind: EventKind::Opened,
        model: finding.subject.model.clone(),
        environment: finding.subject.environment.clone(),
        cause: Cause::Data,
        severity: Severity::Page,
        at: since(),
        recorded_at: since(),
        since: since(),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "wind_speed moved at origin = JFK".to_owned(),
        findings: vec![Finding {
            subject: finding.subject.clone(),
            severity: finding.severity,
            since: since(),
            window_end: finding.window.end,
            statistic: finding.statistic.clone(),
            value: finding.value,
            threshold: finding.threshold,
            n_current: finding.n_current,
            sentence: finding.sentence.clone(),
            standing: true,
        }],
        until: None,
        action: String::new(),
    }
}

/// A model off course, with all of its evidence. Its tests only read, so they share it.
pub async fn flights() -> Store {
    static MADE: tokio::sync::OnceCell<sql::Config> = tokio::sync::OnceCell::const_new();
    let config = MADE.get_or_init(async || make_flights().await.config().clone()).await;
    // Connections belong to the runtime of a test.
    Store::connect(config).expect("a sound configuration")
}

async fn make_flights() -> Store {
    let store = tests::fresh_store().await;
    counts(&store).await;
    let told = [
        ("feature.wind_speed", "origin=JFK", (0.03, 1.66)),
        ("prediction.score", "", (0.02, 0.21)),
        ("feature.wind_speed", "", (0.02, 0.24)),
        ("feature.temp", "", (0.04, 0.06)),
        ("feature.carrier", "", (0.01, 0.01)),
    ];
    for (signal, segment, sizes) in told {
        let evaluations = evaluations(&subject("flights", signal, segment), 80, sizes);
        store.write_evaluations(&evaluations, &format!("{signal}{segment}")).await.expect("evaluations");
        if segment == "origin=JFK" {
            let last = evaluations.last().expect("some");
            store.write_incident_events(&[opened(last)]).await.expect("an incident");
        }
    }
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
    store
}

/// Models with events and verdicts, called as nobody should call them.
pub async fn hostile() -> Store {
    let store = tests::fresh_store().await;
    for (index, name) in HOSTILE.iter().enumerate() {
        traffic(&store, name).await;
        let signal = format!("feature.<script>alert({index})</script>");
        let mut all = evaluations(&subject(name, &signal, "<b>=\"><script>alert(2)</script>"), 5, (0.4, 0.4));
        all.extend(evaluations(&subject(name, &signal, ""), 5, (0.2, 0.2)));
        all.iter_mut().for_each(|it| it.sentence = "<script>alert(3)</script>".to_owned());
        store.write_evaluations(&all, &format!("hostile {index}")).await.expect("evaluations");
    }
    store
}

/// A model with very many signals, judged over an hour.
pub async fn wide(signals: u32) -> Store {
    let store = tests::fresh_store().await;
    traffic(&store, "wide").await;
    let all: Vec<Evaluation> = (0..signals)
        .flat_map(|index| {
            let size = if index % 100 == 7 { 0.3 } else { 0.01 };
            evaluations(&subject("wide", &format!("feature.f{index}"), ""), 12, (0.01, size))
        })
        .collect();
    store.write_evaluations(&all, "wide").await.expect("evaluations");
    store
}

/// Ten minutes of events without anything in them.
async fn traffic(store: &Store, model: &str) {
    let name = model.replace('\\', "\\\\").replace('\'', "\\'");
    let sql = format!(
        "INSERT INTO traffic_minutes
         SELECT '{name}', 'v1', 'production', '', toDateTime(1795185000 + 60 * number, 'UTC') AS minute, 100, 0,
             toDateTime64(minute, 3, 'UTC'), toDateTime64(minute, 3, 'UTC'), 0, toDateTime64(minute, 3, 'UTC')
         FROM numbers(10)"
    );
    text(store, &sql).await;
}
