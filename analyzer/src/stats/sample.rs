//! Raw values as counts: one bin for each different value, on which the kernels are exact.
//!
//! Used to hold the kernels to reference values, and where both sides are raw samples (a file against a file).

use crate::stats::histogram::{Axis, Pair};

/// Compares two raw samples; what is not finite is left out. `None` when a side has no finite value.
///
/// Bin `i` holds exactly the i-th of the different values of both samples, so that KS and W1 have no binning error.
pub fn pair(baseline: &[f64], current: &[f64]) -> Option<Pair> {
    let finite = |values: &[f64]| -> Vec<f64> {
        let mut kept: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        kept.iter_mut().for_each(|value| *value += 0.0); // −0 and 0 are one value
        kept.sort_unstable_by(f64::total_cmp);
        kept
    };
    let (baseline, current) = (finite(baseline), finite(current));
    let mut places = [baseline.as_slice(), current.as_slice()].concat();
    places.sort_unstable_by(f64::total_cmp);
    places.dedup();
    let counts = [&baseline, &current].map(|sample| count(sample, &places));
    let atoms = vec![true; places.len()];
    let [baseline, current] = counts;
    Pair::new(baseline, current, Axis::Ordered { places, atoms })
}

/// Both are sorted, and every value of the sample is one of the places.
fn count(sample: &[f64], places: &[f64]) -> Vec<u64> {
    let mut counts = vec![0; places.len()];
    let mut place = 0;
    for value in sample {
        while places[place] < *value {
            place += 1;
        }
        counts[place] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_different_value_has_a_bin() {
        let pair = pair(&[2.0, 1.0, 2.0, f64::NAN], &[3.0, -0.0, 0.0]).expect("values on both sides");
        assert_eq!(pair.axis, Axis::Ordered { places: vec![0.0, 1.0, 2.0, 3.0], atoms: vec![true; 4] });
        assert_eq!(pair.baseline.counts(), [0, 1, 2, 0]);
        assert_eq!(pair.current.counts(), [2, 0, 0, 1]);
    }

    #[test]
    fn a_sample_of_nothing_is_no_pair() {
        assert_eq!(pair(&[f64::NAN], &[1.0]), None);
    }
}
