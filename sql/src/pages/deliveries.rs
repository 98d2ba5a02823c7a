//! What the page of deliveries asks: every attempt, and how many deliveries stand how.

use clickhouse::Row;
use domain::delivery::{Attempt, State};
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::deliveries::AttemptRow;
use crate::error::Error;
use crate::pages::Ask;
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

/// No incident has more deliveries than are shown of it.
const MOST_OF_AN_INCIDENT: u32 = 500;

impl DeliveriesAsked {
    /// All deliveries of one incident.
    pub fn of_incident(incident: &str, now: Instant) -> Self {
        // One more minute: clocks of two machines differ.
        let interval = Interval::new(Instant::EPOCH, now.saturating_add(domain::time::MINUTE));
        Self {
            incident: incident.to_owned(),
            model: String::new(),
            channel: String::new(),
            state: None,
            interval,
            most: MOST_OF_AN_INCIDENT,
        }
    }
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

pub fn deliveries(asked: &DeliveriesAsked) -> Ask {
    Ask::new("Deliveries with every attempt", include_str!("../../queries/pages/deliveries_page.sql"))
        .text("incident", &asked.incident)
        .text("model", &asked.model)
        .text("channel", &asked.channel)
        .text("state", asked.state.map_or("", State::name))
        .integer("start", asked.interval.start.millis())
        .integer("end", asked.interval.end.millis())
        .integer("most", asked.most)
}

pub fn tally(model: &str, interval: Interval) -> Ask {
    Ask::new("How many deliveries stand how", include_str!("../../queries/pages/deliveries_tally.sql"))
        .text("model", model)
        .integer("start", interval.start.millis())
        .integer("end", interval.end.millis())
}

impl Store {
    /// Every attempt of the deliveries asked for, each delivery's together, earliest attempt first.
    pub async fn deliveries_page(&self, asked: &DeliveriesAsked) -> Result<Vec<Attempt>, Error> {
        let rows: Vec<AttemptRow> = deliveries(asked).rows(self).await?;
        rows.into_iter().map(Attempt::try_from).collect()
    }

    /// How many deliveries of `model` (or of all) stand how, by channel, over `interval`.
    pub async fn deliveries_tally(&self, model: &str, interval: Interval) -> Result<Vec<Tally>, Error> {
        let rows: Vec<TallyRow> = tally(model, interval).rows(self).await?;
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
