//! What the embedded engine can be told.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// Statements at once. More threads than this gain nothing on one machine and each takes memory.
const DEFAULT_MAX_CONNECTIONS: NonZeroU16 = NonZeroU16::new(16).expect("sixteen is not zero");

/// Memory of the engine; enough for a day of a few million events, and leaves a small machine usable.
const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Less than this and the engine cannot even load its own tables.
const LEAST_MEMORY_BYTES: u64 = 256 * 1024 * 1024;

/// The embedded engine of one data directory, as the supervisor starts it: the section `[engine]`, and what the program that
/// reads it adds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Where the engine keeps its tables, its locks and its log.
    #[serde(skip)]
    pub data_dir: PathBuf,
    /// libchdb itself; where none is named it is looked for and, if need be, fetched.
    pub library: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one, kept over restarts.
    pub port: u16,
    /// All statements together may not use more.
    #[serde(deserialize_with = "enough_memory")]
    pub memory_limit_bytes: u64,
    /// Statements that run at the same time; further ones wait.
    pub max_connections: NonZeroU16,
    /// The program to start as `<executable> <arguments>`; by default this one.
    #[serde(skip)]
    pub executable: Option<PathBuf>,
    /// What makes that program the engine (it must call `engine::serve_child`).
    #[serde(skip)]
    pub arguments: Vec<String>,
    /// ClickHouse's settings for every statement that does not set them itself, such as `max_threads`.
    pub settings: BTreeMap<String, String>,
    /// How long a start may take: the library is read from a cold disk in it, and tables are loaded.
    pub start_timeout_s: u64,
    /// How long running statements may go on once a stop is asked for.
    pub stop_timeout_s: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("leeway-data"),
            library: None,
            port: 0,
            memory_limit_bytes: DEFAULT_MEMORY_LIMIT_BYTES,
            max_connections: DEFAULT_MAX_CONNECTIONS,
            executable: None,
            arguments: vec!["engine".to_owned()],
            settings: BTreeMap::new(),
            start_timeout_s: 120,
            stop_timeout_s: 20,
        }
    }
}

impl EngineConfig {
    /// The defaults on this data directory.
    pub fn at(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), ..Self::default() }
    }

    pub(crate) fn start_timeout(&self) -> Duration {
        Duration::from_secs(self.start_timeout_s)
    }

    pub(crate) fn stop_timeout(&self) -> Duration {
        Duration::from_secs(self.stop_timeout_s)
    }
}

fn enough_memory<'a, D: Deserializer<'a>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        bytes if bytes < LEAST_MEMORY_BYTES => Err(serde::de::Error::custom(format!(
            "{bytes} bytes are too few (at least {LEAST_MEMORY_BYTES})"
        ))),
        bytes => Ok(bytes),
    }
}

/// What the supervisor tells the child, as one line of JSON on its standard input, which never shows in a process list.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServeOptions {
    pub data_dir: PathBuf,
    pub library: PathBuf,
    pub port: u16,
    pub memory_limit_bytes: u64,
    pub max_connections: NonZeroU16,
    pub settings: BTreeMap<String, String>,
    pub stop_timeout_s: u64,
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data_dir, library, port, memory_limit_bytes, max_connections, settings, user, .. } = self;
        formatter
            .debug_struct("ServeOptions")
            .field("data_dir", data_dir)
            .field("library", library)
            .field("port", port)
            .field("memory_limit_bytes", memory_limit_bytes)
            .field("max_connections", max_connections)
            .field("settings", settings)
            .field("user", user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<EngineConfig, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_reason() {
        assert!(read(r#"{"memory_limit_bytes": 1000}"#).expect_err("too few").contains("at least 268435456"));
        assert!(read(r#"{"max_connections": 0}"#).expect_err("none").contains("nonzero"));
        assert!(read(r#"{"ports": 1}"#).expect_err("no such key").contains("ports"));
    }

    #[test]
    fn only_the_program_says_where_the_data_lies_and_what_to_start() {
        for key in ["data_dir", "executable", "arguments"] {
            assert!(read(&format!("{{\"{key}\": \"x\"}}")).expect_err("not in the file").contains(key));
        }
        assert_eq!(read("{}").expect("all defaults").arguments, EngineConfig::default().arguments);
    }
}
