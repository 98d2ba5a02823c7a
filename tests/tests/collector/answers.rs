//! Every answer a sender can get, and what stands in the store after it.

use std::collections::BTreeMap;
use std::io::Write;

use collector::Config;
use collector::config::{Limits, Scope, Token};
use serde_json::{Value, json};
use service::Secret;
use tests::{fresh_store, text};

use crate::running::{Running, event, events, send};

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_event_of_ten_thousand_is_refused_by_itself() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let mut body = events("fraud", 0..10_000);
    body[1_234]["features"]["amount"] = json!([1, "two"]);
    let answer = collector.predictions(&body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.body["accepted"], 9_999);
    let rejected = &answer.body["rejected"];
    assert_eq!(rejected.as_array().map(Vec::len), Some(1));
    assert_eq!(rejected[0]["index"], 1_234);
    assert_eq!(rejected[0]["field"], "features.amount");
    assert!(rejected[0]["error"].as_str().expect("a reason").contains("mixes numbers and strings"));

    assert_eq!(text(&store, "SELECT count(), uniqExact(id) FROM predictions").await, "9999\t9999");
    let refused =
        text(&store, "SELECT model, kind, source, position, field, reason, payload FROM rejected_events")
            .await;
    assert!(refused.starts_with("fraud\tprediction\thttp\t1234\tfeatures.amount\tmixes"), "{refused}");
    assert!(refused.contains("fraud-1234"), "{refused}");
    let traffic = "SELECT sum(events), sum(errors) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "9999\t0");
    let moments = "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.day.hour' AND segment = ''";
    assert_eq!(text(&store, moments).await, "9999");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_stored_as_it_was_sent() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let now = domain::time::Clock::System.now();
    let earlier = now.saturating_sub(std::time::Duration::from_secs(90));
    let sent = json!({
        "id": "7f3c", "model": "fraud", "version": "2026-11-01", "environment": "canary",
        "timestamp": now.to_string(), "latency_ms": 12.7, "error": "timed out", "trace_id": "abc",
        "features": {"amount": 12.5, "country": "BR", "new_device": true, "age_days": null, "ratio": "NaN",
            "address": {"city": "São Paulo"}, "embedding": [3.0, 4.0], "chosen": ["a", "b"]},
        "prediction": {"score": 0.93, "decision": "review"},
        "tags": {"region": "us-east", "canary": true},
        "feature_timestamps": {"amount": earlier.to_string()},
        "attributions": {"amount": 0.12},
    });
    let answer = collector.predictions(&[sent]).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(1)), "{:?}", answer.body);
    let columns = [
        (
            "id, version, environment, error, trace_id, source",
            "7f3c\t2026-11-01\tcanary\ttimed out\tabc\thttp",
        ),
        ("toUnixTimestamp64Milli(timestamp)", &now.millis().to_string()),
        ("numbers['feature.amount'], numbers['latency_ms'], numbers['age_s.amount']", "12.5\t12.7\t90"),
        ("numbers['attribution.amount'], numbers['prediction.score']", "0.12\t0.93"),
        ("isNaN(numbers['feature.ratio']), mapContains(numbers, 'feature.age_days')", "1\t0"),
        ("numbers['feature.embedding.norm'], numbers['feature.embedding.length']", "5\t2"),
        ("categories['feature.country'], categories['feature.new_device']", "BR\ttrue"),
        ("categories['feature.address.city'], categories['prediction.decision']", "São Paulo\treview"),
        ("vectors['feature.embedding'], lists['feature.chosen']", "[3,4]\t['a','b']"),
        ("tags['region'], tags['canary']", "us-east\ttrue"),
    ];
    for (columns, expected) in columns {
        assert_eq!(text(&store, &format!("SELECT {columns} FROM predictions")).await, expected, "{columns}");
    }
    let outcome = json!({"id": "7f3c", "model": "fraud", "outcome": {"decision": "fraud", "loss": 20}});
    assert_eq!(collector.outcomes(&[outcome]).await.status, 200);
    let stored = "SELECT id, categories['outcome.decision'], numbers['outcome.loss'] FROM outcomes";
    assert_eq!(text(&store, stored).await, "7f3c\tfraud\t20");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_come_as_object_array_or_lines_plain_or_packed() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    // Each has events of its own: those of another request would be taken for repetitions.
    let lines = |model: &str| -> String { (0..50).map(|n| format!("{}\n", event(model, n))).collect() };
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(lines("gzip").as_bytes()).expect("packed");
        encoder.finish().expect("packed")
    };
    let zstd = zstd::encode_all(lines("zstd").as_bytes(), 1).expect("packed");
    let post = |model: &str| collector.post("/v1/predictions").header("x-request-id", format!("id-{model}"));
    let ndjson = |request: reqwest::RequestBuilder| request.header("content-type", "application/x-ndjson");
    let requests = [
        post("one").json(&event("one", 0)),
        post("array").json(&events("array", 0..50)),
        ndjson(post("lines")).body(lines("lines")),
        post("unstated").body(lines("unstated")),
        ndjson(post("gzip")).header("content-encoding", "gzip").body(gzip),
        ndjson(post("zstd")).header("content-encoding", "zstd").body(zstd),
    ];
    for (request, accepted) in requests.into_iter().zip([1, 50, 50, 50, 50, 50]) {
        let answer = send(request).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(accepted)), "{answer:?}");
        assert!(answer.request_id.expect("an id").starts_with("id-"));
    }
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "251");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_of_events_is_refused_as_a_whole() {
    let store = fresh_store().await;
    let limits = Limits { body_bytes: 10_000, unpacked_bytes: 50_000, ..Limits::default() };
    let collector =
        Running::start_with(&store, Config { limits, ..Config::default() }, BTreeMap::new()).await;
    let post = || collector.post("/v1/predictions");
    let bomb = zstd::encode_all(vec![b' '; 10_000_000].as_slice(), 1).expect("packed");
    let gzip_bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 5_000_000]).expect("packed");
        encoder.finish().expect("packed")
    };
    let cases: Vec<(u16, &str, reqwest::RequestBuilder)> = vec![
        (400, "is empty", post().body("  ")),
        (400, "begins with", post().body("hello")),
        (400, "does not end", post().body("[{\"model\": \"m\"}")),
        (400, "cannot be unpacked", post().header("content-encoding", "gzip").body("no gzip")),
        (413, "larger than 10000", post().body("x".repeat(10_001))),
        (413, "unpacks to more than 50000", post().header("content-encoding", "zstd").body(bomb)),
        (413, "unpacks to more than 50000", post().header("content-encoding", "gzip").body(gzip_bomb)),
        (415, "content type", post().header("content-type", "application/xml").body("<a/>")),
        (415, "content encoding", post().header("content-encoding", "br").body("x")),
    ];
    for (status, error, request) in cases {
        let answer = send(request).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body["error"].as_str().unwrap_or("").contains(error), "{answer:?}");
    }
    assert_eq!(send(collector.post("/v1/nothing").body("{}")).await.status, 404);
    let answer = collector.predictions(&[json!({"model": "m"}), json!({"features": {"a": 1}})]).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (400, &json!(0)));
    let reasons = text(&store, "SELECT count(), countIf(reason = '') FROM rejected_events").await;
    assert_eq!(reasons, "5\t0", "three bodies and two events were refused");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_allow_what_their_scopes_and_models_say() {
    let store = fresh_store().await;
    let token = |name: &str, scope: Scope, models: &[&str]| Token {
        name: name.to_owned(),
        token: Secret::new(name),
        scopes: vec![scope],
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        ..Token::default()
    };
    let tokens = vec![token("writer", Scope::Predictions, &["fraud"]), token("judge", Scope::Outcomes, &[])];
    let collector =
        Running::start_with(&store, Config { tokens, ..Config::default() }, BTreeMap::new()).await;
    let as_who = |who: Option<&str>, events: &[Value]| {
        let request = collector.post("/v1/predictions").json(&events);
        send(match who {
            Some(who) => request.bearer_auth(who),
            None => request,
        })
    };
    assert_eq!(as_who(None, &events("fraud", 0..1)).await.status, 401);
    assert_eq!(as_who(Some("nobody"), &events("fraud", 0..1)).await.status, 401);
    assert_eq!(as_who(Some("judge"), &events("fraud", 0..1)).await.status, 403);
    assert_eq!(as_who(Some("writer"), &events("churn", 0..1)).await.status, 403);
    assert_eq!(as_who(Some("writer"), &events("fraud", 0..1)).await.status, 200);
    let answer = as_who(Some("writer"), &[event("fraud", 1), event("churn", 1)]).await;
    assert_eq!((answer.status, &answer.body["rejected"][0]["field"]), (200, &json!("model")));
    assert_eq!(text(&store, "SELECT count(), any(model) FROM predictions").await, "2\tfraud");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_collector_asks_its_senders_to_wait() {
    let store = fresh_store().await;
    let kib = 1 << 10;
    let limits = Limits {
        body_bytes: 64 * kib,
        unpacked_bytes: 64 * kib,
        waiting_bytes: 64 * kib,
        room_within_ms: 0,
        ..Limits::default()
    };
    let batch = collector::config::Batch { age_ms: 1_000, ..Config::default().batch };
    let config = Config { limits, batch, ..Config::default() };
    let collector = Running::start_with(&store, config.clone(), BTreeMap::new()).await;
    let bodies: Vec<Vec<Value>> = (0..7).map(|n| events("full", n * 150..(n + 1) * 150)).collect();
    let requests = bodies[..6].iter().map(|body| collector.predictions(body));
    let answers = futures_util::future::join_all(requests).await;
    let (taken, full): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
    assert!(!taken.is_empty() && !full.is_empty(), "{taken:?} {full:?}");
    assert!(full.iter().all(|answer| answer.status == 429 && answer.retry_after.is_some()), "{full:?}");
    let stored = text(&store, "SELECT count() FROM predictions").await;
    assert_eq!(stored, (taken.len() * 150).to_string());
    assert_eq!(collector.predictions(&bodies[6]).await.status, 200);
    collector.stop().await;

    // With patience they wait for room instead, unread.
    let limits = Limits { room_within_ms: 20_000, ..config.limits };
    let patient = Running::start_with(&store, Config { limits, ..config }, BTreeMap::new()).await;
    let bodies: Vec<Vec<Value>> = (0..6).map(|n| events("patient", n * 150..(n + 1) * 150)).collect();
    let answers = futures_util::future::join_all(bodies.iter().map(|body| patient.predictions(body))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    patient.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_future_events_are_refused_with_the_reason() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let at = |timestamp: &str| {
        let mut event = event("late", 1);
        event["timestamp"] = json!(timestamp);
        event
    };
    let answer = collector
        .predictions(&[at("1999-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z"), at("yesterday")])
        .await;
    assert_eq!(answer.status, 400);
    for (index, part) in
        ["older than events are kept", "in the future", "is not RFC 3339"].into_iter().enumerate()
    {
        let rejected = &answer.body["rejected"][index];
        assert_eq!(rejected["field"], "timestamp");
        assert!(rejected["error"].as_str().unwrap_or("").contains(part), "{rejected}");
    }
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_store_is_away_senders_are_told_to_come_back() {
    let nobody =
        sql::Config { url: format!("http://127.0.0.1:{}", tests::free_port()), ..sql::Config::default() };
    let store = sql::Store::connect(&nobody).expect("a sound configuration");
    let limits = Limits { answer_within_s: 1, ..Limits::default() };
    let collector =
        Running::start_with(&store, Config { limits, ..Config::default() }, BTreeMap::new()).await;
    for _ in 0..2 {
        let answer = collector.predictions(&events("away", 0..10)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some(), "{answer:?}");
    }
    collector.crash();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let store = fresh_store().await;
    let limits = Limits { body_within_s: 1, ..Limits::default() };
    let collector =
        Running::start_with(&store, Config { limits, ..Config::default() }, BTreeMap::new()).await;
    let drip = futures_util::stream::unfold((), async |()| {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        Some((Ok::<_, std::io::Error>(" "), ()))
    });
    let answer = send(collector.post("/v1/predictions").body(reqwest::Body::wrap_stream(drip))).await;
    assert_eq!(answer.status, 408, "{answer:?}");
    collector.stop().await;
}
