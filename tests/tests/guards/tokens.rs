//! Tokens: what their scopes, models and quotas allow, and contracts that are stated with them.

use std::collections::BTreeMap;

use collector::Config;
use collector::config::{Quota, Scope, Token};
use serde_json::{Value, json};
use service::Secret;
use tests::{eventually, fresh_store, text};

use crate::contracts::contracts;
use crate::running::{Answer, Running, events, send};

fn token(name: &str, scopes: &[Scope], models: &[&str]) -> (Secret, Token) {
    let (secret, hash) = service::token::fresh();
    let token = Token {
        name: name.to_owned(),
        hash,
        scopes: scopes.to_vec(),
        models: models.iter().map(|model| (*model).to_owned()).collect(),
        ..Token::default()
    };
    (secret, token)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_known_by_its_hash_sends_what_its_scopes_and_models_allow() {
    let store = fresh_store().await;
    let (writer, known) = token("writer", &[Scope::Ingest], &["fraud"]);
    let (reader, other) = token("reader", &[Scope::Read, Scope::Act], &[]);
    let config = Config { tokens: vec![known, other], ..Config::default() };
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    let post = |who: &Secret, path: &str, body: Value| {
        send(collector.post(path).bearer_auth(who.expose()).json(&body))
    };
    assert_eq!(post(&writer, "/v1/predictions", json!(events("fraud", 0..3))).await.status, 200);
    let outcome = json!({"id": "fraud-0", "model": "fraud", "outcome": true});
    assert_eq!(post(&writer, "/v1/outcomes", outcome).await.status, 200);
    assert_eq!(post(&writer, "/v1/predictions", json!(events("churn", 0..3))).await.status, 403);
    assert_eq!(post(&reader, "/v1/predictions", json!(events("fraud", 3..6))).await.status, 403);
    assert_eq!(send(collector.post("/v1/predictions").json(&events("fraud", 6..9))).await.status, 401);
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "3");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_is_answered_with_429_and_when_to_come_back() {
    let store = fresh_store().await;
    let (secret, known) = token("bounded", &[Scope::Ingest], &[]);
    let quota = Some(Quota { events_per_s: 1.0, burst: 100.0 });
    let config = Config { tokens: vec![Token { quota, ..known }], ..Config::default() };
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    let post = |range| {
        send(collector.post("/v1/predictions").bearer_auth(secret.expose()).json(&events("q", range)))
    };
    assert_eq!(post(0..90).await.status, 200);
    let refused = post(90..180).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let wait: u64 = refused.retry_after.expect("a time").parse().expect("seconds");
    assert!((60..=80).contains(&wait), "{wait} s until eighty events are gained");
    assert!(refused.body["error"].as_str().expect("a reason").contains("quota"), "{:?}", refused.body);
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "90");
    collector.stop().await;
}

async fn put(collector: &Running, who: &Secret, model: &str, body: &str, kind: &str) -> Answer {
    let url = format!("{}/v1/models/{model}/contract", collector.url);
    let request = reqwest::Client::new().put(url).bearer_auth(who.expose()).header("content-type", kind);
    send(request.body(body.to_owned())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_is_stated_is_kept_by_version_and_holds_everywhere_within_seconds() {
    let store = fresh_store().await;
    let (admin, chief) = token("chief", &[Scope::Admin], &[]);
    let (writer, known) = token("writer", &[Scope::Ingest], &[]);
    let config = Config { tokens: vec![chief, known], ..Config::default() };
    let configured = contracts("owner = \"file\"");
    let one = Running::start_with(&store, config.clone(), configured.clone()).await;
    let two = Running::start_with(&store, config, configured).await;
    let strict = json!({
        "owner": "risk", "reject": ["*"],
        "signals": {"amount": {"type": "number", "greatest": 50.0}, "country": {}, "day.hour": {},
            "prediction.value": {}},
    });

    let answer = put(&one, &admin, "pay", &strict.to_string(), "application/json").await;
    assert_eq!((answer.status, &answer.body["version"]), (200, &json!(1)), "{answer:?}");
    let refused = put(&one, &writer, "pay", "{}", "application/json").await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let refused = put(&one, &admin, "fraud", "{}", "application/json").await;
    assert_eq!(refused.status, 409, "the configuration wins: {refused:?}");
    let refused = put(&one, &admin, "pay", "reject = [\"x\"]", "application/toml").await;
    let error = refused.body["error"].as_str().unwrap_or_default();
    assert!(refused.status == 400 && error.contains("models.pay.reject"), "{refused:?}");
    let refused = put(&one, &admin, "pay", "[privacy.fields]\nid = \"hash\"", "application/toml").await;
    let error = refused.body["error"].as_str().unwrap_or_default();
    assert!(refused.status == 400 && error.contains("collector.privacy.key"), "{refused:?}");

    // What was read is what holds, here at once, there soon.
    let bad = json!([{"id": "b", "model": "pay", "features": {"amount": 99}, "prediction": 1}]);
    let status = async |collector: &Running| {
        send(collector.post("/v1/predictions").bearer_auth(writer.expose()).json(&bad)).await.status
    };
    assert_eq!(status(&one).await, 400);
    eventually("the other collector has heard of it", async || status(&two).await == 400).await;

    let loose = "owner = \"risk\"\n[signals.amount]\ngreatest = 100.0\n";
    let answer = put(&two, &admin, "pay", loose, "application/toml").await;
    assert_eq!((answer.status, &answer.body["version"]), (200, &json!(2)), "{answer:?}");
    eventually("the first collector has heard of it", async || status(&one).await == 200).await;
    let url = format!("{}/v1/models/pay/contract", one.url);
    let told = send(reqwest::Client::new().get(url).bearer_auth(admin.expose())).await;
    assert_eq!((told.status, &told.body["signals"]["amount"]["greatest"]), (200, &json!(100.0)));
    let changes = "SELECT title, actor FROM changes FINAL WHERE model = 'pay' ORDER BY title";
    assert_eq!(text(&store, changes).await, "Contract, version 1\tchief\nContract, version 2\tchief");
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contracts_that_are_stated_at_once_are_versions_of_their_own() {
    let store = fresh_store().await;
    let (admin, chief) = token("chief", &[Scope::Admin], &[]);
    let config = Config { tokens: vec![chief], ..Config::default() };
    let one = Running::start_with(&store, config.clone(), BTreeMap::new()).await;
    let two = Running::start_with(&store, config, BTreeMap::new()).await;
    let bodies: Vec<String> = (0..8).map(|n| json!({"owner": format!("team {n}")}).to_string()).collect();
    let stating = bodies.iter().enumerate().map(|(n, body)| {
        let collector = if n % 2 == 0 { &one } else { &two };
        put(collector, &admin, "pay", body, "application/json")
    });
    let answers = futures_util::future::join_all(stating).await;
    let mut versions: Vec<u64> =
        answers.iter().filter_map(|answer| answer.body["version"].as_u64()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (1..=8).collect::<Vec<_>>(), "{answers:?}");
    let kept = "SELECT count(), uniqExact(version), uniqExact(contract) FROM contracts";
    assert_eq!(text(&store, kept).await, "8\t8\t8");
    one.stop().await;
    two.stop().await;
}
