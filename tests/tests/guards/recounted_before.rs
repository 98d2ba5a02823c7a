//! What is counted again of a store that holds events of before their rules were kept: nothing that nobody knows.

use std::sync::Arc;

use collector::Config;
use collector::event::{Name, Prediction};
use collector::guard::Marks;
use collector::known::Known;
use domain::time::{Clock, Instant, MINUTE};
use sql::intake::Door;
use tempfile::TempDir;
use tests::{eventually, fresh_store, text};

use crate::contracts::contracts;
use crate::recounted::{
    CONTRACT, NONE, counted, damage, differing, filled, lately, looked_at_late, recounted,
};
use crate::running::{Running, spool_of};

/// The spool of a collector of before rules were kept: one event that breaks one, an hour ago.
fn left_behind(at: Instant) -> Arc<TempDir> {
    let marks = Marks { breaches: vec![Name::from("amount.range")], counts_only: false };
    let event = Prediction {
        id: "before".to_owned(),
        version: Name::from("v1"),
        numbers: vec![(Name::from("feature.amount"), 70.0)],
        marks: Some(Box::new(marks)),
        ..Prediction::empty(Name::from("fraud"), at)
    };
    let counted = collector::batch::predictions(vec![event].into(), &Known::default()).expect("columns");
    let schema = counted.batch.schema();
    let before: Vec<usize> =
        (0..schema.fields().len()).filter(|column| schema.field(*column).name() != "rules").collect();
    assert_eq!(before.len() + 1, schema.fields().len());
    let batch = counted.batch.project(&before).expect("the columns of before");
    spool_of(Door::Intake, &batch)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_before_rules_were_kept_is_taken_and_its_breaches_are_left_alone() {
    let store = fresh_store().await;
    let at = Clock::System.now().saturating_sub(MINUTE * 20).floor(MINUTE);
    let spool = left_behind(at);
    let collector = Running::start_on(&store, Config::default(), contracts(CONTRACT), spool).await;
    eventually("every part of the old batch is stored", async || {
        let counted = "SELECT (SELECT count() FROM breach_minutes), (SELECT count() FROM breach_hours), \
                       (SELECT count() FROM traffic_hours)";
        text(&store, counted).await == "1\t1\t1"
    })
    .await;
    assert_eq!(text(&store, "SELECT rules FROM broken_rules").await, "['?']");
    assert_eq!(collector.predictions(&lately(0..100)).await.status, 200);
    collector.stop().await;
    // What another program writes broke nothing that was counted.
    let beside = "INSERT INTO predictions (id, model, timestamp) SELECT 'lake', 'fraud', max(timestamp) FROM predictions";
    damage(&store, beside).await;
    // What has no grid yet gets one, and is counted.
    recounted(&store, contracts(CONTRACT), false).await;
    let right = counted(&store).await;
    let looked = recounted(&store, contracts(CONTRACT), true).await;
    assert!(looked.is_clean() && looked.unknown_rules == 1, "{looked}");
    assert!(looked.to_string().contains("breaches of 1 minutes were not compared"), "{looked}");

    // Of the minutes that are known, what was lost comes back; of the other nothing is made up.
    let known = format!("minute != toDateTime({}, 'UTC')", at.seconds());
    damage(&store, &format!("ALTER TABLE breach_minutes DELETE WHERE {known}")).await;
    recounted(&store, contracts(CONTRACT), false).await;
    assert_eq!(differing(&store, &right).await, NONE);
    damage(&store, "ALTER TABLE breach_minutes DELETE WHERE 1").await;
    damage(&store, "ALTER TABLE breach_hours DELETE WHERE 1").await;
    recounted(&store, contracts(CONTRACT), false).await;
    let of_rule = "SELECT sum(n - refused), countIf(minute = toDateTime({}, 'UTC')) FROM breach_minutes WHERE rule = 'amount.range'";
    let stored = text(&store, "SELECT countIf(has(rules, 'amount.range')) FROM broken_rules").await;
    let found = text(&store, &of_rule.replace("{}", &at.seconds().to_string())).await;
    assert_eq!(found, format!("{stored}\t0"));
}

/// A store of before rules were kept: its breaches are known by nothing else, and stay.
#[tokio::test(flavor = "multi_thread")]
async fn minutes_of_before_rules_were_kept_are_left_alone() {
    let store = fresh_store().await;
    tests::before_rules_were_kept(&store).await;
    let before = Clock::System.now().saturating_sub(MINUTE * 30).floor(MINUTE);
    let (event_at, minute) = (before.millis(), before.seconds());
    let stored = format!(
        "INSERT INTO intake (id, model, version, environment, timestamp, received_at, traffic_segment, traffic_minute, \
         traffic_events, traffic_errors, traffic_first_event, traffic_last_event, traffic_largest_lag_ms, breach_rule, \
         breach_minute, breach_n) SELECT 'before', 'fraud', 'v1', 'production', fromUnixTimestamp64Milli({event_at}, 'UTC'), \
         fromUnixTimestamp64Milli({event_at}, 'UTC'), [''], [{minute}], [1], [0], [{event_at}], [{event_at}], [0], \
         ['amount.range'], [{minute}], [1]"
    );
    damage(&store, &stored).await;
    sql::migrate::migrate(&store).await.expect("applied");
    // As if the migration were over for a while: what is received from a minute after it on is compared.
    let earlier = "INSERT INTO schema_migrations (version, name, applied_at) \
                   SELECT version, name, applied_at - toIntervalMinute(5) FROM schema_migrations WHERE version > 49";
    damage(&store, earlier).await;
    damage(&store, "ALTER TABLE schema_migrations DELETE WHERE applied_at > now() - toIntervalMinute(2)")
        .await;

    let collector = filled(&store, contracts(CONTRACT)).await;
    let right = counted(&store).await;
    let of_before = format!("SELECT rule, n FROM breach_minutes WHERE minute = toDateTime({minute}, 'UTC')");
    assert_eq!(text(&store, &of_before).await, "amount.range\t1");
    let looked = recounted(&store, contracts(CONTRACT), true).await;
    assert!(looked.is_clean() && looked.unknown_rules == 1, "{looked}");
    assert!(looked.to_string().contains("stored before their rules were kept"), "{looked}");
    looked_at_late(&store).await;
    assert_eq!(differing(&store, &right).await, NONE);
    // What came since is known.
    let since = format!("minute != toDateTime({minute}, 'UTC')");
    damage(&store, &format!("ALTER TABLE breach_minutes DELETE WHERE {since}")).await;
    assert_ne!(differing(&store, &right).await, NONE);
    recounted(&store, contracts(CONTRACT), false).await;
    assert_eq!(differing(&store, &right).await, NONE);
    collector.stop().await;
}
