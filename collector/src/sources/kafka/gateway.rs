//! The collector as a gateway: events that HTTP takes are produced to Kafka, and answered when Kafka has all of them.
//! Whoever consumes the topics stores and counts them.
//!
//! Invariant: an accepted event is in the log, replicated as the topic demands, or its request was not answered with 200.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use domain::time::Instant;
use futures_util::future::join_all;
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord, Producer as _};
use rdkafka::statistics::Statistics;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::config::is_topic;
use super::member::{Brokers, log};
use crate::config::{ConfigError, Limits};
use crate::decode::Framing;
use crate::decode::raw;
use crate::event::Kind;

/// The name of the readiness check.
const CHECK: &str = "collector: Kafka as the log";

/// The section `[collector.gateway]`: the topics that are the log of what HTTP takes. Its brokers and how they are spoken
/// to are those of `[collector.kafka]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Empty: predictions are stored directly.
    pub predictions_topic: String,
    /// Empty: outcomes are stored directly.
    pub outcomes_topic: String,
    pub compression: Compression,
    /// What may wait for the brokers, all requests together; beyond it senders are told to wait (429).
    pub buffer_bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    #[default]
    Lz4,
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            predictions_topic: String::new(),
            outcomes_topic: String::new(),
            compression: Compression::default(),
            buffer_bytes: 64 << 20,
        }
    }
}

impl Config {
    /// Says what is wrong, naming the key.
    pub fn check(&self, brokers: &str) -> Result<(), ConfigError> {
        let topics = [
            ("gateway.predictions_topic", &self.predictions_topic),
            ("gateway.outcomes_topic", &self.outcomes_topic),
        ];
        for (key, topic) in topics {
            if topic.is_empty() {
                continue;
            }
            if !is_topic(topic) {
                let problem = format!("\"{topic}\" is no topic's name: letters, digits, `.`, `_` and `-`");
                return Err(ConfigError { key, problem });
            }
            if brokers.trim().is_empty() {
                let problem = "needs brokers: name some in collector.kafka.brokers".to_owned();
                return Err(ConfigError { key, problem });
            }
        }
        if self.buffer_bytes < 1_024 {
            let problem = "must leave room for at least 1,024 bytes".to_owned();
            return Err(ConfigError { key: "gateway.buffer_bytes", problem });
        }
        Ok(())
    }

    fn client(&self, kafka: &super::Config, limits: &Limits) -> anyhow::Result<ClientConfig> {
        let mut client = kafka.client()?;
        client
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("compression.type", self.compression.name())
            .set("linger.ms", "5")
            .set("message.timeout.ms", limits.answer_within().as_millis().to_string())
            // Room is given here; the client's own bounds lie beyond it.
            .set("queue.buffering.max.messages", "0")
            .set("queue.buffering.max.kbytes", (self.buffer_bytes / 512).clamp(1, 2_147_483_647).to_string())
            .set_log_level(RDKafkaLogLevel::Info);
        Ok(client)
    }
}

/// Why events are not in the log.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotLogged {
    #[error("too much waits for Kafka already")]
    Full,
    #[error("Kafka is away")]
    Away,
    #[error("Kafka does not take the events: {0}")]
    Refused(KafkaError),
}

/// An event as it is produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Model and id: what is said of one prediction stays in one partition, in order.
    pub key: String,
    pub payload: Vec<u8>,
}

/// What tells an event from others.
#[derive(Clone, Debug)]
pub struct Identity {
    pub model: String,
    pub id: String,
    pub timestamp: Instant,
}

/// The records of the events of a body that were accepted, each with the id and the time that it was given here, where it
/// stated none.
pub fn records(
    body: &[u8],
    framing: Framing,
    refused: &[usize],
    accepted: impl Iterator<Item = Identity>,
) -> Vec<Record> {
    // The body was read before, so it can be cut.
    let texts = raw::texts(body, framing).unwrap_or_default();
    let kept = texts.into_iter().enumerate().filter(|(index, _)| refused.binary_search(index).is_err());
    kept.zip(accepted)
        .map(|((_, text), identity)| Record {
            key: format!("{}/{}", identity.model, identity.id),
            payload: raw::with_identity(text, &identity.id, identity.timestamp),
        })
        .collect()
}

struct Context(Arc<Brokers>);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.heard(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.failed(&error, reason);
    }
}

/// A producer for the topics that are the log. Clones share it.
#[derive(Clone)]
pub struct Gateway {
    /// Another one after an error that the client cannot get over.
    producer: Arc<Mutex<FutureProducer<Context>>>,
    client: ClientConfig,
    brokers: Arc<Brokers>,
    config: Config,
    room: Arc<Semaphore>,
}

impl Gateway {
    /// `None` where no topic is named.
    ///
    /// # Errors
    /// Where the client cannot be made.
    pub fn open(
        config: &Config,
        kafka: &super::Config,
        limits: &Limits,
        health: &service::Health,
    ) -> anyhow::Result<Option<Self>> {
        if config.predictions_topic.is_empty() && config.outcomes_topic.is_empty() {
            return Ok(None);
        }
        let client = config.client(kafka, limits)?;
        let brokers = Arc::new(Brokers::new(health.clone(), CHECK));
        let producer = client
            .create_with_context(Context(brokers.clone()))
            .context("Kafka's producer cannot be made")?;
        let producer = Arc::new(Mutex::new(producer));
        let room = Semaphore::new((config.buffer_bytes / 1_024).clamp(1, Semaphore::MAX_PERMITS));
        Ok(Some(Self { producer, client, brokers, config: config.clone(), room: Arc::new(room) }))
    }

