//! The stretches that are compared at a time: days, without the minutes or hours that events are arriving in.

use std::time::Duration;

use domain::time::{DAY, HOUR, Instant, Interval};
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

/// A chunk cut into the runs of minutes, or hours, that are settled and those that events are arriving in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cut {
    pub settled: Vec<Chunk>,
    pub moving: Vec<Chunk>,
}

/// Cuts chunks around hours that cannot be counted again; gives those as well.
pub(super) fn without_hours(chunks: Vec<Chunk>, hours: &[Instant]) -> (Vec<Chunk>, Vec<Interval>) {
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for chunk in chunks {
        let touches =
            |hour: &Instant| Interval::new(*hour, hour.saturating_add(HOUR)).overlaps(chunk.interval);
        let touched: Vec<Instant> = hours.iter().copied().filter(touches).collect();
        if touched.is_empty() {
            kept.push(chunk);
            continue;
        }
        let parts = cut(&chunk, &touched, HOUR);
        kept.extend(parts.settled);
        left.extend(parts.moving.into_iter().map(|part| part.interval));
    }
    (kept, left)
}

/// Cuts a chunk; `moving` are the starts of steps of a minute or an hour, ascending.
pub(super) fn cut(chunk: &Chunk, moving: &[Instant], step: Duration) -> Cut {
    let mut cut = Cut::default();
    let part =
        |start: Instant, end: Instant| Chunk { interval: Interval::new(start, end), events: 0, ..*chunk };
    let mut settled_from = chunk.interval.start;
    for at in moving {
        let start = (*at).max(chunk.interval.start);
        let end = at.saturating_add(step).min(chunk.interval.end);
        if settled_from < start {
            cut.settled.push(part(settled_from, start));
        }
        match cut.moving.last_mut() {
            Some(run) if run.interval.end == start => run.interval.end = end,
            _ => cut.moving.push(part(start, end)),
        }
        settled_from = end;
    }
    if settled_from < chunk.interval.end {
        cut.settled.push(part(settled_from, chunk.interval.end));
    }
    cut
}

#[cfg(test)]
mod tests {
    use domain::time::MINUTE;

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
    fn a_chunk_is_cut_around_the_minutes_that_events_arrive_in() {
        let stretch = |text: &str| text.parse::<Interval>().expect("a stretch");
        let chunk = Chunk {
            interval: stretch("2026-01-01T10:00:00Z..2026-01-01T11:00:00Z"),
            events: 9,
            touched: true,
        };
        let moving = ["10:20", "10:21", "10:59"].map(|minute| at(&format!("2026-01-01T{minute}:00Z")));
        let cut = cut(&chunk, &moving, MINUTE);
        let intervals = |chunks: &[Chunk]| chunks.iter().map(|chunk| chunk.interval).collect::<Vec<_>>();
        let settled =
            ["2026-01-01T10:00:00Z..2026-01-01T10:20:00Z", "2026-01-01T10:22:00Z..2026-01-01T10:59:00Z"];
        assert_eq!(intervals(&cut.settled), settled.map(stretch));
        let moving =
            ["2026-01-01T10:20:00Z..2026-01-01T10:22:00Z", "2026-01-01T10:59:00Z..2026-01-01T11:00:00Z"];
        assert_eq!(intervals(&cut.moving), moving.map(stretch));
        assert!(cut.settled.iter().chain(&cut.moving).all(|part| part.touched));
    }

    #[test]
    fn hours_that_are_gone_are_left_out() {
        let stretch = |text: &str| text.parse::<Interval>().expect("a stretch");
        let day = Chunk { interval: stretch("2026-01-01..2026-01-02"), events: 9, touched: false };
        let next = Chunk { interval: stretch("2026-01-02..2026-01-03"), ..day };
        let gone = ["2026-01-01T22:00:00Z", "2026-01-01T23:00:00Z", "2026-01-02T00:00:00Z"].map(at);
        let (kept, left) = without_hours(vec![day, next], &gone);
        let kept: Vec<Interval> = kept.into_iter().map(|chunk| chunk.interval).collect();
        let expected =
            ["2026-01-01T00:00:00Z..2026-01-01T22:00:00Z", "2026-01-02T01:00:00Z..2026-01-03T00:00:00Z"];
        assert_eq!(kept, expected.map(stretch));
        let expected =
            ["2026-01-01T22:00:00Z..2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z..2026-01-02T01:00:00Z"];
        assert_eq!(left, expected.map(stretch));
    }
}
