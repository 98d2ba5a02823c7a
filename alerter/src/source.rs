//! New evaluations, each instant's together, none missed and none needed twice.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use domain::evaluation::Evaluation;
use domain::time::Instant;
use sql::arrivals::Arrival;
use sql::{Error, Store};

/// Rows may become visible so long after the instant at which they say they were evaluated: an insert that had to be
/// repeated, or a clock that is behind.
const LATENESS: Duration = Duration::from_secs(600);
/// So many rows are read at a time: a catch-up over months fits into memory.
const MOST_ROWS: u64 = 50_000;

pub struct Source {
    store: Store,
    after: Instant,
    /// What was read of the stretch that is looked at again.
    read: BTreeMap<Instant, u64>,
    /// What is known to be there and was not read yet.
    pending: VecDeque<Arrival>,
}

/// What is new.
pub struct News {
    pub evaluations: Vec<Evaluation>,
    /// The latest instant at which anything was evaluated.
    pub latest: Option<Instant>,
    /// Whether there is more to read at once.
    pub more: bool,
}

impl Source {
    /// Reads from what was evaluated after `after`, or from the beginning.
    pub fn reading_from(store: Store, after: Option<Instant>) -> Self {
        let after = after.map_or(Instant::EPOCH, |after| after.saturating_sub(LATENESS));
        Self { store, after, read: BTreeMap::new(), pending: VecDeque::new() }
    }

    /// What arrived since the last call; all evaluations of `models`, and the alarms of others.
    pub async fn next(&mut self, models: &[&str]) -> Result<News, Error> {
        if self.pending.is_empty() {
            self.look().await?;
        }
        let taken: Vec<Arrival> = self.pending.iter().take(fitting(&self.pending)).copied().collect();
        let evaluations = match (taken.first(), taken.last()) {
            (Some(first), Some(last)) => self.store.evaluations_arrived(first.at, last.at, models).await?,
            _ => Vec::new(),
        };
        self.pending.drain(..taken.len());
        self.read.extend(taken.iter().map(|arrival| (arrival.at, arrival.rows)));
        let latest = taken.last().map(|arrival| arrival.at);
        self.after = self.after.max(latest.unwrap_or_default().saturating_sub(LATENESS));
        Ok(News { evaluations, latest, more: !self.pending.is_empty() })
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.read = self.read.split_off(&self.after);
        let arrivals = self.store.evaluation_arrivals(self.after).await?;
        // Rows that were replaced make an instant shrink; that is no news.
        let is_new = |arrival: &Arrival| self.read.get(&arrival.at).is_none_or(|read| arrival.rows > *read);
        self.pending = arrivals.into_iter().filter(is_new).collect();
        Ok(())
    }
}

/// How many of the first arrivals have no more than [`MOST_ROWS`] together; at least one, where there is one.
fn fitting(arrivals: &VecDeque<Arrival>) -> usize {
    let mut rows = 0;
    let fit = arrivals.iter().take_while(|arrival| {
        rows += arrival.rows;
        rows <= MOST_ROWS
    });
    fit.count().max(1).min(arrivals.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_and_never_empty_where_there_is_something() {
        let fitting = |rows: &[u64]| {
            fitting(&rows.iter().map(|rows| Arrival { at: Instant::EPOCH, rows: *rows }).collect())
        };
        assert_eq!(fitting(&[]), 0);
        assert_eq!(fitting(&[MOST_ROWS + 1, 1]), 1);
        assert_eq!(fitting(&[MOST_ROWS - 1, 1, 1]), 2);
    }
}
