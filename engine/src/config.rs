//! What the embedded engine can be told.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Statements at once. More threads than this gain nothing on one machine and each takes memory.
const DEFAULT_MAX_CONNECTIONS: usize = 16;

/// Memory of the engine; enough for a day of a few million events, and leaves a small machine usable.
const DEFAULT_MEMORY_LIMIT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The embedded engine of one data directory, as the supervisor starts it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Where the engine keeps its tables, its lock and its log.
    pub data_dir: PathBuf,
    /// libchdb itself; where none is named it is looked for and, if need be, fetched.
    pub library: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 takes a free one, kept over restarts.
    pub port: u16,
    /// All statements together may not use more.
    pub memory_limit_bytes: u64,
    /// Statements that run at the same time; further ones wait.
    pub max_connections: usize,
    /// The program to start as `<executable> <arguments>`; by default this one.
    pub executable: Option<PathBuf>,
    /// What makes that program the engine (it must call `engine::serve_child`).
    pub arguments: Vec<String>,
    /// How long the first start may take: tables are loaded in it.
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
            start_timeout_s: 60,
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

/// What the supervisor tells the child, as one line of JSON on its standard input, which never shows in a process list.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServeOptions {
    pub data_dir: PathBuf,
    pub library: PathBuf,
    pub port: u16,
    pub memory_limit_bytes: u64,
    pub max_connections: usize,
    pub stop_timeout_s: u64,
    pub user: String,
    pub password: String,
}

impl std::fmt::Debug for ServeOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { data_dir, library, port, memory_limit_bytes, max_connections, user, .. } = self;
        formatter
            .debug_struct("ServeOptions")
            .field("data_dir", data_dir)
            .field("library", library)
            .field("port", port)
            .field("memory_limit_bytes", memory_limit_bytes)
            .field("max_connections", max_connections)
            .field("user", user)
            .finish_non_exhaustive()
    }
}
