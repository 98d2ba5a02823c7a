//! Laws of counts: Poisson's, the negative binomial for counts that clump, and the comparison of two rates.

use crate::stats::discrete;
use crate::stats::{chi_squared, normal};

/// The negative binomial law of a count with mean μ and size k: variance `μ + μ²/k` (METHODS 4).
///
/// k of infinity is Poisson's law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clumped {
    mean: f64,
    size: f64,
}

impl Clumped {
    /// `None` unless the mean is positive and finite and the size positive.
    pub fn new(mean: f64, size: f64) -> Option<Self> {
        (mean > 0.0 && mean.is_finite() && size > 0.0).then_some(Self { mean, size })
    }

    /// Poisson's law.
    pub fn even(mean: f64) -> Option<Self> {
        Self::new(mean, f64::INFINITY)
    }

    /// By the moments, `k = μ²/(v − μ)`; Poisson's law where the variance is not beyond the mean.
    pub fn of_moments(mean: f64, variance: f64) -> Option<Self> {
        let size = if variance > mean { mean * mean / (variance - mean) } else { f64::INFINITY };
        Self::new(mean, size)
    }

    pub fn mean(self) -> f64 {
        self.mean
    }

    pub fn variance(self) -> f64 {
        self.mean + self.mean * self.mean / self.size
    }

    /// `P(X = 0)` while μ events are expected: `(k/(k+μ))^k`, `e^(−μ)` for Poisson's law.
    ///
    /// ```
    /// use analyzer::stats::counts::Clumped;
    /// // Clumped events leave gaps that even ones never would.
    /// let (clumped, even) = (Clumped::new(10.0, 2.0).unwrap(), Clumped::even(10.0).unwrap());
    /// assert!((clumped.none() - (2.0_f64 / 12.0).powi(2)).abs() < 1e-15);
    /// assert!(even.none() < 5e-5);
    /// ```
    pub fn none(self) -> f64 {
        if self.size.is_infinite() {
            return (-self.mean).exp();
        }
        (-self.size * (self.mean / self.size).ln_1p()).exp()
    }

    /// `P(X ≤ count)`.
    pub fn cdf(self, count: u64) -> f64 {
        self.tails(count)[0]
    }

    /// `P(X > count)`.
    pub fn sf(self, count: u64) -> f64 {
        self.tails(count)[1]
    }

    /// The least count with `P(X ≤ count) ≥ share`.
    pub fn quantile(self, share: f64) -> u64 {
        let reaches = |count: u64| {
            let [below, above] = self.tails(count);
            if share < 0.5 { below >= share } else { above <= 1.0 - share }
        };
        let mut high = self.mean.ceil().max(1.0) as u64;
        while !reaches(high) {
            high = high.saturating_mul(2);
        }
        let mut low = 0;
        while low < high {
            let middle = low + (high - low) / 2;
            if reaches(middle) { high = middle } else { low = middle + 1 }
        }
        low
    }

    fn tails(self, count: u64) -> [f64; 2] {
        if self.size.is_infinite() {
            // P(X ≤ c) of Poisson's law is the upper tail of a gamma law (Abramowitz and Stegun 6.5.13).
            let below = chi_squared::sf(2.0 * self.mean, 2.0 * (count as f64 + 1.0));
            let above = chi_squared::cdf(2.0 * self.mean, 2.0 * (count as f64 + 1.0));
            return [below, above];
        }
        // From one probability to the next: (k + j)/(j + 1)·μ/(k + μ).
        let share = self.mean / (self.size + self.mean);
        let ratio = move |j: f64| (self.size + j) / (j + 1.0) * share;
        let mode = ((self.size - 1.0) * self.mean / self.size).floor().max(0.0);
        let reach = mode + 40.0 * self.variance().sqrt() + 100.0;
        if reach < discrete::MOST_TERMS {
            return discrete::tails(mode as u64, None, ratio, count);
        }
        let p = self.size / (self.size + self.mean);
        let below = crate::stats::beta::regularised(self.size, count as f64 + 1.0, p);
        [below, crate::stats::beta::regularised(count as f64 + 1.0, self.size, 1.0 - p)]
    }
}

/// Events in a stretch of time, or of any other exposure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub events: u64,
    /// Positive; the unit is the caller's.
    pub exposure: f64,
}

/// A test of whether two rates are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateTest {
    /// `(c₁ − c₂·t₁/t₂)/√((c₁ + c₂)·t₁/t₂)`, the score of the ratio (Gu and others 2008, W₃); 0 of no events.
    pub z: f64,
    /// Of z, two-sided.
    pub p: f64,
    /// Given the sum of both: c₁ follows a binomial law of `t₁/(t₁+t₂)`; two-sided by probabilities that are not greater.
    pub exact_p: f64,
    /// The same with half of the observed probability: less conservative.
    pub mid_p: f64,
}

impl RateTest {
    /// Poisson's law holds for neither where events clump; then this is too sharp.
    ///
    /// ```
    /// use analyzer::stats::counts::{Rate, RateTest};
    /// let test = RateTest::of(Rate { events: 1_000, exposure: 24.0 }, Rate { events: 30, exposure: 1.0 });
    /// assert!((test.z.abs() - 1.780876).abs() < 1e-6 && (test.p - 0.074933).abs() < 1e-6);
    /// ```
    pub fn of(one: Rate, other: Rate) -> Self {
        let (c1, c2) = (one.events as f64, other.events as f64);
        let ratio = one.exposure / other.exposure;
        let all = one.events + other.events;
        let z = if all == 0 { 0.0 } else { (c1 - c2 * ratio) / ((c1 + c2) * ratio).sqrt() };
        let odds = ratio;
        let next = move |k: f64| (all as f64 - k) / (k + 1.0) * odds;
        let exact = discrete::two_sided(0, all, one.events, next, 1e-7);
        Self {
            z,
            p: (2.0 * normal::sf(z.abs())).min(1.0),
            exact_p: exact.p,
            mid_p: exact.p - exact.observed / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_events_on_either_side_are_no_difference() {
        let none = Rate { events: 0, exposure: 1.0 };
        let test = RateTest::of(none, none);
        assert_eq!((test.z, test.p, test.exact_p), (0.0, 1.0, 1.0));
    }

    #[test]
    fn the_tails_of_a_count_add_up() {
        for law in
            [Clumped::new(50.0, 1.5), Clumped::new(1e5, 40.0), Clumped::new(1e7, 3.0), Clumped::even(30.0)]
        {
            let law = law.expect("a law");
            let middle = law.mean() as u64;
            // Means beyond a million are taken from a closed form, which has eight digits there.
            assert!((law.cdf(middle) + law.sf(middle) - 1.0).abs() < 1e-7, "{law:?}");
            let high = law.quantile(0.99);
            assert!(law.sf(high) <= 0.01 + 1e-9 && law.sf(high - 1) > 0.01 - 1e-9, "{law:?}");
        }
    }

    #[test]
    fn a_variance_below_the_mean_is_poissons_law() {
        assert_eq!(Clumped::of_moments(5.0, 4.0), Clumped::even(5.0));
        assert_eq!(Clumped::new(0.0, 1.0), None);
    }
}
