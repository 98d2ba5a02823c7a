//! Grids appear while events stream in: the counts are what the raw events say, to the last one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use collector::Config;
use collector::event::{Name, Prediction};
use collector::known::Known;
use domain::contract::{Contract, LatencyObjective, Objectives};
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::signal::{TAG, segment};
use domain::time::{Clock, DAY, HOUR, Instant, Interval, MINUTE};
use serde::Deserialize;
use sql::Store;
use sql::grids::{StoredGrid, in_force};
use sql::intake::Door;
use sql::late_stretches::LateStretch;
use tempfile::TempDir;
use tests::{client, eventually, fresh_store, text};

use crate::running::{Running, events, soon, spool_of};

pub fn quick() -> Config {
    let batch = collector::config::Batch { age_ms: 20, ..Config::default().batch };
    Config { grids: soon(), batch, ..Config::default() }
}

/// Waits until each of the model's six grids has counted what came before it.
pub async fn all_counted_back(store: &Store) {
    eventually("every grid is counted back", async || {
        let grids = in_force(store.grids(Some("m")).await.expect("grids"));
        grids.len() == 6 && grids.iter().all(|stored| stored.recounted_at.is_some())
    })
    .await;
}

pub fn contracts() -> BTreeMap<String, Contract> {
    let latency = Some(LatencyObjective { limit_ms: 20.0, target: 0.9 });
    let contract = Contract {
        segments: vec!["country".to_owned(), "tag.region".to_owned()],
        objectives: Objectives { latency, ..Objectives::default() },
        ..Contract::default()
    };
    BTreeMap::from([("m".to_owned(), contract)])
}

/// One cell of the counts: segment, signal, grid, minute, bin.
pub type Cell = (String, String, u32, i64, u16);

