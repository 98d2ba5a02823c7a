//! How well scores tell the two classes apart: AUC from counts by score, with its standard error (METHODS 7).

/// How many of each class have one score, or one bin of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    pub negatives: u64,
    pub positives: u64,
}

/// An estimate with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub value: f64,
    pub error: f64,
}

/// The area under the ROC curve of classes by ascending score: the chance that a positive scores above a negative,
/// equal scores counting one half. `None` when a class is absent.
pub fn auc(ascending: impl IntoIterator<Item = Classes>) -> Option<Estimate> {
    let mut all = Classes::default();
    let weights = ascending.into_iter().inspect(|at| {
        all.negatives += at.negatives;
        all.positives += at.positives;
    });
    let value = auc_of_weights(weights.map(|at| [at.negatives as f64, at.positives as f64]))?;
    Some(Estimate { value, error: hanley_mcneil(value, all) })
}

/// The same of `[negatives, positives]` that need not be whole, as where an outcome is a chance.
pub fn auc_of_weights(ascending: impl IntoIterator<Item = [f64; 2]>) -> Option<f64> {
    let (mut below, mut positives, mut wins) = (0.0, 0.0, 0.0);
    for [negative, positive] in ascending {
        wins += positive * (below + negative / 2.0);
        below += negative;
        positives += positive;
    }
    (below > 0.0 && positives > 0.0).then(|| wins / (positives * below))
}

/// The standard error of an AUC `a`: `√[(a(1−a) + (n₁−1)(Q₁−a²) + (n₀−1)(Q₂−a²)) / (n₁n₀)]` with `Q₁ = a/(2−a)` and
/// `Q₂ = 2a²/(1+a)` (Hanley and McNeil 1982, eq. 1).
pub fn hanley_mcneil(a: f64, classes: Classes) -> f64 {
    hanley_mcneil_of_weights(a, [classes.negatives as f64, classes.positives as f64])
}

/// The same of `[negatives, positives]` that need not be whole.
pub fn hanley_mcneil_of_weights(a: f64, [n0, n1]: [f64; 2]) -> f64 {
    let (q1, q2) = (a / (2.0 - a), 2.0 * a * a / (1.0 + a));
    let variance = (a * (1.0 - a) + (n1 - 1.0) * (q1 - a * a) + (n0 - 1.0) * (q2 - a * a)) / (n1 * n0);
    variance.max(0.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(negatives: u64, positives: u64) -> Classes {
        Classes { negatives, positives }
    }

    #[test]
    fn a_perfect_ranking_is_one_and_ties_are_a_half() {
        let perfect = auc([classes(5, 0), classes(0, 3)]).expect("both classes");
        assert_eq!((perfect.value, perfect.error), (1.0, 0.0));
        assert_eq!(auc([classes(5, 3)]).map(|area| area.value), Some(0.5));
        assert_eq!(auc([classes(5, 0)]), None);
    }
}
