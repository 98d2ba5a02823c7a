//! Kafka as a source, against a real broker: every message is stored and counted once, whatever happens in between.

#[path = "kafka/away.rs"]
mod away;
#[path = "kafka/bodies.rs"]
mod bodies;
#[path = "kafka/broker_errors.rs"]
mod broker_errors;
#[path = "collector/counted.rs"]
mod counted;
#[path = "kafka/faults.rs"]
mod faults;
#[path = "kafka/forward.rs"]
mod forward;
#[path = "kafka/gateway.rs"]
mod gateway;
#[path = "kafka/logs.rs"]
mod logs;
#[path = "collector/process.rs"]
#[allow(dead_code, reason = "the collector's own tests need all of it, these a part")]
mod process;
#[path = "kafka/rebalances.rs"]
mod rebalances;
#[path = "kafka/repeats.rs"]
mod repeats;
#[path = "collector/running.rs"]
#[allow(dead_code, reason = "the collector's own tests need all of it, these a part")]
mod running;
#[path = "kafka/security.rs"]
mod security;
#[path = "kafka/world.rs"]
mod world;
