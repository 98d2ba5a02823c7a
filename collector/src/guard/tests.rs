use serde_json::{Value, json};

use super::*;
use crate::decode::{self, Decoded, Framing, Names, Refused, Rules};
use crate::event::{Outcome, Prediction};

fn guards(contract: &str, patterns: &[Pattern]) -> Arc<Guards> {
    let contract: Contract = toml::from_str(contract).expect("a contract");
    contract.check("m").expect("a sound contract");
    let settings = Settings {
        key: Secret::new("a key of tests"),
        patterns: patterns.to_vec(),
        classes: BTreeMap::from([("personal".to_owned(), Action::Hash)]),
    };
    Arc::new(Guards::of(&BTreeMap::from([("m".to_owned(), contract)]), &settings))
}

fn rules(guards: Arc<Guards>) -> Rules {
    let now = Instant::from_seconds(1_763_661_600);
    Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: Instant::EPOCH,
        newest: now,
        models: Vec::new(),
        guards,
    }
}

fn decoded(contract: &str, event: &Value) -> Decoded<Prediction> {
    let rules = rules(guards(contract, &[]));
    let body = event.to_string();
    decode::predictions(body.as_bytes(), Framing::Json, &mut Names::default(), &rules).expect("a body")
}

/// The rules that an event breaks and is taken all the same.
fn broken(contract: &str, features: Value) -> Vec<String> {
    let event = json!({"model": "m", "features": features});
    let decoded = decoded(contract, &event);
    assert_eq!(decoded.refused, []);
    let mut rules: Vec<String> = decoded.events[0].breaches().iter().map(Name::to_string).collect();
    rules.sort();
    rules
}

const TERMS: &str = r#"
    environments = ["production", "staging"]
    [signals.amount]
    type = "number"
    unit = "EUR"
    least = 0.0
    greatest = 100.0
    nullable = false
    [signals.count]
    type = "integer"
    [signals.country]
    type = "category"
    allowed = ["BR", "DE"]
    [signals.is_new]
    type = "boolean"
    [signals.embedding]
    type = "vector"
    [signals.items]
    type = "list"
    allowed = ["a", "b"]
    [signals.spend]
    freshness_s = 60.0
"#;

#[test]
fn each_rule_is_broken_by_what_it_forbids_and_by_nothing_else() {
    let cases: [(Value, &[&str]); 14] = [
        (json!({"amount": 12.5, "count": 3, "country": "BR", "is_new": true}), &[]),
        (json!({"amount": 1, "embedding": [1.0, 2.0], "items": ["a", "b"], "spend": 7}), &[]),
        (json!({"amount": 100.5}), &["amount.range"]),
        (json!({"amount": -1}), &["amount.range"]),
        (json!({"amount": "NaN"}), &["amount.type"]),
        (json!({"amount": "much"}), &["amount.type"]),
        (json!({"amount": null}), &["amount.nullable"]),
        (json!({"amount": 1, "count": 3.5}), &["count.type"]),
        (json!({"amount": 1, "country": "FR"}), &["country.allowed"]),
        (json!({"amount": 1, "country": 7}), &["country.type"]),
        (json!({"amount": 1, "is_new": "yes"}), &["is_new.type"]),
        (json!({"amount": 1, "items": ["a", "z", "y"]}), &["items.allowed"]),
        (json!({"amount": 1, "embedding": ["a"]}), &["embedding.type"]),
        (json!({"amount": 1, "surprise": 1, "other": "x"}), &["unknown_signal"]),
    ];
    for (features, expected) in cases {
        assert_eq!(broken(TERMS, features.clone()), expected, "{features}");
    }
}

#[test]
fn an_environment_and_an_old_feature_break_their_rules() {
    let event = json!({
        "model": "m", "environment": "laptop", "features": {"amount": 1, "spend": 2},
        "feature_timestamps": {"spend": "2025-11-20T17:00:00Z"},
    });
    let decoded = decoded(TERMS, &event);
    let rules: Vec<&str> = decoded.events[0].breaches().iter().map(Name::as_str).collect();
    assert_eq!(rules, ["environment", "spend.freshness"]);
}

#[test]
fn a_model_without_terms_breaks_nothing() {
    assert_eq!(broken("owner = \"x\"", json!({"anything": [1, 2], "goes": "x"})), [] as [&str; 0]);
}

