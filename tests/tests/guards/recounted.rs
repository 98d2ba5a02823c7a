//! Breaches counted again, from the rules that are kept of events and refusals.

use std::collections::BTreeMap;
use std::sync::Arc;

use collector::Config;
use collector::event::{Kind, Name, Rejection};
use collector::guard::KeptOut;
use collector::recount::{Plan, Report, recount};
use domain::contract::Contract;
use domain::time::{Clock, DAY, HOUR, Instant, Interval, MINUTE, ManualClock};
use serde_json::{Value, json};
use service::Context;
use sql::Store;
use sql::intake::Door;
use sql::late_stretches::LateStretch;
use tempfile::TempDir;
use tests::{client, eventually, fresh_config, fresh_store, text};

use crate::contracts::contracts;
use crate::running::{Running, event, soon, spool_of};

/// A quarter of the events is refused, half of the others break something or other.
pub const CONTRACT: &str = r#"
    segments = ["country"]
    reject = ["country.allowed"]
    [signals.amount]
    greatest = 50.0
    [signals.country]
    allowed = ["BR", "DE", "FR"]
    [signals."day.hour"]
    greatest = 11.0
    [signals."prediction.value"]
    type = "number"
"#;

/// Events of the five minutes before the last two.
pub fn lately(range: std::ops::Range<usize>) -> Vec<Value> {
    let now = Clock::System.now();
    let at = |n: usize| now.saturating_sub(MINUTE * u32::try_from(2 + n % 5).expect("a few"));
    let timed = |n: usize| {
        let mut event = event("fraud", n);
        event["timestamp"] = json!(at(n).to_string());
        event
    };
    range.map(timed).collect()
}

/// A collector that has stored, refused and told to be repeated, and whose grids are counted back.
pub async fn filled(store: &Store, contracts: BTreeMap<String, Contract>) -> Running {
    let batch = collector::config::Batch { age_ms: 20, ..Config::default().batch };
    let config = Config { grids: soon(), batch, ..Config::default() };
    let collector = Running::start_with(store, config, contracts).await;
    let first = lately(0..400);
    for body in [&first, &first[..40].to_vec()] {
        assert_eq!(collector.predictions(body).await.status, 200);
    }
    eventually("every grid is counted back", async || {
        let counted = "SELECT uniqExact(signal) = 5 AND countIf(recounted_at IS NULL) = 0 FROM grids FINAL";
        text(store, counted).await == "1"
    })
    .await;
    assert_eq!(collector.predictions(&lately(400..800)).await.status, 200);
    collector
}

/// All that is counted, but for bins and moments by the minute.
const COUNTED: [&str; 7] = [
    "SELECT 'breach_minutes', version, environment, rule, minute, sum(b.n) AS x, sum(b.refused) AS y \
     FROM breach_minutes AS b GROUP BY ALL HAVING x != 0 OR y != 0 ORDER BY ALL",
    "SELECT 'breach_hours', version, environment, rule, hour, sum(b.n) AS x, sum(b.refused) AS y \
     FROM breach_hours AS b GROUP BY ALL HAVING x != 0 OR y != 0 ORDER BY ALL",
    "SELECT 'traffic_minutes', version, segment, minute, sum(t.events) AS x, min(t.first_event), max(t.last_event) \
     FROM traffic_minutes AS t GROUP BY ALL HAVING x != 0 ORDER BY ALL",
    "SELECT 'traffic_hours', version, segment, hour, sum(t.events) AS x, min(t.first_event), max(t.last_event) \
     FROM traffic_hours AS t GROUP BY ALL HAVING x != 0 ORDER BY ALL",
    "SELECT 'signal_hours', version, segment, signal, grid, hour, bin, sum(s.n) AS x \
     FROM signal_hours AS s GROUP BY ALL HAVING x != 0 ORDER BY ALL",
    "SELECT 'signal_moment_hours', version, segment, signal, hour, sum(m.n) AS x, round(sum(m.sum), 6) \
     FROM signal_moment_hours AS m GROUP BY ALL HAVING x != 0 ORDER BY ALL",
    "SELECT 'signal_minutes', version, segment, signal, grid, minute, bin, sum(s.n) AS x \
     FROM signal_minutes AS s GROUP BY ALL HAVING x != 0 ORDER BY ALL",
];

pub async fn counted(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    for statement in COUNTED {
        all.push(text(store, statement).await);
    }
    all
}

/// The tables whose counts are not those of then.
pub async fn differing(store: &Store, then: &[String]) -> Vec<&'static str> {
    let now = counted(store).await;
    let table = |statement: &'static str| statement.split('\'').nth(1).expect("its name comes first");
    let differs = COUNTED.into_iter().zip(now.iter().zip(then)).filter(|(_, (now, then))| now != then);
    differs.map(|(statement, _)| table(statement)).collect()
}

