//! `changes`: deployments, retrainings, schema and configuration changes, to line up with what moved.

use clickhouse::Row;
use domain::incident::IncidentEvent;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::again;
use crate::error::Error;
use crate::incident_events::EventRow;
use crate::pages::Ask;
use crate::store::Store;

/// Something that people or machines changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Made by whoever writes it; the same id again replaces what was said.
    pub id: String,
    pub at: Instant,
    /// Empty for a change that is about no single model.
    pub model: String,
    pub environment: String,
    /// `deployment`, `retraining`, `schema`, `configuration`, `grid`, `baseline`, `import`.
    pub kind: String,
    pub title: String,
    pub detail: String,
    pub actor: String,
    pub link: String,
}

/// Which changes are wanted. An empty text means any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangesAsked {
    pub model: String,
    pub kind: String,
    pub interval: Interval,
    pub most: u32,
}

#[derive(Row, Serialize, Deserialize)]
struct ChangeRow {
    id: String,
    at: i64,
    model: String,
    environment: String,
    kind: String,
    title: String,
    detail: String,
    actor: String,
    link: String,
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        Self {
            id: row.id,
            at: Instant::from_millis(row.at),
            model: row.model,
            environment: row.environment,
            kind: row.kind,
            title: row.title,
            detail: row.detail,
            actor: row.actor,
            link: row.link,
        }
    }
}

impl From<&Change> for ChangeRow {
    fn from(change: &Change) -> Self {
        Self {
            id: change.id.clone(),
            at: change.at.millis(),
            model: change.model.clone(),
            environment: change.environment.clone(),
            kind: change.kind.clone(),
            title: change.title.clone(),
            detail: change.detail.clone(),
            actor: change.actor.clone(),
            link: change.link.clone(),
        }
    }
}

pub fn changes(asked: &ChangesAsked) -> Ask {
    Ask::new("Changes", include_str!("../queries/pages/changes.sql"))
        .text("model", &asked.model)
        .text("kind", &asked.kind)
        .integer("start_ms", asked.interval.start.millis())
        .integer("end_ms", asked.interval.end.millis())
        .integer("most", asked.most)
}

/// `kind` of the question decides nothing here.
pub fn people_events(asked: &ChangesAsked) -> Ask {
    Ask::new(
        "What people did about incidents, and what became of retrainings",
        include_str!("../queries/pages/people_events.sql"),
    )
    .text("model", &asked.model)
    .integer("start", asked.interval.start.millis())
    .integer("end", asked.interval.end.millis())
    .integer("most", asked.most)
}

impl Store {
    /// The latest events of incidents that are somebody's doing, latest first, without their findings.
    pub async fn people_events(&self, asked: &ChangesAsked) -> Result<Vec<IncidentEvent>, Error> {
        let rows: Vec<EventRow> = people_events(asked).rows(self).await?;
        rows.into_iter().map(IncidentEvent::try_from).collect()
    }

    /// Changes, the latest first. Those of no single model belong to every model.
    pub async fn changes(&self, asked: &ChangesAsked) -> Result<Vec<Change>, Error> {
        let rows: Vec<ChangeRow> = changes(asked).rows(self).await?;
        Ok(rows.into_iter().map(Change::from).collect())
    }

    /// Writes changes down. The same ids again replace what was said of them.
    pub async fn write_changes(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let insert = self.client().insert::<ChangeRow>("changes").await?;
        // The same change replaces itself; a token that comes again could be remembered where the rows are not.
        let mut insert = insert.with_setting("insert_deduplication_token", again::token_of_its_own());
        for change in changes {
            insert.write(&ChangeRow::from(change)).await?;
        }
        Ok(insert.end().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_back_as_it_was_written() {
        let original = Change {
            id: "c1".to_owned(),
            at: Instant::from_seconds(7),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            kind: "deployment".to_owned(),
            title: "weather-feed 4.2".to_owned(),
            detail: String::new(),
            actor: "ci".to_owned(),
            link: String::new(),
        };
        assert_eq!(Change::from(ChangeRow::from(&original)), original);
    }
}
