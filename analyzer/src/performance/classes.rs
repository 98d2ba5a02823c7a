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
use super::realised::CALIBRATION_BINS;
use crate::stats::classes::auc_one_against_rest;
use crate::stats::estimated::Checked;
use crate::stats::estimated_classes::{ClassMeanings, EstimatedClasses, Told};
use crate::stats::lists;
use crate::stats::ranking::Estimate;
use crate::stats::scores::Scores;

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

/// How good the chances themselves were of predictions whose class has come, and of how many of them that is known:
/// `auc` (the mean of the classes', each against the rest), `log_loss` (`−ln` of the chance of what came, in nats), `brier`
/// (`Σₖ (chance − came)²`, 0 to 2: Brier 1950), and how far the chance of the class that was told is from how often it came
/// (`calibration_error`, with what perfect chances would have by chance). Empty where none has come.
pub fn realised_chances<'a>(
    chances: &[Chance],
    rows: impl IntoIterator<Item = &'a ClassRow>,
) -> (u64, Vec<Measured>) {
    let labelled = labelled(chances, rows);
    let log_loss = |(told, came): &(Told, usize)| -told.chances[*came].clamp(f64::EPSILON, 1.0).ln();
    let brier = |(told, came): &(Told, usize)| {
        let squares = told.chances.iter().enumerate();
        squares.map(|(class, chance)| (chance - f64::from(u8::from(class == *came))).powi(2)).sum::<f64>()
    };
    let against_rest = |class: usize| {
        Scores::of_rows(labelled.iter().map(|(told, came)| (told.chances[class], *came == class)))
    };
    let each: Option<Vec<Scores>> = (0..chances.len()).map(against_rest).collect();
    let told = labelled.iter().map(|(told, came)| (told.chances[told.predicted], told.predicted == *came));
    let calibration = Scores::of_rows(told).map(|scores| scores.calibration(CALIBRATION_BINS));
    let exactly = |value: f64| Estimate { value, error: 0.0 };
    let all = [
        ("auc", each.and_then(|each| auc_one_against_rest(&each))),
        ("log_loss", lists::mean(labelled.iter().map(log_loss))),
        ("brier", lists::mean(labelled.iter().map(brier))),
        ("calibration_error", calibration.map(|found| exactly(found.expected))),
        ("calibration_error_by_chance", calibration.map(|found| exactly(found.by_chance))),
    ];
    (labelled.len() as u64, Measured::known(all).collect())
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
        Measured::known(all).collect()
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
    fn chances_are_held_to_what_came() {
        let chances = ["a", "b", "c"]
            .map(|class| Chance { class: class.to_owned(), signal: format!("prediction.chance.{class}") });
        let (labelled, found) = realised_chances(&chances, &rows(800));
        let value = |name: &str| found.iter().find(|one| one.metric == name).expect("a metric").value;
        assert_eq!(labelled, 1_000);
        // 800 times what had 0.8, a hundred times each what had 0.15 and 0.05.
        let log_loss = -(800.0 * 0.8_f64.ln() + 100.0 * (0.15_f64.ln() + 0.05_f64.ln())) / 1_000.0;
        assert!((value("log_loss") - log_loss).abs() < 1e-12, "{found:?}");
        let of = |came: [f64; 3]| -> f64 {
            [0.8, 0.15, 0.05].iter().zip(came).map(|(chance, came)| (chance - came) * (chance - came)).sum()
        };
        let brier = 0.8 * of([1.0, 0.0, 0.0]) + 0.1 * (of([0.0, 1.0, 0.0]) + of([0.0, 0.0, 1.0]));
        assert!((value("brier") - brier).abs() < 1e-12, "{found:?}");
        assert!(value("calibration_error") < 1e-12 && value("calibration_error_by_chance") > 0.0);
        assert_eq!(value("auc"), 0.5, "all rows say the same");
        assert_eq!(realised_chances(&chances, &[]), (0, Vec::new()));
    }

    #[test]
    fn without_outcomes_nothing_is_learned() {
        assert_eq!(ClassEstimator::of(&[], &[]), None);
    }
}
