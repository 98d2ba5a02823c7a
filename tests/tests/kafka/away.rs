//! A store that is away: nothing is taken, nothing is lost, and the collector stays in its group.

use std::time::Duration;

use tests::{Broker, Doors, Process, eventually, fresh_store, text};

use crate::counted::{holds_exactly, wait_for_stored};
use crate::forward::Forward;
use crate::process::{Settings, metric, readiness};
use crate::world::{World, bodies};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_the_collector_waits_in_its_group_and_says_so() {
    let world = World::new(1).await;
    let forward = Forward::to(&world.store.config().url).await;
    let settings = Settings::of(&world).with_store(forward.url()).with_session_ms(1_500);
    let collector = Process::start(&["collector"], settings.file(), &settings.log());
    world.broker.produce(&world.topic, 0, &bodies(0..100)).await;
    world.stored(100).await;
    eventually("it is ready", async || readiness(&settings).await == "ready\n").await;
    let member = world.broker.members(&world.topic).await;
    assert_eq!(member.len(), 1);

    forward.close().await;
    world.broker.produce(&world.topic, 0, &bodies(100..3_100)).await;
    let lag = format!("leeway_collector_kafka_lag_messages{{partition=\"0\",topic=\"{}\"", world.topic);
    eventually("the lag is told", async || metric(&settings, &lag).await == Some(3_000.0)).await;
    eventually("the store is missed", async || readiness(&settings).await.contains("collector: store")).await;
    // Longer than the group waits for a sign of life.
    tokio::time::sleep(Duration::from_millis(4_000)).await;
    assert_eq!(world.broker.members(&world.topic).await, member, "the same member, all the time");

    forward.open().await;
    world.stored(3_100).await;
    eventually("there is no lag", async || metric(&settings, &lag).await == Some(0.0)).await;
    let age = format!("leeway_collector_kafka_commit_age_seconds{{partition=\"0\",topic=\"{}\"", world.topic);
    eventually("all is committed", async || metric(&settings, &age).await == Some(0.0)).await;
    eventually("it is ready again", async || readiness(&settings).await == "ready\n").await;
    assert!(collector.terminate().await.success());
    world.holds_exactly(3_100).await;
    assert_eq!(world.broker.committed(&world.topic, &world.topic, 0).await, Some(3_100));
    assert_eq!(world.broker.members(&world.topic).await, Vec::<String>::new(), "it has left");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_stops_while_the_store_is_away_leaves_its_range_to_the_next() {
    let world = World::new(1).await;
    let forward = Forward::to(&world.store.config().url).await;
    let settings = Settings::of(&world).with_store(forward.url());
    let collector = Process::start(&["collector"], settings.file(), &settings.log());
    world.broker.produce(&world.topic, 0, &bodies(0..10)).await;
    world.stored(10).await;
    forward.close().await;
    world.broker.produce(&world.topic, 0, &bodies(10..50)).await;
    eventually("the store is missed", async || readiness(&settings).await.contains("collector: store")).await;
    assert!(collector.terminate().await.success());
    assert_eq!(text(&world.store, "SELECT count() FROM predictions").await, "10");
    let next = world.collector().await;
    world.stored(50).await;
    next.stop().await;
    world.holds_exactly(50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_stops_in_time_while_the_broker_is_away() {
    let broker = Broker::start(Doors::Plain).await;
    broker.make_topic("gone", 2).await;
    broker.produce("gone", 0, &bodies(0..20)).await;
    let store = fresh_store().await;
    let settings = Settings::at(&broker.address(), "gone", store.config());
    let collector = Process::start(&["collector"], settings.file(), &settings.log());
    wait_for_stored(&store, 20).await;
    broker.kill();
    eventually("the broker is missed", async || readiness(&settings).await.contains("collector: Kafka"))
        .await;
    assert!(collector.terminate().await.success());
    holds_exactly(&store, 20).await;
}
