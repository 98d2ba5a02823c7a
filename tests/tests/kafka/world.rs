//! A topic, a database and collectors on both, for one test.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::{Kind, Limits, Topic};
use rdkafka::producer::FutureRecord;
use sql::Store;
use tests::{Broker, broker, eventually, fresh_store, text};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::counted::every_signal_counts;
use crate::running::{Running, event, soon};

/// A database and a topic that nobody else has.
pub struct World {
    pub broker: &'static Broker,
    pub store: Store,
    pub topic: String,
}

impl World {
    pub async fn new(partitions: i32) -> Self {
        let (broker, store) = (broker().await, fresh_store().await);
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

/// What says how many events there are.
const COUNTED: [&str; 5] = [
    "SELECT count() FROM predictions",
    "SELECT sum(events) FROM traffic_minutes WHERE segment = ''",
    "SELECT sum(events) FROM traffic_hours WHERE segment = ''",
    "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.day.hour' AND segment = ''",
    "SELECT sum(n) FROM signal_moment_hours WHERE signal = 'feature.day.hour' AND segment = ''",
];

/// A store that was killed some times starts ten seconds after the last; then late stretches are compared.
const UNTIL_COUNTED: Duration = Duration::from_secs(90);

/// Waits until `n` events are stored and counted: the views of the last insert may still be at work, and what was stored
/// late may still be compared with the raw events.
pub async fn wait_for_stored(store: &Store, n: usize) {
    let expected = [n; COUNTED.len()].map(|n| n.to_string()).join("\t");
    let counted = format!("SELECT {}", COUNTED.map(|sum| format!("({sum})")).join(", "));
    let since = Instant::now();
    loop {
        // The store may be coming up again.
        let found = store.ask(&counted, "TabSeparatedRaw").await.unwrap_or_default();
        let found = String::from_utf8_lossy(&found).trim_end().to_owned();
        if found == expected {
            return;
        }
        assert!(since.elapsed() < UNTIL_COUNTED, "{n} events are expected, and in {COUNTED:?} are {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn holds_exactly(store: &Store, n: usize) {
    let raw = text(store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(raw, format!("{n}\t{n}"));
    for sum in COUNTED {
        assert_eq!(text(store, sum).await, n.to_string(), "{sum}");
    }
    every_signal_counts(store, n).await;
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

impl Load {
    pub fn start(broker: &Broker, topic: &str, partitions: i32) -> Self {
        const AT_ONCE: usize = 40;
        let (producer, topic) = (broker.producer(), topic.to_owned());
        let stopping = CancellationToken::new();
        let stopped = stopping.clone();
        let counted = Arc::new(AtomicUsize::new(0));
        let counter = counted.clone();
        let task = tokio::spawn(async move {
            let mut sent = 0;
            while !stopped.is_cancelled() {
                let sending = (sent..sent + AT_ONCE).map(|n| {
                    let partition = i32::try_from(n).expect("few messages") % partitions;
                    let body = event("m", n).to_string();
                    let record = FutureRecord::<(), String>::to(&topic).partition(partition).payload(&body);
                    producer.send_result(record).expect("the producer has room")
                });
                // A producer that is idempotent: what a dying broker did not confirm is sent again, and is there once.
                for delivery in sending.collect::<Vec<_>>() {
                    delivery.await.expect("the producer lives").expect("the broker takes it, if not at once");
                }
                sent += AT_ONCE;
                counter.store(sent, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        });
        Self { stopping, task, sent: counted }
    }

    /// How many events are in the log in the end.
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
