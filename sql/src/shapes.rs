//! What kinds of values a sample of raw events carries: what counts on a grid do not tell.

use std::collections::BTreeMap;

use clickhouse::Row;
use domain::time::Interval;
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;

/// Which events are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct ShapesAsked<'a> {
    pub model: &'a str,
    pub environment: &'a str,
    pub interval: Interval,
    /// The share of events to look at, all of them from 1 on.
    pub share: f64,
    /// An event that carries all of these is complete.
    pub features: &'a [String],
}

/// A sample is taken in so many short stretches, evenly apart: a prime number, so that they fall on all hours of the day.
const SLICES: u64 = 23;

/// The kinds of values of one signal, in the order of [`KINDS`], and how many different ones there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    pub kinds: [u64; 7],
    pub distinct: u64,
}

/// What a value can be. A text may hold a number, yes or no, or a date.
pub const KINDS: [&str; 7] =
    ["whole number", "fraction", "unusable number", "number in a text", "yes or no", "date", "text"];

/// A sample of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shapes {
    pub events: u64,
    /// Different ids among them.
    pub ids: u64,
    pub complete: u64,
    pub signals: BTreeMap<String, Shape>,
}

#[derive(Row, Deserialize)]
struct ShapeRow {
    signal: String,
    n: u64,
    integers: u64,
    fractions: u64,
    unusable: u64,
    number_texts: u64,
    booleans: u64,
    dates: u64,
    texts: u64,
    distinct_values: u64,
}

impl Store {
    /// What a sample of a stretch's events looks like; nothing where raw events have expired.
    pub async fn event_shapes(&self, asked: &ShapesAsked<'_>) -> Result<Shapes, Error> {
        let length_ms = u64::try_from(asked.interval.length().as_millis()).unwrap_or(u64::MAX);
        let period_ms = length_ms.div_ceil(SLICES).max(1);
        let query = self
            .query(include_str!("../queries/event_shapes.sql"))
            .param("model", asked.model)
            .param("environment", asked.environment)
            .param("start_ms", asked.interval.start.millis())
            .param("end_ms", asked.interval.end.millis())
            .param("period_ms", period_ms)
            .param("slice_ms", (period_ms as f64 * asked.share.clamp(0.0, 1.0)).ceil() as u64)
            .param("features", asked.features);
        let mut shapes = Shapes::default();
        for row in query.fetch_all::<ShapeRow>().await? {
            if row.signal.is_empty() {
                (shapes.events, shapes.ids, shapes.complete) = (row.n, row.distinct_values, row.integers);
                continue;
            }
            let kinds = [
                row.integers,
                row.fractions,
                row.unusable,
                row.number_texts,
                row.booleans,
                row.dates,
                row.texts,
            ];
            shapes.signals.insert(row.signal, Shape { kinds, distinct: row.distinct_values });
        }
        Ok(shapes)
    }
}
