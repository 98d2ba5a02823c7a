//! Shares: how far two of them are apart, and how well one is known (METHODS 3).

use crate::stats::{beta, discrete};

/// `hits` of `n`, with `hits ≤ n` and `n > 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    hits: u64,
    n: u64,
}

impl Share {
    /// `None` of nothing. More hits than events count as all of them.
    pub fn of(hits: u64, n: u64) -> Option<Self> {
        (n > 0).then_some(Self { hits: hits.min(n), n })
    }

    pub fn hits(self) -> u64 {
        self.hits
    }

    pub fn n(self) -> u64 {
        self.n
    }

    pub fn value(self) -> f64 {
        self.hits as f64 / self.n as f64
    }
}

/// The standard error of the difference of two shares under no change: `√(p̂(1−p̂)(1/n + 1/m))`, p̂ of both together.
///
/// Zero when all or none of both are hits.
pub fn pooled_error(one: Share, other: Share) -> f64 {
    let (n, m) = (one.n as f64, other.n as f64);
    let pooled = (one.hits + other.hits) as f64 / (n + m);
    (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt()
}

/// The two-proportion z, `(p₁ − p₂) / pooled error`; `None` where nothing varies.
pub fn z(one: Share, other: Share) -> Option<f64> {
    let error = pooled_error(one, other);
    (error > 0.0).then(|| (one.value() - other.value()) / error)
}

/// An interval of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    pub low: f64,
    pub high: f64,
}

/// Wilson's interval of a share at `z` standard errors.
pub fn wilson(share: Share, z: f64) -> Between {
    let (n, p) = (share.n as f64, share.value());
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Between { low: (centre - half).max(0.0), high: (centre + half).min(1.0) }
}

/// The score test's z of a difference of zero: the two-proportion z times `√((N−1)/N)`, N the rows of both (Mee 1984).
pub fn score_z(one: Share, other: Share) -> Option<f64> {
    let all = (one.n + other.n) as f64;
    Some(z(one, other)? * ((all - 1.0) / all).sqrt())
}

/// The interval of a share by the beta law (Clopper and Pearson 1934): sure at least, and wider than [`wilson`]'s.
///
/// `level` is how sure, 0.95 say.
pub fn clopper_pearson(share: Share, level: f64) -> Between {
    let (hits, n, tail) = (share.hits as f64, share.n as f64, (1.0 - level) / 2.0);
    let low = if share.hits == 0 { 0.0 } else { beta::quantile(hits, n - hits + 1.0, tail) };
    let high = if share.hits == share.n { 1.0 } else { beta::quantile(hits + 1.0, n - hits, 1.0 - tail) };
    Between { low, high }
}

/// The interval of `p₁ − p₂` from Wilson's intervals of each, at `z` standard errors (Newcombe 1998, method 10):
/// `d − √((p₁−l₁)² + (u₂−p₂)²)` to `d + √((u₁−p₁)² + (p₂−l₂)²)`. In points of a share.
///
/// ```
/// use analyzer::stats::proportion::{Share, newcombe};
/// // 12 of 100 missing now, 5 of 100 before: between one point fewer and fifteen more.
/// let (now, before) = (Share::of(12, 100).unwrap(), Share::of(5, 100).unwrap());
/// let between = newcombe(now, before, 1.96);
/// assert!((between.low + 0.0095).abs() < 1e-3 && (between.high - 0.1531).abs() < 1e-3);
/// ```
pub fn newcombe(one: Share, other: Share, z: f64) -> Between {
    let (first, second) = (wilson(one, z), wilson(other, z));
    let (p1, p2) = (one.value(), other.value());
    Between {
        low: p1 - p2 - (p1 - first.low).hypot(second.high - p2),
        high: p1 - p2 + (first.high - p1).hypot(p2 - second.low),
    }
}

/// Fisher's exact p-value of two shares being one, two-sided: the probability of all tables with the same sums that are
/// no more likely than this one (Fisher 1934). O(rows of the rarer kind).
pub fn fisher_p(one: Share, other: Share) -> f64 {
    let (n1, n2) = (one.n as f64, other.n as f64);
    let hits = one.hits + other.hits;
    let (first, last) = (hits.saturating_sub(other.n), hits.min(one.n));
    // Of the hypergeometric law: P(k+1)/P(k) = (n₁−k)(hits−k)/((k+1)(n₂−hits+k+1)).
    let ratio = |k: f64| (n1 - k) * (hits as f64 - k) / ((k + 1.0) * (n2 - hits as f64 + k + 1.0));
    discrete::two_sided(first, last, one.hits, ratio, 1e-14).p
}

/// How likely so many of `n` or more are at a chance of `p` each: `P(X ≥ hits)` of the binomial law, `I_p(hits, n−hits+1)`.
pub fn binomial_upper(hits: u64, n: u64, p: f64) -> f64 {
    match hits {
        0 => 1.0,
        hits if hits > n => 0.0,
        hits => beta::regularised(hits as f64, (n - hits) as f64 + 1.0, p.clamp(0.0, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_test_of_equal_shares_is_not_surprised() {
        let half = Share::of(5, 10).expect("events");
        assert_eq!(fisher_p(half, half), 1.0);
        assert_eq!(binomial_upper(0, 10, 0.1), 1.0);
        assert_eq!(binomial_upper(11, 10, 0.1), 0.0);
        assert!((binomial_upper(10, 10, 0.5) - 0.5_f64.powi(10)).abs() < 1e-15);
    }

    #[test]
    fn nothing_that_varies_has_no_z() {
        let all = Share::of(10, 10).expect("events");
        assert_eq!(z(all, all), None);
        assert_eq!(Share::of(0, 0), None);
    }

    #[test]
    fn wilson_stays_within_the_unit_interval() {
        let none = wilson(Share::of(0, 5).expect("events"), 1.96);
        assert_eq!(none.low, 0.0);
        assert!(none.high > 0.3 && none.high < 0.6);
    }
}