pub const NONE: [&str; 0] = [];

/// The breaches that tables of counts should hold, from the events themselves.
pub async fn broken(store: &Store) -> String {
    let statement = "SELECT rule, sum(n), sum(refused) FROM (\
        SELECT toString(rule) AS rule, 1 AS n, 0 AS refused FROM broken_rules ARRAY JOIN rules AS rule UNION ALL \
        SELECT rule, 1 AS n, 1 AS refused FROM rejected_events ARRAY JOIN rules AS rule) GROUP BY rule ORDER BY rule";
    text(store, statement).await
}

pub async fn breaches(store: &Store, table: &str) -> String {
    let statement = format!(
        "SELECT rule, sum(b.n) AS x, sum(b.refused) AS y FROM {table} AS b GROUP BY rule HAVING x != 0 ORDER BY rule"
    );
    text(store, &statement).await
}

/// Runs a statement past the collector.
pub async fn damage(store: &Store, statement: &str) {
    let query = client(store).query_raw(statement).with_setting("mutations_sync", "2");
    query.execute().await.expect("the statement runs");
}

async fn recounted_at(
    now: Clock,
    store: &Store,
    contracts: BTreeMap<String, Contract>,
    dry_run: bool,
) -> Report {
    let context = Context::quiet(now, contracts);
    let today = Clock::System.now();
    let interval = Interval::new(today.saturating_sub(DAY), today.saturating_add(DAY)).widened_to(HOUR);
    let plan = Plan { model: "fraud".to_owned(), interval, dry_run };
    let grids = collector::config::Grids { settle_ms: 0, ..soon() };
    recount(&plan, &grids, &context, store, &|_| ()).await.expect("recounted")
}

pub async fn recounted(store: &Store, contracts: BTreeMap<String, Contract>, dry_run: bool) -> Report {
    recounted_at(Clock::System, store, contracts, dry_run).await
}

/// Has a collector look at the last hours as after a batch that came late.
pub async fn looked_at_late(store: &Store) {
    let now = Clock::System.now();
    let interval = Interval::new(now.saturating_sub(HOUR), now.saturating_add(HOUR)).widened_to(MINUTE);
    let note = LateStretch { model: "fraud".to_owned(), interval, noted_at: now.saturating_sub(MINUTE) };
    store.note_late_stretches(&[note]).await.expect("noted");
    eventually("the note is settled", async || store.late_stretches().await.expect("notes").is_empty()).await;
}

/// What a store leaves that was killed in the middle of an insert, and what one leaves that was killed in a correction.
const BREACHES_DAMAGED: [&[&str]; 4] = [
    &["ALTER TABLE breach_minutes DELETE WHERE rule IN ('amount.range', 'duplicate')"],
    &["ALTER TABLE breach_minutes DELETE WHERE 1", "ALTER TABLE breach_hours DELETE WHERE 1"],
    &["ALTER TABLE breach_hours DELETE WHERE rule = 'country.allowed'"],
    &[
        "INSERT INTO breach_minutes SELECT * REPLACE (n + 3 AS n, refused + 1 AS refused) FROM breach_minutes LIMIT 5",
        "INSERT INTO breach_hours SELECT * FROM breach_hours WHERE rule = 'day.hour.range'",
    ],
];

