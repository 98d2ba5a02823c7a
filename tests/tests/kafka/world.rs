//! A topic, a database and collectors on both, for one test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::{Kind, Limits, Topic};
use rdkafka::producer::FutureRecord;
use sql::Store;
use tests::{Broker, broker, eventually, fresh_store, text};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::counted::{holds_exactly, wait_for_stored};
use crate::process::Settings;
use crate::running::{Running, event, soon};

/// A database and a topic that nobody else has.
pub struct World {
    pub broker: &'static Broker,
    pub store: Store,
    pub topic: String,
}

impl World {
    pub async fn new(partitions: i32) -> Self {
        Self::on(fresh_store().await, partitions).await
    }

    pub async fn on(store: Store, partitions: i32) -> Self {
        let broker = broker().await;
        let topic = store.config().database.clone();
        broker.make_topic(&topic, partitions).await;
        Self { broker, store, topic }
    }

    /// A collector's configuration for this topic.
    pub fn config(&self) -> Config {
        config(self.broker, &[(&self.topic, Kind::Predictions)])
    }

    pub async fn collector(&self) -> Running {
        self.collector_with(self.config()).await
    }

    pub async fn collector_with(&self, config: Config) -> Running {
        Running::start_with(&self.store, config, BTreeMap::new()).await
    }

    /// Waits until `n` events are stored, or more.
    pub async fn at_least(&self, n: usize) {
        let stored = "SELECT count() FROM predictions";
        let enough = async || text(&self.store, stored).await.parse::<usize>().is_ok_and(|found| found >= n);
        eventually(&format!("{n} events are stored"), enough).await;
    }

    /// How many collectors hold the partitions, by their last claims.
    pub async fn claimants(&self) -> usize {
        let last = "SELECT uniqExact(last) FROM (SELECT argMax(claimed_by, first_offset) AS last FROM kafka_ranges \
                    GROUP BY partition)";
        text(&self.store, last).await.parse().expect("a number")
    }

    /// Waits until `n` events are stored.
    pub async fn stored(&self, n: usize) {
        wait_for_stored(&self.store, n).await;
    }

    /// Holds that `n` events are there, each once, and that everything counted says so.
    pub async fn holds_exactly(&self, n: usize) {
        holds_exactly(&self.store, n).await;
    }
}

impl Settings {
    pub fn of(world: &World) -> Self {
        Self::at(&world.broker.address(), &world.topic, world.store.config())
    }
}

/// A collector that reads `topics` quickly, with grids that come soon.
pub fn config(broker: &Broker, topics: &[(&str, Kind)]) -> Config {
    config_at(broker.address(), topics)
}

pub fn config_at(brokers: String, topics: &[(&str, Kind)]) -> Config {
    let named = topics.iter().map(|(name, kind)| Topic { name: (*name).to_owned(), kind: *kind }).collect();
    let defaults = kafka::Config::default();
    let kafka = kafka::Config {
        brokers,
        // A group of its own: its members are asked for by tests that run beside others.
        group: topics.first().map_or_else(String::new, |(name, _)| (*name).to_owned()),
        topics: named,
        batch: collector::config::Batch { rows: 500, age_ms: 50, ..defaults.batch },
        limits: Limits { session_ms: 6_000, ..defaults.limits },
        ..kafka::Config::default()
    };
    Config { grids: soon(), kafka, ..Config::default() }
}

/// Messages of one event each.
pub fn bodies(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| event("m", n).to_string()).collect()
}

/// Events that stream into all partitions of a topic, in messages of one, until they are told to stop.
pub struct Load {
    stopping: CancellationToken,
    task: JoinHandle<()>,
    sent: Arc<AtomicUsize>,
}

/// Messages that are sent together.
const AT_ONCE: usize = 40;

/// Which events are sent next.
struct Sequence {
    first: usize,
    again: usize,
    /// Each event comes once more when so many others came after it, in the same partition; `None` for once only.
    behind: Option<usize>,
}

impl Sequence {
    /// New ones unless it is the end, and those that are to come again. Nothing where nothing is left to repeat.
    fn next(&mut self, is_ending: bool) -> Vec<usize> {
        let Some(behind) = self.behind else {
            let new = if is_ending { 0 } else { AT_ONCE };
            self.first += new;
            return (self.first - new..self.first).collect();
        };
        let new = if is_ending { 0 } else { AT_ONCE / 2 };
        self.first += new;
        let repeated = match is_ending || self.first > self.again + behind {
            true => self.again..self.first.min(self.again + AT_ONCE / 2),
            false => self.again..self.again,
        };
        self.again = repeated.end;
        (self.first - new..self.first).chain(repeated).collect()
    }
}

impl Load {
    pub fn start(broker: &Broker, topic: &str, partitions: i32) -> Self {
        Self::of(Sequence { first: 0, again: 0, behind: None }, broker, topic, partitions)
    }

    /// The same with every event twice, the second a while after the first.
    pub fn start_twice(broker: &Broker, topic: &str, partitions: i32) -> Self {
        Self::of(Sequence { first: 0, again: 0, behind: Some(15 * AT_ONCE) }, broker, topic, partitions)
    }

    fn of(mut sequence: Sequence, broker: &Broker, topic: &str, partitions: i32) -> Self {
        let (producer, topic) = (broker.producer(), topic.to_owned());
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let counted = Arc::new(AtomicUsize::new(0));
        let counter = counted.clone();
        let task = tokio::spawn(async move {
            loop {
                let events = sequence.next(stopped.is_cancelled());
                if events.is_empty() {
                    return;
                }
                let sending = events.into_iter().map(|n| {
                    let partition = i32::try_from(n).expect("few messages") % partitions;
                    let body = event("m", n).to_string();
                    let record = FutureRecord::<(), String>::to(&topic).partition(partition).payload(&body);
                    producer.send_result(record).expect("the producer has room")
                });
                // A producer that is idempotent: what a dying broker did not confirm is sent again, and is there once.
                for delivery in sending.collect::<Vec<_>>() {
                    delivery.await.expect("the producer lives").expect("the broker takes it, if not at once");
                }
                counter.store(sequence.first, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
        Self { stopping, task, sent: counted }
    }

    /// How many different events are in the log in the end.
    pub async fn stop(self) -> usize {
        self.stopping.cancel();
        self.task.await.expect("no panic");
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits until `n` more events are in the log.
    pub async fn goes_on(&self, n: usize) {
        let before = self.sent.load(Ordering::SeqCst);
        eventually("events stream in", async || self.sent.load(Ordering::SeqCst) >= before + n).await;
    }
}
