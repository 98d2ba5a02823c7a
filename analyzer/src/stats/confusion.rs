//! Predictions of yes or no against what came: every metric of four counts.
//!
//! Counts need not be whole: an estimate without outcomes counts chances. Where a metric divides by nothing it is `None`;
//! other tools say 0 there.

use crate::stats::ranking::Estimate;

/// How many of each, zero or more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confusion {
    pub true_positives: f64,
    pub false_positives: f64,
    pub false_negatives: f64,
    pub true_negatives: f64,
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

/// A share with its standard error, `√(p(1−p)/n)`.
fn share(part: f64, whole: f64) -> Option<Estimate> {
    let value = ratio(part, whole)?;
    Some(Estimate { value, error: (value * (1.0 - value) / whole).max(0.0).sqrt() })
}

impl Confusion {
    pub fn rows(&self) -> f64 {
        self.positives() + self.negatives()
    }

    pub fn positives(&self) -> f64 {
        self.true_positives + self.false_negatives
    }

    pub fn negatives(&self) -> f64 {
        self.false_positives + self.true_negatives
    }

    /// Predicted to be positive.
    pub fn selected(&self) -> f64 {
        self.true_positives + self.false_positives
    }

    /// `(TP + TN)/n`.
    pub fn accuracy(&self) -> Option<Estimate> {
        share(self.true_positives + self.true_negatives, self.rows())
    }

    /// `TP/(TP + FP)`.
    pub fn precision(&self) -> Option<Estimate> {
        share(self.true_positives, self.selected())
    }

    /// `TP/(TP + FN)`: the true positive rate.
    pub fn recall(&self) -> Option<Estimate> {
        share(self.true_positives, self.positives())
    }

    /// `TN/(TN + FP)`: one less the false positive rate.
    pub fn specificity(&self) -> Option<Estimate> {
        share(self.true_negatives, self.negatives())
    }

    /// `FP/(TN + FP)`.
    pub fn false_positive_rate(&self) -> Option<Estimate> {
        share(self.false_positives, self.negatives())
    }

    /// `(TP + FP)/n`: the share predicted to be positive.
    pub fn selection_rate(&self) -> Option<Estimate> {
        share(self.selected(), self.rows())
    }

    /// `2TP/(2TP + FP + FN)`. Its standard error is by the delta method over the counts as a multinomial sample:
    /// `√(F(1−F)(2−F)/(2TP + FP + FN))`.
    pub fn f1(&self) -> Option<Estimate> {
        let whole = 2.0 * self.true_positives + self.false_positives + self.false_negatives;
        let value = ratio(2.0 * self.true_positives, whole)?;
        Some(Estimate { value, error: (value * (1.0 - value) * (2.0 - value) / whole).max(0.0).sqrt() })
    }

    /// Matthews' correlation `(TP·TN − FP·FN)/√((TP+FP)(TP+FN)(TN+FP)(TN+FN))` (Matthews 1975), its standard error as a
    /// correlation's, `(1 − r²)/√n`.
    pub fn mcc(&self) -> Option<Estimate> {
        let (selected, left) = (self.selected(), self.false_negatives + self.true_negatives);
        // Roots first: the product of four large counts would overflow its digits.
        let below = (selected * self.positives()).sqrt() * (self.negatives() * left).sqrt();
        let above = self.true_positives * self.true_negatives - self.false_positives * self.false_negatives;
        let value = ratio(above, below)?;
        Some(Estimate { value, error: (1.0 - value * value).max(0.0) / self.rows().sqrt() })
    }

    /// The mean of recall and specificity.
    pub fn balanced_accuracy(&self) -> Option<Estimate> {
        let (recall, specificity) = (self.recall()?, self.specificity()?);
        let value = (recall.value + specificity.value) / 2.0;
        Some(Estimate { value, error: recall.error.hypot(specificity.error) / 2.0 })
    }

    /// Cohen's κ: `(accuracy − chance)/(1 − chance)`, chance that of both sides' shares (Cohen 1960).
    pub fn kappa(&self) -> Option<f64> {
        let n = self.rows();
        let accuracy = self.accuracy()?.value;
        let chance =
            (self.selected() * self.positives() + (n - self.selected()) * (n - self.positives())) / (n * n);
        ratio(accuracy - chance, 1.0 - chance)
    }

    /// What decisions are worth a prediction, where each kind of outcome has a value.
    pub fn value(&self, worth: Worth) -> Option<Estimate> {
        let n = self.rows();
        let kinds = [
            (self.true_positives, worth.true_positive),
            (self.false_positives, worth.false_positive),
            (self.false_negatives, worth.false_negative),
            (self.true_negatives, worth.true_negative),
        ];
        let value = ratio(kinds.iter().map(|(count, worth)| count * worth).sum(), n)?;
        let squares = kinds.iter().map(|(count, worth)| count * (worth - value).powi(2)).sum::<f64>() / n;
        Some(Estimate { value, error: (squares / n).sqrt() })
    }
}

/// What each kind of outcome is worth, in any unit: a cost is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Worth {
    pub true_positive: f64,
    pub false_positive: f64,
    pub false_negative: f64,
    pub true_negative: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_divides_by_nothing_is_not_said() {
        let none = Confusion::default();
        assert_eq!((none.accuracy(), none.f1(), none.mcc(), none.kappa()), (None, None, None, None));
        let all_negative = Confusion { true_negatives: 10.0, ..none };
        assert_eq!((all_negative.precision(), all_negative.recall()), (None, None));
        assert_eq!(all_negative.accuracy().map(|share| share.value), Some(1.0));
    }

    #[test]
    fn decisions_are_worth_their_mean() {
        let counts = Confusion {
            true_positives: 10.0,
            false_positives: 20.0,
            false_negatives: 5.0,
            true_negatives: 65.0,
        };
        let worth =
            Worth { true_positive: 100.0, false_positive: -10.0, false_negative: -200.0, true_negative: 0.0 };
        let value = counts.value(worth).expect("rows");
        assert_eq!(value.value, (1_000.0 - 200.0 - 1_000.0) / 100.0);
        assert!(value.error > 0.0);
    }
}
