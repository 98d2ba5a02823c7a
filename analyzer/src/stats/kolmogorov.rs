//! The limit law of Kolmogorov's D, and Stephens' correction for finite samples (METHODS 1.4).

use std::f64::consts::PI;

/// `P(K > λ) = 2 Σ (−1)^{k−1} e^{−2k²λ²}`; below λ = 1.18 by the other theta series, which converges there.
pub fn sf(lambda: f64) -> f64 {
    if lambda.is_nan() || lambda <= 0.0 {
        return 1.0;
    }
    if lambda < 1.18 {
        let base = (-PI * PI / (8.0 * lambda * lambda)).exp();
        let sum: f64 = [1, 9, 25, 49, 81].iter().map(|power| base.powi(*power)).sum();
        return (1.0 - (2.0 * PI).sqrt() / lambda * sum).clamp(0.0, 1.0);
    }
    let term = |k: f64| (-2.0 * k * k * lambda * lambda).exp();
    (2.0 * (term(1.0) - term(2.0) + term(3.0) - term(4.0) + term(5.0))).clamp(0.0, 1.0)
}

/// The p-value of a two-sample D by Stephens: `λ = (√e + 0.12 + 0.11/√e)·D` with `e = nm/(n+m)`.
///
/// Ties make it too large (conservative); dependent rows make it too small, so it is shown and never decides.
pub fn stephens_p(d: f64, n: u64, m: u64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let root = (n * m / (n + m)).sqrt();
    sf((root + 0.12 + 0.11 / root) * d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_series_meet() {
        assert!((sf(1.18 - 1e-9) - sf(1.18)).abs() < 1e-8);
    }

    #[test]
    fn no_distance_is_no_surprise() {
        assert_eq!(stephens_p(0.0, 100, 100), 1.0);
        assert!(stephens_p(1.0, 100, 100) < 1e-20);
    }
}
