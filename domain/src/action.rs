//! What a person or a program asks to be done about an incident. The alerter turns it into events of the incident.
//!
//! Invariant: an action is carried out once. The events that come of it carry its id.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::evaluation::{UnknownWord, parse_word};
use crate::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    Acknowledge,
    /// Tell nobody of this incident until `until`.
    Silence,
    Unsilence,
    Resolve,
    /// There was nothing wrong: resolves the incident and counts against the budget of false pages.
    MarkFalse,
    /// Ask for a retraining now.
    Retrain,
    /// A retraining job says how it stands; `payload` holds `status`, and `detail` where it says more.
    RetrainingReport,
    /// Try a delivery once more, now; `payload` holds `delivery`.
    SendAgain,
}

impl ActionKind {
    pub const ALL: [Self; 8] = [
        Self::Acknowledge,
        Self::Silence,
        Self::Unsilence,
        Self::Resolve,
        Self::MarkFalse,
        Self::Retrain,
        Self::RetrainingReport,
        Self::SendAgain,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Silence => "silence",
            Self::Unsilence => "unsilence",
            Self::Resolve => "resolve",
            Self::MarkFalse => "mark_false",
            Self::Retrain => "retrain",
            Self::RetrainingReport => "retraining_report",
            Self::SendAgain => "send_again",
        }
    }
}

impl FromStr for ActionKind {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("action", &Self::ALL, Self::name, value)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Made by whoever asks; the same id again is the same request.
    pub id: String,
    pub incident: String,
    pub kind: ActionKind,
    pub actor: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// For `Silence`: until when.
    pub until: Option<Instant>,
    /// JSON where the kind needs more, else empty.
    pub payload: String,
    pub asked_at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_what_it_writes() {
        for kind in ActionKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
    }
}
