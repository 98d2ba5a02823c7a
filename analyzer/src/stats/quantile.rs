//! Quantiles of raw values, by the conventions that other tools use, and bins of equal width as theirs are.
//!
//! Leeway's own quantiles are observed values ([`Convention::Observed`]); the others serve to compare numbers with other
//! tools' (METHODS 1.1).

/// What stands between two observed values. n values x₁ ≤ … ≤ xₙ, share p (Hyndman and Fan 1996, their types in brackets).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// The first value whose cumulative share reaches p (type 1, numpy's `inverted_cdf`): always a value that was seen.
    Observed,
    /// A straight line at `1 + (n−1)·p` (type 7, numpy's default).
    Linear,
    /// A straight line at `⅓ + (n+⅓)·p` (type 8): about unbiased for the median of any law.
    MedianUnbiased,
    /// The value above the place of [`Convention::Linear`].
    Higher,
    /// The value below it.
    Lower,
}

/// The quantile at `share`, which is taken within 0 and 1. `None` without a value; values that are not finite must have
/// been left out.
///
/// ```
/// use analyzer::stats::quantile::{Convention, of};
/// let values = [3.0, 1.0, 2.0, 4.0];
/// assert_eq!(of(&values, 0.5, Convention::Observed), Some(2.0));
/// assert_eq!(of(&values, 0.5, Convention::Linear), Some(2.5));
/// ```
pub fn of(values: &[f64], share: f64, convention: Convention) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    of_sorted(&sorted, share, convention)
}

/// The same of ascending values.
pub fn of_sorted(sorted: &[f64], share: f64, convention: Convention) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let (n, share) = (sorted.len() as f64, share.clamp(0.0, 1.0));
    let at = |place: f64| sorted[(place.max(0.0) as usize).min(last)];
    let between = |place: f64| {
        let place = place.clamp(0.0, last as f64);
        let (below, above, part) = (at(place.floor()), at(place.ceil()), place.fract());
        // From the nearer end, so that both ends are met exactly.
        if part < 0.5 { below + part * (above - below) } else { above - (1.0 - part) * (above - below) }
    };
    let linear = share * (n - 1.0);
    Some(match convention {
        Convention::Observed => at((share * n).ceil() - 1.0),
        Convention::Linear => between(linear),
        Convention::MedianUnbiased => between(share * (n + 1.0 / 3.0) - 2.0 / 3.0),
        Convention::Higher => at(linear.ceil()),
        Convention::Lower => at(linear.floor()),
    })
}

/// How many bins of equal width a sample gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// `range / (log₂ n + 1)` (Sturges 1926).
    Sturges,
    /// `range / (1 + log₂ n + log₂(1 + |g₁|/σ))`, g₁ the skewness, `σ = √(6(n−2)/((n+1)(n+3)))` (Doane 1976).
    Doane,
    /// `2·IQR / n^⅓` (Freedman and Diaconis 1981).
    FreedmanDiaconis,
}

/// The edges of bins of equal width over the range of the values, as numpy's `histogram_bin_edges` makes them: `width` by
/// the rule, `⌈range / width⌉` bins, one bin of `[x − ½, x + ½]` for a constant. Empty without a value.
pub fn equal_width_edges(values: &[f64], rule: Rule) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (Some(mut low), Some(mut high)) = (sorted.first().copied(), sorted.last().copied()) else {
        return Vec::new();
    };
    let width = width(&sorted, rule);
    if low == high {
        (low, high) = (low - 0.5, high + 0.5);
    }
    let bins = if width > 0.0 { ((high - low) / width).ceil() } else { 1.0 };
    let step = (high - low) / bins;
    let inner = (0..bins as usize).map(|k| low + k as f64 * step);
    inner.chain([high]).collect()
}

fn width(sorted: &[f64], rule: Rule) -> f64 {
    let n = sorted.len() as f64;
    let range = sorted[sorted.len() - 1] - sorted[0];
    match rule {
        Rule::Sturges => range / (n.log2() + 1.0),
        Rule::Doane if n > 2.0 => {
            let spread = (6.0 * (n - 2.0) / ((n + 1.0) * (n + 3.0))).sqrt();
            let mean = sorted.iter().sum::<f64>() / n;
            let power = |k: i32| sorted.iter().map(|value| (value - mean).powi(k)).sum::<f64>() / n;
            let sd = power(2).sqrt();
            let skewness = if sd > 0.0 { power(3) / sd.powi(3) } else { return 0.0 };
            range / (1.0 + n.log2() + (1.0 + skewness.abs() / spread).log2())
        }
        Rule::Doane => 0.0,
        Rule::FreedmanDiaconis => {
            let at = |share| of_sorted(sorted, share, Convention::Linear).unwrap_or(0.0);
            2.0 * (at(0.75) - at(0.25)) / n.cbrt()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_quantile_and_one_value_is_all_of_them() {
        assert_eq!(of(&[], 0.5, Convention::Linear), None);
        for share in [0.0, 0.3, 1.0] {
            assert_eq!(of(&[7.0], share, Convention::MedianUnbiased), Some(7.0));
        }
    }

    #[test]
    fn a_constant_has_one_bin_around_it() {
        assert_eq!(equal_width_edges(&[3.0; 10], Rule::Doane), [2.5, 3.5]);
        assert_eq!(equal_width_edges(&[], Rule::Sturges), Vec::<f64>::new());
    }
}
