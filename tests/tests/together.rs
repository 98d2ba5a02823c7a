//! What no signal shows by itself: real flights by file, and the command on the real engine.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use analyzer::together::classifier::classifier;
use analyzer::together::correlations::correlations;
use analyzer::together::table::{Sides, Table};
use arrow::array::AsArray;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use sql::Store;
use sql::sampled_events::SampledEvent;
use tests::{Folder, executable};

const NUMBERS: [&str; 8] = ["temp", "dewp", "humid", "wind_speed", "precip", "visib", "distance", "score"];
const DAY_MS: i64 = 86_400_000;
/// 1 January 2013.
const YEAR: i64 = 15_706 * DAY_MS;

/// Every n-th flight of some days of 2013, counted from 0.
fn flights(days: std::ops::Range<i64>, every: usize, offset: usize) -> Vec<SampledEvent> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../leeway/data/nyc_flights_scored.parquet");
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("the file")).expect("Parquet");
    let columns: Vec<&str> = NUMBERS.into_iter().chain(["ts", "origin"]).collect();
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    let mut events = Vec::new();
    let mut seen = 0;
    for batch in builder.with_projection(mask).build().expect("a reader") {
        let batch = batch.expect("a batch");
        let cast = |name: &str, to: &DataType| {
            arrow::compute::cast(batch.column_by_name(name).expect("the column"), to).expect("it can be cast")
        };
        let millis = cast("ts", &DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None));
        let millis = arrow::compute::cast(&millis, &DataType::Int64).expect("numbers");
        let numbers: Vec<_> = NUMBERS.iter().map(|name| cast(name, &DataType::Float64)).collect();
        let origins = cast("origin", &DataType::Utf8);
        for row in 0..batch.num_rows() {
            let day = (millis.as_primitive::<Int64Type>().value(row) - YEAR).div_euclid(DAY_MS);
            if !days.contains(&day) {
                continue;
            }
            seen += 1;
            if seen % every != offset {
                continue;
            }
            let known = NUMBERS.iter().zip(&numbers).filter(|(_, column)| column.is_valid(row));
            let numbers = known.map(|(name, column)| {
                let role = if *name == "score" { "prediction" } else { "feature" };
                (format!("{role}.{name}"), column.as_primitive::<Float64Type>().value(row))
            });
            events.push(SampledEvent {
                id: seen.to_string(),
                numbers: numbers.collect(),
                categories: vec![(
                    "feature.origin".to_owned(),
                    origins.as_string::<i32>().value(row).to_owned(),
                )],
                vectors: Vec::new(),
            });
        }
    }
    events
}

fn sides(baseline: &[SampledEvent], current: &[SampledEvent]) -> Sides {
    Sides { baseline: Table::of(baseline), current: Table::of(current) }
}

#[test]
fn summer_goes_together_in_another_way_than_winter() {
    let (january, july) = (flights(0..31, 9, 0), flights(181..212, 9, 0));
    let sides = sides(&january, &july);
    let changed = correlations(&sides).expect("numbers").changed;
    let pair = changed
        .iter()
        .find(|pair| (pair.first.as_str(), pair.second.as_str()) == ("feature.dewp", "feature.temp"));
    let pair = pair.unwrap_or_else(|| panic!("the pair is among {changed:?}"));
    // pandas 3 on all flights of both months: 0.8261 and 0.2621.
    assert!((pair.baseline - 0.826).abs() < 0.03 && (pair.current - 0.262).abs() < 0.04, "{pair:?}");
    assert!(pair.p < 1e-9 && pair.sentence.starts_with("dewp and temp correlate by 0.2"), "{pair:?}");
    let told = classifier(&sides).expect("flights");
    assert!(told.is_apart && told.low > 0.97, "{told:?}");
    assert!(["feature.temp", "feature.dewp"].contains(&told.signals[0].signal.as_str()), "{told:?}");
}

#[test]
fn flights_of_the_same_days_are_alike() {
    let (odd, even) = (flights(0..31, 14, 3), flights(0..31, 14, 10));
    let sides = sides(&odd, &even);
    let told = classifier(&sides).expect("flights");
    assert!(!told.is_apart && told.low < 0.5 && told.sentence.starts_with("a classifier cannot"), "{told:?}");
    assert_eq!(correlations(&sides).expect("numbers").changed, []);
}

/// Two days of 4,000 events each, with a vector, attributions, and two numbers that go together on the first day only; and
/// the first day again as it was computed offline, where spend is in cents for every tenth event.
async fn two_days(store: &Store) {
    let rows = "
INSERT INTO predictions (id, model, version, environment, timestamp, received_at, numbers, categories, vectors, source)
WITH
    (salt) -> (cityHash64(number, salt) % 1000000 + 0.5) / 1000000 AS u,
    (salt) -> sqrt(-2 * log(u(salt))) * cos(2 * pi() * u(concat(salt, '2'))) AS normal,
    number >= 4000 AS is_late,
    toDateTime64('2026-03-02 00:00:00', 3, 'UTC') + toIntervalSecond(number * 21) AS at,
    normal('x') AS x
SELECT
    concat('e', toString(number)), 'shop', '1', environment, at, at,
    map('feature.x', x, 'feature.y', if(is_late, normal('y'), 0.8 * x + 0.6 * normal('y')),
        'feature.spend', round(10 + 2 * normal('s'), 3) * if(environment = 'offline' AND number % 10 = 0, 100, 1),
        'attribution.x', if(is_late, 0.1, 1.0) * normal('ax'), 'attribution.y', if(is_late, 1.0, 0.1) * normal('ay'),
        'attribution.spend', 0.5 * normal('as')),
    map('feature.country', ['BR', 'DE'][1 + number % 2]),
    map('feature.embedding', arrayMap(place -> toFloat32(normal(toString(place)) + is_late * (place = 3)), range(16))),
    'test'
FROM numbers(8000) AS n ARRAY JOIN ['production', 'offline'] AS environment
WHERE environment = 'production' OR number < 4000";
    tests::text(store, rows).await;
}

