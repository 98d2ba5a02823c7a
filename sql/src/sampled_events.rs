//! Samples of raw events of two stretches, for what counts do not hold: how signals go together, vectors, and the same
//! event on both sides.

use clickhouse::Row;
use clickhouse::query::Query;
use domain::time::Interval;
use serde::Deserialize;

use crate::error::Error;
use crate::store::Store;

/// Whose events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    pub model: String,
    pub environment: String,
    /// Empty for all.
    pub version: String,
    pub window: Interval,
}

/// One event with its values.
#[derive(Row, Clone, Debug, PartialEq, Deserialize)]
pub struct SampledEvent {
    pub id: String,
    pub numbers: Vec<(String, f64)>,
    pub categories: Vec<(String, String)>,
    pub vectors: Vec<(String, Vec<f32>)>,
}

impl Store {
    fn of_side(&self, text: &str, side: &Side) -> Query {
        self.query(text)
            .param("model", &side.model)
            .param("environment", &side.environment)
            .param("version", &side.version)
            .param("start_ms", side.window.start.millis())
            .param("end_ms", side.window.end.millis())
    }

    /// How many events a side has.
    pub async fn events_in(&self, side: &Side) -> Result<u64, Error> {
        Ok(self.of_side(include_str!("../queries/events_in.sql"), side).fetch_one().await?)
    }

    /// At most `most` events of a side in the order of a hash of their ids; where `pairs` is another side of the model, of
    /// those that it has, too.
    pub async fn sampled_events(
        &self,
        side: &Side,
        pairs: Option<&Side>,
        most: u32,
    ) -> Result<Vec<SampledEvent>, Error> {
        let other = pairs.unwrap_or(side);
        let query = self
            .of_side(include_str!("../queries/sampled_events.sql"), side)
            .param("paired", u8::from(pairs.is_some()))
            .param("other_environment", &other.environment)
            .param("other_version", &other.version)
            .param("from_ms", other.window.start.millis())
            .param("to_ms", other.window.end.millis())
            .param("most", most);
        Ok(query.fetch_all().await?)
    }
}
