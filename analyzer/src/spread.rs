//! How much healthy windows of a signal vary among themselves: what a statistic does when nothing is wrong.
//!
//! Learned from the windows of the baseline's own stretch, each compared with the rest of the baseline (METHODS 12,
//! steps 2 and 4), where that stretch holds enough windows that do not overlap.

use crate::stats::{chi_squared, normal};

/// Fewer windows than this that do not overlap say nothing about a spread.
pub const LEAST_WINDOWS: u32 = 8;

/// The values of one statistic over healthy windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// How many windows that do not overlap.
    pub windows: u32,
    pub mean: f64,
    pub variance: f64,
    pub greatest: f64,
}

impl Spread {
    /// `independent` of the windows do not overlap. `None` when those are too few.
    pub fn of(values: &[f64], independent: u32) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        if independent < LEAST_WINDOWS || finite.len() < LEAST_WINDOWS as usize {
            return None;
        }
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let squares: f64 = finite.iter().map(|value| (value - mean).powi(2)).sum();
        let greatest = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { windows: independent, mean, variance: squares / (n - 1.0), greatest })
    }

    pub fn sd(&self) -> f64 {
        self.variance.sqrt()
    }

    /// What a healthy window exceeds with probability `level`, for a statistic that is a sum of squares such as PSI:
    /// `g·χ²_ν(level)` with `g = v/2m` and `ν = 2m²/v`, so that mean and variance are those observed (METHODS 12(4)).
    pub fn scaled_chi_squared(&self, level: f64) -> f64 {
        if self.mean <= 0.0 {
            return 0.0;
        }
        let df = 2.0 * self.mean * self.mean / self.variance;
        // So many degrees of freedom are the normal law, and the series of the other would take for ever.
        if df.is_nan() || df > 1e4 {
            return self.mean + normal::upper_quantile(level) * self.sd();
        }
        let scale = self.variance / (2.0 * self.mean);
        scale * chi_squared::upper_quantile(level, df)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scaled_law_has_the_mean_and_spread_that_were_seen() {
        // χ² with 9 degrees of freedom itself: mean 9, variance 18.
        let spread = Spread { windows: 100, mean: 9.0, variance: 18.0, greatest: 30.0 };
        let exact = chi_squared::upper_quantile(1e-3, 9);
        assert!((spread.scaled_chi_squared(1e-3) / exact - 1.0).abs() < 1e-9);
    }

    #[test]
    fn few_windows_say_nothing() {
        assert_eq!(Spread::of(&[0.1; 100], 3), None);
        let constant = Spread::of(&[0.1; 100], 100).expect("enough windows");
        assert!((constant.scaled_chi_squared(1e-6) - 0.1).abs() < 1e-12);
    }
}
