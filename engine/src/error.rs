//! What can keep the engine from starting, and what to do about it.

use std::path::PathBuf;

/// The three ways to have an engine, named whenever it cannot be had by itself.
const WAYS_OUT: &str = "either install libchdb (for example to /usr/local/lib) or name it as `engine.library`, \
or install npm so that Leeway can fetch it, or set `clickhouse.url` to use a ClickHouse server";

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the library \"{path}\" named in `engine.library` does not exist")]
    LibraryNotThere { path: PathBuf },
    #[error("libchdb, the embedded ClickHouse, is not on this machine, and npm is not either: {WAYS_OUT}")]
    NpmMissing,
    #[error("no libchdb package is pinned for {platform}: {WAYS_OUT}")]
    PlatformUnsupported { platform: String },
    #[error("`npm pack {package}` failed: {reason}; {WAYS_OUT}")]
    Fetch { package: String, reason: String },
    #[error(
        "the fetched {package} has the integrity value {found}, not the pinned {pinned}; it was not used"
    )]
    Integrity { package: String, found: String, pinned: String },
    #[error("the package {package} does not contain {file}")]
    PackageIncomplete { package: String, file: String },
    #[error("no space left in \"{path}\" for libchdb (it takes about 1.1 GB while it is unpacked)")]
    DiskFull { path: PathBuf },
    #[error("no place for downloads: none of LEEWAY_CACHE_DIR, XDG_CACHE_HOME and HOME is set")]
    NoCacheDirectory,
    #[error("cannot {action} \"{path}\"")]
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot load the library \"{path}\"")]
    Load { path: PathBuf, source: libloading::Error },
    #[error(
        "the data directory \"{path}\" is in use by process {pid} since {since}; stop that one first or name another directory"
    )]
    InUse { path: PathBuf, pid: String, since: String },
    #[error("`engine.settings` names \"{name}\", which is no setting of ClickHouse")]
    Setting { name: String },
    #[error("port {port} on 127.0.0.1 is not free")]
    Port { port: u16, source: std::io::Error },
    #[error("cannot start \"{path}\" as the engine")]
    Spawn { path: PathBuf, source: std::io::Error },
    #[error("the engine did not stop by itself: {how}")]
    Disorder { how: String },
    #[error("the engine did not start: {reason} (its log: \"{log}\")")]
    NotStarted { reason: String, log: PathBuf },
}

impl EngineError {
    /// An I/O error with the place where it came up; a full disk is named as such.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Io { action, path, source },
        }
    }
}
