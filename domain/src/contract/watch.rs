//! What a contract states about how a model is looked at: in which windows, and compared with what.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Rfc3339;
use crate::baseline;
use crate::evaluation::Monitor;
use crate::time::HOUR;
use crate::window::Schedule;

/// One way of looking at a model: windows of one schedule against one baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    pub name: String,
    pub window_s: u64,
    pub step_s: u64,
    /// How long after its end a window waits for late events.
    pub grace_s: u64,
    pub baseline: String,
    /// What windows are compared with; see [`Watch::against`] for what holds where nothing is stated.
    pub against: Option<Against>,
    /// Fewer events than this in a window are too little to say anything.
    pub least_events: u64,
    /// Windows that end at or before this instant are not looked at.
    pub from: Option<Rfc3339>,
    /// Windows that end after this instant are not looked at.
    pub until: Option<Rfc3339>,
    /// Whether the pages say that this watch looks at recorded history.
    pub history: bool,
    /// What is looked at; empty for everything. A day of weather says nothing about drift, and much about gaps.
    pub monitors: Vec<Monitor>,
    /// The population stability index below which movement does not matter here, where the usual one does not fit.
    pub drift_floor: Option<f64>,
}

impl Default for Watch {
    fn default() -> Self {
        let schedule = Schedule::default();
        Self {
            name: "hourly".to_owned(),
            window_s: HOUR.as_secs(),
            step_s: schedule.step.as_secs(),
            grace_s: schedule.grace.as_secs(),
            baseline: baseline::INITIAL.to_owned(),
            against: None,
            least_events: 200,
            from: None,
            until: None,
            history: false,
            monitors: Vec::new(),
            drift_floor: None,
        }
    }
}

impl Watch {
    /// Whether this watch looks at `monitor`.
    pub fn looks_at(&self, monitor: Monitor) -> bool {
        self.monitors.is_empty() || self.monitors.contains(&monitor)
    }

    /// What windows are compared with: what is stated; else a baseline that somebody named, or the same hours of past
    /// weeks, for which the `initial` baseline stands in until there are enough of them.
    pub fn against(&self) -> Against {
        match &self.against {
            Some(against) => against.clone(),
            None if self.baseline != baseline::INITIAL => Against::Named,
            None => Against::SameHour { weeks: Against::WEEKS },
        }
    }

    pub fn schedule(&self) -> Schedule {
        Schedule {
            length: Duration::from_secs(self.window_s),
            step: Duration::from_secs(self.step_s),
            grace: Duration::from_secs(self.grace_s),
        }
    }

    /// What is wrong, with the field that says it.
    pub(super) fn problem(&self) -> Option<(&'static str, &'static str)> {
        if self.step_s == 0 || !self.step_s.is_multiple_of(60) {
            return Some(("step_s", "must be whole minutes, such as 300: counts are kept by the minute"));
        }
        if self.window_s == 0 || !self.window_s.is_multiple_of(self.step_s) {
            return Some(("window_s", "must be a whole multiple of step_s"));
        }
        if let Some(problem) = self.against.as_ref().and_then(Against::problem) {
            return Some(("against", problem));
        }
        if self.drift_floor.is_some_and(|floor| !(floor.is_finite() && floor > 0.0)) {
            return Some(("drift_floor", "must be greater than 0, such as 0.1"));
        }
        None
    }
}

/// What the windows of a watch are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Against {
    /// The baseline that the watch names.
    Named,
    /// The last so many whole days before the window's own day.
    Rolling { days: u32 },
    /// The same hours of the last so many weeks; the same hours of all days where those are too few, then all hours.
    SameHour { weeks: u32 },
    /// The same minutes of one version, the champion; the window holds all other versions.
    Version { version: String },
    /// The same minutes of another environment.
    Environment { environment: String },
    /// A stretch of time.
    Window { from: Rfc3339, to: Rfc3339 },
}

impl Against {
    /// By default so many weeks say what is usual.
    pub const WEEKS: u32 = 4;
    /// Counts by the hour are kept for about a year.
    const MOST_WEEKS: u32 = 52;

    /// How a sentence calls it; empty for a named baseline, which has a name.
    pub fn words(&self) -> String {
        match self {
            Self::Named => String::new(),
            Self::Rolling { days } => format!("the last {days} days"),
            Self::SameHour { weeks } => format!("the same hours of {weeks} weeks"),
            Self::Version { version } => format!("version {version}"),
            Self::Environment { environment } => format!("environment {environment}"),
            Self::Window { from, to } => format!("{} to {}", from.0, to.0),
        }
    }

    fn problem(&self) -> Option<&'static str> {
        let wrong = match self {
            Self::Named => false,
            Self::Rolling { days } => return (*days == 0).then_some("needs days of at least 1, such as 28"),
            Self::SameHour { weeks } => {
                let is_wrong = !(2..=Self::MOST_WEEKS).contains(weeks);
                return is_wrong.then_some("needs weeks between 2 and 52, such as 4");
            }
            Self::Version { version } => version.is_empty(),
            Self::Environment { environment } => environment.is_empty(),
            Self::Window { from, to } => {
                return (from.0 >= to.0).then_some("needs a from that lies before its to");
            }
        };
        wrong.then_some("needs the name of what windows are compared with")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_are_compared_with_can_be_stated_and_has_a_default() {
        let watch = |text: &str| toml::from_str::<Watch>(text).expect("well-formed");
        assert_eq!(watch("").against(), Against::SameHour { weeks: 4 });
        assert_eq!(watch("baseline = \"winter\"").against(), Against::Named);
        let stated = [
            ("kind = \"named\"", Against::Named),
            ("kind = \"rolling\", days = 14", Against::Rolling { days: 14 }),
            ("kind = \"same_hour\", weeks = 8", Against::SameHour { weeks: 8 }),
            ("kind = \"version\", version = \"7\"", Against::Version { version: "7".to_owned() }),
            (
                "kind = \"environment\", environment = \"staging\"",
                Against::Environment { environment: "staging".to_owned() },
            ),
        ];
        for (text, expected) in stated {
            assert_eq!(watch(&format!("against = {{ {text} }}")).against(), expected);
        }
    }
}
