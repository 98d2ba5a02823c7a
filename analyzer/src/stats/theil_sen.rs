//! How fast a series rises: Theil and Sen's slope, which a quarter of wild points does not move, with its interval.

use crate::stats::normal;
use crate::stats::proportion::Between;
use crate::stats::series::{Series, median};

/// A line through the middle of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// In units of the value a unit of time.
    pub slope: f64,
    /// At time zero, in units of the value.
    pub intercept: f64,
    /// Where the slope lies, at the level that was asked for.
    pub interval: Between,
}

impl Line {
    /// The median of the slopes `(xⱼ − xᵢ)/(tⱼ − tᵢ)` of all N = n(n−1)/2 pairs (Sen 1968, eq. 2.1), through the medians of
    /// times and values (Conover 1999). The interval is of the order statistics `N/2 ∓ z·√Var₀/2` of the slopes, with
    /// the variance of Kendall's S under ties (Sen 1968, eq. 2.6), as scipy's `theilslopes` takes them.
    ///
    /// `level` is how sure the interval is (0.95). Needs two points, else `None`. O(n²) slopes are held: 365 days are
    /// 66,430 of them. Points must be about independent for the interval to be right; [`Line::widened`] corrects it.
    ///
    /// ```
    /// use analyzer::stats::series::Series;
    /// use analyzer::stats::theil_sen::Line;
    /// // One wild point among ten on a line of slope 2.
    /// let mut values: Vec<f64> = (0..10).map(|at| 2.0 * f64::from(at)).collect();
    /// values[4] = 1e9;
    /// let line = Line::of(&Series::of_values(&values), 0.95).unwrap();
    /// assert_eq!(line.slope, 2.0);
    /// ```
    pub fn of(series: &Series, level: f64) -> Option<Self> {
        Self::widened(series, level, 1.0)
    }

    /// The same with Kendall's variance made `factor` times as large, for points that follow each other
    /// ([`crate::stats::mann_kendall::Ar1::factor`]).
    pub fn widened(series: &Series, level: f64, factor: f64) -> Option<Self> {
        let points = series.points();
        let mut slopes: Vec<f64> = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
        for (at, later) in points.iter().enumerate() {
            slopes.extend(
                points[..at].iter().map(|earlier| (later.value - earlier.value) / (later.at - earlier.at)),
            );
        }
        slopes.sort_unstable_by(f64::total_cmp);
        let count = slopes.len();
        let slope = match count {
            0 => return None,
            odd if odd % 2 == 1 => slopes[odd / 2],
            even => (slopes[even / 2 - 1] + slopes[even / 2]) / 2.0,
        };
        let intercept = median(series.values().collect())?
            - slope * median(points.iter().map(|point| point.at).collect())?;
        let reach = normal::upper_quantile((1.0 - level) / 2.0) * (factor * kendall_variance(series)).sqrt();
        // Rounded to even, as the reference does: an interval one rank off is another interval.
        let rank = |place: f64| (place / 2.0).round_ties_even();
        let low = (rank(count as f64 - reach) - 1.0).max(0.0) as usize;
        let high = (rank(count as f64 + reach).max(0.0) as usize).min(count - 1);
        let interval = Between { low: slopes[low.min(high)], high: slopes[high] };
        Some(Self { slope, intercept, interval })
    }

    pub fn at(&self, time: f64) -> f64 {
        self.intercept + self.slope * time
    }
}

/// `Var₀(S) = [n(n−1)(2n+5) − Σ t(t−1)(2t+5)]/18`, the sum over groups of t equal values (Kendall 1975, ch. 4).
pub fn kendall_variance(series: &Series) -> f64 {
    let part = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut values: Vec<f64> = series.values().collect();
    values.sort_unstable_by(f64::total_cmp);
    let ties: f64 = values.chunk_by(|one, other| one == other).map(|ties| part(ties.len() as f64)).sum();
    (part(series.len() as f64) - ties) / 18.0
}

/// When a line reaches a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arrival {
    /// From now, in the unit of time.
    pub after: f64,
    /// The soonest and the latest, of the ends of the slope's interval.
    pub interval: Between,
}

impl Line {
    /// How long until the line reaches `limit`: `t* = (θ − level now)/slope`, with the interval of the slope's ends.
    ///
    /// Only where it may be said (METHODS 6): the slope's interval excludes zero, the line moves towards the limit, and
    /// t* is at most twice `span`, what was seen. Otherwise `None`: no date.
    ///
    /// ```
    /// use analyzer::stats::series::Series;
    /// use analyzer::stats::theil_sen::Line;
    /// let falling: Vec<f64> = (0..20).map(|at| 0.9 - 0.005 * f64::from(at)).collect();
    /// let line = Line::of(&Series::of_values(&falling), 0.95).unwrap();
    /// assert_eq!(line.reaches(0.7, 19.0, 19.0).unwrap().after.round(), 21.0);
    /// assert_eq!(line.reaches(0.5, 19.0, 19.0), None); // too far to be said
    /// ```
    pub fn reaches(&self, limit: f64, now: f64, span: f64) -> Option<Arrival> {
        let Between { low, high } = self.interval;
        let left = limit - self.at(now);
        let after = left / self.slope;
        let is_sure = low * high > 0.0;
        if !is_sure || !after.is_finite() || after < 0.0 || after > 2.0 * span {
            return None;
        }
        let ends = [left / low, left / high];
        let interval = Between { low: ends[0].min(ends[1]), high: ends[0].max(ends[1]) };
        Some(Arrival { after, interval })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_whose_interval_holds_zero_has_no_date() {
        let wobble: Vec<f64> = (0..30).map(|at| f64::from(at % 3)).collect();
        let line = Line::of(&Series::of_values(&wobble), 0.95).expect("points");
        assert!(line.interval.low <= 0.0 && line.interval.high >= 0.0);
        assert_eq!(line.reaches(5.0, 29.0, 29.0), None);
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(Line::of(&Series::of_values(&[1.0]), 0.95), None);
        assert_eq!(Line::of(&Series::default(), 0.95), None);
    }

    #[test]
    fn a_line_that_moves_away_never_arrives() {
        let rising: Vec<f64> = (0..20).map(f64::from).collect();
        let line = Line::of(&Series::of_values(&rising), 0.95).expect("points");
        assert_eq!(line.reaches(-1.0, 19.0, 19.0), None);
    }
}
