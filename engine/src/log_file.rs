//! The engine's log file: it grows to a bound, then becomes `engine.log.1` and a new one begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Name of the log in the data directory.
pub const FILE_NAME: &str = "engine.log";

/// Two files of this size tell weeks of an engine's life and nobody notices them on a disk.
pub const LARGEST_BYTES: u64 = 10 * 1024 * 1024;

/// A log that many threads write to.
#[derive(Clone)]
pub struct LogFile(Arc<Mutex<Open>>);

struct Open {
    path: PathBuf,
    file: File,
    written: u64,
}

/// Opens the log for adding to it, after putting a full one aside.
pub fn open(path: &Path) -> io::Result<File> {
    if std::fs::metadata(path).is_ok_and(|metadata| metadata.len() >= LARGEST_BYTES) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

impl LogFile {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let written = file.metadata()?.len();
        Ok(Self(Arc::new(Mutex::new(Open { path: path.to_owned(), file, written }))))
    }
}

impl Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.written >= LARGEST_BYTES {
            log.file = open(&log.path)?;
            log.written = log.file.metadata()?.len();
        }
        let count = log.file.write(bytes)?;
        log.written += u64::try_from(count).unwrap_or(u64::MAX);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_put_aside_and_a_new_one_begins() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        let mut log = LogFile::open(&path).expect("a log");
        let line = vec![b'x'; 1024 * 1024];
        for _ in 0..11 {
            log.write_all(&line).expect("written");
        }
        let length = |name: &str| std::fs::metadata(folder.path().join(name)).expect("it is there").len();
        assert_eq!(length("engine.log.1"), 10 * 1024 * 1024);
        assert_eq!(length("engine.log"), 1024 * 1024);
    }
}
