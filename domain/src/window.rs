//! Half-open UTC windows: the only place that decides which windows there are and when one is closed.
//!
//! Windows of a schedule end at whole multiples of its step since the epoch, so every process, also one that was
//! restarted or replays history, sees the same windows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{HOUR, Instant, Interval};

/// Windows of one `length`, one ending each `step`, closed `grace` after their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub length: Duration,
    pub step: Duration,
    /// How long a window stays open for events that are late.
    pub grace: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { length: HOUR, step: Duration::from_secs(300), grace: Duration::from_secs(30) }
    }
}

impl Schedule {
    /// The end of the latest window that is closed at `now`.
    pub fn last_closed_end(&self, now: Instant) -> Instant {
        now.saturating_sub(self.grace).floor(self.step)
    }

    /// The windows that ended after `after` and are closed at `now`, earliest first: what is left to evaluate for one
    /// that evaluated everything up to `after`.
    pub fn closed_between(&self, after: Instant, now: Instant) -> impl Iterator<Item = Interval> + use<> {
        let Self { length, step, .. } = *self;
        let last = self.last_closed_end(now);
        std::iter::successors(Some(after.floor(step).saturating_add(step)), move |end| {
            Some(end.saturating_add(step))
        })
        .take_while(move |end| *end <= last)
        .map(move |end| Interval::ending_at(end, length))
    }

    /// The windows closed at `now` in which an event of `changed` lies: what late events ask to evaluate again.
    pub fn closed_over(&self, changed: Interval, now: Instant) -> impl Iterator<Item = Interval> + use<> {
        let until = changed.end.saturating_add(self.length);
        self.closed_between(changed.start, now).take_while(move |window| window.end < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Instant {
        Instant::from_seconds(minute * 60)
    }

    fn schedule() -> Schedule {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Schedule { length: minutes(60), step: minutes(5), grace: minutes(1) }
    }

    #[test]
    fn a_window_is_closed_a_grace_after_its_end() {
        assert_eq!(schedule().last_closed_end(at(65)), at(60));
        assert_eq!(schedule().last_closed_end(at(66)), at(65));
    }

    #[test]
    fn catching_up_leaves_no_gap_and_repeats_nothing() {
        let schedule = schedule();
        let all: Vec<_> = schedule.closed_between(at(0), at(200)).collect();
        let first: Vec<_> = schedule.closed_between(at(0), at(97)).collect();
        let resumed = first.last().expect("some windows").end;
        let second: Vec<_> = schedule.closed_between(resumed, at(200)).collect();
        assert_eq!([first, second].concat(), all);
        assert!(all.windows(2).all(|pair| pair[1].end.since(pair[0].end) == schedule.step));
    }

    #[test]
    fn a_late_event_lies_in_every_window_that_is_asked_for_again() {
        let changed = Interval::new(at(62), at(63));
        let again: Vec<_> = schedule().closed_over(changed, at(1_000)).collect();
        assert_eq!(again.len(), 12);
        assert!(again.iter().all(|window| window.overlaps(changed)), "{again:?}");
    }
}
