use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_763_661_600_123;

fn rules() -> Rules {
    let now = Instant::from_millis(NOW);
    Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: now.saturating_sub(domain::time::DAY * 90),
        newest: now.saturating_add(std::time::Duration::from_secs(300)),
        models: Vec::new(),
        guards: Default::default(),
    }
}

fn decoded(body: &[u8]) -> Result<Decoded<Prediction>, Unreadable> {
    predictions(body, Framing::Json, &mut Names::default(), &rules())
}

fn one(event: &Value) -> Prediction {
    let mut decoded = decoded(event.to_string().as_bytes()).expect("a body");
    assert_eq!(decoded.refused, []);
    decoded.events.pop().expect("one event")
}

fn refused(event: &Value) -> (String, String) {
    let mut decoded = decoded(json!([event]).to_string().as_bytes()).expect("a body");
    let refused = decoded.refused.pop().unwrap_or_else(|| panic!("taken: {:?}", decoded.events));
    (refused.field, refused.error)
}

fn sorted<V: Clone>(entries: &[(Name, V)]) -> Vec<(String, V)> {
    let mut all: Vec<(String, V)> =
        entries.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

#[test]
fn an_event_becomes_signals() {
    let event = one(&json!({
        "id": "7f3c", "model": "fraud", "version": "2026-11-01", "environment": "canary",
        "timestamp": "2025-11-20T19:00:00.123+01:00",
        "features": {"amount": 12.5, "country": "BR", "new_device": true, "age_days": null,
            "address": {"city": "Rio", "geo": {"lat": -22.9}}, "emb": [3, 4.0], "items": ["a", "b"]},
        "prediction": {"score": 0.93, "decision": "review"},
        "latency_ms": 12.7, "error": null, "tags": {"region": "us-east", "shard": 3},
        "feature_timestamps": {"amount": "2025-11-20T17:59:00.123Z"}, "attributions": {"amount": 0.12},
        "trace_id": "t1",
    }));
    insta::assert_debug_snapshot!(event);
}

#[test]
fn what_is_not_stated_has_defaults() {
    let event = one(&json!({"model": "m", "prediction": 0.5}));
    assert_eq!(sorted(&event.numbers), [("prediction.value".to_owned(), 0.5)]);
    assert_eq!((&*event.version, &*event.environment, event.error.as_str()), ("", "production", ""));
    assert_eq!((event.timestamp, event.received_at), (Instant::from_millis(NOW), Instant::from_millis(NOW)));
    assert!(!event.id.is_empty());
    let event = one(&json!({"model": "m", "id": 42, "prediction": "yes", "version": 3}));
    assert_eq!((event.id.as_str(), &*event.version), ("42", "3"));
    assert_eq!(sorted(&event.categories), [("prediction.value".to_owned(), Name::from("yes"))]);
}

#[test]
fn numbers_that_are_none_are_kept_as_such() {
    let quoted = one(&json!({"model": "m", "features": {"a": "NaN", "b": "-Infinity", "c": "nano"}}));
    assert!(quoted.numbers[0].1.is_nan());
    assert_eq!(quoted.numbers[1].1, f64::NEG_INFINITY);
    assert_eq!(quoted.categories.len(), 1);
    let bare = decoded(
        br#"[{"model": "m", "features": {"a": NaN, "note": "NaN"}}, {"model": "m", "features": {}}]"#,
    );
    let bare = bare.expect("a body");
    assert_eq!(bare.refused, []);
    assert!(bare.events[0].numbers.iter().all(|(_, value)| value.is_nan()));
}

#[test]
fn every_problem_names_the_field_and_what_would_be_right() {
    let with = |key: &str, value: Value| {
        let mut event = json!({"model": "m", "features": {"a": 1}});
        event[key] = value;
        let (field, error) = refused(&event);
        format!("{field}: {error}")
    };
    let long = "x".repeat(300);
    let problems = vec![
        refused(&json!({"features": {"a": 1}})).1,
        refused(&json!({"model": "m"})).1,
        refused(&json!({"model": "m", "features": null})).1,
        refused(&json!(7)).1,
        refused(&json!({"model": "m", "features": {"a": {"b": 1}, "a.b": 2}})).0,
        refused(&json!({"model": "m", "features": {long.as_str(): 1}})).1,
        with("modle", json!("x")),
        with("model", json!(5)),
        with("features", json!([1])),
        with("features", json!({"a": [1, "x"]})),
        with("features", json!({"a": [[1]]})),
        with("features", json!({"": 1})),
        with("features", json!({"a\nb": 1})),
        with("timestamp", json!(1_763_661_600)),
        with("timestamp", json!("2025-11-20")),
        with("timestamp", json!("2013-01-01T00:00:00Z")),
        with("timestamp", json!("2025-11-20T18:05:01Z")),
        with("latency_ms", json!("fast")),
        with("error", json!({"code": 5})),
        with("tags", json!({"a": ["x"]})),
        with("feature_timestamps", json!({"a": 5})),
        with("feature_timestamps", json!({"a": "noon"})),
        with("attributions", json!({"a": "high"})),
        with("id", json!(1.5)),
    ];
    insta::assert_snapshot!(problems.join("\n"));
}

#[test]
fn an_outcome_needs_the_id_of_its_prediction() {
    let read = |text: &str| outcomes(text.as_bytes(), Framing::Json, &mut Names::default(), &rules());
    let good = read(r#"{"id": "7f3c", "model": "fraud", "outcome": {"decision": "fraud", "loss": 3}}"#);
    let good = good.expect("a body").events.pop().expect("an outcome");
    assert_eq!(sorted(&good.categories), [("outcome.decision".to_owned(), Name::from("fraud"))]);
    assert_eq!(sorted(&good.numbers), [("outcome.loss".to_owned(), 3.0)]);
    let wanted =
        read(r#"{"id": "7f3c", "model": "shop", "outcome": {"chosen": ["B7", "A1", "B7"], "seen": []}}"#);
    let wanted = wanted.expect("a body").events.pop().expect("an outcome");
    let items = [("outcome.chosen.A1", 1.0), ("outcome.chosen.B7", 1.0), ("outcome.chosen.length", 2.0)];
    let expected = items.into_iter().chain([("outcome.seen.length", 0.0)]);
    assert_eq!(sorted(&wanted.numbers), expected.map(|(name, n)| (name.to_owned(), n)).collect::<Vec<_>>());
    let bare = read(r#"{"id": "1", "model": "m", "outcome": true}"#).expect("a body");
    assert_eq!(sorted(&bare.events[0].categories), [("outcome.value".to_owned(), Name::from("true"))]);
    for (text, field) in [
        (r#"{"model": "m", "outcome": 1}"#, "id"),
        (r#"{"id": "1", "model": "m"}"#, "outcome"),
        (r#"{"id": "1", "model": "m", "outcome": {"a": [1]}}"#, "outcome.a"),
        (r#"{"id": "1", "model": "m", "outcome": 1, "features": {}}"#, "features"),
    ] {
        assert_eq!(read(text).expect("a body").refused[0].field, field, "{text}");
    }
}

#[test]
fn a_line_that_is_no_json_does_not_hide_the_next() {
    let body = b"{\"model\":\"m\",\"features\":{}}\n{\"model\": \n\n{\"model\":\"m\",\"prediction\":1}\r\n";
    for framing in [Framing::Json, Framing::Lines] {
        let decoded = predictions(body, framing, &mut Names::default(), &rules()).expect("a body");
        assert_eq!((decoded.events.len(), decoded.refused.len()), (2, 1));
        assert_eq!((decoded.refused[0].index, decoded.refused[0].payload.as_str()), (1, "{\"model\":"));
    }
}

#[test]
fn an_array_is_cut_at_its_own_commas() {
    let body = br#" [ {"model":"a,]}\"","features":{"x":[1,2]}} , 5, {"model":"b","prediction":1} ] "#;
    let all = decoded(body).expect("a body");
    let models: Vec<&str> = all.events.iter().map(|event| &*event.model).collect();
    assert_eq!(models, ["a,]}\"", "b"]);
    assert_eq!(all.refused[0].index, 1);
    assert_eq!(decoded(b"[]").expect("a body").events, []);
    assert_eq!(decoded(b"[{},").unwrap_err(), Unreadable::Open { index: 1 });
    assert_eq!(decoded(b"[1] x").unwrap_err(), Unreadable::Trailing);
    assert_eq!(decoded(b"\xef\xbb\xbf ").unwrap_err(), Unreadable::Empty);
}

#[test]
fn an_object_over_several_lines_is_one_event() {
    let text = serde_json::to_string_pretty(&json!({"model": "m", "features": {"a": 1}})).expect("JSON");
    assert_eq!(decoded(text.as_bytes()).expect("a body").events.len(), 1);
}

#[test]
fn a_body_of_something_else_is_refused_before_it_fills_the_memory() {
    let body = format!("[{}1]", "1,".repeat(2 * MOST_REFUSED));
    assert!(matches!(decoded(body.as_bytes()), Err(Unreadable::TooManyRefused { .. })));
}

#[test]
fn a_token_for_one_model_does_not_write_another() {
    let rules = Rules { models: vec!["a".to_owned()], ..rules() };
    let body = br#"[{"model":"a","prediction":1},{"model":"b","prediction":1}]"#;
    let decoded = predictions(body, Framing::Json, &mut Names::default(), &rules).expect("a body");
    assert_eq!(decoded.events.len(), 1);
    assert!(decoded.refused[0].forbidden);
    assert_eq!((decoded.refused[0].field.as_str(), decoded.refused[0].model.as_str()), ("model", "b"));
}

/// JSON values as senders write them, and as they should not.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z\"\\\\\n{}\\[\\],:é🚲]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![
                    Just("model".to_owned()),
                    Just("features".to_owned()),
                    Just("prediction".to_owned()),
                    Just("timestamp".to_owned()),
                    "[a-z.]{0,6}"
                ],
                inner,
                0..6
            )
            .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&body);
        let _ = predictions(&body, Framing::Lines, &mut Names::default(), &rules());
    }

    #[test]
    fn nearly_json_makes_the_decoder_not_panic_either(body in "[\\[\\]{}\",:a-zN0-9.\\\\ \n-]{0,80}") {
        let _ = decoded(body.as_bytes());
        let _ = outcomes(body.as_bytes(), Framing::Json, &mut Names::default(), &rules());
    }

    #[test]
    fn every_event_of_an_array_comes_out_once(events in prop::collection::vec(json_value(), 1..20)) {
        let mut names = Names::default();
        // Twice, so that the second time names are found where they were.
        for _ in 0..2 {
            let body = Value::from(events.clone()).to_string();
            let decoded = predictions(body.as_bytes(), Framing::Json, &mut names, &rules()).expect("a body");
            prop_assert_eq!(decoded.events.len() + decoded.refused.len(), events.len());
            let mut columns = Predictions::default();
            let refused = predictions_into(body.as_bytes(), Framing::Json, &mut names, &rules(), &mut columns);
            prop_assert_eq!(refused.expect("a body"), decoded.refused.clone());
            // An id that was not sent is made anew each time.
            let rows: Vec<Prediction> = columns.rows().zip(&decoded.events)
                .map(|(row, event)| Prediction { id: event.id.clone(), ..row }).collect();
            // A vector with a gap has no norm, and NaN is not equal to itself.
            prop_assert_eq!(format!("{rows:?}"), format!("{:?}", decoded.events));
            for event in &decoded.events {
                let names: Vec<&str> = event.numbers.iter().map(|(name, _)| name.as_str())
                    .chain(event.categories.iter().map(|(name, _)| name.as_str())).collect();
                let different: std::collections::HashSet<_> = names.iter().collect();
                prop_assert_eq!(different.len(), names.len(), "{:?}", names);
            }
        }
    }

    #[test]
    fn numbers_read_back_exactly(values in prop::collection::btree_map("[a-z]{1,8}", any::<f64>(), 1..30)) {
        let finite: serde_json::Map<String, Value> = values.iter()
            .filter(|(_, value)| value.is_finite()).map(|(name, value)| (name.clone(), json!(value))).collect();
        let event = one(&json!({"model": "m", "features": finite}));
        prop_assert_eq!(event.numbers.len(), finite.len());
        for (name, value) in &event.numbers {
            let sent = values[name.strip_prefix("feature.").expect("a feature")];
            // Zero has no sign that anybody means.
            prop_assert_eq!((sent + 0.0).to_bits(), (value + 0.0).to_bits());
        }
    }
}
