//! What moves slowly: a daily series of one quantity, whether it has a trend, since when, how fast, and when it will hurt.
//!
//! Looked at by closed days, so that neither hours of the day nor a day that still goes on are taken for a trend; the
//! days of the week are evened out where there are three weeks. A trend is a ticket, never a page (METHODS 6).

use std::collections::BTreeMap;

use domain::evaluation::Monitor;
use domain::time::{DAY, Instant};

use crate::finding::{Finding, numbers};
use crate::stats::change_interval;
use crate::stats::change_point::{Shape, shape};
use crate::stats::control::{Cusum, Standard};
use crate::stats::mann_kendall::{Ar1, Kendall, pre_whitened};
use crate::stats::proportion::Between;
use crate::stats::series::{Point, Series, median};
use crate::stats::theil_sen::{Arrival, Line};
use crate::stats::{beta, normal};
use crate::threshold::Limits;
use crate::words;

/// Fewer days than this have no trend (METHODS 6).
pub const LEAST_DAYS: usize = 14;
/// Each side of a step has so many days.
const LEAST_SIDE: usize = 4;
const WEEK: usize = 7;
/// Days of the week are evened out where each was seen so often.
const LEAST_WEEKS: usize = 3;
/// Weekdays that are all alike differ so seldom.
const WEEKLY: f64 = 1e-3;
/// What wanders can be cut in two anywhere. Days that follow each other more than this about two levels are no step.
const MOST_ABOUT_A_STEP: f64 = 0.3;
/// What never varied but for its step is no more certain than this.
const MOST_Z: f64 = 37.0;
/// The chart of small moves has one false alarm in so many days.
const CHART_DAYS: f64 = 365.0;

/// A quantity of one day, in days since the epoch.
pub type Days = Series;

/// One day of a series.
pub fn day(at: Instant, value: f64) -> Point {
    Point { at: at.seconds() as f64 / DAY.as_secs_f64(), value }
}

fn instant(day: f64) -> Instant {
    Instant::from_seconds((day.round() * DAY.as_secs_f64()) as i64)
}

/// How a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Number,
    /// Points of a hundred.
    Share,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Number => words::number(value),
            Self::Share => words::percent(value),
        }
    }

    /// By how much something changed.
    fn change(self, value: f64) -> String {
        match self {
            Self::Number => words::number(value),
            Self::Share => words::percent(value).replace(" %", " points"),
        }
    }
}

/// Where a quantity hurts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Danger {
    pub at: f64,
    /// `its limit`, `half of all`.
    pub what: &'static str,
}

/// What is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    /// Empty where it is about no signal, as performance is.
    pub signal: String,
    pub statistic: &'static str,
    /// What a person calls it, with the article of a sentence: `the mean of score`.
    pub name: String,
    pub unit: Unit,
    /// A move over all days that is smaller than this does not matter.
    pub floor: f64,
    pub danger: Option<Danger>,
    pub days: Days,
    /// Events or outcomes that the days are made of.
    pub n: u64,
}

/// What days say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Signed: of Mann and Kendall's corrected test, or for a step of the difference of both levels, taken down by how
    /// many days it could have been on.
    pub z: f64,
    pub p: f64,
    /// The correlation of neighbouring days about the line or the step.
    pub phi: f64,
    /// Its interval is widened for that correlation.
    pub line: Line,
    pub shape: Shape,
    /// The first day of the new level, or of the slope.
    pub since: f64,
    /// Between which days a step lies, 19 times in 20.
    pub between: Option<(f64, f64)>,
    /// Of the level from the first day to the last, or over the step.
    pub change: f64,
    /// The first day on which a chart with one false alarm a year spoke.
    pub noticed: Option<f64>,
}