#[derive(Deserialize)]
struct Raw {
    minute: i64,
    numbers: BTreeMap<String, Option<f64>>,
    categories: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct CellRow {
    segment: String,
    signal: String,
    grid: u32,
    minute: i64,
    bin: u16,
    n: i64,
}

async fn rows<T: for<'de> Deserialize<'de>>(store: &Store, statement: &str) -> Vec<T> {
    let statement = format!("{statement} SETTINGS output_format_json_quote_64bit_integers = 0");
    let answer = store.ask(&statement, "JSONEachRow").await.expect("an answer");
    let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a row")).collect()
}

/// What must be counted, by the words of the grids themselves.
pub async fn expected(store: &Store, grids: &[StoredGrid]) -> BTreeMap<Cell, i64> {
    let dimensions: Vec<(&str, &StoredGrid)> = [("country", "feature.country"), ("tag.region", "tag.region")]
        .iter()
        .map(|(name, signal)| (*name, grids.iter().find(|g| g.grid.signal == *signal).expect("its grid")))
        .collect();
    let raw: Vec<Raw> = rows(
        store,
        "SELECT toUnixTimestamp(toStartOfMinute(timestamp)) AS minute, numbers, categories, tags FROM predictions",
    )
    .await;
    let mut cells = BTreeMap::new();
    for event in &raw {
        let mut segments = vec![segment::ALL.to_owned()];
        for (name, stored) in &dimensions {
            let value = match stored.grid.signal.strip_prefix(TAG) {
                Some(tag) => event.tags.get(tag),
                None => event.categories.get(&stored.grid.signal),
            };
            let known = value.is_some_and(|value| stored.grid.bin_of_category(value) >= Bin::FIRST_VALUE);
            let word = if known { value.map_or("", String::as_str) } else { segment::OTHER };
            segments.push(segment::name(name, if value.is_some() { word } else { segment::MISSING }));
        }
        for stored in grids {
            let bin = bin_of(stored, event);
            for segment in &segments {
                let (signal, grid) = (stored.grid.signal.clone(), stored.grid.id.0);
                *cells.entry((segment.clone(), signal, grid, event.minute, bin.0)).or_insert(0) += 1;
            }
        }
    }
    cells
}

fn bin_of(stored: &StoredGrid, event: &Raw) -> Bin {
    let signal = &stored.grid.signal;
    if let Some(tag) = signal.strip_prefix(TAG) {
        return event.tags.get(tag).map_or(Bin::MISSING, |value| stored.grid.bin_of_category(value));
    }
    match (event.numbers.get(signal), event.categories.get(signal)) {
        (Some(value), _) => stored.grid.bin_of_number(value.unwrap_or(f64::NAN)),
        (None, Some(value)) => stored.grid.bin_of_category(value),
        (None, None) => Bin::MISSING,
    }
}

pub async fn counted(store: &Store, table: &str, time: &str) -> BTreeMap<Cell, i64> {
    let statement = format!(
        "SELECT segment, signal, grid, toUnixTimestamp({time}) AS minute, bin, sum(n) AS n FROM {table} \
         GROUP BY segment, signal, grid, minute, bin HAVING n != 0"
    );
    let rows: Vec<CellRow> = rows(store, &statement).await;
    rows.into_iter().map(|row| ((row.segment, row.signal, row.grid, row.minute, row.bin), row.n)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_or_doubled_while_two_collectors_stream_and_grids_appear() {
    let store = fresh_store().await;
    let one = Running::start_with(&store, quick(), contracts()).await;
    let two = Running::start_with(&store, quick(), contracts()).await;
    let (one, two) = (Arc::new(one), Arc::new(two));
    let began = std::time::Instant::now();
    let senders =
        [one.clone(), two.clone(), one.clone(), two.clone()].into_iter().enumerate().map(|(who, to)| {
            tokio::spawn(async move {
                let mut sent = 0;
                while began.elapsed() < Duration::from_secs(8) {
                    let start = who * 1_000_000 + sent;
                    // A signal that only one sender knows, and one that comes later than the others.
                    let mut batch = events("m", start..start + 20);
                    for event in &mut batch {
                        if who == 0 {
                            event["features"]["rare"] = serde_json::json!(start % 17);
                        }
                        if began.elapsed().as_secs() >= 4 {
                            event["features"]["late"] = serde_json::json!(["a", "b", "c"][start % 3]);
                        }
                    }
                    let answer = to.predictions(&batch).await;
                    assert_eq!(answer.status, 200, "{answer:?}");
                    sent += 20;
                }
                sent
            })
        });
    let mut sent = 0;
    for sender in senders.collect::<Vec<_>>() {
        sent += sender.await.expect("a sender");
    }
    // Of grids that both collectors announced, the one that holds first is in force.
    eventually("every grid is counted back", async || {
        let grids = in_force(store.grids(Some("m")).await.expect("grids"));
        grids.len() == 8 && grids.iter().all(|stored| stored.recounted_at.is_some())
    })
    .await;
    assert_eq!(
        text(&store, "SELECT count(), uniqExact(id) FROM predictions").await,
        format!("{sent}\t{sent}")
    );

    let grids = in_force(store.grids(Some("m")).await.expect("grids"));
    let expected = expected(&store, &grids).await;
    let in_force: Vec<u32> = grids.iter().map(|stored| stored.grid.id.0).collect();
    let counted: BTreeMap<Cell, i64> = counted(&store, "signal_minutes", "minute")
        .await
        .into_iter()
        .filter(|((_, _, grid, ..), _)| in_force.contains(grid))
        .collect();
    for (cell, n) in &expected {
        assert_eq!(counted.get(cell), Some(n), "{cell:?} of {sent} events");
    }
    assert_eq!(counted.len(), expected.len());
    let hours = "SELECT sum(n) FROM signal_hours";
    let minutes = "SELECT sum(n) FROM signal_minutes";
    assert_eq!(text(&store, hours).await, text(&store, minutes).await);
    for table in ["traffic_minutes", "traffic_hours"] {
        let by_segment = format!(
            "SELECT uniqExact(events), any(events) FROM (SELECT splitByChar('=', toString(segment))[1] AS dimension, \
             sum(events) AS events FROM {table} GROUP BY dimension)"
        );
        assert_eq!(text(&store, &by_segment).await, format!("1\t{sent}"), "{table}");
    }
    let moments = "SELECT uniqExact(n) FROM (SELECT splitByChar('=', toString(segment))[1] AS dimension, sum(n) AS n \
                   FROM signal_moments WHERE signal = 'feature.day.hour' GROUP BY dimension)";
    assert_eq!(text(&store, moments).await, "1");
    let baseline = "SELECT count(), any(events) > 0 FROM baselines FINAL WHERE name = 'initial'";
    assert_eq!(text(&store, baseline).await, "1\t1");
    let signals = "SELECT uniqExact(signal) FROM baseline_bins";
    assert_eq!(text(&store, signals).await, "8");
    for collector in [one, two] {
        Arc::into_inner(collector).expect("all senders have ended").stop().await;
    }
}

/// The spool of a collector that died before it could store a batch of `events` received `ago` before now.
fn left_behind(events: usize, ago: Duration) -> Arc<TempDir> {
    let received_at = Clock::System.now().saturating_sub(ago);
    let event = |n: usize| Prediction {
        id: format!("late-{n}"),
        version: Name::from("v1"),
        numbers: vec![(Name::from("feature.amount"), n as f64)],
        categories: vec![(Name::from("feature.country"), Name::from("BR"))],
        tags: vec![(Name::from("region"), "eu".to_owned())],
        ..Prediction::empty(Name::from("m"), received_at)
    };
    let events: Vec<Prediction> = (0..events).map(event).collect();
    let counted = collector::batch::predictions(events.into(), &Known::default()).expect("columns");
    spool_of(Door::Intake, &counted.batch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_was_finished_late_is_counted_by_the_grids_that_came_meanwhile() {
    let store = fresh_store().await;
    // The batch of a collector that died just before the other one starts.
    let spool = left_behind(300, Duration::from_millis(100));
    let collector = Running::start_with(&store, quick(), contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..1_000)).await.status, 200);
    all_counted_back(&store).await;
    let again = Running::start_on(&store, quick(), contracts(), spool).await;
    let grids = in_force(store.grids(Some("m")).await.expect("grids"));
    eventually("the late batch is there and counted", async || {
        let stored = text(&store, "SELECT count() FROM predictions").await == "1300";
        stored && counted(&store, "signal_minutes", "minute").await == expected(&store, &grids).await
    })
    .await;
    collector.stop().await;
    again.stop().await;
}

/// A correction may be computed while a batch is half visible, by two collectors at once, or by one that dies then. The
/// note that it leaves has whoever lives compare the stretch until it agrees.
#[tokio::test(flavor = "multi_thread")]
async fn a_stretch_that_was_noted_and_left_by_the_dead_is_compared_until_it_agrees() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, quick(), contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..1_000)).await.status, 200);
    all_counted_back(&store).await;
    collector.stop().await;
    let grids = in_force(store.grids(Some("m")).await.expect("grids"));
    let right = expected(&store, &grids).await;
    assert_eq!(counted(&store, "signal_minutes", "minute").await, right);
    // Wrong in both ways: traffic that nobody sent, and counts that are lacking.
    for wrong in [
        "INSERT INTO traffic_minutes SELECT * REPLACE (toInt64(7) AS events) FROM traffic_minutes LIMIT 1",
        "INSERT INTO signal_minutes SELECT * REPLACE (-n AS n) FROM signal_minutes WHERE signal = 'feature.amount'",
    ] {
        client(&store).query(wrong).execute().await.expect("inserted");
    }
    let day = Interval::new(Instant::EPOCH, Clock::System.now().saturating_add(DAY));
    let noted_at = Clock::System.now().saturating_sub(Duration::from_secs(1));
    let note = LateStretch { model: "m".to_owned(), interval: day, noted_at };
    store.note_late_stretches(&[note]).await.expect("noted");

    let one = Running::start_with(&store, quick(), contracts()).await;
    let two = Running::start_with(&store, quick(), contracts()).await;
    eventually("the note is settled", async || store.late_stretches().await.expect("notes").is_empty()).await;
    for (table, time) in [("signal_minutes", "minute"), ("signal_hours", "toStartOfHour(hour)")] {
        let cells: i64 = counted(&store, table, time).await.values().sum();
        assert_eq!(cells, right.values().sum::<i64>(), "{table}");
    }
    assert_eq!(counted(&store, "signal_minutes", "minute").await, right);
    for table in ["traffic_minutes", "traffic_hours"] {
        let sum = format!("SELECT sum(events) FROM {table} WHERE segment = ''");
        assert_eq!(text(&store, &sum).await, "1000", "{table}");
    }
    one.stop().await;
    two.stop().await;
}

