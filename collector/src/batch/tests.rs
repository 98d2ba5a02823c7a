use arrow::array::AsArray;
use arrow::datatypes::{Int64Type, UInt16Type};
use domain::time::Instant;

use super::*;
use crate::event::{Kind, Name};

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
    }
}

#[test]
fn counts_stand_on_the_first_event_of_each_stream() {
    let events = [event("a", "1"), event("b", "2"), event("a", "3")];
    let Counted { batch, streams } = predictions(&events, &Known::default()).expect("columns");
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
    assert_eq!(spans(&bytes).expect("a batch"), read);
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
    };
    let batch = rejections(&[rejection]).expect("columns");
    assert_eq!(batch.schema(), sql::rejected_events::schema());
    assert_eq!(batch.column_by_name("kind").expect("a column").as_string::<i32>().value(0), "prediction");
}
