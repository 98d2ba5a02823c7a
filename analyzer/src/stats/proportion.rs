//! Shares: how far two of them are apart, and how well one is known (METHODS 3).

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

#[cfg(test)]
mod tests {
    use super::*;

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
