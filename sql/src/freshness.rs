//! How events and outcomes usually arrive: the longest gaps of earlier days, how complete a stretch was some time after
//! its end, how long outcomes took.

use std::time::Duration;

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;
use crate::traffic_before::Before;

/// Of a stretch: all events that are known by now, and those that had been received at some instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InTime {
    pub events: u64,
    pub in_time: u64,
}

/// Which predictions are looked at for how long their outcomes took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelaysAsked<'a> {
    pub model: &'a str,
    pub environment: &'a str,
    pub predictions: Interval,
    /// One prediction in so many.
    pub every: u64,
    /// A delay within which outcomes are counted.
    pub within: Duration,
}

/// How long outcomes took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Delays {
    pub predictions: u64,
    pub labelled: u64,
    /// Half of the outcomes that came took no longer.
    pub median: Duration,
    pub in_time: u64,
}

#[derive(Row, Deserialize)]
struct GapRow {
    periods_ago: u32,
    gap_s: f64,
}

#[derive(Row, Deserialize)]
struct InTimeRow {
    events: u64,
    in_time: u64,
}

#[derive(Row, Deserialize)]
struct DelaysRow {
    predictions: u64,
    labelled: u64,
    median_ms: i64,
    in_time: u64,
}

impl Store {
    /// The longest silence, in seconds, that touches a stretch in each of its earlier periods; none for periods whose
    /// silences are not known.
    pub async fn gaps_before(
        &self,
        model: &str,
        environment: &str,
        before: Before,
    ) -> Result<Vec<f64>, Error> {
        let Before { stretch, period, periods, not_before, .. } = before;
        let query = self
            .query(include_str!("../queries/gaps_before.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("start", stretch.start.seconds())
            .param("end", stretch.end.seconds())
            .param("period_s", i64::try_from(period.as_secs()).unwrap_or(i64::MAX))
            .param("periods", i64::from(periods))
            .param("not_before", not_before.seconds());
        let mut rows: Vec<GapRow> = query.fetch_all().await?;
        rows.sort_by_key(|row| row.periods_ago);
        Ok(rows.into_iter().map(|row| row.gap_s).collect())
    }

    /// How many of a stretch's events had been received by `by`.
    pub async fn arrived_in_time(
        &self,
        model: &str,
        environment: &str,
        stretch: Interval,
        by: Instant,
    ) -> Result<InTime, Error> {
        let query = self
            .query(include_str!("../queries/arrived_in_time.sql"))
            .param("model", model)
            .param("environment", environment)
            .param("start_ms", stretch.start.millis())
            .param("end_ms", stretch.end.millis())
            .param("by_ms", by.millis());
        let row: InTimeRow = query.fetch_one().await?;
        Ok(InTime { events: row.events, in_time: row.in_time })
    }

    /// How long outcomes took over some predictions.
    pub async fn label_delays(&self, asked: &DelaysAsked<'_>) -> Result<Delays, Error> {
        let query = self
            .query(include_str!("../queries/label_delays.sql"))
            .param("model", asked.model)
            .param("environment", asked.environment)
            .param("start_ms", asked.predictions.start.millis())
            .param("end_ms", asked.predictions.end.millis())
            .param("every", asked.every.max(1))
            .param("within_ms", i64::try_from(asked.within.as_millis()).unwrap_or(i64::MAX));
        let row: DelaysRow = query.fetch_one().await?;
        Ok(Delays {
            predictions: row.predictions,
            labelled: row.labelled,
            median: Duration::from_millis(u64::try_from(row.median_ms).unwrap_or(0)),
            in_time: row.in_time,
        })
    }
}
