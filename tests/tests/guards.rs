//! What contracts, privacy, tokens and identities of requests keep from the store, against the real engine.

#[path = "guards/contracts.rs"]
mod contracts;
#[path = "collector/running.rs"]
#[expect(dead_code, reason = "shared with the tests of the collector, which use the rest")]
mod running;
