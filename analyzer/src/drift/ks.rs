//! Kolmogorov–Smirnov: the greatest difference of the two cumulative shares, as a certain interval (METHODS 1.4).

use crate::drift::Metric;
use crate::stats::histogram::{Axis, Histogram, Pair};
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
    /// Of `low`: exact where that is affordable and no two values are tied, else by Stephens. Publish `low` first.
    pub p: f64,
}

/// The exact law costs a step for each pair of rows; beyond so many Stephens is as good (METHODS 1.4).
const MOST_EXACT_STEPS: u128 = 4_000_000;

impl Ks {
    /// `None` for categories, which have no order.
    pub fn of(pair: &Pair) -> Option<Self> {
        let Axis::Ordered { atoms, .. } = &pair.axis else { return None };
        let (n, m) = (pair.baseline.n(), pair.current.n());
        let reach = Reach::of(&pair.baseline, &pair.current, atoms);
        let common = n as f64 * m as f64;
        let low = reach.low as f64 / common;
        let is_affordable = u128::from(n) * u128::from(m) <= MOST_EXACT_STEPS;
        let p = match u64::try_from(reach.low) {
            Ok(low) if is_affordable && !is_tied(pair, atoms) => kolmogorov::exact_p(low, n, m),
            _ => kolmogorov::stephens_p(low, n, m),
        };
        Some(Self { low, high: reach.high as f64 / common, p })
    }
}

/// The bounds of D times n·m: whole numbers, so that equal shares are exactly equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reach {
    low: u128,
    high: u128,
}

impl Reach {
    fn of(baseline: &Histogram, current: &Histogram, atoms: &[bool]) -> Self {
        let [n, m] = [baseline.n(), current.n()].map(i128::from);
        let (mut low, mut high, mut apart) = (0_i128, 0_i128, 0_i128);
        let counts = baseline.counts().iter().zip(current.counts());
        for ((below, now), is_atom) in counts.zip(atoms) {
            let (rise, fall) = (i128::from(*below) * m, i128::from(*now) * n);
            if !is_atom {
                // All of one side first: F at the bin's upper edge against G at its lower one, and the reverse.
                high = high.max(apart + rise).max(fall - apart);
            }
            apart += rise - fall;
            low = low.max(apart.abs());
        }
        Self { low: low.unsigned_abs(), high: high.max(low).unsigned_abs() }
    }
}

/// Whether any two values are, or may be, the same.
fn is_tied(pair: &Pair, atoms: &[bool]) -> bool {
    let counts = pair.baseline.counts().iter().zip(pair.current.counts());
    counts.zip(atoms).any(|((below, now), is_atom)| below + now > 1 || (!is_atom && below + now > 0))
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
