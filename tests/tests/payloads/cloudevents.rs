//! CloudEvents in structured and batch mode: our own events, and payloads by their type.

use serde_json::{Value, json};
use tests::{fresh_store, text};

use crate::running::{Running, event, send};
use crate::sent::{inputs, outputs, stored};

fn ours(id: &str, kind: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "shop", "type": format!("io.leeway.{kind}"),
        "datacontenttype": "application/json", "data": data})
}

fn payload(part: &str, data: &str) -> Value {
    json!({"specversion": "1.0", "id": "p", "source": "s", "type": format!("org.kubeflow.serving.inference.{part}"),
        "inferenceservicename": "iris", "data": serde_json::from_str::<Value>(data).expect("JSON")})
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_our_own_is_stored_when_it_is_answered() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let post = |body: &Value| {
        let request = collector.post("/v1/cloudevents").body(body.to_string());
        request.header("content-type", "application/cloudevents+json; charset=utf-8")
    };
    let answer = send(post(&ours("1", "prediction", &event("fraud", 1)))).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(1)), "{answer:?}");
    assert_eq!(text(&store, "SELECT id, source FROM predictions").await, "fraud-1\tcloudevents");
    let outcome = json!({"id": "fraud-1", "model": "fraud", "outcome": 1});
    assert_eq!(send(post(&ours("2", "outcome", &outcome))).await.status, 200);
    assert_eq!(text(&store, "SELECT id, source FROM outcomes").await, "fraud-1\tcloudevents");
    let answer = send(post(&ours("3", "prediction", &json!({"model": "fraud"})))).await;
    assert_eq!(
        (answer.status, &answer.body["rejected"][0]["field"]),
        (400, &json!("features")),
        "{answer:?}"
    );
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_may_mix_everything_and_one_bad_event_is_refused_by_its_index() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let batch = json!([
        ours("1", "prediction", &event("fraud", 1)),
        {"specversion": "1.0", "id": "no source", "type": "x"},
        payload("request", &inputs(2)),
        payload("response", &outputs(2)),
        ours("2", "prediction", &json!({"model": "fraud", "features": {"a": []}, "featurs": {}})),
        ours("3", "outcome", &json!({"id": "fraud-1", "model": "fraud", "outcome": 1})),
    ]);
    let request = collector.post("/").body(batch.to_string());
    let answer = send(request.header("content-type", "application/cloudevents-batch+json")).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(4)), "{answer:?}");
    let rejected: Vec<(&Value, &Value)> = answer.body["rejected"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|rejected| (&rejected["index"], &rejected["field"]))
        .collect();
    assert_eq!(rejected, [(&json!(1), &json!("source")), (&json!(4), &json!("featurs"))]);
    stored(&store, 3).await;
    assert_eq!(text(&store, "SELECT id FROM predictions ORDER BY id").await, "fraud-1\np-0\np-1");
    collector.stop().await;
    assert_eq!(text(&store, "SELECT count() FROM rejected_events").await, "2");
}
