//! `analyzer_beats`: which analyzers live, by the store's clock, so that theirs need not agree.

use clickhouse::Row;
use serde::Serialize;

use crate::error::Error;
use crate::store::Store;

#[derive(Row, Serialize)]
struct BeatRow {
    shards: u32,
    place: u32,
}

impl Store {
    /// Says that the analyzer of one part of `shards` lives.
    pub async fn beat(&self, place: u32, shards: u32) -> Result<(), Error> {
        let mut insert = self.client().insert::<BeatRow>("analyzer_beats").await?;
        insert.write(&BeatRow { shards, place }).await?;
        Ok(insert.end().await?)
    }

    /// The parts, of `shards`, that were heard of within the last `within_s` seconds.
    pub async fn analyzers_living(&self, shards: u32, within_s: u32) -> Result<Vec<u32>, Error> {
        let query = self.query(include_str!("../queries/analyzers_living.sql"));
        Ok(query.param("shards", shards).param("within_s", within_s).fetch_all().await?)
    }
}
