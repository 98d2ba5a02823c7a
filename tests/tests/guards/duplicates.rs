//! Events that come again: stored and counted once, also when the first attempt is still under way, or was before a
//! restart; and how far senders' clocks are off.

use std::collections::BTreeMap;

use collector::Config;
use domain::time::{Clock, HOUR, Interval};
use serde_json::json;
use sql::Store;
use sql::breaches::BreachesAsked;
use sql::counts::Resolution;
use tests::{fresh_store, text};

use crate::running::{Running, event, events};

const STORED: &str = "SELECT count(), uniqExact(id) FROM predictions";
const TRAFFIC: &str = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";

async fn duplicates(store: &Store, model: &str) -> u64 {
    let now = Clock::System.now();
    let asked = BreachesAsked {
        model: model.to_owned(),
        environment: "production".to_owned(),
        interval: Interval::new(now.saturating_sub(HOUR).floor(HOUR), now.saturating_add(HOUR).floor(HOUR)),
        resolution: Resolution::Minutes,
        step_s: 0,
    };
    let points = store.breaches(&asked).await.expect("breaches").points;
    points.iter().filter(|point| point.rule == "duplicate").map(|point| point.n).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_come_again_are_stored_and_counted_once_and_counted_as_duplicates() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let body = events("again", 0..200);
    let both = futures_util::future::join(collector.predictions(&body), collector.predictions(&body)).await;
    assert_eq!((both.0.status, both.1.status), (200, 200));
    assert_eq!(collector.predictions(&body[..50]).await.body["accepted"], 50, "they are in the store");
    let twice_in_one = [event("again", 900), event("again", 900)];
    assert_eq!(collector.predictions(&twice_in_one).await.status, 200);

    assert_eq!(text(&store, STORED).await, "201\t201");
    assert_eq!(text(&store, TRAFFIC).await, "201");
    assert_eq!(duplicates(&store, "again").await, 251);
    let said = "SELECT count(), any(field), any(payload) FROM rejected_events WHERE has(rules, 'duplicate')";
    assert_eq!(text(&store, said).await, "251\tid\t");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_was_restarted_knows_what_came_before() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let body = events("restart", 0..100);
    assert_eq!(collector.predictions(&body).await.status, 200);
    let spool = collector.crash();
    let collector = Running::start_on(&store, Config::default(), BTreeMap::new(), spool).await;
    assert_eq!(collector.predictions(&body).await.status, 200);
    assert_eq!(text(&store, STORED).await, "100\t100");
    assert_eq!(text(&store, TRAFFIC).await, "100");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_every_event_is_new() {
    let store = fresh_store().await;
    let mut config = Config::default();
    config.duplicates.window_s = 0;
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    let body = events("off", 0..10);
    for _ in 0..2 {
        assert_eq!(collector.predictions(&body).await.status, 200);
    }
    assert_eq!(text(&store, STORED).await, "20\t10");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_from_the_future_or_older_than_what_is_kept_are_refused_with_the_reason() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let now = Clock::System.now();
    let at = |n: usize, timestamp: domain::time::Instant| {
        let mut event = event("clock", n);
        event["timestamp"] = json!(timestamp.to_string());
        event
    };
    let kept = domain::time::DAY * store.config().retention.events_days;
    let body = [
        at(0, now),
        at(1, now.saturating_add(std::time::Duration::from_secs(200))),
        at(2, now.saturating_add(HOUR)),
        at(3, now.saturating_sub(kept).saturating_sub(HOUR)),
    ];
    let answer = collector.predictions(&body).await;
    assert_eq!(answer.body["accepted"], 2, "{:?}", answer.body);
    let errors: Vec<&str> = answer.body["rejected"]
        .as_array()
        .expect("two")
        .iter()
        .map(|rejected| rejected["error"].as_str().expect("a reason"))
        .collect();
    assert!(errors[0].contains("lies in the future"), "{errors:?}");
    assert!(errors[1].contains("older than events are kept"), "{errors:?}");
    assert_eq!(text(&store, "SELECT count() FROM rejected_events WHERE field = 'timestamp'").await, "2");
    collector.stop().await;
}
