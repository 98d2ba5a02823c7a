//! Which findings belong together: those of one model, watch and cause whose onsets are close, and those of one signal.

use std::time::Duration;

use domain::evaluation::{Cause, Subject};
use domain::incident::Finding;
use domain::time::{DAY, HOUR, Instant};
use serde::{Deserialize, Serialize};

/// How far apart two onsets may lie for one cause to be behind both.
///
/// Windows shorter than a day: `windows` of them, but at most `most_s` (and never less than one window). Windows of a day
/// or more: `long_windows` of them, because what moves by the day is a season or a deployment, not a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Correlation {
    pub windows: u32,
    pub most_s: u64,
    pub long_windows: u32,
}

impl Default for Correlation {
    fn default() -> Self {
        Self { windows: 6, most_s: 2 * HOUR.as_secs(), long_windows: 3 }
    }
}

impl Correlation {
    pub fn span(&self, window: Duration) -> Duration {
        if window >= DAY {
            return window.saturating_mul(self.long_windows);
        }
        let most = Duration::from_secs(self.most_s).max(window);
        window.saturating_mul(self.windows).min(most)
    }
}

/// What an incident is about, before it is told from others of the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    pub model: String,
    pub environment: String,
    pub watch: String,
    pub cause: Cause,
}

impl Scope {
    pub fn of(subject: &Subject) -> Self {
        Self {
            model: subject.model.clone(),
            environment: subject.environment.clone(),
            watch: subject.watch.clone(),
            cause: Cause::of(subject.monitor),
        }
    }
}

/// How well a finding fits into a group of the same scope; the greater the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// Its onset lies within the span of one in the group; the nearer the better.
    Near(std::cmp::Reverse<Duration>),
    /// Its signal is in the group already, by another monitor or in another segment.
    SameSignal,
}

pub fn fit(finding: &Finding, group: &[Finding], span: Duration) -> Option<Fit> {
    let subject = &finding.subject;
    let same_signal = |other: &Finding| {
        other.subject.signal == subject.signal
            && (!subject.signal.is_empty() || other.subject.monitor == subject.monitor)
    };
    if group.iter().any(same_signal) {
        return Some(Fit::SameSignal);
    }
    let nearest = group.iter().map(|other| distance(finding.since, other.since)).min()?;
    (nearest <= span).then_some(Fit::Near(std::cmp::Reverse(nearest)))
}

fn distance(one: Instant, other: Instant) -> Duration {
    one.since(other).max(other.since(one))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::time::MINUTE;

    #[test]
    fn the_span_is_six_short_windows_two_hours_or_three_days() {
        let correlation = Correlation::default();
        assert_eq!(correlation.span(MINUTE), 6 * MINUTE);
        assert_eq!(correlation.span(HOUR), 2 * HOUR);
        assert_eq!(correlation.span(6 * HOUR), 6 * HOUR);
        assert_eq!(correlation.span(DAY), 3 * DAY);
    }

    #[test]
    fn the_same_signal_fits_better_than_the_nearest_onset() {
        let nearest = Fit::Near(std::cmp::Reverse(Duration::ZERO));
        assert!(Fit::SameSignal > nearest);
        assert!(nearest > Fit::Near(std::cmp::Reverse(MINUTE)));
    }
}
