//! Two files, column by column: what `leeway compare` reads. Parquet, CSV and NDJSON.
//!
//! Invariant: no row is ever held. A Parquet file is read a column at a time, by as many threads as there are cores; a
//! file of rows is first turned into a temporary Parquet file, in two passes over it. What a thread holds of a column
//! is its different values with their counts, of which there is a bound ([`rungs::MOST_DIFFERENT`],
//! [`levels::MOST_LEVELS`]).

pub mod column;
pub mod levels;
pub mod rows;
pub mod rungs;
pub mod spill;
pub mod table;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;

use crate::side_by_side::measured::Measured;

pub use table::{Shape, Table};

/// Which columns are compared.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Only these; all where none is named.
    pub columns: Vec<String>,
    /// Not these.
    pub ignored: Vec<String>,
}

/// Told how many values were read, now and then, by any thread.
pub type Tell<'a> = &'a (dyn Fn(u64) + Sync);

/// Both files, opened so that their columns mean the same: a CSV file does not say which of its columns are numbers.
pub struct Tables {
    pub baseline: Table,
    pub current: Table,
}

impl Tables {
    /// # Errors
    /// Where a file cannot be read, naming it and the place.
    pub fn open(baseline: &Path, current: &Path) -> anyhow::Result<Self> {
        let surveyed = |path: &Path| -> anyhow::Result<spill::Surveyed> { spill::survey(path) };
        let (one, other) = both(|| surveyed(baseline), || surveyed(current));
        let (one, other) = (one?, other?);
        let (known, found) = (one.shapes(), other.shapes());
        let (baseline, current) = both(|| one.open(&known, &found), || other.open(&known, &found));
        Ok(Self { baseline: baseline?, current: current? })
    }

    /// Values in the columns that are chosen, of both files: what there is to read.
    pub fn values(&self, names: &[String]) -> u64 {
        let of = |table: &Table| names.iter().filter(|name| table.column(name).is_some()).count() as u64;
        of(&self.baseline) * self.baseline.rows + of(&self.current) * self.current.rows
    }

    /// The names of the columns to compare, the baseline's in their order first.
    ///
    /// # Errors
    /// Where a name is of no column, saying which there are.
    pub fn chosen(&self, choice: &Choice) -> anyhow::Result<Vec<String>> {
        let mut names: Vec<String> = self.baseline.names().map(str::to_owned).collect();
        let further = self.current.names().filter(|name| self.baseline.column(name).is_none());
        names.extend(further.map(str::to_owned));
        for wanted in choice.columns.iter().chain(&choice.ignored) {
            if !names.contains(wanted) {
                bail!("there is no column \"{wanted}\" to compare (known: {})", names.join(", "));
            }
        }
        names.retain(|name| choice.columns.is_empty() || choice.columns.contains(name));
        names.retain(|name| !choice.ignored.contains(name));
        Ok(names)
    }

    /// Compares the columns of these names, in their order, with `threads` at work.
    ///
    /// # Errors
    /// Where a file cannot be read, naming the column.
    pub fn measured(
        &self,
        names: &[String],
        threads: usize,
        tell: Tell<'_>,
    ) -> anyhow::Result<Vec<Measured>> {
        let next = AtomicUsize::new(0);
        let done: Mutex<Vec<(usize, anyhow::Result<Measured>)>> = Mutex::new(Vec::new());
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(name) = names.get(place) else { break };
                let measured = column::measure(self, name, tell);
                let failed = measured.is_err();
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((place, measured));
                if failed {
                    next.store(names.len(), Ordering::Relaxed);
                }
            }
        };
        std::thread::scope(|scope| {
            (1..threads.clamp(1, names.len().max(1))).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let mut all = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        all.sort_by_key(|(place, _)| *place);
        all.into_iter().map(|(_, measured)| measured).collect()
    }
}

/// Two pieces of work at once, one for each file.
fn both<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        match one.join() {
            Ok(one) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
