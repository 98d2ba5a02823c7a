//! What the store kept of a batch whose insert it may have died in.
//!
//! A plain `MergeTree` writes an insert's token into its log before it gives the rows their place; killed in between, it
//! takes the repetition for a second insert, and the rows are gone. So after such a death it is asked whether the rows are
//! there, by the column `batch`, and what is not is inserted under a further token. A table has all rows of a batch of one
//! month, which is one part, or none.
//!
//! Invariant: what counts are compared with ([`crate::recount`]) has a keeper here, so it is complete before it is compared.

use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use domain::time::Instant;

use crate::error::Error;
use crate::intake::{Door, broken_rules_schema, event_schema};
use crate::store::{Store, arrow_stream};

/// A table that keeps what comes through a door as it came.
#[derive(Clone, Debug)]
pub struct Keeper {
    pub table: &'static str,
    /// The column whose month says in which part a row lies.
    pub time: &'static str,
    pub schema: SchemaRef,
    /// The column of lists without which a row is not kept; a batch of before there was this column is kept whole.
    pub unless_empty: Option<&'static str>,
}

impl Door {
    /// Where its rows are kept as they came.
    pub fn keepers(self) -> Vec<Keeper> {
        let keeper = |table, time, schema| Keeper { table, time, schema, unless_empty: None };
        match self {
            Self::Intake => vec![
                keeper("predictions", "timestamp", event_schema()),
                Keeper {
                    unless_empty: Some("rules"),
                    ..keeper("broken_rules", "timestamp", broken_rules_schema())
                },
            ],
            Self::Outcomes => vec![keeper("outcomes", "timestamp", self.schema())],
            Self::RejectedEvents => vec![keeper("rejected_events", "received_at", self.schema())],
        }
    }
}

impl Store {
    /// Whether a killed server may remember a token and not the rows. Replicated tables commit both at once, and the
    /// embedded engine strikes such tokens out before it opens its tables again.
    pub fn may_forget_rows(&self) -> bool {
        self.config().cluster.is_empty() && !self.config().is_embedded()
    }

    /// For how long the server has been up, in whole seconds.
    pub async fn up_for(&self) -> Result<Duration, Error> {
        let seconds: u64 = self.query(include_str!("../queries/store_uptime.sql")).fetch_one().await?;
        Ok(Duration::from_secs(seconds))
    }

    /// Whether the keeper holds rows of a batch, which was inserted under one of `tokens`, of `model` at the instant `at` of
    /// its time column.
    pub async fn holds_of_batch(
        &self,
        keeper: &Keeper,
        tokens: &[String],
        model: &str,
        at: Instant,
    ) -> Result<bool, Error> {
        let rows: u64 = self
            .query(include_str!("../queries/rows_of_batch.sql"))
            .param("table", keeper.table)
            .param("time", keeper.time)
            .param("model", model)
            .param("at_ms", at.millis())
            .param("tokens", tokens)
            .fetch_one()
            .await?;
        Ok(rows > 0)
    }

    /// Puts rows into their keeper alone; what else the batch feeds is left as it is.
    pub async fn insert_kept_rows(
        &self,
        keeper: &Keeper,
        rows: &RecordBatch,
        token: &str,
    ) -> Result<(), Error> {
        self.insert_arrow_stream(keeper.table, &rows.schema(), arrow_stream(rows)?, token).await
    }
}
