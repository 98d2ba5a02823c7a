//! Metrics with their standard errors, from sums that add up over time.

use sql::performance::{ErrorSums, ScoreCell};

use super::estimate::labelled as labelled_scores;
use super::{Decision, Kind};
use crate::stats::proportion::Share;
use crate::stats::ranking::{Classes, Estimate, auc};
use crate::stats::scores::Scores;

/// Bins of equal width over which calibration is looked at.
const CALIBRATION_BINS: usize = 10;

/// The sums of one stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Sums {
    Scores(Vec<ScoreCell>),
    Errors(Vec<ErrorSums>),
}

/// A metric with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub metric: &'static str,
    pub value: f64,
    pub error: f64,
}

/// What a stretch of time says about the predictions made in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Realised {
    pub predictions: u64,
    pub labelled: u64,
    pub metrics: Vec<Measured>,
}

impl Realised {
    /// The same for scores in any order, of any versions.
    pub fn of_scores<'a>(cells: impl Iterator<Item = &'a ScoreCell>, decision: Decision) -> Self {
        let mut cells: Vec<&ScoreCell> = cells.collect();
        cells.sort_by(|one, other| one.mean_score.total_cmp(&other.mean_score));
        let predictions = cells.iter().map(|cell| cell.predictions).sum();
        let labelled: u64 = cells.iter().map(|cell| cell.negatives + cell.positives).sum();
        let classes =
            cells.iter().map(|cell| Classes { negatives: cell.negatives, positives: cell.positives });
        let right: u64 = cells
            .iter()
            .map(|cell| if cell.mean_score >= decision.threshold { cell.positives } else { cell.negatives })
            .sum();
        let squares: f64 = cells.iter().map(|cell| cell.squares).sum();
        let fourths: f64 = cells.iter().map(|cell| cell.fourths).sum();
        let auc = auc(classes).map(|Estimate { value, error }| Measured { metric: "auc", value, error });
        let more = labelled_scores(cells.iter().copied()).map(|scores| of_labelled(&scores, decision));
        let brier = mean("brier", squares, fourths, labelled);
        let accuracy = mean("accuracy", right as f64, right as f64, labelled);
        let metrics = auc.into_iter().chain(brier).chain(accuracy).chain(more.into_iter().flatten());
        Self { predictions, labelled, metrics: metrics.collect() }
    }

    /// The same for differences of numbers, or for wrong categories.
    pub fn of_errors<'a>(kind: Kind, sums: impl Iterator<Item = &'a ErrorSums>) -> Self {
        let mut predictions = 0;
        let (mut labelled, mut absolute, mut squares, mut fourths, mut total) = (0_u64, 0.0, 0.0, 0.0, 0.0);
        for one in sums {
            predictions += one.predictions;
            labelled += one.labelled;
            absolute += one.absolute;
            squares += one.squares;
            fourths += one.fourths;
            total += one.total;
        }
        let metrics = if kind == Kind::Categories {
            let right = labelled as f64 - total;
            mean("accuracy", right, right, labelled).into_iter().collect()
        } else {
            let mae = mean("mae", absolute, squares, labelled);
            // The standard error of a root by the delta method: se(√m) = se(m) / 2√m.
            let rmse = mean("mse", squares, fourths, labelled).map(|mse| {
                let value = mse.value.sqrt();
                Measured {
                    metric: "rmse",
                    value,
                    error: if value > 0.0 { mse.error / (2.0 * value) } else { 0.0 },
                }
            });
            let bias = mean("bias", total, squares, labelled);
            mae.into_iter().chain(rmse).chain(bias).collect()
        };
        Self { predictions, labelled, metrics }
    }

    pub fn metric(&self, name: &str) -> Option<Measured> {
        self.metrics.iter().copied().find(|measured| measured.metric == name)
    }

    /// The share of predictions whose outcome has come.
    pub fn labels(&self) -> Option<Share> {
        Share::of(self.labelled, self.predictions)
    }
}

/// What else is said of scores whose outcomes are known: how they rank, what deciding by them gives, and whether they are
/// chances. Of the calibration error also what perfect scores would have by chance.
fn of_labelled(scores: &Scores, decision: Decision) -> Vec<Measured> {
    let decided = scores.confusion(decision.threshold);
    let calibration = scores.calibration(CALIBRATION_BINS);
    let exactly = |value: f64| Some(Estimate { value, error: 0.0 });
    let all = [
        ("average_precision", scores.average_precision()),
        ("log_loss", Some(scores.log_loss())),
        ("precision", decided.precision()),
        ("recall", decided.recall()),
        ("f1", decided.f1()),
        ("mcc", decided.mcc()),
        ("calibration_error", exactly(calibration.expected)),
        ("calibration_error_by_chance", exactly(calibration.by_chance)),
        ("calibration_bias", Some(scores.bias())),
        ("calibration_slope", scores.slope()),
        ("value", decision.worth.and_then(|worth| decided.value(worth))),
    ];
    let measured = all.into_iter().filter_map(|(metric, estimate)| {
        let Estimate { value, error } = estimate?;
        Some(Measured { metric, value, error })
    });
    measured.collect()
}

/// A mean of n values with its standard error, of their sum and sum of squares.
fn mean(metric: &'static str, sum: f64, squares: f64, n: u64) -> Option<Measured> {
    let count = n as f64;
    let value = sum / count;
    let variance = (squares / count - value * value).max(0.0);
    (n > 0).then(|| Measured { metric, value, error: (variance / count).sqrt() })
}
