//! Metrics with their standard errors, from sums that add up over time.

use domain::contract::Ranking;
use domain::time::{Instant, Interval};
use sql::performance::{ErrorSums, ScoreCell};
use sql::predicted::{ListCell, Shown};

use super::estimate::labelled as labelled_scores;
use super::{Decision, Kind, Task};
use crate::stats::lists::{self, ShownTimes};
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
    Lists(Vec<ListCell>),
}

/// What is known of the predictions of one version in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub at: Instant,
    pub version: String,
    pub realised: Realised,
}

impl Sums {
    /// All versions of a window together.
    pub fn within(&self, task: &Task, window: Interval) -> Realised {
        let is_within = |at: Instant| window.contains(at);
        match self {
            Self::Scores(cells) => {
                Realised::of_scores(cells.iter().filter(|cell| is_within(cell.at)), task.decision)
            }
            Self::Errors(sums) => Realised::of_errors(task.kind, sums.iter().filter(|sum| is_within(sum.at))),
            Self::Lists(cells) => {
                Realised::of_lists(cells.iter().filter(|cell| is_within(cell.at)), task.ranking)
            }
        }
    }

    /// Each step and version by itself, in the order of both.
    pub fn by_step(&self, task: &Task) -> Vec<Step> {
        match self {
            Self::Scores(cells) => steps(
                cells,
                |cell| (cell.at, &cell.version),
                |cells| Realised::of_scores(cells.iter(), task.decision),
            ),
            Self::Errors(sums) => {
                steps(sums, |sum| (sum.at, &sum.version), |sums| Realised::of_errors(task.kind, sums.iter()))
            }
            Self::Lists(cells) => steps(
                cells,
                |cell| (cell.at, &cell.version),
                |cells| Realised::of_lists(cells.iter(), task.ranking),
            ),
        }
    }
}

/// Rows in the order of time and version, as what each run of one time and version says.
fn steps<T>(
    rows: &[T],
    key: impl Fn(&T) -> (Instant, &String),
    realised: impl Fn(&[T]) -> Realised,
) -> Vec<Step> {
    let runs = rows.chunk_by(|one, other| key(one) == key(other));
    let step = |run: &[T]| {
        let (at, version) = key(run.first()?);
        Some(Step { at, version: version.clone(), realised: realised(run) })
    };
    runs.filter_map(step).collect()
}

/// How much of the catalogue one step's lists show, and how unevenly. `lists` is how many lists there were.
pub fn shown(items: &[Shown], lists: u64, ranking: Ranking) -> Vec<Measured> {
    let times: Vec<ShownTimes> =
        items.iter().map(|one| ShownTimes { times: one.times, items: one.items }).collect();
    if times.is_empty() {
        return Vec::new();
    }
    let coverage = ranking.catalogue.map(|catalogue| lists::coverage_of(&times, catalogue));
    let inequality = Estimate { value: lists::inequality_of(&times), error: 0.0 };
    let all = [
        ("coverage", coverage),
        ("diversity", lists::personalisation(&times, lists)),
        ("exposure_inequality", Some(inequality)),
    ];
    let known = all.into_iter().filter_map(|(metric, estimate)| {
        let Estimate { value, error } = estimate?;
        Some(Measured { metric, value, error })
    });
    known.collect()
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

    /// The same for ranked lists: how soon they show what was wanted.
    pub fn of_lists<'a>(cells: impl Iterator<Item = &'a ListCell>, ranking: Ranking) -> Self {
        let cells: Vec<&ListCell> = cells.collect();
        let places = ranking.places as usize;
        let known: Vec<&ListCell> = cells.iter().copied().filter(|cell| cell.is_labelled).collect();
        let measure = |metric: &'static str, of: &dyn Fn(&[f64]) -> f64| {
            let values = known.iter().map(|cell| (of(&cell.relevances), cell.lists));
            let Estimate { value, error } = lists::mean_of(values)?;
            Some(Measured { metric, value, error })
        };
        let at_places = |relevances: &[f64]| relevances.len().min(places);
        let metrics = [
            measure("ndcg", &|relevances| lists::ndcg(relevances, places)),
            measure("map", &|relevances| lists::average_precision(relevances, places)),
            measure("mrr", &|relevances| lists::reciprocal_rank(&relevances[..at_places(relevances)])),
            measure("hit_rate", &|relevances| lists::hit(relevances, places)),
            measure("precision", &|relevances| lists::precision(relevances, places)),
        ];
        Self {
            predictions: cells.iter().map(|cell| cell.lists).sum(),
            labelled: known.iter().map(|cell| cell.lists).sum(),
            metrics: metrics.into_iter().flatten().collect(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_measured_by_what_was_wanted_of_them() {
        let cell = |relevances: &[f64], is_labelled, lists| ListCell {
            at: Instant::EPOCH,
            version: String::new(),
            relevances: relevances.to_vec(),
            is_labelled,
            lists,
        };
        // Three lists of two places: wanted first, wanted second, wanted and not shown; of one nothing is known.
        let cells = [
            cell(&[1.0, 0.0], true, 1),
            cell(&[0.0, 1.0], true, 1),
            cell(&[0.0, 0.0, 1.0], true, 1),
            cell(&[], false, 1),
        ];
        let realised = Realised::of_lists(cells.iter(), Ranking { places: 2, catalogue: None });
        assert_eq!((realised.predictions, realised.labelled), (4, 3));
        let value = |name: &str| realised.metric(name).expect("a metric").value;
        let second = 1.0 / 3.0_f64.log2();
        assert!((value("ndcg") - (1.0 + second) / 3.0).abs() < 1e-12);
        assert!((value("map") - 0.5).abs() < 1e-12 && (value("mrr") - 0.5).abs() < 1e-12);
        assert!((value("hit_rate") - 2.0 / 3.0).abs() < 1e-12);
        assert!(realised.metrics.iter().all(|metric| metric.error > 0.0));
    }
}
