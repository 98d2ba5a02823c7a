//! How another process of this machine and user finds the engine that serves a data directory: a file beside its lock.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::lock;

/// Only its owner may read it: the password is in it.
const FILE_NAME: &str = "engine.json";

/// An engine that runs.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    pub url: String,
    pub user: String,
    pub password: String,
    pub pid: u32,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { url, user, pid, .. } = self;
        formatter
            .debug_struct("Running")
            .field("url", url)
            .field("user", user)
            .field("pid", pid)
            .finish_non_exhaustive()
    }
}

/// The engine that serves this data directory now, if one does.
pub fn running(data_dir: &Path) -> Option<Running> {
    // The file may be left from a process that was killed.
    if !lock::is_held(data_dir, lock::OWNER) {
        return None;
    }
    serde_json::from_slice(&std::fs::read(data_dir.join(FILE_NAME)).ok()?).ok()
}

/// Says that this engine runs. The file appears at once with all of its content.
pub fn announce(data_dir: &Path, running: &Running) -> io::Result<()> {
    let unfinished = data_dir.join(format!("{FILE_NAME}.unfinished"));
    let _ = std::fs::remove_file(&unfinished);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(&serde_json::to_vec(running)?)?;
    std::fs::rename(unfinished, path(data_dir))
}

/// Takes the announcement back.
pub fn withdraw(data_dir: &Path) {
    let _ = std::fs::remove_file(path(data_dir));
}

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE_NAME)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_announcement_counts_only_while_the_lock_is_held() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Running { url: "u".into(), user: "n".into(), password: "secret".into(), pid: 7 };
        assert_eq!(running(folder.path()), None);
        announce(folder.path(), &engine).expect("announced");
        let mode = std::fs::metadata(path(folder.path())).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let _held = lock::take(folder.path(), lock::OWNER, Duration::ZERO).expect("nobody holds it");
        assert_eq!(running(folder.path()), Some(engine.clone()));
        assert!(!format!("{engine:?}").contains("secret"));
        withdraw(folder.path());
        assert_eq!(running(folder.path()), None);
    }
}
