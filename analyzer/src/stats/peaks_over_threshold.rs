//! How large a value is seen once in so many windows: peaks over a threshold and the generalised Pareto law (METHODS 12).
//!
//! Invariant: a fit has a positive scale; from too few or equal peaks there is none.

use crate::stats::quantile::{self, Convention};

/// A generalised Pareto law of what goes beyond a threshold: `P(Y > y) = (1 + ξ·y/σ)^(−1/ξ)`, `e^(−y/σ)` at ξ = 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pareto {
    /// ξ: above 0 a heavy tail, below 0 an end at `−σ/ξ`. Without unit.
    pub shape: f64,
    /// σ, in the unit of the values.
    pub scale: f64,
}

impl Pareto {
    /// `P(Y > y)`: one for `y ≤ 0`, zero beyond the end of a law with negative shape (Coles 2001, eq. 4.2).
    pub fn sf(self, y: f64) -> f64 {
        if y.is_nan() || y <= 0.0 {
            return 1.0;
        }
        let at = y / self.scale;
        if self.shape == 0.0 {
            return (-at).exp();
        }
        let base = self.shape * at;
        if base <= -1.0 { 0.0 } else { (-base.ln_1p() / self.shape).exp() }
    }

    /// By the moments of peaks: `ξ = ½(1 − x̄²/s²)`, `σ = ½·x̄·(x̄²/s² + 1)`, s² with n − 1 (Hosking and Wallis 1987, eq. 2).
    ///
    /// Exists for ξ < ½ only, and never says more. `None` of fewer than two peaks or of equal ones.
    pub fn of_moments(peaks: &[f64]) -> Option<Self> {
        let n = peaks.len() as f64;
        let mean = peaks.iter().sum::<f64>() / n;
        let variance = peaks.iter().map(|peak| (peak - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let ratio = mean * mean / variance;
        (peaks.len() > 1 && mean > 0.0 && ratio.is_finite())
            .then_some(Self { shape: 0.5 * (1.0 - ratio), scale: 0.5 * mean * (ratio + 1.0) })
    }

    /// By the greatest likelihood, with Grimshaw's reduction to one unknown: for `θ = −ξ/σ` the best shape is
    /// `ξ(θ) = mean ln(1 − θ·y)`, and `−n·(ln(ξ/−θ) + ξ + 1)` is searched over θ below `1/max y` (Grimshaw 1993, eq. 2.3).
    ///
    /// Peaks that end abruptly (a uniform law's) have no greatest likelihood: it grows without bound as the law's end
    /// nears the largest peak, at shapes below −1. Then, and of fewer than two peaks or of equal ones, `None`; moments
    /// always answer. Costs O(n) a step, some two hundred steps.
    pub fn of_likelihood(peaks: &[f64]) -> Option<Self> {
        let start = Self::of_moments(peaks)?;
        let mean = peaks.iter().sum::<f64>() / peaks.len() as f64;
        let largest = peaks.iter().copied().fold(0.0, f64::max);
        let profile = |theta: f64| -> f64 {
            if theta.abs() * mean < 1e-12 {
                return -(mean.ln() + 1.0);
            }
            let shape = peaks.iter().map(|peak| (-theta * peak).ln_1p()).sum::<f64>() / peaks.len() as f64;
            -((-shape / theta).ln() + shape + 1.0)
        };
        let theta = highest(profile, -start.shape / start.scale, 1.0 / largest, mean)?;
        if theta.abs() * mean < 1e-10 {
            return Some(Self { shape: 0.0, scale: mean });
        }
        let shape = peaks.iter().map(|peak| (-theta * peak).ln_1p()).sum::<f64>() / peaks.len() as f64;
        let scale = -shape / theta;
        (scale > 0.0 && scale.is_finite() && shape >= -1.0).then_some(Self { shape, scale })
    }

    /// `Σ ln f(y)`, the logarithm of the likelihood of peaks.
    pub fn log_likelihood(self, peaks: &[f64]) -> f64 {
        let one = |peak: f64| {
            let at = peak / self.scale;
            let tail =
                if self.shape == 0.0 { at } else { (1.0 + 1.0 / self.shape) * (self.shape * at).ln_1p() };
            -self.scale.ln() - tail
        };
        peaks.iter().map(|peak| one(*peak)).sum()
    }
}

/// The place of the highest value below `end`, by a grid that is dense near both `start` and `end`, then golden section.
fn highest(value: impl Fn(f64) -> f64, start: f64, end: f64, mean: f64) -> Option<f64> {
    // Upwards to the end in steps of a factor, downwards the same: the law's unknown has the unit of 1/value.
    let near_end = (1..=60).map(|step| end * (1.0 - 0.7_f64.powi(step)));
    let below = (-40..=40).map(|step| -(1.35_f64.powi(step)) / mean);
    let mut places: Vec<f64> = near_end.chain(below).chain([0.0, start.min(end * 0.999)]).collect();
    places.sort_unstable_by(f64::total_cmp);
    let heights: Vec<f64> = places.iter().map(|place| value(*place)).collect();
    // The likelihood is unbounded at the very end, which is no maximum: only inner peaks count.
    let inner = (1..places.len() - 1)
        .filter(|at| heights[*at] >= heights[at - 1] && heights[*at] >= heights[at + 1])
        .max_by(|one, other| heights[*one].total_cmp(&heights[*other]));
    let peak = inner?;
    let (mut low, mut high) = (places[peak - 1], places[peak + 1]);
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    while high - low > 1e-13 * (low.abs() + high.abs()) {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if left <= low || right >= high {
            break;
        }
        if value(left) < value(right) { low = left } else { high = right }
    }
    Some(low + (high - low) / 2.0)
}

/// The peaks of a history over a start that is one of its own quantiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Peaks {
    /// The start, `u`.
    pub start: f64,
    /// How much each peak goes beyond the start.
    pub beyond: Vec<f64>,
    /// How many values the history has.
    pub n: usize,
}

impl Peaks {
    /// The finite values beyond the quantile `share` (0.9, say) of themselves, interpolated as numpy does. `None` where
    /// there are none.
    pub fn over(values: &[f64], share: f64) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        let start = quantile::of(&finite, share, Convention::Linear)?;
        let beyond = finite.iter().filter(|value| **value > start).map(|value| value - start).collect();
        Some(Self { start, beyond, n: finite.len() })
    }

