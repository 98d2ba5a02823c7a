//! Scales and ticks: where a value lies in a picture, and which few values are written beside it.

use std::time::Duration;

use domain::time::{Instant, Interval};
use jiff::tz::TimeZone;

use crate::time_range::zoned;

/// No axis has more ticks than this.
pub const MOST_TICKS: usize = 5;

/// A linear map from values to coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Values `low..high` drawn at `from..to`. An empty or broken domain is widened, so that a place always exists.
    pub fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        let finite = low.is_finite() && high.is_finite();
        let (low, high) = match finite {
            true if high > low => (low, high),
            true => (low - 0.5 * low.abs().max(1.0), low + 0.5 * low.abs().max(1.0)),
            false => (0.0, 1.0),
        };
        Self { low, high, from, to }
    }

    /// Time over `interval`, drawn at `from..to`.
    pub fn of_time(interval: Interval, from: f64, to: f64) -> Self {
        Self::new(interval.start.millis() as f64, interval.end.millis() as f64, from, to)
    }

    pub fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(-0.02, 1.02) * (self.to - self.from)
    }

    /// The place of a value, pressed to the ends of the scale.
    pub fn within(&self, value: f64) -> f64 {
        self.at(value.clamp(self.low, self.high))
    }

    pub fn at_time(&self, instant: Instant) -> f64 {
        self.at(instant.millis() as f64)
    }

    pub fn domain(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    /// Round values inside the domain, at most [`MOST_TICKS`].
    pub fn ticks(&self) -> Vec<f64> {
        ticks(self.low, self.high)
    }
}

/// Multiples of 1, 2, 2.5 or 5 times a power of ten within `low..=high`, at most [`MOST_TICKS`].
pub fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0 && low.is_finite()) {
        return Vec::new();
    }
    let raw = span / (MOST_TICKS - 1) as f64;
    let power = 10_f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| (high / step).floor() - (low / step).ceil() < MOST_TICKS as f64)
        .unwrap_or(span);
    if step <= 0.0 || !step.is_finite() {
        return Vec::new();
    }
    let first = (low / step).ceil();
    (0..MOST_TICKS)
        .map(|k| (first + k as f64) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .map(|tick| if tick.abs() < step * 1e-9 { 0.0 } else { tick })
        .collect()
}

/// The end of an axis that begins at zero: a round value that leaves some air above `most`.
pub fn rounded_up(most: f64) -> f64 {
    if !(most.is_finite() && most > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= most * 1.04)
        .unwrap_or(power * 12.0)
}

const MINUTE: i64 = 60;
const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// Distances between ticks that people expect.
const STEPS: [i64; 21] = [
    10,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    5 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    60 * DAY,
    100 * DAY,
];

/// Round times of day (or days) of a zone, with what to write at them.
pub fn time_ticks(interval: Interval, zone: &TimeZone) -> Vec<(Instant, String)> {
    let length = i64::try_from(interval.length().as_secs()).unwrap_or(i64::MAX);
    let Some(start) = zoned(interval.start, zone) else { return Vec::new() };
    let offset = i64::from(start.offset().seconds());
    let step = STEPS.into_iter().find(|step| length / step < MOST_TICKS as i64).unwrap_or(DAY * 100);
    // The zone's offset at the start serves for the whole axis: a change of summer time shifts a tick by an hour.
    let first = (interval.start.seconds() + offset + step - 1).div_euclid(step) * step - offset;
    (0..MOST_TICKS as i64)
        .map(|k| Instant::from_seconds(first + k * step))
        .take_while(|tick| *tick <= interval.end)
        .filter_map(|tick| zoned(tick, zone).map(|local| (tick, tick_label(&local, step))))
        .collect()
}

fn tick_label(local: &jiff::Zoned, step: i64) -> String {
    let form = match step {
        _ if step < MINUTE => "%H:%M:%S",
        _ if step >= DAY => "%-d %b",
        _ if local.hour() == 0 && local.minute() == 0 => "%-d %b",
        _ => "%H:%M",
    };
    local.strftime(form).to_string()
}

/// The step of a picture's buckets: round, and no more than `most` of them over the range.
pub fn bucket(range: Interval, least: Duration, most: u64) -> Duration {
    let seconds = range.length().as_secs();
    let least = least.as_secs().max(1);
    [60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800]
        .into_iter()
        .map(|step: u64| step.max(least).div_ceil(least) * least)
        .find(|step| seconds.div_ceil(*step) <= most)
        .map_or(Duration::from_secs(604_800), Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(0.0, 66.0), vec![0.0, 20.0, 40.0, 60.0]);
        assert_eq!(ticks(0.0, 1.0), vec![0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(ticks(-1.0, 1.0), vec![-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(ticks(3.0, 3.0), Vec::<f64>::new());
    }

    #[test]
    fn times_are_round_in_their_zone() {
        let range: Interval = "2026-11-20T08:43:10Z..2026-11-20T14:43:10Z".parse().expect("an interval");
        let labels = |zone: &str| -> Vec<String> {
            let zone = TimeZone::get(zone).expect("a zone");
            time_ticks(range, &zone).into_iter().map(|(_, label)| label).collect()
        };
        assert_eq!(labels("UTC"), ["10:00", "12:00", "14:00"]);
        assert_eq!(labels("Asia/Kolkata"), ["16:00", "18:00", "20:00"]);
    }

    #[test]
    fn buckets_are_round_and_no_more_than_asked() {
        let range = |hours: u64| {
            Interval::ending_at(Instant::from_seconds(1_000_000_000), Duration::from_secs(hours * 3_600))
        };
        assert_eq!(bucket(range(6), Duration::from_secs(60), 72), Duration::from_secs(300));
        assert_eq!(bucket(range(720), Duration::from_secs(3_600), 72), Duration::from_secs(43_200));
    }

    proptest! {
        #[test]
        fn there_are_never_more_than_five_ticks_and_all_lie_inside(low in -1e9..1e9_f64, span in 1e-6..1e9_f64) {
            let found = ticks(low, low + span);
            prop_assert!(found.len() <= MOST_TICKS);
            prop_assert!(found.iter().all(|tick| tick.is_finite() && *tick >= low - span * 1e-6 && *tick <= low + span * 1.000_001));
        }

        #[test]
        fn every_value_has_a_place(low in prop::num::f64::ANY, high in prop::num::f64::ANY, value in -1e300..1e300_f64) {
            let scale = Scale::new(low, high, 0.0, 100.0);
            prop_assert!(scale.within(value).is_finite());
        }

        #[test]
        fn time_ticks_lie_in_the_range(start in 0_i64..4_000_000_000, length in 1_i64..40_000_000) {
            let range = Interval::new(Instant::from_seconds(start), Instant::from_seconds(start + length));
            let found = time_ticks(range, &TimeZone::UTC);
            prop_assert!(found.len() <= MOST_TICKS);
            prop_assert!(found.iter().all(|(at, _)| *at >= range.start && *at <= range.end));
        }
    }
}
