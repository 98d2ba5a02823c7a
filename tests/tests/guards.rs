//! What contracts, privacy, tokens and identities keep from the store, against the real engine.

#[path = "guards/contracts.rs"]
mod contracts;
#[path = "guards/duplicates.rs"]
mod duplicates;
#[path = "guards/measured.rs"]
mod measured;
#[path = "guards/privacy.rs"]
mod privacy;
#[path = "collector/process.rs"]
#[expect(dead_code, reason = "shared with the tests of the collector and of Kafka, which use the rest")]
mod process;
#[path = "guards/recounted.rs"]
mod recounted;
#[path = "guards/recounted_before.rs"]
mod recounted_before;
#[path = "guards/recounted_counts_only.rs"]
mod recounted_counts_only;
#[path = "guards/retries.rs"]
mod retries;
#[path = "collector/running.rs"]
#[expect(dead_code, reason = "shared with the tests of the collector, which use the rest")]
mod running;
#[path = "guards/tokens.rs"]
mod tokens;
