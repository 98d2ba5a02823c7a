//! `changes`: deployments, retrainings, schema and configuration changes, to line up with what moved.

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::pages::Ask;
use crate::store::Store;

/// Something that people or programs did to a model, or (with no model) to all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// Made by whoever records it; the same id again is the same change.
    pub id: String,
    pub at: Instant,
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
#[derive(Clone, Debug, PartialEq)]
pub struct ChangesAsked {
    /// Changes to all models are among those of each.
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

pub fn changes(asked: &ChangesAsked) -> Ask {
    Ask::new("What was changed", include_str!("../queries/pages/changes.sql"))
        .text("model", &asked.model)
        .text("kind", &asked.kind)
        .integer("start", asked.interval.start.millis())
        .integer("end", asked.interval.end.millis())
        .integer("most", asked.most)
}

impl Store {
    /// The latest changes of those asked for, latest first.
    pub async fn changes(&self, asked: &ChangesAsked) -> Result<Vec<Change>, Error> {
        let rows: Vec<ChangeRow> = changes(asked).rows(self).await?;
        Ok(rows.into_iter().map(Change::from).collect())
    }

    /// Records changes. The same change again changes nothing.
    pub async fn write_changes(&self, changes: &[Change]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let mut insert = self.client().insert::<ChangeRow>("changes").await?;
        for change in changes {
            insert
                .write(&ChangeRow {
                    id: change.id.clone(),
                    at: change.at.millis(),
                    model: change.model.clone(),
                    environment: change.environment.clone(),
                    kind: change.kind.clone(),
                    title: change.title.clone(),
                    detail: change.detail.clone(),
                    actor: change.actor.clone(),
                    link: change.link.clone(),
                })
                .await?;
        }
        Ok(insert.end().await?)
    }
}
