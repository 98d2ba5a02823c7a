//! Kolmogorov–Smirnov: the greatest difference of the two cumulative shares, as a certain interval (METHODS 1.4).

use crate::drift::Metric;
use crate::stats::histogram::{Axis, Pair};
use crate::stats::kolmogorov;

pub const METRIC: Metric = Metric {
    name: "ks_low",
    about: "least possible Kolmogorov-Smirnov distance, a share",
    ignores_order: false,
    greatest: 1.0,
    measure: |pair| Some(Ks::of(pair)?.low),
};

/// The true D of the raw values lies between `low` and `high`, always; they meet on discrete signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ks {
    /// `max_i |F_i − G_i|` over the edges.
    pub low: f64,
    /// `max_i max(F_i − G_{i−1}, G_i − F_{i−1})` over the bins that hold more than one value, or `low`.
    pub high: f64,
    /// Of `low`, by Stephens.
    pub p: f64,
}

impl Ks {
    /// `None` for categories, which have no order.
    pub fn of(pair: &Pair) -> Option<Self> {
        let Axis::Ordered { atoms, .. } = &pair.axis else { return None };
        let (n, m) = (pair.baseline.n(), pair.current.n());
        // Whole numbers over the common denominator n·m, so that equal shares are exactly equal.
        let [n128, m128] = [n, m].map(i128::from);
        let (mut low, mut high, mut before) = (0_i128, 0_i128, [0_i128, 0_i128]);
        let cumulative = pair.baseline.cumulative().zip(pair.current.cumulative());
        for ((below, now), is_atom) in cumulative.zip(atoms) {
            let after = [i128::from(below) * m128, i128::from(now) * n128];
            low = low.max((after[0] - after[1]).abs());
            if !is_atom {
                high = high.max(after[0] - before[1]).max(after[1] - before[0]);
            }
            before = after;
        }
        let share = |difference: i128| difference as f64 / (n128 * m128) as f64;
        let low_share = share(low);
        Some(Self { low: low_share, high: share(high.max(low)), p: kolmogorov::stephens_p(low_share, n, m) })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::sample;

    proptest! {
        /// Merging bins loses detail; the interval must go on holding the distance of the raw values.
        #[test]
        fn the_true_distance_lies_within_the_bounds(
            baseline in prop::collection::vec(0_u8..60, 1..200),
            current in prop::collection::vec(0_u8..60, 1..200),
            width in 2_usize..9,
        ) {
            let floats = |values: &[u8]| values.iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
            let exact = sample::pair(&floats(&baseline), &floats(&current)).and_then(|pair| Ks::of(&pair));
            let exact = exact.expect("values on both sides");
            prop_assert_eq!(exact.low, exact.high);
            let bins = 60 / width + 1;
            let count = |values: &[u8]| {
                let mut counts = vec![0; bins];
                values.iter().for_each(|value| counts[usize::from(*value) / width] += 1);
                counts
            };
            let axis = Axis::Ordered { places: (0..bins).map(|bin| bin as f64).collect(), atoms: vec![false; bins] };
            let coarse = Pair::new(count(&baseline), count(&current), axis).and_then(|pair| Ks::of(&pair));
            let coarse = coarse.expect("values on both sides");
            prop_assert!(coarse.low <= exact.low + 1e-12 && exact.low <= coarse.high + 1e-12);
        }
    }
}
