//! Why an incident came about, as far as counts and events tell: what moved, where, when, and what else changed.
//!
//! Written by the analyzer when an incident opens and again while it grows; read by pages, the API and the command line.
//! It is data: every line has its numbers and a permanent address. It names what goes together in time and size, which is
//! where a person should look first, and no proof.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::{Instant, Interval};

/// The answer for one incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Why {
    pub incident: String,
    pub model: String,
    pub environment: String,
    pub watch: String,
    /// What the window is compared with.
    pub baseline: String,
    /// When the incident began.
    pub since: Instant,
    /// From the onset to the last window that was off course.
    pub window: Interval,
    pub events: u64,
    pub computed_at: Instant,
    /// The most likely cause in one sentence.
    pub sentence: String,
    /// The address of the incident's page.
    pub link: String,
    /// What is split over segments.
    pub measure: Option<Measure>,
    /// The most likely cause first.
    pub signals: Vec<MovedSignal>,
    /// What carries the change of the measure, the most telling first.
    pub segments: Vec<MovedSegment>,
    /// What else changed near the onset, the nearest before it first.
    pub changes: Vec<NearChange>,
    /// Events that show the leading signal.
    pub examples: Vec<Example>,
}

/// A mean or a share over all events, before and now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `mean of prediction.score`, `share without feature.temp`, `share of errors`.
    pub name: String,
    pub baseline: f64,
    pub current: f64,
    /// Whether raw events were there to split it.
    pub is_split: bool,
}

/// One signal: how it moved, and what that did to the prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedSignal {
    pub signal: String,
    /// Input, output or outcome: an output that moved is what came of it.
    pub is_consequence: bool,
    /// PSI without what sampling explains, and the shift of so many standard deviations that is as large.
    pub psi: f64,
    pub shift_sd: f64,
    /// By how much the share of missing or invalid values rose.
    pub missing_rise: f64,
    /// How much the mean prediction moves because this signal's values moved (mix), and as a part of its whole move.
    pub mix: Option<f64>,
    pub part_of_move: Option<f64>,
    /// How much of the prediction's move has nothing to do with this signal's bins having more or fewer events (within).
    pub within: Option<f64>,
    /// When it changed, as far as its own counts tell.
    pub changed_at: Option<Instant>,
    /// It changed after the prediction or the leading finding did, and so cannot be the cause.
    pub is_after: bool,
    /// The watched segment that carries most of it, and how much.
    pub segment: String,
    pub segment_part: f64,
    pub sentence: String,
    pub link: String,
}

/// One value of a dimension, or two of two, and its exactly additive part of the measure's change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovedSegment {
    /// By dimension: `{"origin": "JFK"}`.
    pub values: BTreeMap<String, String>,
    /// `within + mix`; all segments of the same dimensions add up to the change.
    pub contribution: f64,
    /// As a part of the change.
    pub part: f64,
    pub within: f64,
    pub mix: f64,
    /// The share of all events that it holds now, and the measure within it.
    pub support: f64,
    pub baseline: f64,
    pub current: f64,
    pub z: f64,
    /// How likely so much is by chance, over all segments that were looked at (Benjamini–Hochberg).
    pub p: f64,
    pub sentence: String,
    pub link: String,
}

/// A deployment, a new contract, a new schema … near the onset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NearChange {
    pub id: String,
    pub at: Instant,
    pub kind: String,
    pub title: String,
    pub detail: String,
    pub link: String,
    /// How long before the onset, in seconds; negative after it.
    pub before_s: i64,
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    pub id: String,
    pub at: Instant,
    pub version: String,
    pub numbers: BTreeMap<String, f64>,
    pub categories: BTreeMap<String, String>,
    /// What it shows.
    pub shows: String,
}
