//! Unit slips: values that are a known factor away from the baseline and otherwise the same, from one hour to the next.
//!
//! Invariant: what took longer than two steps to come is no slip, whatever its factor: summer is not winter in km/h.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::baseline::Moments;
use domain::time::{DAY, Instant, Interval};

use crate::drift::wasserstein::Wasserstein;
use crate::finding::{Finding, numbers};
use crate::stats::histogram::{Axis, Pair, Sides};
use crate::words;

/// `current = factor · baseline + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slip {
    pub factor: f64,
    pub offset: f64,
    /// What would explain it.
    pub words: &'static str,
}

impl Slip {
    /// `looks multiplied by 1.61 (mph to km/h, or miles to km?)`.
    pub fn sentence(&self) -> String {
        let (factor, offset) = (words::number(self.factor), words::number(self.offset));
        let change = match (self.factor == 1.0, self.offset == 0.0) {
            (false, true) => format!("multiplied by {factor}"),
            (true, _) => format!("moved by {offset}"),
            (false, false) => format!("multiplied by {factor} and moved by {offset}"),
        };
        format!("looks {change} ({}?)", self.words)
    }
}

const fn times(factor: f64, words: &'static str) -> Slip {
    Slip { factor, offset: 0.0, words }
}

/// What people mix up. The inverse of each is in the list as well.
pub const KNOWN: &[Slip] = &[
    times(1.609_344, "mph to km/h, or miles to km"),
    times(0.621_371, "km/h to mph, or km to miles"),
    times(1.852, "knots to km/h"),
    times(0.539_957, "km/h to knots"),
    times(1.150_779, "knots to mph"),
    times(0.868_976, "mph to knots"),
    times(3.6, "m/s to km/h"),
    times(0.277_778, "km/h to m/s"),
    times(2.236_936, "m/s to mph"),
    times(0.447_04, "mph to m/s"),
    times(2.204_623, "kilograms to pounds"),
    times(0.453_592, "pounds to kilograms"),
    times(3.280_84, "metres to feet"),
    times(0.304_8, "feet to metres"),
    times(2.54, "inches to centimetres"),
    times(0.393_701, "centimetres to inches"),
    times(10.0, "a decimal point"),
    times(0.1, "a decimal point"),
    times(100.0, "shares to per cent, or units to cents"),
    times(0.01, "per cent to shares, or cents to units"),
    times(1_000.0, "s to ms, kg to g, or the like"),
    times(0.001, "ms to s, g to kg, or the like"),
    times(60.0, "minutes to seconds, or hours to minutes"),
    times(1.0 / 60.0, "seconds to minutes, or minutes to hours"),
    times(3_600.0, "hours to seconds"),
    times(1.0 / 3_600.0, "seconds to hours"),
    times(-1.0, "the sign turned round"),
    Slip { factor: 1.8, offset: 32.0, words: "°C to °F" },
    Slip { factor: 1.0 / 1.8, offset: -32.0 / 1.8, words: "°F to °C" },
    Slip { factor: 1.0, offset: 273.15, words: "°C to kelvin" },
    Slip { factor: 1.0, offset: -273.15, words: "kelvin to °C" },
];

/// After the slip is undone the values are no farther apart than this, in spreads of the baseline …
const SAME_SHAPE: f64 = 0.35;
/// … and undoing it explains most of the distance.
const EXPLAINED: f64 = 0.35;
/// Mean and spread of the window agree with the slip's within this part of the slipped spread.
const SAME_MOMENTS: f64 = 0.35;

/// The known slip that explains the movement best; `None` when none does. `means` and `sds` are those of both sides.
pub fn find(pair: &Pair, means: Sides, sds: Sides) -> Option<Slip> {
    let Axis::Ordered { places, .. } = &pair.axis else { return None };
    let moved = Wasserstein::of(pair).filter(|moved| moved.spread > 0.0)?;
    let candidates = KNOWN.iter().filter_map(|slip| {
        let spread = moved.spread * slip.factor.abs();
        let apart = distance_after(pair, places, *slip);
        let mean_apart = (means.current - (slip.factor * means.baseline + slip.offset)).abs();
        let sd_ratio = sds.current / (sds.baseline * slip.factor.abs());
        let is_same = apart <= SAME_SHAPE * spread
            && apart <= EXPLAINED * moved.distance
            && mean_apart <= SAME_MOMENTS * spread
            && (1.0 - SAME_MOMENTS..=1.0 + SAME_MOMENTS).contains(&sd_ratio);
        is_same.then_some((apart / spread, *slip))
    });
    candidates.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, slip)| slip)
}

