//! The section `[collector]`: where it listens, who may send, and how much at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use domain::contract::{Action, Pattern};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use service::Secret;
use service::http::Bounds;
pub use service::token::{Quota, Scope, Token};

use crate::guard::Settings;
pub use crate::payloads::settings::{EnvironmentFrom, Payloads};
use crate::sources::kafka;

/// Checked when it is read: a wrong one cannot exist.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct Config {
    /// Address and port of the HTTP source. Beyond loopback it needs `tokens`.
    pub listen: String,
    /// Who may send; without any, everybody who reaches a loopback address.
    pub tokens: Vec<Token>,
    /// Batches lie here from before their insert until after it; below `data_dir` where it is relative. One collector a
    /// directory.
    pub spool_dir: PathBuf,
    pub limits: Limits,
    pub batch: Batch,
    pub grids: Grids,
    pub kafka: kafka::Config,
    pub privacy: Privacy,
    pub payloads: Payloads,
    pub gateway: kafka::gateway::Config,
    pub duplicates: Duplicates,
}

/// Bounds on what one request, and all of them together, may hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The largest body as it is sent. Sixteen MiB are some 15,000 events of 50 features.
    pub body_bytes: usize,
    /// The largest body once unpacked: a few bytes of gzip can stand for gigabytes.
    pub unpacked_bytes: usize,
    /// Unpacked bodies and the events from them that wait to be stored, all requests together; beyond it senders are told
    /// to wait (429). With a batch or two beside it, it is what a collector holds at most.
    pub waiting_bytes: usize,
    /// How long a body of stated length waits for room before its sender is told so; nothing of it is read meanwhile. What
    /// is told to wait is sent twice, and large bodies cost twice.
    pub room_within_ms: u64,
    /// Connections at once; further ones are told to come back (503).
    pub connections: usize,
    /// How long the headers of a request may take, and how long a connection may be idle between two.
    pub headers_within_s: u64,
    /// How long a sender may take to send a body.
    pub body_within_s: u64,
    /// How long a request waits for the store before it is told to come back (503).
    pub answer_within_s: u64,
    /// How far in the future an event's timestamp may lie: clocks differ.
    pub future_s: u64,
}

/// When a batch is full. A batch is one insert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Batch {
    /// ClickHouse likes inserts of ten thousand rows and more.
    pub rows: usize,
    pub bytes: usize,
    /// The longest that the first event of a batch waits for others.
    pub age_ms: u64,
    /// Inserts at work at once: one is built while another is stored.
    pub in_flight: usize,
}

/// When grids are made and how they come into force (`docs/decisions/0003-grids-without-loss.md`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grids {
    /// A signal with so many values gets its grid.
    pub values: u64,
    /// A signal that has fewer gets it when its model has been there for so long.
    pub first_hour_s: u64,
    /// How long before it holds a grid is announced.
    pub lead_ms: u64,
    /// How often grids are read again; well below half the lead.
    pub refresh_ms: u64,
    /// How long after a grid holds everything received before it is surely stored.
    pub settle_ms: u64,
    /// Signals of all models that are remembered while they have no grid; further ones wait for these.
    pub waiting_signals: usize,
}

/// What is redacted of the events of all models, beside what their contracts say (`docs/privacy.md`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Privacy {
    /// The key of all hashes. Who changes it cuts every hashed id off from what was stored before.
    pub key: Secret,
    /// A file that holds the key; wins over `key`.
    pub key_file: Option<PathBuf>,
    /// What is looked for in every text: `email`, `card`, `phone`.
    pub patterns: Vec<Pattern>,
    /// What is done with a privacy class where a contract does not say it.
    pub classes: BTreeMap<String, Action>,
}

/// A key of fewer bytes could be tried out.
const LEAST_KEY_BYTES: usize = 16;

impl Privacy {
    pub fn has_key(&self) -> bool {
        self.key_file.is_some() || !self.key.is_empty()
    }

