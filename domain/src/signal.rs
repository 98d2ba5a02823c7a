//! What carries a distribution in an event, and how it is named: `feature.amount`, `prediction.score`, `latency_ms`.

use serde::{Deserialize, Serialize};

pub const FEATURE: &str = "feature.";
pub const PREDICTION: &str = "prediction.";
pub const OUTCOME: &str = "outcome.";
pub const ATTRIBUTION: &str = "attribution.";
pub const AGE: &str = "age_s.";
pub const LATENCY: &str = "latency_ms";
/// Tags of an event; counted only where a contract watches one as a dimension (`tag.region`).
pub const TAG: &str = "tag.";

/// The longest name of a signal, in bytes. Longer ones are refused: names stand in every row of counts.
pub const MAX_NAME_BYTES: usize = 256;

/// Where in an event a signal comes from; this decides what its movement means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Prediction,
    Outcome,
    Feature,
    Attribution,
    Latency,
    Age,
    Other,
}

/// The role that a signal's name states.
pub fn role(signal: &str) -> Role {
    let roles = [
        (PREDICTION, Role::Prediction),
        (OUTCOME, Role::Outcome),
        (FEATURE, Role::Feature),
        (ATTRIBUTION, Role::Attribution),
        (AGE, Role::Age),
    ];
    match roles.iter().find(|(prefix, _)| signal.starts_with(prefix)) {
        Some((_, role)) => *role,
        None if signal == LATENCY => Role::Latency,
        None => Role::Other,
    }
}

/// A signal's name without its role: `amount` for `feature.amount`.
pub fn short_name(signal: &str) -> &str {
    [FEATURE, PREDICTION, OUTCOME, ATTRIBUTION, AGE]
        .iter()
        .find_map(|prefix| signal.strip_prefix(prefix))
        .unwrap_or(signal)
}

/// Durations have fixed bins that need no data first (DESIGN, "count once").
pub fn is_duration(signal: &str) -> bool {
    matches!(role(signal), Role::Latency | Role::Age)
}

/// Which events a count is about: all of a model's (`ALL`), or one value of a watched dimension (`origin=JFK`).
pub mod segment {
    /// The segment of all events.
    pub const ALL: &str = "";
    /// The value of a watched dimension that stands for all of its rarer ones.
    pub const OTHER: &str = "other";
    /// The value of a watched dimension for events that do not carry it.
    pub const MISSING: &str = "missing";
    /// How many values of a watched dimension get a segment of their own, the most frequent first.
    /// Each costs as many rows of counts as the model itself, so the number is small.
    pub const MOST: usize = 20;

    pub fn name(dimension: &str, value: &str) -> String {
        format!("{dimension}={value}")
    }

    /// Splits `origin=JFK` into dimension and value; `None` for [`ALL`].
    pub fn parts(segment: &str) -> Option<(&str, &str)> {
        segment.split_once('=')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_states_its_role() {
        assert_eq!(role("feature.amount"), Role::Feature);
        assert_eq!(role("prediction.score"), Role::Prediction);
        assert_eq!(role("latency_ms"), Role::Latency);
        assert_eq!(role("age_s.avg_spend_7d"), Role::Age);
        assert_eq!(short_name("feature.a.b"), "a.b");
        assert!(is_duration("latency_ms") && is_duration("age_s.x") && !is_duration("feature.latency_ms"));
    }
}
