//! What the tests of imports share: a configuration whose grids hold soon, the flights, and small questions.

use std::collections::BTreeMap;
use std::path::Path;

use bytes::Bytes;
use collector::Config;
use collector::config::Grids;
use collector::import::{Format, Mapping, Observer, Plan, Report, Source};
use domain::contract::Contract;
use domain::time::Clock;
use service::Context;
use sql::Store;

pub const MODEL: &str = "flights";
pub const FLIGHTS: u64 = 336_776;

/// Grids hold a little sooner than usual.
pub fn config() -> Config {
    let grids = Grids { lead_ms: 4_000, refresh_ms: 200, settle_ms: 0, ..Grids::default() };
    Config { grids, ..Config::default() }
}

/// A model whose airports are watched.
pub fn context() -> Context {
    let contract = Contract { segments: vec!["origin".to_owned()], ..Contract::default() };
    Context::quiet(Clock::System, BTreeMap::from([(MODEL.to_owned(), contract)]))
}

/// 336,776 departures from New York in 2013 with weather, score and outcome (CC0).
pub fn flights() -> Source {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../leeway/data/nyc_flights_scored.parquet");
    Source::file(&path, None).expect("the flights are in the tree")
}

pub fn flights_mapping() -> Mapping {
    let own = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
    Mapping {
        id: Some("prediction_id".to_owned()),
        timestamp: Some("ts".to_owned()),
        version: Some("2013-04".to_owned()),
        predictions: own(&["score"]),
        outcomes: own(&["late", "arr_delay"]),
        outcome_timestamp: Some("label_ts".to_owned()),
        ignore: ["tailnum", "in_training", "predicted_late"].map(str::to_owned).into(),
        ..Mapping::default()
    }
}

/// A CSV of departures: a row a minute, two airports, a temperature that rises over the hour.
pub fn csv(rows: u32) -> Source {
    let mut text = String::from("id,at,origin,temp,score,late\n");
    for row in 0..rows {
        let (day, hour, minute) = (1 + row / 1_440, row / 60 % 24, row % 60);
        let origin = if row % 3 == 0 { "JFK" } else { "LGA" };
        let late = if row % 7 == 0 { "" } else { "1" };
        text += &format!(
            "e{row},2026-01-{day:02} {hour:02}:{minute:02}:00,{origin},{},0.{},{late}\n",
            minute as f64 / 2.0,
            row % 10
        );
    }
    Source::bytes("departures.csv", Format::Csv, Bytes::from(text))
}

pub fn csv_mapping() -> Mapping {
    Mapping {
        id: Some("id".to_owned()),
        timestamp: Some("at".to_owned()),
        predictions: BTreeMap::from([("score".to_owned(), "score".to_owned())]),
        outcomes: BTreeMap::from([("late".to_owned(), "late".to_owned())]),
        ..Mapping::default()
    }
}

pub async fn import(plan: Plan, store: &Store) -> anyhow::Result<Report> {
    collector::import::load(plan, &config(), &context(), store, Observer::none()).await
}

/// What every signal of all events adds up to, by signal.
pub async fn sums(store: &Store, table: &str) -> BTreeMap<String, u64> {
    let answer = tests::text(
        store,
        &format!("SELECT signal, sum(n) FROM {table} WHERE segment = '' GROUP BY signal ORDER BY signal"),
    )
    .await;
    let pair = |line: &str| {
        line.split_once('\t').map(|(signal, n)| (signal.to_owned(), n.parse().expect("a count")))
    };
    answer.lines().filter_map(pair).collect()
}

/// Everything that is counted, as one text: the same text means the same counts in every table. Grids made at another
/// time have another identity and are left out of it.
pub async fn fingerprint(store: &Store) -> String {
    let tables = [
        ("signal_minutes", "segment, signal, minute, bin", "n"),
        ("signal_hours", "segment, signal, hour, bin", "n"),
        ("signal_moments", "segment, signal, minute", "n"),
        ("signal_moment_hours", "segment, signal, hour", "n"),
        ("traffic_minutes", "segment, minute", "events"),
        ("traffic_hours", "segment, hour", "events"),
    ];
    let mut all = Vec::new();
    for (table, key, n) in tables {
        let sum = format!(
            "SELECT count(), sum(x), sum(cityHash64({key}, x)) FROM \
             (SELECT {key}, sum(t.{n}) AS x FROM {table} AS t GROUP BY {key} HAVING x != 0)"
        );
        all.push(format!("{table}: {}", tests::text(store, &sum).await));
    }
    all.push(format!("outcomes: {}", tests::text(store, "SELECT count() FROM outcomes FINAL").await));
    all.push(format!("predictions: {}", tests::text(store, "SELECT count() FROM predictions").await));
    all.join("\n")
}
