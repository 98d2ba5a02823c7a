//! Fetches the pinned libchdb package with `npm pack`, checks it and unpacks the library into the cache.
//!
//! A file stands under its final name only when it is complete and its package had the pinned integrity value. One process
//! fetches at a time; others wait for it and then find the file.

use std::fs::{File, TryLockError};
use std::io::{self, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha512};

use crate::error::EngineError;
use crate::library::{FILE_NAME, VERSION};

/// A package and what it must be.
struct Package {
    platform: (&'static str, &'static str),
    name: &'static str,
    integrity: &'static str,
    packed_bytes: u64,
}

/// The packages whose integrity value is pinned: what `npm pack NAME@VERSION --json` said when the version was taken up.
const PACKAGES: [Package; 1] = [Package {
    platform: ("linux", "x86_64"),
    name: "@chdb/lib-linux-x64-gnu",
    integrity: "sha512-XP97mMqnc5tZpKQywR8N7cLTsHNiTmHr30pC5mzo3jWmukjKn2IBa60c2B/gWUNcuFjOMjWoorQICCqBVj5wpw==",
    packed_bytes: 177_817_999,
}];

/// Between two looks at how far npm is.
const POLL: Duration = Duration::from_millis(200);

/// Between two plain progress lines where standard error is no terminal.
const PLAIN_LINE_EVERY: Duration = Duration::from_secs(10);

/// Fetches the library into `folder` and gives its path.
pub fn into_cache(folder: &Path) -> Result<PathBuf, EngineError> {
    fetch_into(folder, for_this_platform()?, Path::new("npm"))
}

fn for_this_platform() -> Result<&'static Package, EngineError> {
    let platform = (std::env::consts::OS, std::env::consts::ARCH);
    let package =
        PACKAGES.iter().find(|package| package.platform == platform && cfg!(not(target_env = "musl")));
    package.ok_or_else(|| EngineError::PlatformUnsupported { platform: platform_name(platform) })
}

fn fetch_into(folder: &Path, package: &Package, npm: &Path) -> Result<PathBuf, EngineError> {
    std::fs::create_dir_all(folder).map_err(|source| EngineError::io("create", folder, source))?;
    let library = folder.join(FILE_NAME);

    let lock_path = folder.join("fetch.lock");
    let lock = File::create(&lock_path).map_err(|source| EngineError::io("create", &lock_path, source))?;
    if matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
        eprintln!("another process is fetching ClickHouse; waiting for it …");
    }
    lock.lock().map_err(|source| EngineError::io("lock", &lock_path, source))?;
    if library.is_file() {
        return Ok(library);
    }
    // Under the lock nobody else fetches, so what is left there is of a process that died.
    let work = folder.join("unfinished");
    let _ = std::fs::remove_dir_all(&work);
    std::fs::create_dir_all(&work).map_err(|source| EngineError::io("create", &work, source))?;
    let fetched = fetch(package, &work, npm).and_then(|unpacked| {
        std::fs::rename(&unpacked, &library).map_err(|source| EngineError::io("create", &library, source))
    });
    let _ = std::fs::remove_dir_all(&work);
    fetched.map(|()| library)
}

fn platform_name((os, architecture): (&str, &str)) -> String {
    let libc = if cfg!(target_env = "musl") { " with musl" } else { "" };
    format!("{os} on {architecture}{libc}")
}

fn fetch(package: &Package, work: &Path, npm: &Path) -> Result<PathBuf, EngineError> {
    let mut progress = Progress::start(package.packed_bytes);
    let archive = download(package, work, npm, &mut progress)?;
    progress.say("checking");
    check(package, &archive)?;
    progress.say("unpacking");
    let unpacked = unpack(package, &archive, work)?;
    progress.finish();
    Ok(unpacked)
}

fn identifier(package: &Package) -> String {
    format!("{}@{VERSION}", package.name)
}

