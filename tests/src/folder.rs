//! Folders that outlive a test process only until the next one: statics are never dropped, so the engine's files cannot be
//! removed by the process that made them.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

/// Where all of them lie, below the machine's folder for temporary files.
const ROOT: &str = "leeway-tests";

/// Held by the process that uses a folder.
const LOCK: &str = "in-use";

/// The engine's own lock: it may still be closing its tables when the test process is gone.
const ENGINE_LOCK: &str = "engine.lock";

/// An empty folder for this process; its files stay until another process finds it unused.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    pub fn new() -> Self {
        let root = std::env::temp_dir().join(ROOT);
        std::fs::create_dir_all(&root).expect("a folder for temporary files");
        // One process at a time sweeps and makes its own, so that none takes away what another is just making.
        let gate = open(&root.join(LOCK));
        gate.lock().expect("the lock of the folder of all tests");
        let unused = set_aside_unused(&root);
        let path = root.join(uuid::Uuid::new_v4().simple().to_string());
        std::fs::create_dir(&path).expect("a new folder");
        let lock = open(&path.join(LOCK));
        lock.lock().expect("a lock that nobody else knows of");
        drop(gate);
        // Thousands of files take their time, for which nobody should wait.
        for folder in unused {
            let _ = std::fs::remove_dir_all(folder);
        }
        Self { path, _lock: lock }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).expect("a lock file")
}

/// Renames the folders whose processes are gone, so that nobody takes them for used again, and gives their new names.
fn set_aside_unused(root: &Path) -> Vec<PathBuf> {
    let mut aside = Vec::new();
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let path = entry.path();
        let unused = |name: &str| File::open(path.join(name)).map_or(true, |lock| lock.try_lock().is_ok());
        let renamed = path.with_extension("unused");
        if path.is_dir() && unused(LOCK) && unused(ENGINE_LOCK) && std::fs::rename(&path, &renamed).is_ok() {
            aside.push(renamed);
        }
    }
    aside
}
