//! How good predictions of one of several classes probably are before their outcomes come: the same estimate as
//! [`super::estimated`] for two, one class against all others (METHODS 7).
//!
//! Invariant: a row's chances add up to one after each was mended by what it has meant.

use crate::stats::classes::Classified;
use crate::stats::confusion::Confusion;
use crate::stats::estimated::Meaning;
use crate::stats::ranking::Estimate;
use crate::stats::scores::{Scored, Scores};

/// A prediction: the class that was told, and the chance of each, in the order of the classes.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub predicted: usize,
    pub chances: Vec<f64>,
}

/// What the chances of each class have meant.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassMeanings {
    classes: Vec<Meaning>,
    /// How many rows they were learned from.
    rows: f64,
}

impl ClassMeanings {
    /// Learned of rows with the class that came, each class against the rest. `None` without rows, or where rows do not
    /// tell the same number of chances.
    pub fn of(labelled: &[(&Told, usize)]) -> Option<Self> {
        let classes = labelled.first()?.0.chances.len();
        if classes == 0 || labelled.iter().any(|(told, _)| told.chances.len() != classes) {
            return None;
        }
        let meaning = |class: usize| {
            let rows = labelled.iter().map(|(told, came)| (told.chances[class], *came == class));
            Some(Meaning::of(&Scores::of_rows(rows)?))
        };
        let classes: Option<Vec<Meaning>> = (0..classes).map(meaning).collect();
        Some(Self { classes: classes?, rows: labelled.len() as f64 })
    }

    /// Chances are what they say.
    pub fn as_told(classes: usize) -> Self {
        Self { classes: vec![Meaning::as_told(); classes], rows: f64::INFINITY }
    }

    /// `cₖ = mₖ(sₖ)/Σⱼ mⱼ(sⱼ)`, m what class k's chance has meant; even chances where all are zero.
    pub fn chances(&self, told: &[f64]) -> Vec<f64> {
        let meant: Vec<f64> =
            self.classes.iter().zip(told).map(|(meaning, chance)| meaning.chance(*chance)).collect();
        let sum: f64 = meant.iter().sum();
        let even = 1.0 / meant.len().max(1) as f64;
        meant.iter().map(|chance| if sum > 0.0 { chance / sum } else { even }).collect()
    }
}

/// Estimated metrics of one stretch of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct EstimatedClasses {
    expected: Classified,
    /// One class against the rest, ranked by what was told.
    scores: Vec<Scores>,
    /// One class against the rest, as decided.
    decided: Vec<Confusion>,
    /// `√(1 + n/N)`: what was learned from N rows is not sure either.
    doubt: f64,
}

