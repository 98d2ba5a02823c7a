//! What goes in, after it was understood: predictions, outcomes, and what had to be refused.
//!
//! Invariant: within one prediction a signal occurs once, in one of the four maps. Signals carry their full names
//! (`feature.amount`, `prediction.score`, `latency_ms`, `age_s.x`, `attribution.x`, `outcome.late`).

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use domain::contract::DEFAULT_ENVIRONMENT;
use domain::time::Instant;

use crate::guard::{KeptOut, Marks};

/// A text that occurs in many events: a signal's name, a model, a category. Cloning shares it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Where the text lies. Equal addresses mean equal texts as long as both live; the reverse does not hold.
    pub(crate) fn address(&self) -> usize {
        self.0.as_ptr() as usize
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::from("")
    }
}

/// One row of `predictions`.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    pub id: String,
    pub model: Name,
    /// Empty where none was stated.
    pub version: Name,
    pub environment: Name,
    pub timestamp: Instant,
    /// Decides by which grids the event is counted as it arrives; keep it when a batch is repeated.
    pub received_at: Instant,
    /// NaN and infinities are kept; they are counted as invalid.
    pub numbers: Vec<(Name, f64)>,
    pub categories: Vec<(Name, Name)>,
    pub vectors: Vec<(Name, Vec<f32>)>,
    pub lists: Vec<(Name, Vec<String>)>,
    pub tags: Vec<(Name, String)>,
    /// Empty where the prediction succeeded.
    pub error: String,
    pub trace_id: String,
    /// Where it came from: `http`, `file flights.parquet`.
    pub source: Name,
    /// What its model's contract has to say about it; nothing, mostly.
    pub marks: Option<Box<Marks>>,
}

impl Prediction {
    /// An event that holds nothing yet, of no version, in the usual environment, received when it happened.
    pub fn empty(model: Name, at: Instant) -> Self {
        Self {
            id: String::new(),
            model,
            version: Name::default(),
            environment: Name::from(DEFAULT_ENVIRONMENT),
            timestamp: at,
            received_at: at,
            numbers: Vec::new(),
            categories: Vec::new(),
            vectors: Vec::new(),
            lists: Vec::new(),
            tags: Vec::new(),
            error: String::new(),
            trace_id: String::new(),
            source: Name::default(),
            marks: None,
        }
    }

    /// The rules of its contract that it breaks.
    pub fn breaches(&self) -> &[Name] {
        self.marks.as_ref().map_or(&[], |marks| &marks.breaches)
    }

    /// Whether its values are only counted, and not stored.
    pub fn is_counts_only(&self) -> bool {
        self.marks.as_ref().is_some_and(|marks| marks.counts_only)
    }
}

/// One row of `outcomes`. Its signals are named `outcome.late`.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The prediction's.
    pub id: String,
    pub model: Name,
    /// When the outcome was known.
    pub timestamp: Instant,
    pub received_at: Instant,
    pub numbers: Vec<(Name, f64)>,
    pub categories: Vec<(Name, Name)>,
    /// The lists whose items stand among the numbers, each as a name of its own behind the list's: what is said of a list
    /// holds for them. Not a column.
    pub lists: Vec<Name>,
    pub source: Name,
}

/// What an event was meant to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Prediction,
    Outcome,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Outcome => "outcome",
        }
    }
}

/// One row of `rejected_events`: an event that could not be taken, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    pub received_at: Instant,
    /// Empty where it could not be read.
    pub model: String,
    pub kind: Kind,
    pub source: String,
    /// Where it stood: an index in a body, a line of a file.
    pub position: String,
    /// The field that is wrong; empty where it is no single one.
    pub field: String,
    /// What is wrong with it and what would be right.
    pub reason: String,
    /// The event as it came, cut by [`cut_payload`]; empty where the model's events are redacted.
    pub payload: String,
    /// Where it belongs, if a rule kept it out: it is counted among those that broke it.
    pub kept_out: Option<Box<KeptOut>>,
}

/// The most that is kept of a rejected event.
pub const PAYLOAD_BYTES: usize = 8 * 1024;

/// The beginning of a payload as text, for [`Rejection::payload`].
pub fn cut_payload(payload: &[u8]) -> String {
    let cut = payload.get(..PAYLOAD_BYTES).unwrap_or(payload);
    String::from_utf8_lossy(cut).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_cut_to_eight_kilobytes() {
        assert_eq!(cut_payload(&[b'x'; 20_000]).len(), PAYLOAD_BYTES);
        assert_eq!(cut_payload(b"{}"), "{}");
    }

    #[test]
    fn equal_names_may_lie_in_different_places() {
        let (one, other) = (Name::from("a"), Name::from("a"));
        assert_eq!(one, other);
        assert_eq!(one.address(), one.clone().address());
        assert_ne!(one.address(), other.address());
    }
}
