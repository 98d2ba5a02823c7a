//! The section `[collector.kafka]`: which brokers, which topics, as whom, and how much at once.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};
use service::Secret;

use crate::config::{Batch, ConfigError};
use crate::event;

/// What a consumer of Kafka is told. Without `brokers` there is no Kafka.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `kafka-1:9092,kafka-2:9092`; a few of them are enough to find the others.
    pub brokers: String,
    /// The consumer group. Collectors of one group share the partitions; another group takes every message again.
    pub group: String,
    pub topics: Vec<Topic>,
    /// Where a group begins that never was at a partition.
    pub start: Start,
    /// Headers of messages that become tags of their predictions, where these have no tag of that name.
    pub headers: Vec<String>,
    pub security: Security,
    pub batch: Batch,
    pub limits: Limits,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    pub name: String,
    pub kind: Kind,
}

/// What the messages of a topic are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Predictions,
    Outcomes,
}

impl From<Kind> for event::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Predictions => Self::Prediction,
            Kind::Outcomes => Self::Outcome,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    #[default]
    Earliest,
    Latest,
}

/// How brokers are spoken to. `sasl` needs TLS beyond a trusted network: SCRAM hides the password, PLAIN does not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    pub tls: bool,
    /// Authorities in PEM that brokers' certificates must come from; the system's where it is not stated.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key in PEM, where brokers ask for one.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
    pub key_password: Secret,
    pub sasl: Option<Sasl>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sasl {
    pub mechanism: Mechanism,
    pub user: String,
    #[serde(default)]
    pub password: Secret,
    /// A file that holds the password; wins over `password`.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    #[serde(rename = "PLAIN")]
    Plain,
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// Bounds on memory and time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Fetched ahead of a partition that is at work; while it waits for the store, nothing more is fetched.
    pub prefetch_bytes: usize,
    /// Messages in the batches of all partitions together, gathered or being stored.
    pub waiting_bytes: usize,
    /// After so long without a sign of life the group gives a collector's partitions to others.
    pub session_ms: u64,
    /// How long a partition that is taken away may still finish its batch; then the next owner does.
    pub hand_over_ms: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            group: "leeway".to_owned(),
            topics: Vec::new(),
            start: Start::default(),
            headers: Vec::new(),
            security: Security::default(),
            // Nobody waits for an answer, so batches may be older, and larger, than those of HTTP.
            batch: Batch { age_ms: 1_000, ..Batch::default() },
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { prefetch_bytes: 16 << 20, waiting_bytes: 256 << 20, session_ms: 45_000, hand_over_ms: 10_000 }
    }
}

impl Limits {
    pub fn hand_over(&self) -> Duration {
        Duration::from_millis(self.hand_over_ms)
    }
}

/// Names that Kafka allows for a topic.
pub(super) fn is_topic(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 249 && name.chars().all(allowed) && name != "." && name != ".."
}

impl Config {
    /// Says what is wrong, naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: String| Err(ConfigError { key, problem });
        if !self.topics.is_empty() && self.brokers.trim().is_empty() {
            return wrong(
                "kafka.brokers",
                "is missing; name some, such as \"kafka-1:9092,kafka-2:9092\"".to_owned(),
            );
        }
        if self.group.trim().is_empty() {
            return wrong(
                "kafka.group",
                "is empty; collectors that share the work name the same group".to_owned(),
            );
        }
        for (index, topic) in self.topics.iter().enumerate() {
            if !is_topic(&topic.name) {
                let problem =
                    format!("\"{}\" is no topic's name: letters, digits, `.`, `_` and `-`", topic.name);
                return wrong("kafka.topics", problem);
            }
            if self.topics.iter().take(index).any(|other| other.name == topic.name) {
                return wrong(
                    "kafka.topics",
                    format!("\"{}\" stands there twice; it has one kind", topic.name),
                );
            }
        }
        self.security.check()?;
        if self.batch.rows == 0 || self.batch.bytes == 0 || self.batch.in_flight == 0 {
            return wrong(
                "kafka.batch",
                "needs at least one row, one byte and one insert in flight".to_owned(),
            );
        }
        let Limits { prefetch_bytes, waiting_bytes, session_ms, .. } = self.limits;
        if prefetch_bytes < 1_024 || waiting_bytes < 1_024 {
            return wrong("kafka.limits", "must leave room for at least 1,024 bytes each".to_owned());
        }
        if !(1_000..=3_600_000).contains(&session_ms) {
            return wrong("kafka.limits.session_ms", "must lie between 1,000 and 3,600,000".to_owned());
        }
        Ok(())
    }

    /// What holds for every client, consumer or producer.
    ///
    /// # Errors
    /// Where the password's file cannot be read.
    pub fn client(&self) -> anyhow::Result<ClientConfig> {
        let mut client = ClientConfig::new();
        client
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "leeway")
            .set("reconnect.backoff.max.ms", "2000")
            .set("statistics.interval.ms", "1000");
        self.security.apply(&mut client)?;
        Ok(client)
    }
}

