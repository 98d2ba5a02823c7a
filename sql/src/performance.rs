//! `performance_hours` and what it is computed of: predictions joined with their outcomes.
//!
//! These are the only questions of the analyzer that read raw events, because the truth comes by event.

use clickhouse::Row;
use clickhouse::query::Query;
use domain::time::{HOUR, Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

/// So many outcomes tell what kind they are.
const SAMPLE: u32 = 20_000;

/// An outcome that a model has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutcomeKind {
    /// `outcome.late`.
    pub name: String,
    pub is_number: bool,
    /// Only 0 and 1, or only true and false.
    pub is_binary: bool,
    pub n: u64,
}

/// Which predictions are joined with which outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    pub model: String,
    pub environment: String,
    /// Of the predictions, in whole seconds.
    pub interval: Interval,
    /// The sums are made over steps of so many seconds; 0 for one sum over all.
    pub step_s: u32,
    pub prediction: String,
    pub outcome: String,
    /// Told apart by its values: a feature's name (`origin`) or a tag's (`tag.region`); empty for all together.
    pub dimension: String,
}

/// Predictions of about one score in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreCell {
    pub at: Instant,
    pub version: String,
    /// The value of the dimension that was asked for; empty where it is missing, or none was.
    pub part: String,
    pub mean_score: f64,
    pub predictions: u64,
    pub negatives: u64,
    pub positives: u64,
    /// Sums of the second and fourth powers of score less outcome.
    pub squares: f64,
    pub fourths: f64,
}

/// Predictions of one step by how far they were off.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorSums {
    pub at: Instant,
    pub version: String,
    pub predictions: u64,
    pub labelled: u64,
    pub total: f64,
    pub absolute: f64,
    pub squares: f64,
    pub fourths: f64,
    /// Of the size of the error over that of the outcome, and of its square, where the outcome is not zero.
    pub relative: f64,
    pub relative_squares: f64,
    /// Outcomes of zero.
    pub zeros: u64,
    /// Of the outcomes and of their squares.
    pub outcomes: f64,
    pub outcome_squares: f64,
}

/// One metric over the predictions of one hour.
#[derive(Clone, Debug, PartialEq)]
pub struct PerformanceHour {
    pub version: String,
    /// Empty for all predictions, `sex=F` for a group, `sex` for what lies between the groups.
    pub segment: String,
    pub hour: Instant,
    pub metric: &'static str,
    pub value: f64,
    pub standard_error: f64,
    pub predictions: u64,
    pub labelled: u64,
}

#[derive(Row, Deserialize)]
struct KindRow {
    name: String,
    is_number: u8,
    n: u64,
    is_binary: u8,
}

#[derive(Row, Deserialize)]
struct CellRow {
    at: i64,
    version: String,
    part: String,
    mean_score: f64,
    predictions: u64,
    negatives: u64,
    positives: u64,
    squares: f64,
    fourths: f64,
}

#[derive(Row, Deserialize)]
struct SumsRow {
    at: i64,
    version: String,
    predictions: u64,
    labelled: u64,
    total: f64,
    absolute: f64,
    squares: f64,
    fourths: f64,
    relative: f64,
    relative_squares: f64,
    zeros: u64,
    outcomes: f64,
    outcome_squares: f64,
}

#[derive(Row, Serialize)]
struct HourRow<'a> {
    model: &'a str,
    environment: &'a str,
    version: &'a str,
    segment: &'a str,
    hour: u32,
    metric: &'a str,
    value: f64,
    standard_error: f64,
    predictions: u64,
    labelled: u64,
    computed_at: i64,
}

impl Store {
    /// The outcomes that a model has, by name.
    pub async fn outcome_kinds(&self, model: &str) -> Result<Vec<OutcomeKind>, Error> {
        let query = self.query(include_str!("../queries/outcome_kinds.sql"));
        let rows: Vec<KindRow> = query.param("model", model).param("rows", SAMPLE).fetch_all().await?;
        let kind = |row: KindRow| OutcomeKind {
            name: row.name,
            is_number: row.is_number == 1,
            is_binary: row.is_binary == 1,
            n: row.n,
        };
        Ok(rows.into_iter().map(kind).collect())
    }

