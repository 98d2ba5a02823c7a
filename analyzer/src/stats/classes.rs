//! Predictions of one of several classes against what came.

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

/// The mean of the classes' own areas, each class against all others (Provost and Domingos 2000, unweighted). `None`
/// unless every class has one.
pub fn auc_one_against_rest(classes: &[Scores]) -> Option<f64> {
    let areas: Option<Vec<f64>> = classes.iter().map(|scores| Some(scores.auc()?.value)).collect();
    let areas = areas.filter(|areas| !areas.is_empty())?;
    Some(areas.iter().sum::<f64>() / areas.len() as f64)
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
        assert_eq!(Classified::new(vec![vec![0.0]]), None);
        assert_eq!(Classified::new(vec![vec![1.0, 2.0]]), None);
    }
}
