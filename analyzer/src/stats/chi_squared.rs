//! The χ² law, which `PSI / (1/n + 1/m)` follows when nothing changed and rows are independent (METHODS 1.2).

use statrs::function::gamma;

/// `P(X > x)` for X ~ χ² with `df` degrees of freedom: the regularised upper incomplete gamma function `Q(df/2, x/2)`.
///
/// One for `x ≤ 0` and for `df = 0` (nothing varies, so nothing is surprising). `df` need not be whole.
pub fn sf(x: f64, df: impl Into<f64>) -> f64 {
    let df = df.into();
    if df.is_nan() || df <= 0.0 || x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    gamma::checked_gamma_ur(df / 2.0, x / 2.0).unwrap_or(0.0).clamp(0.0, 1.0)
}

/// `P(X ≤ x)`, the regularised lower incomplete gamma function: keeps its digits where [`sf`] is near one.
pub fn cdf(x: f64, df: impl Into<f64>) -> f64 {
    let df = df.into();
    if df.is_nan() || df <= 0.0 || x.is_nan() || x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return 1.0;
    }
    gamma::checked_gamma_lr(df / 2.0, x / 2.0).unwrap_or(1.0).clamp(0.0, 1.0)
}

/// The value that χ² with `df` degrees of freedom exceeds with probability `level`, by bisection of [`sf`].
///
/// Zero for `df = 0`. `level` is taken within `[1e-300, 1]`.
pub fn upper_quantile(level: f64, df: impl Into<f64>) -> f64 {
    let df = df.into();
    if df.is_nan() || df <= 0.0 {
        return 0.0;
    }
    let level = level.clamp(1e-300, 1.0);
    let mut high = df.max(1.0);
    while sf(high, df) > level {
        high *= 2.0;
    }
    let mut low = 0.0;
    while high - low > high * 1e-14 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if sf(middle, df) > level { low = middle } else { high = middle }
    }
    high
}

/// The value that χ² stays below with probability `share`, by bisection of [`cdf`] or, above one half, of [`sf`], so that
/// the digits are kept at both ends. Zero for `df = 0`.
pub fn quantile(share: f64, df: impl Into<f64>) -> f64 {
    let df = df.into();
    if df.is_nan() || df <= 0.0 {
        return 0.0;
    }
    if share > 0.5 {
        return upper_quantile(1.0 - share, df);
    }
    let (mut low, mut high) = (0.0, df.max(1.0));
    while high - low > high * 1e-15 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if cdf(middle, df) < share { low = middle } else { high = middle }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantile_is_the_inverse_of_the_tail() {
        for df in [1, 2, 9, 50, 127] {
            for level in [0.5, 0.05, 1e-6, 1e-12] {
                let back = sf(upper_quantile(level, df), df);
                assert!((back / level - 1.0).abs() < 1e-8, "df {df}, level {level}: {back}");
            }
        }
    }

    #[test]
    fn without_degrees_of_freedom_nothing_is_surprising() {
        assert_eq!(sf(5.0, 0), 1.0);
        assert_eq!(upper_quantile(0.01, 0), 0.0);
        assert_eq!(sf(f64::INFINITY, 3), 0.0);
    }
}
