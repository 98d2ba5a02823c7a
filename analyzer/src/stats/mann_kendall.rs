//! Whether a series rises or falls at all, whatever its law: Mann and Kendall's test, with what days that follow each
//! other and weeks ask of it.
//!
//! The plain test calls half of all aimless series a trend when neighbours are alike (METHODS 6: 48 % at φ = 0.8, 30
//! days, where 5 % was asked). [`Ar1`] is the one that verdicts use.

use std::f64::consts::PI;

use crate::stats::normal;
use crate::stats::series::{Series, median};
use crate::stats::theil_sen::{Line, kendall_variance};

/// The outcome of a test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kendall {
    /// `S = Σᵢ<ⱼ sgn(xⱼ − xᵢ)` (Mann 1945).
    pub s: f64,
    /// The variance of S where nothing moves.
    pub variance: f64,
    /// How many pairs there are.
    pub pairs: f64,
}

impl Kendall {
    /// Of the points in their order; the times themselves do not matter. O(n²).
    ///
    /// ```
    /// use analyzer::stats::{mann_kendall::Kendall, series::Series};
    /// let rising = Kendall::of(&Series::of_values(&[1.0, 2.0, 3.0, 4.0, 5.0]));
    /// assert_eq!((rising.s, rising.tau()), (10.0, 1.0));
    /// assert!((rising.z() - 9.0 / (50.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    /// ```
    pub fn of(series: &Series) -> Self {
        let values: Vec<f64> = series.values().collect();
        let mut s = 0_i64;
        for (at, later) in values.iter().enumerate() {
            for earlier in &values[..at] {
                s += i64::from(later > earlier) - i64::from(later < earlier);
            }
        }
        let n = values.len() as f64;
        Self { s: s as f64, variance: kendall_variance(series), pairs: n * (n - 1.0) / 2.0 }
    }

    /// Of several seasons (the Mondays, the Tuesdays …) that are each looked at by themselves: sums of S and of their
    /// variances (Hirsch, Slack and Smith 1982, eq. 5). A season of one point adds nothing.
    ///
    /// Takes seasons for independent, so its p-value is too small where weeks follow each other.
    pub fn of_seasons(seasons: &[Series]) -> Self {
        let nothing = Self { s: 0.0, variance: 0.0, pairs: 0.0 };
        seasons.iter().map(Self::of).fold(nothing, |sum, one| Self {
            s: sum.s + one.s,
            variance: sum.variance + one.variance,
            pairs: sum.pairs + one.pairs,
        })
    }

    /// `(S ∓ 1)/√Var`, towards zero; zero where nothing varies.
    pub fn z(&self) -> f64 {
        let nearer = self.s - self.s.signum() * f64::from(u8::from(self.s != 0.0));
        if self.variance > 0.0 { nearer / self.variance.sqrt() } else { 0.0 }
    }

    /// Two-sided.
    pub fn p(&self) -> f64 {
        (2.0 * normal::sf(self.z().abs())).min(1.0)
    }

    /// S over the number of pairs: Kendall's τ-a. Zero of one point.
    pub fn tau(&self) -> f64 {
        if self.pairs > 0.0 { self.s / self.pairs } else { 0.0 }
    }
}

/// The seasons of a series of period `period`: points whose place in it is the same. Times count from the first.
pub fn seasons(series: &Series, period: usize) -> Vec<Series> {
    let first = series.points().first().map_or(0.0, |point| point.at);
    let place = |at: f64| ((at - first).round() as usize) % period.max(1);
    (0..period.max(1))
        .map(|season| Series::of(series.points().iter().copied().filter(|point| place(point.at) == season)))
        .collect()
}

/// The median of the slopes within seasons, a period; `None` where no season has two points (Hirsch and others 1982, eq.
/// 7).
pub fn seasonal_slope(series: &Series, period: usize) -> Option<f64> {
    let mut slopes = Vec::new();
    for season in seasons(series, period) {
        let points = season.points();
        for (at, later) in points.iter().enumerate() {
            let periods = |earlier: f64| (later.at - earlier) / period as f64;
            slopes.extend(
                points[..at].iter().map(|earlier| (later.value - earlier.value) / periods(earlier.at)),
            );
        }
    }
    median(slopes)
}

