//! The questions of a model's page: what moves, how it performs, which versions there are.

use std::time::Duration;

use clickhouse::Row;
use domain::evaluation::Evaluation;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::arrivals::ArrivedRow;
use crate::counts::Resolution;
use crate::error::Error;
use crate::pages::Ask;
use crate::pages::overview::Steps;
use crate::store::Store;

/// One model in one environment, over a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelAsked {
    pub model: String,
    pub environment: String,
    pub interval: Interval,
}

/// A model in one of its environments.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Known {
    pub environment: String,
    pub first_event: Instant,
    pub last_event: Instant,
    pub events: u64,
}

/// How far a signal, or what a monitor watches of the whole model, went beyond its limit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// A signal's name, or a monitor's.
    pub name: String,
    pub is_monitor: bool,
    /// The greatest part of a limit that was reached.
    pub peak: f64,
    /// See `queries/pages/model_ranked.sql`.
    pub worst: u8,
}

/// The worst verdict of a signal in one stretch of the range.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Heat {
    pub name: String,
    pub watch: String,
    pub bucket: i32,
    pub rank: u8,
}

/// Realised performance over one stretch; not a number where no prediction has its outcome yet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerformancePoint {
    pub metric: String,
    pub at: Instant,
    pub mean: f64,
    pub standard_error: f64,
    pub labelled: u64,
    pub predictions: u64,
}

/// A metric of one group over the whole stretch; of what lies between groups where the segment is a dimension's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GroupMetric {
    pub segment: String,
    pub metric: String,
    pub mean: f64,
    pub standard_error: f64,
    pub labelled: u64,
    pub predictions: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Version {
    pub version: String,
    pub first_event: Instant,
    pub last_event: Instant,
    pub events: u64,
    pub errors: u64,
}

impl ModelAsked {
    fn bind(&self, ask: Ask) -> Ask {
        ask.text("model", &self.model).text("environment", &self.environment)
    }

    fn bind_millis(&self, ask: Ask, until: Instant) -> Ask {
        self.bind(ask).integer("start_ms", self.interval.start.millis()).integer("end_ms", until.millis())
    }

    fn bind_seconds(&self, ask: Ask) -> Ask {
        self.bind(ask)
            .integer("start", self.interval.start.seconds())
            .integer("end", self.interval.end.seconds())
    }
}

pub fn known(model: &str) -> Ask {
    Ask::new("The model's environments", include_str!("../../queries/pages/model_known.sql"))
        .text("model", model)
}

/// The last window of each watch in the interval: of one signal, or of all where it is empty.
pub fn latest(asked: &ModelAsked, signal: &str, segment: &str) -> Ask {
    let ask =
        Ask::new("What the last windows say", include_str!("../../queries/pages/latest_evaluations.sql"));
    asked.bind_millis(ask, asked.interval.end).text("signal", signal).text("segment", segment)
}

pub fn ranked(asked: &ModelAsked, watch: &str, resolution: Resolution) -> Ask {
    let text = match resolution {
        Resolution::Minutes => include_str!("../../queries/pages/model_ranked.sql"),
        Resolution::Hours => include_str!("../../queries/pages/model_ranked_hours.sql"),
    };
    let ask = Ask::new("How far each signal went beyond its limits", text);
    asked.bind_millis(ask, asked.interval.end).text("watch", watch)
}

/// `until` is when the last window may end: after the range, since a window speaks of what is before its end.
pub fn heat(asked: &ModelAsked, watch: &str, names: &[String], steps: Steps, until: Instant) -> Ask {
    let text = match steps.resolution {
        Resolution::Minutes => include_str!("../../queries/pages/model_heat.sql"),
        Resolution::Hours => include_str!("../../queries/pages/model_heat_hours.sql"),
    };
    let ask = Ask::new("The worst verdict of each stretch", text);
    let asked = ModelAsked { interval: steps.interval, ..asked.clone() };
    asked
        .bind_millis(ask, until)
        .text("watch", watch)
        .texts("names", names)
        .integer("step_ms", i64::try_from(steps.step.as_millis()).unwrap_or(i64::MAX).max(1))
}

pub fn performance(asked: &ModelAsked, step: Duration) -> Ask {
    let ask = Ask::new("Realised performance", include_str!("../../queries/pages/model_performance.sql"));
    asked.bind_seconds(ask).integer("step_s", i64::try_from(step.as_secs()).unwrap_or(i64::MAX).max(1))
}

pub fn groups(asked: &ModelAsked) -> Ask {
    asked.bind_seconds(Ask::new(
        "How groups are treated",
        include_str!("../../queries/pages/model_groups.sql"),
    ))
}

pub fn versions(asked: &ModelAsked) -> Ask {
    asked.bind_seconds(Ask::new(
        "Versions that sent events",
        include_str!("../../queries/pages/model_versions.sql"),
    ))
}

