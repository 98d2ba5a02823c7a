//! `evaluations` in the order in which they arrived: what the alerter reads to learn what is new.
//!
//! Rows become visible a little after the instant at which they say they were evaluated, so a reader asks again for
//! a stretch it has already read. That is harmless: who reads an evaluation twice takes it into account once.

use clickhouse::Row;
use domain::evaluation::{Evaluation, Subject, UnknownWord};
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;

/// How many evaluations are there, up to when: when it has not changed, nothing arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    pub rows: u64,
    pub latest: Instant,
}

#[derive(Row, Deserialize)]
struct PulseRow {
    rows: u64,
    latest: i64,
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
    /// Whether anything arrived after `after`.
    pub async fn evaluations_pulse(&self, after: Instant) -> Result<Pulse, Error> {
        let query =
            self.query(include_str!("../queries/evaluations_pulse.sql")).param("after", after.millis());
        let row: PulseRow = query.fetch_one().await?;
        Ok(Pulse { rows: row.rows, latest: Instant::from_millis(row.latest) })
    }

    /// At least `rows` of the evaluations that arrived after `after` (fewer where there are no more), in the order of
    /// their arrival, as far as incidents can come of them or end by them: those that are not on course, and all of
    /// the models that have an alarm among them or stand in `models`.
    pub async fn evaluations_arrived(
        &self,
        after: Instant,
        models: &[&str],
        rows: u32,
    ) -> Result<Vec<Evaluation>, Error> {
        let query = self
            .query(include_str!("../queries/evaluations_arrived.sql"))
            .param("after", after.millis())
            .param("models", models)
            .param("rows", rows);
        let rows: Vec<ArrivedRow> = query.fetch_all().await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }
}