/// Everything that is counted by the hour, or the sums of what is counted by the minute.
async fn by_hours(store: &Store, tables: [&str; 3], hour: &str) -> String {
    let [counts, moments, traffic] = tables;
    let statements = [
        format!(
            "SELECT segment, signal, grid, {hour} AS at, bin, sum(c.n) AS n FROM {counts} AS c \
             GROUP BY segment, signal, grid, at, bin HAVING n != 0 ORDER BY ALL"
        ),
        format!(
            "SELECT segment, signal, {hour} AS at, sum(m.n) AS n, round(sum(m.sum), 6), min(m.least), max(m.greatest) \
             FROM {moments} AS m GROUP BY segment, signal, at HAVING n != 0 ORDER BY ALL"
        ),
        format!(
            "SELECT segment, {hour} AS at, sum(t.events) AS n, sum(t.errors), min(t.first_event), max(t.last_event) \
             FROM {traffic} AS t GROUP BY segment, at HAVING n != 0 ORDER BY ALL"
        ),
    ];
    let mut all = Vec::new();
    for statement in statements {
        all.push(text(store, &statement).await);
    }
    all.join("\n")
}

const BY_MINUTES: [&str; 3] = ["signal_minutes", "signal_moments", "traffic_minutes"];
const BY_HOURS: [&str; 3] = ["signal_hours", "signal_moment_hours", "traffic_hours"];

