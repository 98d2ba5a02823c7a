//! Texts that are made to break parsers, pages and queries.

use serde_json::{Value, json};
use tests::{eventually, text};

use crate::victim::{Victim, reason, send};

#[tokio::test(flavor = "multi_thread")]
async fn what_no_event_may_hold_is_refused_with_the_reason() {
    let victim = Victim::start().await;
    let deep =
        format!("{{\"model\":\"m\",\"features\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let arrays = format!("{{\"model\":\"m\",\"features\":{{\"a\":{}", "[".repeat(1_000_000));
    let key = "k".repeat(1 << 20);
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (deep.into_bytes(), "no valid JSON"),
        (arrays.into_bytes(), "no valid JSON"),
        (format!(r#"{{"model":"m","features":{{"{key}":1}}}}"#).into_bytes(), "name longer than 256 bytes"),
        (format!(r#"{{"model":"{key}","features":{{"a":1}}}}"#).into_bytes(), "name longer than 256 bytes"),
        (format!(r#"{{"model":"m","{key}":1}}"#).into_bytes(), "is no field of an event"),
        (br#"{"model":"m","features":{"a\u0000b":1}}"#.to_vec(), "control characters"),
        (br#"{"model":"m\nn","features":{"a":1}}"#.to_vec(), "control characters"),
        (b"{\"model\":\"m\",\"features\":{\"\xff\xfe\":1}}".to_vec(), "UTF-8"),
        (b"{\"model\":\"m\",\"features\":{\"a\":\"\xc3\x28\"}}".to_vec(), "UTF-8"),
        (br#"{"model":"m","features":{"a":"\ud800"}}"#.to_vec(), "no valid JSON"),
        (br#"{"model":"m","features":{"a":1,"a":2}}"#.to_vec(), "comes twice"),
        (br#"{"model":"m","features":{"a.b":1,"a":{"b":2}}}"#.to_vec(), "comes twice"),
        (br#"{"model":"m","features":{"a":1e999}}"#.to_vec(), "no valid JSON"),
        (br#"{"model":"m","features":{"a":01}}"#.to_vec(), "no valid JSON"),
        (br#"{"model":"m","features":{"":1}}"#.to_vec(), "empty name"),
        (format!(r#"{{"model":"m","features":{{"a":"{key}"}}}}"#).into_bytes(), "is longer than 4096 bytes"),
        (br#"{"model":"m","features":{"a":1}"#.to_vec(), "no valid JSON"),
    ];
    for (body, expected) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let answer = send(victim.post("/v1/predictions").body(body)).await;
        assert_eq!(answer.status, 400, "{shown}: {answer:?}");
        assert!(reason(&answer).contains(expected), "{shown}: {answer:?}");
        assert!(answer.text.len() < 4_096, "an answer repeats no megabyte: {}", answer.text.len());
    }
    victim.still_serves().await;
    victim.stop().await;
}

/// Names that are good ones, however they look.
const NAMES: [&str; 7] = [
    "it's \"quoted\"",
    "back\\slash",
    "prix d'été 🚲",
    "'; DROP TABLE predictions; --",
    "<script>",
    "{a:String}",
    "a?b%c",
];

#[tokio::test(flavor = "multi_thread")]
async fn odd_names_and_values_are_stored_and_counted_as_they_are() {
    let victim = Victim::start().await;
    let features: Value = NAMES.iter().map(|name| ((*name).to_owned(), json!(*name))).collect();
    let event = json!({"id": NAMES[0], "model": NAMES[3], "version": NAMES[2], "environment": NAMES[4],
        "features": features, "prediction": {NAMES[1]: 0.5}, "tags": {NAMES[5]: "a\u{0}\nb"}});
    let answer = send(victim.post("/v1/predictions").json(&event)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let inputs = json!({"instances": [{"a'b": "x\n\"y", "🚲": 1}]});
    let payload = victim.post_as_usual("/v1/kserve").body(inputs.to_string());
    assert_eq!(send(payload).await.status, 200);
    let stored =
        victim.store.ask("SELECT * FROM predictions WHERE model != 'honest' AND model != 'm'", "JSONEachRow");
    let row: Value = serde_json::from_slice(&stored.await.expect("answered")).expect("a row");
    assert_eq!(
        (&row["id"], &row["model"], &row["environment"]),
        (&json!(NAMES[0]), &json!(NAMES[3]), &json!(NAMES[4]))
    );
    for name in NAMES {
        assert_eq!(row["categories"][format!("feature.{name}")], json!(name), "{name}");
    }
    assert_eq!(row["tags"][NAMES[5]], json!("a\u{0}\nb"));
    let counted = "SELECT sum(events) FROM traffic_minutes WHERE model LIKE '%DROP TABLE%'";
    assert_eq!(text(&victim.store, counted).await, "1");
    let features =
        "SELECT count() FROM predictions WHERE model = 'm' AND categories['feature.a\\'b'] = 'x\\n\"y'";
    eventually("the payload is stored", async || text(&victim.store, features).await == "1").await;
    victim.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_and_telemetry_that_are_made_to_break_parsers_are_refused() {
    let victim = Victim::start().await;
    let deep = "[".repeat(1_000_000);
    let structured = |body: String| {
        victim.post("/v1/cloudevents").header("content-type", "application/cloudevents+json").body(body)
    };
    let key = "k".repeat(1 << 20);
    let refused = [
        structured(format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{deep}"#)),
        structured(format!(r#"{{"specversion":"1.0","id":"{key}","source":"s","type":"t"}}"#)),
        structured(format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","{key}":"x"}}"#)),
        structured(format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"{key}"}}"#)),
        structured(r#"{"specversion":"1.0","id":"1","id":"2","source":"s","type":"t"}"#.to_owned()),
        victim.post_as_usual("/v1/logs").body(format!(r#"{{"resourceLogs":{deep}"#)),
        victim.post_as_usual("/v1/logs").body(vec![0xff; 100]),
        victim.post("/v1/logs").header("content-type", "application/x-protobuf").body([0x0a].repeat(100_001)),
        victim.post("/v1/kserve").header("ce-id", "x".repeat(2_000)).header("ce-specversion", "1.0"),
        victim.post("/v1/kserve").header("ce-id", "%ff").header("ce-specversion", "1.0"),
    ];
    for (n, request) in refused.into_iter().enumerate() {
        let answer = send(request).await;
        assert_eq!(answer.status, 400, "{n}: {answer:?}");
        assert!(!reason(&answer).is_empty() && answer.text.len() < 4_096, "{n}: {}", answer.text.len());
    }
    // Acknowledged unread, written down later.
    let bodies = [
        format!(r#"{{"instances":{deep}"#).into_bytes(),
        br#"{"instances":[1e999]}"#.to_vec(),
        b"{\"instances\":[\"\xff\"]}".to_vec(),
        br#"{"inputs":[{"name":"a","shape":[18446744073709551615],"datatype":"FP32","data":[]}]}"#.to_vec(),
        br#"{"inputs":[{"name":"a","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":99}}]}"#
            .to_vec(),
    ];
    let n = bodies.len();
    for body in bodies {
        assert_eq!(send(victim.post_as_usual("/v1/kserve").body(body)).await.status, 200);
    }
    let written = "SELECT count() FROM rejected_events WHERE model = 'm' AND reason != ''";
    eventually("all are written down", async || text(&victim.store, written).await == n.to_string()).await;
    victim.still_serves().await;
    victim.stop().await;
}
