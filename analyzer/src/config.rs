//! How the analyzer judges: one struct, checked, with defaults that METHODS justifies.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::shard::Shard;

/// The section `[analyzer]`. One that was read holds: what [`Config::check`] refuses is refused in reading.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default, remote = "Self")]
pub struct Config {
    /// Where `/healthz`, `/readyz` and `/metrics` are served; empty for nowhere.
    pub listen: String,
    /// How often the analyzer looks whether a window has closed.
    pub tick_s: u64,
    /// The budget: how many false pages a month a model may cause, over all that may page and all segments.
    pub false_pages_a_month: f64,
    /// The same for tickets.
    pub false_tickets_a_month: f64,
    /// How much wider healthy windows vary than independent rows would (METHODS 1.2 and 12(8)), until it is learned.
    pub phi: f64,
    /// So many days of a model must have been seen before it is known how its healthy windows vary.
    pub history_days: u32,
    pub floors: Floors,
    /// So many windows beyond the limit in a row are an alarm.
    pub confirm_windows: u32,
    /// One window so many times beyond the limit is an alarm at once.
    pub urgent_factor: f64,
    /// An alarm ends below this part of the limit …
    pub recovery_level: f64,
    /// … after so many windows in a row.
    pub recover_windows: u32,
    /// How far back traffic is looked at for what is usual, in days.
    pub traffic_days: u32,
    /// A model silent for less than this is never called silent, in seconds.
    pub least_silence_s: u64,
    /// A window whose outcomes are incomplete is waited for this long, then passed over.
    pub label_patience_days: u32,
    /// A window is mature when its share of outcomes reaches this part of the usual share.
    pub label_maturity: f64,
    /// So many windows are read and judged at a time when the analyzer catches up: bounds memory and each query.
    pub windows_a_batch: usize,
    /// How often windows that were judged already are checked for events and outcomes that came late.
    pub late_check_s: u64,
    /// Windows that ended longer ago than this stay as they were judged, however late an event comes.
    pub late_days: u32,
    /// How far back a watch begins that judged nothing yet and states no `from`.
    pub first_days: u32,
    /// Which part of the models this analyzer watches: `1/2` and `2/2` share them, `1/1` watches all.
    pub shard: Shard,
    /// The models of an analyzer that was silent for so long go to the others that share with it.
    pub takeover_s: u64,
    /// Over how many days what moves slowly is looked at.
    pub trend_days: u32,
}

impl<'de> Deserialize<'de> for Config {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The derived reader, which `remote` keeps apart from this one.
        let config = Self::deserialize(deserializer)?;
        config.check().map_err(D::Error::custom)?;
        Ok(config)
    }
}

/// What is too small to matter, whatever its significance.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Floors {
    /// PSI without its noise, of inputs and everything that is no prediction; 0.01 is a shift of 0.1 sd.
    pub feature_psi: f64,
    /// The same for predictions.
    pub prediction_psi: f64,
    /// The least floor of both until it is learned how healthy windows vary; 0.1 is a shift of 0.32 sd.
    pub start_psi: f64,
    /// Missing, invalid and unseen: how much the share must rise, such as 0.01 for one point.
    pub share: f64,
    /// The share of predictions that may use a feature older than its limit.
    pub stale: f64,
    /// How many times more or fewer events than usual.
    pub traffic_fold: f64,
    /// How much the AUC must fall.
    pub auc: f64,
    /// By which part of itself an error of regression must rise.
    pub error_rise: f64,
    /// By how many standard deviations of its values the mean of the prediction must have moved over the days of a trend.
    pub trend_sd: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4843".to_owned(),
            tick_s: 5,
            false_pages_a_month: 1.0,
            false_tickets_a_month: 4.0,
            phi: 4.0,
            history_days: 14,
            floors: Floors::default(),
            confirm_windows: 2,
            urgent_factor: 3.0,
            recovery_level: 0.7,
            recover_windows: 3,
            traffic_days: 28,
            least_silence_s: 120,
            label_patience_days: 14,
            label_maturity: 0.8,
            windows_a_batch: 96,
            late_check_s: 60,
            late_days: 7,
            first_days: 1,
            shard: Shard::ALL,
            takeover_s: 60,
            trend_days: 56,
        }
    }
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            feature_psi: 0.01,
            prediction_psi: 0.01,
            start_psi: 0.1,
            share: 0.01,
            stale: 0.05,
            traffic_fold: 2.0,
            auc: 0.02,
            error_rise: 0.1,
            trend_sd: 0.1,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("analyzer.{key} {problem}")]