impl EstimatedClasses {
    /// Each row counts as `cₖ` of a row of class k: `accuracy = Σ c_ŷ/n`; F1 of class k from `TP = Σ_{ŷ=k} cₖ`,
    /// `FP = Σ_{ŷ=k} (1−cₖ)`, `FN = Σ_{ŷ≠k} cₖ`; AUC of class k by expected counts in the order of `sₖ` (NannyML's
    /// multiclass CBPE; the last two are means over classes). Rows that tell another number of chances, or predict a
    /// class that is none of them, are left out; `None` without any.
    ///
    /// ```
    /// use analyzer::stats::estimated_classes::{ClassMeanings, EstimatedClasses, Told};
    /// let told = |predicted, chances: [f64; 3]| Told { predicted, chances: chances.to_vec() };
    /// let rows = [told(0, [0.7, 0.2, 0.1]), told(2, [0.1, 0.4, 0.5])];
    /// let estimated = EstimatedClasses::of(&rows, &ClassMeanings::as_told(3)).unwrap();
    /// assert!((estimated.accuracy().value - 0.6).abs() < 1e-12);
    /// ```
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Told>, meanings: &ClassMeanings) -> Option<Self> {
        let classes = meanings.classes.len();
        let is_whole = |told: &&Told| told.chances.len() == classes && told.predicted < classes;
        let rows = rows.into_iter().filter(is_whole).map(|told| (told, meanings.chances(&told.chances)));
        Self::of_chances(rows, classes, meanings.rows)
    }

    /// The same where the chance of each class is known otherwise, of `learned_from` rows.
    pub fn of_chances<'a>(
        rows: impl IntoIterator<Item = (&'a Told, Vec<f64>)>,
        classes: usize,
        learned_from: f64,
    ) -> Option<Self> {
        let mut counts = vec![vec![0.0; classes]; classes];
        let mut scores: Vec<Vec<Scored>> = vec![Vec::new(); classes];
        let mut decided = vec![Confusion::default(); classes];
        for (told, chances) in rows {
            for (class, chance) in chances.iter().enumerate() {
                counts[class][told.predicted] += chance;
                let decided = &mut decided[class];
                let (came, other) = match told.predicted == class {
                    true => (&mut decided.true_positives, &mut decided.false_positives),
                    false => (&mut decided.false_negatives, &mut decided.true_negatives),
                };
                *came += chance;
                *other += 1.0 - chance;
                scores[class].push(Scored {
                    score: told.chances[class],
                    negatives: 1.0 - chance,
                    positives: *chance,
                });
            }
        }
        let expected = Classified::new(counts)?;
        let scores: Option<Vec<Scores>> = scores.into_iter().map(Scores::of).collect();
        let doubt = (1.0 + expected.rows() / learned_from).sqrt();
        Some(Self { expected, scores: scores?, decided, doubt })
    }

    pub fn rows(&self) -> f64 {
        self.expected.rows()
    }

    /// The share that is right, with the standard error that it would have realised on as many rows, times `√(1 + n/N)`.
    pub fn accuracy(&self) -> Estimate {
        let Estimate { value, error } = self.expected.accuracy();
        Estimate { value, error: error * self.doubt }
    }

    /// The mean of the classes' F1; a class that is neither expected nor predicted is left out.
    pub fn f1_macro(&self) -> Option<Estimate> {
        self.mean(self.decided.iter().filter_map(Confusion::f1).collect())
    }

    /// The mean of the classes' AUC, one against the rest; `None` unless each has one.
    pub fn auc(&self) -> Option<Estimate> {
        let areas: Option<Vec<Estimate>> = self.scores.iter().map(Scores::auc).collect();
        self.mean(areas?)
    }

    /// Errors of the classes go together in a way that is not known, so the mean's is at most the mean of theirs.
    fn mean(&self, classes: Vec<Estimate>) -> Option<Estimate> {
        let n = classes.len() as f64;
        let sum = |of: fn(&Estimate) -> f64| classes.iter().map(of).sum::<f64>() / n;
        (n > 0.0).then(|| Estimate { value: sum(|one| one.value), error: sum(|one| one.error) * self.doubt })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 900 rows of three classes, predicted by the greatest chance; of each class as many came as `meant` says.
    fn rows(meant: impl Fn(f64) -> f64) -> Vec<(Told, usize)> {
        let mut rows = Vec::new();
        for place in 0..90_u32 {
            let best = 0.35 + 0.007 * f64::from(place);
            let class = (place % 3) as usize;
            let mut chances = vec![(1.0 - best) / 2.0; 3];
            chances[class] = best;
            let right = (10.0 * meant(best)).round() as usize;
            for row in 0..10 {
                let came = if row < right { class } else { (class + 1 + row % 2) % 3 };
                rows.push((Told { predicted: class, chances: chances.clone() }, came));
            }
        }
        rows
    }

    fn meanings(rows: &[(Told, usize)]) -> ClassMeanings {
        let labelled: Vec<(&Told, usize)> = rows.iter().map(|(told, came)| (told, *came)).collect();
        ClassMeanings::of(&labelled).expect("rows")
    }

    #[test]
    fn an_estimate_of_the_rows_learned_from_is_what_was_realised() {
        let then = rows(|best| 0.3 + 0.6 * best);
        let estimated =
            EstimatedClasses::of(then.iter().map(|(told, _)| told), &meanings(&then)).expect("rows");
        let right = then.iter().filter(|(told, came)| told.predicted == *came).count() as f64 / 900.0;
        assert!((estimated.accuracy().value - right).abs() < 0.02, "{estimated:?} {right}");
        let plain = (right * (1.0 - right) / 900.0).sqrt();
        assert!((estimated.accuracy().error / plain - 2.0_f64.sqrt()).abs() < 0.05);
    }

    #[test]
    fn chances_add_up_to_one_whatever_was_told() {
        let meanings = meanings(&rows(|best| best));
        for told in [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.2, 0.3, 0.5]] {
            let sum: f64 = meanings.chances(&told).iter().sum();
            assert!((sum - 1.0).abs() < 1e-9, "{told:?}");
        }
    }

    #[test]
    fn rows_of_other_classes_are_left_out() {
        let as_told = ClassMeanings::as_told(3);
        let odd =
            [Told { predicted: 3, chances: vec![0.2, 0.3, 0.5] }, Told { predicted: 0, chances: vec![1.0] }];
        assert_eq!(EstimatedClasses::of(&odd, &as_told), None);
        assert_eq!(ClassMeanings::of(&[]), None);
    }
}
