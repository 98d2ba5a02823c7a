//! What holds for all events holds for those of payload logs: repetitions are told, quotas count, privacy is kept.

use std::collections::BTreeMap;

use collector::Config;
use collector::config::{Quota, Scope, Token};
use domain::contract::Contract;
use serde_json::json;
use tests::{eventually, fresh_store, text};

use crate::running::{Running, send};
use crate::sent::{acknowledged, impatient, inputs, kserve, kserve_at, outputs, stored};

async fn pair(collector: &Running, id: &str) {
    acknowledged(kserve(collector, id, "request", inputs(2))).await;
    acknowledged(kserve(collector, id, "response", outputs(2))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inference_that_was_stored_before_is_left_out_and_counted_also_after_a_restart() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    pair(&collector, "1").await;
    stored(&store, 2).await;
    // The next process remembers no pairs, only what the store has.
    let spool = collector.crash();
    let collector = Running::start_on(&store, Config::default(), BTreeMap::new(), spool).await;
    pair(&collector, "1").await;
    pair(&collector, "2").await;
    stored(&store, 4).await;
    let by_http = json!([{"id": "2-0", "model": "iris", "version": "3", "features": {"width": 1}}]);
    assert_eq!(send(collector.post("/v1/predictions").json(&by_http)).await.status, 200);

    let told = "SELECT groupArray(source) FROM (SELECT source FROM rejected_events WHERE has(rules, 'duplicate') ORDER BY source)";
    assert_eq!(text(&store, told).await, "['http','payloads','payloads']");
    assert_eq!(text(&store, "SELECT count(), uniqExact(id) FROM predictions").await, "4\t4");
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "4");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_count_towards_their_tokens_quota_and_are_told_where_it_is_used_up() {
    let store = fresh_store().await;
    let (secret, hash) = service::token::fresh();
    let token = Token {
        name: "logger".to_owned(),
        hash,
        scopes: vec![Scope::Predictions],
        in_url: true,
        quota: Some(Quota { events_per_s: 0.001, burst: 3.0 }),
        ..Token::default()
    };
    let config = Config { tokens: vec![token], ..impatient() };
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    let path = format!("/v1/kserve?token={}", secret.expose());
    let mut statuses = Vec::new();
    for n in 0..5 {
        let answer = send(kserve_at(&path, &collector, &n.to_string(), "request", inputs(1))).await;
        assert_eq!(answer.retry_after.is_some(), answer.status == 429, "{answer:?}");
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    stored(&store, 3).await;
    collector.stop().await;
    let told = text(&store, "SELECT model, reason FROM rejected_events").await;
    assert!(told.starts_with("iris\t2 payloads were beyond the quota"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_counts_only_model_payload_logs_leave_counts_and_no_value() {
    let store = fresh_store().await;
    let contract: Contract = toml::from_str("[privacy]\ncounts_only = true").expect("a contract");
    let contracts = BTreeMap::from([("iris".to_owned(), contract)]);
    let config = Config {
        grids: collector::config::Grids {
            values: 2,
            lead_ms: 1_500,
            refresh_ms: 100,
            settle_ms: 300,
            ..Config::default().grids
        },
        ..Config::default()
    };
    let collector = Running::start_with(&store, config, contracts).await;
    pair(&collector, "1").await;
    eventually("the grids are made of what was in memory", async || {
        let made = "SELECT countIf(signal IN ('feature.width', 'feature.colour', 'prediction.score')) FROM grids FINAL WHERE recounted_at IS NOT NULL";
        text(&store, made).await == "3"
    })
    .await;
    pair(&collector, "2").await;
    stored(&store, 4).await;
    let kept =
        "SELECT countIf(empty(numbers) AND empty(categories) AND empty(tags) AND id != '') FROM predictions";
    assert_eq!(text(&store, kept).await, "4");
    let bins =
        "SELECT sum(n) FROM signal_minutes WHERE signal = 'feature.width' AND segment = '' AND bin >= 3";
    eventually("what came after the grid is counted", async || text(&store, bins).await == "2").await;
    collector.stop().await;
}
