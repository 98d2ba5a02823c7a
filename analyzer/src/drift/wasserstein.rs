//! Wasserstein-1: how far the values moved on average, in the signal's unit and in spreads of the baseline (METHODS 1.5).

use crate::drift::Metric;
use crate::stats::histogram::{Axis, Histogram, Pair};

pub const METRIC: Metric = Metric {
    name: "wasserstein",
    about: "mean distance that values moved, in the signal's unit",
    ignores_order: false,
    greatest: f64::INFINITY,
    measure: |pair| Some(Wasserstein::of(pair)?.distance).filter(|distance| distance.is_finite()),
};

pub const OVER_SD: Metric = Metric {
    name: "wasserstein_sd",
    about: "mean distance that values moved, in winsorised standard deviations of the baseline",
    ignores_order: false,
    greatest: f64::INFINITY,
    measure: |pair| Wasserstein::of(pair)?.over_sd(),
};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wasserstein {
    /// `∫ |F − G| dx`, with each bin's mass at the place that stands for it.
    pub distance: f64,
    /// The baseline's standard deviation (divisor n) after clipping at its 0.5 % and 99.5 % quantiles.
    pub spread: f64,
}

impl Wasserstein {
    /// `None` for categories, which have no distances.
    pub fn of(pair: &Pair) -> Option<Self> {
        let Axis::Ordered { places, .. } = &pair.axis else { return None };
        let (n, m) = (pair.baseline.n(), pair.current.n());
        // Over the common denominator, so that equal shares are exactly equal.
        let common = n as f64 * m as f64;
        let (mut apart, mut distance, mut lost) = (0_i128, 0.0_f64, 0.0_f64);
        let counts = pair.baseline.counts().iter().zip(pair.current.counts());
        for (ends, (below, now)) in places.windows(2).zip(counts) {
            apart += i128::from(*below) * i128::from(m) - i128::from(*now) * i128::from(n);
            if apart == 0 {
                continue;
            }
            // Neumaier's sum: a million small terms lose no digits.
            let term = (ends[1] - ends[0]) * (apart.unsigned_abs() as f64 / common);
            let sum = distance + term;
            lost += if distance >= term { (distance - sum) + term } else { (term - sum) + distance };
            distance = sum;
        }
        Some(Self { distance: distance + lost, spread: winsorised_sd(&pair.baseline, places) })
    }

    /// `None` for a constant baseline, which has no spread to measure by.
    pub fn over_sd(&self) -> Option<f64> {
        (self.spread > 0.0).then(|| self.distance / self.spread).filter(|ratio| ratio.is_finite())
    }
}

/// The standard deviation, divisor n, after clipping at the observed 0.5 % and 99.5 % quantiles. Zero where both are one
/// value.
///
/// One wild value in a baseline must not blind the ratio (METHODS 1.5, e2), hence the clipping.
pub fn winsorised_sd(histogram: &Histogram, places: &[f64]) -> f64 {
    let [least, greatest] = histogram.quantile_bins([5, 995], 1_000).map(|bin| places[bin]);
    // A constant whose mean is rounded must not get a spread of its last digit.
    if least >= greatest {
        return 0.0;
    }
    let n = histogram.n() as f64;
    let clipped = || {
        let occupied = histogram.counts().iter().zip(places).filter(|(count, _)| **count > 0);
        occupied.map(|(count, place)| (*count as f64, place.clamp(least, greatest) - least))
    };
    let mean = clipped().map(|(count, place)| count * place).sum::<f64>() / n;
    (clipped().map(|(count, place)| count * (place - mean).powi(2)).sum::<f64>() / n).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sample;

    #[test]
    fn a_shift_is_as_far_as_it_is() {
        let pair = sample::pair(&[0.0, 1.0, 2.0], &[5.0, 6.0, 7.0]).expect("values on both sides");
        assert_eq!(Wasserstein::of(&pair).map(|moved| moved.distance), Some(5.0));
    }

    #[test]
    fn a_constant_baseline_has_a_distance_and_no_ratio() {
        let pair = sample::pair(&[3.0; 9], &[4.0; 9]).expect("values on both sides");
        let moved = Wasserstein::of(&pair).expect("numbers");
        assert_eq!((moved.distance, moved.over_sd()), (1.0, None));
    }
}
