//! KServe's logger: V1 and V2 bodies, pairs and halves, and what is not taken.

use std::collections::BTreeMap;
use std::io::Write;

use collector::Config;
use collector::config::{EnvironmentFrom, Payloads, Scope, Token};
use domain::contract::Contract;
use serde_json::json;
use service::Secret;
use tests::{eventually, fresh_store, text};

use crate::running::{Running, send};
use crate::sent::{acknowledged, impatient, inputs, kserve, outputs, stored, with};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).expect("packed");
    encoder.finish().expect("packed")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_instances_becomes_a_prediction_each_with_all_that_is_known_about_it() {
    let store = fresh_store().await;
    let settings = Payloads { metadata_tags: vec!["x-region".to_owned()], ..Payloads::default() };
    let collector = Running::start_with(&store, with(settings), BTreeMap::new()).await;
    let now = domain::time::Clock::System.now();
    let later = now.saturating_add(std::time::Duration::from_millis(25));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let metadata = r#"{"X-Region":["eu"],"Cookie":["c"]}"#;
    let request = kserve(&collector, "7", "request", inputs(3)).header("ce-time", now.to_string());
    acknowledged(request.header("traceparent", "x").header("ce-metadata", metadata)).await;
    let response = kserve(&collector, "7", "response", outputs(3)).header("ce-time", later.to_string());
    acknowledged(response.header("ce-traceparent", trace)).await;
    stored(&store, 3).await;
    let columns = [
        ("model, version, environment, source, error", "iris\t3\tproduction\tpayloads\t"),
        ("id", "7-1"),
        ("toUnixTimestamp64Milli(timestamp)", &now.millis().to_string()),
        ("numbers['feature.width'], numbers['prediction.score']", "1.5\t0.3333333333333333"),
        ("categories['feature.colour'], numbers['latency_ms']", "blue\t25"),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("tags['namespace'], tags['component'], tags['endpoint']", "flowers\tpredictor\tdefault"),
        ("tags['x-region'], mapContains(tags, 'cookie')", "eu\t0"),
    ];
    for (columns, expected) in columns {
        let statement = format!("SELECT {columns} FROM predictions WHERE id = '7-1'");
        assert_eq!(text(&store, &statement).await, expected, "{columns}");
    }
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "3");
    let moments = "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.width' AND segment = ''";
    assert_eq!(text(&store, moments).await, "3");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_comes_first_waits_for_its_request_and_one_that_comes_again_is_left_out() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    acknowledged(kserve(&collector, "1", "response", outputs(1))).await;
    acknowledged(kserve(&collector, "1", "request", inputs(1))).await;
    acknowledged(kserve(&collector, "1", "response", outputs(1))).await;
    stored(&store, 1).await;
    let both =
        "SELECT id, numbers['feature.width'], mapContains(numbers, 'prediction.score') FROM predictions";
    assert_eq!(text(&store, both).await, "1\t0.5\t1");
    // What was left out is told at the end at the latest.
    collector.stop().await;
    let told = text(&store, "SELECT model, reason FROM rejected_events").await;
    assert!(told.starts_with("iris\t1 payloads had come before"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_an_inference_is_stored_as_what_it_is_after_the_wait() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, impatient(), BTreeMap::new()).await;
    acknowledged(kserve(&collector, "asked", "request", inputs(2))).await;
    acknowledged(kserve(&collector, "told", "response", outputs(1))).await;
    stored(&store, 3).await;
    let halves = "SELECT id, mapContains(numbers, 'feature.width'), mapContains(numbers, 'prediction.score') \
                  FROM predictions ORDER BY id";
    assert_eq!(text(&store, halves).await, "asked-0\t1\t0\nasked-1\t1\t0\ntold\t0\t1");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn v1_bodies_take_their_names_from_the_contract() {
    let store = fresh_store().await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let contract =
        Contract { inputs: names(&["width", "height"]), outputs: names(&["species"]), ..Contract::default() };
    let contracts = BTreeMap::from([("iris".to_owned(), contract)]);
    let collector = Running::start_with(&store, impatient(), contracts).await;
    acknowledged(kserve(&collector, "1", "request", r#"{"instances": [[6.8, 2.8], [6.0, 3.4]]}"#)).await;
    acknowledged(kserve(&collector, "1", "response", r#"{"predictions": ["a", "b"]}"#)).await;
    acknowledged(kserve(&collector, "2", "request", r#"{"instances": [[6.8, 2.8, 1]]}"#)).await;
    stored(&store, 2).await;
    let rows = "SELECT numbers['feature.width'], numbers['feature.height'], categories['prediction.species'] \
                FROM predictions ORDER BY id";
    assert_eq!(text(&store, rows).await, "6.8\t2.8\ta\n6\t3.4\tb");
    let refused = "SELECT model, position, field, reason, payload FROM rejected_events";
    eventually("the misfit is written down", async || !text(&store, refused).await.is_empty()).await;
    let refused = text(&store, refused).await;
    assert_eq!(
        refused,
        "iris\t2\tinputs\tan instance has 3 values where inputs of the model's contract names 2\t{\"instances\": [[6.8, 2.8, 1]]}"
    );
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gzip_is_known_by_its_header_or_by_its_first_bytes() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let packed = gzip(&inputs(1));
    acknowledged(kserve(&collector, "1", "request", packed.clone()).header("content-encoding", "gzip")).await;
    acknowledged(kserve(&collector, "1", "response", gzip(&outputs(1)))).await;
    acknowledged(kserve(&collector, "2", "request", packed)).await;
    acknowledged(kserve(&collector, "2", "response", outputs(1))).await;
    stored(&store, 2).await;
    let whole = "SELECT count() FROM predictions WHERE numbers['feature.width'] = 0.5 \
                 AND mapContains(numbers, 'prediction.score')";
    assert_eq!(text(&store, whole).await, "2");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn component_endpoint_and_namespace_say_model_and_environment() {
    let store = fresh_store().await;
    let send_all = async |collector: &Running| {
        for (id, component, endpoint) in
            [("1", "predictor", "default"), ("2", "predictor", "canary"), ("3", "transformer", "default")]
        {
            let request = collector
                .post("/")
                .header("ce-specversion", "1.0")
                .header("ce-id", id)
                .header("ce-source", "s")
                .header("ce-type", "org.kubeflow.serving.inference.request")
                .header("ce-inferenceservicename", "iris")
                .header("ce-namespace", "staging")
                .header("ce-component", component)
                .header("ce-endpoint", endpoint)
                .body(inputs(1));
            acknowledged(request).await;
        }
    };
    let collector = Running::start_with(&store, impatient(), BTreeMap::new()).await;
    send_all(&collector).await;
    stored(&store, 3).await;
    let found = "SELECT id, model, environment FROM predictions ORDER BY id, model";
    let expected = "1\tiris\tproduction\n2\tiris\tcanary\n3\tiris-transformer\tproduction";
    assert_eq!(text(&store, found).await, expected);
    collector.stop().await;

    let other = fresh_store().await;
    let settings = Payloads {
        pair_within_s: 1,
        namespace_in_model: true,
        environment_from: EnvironmentFrom::Namespace,
        ..Payloads::default()
    };
    let collector = Running::start_with(&other, with(settings), BTreeMap::new()).await;
    send_all(&collector).await;
    stored(&other, 3).await;
    let found = "SELECT DISTINCT model, environment FROM predictions ORDER BY model";
    assert_eq!(text(&other, found).await, "staging.iris\tstaging\nstaging.iris-transformer\tstaging");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_is_refused_or_written_down_with_the_reason() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, impatient(), BTreeMap::new()).await;
    let answer = send(collector.post("/v1/kserve").body("{}")).await;
    assert_eq!(
        (answer.status, &answer.body["rejected"][0]["field"]),
        (400, &json!("specversion")),
        "{answer:?}"
    );
    let answer = send(kserve(&collector, "1", "explanation", "{}")).await;
    assert_eq!(answer.status, 400);
    let error = answer.body["rejected"][0]["error"].as_str().unwrap_or("");
    assert!(error.contains("known: org.kubeflow.serving.inference.request"), "{error}");
    let large = format!("{{\"instances\": [\"{}\"]}}", "x".repeat(5 << 20));
    let answer = send(kserve(&collector, "2", "request", large)).await;
    assert_eq!((answer.status, &answer.body["rejected"][0]["field"]), (400, &json!("data")), "{answer:?}");
    // Acknowledged at once, understood later.
    acknowledged(kserve(&collector, "3", "request", "no JSON")).await;
    acknowledged(kserve(&collector, "4", "request", r#"{"instances": [{"a": 1}, {"a\nb": 1}]}"#)).await;
    stored(&store, 1).await;
    let reasons = "SELECT groupArray(reason) AS reasons FROM rejected_events WHERE position IN ('3', '4 row 1') HAVING count() = 2";
    eventually("both are written down", async || !text(&store, reasons).await.is_empty()).await;
    let reasons = text(&store, reasons).await;
    assert!(reasons.contains("is no JSON object") && reasons.contains("control characters"), "{reasons}");
    collector.stop().await;
    // The three that were answered with 400 are written down as well.
    assert_eq!(text(&store, "SELECT count() FROM rejected_events").await, "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_answered_with_429_and_counted() {
    let store = fresh_store().await;
    let settings = Payloads {
        journal_bytes: 64 << 10,
        payload_bytes: 32 << 10,
        pair_within_s: 600,
        ..Payloads::default()
    };
    let collector = Running::start_with(&store, with(settings), BTreeMap::new()).await;
    let body = format!("{{\"instances\": [\"{}\"]}}", "x".repeat(20 << 10));
    let mut statuses = Vec::new();
    for n in 0..5 {
        statuses.push(send(kserve(&collector, &n.to_string(), "request", body.clone())).await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    collector.stop().await;
    let told = text(&store, "SELECT model, reason FROM rejected_events").await;
    assert!(told.starts_with("iris\t2 payloads did not fit") && told.contains("journal_bytes"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_may_stand_in_the_address_where_it_is_meant_for_it() {
    let store = fresh_store().await;
    let token = |name: &str, in_url| Token {
        name: name.to_owned(),
        token: Secret::new(name),
        scopes: vec![Scope::Predictions],
        models: vec!["iris".to_owned()],
        in_url,
        ..Token::default()
    };
    let tokens = vec![token("header", false), token("address", true)];
    let config = Config { tokens, ..impatient() };
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    let to = |path: &str, service: &str| {
        let request = collector.post(path).header("ce-specversion", "1.0").header("ce-id", path);
        let request = request.header("ce-source", "s").header("ce-inferenceservicename", service);
        request.header("ce-type", "org.kubeflow.serving.inference.request").body(inputs(1))
    };
    assert_eq!(send(to("/v1/kserve", "iris")).await.status, 401);
    assert_eq!(send(to("/v1/kserve?token=nobody", "iris")).await.status, 401);
    assert_eq!(send(to("/v1/kserve?token=header", "iris")).await.status, 403);
    assert_eq!(send(to("/v1/kserve?token=address", "other")).await.status, 403);
    assert_eq!(send(to("/v1/kserve?token=address", "iris")).await.status, 200);
    assert_eq!(send(to("/v1/kserve", "iris").bearer_auth("header")).await.status, 200);
    assert_eq!(send(collector.post("/v1/predictions?token=address").body("{}")).await.status, 401);
    stored(&store, 2).await;
    collector.stop().await;
}