impl Trend {
    /// `None` of fewer than [`LEAST_DAYS`] days.
    pub fn of(days: &Days) -> Option<Self> {
        if days.len() < LEAST_DAYS {
            return None;
        }
        let even = evened(days);
        let ar1 = Ar1::of(&even);
        let line = Line::widened(&even, 0.95, ar1.factor)?;
        if let Some(step) = step(&even, ar1, line) {
            return Some(step);
        }
        let kendall = ar1.corrected(Kendall::of(&even));
        let (mut z, mut p) = cautious(kendall.z(), days.len() as f64 / ar1.factor, 1.0);
        if ar1.phi > MOST_ABOUT_A_STEP {
            // Days that follow each other closely pass the strict check too, though it takes part of a trend away.
            let strict = Kendall::of(&pre_whitened(&even));
            if strict.p() > p {
                (z, p) = cautious(strict.z(), days.len() as f64, 1.0);
            }
        }
        Some(Self {
            z,
            p,
            phi: ar1.phi,
            line,
            shape: Shape::Line,
            since: even.points()[0].at,
            between: None,
            change: line.slope * even.span(),
            noticed: noticed(&even, ar1.phi),
        })
    }

    fn is_step(&self) -> bool {
        matches!(self.shape, Shape::Step { .. })
    }

    /// When the line arrives where it hurts; never said of a step.
    fn arrival(&self, quantity: &Quantity) -> Option<(Danger, Arrival)> {
        let danger = quantity.danger.filter(|_| !self.is_step())?;
        let last = quantity.days.points().last()?.at;
        Some((danger, self.line.reaches(danger.at, last, quantity.days.span())?))
    }
}

/// The one step of a series, where it says more than a line. What is left about two levels follows itself less than what
/// is left about a line through them, so each is judged by its own correlation.
fn step(days: &Days, about_line: Ar1, line: Line) -> Option<Trend> {
    let Shape::Step { at, .. } = shape(days, 0.0, LEAST_SIDE) else { return None };
    let points = days.points();
    let level = |part: &[Point]| part.iter().map(|point| point.value).sum::<f64>() / part.len() as f64;
    let (before, after) = (level(&points[..at]), level(&points[at..]));
    let begins = points[at].at;
    let left = days.residuals(|point| if point.at < begins { before } else { after });
    let phi = left.neighbour_correlation().map_or(0.0, |r1| Ar1::mended(r1, days.len()));
    let holds = matches!(shape(days, phi.min(about_line.phi), LEAST_SIDE), Shape::Step { .. });
    if !holds || phi > MOST_ABOUT_A_STEP {
        return None;
    }
    let n = days.len() as f64;
    let variance = left.values().map(|left| left * left).sum::<f64>() / (n - 2.0);
    let error = (variance * (1.0 / at as f64 + 1.0 / (n - at as f64)) * (1.0 + phi) / (1.0 - phi)).sqrt();
    let change = after - before;
    let z = if error > 0.0 { change / error } else { change.signum() * MOST_Z };
    // The day was chosen as the best of all, so chance had as many attempts.
    let places = n - 2.0 * LEAST_SIDE as f64 + 1.0;
    let (z, p) = cautious(z, n * (1.0 - phi) / (1.0 + phi), places);
    let values: Vec<f64> = days.values().collect();
    let block = (1.0 / (1.0 - phi)).ceil() as usize;
    let between = change_interval::places(&values, at, block, LEAST_SIDE, 0.95)
        .and_then(|found| Some((points.get(found.first)?.at, points.get(found.last)?.at)));
    let shape = Shape::Step { at, before, after };
    Some(Trend { z, p, phi, line, shape, since: begins, between, change, noticed: noticed(days, phi) })
}

/// A z with its p-value by Student's law with as many days as are independent, less two, of so many attempts. The normal
/// law is far too sure of a spread that was itself estimated from few such days.
fn cautious(z: f64, independent: f64, attempts: f64) -> (f64, f64) {
    let p = (2.0 * attempts * beta::student_sf(z.abs(), (independent - 2.0).max(1.0))).min(1.0);
    (z.signum() * normal::upper_quantile(p / 2.0).clamp(0.0, MOST_Z), p)
}

