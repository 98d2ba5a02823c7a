//! How much healthy windows of a subject vary among themselves: what a statistic does when nothing is wrong.
//!
//! Learned from windows each of which was compared with what it is no part of (METHODS 12, steps 2 to 4). Invariant:
//! there is no spread of too few windows, and what it says of a rarer level is never less than of a commoner one.
//!
//! Windows of one day are alike: a storm lasts for all of it. So the greatest value of each day has a law of its own, and
//! the greater of the two says what is rare.

use std::collections::BTreeMap;
use std::f64::consts::{EULER_GAMMA, LN_2};

use crate::stats::peaks_over_threshold::{Pareto, Peaks};
use crate::stats::{chi_squared, normal};

/// Fewer windows than this that do not overlap say nothing about a spread.
pub const LEAST_WINDOWS: u32 = 8;
/// With fewer windows than this the greater of two laws holds: peaks alone are too few (METHODS 12(4)).
const MANY_WINDOWS: u32 = 300;
/// Peaks are what lies beyond this quantile …
const START: f64 = 0.9;
/// … and fewer of them make no law.
const LEAST_PEAKS: usize = 12;
/// A shape beyond this on either side is an accident of few peaks.
const MOST_SHAPE: f64 = 0.5;
/// χ² with more degrees of freedom is the normal law, and its series would take for ever.
const MOST_DF: f64 = 1e4;

/// Fewer days than this have no law of their own …
const LEAST_DAYS: usize = 14;
/// … and days of fewer windows are no clusters.
const LEAST_A_DAY: f64 = 4.0;

/// The law that a statistic follows by its nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A sum of squares, such as PSI: scaled χ².
    Squares,
    /// A difference, such as the rise of a share: normal about its mean.
    Difference,
}

/// The values of one statistic over healthy windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub form: Form,
    /// How many windows that do not overlap.
    pub windows: u32,
    /// Over how many days they lie.
    pub days: f64,
    pub mean: f64,
    pub variance: f64,
    pub greatest: f64,
    /// What the values hold beyond sampling noise, in the statistic's unit; 0 where they are not freed of their sample
    /// sizes. See [`crate::calibrate`].
    pub wander: f64,
    pub tail: Option<Tail>,
    pub daily: Option<Daily>,
}

/// Gumbel's law of the greatest value of a day, fitted by L-moments: `β = λ₂ / ln 2`, `μ = λ₁ − γβ` (Hosking and Wallis,
/// Regional Frequency Analysis, 1997, table A.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Daily {
    pub location: f64,
    pub scale: f64,
    /// Windows of a day.
    pub windows: f64,
}

impl Daily {
    /// Of the values with the day of each, in any order. `None` for few days, or few windows of each.
    pub fn of(values: &[(i64, f64)]) -> Option<Self> {
        let mut greatest = BTreeMap::<i64, f64>::new();
        for (day, value) in values.iter().filter(|(_, value)| value.is_finite()) {
            greatest.entry(*day).and_modify(|most| *most = most.max(*value)).or_insert(*value);
        }
        let windows = values.len() as f64 / greatest.len().max(1) as f64;
        if greatest.len() < LEAST_DAYS || windows < LEAST_A_DAY {
            return None;
        }
        let mut sorted: Vec<f64> = greatest.into_values().collect();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / n;
        let weighted: f64 =
            sorted.iter().enumerate().map(|(place, value)| value * place as f64 / (n - 1.0)).sum();
        let scale = (2.0 * weighted / n - mean) / LN_2;
        Some(Self { location: mean - EULER_GAMMA * scale, scale, windows })
    }

    /// What the greatest value of a day exceeds as often as one of its windows would exceed it with probability `level`,
    /// were they independent: both are told of once.
    fn upper_quantile(&self, level: f64) -> f64 {
        let of_a_day = -(self.windows * (-level).ln_1p()).exp_m1();
        self.location - self.scale * (-(-of_a_day).ln_1p()).ln()
    }

