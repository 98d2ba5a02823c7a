//! Finds libchdb: a configured path, the usual library paths, Leeway's cache directory; fetches it where it is in none.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::EngineError;
use crate::fetch;

/// The version Leeway is tested with; the cache holds each version in a folder of its own.
pub const VERSION: &str = "26.7.3-stable.1";

/// The library's file name, the same on every platform it is published for.
pub const FILE_NAME: &str = "libchdb.so";

/// Where system-wide installations put libraries.
const SYSTEM_PATHS: [&str; 6] = [
    "/usr/local/lib",
    "/usr/local/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

/// The library to load. Takes as long as a download where it has to be fetched first, so it is not for an async thread.
pub fn find_or_fetch(configured: Option<&Path>) -> Result<PathBuf, EngineError> {
    if let Some(path) = configured {
        return match path.is_file() {
            true => Ok(path.to_owned()),
            false => Err(EngineError::LibraryNotThere { path: path.to_owned() }),
        };
    }
    if let Some(found) = installed(std::env::var_os("LD_LIBRARY_PATH")) {
        return Ok(found);
    }
    let folder = cache_directory(|name| std::env::var_os(name))?;
    let cached = folder.join(FILE_NAME);
    if cached.is_file() {
        return Ok(cached);
    }
    fetch::into_cache(&folder)
}

fn installed(library_path: Option<OsString>) -> Option<PathBuf> {
    let listed = library_path.unwrap_or_default();
    std::env::split_paths(&listed)
        .filter(|folder| !folder.as_os_str().is_empty())
        .chain(SYSTEM_PATHS.iter().map(PathBuf::from))
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.is_file())
}

/// `libchdb/<version>` in the cache directory that the environment names.
fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, EngineError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = set("LEEWAY_CACHE_DIR")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("leeway")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("leeway")))
        .ok_or(EngineError::NoCacheDirectory)?;
    Ok(root.join("libchdb").join(VERSION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache_with(variables: &[(&str, &str)]) -> Option<PathBuf> {
        cache_directory(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
            .ok()
    }

    #[test]
    fn the_cache_is_where_the_environment_says() {
        let version = Path::new("libchdb").join(VERSION);
        let all = [("LEEWAY_CACHE_DIR", "/a"), ("XDG_CACHE_HOME", "/b"), ("HOME", "/c")];
        assert_eq!(cache_with(&all), Some(Path::new("/a").join(&version)));
        assert_eq!(cache_with(&all[1..]), Some(Path::new("/b/leeway").join(&version)));
        assert_eq!(cache_with(&all[2..]), Some(Path::new("/c/.cache/leeway").join(&version)));
        assert_eq!(cache_with(&[("LEEWAY_CACHE_DIR", "")]), None);
    }

    #[test]
    fn a_library_on_the_library_path_is_found_before_the_cache() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join(FILE_NAME), b"x").expect("a file");
        assert_eq!(installed(Some(folder.path().into())), Some(folder.path().join(FILE_NAME)));
    }

    #[test]
    fn a_configured_library_that_is_not_there_is_named() {
        let error = find_or_fetch(Some(Path::new("/no/such/libchdb.so"))).expect_err("it does not exist");
        assert!(error.to_string().contains("/no/such/libchdb.so"));
    }
}
