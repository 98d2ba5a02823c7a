//! The signals of a batch as columns of numbers: what Arrow sends, and what counting walks over.

use crate::dictionary::Dictionary;
use crate::event::{Name, Prediction};

/// A map column: the entries of row `i` are `offsets[i]..offsets[i + 1]`.
#[derive(Debug)]
pub struct Entries<V> {
    pub offsets: Vec<i32>,
    /// Positions in the dictionary of signals.
    pub keys: Vec<i32>,
    pub values: Vec<V>,
}

impl<V> Entries<V> {
    pub fn with_capacity(rows: usize, entries: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, keys: Vec::with_capacity(entries), values: Vec::with_capacity(entries) }
    }

    pub fn push(&mut self, key: u32, value: V) {
        self.keys.push(key as i32);
        self.values.push(value);
    }

    pub fn end_row(&mut self) {
        self.offsets.push(i32::try_from(self.keys.len()).expect("a batch is bounded far below 2^31 entries"));
    }

    /// The entries themselves; what is left has rows without any.
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::with_capacity(0, 0))
    }

    /// The same without the entries of the rows that `is_left_out`.
    pub fn without(self, is_left_out: impl Fn(usize) -> bool) -> Self {
        let rows = self.offsets.len() - 1;
        if !(0..rows).any(&is_left_out) {
            return self;
        }
        let mut left = Self::with_capacity(rows, self.keys.len());
        let mut entries = self.keys.into_iter().zip(self.values);
        for (row, pair) in self.offsets.windows(2).enumerate() {
            let of_row = entries.by_ref().take((pair[1] - pair[0]) as usize);
            if is_left_out(row) {
                of_row.for_each(drop);
            } else {
                of_row.for_each(|(key, value)| {
                    left.keys.push(key);
                    left.values.push(value);
                });
            }
            left.end_row();
        }
        left
    }

    /// The entries of one row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (u32, &V)> {
        let range = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        self.keys[range.clone()].iter().map(|key| *key as u32).zip(&self.values[range])
    }
}

/// Events with their numbers and categories by number of signal.
#[derive(Debug)]
pub struct Table<'a> {
    pub events: &'a [Prediction],
    pub signals: Dictionary<'a>,
    pub categories_seen: Dictionary<'a>,
    pub numbers: Entries<f64>,
    /// The values are positions in `categories_seen`.
    pub categories: Entries<i32>,
}

impl<'a> Table<'a> {
    pub fn of(events: &'a [Prediction]) -> Self {
        let sum = |part: fn(&Prediction) -> usize| events.iter().map(part).sum();
        let mut table = Self {
            events,
            signals: Dictionary::default(),
            categories_seen: Dictionary::default(),
            numbers: Entries::with_capacity(events.len(), sum(|event| event.numbers.len())),
            categories: Entries::with_capacity(events.len(), sum(|event| event.categories.len())),
        };
        for event in events {
            table.push(event);
        }
        table
    }

    fn push(&mut self, event: &'a Prediction) {
        for (place, (name, value)) in event.numbers.iter().enumerate() {
            self.numbers.push(self.signals.index_at(place, name), *value);
        }
        self.numbers.end_row();
        for (name, value) in &event.categories {
            let value = self.categories_seen.index(value);
            self.categories.push(self.signals.index(name), value as i32);
        }
        self.categories.end_row();
    }
}

/// Events of one (model, version, environment) in a batch: their counts stand on the first of them.
#[derive(Debug)]
pub struct Stream<'a> {
    pub model: &'a Name,
    /// Ascending; never empty.
    pub rows: Vec<u32>,
}

/// The streams of a batch, in the order of their first rows.
pub fn streams(events: &[Prediction]) -> Vec<Stream<'_>> {
    let mut streams: Vec<Stream<'_>> = Vec::new();
    let mut found = std::collections::HashMap::new();
    let mut last: Option<(&Prediction, usize)> = None;
    for (row, event) in (0_u32..).zip(events) {
        let same = |other: &Prediction| {
            other.model == event.model
                && other.version == event.version
                && other.environment == event.environment
        };
        let index = match last {
            Some((other, index)) if same(other) => index,
            _ => *found.entry((&event.model, &event.version, &event.environment)).or_insert_with(|| {
                streams.push(Stream { model: &event.model, rows: Vec::new() });
                streams.len() - 1
            }),
        };
        last = Some((event, index));
        streams[index].rows.push(row);
    }
    streams
}