    /// The inverse of [`Daily::upper_quantile`].
    fn chance(&self, value: f64) -> f64 {
        if self.scale <= 0.0 {
            return f64::from(u8::from(value <= self.location));
        }
        // 1 − (1 − p)^(1/k) with p = 1 − exp(−e^−z).
        let rate = (-(value - self.location) / self.scale).exp();
        -(-rate / self.windows).exp_m1()
    }
}

/// What goes beyond the 90 % quantile of the values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    pub start: f64,
    /// The share of values that go beyond the start.
    pub share: f64,
    pub law: Pareto,
}

impl Tail {
    fn of(values: &[f64], shape: Option<f64>) -> Option<Self> {
        let peaks = Peaks::over(values, START).filter(|peaks| peaks.beyond.len() >= LEAST_PEAKS)?;
        let mean = peaks.beyond.iter().sum::<f64>() / peaks.beyond.len() as f64;
        let fitted = Pareto::of_moments(&peaks.beyond)?.shape;
        let shape = shape.unwrap_or(fitted).clamp(-MOST_SHAPE, MOST_SHAPE);
        // The mean excess of a Pareto law is σ/(1 − ξ): with a given shape the scale keeps the mean that was seen.
        let law = Pareto { shape, scale: mean * (1.0 - shape) };
        Some(Self { start: peaks.start, share: peaks.beyond.len() as f64 / peaks.n as f64, law })
    }

    /// What is exceeded with probability `level`; `None` where that lies below the start.
    fn upper_quantile(&self, level: f64) -> Option<f64> {
        let rarer = level / self.share;
        let beyond = match self.law.shape {
            0.0 => -self.law.scale * rarer.ln(),
            shape => self.law.scale / shape * (-shape * rarer.ln()).exp_m1(),
        };
        (rarer <= 1.0).then_some(self.start + beyond)
    }
}

impl Spread {
    /// Of a difference; `independent` of the windows do not overlap. `None` when those are too few.
    pub fn of(values: &[f64], independent: u32) -> Option<Self> {
        Self::fitted(Form::Difference, values, independent, None)
    }

