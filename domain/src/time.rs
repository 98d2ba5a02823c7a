//! Instants, half-open intervals and the one clock: no other module asks what time it is.
//!
//! An [`Instant`] is UTC with millisecond resolution, the resolution of the event tables.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Serialized as that number, which is how ClickHouse keeps `DateTime64(3)`; `Display` writes RFC 3339.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(i64);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("\"{text}\" is not an instant (expected RFC 3339 such as 2026-11-20T18:00:00Z)")]
pub struct ParseInstantError {
    pub text: String,
}

impl Instant {
    pub const EPOCH: Self = Self(0);

    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000)
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// The year in UTC; none where the calendar has none for it.
    pub fn year(self) -> Option<i16> {
        Some(self.date()?.year())
    }

    /// The month in UTC, as 202611; none where the calendar has none for it.
    pub fn month(self) -> Option<i32> {
        let date = self.date()?;
        Some(i32::from(date.year()) * 100 + i32::from(date.month()))
    }

    fn date(self) -> Option<jiff::civil::Date> {
        let timestamp = jiff::Timestamp::from_millisecond(self.0).ok()?;
        Some(timestamp.to_zoned(jiff::tz::TimeZone::UTC).date())
    }

    /// The latest multiple of `step` since the epoch that is not after this instant.
    pub fn floor(self, step: Duration) -> Self {
        let step = millis_of(step).max(1);
        Self(self.0.div_euclid(step) * step)
    }

    /// How long ago `earlier` was; zero if it was not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis_of(duration)))
    }

    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis_of(duration)))
    }
}

fn millis_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} ms since 1970", self.0),
        }
    }
}

impl FromStr for Instant {
    type Err = ParseInstantError;

    /// Reads RFC 3339 with any offset; a date alone is its first instant in UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim();
        let parsed = trimmed.parse::<jiff::Timestamp>().or_else(|error| {
            let date: jiff::civil::Date =
                if trimmed.len() == 10 { trimmed.parse().map_err(|_| error)? } else { return Err(error) };
            date.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp())
        });
        parsed
            .map(|timestamp| Self(timestamp.as_millisecond()))
            .map_err(|_| ParseInstantError { text: text.to_owned() })
    }
}

/// A half-open stretch of time: `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    pub start: Instant,
    pub end: Instant,
}

impl Interval {
    /// The interval from `start` up to `end`; empty when `end` is not after `start`.
    pub fn new(start: Instant, end: Instant) -> Self {
        Self { start, end: end.max(start) }
    }

    pub fn ending_at(end: Instant, length: Duration) -> Self {
        Self { start: end.saturating_sub(length), end }
    }

    pub fn length(self) -> Duration {
        self.end.since(self.start)
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub fn contains(self, instant: Instant) -> bool {
        self.start <= instant && instant < self.end
    }

    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The part of this interval that also lies in `other`; `None` when they do not meet.
    pub fn intersection(self, other: Self) -> Option<Self> {
        self.overlaps(other)
            .then(|| Self { start: self.start.max(other.start), end: self.end.min(other.end) })
    }

    /// The smallest interval of whole `step`s around this one.
    pub fn widened_to(self, step: Duration) -> Self {
        let floor = self.end.floor(step);
        let end = if floor == self.end { floor } else { floor.saturating_add(step) };
        Self { start: self.start.floor(step), end }
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

impl FromStr for Interval {
    type Err = ParseInstantError;

    /// Reads `A..B`, two instants.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (start, end) =
            text.split_once("..").ok_or_else(|| ParseInstantError { text: text.to_owned() })?;
        Ok(Self::new(start.parse()?, end.parse()?))
    }
}

/// What time it is: the machine's clock, or in tests and replays one that is set by hand.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    System,
    Manual(ManualClock),
}

/// A clock that moves only when it is told to; clones share the same hands.
#[derive(Clone, Debug, Default)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    pub fn starting_at(instant: Instant) -> Self {
        Self(Arc::new(AtomicI64::new(instant.millis())))
    }

    pub fn set(&self, instant: Instant) {
        self.0.store(instant.millis(), Ordering::SeqCst);
    }

    pub fn advance(&self, duration: Duration) {
        self.0.fetch_add(millis_of(duration), Ordering::SeqCst);
    }
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine for the time")]
    pub fn now(&self) -> Instant {
        match self {
            Self::System => Instant(jiff::Timestamp::now().as_millisecond()),
            Self::Manual(hands) => Instant(hands.0.load(Ordering::SeqCst)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal instant")
    }

    #[test]
    fn an_instant_reads_back_what_it_writes() {
        let instant = Instant::from_millis(1_763_661_600_123);
        assert_eq!(instant.to_string(), "2025-11-20T18:00:00.123Z");
        assert_eq!(at("2025-11-20T18:00:00.123Z"), instant);
        assert_eq!(at("2025-11-20T19:00:00.123+01:00"), instant);
        assert_eq!(at("2025-11-20"), Instant::from_seconds(1_763_596_800));
    }

    #[test]
    fn text_that_is_no_instant_is_named_in_the_error() {
        let error = "yesterday".parse::<Instant>().expect_err("not an instant");
        assert!(error.to_string().contains("\"yesterday\""), "{error}");
        assert!("2025-13-40".parse::<Instant>().is_err());
    }

    #[test]
    fn floor_rounds_down_also_before_the_epoch() {
        assert_eq!(at("2025-01-01T10:07:59Z").floor(MINUTE), at("2025-01-01T10:07:00Z"));
        assert_eq!(Instant::from_millis(-1).floor(MINUTE), Instant::from_seconds(-60));
    }

    #[test]
    fn months_are_those_of_utc() {
        assert_eq!(at("2026-11-01T00:30:00+01:00").month(), Some(202_610));
        assert_eq!(at("2026-11-01T00:00:00Z").month(), Some(202_611));
        assert_eq!(Instant::from_millis(i64::MAX).month(), None);
    }

    #[test]
    fn an_interval_holds_its_start_and_not_its_end() {
        let hour: Interval = "2025-01-01T10:00:00Z..2025-01-01T11:00:00Z".parse().expect("an interval");
        assert!(hour.contains(hour.start));
        assert!(!hour.contains(hour.end));
        assert_eq!(hour.length(), HOUR);
        let next = Interval::new(hour.end, hour.end.saturating_add(HOUR));
        assert!(!hour.overlaps(next));
        assert_eq!(hour.intersection(next), None);
    }

    #[test]
    fn widening_reaches_whole_steps_and_leaves_whole_ones_alone() {
        let odd: Interval = "2025-01-01T10:00:30Z..2025-01-01T10:02:01Z".parse().expect("an interval");
        let whole: Interval = "2025-01-01T10:00:00Z..2025-01-01T10:03:00Z".parse().expect("an interval");
        assert_eq!(odd.widened_to(MINUTE), whole);
        assert_eq!(whole.widened_to(MINUTE), whole);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let hands = ManualClock::starting_at(Instant::EPOCH);
        let clock = Clock::Manual(hands.clone());
        assert_eq!(clock.now(), Instant::EPOCH);
        hands.advance(MINUTE);
        assert_eq!(clock.now(), Instant::from_seconds(60));
    }
}