/// Without what the days of the week do: each day less the median of what its weekday lies off the line. Only where there
/// are three weeks and weekdays differ by more than chance ever makes them (an F test), since evening out what is not
/// there hides how days follow each other.
fn evened(days: &Days) -> Days {
    let Some(line) = Line::of(days, 0.95).filter(|_| days.len() >= LEAST_WEEKS * WEEK) else {
        return days.clone();
    };
    let weekday = |at: f64| at.round().rem_euclid(WEEK as f64) as usize;
    let mut off: Vec<Vec<f64>> = vec![Vec::new(); WEEK];
    for point in days.points() {
        off[weekday(point.at)].push(point.value - line.at(point.at));
    }
    if off.iter().any(|weekday| weekday.len() < LEAST_WEEKS) || !is_weekly(&off) {
        return days.clone();
    }
    let usual: Vec<f64> = off.into_iter().map(|weekday| median(weekday).unwrap_or(0.0)).collect();
    let level = median(usual.clone()).unwrap_or(0.0);
    days.with_values(|point| point.value - usual[weekday(point.at)] + level)
}

/// One-way analysis of variance: `F = (between/(k−1))/(within/(n−k))`, p by the incomplete beta function.
fn is_weekly(groups: &[Vec<f64>]) -> bool {
    let (n, k) = (groups.iter().map(Vec::len).sum::<usize>() as f64, groups.len() as f64);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let whole = groups.iter().flatten().sum::<f64>() / n;
    let between: f64 = groups.iter().map(|group| group.len() as f64 * (mean(group) - whole).powi(2)).sum();
    let within: f64 =
        groups.iter().flat_map(|group| group.iter().map(|value| (value - mean(group)).powi(2))).sum();
    // P(F > f) = I of within's part of all.
    between > 0.0 && beta::regularised((n - k) / 2.0, (k - 1.0) / 2.0, within / (within + between)) < WEEKLY
}

/// When a CUSUM of the second half, standardised by the first, spoke. Days that follow each other are made independent
/// first by taking away what the day before carries over.
fn noticed(days: &Days, phi: f64) -> Option<f64> {
    let left: Vec<Point> = days
        .points()
        .windows(2)
        .map(|pair| Point { at: pair[1].at, value: pair[1].value - phi * pair[0].value })
        .collect();
    let (first, second) = left.split_at(left.len() / 2);
    let standard = Standard::of(&first.iter().map(|point| point.value).collect::<Vec<_>>())?;
    let mut chart = Cusum::once_in(CHART_DAYS);
    second.iter().find(|point| chart.next(standard.z(point.value)).is_some()).map(|point| point.at)
}

/// The verdict on one quantity. Beyond the limit where the move is larger than its floor and than chance makes it at the
/// level of `limits`: the limit is the greater of the floor and `z(level)` times what one z of the test is worth.
pub fn finding(quantity: &Quantity, limits: &Limits) -> Finding {
    let trend = Trend::of(&quantity.days);
    let (value, noise) = trend.map_or((0.0, 0.0), |trend| {
        let change = trend.change.abs();
        (change, if trend.z == 0.0 { change } else { change / trend.z.abs() })
    });
    let threshold = quantity.floor.max(limits.z() * noise);
    Finding {
        monitor: Monitor::Trend,
        signal: quantity.signal.clone(),
        segment: String::new(),
        statistic: quantity.statistic,
        value,
        limit: limits.above(0.0, threshold, noise),
        n_baseline: 0,
        n_current: quantity.n,
        is_enough: trend.is_some(),
        is_quiet: value <= threshold,
        numbers: trend.map_or_else(BTreeMap::new, |trend| details(quantity, &trend)),
        facts: trend.map_or_else(
            || {
                let days = quantity.days.len();
                format!("{} has {days} of the {LEAST_DAYS} days that a trend needs", quantity.name)
            },
            |trend| facts(quantity, &trend, value > threshold),
        ),
    }
}

fn details(quantity: &Quantity, trend: &Trend) -> BTreeMap<String, f64> {
    let Line { slope, interval: Between { low, high }, .. } = trend.line;
    let arrival = trend.arrival(quantity).map(|(_, arrival)| arrival);
    let arrival = arrival.into_iter().flat_map(|Arrival { after, interval }| {
        [("days_left", after), ("days_left_low", interval.low), ("days_left_high", interval.high)]
    });
    let noticed = trend.noticed.map(|day| ("cusum_since_s", instant(day).seconds() as f64));
    let between = trend
        .between
        .into_iter()
        .flat_map(|(first, last)| [("since_low_s", instant(first)), ("since_high_s", instant(last))]);
    let between = between.map(|(name, at)| (name, at.seconds() as f64));
    let days = &quantity.days;
    let mut all = numbers(
        [
            ("slope_a_day", slope),
            ("slope_low", low),
            ("slope_high", high),
            ("z", trend.z),
            ("p", trend.p),
            ("phi", trend.phi),
            ("change", trend.change),
            ("is_step", f64::from(trend.is_step())),
            ("since_s", instant(trend.since).seconds() as f64),
            ("days", days.len() as f64),
        ]
        .into_iter()
        .chain(arrival)
        .chain(noticed)
        .chain(between),
    );
    if let Some(last) = days.points().last() {
        all.insert("level_now".to_owned(), trend.line.at(last.at));
    }
    all
}

