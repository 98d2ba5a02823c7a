//! Payload logs of model servers, and telemetry, against the real engine: what was acknowledged is stored and counted,
//! once.

#[path = "payloads/cloudevents.rs"]
mod cloudevents;
#[path = "payloads/crashes.rs"]
mod crashes;
#[path = "payloads/documented.rs"]
mod documented;
#[path = "payloads/guarded.rs"]
mod guarded;
#[path = "payloads/kserve.rs"]
mod kserve;
#[path = "payloads/otlp.rs"]
mod otlp;
#[path = "collector/running.rs"]
#[expect(dead_code, reason = "the collector's own tests use the rest")]
mod running;
#[path = "payloads/seldon.rs"]
mod seldon;
#[path = "payloads/sent.rs"]
mod sent;