fn download(
    package: &Package,
    work: &Path,
    npm: &Path,
    progress: &mut Progress,
) -> Result<PathBuf, EngineError> {
    // npm's own cache stays in the work folder: it would keep another copy for ever, and its growth shows the progress.
    let cache = work.join("npm");
    let errors_path = work.join("npm-errors.txt");
    let errors =
        File::create(&errors_path).map_err(|source| EngineError::io("create", &errors_path, source))?;
    let mut npm = Command::new(npm)
        .args(["pack", &identifier(package), "--json", "--loglevel=error", "--pack-destination"])
        .arg(work)
        .arg("--cache")
        .arg(&cache)
        .current_dir(work)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => EngineError::NpmMissing,
            _ => EngineError::Fetch { package: identifier(package), reason: source.to_string() },
        })?;
    let failed = wait_for(&mut npm, || progress.at(size_of(&cache)))
        .map_err(|source| EngineError::Fetch { package: identifier(package), reason: source.to_string() })?;
    let archive = std::fs::read_dir(work)
        .map_err(|source| EngineError::io("read", work, source))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    match (failed, archive) {
        (false, Some(archive)) => Ok(archive),
        _ => Err(download_error(package, work, &std::fs::read_to_string(&errors_path).unwrap_or_default())),
    }
}

fn download_error(package: &Package, work: &Path, said: &str) -> EngineError {
    if said.contains("ENOSPC") {
        return EngineError::DiskFull { path: work.to_owned() };
    }
    let reason: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).take(6).collect();
    let reason = if reason.is_empty() { "it left no package".to_owned() } else { reason.join("; ") };
    EngineError::Fetch { package: identifier(package), reason }
}

/// Waits for npm, looking now and then; true when it failed.
fn wait_for(npm: &mut Child, mut look: impl FnMut()) -> io::Result<bool> {
    loop {
        if let Some(status) = npm.try_wait()? {
            return Ok(!status.success());
        }
        look();
        std::thread::sleep(POLL);
    }
}

/// The bytes of all files below a folder.
fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .filter_map(Result::ok)
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

fn check(package: &Package, archive: &Path) -> Result<(), EngineError> {
    let mut file = File::open(archive).map_err(|source| EngineError::io("open", archive, source))?;
    let mut digest = Sha512::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|source| EngineError::io("read", archive, source))? {
            0 => break,
            count => digest.update(&buffer[..count]),
        }
    }
    let found = format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(digest.finalize()));
    if found == package.integrity {
        return Ok(());
    }
    Err(EngineError::Integrity { package: identifier(package), found, pinned: package.integrity.to_owned() })
}

fn unpack(package: &Package, archive: &Path, work: &Path) -> Result<PathBuf, EngineError> {
    let file = File::open(archive).map_err(|source| EngineError::io("open", archive, source))?;
    let mut archive_reader = tar::Archive::new(flate2::read::GzDecoder::new(BufReader::new(file)));
    let target = work.join(FILE_NAME);
    let unpacking = |source| EngineError::io("unpack", &target, source);
    for entry in archive_reader.entries().map_err(unpacking)? {
        let mut entry = entry.map_err(unpacking)?;
        if entry.path().map_err(unpacking)?.file_name().is_some_and(|name| name == FILE_NAME) {
            let mut library = File::create(&target).map_err(unpacking)?;
            io::copy(&mut entry, &mut library).map_err(unpacking)?;
            // On disk before it is renamed: after a power cut the name must not stand for half a library.
            library.sync_all().map_err(unpacking)?;
            return Ok(target);
        }
    }
    Err(EngineError::PackageIncomplete { package: identifier(package), file: FILE_NAME.to_owned() })
}

/// The progress line: a bar on a terminal, a plain line now and then elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    total: u64,
    last_line: Instant,
}

impl Progress {
    fn start(total: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
            let style = ProgressStyle::with_template(template)
                .expect("the template is a constant")
                .progress_chars("=> ");
            let bar = ProgressBar::new(total).with_style(style).with_message("fetching ClickHouse (once)");
            bar.enable_steady_tick(POLL);
            bar
        });
        if bar.is_none() {
            eprintln!("fetching ClickHouse (libchdb {VERSION}, {} MB, once) …", total / 1_000_000);
        }
        Self { bar, total, last_line: Instant::now() }
    }

    fn at(&mut self, bytes: u64) {
        let bytes = bytes.min(self.total);
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if self.last_line.elapsed() >= PLAIN_LINE_EVERY => {
                self.last_line = Instant::now();
                eprintln!("fetching ClickHouse: {} of {} MB", bytes / 1_000_000, self.total / 1_000_000);
            }
            None => {}
        }
    }

    fn say(&self, step: &'static str) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.total);
                bar.set_message(format!("{step} ClickHouse"));
            }
            None => eprintln!("{step} ClickHouse …"),
        }
    }

    fn finish(&self) {
        match &self.bar {
            Some(bar) => bar.finish_with_message("ClickHouse is here"),
            None => eprintln!("ClickHouse is here"),
        }
    }
}

#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
