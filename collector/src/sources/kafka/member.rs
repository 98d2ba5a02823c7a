//! A member of the consumer group, as the client library calls it back: changes of its partitions, statistics,
//! errors.

use std::sync::atomic::{AtomicBool, Ordering};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use service::Health;
use tokio::sync::mpsc;

use super::standing::Standings;

/// What the group decides about our partitions, each by topic and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Given(Vec<(String, i32)>),
    Taken(Vec<(String, i32)>),
}

/// Whether brokers answer, told to the process's health.
#[derive(Debug)]
pub struct Brokers {
    health: Health,
    check: &'static str,
    are_away: AtomicBool,
}

impl Brokers {
    pub fn new(health: Health, check: &'static str) -> Self {
        health.not_ready(check, "no broker of Kafka has answered yet");
        Self { health, check, are_away: AtomicBool::new(true) }
    }

    pub fn are_away(&self) -> bool {
        self.are_away.load(Ordering::Relaxed)
    }

    /// Hears of an error of the client. Brokers that are there and refuse us are told apart from those that are away.
    pub fn failed(&self, error: &KafkaError, reason: &str) {
        tracing::info!(%error, "Kafka's client: {reason}");
        if matches!(
            error.rdkafka_error_code(),
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SSL)
        ) {
            self.are_away.store(true, Ordering::Relaxed);
            self.health.not_ready(self.check, format!("a broker of Kafka refuses the connection: {reason}"));
        }
    }

    pub fn heard(&self, statistics: &Statistics) {
        let is_up =
            statistics.brokers.values().any(|broker| matches!(broker.state.as_str(), "UP" | "UPDATE"));
        let were_away = self.are_away.swap(!is_up, Ordering::Relaxed);
        match (were_away, is_up) {
            (true, true) => {
                tracing::info!(check = self.check, "brokers of Kafka answer");
                self.health.ready(self.check);
            }
            (false, false) => {
                tracing::warn!(check = self.check, "no broker of Kafka answers");
                self.health.not_ready(self.check, "no broker of Kafka answers");
            }
            _ => {}
        }
    }
}

/// Says what the client library says, as far as somebody may want to know.
pub fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
            tracing::error!(facility, "Kafka's client: {message}");
        }
        // Brokers that come and go: health says so once, and the client tries again by itself.
        RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::info!(facility, "Kafka's client: {message}");
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, "Kafka's client: {message}")
        }
    }
}

pub struct Member {
    /// As many as there are rebalances.
    changes: mpsc::UnboundedSender<Change>,
    standings: Standings,
    brokers: Brokers,
    is_leaving: AtomicBool,
}

impl Member {
    pub fn new(changes: mpsc::UnboundedSender<Change>, standings: Standings, brokers: Brokers) -> Self {
        Self { changes, standings, brokers, is_leaving: AtomicBool::new(false) }
    }

    /// From now on partitions that are taken away are let go at once: nobody works on them any more.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::SeqCst);
    }
}

fn partitions(list: &TopicPartitionList) -> Vec<(String, i32)> {
    list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.brokers.heard(&statistics);
        for (name, topic) in &statistics.topics {
            for (number, partition) in &topic.partitions {
                // Negative where it is not known.
                if partition.ls_offset >= 0 {
                    self.standings.ends_at(name, *number, partition.ls_offset);
                }
                if partition.committed_offset >= 0 {
                    self.standings.committed(name, *number, partition.committed_offset);
                }
            }
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.brokers.failed(&error, reason);
    }
}

impl ConsumerContext for Member {
    /// The group waits for an answer, which whoever runs the consumer gives.
    fn rebalance(&self, consumer: &BaseConsumer<Self>, error: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_given = error == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        let change = if is_given { Change::Given(partitions(list)) } else { Change::Taken(partitions(list)) };
        let is_heard = !self.is_leaving.load(Ordering::SeqCst) && self.changes.send(change).is_ok();
        if !is_heard {
            let answered = match is_given {
                true => consumer.incremental_assign(list),
                false => consumer.incremental_unassign(list),
            };
            if let Err(error) = answered {
                tracing::debug!(%error, "a rebalance while leaving the group");
            }
        }
    }
}
