//! HTTP as every role serves and uses it: health, metrics, a server that finishes what it began, one client.

mod serve;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::Encoder;
use tokio::net::TcpListener;

pub use self::serve::{Bounds, serve, serve_within};
use crate::health::Health;

/// `/healthz` (alive), `/readyz` (ready, or what is missing) and `/metrics`.
pub fn operations(health: Health, registry: prometheus::Registry) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(metrics)).with_state(registry))
}

async fn readyz(State(health): State<Health>) -> Response {
    let problems = health.problems();
    if problems.is_empty() {
        return "ready\n".into_response();
    }
    let lines: Vec<String> = problems.iter().map(|(check, reason)| format!("{check}: {reason}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines.concat()).into_response()
}

async fn metrics(State(registry): State<prometheus::Registry>) -> Response {
    let encoder = prometheus::TextEncoder::new();
    let mut text = Vec::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => ([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Listens on `address`.
///
/// # Errors
/// Names the address, and the usual reason.
pub async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => " (another program listens there; choose another port)",
            std::io::ErrorKind::PermissionDenied => " (ports below 1024 need privileges)",
            _ => "",
        };
        anyhow::anyhow!("cannot listen on \"{address}\": {error}{hint}")
    })
}

/// Makes TLS usable in this process. Harmless when called again.
pub fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client that follows no redirects and gives up after `timeout`.
pub fn client(timeout: Duration) -> reqwest::Client {
    install_tls();
    reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(timeout.min(Duration::from_secs(5)))
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("leeway/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the client's settings are constants that it accepts")
}
