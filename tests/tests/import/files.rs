//! CSV and NDJSON files: what is taken, what is refused and where that is said, and imports that are repeated or broken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use collector::import::{Format, Mapping, Observer, Plan, Source, Stage};
use domain::time::Instant;

use super::system::{MODEL, config, context, csv, csv_mapping, fingerprint, import, sums};

fn of_text(name: &str, format: Format, text: &str) -> Source {
    Source::bytes(name, format, Bytes::from(text.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_csv_is_stored_and_counted_with_its_outcomes() {
    let store = tests::fresh_store().await;
    let report = import(Plan::new(csv(3_000), MODEL, csv_mapping()), &store).await.expect("imported");
    assert_eq!((report.stored, report.outcomes, report.refused.total()), (3_000, 2_571, 0), "{report}");
    let window = report.window.expect("events").to_string();
    assert_eq!(window, "2026-01-01T00:00:00Z..2026-01-03T01:59:00.001Z");
    let expected: BTreeMap<String, u64> =
        ["feature.origin", "feature.temp", "prediction.score"].map(|name| (name.to_owned(), 3_000)).into();
    assert_eq!(sums(&store, "signal_minutes").await, expected);
    let airports = "SELECT segment, sum(events) FROM traffic_hours WHERE segment != '' GROUP BY segment ORDER BY segment";
    assert_eq!(tests::text(&store, airports).await, "origin=JFK\t1000\norigin=LGA\t2000");
    let joined = "SELECT count() FROM outcomes AS o INNER JOIN predictions AS p ON p.id = o.id \
                  WHERE o.numbers['outcome.late'] = 1";
    assert_eq!(tests::text(&store, joined).await, "2571");
    // Every grid counts everything, so nothing is left for a collector to count back.
    assert_eq!(tests::text(&store, "SELECT countIf(recounted_at IS NULL) FROM grids FINAL").await, "0");
}

const BAD: &str = "id,at,temp,score,late,late_at\n\
                   a,2026-01-01 00:00:00,20,0.1,1,2026-01-01 05:00:00\n\
                   b,yesterday,20,0.1,1,2026-01-01 05:00:00\n\
                   c,2026-01-01 00:02:00,warm,0.1,1,2026-01-01 05:00:00\n\
                   d,2026-01-01 00:03:00,21\n\
                   e,,20,0.1,1,2026-01-01 05:00:00\n\
                   f,2026-01-01 00:05:00,NA,0.3,1,\n\
                   g,2126-01-01 00:05:00,20,0.3,1,\n\
                   h,2026-01-01 00:06:00,NaN,0.3,,\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_are_refused_by_line_and_the_others_are_stored() {
    let store = tests::fresh_store().await;
    let mapping = Mapping {
        numbers: ["temp".to_owned()].into(),
        outcome_timestamp: Some("late_at".to_owned()),
        ..csv_mapping()
    };
    let plan = Plan::new(of_text("bad.csv", Format::Csv, BAD), MODEL, mapping);
    let report = import(plan, &store).await.expect("imported");
    assert_eq!((report.rows, report.stored, report.outcomes), (8, 3, 1));
    assert_eq!((report.refused.predictions, report.refused.outcomes), (5, 1));
    let told = report.to_string();
    let parts = [
        "\"at\" is not an instant; such as 3 (\"yesterday\")",
        "\"temp\" is not a number; such as 4 (\"warm\")",
        "3 fields where the header has 6; such as 5",
        "\"at\" is empty; such as 6",
        "\"at\" lies outside the years",
        "\"late_at\" is empty where the row holds an outcome; such as 7",
    ];
    for part in parts {
        assert!(told.contains(part), "{part} in {told}");
    }
    let kept =
        tests::text(&store, "SELECT position, kind, field FROM rejected_events ORDER BY position").await;
    let expected = "line 3\tprediction\tat\nline 4\tprediction\ttemp\nline 5\tprediction\t\n\
                    line 6\tprediction\tat\nline 7\toutcome\tlate_at\nline 8\tprediction\tat";
    assert_eq!(kept, expected);
    let payload = tests::text(&store, "SELECT payload FROM rejected_events WHERE position = 'line 4'").await;
    assert!(payload.contains("\"temp\":\"warm\""), "{payload}");
    // NaN is invalid (bin 1), NA is missing (bin 0).
    let bins = "SELECT bin, sum(n) FROM signal_minutes WHERE signal = 'feature.temp' AND segment = '' AND bin < 2 \
                GROUP BY bin ORDER BY bin";
    assert_eq!(tests::text(&store, bins).await, "0\t1\n1\t1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_in_leeways_own_format_needs_no_mapping() {
    let store = tests::fresh_store().await;
    let mut text = String::new();
    for n in 0..50 {
        let event = serde_json::json!({
            "model": MODEL, "timestamp": format!("2026-01-01T00:{n:02}:00Z"),
            "features": {"origin": "JFK", "temp": n}, "prediction": {"score": 0.5}, "latency_ms": n,
        });
        text += &format!("{event}\n");
    }
    let outcome = serde_json::json!({
        "id": "x", "model": MODEL, "timestamp": "2026-01-01T01:00:00Z", "outcome": {"late": 1},
    });
    let other = serde_json::json!({
        "model": "other", "timestamp": "2026-01-01T00:00:00Z", "features": {"a": 1},
    });
    text += &format!("{outcome}\n{other}\nnonsense\n");
    let plan = Plan::new(of_text("events.ndjson", Format::Ndjson, &text), MODEL, Mapping::default());
    let report = import(plan, &store).await.expect("imported");
    assert_eq!((report.stored, report.outcomes, report.refused.predictions), (50, 1, 2), "{report}");
    assert_eq!(sums(&store, "signal_hours").await.len(), 4);
    assert_eq!(tests::text(&store, "SELECT uniq(id) FROM predictions").await, "50");
    assert!(report.to_string().contains("is not \"flights\""), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nested_records_are_read_by_a_mapping() {
    let store = tests::fresh_store().await;
    let record = serde_json::json!({
        "meta": {"at": 1_767_225_600}, "in": {"amount": 12.5, "country": "BR", "embedding": [3, 4]},
        "out": 0.7, "ms": 5,
    });
    let mapping: Mapping = toml::from_str(
        "timestamp = \"meta.at\"\nlatency_ms = \"ms\"\nfeatures = [\"in.amount\", \"in.embedding\"]\n\
         [predictions]\nscore = \"out\"\n[tags]\nland = \"in.country\"",
    )
    .expect("a mapping");
    let plan = Plan::new(of_text("log.jsonl", Format::Ndjson, &record.to_string()), MODEL, mapping);
    import(plan, &store).await.expect("imported");
    let row = tests::text(&store, "SELECT timestamp, numbers, vectors, tags FROM predictions").await;
    let parts = [
        "2026-01-01 00:00:00.000",
        "'feature.in.amount':12.5",
        "'prediction.score':0.7",
        "'latency_ms':5",
        "'feature.in.embedding':[3,4]",
        "'feature.in.embedding.norm':5",
        "'land':'BR'",
    ];
    for part in parts {
        assert!(row.contains(part), "{part} in {row}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_mapping_names_the_column_and_the_remedy_before_anything_is_stored() {
    let store = tests::fresh_store().await;
    let wrong = async |mapping: Mapping| {
        import(Plan::new(csv(10), MODEL, mapping), &store).await.expect_err("wrong").to_string()
    };
    let no_column = wrong(Mapping { timestamp: Some("ts".to_owned()), ..csv_mapping() }).await;
    assert!(
        no_column.contains("departures.csv has no column \"ts\", which --timestamp names"),
        "{no_column}"
    );
    assert!(no_column.contains("at, id, late, origin, score, temp"), "{no_column}");
    let no_time = wrong(Mapping { timestamp: None, ..csv_mapping() }).await;
    assert!(no_time.contains("--timestamp COLUMN"), "{no_time}");
    let no_rows = wrong(Mapping { timestamp: Some("origin".to_owned()), ..csv_mapping() }).await;
    assert!(no_rows.contains("no line of departures.csv can be taken"), "{no_rows}");
    assert!(no_rows.contains("line 2"), "{no_rows}");
    assert_eq!(tests::text(&store, "SELECT count() FROM predictions").await, "0");
    assert_eq!(tests::text(&store, "SELECT count() FROM grids").await, "0");
}

fn in_small_batches() -> Plan {
    Plan { batch_rows: 500, ..Plan::new(csv(4_321), MODEL, csv_mapping()) }
}

/// Begins an import and drops it while it waits for the store, some batches on.
async fn broken_off_after(rows: u64, store: &sql::Store) {
    let seen = Arc::new(AtomicU64::new(0));
    let observer = Observer::new({
        let seen = seen.clone();
        move |progress| {
            if progress.stage == Stage::Loading {
                seen.store(progress.done, Ordering::SeqCst);
            }
        }
    });
    let (config, context) = (config(), context());
    let broken = collector::import::load(in_small_batches(), &config, &context, store, observer);
    tokio::select! {
        ended = broken => panic!("ended before it was broken off: {ended:?}"),
        () = tests::eventually("some batches are stored", async || seen.load(Ordering::SeqCst) >= rows) => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_broken_off_goes_on_and_one_that_is_repeated_does_nothing() {
    let whole = tests::fresh_store().await;
    import(in_small_batches(), &whole).await.expect("imported");
    let expected = fingerprint(&whole).await;

    let store = tests::fresh_store().await;
    broken_off_after(1_500, &store).await;
    broken_off_after(2_500, &store).await;
    let report = import(in_small_batches(), &store).await.expect("went on");
    // The batch that was being stored, or was stored and not yet recorded, is repeated.
    assert!(report.resumed_after >= 2_000 && report.resumed_after + report.rows == 4_321, "{report}");
    assert_eq!(fingerprint(&store).await, expected);
    for table in ["signal_minutes", "signal_hours"] {
        assert!(sums(&store, table).await.values().all(|n| *n == 4_321), "{table}");
    }

    let elsewhere = Plan { end_at: Some(Instant::from_seconds(1)), ..in_small_batches() };
    let again = import(elsewhere, &store).await.expect("known");
    assert!(again.already.is_some() && again.to_string().contains("already imported"), "{again}");
    let mapping = Mapping { version: Some("2".to_owned()), ..csv_mapping() };
    let other = Plan { mapping, ..in_small_batches() };
    let refused = import(other.clone(), &store).await.expect_err("the same content").to_string();
    assert!(refused.contains("--again"), "{refused}");
    assert_eq!(fingerprint(&store).await, expected);
    import(Plan { again: true, ..other }, &store).await.expect("wanted twice");
    assert_eq!(tests::text(&store, "SELECT count() FROM predictions").await, "8642");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_is_moved_to_end_when_it_is_told_to() {
    let store = tests::fresh_store().await;
    let end: Instant = "2026-11-20T18:00:00Z".parse().expect("an instant");
    let plan = Plan { end_at: Some(end), ..Plan::new(csv(100), MODEL, csv_mapping()) };
    let report = import(plan, &store).await.expect("imported");
    assert_eq!(report.window.expect("events").end.millis(), end.millis() + 1);
    assert!(report.to_string().contains("shifted by +323 days 16 h 21 min 0 s"), "{report}");
    let last = tests::text(&store, "SELECT max(timestamp) FROM predictions").await;
    assert_eq!(last, "2026-11-20 18:00:00.000");
}