/// The series without what its neighbours carry over: `xᵢ₊₁ − r₁·xᵢ` (von Storch 1995). The strict check: it takes part
/// of a real trend away too.
///
/// The series itself where nothing varies.
pub fn pre_whitened(series: &Series) -> Series {
    let Some(r1) = series.neighbour_correlation() else { return series.clone() };
    let values: Vec<f64> =
        series.points().windows(2).map(|pair| pair[1].value - pair[0].value * r1).collect();
    Series::of_values(&values)
}

/// How much more S varies because each day is like the day before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ar1 {
    /// The correlation of neighbours about Sen's line, corrected for a short series and clipped to [0, 0.98].
    pub phi: f64,
    /// By what the variance of S grows; 1 for independent days.
    pub factor: f64,
}

impl Ar1 {
    /// `φ* = (r₁ + 2/n)/(1 − 4/n)` of the residuals of Sen's line, clipped to [0, 0.98];
    /// `factor = 1 + 2/(n(n−1)(n−2))·Σₖ (n−k)(n−k−1)(n−k−2)·ρₖ` with the rank correlations `ρₖ = (6/π)·asin(φ*ᵏ/2)` that an
    /// AR(1) of φ* implies (Hamed and Rao 1998, eq. 9 and 17; the bias of r₁ after Kendall 1954).
    ///
    /// Independent (φ = 0, factor 1) below five points or where the line leaves nothing.
    pub fn of(series: &Series) -> Self {
        let phi = Line::of(series, 0.95)
            .and_then(|line| series.residuals(|point| line.at(point.at)).neighbour_correlation());
        let phi = phi.map_or(0.0, |r1| Self::mended(r1, series.len()));
        Self { phi, factor: Self::factor_of(phi, series.len()) }
    }

    /// φ* from the correlation of neighbours of so many points: 0 below five.
    pub fn mended(r1: f64, points: usize) -> f64 {
        let n = points as f64;
        if n > 4.0 { ((r1 + 2.0 / n) / (1.0 - 4.0 / n)).clamp(0.0, 0.98) } else { 0.0 }
    }

    fn factor_of(phi: f64, points: usize) -> f64 {
        let n = points as f64;
        if points < 3 {
            return 1.0;
        }
        let mut power = 1.0;
        let sum: f64 = (1..points)
            .map(|lag| {
                power *= phi;
                let left = n - lag as f64;
                left * (left - 1.0) * (left - 2.0) * (6.0 / PI) * (power / 2.0_f64).asin()
            })
            .sum();
        1.0 + 2.0 / (n * (n - 1.0) * (n - 2.0)) * sum
    }

    /// The test with the larger variance.
    pub fn corrected(self, kendall: Kendall) -> Kendall {
        Kendall { variance: kendall.variance * self.factor, ..kendall }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_has_no_trend() {
        let still = Kendall::of(&Series::of_values(&[2.0; 30]));
        assert_eq!((still.s, still.variance, still.z(), still.p()), (0.0, 0.0, 0.0, 1.0));
        assert_eq!(Ar1::of(&Series::of_values(&[2.0; 30])), Ar1 { phi: 0.0, factor: 1.0 });
    }

    #[test]
    fn short_series_say_nothing_and_fail_nothing() {
        for n in 0..5 {
            let series = Series::of_values(&vec![1.0; n]);
            assert_eq!((Kendall::of(&series).p(), Ar1::of(&series).factor), (1.0, 1.0));
        }
    }

    #[test]
    fn a_weekly_wave_hides_from_the_seasonal_test() {
        let wave = |day: i32| f64::from(day % 7);
        let values: Vec<f64> = (0..28).map(wave).collect();
        let seasons = seasons(&Series::of_values(&values), 7);
        assert_eq!(Kendall::of_seasons(&seasons).s, 0.0);
        assert_eq!(seasonal_slope(&Series::of_values(&values), 7), Some(0.0));
    }
}
