//! What the loggers of model servers send, header by header, and small questions about what became of it.

use collector::Config;
use collector::config::Payloads;
use serde_json::{Value, json};
use sql::Store;
use tests::{eventually, text};

use crate::running::Running;

/// A collector's configuration in which halves wait for a second only.
pub fn impatient() -> Config {
    with(Payloads { pair_within_s: 1, ..Payloads::default() })
}

pub fn with(payloads: Payloads) -> Config {
    Config { payloads, ..Config::default() }
}

/// One event of KServe's logger, as its agent sends it.
pub fn kserve(
    collector: &Running,
    id: &str,
    part: &str,
    body: impl Into<reqwest::Body>,
) -> reqwest::RequestBuilder {
    kserve_at("/v1/kserve", collector, id, part, body)
}

/// The same to another address.
pub fn kserve_at(
    path: &str,
    collector: &Running,
    id: &str,
    part: &str,
    body: impl Into<reqwest::Body>,
) -> reqwest::RequestBuilder {
    collector
        .post(path)
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "http://localhost:9081/")
        .header("ce-type", format!("org.kubeflow.serving.inference.{part}"))
        .header("ce-inferenceservicename", "iris")
        .header("ce-namespace", "flowers")
        .header("ce-component", "predictor")
        .header("ce-endpoint", "default")
        .header("content-type", "application/json")
        .body(body)
}

/// A V2 request with `n` instances of two features.
pub fn inputs(n: usize) -> String {
    let widths: Vec<f64> = (0..n).map(|i| i as f64 + 0.5).collect();
    let colours: Vec<&str> = (0..n).map(|i| ["red", "blue"][i % 2]).collect();
    json!({"inputs": [
        {"name": "width", "shape": [n], "datatype": "FP64", "data": widths},
        {"name": "colour", "shape": [n, 1], "datatype": "BYTES", "data": colours},
    ]})
    .to_string()
}

/// The V2 response to it.
pub fn outputs(n: usize) -> String {
    let scores: Vec<f64> = (0..n).map(|i| i as f64 / n as f64).collect();
    json!({"model_name": "iris", "model_version": "3", "id": "x",
        "outputs": [{"name": "score", "shape": [n], "datatype": "FP32", "data": scores}]})
    .to_string()
}

/// Asserts that a payload was acknowledged.
pub async fn acknowledged(request: reqwest::RequestBuilder) -> Value {
    let answer = crate::running::send(request).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

/// Waits until so many predictions are stored.
pub async fn stored(store: &Store, n: usize) {
    eventually("the payloads are stored", async || {
        text(store, "SELECT count() FROM predictions").await == n.to_string()
    })
    .await;
}
