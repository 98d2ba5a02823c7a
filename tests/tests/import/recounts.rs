//! Counting again: what was written past the collector, what was counted wrongly, and while events stream in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use collector::event::{Name, Prediction};
use collector::import::Plan;
use collector::intake::Intake;
use collector::known::Grids;
use collector::recount::{self, Report};
use domain::time::{Clock, DAY, Instant, Interval, ManualClock};
use service::Context;
use sql::Store;

use super::system::{MODEL, config, context, csv, csv_mapping, fingerprint, import, sums};

/// Longer than the store takes for a batch, also on a busy machine.
const SETTLE_MS: u64 = 4_000;

const JANUARY: &str = "2026-01-01..2026-02-01";

async fn recount(store: &Store, context: &Context, dry_run: bool) -> Report {
    recount_settled_after(0, store, context, dry_run).await
}

async fn recount_settled_after(settle_ms: u64, store: &Store, context: &Context, dry_run: bool) -> Report {
    let interval: Interval = JANUARY.parse().expect("a stretch");
    let plan = recount::Plan { model: MODEL.to_owned(), interval, dry_run };
    let config = collector::config::Grids { settle_ms, ..config().grids };
    recount::recount(&plan, &config, context, store, &|_| ()).await.expect("recounted")
}

/// A store that keeps minutes for 35 days, and everything else as long as every test's.
async fn store_of_few_minutes() -> Store {
    let mut config = tests::fresh_config();
    config.retention.minutes_days = 35;
    let store = Store::connect(&config).expect("a sound configuration");
    sql::migrate::migrate(&store).await.expect("every migration applies");
    store
}

