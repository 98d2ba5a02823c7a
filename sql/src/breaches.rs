//! `breach_minutes`, `breach_hours`: how many events broke each rule of their model's contract, beside how many there
//! were.
//!
//! Invariant: a breach is in the table once for each event and rule, stored in the same insert as the event, or as the
//! row of `rejected_events` where the event was kept out.

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::counts::Resolution;
use crate::error::Error;
use crate::store::Store;

/// Which breaches are wanted. Versions are added up.
#[derive(Clone, Debug, PartialEq)]
pub struct BreachesAsked {
    pub model: String,
    pub environment: String,
    /// The stretch of event time, in whole steps of the resolution.
    pub interval: Interval,
    pub resolution: Resolution,
    /// Points are added up over steps of so many seconds (a multiple of the resolution); 0 for one sum over all.
    pub step_s: u32,
}

/// What was broken, and of how many events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaches {
    /// By rule, then ascending in time. A rule that nothing broke has no point.
    pub points: Vec<BreachPoint>,
    /// The events that were stored, ascending in time.
    pub events: Vec<EventsPoint>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BreachPoint {
    /// `amount.range`, `country.allowed`, `age.nullable`, `unknown_signal`, `environment`, `duplicate`.
    pub rule: String,
    /// The start of the step; the start of the interval where there is one sum.
    pub at: Instant,
    /// Events that broke the rule.
    pub n: u64,
    /// Those of them that were kept out, so that [`Breaches::events`] does not hold them.
    pub refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsPoint {
    pub at: Instant,
    pub n: u64,
}

#[derive(Row, Deserialize)]
struct PointRow {
    rule: String,
    at: i64,
    n: i64,
    refused: i64,
}

impl Store {
    /// Breaches by rule over time, with the events of the same steps.
    pub async fn breaches(&self, asked: &BreachesAsked) -> Result<Breaches, Error> {
        let text = match asked.resolution {
            Resolution::Minutes => include_str!("../queries/breaches_by_minutes.sql"),
            Resolution::Hours => include_str!("../queries/breaches_by_hours.sql"),
        };
        let (start, end) = (asked.interval.start.seconds(), asked.interval.end.seconds());
        let whole = u32::try_from(end - start).unwrap_or(u32::MAX).max(1);
        let query = self
            .query(text)
            .param("model", &asked.model)
            .param("environment", &asked.environment)
            .param("start", start)
            .param("end", end)
            .param("step_s", if asked.step_s == 0 { whole } else { asked.step_s });
        let mut breaches = Breaches::default();
        for PointRow { rule, at, n, refused } in query.fetch_all::<PointRow>().await? {
            let (at, n) = (Instant::from_seconds(at), u64::try_from(n).unwrap_or(0));
            if rule.is_empty() {
                breaches.events.push(EventsPoint { at, n });
            } else {
                let refused = u64::try_from(refused).unwrap_or(0);
                breaches.points.push(BreachPoint { rule, at, n, refused });
            }
        }
        Ok(breaches)
    }
}
