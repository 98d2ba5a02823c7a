//! The traffic of earlier times, by which the traffic of a window is judged: read once for windows that follow each other.

use std::collections::BTreeMap;
use std::time::Duration;

use clickhouse::Row;
use domain::time::{HOUR, Instant, Interval};
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;

/// A stretch in steps, and the same stretch some whole periods ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    pub stretch: Interval,
    /// What is asked for begins and ends with a step; the whole stretch may be less than one.
    pub step: Duration,
    pub period: Duration,
    pub periods: u32,
    /// Nothing before this instant is looked at.
    pub not_before: Instant,
}

/// Events of an earlier stretch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    pub events: u64,
    pub errors: u64,
}

/// What the store said of it.
#[derive(Clone, Debug)]
pub struct TrafficBefore {
    before: Before,
    steps: BTreeMap<Instant, Earlier>,
}

impl Before {
    /// How many whole periods a stretch can be looked for before anything that is looked at.
    pub fn periods_of(&self, stretch: Interval) -> u32 {
        let reach = stretch.start.since(self.not_before).as_secs() / self.period.as_secs().max(1);
        u32::try_from(reach).unwrap_or(u32::MAX).min(self.periods)
    }

    fn origin(&self) -> Instant {
        self.stretch.start.saturating_sub(self.period.saturating_mul(self.periods))
    }

    fn is_hourly(&self) -> bool {
        let whole = |length: Duration| length.as_secs().is_multiple_of(HOUR.as_secs());
        let ends = [self.stretch.start, self.stretch.end];
        whole(self.step) && whole(self.period) && ends.iter().all(|end| end.floor(HOUR) == *end)
    }
}

impl TrafficBefore {
    /// The traffic of a stretch within the one that was asked for, one period ago first; none for stretches that reach
    /// behind `not_before`.
    pub fn of(&self, stretch: Interval) -> Vec<Earlier> {
        let ago = |periods: u32| {
            let back = self.before.period.saturating_mul(periods);
            self.sum(Interval::new(stretch.start.saturating_sub(back), stretch.end.saturating_sub(back)))
        };
        (1..=self.before.periods_of(stretch)).map(ago).collect()
    }

    /// The traffic of a stretch itself, which lies within the one that was asked for.
    pub fn sum(&self, stretch: Interval) -> Earlier {
        self.steps.range(stretch.start..stretch.end).fold(Earlier::default(), |sum, (_, step)| Earlier {
            events: sum.events + step.events,
            errors: sum.errors + step.errors,
        })
    }
}

#[derive(Row, Deserialize)]
struct StepRow {
    at: i64,
    events: i64,
    errors: i64,
}

impl Store {
    pub async fn traffic_before(
        &self,
        model: &str,
        environment: &str,
        before: Before,
    ) -> Result<TrafficBefore, Error> {
        let text = match before.is_hourly() {
            true => include_str!("../queries/traffic_before_by_hours.sql"),
            false => include_str!("../queries/traffic_before_by_minutes.sql"),
        };
        let seconds = |length: Duration| i64::try_from(length.as_secs().max(1)).unwrap_or(i64::MAX);
        let query = self
            .query(text)
            .param("model", model)
            .param("environment", environment)
            .param("origin", before.origin().seconds())
            .param("start", before.origin().max(before.not_before).seconds())
            .param("end", before.stretch.end.seconds())
            .param("length_s", seconds(before.stretch.length()))
            .param("step_s", seconds(before.step))
            .param("period_s", seconds(before.period));
        let rows: Vec<StepRow> = query.fetch_all().await?;
        let whole = |n: i64| u64::try_from(n).unwrap_or(0);
        let step = |row: StepRow| {
            let earlier = Earlier { events: whole(row.events), errors: whole(row.errors) };
            (Instant::from_seconds(row.at), earlier)
        };
        Ok(TrafficBefore { before, steps: rows.into_iter().map(step).collect() })
    }
}
