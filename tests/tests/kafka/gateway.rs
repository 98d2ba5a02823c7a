//! The collector as a gateway: what is answered with 200 is in Kafka, and stored once by whoever consumes it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::Kind;
use collector::sources::kafka::gateway;
use serde_json::json;
use tests::{Broker, Doors, eventually, fresh_store, text};

use crate::counted::holds_exactly;
use crate::running::{Running, event, events};
use crate::world::{World, config};

/// A gateway that stores nothing itself.
fn gateway(brokers: String, predictions: &str, outcomes: &str) -> Config {
    let gateway = gateway::Config {
        predictions_topic: predictions.to_owned(),
        outcomes_topic: outcomes.to_owned(),
        ..gateway::Config::default()
    };
    let kafka = kafka::Config { brokers, ..kafka::Config::default() };
    let mut config = Config { gateway, kafka, ..Config::default() };
    config.limits.answer_within_s = 3;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_in_kafka_when_they_are_answered_and_refusals_are_kept_as_ever() {
    let world = World::new(3).await;
    let outcomes = format!("{}-outcomes", world.topic);
    world.broker.make_topic(&outcomes, 1).await;
    let door = world.collector_with(gateway(world.broker.address(), &world.topic, &outcomes)).await;
    let mut body = events("m", 0..100);
    body[17] = json!({"model": "m"});
    body[18].as_object_mut().expect("an object").remove("id");
    eventually("the gateway is ready", async || door.predictions(&events("m", 900..901)).await.status == 200)
        .await;
    let answer = door.predictions(&body).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(99)), "{answer:?}");
    assert_eq!(answer.body["rejected"][0]["index"], 17);
    let mut ends = 0;
    for partition in 0..3 {
        ends += world.broker.watermarks(&world.topic, partition).await.1;
    }
    assert_eq!(ends, 100, "all of them are in Kafka by then");
    assert_eq!(text(&world.store, "SELECT count() FROM predictions").await, "0");
    assert_eq!(text(&world.store, "SELECT position FROM rejected_events").await, "17");
    let truth = json!({"id": "m-3", "model": "m", "outcome": {"late": 1}});
    assert_eq!(door.outcomes(&[truth]).await.status, 200);

    let topics = [(world.topic.as_str(), Kind::Predictions), (outcomes.as_str(), Kind::Outcomes)];
    let consumer = world.collector_with(config(world.broker, &topics)).await;
    world.stored(100).await;
    let joined = "SELECT count() FROM predictions INNER JOIN outcomes USING (model, id)";
    eventually("the outcome is there", async || text(&world.store, joined).await == "1").await;
    door.stop().await;
    consumer.stop().await;
    world.holds_exactly(100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_buffer_is_full_tells_senders_to_wait() {
    let world = World::new(1).await;
    let mut config = gateway(world.broker.address(), &world.topic, "");
    config.gateway.buffer_bytes = 2_048;
    let door = world.collector_with(config).await;
    eventually("the gateway is ready", async || door.predictions(&[event("m", 0)]).await.status == 200).await;
    let answer = door.predictions(&events("m", 1..200)).await;
    assert_eq!(answer.status, 429, "{answer:?}");
    assert!(answer.retry_after.is_some());
    assert_eq!(world.broker.watermarks(&world.topic, 0).await.1, 1, "nothing of it is in Kafka");
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answered_event_is_there_once_when_the_broker_dies_in_mid_stream() {
    let broker = Broker::start(Doors::Plain).await;
    broker.make_topic("log", 3).await;
    let store = fresh_store().await;
    let door = Running::start_with(&store, gateway(broker.address(), "log", ""), BTreeMap::new()).await;
    let consumer =
        Running::start_with(&store, config(&broker, &[("log", Kind::Predictions)]), BTreeMap::new()).await;
    let (door, stop) = (Arc::new(door), Arc::new(AtomicBool::new(false)));
    let (answered, away) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let senders = (0..3).map(|who| {
        let (door, stop, answered, away) = (door.clone(), stop.clone(), answered.clone(), away.clone());
        tokio::spawn(async move {
            let (mut taken, mut n) = (Vec::new(), who * 10_000_000);
            while !stop.load(Ordering::SeqCst) {
                let answer = door.predictions(&events("m", n..n + 20)).await;
                match answer.status {
                    200 => {
                        taken.push(n..n + 20);
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                    429 | 503 => {
                        assert!(answer.retry_after.is_some(), "{answer:?}");
                        away.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    _ => panic!("{answer:?}"),
                }
                // What was not answered with 200 may be there or not; it is not sent again here.
                n += 20;
            }
            taken
        })
    });
    let senders: Vec<_> = senders.collect();
    for round in 1..=2 {
        let before = answered.load(Ordering::SeqCst);
        eventually("events are taken", async || answered.load(Ordering::SeqCst) > before + 20).await;
        broker.kill();
        eventually("senders are told to come back", async || away.load(Ordering::SeqCst) >= round * 3).await;
        broker.start_again().await;
    }
    let before = answered.load(Ordering::SeqCst);
    eventually("events are taken again", async || answered.load(Ordering::SeqCst) > before + 20).await;
    stop.store(true, Ordering::SeqCst);
    let mut taken = Vec::new();
    for sender in senders {
        taken.extend(sender.await.expect("a sender").into_iter().flatten());
    }
    let logged = async || {
        let mut all = 0;
        for partition in 0..3 {
            all += broker.watermarks("log", partition).await.1;
        }
        all
    };
    let in_kafka = logged().await;
    let stored = "SELECT count() FROM predictions";
    eventually("all of the log is stored", async || text(&store, stored).await == in_kafka.to_string()).await;
    let ids = text(&store, "SELECT id, count() FROM predictions GROUP BY id").await;
    let found: HashMap<&str, &str> = ids.lines().filter_map(|line| line.split_once('\t')).collect();
    for n in &taken {
        assert_eq!(found.get(format!("m-{n}").as_str()), Some(&"1"), "event {n} of {}", taken.len());
    }
    consumer.stop().await;
    Arc::into_inner(door).expect("all senders have ended").stop().await;
    holds_exactly(&store, usize::try_from(in_kafka).expect("a number")).await;
}
