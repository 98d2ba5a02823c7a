//! The crate `sql` against the real engine.

#[path = "store/batches.rs"]
mod batches;
#[path = "store/counting.rs"]
mod counting;
#[path = "store/earlier.rs"]
mod earlier;
#[path = "store/forgotten.rs"]
mod forgotten;
#[path = "store/intake.rs"]
mod intake;
#[path = "store/migrations.rs"]
mod migrations;
#[path = "store/queries.rs"]
mod queries;
#[path = "store/upgrades.rs"]
mod upgrades;