fn facts(quantity: &Quantity, trend: &Trend, is_beyond: bool) -> String {
    let Quantity { name, unit, days, .. } = quantity;
    let count = days.len();
    if !is_beyond {
        return format!(
            "{name} moves no more than it may over {count} days; {} a day",
            unit.change(trend.line.slope)
        );
    }
    let rises = trend.change > 0.0;
    let since = date(trend.since);
    let said = match trend.shape {
        Shape::Step { before, after, .. } => format!(
            "{name} {} by {} on {since}; a step, not a slope: {} before, {} after{}",
            if rises { "rose" } else { "fell" },
            unit.change(trend.change.abs()),
            unit.write(before),
            unit.write(after),
            between(trend)
        ),
        Shape::Level | Shape::Line => {
            let Between { low, high } = trend.line.interval;
            let (least, most) = if rises { (low, high) } else { (-high, -low) };
            format!(
                "{name} has {} by {} a day since {since}; a slope, not a step ({} to {}), {} now",
                if rises { "risen" } else { "fallen" },
                unit.change(trend.line.slope.abs()),
                unit.change(least),
                unit.change(most),
                days.points().last().map_or_else(String::new, |last| unit.write(trend.line.at(last.at)))
            )
        }
    };
    let arrival = trend.arrival(quantity).map_or_else(String::new, |(danger, arrival)| {
        format!(
            ", at {} ({}) in {:.0} days ({:.0} to {:.0})",
            danger.what,
            unit.write(danger.at),
            arrival.after,
            arrival.interval.low,
            arrival.interval.high
        )
    });
    let noticed = trend.noticed.map_or_else(String::new, |day| {
        format!("; a chart with one false alarm a year spoke on {}", date(day))
    });
    let chance = if trend.p < 1e-4 { "less than 0.01 %".to_owned() } else { words::percent(trend.p) };
    format!("{said}{arrival}; by chance in {chance} of such series{noticed}")
}

/// Between which days a step lies, where that is not one.
fn between(trend: &Trend) -> String {
    let days = trend.between.filter(|(first, last)| first != last);
    days.map_or_else(String::new, |(first, last)| {
        format!(", between {} and {} 19 times in 20", date(first), date(last))
    })
}

