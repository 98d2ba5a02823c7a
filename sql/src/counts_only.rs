//! `counts_only_hours`: when events of a model were stored whose values were counted and not kept (`privacy.counts_only`).
//!
//! Invariant: an hour is noted before the first event of it is stored without its values. So where none of a model is noted,
//! raw events say what the counts should be, and where one is, they do not, whatever the contract says by then.

use clickhouse::Row;
use clickhouse::query::Query;
use domain::time::{HOUR, Instant, Interval};
use serde::Serialize;

use crate::error::Error;
use crate::store::Store;

#[derive(Row, Serialize)]
struct NoteRow<'a> {
    model: &'a str,
    hour: u32,
}

impl Store {
    /// Notes that events of `model` which are received in the hour of `at` are stored without their values.
    pub async fn note_counts_only(&self, model: &str, at: Instant) -> Result<(), Error> {
        let hour = u32::try_from(at.floor(HOUR).seconds()).unwrap_or_default();
        let mut insert = self.client().insert::<NoteRow>("counts_only_hours").await?;
        insert.write(&NoteRow { model, hour }).await?;
        Ok(insert.end().await?)
    }

    /// When events of `model` were received without their values being kept: runs of whole hours, ascending.
    pub async fn counts_only_hours(&self, model: &str) -> Result<Vec<Interval>, Error> {
        let query = self.query(include_str!("../queries/counts_only_hours.sql")).param("model", model);
        let hours: Vec<i64> = query.fetch_all().await?;
        Ok(runs(hours.into_iter().map(Instant::from_seconds)))
    }

    /// The hours of event time in `interval` that hold events received while `model` was counts only, ascending: of their
    /// values, no raw event says what was counted.
    pub async fn hours_without_values(&self, model: &str, interval: Interval) -> Result<Vec<Instant>, Error> {
        let unvalued = self.counts_only_hours(model).await?;
        if unvalued.is_empty() {
            return Ok(Vec::new());
        }
        let query = self.in_interval(include_str!("../queries/hours_without_values.sql"), model, interval);
        let hours: Vec<i64> = bind_unvalued(query, &unvalued).fetch_all().await?;
        Ok(hours.into_iter().map(Instant::from_seconds).collect())
    }
}

/// Events received in `unvalued` are told from others by a statement.
pub(crate) fn bind_unvalued(query: Query, unvalued: &[Interval]) -> Query {
    let since: Vec<i64> = unvalued.iter().map(|run| run.start.millis()).collect();
    let until: Vec<i64> = unvalued.iter().map(|run| run.end.millis()).collect();
    query.param("unvalued_since", since).param("unvalued_until", until)
}

/// Ascending hours as runs of neighbours.
fn runs(hours: impl Iterator<Item = Instant>) -> Vec<Interval> {
    let mut runs: Vec<Interval> = Vec::new();
    for hour in hours {
        let end = hour.saturating_add(HOUR);
        match runs.last_mut() {
            Some(run) if run.end == hour => run.end = end,
            _ => runs.push(Interval::new(hour, end)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_hours_are_one_run() {
        let at = |hour: i64| Instant::from_seconds(hour * 3_600);
        let found = runs([3, 4, 5, 9, 11, 12].into_iter().map(at));
        assert_eq!(found, [(3, 6), (9, 10), (11, 13)].map(|(from, to)| Interval::new(at(from), at(to))));
    }
}