#[test]
fn a_rule_that_rejects_keeps_the_event_out_and_says_what_would_be_right_without_the_value() {
    let contract = format!("reject = [\"amount.range\"]\n{TERMS}");
    let event = json!({"model": "m", "version": "v7", "features": {"amount": 31337, "country": "FR"}});
    let Decoded { events, mut refused } = decoded(&contract, &event);
    assert_eq!(events, []);
    let Refused { field, error, kept_out, .. } = refused.pop().expect("refused");
    assert_eq!(field, "features.amount");
    assert_eq!(
        error,
        "breaks the rule amount.range of the model's contract: it must lie between 0 and 100 (EUR)"
    );
    let kept_out = kept_out.expect("kept out by a rule");
    let mut rules: Vec<&str> = kept_out.rules.iter().map(Name::as_str).collect();
    rules.sort_unstable();
    assert_eq!((rules, kept_out.version.as_str()), (vec!["amount.range", "country.allowed"], "v7"));
}

const PRIVACY: &str = r#"
    [signals.ssn]
    privacy_class = "personal"
    [signals.nickname]
    privacy_class = "of which nobody says anything"
    [privacy]
    patterns = ["email", "card", "phone"]
    [privacy.fields]
    email = "drop"
    id = "hash"
    postcode = { truncate = 2 }
    income = { bucket = 1000.0 }
    height = { truncate = 1 }
    age = "hash"
    name = "mask"
    face = "hash"
    friends = "hash"
    note = "keep"
    "address" = "drop"
    "tag.user" = "hash"
    "prediction.text" = "mask"
    "outcome.comment" = "drop"
"#;

fn redacted() -> Prediction {
    let event = json!({
        "model": "m", "id": "user-4711", "error": "no mail for eve@example.com", "trace_id": "t eve@example.com",
        "features": {
            "email": "ada@example.com", "ssn": "078-05-1120", "nickname": "countess", "postcode": "10115",
            "income": 54_321.5, "height": 178, "age": 36, "name": "Ada", "face": [0.25, 0.5],
            "friends": ["bob", "eve"], "note": "write to eve@example.com", "address": {"city": "London"},
            "remark": "card 4111 1111 1111 1111, call +49 30 1234567", "plain": "as it is",
        },
        "prediction": {"text": "hello", "score": 0.5},
        "tags": {"user": "ada", "region": "eu"},
    });
    let mut decoded = decoded(PRIVACY, &event);
    assert_eq!(decoded.refused, []);
    decoded.events.pop().expect("an event")
}

#[test]
fn each_action_leaves_what_it_says() {
    let event = redacted();
    let category = |name: &str| {
        event.categories.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.to_string())
    };
    let number = |name: &str| event.numbers.iter().find(|(known, _)| known.as_str() == name).map(|(_, n)| *n);
    assert_eq!((category("feature.email"), category("feature.address.city")), (None, None));
    assert_eq!(category("feature.nickname"), None);
    assert_eq!(category("feature.ssn").map(|hash| hash.len()), Some(32));
    assert_eq!(category("feature.age").map(|hash| hash.len()), Some(32), "a hashed number is a category");
    assert_eq!(number("feature.age"), None);
    assert_eq!(category("feature.postcode").as_deref(), Some("10"));
    assert_eq!((number("feature.income"), number("feature.height")), (Some(54_000.0), Some(100.0)));
    assert_eq!(category("feature.name").as_deref(), Some("***"));
    assert_eq!(category("feature.note").as_deref(), Some("write to eve@example.com"), "kept by name");
    assert_eq!(category("feature.remark").as_deref(), Some("card [card], call +[phone]"));
    assert_eq!(category("feature.plain").as_deref(), Some("as it is"));
    assert_eq!(category("prediction.text").as_deref(), Some("***"));
    assert_eq!((event.vectors.len(), number("feature.face.norm")), (0, None));
    assert_eq!((event.lists[0].1[0].len(), number("feature.friends.length")), (32, Some(2.0)));
    assert_eq!(event.tags[0].1.len(), 32);
    assert_eq!(event.tags[1].1, "eu");
    assert_eq!((event.id.len(), event.error.as_str()), (32, "no mail for [email]"));
    assert_eq!(event.trace_id.len(), 32, "what tells events apart is hashed where a pattern is found in it");
}

#[test]
fn an_outcome_finds_its_prediction_by_the_hash_of_its_id() {
    let body =
        json!({"id": "user-4711", "model": "m", "outcome": {"late": true, "comment": "rude", "cost": 7}});
    let rules = rules(guards(PRIVACY, &[]));
    let decoded = decode::outcomes(body.to_string().as_bytes(), Framing::Json, &mut Names::default(), &rules);
    let outcome: Outcome = decoded.expect("a body").events.pop().expect("an outcome");
    assert_eq!(outcome.id, redacted().id);
    assert_eq!(outcome.categories.len(), 1);
}