const FACTOR: &str = "unit_factor";
const OFFSET: &str = "unit_offset";

/// How a slip is written among a finding's numbers.
pub fn numbers_of(slip: Slip) -> BTreeMap<String, f64> {
    numbers([(FACTOR, slip.factor), (OFFSET, slip.offset)])
}

/// The slip that would explain a finding, as it stands among its numbers.
pub fn candidate(finding: &Finding) -> Option<Slip> {
    let number = |name| finding.numbers.get(name).copied();
    let (factor, offset) = (number(FACTOR)?, number(OFFSET)?);
    KNOWN.iter().find(|known| known.factor == factor && known.offset == offset).copied()
}

/// Says that a finding is a slip, or that it is none.
pub fn settle(finding: &mut Finding, slip: Slip, is_slip: bool) {
    if !is_slip {
        finding.numbers.remove(FACTOR);
        finding.numbers.remove(OFFSET);
        return;
    }
    let name = format!("{}{}", words::signal(&finding.signal), words::at(&finding.segment));
    if let Some(rest) = finding.facts.strip_prefix(&format!("{name} moved: ")) {
        finding.facts = format!("{name} {}; {rest}", slip.sentence());
    }
}

/// A signal's moments by short steps, by the start of each.
pub type Steps = BTreeMap<Instant, Moments>;

/// The jump is between these times the slip's own.
const JUMP: (f64, f64) = (0.6, 1.6);
/// A slip that moves the mean by less than this many spreads shows in the spread alone.
const SHOWS: f64 = 0.5;

/// A fortnight on each side says whether a jump stayed: a warm week in April is over after it.
const LONGEST: Duration = Duration::from_secs(14 * DAY.as_secs());

/// For how long on each side a jump within `onset` has to last: nothing where that is a day or less, else about half of it in
/// whole days, since a window that looks like another unit is so for the most part.
pub fn lasting(onset: Interval) -> Duration {
    let half = (onset.length() / 2).min(LONGEST).as_secs() / DAY.as_secs();
    if onset.length() > DAY { Duration::from_secs(half.max(1) * DAY.as_secs()) } else { Duration::ZERO }
}

/// So many times farther than the farthest of weeks is no weather.
const FARTHER: f64 = 2.0;

/// What lies around a jump.
struct Around {
    before: Moments,
    after: Moments,
}

/// By what a jump agrees with a slip, and how far the slip moves that.
#[derive(Clone, Copy)]
enum Shown {
    Mean(f64),
    /// The logarithm of the standard deviation.
    Spread(f64),
}

/// Whether the slip came within two steps at some time of `onset`: the two steps after it are away from the two before it
/// as the slip says, and farther than such steps are from each other before that. What the same steps of the day before did
/// is taken off first, so that no morning is a slip. Where `onset` is longer than a day, one of its many steps may be a
/// change of weather: then the days after it are as far from those before it.
pub fn is_sudden(slip: Slip, steps: &Steps, onset: Interval, step: Duration) -> bool {
    let (first, days) = (onset.start.floor(step), lasting(onset));
    std::iter::successors(Some(first), |at| Some(at.saturating_add(step)))
        .take_while(|at| *at <= onset.end)
        .any(|at| jumps(slip, steps, at, step, days) && (days.is_zero() || lasts(slip, steps, at, days)))
}

/// Whether so many whole days after a jump, all of them known, are away from as many before it.
fn lasts(slip: Slip, steps: &Steps, at: Instant, days: Duration) -> bool {
    let (from, until) = (at.saturating_sub(days), at.saturating_add(days));
    let is_known = steps.last_key_value().is_some_and(|(last, _)| *last >= until);
    let sides = Around { before: within(steps, from, at), after: within(steps, at, until) };
    is_known && shown(slip, &sides, 0.0).is_some()
}

fn jumps(slip: Slip, steps: &Steps, at: Instant, step: Duration, days: Duration) -> bool {
    let earlier = |at: Instant| at.saturating_sub(DAY);
    let known: Vec<Instant> = steps.range(earlier(at)..at).rev().take(2).map(|(at, _)| *at).collect();
    let before = sum(known.iter().filter_map(|at| steps.get(at)));
    let before_then = sum(known.iter().filter_map(|at| steps.get(&earlier(*at))));
    let shows = [at, at.saturating_add(step)].into_iter().find_map(|from| {
        let until = from.saturating_add(2 * step);
        let after_then = within(steps, earlier(from), earlier(until));
        let daily = match (before_then.mean(), after_then.mean()) {
            (Some(before), Some(after)) => after - before,
            _ => 0.0,
        };
        shown(slip, &Around { before, after: within(steps, from, until) }, daily)
    });
    shows.is_some_and(|shows| stands_out(shows, steps, Interval::new(at.saturating_sub(days.max(DAY)), at)))
}

