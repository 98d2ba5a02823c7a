//! The parts of an event that hold signals or tags.

use domain::signal::{AGE, ATTRIBUTION, FEATURE, OUTCOME, PREDICTION};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Features,
    Prediction,
    Attributions,
    FeatureTimestamps,
    Tags,
    Outcome,
}

impl Section {
    /// Those whose values are signals.
    pub const SIGNALS: [Self; 5] =
        [Self::Features, Self::Prediction, Self::Attributions, Self::FeatureTimestamps, Self::Outcome];

    /// Its name in the event.
    pub fn field(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Prediction => "prediction",
            Self::Attributions => "attributions",
            Self::FeatureTimestamps => "feature_timestamps",
            Self::Tags => "tags",
            Self::Outcome => "outcome",
        }
    }

    /// What the names of its signals begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Features => FEATURE,
            Self::Prediction => PREDICTION,
            Self::Attributions => ATTRIBUTION,
            Self::FeatureTimestamps => AGE,
            Self::Tags => "",
            Self::Outcome => OUTCOME,
        }
    }

    pub fn may_be_bare(self) -> bool {
        matches!(self, Self::Prediction | Self::Outcome)
    }
}
