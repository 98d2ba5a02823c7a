//! What a contract states about how good a service the model has to be.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ContractError;
use crate::objective::{self, PERIOD_DAYS};
use crate::time::DAY;

/// What share of events must be good over `period_days`. How fast the rest may be used up is in [`crate::objective`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Objectives {
    pub latency: Option<LatencyObjective>,
    /// The share of predictions that must succeed, such as 0.999.
    pub availability: Option<f64>,
    /// The share of predictions whose feature must be no older than `freshness_s` allows, for each feature.
    pub freshness: Option<f64>,
    /// The share of predictions that must keep what the contract states about a signal, for each signal it names.
    pub quality: Option<f64>,
    /// Over how many days a budget of bad events lasts.
    pub period_days: u32,
}

impl Default for Objectives {
    fn default() -> Self {
        Self { latency: None, availability: None, freshness: None, quality: None, period_days: PERIOD_DAYS }
    }
}

impl Objectives {
    pub fn period(&self) -> Duration {
        DAY.saturating_mul(self.period_days)
    }

    /// Every stated share with its key.
    fn targets(&self) -> impl Iterator<Item = (&'static str, f64)> {
        [
            ("availability", self.availability),
            ("latency.target", self.latency.map(|latency| latency.target)),
            ("freshness", self.freshness),
            ("quality", self.quality),
        ]
        .into_iter()
        .filter_map(|(key, target)| Some((key, target?)))
    }

    /// Says what is wrong, naming the key.
    pub(super) fn check(&self, model: &str) -> Result<(), ContractError> {
        let wrong =
            |key: &str, problem: &str| Err(ContractError::new(model, format!("objectives.{key}"), problem));
        if !(7..=90).contains(&self.period_days) {
            return wrong("period_days", "must lie between 7 and 90, such as 30");
        }
        for (key, target) in self.targets() {
            if let Some(reason) = objective::refusal(target, self.period()) {
                return wrong(key, &reason);
            }
        }
        if self.latency.is_some_and(|latency| !(latency.limit_ms.is_finite() && latency.limit_ms > 0.0)) {
            return wrong("latency.limit_ms", "must be greater than 0");
        }
        Ok(())
    }
}

/// At least `target` of the predictions take no longer than `limit_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyObjective {
    pub limit_ms: f64,
    pub target: f64,
}

#[cfg(test)]
mod tests {
    use crate::contract::Contract;

    #[test]
    fn an_objective_that_cannot_fire_is_refused_by_its_key() {
        let read = |text: &str| toml::from_str::<Contract>(text).expect("well-formed").check("m");
        for key in ["availability", "freshness", "quality"] {
            let error = read(&format!("[objectives]\n{key} = 0.9")).expect_err("14.4 × 0.1 is more than 1");
            assert!(
                error.to_string().starts_with(&format!("models.m.objectives.{key}: is so low")),
                "{error}"
            );
        }
        let slow = "[objectives]\nlatency = { limit_ms = 50.0, target = 0.5 }";
        assert_eq!(read(slow).expect_err("never fires").key, "objectives.latency.target");
        assert_eq!(
            read("[objectives]\nperiod_days = 1").expect_err("too short").key,
            "objectives.period_days"
        );
        assert_eq!(read("[objectives]\navailability = 0.9\nperiod_days = 7"), Ok(()));
    }
}
