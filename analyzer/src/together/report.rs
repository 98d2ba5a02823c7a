//! What is written of a comparison of wholes. The JSON form is a promise: `docs/drift.schema.json`.

use serde::Serialize;

pub use super::attributions::Attributions;
pub use super::classifier::Classifier;
pub use super::correlations::Correlations;
pub use super::embeddings::Embedding;
pub use super::parity::Parity;

/// Where a sample came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sampled {
    pub source: String,
    /// How many events there are, and how many of them were looked at.
    pub events: u64,
    pub sampled: u64,
}

/// What two samples say of each other; a part that does not apply is null or empty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Together {
    pub baseline: Sampled,
    pub current: Sampled,
    pub classifier: Option<Classifier>,
    pub correlations: Option<Correlations>,
    pub embeddings: Vec<Embedding>,
    pub attributions: Option<Attributions>,
    /// Only where events were joined by their ids.
    pub parity: Option<Parity>,
}
