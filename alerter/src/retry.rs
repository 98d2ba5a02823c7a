//! When a notification is tried again, and when it is given up: the one place that decides it.
//!
//! Waits double from the first to the longest, with jitter; what the other side asks for by `Retry-After` is waited for
//! if it is longer. A notification that is older than `give_up_after_s` has missed its time.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::time::Duration;

use domain::time::{DAY, HOUR, Instant};
use serde::{Deserialize, Serialize};
use service::backoff::Backoff;

/// The section `[alerter.retries]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// The wait after the first failure, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in seconds.
    pub most_s: u64,
    /// How long after its event a notification is still tried, in seconds.
    pub give_up_after_s: u64,
}

impl Default for Retries {
    fn default() -> Self {
        Self { first_ms: 5_000, most_s: HOUR.as_secs(), give_up_after_s: DAY.as_secs() }
    }
}

/// Why an attempt failed, by what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may pass: try again, not before `retry_after` if the other side named a time.
    Passing { retry_after: Option<Duration> },
    /// The same message will be refused again.
    Lasting,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    TryAgainAt(Instant),
    GiveUp,
}

impl Retries {
    /// What to do after failed attempt number `attempt` (from 1) of a notification about an event of `event_at`.
    pub fn next(&self, failure: &Failure, attempt: u32, times: Times, jitter: f64) -> Next {
        let Failure::Passing { retry_after } = failure else { return Next::GiveUp };
        let backoff =
            Backoff { first: Duration::from_millis(self.first_ms), most: Duration::from_secs(self.most_s) };
        let wait = backoff.wait(attempt.saturating_sub(1), jitter).max(retry_after.unwrap_or_default());
        let at = times.now.saturating_add(wait);
        let end = times.event_at.saturating_add(Duration::from_secs(self.give_up_after_s));
        if at > end { Next::GiveUp } else { Next::TryAgainAt(at) }
    }
}

/// When the event was recorded, and what time it is.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub event_at: Instant,
    pub now: Instant,
}

/// What an HTTP status means for a notification; `None` is success. A redirect is a failure that may pass: somebody's
/// page for maintenance, and never followed.
pub fn judge_status(status: u16, retry_after: Option<Duration>) -> Option<Failure> {
    match status {
        200..=299 => None,
        408 | 429 => Some(Failure::Passing { retry_after }),
        400..=499 => Some(Failure::Lasting),
        _ => Some(Failure::Passing { retry_after }),
    }
}

/// `Retry-After`: seconds, or an instant as HTTP writes it.
pub fn parse_retry_after(text: &str, now: Instant) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let zoned = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(Instant::from_millis(zoned.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(now: i64) -> Times {
        Times { event_at: Instant::EPOCH, now: Instant::from_seconds(now) }
    }

    const PASSING: Failure = Failure::Passing { retry_after: None };

    #[test]
    fn waits_double_up_to_an_hour() {
        let wait = |attempt| match Retries::default().next(&PASSING, attempt, times(0), 1.0) {
            Next::TryAgainAt(at) => at.seconds(),
            Next::GiveUp => panic!("too early to give up"),
        };
        assert_eq!([1, 2, 3, 4].map(wait), [5, 10, 20, 40]);
        assert_eq!(wait(30), 3_600);
    }

    #[test]
    fn a_longer_retry_after_is_honoured_and_a_shorter_one_does_not_hurry() {
        let next = |seconds, attempt| {
            let failure = Failure::Passing { retry_after: Some(Duration::from_secs(seconds)) };
            Retries::default().next(&failure, attempt, times(0), 1.0)
        };
        assert_eq!(next(120, 1), Next::TryAgainAt(Instant::from_seconds(120)));
        assert_eq!(next(1, 4), Next::TryAgainAt(Instant::from_seconds(40)));
    }

    #[test]
    fn what_is_a_day_old_or_refused_for_good_is_given_up() {
        assert_eq!(Retries::default().next(&PASSING, 20, times(86_399), 1.0), Next::GiveUp);
        assert_eq!(Retries::default().next(&Failure::Lasting, 1, times(0), 1.0), Next::GiveUp);
    }

    #[test]
    fn statuses_are_told_apart() {
        let lasting = [400, 401, 404, 410, 422];
        let passing = [301, 408, 429, 500, 502, 503, 504];
        assert!((200..300).all(|status| judge_status(status, None).is_none()));
        assert!(lasting.iter().all(|status| judge_status(*status, None) == Some(Failure::Lasting)));
        assert!(passing.iter().all(|status| judge_status(*status, None) == Some(PASSING)));
    }

    #[test]
    fn retry_after_is_seconds_or_an_instant() {
        let now: Instant = "1994-11-06T08:48:37Z".parse().expect("an instant");
        assert_eq!(parse_retry_after(" 120 ", now), Some(Duration::from_secs(120)));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(parse_retry_after(date, now), Some(Duration::from_secs(60)));
        assert_eq!(parse_retry_after(date, now.saturating_add(HOUR)), Some(Duration::ZERO));
        assert_eq!(parse_retry_after("soon", now), None);
    }
}
