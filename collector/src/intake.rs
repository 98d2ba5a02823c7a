//! Stores events and their counts: counted by the grids in force, one insert under one token, repeated whole until the
//! store has it.
//!
//! ```text
//! Intake::new(store, grids: known::Grids, &context) -> Intake          // clones share
//! intake.insert(Vec<Prediction>, token) -> Result<(), IntakeError>     // counted, repeated whole until stored
//! intake.insert_outcomes(Vec<Outcome>, token) -> Result<(), IntakeError>
//! intake.insert_rejections(Vec<Rejection>, token) -> Result<(), IntakeError>
//! ```
//!
//! Invariant: what was handed over under a token is in every table once, or the call has not returned `Ok`.

use std::time::Duration;

use domain::time::Clock;
use service::backoff::Backoff;
use sql::Store;

use crate::event::{Outcome, Prediction, Rejection};
use crate::known::Grids;

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store was away for longer than the caller wants to wait. Whether it has the batch is not known: repeat with
    /// the same events and token.
    #[error("the store did not take the batch within {} s", waited.as_secs())]
    Away {
        waited: Duration,
        #[source]
        source: sql::Error,
    },
    /// The store refuses the batch, and would refuse it again.
    #[error("the store refuses the batch")]
    Refused(#[source] sql::Error),
}

/// The one way into the store for events, whatever their source. Clones share what is known of grids.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    grids: Grids,
    clock: Clock,
    backoff: Backoff,
    patience: Duration,
}
