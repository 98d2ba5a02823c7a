//! Cramér–von Mises: the squared difference of the two cumulative shares, over all values (METHODS 1.6).

use crate::drift::Metric;
use crate::stats::histogram::{Axis, Pair};

pub const METRIC: Metric = Metric {
    name: "cramer_von_mises",
    about: "mean squared difference of the cumulative shares, over the values of both sides",
    ignores_order: false,
    greatest: 1.0,
    measure: |pair| Some(CramerVonMises::of(pair)?.mean_square),
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CramerVonMises {
    /// `∫ (F − G)² dH` with H the cumulative share of both sides together: a size, whatever the number of rows.
    pub mean_square: f64,
    /// The two-sample statistic T from midranks, which grows with the number of rows (Anderson 1962, eq. 9 and 10);
    /// `None` with fewer than two values on a side.
    ///
    /// Without ties `T = n·m/(n + m) · mean_square`. With ties midranks add a part that is not drift: equal samples of
    /// one value only have a T that is not zero.
    pub t: Option<f64>,
}

impl CramerVonMises {
    /// `None` for categories, which have no order. On bins, every value of a bin counts as tied with the others of it.
    ///
    /// ```
    /// use analyzer::drift::cramer_von_mises::CramerVonMises;
    /// // scipy.stats.cramervonmises_2samp([1, 3], [2, 4, 5]).statistic
    /// let pair = analyzer::stats::sample::pair(&[1.0, 3.0], &[2.0, 4.0, 5.0]).expect("values");
    /// let t = CramerVonMises::of(&pair).and_then(|cvm| cvm.t).expect("two values on each side");
    /// assert!((t - 0.2).abs() < 1e-12);
    /// ```
    pub fn of(pair: &Pair) -> Option<Self> {
        let Axis::Ordered { .. } = &pair.axis else { return None };
        let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
        let mut squares = 0.0;
        let (mut before, mut ranks) = ([0_u64; 2], [0_i128; 2]);
        for (below, now) in pair.baseline.counts().iter().zip(pair.current.counts()) {
            if (*below, *now) == (0, 0) {
                continue;
            }
            ranks[0] += rank_squares(*below, *now, before[1]);
            ranks[1] += rank_squares(*now, *below, before[0]);
            before = [before[0] + below, before[1] + now];
            let apart = before[0] as f64 / n - before[1] as f64 / m;
            squares += apart * apart * (below + now) as f64;
        }
        let is_enough = pair.baseline.n() > 1 && pair.current.n() > 1;
        let t = is_enough.then(|| statistic(ranks, pair.baseline.n(), pair.current.n()));
        Some(Self { mean_square: squares / (n + m), t })
    }
}

/// Twelve times `Σ (midrank − place)²` over the `own` tied values of one side in a bin: their common midrank lies
/// `others_before + (own + others + 1)/2` above the places before the bin, and the places within it are 1 to `own`.
fn rank_squares(own: u64, others: u64, others_before: u64) -> i128 {
    // Most of a million different values: none here, or one.
    if own < 2 {
        let twice_above = i128::from(own * (2 * others_before + others));
        return 3 * twice_above * twice_above;
    }
    let [own, others, before] = [own, others, others_before].map(i128::from);
    let twice = 2 * before + own + others + 1;
    3 * own * twice * twice - 6 * twice * own * (own + 1) + 2 * own * (own + 1) * (2 * own + 1)
}

/// `U/(n·m·N) − (4·n·m − 1)/(6·N)` with `U = n·Σ… + m·Σ…`, in scipy's order of operations, so that what rounding leaves
/// of the difference of two large numbers is the same.
fn statistic(ranks: [i128; 2], n: u64, m: u64) -> f64 {
    let twelvefold = i128::from(n) * ranks[0] + i128::from(m) * ranks[1];
    let u = (twelvefold / 12) as f64 + (twelvefold % 12) as f64 / 12.0;
    let (product, sum) = (n as f64 * m as f64, (n + m) as f64);
    u / (product * sum) - (4.0 * product - 1.0) / (6.0 * sum)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::sample;

    proptest! {
        #[test]
        fn without_ties_the_statistic_is_the_scaled_mean_square(
            sides in prop::collection::vec(any::<bool>(), 4..80)
        ) {
            let of = |side: bool| -> Vec<f64> {
                let values = sides.iter().enumerate().filter(|(_, is)| **is == side);
                values.map(|(value, _)| value as f64).collect()
            };
            let (one, other) = (of(true), of(false));
            prop_assume!(one.len() > 1 && other.len() > 1);
            let pair = sample::pair(&one, &other).expect("values on both sides");
            let found = CramerVonMises::of(&pair).expect("numbers");
            let (n, m) = (one.len() as f64, other.len() as f64);
            let scaled = n * m / (n + m) * found.mean_square;
            prop_assert!((found.t.expect("enough values") - scaled).abs() < 1e-9, "{found:?}, {scaled}");
        }
    }

    #[test]
    fn one_value_on_a_side_has_no_statistic() {
        let pair = sample::pair(&[1.0], &[2.0, 3.0]).expect("values on both sides");
        let found = CramerVonMises::of(&pair).expect("numbers");
        assert_eq!(found.t, None);
        assert!(found.mean_square > 0.0);
    }
}
