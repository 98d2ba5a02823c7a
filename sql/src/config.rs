//! Where the store is, how long it keeps what, and whether it is a cluster.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The section `[clickhouse]`. With an empty `url` Leeway starts its embedded engine.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// ClickHouse's HTTP interface, such as `http://clickhouse:8123`; empty for the embedded engine.
    pub url: String,
    pub user: String,
    pub password: String,
    /// A file that holds the password; wins over `password`.
    pub password_file: Option<PathBuf>,
    pub database: String,
    /// The name of a ClickHouse cluster: tables are then replicated and distributed. Empty for one server.
    pub cluster: String,
    pub retention: Retention,
    /// Set by Leeway itself where `url` is that of its own engine, whose dictionaries read as nobody in particular.
    #[serde(skip)]
    pub embedded: bool,
}

/// Days that rows are kept after they were written. Counted from the writing, not from the time they tell of, so that
/// imported history and late events are kept as long as all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Raw predictions and outcomes.
    pub events_days: u32,
    pub rejected_days: u32,
    /// Counts by the minute.
    pub minutes_days: u32,
    /// Counts by the hour, evaluations, performance, deliveries.
    pub hours_days: u32,
}

impl Retention {
    /// Within these ClickHouse counts right: its `DateTime` ends in 2106, and a row whose expiry lies beyond expires at once.
    const DAYS: std::ops::RangeInclusive<u32> = 1..=10_000;

    fn by_key(&self) -> [(&'static str, u32); 4] {
        let Self { events_days, rejected_days, minutes_days, hours_days } = *self;
        [
            ("retention.events_days", events_days),
            ("retention.rejected_days", rejected_days),
            ("retention.minutes_days", minutes_days),
            ("retention.hours_days", hours_days),
        ]
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { events_days: 90, rejected_days: 30, minutes_days: 35, hours_days: 400 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: String::new(),
            user: "default".to_owned(),
            password: String::new(),
            password_file: None,
            database: "leeway".to_owned(),
            cluster: String::new(),
            retention: Retention::default(),
            embedded: false,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("url", &self.url)
            .field("user", &self.user)
            .field("password", &"…")
            .field("database", &self.database)
            .field("cluster", &self.cluster)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

impl Config {
    /// Whether Leeway brings its own store.
    pub fn is_embedded(&self) -> bool {
        self.url.is_empty() || self.embedded
    }

    /// Says what is wrong, naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let name_is_plain = |name: &str| {
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        let wrong = |key: &'static str, problem: String| Err(ConfigError { key, problem });
        if self.database.is_empty() || !name_is_plain(&self.database) {
            return wrong("database", format!("\"{}\" is no plain name (letters, digits, _)", self.database));
        }
        if !name_is_plain(&self.cluster) {
            return wrong("cluster", format!("\"{}\" is no plain name (letters, digits, _)", self.cluster));
        }
        if !self.url.is_empty() && !self.url.starts_with("http://") && !self.url.starts_with("https://") {
            return wrong("url", format!("\"{}\" must begin with http:// or https://", self.url));
        }
        for (key, days) in self.retention.by_key() {
            if !Retention::DAYS.contains(&days) {
                let (least, most) = (Retention::DAYS.start(), Retention::DAYS.end());
                return wrong(key, format!("{days} days are not between {least} and {most}"));
            }
        }
        if self.retention.hours_days < self.retention.minutes_days {
            return wrong("retention.hours_days", "must not be less than retention.minutes_days".to_owned());
        }
        Ok(())
    }

    /// The password itself, read from `password_file` where that is set.
    pub fn password(&self) -> Result<String, ConfigError> {
        let Some(path) = &self.password_file else { return Ok(self.password.clone()) };
        std::fs::read_to_string(path).map(|text| text.trim_end().to_owned()).map_err(|error| ConfigError {
            key: "password_file",
            problem: format!("\"{}\" cannot be read: {error}", path.display()),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("clickhouse.{key}: {problem}")]
pub struct ConfigError {
    pub key: &'static str,
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_name_cannot_carry_sql() {
        let config = Config { database: "x; DROP".to_owned(), ..Config::default() };
        assert!(config.check().expect_err("no plain name").to_string().starts_with("clickhouse.database"));
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_retention_that_would_delete_everything_at_once_is_refused() {
        for days in [0, 36_500] {
            let retention = Retention { hours_days: days, ..Retention::default() };
            let error = Config { retention, ..Config::default() }.check().expect_err("out of range");
            assert!(error.to_string().starts_with("clickhouse.retention.hours_days: "), "{error}");
        }
    }

    #[test]
    fn a_password_does_not_show_in_debug() {
        let config = Config { password: "hunter2".to_owned(), ..Config::default() };
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
