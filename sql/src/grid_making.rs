//! What the maker of grids asks and writes: samples of raw values, announcements that cannot come too late, and the
//! counting of what was received before a grid held.

use clickhouse::Row;
use domain::time::{Instant, Interval};
use serde::Deserialize;

use crate::counts_only::bind_unvalued;
use crate::error::Error;
use crate::grids::{GridRow, StoredGrid};
use crate::recount::{Stretch, WITHIN_S};
use crate::store::Store;

/// Numbers of one signal.
#[derive(Clone, Debug, PartialEq, Row, Deserialize)]
pub struct NumberSample {
    pub signal: String,
    /// How many there are; the sample holds the first 20,000 found.
    pub n: u64,
    pub sample: Vec<f64>,
}

/// One category of a signal.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct CategoryCount {
    pub signal: String,
    pub value: String,
    pub n: u64,
    /// Over all categories of the signal.
    pub of_all: u64,
}

/// The events of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedBefore {
    pub environment: String,
    pub events: u64,
    pub first_event: Instant,
    pub last_event: Instant,
}

#[derive(Row, Deserialize)]
struct ReceivedRow {
    environment: String,
    events: u64,
    first_event: i64,
    last_event: i64,
}

#[derive(Row, Deserialize)]
struct ModelRow {
    model: String,
    first_received_at: i64,
}

/// By what an event is known.
#[derive(Clone, Debug, PartialEq, Eq, Row, Deserialize)]
pub struct Identity {
    pub model: String,
    pub version: String,
    pub environment: String,
    pub id: String,
}

impl Store {
    /// The events that were received since, the latest first, `most` of them.
    pub async fn recent_ids(&self, since: Instant, most: u32) -> Result<Vec<Identity>, Error> {
        let query = self.query(include_str!("../queries/recent_ids.sql"));
        Ok(query.param("since_ms", since.millis()).param("most", most).fetch_all().await?)
    }

    /// What time the store has.
    pub async fn clock(&self) -> Result<Instant, Error> {
        let millis: i64 = self.query(include_str!("../queries/store_clock.sql")).fetch_one().await?;
        Ok(Instant::from_millis(millis))
    }

    /// Announces a grid if the store's clock has not reached `not_after`; else does nothing.
    pub async fn announce_grid(&self, stored: &StoredGrid, not_after: Instant) -> Result<(), Error> {
        let row = GridRow::from(stored);
        let query = self
            .query(include_str!("../queries/announce_grid.sql"))
            .param("model", &row.model)
            .param("signal", &row.signal)
            .param("grid", row.grid)
            .param("kind", row.kind)
            .param("holds_from", row.holds_from)
            .param("edges", &row.edges)
            .param("lows", &row.lows)
            .param("highs", &row.highs)
            .param("levels", &row.levels)
            .param("made_from", &row.made_from)
            .param("made_of", row.made_of)
            .param("announced_at", row.announced_at)
            .param("not_after_ms", not_after.millis());
        Ok(query.execute().await?)
    }

    /// Values of `signals` in a stretch of event time.
    pub async fn sample_numbers(
        &self,
        model: &str,
        interval: Interval,
        signals: &[String],
    ) -> Result<Vec<NumberSample>, Error> {
        self.sample(include_str!("../queries/sample_numbers.sql"), model, interval, signals)
            .fetch_all()
            .await
            .map_err(Error::from)
    }

    /// The most frequent categories of `signals` in a stretch of event time, each signal's most frequent first.
    pub async fn sample_categories(
        &self,
        model: &str,
        interval: Interval,
        signals: &[String],
    ) -> Result<Vec<CategoryCount>, Error> {
        self.sample(include_str!("../queries/sample_categories.sql"), model, interval, signals)
            .fetch_all()
            .await
            .map_err(Error::from)
    }

    fn sample(
        &self,
        text: &str,
        model: &str,
        interval: Interval,
        signals: &[String],
    ) -> clickhouse::query::Query {
        self.query(text)
            .param("model", model)
            .param("from_ms", interval.start.millis())
            .param("to_ms", interval.end.millis())
            .param("signals", signals)
    }

    /// The events of a model that were received before an instant, and not in `unvalued`, by environment.
    pub async fn received_before(
        &self,
        model: &str,
        before: Instant,
        unvalued: &[Interval],
    ) -> Result<Vec<ReceivedBefore>, Error> {
        let query = self
            .query(include_str!("../queries/received_before.sql"))
            .param("model", model)
            .param("received_before_ms", before.millis())
            .with_setting("max_execution_time", WITHIN_S);
        let rows: Vec<ReceivedRow> = bind_unvalued(query, unvalued).fetch_all().await?;
        let of_row = |row: ReceivedRow| ReceivedBefore {
            environment: row.environment,
            events: row.events,
            first_event: Instant::from_millis(row.first_event),
            last_event: Instant::from_millis(row.last_event),
        };
        Ok(rows.into_iter().map(of_row).collect())
    }

    /// Models with events since an instant of event time, each with when its first of them was received.
    pub async fn models_since(&self, from: Instant) -> Result<Vec<(String, Instant)>, Error> {
        let query = self.query(include_str!("../queries/models_since.sql")).param("from_ms", from.millis());
        let rows: Vec<ModelRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(|row| (row.model, Instant::from_millis(row.first_received_at))).collect())
    }

    /// Counts a stretch whose counts are not stored yet. The same again under the same `token` changes nothing, also
    /// when two processes do it at the same time.
    pub async fn backfill_counts(&self, stretch: &Stretch, token: &str) -> Result<(), Error> {
        for (part, statement) in self.counting(stretch).into_iter().enumerate() {
            under_token(statement, &format!("{token}-{part}")).execute().await?;
        }
        Ok(())
    }

    /// The same for moments.
    pub async fn backfill_moments(&self, stretch: &Stretch, token: &str) -> Result<(), Error> {
        Ok(under_token(self.summing(stretch), token).execute().await?)
    }

    /// The same for traffic.
    pub async fn backfill_traffic(&self, stretch: &Stretch, token: &str) -> Result<(), Error> {
        Ok(under_token(self.tallying(stretch), token).execute().await?)
    }
}

/// One statement is one block, so that one token covers it.
fn under_token(query: clickhouse::query::Query, token: &str) -> clickhouse::query::Query {
    query
        .with_setting("insert_deduplication_token", token)
        .with_setting("insert_deduplicate", "1")
        .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1")
        .with_setting("max_insert_threads", "1")
        .with_setting("min_insert_block_size_rows", "100000000")
        .with_setting("min_insert_block_size_bytes", "100000000000")
        .with_setting("max_execution_time", WITHIN_S)
}
