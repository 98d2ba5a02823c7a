//! Configuration in layers: defaults, the file, the environment. Secrets may come from files of their own.
//!
//! `leeway.toml` gives `[collector] listen = "…"`; the environment gives the same as `LEEWAY_COLLECTOR__LISTEN`.

use std::path::{Path, PathBuf};

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::de::DeserializeOwned;

/// The beginning of every environment variable that is configuration.
pub const PREFIX: &str = "LEEWAY_";

/// Variables with the prefix that are not configuration keys: they are read by name elsewhere.
const OTHER_VARIABLES: [&str; 6] =
    ["config", "cache_dir", "golden_dir", "log", "data_dir", "engine_password"];

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file \"{path}\" cannot be read", path = path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Names the key, where it came from and what would be right.
    #[error("{0}")]
    Wrong(String),
}

/// Reads the configuration: defaults of `T`, then the file (if any), then the environment.
///
/// # Errors
/// Names the file or variable, the key, and what was expected.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    let mut layers = Figment::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        // Parsed first by itself: the error then shows line and column.
        toml::from_str::<toml::Table>(&text)
            .map_err(|error| ConfigError::Wrong(format!("{}: {error}", path.display())))?;
        layers = layers.merge(Toml::file_exact(path));
    }
    layers = layers.merge(Env::prefixed(PREFIX).ignore(&OTHER_VARIABLES).split("__"));
    layers.extract().map_err(|errors| {
        let lines: Vec<String> = errors.into_iter().map(|error| describe(&error)).collect();
        ConfigError::Wrong(lines.join("\n"))
    })
}

fn describe(error: &figment::Error) -> String {
    let place = error.metadata.as_ref().map_or_else(String::new, |metadata| {
        let source = metadata.source.as_ref().map_or_else(|| metadata.name.to_string(), ToString::to_string);
        format!("{source}: ")
    });
    let key = if error.path.is_empty() { String::new() } else { format!("{}: ", error.path.join(".")) };
    format!("{place}{key}{}", error.kind)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        collector: Collector,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Collector {
        listen: String,
        rows: u32,
    }

    impl Default for Collector {
        fn default() -> Self {
            Self { listen: "127.0.0.1:4800".to_owned(), rows: 100 }
        }
    }

    fn from_text(text: &str) -> Result<Sample, ConfigError> {
        let name = format!("leeway-config-{}-{}.toml", std::process::id(), text.len());
        let path = std::env::temp_dir().join(name);
        std::fs::File::create(&path).and_then(|mut file| file.write_all(text.as_bytes())).expect("a file");
        let loaded = load(Some(&path));
        std::fs::remove_file(&path).expect("removed");
        loaded
    }

    #[test]
    fn the_file_wins_over_the_defaults() {
        let sample = from_text("[collector]\nrows = 7").expect("a configuration");
        assert_eq!(sample.collector.rows, 7);
        assert_eq!(sample.collector.listen, "127.0.0.1:4800");
    }

    #[test]
    fn an_error_names_the_file_the_key_and_what_would_be_right() {
        let error = from_text("[collector]\nrows = \"many\"").expect_err("no number").to_string();
        assert!(error.contains("leeway-config"), "{error}");
        assert!(error.contains("collector.rows"), "{error}");
        assert!(error.contains("u32"), "{error}");
    }

    #[test]
    fn an_unknown_key_is_refused_beside_the_known_ones() {
        let error = from_text("[collector]\nlisen = \"x\"").expect_err("a typo").to_string();
        assert!(error.contains("lisen") && error.contains("listen"), "{error}");
    }

    #[test]
    fn text_that_is_no_toml_shows_the_line() {
        let error = from_text("[collector\nrows = 1").expect_err("no TOML").to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
