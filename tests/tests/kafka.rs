//! Kafka as a source, against a real broker: every message is stored and counted once, whatever happens in between.

#[path = "kafka/bodies.rs"]
mod bodies;
#[path = "collector/running.rs"]
#[allow(dead_code, reason = "the collector's own tests need all of it, these a part")]
mod running;
#[path = "kafka/world.rs"]
mod world;
