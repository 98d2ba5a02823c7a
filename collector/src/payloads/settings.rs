//! The section `[collector.payloads]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

/// How payload logs of model servers become events, and how much of them waits (`docs/sending-events.md`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Payloads {
    /// How long a request waits for its response, and a response for its request; then it is stored alone.
    pub pair_within_s: u64,
    /// The largest payload, unpacked. Decoding takes a multiple of it.
    pub payload_bytes: usize,
    /// What lies on disk at most between being acknowledged and being stored; beyond it payloads are not taken.
    pub journal_bytes: usize,
    /// A file with the secret that seals the journal; one is made beside it where none is named.
    pub key_file: Option<PathBuf>,
    /// Which attribute of a payload says the environment.
    pub environment_from: EnvironmentFrom,
    /// What its values are called here; others keep their names.
    pub environments: BTreeMap<String, String>,
    /// Whether models of one name in two namespaces are two models.
    pub namespace_in_model: bool,
    /// Headers of the request, as the logger's `metadata` carries them, that become tags.
    pub metadata_tags: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentFrom {
    Endpoint,
    Namespace,
}

impl Default for Payloads {
    fn default() -> Self {
        Self {
            pair_within_s: 60,
            payload_bytes: 4 << 20,
            journal_bytes: 256 << 20,
            key_file: None,
            environment_from: EnvironmentFrom::Endpoint,
            environments: [("default".to_owned(), domain::contract::DEFAULT_ENVIRONMENT.to_owned())].into(),
            namespace_in_model: false,
            metadata_tags: Vec::new(),
        }
    }
}

impl Payloads {
    /// Says what is wrong, naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key, problem: &str| Err(ConfigError { key, problem: problem.to_owned() });
        if self.payload_bytes == 0 || self.journal_bytes < self.payload_bytes.saturating_mul(2) {
            return wrong("payloads.journal_bytes", "must hold at least two payloads of payload_bytes each");
        }
        if !(1..=3_600).contains(&self.pair_within_s) {
            return wrong("payloads.pair_within_s", "must lie between 1 and 3600");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        let key = |settings: Payloads| settings.check().expect_err("refused").key;
        assert_eq!(Payloads::default().check(), Ok(()));
        assert_eq!(key(Payloads { journal_bytes: 1, ..Payloads::default() }), "payloads.journal_bytes");
        assert_eq!(key(Payloads { pair_within_s: 0, ..Payloads::default() }), "payloads.pair_within_s");
    }
}