fn drift(store: &Store, arguments: &[&str]) -> (bool, String) {
    let folder = Folder::new();
    let sql::Config { url, user, password, database, .. } = store.config();
    let text = format!(
        "[clickhouse]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{password}\"\ndatabase = \"{database}\"\n"
    );
    let file = folder.path().join("leeway.toml");
    std::fs::write(&file, text).expect("a configuration");
    let output = Command::new(executable())
        .args(["drift", "--model", "shop", "--baseline-window", "2026-03-02..2026-03-02T23:20:00Z"])
        .args(arguments)
        .arg("--config")
        .arg(&file)
        .output()
        .expect("the executable starts");
    let said = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(said).expect("text"))
}

/// The JSON of a report, which obeys its schema.
fn report(store: &Store, arguments: &[&str]) -> Value {
    let (ended_well, said) = drift(store, &[arguments, &["--format", "json"]].concat());
    assert!(ended_well, "{said}");
    let report: Value = serde_json::from_str(&said).expect("JSON");
    let schema: Value = serde_json::from_str(include_str!("../../docs/drift.schema.json")).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}\n{report:#}");
    report
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_windows_of_a_model_are_compared_as_wholes() {
    let store = tests::fresh_store().await;
    two_days(&store).await;
    let later = ["--current-window", "2026-03-02T23:20:00Z..2026-03-04", "--events", "4000"];
    let report = report(&store, &later);
    assert_eq!((&report["baseline"]["sampled"], &report["current"]["events"]), (&4000.into(), &4000.into()));
    let pair = &report["correlations"]["changed"][0];
    assert_eq!((&pair["first"], &pair["second"]), (&"feature.x".into(), &"feature.y".into()), "{pair}");
    assert_eq!(report["correlations"]["changed"].as_array().map(Vec::len), Some(1), "{report:#}");
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!(
        (number(&pair["baseline"]) - 0.8).abs() < 0.03 && number(&pair["current"]).abs() < 0.06,
        "{pair}"
    );
    // No number moved by itself: it is how x and y go together that tells the days apart.
    let told = &report["classifier"];
    assert_eq!(told["is_apart"], true, "{told}");
    let by: Vec<&str> = (0..2).filter_map(|place| told["signals"][place]["signal"].as_str()).collect();
    assert!(by.contains(&"feature.x") && by.contains(&"feature.y"), "{told}");
    // One of sixteen numbers moved by one deviation.
    let embedding = &report["embeddings"][0];
    assert_eq!((&embedding["signal"], &embedding["axes"]), (&"feature.embedding".into(), &16.into()));
    assert!(
        (number(&embedding["mean_shift"]) - 1.0).abs() < 0.15 && embedding["is_moved"] == true,
        "{embedding}"
    );
    let attributions = &report["attributions"];
    assert_eq!(attributions["is_changed"], true, "{attributions}");
    assert_eq!(attributions["features"][0]["signal"], "attribution.y");
    assert_eq!(attributions["features"][0]["place_baseline"], 3);
    assert!(report["parity"].is_null());

    let (ended_well, said) = drift(&store, &later);
    assert!(
        ended_well && said.contains("Correlations: 1 of 3 pairs changed\n  x and y correlate by "),
        "{said}"
    );
    assert!(
        said.contains("Attributions: the model goes by other features: y contributes most (place 3 before)"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn features_computed_offline_are_joined_with_those_online_by_id() {
    let store = tests::fresh_store().await;
    two_days(&store).await;
    let parity =
        &report(&store, &["--baseline-environment", "offline", "--by-id", "--events", "2000"])["parity"];
    assert_eq!(parity["ids"], 2000);
    let spend = &parity["features"][0];
    assert_eq!(spend["signal"], "feature.spend");
    let share = spend["share"].as_f64().expect("a share");
    assert!((share - 0.1).abs() < 0.03, "{spend}");
    assert!(spend["mean_difference"].as_f64().is_some_and(|mean| (mean + 99.0).abs() < 30.0), "{spend}");
    let others = parity["features"].as_array().expect("features");
    assert!(others[1..].iter().all(|feature| feature["differing"] == 0), "{parity}");
    assert_eq!(others.len(), 4, "x, y, spend and country");
    let (ended_well, said) = drift(&store, &[]);
    assert!(!ended_well && said.contains("both sides are the same events"), "{said}");
}
