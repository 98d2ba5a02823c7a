//! Who holds a data directory.
//!
//! Two locks, because two processes may not share one: that of the program that started the engine, by which a second start
//! learns who was first, also while the engine is being restarted; and that of the engine process itself, which outlives its
//! parent for as long as it takes to close the tables. The system takes a lock back when its process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::EngineError;

/// The lock of the program that started the engine; its content is that program's process id.
pub const OWNER: &str = "leeway.lock";

/// The lock of the engine process.
pub const TABLES: &str = "engine.lock";

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(25);

/// Takes a lock, waiting for `patience`: a look by [`is_held`] holds it for a moment, a dying engine for longer.
///
/// # Errors
/// [`EngineError::InUse`] with who holds it and since when.
pub fn take(data_dir: &Path, name: &str, patience: Duration) -> Result<File, EngineError> {
    let path = data_dir.join(name);
    let failed = |source| EngineError::io("lock", &path, source);
    let mut file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).map_err(failed)?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if begun.elapsed() < patience => std::thread::sleep(RETRY),
            Err(TryLockError::WouldBlock) => return Err(holder(file, data_dir)),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(file)
}

/// Whether some process holds the lock now.
pub fn is_held(data_dir: &Path, name: &str) -> bool {
    let lock = File::open(data_dir.join(name));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The holder by what it wrote when it took the lock; the file's age says since when.
fn holder(mut file: File, data_dir: &Path) -> EngineError {
    let mut pid = String::new();
    let _ = file.read_to_string(&mut pid);
    let since = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let since = since.and_then(|since| jiff::Timestamp::try_from(since).ok()).map_or_else(
        || "an unknown time".to_owned(),
        |since| since.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    EngineError::InUse { path: data_dir.to_owned(), pid: pid.trim().to_owned(), since }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_taker_learns_who_was_first_and_since_when() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = take(folder.path(), OWNER, Duration::ZERO).expect("nobody holds it");
        assert!(is_held(folder.path(), OWNER));
        let refused = take(folder.path(), OWNER, Duration::ZERO).expect_err("it is held").to_string();
        assert!(refused.contains(&format!("process {} since 2", std::process::id())), "{refused}");
        drop(first);
        assert!(!is_held(folder.path(), OWNER));
        take(folder.path(), OWNER, Duration::ZERO).expect("it is free again");
    }
}