/// `2026-10-03`.
fn date(day: f64) -> String {
    let text = instant(day).to_string();
    text.get(..10).map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    /// A little noise that has no trend, the same each time.
    fn noise(day: i32) -> f64 {
        f64::from((day * 7_919 + 13) % 101) / 101.0 - 0.5
    }

    fn quantity(values: impl Fn(i32) -> f64, days: i32) -> Quantity {
        let start: Instant = "2026-09-01T00:00:00Z".parse().expect("an instant");
        let points = (0..days).map(|at| {
            let midnight = start.saturating_add(DAY.saturating_mul(at as u32));
            day(midnight, values(at))
        });
        Quantity {
            signal: "prediction.score".to_owned(),
            statistic: "mean_trend",
            name: "the mean of score".to_owned(),
            unit: Unit::Number,
            floor: 0.02,
            danger: None,
            days: Days::of(points),
            n: 1_000,
        }
    }

    fn limits() -> Limits {
        Limits::shared_over(&Config::default(), 20, Duration::from_secs(86_400))
    }

    #[test]
    fn a_slope_is_told_with_its_speed_and_its_day() {
        let found = finding(&quantity(|day| 0.3 + 0.01 * f64::from(day) + 0.02 * noise(day), 32), &limits());
        assert!(found.is_beyond(), "{found:?}");
        let said = "the mean of score has risen by 0.0101 a day since 2026-09-01; a slope, not a step (0.00979 to 0.0101), 0.61 now";
        assert!(found.facts.starts_with(said), "{}", found.facts);
        assert_eq!(found.numbers["is_step"], 0.0);
    }

    #[test]
    fn a_step_is_told_with_its_date() {
        let step = |day: i32| if day < 20 { 0.5 } else { 0.38 };
        let found = finding(&quantity(|day| step(day) + 0.02 * noise(day), 40), &limits());
        assert!(found.is_beyond(), "{found:?}");
        let day: Instant = "2026-09-21T00:00:00Z".parse().expect("an instant");
        assert_eq!(found.numbers["since_low_s"], day.seconds() as f64, "so large a step is on that day");
        assert!(
            found.facts.starts_with("the mean of score fell by 0.12 on 2026-09-21; a step, not a slope"),
            "{}",
            found.facts
        );
    }

    #[test]
    fn a_step_that_leaves_nothing_over_is_told() {
        let found = finding(&quantity(|day| if day < 17 { 0.0 } else { 0.085 }, 29), &limits());
        assert!(found.is_beyond() && found.numbers["is_step"] == 1.0, "{found:?}");
        assert!(found.numbers.values().all(|value| value.is_finite()), "{found:?}");
    }

    #[test]
    fn a_week_that_repeats_is_no_trend() {
        let wave = |day: i32| 0.2 * f64::from(day.rem_euclid(7));
        let found = finding(&quantity(|day| wave(day) + 0.02 * noise(day), 40), &limits());
        assert!(!found.is_beyond() && found.is_quiet, "{found:?}");
    }

    #[test]
    fn a_slow_rise_shows_through_a_week_that_repeats() {
        let wave = |day: i32| 0.2 * f64::from(day.rem_euclid(7));
        let found =
            finding(&quantity(|day| wave(day) + 0.01 * f64::from(day) + 0.02 * noise(day), 42), &limits());
        assert!(found.is_beyond(), "{found:?}");
    }

    #[test]
    fn a_date_is_said_only_where_it_may_be() {
        let danger = Some(Danger { at: 0.7, what: "its limit" });
        let fall = |speed: f64| {
            let days = quantity(|day| 0.9 - speed * f64::from(day) + 0.002 * noise(day), 30);
            finding(&Quantity { danger, ..days }, &limits())
        };
        let soon = fall(0.004);
        assert!(soon.facts.contains(", at its limit (0.7) in 21 days ("), "{}", soon.facts);
        assert!((soon.numbers["days_left"] - 21.0).abs() < 1.0);
        let far = fall(0.001);
        assert!(!far.facts.contains("its limit") && !far.numbers.contains_key("days_left"), "{}", far.facts);
    }

    #[test]
    fn a_fortnight_is_needed() {
        let found = finding(&quantity(f64::from, 13), &limits());
        assert!(!found.is_enough && found.facts.contains("13 of the 14 days"), "{found:?}");
        assert!(finding(&quantity(f64::from, 14), &limits()).is_enough);
    }

    #[test]
    fn what_never_varies_has_no_trend_and_no_number_that_is_none() {
        let found = finding(&quantity(|_| 0.25, 30), &limits());
        assert!(!found.is_beyond() && found.numbers.values().all(|value| value.is_finite()), "{found:?}");
    }

    #[test]
    fn aimless_days_that_follow_each_other_are_seldom_called_a_trend() {
        let mut alarms = 0;
        for seed in 0..200_u64 {
            let (mut state, mut value) = (seed * 2 + 1, 0.0);
            let mut values = Vec::new();
            for _ in 0..56 {
                let mut normal = -6.0;
                for _ in 0..12 {
                    state =
                        state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    normal += (state >> 11) as f64 / (1_u64 << 53) as f64;
                }
                value = 0.6 * value + normal;
                values.push(value);
            }
            let found = finding(&quantity(|day| values[day as usize], 56), &limits());
            alarms += u32::from(found.is_beyond());
        }
        assert!(alarms <= 6, "{alarms} of 200");
    }
}
