//! The same estimate for predictions of one of several classes, from a bounded number of predictions a stretch.
//!
//! A class has a chance where the prediction carries a number named after it: `prediction.chance.fraud` beside
//! `prediction.decision = fraud`.

use std::collections::BTreeMap;

use domain::signal::PREDICTION;
use domain::time::Interval;
use sql::predicted::{ClassNames, ClassRow};

use super::Measured;
use super::estimate::Checks;
use crate::stats::estimated::Checked;
use crate::stats::estimated_classes::{ClassMeanings, EstimatedClasses, Told};
use crate::stats::ranking::Estimate;

/// A class and the signal that tells its chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chance {
    pub class: String,
    pub signal: String,
}

impl Chance {
    /// The numbers under the name that most of the predicted classes stand below, at least two: every number there is a
    /// class, also one that was not predicted yet.
    pub fn all_of(names: &ClassNames) -> Vec<Self> {
        let mut stems: BTreeMap<&str, usize> = BTreeMap::new();
        for number in names.numbers.iter().filter(|number| number.starts_with(PREDICTION)) {
            let stem = names.classes.iter().find_map(|class| number.strip_suffix(class)?.strip_suffix('.'));
            if let Some(stem) = stem {
                *stems.entry(stem).or_default() += 1;
            }
        }
        let Some((stem, _)) = stems.into_iter().filter(|(_, classes)| *classes >= 2).max_by_key(|one| one.1)
        else {
            return Vec::new();
        };
        let class = |number: &String| {
            let class = number.strip_prefix(stem)?.strip_prefix('.')?.to_owned();
            Some(Self { class, signal: number.clone() })
        };
        names.numbers.iter().filter_map(class).collect()
    }
}

/// What chances of classes meant in a baseline with outcomes, held to outcomes ever since.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassEstimator {
    chances: Vec<Chance>,
    meanings: ClassMeanings,
    checks: Checks,
}

fn place(chances: &[Chance], class: &str) -> Option<usize> {
    chances.iter().position(|chance| chance.class == class)
}

fn told(chances: &[Chance], row: &ClassRow) -> Option<Told> {
    let predicted = place(chances, &row.predicted)?;
    (row.chances.len() == chances.len()).then(|| Told { predicted, chances: row.chances.clone() })
}

/// Predictions whose class has come.
fn labelled<'a>(chances: &[Chance], rows: impl IntoIterator<Item = &'a ClassRow>) -> Vec<(Told, usize)> {
    let one = |row: &ClassRow| Some((told(chances, row)?, place(chances, &row.truth)?));
    rows.into_iter().filter_map(one).collect()
}

impl ClassEstimator {
    /// `None` where no prediction of the baseline has an outcome.
    pub fn of(chances: &[Chance], baseline: &[ClassRow]) -> Option<Self> {
        let labelled = labelled(chances, baseline);
        let rows: Vec<(&Told, usize)> = labelled.iter().map(|(told, came)| (told, *came)).collect();
        let meanings = ClassMeanings::of(&rows)?;
        Some(Self { chances: chances.to_vec(), meanings, checks: Checks::default() })
    }

    /// Estimates of a stretch, from those of its predictions that were read.
    pub fn estimates<'a>(&self, rows: impl IntoIterator<Item = &'a ClassRow>) -> Vec<Measured> {
        let rows: Vec<Told> = rows.into_iter().filter_map(|row| told(&self.chances, row)).collect();
        let Some(estimated) = EstimatedClasses::of(&rows, &self.meanings) else { return Vec::new() };
        let all = [
            ("accuracy_estimated", Some(estimated.accuracy())),
            ("auc_estimated", estimated.auc()),
            ("f1_macro_estimated", estimated.f1_macro()),
        ];
        let known = all.into_iter().filter_map(|(metric, estimate)| {
            let Estimate { value, error } = estimate?;
            Some(Measured { metric, value, error })
        });
        known.collect()
    }

    /// Remembers how right the estimated accuracy was of a window whose outcomes have come.
    pub fn check<'a>(&mut self, window: Interval, rows: impl IntoIterator<Item = &'a ClassRow>) {
        let labelled = labelled(&self.chances, rows);
        if !self.checks.wants(window) || labelled.is_empty() {
            return;
        }
        let right = labelled.iter().filter(|(told, came)| told.predicted == *came).count();
        let realised = right as f64 / labelled.len() as f64;
        if let Some(estimated) = EstimatedClasses::of(labelled.iter().map(|(told, _)| told), &self.meanings) {
            self.checks.remember(window, Checked { estimated: estimated.accuracy(), realised });
        }
    }

    /// Whether its estimates may be shown.
    pub fn is_trusted(&self) -> bool {
        self.checks.is_trusted()
    }

    /// The signals that tell the chances, in the order in which rows must have them.
    pub fn signals(&self) -> Vec<String> {
        self.chances.iter().map(|chance| chance.signal.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use domain::time::{HOUR, Instant};

    use super::*;

    fn names(numbers: &[&str], classes: &[&str]) -> ClassNames {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        ClassNames { numbers: owned(numbers), classes: owned(classes) }
    }

    #[test]
    fn chances_stand_under_one_name_by_class() {
        let carried = [
            "feature.chance.a",
            "latency_ms",
            "prediction.chance.a",
            "prediction.chance.b",
            "prediction.chance.c",
            "prediction.margin",
        ];
        let found = Chance::all_of(&names(&carried, &["a", "b"]));
        let classes: Vec<&str> = found.iter().map(|chance| chance.class.as_str()).collect();
        assert_eq!(classes, ["a", "b", "c"], "also one that was never predicted");
        assert_eq!(found[2].signal, "prediction.chance.c");
        assert_eq!(Chance::all_of(&names(&["prediction.chance.a"], &["a", "b"])), []);
    }

    /// A thousand predictions of a with a chance of 0.8, of which so many came true.
    fn rows(right: usize) -> Vec<ClassRow> {
        let row = |place: usize| ClassRow {
            at: Instant::EPOCH,
            version: String::new(),
            predicted: "a".to_owned(),
            chances: vec![0.8, 0.15, 0.05],
            truth: (if place < right {
                "a"
            } else if place.is_multiple_of(2) {
                "b"
            } else {
                "c"
            })
            .to_owned(),
            predictions: 1_000,
        };
        (0..1_000).map(row).collect()
    }

    #[test]
    fn an_estimator_that_was_wrong_twice_is_not_trusted() {
        let chances = ["a", "b", "c"]
            .map(|class| Chance { class: class.to_owned(), signal: format!("prediction.chance.{class}") });
        let mut estimator = ClassEstimator::of(&chances, &rows(800)).expect("outcomes");
        let estimates = estimator.estimates(&rows(0));
        assert_eq!(estimates[0].metric, "accuracy_estimated");
        assert!((estimates[0].value - 0.8).abs() < 0.01 && estimates[0].error < 0.02, "{estimates:?}");
        for (hour, right, is_trusted) in [(0, 790, true), (1, 600, true), (1, 600, true), (2, 600, false)] {
            let window = Interval::ending_at(Instant::EPOCH.saturating_add(HOUR * (hour + 1)), HOUR);
            estimator.check(window, &rows(right));
            assert_eq!(estimator.is_trusted(), is_trusted, "after hour {hour}");
        }
    }

    #[test]
    fn without_outcomes_nothing_is_learned() {
        assert_eq!(ClassEstimator::of(&[], &[]), None);
    }
}
