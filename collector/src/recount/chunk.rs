//! The stretches that are compared at a time: days, and where events are arriving, hours and minutes.

use domain::time::{DAY, HOUR, Interval, MINUTE};
use sql::recount::Day;

/// Days with few events are counted together, up to so many events.
const EVENTS_AT_ONCE: u64 = 200_000;
/// Days counted together at most: a chunk's inserts touch a partition a month.
const DAYS_AT_ONCE: u32 = 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub interval: Interval,
    pub events: u64,
    /// Whether it was corrected while events arrived: it must not be left like that.
    pub touched: bool,
}

/// Whole days, several where they hold few events, cut to the interval.
pub(super) fn chunks(days: &[Day], interval: Interval) -> Vec<Chunk> {
    let mut chunks: Vec<(Chunk, u32)> = Vec::new();
    for day in days {
        let whole = Interval::new(day.at, day.at.saturating_add(DAY));
        let Some(part) = whole.intersection(interval) else { continue };
        match chunks.last_mut() {
            Some((chunk, n)) if chunk.events + day.events <= EVENTS_AT_ONCE && *n < DAYS_AT_ONCE => {
                chunk.interval.end = part.end;
                chunk.events += day.events;
                *n += 1;
            }
            _ => chunks.push((Chunk { interval: part, events: day.events, touched: false }, 1)),
        }
    }
    chunks.into_iter().map(|(chunk, _)| chunk).collect()
}

/// The next smaller parts: days of a longer chunk, hours of a day, minutes of an hour.
pub(super) fn smaller(chunk: &Chunk) -> Option<Vec<Chunk>> {
    let interval = chunk.interval;
    let step = [DAY, HOUR, MINUTE].into_iter().find(|step| interval.length() > *step)?;
    let mut parts = Vec::new();
    let mut start = interval.start;
    while start < interval.end {
        let end = start.floor(step).saturating_add(step).min(interval.end);
        parts.push(Chunk { interval: Interval::new(start, end), events: 0, touched: chunk.touched });
        start = end;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;

    use super::*;

    fn at(text: &str) -> Instant {
        text.parse().expect("a literal instant")
    }

    fn day(text: &str, events: u64) -> Day {
        Day { at: at(text), events, last_received_at: Instant::EPOCH }
    }

    #[test]
    fn small_days_are_counted_together_and_large_ones_alone() {
        let days = [day("2026-01-01", 10), day("2026-01-02", 20), day("2026-01-03", EVENTS_AT_ONCE)];
        let interval = Interval::new(at("2026-01-01T06:00:00Z"), at("2026-01-03T12:00:00Z"));
        let chunk = |interval, events| Chunk { interval, events, touched: false };
        let expected = [
            chunk(Interval::new(interval.start, at("2026-01-03")), 30),
            chunk(Interval::new(at("2026-01-03"), interval.end), EVENTS_AT_ONCE),
        ];
        assert_eq!(chunks(&days, interval), expected);
    }

    #[test]
    fn a_moving_chunk_is_cut_down_to_minutes() {
        let interval = Interval::new(at("2026-01-01T22:30:00Z"), at("2026-01-03"));
        let days = smaller(&Chunk { interval, events: 9, touched: true }).expect("more than a day");
        assert_eq!(days.len(), 2);
        let hours = smaller(&days[0]).expect("more than an hour");
        assert_eq!(hours.len(), 2);
        let minutes = smaller(&hours[0]).expect("more than a minute");
        assert_eq!((minutes.len(), minutes[0].touched), (30, true));
        assert_eq!(smaller(&minutes[0]), None);
    }
}
