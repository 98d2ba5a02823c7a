use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt16Type, UInt32Type};
use domain::time::Instant;

use super::*;
use crate::event::{Kind, Name, Prediction};
use crate::guard::{KeptOut, Marks};

fn event(model: &str, id: &str) -> Prediction {
    Prediction {
        id: id.to_owned(),
        model: Name::from(model),
        version: Name::from("v1"),
        environment: Name::from("production"),
        timestamp: Instant::from_seconds(61),
        received_at: Instant::from_seconds(62),
        numbers: vec![(Name::from("feature.x"), 1.5), (Name::from("latency_ms"), 3.0)],
        categories: vec![(Name::from("feature.c"), Name::from("a"))],
        vectors: vec![(Name::from("feature.e"), vec![1.0, 2.0])],
        lists: vec![(Name::from("feature.l"), vec!["p".to_owned()])],
        tags: vec![(Name::from("region"), "eu".to_owned())],
        error: String::new(),
        trace_id: String::new(),
        source: Name::from("test"),
        marks: None,
    }
}

#[test]
fn counts_stand_on_the_first_event_of_each_stream() {
    let events = [event("a", "1"), event("b", "2"), event("a", "3")];
    let Counted { batch, streams } =
        predictions(events.iter().collect(), &Known::default()).expect("columns");
    assert_eq!(batch.schema(), sql::intake::schema());
    assert_eq!(batch.num_rows(), 3);
    let events_of = batch.column_by_name("traffic_events").expect("a column").as_list::<i32>();
    let rows: Vec<Vec<i64>> =
        (0..3).map(|row| events_of.value(row).as_primitive::<Int64Type>().values().to_vec()).collect();
    assert_eq!(rows, [vec![2], vec![1], vec![]]);
    let bins = batch.column_by_name("count_bin").expect("a column").as_list::<i32>();
    assert_eq!(bins.values().as_primitive::<UInt16Type>().values().len(), 0, "nothing has a grid yet");
    let found: Vec<(&str, Vec<(String, u64)>)> =
        streams.iter().map(|stream| (stream.span.model.as_str(), stream.ungridded.clone())).collect();
    let signals =
        |n: u64| ["feature.x", "latency_ms", "feature.c"].map(|signal| (signal.to_owned(), n)).to_vec();
    assert_eq!(found, [("a", signals(2)), ("b", signals(1))]);
    let bytes = sql::store::arrow_stream(&batch).expect("bytes");
    let read: Vec<Span> = streams.into_iter().map(|stream| stream.span).collect();
    assert_eq!(spans(sql::intake::Door::Intake, &bytes).expect("a batch"), read);
}

#[test]
fn what_stored_events_break_stands_beside_their_counts() {
    let broken = |id: &str, rules: &[&str]| {
        let breaches = rules.iter().map(|rule| Name::from(*rule)).collect();
        Prediction { marks: Some(Box::new(Marks { breaches, counts_only: false })), ..event("a", id) }
    };
    let events = [event("a", "0"), broken("1", &["x.range", "environment"]), broken("2", &["x.range"])];
    let Counted { batch, .. } = predictions(events.iter().collect(), &Known::default()).expect("columns");
    let column = |name: &str| batch.column_by_name(name).expect("a column").as_list::<i32>().value(0);
    let rules = column("breach_rule");
    let rules: Vec<Option<&str>> = rules.as_string::<i32>().iter().collect();
    assert_eq!(rules, [Some("environment"), Some("x.range")]);
    assert_eq!(column("breach_n").as_primitive::<Int64Type>().values().to_vec(), [1, 2]);
    assert_eq!(column("breach_minute").as_primitive::<UInt32Type>().values().to_vec(), [60, 60]);
    let rules = batch.column_by_name("rules").expect("a column").as_list::<i32>();
    let of_each: Vec<Vec<String>> = (0..3)
        .map(|row| rules.value(row).as_string::<i32>().iter().flatten().map(str::to_owned).collect())
        .collect();
    assert_eq!(of_each, [&[][..], &["x.range", "environment"], &["x.range"]]);
}

#[test]
fn of_events_that_are_only_counted_no_column_holds_a_value() {
    let secret = Prediction {
        marks: Some(Box::new(Marks { breaches: Vec::new(), counts_only: true })),
        categories: vec![(Name::from("feature.c"), Name::from("hidden-category"))],
        lists: vec![(Name::from("feature.l"), vec!["hidden-item".to_owned()])],
        tags: vec![(Name::from("region"), "hidden-tag".to_owned())],
        ..event("a", "1")
    };
    let Counted { batch, .. } =
        predictions(vec![event("a", "0"), secret, event("a", "2")].into(), &Known::default())
            .expect("columns");
    for (name, kept) in [("numbers", 2), ("categories", 1), ("vectors", 1), ("lists", 1), ("tags", 1)] {
        let map = batch.column_by_name(name).expect("a column").as_map();
        let lengths: Vec<i32> = (0..3).map(|row| map.value_length(row)).collect();
        assert_eq!(lengths, [kept, 0, kept], "{name}");
    }
    let bytes = sql::store::arrow_stream(&batch).expect("bytes");
    let found = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!found("hidden-item") && !found("hidden-tag") && !found("hidden-category"));
}

#[test]
fn outcomes_and_rejections_have_the_schemas_of_their_tables() {
    let outcome = Outcome {
        id: "1".to_owned(),
        model: Name::from("m"),
        timestamp: Instant::EPOCH,
        received_at: Instant::EPOCH,
        numbers: vec![(Name::from("outcome.late"), 1.0)],
        categories: Vec::new(),
        lists: Vec::new(),
        source: Name::from("test"),
    };
    let batch = outcomes(&[outcome.clone(), outcome]).expect("columns");
    assert_eq!(batch.schema(), sql::outcomes::schema());
    let rejection = Rejection {
        received_at: Instant::EPOCH,
        model: "m".to_owned(),
        kind: Kind::Prediction,
        source: "test".to_owned(),
        position: "1".to_owned(),
        field: "id".to_owned(),
        reason: "is missing".to_owned(),
        payload: "{}".to_owned(),
        kept_out: None,
    };
    let kept_out = Some(Box::new(KeptOut {
        version: Name::from("v1"),
        environment: Name::from("production"),
        happened_at: Instant::from_seconds(7),
        rules: vec![Name::from("x.range")],
    }));
    let refused = Rejection { received_at: Instant::from_seconds(9), kept_out, ..rejection.clone() };
    let both = [rejection, refused];
    let batch = rejections(&both).expect("columns");
    let bytes = sql::store::arrow_stream(&batch).expect("bytes");
    let (at, received_at) = (Instant::from_seconds(7), Instant::from_seconds(9));
    let span = Span::of("m", std::iter::once((at, received_at)));
    assert_eq!(spans_refused(&both), [span], "what broke no rule is counted nowhere");
    assert_eq!(spans(sql::intake::Door::RejectedEvents, &bytes).expect("a batch").len(), 1);
    assert_eq!(batch.schema(), sql::rejected_events::schema());
    assert_eq!(batch.column_by_name("kind").expect("a column").as_string::<i32>().value(0), "prediction");
}