/// Where what came after is away from what was before as the slip says; `daily` is what the time of the day does.
fn shown(slip: Slip, sides: &Around, daily: f64) -> Option<Shown> {
    let (mean, now) = (sides.before.mean()?, sides.after.mean()?);
    let (sd, sd_now) = (sides.before.sd()?, sides.after.sd()?);
    let agrees = |ratio: f64| (JUMP.0..=JUMP.1).contains(&ratio);
    let unslipped = mean + daily;
    let by_slip = slip.factor * unslipped + slip.offset - unslipped;
    if by_slip.abs() >= SHOWS * sd {
        return agrees((now - unslipped) / by_slip).then_some(Shown::Mean(by_slip));
    }
    let wider = slip.factor.abs().ln();
    (sd > 0.0 && wider != 0.0 && agrees((sd_now / sd).ln() / wider)).then_some(Shown::Spread(wider))
}

/// Whether a jump is farther than two steps of the time before are from the two before them: by root mean square within a
/// day; within weeks, where one of hundreds always jumps, twice as far as any. A factor near one, knots for mph, is weather
/// then.
fn stands_out(shows: Shown, steps: &Steps, before: Interval) -> bool {
    let known: Vec<&Moments> = steps.range(before.start..before.end).map(|(_, moments)| moments).collect();
    let pairs: Vec<Moments> = known.windows(2).map(|pair| sum(pair.iter().copied())).collect();
    let place = |pair: &Moments| match shows {
        Shown::Mean(_) => pair.mean(),
        Shown::Spread(_) => pair.sd().map(f64::ln).filter(|spread| spread.is_finite()),
    };
    let differ = pairs.iter().zip(pairs.iter().skip(2));
    let squares: Vec<f64> =
        differ.filter_map(|(pair, next)| Some((place(next)? - place(pair)?).powi(2))).collect();
    let usual = match before.length() > DAY {
        true => FARTHER * FARTHER * squares.iter().copied().fold(0.0, f64::max),
        false => squares.iter().sum::<f64>() / squares.len().max(1) as f64,
    };
    let (Shown::Mean(by) | Shown::Spread(by)) = shows;
    by * by >= usual
}

fn within(steps: &Steps, from: Instant, until: Instant) -> Moments {
    sum(steps.range(from..until).map(|(_, moments)| moments))
}

fn sum<'a>(moments: impl Iterator<Item = &'a Moments>) -> Moments {
    moments.fold(Moments::default(), |mut sum, moments| {
        sum.merge(moments);
        sum
    })
}

