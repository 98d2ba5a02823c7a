//! Whatever dies: what was answered with 200 is there, once, and the counts agree with the raw events.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use collector::Config;
use tests::{OwnEngine, eventually, fresh_store, text};

use crate::running::{Running, event, events, spooled};

#[tokio::test(flavor = "multi_thread")]
async fn every_answered_event_is_there_once_when_the_engine_is_killed_in_mid_stream() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let collector = Arc::new(Running::start(&store).await);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicUsize::new(0));
    let senders = (0..4).map(|who| {
        let (collector, stop, answered) = (collector.clone(), stop.clone(), answered.clone());
        tokio::spawn(async move {
            let (mut taken, mut n) = (Vec::new(), who * 10_000_000);
            while !stop.load(Ordering::SeqCst) {
                let answer = collector.predictions(&events("k", n..n + 100)).await;
                match answer.status {
                    200 => {
                        taken.push(n..n + 100);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    429 | 503 => {
                        assert!(answer.retry_after.is_some(), "{answer:?}");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    _ => panic!("{answer:?}"),
                }
                n += 100;
            }
            taken
        })
    });
    let senders: Vec<_> = senders.collect();
    for _ in 0..4 {
        let before = answered.load(Ordering::SeqCst);
        eventually("events are taken", async || answered.load(Ordering::SeqCst) > before + 20).await;
        own.kill();
    }
    let before = answered.load(Ordering::SeqCst);
    eventually("events are taken again", async || answered.load(Ordering::SeqCst) > before + 20).await;
    stop.store(true, Ordering::SeqCst);
    let mut taken = Vec::new();
    for sender in senders {
        taken.extend(sender.await.expect("a sender").into_iter().flatten());
    }
    eventually("the spool is empty", async || spooled(collector.spool()) == 0).await;

    let ids = text(&store, "SELECT id, count() FROM predictions GROUP BY id").await;
    let stored: HashMap<&str, &str> = ids.lines().filter_map(|line| line.split_once('\t')).collect();
    for n in &taken {
        assert_eq!(stored.get(format!("k-{n}").as_str()), Some(&"1"), "event {n} of {}", taken.len());
    }
    let events = text(&store, "SELECT count() FROM predictions").await;
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, events);
    let moments = "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.day.hour'";
    assert_eq!(text(&store, moments).await, events);
    let hours = "SELECT sum(n) FROM signal_moment_hours WHERE signal = 'feature.day.hour'";
    assert_eq!(text(&store, hours).await, events);
    Arc::into_inner(collector).expect("all senders have ended").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_died_finishes_its_batches_at_the_next_start() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let collector = Running::start(&store).await;
    assert_eq!(collector.predictions(&events("s", 0..10)).await.status, 200);
    own.kill();
    // Nobody is there to take it: it lies in the spool when the collector dies.
    let request =
        collector.post("/v1/predictions").json(&events("s", 10..30)).timeout(Duration::from_secs(20));
    let asked = tokio::spawn(request.send());
    let spool = collector.spool().to_owned();
    eventually("the batch lies in the spool or is stored", async || {
        spooled(&spool) == 1 || asked.is_finished()
    })
    .await;
    let spool = collector.crash();
    asked.abort();
    let again = Running::start_on(&store, Config::default(), BTreeMap::new(), spool).await;
    eventually("the spool is finished", async || spooled(again.spool()) == 0).await;
    // The engine may still be at work on the insert that the dead collector had begun.
    let stored = "SELECT count(), uniqExact(id) FROM predictions";
    eventually("every event is there once", async || text(&store, stored).await == "30\t30").await;
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "30");
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_at_shutdown_is_stored_and_answered() {
    let store = fresh_store().await;
    let batch = collector::config::Batch { age_ms: 1_000, ..Config::default().batch };
    let collector = Running::start_with(&store, Config { batch, ..Config::default() }, BTreeMap::new()).await;
    let request = collector.post("/v1/predictions").json(&[event("end", 0)]);
    let asked = tokio::spawn(crate::running::send(request));
    // The batch waits for others when the collector is asked to stop.
    tokio::time::sleep(Duration::from_millis(300)).await;
    collector.ask_to_stop();
    assert_eq!(asked.await.expect("an answer").status, 200);
    collector.stop().await;
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "1");
}
