//! `deliveries`: every attempt at a notification. Written by the alerter alone.

use clickhouse::Row;
use domain::delivery::Attempt;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

#[derive(Row, Serialize, Deserialize)]
pub(crate) struct AttemptRow {
    delivery: String,
    attempt: u32,
    incident: String,
    sequence: u32,
    model: String,
    channel: String,
    kind: String,
    event: String,
    state: String,
    target: String,
    answer_code: u16,
    answer: String,
    error: String,
    next_attempt_at: Option<i64>,
    took_ms: u32,
    at: i64,
}

impl From<&Attempt> for AttemptRow {
    fn from(attempt: &Attempt) -> Self {
        Self {
            delivery: attempt.delivery.clone(),
            attempt: attempt.attempt,
            incident: attempt.incident.clone(),
            sequence: attempt.sequence,
            model: attempt.model.clone(),
            channel: attempt.channel.clone(),
            kind: attempt.kind.clone(),
            event: attempt.event.clone(),
            state: attempt.state.name().to_owned(),
            target: attempt.target.clone(),
            answer_code: attempt.answer_code,
            answer: attempt.answer.clone(),
            error: attempt.error.clone(),
            next_attempt_at: attempt.next_attempt_at.map(Instant::millis),
            took_ms: attempt.took_ms,
            at: attempt.at.millis(),
        }
    }
}

impl TryFrom<AttemptRow> for Attempt {
    type Error = Error;

    fn try_from(row: AttemptRow) -> Result<Self, Error> {
        let state = row.state.parse().map_err(|error| Error::Unexpected {
            query: "deliveries_latest",
            problem: format!("delivery {}: {error}", row.delivery),
        })?;
        Ok(Self {
            delivery: row.delivery,
            attempt: row.attempt,
            incident: row.incident,
            sequence: row.sequence,
            model: row.model,
            channel: row.channel,
            kind: row.kind,
            event: row.event,
            state,
            target: row.target,
            answer_code: row.answer_code,
            answer: row.answer,
            error: row.error,
            next_attempt_at: row.next_attempt_at.map(Instant::from_millis),
            took_ms: row.took_ms,
            at: Instant::from_millis(row.at),
        })
    }
}

impl Store {
    /// The last attempt of every delivery that was attempted after `after`: how each stands.
    pub async fn latest_attempts(&self, after: Instant) -> Result<Vec<Attempt>, Error> {
        self.attempts_latest(after, "").await
    }

    /// The last attempt of one delivery.
    pub async fn latest_attempt(&self, delivery: &str) -> Result<Option<Attempt>, Error> {
        Ok(self.attempts_latest(Instant::EPOCH, delivery).await?.pop())
    }

    async fn attempts_latest(&self, after: Instant, delivery: &str) -> Result<Vec<Attempt>, Error> {
        let query = self
            .query(include_str!("../queries/deliveries_latest.sql"))
            .param("after", after.millis())
            .param("delivery", delivery);
        let rows: Vec<AttemptRow> = query.fetch_all().await?;
        rows.into_iter().map(Attempt::try_from).collect()
    }

    /// Records attempts. The same attempt again replaces what was recorded of it.
    pub async fn write_attempts(&self, attempts: &[Attempt]) -> Result<(), Error> {
        if attempts.is_empty() {
            return Ok(());
        }
        let mut insert = self.client().insert::<AttemptRow>("deliveries").await?;
        for attempt in attempts {
            insert.write(&AttemptRow::from(attempt)).await?;
        }
        Ok(insert.end().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::delivery::State;

    #[test]
    fn an_attempt_reads_back_as_it_was_written() {
        let original = Attempt {
            delivery: "msg_1".to_owned(),
            attempt: 2,
            incident: "k7f3".to_owned(),
            sequence: 1,
            model: "flights".to_owned(),
            channel: "hook".to_owned(),
            kind: "webhook".to_owned(),
            event: "opened".to_owned(),
            state: State::Retrying,
            target: "hooks.example.com".to_owned(),
            answer_code: 503,
            answer: "busy".to_owned(),
            error: "answered 503".to_owned(),
            next_attempt_at: Some(Instant::from_seconds(300)),
            took_ms: 12,
            at: Instant::from_seconds(1),
        };
        assert_eq!(Attempt::try_from(AttemptRow::from(&original)).expect("an attempt"), original);
    }
}
