//! Which cell, a minute of a segment, each event falls into: once for all events, and once for each watched dimension.

use std::collections::HashMap;

use domain::signal::{TAG, segment};
use domain::time::{Instant, MINUTE};

use super::{Segments, Tally, TrafficRow};
use crate::event::Prediction;
use crate::known::{Dimension, ModelGrids};
use crate::table::Table;

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
    table: &Table<'_>,
    rows: &[u32],
    model: &ModelGrids,
    at: Instant,
    segments: &mut Segments,
) -> Vec<View> {
    let all = segments.add(segment::ALL.to_owned());
    let mut views = vec![View::of(table, rows, |_| all)];
    for dimension in model.dimensions.iter().filter(|dimension| dimension.holds_from <= at) {
        let watched = Watched::of(dimension, table, segments);
        views.push(View::of(table, rows, |row| watched.segment(table, row)));
    }
    views
}

/// The events' minute as the tables keep it. Decoders and imports refuse what lies outside 1970 to 2106.
pub fn minute_of(event: &Prediction) -> u32 {
    u32::try_from(event.timestamp.floor(MINUTE).seconds()).unwrap_or(0)
}

impl View {
    fn of(table: &Table<'_>, rows: &[u32], mut segment_of: impl FnMut(usize) -> u32) -> Self {
        let mut cells: Vec<Cell> = Vec::new();
        let mut found: HashMap<(u32, u32), u32> = HashMap::new();
        let mut cell_of = Vec::with_capacity(rows.len());
        let mut last = None;
        for row in rows {
            let event = &table.events[*row as usize];
            let key = (segment_of(*row as usize), minute_of(event));
            let index = match last {
                Some((known, index)) if known == key => index,
                _ => *found.entry(key).or_insert_with(|| {
                    cells.push(Cell::empty(key.0, key.1, event));
                    cells.len() as u32 - 1
                }),
            };
            last = Some((key, index));
            cells[index as usize].add(event);
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
    fn empty(segment: u32, minute: u32, first: &Prediction) -> Self {
        Self {
            segment,
            minute,
            events: 0,
            errors: 0,
            first_event: first.timestamp,
            last_event: first.timestamp,
            largest_lag_ms: i64::MIN,
        }
    }

    fn add(&mut self, event: &Prediction) {
        self.events += 1;
        self.errors += i64::from(!event.error.is_empty());
        self.first_event = self.first_event.min(event.timestamp);
        self.last_event = self.last_event.max(event.timestamp);
        let lag = event.received_at.millis().saturating_sub(event.timestamp.millis());
        self.largest_lag_ms = self.largest_lag_ms.max(lag);
    }
}

/// A watched dimension, ready to say which segment an event belongs to.
struct Watched<'a> {
    /// The tag, where the dimension is one.
    tag: Option<&'a str>,
    signal: Option<u32>,
    by_value: HashMap<&'a str, u32>,
    other: u32,
    missing: u32,
}

impl<'a> Watched<'a> {
    fn of(dimension: &'a Dimension, table: &Table<'_>, segments: &mut Segments) -> Self {
        let mut add = |value: &str| segments.add(segment::name(&dimension.name, value));
        Self {
            tag: dimension.signal.strip_prefix(TAG),
            signal: table.signals.find(&dimension.signal),
            other: add(segment::OTHER),
            missing: add(segment::MISSING),
            by_value: dimension.levels.iter().map(|value| (value.as_str(), add(value))).collect(),
        }
    }

    fn segment(&self, table: &Table<'_>, row: usize) -> u32 {
        let named = |value: &str| self.by_value.get(value).copied().unwrap_or(self.other);
        if let Some(tag) = self.tag {
            let value = table.events[row].tags.iter().find(|(name, _)| name.as_str() == tag);
            return value.map_or(self.missing, |(_, value)| named(value));
        }
        let Some(signal) = self.signal else { return self.missing };
        if let Some((_, value)) = table.categories.row(row).find(|(key, _)| *key == signal) {
            return named(table.categories_seen.text(*value as u32));
        }
        let is_number = table.numbers.row(row).any(|(key, _)| key == signal);
        if is_number { self.other } else { self.missing }
    }
}
