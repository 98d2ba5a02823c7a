use bytes::Bytes;

use super::*;
use crate::import::cell::Cell;
use crate::import::source::Format;

fn columns(names: &[&str], stated: Stated) -> Vec<Column> {
    names.iter().map(|name| Column { name: (*name).to_owned(), stated: stated.clone() }).collect()
}

fn binder(mapping: &str) -> Binder {
    let mapping: Mapping = toml::from_str(mapping).expect("a mapping");
    let source = Source::bytes("f.csv", Format::Csv, Bytes::new());
    Binder::new(&mapping, "m", &source, "0123456789abcdef", BTreeMap::new()).expect("in order")
}

fn stamp() -> Stamp {
    Stamp { received_at: Instant::from_seconds(9), shift_ms: 0, latest: end_of_time() }
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

fn bind(binder: &mut Binder, names: &[&str], cells: Vec<Cell>, stamp: &Stamp) -> Result<Bound, Refusal> {
    binder.bind(&Row { number: 7, cells }, &columns(names, Stated::ByCell), stamp)
}

fn shown(signals: &[(Name, f64)]) -> Vec<(&str, f64)> {
    signals.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

#[test]
fn a_column_that_nothing_names_is_a_feature() {
    let mut binder =
        binder("timestamp = \"at\"\nignore = [\"i\"]\ncategories = [\"d\"]\n[predictions]\nscore = \"s\"");
    let names = ["at", "a", "b", "c", "d", "i", "s"];
    let cells = vec![
        Cell::Integer(60),
        Cell::Number(1.5),
        text("x"),
        Cell::Flag(true),
        Cell::Integer(3),
        Cell::Integer(4),
        Cell::Number(0.5),
    ];
    let event = bind(&mut binder, &names, cells, &stamp()).expect("taken").prediction;
    assert_eq!(shown(&event.numbers), [("feature.a", 1.5), ("prediction.score", 0.5)]);
    let categories: Vec<(&str, &str)> =
        event.categories.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(categories, [("feature.b", "x"), ("feature.c", "true"), ("feature.d", "3")]);
    assert_eq!((event.id.as_str(), event.timestamp), ("0123456789ab-7", Instant::from_seconds(60)));
    assert_eq!((event.environment.as_str(), event.source.as_str()), ("production", "file f.csv"));
}

#[test]
fn where_features_are_named_nothing_else_is_one() {
    let mut binder =
        binder("timestamp = \"at\"\nfeatures = [\"a\", \"origin\"]\n[tags]\nairport = \"origin\"");
    let cells = vec![Cell::Integer(60), Cell::Integer(1), Cell::Integer(2), text("JFK")];
    let event = bind(&mut binder, &["at", "a", "b", "origin"], cells, &stamp()).expect("taken").prediction;
    assert_eq!(shown(&event.numbers), [("feature.a", 1.0)]);
    assert_eq!(event.categories.len(), 1);
    assert_eq!(event.tags, [(Name::from("airport"), "JFK".to_owned())]);
}

#[test]
fn everything_moves_by_the_shift_and_ages_do_not() {
    let mut binder = binder(
        "id = \"id\"\ntimestamp = \"at\"\noutcome_timestamp = \"known\"\n[outcomes]\nlate = \"late\"\n\
         [feature_timestamps]\nspend = \"spend_at\"",
    );
    let cells = vec![
        text("e"),
        Cell::Integer(100),
        Cell::Integer(160),
        Cell::Number(1.0),
        Cell::Number(70.5),
        Cell::Number(5.0),
    ];
    let shifted = Stamp { shift_ms: 1_000_000, ..stamp() };
    let names = ["id", "at", "known", "late", "spend_at", "spend"];
    let bound = bind(&mut binder, &names, cells, &shifted).expect("taken");
    assert_eq!(bound.prediction.timestamp, Instant::from_seconds(1_100));
    assert_eq!(shown(&bound.prediction.numbers), [("feature.spend", 5.0), ("age_s.spend", 29.5)]);
    let outcome = bound.outcome.expect("an outcome");
    assert_eq!((outcome.id.as_str(), outcome.timestamp), ("e", Instant::from_seconds(1_160)));
    assert_eq!(shown(&outcome.numbers), [("outcome.late", 1.0)]);
}

#[test]
fn a_value_that_cannot_be_taken_refuses_its_row_by_column() {
    let mapping = "timestamp = \"at\"\nlatency_ms = \"ms\"\nnumbers = [\"n\"]";
    let names = ["at", "n", "ms", "c"];
    let refused = |cells: Vec<Cell>| {
        let refusal = bind(&mut binder(mapping), &names, cells, &stamp()).expect_err("refused");
        (refusal.field, refusal.problem)
    };
    let good = || vec![Cell::Integer(60), Cell::Integer(1), Cell::Integer(5), text("x")];
    let with = |position: usize, cell: Cell| {
        let mut cells = good();
        cells[position] = cell;
        cells
    };
    let named = |field: &str, problem: &str| (field.to_owned(), problem.to_owned());
    assert!(bind(&mut binder(mapping), &names, good(), &stamp()).is_ok());
    assert_eq!(refused(with(0, Cell::Null)), named("at", "is empty"));
    assert_eq!(refused(with(0, text("soon"))), named("at", "is not an instant"));
    assert_eq!(refused(with(0, Cell::Integer(-60))), named("at", "lies outside the years 1970 to 2106"));
    assert_eq!(refused(with(1, text("many"))), named("n", "is not a number"));
    assert_eq!(refused(with(2, Cell::Number(-1.0))), named("ms", "is not a duration in milliseconds"));
    let long = named("c", "is longer than 4096 bytes, which is no category");
    assert_eq!(refused(with(3, text(&"x".repeat(5_000)))), long);
}

#[test]
fn vectors_and_lists_come_with_their_length() {
    let mut binder = binder("timestamp = \"at\"");
    let cells = vec![Cell::Integer(60), Cell::Numbers(vec![3.0, 4.0]), Cell::Texts(vec!["a".to_owned()])];
    let event = bind(&mut binder, &["at", "v", "l"], cells, &stamp()).expect("taken").prediction;
    let expected = [("feature.v.norm", 5.0), ("feature.v.length", 2.0), ("feature.l.length", 1.0)];
    assert_eq!(shown(&event.numbers), expected);
    assert_eq!((event.vectors.len(), event.lists.len()), (1, 1));
}

#[test]
fn a_column_that_is_no_feature_is_refused_with_what_to_do() {
    let error = |mapping: &str, columns: &[Column]| {
        binder(mapping).check(columns, "f.parquet").expect_err("refused").to_string()
    };
    let mut known = columns(&["at", "x"], Stated::ByCell);
    known.push(Column { name: "label_ts".to_owned(), stated: Stated::Instants });
    assert!(error("timestamp = \"at\"", &known).contains("--ignore label_ts"));
    known.push(Column { name: "raw".to_owned(), stated: Stated::Unreadable("Binary".to_owned()) });
    assert!(error("timestamp = \"at\"\nignore = [\"label_ts\"]", &known).contains("--ignore raw"));
    let nowhere = error("timestamp = \"nowhere\"", &known);
    assert!(nowhere.contains("has no column \"nowhere\", which --timestamp names"), "{nowhere}");
    assert!(error("", &known).contains("--timestamp COLUMN"));
    let nothing = columns(&["at"], Stated::ByCell);
    assert!(error("timestamp = \"at\"", &nothing).contains("no column of f.parquet is left"));
}