pub struct ConfigError {
    pub key: &'static str,
    pub problem: &'static str,
}

impl Config {
    /// Says what is wrong, naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let part = |value: f64| value > 0.0 && value <= 1.0;
        let floors = &self.floors;
        let rules: [(bool, &'static str, &'static str); 25] = [
            (self.tick_s > 0, "tick_s", "must be at least 1"),
            (positive(self.false_pages_a_month), "false_pages_a_month", "must be greater than 0"),
            (positive(self.false_tickets_a_month), "false_tickets_a_month", "must be greater than 0"),
            (self.history_days > 0, "history_days", "must be at least 1"),
            (positive(floors.start_psi), "floors.start_psi", "must be greater than 0"),
            (self.phi >= 1.0 && self.phi.is_finite(), "phi", "must be at least 1"),
            (self.confirm_windows > 0, "confirm_windows", "must be at least 1"),
            (self.urgent_factor >= 1.0, "urgent_factor", "must be at least 1"),
            (part(self.recovery_level), "recovery_level", "must lie between 0 and 1"),
            (self.recover_windows > 0, "recover_windows", "must be at least 1"),
            (self.traffic_days > 0, "traffic_days", "must be at least 1"),
            (part(self.label_maturity), "label_maturity", "must lie between 0 and 1"),
            (self.windows_a_batch > 0, "windows_a_batch", "must be at least 1"),
            (self.late_check_s > 0, "late_check_s", "must be at least 1"),
            (
                self.trend_days >= 14,
                "trend_days",
                "must be at least 14, the fewest days that a trend can be told from",
            ),
            (positive(floors.trend_sd), "floors.trend_sd", "must be greater than 0"),
            ((4..=3_600).contains(&self.takeover_s), "takeover_s", "must lie between 4 and 3600"),
            (self.first_days > 0, "first_days", "must be at least 1"),
            (positive(floors.feature_psi), "floors.feature_psi", "must be greater than 0"),
            (positive(floors.prediction_psi), "floors.prediction_psi", "must be greater than 0"),
            (part(floors.share), "floors.share", "must lie between 0 and 1"),
            (part(floors.stale), "floors.stale", "must lie between 0 and 1"),
            (floors.traffic_fold > 1.0, "floors.traffic_fold", "must be greater than 1"),
            (part(floors.auc), "floors.auc", "must lie between 0 and 1"),
            (positive(floors.error_rise), "floors.error_rise", "must be greater than 0"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, key, problem)) => Err(ConfigError { key, problem }),
            None => Ok(()),
        }
    }

    pub fn tick(&self) -> Duration {
        Duration::from_secs(self.tick_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn a_configuration_that_was_read_holds() {
        let config: Config = toml::from_str("phi = 2.0\n[floors]\nshare = 0.02").expect("a configuration");
        assert_eq!((config.phi, config.floors.share), (2.0, 0.02));
        let error = toml::from_str::<Config>("phi = 0.5").expect_err("phi is below 1").to_string();
        assert!(error.contains("analyzer.phi must be at least 1"), "{error}");
        assert!(toml::from_str::<Config>("phy = 2").is_err());
    }

    #[test]
    fn a_shard_that_does_not_exist_is_refused() {
        let config: Config = toml::from_str("shard = \"2/3\"").expect("a configuration");
        assert_eq!(config.shard.to_string(), "2/3");
        let error = toml::from_str::<Config>("shard = \"3/2\"").expect_err("of two there is no third");
        assert!(error.to_string().contains("shard \"3/2\" does not exist (known: 1/1"), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named_by_its_key() {
        let config = Config { phi: 0.5, ..Config::default() };
        let error = config.check().expect_err("rows never vary less than independent ones");
        assert_eq!(error.to_string(), "analyzer.phi must be at least 1");
    }
}