#[tokio::test(flavor = "multi_thread")]
async fn breaches_that_were_lost_or_doubled_are_counted_again_to_the_last_one() {
    let store = fresh_store().await;
    let collector = filled(&store, contracts(CONTRACT)).await;
    let (right, truth) = (counted(&store).await, broken(&store).await);
    assert_eq!(truth.lines().count(), 4, "ranges of two signals, what is allowed, and repetitions: {truth}");
    for table in ["breach_minutes", "breach_hours"] {
        assert_eq!(breaches(&store, table).await, truth, "{table}");
    }
    let kept = "SELECT count() < (SELECT count() FROM predictions), countIf(length(rules) = 2) > 0, \
                countIf(empty(rules) OR has(rules, '?')) FROM broken_rules";
    assert_eq!(text(&store, kept).await, "1\t1\t0", "of most events there is nothing to keep");
    assert!(recounted(&store, contracts(CONTRACT), true).await.is_clean());
    for statements in BREACHES_DAMAGED {
        for statement in statements {
            damage(&store, statement).await;
        }
        let damaged = counted(&store).await;
        assert_ne!(differing(&store, &right).await, NONE, "{statements:?}");
        let looked = recounted(&store, contracts(CONTRACT), true).await;
        assert!(!looked.is_clean() && looked.signals.is_empty() && looked.traffic == 0, "{looked}");
        assert_eq!(differing(&store, &damaged).await, NONE, "a dry run changes nothing");
        let report = recounted(&store, contracts(CONTRACT), false).await;
        assert_eq!(differing(&store, &right).await, NONE, "{statements:?}: {report}");
        assert!(
            recounted(&store, contracts(CONTRACT), false).await.is_clean(),
            "a second time finds nothing"
        );
    }
    damage(&store, BREACHES_DAMAGED[0][0]).await;
    let looked = recounted(&store, contracts(CONTRACT), true).await;
    assert_eq!(looked.rules["duplicate"].lacking, 30, "{looked}");
    assert!(looked.to_string().contains("breaches of duplicate:"), "{looked}");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn breaches_of_a_stretch_that_came_late_are_compared_with_the_events() {
    let store = fresh_store().await;
    let collector = filled(&store, contracts(CONTRACT)).await;
    let right = counted(&store).await;
    for statements in &BREACHES_DAMAGED[1..] {
        for statement in *statements {
            damage(&store, statement).await;
        }
        looked_at_late(&store).await;
        assert_eq!(differing(&store, &right).await, NONE, "{statements:?}");
    }
    collector.stop().await;
}

/// The spool of a collector that died before it could store what it had refused an hour ago.
fn refused_before(at: Instant) -> Arc<TempDir> {
    let kept_out = KeptOut {
        version: Name::from("v1"),
        environment: Name::from("production"),
        happened_at: at,
        rules: vec![Name::from("country.allowed")],
    };
    let rejection = Rejection {
        received_at: at,
        model: "fraud".to_owned(),
        kind: Kind::Prediction,
        source: "http".to_owned(),
        position: "0".to_owned(),
        field: "features.country".to_owned(),
        reason: "breaks the rule country.allowed".to_owned(),
        payload: String::new(),
        kept_out: Some(Box::new(kept_out)),
    };
    let batch = collector::batch::rejections(&[rejection]).expect("columns");
    spool_of(Door::RejectedEvents, &batch)
}

/// Somebody corrected the stretch while the refusals may have been half visible.
#[tokio::test(flavor = "multi_thread")]
async fn refusals_that_are_stored_late_have_their_stretch_compared() {
    let store = fresh_store().await;
    let now = Clock::System.now();
    let at = now.saturating_sub(HOUR);
    let interval = Interval::new(at, at.saturating_add(MINUTE)).widened_to(MINUTE);
    let corrected = LateStretch { model: "fraud".to_owned(), interval, noted_at: at };
    store.settle_late_stretches(&[corrected], now).await.expect("noted and settled");
    let config = Config { grids: soon(), ..Config::default() };
    let spool = refused_before(at);
    let collector = Running::start_on(&store, config, contracts(CONTRACT), spool).await;
    eventually("the stretch is noted again, and settled", async || {
        let notes =
            "SELECT count() > 1, countIf(toUnixTimestamp64Milli(settled_at) = 0) FROM late_stretches FINAL";
        text(&store, notes).await == "1\t0"
    })
    .await;
    assert_eq!(breaches(&store, "breach_hours").await, "country.allowed\t1\t1");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_of_refusals_stays_when_they_have_expired() {
    let mut config = fresh_config();
    config.retention.rejected_days = 30;
    let store = Store::connect(&config).expect("a sound configuration");
    sql::migrate::migrate(&store).await.expect("every migration applies");
    let collector = filled(&store, contracts(CONTRACT)).await;
    collector.stop().await;
    let right = counted(&store).await;
    // As retention does it, a month later.
    damage(&store, "ALTER TABLE rejected_events DELETE WHERE 1").await;
    let looked = recounted(&store, contracts(CONTRACT), true).await;
    assert!(looked.rules["country.allowed"].surplus > 0, "now it would be a mistake of the store: {looked}");
    let later = || Clock::Manual(ManualClock::starting_at(Clock::System.now().saturating_add(DAY * 40)));
    let report = recounted_at(later(), &store, contracts(CONTRACT), false).await;
    assert!(report.is_clean(), "{report}");
    // What stored events broke is still known, beside it.
    let lost = "INSERT INTO breach_minutes SELECT * REPLACE (toInt64(-2) AS n, toInt64(0) AS refused) FROM breach_minutes \
                WHERE rule = 'amount.range' LIMIT 1";
    damage(&store, lost).await;
    let report = recounted_at(later(), &store, contracts(CONTRACT), false).await;
    assert_eq!(report.rules["amount.range"].lacking, 2, "{report}");
    assert_eq!(differing(&store, &right).await, NONE);
    // And so it stays when the minutes of it have expired as well.
    let hours = breaches(&store, "breach_hours").await;
    damage(&store, "ALTER TABLE breach_minutes DELETE WHERE rule IN ('country.allowed', 'duplicate')").await;
    let report = recounted_at(later(), &store, contracts(CONTRACT), false).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(breaches(&store, "breach_hours").await, hours);
}
