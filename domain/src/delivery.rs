//! An attempt at telling somebody of an incident. A delivery is its attempts; the last one says how it stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::evaluation::{UnknownWord, parse_word};
use crate::time::Instant;

/// How a delivery stands after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The other side took it.
    Delivered,
    /// It failed in a way that may pass: it is tried again at `next_attempt_at`.
    Retrying,
    /// It failed for good: nobody was told.
    Failed,
    /// Nobody was to be told: the incident was silenced.
    HeldBack,
}

impl State {
    pub const ALL: [Self; 4] = [Self::Delivered, Self::Retrying, Self::Failed, Self::HeldBack];

    pub fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Failed => "failed",
            Self::HeldBack => "held_back",
        }
    }

    /// Whether nothing more is tried by itself.
    pub fn is_final(self) -> bool {
        self != Self::Retrying
    }
}

impl FromStr for State {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("delivery state", &Self::ALL, Self::name, value)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The delivery: constant over its attempts, so that the other side can tell a repetition.
    pub delivery: String,
    /// From 1; 0 where nothing was tried (held back).
    pub attempt: u32,
    pub incident: String,
    /// Of the incident event that it tells of.
    pub sequence: u32,
    pub model: String,
    /// The channel's name in the configuration.
    pub channel: String,
    /// `webhook`, `email`, `pagerduty`, `retraining`.
    pub kind: String,
    /// The event's kind: `opened`, `resolved` …
    pub event: String,
    pub state: State,
    /// Where to, without secrets and addresses.
    pub target: String,
    /// The other side's code; 0 where it gave none.
    pub answer_code: u16,
    /// What the other side said, cut.
    pub answer: String,
    pub error: String,
    pub next_attempt_at: Option<Instant>,
    pub took_ms: u32,
    pub at: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_what_it_writes() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
        }
    }
}