/// Runs a statement as another program would, past the collector.
async fn past_the_collector(store: &Store, statement: &str) {
    let query = tests::client(store).query(statement).with_setting("mutations_sync", "2");
    query.execute().await.expect("the statement runs");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_past_the_collector_is_counted_as_if_it_had_come_through_it() {
    let (store, context) = (tests::fresh_store().await, context());
    import(Plan::new(csv(3_000), MODEL, csv_mapping()), &store).await.expect("imported");
    let counted = fingerprint(&store).await;
    // The same events ten days later, received long enough ago to be settled.
    let lake = "INSERT INTO predictions SELECT * REPLACE (concat(id, '-lake') AS id, \
                timestamp + toIntervalDay(10) AS timestamp, now64(3) - 60 AS received_at) FROM predictions";
    past_the_collector(&store, lake).await;
    assert_eq!(sums(&store, "signal_minutes").await["feature.temp"], 3_000);

    let looked = recount(&store, &context, true).await;
    assert_eq!(looked.signals["feature.temp"].lacking, 3_000, "{looked}");
    assert_eq!(sums(&store, "signal_minutes").await["feature.temp"], 3_000, "a dry run changes nothing");

    let report = recount(&store, &context, false).await;
    let temp = report.signals["feature.temp"];
    assert_eq!((temp.lacking, temp.surplus), (3_000, 0), "{report}");
    assert!(report.unsettled.is_empty() && report.without_grid.is_empty(), "{report}");
    for table in ["signal_minutes", "signal_hours"] {
        assert!(sums(&store, table).await.values().all(|n| *n == 6_000), "{table}");
    }
    the_later_half_equals_the_earlier(&store).await;
    assert!(recount(&store, &context, false).await.is_clean(), "a second time finds nothing");

    // And taken away again, the counts are what they were.
    past_the_collector(&store, "ALTER TABLE predictions DELETE WHERE endsWith(id, '-lake')").await;
    let report = recount(&store, &context, false).await;
    assert_eq!(report.signals["feature.temp"].surplus, 3_000, "{report}");
    assert_eq!(fingerprint(&store).await, counted);
}

/// Bin for bin, sum for sum, minute for minute.
async fn the_later_half_equals_the_earlier(store: &Store) {
    let early = "minute < '2026-01-11 00:00:00'";
    let differing = [
        format!(
            "SELECT count() FROM (SELECT segment, signal, bin, minute - if({early}, 0, 864000) AS at, \
             sum(n * if({early}, 1, -1)) AS x FROM signal_minutes GROUP BY ALL HAVING x != 0)"
        ),
        format!(
            "SELECT count() FROM (SELECT segment, signal, minute - if({early}, 0, 864000) AS at, \
             sum(m.n * if({early}, 1, -1)) AS x, sum(m.sum * if({early}, 1, -1)) AS y, uniqExact(m.least) AS z \
             FROM signal_moments AS m GROUP BY ALL HAVING x != 0 OR abs(y) > 1e-9 OR z > 1)"
        ),
        format!(
            "SELECT count() FROM (SELECT segment, minute - if({early}, 0, 864000) AS at, \
             sum(t.events * if({early}, 1, -1)) AS x FROM traffic_minutes AS t GROUP BY ALL HAVING x != 0)"
        ),
    ];
    for statement in differing {
        assert_eq!(tests::text(store, &statement).await, "0", "{statement}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_without_a_grid_gets_one_and_is_counted() {
    let (store, context) = (tests::fresh_store().await, context());
    let raw = "INSERT INTO predictions (id, model, version, environment, timestamp, received_at, numbers, categories) \
               SELECT toString(number), 'flights', '1', 'production', \
               toDateTime64('2026-01-05 00:00:00', 3, 'UTC') + number, now64(3) - 60, \
               map('feature.x', number % 100 + 0.5), map('feature.origin', ['JFK', 'LGA'][number % 2 + 1]) \
               FROM numbers(5000)";
    past_the_collector(&store, raw).await;
    let looked = recount(&store, &context, true).await;
    let named: Vec<&str> = looked.without_grid.iter().map(|carried| carried.signal.as_str()).collect();
    assert_eq!(named, ["feature.origin", "feature.x"], "{looked}");

    let report = recount(&store, &context, false).await;
    assert!(report.without_grid.is_empty() && report.pending.is_empty(), "{report}");
    for table in ["signal_minutes", "signal_hours"] {
        let sums = sums(&store, table).await;
        assert!(sums.len() == 2 && sums.values().all(|n| *n == 5_000), "{table}: {sums:?}");
    }
    let airports = "SELECT segment, sum(events) FROM traffic_minutes WHERE segment != '' GROUP BY segment ORDER BY segment";
    assert_eq!(tests::text(&store, airports).await, "origin=JFK\t2500\norigin=LGA\t2500");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_no_longer_be_compared_is_left_as_it_is() {
    let store = store_of_few_minutes().await;
    import(Plan::new(csv(3_000), MODEL, csv_mapping()), &store).await.expect("imported");
    // As retention does it: of the first ten hours the counts by the minute are gone, those by the hour are kept.
    for table in ["signal_minutes", "signal_moments", "traffic_minutes"] {
        let statement =
            format!("ALTER TABLE {table} DELETE WHERE minute < toDateTime('2026-01-01 10:00:00', 'UTC')");
        past_the_collector(&store, &statement).await;
    }
    // And so late that it may have done it: the events were received just now.
    let later = Clock::System.now().saturating_add(DAY * 40);
    let context = Context { clock: Clock::Manual(ManualClock::starting_at(later)), ..context() };
    let report = recount(&store, &context, false).await;
    let expired: Vec<String> = report.expired.iter().map(ToString::to_string).collect();
    assert_eq!(expired, ["2026-01-01T00:00:00Z..2026-01-01T10:00:00Z"], "{report}");
    assert!(report.is_clean(), "{report}");
    assert!(sums(&store, "signal_hours").await.values().all(|n| *n == 3_000));
    // A baseline over them is widened to whole hours and is complete.
    let request = collector::baseline::Request {
        model: MODEL.to_owned(),
        environment: "production".to_owned(),
        name: "first".to_owned(),
        window: Some("2026-01-01T00:30:00Z..2026-01-01T05:30:00Z".parse().expect("a window")),
        version: String::new(),
    };
    let (baseline, made) = collector::baseline::of_stored(&request, &context, &store).await.expect("made");
    assert_eq!(baseline.window.to_string(), "2026-01-01T00:00:00Z..2026-01-01T06:00:00Z");
    assert_eq!(made[&(String::new(), "feature.temp".to_owned())].counts.total(), 360);
}

/// What a correction leaves that the store was killed in: minutes and hours are written one after the other, and so are the
/// days and months of each.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_that_are_not_the_sums_of_their_minutes_are_made_so() {
    let (store, context) = (store_of_few_minutes().await, context());
    import(Plan::new(csv(3_000), MODEL, csv_mapping()), &store).await.expect("imported");
    let counted = fingerprint(&store).await;
    let damages = [
        // Minutes that reached no hours.
        vec![
            "ALTER TABLE signal_hours DELETE WHERE signal = 'feature.temp' AND hour = '2026-01-01 05:00:00'",
            "ALTER TABLE signal_moment_hours DELETE WHERE segment = 'origin=JFK'",
            "ALTER TABLE traffic_hours DELETE WHERE segment = '' AND hour < '2026-01-01 10:00:00'",
        ],
        // Hours whose minutes were not written, of events that were received lately: nothing of it has expired.
        vec![
            "INSERT INTO signal_hours SELECT * FROM signal_hours WHERE signal = 'feature.origin'",
            "INSERT INTO signal_moment_hours SELECT * FROM signal_moment_hours WHERE segment = ''",
            "INSERT INTO traffic_hours SELECT * FROM traffic_hours WHERE hour < '2026-01-02 00:00:00'",
        ],
        // Minutes that are lost while their hours are there: mended from the raw events, they feed the hours once more.
        vec![
            "ALTER TABLE signal_minutes DELETE WHERE minute < '2026-01-01 01:00:00'",
            "ALTER TABLE signal_moments DELETE WHERE minute < '2026-01-01 01:00:00'",
            "ALTER TABLE traffic_minutes DELETE WHERE minute < '2026-01-01 01:00:00'",
        ],
    ];
    for damage in damages {
        for statement in &damage {
            past_the_collector(&store, statement).await;
        }
        let damaged = fingerprint(&store).await;
        assert_ne!(damaged, counted, "{damage:?}");
        let looked = recount(&store, &context, true).await;
        assert!(looked.hours > 0 && !looked.is_clean() && looked.expired.is_empty(), "{looked}");
        assert!(looked.to_string().contains("by the hour would be corrected"), "{looked}");
        assert_eq!(fingerprint(&store).await, damaged, "a dry run changes nothing");

        let report = recount(&store, &context, false).await;
        assert!(report.hours > 0 && report.unsettled_hours.is_empty(), "{report}");
        assert_eq!(fingerprint(&store).await, counted, "{damage:?}");
        assert!(recount(&store, &context, false).await.is_clean(), "a second time finds nothing");
    }
}

fn live_event(id: u64, at: Instant, received_at: Instant) -> Prediction {
    let name = |text: &str| Name::from(text);
    Prediction {
        id: format!("live-{id}"),
        timestamp: at,
        numbers: vec![(name("feature.temp"), 5.0), (name("prediction.score"), 0.25)],
        categories: vec![(name("feature.origin"), name("JFK"))],
        ..Prediction::empty(name(MODEL), received_at)
    }
}

/// Sends events through the collector's intake, into four minutes that are counted again at the same time.
async fn stream(store: Store, context: Context, stop: Arc<AtomicBool>) -> u64 {
    let grids = Grids::new(store.clone(), &context, config().grids.freshness());
    let intake = Intake::new(store, grids, &context);
    let first: Instant = "2026-01-02T00:00:00Z".parse().expect("an instant");
    let mut sent = 0;
    while !stop.load(Ordering::SeqCst) {
        let now = context.clock.now();
        let event = |n: u64| live_event(sent + n, first.saturating_add(Duration::from_secs(n)), now);
        intake
            .insert((0..200).map(event).collect::<Vec<_>>(), &format!("live-{sent}"))
            .await
            .expect("stored");
        sent += 200;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_again_while_events_stream_in_neither_loses_nor_doubles() {
    let (store, context) = (tests::fresh_store().await, context());
    import(Plan::new(csv(4_000), MODEL, csv_mapping()), &store).await.expect("imported");
    let lake = "INSERT INTO predictions SELECT * REPLACE (concat(id, '-lake') AS id, now64(3) - 60 AS received_at) \
                FROM predictions";
    past_the_collector(&store, lake).await;
    let stop = Arc::new(AtomicBool::new(false));
    let streaming = tokio::spawn(stream(store.clone(), context.clone(), stop.clone()));
    let report = recount_settled_after(SETTLE_MS, &store, &context, false).await;
    // The minutes that events kept arriving in are named, not guessed; everything else is right by now.
    assert!(!report.unsettled.is_empty() && report.unsettled.len() <= 4, "{report}");
    let hour = "2026-01-02T00:00:00Z..2026-01-02T01:00:00Z".parse().expect("an hour");
    assert_eq!(report.unsettled_hours, [hour], "{report}");
    stop.store(true, Ordering::SeqCst);
    let sent = streaming.await.expect("streamed");
    let settled = context.clock.now().saturating_add(Duration::from_millis(SETTLE_MS + 500));
    tests::eventually("the last events are settled", async || context.clock.now() > settled).await;
    let report = recount_settled_after(SETTLE_MS, &store, &context, false).await;
    assert!(report.unsettled.is_empty() && report.unsettled_hours.is_empty(), "{report}");
    for table in ["signal_minutes", "signal_hours"] {
        let sums = sums(&store, table).await;
        assert!(sums.values().all(|n| *n == 8_000 + sent), "{table}: {sums:?}, {sent} streamed");
    }
    let traffic = tests::text(&store, "SELECT sum(events) FROM traffic_hours WHERE segment = ''").await;
    assert_eq!(traffic, (8_000 + sent).to_string());
}
