//! Collectors, the store and the broker killed with SIGKILL at random moments under load: then everything is counted.
//!
//! A run takes about 25 s; `FAULT_SECONDS=600 cargo test -p tests --test kafka faults` takes longer.

use std::time::{Duration, Instant};

use tests::{Broker, Doors, OwnEngine, Process, eventually, fault_time};

use crate::counted::{holds_exactly, wait_for_stored};
use crate::process::Settings;
use crate::world::{Load, World};

const TOPIC: &str = "faults";
const PARTITIONS: i32 = 4;

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(rand::random_range(150..1_500))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_store_and_broker_are_killed_at_random_and_every_message_is_there_once() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let broker = Broker::start(Doors::Plain).await;
    broker.make_topic(TOPIC, PARTITIONS).await;
    let load = Load::start(&broker, TOPIC, PARTITIONS);
    let settings = || Settings::at(&broker.address(), TOPIC, store.config()).with_session_ms(1_500);
    let start = |settings: &Settings| Process::start(&["collector"], settings.file(), &settings.log());
    let mut collectors: Vec<(Settings, Process)> = Vec::new();
    for _ in 0..2 {
        let settings = settings();
        let process = start(&settings);
        collectors.push((settings, process));
    }
    load.goes_on(200).await;
    let began = Instant::now();
    let mut kills = 0;
    // Each dies once, however slow the machine; then at random until the time is over.
    while kills < 4 || began.elapsed() < fault_time(25) {
        a_moment().await;
        let chosen = if kills < 4 { kills } else { rand::random_range(0..6) };
        match chosen {
            0 => own.kill(),
            1 => {
                broker.kill();
                a_moment().await;
                broker.start_again().await;
                load.goes_on(200).await;
            }
            _ => {
                let (settings, process) = collectors.remove(0);
                process.kill().await;
                let process = start(&settings);
                collectors.push((settings, process));
            }
        }
        kills += 1;
    }
    let sent = load.stop().await;
    wait_for_stored(&store, sent).await;
    for (_, collector) in collectors {
        assert!(collector.terminate().await.success());
    }
    // What was counted before a grid held is counted back, and agrees as well.
    holds_exactly(&store, sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_was_suspended_wakes_as_a_zombie_and_doubles_nothing() {
    let world = World::new(4).await;
    let load = Load::start(world.broker, &world.topic, 4);
    let settings = [Settings::of(&world).with_session_ms(1_000), Settings::of(&world).with_session_ms(1_000)];
    let processes: Vec<Process> =
        settings.iter().map(|s| Process::start(&["collector"], s.file(), &s.log())).collect();
    world.at_least(500).await;
    for round in 0..4 {
        let sleeper = &processes[round % 2];
        a_moment().await;
        sleeper.signal("STOP");
        // Longer than its session: the other one takes all partitions, in the middle of whatever this one was at.
        eventually("the other one has all partitions", async || world.claimants().await == 1).await;
        sleeper.signal("CONT");
    }
    let sent = load.stop().await;
    world.stored(sent).await;
    for process in processes {
        assert!(process.terminate().await.success());
    }
    world.holds_exactly(sent).await;
}
