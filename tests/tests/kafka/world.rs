//! A topic, a database and collectors on both, for one test.

use std::collections::BTreeMap;

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::{Kind, Limits, Topic};
use sql::Store;
use tests::{Broker, broker, eventually, fresh_store, text};

use crate::running::{Running, event};

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

    /// Waits until `n` events are stored.
    pub async fn stored(&self, n: usize) {
        let stored = "SELECT count() FROM predictions";
        eventually(&format!("{n} events are stored"), async || {
            text(&self.store, stored).await == n.to_string()
        })
        .await;
    }

    /// Holds that `n` events are there, each once, and that everything counted says so.
    pub async fn holds_exactly(&self, n: usize) {
        holds_exactly(&self.store, n).await;
    }
}

pub async fn holds_exactly(store: &Store, n: usize) {
    let raw = text(store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(raw, format!("{n}\t{n}"));
    for table in ["traffic_minutes", "traffic_hours"] {
        let events = format!("SELECT sum(events) FROM {table} WHERE segment = ''");
        assert_eq!(text(store, &events).await, n.to_string(), "{table}");
    }
    for table in ["signal_moments", "signal_moment_hours"] {
        let moments =
            format!("SELECT sum(n) FROM {table} WHERE signal = 'feature.day.hour' AND segment = ''");
        assert_eq!(text(store, &moments).await, n.to_string(), "{table}");
    }
}

/// A collector that reads `topics` quickly, with grids that come soon.
pub fn config(broker: &Broker, topics: &[(&str, Kind)]) -> Config {
    let grids = collector::config::Grids {
        values: 500,
        first_hour_s: 2,
        lead_ms: 1_500,
        refresh_ms: 100,
        settle_ms: 1_500,
    };
    let topics = topics.iter().map(|(name, kind)| Topic { name: (*name).to_owned(), kind: *kind }).collect();
    let defaults = kafka::Config::default();
    let kafka = kafka::Config {
        brokers: broker.address(),
        topics,
        batch: collector::config::Batch { rows: 500, age_ms: 50, ..defaults.batch },
        limits: Limits { session_ms: 6_000, ..defaults.limits },
        ..kafka::Config::default()
    };
    Config { grids, kafka, ..Config::default() }
}

/// Messages of one event each.
pub fn bodies(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| event("m", n).to_string()).collect()
}
