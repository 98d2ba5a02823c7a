//! Contracts: what breaks one is counted by rule beside the events, once, and kept out where the contract says so.

use std::collections::BTreeMap;

use collector::Config;
use domain::contract::Contract;
use domain::time::{Clock, HOUR, Interval};
use serde_json::{Value, json};
use sql::Store;
use sql::breaches::{Breaches, BreachesAsked};
use sql::counts::Resolution;
use sql::pages::incident::{ExamplesAsked, Shows};
use tests::{fresh_store, text};

use crate::running::Running;

const CONTRACT: &str = r#"
    environments = ["production"]
    reject = ["amount.type", "environment"]
    [signals.amount]
    type = "number"
    greatest = 100.0
    [signals.country]
    allowed = ["BR", "DE"]
    nullable = false
    [signals."prediction.score"]
    least = 0.0
    greatest = 1.0
"#;

pub fn contracts(text: &str) -> BTreeMap<String, Contract> {
    let contract: Contract = toml::from_str(text).expect("a contract");
    contract.check("fraud").expect("a sound contract");
    BTreeMap::from([("fraud".to_owned(), contract)])
}

fn event(n: usize, features: Value, score: f64) -> Value {
    json!({"id": format!("e{n}"), "model": "fraud", "features": features, "prediction": {"score": score}})
}

async fn asked(store: &Store, resolution: Resolution) -> Breaches {
    let now = Clock::System.now();
    let interval = Interval::new(now.floor(HOUR).saturating_sub(HOUR), now.floor(HOUR).saturating_add(HOUR));
    let (model, environment) = ("fraud".to_owned(), "production".to_owned());
    let asked = BreachesAsked { model, environment, interval, resolution, step_s: 0 };
    store.breaches(&asked).await.expect("breaches")
}

fn by_rule(breaches: &Breaches) -> Vec<(&str, u64, u64)> {
    breaches.points.iter().map(|point| (point.rule.as_str(), point.n, point.refused)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn breaches_are_counted_by_rule_beside_the_events_that_broke_them() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, Config::default(), contracts(CONTRACT)).await;
    let good = json!({"amount": 5, "country": "BR"});
    let body = [
        event(0, good.clone(), 0.5),
        event(1, json!({"amount": 500, "country": "FR"}), 0.5),
        event(2, json!({"amount": 600}), 1.5),
        event(3, json!({"amount": "many", "country": "BR", "surprise": 1}), 0.5),
        event(4, good, 0.5),
    ];
    let answer = collector.predictions(&body).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (200, &json!(4)), "{:?}", answer.body);
    let rejected = &answer.body["rejected"][0];
    assert_eq!((&rejected["index"], &rejected["field"]), (&json!(3), &json!("features.amount")));
    assert!(rejected["error"].as_str().expect("a reason").contains("amount.type"), "{rejected}");
    let mut elsewhere = event(5, json!({"country": "BR"}), 0.5);
    elsewhere["environment"] = json!("laptop");
    assert_eq!(collector.predictions(&[elsewhere]).await.status, 400);

    let expected = [
        ("amount.range", 2, 0),
        ("amount.type", 1, 1),
        ("country.allowed", 1, 0),
        ("country.nullable", 1, 0),
        ("prediction.score.range", 1, 0),
        ("unknown_signal", 1, 1),
    ];
    for resolution in [Resolution::Minutes, Resolution::Hours] {
        let breaches = asked(&store, resolution).await;
        assert_eq!(by_rule(&breaches), expected);
        assert_eq!(breaches.events.iter().map(|events| events.n).sum::<u64>(), 4);
    }
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, "4");
    let kept_out =
        "SELECT field, arraySort(rules), environment FROM rejected_events ORDER BY environment DESC";
    let expected =
        "features.amount\t['amount.type','unknown_signal']\tproduction\nenvironment\t['environment']\tlaptop";
    assert_eq!(text(&store, kept_out).await, expected);
    let refused = "SELECT reason NOT LIKE '%many%' FROM rejected_events WHERE field = 'features.amount'";
    assert_eq!(text(&store, refused).await, "1");
    collector.stop().await;
}

/// The ids of the events that an incident about a signal's rules shows.
async fn shown(store: &Store, signal: &str) -> Vec<String> {
    let now = Clock::System.now();
    let asked = ExamplesAsked {
        model: "fraud".to_owned(),
        environment: "production".to_owned(),
        interval: Interval::new(now.saturating_sub(HOUR), now.saturating_add(HOUR)),
        signal: signal.to_owned(),
        segment: String::new(),
        shows: Shows::Broken,
        most: 4,
    };
    let mut ids: Vec<String> =
        store.incident_examples(&asked).await.expect("events").into_iter().map(|event| event.id).collect();
    ids.sort();
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_broke_a_rule_are_shown_where_it_is_said() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, Config::default(), contracts(CONTRACT)).await;
    let good = json!({"amount": 5, "country": "BR"});
    let body = [
        event(0, good.clone(), 0.5),
        event(1, json!({"amount": 500, "country": "FR"}), 0.5),
        event(2, json!({"amount": 600}), 1.5),
        event(3, json!({"amount": 1, "country": "DE", "surprise": 1}), 0.5),
    ];
    assert_eq!(collector.predictions(&body).await.body["accepted"], 4);
    assert_eq!(shown(&store, "feature.amount").await, ["e1", "e2"]);
    assert_eq!(shown(&store, "feature.country").await, ["e1", "e2"]);
    assert_eq!(shown(&store, "prediction.score").await, ["e2"]);
    assert_eq!(shown(&store, "").await, ["e3"], "rules about no signal");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_repeated_counts_no_breach_twice() {
    let store = fresh_store().await;
    let context = service::Context::quiet(Clock::System, contracts(CONTRACT));
    let grids = collector::known::Grids::new(store.clone(), &context, HOUR);
    let intake = collector::intake::Intake::new(store.clone(), grids, &context);
    let now = Clock::System.now();
    let rules = collector::decode::Rules {
        received_at: now,
        source: "http".into(),
        oldest: now.saturating_sub(HOUR),
        newest: now,
        models: Vec::new(),
        guards: intake.guards().current(),
    };
    let body = json!([
        event(0, json!({"amount": 500, "country": "BR"}), 0.5),
        event(1, json!({"amount": "x", "country": "BR"}), 0.5),
    ]);
    let decoded = collector::decode::predictions(
        body.to_string().as_bytes(),
        collector::decode::Framing::Json,
        &mut collector::decode::Names::default(),
        &rules,
    )
    .expect("events");
    let refused: Vec<_> = decoded
        .refused
        .iter()
        .map(|refused| refused.rejection(collector::event::Kind::Prediction, &rules))
        .collect();
    for _ in 0..3 {
        intake.insert(decoded.events.clone(), "the-same-batch").await.expect("stored");
        intake.insert_rejections(refused.clone(), "the-same-rejections").await.expect("stored");
    }
    for resolution in [Resolution::Minutes, Resolution::Hours] {
        let breaches = asked(&store, resolution).await;
        assert_eq!(by_rule(&breaches), [("amount.range", 1, 0), ("amount.type", 1, 1)]);
    }
}
