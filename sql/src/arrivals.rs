//! `evaluations` in the order in which they arrived: what the alerter reads to learn what is new.
//!
//! Rows become visible a little after the instant at which they say they were evaluated. So a reader asks which instants
//! there are, and how many rows each has, over a stretch that it has already read, and then reads those that grew. To
//! read an evaluation twice is harmless: it is taken into account once.

use clickhouse::Row;
use domain::evaluation::{Evaluation, Subject, UnknownWord};
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;

/// What was evaluated at one instant: of how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub at: Instant,
    pub rows: u64,
}

#[derive(Row, Deserialize)]
struct ArrivalRow {
    evaluated_at: i64,
    rows: u64,
}

#[derive(Row, Deserialize)]
pub(crate) struct ArrivedRow {
    model: String,
    environment: String,
    watch: String,
    monitor: String,
    signal: String,
    segment: String,
    window_start: i64,
    window_end: i64,
    baseline: String,
    statistic: String,
    value: f64,
    threshold: f64,
    recovery: f64,
    noise: f64,
    n_baseline: u64,
    n_current: u64,
    verdict: String,
    severity: String,
    since: i64,
    streak: u32,
    numbers: Vec<(String, f64)>,
    sentence: String,
    evaluated_at: i64,
}

impl TryFrom<ArrivedRow> for Evaluation {
    type Error = Error;

    fn try_from(row: ArrivedRow) -> Result<Self, Error> {
        let word = |error: UnknownWord| Error::Unexpected {
            query: "evaluations_arrived",
            problem: format!("{} of {}: {error}", row.signal, row.model),
        };
        let (monitor, verdict, severity) = (
            row.monitor.parse().map_err(word)?,
            row.verdict.parse().map_err(word)?,
            row.severity.parse().map_err(word)?,
        );
        Ok(Self {
            subject: Subject {
                model: row.model,
                environment: row.environment,
                watch: row.watch,
                monitor,
                signal: row.signal,
                segment: row.segment,
            },
            window: Interval::new(
                Instant::from_millis(row.window_start),
                Instant::from_millis(row.window_end),
            ),
            baseline: row.baseline,
            statistic: row.statistic,
            value: row.value,
            threshold: row.threshold,
            recovery: row.recovery,
            noise: row.noise,
            n_baseline: row.n_baseline,
            n_current: row.n_current,
            verdict,
            severity,
            since: Instant::from_millis(row.since),
            streak: row.streak,
            numbers: row.numbers.into_iter().collect(),
            sentence: row.sentence,
            evaluated_at: Instant::from_millis(row.evaluated_at),
        })
    }
}

impl Store {
    /// What arrived after `after`, earliest first.
    pub async fn evaluation_arrivals(&self, after: Instant) -> Result<Vec<Arrival>, Error> {
        let query =
            self.query(include_str!("../queries/evaluations_arrivals.sql")).param("after", after.millis());
        let rows: Vec<ArrivalRow> = query.fetch_all().await?;
        let arrival =
            |row: ArrivalRow| Arrival { at: Instant::from_millis(row.evaluated_at), rows: row.rows };
        Ok(rows.into_iter().map(arrival).collect())
    }

    /// What was evaluated from `first` to `last`, both included, as far as incidents can come of it or end by it: what is
    /// not on course, and everything of the models that have an alarm in this stretch or stand in `models`.
    pub async fn evaluations_arrived(
        &self,
        first: Instant,
        last: Instant,
        models: &[&str],
    ) -> Result<Vec<Evaluation>, Error> {
        let query = self
            .query(include_str!("../queries/evaluations_arrived.sql"))
            .param("first", first.millis())
            .param("last", last.millis())
            .param("models", models);
        let rows: Vec<ArrivedRow> = query.fetch_all().await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }

    /// When a watch's window was evaluated; at first, where it was evaluated again. `None` where it was not, or that is
    /// kept no longer.
    pub async fn window_evaluated_at(
        &self,
        model: &str,
        environment: &str,
        watch: &str,
        window_end: Instant,
    ) -> Result<Option<Instant>, Error> {
        let query = self
            .query(include_str!("../queries/evaluations_of_window.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("watch", watch)
            .param("window_end", window_end.millis());
        let row: ArrivalRow = query.fetch_one().await?;
        Ok((row.rows > 0).then(|| Instant::from_millis(row.evaluated_at)))
    }
}
