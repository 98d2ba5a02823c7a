//! OTLP logs over HTTP: both encodings, what is answered, and what is stored.

use std::collections::BTreeMap;

use collector::Config;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message as _;
use serde_json::{Value, json};
use tests::{fresh_store, text};

use crate::running::Running;

fn request(ids: &[&str]) -> Value {
    let attribute = |key: &str, value: Value| json!({"key": key, "value": value});
    let record = |id: &&str| {
        json!({"attributes": [
            attribute("leeway.id", json!({"stringValue": id})),
            attribute("leeway.feature.amount", json!({"doubleValue": 12.5})),
            attribute("leeway.feature.country", json!({"stringValue": "BR"})),
            attribute("leeway.prediction.score", json!({"doubleValue": 0.93})),
        ]})
    };
    let records: Vec<Value> = ids.iter().map(record).collect();
    let resource = json!({"attributes": [attribute("leeway.model", json!({"stringValue": "fraud"}))]});
    json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
}

fn protobuf(request: &Value) -> Vec<u8> {
    let message: ExportLogsServiceRequest = serde_json::from_value(request.clone()).expect("a request");
    message.encode_to_vec()
}

async fn post(collector: &Running, content_type: &str, body: Vec<u8>) -> reqwest::Response {
    let request = collector.post("/v1/logs").header("content-type", content_type).body(body);
    request.send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn records_in_both_encodings_are_stored_when_they_are_answered() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let answer = post(&collector, "application/json", request(&["a", "b"]).to_string().into_bytes()).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.expect("a body"), "{}");
    let answer = post(&collector, "application/x-protobuf", protobuf(&request(&["c"]))).await;
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["content-type"].to_str().ok()),
        (200, Some("application/x-protobuf"))
    );
    assert!(answer.bytes().await.expect("a body").is_empty(), "an empty message");
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&protobuf(&request(&["d"]))).expect("packed");
        encoder.finish().expect("packed")
    };
    let gzip = collector.post("/v1/logs").header("content-type", "application/x-protobuf").body(packed);
    let answer = gzip.header("content-encoding", "gzip").send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let found = "SELECT groupArray(id), any(model), any(source), sum(numbers['feature.amount']) FROM \
                 (SELECT * FROM predictions ORDER BY id)";
    assert_eq!(text(&store, found).await, "['a','b','c','d']\tfraud\totlp\t50");
    let counted = "SELECT sum(n) FROM signal_moments WHERE signal = 'prediction.score' AND segment = ''";
    assert_eq!(text(&store, counted).await, "4");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_counted_in_the_answer_and_written_down() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let mut mixed = request(&["a", "bad"]);
    let records = mixed["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array_mut().expect("records");
    records[1]["attributes"][1]["key"] = json!("leeway.featur.amount");
    records.push(json!({"body": {"stringValue": "GET /"}}));
    records.push(json!({"attributes": [{"key": "leeway.tag.a", "value": {"stringValue": "b"}}]}));
    let answer = post(&collector, "application/json", mixed.to_string().into_bytes()).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], "3", "{body}");
    assert!(
        body["partialSuccess"]["errorMessage"].as_str().unwrap_or("").contains("leeway.featur.amount"),
        "{body}"
    );
    let answer = post(&collector, "application/x-protobuf", protobuf(&mixed)).await;
    let body = ExportLogsServiceResponse::decode(answer.bytes().await.expect("a body")).expect("a response");
    assert_eq!(body.partial_success.expect("partial").rejected_log_records, 3);
    collector.stop().await;
    let reasons = text(&store, "SELECT reason FROM rejected_events").await;
    for part in ["is no attribute of ours", "send at least one of them", "2 log records"] {
        assert!(reasons.contains(part), "{part}: {reasons}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evaluation_of_an_answer_becomes_its_outcome() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let attribute = |key: &str, value: Value| json!({"key": key, "value": value});
    let record = json!({"eventName": "gen_ai.evaluation.result", "attributes": [
        attribute("gen_ai.evaluation.name", json!({"stringValue": "groundedness"})),
        attribute("gen_ai.evaluation.score.value", json!({"doubleValue": 0.75})),
        attribute("gen_ai.response.id", json!({"stringValue": "r1"})),
        attribute("gen_ai.response.model", json!({"stringValue": "writer"})),
    ]});
    let request = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let answer = post(&collector, "application/json", request.to_string().into_bytes()).await;
    assert_eq!(answer.text().await.expect("a body"), "{}");
    let found = "SELECT id, model, numbers['outcome.groundedness'], source FROM outcomes";
    assert_eq!(text(&store, found).await, "r1\twriter\t0.75\totlp");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_written_as_the_request_was() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let answer = post(&collector, "application/x-protobuf", vec![0xff; 10]).await;
    assert_eq!(answer.status(), 400);
    let body = answer.bytes().await.expect("a body");
    // Field 2 of google.rpc.Status, a string.
    assert_eq!(body.first(), Some(&0x12));
    assert!(String::from_utf8_lossy(&body).contains("ExportLogsServiceRequest in protobuf"), "{body:?}");
    let answer = post(&collector, "application/json", b"[]".to_vec()).await;
    assert_eq!(answer.status(), 400);
    assert!(
        answer.json::<Value>().await.expect("JSON")["message"].as_str().unwrap_or("").contains("in JSON")
    );
    assert_eq!(post(&collector, "text/plain", Vec::new()).await.status(), 415);
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_exporters_are_told_when_to_come_back() {
    let url = format!("http://127.0.0.1:{}", tests::free_port());
    let store = sql::Store::connect(&sql::Config { url, ..sql::Config::default() }).expect("a configuration");
    let limits = collector::config::Limits { answer_within_s: 1, ..Default::default() };
    let collector =
        Running::start_with(&store, Config { limits, ..Config::default() }, BTreeMap::new()).await;
    for _ in 0..2 {
        let answer = post(&collector, "application/x-protobuf", protobuf(&request(&["a"]))).await;
        assert_eq!(answer.status(), 503);
        assert!(answer.headers().contains_key("retry-after"));
    }
    collector.crash();
}
