//! Turns what the analyzer found into incidents, and tells people and programs of them.
//!
//! Reading order: [`config`] says whom to tell; [`incidents`] is the pure state machine that makes events of evaluations
//! and actions; [`notify`] decides who hears of an event ([`routes`]) and what of it ([`notice`]); [`channels`] send it,
//! one file a channel; `courier` keeps one channel's queue, [`retry`] says when to try again, `outbox` notes what is under
//! way; `source` reads evaluations, `heartbeat` watches the analyzer, `retraining` decides when to ask for a new model; `duty` is
//! the loop over all of this, with `duty/wishes` for what people ask for, and [`run()`] starts it.
//!
//! What is absent: any state beside `incident_events` and `deliveries`. Events are written before anybody is told, and
//! what is to be told stands in `deliveries` before it is sent, so a stop at any point loses nothing; a repeated message
//! carries the id of the first.

pub mod channels;
pub mod config;
mod courier;
mod duty;
mod heartbeat;
pub mod incidents;
mod metrics;
pub mod notice;
pub mod notify;
mod outbox;
mod retraining;
pub mod retry;
pub mod routes;
mod run;
mod source;

pub use config::Config;
pub use run::run;
