//! The collector against the real engine: what is answered with 200 is stored and counted, once.

#[path = "collector/answers.rs"]
mod answers;
#[path = "collector/counted.rs"]
mod counted;
#[path = "collector/crashes.rs"]
mod crashes;
#[path = "collector/faults.rs"]
mod faults;
#[path = "collector/forgotten.rs"]
mod forgotten;
#[path = "collector/grids.rs"]
mod grids;
#[path = "collector/plain_server.rs"]
mod plain_server;
#[path = "collector/process.rs"]
#[allow(dead_code, reason = "the tests of Kafka need all of it, these a part")]
mod process;
#[path = "collector/running.rs"]
mod running;
