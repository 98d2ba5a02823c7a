//! Seldon's executor and MLServer: other types, other attributes, another version of CloudEvents, and feedback.

use serde_json::json;
use tests::{eventually, fresh_store, text};

use crate::running::{Running, send};
use crate::sent::{acknowledged, stored};

/// An event of Seldon's executor: each message has an id of its own, and the request's beside it.
fn executor(collector: &Running, id: &str, kind: &str, body: String) -> reqwest::RequestBuilder {
    collector
        .post("/v1/seldon")
        .header("ce-specversion", "1.0")
        .header("ce-id", id)
        .header("ce-source", "http://:8000/")
        .header("ce-type", format!("io.seldon.serving.{kind}"))
        .header("ce-requestid", "r7")
        .header("ce-modelid", "classifier")
        .header("ce-inferenceservicename", "income")
        .header("ce-namespace", "seldon")
        .header("ce-endpoint", "canary")
        .header("ce-protocol", "seldon")
        .header("content-type", "application/json")
        .body(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_the_executor_become_predictions_and_feedback_their_outcomes() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let request = json!({"data": {"names": ["age", "job"], "ndarray": [[39, "clerk"], [50, "smith"]]}});
    let answer = json!({"meta": {"puid": "r7"}, "data": {"names": ["t:0"], "tensor": {"shape": [2, 1], "values": [0.25, 0.75]}}});
    acknowledged(executor(&collector, "a", "inference.request", request.to_string())).await;
    acknowledged(executor(&collector, "b", "inference.response", answer.to_string())).await;
    let feedback = json!({"response": answer, "truth": {"data": {"ndarray": [0, 1]}}, "reward": 1});
    acknowledged(executor(&collector, "c", "feedback", feedback.to_string())).await;
    stored(&store, 2).await;
    let found = "SELECT id, model, environment, numbers['feature.age'], categories['feature.job'], \
                 numbers['prediction.t:0'] FROM predictions ORDER BY id";
    let expected =
        "r7-0\tincome.classifier\tcanary\t39\tclerk\t0.25\nr7-1\tincome.classifier\tcanary\t50\tsmith\t0.75";
    assert_eq!(text(&store, found).await, expected);
    let outcomes =
        "SELECT id, model, numbers['outcome.value'], numbers['outcome.reward'] FROM outcomes ORDER BY id";
    eventually("the outcomes are stored", async || !text(&store, outcomes).await.is_empty()).await;
    assert_eq!(text(&store, outcomes).await, "r7-0\tincome.classifier\t0\t1\nr7-1\tincome.classifier\t1\t1");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mlserver_writes_another_version_and_v2_bodies() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let event = |kind: &str, body: serde_json::Value| {
        collector
            .post("/")
            .header("Ce-Id", "m1")
            .header("Ce-Specversion", "0.3")
            .header("Ce-Source", "io.seldon.serving.deployment.mlserver.models")
            .header("Ce-Type", format!("io.seldon.serving.inference.{kind}"))
            .header("Ce-Requestid", "m1")
            .header("Ce-Modelid", "wine")
            .header("Ce-Inferenceservicename", "wine")
            .json(&body)
    };
    let inputs = json!({"id": "m1", "parameters": {"content_type": "pd"}, "inputs": [
        {"name": "acid", "shape": [1, 1], "datatype": "FP64", "data": [7.4]},
        {"name": "kind", "shape": [1, 1], "datatype": "BYTES", "data": ["red"], "parameters": {"content_type": "str"}}]});
    let outputs = json!({"model_name": "wine", "model_version": "v2", "id": "m1",
        "outputs": [{"name": "predict", "shape": [1, 1], "datatype": "INT64", "data": [5]}]});
    acknowledged(event("request", inputs)).await;
    acknowledged(event("response", outputs)).await;
    stored(&store, 1).await;
    let found = "SELECT id, model, version, numbers['feature.acid'], categories['feature.kind'], \
                 numbers['prediction.predict'] FROM predictions";
    assert_eq!(text(&store, found).await, "m1\twine\tv2\t7.4\tred\t5");
    let unknown = event("request", json!({})).header("ce-specversion", "2.0");
    assert_eq!(send(unknown).await.status, 400);
    collector.stop().await;
}
