//! Batches on disk from before their insert until after it: a collector that dies in between finishes them at its next
//! start, the same bytes under the same token.
//!
//! Invariant: a file with the ending `arrow` is whole. It is written under another name first.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use domain::time::Instant;
use sql::intake::Door;

const WHOLE: &str = "arrow";
const PARTIAL: &str = "partial";
const LOCK: &str = "lock";
const REFUSED: &str = "refused";

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("another collector uses the spool \"{path}\"; give each its own collector.spool_dir", path = path.display())]
    Taken { path: PathBuf },
    #[error("the spool \"{path}\" cannot be used", path = path.display())]
    Unusable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// Files that are written again rather than removed, as many as inserts are mostly at work at once: their memory in the
/// system's cache is there already, and new memory costs more than the writing.
const SPARES: usize = 4;

#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    spares: Spares,
    _lock: File,
}

/// A batch in the spool.
#[derive(Clone, Debug)]
pub struct Entry {
    pub door: Door,
    pub token: String,
    path: PathBuf,
    spares: Spares,
}

/// Files that hold no batch any more, under names that say so.
#[derive(Clone, Debug, Default)]
struct Spares(Arc<Mutex<Vec<PathBuf>>>);

impl Spares {
    fn take(&self) -> Option<PathBuf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps the file as a spare, or removes it where there are enough.
    fn keep(&self, path: &Path) -> std::io::Result<()> {
        let mut spares = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spares.len() >= SPARES {
            return std::fs::remove_file(path);
        }
        let spare = path.with_extension(PARTIAL);
        std::fs::rename(path, &spare)?;
        spares.push(spare);
        Ok(())
    }
}

impl Spool {
    /// Takes the folder for this process; also gives what an earlier one left in it, in the order of the tokens, which
    /// is that of time.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Entry>), SpoolError> {
        let unusable = |source| SpoolError::Unusable { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder.join(REFUSED)).map_err(unusable)?;
        let lock = File::create(folder.join(LOCK)).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => SpoolError::Taken { path: folder.to_owned() },
            std::fs::TryLockError::Error(source) => unusable(source),
        })?;
        let left = left_behind(folder).map_err(unusable)?;
        Ok((Self { folder: folder.to_owned(), spares: Spares::default(), _lock: lock }, left))
    }

    /// Writes a batch down. It outlives this process, not the machine: what the machine loses with its power was not
    /// answered for yet.
    pub async fn keep(&self, door: Door, token: &str, stream: Bytes) -> std::io::Result<Entry> {
        let name = format!("{token}.{}", door.name());
        let path = self.folder.join(format!("{name}.{WHOLE}"));
        let partial = self.spares.take().unwrap_or_else(|| self.folder.join(format!("{name}.{PARTIAL}")));
        let entry = Entry { door, token: token.to_owned(), path: path.clone(), spares: self.spares.clone() };
        tokio::task::spawn_blocking(move || {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&partial)?;
            file.write_all(&stream)?;
            file.set_len(stream.len() as u64)?;
            std::fs::rename(&partial, &path)
        })
        .await
        .map_err(std::io::Error::other)??;
        Ok(entry)
    }
}

fn left_behind(folder: &Path) -> std::io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        match entry_of(&path) {
            Some(entry) => entries.push(entry),
            // A batch that was never whole was never sent.
            None if path.extension().is_some_and(|ending| ending == PARTIAL) => std::fs::remove_file(&path)?,
            None => {}
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn entry_of(path: &Path) -> Option<Entry> {
    let name = path.file_name()?.to_str()?.strip_suffix(WHOLE)?.strip_suffix('.')?;
    let (token, door) = name.rsplit_once('.')?;
    let door = Door::ALL.into_iter().find(|known| known.name() == door)?;
    Some(Entry { door, token: token.to_owned(), path: path.to_owned(), spares: Spares::default() })
}

impl Entry {
    /// When it was written down, which is before its first insert.
    pub fn written_at(&self) -> std::io::Result<Instant> {
        let since_epoch = std::fs::metadata(&self.path)?.modified()?.duration_since(UNIX_EPOCH);
        Ok(Instant::EPOCH.saturating_add(since_epoch.unwrap_or_default()))
    }

    pub fn read(&self) -> std::io::Result<Bytes> {
        std::fs::read(&self.path).map(Bytes::from)
    }

    /// Its batch is stored: the file is free for another.
    pub fn remove(&self) -> std::io::Result<()> {
        self.spares.keep(&self.path)
    }

    /// Keeps a batch that the store refuses where nobody repeats it.
    pub fn set_aside(&self) -> std::io::Result<()> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return Ok(()) };
        std::fs::rename(&self.path, folder.join(REFUSED).join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> (Spool, Vec<Entry>) {
        Spool::open(folder).expect("a spool")
    }

    #[tokio::test]
    async fn what_was_kept_is_found_by_the_next_until_it_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (spool, left) = open(folder.path());
        assert!(left.is_empty());
        let second = spool.keep(Door::Outcomes, "0002", Bytes::from_static(b"b")).await.expect("kept");
        let first = spool.keep(Door::Intake, "0001", Bytes::from_static(b"a")).await.expect("kept");
        drop(spool);
        let (spool, left) = open(folder.path());
        let found: Vec<(Door, &str)> = left.iter().map(|entry| (entry.door, entry.token.as_str())).collect();
        assert_eq!(found, [(Door::Intake, "0001"), (Door::Outcomes, "0002")]);
        assert_eq!(first.read().expect("readable"), "a");
        first.remove().expect("removed");
        second.set_aside().expect("moved");
        drop(spool);
        assert!(open(folder.path()).1.is_empty());
        assert!(folder.path().join("refused").join("0002.outcomes.arrow").exists());
    }

    #[tokio::test]
    async fn a_file_is_written_again_and_holds_nothing_of_the_batch_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let (spool, _) = open(folder.path());
        for round in 0..3 {
            let token = |n: usize| format!("{round}{n}");
            let mut kept = Vec::new();
            for n in 0..2 * SPARES {
                let batch = Bytes::from(vec![b'x'; 1_000 / (round + 1) + n]);
                kept.push((spool.keep(Door::Intake, &token(n), batch.clone()).await.expect("kept"), batch));
            }
            for (entry, batch) in &kept {
                assert_eq!(entry.read().expect("readable"), batch);
                entry.remove().expect("removed");
            }
            let files = std::fs::read_dir(folder.path()).expect("a folder").filter_map(Result::ok);
            let spares = files.filter(|file| file.path().extension().is_some_and(|e| e == PARTIAL)).count();
            assert_eq!(spares, SPARES);
        }
        drop(spool);
        assert!(open(folder.path()).1.is_empty(), "spares are no batches");
    }

    #[test]
    fn half_a_batch_is_thrown_away() {
        let folder = tempfile::tempdir().expect("a folder");
        let partial = folder.path().join("0001.intake.partial");
        std::fs::write(&partial, b"ha").expect("written");
        assert!(open(folder.path()).1.is_empty());
        assert!(!partial.exists());
    }

    #[test]
    fn a_spool_belongs_to_one_collector() {
        let folder = tempfile::tempdir().expect("a folder");
        let _held = open(folder.path());
        let error = Spool::open(folder.path()).expect_err("taken");
        assert!(error.to_string().contains("collector.spool_dir"), "{error}");
    }
}
