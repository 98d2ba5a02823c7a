//! How far each partition of this collector has come: what the metrics of lag and commits are read from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant as Moment;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter, ObservableGauge};

type Key = (String, i32);

/// Partitions that are at work here. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Standings(Arc<Mutex<BTreeMap<Key, Standing>>>);

#[derive(Clone, Debug, PartialEq)]
struct Standing {
    /// The first offset that is not stored yet.
    next: i64,
    /// The first offset that is not in the log yet, as far as the brokers told.
    end: i64,
    /// Since when something is stored and not committed.
    uncommitted_since: Option<Moment>,
}

impl Standings {
    pub fn took_up(&self, topic: &str, partition: i32, position: i64) {
        let standing = Standing { next: position, end: position, uncommitted_since: None };
        self.lock().insert((topic.to_owned(), partition), standing);
    }

    pub fn gave_back(&self, topic: &str, partition: i32) {
        self.lock().remove(&(topic.to_owned(), partition));
    }

    pub fn stored(&self, topic: &str, partition: i32, next: i64) {
        if let Some(standing) = self.lock().get_mut(&(topic.to_owned(), partition)) {
            standing.next = next;
            standing.end = standing.end.max(next);
            standing.uncommitted_since.get_or_insert_with(Moment::now);
        }
    }

    /// What the brokers have confirmed of our commits, as the client tells now and then.
    pub fn committed(&self, topic: &str, partition: i32, offset: i64) {
        if let Some(standing) = self.lock().get_mut(&(topic.to_owned(), partition))
            && offset >= standing.next
        {
            standing.uncommitted_since = None;
        }
    }

    /// What the brokers say of the end of a log.
    pub fn ends_at(&self, topic: &str, partition: i32, end: i64) {
        if let Some(standing) = self.lock().get_mut(&(topic.to_owned(), partition)) {
            standing.end = end;
        }
    }

    fn each(&self, mut tell: impl FnMut(&Standing, &[KeyValue])) {
        for ((topic, partition), standing) in self.lock().iter() {
            let of =
                [KeyValue::new("topic", topic.clone()), KeyValue::new("partition", i64::from(*partition))];
            tell(standing, &of);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Standing>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Standing {
    fn lag(&self) -> u64 {
        u64::try_from(self.end.saturating_sub(self.next)).unwrap_or(0)
    }

    fn commit_age_s(&self) -> f64 {
        self.uncommitted_since.map_or(0.0, |since| since.elapsed().as_secs_f64())
    }
}

/// What is measured of Kafka as a source.
#[derive(Debug)]
pub struct Metrics {
    batches: Counter<u64>,
    rejected: Counter<u64>,
    finished: Counter<u64>,
    lost: Counter<u64>,
    _lag: ObservableGauge<u64>,
    _commit_age: ObservableGauge<f64>,
}

impl Metrics {
    pub fn new(meter: &Meter, standings: &Standings) -> Self {
        let counter =
            |name: &'static str, text: &'static str| meter.u64_counter(name).with_description(text).build();
        let (lags, ages) = (standings.clone(), standings.clone());
        Self {
            batches: counter("leeway_collector_kafka_batches_total", "ranges of offsets stored"),
            rejected: counter(
                "leeway_collector_kafka_rejected_messages_total",
                "messages, or events in them, refused",
            ),
            finished: counter(
                "leeway_collector_kafka_finished_ranges_total",
                "ranges that were claimed before and are finished after a restart or a rebalance",
            ),
            lost: counter(
                "leeway_collector_kafka_lost_messages_total",
                "offsets that were gone from the log before they were taken",
            ),
            _lag: meter
                .u64_observable_gauge("leeway_collector_kafka_lag_messages")
                .with_description("offsets in the log of a partition that are not stored yet")
                .with_callback(move |gauge| lags.each(|standing, of| gauge.observe(standing.lag(), of)))
                .build(),
            _commit_age: meter
                .f64_observable_gauge("leeway_collector_kafka_commit_age_seconds")
                .with_description("how long a partition has had stored offsets that are not committed")
                .with_callback(move |gauge| {
                    ages.each(|standing, of| gauge.observe(standing.commit_age_s(), of))
                })
                .build(),
        }
    }

    pub fn batch(&self, topic: &str, rejected: usize, was_open: bool) {
        let of = [KeyValue::new("topic", topic.to_owned())];
        self.batches.add(1, &of);
        self.rejected.add(rejected as u64, &of);
        self.finished.add(u64::from(was_open), &of);
    }

    pub fn lost(&self, topic: &str, messages: u64) {
        self.lost.add(messages, &[KeyValue::new("topic", topic.to_owned())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_what_the_log_holds_and_the_store_does_not() {
        let standings = Standings::default();
        standings.took_up("t", 0, 10);
        standings.ends_at("t", 0, 25);
        standings.stored("t", 0, 20);
        let found = |standings: &Standings| standings.lock()[&("t".to_owned(), 0)].clone();
        assert_eq!(found(&standings).lag(), 5);
        assert!(found(&standings).uncommitted_since.is_some());
        standings.committed("t", 0, 15);
        assert!(found(&standings).uncommitted_since.is_some(), "an older commit");
        standings.committed("t", 0, 20);
        assert_eq!(found(&standings).uncommitted_since, None);
        standings.gave_back("t", 0);
        assert!(standings.lock().is_empty());
    }
}
