//! `POST /v1/logs`: OTLP over HTTP, as protobuf or JSON. Log records with documented attributes become events; the others
//! are counted and said. Answered when the store has the events.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod answer;
mod door;
pub mod records;
mod translate;

pub(super) use self::door::routes;
pub use self::records::{Unreadable, read};
pub use self::translate::{Lines, Passed};

use domain::time::Instant;

/// How a request is written, which is also how it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Protobuf,
    Json,
}

/// The events of a request's log records, in the form of `POST /v1/predictions` and `POST /v1/outcomes`.
///
/// # Errors
/// Where the body holds no log records.
pub fn lines(body: &[u8], encoding: Encoding, received_at: Instant) -> Result<Lines, Unreadable> {
    let mut lines = Lines::default();
    read(body, encoding, |resource, record| lines.add(resource, record, received_at))?;
    Ok(lines)
}

#[cfg(test)]
mod tests;
