//! What a contract states about one signal: its type, its range, whether it may be missing, and what kind of thing it is.
//!
//! A signal is named as senders name it: a feature by its own name (`amount`), an output with its role
//! (`prediction.score`).

use serde::{Deserialize, Serialize};

use super::ContractError;
use crate::signal::{FEATURE, PREDICTION};

/// What is stated about one signal. What is not stated is not looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SignalTerms {
    #[serde(rename = "type")]
    pub kind: Option<SignalType>,
    /// What a number counts, for people: `EUR`, `ms`.
    pub unit: String,
    /// The least number allowed.
    pub least: Option<f64>,
    /// The greatest number allowed.
    pub greatest: Option<f64>,
    /// The only texts allowed, also as the items of a list; empty for any.
    pub allowed: Vec<String>,
    /// Whether an event may come without it.
    pub nullable: bool,
    /// The greatest age at prediction time (its TTL), in seconds.
    pub freshness_s: Option<f64>,
    /// What kind of thing it is to people: `personal`, `payment`. The contract says what is done with each class.
    pub privacy_class: String,
    pub criticality: Criticality,
}

impl Default for SignalTerms {
    fn default() -> Self {
        Self {
            kind: None,
            unit: String::new(),
            least: None,
            greatest: None,
            allowed: Vec::new(),
            nullable: true,
            freshness_s: None,
            privacy_class: String::new(),
            criticality: Criticality::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalType {
    Number,
    /// A number without a fraction.
    Integer,
    Category,
    Boolean,
    Vector,
    List,
}

impl SignalType {
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Category => "category",
            Self::Boolean => "boolean",
            Self::Vector => "vector",
            Self::List => "list",
        }
    }

    fn is_numeric(self) -> bool {
        matches!(self, Self::Number | Self::Integer | Self::Vector)
    }
}

/// How much depends on a signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    Low,
    #[default]
    Normal,
    High,
}

/// The full name of a signal that a contract names: `feature.amount` for `amount`, an output as it stands.
pub fn full_name(named: &str) -> String {
    if named.starts_with(PREDICTION) { named.to_owned() } else { format!("{FEATURE}{named}") }
}

/// The terms that a value can break, by the end of the rule's name: `amount.range`.
pub const TERMS: [&str; 5] = ["type", "range", "allowed", "nullable", "freshness"];

impl SignalTerms {
    /// Says what is wrong, naming the key below the signal.
    pub(super) fn check(&self, model: &str, named: &str) -> Result<(), ContractError> {
        let wrong = |field: &str, problem: &str| {
            Err(ContractError::new(model, format!("signals.{named}.{field}"), problem))
        };
        let is_finite = |limit: Option<f64>| limit.is_none_or(f64::is_finite);
        if !is_finite(self.least) || !is_finite(self.greatest) {
            return wrong("least", "and greatest must be numbers; leave one out where there is no limit");
        }
        if let (Some(least), Some(greatest)) = (self.least, self.greatest)
            && least > greatest
        {
            return wrong("least", "must not lie above greatest");
        }
        let has_range = self.least.is_some() || self.greatest.is_some();
        if let Some(kind) = self.kind {
            if has_range && !kind.is_numeric() {
                let problem =
                    format!("needs a type of numbers (number, integer, vector), not {}", kind.name());
                return wrong("least", &problem);
            }
            if !self.allowed.is_empty() && kind.is_numeric() {
                let problem = format!("needs a type of texts (category, boolean, list), not {}", kind.name());
                return wrong("allowed", &problem);
            }
        }
        if has_range && !self.allowed.is_empty() {
            return wrong(
                "allowed",
                "is for texts, and least and greatest are for numbers; state one of them",
            );
        }
        if self.freshness_s.is_some_and(|limit| !(limit.is_finite() && limit > 0.0)) {
            return wrong("freshness_s", "must be greater than 0, such as 3600.0");
        }
        Ok(())
    }
}
