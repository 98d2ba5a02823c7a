//! What the page of deliveries asks: every attempt, and how many deliveries stand how.

use clickhouse::Row;
use domain::delivery::{Attempt, State};
use domain::time::Interval;
use serde::Deserialize;

use crate::deliveries::AttemptRow;
use crate::error::Error;
use crate::store::Store;

/// Which deliveries a page shows. An empty text means any.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveriesAsked {
    pub incident: String,
    pub model: String,
    pub channel: String,
    pub state: Option<State>,
    /// Attempted in this stretch of time.
    pub interval: Interval,
    pub most: u32,
}

/// How many deliveries of a channel stand in a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    pub channel: String,
    pub kind: String,
    pub state: State,
    pub deliveries: u64,
}

#[derive(Row, Deserialize)]
struct TallyRow {
    channel: String,
    kind: String,
    state: String,
    deliveries: u64,
}

impl Store {
    /// Every attempt of the deliveries asked for, each delivery's together, earliest attempt first.
    pub async fn deliveries_page(&self, asked: &DeliveriesAsked) -> Result<Vec<Attempt>, Error> {
        let query = self
            .query(include_str!("../../queries/deliveries_page.sql"))
            .param("incident", &asked.incident)
            .param("model", &asked.model)
            .param("channel", &asked.channel)
            .param("state", asked.state.map_or("", State::name))
            .param("start", asked.interval.start.millis())
            .param("end", asked.interval.end.millis())
            .param("most", asked.most);
        let rows: Vec<AttemptRow> = query.fetch_all().await?;
        rows.into_iter().map(Attempt::try_from).collect()
    }

    /// How many deliveries of `model` (or of all) stand how, by channel, over `interval`.
    pub async fn deliveries_tally(&self, model: &str, interval: Interval) -> Result<Vec<Tally>, Error> {
        let query = self
            .query(include_str!("../../queries/deliveries_tally.sql"))
            .param("model", model)
            .param("start", interval.start.millis())
            .param("end", interval.end.millis());
        let rows: Vec<TallyRow> = query.fetch_all().await?;
        rows.into_iter().map(Tally::try_from).collect()
    }
}

impl TryFrom<TallyRow> for Tally {
    type Error = Error;

    fn try_from(row: TallyRow) -> Result<Self, Error> {
        let state = row.state.parse().map_err(|error| Error::Unexpected {
            query: "deliveries_tally",
            problem: format!("channel {}: {error}", row.channel),
        })?;
        Ok(Self { channel: row.channel, kind: row.kind, state, deliveries: row.deliveries })
    }
}
