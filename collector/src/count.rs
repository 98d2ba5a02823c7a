//! Counts a batch: each value into its bin, per minute of event time and watched segment; sums of the numbers; traffic.
//!
//! Invariant: for each signal with a grid in force, each segment and minute, the counts over all bins add up to the
//! events: an event that does not carry the signal counts as missing. An event counts by the grids that hold from when
//! it was received or before; in a segment only if the dimension's grid does as well.

mod cells;
mod column;
pub mod search;

use std::sync::Arc;

use domain::baseline::Moments;
use domain::grid::{Bin, GridId};
use domain::signal::TAG;
use domain::time::Instant;
use sql::grids::StoredGrid;

pub use self::cells::minute_of;
use self::column::Column;
use crate::dictionary::Dictionary;
use crate::known::ModelGrids;
use crate::predictions::Predictions;
use crate::streams::Stream;

/// One row of `signal_minutes`; signals and segments by their number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CountRow {
    pub segment: u32,
    pub signal: u32,
    pub grid: GridId,
    /// Seconds since 1970.
    pub minute: u32,
    pub bin: Bin,
    pub n: i64,
}

/// One row of `signal_moments`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentRow {
    pub segment: u32,
    pub signal: u32,
    pub minute: u32,
    pub moments: Moments,
}

/// One row of `traffic_minutes`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrafficRow {
    pub segment: u32,
    pub minute: u32,
    pub events: i64,
    pub errors: i64,
    pub first_event: Instant,
    pub last_event: Instant,
    pub largest_lag_ms: i64,
}

/// The counts of one stream of a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub counts: Vec<CountRow>,
    pub moments: Vec<MomentRow>,
    pub traffic: Vec<TrafficRow>,
    /// Signals without a grid, with how many values they had.
    pub ungridded: Vec<(u32, u64)>,
}

/// The texts that the rows of a tally name by number.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segments(Vec<String>);

impl Segments {
    fn add(&mut self, segment: String) -> u32 {
        // A batch has few: a hundred is many.
        let found = self.0.iter().position(|known| *known == segment);
        found.unwrap_or_else(|| {
            self.0.push(segment);
            self.0.len() - 1
        }) as u32
    }

    pub fn texts(&self) -> &[String] {
        &self.0
    }
}

/// The numbers of the signals that have grids, beyond those that the batch itself carries.
pub struct SignalNumbers {
    grids: Vec<(u32, Arc<StoredGrid>)>,
}

impl SignalNumbers {
    /// Numbers the gridded signals of a model.
    pub fn of(model: &ModelGrids, signals: &mut Dictionary) -> Self {
        let mut grids: Vec<(u32, Arc<StoredGrid>)> = model
            .by_signal
            .iter()
            .map(|(signal, stored)| (signals.index_of_text(signal), stored.clone()))
            .collect();
        grids.sort_by_key(|(signal, _)| *signal);
        Self { grids }
    }
}

/// Counts the events of one stream.
pub fn count(
    events: &Predictions,
    stream: &Stream,
    model: &ModelGrids,
    numbers: &SignalNumbers,
    segments: &mut Segments,
) -> Tally {
    let mut tally = Tally::default();
    for (at, rows) in generations(events, &stream.rows, &model.changes) {
        let views = cells::views(events, &rows, model, at, segments);
        let columns = gather(events, &rows, numbers, at);
        for column in &columns {
            if column.grid.is_none() {
                tally.ungridded.push((column.signal, column.carried));
            }
            for view in &views {
                column.count(view, &mut tally);
            }
        }
        views.iter().for_each(|view| view.traffic(&mut tally));
    }
    tally
}

/// Splits rows by the instants at which grids come into force: within one part the same grids hold for all. Nearly
/// always there is one part.
fn generations(events: &Predictions, rows: &[u32], changes: &[Instant]) -> Vec<(Instant, Vec<u32>)> {
    let mut parts: Vec<(usize, Instant, Vec<u32>)> = Vec::with_capacity(1);
    for row in rows {
        let received_at = events.received_at[*row as usize];
        let generation = changes.partition_point(|change| *change <= received_at);
        match parts.iter_mut().find(|(known, ..)| *known == generation) {
            Some((_, _, rows)) => rows.push(*row),
            None => parts.push((generation, received_at, vec![*row])),
        }
    }
    parts.into_iter().map(|(_, at, rows)| (at, rows)).collect()
}

/// The values of `rows` signal by signal.
fn gather(events: &Predictions, rows: &[u32], numbers: &SignalNumbers, at: Instant) -> Vec<Column> {
    const NONE: u32 = u32::MAX;
    let mut slot_of = vec![NONE; events.signals.len()];
    let mut columns: Vec<Column> = Vec::with_capacity(64);
    let mut tags: Vec<(usize, i32)> = Vec::new();
    for (signal, stored) in numbers.grids.iter().filter(|(_, stored)| stored.grid.holds_from <= at) {
        slot_of[*signal as usize] = columns.len() as u32;
        if let Some(tag) = stored.grid.signal.strip_prefix(TAG) {
            tags.extend(events.labels.find(tag).map(|label| (columns.len(), label as i32)));
        }
        columns.push(Column::of(*signal, Some(stored.clone())));
    }
    let mut slot = |signal: i32, columns: &mut Vec<Column>| -> usize {
        let slot = &mut slot_of[signal as usize];
        if *slot == NONE {
            *slot = columns.len() as u32;
            columns.push(Column::of(signal as u32, None));
        }
        *slot as usize
    };
    for (position, row) in (0_u32..).zip(rows) {
        let row = *row as usize;
        for (signal, value) in events.numbers.row(row) {
            let slot = slot(signal, &mut columns);
            columns[slot].push_number(position, *value, rows.len());
        }
        for (signal, word) in events.categories.row(row) {
            let slot = slot(signal, &mut columns);
            columns[slot].push_category(position, *word as u32, events.words.text(*word as u32));
        }
        for (slot, tag) in &tags {
            if let Some(value) = events.tag(row, *tag) {
                columns[*slot].push_text(position, value);
            }
        }
    }
    columns.iter_mut().for_each(Column::place);
    columns
}

#[cfg(test)]
mod tests;