    /// The same of any form, with the shape of the tail where it is known from many subjects together.
    pub fn fitted(form: Form, values: &[f64], independent: u32, shape: Option<f64>) -> Option<Self> {
        let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        if independent < LEAST_WINDOWS || finite.len() < LEAST_WINDOWS as usize {
            return None;
        }
        let n = finite.len() as f64;
        let mean = finite.iter().sum::<f64>() / n;
        let squares: f64 = finite.iter().map(|value| (value - mean).powi(2)).sum();
        let greatest = finite.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self {
            form,
            windows: independent,
            days: 0.0,
            mean,
            variance: squares / (n - 1.0),
            greatest,
            wander: 0.0,
            tail: Tail::of(&finite, shape),
            daily: None,
        })
    }

    /// The same, where days have a law of their own.
    pub fn with_days(self, daily: Option<Daily>) -> Self {
        Self { daily, ..self }
    }

    pub fn sd(&self) -> f64 {
        self.variance.sqrt()
    }

    /// What a healthy window exceeds with probability `level`: peaks over a threshold; under 300 windows the greater of
    /// that and the law of the form (METHODS 12(4)). Where days have a law of their own, no less than that.
    pub fn upper_quantile(&self, level: f64) -> f64 {
        let by_form = match self.form {
            Form::Squares => self.scaled_chi_squared(level),
            Form::Difference => self.mean + normal::upper_quantile(level) * self.sd(),
        };
        let of_windows = match self.tail.and_then(|tail| tail.upper_quantile(level)) {
            Some(peak) if self.windows < MANY_WINDOWS => by_form.max(peak),
            Some(peak) => peak,
            None => by_form,
        };
        self.daily.map_or(of_windows, |daily| of_windows.max(daily.upper_quantile(level)))
    }

    /// How likely a healthy window exceeds `value`: the inverse of [`Spread::upper_quantile`].
    pub fn chance(&self, value: f64) -> f64 {
        let by_form = match self.form {
            Form::Squares => self.scaled_chi_squared_chance(value),
            Form::Difference if self.variance > 0.0 => normal::sf((value - self.mean) / self.sd()),
            Form::Difference => f64::from(u8::from(value <= self.mean)),
        };
        let of_windows = match self.tail.filter(|tail| value > tail.start) {
            Some(tail) => {
                let peak = tail.share * tail.law.sf(value - tail.start);
                if self.windows < MANY_WINDOWS { by_form.max(peak) } else { peak }
            }
            None => by_form,
        };
        self.daily.map_or(of_windows, |daily| of_windows.max(daily.chance(value)))
    }

    /// `g·χ²_ν(level)` with `g = v/2m` and `ν = 2m²/v`, so that mean and variance are those observed (METHODS 12(4)).
    pub fn scaled_chi_squared(&self, level: f64) -> f64 {
        if self.mean <= 0.0 {
            return 0.0;
        }
        let df = 2.0 * self.mean * self.mean / self.variance;
        if df.is_nan() || df > MOST_DF {
            return self.mean + normal::upper_quantile(level) * self.sd();
        }
        let scale = self.variance / (2.0 * self.mean);
        scale * chi_squared::upper_quantile(level, df)
    }

    fn scaled_chi_squared_chance(&self, value: f64) -> f64 {
        if self.mean <= 0.0 || self.variance <= 0.0 {
            return f64::from(u8::from(value <= self.mean));
        }
        let df = 2.0 * self.mean * self.mean / self.variance;
        if df > MOST_DF {
            return normal::sf((value - self.mean) / self.sd());
        }
        chi_squared::sf(value * 2.0 * self.mean / self.variance, df)
    }
}

