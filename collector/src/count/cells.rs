//! Which cell, a minute of a segment, each event falls into: once for all events, and once for each watched dimension.

use std::collections::HashMap;

use domain::signal::{TAG, segment};
use domain::time::{Instant, MINUTE};

use super::{Segments, Tally, TrafficRow};
use crate::known::{Dimension, ModelGrids};
use crate::predictions::Predictions;

/// A minute of a segment with its traffic.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub segment: u32,
    pub minute: u32,
    pub events: i64,
    errors: i64,
    first_event: Instant,
    last_event: Instant,
    largest_lag_ms: i64,
}

/// One division of the events into cells.
#[derive(Debug)]
pub struct View {
    pub cells: Vec<Cell>,
    /// The cell of each event, by its position among the rows counted.
    pub cell_of: Vec<u32>,
}

/// The view of all events, then one for each dimension whose frequent values are known at `at`.
pub fn views(
    events: &Predictions,
    rows: &[u32],
    model: &ModelGrids,
    at: Instant,
    segments: &mut Segments,
) -> Vec<View> {
    let all = segments.add(segment::ALL.to_owned());
    let mut views = vec![View::of(events, rows, |_| all)];
    for dimension in model.dimensions.iter().filter(|dimension| dimension.holds_from <= at) {
        let watched = Watched::of(dimension, events, segments);
        views.push(View::of(events, rows, |row| watched.segment(events, row)));
    }
    views
}

/// The events' minute as the tables keep it. Decoders and imports refuse what lies outside 1970 to 2106.
pub fn minute_of(timestamp: Instant) -> u32 {
    u32::try_from(timestamp.floor(MINUTE).seconds()).unwrap_or(0)
}

impl View {
    fn of(events: &Predictions, rows: &[u32], mut segment_of: impl FnMut(usize) -> u32) -> Self {
        let mut cells: Vec<Cell> = Vec::new();
        let mut found: HashMap<(u32, u32), u32> = HashMap::new();
        let mut cell_of = Vec::with_capacity(rows.len());
        let mut last = None;
        for row in rows {
            let row = *row as usize;
            let timestamp = events.timestamps[row];
            let key = (segment_of(row), minute_of(timestamp));
            let index = match last {
                Some((known, index)) if known == key => index,
                _ => *found.entry(key).or_insert_with(|| {
                    cells.push(Cell::empty(key.0, key.1, timestamp));
                    cells.len() as u32 - 1
                }),
            };
            last = Some((key, index));
            let lag = events.received_at[row].millis().saturating_sub(timestamp.millis());
            cells[index as usize].add(timestamp, lag, !events.errors.is_empty_at(row));
            cell_of.push(index);
        }
        Self { cells, cell_of }
    }

    pub fn traffic(&self, tally: &mut Tally) {
        tally.traffic.extend(self.cells.iter().map(|cell| TrafficRow {
            segment: cell.segment,
            minute: cell.minute,
            events: cell.events,
            errors: cell.errors,
            first_event: cell.first_event,
            last_event: cell.last_event,
            largest_lag_ms: cell.largest_lag_ms,
        }));
    }
}

impl Cell {
    fn empty(segment: u32, minute: u32, first: Instant) -> Self {
        Self {
            segment,
            minute,
            events: 0,
            errors: 0,
            first_event: first,
            last_event: first,
            largest_lag_ms: i64::MIN,
        }
    }

    fn add(&mut self, timestamp: Instant, lag_ms: i64, failed: bool) {
        self.events += 1;
        self.errors += i64::from(failed);
        self.first_event = self.first_event.min(timestamp);
        self.last_event = self.last_event.max(timestamp);
        self.largest_lag_ms = self.largest_lag_ms.max(lag_ms);
    }
}

/// A watched dimension, ready to say which segment an event belongs to.
struct Watched<'a> {
    /// Where the dimension is a tag; its number among the labels, if any event carries it.
    tag: Option<Option<i32>>,
    signal: Option<i32>,
    by_value: HashMap<&'a str, u32>,
    other: u32,
    missing: u32,
}

impl<'a> Watched<'a> {
    fn of(dimension: &'a Dimension, events: &Predictions, segments: &mut Segments) -> Self {
        let mut add = |value: &str| segments.add(segment::name(&dimension.name, value));
        let tag = dimension.signal.strip_prefix(TAG);
        Self {
            tag: tag.map(|tag| events.labels.find(tag).map(|label| label as i32)),
            signal: events.signals.find(&dimension.signal).map(|signal| signal as i32),
            other: add(segment::OTHER),
            missing: add(segment::MISSING),
            by_value: dimension.levels.iter().map(|value| (value.as_str(), add(value))).collect(),
        }
    }

    fn segment(&self, events: &Predictions, row: usize) -> u32 {
        let named = |value: &str| self.by_value.get(value).copied().unwrap_or(self.other);
        if let Some(tag) = self.tag {
            return tag.and_then(|tag| events.tag(row, tag)).map_or(self.missing, named);
        }
        let Some(signal) = self.signal else { return self.missing };
        if let Some((_, word)) = events.categories.row(row).find(|(key, _)| *key == signal) {
            return named(events.words.text(*word as u32));
        }
        let is_number = events.numbers.row(row).any(|(key, _)| key == signal);
        if is_number { self.other } else { self.missing }
    }
}
