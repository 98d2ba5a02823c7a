use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message as _;
use serde_json::{Value, json};

use super::*;

/// A request in JSON, and the same in protobuf.
fn both(request: &Value) -> [(Vec<u8>, Encoding); 2] {
    let text = request.to_string();
    let message: ExportLogsServiceRequest = serde_json::from_str(&text).expect("a request");
    [(text.into_bytes(), Encoding::Json), (message.encode_to_vec(), Encoding::Protobuf)]
}

fn request(resource: Value, records: Value) -> Value {
    json!({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"logRecords": records}]}]})
}

fn attribute(key: &str, value: Value) -> Value {
    json!({"key": key, "value": value})
}

fn events(request: &Value) -> Lines {
    let [(text, json), (bytes, protobuf)] = both(request);
    let at = Instant::from_seconds(9);
    let found = lines(&text, json, at).expect("a request");
    assert_eq!(found, lines(&bytes, protobuf, at).expect("a request"), "both encodings mean the same");
    found
}

fn one(lines: &str) -> Value {
    serde_json::from_str(lines.trim_end()).expect("one event")
}

#[test]
fn documented_attributes_become_a_prediction() {
    let record = json!({"timeUnixNano": "1763661600123000000", "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "attributes": [
        attribute("leeway.model", json!({"stringValue": "fraud"})),
        attribute("leeway.id", json!({"stringValue": "7"})),
        attribute("leeway.feature.amount", json!({"doubleValue": 12.5})),
        attribute("leeway.feature.place", json!({"kvlistValue": {"values": [attribute("city", json!({"stringValue": "Lima"}))]}})),
        attribute("leeway.feature.vector", json!({"arrayValue": {"values": [{"doubleValue": 1.5}, {"intValue": "2"}]}})),
        attribute("leeway.prediction", json!({"doubleValue": 0.93})),
        attribute("leeway.tag.region", json!({"stringValue": "eu"})),
        attribute("feature_flag.key", json!({"stringValue": "ranker"})),
        attribute("feature_flag.result.variant", json!({"stringValue": "b"})),
        attribute("http.route", json!({"stringValue": "/score"})),
    ]});
    let resource = json!([
        attribute("leeway.model", json!({"stringValue": "other"})),
        attribute("leeway.version", json!({"stringValue": "3"})),
        attribute("deployment.environment.name", json!({"stringValue": "staging"})),
    ]);
    let found = events(&request(resource, json!([record])));
    assert_eq!(
        one(&found.predictions),
        json!({
            "model": "fraud", "version": "3", "environment": "staging", "id": "7",
            "timestamp": "2025-11-20T18:00:00.123Z", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
            "features": {"amount": 12.5, "place": {"city": "Lima"}, "vector": [1.5, 2]},
            "prediction": {"value": 0.93},
            "tags": {"region": "eu", "feature_flag.ranker": "b"},
        })
    );
}

#[test]
fn an_evaluation_is_an_outcome_of_the_response_that_it_is_about() {
    let record = json!({"eventName": "gen_ai.evaluation.result", "observedTimeUnixNano": "1000000000", "attributes": [
        attribute("gen_ai.evaluation.name", json!({"stringValue": "groundedness"})),
        attribute("gen_ai.evaluation.score.value", json!({"doubleValue": 0.75})),
        attribute("gen_ai.evaluation.score.label", json!({"stringValue": "pass"})),
        attribute("gen_ai.evaluation.explanation", json!({"stringValue": "because"})),
        attribute("gen_ai.response.id", json!({"stringValue": "r1"})),
        attribute("gen_ai.request.model", json!({"stringValue": "writer"})),
    ]});
    let found = events(&request(json!([]), json!([record])));
    assert_eq!(
        one(&found.outcomes),
        json!({"model": "writer", "id": "r1", "timestamp": "1970-01-01T00:00:01Z",
        "outcome": {"groundedness": 0.75, "groundedness.label": "pass"}})
    );
}

#[test]
fn other_records_are_counted_and_contradictory_ones_refused() {
    let with = |attributes: Value| json!({"attributes": attributes});
    let model = || attribute("leeway.model", json!({"stringValue": "m"}));
    let records = json!([
        with(json!([attribute("http.route", json!({"stringValue": "/"}))])),
        {"body": {"stringValue": "hello"}},
        with(json!([model(), attribute("leeway.featur.a", json!({"intValue": "1"}))])),
        with(json!([model(), attribute("leeway.feature.a", json!({"bytesValue": "AA=="}))])),
        with(json!([model(), model()])),
        with(json!([model(), attribute("leeway.feature.a", json!({"intValue": "1"})), attribute("leeway.outcome.a", json!({"intValue": "1"}))])),
    ]);
    let found = events(&request(json!([]), records));
    assert_eq!((found.records, found.others), (6, Passed(2)));
    let fields: Vec<&str> = found.refused.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["leeway.featur.a", "leeway.feature.a", "leeway.model", "outcome"]);
    assert!(found.refused[0].1.contains("leeway.feature.<name>"));
}

#[test]
fn what_is_no_request_is_refused() {
    let at = Instant::EPOCH;
    for body in [b"\xff".as_slice(), b"\x0a\x7f", b"\x0a\x02\x12\x05"] {
        assert!(lines(body, Encoding::Protobuf, at).is_err(), "{body:?}");
    }
    for body in ["", "[]", r#"{"resourceLogs": 1}"#, r#"{"resourceLogs": [], "resourceLogs": []}"#] {
        assert!(lines(body.as_bytes(), Encoding::Json, at).is_err(), "{body}");
    }
    assert_eq!(lines(b"", Encoding::Protobuf, at).expect("an empty request").records, 0);
    assert_eq!(lines(b"{}", Encoding::Json, at).expect("an empty request").records, 0);
}

#[test]
fn a_record_that_is_too_large_is_refused_by_itself() {
    let text = "x".repeat(2 << 20);
    let records = json!([{"body": {"stringValue": text}}, {"body": {"stringValue": "short"}}]);
    let found = events(&request(json!([]), records));
    assert_eq!((found.refused.len(), found.others), (1, Passed(1)));
}
