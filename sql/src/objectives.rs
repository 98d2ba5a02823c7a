//! Good and bad events of a model's durations, by step: what burn rates and error budgets are sums of.

use clickhouse::Row;
use domain::grid::{Bin, GridId};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use serde::Deserialize;

use crate::counts::Resolution;
use crate::error::Error;
use crate::store::Store;

/// Which values of a duration are good: those up to a bin of its grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Good {
    pub signal: String,
    pub grid: GridId,
    pub last: Bin,
    /// Whether a value that is missing or invalid is bad; else it is no event.
    pub missing_is_bad: bool,
}

/// Over which stretch and in which steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepsAsked<'a> {
    pub model: &'a str,
    pub environment: &'a str,
    /// Widened to whole steps of the resolution.
    pub interval: Interval,
    pub resolution: Resolution,
    pub step_s: u32,
}

/// One step of one signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodStep {
    pub signal: String,
    pub at: Instant,
    pub events: u64,
    pub bad: u64,
}

#[derive(Row, Deserialize)]
struct StepRow {
    signal: String,
    at: i64,
    events: i64,
    bad: i64,
}

impl Store {
    /// The steps in which a signal has events, by signal and time. Nothing is asked where no signal is.
    pub async fn good_and_bad(&self, asked: &StepsAsked<'_>, good: &[Good]) -> Result<Vec<GoodStep>, Error> {
        if good.is_empty() {
            return Ok(Vec::new());
        }
        let (text, resolution) = match asked.resolution {
            Resolution::Minutes => (include_str!("../queries/good_and_bad_by_minutes.sql"), MINUTE),
            Resolution::Hours => (include_str!("../queries/good_and_bad_by_hours.sql"), HOUR),
        };
        let whole = asked.interval.widened_to(resolution);
        let signals: Vec<&str> = good.iter().map(|one| one.signal.as_str()).collect();
        let grids: Vec<u32> = good.iter().map(|one| one.grid.0).collect();
        let last: Vec<u16> = good.iter().map(|one| one.last.0).collect();
        let missing: Vec<u8> = good.iter().map(|one| u8::from(one.missing_is_bad)).collect();
        let query = self
            .query(text)
            .param("model", asked.model)
            .param("environment", asked.environment)
            .param("start", whole.start.seconds())
            .param("end", whole.end.seconds())
            .param("step_s", asked.step_s)
            .param("signals", signals)
            .param("grids", grids)
            .param("last_good", last)
            .param("missing_is_bad", missing);
        let rows: Vec<StepRow> = query.fetch_all().await?;
        let whole_number = |n: i64| u64::try_from(n).unwrap_or(0);
        let step = |row: StepRow| GoodStep {
            signal: row.signal,
            at: Instant::from_seconds(row.at),
            events: whole_number(row.events),
            bad: whole_number(row.bad),
        };
        Ok(rows.into_iter().map(step).collect())
    }
}
