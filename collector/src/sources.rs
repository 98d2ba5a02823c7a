//! The doors through which events come, one file each. Each decodes, hands in to the queues, and answers its sender.

pub mod cloudevents;
pub mod http;
pub mod kafka;
pub mod kserve;
mod object;
pub mod otlp;
pub mod seldon;

use std::sync::Arc;

use axum::Router;

/// The sources that come over HTTP beside our own events: each adds its routes.
const OVER_HTTP: [fn() -> Router<Arc<http::Http>>; 2] = [cloudevents::routes, otlp::routes];
