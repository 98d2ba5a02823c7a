//! `actions`: what people and programs asked for. Written by the dashboards, carried out by the alerter.

use clickhouse::Row;
use domain::action::Action;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::store::Store;

#[derive(Row, Serialize, Deserialize)]
pub(crate) struct ActionRow {
    id: String,
    incident: String,
    kind: String,
    actor: String,
    reason: String,
    until: Option<i64>,
    payload: String,
    asked_at: i64,
}

impl From<&Action> for ActionRow {
    fn from(action: &Action) -> Self {
        Self {
            id: action.id.clone(),
            incident: action.incident.clone(),
            kind: action.kind.name().to_owned(),
            actor: action.actor.clone(),
            reason: action.reason.clone(),
            until: action.until.map(Instant::millis),
            payload: action.payload.clone(),
            asked_at: action.asked_at.millis(),
        }
    }
}

impl TryFrom<ActionRow> for Action {
    type Error = Error;

    fn try_from(row: ActionRow) -> Result<Self, Error> {
        let kind = row.kind.parse().map_err(|error| Error::Unexpected {
            query: "actions",
            problem: format!("action {}: {error}", row.id),
        })?;
        Ok(Self {
            id: row.id,
            incident: row.incident,
            kind,
            actor: row.actor,
            reason: row.reason,
            until: row.until.map(Instant::from_millis),
            payload: row.payload,
            asked_at: Instant::from_millis(row.asked_at),
        })
    }
}

impl Store {
    /// What was asked for after `after`, earliest first.
    pub async fn actions_after(&self, after: Instant) -> Result<Vec<Action>, Error> {
        let query = self.query(include_str!("../queries/actions.sql")).param("after", after.millis());
        let rows: Vec<ActionRow> = query.fetch_all().await?;
        rows.into_iter().map(Action::try_from).collect()
    }

    /// Asks for something. The same action again changes nothing.
    pub async fn write_action(&self, action: &Action) -> Result<(), Error> {
        let insert = self.client().insert::<ActionRow>("actions").await?;
        // The same action replaces itself; a token that comes again could be remembered where the row is not.
        let mut insert = insert.with_setting("insert_deduplication_token", again::token_of_its_own());
        insert.write(&ActionRow::from(action)).await?;
        Ok(insert.end().await?)
    }
}
