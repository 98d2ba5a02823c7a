//! `imports`: which files were imported, and how far. Written by an import before each of its batches.

use clickhouse::Row;
use domain::time::Instant;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::store::Store;

/// How far the import of one content under one mapping has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub file_sha256: String,
    pub mapping_sha256: String,
    pub model: String,
    /// The file's name, for people.
    pub name: String,
    /// Batches that are surely stored.
    pub batches: u32,
    /// Rows of the file in a batch; the same for all batches of an import.
    pub batch_rows: u32,
    /// Rows of the file in the batches stored.
    pub rows: u64,
    pub outcomes: u64,
    pub rejected: u64,
    /// Added to every time in the file.
    pub shift_ms: i64,
    /// When the events of the next batch are said to have been received: the same when it is repeated.
    pub received_at: Instant,
    pub finished: bool,
    pub started_at: Instant,
    pub written_at: Instant,
}

#[derive(Row, Serialize, Deserialize)]
struct ImportRow {
    file_sha256: String,
    mapping_sha256: String,
    model: String,
    name: String,
    batches: u32,
    batch_rows: u32,
    rows: u64,
    outcomes: u64,
    rejected: u64,
    shift_ms: i64,
    received_at: i64,
    finished: u8,
    started_at: i64,
    written_at: i64,
}

impl From<ImportRow> for Import {
    fn from(row: ImportRow) -> Self {
        Self {
            file_sha256: row.file_sha256,
            mapping_sha256: row.mapping_sha256,
            model: row.model,
            name: row.name,
            batches: row.batches,
            batch_rows: row.batch_rows,
            rows: row.rows,
            outcomes: row.outcomes,
            rejected: row.rejected,
            shift_ms: row.shift_ms,
            received_at: Instant::from_millis(row.received_at),
            finished: row.finished != 0,
            started_at: Instant::from_millis(row.started_at),
            written_at: Instant::from_millis(row.written_at),
        }
    }
}

impl From<&Import> for ImportRow {
    fn from(import: &Import) -> Self {
        Self {
            file_sha256: import.file_sha256.clone(),
            mapping_sha256: import.mapping_sha256.clone(),
            model: import.model.clone(),
            name: import.name.clone(),
            batches: import.batches,
            batch_rows: import.batch_rows,
            rows: import.rows,
            outcomes: import.outcomes,
            rejected: import.rejected,
            shift_ms: import.shift_ms,
            received_at: import.received_at.millis(),
            finished: u8::from(import.finished),
            started_at: import.started_at.millis(),
            written_at: import.written_at.millis(),
        }
    }
}

impl Store {
    /// The imports of one content into `model`, one a mapping, earliest first.
    pub async fn imports(&self, model: &str, file_sha256: &str) -> Result<Vec<Import>, Error> {
        let query = self
            .query(include_str!("../queries/imports.sql"))
            .param("model", model)
            .param("file", file_sha256);
        let rows: Vec<ImportRow> = query.fetch_all().await?;
        Ok(rows.into_iter().map(Import::from).collect())
    }

    /// Records how far an import has come; replaces what was recorded of it.
    pub async fn write_import(&self, import: &Import) -> Result<(), Error> {
        let mut insert = self.client().insert::<ImportRow>("imports").await?;
        insert.write(&ImportRow::from(import)).await?;
        Ok(insert.end().await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_reads_back_as_it_was_written() {
        let original = Import {
            file_sha256: "ab".to_owned(),
            mapping_sha256: "cd".to_owned(),
            model: "flights".to_owned(),
            name: "flights.parquet".to_owned(),
            batches: 3,
            batch_rows: 20_000,
            rows: 60_000,
            outcomes: 59_000,
            rejected: 1,
            shift_ms: -5,
            received_at: Instant::from_seconds(7),
            finished: true,
            started_at: Instant::from_seconds(1),
            written_at: Instant::from_seconds(9),
        };
        assert_eq!(Import::from(ImportRow::from(&original)), original);
    }
}
