//! Which hours can no longer be counted again, because what they were counted from has expired.
//!
//! Invariant: an hour whose minutes are fewer than it says has lost them to retention, or to a crash in the middle of an
//! insert. Only the first must be left alone; it is told from the second by when the events of the hour were received.

use std::collections::BTreeMap;

use clickhouse::Row;
use domain::time::{DAY, HOUR, Instant, Interval};
use serde::Deserialize;

use crate::config::Retention;
use crate::error::Error;
use crate::store::Store;

/// What was received before may have expired. A day is left for the store to get round to it, and for clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub events_since: Instant,
    pub minutes_since: Instant,
    /// A whole hour. What was refused of older hours may have expired, and so may what was counted of it by the minute.
    pub refusals_since: Instant,
}

impl Kept {
    pub fn at(now: Instant, retention: &Retention) -> Self {
        let since = |days: u32| now.saturating_sub(DAY * days.saturating_sub(1));
        let refusals_days = retention.rejected_days.min(retention.minutes_days);
        Self {
            events_since: since(retention.events_days),
            minutes_since: since(retention.minutes_days),
            refusals_since: since(refusals_days).floor(HOUR).saturating_add(HOUR),
        }
    }
}

/// An hour with fewer events by the minute than by the hour, or of which the newest event was received long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
struct Doubtful {
    hour_s: i64,
    by_hours: i64,
    received_ms: i64,
}

/// The raw events that are left of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Row, Deserialize)]
struct Left {
    hour_s: i64,
    events: i64,
    first_received_ms: i64,
}

impl Doubtful {
    fn at(&self) -> Instant {
        Instant::from_seconds(self.hour_s)
    }

    fn has_lost_events(&self, kept: Kept) -> bool {
        self.by_hours > 0 && self.received_ms < kept.events_since.millis()
    }

    /// No event is received much before it happened. Of an older hour all raw events must be there, for certain, and young.
    fn may_have_lost_minutes(&self, kept: Kept, left: Option<&Left>) -> bool {
        let is_young = |left: &Left| {
            let all_are_there = self.at() >= kept.events_since || left.events >= self.by_hours;
            all_are_there && left.first_received_ms >= kept.minutes_since.millis()
        };
        self.at() < kept.minutes_since && !left.is_some_and(is_young)
    }
}

impl Store {
    /// The hours of a stretch that cannot be counted again, ascending: counts by the minute have expired while those by the
    /// hour are kept, or raw events that were counted have expired.
    pub async fn hours_expired(
        &self,
        model: &str,
        interval: Interval,
        kept: Kept,
    ) -> Result<Vec<Instant>, Error> {
        let doubtful = self.hours_in_doubt(model, interval, kept.events_since).await?;
        let old: Vec<Instant> =
            doubtful.iter().map(Doubtful::at).filter(|at| *at < kept.minutes_since).collect();
        let left = match (old.first(), old.last()) {
            (Some(first), Some(last)) => {
                self.raw_events_left(model, Interval::new(*first, last.saturating_add(HOUR))).await?
            }
            _ => BTreeMap::new(),
        };
        let is_expired = |hour: &&Doubtful| {
            hour.has_lost_events(kept) || hour.may_have_lost_minutes(kept, left.get(&hour.hour_s))
        };
        Ok(doubtful.iter().filter(is_expired).map(Doubtful::at).collect())
    }

    /// The hours of a stretch that hold more events than their minutes say, ascending.
    pub async fn hours_beyond_minutes(&self, model: &str, interval: Interval) -> Result<Vec<Instant>, Error> {
        let doubtful = self.hours_in_doubt(model, interval, Instant::EPOCH).await?;
        Ok(doubtful.iter().map(Doubtful::at).collect())
    }

    async fn hours_in_doubt(
        &self,
        model: &str,
        interval: Interval,
        events_since: Instant,
    ) -> Result<Vec<Doubtful>, Error> {
        let text = include_str!("../../queries/recount_expired.sql");
        let query = self.in_interval(text, model, interval.widened_to(HOUR));
        Ok(query.param("kept_since_ms", events_since.millis()).fetch_all().await?)
    }

    async fn raw_events_left(&self, model: &str, interval: Interval) -> Result<BTreeMap<i64, Left>, Error> {
        let text = include_str!("../../queries/recount_received.sql");
        let rows: Vec<Left> = self.in_interval(text, model, interval).fetch_all().await?;
        Ok(rows.into_iter().map(|left| (left.hour_s, left)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_known_from_the_first_whole_hour_of_which_all_is_kept() {
        let at = |text: &str| text.parse::<Instant>().expect("an instant");
        let since = |rejected_days, minutes_days| {
            let retention = Retention { rejected_days, minutes_days, ..Retention::default() };
            Kept::at(at("2026-11-21T12:30:00Z"), &retention).refusals_since
        };
        assert_eq!(since(30, 35), at("2026-10-23T13:00:00Z"));
        assert_eq!(since(90, 2), at("2026-11-20T13:00:00Z"));
    }

    #[test]
    fn minutes_are_missed_to_retention_only_where_something_is_old_enough() {
        let now: Instant = "2026-11-21T12:00:00Z".parse().expect("an instant");
        let retention = Retention { events_days: 90, minutes_days: 35, ..Retention::default() };
        let kept = Kept::at(now, &retention);
        let hour = |days_ago: u32| {
            let at = now.saturating_sub(DAY * days_ago);
            Doubtful { hour_s: at.seconds(), by_hours: 60, received_ms: at.millis() }
        };
        let left = |events: i64, days_ago: u32| {
            let received = now.saturating_sub(DAY * days_ago);
            Left { hour_s: 0, events, first_received_ms: received.millis() }
        };
        assert!(!hour(33).may_have_lost_minutes(kept, None), "younger than any minute that is gone");
        assert!(hour(36).may_have_lost_minutes(kept, None));
        assert!(hour(36).may_have_lost_minutes(kept, Some(&left(60, 36))));
        assert!(!hour(36).may_have_lost_minutes(kept, Some(&left(59, 1))), "the hour says one too much");
        assert!(hour(100).may_have_lost_minutes(kept, Some(&left(59, 1))), "an event may be gone");
        assert!(
            !hour(100).may_have_lost_minutes(kept, Some(&left(60, 1))),
            "history that was imported lately"
        );
        assert!(hour(90).has_lost_events(kept) && !hour(88).has_lost_events(kept));
    }
}