#[derive(Row, Deserialize)]
struct KnownRow {
    environment: String,
    first_event: i64,
    last_event: i64,
    events: u64,
}

#[derive(Row, Deserialize)]
struct RankedRow {
    name: String,
    is_monitor: u8,
    peak: f64,
    worst: u8,
}

#[derive(Row, Deserialize)]
struct HeatRow {
    name: String,
    watch: String,
    bucket: i32,
    worst: u8,
}

#[derive(Row, Deserialize)]
struct PerformanceRow {
    metric: String,
    at: i64,
    mean: f64,
    error: f64,
    with_outcome: u64,
    all_predictions: u64,
}

#[derive(Row, Deserialize)]
struct GroupRow {
    segment: String,
    metric: String,
    mean: f64,
    error: f64,
    with_outcome: u64,
    all_predictions: u64,
}

#[derive(Row, Deserialize)]
struct VersionRow {
    version: String,
    first_event: i64,
    last_event: i64,
    events: u64,
    errors: u64,
}

impl Store {
    /// The environments in which `model` was heard of; none where it was never.
    pub async fn model_known(&self, model: &str) -> Result<Vec<Known>, Error> {
        let rows: Vec<KnownRow> = known(model).rows(self).await?;
        let known = |row: KnownRow| Known {
            environment: row.environment,
            first_event: Instant::from_millis(row.first_event),
            last_event: Instant::from_millis(row.last_event),
            events: row.events,
        };
        Ok(rows.into_iter().map(known).collect())
    }

    /// See [`latest`].
    pub async fn latest_evaluations(
        &self,
        asked: &ModelAsked,
        signal: &str,
        segment: &str,
    ) -> Result<Vec<Evaluation>, Error> {
        let rows: Vec<ArrivedRow> = latest(asked, signal, segment).rows(self).await?;
        rows.into_iter().map(Evaluation::try_from).collect()
    }

    /// See [`ranked`]; the worst first.
    pub async fn model_ranked(
        &self,
        asked: &ModelAsked,
        watch: &str,
        resolution: Resolution,
    ) -> Result<Vec<Ranked>, Error> {
        let rows: Vec<RankedRow> = ranked(asked, watch, resolution).rows(self).await?;
        let ranked = |row: RankedRow| Ranked {
            name: row.name,
            is_monitor: row.is_monitor == 1,
            peak: row.peak,
            worst: row.worst,
        };
        Ok(rows.into_iter().map(ranked).collect())
    }

    /// See [`heat`].
    pub async fn model_heat(
        &self,
        asked: &ModelAsked,
        watch: &str,
        names: &[String],
        (steps, until): (Steps, Instant),
    ) -> Result<Vec<Heat>, Error> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<HeatRow> = heat(asked, watch, names, steps, until).rows(self).await?;
        let heat =
            |row: HeatRow| Heat { name: row.name, watch: row.watch, bucket: row.bucket, rank: row.worst };
        Ok(rows.into_iter().map(heat).collect())
    }

    /// Realised performance by steps, earliest first within each metric.
    pub async fn model_performance(
        &self,
        asked: &ModelAsked,
        step: Duration,
    ) -> Result<Vec<PerformancePoint>, Error> {
        let rows: Vec<PerformanceRow> = performance(asked, step).rows(self).await?;
        let point = |row: PerformanceRow| PerformancePoint {
            metric: row.metric,
            at: Instant::from_seconds(row.at),
            mean: row.mean,
            standard_error: row.error,
            labelled: row.with_outcome,
            predictions: row.all_predictions,
        };
        Ok(rows.into_iter().map(point).collect())
    }

    /// How the groups that the contract names were treated, by segment and metric.
    pub async fn model_groups(&self, asked: &ModelAsked) -> Result<Vec<GroupMetric>, Error> {
        let rows: Vec<GroupRow> = groups(asked).rows(self).await?;
        let group = |row: GroupRow| GroupMetric {
            segment: row.segment,
            metric: row.metric,
            mean: row.mean,
            standard_error: row.error,
            labelled: row.with_outcome,
            predictions: row.all_predictions,
        };
        Ok(rows.into_iter().map(group).collect())
    }

    /// The versions that sent events, the latest first.
    pub async fn model_versions(&self, asked: &ModelAsked) -> Result<Vec<Version>, Error> {
        let rows: Vec<VersionRow> = versions(asked).rows(self).await?;
        let version = |row: VersionRow| Version {
            version: row.version,
            first_event: Instant::from_millis(row.first_event),
            last_event: Instant::from_millis(row.last_event),
            events: row.events,
            errors: row.errors,
        };
        Ok(rows.into_iter().map(version).collect())
    }
}
