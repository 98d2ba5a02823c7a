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

/// The λ that K exceeds with probability `level`, by bisection of [`sf`]; `level` is taken within `[1e-300, 1 − 1e-16]`.
pub fn upper_quantile(level: f64) -> f64 {
    let level = level.clamp(1e-300, 1.0 - 1e-16);
    let (mut low, mut high) = (0.0_f64, 30.0_f64);
    while high - low > 1e-15 * high {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if sf(middle) > level { low = middle } else { high = middle }
    }
    high
}

/// The p-value of a two-sample D by Stephens: `λ = (√e + 0.12 + 0.11/√e)·D` with `e = nm/(n+m)`.
///
/// Ties make it too large (conservative); dependent rows make it too small, so it is shown and never decides.
pub fn stephens_p(d: f64, n: u64, m: u64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    let root = (n * m / (n + m)).sqrt();
    sf((root + 0.12 + 0.11 / root) * d)
}

/// `P(D ≥ reach/(n·m))` for two samples without ties from one law, exactly, by Viehmann's recursion (2021, eq. 6):
/// the probability that a random lattice path from (0, 0) to (n, m) leaves the band `|i·m − j·n| < reach`,
/// `p(i, j) = i/(i+j)·p(i−1, j) + j/(i+j)·p(i, j−1)` within it and 1 outside.
///
/// All terms are positive, so also a tail of 1e-300 has its digits. `O(n·m)` steps, `O(min(n, m))` memory. One for a
/// reach of 0, and for an empty sample.
///
/// ```
/// // scipy.stats.ks_2samp with D = 0.35 of 20 and 30 values, method='exact'
/// let p = analyzer::stats::kolmogorov::exact_p(210, 20, 30);
/// assert!((p - 0.089_268_487_443_924_59).abs() < 1e-14);
/// ```
pub fn exact_p(reach: u64, n: u64, m: u64) -> f64 {
    if reach == 0 || n == 0 || m == 0 {
        return 1.0;
    }
    let (rows, columns) = (n.max(m), n.min(m));
    let [wide_rows, wide_columns, reach] = [rows, columns, reach].map(i128::from);
    let width = usize::try_from(columns).unwrap_or(usize::MAX);
    // Outside the band a path has left it for certain; rows overwrite only what lies within.
    let mut left = vec![1.0_f64; width.saturating_add(1)];
    for i in 0..=wide_rows {
        let middle = i * wide_columns;
        let first = (middle - reach).div_euclid(wide_rows) + 1;
        let last = (middle + reach - 1).div_euclid(wide_rows).min(wide_columns);
        let first = usize::try_from(first.max(0)).unwrap_or(0);
        let last = usize::try_from(last.max(0)).unwrap_or(0);
        let down = i as f64;
        let mut before = 1.0;
        if first > 0 {
            left[first - 1] = 1.0;
        }
        for (j, cell) in left.iter_mut().enumerate().take(last + 1).skip(first) {
            let across = j as f64;
            let steps = down + across;
            *cell = if steps == 0.0 { 0.0 } else { (down * *cell + across * before) / steps };
            before = *cell;
        }
    }
    left.last().copied().unwrap_or(1.0).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_series_meet() {
        assert!((sf(1.18 - 1e-9) - sf(1.18)).abs() < 1e-8);
    }

    #[test]
    fn the_exact_law_is_a_count_of_paths() {
        // Of the 6 orders of two and two values, two have D = 1; all have D ≥ 1/2.
        assert!((exact_p(4, 2, 2) - 2.0 / 6.0).abs() < 1e-15);
        assert_eq!(exact_p(2, 2, 2), 1.0);
        assert_eq!(exact_p(1, 1, 1), 1.0);
        assert_eq!((exact_p(0, 5, 5), exact_p(3, 0, 5)), (1.0, 1.0));
        assert!((exact_p(60 * 70, 60, 70) / 3.082_596_809_562_647e-38 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn no_distance_is_no_surprise() {
        assert_eq!(stephens_p(0.0, 100, 100), 1.0);
        assert!(stephens_p(1.0, 100, 100) < 1e-20);
    }
}