    /// The hours, from `since` on, of the predictions whose outcomes were received after `received_after`.
    pub async fn hours_labelled(
        &self,
        model: &str,
        environment: &str,
        since: Instant,
        received_after: Instant,
    ) -> Result<Vec<Instant>, Error> {
        let query = self
            .query(include_str!("../queries/hours_labelled.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("since", since.millis())
            .param("received_after", received_after.millis());
        let hours: Vec<u32> = query.fetch_all().await?;
        Ok(hours.into_iter().map(|hour| Instant::from_seconds(i64::from(hour))).collect())
    }

    /// When the performance of a model was last computed; the epoch where it never was.
    pub async fn performance_latest(&self, model: &str, environment: &str) -> Result<Instant, Error> {
        let query = self.query(include_str!("../queries/performance_latest.sql"));
        let latest: i64 = query.param("model", model).param("environment", environment).fetch_one().await?;
        Ok(Instant::from_millis(latest))
    }

    pub(crate) fn labels(&self, text: &str, labels: &Labels) -> Query {
        let step_s = if labels.step_s == 0 { i32::MAX as u32 } else { labels.step_s };
        self.query(text)
            .param("model", &labels.model)
            .param("environment", &labels.environment)
            .param("start", labels.interval.start.seconds())
            .param("end", labels.interval.end.seconds())
            .param("step_s", step_s)
            .param("prediction", &labels.prediction)
            .param("outcome", &labels.outcome)
    }

    /// For scores whose outcome is yes or no: how many of each, in the order of time, version, group and score.
    pub async fn labelled_scores(&self, labels: &Labels) -> Result<Vec<ScoreCell>, Error> {
        let query = self.labels(include_str!("../queries/labelled_scores.sql"), labels);
        let query = query.param("dimension", &labels.dimension);
        let rows: Vec<CellRow> = query.fetch_all().await?;
        let cell = |row: CellRow| ScoreCell {
            at: Instant::from_seconds(row.at),
            version: row.version,
            part: row.part,
            mean_score: row.mean_score,
            predictions: row.predictions,
            negatives: row.negatives,
            positives: row.positives,
            squares: row.squares,
            fourths: row.fourths,
        };
        Ok(rows.into_iter().map(cell).collect())
    }

    /// For numbers: how far they were off, in the order of time and version.
    pub async fn labelled_errors(&self, labels: &Labels) -> Result<Vec<ErrorSums>, Error> {
        let query = self.labels(include_str!("../queries/labelled_errors.sql"), labels);
        let rows: Vec<SumsRow> = query.fetch_all().await?;
        let sums = |row: SumsRow| ErrorSums {
            at: Instant::from_seconds(row.at),
            version: row.version,
            predictions: row.predictions,
            labelled: row.labelled,
            total: row.total,
            absolute: row.absolute,
            squares: row.squares,
            fourths: row.fourths,
            relative: row.relative,
            relative_squares: row.relative_squares,
            zeros: row.zeros,
            outcomes: row.outcomes,
            outcome_squares: row.outcome_squares,
        };
        Ok(rows.into_iter().map(sums).collect())
    }

    /// Stores the performance of hours; a later computation of the same hour replaces an earlier one.
    pub async fn write_performance_hours(
        &self,
        model: &str,
        environment: &str,
        hours: &[PerformanceHour],
        computed_at: Instant,
    ) -> Result<(), Error> {
        if hours.is_empty() {
            return Ok(());
        }
        let mut insert = self.client().insert::<HourRow<'_>>("performance_hours").await?;
        for hour in hours {
            let row = HourRow {
                model,
                environment,
                version: &hour.version,
                segment: &hour.segment,
                hour: u32::try_from(hour.hour.floor(HOUR).seconds()).unwrap_or(0),
                metric: hour.metric,
                value: hour.value,
                standard_error: hour.standard_error,
                predictions: hour.predictions,
                labelled: hour.labelled,
                computed_at: computed_at.millis(),
            };
            insert.write(&row).await?;
        }
        Ok(insert.end().await?)
    }
}