/// W1 between the slipped baseline and the window.
fn distance_after(pair: &Pair, places: &[f64], slip: Slip) -> f64 {
    let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
    let slipped = places
        .iter()
        .zip(pair.baseline.counts())
        .map(|(place, count)| (slip.factor * place + slip.offset, *count as f64 / n));
    let now = places.iter().zip(pair.current.counts()).map(|(place, count)| (*place, -(*count as f64) / m));
    let mut masses: Vec<(f64, f64)> = slipped.chain(now).filter(|(_, mass)| *mass != 0.0).collect();
    masses.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut sum = 0.0;
    masses
        .windows(2)
        .map(|ends| {
            sum += ends[0].1;
            sum.abs() * (ends[1].0 - ends[0].0)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sample;

    fn found(slip: impl Fn(f64) -> f64) -> Option<Slip> {
        let baseline: Vec<f64> = (0..400).map(|n| f64::from(n % 23) + f64::from(n % 7) / 7.0 + 3.0).collect();
        let current: Vec<f64> = baseline.iter().rev().step_by(2).map(|value| slip(*value)).collect();
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            (mean, (square / values.len() as f64).sqrt())
        };
        let ((mean, sd), (mean_now, sd_now)) = (moments(&baseline), moments(&current));
        let pair = sample::pair(&baseline, &current).expect("values on both sides");
        find(&pair, Sides { baseline: mean, current: mean_now }, Sides { baseline: sd, current: sd_now })
    }

    #[test]
    fn every_known_slip_is_found_again() {
        for slip in KNOWN {
            let found = found(|value| slip.factor * value + slip.offset);
            assert_eq!(found.map(|found| found.words), Some(slip.words), "{slip:?}");
        }
    }

    const STEP: Duration = domain::time::HOUR;

    fn hour(hour: i64) -> Instant {
        Instant::from_seconds(3_600 * hour)
    }

    /// Hours of 50 values around `mean`, with a spread of 3.
    fn hours(from: i64, to: i64, mean: impl Fn(i64) -> f64) -> Steps {
        let moments = |at: i64| {
            let mut moments = Moments::default();
            (0..50).for_each(|place| moments.add(mean(at) + if place % 2 == 0 { 3.0 } else { -3.0 }));
            (hour(at), moments)
        };
        (from..to).map(moments).collect()
    }

    /// Temperature: colder by night, and by `a_day` degrees warmer each day.
    fn weather(a_day: f64) -> impl Fn(i64) -> f64 {
        move |hour| {
            36.0 + a_day * hour as f64 / 24.0 - 10.0 * (hour as f64 / 24.0 * std::f64::consts::TAU).cos()
        }
    }

    fn km_h() -> Slip {
        KNOWN[0]
    }

    #[test]
    fn a_unit_that_changes_within_an_hour_is_a_slip_at_any_time_of_the_day() {
        for since in 30..54 {
            let slipped = |at: i64| weather(0.2)(at) * if at >= since { 1.609_344 } else { 1.0 };
            let onset = Interval::new(hour(since - 1), hour(since + 1));
            assert!(is_sudden(km_h(), &hours(0, since + 2, slipped), onset, STEP), "{since}");
            let first = hours(0, since + 1, slipped);
            assert!(is_sudden(km_h(), &first, onset, STEP), "known in the first window: {since}");
        }
    }

    #[test]
    fn a_season_that_reaches_the_same_factor_over_months_is_none() {
        // From 36 to 58 degrees in 110 days, as from January to May.
        for since in (48..110 * 24).step_by(7) {
            let onset = Interval::new(hour(since - 1), hour(since + 1));
            let steps = hours(since - 30, since + 4, weather(0.2));
            assert!(!is_sudden(km_h(), &steps, onset, STEP), "{since}");
        }
    }

    #[test]
    fn a_change_within_a_window_of_a_month_is_found_by_the_hour() {
        let slipped = |at: i64| weather(0.2)(at) * if at >= 700 { 1.609_344 } else { 1.0 };
        let onset = Interval::new(hour(48), hour(48 + 720));
        assert!(is_sudden(km_h(), &hours(0, 1_200, slipped), onset, STEP));
        assert!(!is_sudden(km_h(), &hours(0, 1_200, weather(0.2)), onset, STEP));
        let storm = |at: i64| weather(0.2)(at) * if (700..712).contains(&at) { 1.609_344 } else { 1.0 };
        assert!(!is_sudden(km_h(), &hours(0, 1_200, storm), onset, STEP), "half a day of warmth");
    }

    #[test]
    fn a_factor_near_one_is_weather_where_steps_differ_as_much() {
        let knots = KNOWN.iter().find(|slip| slip.words == "knots to mph").copied().expect("known");
        let onset = Interval::new(hour(48), hour(48 + 720));
        // Gusts that are 15 per cent stronger from hour 700 on, of steps that differ by a mile or by five.
        let gusts = |differ: f64| {
            move |at: i64| {
                let lull = [0.0, 1.0, 0.0, -1.0, 1.0, -1.0][(at * at % 6) as usize];
                if at >= 700 { 1.150_779 * (26.0 + differ * lull) } else { 26.0 + differ * lull }
            }
        };
        assert!(is_sudden(knots, &hours(0, 1_200, gusts(0.5)), onset, STEP));
        assert!(!is_sudden(knots, &hours(0, 1_200, gusts(5.0)), onset, STEP));
    }

    #[test]
    fn nothing_before_is_no_proof_and_a_spread_around_nothing_shows_by_itself() {
        let onset = Interval::new(hour(0), hour(2));
        assert!(!is_sudden(km_h(), &hours(0, 10, |_| 50.0), onset, STEP));
        let around = |at: i64, wide: f64| {
            let mut moments = Moments::default();
            (0..50).for_each(|place| moments.add(if place % 2 == 0 { wide } else { -wide }));
            (hour(at), moments)
        };
        let steps: Steps = (0..10).map(|at| around(at, if at < 5 { 1.0 } else { 100.0 })).collect();
        let hundred = KNOWN.iter().find(|slip| slip.factor == 100.0).copied().expect("known");
        assert!(is_sudden(hundred, &steps, Interval::new(hour(4), hour(6)), STEP));
    }

    #[test]
    fn what_is_unchanged_or_merely_shifted_is_no_slip() {
        assert_eq!(found(|value| value), None);
        assert_eq!(found(|value| value + 12.0), None);
        assert_eq!(found(|value| value * value), None);
    }
}
