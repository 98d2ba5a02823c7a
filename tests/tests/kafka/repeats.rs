//! Events that are in the log twice, with the same id: stored and counted once, and said to be repeated once, whoever of
//! several collectors took the first one and whoever dies.

use std::time::Duration;

use serde_json::json;
use tests::{Process, eventually, text};

use crate::process::Settings;
use crate::running::{event, events};
use crate::world::{Load, World, bodies};

const PARTITIONS: i32 = 4;

impl World {
    /// How many events are said to have come before.
    pub async fn repeated(&self) -> usize {
        let said = "SELECT count() FROM rejected_events WHERE has(rules, 'duplicate')";
        text(&self.store, said).await.parse().expect("a number")
    }

    /// Waits until so many events are said to have come before.
    async fn has_repeated(&self, n: usize) {
        eventually(&format!("{n} came before"), async || self.repeated().await == n).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_came_before_are_stored_and_counted_once_and_said_to_be_repeated() {
    let world = World::new(1).await;
    let collector = world.collector().await;
    assert_eq!(collector.predictions(&events("m", 0..20)).await.status, 200, "over HTTP");
    // Again as messages of their own, in an array beside one that is wrong, and twice in one batch.
    world.broker.produce(&world.topic, 0, &bodies(0..30)).await;
    let array = json!([event("m", 30), {"model": 7}, event("m", 30), event("m", 5)]).to_string();
    let shadow = {
        let mut event = event("m", 5);
        event["version"] = json!("shadow");
        event["id"] = json!("m-5");
        event.to_string()
    };
    world.broker.produce(&world.topic, 0, &[array]).await;
    world.stored(31).await;
    world.has_repeated(22).await;
    world.holds_exactly(31).await;
    let refused = "SELECT position FROM rejected_events WHERE NOT has(rules, 'duplicate')";
    let expected = format!("{}-0-30[1]", world.topic);
    eventually("one is wrong", async || text(&world.store, refused).await == expected).await;
    let said = "SELECT DISTINCT source, field, payload FROM rejected_events WHERE has(rules, 'duplicate')";
    assert_eq!(text(&world.store, said).await, "kafka\tid\t");
    // Another version of the model may answer the same request.
    world.broker.produce(&world.topic, 0, &[shadow]).await;
    world.stored(32).await;
    // And over HTTP again.
    assert_eq!(collector.predictions(&events("m", 25..30)).await.body["accepted"], 5);
    world.has_repeated(27).await;
    collector.stop().await;
    assert_eq!(text(&world.store, "SELECT count() FROM predictions").await, "32");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_every_message_is_new() {
    let world = World::new(1).await;
    let mut config = world.config();
    config.duplicates.window_s = 0;
    let collector = world.collector_with(config).await;
    world.broker.produce(&world.topic, 0, &[bodies(0..10), bodies(0..10)].concat()).await;
    world.stored(20).await;
    collector.stop().await;
    assert_eq!(world.repeated().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_takes_a_partition_over_knows_what_the_one_before_it_stored() {
    let world = World::new(2).await;
    let one = world.collector().await;
    // It runs already while the first one stores, and so learned nothing of it when it started.
    let two = world.collector().await;
    let (mut sent, broker) = ([0, 0], world.broker);
    eventually("two collectors share the partitions", async || {
        for partition in [0, 1] {
            let start = partition * 100_000 + sent[partition];
            broker.produce(&world.topic, partition as i32, &bodies(start..start + 10)).await;
            sent[partition] += 10;
        }
        world.claimants().await == 2
    })
    .await;
    let before = sent[0] + sent[1];
    world.stored(before).await;
    one.crash();
    for partition in [0, 1] {
        let (start, next) = (partition * 100_000, partition * 100_000 + sent[partition]);
        broker.produce(&world.topic, partition as i32, &bodies(start..next)).await;
        broker.produce(&world.topic, partition as i32, &bodies(next..next + 10)).await;
    }
    world.stored(before + 20).await;
    two.stop().await;
    world.holds_exactly(before + 20).await;
    assert_eq!(world.repeated().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_log_with_everything_twice_each_is_there_once_whoever_is_killed_or_wakes_as_a_zombie() {
    let world = World::new(PARTITIONS).await;
    let load = Load::start_twice(world.broker, &world.topic, PARTITIONS);
    let settings = [(); 3].map(|()| Settings::of(&world).with_session_ms(1_000));
    let start = |settings: &Settings| Process::start(&["collector"], settings.file(), &settings.log());
    let mut processes: Vec<Process> = settings.iter().map(start).collect();
    world.at_least(500).await;
    for round in 0..6 {
        tokio::time::sleep(Duration::from_millis(rand::random_range(150..1_200))).await;
        let one = round % processes.len();
        if round % 2 == 0 {
            // Only then another one takes its spool.
            processes.remove(one).kill().await;
            processes.insert(one, start(&settings[one]));
        } else {
            processes[one].signal("STOP");
            // Longer than its session: others take its partitions, in the middle of whatever it was at.
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            processes[one].signal("CONT");
        }
        let stored = text(&world.store, "SELECT count() FROM predictions").await;
        world.at_least(stored.parse::<usize>().expect("a number") + 100).await;
    }
    let sent = load.stop().await;
    world.stored(sent).await;
    world.has_repeated(sent).await;
    for process in processes {
        assert!(process.terminate().await.success());
    }
    world.holds_exactly(sent).await;
    assert_eq!(world.repeated().await, sent);
}
