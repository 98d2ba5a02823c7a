//! The way in: from what model servers send and files hold to stored and counted events.
//!
//! Reading order: [`event`] is what goes in, and [`predictions`] the same in columns; [`config`] says how much of it;
//! [`decode`] reads it from JSON; [`guard`] looks at it by its model's contract and redacts it; [`known`]
//! holds the grids that are in force; [`count`] counts a batch by them; [`batch`] makes one insert of events and their
//! counts; [`intake`] stores it, repeated whole until it is; [`spool`] keeps what is unfinished over a crash; [`queue`]
//! gathers what many requests bring; [`maker`] makes grids and counts again what came before them; `sources` are the doors; [`payloads`] makes events of
//! what model servers log; [`run`](mod@run) wires
//! all of it.

pub mod baseline;
pub mod batch;
pub mod config;
pub mod contracts;
pub mod count;
pub mod decode;
mod dictionary;
pub mod duplicates;
pub mod event;
#[cfg(test)]
mod fuzz;
pub mod guard;
mod health;
pub mod import;
pub mod intake;
pub mod known;
pub mod maker;
pub mod metrics;
pub mod payloads;
pub mod predictions;
pub mod queue;
pub mod recount;
pub mod run;
pub mod sources;
pub mod spool;
pub mod streams;

pub use config::Config;
pub use run::run;