/// The numbers of an outcome of which a list was wanted.
fn wanted(contract: &str, items: Value) -> Vec<(String, f64)> {
    let body = json!({"id": "1", "model": "m", "outcome": {"comment": items, "late": true}}).to_string();
    let rules = rules(guards(contract, &[Pattern::Email]));
    let decoded = decode::outcomes(body.as_bytes(), Framing::Json, &mut Names::default(), &rules);
    let outcome: Outcome = decoded.expect("a body").events.pop().expect("an outcome");
    assert_eq!(outcome.categories.len(), 1, "only what is no list");
    outcome.numbers.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

#[test]
fn what_is_said_of_a_list_holds_for_its_items_also_where_they_became_names() {
    let of = |action: &str, items: Value| {
        wanted(&format!("[privacy.fields]\n\"outcome.comment\" = {action}"), items)
    };
    let named = |name: &str, value: f64| (format!("outcome.comment.{name}"), value);
    let hashed = of("\"hash\"", json!(["ada", "eve"]));
    assert_eq!(hashed.len(), 3);
    for (name, value) in &hashed[..2] {
        assert_eq!((name.len(), *value), ("outcome.comment.".len() + 32, 1.0), "{name}");
    }
    assert_eq!(hashed[2], named("length", 2.0));
    assert_eq!(of("\"drop\"", json!(["ada", "eve"])), []);
    assert_eq!(of("\"mask\"", json!(["ada", "eve"])), [named("***", 1.0), named("length", 2.0)]);
    assert_eq!(of("{ truncate = 1 }", json!(["ada", "al"])), [named("a", 1.0), named("length", 2.0)]);
    assert_eq!(of("{ bucket = 2.0 }", json!(["ada"])), [named("length", 1.0)]);
    assert_eq!(of("\"keep\"", json!(["ada"])), [named("ada", 1.0), named("length", 1.0)]);
    let mail = wanted("", json!(["eve@example.com"]));
    assert_eq!(mail, [named("[email]", 1.0), named("length", 1.0)], "patterns are looked for in items");
}

#[test]
fn an_item_that_is_refused_is_told_by_its_list() {
    let rules = rules(guards(PRIVACY, &[]));
    let of = |outcome: &str| {
        let body = format!("{{\"id\":\"1\",\"model\":\"m\",\"outcome\":{outcome}}}");
        let decoded = decode::outcomes(body.as_bytes(), Framing::Json, &mut Names::default(), &rules);
        decoded.expect("a body").refused.pop().expect("refused")
    };
    let long = of(&format!("{{\"comment\":[\"secret {}\"]}}", "x".repeat(2_000)));
    assert_eq!(long.field, "outcome.comment");
    assert!(long.error.starts_with("holds an item that cannot be a name"), "{}", long.error);
    let twice = of("{\"comment\":[\"a secret\"],\"comment\":[\"a secret\"]}");
    assert_eq!((twice.field.as_str(), twice.payload.as_str()), ("outcome.comment", ""));
}

#[test]
fn a_refused_event_of_a_redacted_model_keeps_neither_payload_nor_quotes() {
    let wrong = json!({"model": "m", "features": {"a": 1}, "feature_timestamps": {"x": "eve@example.com"}});
    let Decoded { mut refused, .. } = decoded(PRIVACY, &wrong);
    let refused = refused.pop().expect("refused");
    assert_eq!(refused.payload, "");
    assert!(refused.error.starts_with("\"…\" is not RFC 3339"), "{}", refused.error);
    // Which model a broken text is about, nobody knows.
    let guards = guards(PRIVACY, &[]);
    assert!(!guards.keeps_payload("") && !guards.keeps_payload("m") && guards.keeps_payload("other"));
    assert!(Guards::default().keeps_payload(""));
}

#[test]
fn patterns_for_everybody_are_looked_for_in_models_without_a_contract() {
    let rules = rules(guards("", &[Pattern::Email]));
    let body = json!({"model": "nobody's", "features": {"a": "eve@example.com"}}).to_string();
    let decoded = decode::predictions(body.as_bytes(), Framing::Json, &mut Names::default(), &rules);
    assert_eq!(decoded.expect("a body").events[0].categories[0].1.as_str(), "[email]");
}

#[test]
fn the_guards_follow_the_contracts() {
    let contracts = Contracts::default();
    let book = GuardBook::new(contracts.clone(), Settings::default());
    let before = book.current();
    assert!(Arc::ptr_eq(&before, &book.current()));
    let mut secret = Contract::default();
    secret.privacy.counts_only = true;
    contracts.take_up(BTreeMap::from([("m".to_owned(), secret)]));
    assert!(before.keeps_payload("m") && !book.current().keeps_payload("m"));
}