    /// What a value exceeds with probability `q` a window: `u + (σ/ξ)·((q·n/Nᵤ)^(−ξ) − 1)`, with the logarithm at ξ = 0
    /// (Coles 2001, eq. 4.12; Siffer and others 2017, eq. 1). In the unit of the values.
    ///
    /// Meant for `q ≤ Nᵤ/n`: a larger `q` asks for what lies below the start, where the law says nothing.
    ///
    /// ```
    /// use analyzer::stats::peaks_over_threshold::{Pareto, Peaks};
    /// let peaks = Peaks { start: 1.0, beyond: vec![0.5; 100], n: 1_000 };
    /// // An exponential tail: ten times rarer is ln 10 scales farther out.
    /// let level = peaks.level(Pareto { shape: 0.0, scale: 2.0 }, 0.01);
    /// assert!((level - (1.0 + 2.0 * 10.0_f64.ln())).abs() < 1e-12);
    /// ```
    pub fn level(&self, law: Pareto, q: f64) -> f64 {
        let rarer = q * self.n as f64 / self.beyond.len() as f64;
        if law.shape == 0.0 {
            return self.start - law.scale * rarer.ln();
        }
        self.start + law.scale / law.shape * (-law.shape * rarer.ln()).exp_m1()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_peaks_have_no_law() {
        assert_eq!(Pareto::of_moments(&[2.0, 2.0, 2.0]), None);
        assert_eq!(Pareto::of_likelihood(&[1.0]), None);
        assert_eq!(Peaks::over(&[f64::NAN], 0.9), None);
    }

    #[test]
    fn a_level_is_exceeded_as_often_as_it_was_asked() {
        let law = Pareto { shape: 0.2, scale: 1.5 };
        let peaks = Peaks { start: 3.0, beyond: vec![1.0; 50], n: 500 };
        let level = peaks.level(law, 0.001);
        assert!((law.sf(level - 3.0) * 0.1 - 0.001).abs() < 1e-12);
    }

    #[test]
    fn the_likelihood_finds_the_law_of_its_own_quantiles() {
        for shape in [-0.3, 0.0, 0.3, 0.8] {
            let law = Pareto { shape, scale: 2.0 };
            let peaks: Vec<f64> = (0..2_000)
                .map(|k| {
                    let tail = 1.0 - (f64::from(k) + 0.5) / 2_000.0;
                    Peaks { start: 0.0, beyond: vec![1.0], n: 1 }.level(law, tail)
                })
                .collect();
            let found = Pareto::of_likelihood(&peaks).expect("peaks that differ");
            assert!((found.shape - shape).abs() < 0.03, "{shape}: {found:?}");
            assert!((found.scale - 2.0).abs() < 0.06, "{shape}: {found:?}");
        }
    }
}
