//! What is to be imported, and how.

use std::sync::Arc;

use domain::time::Instant;
use sha2::{Digest, Sha256};

use super::mapping::Mapping;
use super::source::{Source, hexadecimal};
use crate::guard::Guards;

/// Rows of a file that are stored at once.
pub const BATCH_ROWS: u32 = 25_000;

#[derive(Clone, Debug)]
pub struct Plan {
    pub source: Source,
    pub model: String,
    pub mapping: Mapping,
    /// Shifts the whole time axis so that the last prediction lies here.
    pub end_at: Option<Instant>,
    /// Import although the same content was imported with another mapping: its events are then there twice.
    pub again: bool,
    /// Rows of the file in a batch; an import that was begun keeps what it was begun with.
    pub batch_rows: u32,
    /// What contracts say about the events, and what is redacted of them.
    pub guards: Arc<Guards>,
}

impl Plan {
    /// Everything of `source` into `model`, its times as they are.
    pub fn new(source: Source, model: &str, mapping: Mapping) -> Self {
        Self {
            source,
            model: model.to_owned(),
            mapping,
            end_at: None,
            again: false,
            batch_rows: BATCH_ROWS,
            guards: Arc::default(),
        }
    }

    /// What the import is known by beside the file's content. The shift is no part of it: a repetition that would end
    /// at another instant is still the same import.
    pub fn mapping_sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.model.as_bytes());
        hash.update([0]);
        hash.update(format!("{:?}", self.source.format).as_bytes());
        hash.update([0]);
        hash.update(self.mapping.canonical().as_bytes());
        hexadecimal(&hash.finalize())
    }
}
