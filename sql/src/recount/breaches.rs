//! Breaches counted again: by the minute from the rules that are kept of stored events and of refused ones, by the hour from
//! the minutes.
//!
//! Invariant: nothing is corrected that cannot be known. Minutes with an event of which nobody knows what it broke, as of
//! before rules were kept, are left alone, and so are refusals of hours for which `rejected_events`, or breaches by the
//! minute, may have expired.

use clickhouse::Row;
use clickhouse::query::Query;
use domain::time::{Instant, Interval};
use serde::{Deserialize, Serialize};

use super::{Kept, Lacking, Stretch, without_tokens};
use crate::error::Error;
use crate::store::Store;

/// How the breaches of one rule differ.
#[derive(Clone, Debug, PartialEq, Eq, Row, Serialize, Deserialize)]
pub struct RuleDifference {
    pub rule: String,
    /// Minutes, or hours, of a version and environment that are wrong.
    pub cells: u64,
    /// Events that broke it and are not counted.
    pub lacking: u64,
    /// Breaches that are counted and were none.
    pub surplus: u64,
}

impl Store {
    /// How the stored breaches differ from the events, or those of hours from their minutes, by rule; empty where they
    /// agree.
    pub async fn breach_differences(
        &self,
        stretch: &Stretch,
        kept: Kept,
    ) -> Result<Vec<RuleDifference>, Error> {
        let text = format!(
            "SELECT rule, toUInt64(count()) AS cells, toUInt64(sumIf(n, n > 0)) AS lacking, \
             toUInt64(-sumIf(n, n < 0)) AS surplus FROM ({}) GROUP BY rule ORDER BY rule",
            stretch.lacking().breaches
        );
        Ok(self.comparing(&text, stretch, kept).await?.fetch_all().await?)
    }

    /// Writes what the breaches lack, signed; hours follow their minutes by a view.
    pub async fn correct_breaches(&self, stretch: &Stretch, kept: Kept) -> Result<(), Error> {
        let Lacking { time, breaches, breaches_table, .. } = stretch.lacking();
        let text = format!(
            "INSERT INTO {breaches_table} (model, version, environment, rule, {time}, n, refused) \
             SELECT {{model:String}}, version, environment, rule, {time}, n, refused FROM ({breaches})"
        );
        Ok(without_tokens(self.comparing(&text, stretch, kept).await?).execute().await?)
    }

    /// How many minutes of a stretch hold an event of which nobody knows what it broke.
    pub async fn minutes_of_unknown_rules(&self, model: &str, interval: Interval) -> Result<u64, Error> {
        let text = include_str!("../../queries/recount_unknown_rules.sql");
        let query = self.in_interval(text, model, interval);
        Ok(query.param("rules_since_ms", self.rules_kept_since().await?.millis()).fetch_one().await?)
    }

    /// Of every event that was received since, and stored through the intake, it is known what it broke.
    async fn rules_kept_since(&self) -> Result<Instant, Error> {
        let millis: i64 = self.query(include_str!("../../queries/rules_kept_since.sql")).fetch_one().await?;
        Ok(Instant::from_millis(millis))
    }

    async fn comparing(&self, text: &str, stretch: &Stretch, kept: Kept) -> Result<Query, Error> {
        let query = self.in_interval(text, &stretch.model, stretch.interval);
        Ok(query
            .param("refused_since_ms", kept.refusals_since.millis())
            .param("rules_since_ms", self.rules_kept_since().await?.millis()))
    }
}
