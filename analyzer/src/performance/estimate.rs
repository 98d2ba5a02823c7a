//! What performance probably is before outcomes come, by what scores meant in the baseline (METHODS 7).
//!
//! Invariant: no estimate is given once two of the latest windows whose outcomes have come lay beyond three standard
//! errors of theirs.

use std::collections::VecDeque;

use domain::time::{Instant, Interval};
use sql::performance::ScoreCell;

use super::Measured;
use crate::stats::estimated::{Checked, Estimated, Meaning, Unlabelled, is_trusted};
use crate::stats::ranking::Estimate;
use crate::stats::scores::{Scored, Scores};

/// So many windows are remembered: of 28 healthy ones two lie beyond three standard errors once in 300 times.
const REMEMBERED: usize = 28;

/// A metric, its estimate's name, and how it is worked out.
struct Metric {
    realised: &'static str,
    estimated: &'static str,
    of: fn(&Scores) -> Option<Estimate>,
}

const METRICS: [Metric; 3] = [
    Metric { realised: "auc", estimated: "auc_estimated", of: Scores::auc },
    Metric { realised: "brier", estimated: "brier_estimated", of: |scores| Some(scores.brier()) },
    Metric {
        realised: "accuracy",
        estimated: "accuracy_estimated",
        of: |scores| scores.confusion(0.5).accuracy(),
    },
];

/// How right estimates were of the latest windows whose outcomes have come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checks {
    latest: VecDeque<Checked>,
    until: Instant,
}

impl Default for Checks {
    fn default() -> Self {
        Self { latest: VecDeque::new(), until: Instant::EPOCH }
    }
}

impl Checks {
    /// Whether a window says something new: one that overlaps one that was checked does not.
    pub(super) fn wants(&self, window: Interval) -> bool {
        window.start >= self.until
    }

    pub(super) fn remember(&mut self, window: Interval, checked: Checked) {
        self.latest.push_back(checked);
        self.until = window.end;
        while self.latest.len() > REMEMBERED {
            self.latest.pop_front();
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        let (latest, rest) = self.latest.as_slices();
        is_trusted(&[latest, rest].concat())
    }
}

/// Learned from a baseline with outcomes, and held to outcomes ever since.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimator {
    meaning: Meaning,
    checks: Checks,
}

/// Counts by score of what has an outcome.
pub(super) fn labelled<'a>(cells: impl IntoIterator<Item = &'a ScoreCell>) -> Option<Scores> {
    Scores::of(cells.into_iter().map(|cell| Scored {
        score: cell.mean_score,
        negatives: cell.negatives as f64,
        positives: cell.positives as f64,
    }))
}

impl Estimator {
    /// `None` where no prediction of the baseline has an outcome.
    pub fn of<'a>(baseline: impl IntoIterator<Item = &'a ScoreCell>) -> Option<Self> {
        let meaning = Meaning::of(&labelled(baseline)?);
        Some(Self { meaning, checks: Checks::default() })
    }

    /// Estimates of a stretch, over all of its predictions.
    pub fn estimates<'a>(&self, cells: impl IntoIterator<Item = &'a ScoreCell>) -> Vec<Measured> {
        let rows: Vec<Unlabelled> = cells
            .into_iter()
            .map(|cell| Unlabelled { score: cell.mean_score, rows: cell.predictions as f64 })
            .collect();
        let Some(estimated) = Estimated::of(&rows, &self.meaning) else { return Vec::new() };
        let all = METRICS.iter().map(|metric| (metric.estimated, estimated.metric(metric.of)));
        Measured::known(all).collect()
    }

    /// Remembers how right the estimate was of a window whose outcomes have come; windows that overlap one that was
    /// checked say nothing new. The rows with an outcome are what is estimated, so that those without do not count.
    pub fn check(&mut self, window: Interval, cells: &[&ScoreCell]) {
        let Some(truth) = labelled(cells.iter().copied()).filter(|_| self.checks.wants(window)) else {
            return;
        };
        let rows: Vec<Unlabelled> = truth
            .cells()
            .iter()
            .map(|cell| Unlabelled { score: cell.score, rows: cell.negatives + cell.positives })
            .collect();
        let auc = Estimated::of(&rows, &self.meaning).and_then(|estimated| estimated.metric(Scores::auc));
        if let (Some(estimated), Some(realised)) = (auc, truth.auc()) {
            self.checks.remember(window, Checked { estimated, realised: realised.value });
        }
    }

    /// Whether its estimates may be shown.
    pub fn is_trusted(&self) -> bool {
        self.checks.is_trusted()
    }

    /// The name of the estimate of a realised metric.
    pub fn name_of(metric: &str) -> Option<&'static str> {
        METRICS.iter().find(|known| known.realised == metric).map(|known| known.estimated)
    }
}

#[cfg(test)]
mod tests {
    use domain::time::HOUR;

    use super::*;

    /// 4,000 predictions, of which `meant` say how many of each score came true.
    fn cells(meant: impl Fn(f64) -> f64) -> Vec<ScoreCell> {
        let cell = |place: u32| {
            let mean_score = (f64::from(place) + 0.5) / 40.0;
            let positives = (100.0 * meant(mean_score)).round() as u64;
            ScoreCell {
                at: Instant::EPOCH,
                version: String::new(),
                part: String::new(),
                mean_score,
                predictions: 100,
                negatives: 100 - positives,
                positives,
                squares: 0.0,
                fourths: 0.0,
            }
        };
        (0..40).map(cell).collect()
    }

    fn window(hour: u32) -> Interval {
        Interval::ending_at(Instant::EPOCH.saturating_add(HOUR * (hour + 1)), HOUR)
    }

    #[test]
    fn what_comes_without_outcomes_is_estimated_by_what_scores_meant() {
        let baseline = cells(|score| score);
        let estimator = Estimator::of(&baseline).expect("outcomes");
        let unlabelled: Vec<ScoreCell> =
            baseline.iter().map(|cell| ScoreCell { negatives: 0, positives: 0, ..cell.clone() }).collect();
        let estimates = estimator.estimates(&unlabelled);
        let truth = labelled(&baseline).and_then(|scores| scores.auc()).expect("both classes");
        assert_eq!(estimates[0].metric, "auc_estimated");
        assert!((estimates[0].value - truth.value).abs() < 0.005, "{estimates:?} {truth:?}");
        assert!(estimates[0].error > truth.error);
    }

    #[test]
    fn an_estimator_that_was_wrong_twice_is_not_trusted_again_soon() {
        let (honest, broken) = (cells(|score| score), cells(|score| 0.3 + 0.4 * score));
        let mut estimator = Estimator::of(&honest).expect("outcomes");
        let check = |estimator: &mut Estimator, hour: u32, cells: &[ScoreCell]| {
            estimator.check(window(hour), &cells.iter().collect::<Vec<_>>());
        };
        check(&mut estimator, 0, &honest);
        check(&mut estimator, 1, &broken);
        check(&mut estimator, 1, &broken);
        assert!(estimator.is_trusted(), "one window is one window, however often it is looked at");
        check(&mut estimator, 2, &broken);
        assert!(!estimator.is_trusted());
    }

    #[test]
    fn without_outcomes_nothing_is_learned() {
        assert_eq!(Estimator::of(&[]), None);
    }
}
