//! Predictions of one of several classes against what came.

use std::collections::BTreeMap;

use crate::stats::confusion::Confusion;
use crate::stats::ranking::Estimate;
use crate::stats::scores::Scores;

/// Counts by what came (first) and what was predicted (second), over the same classes. Made by [`Classified::new`].
#[derive(Clone, Debug, PartialEq)]
pub struct Classified {
    counts: Vec<Vec<f64>>,
}

/// One class by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OneClass {
    pub precision: Option<f64>,
    pub recall: Option<f64>,
    /// Zero where nothing of the class was right.
    pub f1: f64,
    /// How many rows are of this class.
    pub rows: f64,
}

impl Classified {
    /// `None` unless the table is square and has a row. Counts need not be whole.
    pub fn new(counts: Vec<Vec<f64>>) -> Option<Self> {
        let is_square = counts.iter().all(|row| row.len() == counts.len());
        let rows: f64 = counts.iter().flatten().sum();
        (is_square && rows > 0.0).then_some(Self { counts })
    }

    pub fn rows(&self) -> f64 {
        self.counts.iter().flatten().sum()
    }

    /// The share that was right.
    pub fn accuracy(&self) -> Estimate {
        let n = self.rows();
        let value = self.counts.iter().enumerate().map(|(class, row)| row[class]).sum::<f64>() / n;
        Estimate { value, error: (value * (1.0 - value) / n).max(0.0).sqrt() }
    }

    pub fn class(&self, class: usize) -> OneClass {
        let right = self.counts[class][class];
        let rows: f64 = self.counts[class].iter().sum();
        let predicted: f64 = self.counts.iter().map(|row| row[class]).sum();
        let share = |whole: f64| (whole > 0.0).then(|| right / whole);
        let f1 = if rows + predicted > 0.0 { 2.0 * right / (rows + predicted) } else { 0.0 };
        OneClass { precision: share(predicted), recall: share(rows), f1, rows }
    }

    fn present(&self) -> impl Iterator<Item = OneClass> + '_ {
        let is_present = |class: &usize| {
            self.counts[*class].iter().any(|count| *count > 0.0)
                || self.counts.iter().any(|row| row[*class] > 0.0)
        };
        (0..self.counts.len()).filter(is_present).map(|class| self.class(class))
    }

    /// The mean of the classes' F1; a class that neither came nor was predicted is left out.
    pub fn f1_macro(&self) -> f64 {
        let (sum, classes) = self.present().fold((0.0, 0.0), |(sum, n), class| (sum + class.f1, n + 1.0));
        sum / classes
    }

    /// The mean of the classes' F1 by how many rows each has.
    pub fn f1_weighted(&self) -> f64 {
        self.present().map(|class| class.f1 * class.rows).sum::<f64>() / self.rows()
    }
}

/// How many rows told one class while another, or the same, came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair<'a> {
    pub told: &'a str,
    pub came: &'a str,
    pub rows: f64,
}

/// Each class that was told or came, against all others.
///
/// It costs as much as there are pairs, whatever the number of classes: a table of all of them is never made.
#[derive(Clone, Debug, PartialEq)]
pub struct EachClass {
    classes: Vec<Confusion>,
}

