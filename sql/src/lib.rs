//! Everything that talks to ClickHouse: the schema, the queries and nothing else. SQL text stands only in this crate.
//!
//! Reading order: [`config`] says where the store is, [`store`] is the connection, [`migrate`] brings the schema to the
//! version that this build knows; then one module a table, with the functions that read and write it in domain types.
//! What is odd about ClickHouse, and what we do about it, is in `docs/decisions/0002-clickhouse-is-odd.md`.

pub mod again;
pub mod config;
pub mod error;
pub mod migrate;
mod narrow;
pub mod store;

pub mod actions;
pub mod analyzer_beats;
pub mod arrivals;
pub mod baseline_sums;
pub mod baselines;
pub mod breaches;
pub mod causes;
pub mod changes;
pub mod contracts;
pub mod counts;
pub mod counts_only;
pub mod deliveries;
pub mod evaluations;
pub mod freshness;
pub mod grid_making;
pub mod grids;
pub mod imports;
pub mod incident_events;
pub mod intake;
pub mod kafka_ranges;
pub mod kept;
pub mod late_stretches;
pub mod objectives;
pub mod outcomes;
pub mod pages;
pub mod performance;
pub mod predicted;
pub mod recount;
pub mod rejected_events;
pub mod sampled_events;
pub mod segments;
pub mod shapes;
pub mod traffic_before;

pub use config::Config;
pub use error::Error;
pub use store::Store;
