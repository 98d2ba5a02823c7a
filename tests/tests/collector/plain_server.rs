//! A ClickHouse server of somebody's own dies in the middle of inserts: it remembers their tokens and has lost the rows of some
//! tables. What was answered with 200 is there all the same, once, raw and counted.

use std::collections::BTreeMap;

use collector::Config;
use serde_json::json;
use sql::Store;
use tests::{Link, OwnEngine, eventually, text};

use crate::counted::{grids_are_counted_back, holds_exactly, wait_for_stored};
use crate::running::{Running, events, soon, spooled};

/// Waits until `n` events, outcomes and rejections are stored, and everything that was to be compared agrees: minutes that are
/// counted again count in their hours as well, which are compared after them.
async fn is_settled(store: &Store, [n, outcomes, rejections]: [usize; 3]) {
    wait_for_stored(store, n).await;
    let stored = "SELECT (SELECT count() FROM outcomes FINAL), (SELECT count() FROM rejected_events), \
                  (SELECT count() FROM late_stretches FINAL WHERE settled_at = 0)";
    let expected = format!("{outcomes}\t{rejections}\t0");
    eventually(&format!("{expected} are stored"), async || text(store, stored).await == expected).await;
}

fn config() -> Config {
    Config { grids: soon(), ..Config::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_a_plain_server_lost_with_its_life_are_inserted_again() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let collector = Running::start_with(&store, config(), BTreeMap::new()).await;
    assert_eq!(collector.predictions(&events("k", 0..100)).await.status, 200);
    grids_are_counted_back(&direct).await;
    let deaths: [&[&str]; 2] = [
        &["predictions", "signal_moments", "signal_hours", "traffic_hours", "rejected_events"],
        &["outcomes", "signal_minutes", "signal_moment_hours", "traffic_minutes"],
    ];
    for (round, lost) in deaths.into_iter().enumerate() {
        let first = 100 + round * 100;
        own.stop_merges(&direct).await;
        link.lose_answers();
        let mut sent = events("k", first..first + 100);
        sent.push(json!({"model": "k", "features": 7}));
        let outcomes = [json!({"id": format!("k-{first}"), "model": "k", "outcome": 1.0})];
        let die = async {
            eventually("all three have been stored", async || link.lost() == 3).await;
            own.forget_rows(&direct, lost).await;
            link.cut();
        };
        let (predictions, outcomes, ()) =
            tokio::join!(collector.predictions(&sent), collector.outcomes(&outcomes), die);
        assert_eq!((predictions.status, outcomes.status), (200, 200), "{predictions:?} {outcomes:?}");
    }
    is_settled(&direct, [300, 2, 2]).await;
    collector.stop().await;
    holds_exactly(&direct, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_collector_and_plain_server_died_in_is_completed_by_the_next_collector() {
    let own = OwnEngine::start().await;
    let direct = own.plain_store().await;
    let (link, store) = Link::to(&direct).await;
    let collector = Running::start_with(&store, config(), BTreeMap::new()).await;
    link.lose_answers();
    let request = collector.post("/v1/predictions").json(&events("k", 0..100)).send();
    let unanswered = tokio::spawn(request);
    eventually("the batch is stored", async || link.lost() == 1).await;
    let spool = collector.crash();
    own.forget_rows(&direct, &["predictions", "signal_moments"]).await;
    link.cut();
    assert!(unanswered.await.expect("no panic").is_err(), "nobody was there to answer");
    let collector = Running::start_on(&store, config(), BTreeMap::new(), spool).await;
    eventually("the spool is finished", async || spooled(collector.spool()) == 0).await;
    is_settled(&direct, [100, 0, 0]).await;
    collector.stop().await;
    holds_exactly(&direct, 100).await;
}
