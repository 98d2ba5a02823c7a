//! Metrics with their standard errors, from sums that add up over time.

use domain::contract::Ranking;
use domain::time::{Instant, Interval};
use sql::performance::{ErrorSums, ScoreCell};
use sql::predicted::{ClassPair, ListCell, Shown};

use super::estimate::labelled as labelled_scores;
use super::{Decision, Task};
use crate::stats::classes::{EachClass, Pair};
use crate::stats::lists::{self, ShownTimes};
use crate::stats::proportion::Share;
use crate::stats::ranking::{Classes, Estimate, auc};
use crate::stats::residuals::Residuals;
use crate::stats::scores::Scores;

/// Bins of equal width over which calibration is looked at.
pub(super) const CALIBRATION_BINS: usize = 10;

/// The sums of one stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub enum Sums {
    Scores(Vec<ScoreCell>),
    Errors(Vec<ErrorSums>),
    Classes(Vec<ClassPair>),
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
            Self::Errors(sums) => Realised::of_errors(sums.iter().filter(|sum| is_within(sum.at))),
            Self::Classes(pairs) => Realised::of_classes(pairs.iter().filter(|pair| is_within(pair.at))),
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
                steps(sums, |sum| (sum.at, &sum.version), |sums| Realised::of_errors(sums.iter()))
            }
            Self::Classes(pairs) => {
                steps(pairs, |pair| (pair.at, &pair.version), |pairs| Realised::of_classes(pairs.iter()))
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
    Measured::known(all).collect()
}

/// A metric with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub metric: &'static str,
    pub value: f64,
    pub error: f64,
}

impl Measured {
    pub(super) fn new(metric: &'static str, Estimate { value, error }: Estimate) -> Self {
        Self { metric, value, error }
    }

    /// Those of some metrics that can be said.
    pub(super) fn known(
        all: impl IntoIterator<Item = (&'static str, Option<Estimate>)>,
    ) -> impl Iterator<Item = Self> {
        all.into_iter().filter_map(|(metric, estimate)| Some(Self::new(metric, estimate?)))
    }
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
        let auc = auc(classes).map(|auc| Measured::new("auc", auc));
        let more = labelled_scores(cells.iter().copied()).map(|scores| of_labelled(&scores, decision));
        let brier = mean("brier", squares, fourths, labelled);
        let accuracy = mean("accuracy", right as f64, right as f64, labelled);
        let metrics = auc.into_iter().chain(brier).chain(accuracy).chain(more.into_iter().flatten());
        Self { predictions, labelled, metrics: metrics.collect() }
    }

    /// The same for differences of numbers. The mean relative error is left out where an outcome is zero.
    pub fn of_errors<'a>(sums: impl Iterator<Item = &'a ErrorSums>) -> Self {
        let (mut all, mut predictions, mut labelled, mut zeros) = (Residuals::default(), 0, 0, 0);
        for one in sums {
            predictions += one.predictions;
            labelled += one.labelled;
            zeros += one.zeros;
            all += Residuals {
                n: one.labelled as f64,
                total: one.total,
                absolute: one.absolute,
                squares: one.squares,
                fourths: one.fourths,
                relative: one.relative,
                relative_squares: one.relative_squares,
                outcomes: one.outcomes,
                outcome_squares: one.outcome_squares,
            };
        }
        let found = [
            ("mae", all.mae()),
            ("rmse", all.rmse()),
            ("bias", all.bias()),
            ("r2", all.r2()),
            ("mape", all.mape().filter(|_| zeros == 0)),
        ];
        Self { predictions, labelled, metrics: Measured::known(found).collect() }
    }

    /// The same for one of several classes. Means over classes are said only where every pair is known by name.
    pub fn of_classes<'a>(pairs: impl Iterator<Item = &'a ClassPair>) -> Self {
        let (mut predictions, mut labelled, mut right) = (0, 0, 0);
        let mut named: Option<Vec<Pair<'_>>> = Some(Vec::new());
        for pair in pairs {
            predictions += pair.predictions;
            if !pair.is_known {
                continue;
            }
            labelled += pair.predictions;
            right += if pair.is_right { pair.predictions } else { 0 };
            named = named.zip(pair.names.as_ref()).map(|(mut all, names)| {
                all.push(Pair { told: &names.told, came: &names.came, rows: pair.predictions as f64 });
                all
            });
        }
        let each = named.and_then(EachClass::of);
        let over_classes = each.iter().flat_map(|each| {
            [
                ("f1_macro", each.f1_macro()),
                ("f1_weighted", each.f1_weighted()),
                ("recall_macro", each.recall_macro()),
            ]
        });
        let accuracy = mean("accuracy", right as f64, right as f64, labelled);
        let metrics = accuracy.into_iter().chain(Measured::known(over_classes)).collect();
        Self { predictions, labelled, metrics }
    }

    /// The same for ranked lists: how soon they show what was wanted.
    pub fn of_lists<'a>(cells: impl Iterator<Item = &'a ListCell>, ranking: Ranking) -> Self {
        let cells: Vec<&ListCell> = cells.collect();
        let places = ranking.places as usize;
        let known: Vec<&ListCell> = cells.iter().copied().filter(|cell| cell.is_labelled).collect();
        let measure = |metric: &'static str, of: &dyn Fn(&[f64]) -> f64| {
            let values = known.iter().map(|cell| (of(&cell.relevances), cell.lists));
            lists::mean_of(values).map(|mean| Measured::new(metric, mean))
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
    Measured::known(all).collect()
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
    use sql::predicted::ClassNamed;

    use super::*;

    #[test]
    fn classes_are_measured_one_by_one_where_all_are_known_by_name() {
        let pair = |told: &str, came: &str, predictions: u64| ClassPair {
            at: Instant::EPOCH,
            version: String::new(),
            names: Some(ClassNamed { told: told.to_owned(), came: came.to_owned() }),
            is_known: !came.is_empty(),
            is_right: told == came,
            predictions,
        };
        // A rare class that is never told any more: one in fifty is wrong, and of the classes' F1 half is gone.
        let pairs = [pair("a", "a", 980), pair("a", "b", 20), pair("a", "", 500)];
        let realised = Realised::of_classes(pairs.iter());
        assert_eq!((realised.predictions, realised.labelled), (1_500, 1_000));
        let value = |name: &str| realised.metric(name).expect("a metric").value;
        assert_eq!(value("accuracy"), 0.98);
        assert!((value("f1_macro") - (1_960.0 / 1_980.0) / 2.0).abs() < 1e-12);
        assert!((value("f1_weighted") - 0.98 * 1_960.0 / 1_980.0).abs() < 1e-12);
        assert_eq!(value("recall_macro"), 0.5);
        let rest = ClassPair { names: None, is_right: true, ..pair("", "b", 10) };
        let cut = Realised::of_classes(pairs.iter().chain([&rest]));
        let names: Vec<&str> = cut.metrics.iter().map(|measured| measured.metric).collect();
        assert_eq!(names, ["accuracy"], "a class that nobody knows cannot be averaged over");
        assert!((cut.metrics[0].value - 990.0 / 1_010.0).abs() < 1e-12);
    }

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