impl EachClass {
    /// `None` without a row.
    ///
    /// ```
    /// use analyzer::stats::classes::{EachClass, Pair};
    /// let pair = |told, came, rows| Pair { told, came, rows };
    /// // Of ten rows nine are "a", and all are told to be: right in nine of ten, and blind to "b".
    /// let blind = EachClass::of([pair("a", "a", 9.0), pair("a", "b", 1.0)]).unwrap();
    /// assert!((blind.f1_macro().unwrap().value - (18.0 / 19.0) / 2.0).abs() < 1e-12);
    /// assert_eq!(blind.recall_macro().unwrap().value, 0.5);
    /// ```
    pub fn of<'a>(pairs: impl IntoIterator<Item = Pair<'a>>) -> Option<Self> {
        let mut classes: BTreeMap<&str, Confusion> = BTreeMap::new();
        let mut all = 0.0;
        for Pair { told, came, rows } in pairs {
            all += rows;
            if told == came {
                classes.entry(told).or_default().true_positives += rows;
            } else {
                classes.entry(told).or_default().false_positives += rows;
                classes.entry(came).or_default().false_negatives += rows;
            }
        }
        let with_rest = |class: Confusion| Confusion { true_negatives: all - class.rows(), ..class };
        let classes = classes.into_values().map(with_rest).collect();
        (all > 0.0).then_some(Self { classes })
    }

    /// The mean of the classes' F1, `2TP/(2TP + FP + FN)`. Its error is the mean of theirs: they go together in a way that
    /// is not known, so it is at most that.
    pub fn f1_macro(&self) -> Option<Estimate> {
        mean(&self.classes.iter().filter_map(Confusion::f1).collect::<Vec<_>>())
    }

    /// The mean of the classes' F1 by how many rows each has, with the mean of their errors.
    pub fn f1_weighted(&self) -> Option<Estimate> {
        let weighted = || self.classes.iter().filter_map(|class| Some((class.positives(), class.f1()?)));
        let rows: f64 = weighted().map(|(rows, _)| rows).sum();
        let sum = |of: fn(&Estimate) -> f64| weighted().map(|(n, f1)| n * of(&f1)).sum::<f64>() / rows;
        (rows > 0.0).then(|| Estimate { value: sum(|f1| f1.value), error: sum(|f1| f1.error) })
    }

    /// The mean over the classes that came of how many of each were told so (balanced accuracy). The rows of one class are
    /// not those of another, so the errors add as independent ones: `√(Σ eₖ²)/K`.
    pub fn recall_macro(&self) -> Option<Estimate> {
        let each: Vec<Estimate> = self.classes.iter().filter_map(Confusion::recall).collect();
        let Estimate { value, .. } = mean(&each)?;
        let squares: f64 = each.iter().map(|recall| recall.error.powi(2)).sum();
        Some(Estimate { value, error: squares.sqrt() / each.len() as f64 })
    }
}

/// The mean of estimates that go together in a way that is not known: the mean of their errors is the most it can have.
fn mean(each: &[Estimate]) -> Option<Estimate> {
    let n = each.len() as f64;
    let sum = |of: fn(&Estimate) -> f64| each.iter().map(of).sum::<f64>() / n;
    (n > 0.0).then(|| Estimate { value: sum(|one| one.value), error: sum(|one| one.error) })
}

/// The mean of the classes' own areas, each class against all others (Provost and Domingos 2000, unweighted), with the mean
/// of their errors, which is the most it can have. `None` unless every class has one.
pub fn auc_one_against_rest(classes: &[Scores]) -> Option<Estimate> {
    let areas: Option<Vec<Estimate>> = classes.iter().map(Scores::auc).collect();
    mean(&areas?)
}

/// The mean over pairs of classes of how well each one's score tells it from the other (Hand and Till 2001, eq. 7).
/// `rows` are the true class and the scores of all; `None` unless every class has rows.
pub fn auc_one_against_one(rows: &[(usize, Vec<f64>)]) -> Option<f64> {
    let classes = rows.first()?.1.len();
    let area = |of: usize, against: usize| {
        let both = rows.iter().filter(|(class, _)| *class == of || *class == against);
        Some(Scores::of_rows(both.map(|(class, scores)| (scores[of], *class == of)))?.auc()?.value)
    };
    let mut areas = Vec::new();
    for one in 0..classes {
        for other in one + 1..classes {
            areas.push((area(one, other)? + area(other, one)?) / 2.0);
        }
    }
    (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_classes_that_are_always_right() {
        let right =
            Classified::new(vec![vec![5.0, 0.0, 0.0], vec![0.0, 3.0, 0.0], vec![0.0; 3]]).expect("rows");
        assert_eq!((right.accuracy().value, right.f1_macro(), right.f1_weighted()), (1.0, 1.0, 1.0));
        let same = |class| Pair { told: class, came: class, rows: 4.0 };
        let each = EachClass::of([same("a"), same("b")]).expect("rows");
        let [f1, weighted, recall] = [each.f1_macro(), each.f1_weighted(), each.recall_macro()]
            .map(|estimate| estimate.expect("rows").value);
        assert_eq!([f1, weighted, recall], [1.0; 3]);
        assert_eq!(EachClass::of([]), None);
        assert_eq!(Classified::new(vec![vec![0.0]]), None);
        assert_eq!(Classified::new(vec![vec![1.0, 2.0]]), None);
    }
}
