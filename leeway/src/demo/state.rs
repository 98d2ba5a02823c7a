//! What the demonstration remembers between two starts: when its year ends, and the secret of its webhooks.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use domain::time::{Clock, Instant, MINUTE};
use serde::{Deserialize, Serialize};

/// Marks a folder as the demonstration's own, which `--fresh` may delete.
const FILE: &str = "demo.json";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// When the last flight of the history took place.
    pub end_at: Instant,
    /// What webhooks are signed with, `whsec_…`.
    pub webhook_secret: String,
}

impl State {
    /// The state of an earlier start, or a new one that is kept from now on.
    ///
    /// # Errors
    /// Where the folder holds something that is not the demonstration's, or cannot be written.
    pub fn open(folder: &Path, clock: &Clock) -> anyhow::Result<Self> {
        let file = path(folder);
        match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("\"{}\" cannot be read; start again with --fresh", file.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(folder, clock),
            Err(error) => Err(error).with_context(|| format!("\"{}\" cannot be read", file.display())),
        }
    }

    fn create(folder: &Path, clock: &Clock) -> anyhow::Result<Self> {
        if !is_empty(folder)? {
            anyhow::bail!(
                "\"{}\" is not empty and no folder of the demonstration; name another with --data DIR",
                folder.display()
            );
        }
        let secret = base64::engine::general_purpose::STANDARD.encode(rand::random::<[u8; 24]>());
        let state = Self { end_at: clock.now().floor(MINUTE), webhook_secret: format!("whsec_{secret}") };
        std::fs::create_dir_all(folder)
            .and_then(|()| {
                std::fs::write(path(folder), serde_json::to_vec_pretty(&state).unwrap_or_default())
            })
            .with_context(|| format!("\"{}\" cannot be written", folder.display()))?;
        Ok(state)
    }
}

/// Deletes the folder of an earlier demonstration, and nothing else.
///
/// # Errors
/// Where the folder is not the demonstration's.
pub fn forget(folder: &Path) -> anyhow::Result<()> {
    if is_empty(folder)? {
        return Ok(());
    }
    if !path(folder).exists() {
        anyhow::bail!("\"{}\" is no folder of the demonstration; --fresh leaves it alone", folder.display());
    }
    std::fs::remove_dir_all(folder).with_context(|| format!("\"{}\" cannot be deleted", folder.display()))
}

fn is_empty(folder: &Path) -> anyhow::Result<bool> {
    match std::fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("\"{}\" cannot be read", folder.display())),
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_resumes_and_a_fresh_one_forgets() {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path().join("demo");
        let first = State::open(&folder, &Clock::System).expect("a new state");
        assert_eq!(State::open(&folder, &Clock::System).expect("the same"), first);
        forget(&folder).expect("forgotten");
        assert!(!folder.exists());
        assert_ne!(
            State::open(&folder, &Clock::System).expect("another").webhook_secret,
            first.webhook_secret
        );
    }

    #[test]
    fn somebody_elses_folder_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let treasure = folder.path().join("thesis.tex");
        std::fs::write(&treasure, "…").expect("written");
        assert!(State::open(folder.path(), &Clock::System).is_err());
        assert!(forget(folder.path()).is_err());
        assert!(treasure.exists());
    }
}
