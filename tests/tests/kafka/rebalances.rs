//! Collectors that come, go and die while messages stream in: partitions change hands, messages are stored once.

use tests::{Process, eventually, text};

use crate::process::Settings;
use crate::world::{Load, World};

#[tokio::test(flavor = "multi_thread")]
async fn partitions_change_hands_under_load_and_nothing_is_lost_or_doubled() {
    let world = World::new(4).await;
    let load = Load::start(world.broker, &world.topic, 4);
    let one = world.collector().await;
    world.at_least(500).await;
    let two = world.collector().await;
    eventually("two collectors share the partitions", async || world.claimants().await == 2).await;
    let three = world.collector().await;
    eventually("three collectors share the partitions", async || world.claimants().await == 3).await;
    // In mid-batch: an orderly end, and one without a word.
    one.stop().await;
    two.crash();
    let stored: usize =
        text(&world.store, "SELECT count() FROM predictions").await.parse().expect("a number");
    world.at_least(stored + 2_000).await;
    let sent = load.stop().await;
    world.stored(sent).await;
    three.stop().await;
    world.holds_exactly(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_leaves_hands_its_partitions_over_at_once() {
    let world = World::new(2).await;
    let mut config = world.config();
    // A session that nobody waits for: only who leaves in order is replaced in time.
    config.kafka.limits.session_ms = 300_000;
    let one = world.collector_with(config.clone()).await;
    world.broker.produce(&world.topic, 0, &crate::world::bodies(0..100)).await;
    world.stored(100).await;
    one.stop().await;
    let two = world.collector_with(config).await;
    world.broker.produce(&world.topic, 1, &crate::world::bodies(100..200)).await;
    world.stored(200).await;
    two.stop().await;
    world.holds_exactly(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_that_is_handed_over_at_once_is_finished_by_the_next_owner() {
    let world = World::new(4).await;
    let load = Load::start(world.broker, &world.topic, 4);
    let mut config = world.config();
    config.kafka.limits.hand_over_ms = 0;
    let mut collectors = vec![world.collector_with(config.clone()).await];
    for others in 1..=3 {
        world.at_least(others * 500).await;
        collectors.push(world.collector_with(config.clone()).await);
        eventually("all share the partitions", async || world.claimants().await == others + 1).await;
    }
    for collector in collectors.drain(..3) {
        collector.stop().await;
    }
    let sent = load.stop().await;
    world.stored(sent).await;
    collectors.remove(0).stop().await;
    world.holds_exactly(sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_that_stay_where_they_are_are_not_given_up_when_another_collector_comes() {
    let world = World::new(4).await;
    let load = Load::start(world.broker, &world.topic, 4);
    let settings = [Settings::of(&world), Settings::of(&world)];
    let start = |settings: &Settings| Process::start(&["collector"], settings.file(), &settings.log());
    let one = start(&settings[0]);
    world.at_least(500).await;
    let two = start(&settings[1]);
    eventually("two collectors share the partitions", async || world.claimants().await == 2).await;
    let log = std::fs::read_to_string(settings[0].log()).expect("a log");
    let partitions = |what: &str| -> usize {
        log.lines().filter(|line| line.contains(what)).map(|line| line.matches(&world.topic).count()).sum()
    };
    assert_eq!(partitions("the group gives partitions"), 4, "{log}");
    assert_eq!(partitions("the group takes partitions"), 2, "{log}");
    let sent = load.stop().await;
    world.stored(sent).await;
    for process in [one, two] {
        assert!(process.terminate().await.success());
    }
    world.holds_exactly(sent).await;
}