    /// The producer that works. One that is idempotent ends for good where the brokers' order of its messages is no longer
    /// its own: what it did not confirm was answered with 503, and a new one begins with an order of its own.
    fn producer(&self) -> Result<FutureProducer<Context>, KafkaError> {
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, reason)) = producer.client().fatal_error() {
            tracing::warn!(%code, reason, "Kafka's producer cannot go on; a new one takes its place");
            let new = self.client.create_with_context(Context(self.brokers.clone()))?;
            let old = std::mem::replace(&mut *producer, new);
            // Its end is waited for elsewhere.
            tokio::task::spawn_blocking(move || drop(old));
        }
        Ok(producer.clone())
    }

    /// The topic that is the log for this kind of event, where there is one.
    pub fn topic(&self, kind: Kind) -> Option<&str> {
        let topic = match kind {
            Kind::Prediction => &self.config.predictions_topic,
            Kind::Outcome => &self.config.outcomes_topic,
        };
        (!topic.is_empty()).then_some(topic.as_str())
    }

    pub fn is_away(&self) -> bool {
        self.brokers.are_away()
    }

    /// Produces the records of one request; returns when the brokers have all of them.
    ///
    /// # Errors
    /// Then some may be in the log all the same.
    pub async fn produce(&self, topic: &str, records: Vec<Record>) -> Result<(), NotLogged> {
        let bytes: usize = records.iter().map(|record| record.payload.len() + record.key.len()).sum();
        let kib = u32::try_from(bytes.div_ceil(1_024).max(1)).unwrap_or(u32::MAX);
        let _room = self.room.clone().try_acquire_many_owned(kib).map_err(|_| NotLogged::Full)?;
        if self.is_away() {
            return Err(NotLogged::Away);
        }
        let producer = self.producer()?;
        let mut sent: Vec<DeliveryFuture> = Vec::with_capacity(records.len());
        for record in &records {
            let produced = FutureRecord::to(topic).key(&record.key).payload(&record.payload);
            match producer.send_result(produced) {
                Ok(delivery) => sent.push(delivery),
                Err((error, _)) => return Err(NotLogged::from(error)),
            }
        }
        for delivered in join_all(sent).await {
            match delivered {
                Ok(Ok(_)) => {}
                Ok(Err((error, _))) => return Err(NotLogged::from(error)),
                // The producer ended first.
                Err(_) => return Err(NotLogged::Away),
            }
        }
        Ok(())
    }
}

impl From<KafkaError> for NotLogged {
    fn from(error: KafkaError) -> Self {
        use rdkafka::error::RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::QueueFull) => Self::Full,
            // What another message would meet as well: too large, not allowed, no such topic.
            Some(
                Code::MessageSizeTooLarge
                | Code::TopicAuthorizationFailed
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::InvalidTopic
                | Code::PolicyViolation,
            ) => Self::Refused(error),
            _ => Self::Away,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_events_keep_their_text_and_get_what_they_did_not_state() {
        let body = br#"[{"model":"m","features":{"x":NaN}}, {"bad":1}, {"id":"7","model":"m","timestamp":"2026-11-20T18:00:00Z","prediction":1}]"#;
        let at = Instant::from_seconds(0);
        let accepted = [("new", at), ("7", at)];
        let identities = accepted.iter().map(|(id, timestamp)| Identity {
            model: "m".to_owned(),
            id: (*id).to_owned(),
            timestamp: *timestamp,
        });
        let found = records(body, Framing::Json, &[1], identities);
        let text = |n: usize| String::from_utf8_lossy(&found[n].payload).into_owned();
        assert_eq!(found[0].key, "m/new");
        assert_eq!(
            text(0),
            format!(
                "{{\"id\":\"new\",\"timestamp\":\"{at}\",\"model\":\"m\",\"features\":{{\"x\":\"NaN\"}}}}"
            )
        );
        assert!(text(1).starts_with("{\"id\":\"7\",\"model\""), "{}", text(1));
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn what_is_answered_is_replicated_and_packed_as_told() {
        let config = Config { compression: Compression::Zstd, ..Config::default() };
        let kafka = super::super::Config { brokers: "k:9092".to_owned(), ..Default::default() };
        let client = config.client(&kafka, &Limits::default()).expect("no files to read");
        let expected = [
            ("bootstrap.servers", "k:9092"),
            ("acks", "all"),
            ("enable.idempotence", "true"),
            ("compression.type", "zstd"),
            ("message.timeout.ms", "30000"),
        ];
        for (key, value) in expected {
            assert_eq!(client.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let topic = |name: &str| Config { predictions_topic: name.to_owned(), ..Config::default() };
        let problem = |config: Config, brokers: &str| config.check(brokers).expect_err("wrong").to_string();
        assert!(problem(topic("p"), "").contains("collector.kafka.brokers"));
        assert!(problem(topic("a b"), "k:9092").contains("gateway.predictions_topic"));
        assert!(problem(Config { buffer_bytes: 0, ..topic("p") }, "k").contains("gateway.buffer_bytes"));
        assert_eq!(topic("p").check("k:9092"), Ok(()));
    }
}