/// A store that is killed in a correction may have the minutes of it and not the hours, or the reverse. Who corrects leaves
/// a note first.
#[tokio::test(flavor = "multi_thread")]
async fn hours_of_a_noted_stretch_become_the_sums_of_their_minutes() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, quick(), contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..1_000)).await.status, 200);
    all_counted_back(&store).await;
    let right = by_hours(&store, BY_MINUTES, "toStartOfHour(minute)").await;
    assert_eq!(by_hours(&store, BY_HOURS, "hour").await, right);
    for wrong in [
        "ALTER TABLE signal_hours DELETE WHERE signal = 'feature.amount'",
        "INSERT INTO signal_hours SELECT * FROM signal_hours WHERE signal = 'feature.country'",
        "ALTER TABLE signal_moment_hours DELETE WHERE segment = ''",
        "INSERT INTO traffic_hours SELECT * FROM traffic_hours WHERE segment = ''",
        "ALTER TABLE traffic_hours DELETE WHERE segment = 'country=BR'",
    ] {
        client(&store).query(wrong).with_setting("mutations_sync", "2").execute().await.expect("done");
    }
    assert_ne!(by_hours(&store, BY_HOURS, "hour").await, right);
    let now = Clock::System.now();
    let interval = Interval::new(now.saturating_sub(HOUR), now.saturating_add(HOUR)).widened_to(MINUTE);
    let note = LateStretch { model: "m".to_owned(), interval, noted_at: now.saturating_sub(MINUTE) };
    store.note_late_stretches(&[note]).await.expect("noted");
    eventually("the note is settled", async || store.late_stretches().await.expect("notes").is_empty()).await;
    assert_eq!(by_hours(&store, BY_HOURS, "hour").await, right);
    assert_eq!(by_hours(&store, BY_MINUTES, "toStartOfHour(minute)").await, right, "they are fed by nothing");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_objectives_are_edges_of_the_latency() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, quick(), contracts()).await;
    assert_eq!(collector.predictions(&events("m", 0..200)).await.status, 200);
    eventually("the latency is counted back", async || {
        let grid = "SELECT count() FROM grids FINAL WHERE signal = 'latency_ms' AND recounted_at IS NOT NULL";
        text(&store, grid).await == "1"
    })
    .await;
    let grids = store.grids(Some("m")).await.expect("grids");
    let latency = grids.iter().find(|stored| stored.grid.signal == "latency_ms").expect("its grid");
    let good = latency.grid.bin_of_number(20.0).0;
    let statement = format!(
        "SELECT sumIf(n, bin <= {good}), sum(n) FROM signal_minutes WHERE signal = 'latency_ms' AND segment = ''"
    );
    let raw = text(&store, "SELECT countIf(numbers['latency_ms'] <= 20), count() FROM predictions").await;
    assert_eq!(text(&store, &statement).await, raw);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_that_would_come_too_late_is_not_made() {
    let store = fresh_store().await;
    let sample: Vec<f64> = (1..3_000).map(|n| (f64::from(n) * 0.7).sin() * 1e3_f64.powi(n % 5)).collect();
    let names = ["a", "it's", "back\\slash", "new\nline", "tab\t, [comma]", ""].map(str::to_owned);
    let bins = [
        ("feature.x", Bins::Numbers(Edges::of_sample(sample))),
        ("feature.c", Bins::Categories(Levels::of(names))),
    ];
    for (signal, bins) in bins {
        let now = store.clock().await.expect("the store's clock");
        let stored = StoredGrid {
            grid: Grid::new("m", signal, now.saturating_add(Duration::from_secs(10)), bins),
            made_from: "a test's \"values\"".to_owned(),
            made_of: 5_000,
            announced_at: now,
            recounted_at: None,
        };
        let found = async || {
            let grids = store.grids(Some("m")).await.expect("grids");
            grids.into_iter().find(|found| found.grid.signal == signal)
        };
        store.announce_grid(&stored, now).await.expect("answered");
        assert_eq!(found().await, None);
        store.announce_grid(&stored, now.saturating_add(Duration::from_secs(60))).await.expect("answered");
        assert_eq!(found().await.as_ref(), Some(&stored));
    }
}