    /// The same with the key at hand.
    ///
    /// # Errors
    /// Where the key's file cannot be read, or the key is too short.
    pub fn settings(&self) -> anyhow::Result<Settings> {
        let key = match &self.key_file {
            Some(path) => std::fs::read_to_string(path).with_context(|| {
                format!("collector.privacy.key_file \"{}\" cannot be read", path.display())
            })?,
            None => self.key.expose().to_owned(),
        };
        let key = key.trim();
        anyhow::ensure!(
            key.len() >= LEAST_KEY_BYTES || !self.has_key(),
            "collector.privacy.key is shorter than {LEAST_KEY_BYTES} bytes: take what `openssl rand -hex 32` prints"
        );
        Ok(Settings { key: Secret::new(key), patterns: self.patterns.clone(), classes: self.classes.clone() })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4841".to_owned(),
            tokens: Vec::new(),
            spool_dir: PathBuf::from("spool"),
            limits: Limits::default(),
            batch: Batch::default(),
            grids: Grids::default(),
            kafka: kafka::Config::default(),
            privacy: Privacy::default(),
            payloads: Payloads::default(),
            gateway: kafka::gateway::Config::default(),
            duplicates: Duplicates::default(),
        }
    }
}

/// How repeated events are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Duplicates {
    /// For how long an event is remembered, at least; 0 for not at all.
    pub window_s: u64,
    /// Events remembered at most, by all models together: 16 bytes each, and as much again for finding them.
    pub most: usize,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { window_s: 600, most: 1_000_000 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            body_bytes: 16 * MIB,
            unpacked_bytes: 64 * MIB,
            waiting_bytes: 128 * MIB,
            room_within_ms: 500,
            connections: Bounds::default().connections,
            headers_within_s: Bounds::default().headers_within.as_secs(),
            body_within_s: 30,
            answer_within_s: 30,
            future_s: 300,
        }
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { rows: 50_000, bytes: 64 << 20, age_ms: 100, in_flight: 2 }
    }
}

impl Default for Grids {
    fn default() -> Self {
        Self {
            values: 5_000,
            first_hour_s: 3_600,
            lead_ms: 10_000,
            refresh_ms: 2_000,
            settle_ms: 10_000,
            waiting_signals: 50_000,
        }
    }
}

impl Grids {
    /// How old the known grids may be when events are counted. An announcement is in the store half the lead before it
    /// holds; the other tenth is left for clocks that differ.
    pub fn freshness(&self) -> Duration {
        Duration::from_millis(self.lead_ms * 2 / 5)
    }

    pub fn lead(&self) -> Duration {
        Duration::from_millis(self.lead_ms)
    }

    pub fn settle(&self) -> Duration {
        Duration::from_millis(self.settle_ms)
    }
}

impl Limits {
    pub fn answer_within(&self) -> Duration {
        Duration::from_secs(self.answer_within_s)
    }

    pub fn body_within(&self) -> Duration {
        Duration::from_secs(self.body_within_s)
    }

    pub fn room_within(&self) -> Duration {
        Duration::from_millis(self.room_within_ms)
    }

    pub fn bounds(&self) -> Bounds {
        Bounds { connections: self.connections, headers_within: Duration::from_secs(self.headers_within_s) }
    }

    pub fn future(&self) -> Duration {
        Duration::from_secs(self.future_s)
    }
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived reader, which `remote` keeps apart from this one.
        let config = Self::deserialize(deserializer)?;
        config.check().map_err(D::Error::custom)?;
        Ok(config)
    }
}

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // `remote` keeps the derived writer apart as well.
        Self::serialize(self, serializer)
    }
}

/// What is wrong with the section, by the key that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct ConfigError {
    pub key: &'static str,
    pub problem: String,
}

