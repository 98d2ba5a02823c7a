//! The questions of a signal's page that no other module asks: its segments, and which watches judge it.

use clickhouse::Row;
use domain::time::Interval;
use serde::{Deserialize, Serialize};

use crate::counts::Resolution;
use crate::error::Error;
use crate::pages::Ask;
use crate::store::Store;

/// One signal of a model, over a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalAsked {
    pub model: String,
    pub environment: String,
    pub signal: String,
    pub interval: Interval,
}

/// A segment in which the signal was counted, and how often.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentSeen {
    pub segment: String,
    pub n: u64,
}

/// A watch that judged the signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WatchSeen {
    pub watch: String,
    pub baseline: String,
    pub windows: u64,
    /// Windows whose distribution was compared with the baseline.
    pub compared: u64,
}

#[derive(Row, Deserialize)]
struct SegmentRow {
    segment: String,
    n: u64,
}

#[derive(Row, Deserialize)]
struct WatchRow {
    watch: String,
    baseline: String,
    windows: u64,
    compared: u64,
}

pub fn segments(asked: &SignalAsked, resolution: Resolution) -> Ask {
    let (table, time) = match resolution {
        Resolution::Minutes => ("signal_minutes", "minute"),
        Resolution::Hours => ("signal_hours", "hour"),
    };
    Ask::new("The signal's segments", include_str!("../../queries/pages/signal_segments.sql"))
        .name("table", table)
        .name("time", time)
        .text("model", &asked.model)
        .text("environment", &asked.environment)
        .text("signal", &asked.signal)
        .integer("start", asked.interval.start.seconds())
        .integer("end", asked.interval.end.seconds())
}

pub fn watches(asked: &SignalAsked, segment: &str) -> Ask {
    Ask::new("The watches that judge the signal", include_str!("../../queries/pages/signal_watches.sql"))
        .text("model", &asked.model)
        .text("environment", &asked.environment)
        .text("signal", &asked.signal)
        .text("segment", segment)
        .integer("start_ms", asked.interval.start.millis())
        .integer("end_ms", asked.interval.end.millis())
}

impl Store {
    /// The segments in which the signal was counted, all events (`""`) first.
    pub async fn signal_segments(
        &self,
        asked: &SignalAsked,
        resolution: Resolution,
    ) -> Result<Vec<SegmentSeen>, Error> {
        let rows: Vec<SegmentRow> = segments(asked, resolution).rows(self).await?;
        Ok(rows.into_iter().map(|row| SegmentSeen { segment: row.segment, n: row.n }).collect())
    }

    /// The watches that judged the signal in `segment`.
    pub async fn signal_watches(&self, asked: &SignalAsked, segment: &str) -> Result<Vec<WatchSeen>, Error> {
        let rows: Vec<WatchRow> = watches(asked, segment).rows(self).await?;
        let watch = |row: WatchRow| WatchSeen {
            watch: row.watch,
            baseline: row.baseline,
            windows: row.windows,
            compared: row.compared,
        };
        Ok(rows.into_iter().map(watch).collect())
    }
}