impl Security {
    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: &str| Err(ConfigError { key, problem: problem.to_owned() });
        let files = [&self.ca_file, &self.cert_file, &self.key_file];
        if !self.tls && files.iter().any(|file| file.is_some()) {
            return wrong("kafka.security.tls", "is off, but files for it are named: set it to true");
        }
        if self.cert_file.is_some() != self.key_file.is_some() {
            return wrong("kafka.security.cert_file", "and key_file belong together: name both or none");
        }
        match &self.sasl {
            Some(sasl) if sasl.user.is_empty() => wrong("kafka.security.sasl.user", "is missing"),
            Some(sasl) if sasl.password.is_empty() && sasl.password_file.is_none() => {
                wrong("kafka.security.sasl.password", "is missing; set it or password_file")
            }
            _ => Ok(()),
        }
    }

    fn apply(&self, client: &mut ClientConfig) -> anyhow::Result<()> {
        let protocol = match (self.tls, self.sasl.is_some()) {
            (false, false) => "plaintext",
            (true, false) => "ssl",
            (false, true) => "sasl_plaintext",
            (true, true) => "sasl_ssl",
        };
        client.set("security.protocol", protocol);
        let files = [
            ("ssl.ca.location", &self.ca_file),
            ("ssl.certificate.location", &self.cert_file),
            ("ssl.key.location", &self.key_file),
        ];
        for (key, file) in files {
            if let Some(path) = file {
                client.set(key, path.to_str().context("a path of [collector.kafka.security] is no UTF-8")?);
            }
        }
        if !self.key_password.is_empty() {
            client.set("ssl.key.password", self.key_password.expose());
        }
        if let Some(sasl) = &self.sasl {
            client.set("sasl.mechanism", sasl.mechanism.name());
            client.set("sasl.username", &sasl.user).set("sasl.password", sasl.password()?);
        }
        Ok(())
    }
}

impl Sasl {
    fn password(&self) -> anyhow::Result<String> {
        match &self.password_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).with_context(|| {
                    format!("the password for Kafka cannot be read from \"{}\"", path.display())
                })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
            None => Ok(self.password.expose().to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let config: Config = toml::from_str(text).expect("the keys are known");
        config.check().expect_err("it is wrong").to_string()
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let topic = "[[topics]]\nname = \"p\"\nkind = \"predictions\"\n";
        let cases = [
            (topic.to_owned(), "kafka.brokers"),
            ("group = \" \"".to_owned(), "kafka.group"),
            ("brokers = \"b\"\n[[topics]]\nname = \"a b\"\nkind = \"outcomes\"".to_owned(), "\"a b\""),
            (format!("brokers = \"b\"\n{topic}{topic}"), "twice"),
            ("[security]\nca_file = \"ca.pem\"".to_owned(), "kafka.security.tls"),
            ("[security]\ntls = true\ncert_file = \"c\"".to_owned(), "key_file"),
            ("[security.sasl]\nmechanism = \"PLAIN\"\nuser = \"u\"".to_owned(), "password_file"),
            ("[batch]\nrows = 0".to_owned(), "kafka.batch"),
            ("[limits]\nprefetch_bytes = 0".to_owned(), "kafka.limits"),
            ("[limits]\nsession_ms = 1".to_owned(), "session_ms"),
        ];
        for (text, part) in cases {
            let problem = problem(&text);
            assert!(problem.contains(part), "{text}: {problem}");
        }
        let unknown = toml::from_str::<Config>("[security.sasl]\nmechanism = \"GSSAPI\"\nuser = \"u\"");
        assert!(unknown.expect_err("not known").to_string().contains("SCRAM-SHA-512"));
    }

    #[test]
    fn security_becomes_the_protocol_and_secrets_do_not_show() {
        let text = "brokers = \"b:9093\"\n[security]\ntls = true\nca_file = \"/ca.pem\"\n[security.sasl]\n\
                    mechanism = \"SCRAM-SHA-256\"\nuser = \"u\"\npassword = \"hunter2\"";
        let config: Config = toml::from_str(text).expect("sound");
        config.check().expect("in order");
        let client = config.client().expect("no files to read");
        let expected = [
            ("security.protocol", "sasl_ssl"),
            ("ssl.ca.location", "/ca.pem"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.password", "hunter2"),
        ];
        for (key, value) in expected {
            assert_eq!(client.get(key), Some(value), "{key}");
        }
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
