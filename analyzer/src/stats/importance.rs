//! Whether features matter in another order than they did, from how much each is said to contribute.

/// How like the order of the baseline the order now is: `Σ aᵣ/log₂(place + 1)` over features in the order of what they
/// contribute now, over the same in the baseline's own order, `a` what each contributed in the baseline (NDCG with the
/// baseline as relevance; Nigenda and others 2022, eq. 1). 1 for the same order; `None` where nothing contributed.
///
/// Both are by feature, in the same order: the mean of the absolute attribution, zero or more.
///
/// ```
/// use analyzer::stats::importance::order_kept;
/// assert_eq!(order_kept(&[3.0, 2.0, 1.0], &[30.0, 20.0, 10.0]), Some(1.0));
/// let swapped = order_kept(&[3.0, 1.0], &[1.0, 3.0]).unwrap();
/// assert!((swapped - (1.0 + 3.0 / 3.0_f64.log2()) / (3.0 + 1.0 / 3.0_f64.log2())).abs() < 1e-12);
/// ```
pub fn order_kept(baseline: &[f64], current: &[f64]) -> Option<f64> {
    let gain = |by: &[f64]| -> f64 {
        let ranked = places(by).into_iter().filter_map(|feature| baseline.get(feature));
        ranked.enumerate().map(|(place, worth)| worth / (place as f64 + 2.0).log2()).sum()
    };
    let ideal = gain(baseline);
    (ideal > 0.0).then(|| gain(current) / ideal)
}

/// Features by what they contribute, the greatest first; equal ones in their order.
pub fn places(contributed: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contributed.len()).collect();
    order.sort_by(|one, other| contributed[*other].total_cmp(&contributed[*one]));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_order_keeps_more_than_the_same(both in prop::collection::vec((0.0..9.0_f64, 0.0..9.0_f64), 1..12)) {
            let (before, now): (Vec<f64>, Vec<f64>) = both.into_iter().unzip();
            if let Some(kept) = order_kept(&before, &now) {
                prop_assert!(kept > 0.0 && kept <= 1.0 + 1e-12);
            }
        }
    }

    #[test]
    fn nothing_that_contributes_has_no_order() {
        assert_eq!(order_kept(&[0.0, 0.0], &[1.0, 2.0]), None);
        assert_eq!(order_kept(&[], &[]), None);
    }
}