/// The shape of the tails of many subjects together, each divided by its own mean excess: rates far beyond one subject's
/// history lean on all of them (METHODS 12). `None` where there are too few peaks.
pub fn pooled_shape<'a>(subjects: impl IntoIterator<Item = &'a [f64]>) -> Option<f64> {
    let mut together = Vec::new();
    for values in subjects {
        let Some(peaks) = Peaks::over(values, START).filter(|peaks| peaks.beyond.len() >= LEAST_PEAKS) else {
            continue;
        };
        let mean = peaks.beyond.iter().sum::<f64>() / peaks.beyond.len() as f64;
        together.extend(peaks.beyond.iter().map(|beyond| beyond / mean));
    }
    Pareto::of_moments(&together).map(|law| law.shape.clamp(-MOST_SHAPE, MOST_SHAPE))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values at the even quantiles of an exponential law of mean 1.
    fn exponential(n: u32) -> Vec<f64> {
        (0..n).map(|k| -((f64::from(k) + 0.5) / f64::from(n)).ln()).collect()
    }

    #[test]
    fn the_scaled_law_has_the_mean_and_spread_that_were_seen() {
        // χ² with 9 degrees of freedom itself: mean 9, variance 18.
        let of_nine = Spread::fitted(Form::Squares, &[3.0; 20], 100, None).expect("enough windows");
        let spread = Spread { mean: 9.0, variance: 18.0, ..of_nine };
        let exact = chi_squared::upper_quantile(1e-3, 9);
        assert!((spread.scaled_chi_squared(1e-3) / exact - 1.0).abs() < 1e-9);
        assert!((spread.chance(exact) / 1e-3 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn few_windows_say_nothing() {
        assert_eq!(Spread::of(&[0.1; 100], 3), None);
        let constant = Spread::of(&[0.1; 100], 100).expect("enough windows");
        assert!((constant.upper_quantile(1e-6) - 0.1).abs() < 1e-12);
    }

    #[test]
    fn an_exponential_tail_is_followed_beyond_what_was_seen() {
        let spread = Spread::fitted(Form::Squares, &exponential(2_000), 2_000, None).expect("enough");
        let exact = -(1e-5_f64).ln();
        assert!((spread.upper_quantile(1e-5) / exact - 1.0).abs() < 0.1, "{}", spread.upper_quantile(1e-5));
        assert!((spread.chance(spread.upper_quantile(1e-5)) / 1e-5 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn of_few_windows_the_greater_law_holds() {
        let few = Spread::fitted(Form::Squares, &exponential(200), 200, None).expect("enough");
        let peak = few.tail.and_then(|tail| tail.upper_quantile(1e-4)).expect("a tail");
        assert_eq!(few.upper_quantile(1e-4), peak.max(few.scaled_chi_squared(1e-4)));
        let many = Spread { windows: 300, ..few };
        assert_eq!(many.upper_quantile(1e-4), peak);
    }

    #[test]
    fn days_have_the_law_of_their_greatest_values() {
        // Gumbel's own quantiles, location 3 and scale 2, each the only value above the others of its day.
        let greatest = |day: i64| 3.0 - 2.0 * (-((day as f64 + 0.5) / 2_000.0).ln()).ln();
        let values: Vec<(i64, f64)> = (0..2_000)
            .flat_map(|day| (0..24).map(move |hour| (day, greatest(day) - f64::from(hour))))
            .collect();
        let daily = Daily::of(&values).expect("enough days");
        assert!((daily.location - 3.0).abs() < 0.02 && (daily.scale - 2.0).abs() < 0.02, "{daily:?}");
        assert_eq!(daily.windows, 24.0);
        let level: f64 = 1e-4;
        let exact = 3.0 - 2.0 * (-(1.0 - level).powi(24).ln()).ln();
        assert!((daily.upper_quantile(level) - exact).abs() < 0.2, "{} {exact}", daily.upper_quantile(level));
        assert!((daily.chance(daily.upper_quantile(level)) / level - 1.0).abs() < 1e-6);
        assert_eq!(Daily::of(&values[..13 * 24]), None);
    }

    #[test]
    fn windows_of_a_day_that_go_up_together_are_one_chance_and_not_many() {
        // Four weeks whose days differ and whose hours do not: 672 windows, and only 28 things that happened.
        let of_day = exponential(28);
        let values: Vec<(i64, f64)> =
            (0..28).flat_map(|day| std::iter::repeat_n((i64::from(day), of_day[day as usize]), 24)).collect();
        let alone: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        let spread = Spread::fitted(Form::Squares, &alone, 672, None).expect("enough");
        let with_days = spread.with_days(Daily::of(&values));
        // Once in 150 days of 24 windows.
        let level = 1.0 / (150.0 * 24.0);
        assert!(with_days.upper_quantile(level) >= spread.upper_quantile(level));
        assert!(with_days.upper_quantile(level) > -(1.0_f64 / 150.0).ln(), "{with_days:?}");
        assert!(with_days.chance(with_days.greatest) >= spread.chance(spread.greatest));
    }

    #[test]
    fn days_that_are_all_alike_are_never_beyond_their_value() {
        let values: Vec<(i64, f64)> = (0..28 * 24).map(|hour| (hour / 24, 0.1)).collect();
        let daily = Daily::of(&values).expect("enough days");
        assert!((daily.upper_quantile(1e-6) - 0.1).abs() < 1e-9, "{daily:?}");
        assert_eq!(Daily { scale: 0.0, ..daily }.chance(1.0), 0.0);
    }

    #[test]
    fn the_shape_of_many_tails_together_is_steadier_than_of_one() {
        let one = exponential(300);
        let scaled: Vec<f64> = one.iter().map(|value| 40.0 * value).collect();
        let shape = pooled_shape([one.as_slice(), scaled.as_slice()]).expect("peaks");
        assert!(shape.abs() < 0.15, "{shape}");
        assert_eq!(pooled_shape([[1.0; 30].as_slice()]), None);
    }
}
