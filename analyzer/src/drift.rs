//! How far two histograms are apart: one file a metric, and one line in [`METRICS`].
//!
//! A metric is a total function of a [`Pair`]. The laws that hold for all of them are tested over the list, so a new
//! entry is covered by being registered.

use crate::stats::histogram::Pair;

pub mod cramer_von_mises;
pub mod cramers_v;
pub mod hellinger;
pub mod jensen_shannon;
pub mod ks;
pub mod l_infinity;
pub mod psi;
pub mod total_variation;
pub mod wasserstein;

/// A registered metric.
#[derive(Clone, Copy)]
pub struct Metric {
    /// As it stands in `Evaluation::numbers`.
    pub name: &'static str,
    /// What it says, in a few words, with its unit.
    pub about: &'static str,
    /// Whether it stays the same when categories change places.
    pub ignores_order: bool,
    /// The greatest value that it can take.
    pub greatest: f64,
    /// `None` where it does not apply: order where there is none, a scale where the baseline is constant.
    pub measure: fn(&Pair) -> Option<f64>,
}

pub const METRICS: &[Metric] = &[
    psi::METRIC,
    psi::CORRECTED,
    ks::METRIC,
    wasserstein::METRIC,
    wasserstein::OVER_SD,
    cramer_von_mises::METRIC,
    jensen_shannon::METRIC,
    hellinger::METRIC,
    total_variation::METRIC,
    l_infinity::METRIC,
    cramers_v::METRIC,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::histogram::Axis;

    fn ordered(bins: usize) -> Axis {
        let places = (0..bins).map(|place| place as f64 * 1.5 - 3.0).collect();
        Axis::Ordered { places, atoms: (0..bins).map(|bin| bin % 3 == 0).collect() }
    }

    fn axes(bins: usize) -> [Axis; 2] {
        [ordered(bins), Axis::Unordered]
    }

    fn counts() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let count = prop_oneof![3 => Just(0_u64), 5 => 0_u64..50, 2 => 0_u64..5_000_000];
        prop::collection::vec((count.clone(), count), 1..80)
    }

    #[test]
    fn names_are_different() {
        let names: std::collections::HashSet<_> = METRICS.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), METRICS.len());
    }

    proptest! {
        #[test]
        fn equal_histograms_are_not_apart(counts in counts()) {
            let one: Vec<u64> = counts.iter().map(|(count, _)| *count).collect();
            for axis in axes(one.len()) {
                let Some(pair) = Pair::new(one.clone(), one.clone(), axis) else { continue };
                for metric in METRICS {
                    let value = (metric.measure)(&pair).unwrap_or(0.0);
                    prop_assert!(value.abs() < 1e-12, "{} is {value}", metric.name);
                }
            }
        }

        #[test]
        fn a_distance_is_a_number_between_zero_and_its_greatest_value(counts in counts()) {
            let (baseline, current): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
            for axis in axes(baseline.len()) {
                let Some(pair) = Pair::new(baseline.clone(), current.clone(), axis) else { continue };
                for metric in METRICS {
                    let Some(value) = (metric.measure)(&pair) else { continue };
                    prop_assert!(value >= 0.0 && value.is_finite(), "{} is {value}", metric.name);
                    prop_assert!(value <= metric.greatest + 1e-12, "{} is {value}", metric.name);
                }
            }
        }

        #[test]
        fn the_order_of_categories_does_not_matter(counts in counts(), turn in 0_usize..80) {
            let measure_all = |counts: &[(u64, u64)]| -> Option<Vec<Option<f64>>> {
                // The last entry is *other* and keeps its place.
                let (mut baseline, mut current): (Vec<u64>, Vec<u64>) = counts.iter().copied().unzip();
                baseline.push(3);
                current.push(4);
                let pair = Pair::new(baseline, current, Axis::Unordered)?;
                let order_free = METRICS.iter().filter(|metric| metric.ignores_order);
                Some(order_free.map(|metric| (metric.measure)(&pair)).collect())
            };
            let mut turned = counts.clone();
            turned.rotate_left(turn % counts.len());
            let (straight, turned) = (measure_all(&counts), measure_all(&turned));
            for (one, other) in straight.into_iter().flatten().zip(turned.into_iter().flatten()) {
                let (one, other) = (one.unwrap_or(0.0), other.unwrap_or(0.0));
                prop_assert!((one - other).abs() <= 1e-9 * one.abs().max(1.0), "{one} and {other}");
            }
        }

        #[test]
        fn what_needs_an_order_says_nothing_without_one(counts in counts()) {
            let (baseline, current): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
            let Some(pair) = Pair::new(baseline, current, Axis::Unordered) else { return Ok(()) };
            for metric in METRICS.iter().filter(|metric| !metric.ignores_order) {
                prop_assert_eq!((metric.measure)(&pair), None);
            }
        }

        #[test]
        fn ten_times_the_rows_of_both_move_no_distance_that_is_not_smoothed(counts in counts()) {
            let (baseline, current): (Vec<u64>, Vec<u64>) = counts.into_iter().unzip();
            let tenfold = |side: &[u64]| side.iter().map(|count| count * 10).collect::<Vec<_>>();
            let axis = ordered(baseline.len());
            let Some(large) = Pair::new(tenfold(&baseline), tenfold(&current), axis.clone()) else { return Ok(()) };
            let Some(small) = Pair::new(baseline, current, axis) else { return Ok(()) };
            for metric in METRICS.iter().filter(|metric| !metric.name.starts_with("psi")) {
                let (one, other) = ((metric.measure)(&small), (metric.measure)(&large));
                let apart = (one.unwrap_or(0.0) - other.unwrap_or(0.0)).abs();
                prop_assert!(apart < 1e-6, "{}: {one:?} and {other:?}", metric.name);
            }
        }
    }
}
