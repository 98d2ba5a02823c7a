//! How two numbers go together, from co-moments that add up over time, and whether that changed.

use crate::stats::normal;

/// Sums over rows that have both numbers. Values should be standardised before: the sums of far-away ones lose digits.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CoMoments {
    pub n: f64,
    pub x: f64,
    pub y: f64,
    pub xx: f64,
    pub yy: f64,
    pub xy: f64,
}

impl CoMoments {
    pub fn of(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        pairs.into_iter().fold(Self::default(), |sums, (x, y)| Self {
            n: sums.n + 1.0,
            x: sums.x + x,
            y: sums.y + y,
            xx: sums.xx + x * x,
            yy: sums.yy + y * y,
            xy: sums.xy + x * y,
        })
    }

    /// Both stretches together.
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            n: self.n + other.n,
            x: self.x + other.x,
            y: self.y + other.y,
            xx: self.xx + other.xx,
            yy: self.yy + other.yy,
            xy: self.xy + other.xy,
        }
    }

    /// Pearson's correlation `(nΣxy − ΣxΣy)/√((nΣx² − (Σx)²)(nΣy² − (Σy)²))`; `None` where a side does not vary.
    ///
    /// ```
    /// use analyzer::stats::correlation::CoMoments;
    /// let r = CoMoments::of([(1.0, 2.0), (2.0, 4.0), (3.0, 5.0)]).correlation().unwrap();
    /// assert!((r - 0.981_980_506_061_965_7).abs() < 1e-12); // numpy.corrcoef
    /// ```
    pub fn correlation(&self) -> Option<f64> {
        let (own_x, own_y) = (self.n * self.xx - self.x * self.x, self.n * self.yy - self.y * self.y);
        let is_varied = |own: f64, squares: f64| own > 1e-12 * self.n * squares;
        let varies = is_varied(own_x, self.xx) && is_varied(own_y, self.yy);
        varies
            .then(|| ((self.n * self.xy - self.x * self.y) / (own_x.sqrt() * own_y.sqrt())).clamp(-1.0, 1.0))
    }
}

/// A correlation that may have changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub baseline: f64,
    pub current: f64,
    /// In standard errors.
    pub z: f64,
    /// Two-sided.
    pub p: f64,
}

/// Correlations are kept this far from ±1, where Fisher's transformation has no end.
const MOST: f64 = 1.0 - 1e-9;

/// `z = (artanh r₁ − artanh r₀)/√(1/(n₀−3) + 1/(n₁−3))` (Fisher 1921). Exact for normal rows; winsorise others. `None`
/// with fewer than four rows on a side, or where one does not vary.
pub fn change(baseline: &CoMoments, current: &CoMoments) -> Option<Change> {
    let (before, now) = (baseline.correlation()?, current.correlation()?);
    if baseline.n < 4.0 || current.n < 4.0 {
        return None;
    }
    let transformed = |r: f64| r.clamp(-MOST, MOST).atanh();
    let error = (1.0 / (baseline.n - 3.0) + 1.0 / (current.n - 3.0)).sqrt();
    let z = (transformed(now) - transformed(before)) / error;
    Some(Change { baseline: before, current: now, z, p: (2.0 * normal::sf(z.abs())).min(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn co_moments_add_up() {
        let rows: Vec<(f64, f64)> = (0..50).map(|n| (f64::from(n % 7), f64::from(n * n % 11))).collect();
        let parts =
            CoMoments::of(rows[..20].iter().copied()).plus(&CoMoments::of(rows[20..].iter().copied()));
        let whole = CoMoments::of(rows.iter().copied());
        assert!((parts.correlation().expect("varied") - whole.correlation().expect("varied")).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        let constant = CoMoments::of((0..9).map(|n| (f64::from(n), 0.1)));
        assert_eq!(constant.correlation(), None);
        assert_eq!(change(&constant, &constant), None);
    }

    #[test]
    fn a_changed_correlation_is_told_from_chance() {
        // 103 rows each: artanh 0.5 = 0.5493, error √(2/100) = 0.1414, z = −3.884.
        let of = |r: f64| CoMoments { n: 103.0, x: 0.0, y: 0.0, xx: 103.0, yy: 103.0, xy: 103.0 * r };
        let found = change(&of(0.5), &of(0.0)).expect("varied");
        assert!((found.z + 3.884).abs() < 1e-3 && (found.p - 1.03e-4).abs() < 1e-5, "{found:?}");
        assert_eq!(change(&of(0.5), &of(0.5)).map(|same| same.p), Some(1.0));
    }
}