impl Config {
    /// Says what is wrong, naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: &str| Err(ConfigError { key, problem: problem.to_owned() });
        if self.tokens.is_empty() && !self.is_loopback() {
            return wrong(
                "listen",
                &format!(
                    "\"{}\" can be reached from other machines: set collector.tokens, or listen on 127.0.0.1",
                    self.listen
                ),
            );
        }
        for token in &self.tokens {
            token.check().map_err(|error| ConfigError { key: "tokens", problem: error.to_string() })?;
        }
        if self.duplicates.most == 0 {
            return wrong("duplicates.most", "must be at least 1; set window_s to 0 to remember nothing");
        }
        let Limits { body_bytes, unpacked_bytes, waiting_bytes, .. } = self.limits;
        if body_bytes == 0 || unpacked_bytes < body_bytes || waiting_bytes < unpacked_bytes {
            return wrong("limits", "must keep 0 < body_bytes ≤ unpacked_bytes ≤ waiting_bytes");
        }
        if self.limits.connections == 0 || self.limits.headers_within_s == 0 {
            return wrong("limits", "must allow at least one connection, and headers a second");
        }
        if self.batch.rows == 0 || self.batch.bytes == 0 || self.batch.in_flight == 0 {
            return wrong("batch", "needs at least one row, one byte and one insert in flight");
        }
        if self.grids.refresh_ms == 0 || self.grids.refresh_ms * 4 > self.grids.lead_ms {
            return wrong("grids.refresh_ms", "must lie between 1 and a quarter of lead_ms");
        }
        if self.grids.values == 0 {
            return wrong("grids.values", "must be at least 1");
        }
        if self.grids.waiting_signals == 0 {
            return wrong("grids.waiting_signals", "must be at least 1: no signal would ever get a grid");
        }
        let hashes = self.privacy.classes.values().any(|action| matches!(action, Action::Hash));
        if (hashes || !self.privacy.patterns.is_empty()) && !self.privacy.has_key() {
            return wrong(
                "privacy.key",
                "is needed to hash (ids in which a pattern is found are hashed as well): set it, or privacy.key_file, \
                 to what `openssl rand -hex 32` prints",
            );
        }
        self.payloads.check()?;
        self.kafka.check()?;
        self.gateway.check(&self.kafka.brokers)
    }

    /// Whether only this machine can reach the address.
    fn is_loopback(&self) -> bool {
        let host = self.listen.rsplit_once(':').map_or(self.listen.as_str(), |(host, _)| host);
        match self.listen.parse::<SocketAddr>() {
            Ok(address) => address.ip().is_loopback(),
            Err(_) => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_in_order() {
        assert_eq!(read(""), Ok(Config::default()));
    }

    #[test]
    fn beyond_loopback_tokens_are_needed() {
        for address in ["0.0.0.0:4841", "[::]:4841", "collector.example:4841"] {
            let error = read(&format!("listen = \"{address}\"")).expect_err("no tokens");
            assert!(error.contains("collector.tokens"), "{error}");
        }
        for address in ["127.0.0.1:0", "[::1]:4841", "localhost:4841"] {
            assert!(read(&format!("listen = \"{address}\"")).is_ok(), "{address}");
        }
        let tokens = "[[tokens]]\nname = \"a\"\ntoken = \"x\"\nscopes = [\"predictions\"]";
        assert!(read(&format!("listen = \"0.0.0.0:4841\"\n{tokens}")).is_ok());
    }

    #[test]
    fn an_unknown_key_or_scope_is_refused_beside_the_known_ones() {
        assert!(read("lissen = \"x\"").expect_err("a typo").contains("listen"));
        let error =
            read("[[tokens]]\nname = \"a\"\ntoken = \"x\"\nscopes = [\"all\"]").expect_err("no scope");
        assert!(error.contains("predictions") && error.contains("outcomes"), "{error}");
    }

    #[test]
    fn limits_that_cannot_hold_together_are_named() {
        let error = read("[limits]\nbody_bytes = 10\nunpacked_bytes = 5").expect_err("unpacked is smaller");
        assert!(error.contains("unpacked_bytes"), "{error}");
        assert!(read("[grids]\nlead_ms = 100").expect_err("refresh is too slow").contains("lead_ms"));
    }
}
