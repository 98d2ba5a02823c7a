//! New evaluations, each instant's together, none missed and none needed twice.

use std::collections::BTreeMap;
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
        Self { store, after, read: BTreeMap::new() }
    }

    /// What arrived since the last call; all evaluations of `models`, and the alarms of others.
    pub async fn next(&mut self, models: &[&str]) -> Result<News, Error> {
        let arrivals = self.store.evaluation_arrivals(self.after).await?;
        let latest = arrivals.last().map(|arrival| arrival.at);
        let grown: Vec<Arrival> = arrivals.into_iter().filter(|arrival| self.is_new(arrival)).collect();
        let taken = fitting(&grown);
        let instants: Vec<Instant> = taken.iter().map(|arrival| arrival.at).collect();
        let evaluations = self.store.evaluations_arrived(&instants, models).await?;
        self.read.extend(taken.iter().map(|arrival| (arrival.at, arrival.rows)));
        let more = taken.len() < grown.len();
        if let (false, Some(latest)) = (more, latest) {
            self.after = self.after.max(latest.saturating_sub(LATENESS));
            self.read = self.read.split_off(&self.after);
        }
        Ok(News { evaluations, latest, more })
    }

    /// Rows that were replaced make an instant shrink; that is no news.
    fn is_new(&self, arrival: &Arrival) -> bool {
        self.read.get(&arrival.at).is_none_or(|read| arrival.rows > *read)
    }
}

/// The first arrivals that together have no more than [`MOST_ROWS`], and at least one.
fn fitting(arrivals: &[Arrival]) -> &[Arrival] {
    let mut rows = 0;
    let fit = arrivals.iter().take_while(|arrival| {
        rows += arrival.rows;
        rows <= MOST_ROWS
    });
    let n = fit.count().max(1).min(arrivals.len());
    &arrivals[..n]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_and_never_empty_where_there_is_something() {
        let arrival = |rows| Arrival { at: Instant::EPOCH, rows };
        assert_eq!(fitting(&[]).len(), 0);
        assert_eq!(fitting(&[arrival(MOST_ROWS + 1), arrival(1)]).len(), 1);
        assert_eq!(fitting(&[arrival(MOST_ROWS - 1), arrival(1), arrival(1)]).len(), 2);
    }
}
