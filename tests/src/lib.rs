//! What every integration test stands on: the real engine, a database of its own, a clock set by hand, and waiting that
//! ends.
//!
//! ```no_run
//! # async fn example() {
//! let store = tests::fresh_store().await;
//! let (context, clock) = tests::manual_context("2026-11-20T18:00:00Z");
//! // … spawn a role with them, then:
//! clock.advance(domain::time::HOUR);
//! tests::eventually("the store answers", async || store.ping().await.is_ok()).await;
//! # }
//! ```
//!
//! One engine serves all tests of a test binary. It ends with the test process, and the next one removes its files.

mod authority;
pub mod bodies;
mod browser;
pub mod flights;
mod folder;
mod harness;
mod kafka;
mod mail;
pub mod own_inserts;
mod plain_server;
mod process;
mod receiver;
mod waiting;

pub use authority::Authority;
pub use browser::{Browser, Sight, artefacts};
pub use folder::Folder;
pub use harness::{
    OwnEngine, before_rules_were_kept, client, engine, executable, fresh_config, fresh_store, manual_context,
    tables_with, text,
};
pub use kafka::{Broker, Doors, KAFKA_PASSWORD, KAFKA_USER, broker};
pub use mail::{Mail, MailServer, PASSWORD, Speech, USER};
pub use plain_server::Link;
pub use process::{Memory, Process, free_port};
pub use receiver::{Answer, Received, Receiver};
pub use waiting::{PATIENCE, eventually, eventually_some, fault_time};
