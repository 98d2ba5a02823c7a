//! The values of one signal in a batch, and how they are counted: placed in bins once, then counted per division.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use domain::baseline::Moments;
use domain::grid::{Bin, Bins};
use sql::grids::StoredGrid;

use super::cells::View;
use super::search::Search;
use super::{CountRow, MomentRow, Tally};

#[derive(Debug)]
pub struct Column {
    pub signal: u32,
    pub grid: Option<Arc<StoredGrid>>,
    /// How many events carry the signal.
    pub carried: u64,
    /// The numbers, with the positions of the events that carry them.
    numbers: Vec<f64>,
    number_rows: Rows,
    /// Their bins; empty without a grid.
    number_bins: Vec<u16>,
    /// Positions of the events that carry a text, each with its bin; empty without a grid.
    rows: Vec<u32>,
    bins: Vec<u16>,
    /// Bins of the categories met so far, by their number in the batch.
    category_bins: HashMap<u32, u16>,
}

/// Positions of events, ascending.
#[derive(Debug)]
enum Rows {
    /// From the first on without a gap, which is most signals' case.
    Dense,
    Some(Vec<u32>),
}

impl Column {
    pub fn of(signal: u32, grid: Option<Arc<StoredGrid>>) -> Self {
        Self {
            signal,
            grid,
            carried: 0,
            numbers: Vec::new(),
            number_rows: Rows::Dense,
            number_bins: Vec::new(),
            rows: Vec::new(),
            bins: Vec::new(),
            category_bins: HashMap::new(),
        }
    }

    pub fn push_number(&mut self, row: u32, value: f64, expected: usize) {
        if self.numbers.is_empty() {
            self.numbers.reserve(expected);
        }
        self.carried += 1;
        let before = self.numbers.len() as u32;
        match &mut self.number_rows {
            Rows::Dense if row == before => {}
            Rows::Dense => self.number_rows = Rows::Some((0..before).chain([row]).collect()),
            Rows::Some(rows) => rows.push(row),
        }
        self.numbers.push(value);
    }

    pub fn push_category(&mut self, row: u32, category: u32, text: &str) {
        self.carried += 1;
        let Some(stored) = &self.grid else { return };
        let bin = *self.category_bins.entry(category).or_insert_with(|| stored.grid.bin_of_category(text).0);
        self.rows.push(row);
        self.bins.push(bin);
    }

    pub fn push_text(&mut self, row: u32, text: &str) {
        self.carried += 1;
        let Some(stored) = &self.grid else { return };
        self.rows.push(row);
        self.bins.push(stored.grid.bin_of_category(text).0);
    }

    /// Places the numbers in their bins, all at once: the edges then stay in the nearest cache.
    pub fn place(&mut self) {
        let Some(stored) = &self.grid else { return };
        match &stored.grid.bins {
            Bins::Numbers(edges) => Search::of(edges).place(&self.numbers, &mut self.number_bins),
            Bins::Categories(_) => self.number_bins.resize(self.numbers.len(), Bin::INVALID.0),
        }
    }

    /// The cell of each number, in their order.
    fn number_cells<'v>(&self, view: &'v View) -> Cow<'v, [u32]> {
        match &self.number_rows {
            Rows::Dense => Cow::Borrowed(&view.cell_of[..self.numbers.len()]),
            Rows::Some(rows) => rows.iter().map(|row| view.cell_of[*row as usize]).collect(),
        }
    }

    /// The cell and the bin of every value.
    fn placed(&self, view: &View, mut each: impl FnMut(u32, u16)) {
        let cells = self.number_cells(view);
        cells.iter().zip(&self.number_bins).for_each(|(cell, bin)| each(*cell, *bin));
        let texts = self.rows.iter().zip(&self.bins);
        texts.for_each(|(row, bin)| each(view.cell_of[*row as usize], *bin));
    }

    /// Adds the counts and moments of this signal over the cells of `view`.
    pub fn count(&self, view: &View, tally: &mut Tally) {
        if let Some(stored) = &self.grid {
            let width = usize::from(Bin::FIRST_VALUE.0) + stored.grid.value_bins();
            // Few cells: one counter for each bin of each. Many (a file of years): only those that occur.
            if view.cells.len() * width <= 4_096 + 16 * view.cell_of.len() {
                self.count_densely(stored, width, view, tally);
            } else {
                self.count_sparsely(stored, view, tally);
            }
        }
        if !self.numbers.is_empty() {
            self.add_moments(view, tally);
        }
    }

    fn count_densely(&self, stored: &StoredGrid, width: usize, view: &View, tally: &mut Tally) {
        let mut counters = vec![0_u32; view.cells.len() * width];
        if view.cells.len() == 1 {
            self.number_bins.iter().chain(&self.bins).for_each(|bin| counters[usize::from(*bin)] += 1);
        } else {
            self.placed(view, |cell, bin| counters[cell as usize * width + usize::from(bin)] += 1);
        }
        for (cell, counters) in view.cells.iter().zip(counters.chunks_exact_mut(width)) {
            let carried: i64 = counters.iter().map(|n| i64::from(*n)).sum();
            let counted = (0_u16..).zip(counters.iter()).filter(|(_, n)| **n > 0);
            let missing = cell.events - carried;
            let all = (missing > 0).then_some((Bin::MISSING, missing)).into_iter();
            tally.counts.extend(all.chain(counted.map(|(bin, n)| (Bin(bin), i64::from(*n)))).map(
                |(bin, n)| CountRow {
                    segment: cell.segment,
                    signal: self.signal,
                    grid: stored.grid.id,
                    minute: cell.minute,
                    bin,
                    n,
                },
            ));
        }
    }

    fn count_sparsely(&self, stored: &StoredGrid, view: &View, tally: &mut Tally) {
        let mut missing: Vec<i64> = view.cells.iter().map(|cell| cell.events).collect();
        let mut keys: Vec<u64> = Vec::with_capacity(self.number_bins.len() + self.bins.len());
        self.placed(view, |cell, bin| {
            missing[cell as usize] -= 1;
            keys.push(u64::from(cell) << 16 | u64::from(bin));
        });
        keys.sort_unstable();
        let mut add = |cell: usize, bin: Bin, n: i64| {
            let cell = &view.cells[cell];
            tally.counts.push(CountRow {
                segment: cell.segment,
                signal: self.signal,
                grid: stored.grid.id,
                minute: cell.minute,
                bin,
                n,
            });
        };
        for run in keys.chunk_by(|a, b| a == b) {
            add((run[0] >> 16) as usize, Bin(run[0] as u16), run.len() as i64);
        }
        for (cell, missing) in missing.into_iter().enumerate().filter(|(_, missing)| *missing > 0) {
            add(cell, Bin::MISSING, missing);
        }
    }

    fn add_moments(&self, view: &View, tally: &mut Tally) {
        let mut sums = vec![Moments::default(); view.cells.len()];
        let cells = self.number_cells(view);
        for (cell, value) in cells.iter().zip(&self.numbers).filter(|(_, value)| value.is_finite()) {
            sums[*cell as usize].add(*value);
        }
        let summed = view.cells.iter().zip(sums).filter(|(_, moments)| moments.n > 0);
        tally.moments.extend(summed.map(|(cell, moments)| MomentRow {
            segment: cell.segment,
            signal: self.signal,
            minute: cell.minute,
            moments,
        }));
    }
}
