//! Batches for the intake, written out by hand: what a collector sends, small enough to check by eye.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, DictionaryArray, Float64Array, Int32Array, ListArray, MapArray, RecordBatch, StringArray,
    StructArray, TimestampMillisecondArray, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int32Type};
use sql::Store;
use sql::intake::{Door, schema};
use sql::store::arrow_stream;
use tests::client;

/// The hour of all events here: 2026-11-20T18:00:00Z.
pub const START_S: i64 = 1_795_197_600;

/// An event with the numbers and categories it carries.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub second: i64,
    pub numbers: Vec<(String, f64)>,
    pub categories: Vec<(String, String)>,
}

/// A cell of counts: (segment, signal, grid, minute in the hour, bin, n).
pub type Cell = (&'static str, &'static str, u32, u32, u16, i64);

/// Moments of a signal in a minute of the hour: (signal, minute, n, sum, sum of squares, least, greatest).
pub type Moment = (&'static str, u32, i64, f64, f64, f64, f64);

#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub model: String,
    pub events: Vec<Event>,
    pub cells: Vec<Cell>,
    pub moments: Vec<Moment>,
}

impl Batch {
    /// Sixty events, one a minute, with `feature.x` the minute and `feature.c` of two values; counted on the grids 1 and 2.
    pub fn of_an_hour(model: &str) -> Self {
        let events = (0..60_u32).map(|minute| Event {
            id: format!("e{minute}"),
            second: i64::from(minute) * 60,
            numbers: vec![("feature.x".to_owned(), f64::from(minute))],
            categories: vec![(
                "feature.c".to_owned(),
                if minute % 2 == 0 { "even" } else { "odd" }.to_owned(),
            )],
        });
        let cells = (0..60_u32).flat_map(|minute| {
            let parity = 3 + u16::try_from(minute % 2).expect("a bit");
            [
                ("", "feature.x", 1, minute, 3 + u16::from(minute >= 30), 1),
                ("", "feature.c", 2, minute, parity, 1),
            ]
        });
        let moments = (0..60_u32).map(|minute| {
            let x = f64::from(minute);
            ("feature.x", minute, 1, x, x * x, x, x)
        });
        Self {
            model: model.to_owned(),
            events: events.collect(),
            cells: cells.collect(),
            moments: moments.collect(),
        }
    }

    /// `rows` events in one minute, all of `feature.x` in one bin: for what is about size.
    pub fn of_a_minute(model: &str, name: &str, rows: u32) -> Self {
        let events = (0..rows).map(|row| Event {
            id: format!("{name}-{row}"),
            second: 7,
            numbers: vec![("feature.x".to_owned(), f64::from(row))],
            categories: Vec::new(),
        });
        let n = i64::from(rows);
        Self {
            model: model.to_owned(),
            events: events.collect(),
            cells: vec![("", "feature.x", 1, 0, 3, n)],
            moments: vec![("feature.x", 0, n, 0.0, 0.0, 0.0, f64::from(rows))],
        }
    }

    /// Inserts it through the intake.
    pub async fn insert(&self, store: &Store, token: &str) {
        self.try_insert(store, token).await.expect("inserted");
    }

    pub async fn try_insert(&self, store: &Store, token: &str) -> Result<(), sql::Error> {
        let stream = arrow_stream(&self.record_batch()).expect("a batch of the schema");
        store.insert_batch(Door::Intake, stream, token).await
    }

    /// As a collector of before rules were kept sends it, or has left it in its spool.
    pub async fn insert_without_rules(&self, store: &Store, token: &str) {
        let batch = self.record_batch();
        let names: Vec<String> = schema().fields().iter().map(|field| field.name().clone()).collect();
        let before: Vec<usize> = (0..names.len()).filter(|column| names[*column] != "rules").collect();
        let batch = batch.project(&before).expect("columns of the schema");
        let columns: Vec<&str> = before.iter().map(|column| names[*column].as_str()).collect();
        let statement = format!("INSERT INTO intake ({}) FORMAT ArrowStream", columns.join(", "));
        let mut insert = client(store)
            .insert_formatted_with(statement)
            .with_setting("insert_deduplication_token", token)
            .with_setting("deduplicate_blocks_in_dependent_materialized_views", "1")
            .with_setting("async_insert", "0");
        insert.send(arrow_stream(&batch).expect("bytes")).await.expect("sent");
        insert.end().await.expect("inserted");
    }

    fn record_batch(&self) -> RecordBatch {
        let columns = schema().fields().iter().map(|field| self.column(field)).collect();
        RecordBatch::try_new(schema(), columns).expect("the columns of the schema")
    }

    fn column(&self, field: &Field) -> ArrayRef {
        let rows = self.events.len();
        let kind = field.data_type();
        match (field.name().as_str(), kind) {
            ("id", _) => Arc::new(StringArray::from_iter_values(self.events.iter().map(|event| &event.id))),
            ("timestamp", _) => {
                instants(kind, self.events.iter().map(|event| (START_S + event.second) * 1_000))
            }
            ("received_at", _) => {
                instants(kind, self.events.iter().map(|event| (START_S + event.second + 1) * 1_000))
            }
            ("numbers", DataType::Map(entries, _)) => {
                let keys = self
                    .events
                    .iter()
                    .map(|event| event.numbers.iter().map(|(name, _)| name.as_str()).collect());
                let values =
                    self.events.iter().flat_map(|event| event.numbers.iter().map(|(_, value)| *value));
                maps(entries, keys.collect(), Arc::new(Float64Array::from_iter_values(values)))
            }
            ("categories", DataType::Map(entries, _)) => {
                let keys = self
                    .events
                    .iter()
                    .map(|event| event.categories.iter().map(|(name, _)| name.as_str()).collect());
                let values = self
                    .events
                    .iter()
                    .flat_map(|event| event.categories.iter().map(|(_, value)| value.as_str()));
                maps(entries, keys.collect(), dictionary(values))
            }
            (_, DataType::Map(entries, _)) => {
                let DataType::Struct(fields) = entries.data_type() else { panic!("entries are pairs") };
                maps(entries, vec![Vec::new(); rows], new_empty_array(fields[1].data_type()))
            }
            (name, DataType::List(item)) => self.first_row(item, self.counts(name)),
            (name, DataType::Dictionary(..)) => dictionary(self.events.iter().map(|_| match name {
                "model" => self.model.as_str(),
                "version" => "1",
                "environment" => "production",
                _ => "http",
            })),
            _ => Arc::new(StringArray::from_iter_values(self.events.iter().map(|_| ""))),
        }
    }

    /// The column `name` of the counts, as it stands on the first row.
    fn counts(&self, name: &str) -> ArrayRef {
        let minute = |minute: u32| START_S + i64::from(minute) * 60;
        let (cells, moments) = (&self.cells, &self.moments);
        let traffic = self.events.iter().map(|event| START_S + event.second.div_euclid(60) * 60);
        let times = || self.events.iter().map(|event| (START_S + event.second) * 1_000);
        match name {
            "count_segment" => texts(cells.iter().map(|cell| cell.0)),
            "count_signal" => texts(cells.iter().map(|cell| cell.1)),
            "count_grid" => integers(cells.iter().map(|cell| cell.2.into())),
            "count_minute" => integers(cells.iter().map(|cell| minute(cell.3))),
            "count_bin" => integers(cells.iter().map(|cell| cell.4.into())),
            "count_n" => integers(cells.iter().map(|cell| cell.5)),
            "moment_segment" => texts(moments.iter().map(|_| "")),
            "moment_signal" => texts(moments.iter().map(|moment| moment.0)),
            "moment_minute" => integers(moments.iter().map(|moment| minute(moment.1))),
            "moment_n" => integers(moments.iter().map(|moment| moment.2)),
            "moment_sum" => floats(moments.iter().map(|moment| moment.3)),
            "moment_sum_of_squares" => floats(moments.iter().map(|moment| moment.4)),
            "moment_least" => floats(moments.iter().map(|moment| moment.5)),
            "moment_greatest" => floats(moments.iter().map(|moment| moment.6)),
            // Traffic of one event each: the view's target adds them up.
            "traffic_segment" => texts(self.events.iter().map(|_| "")),
            "traffic_minute" => integers(traffic),
            "traffic_events" => integers(self.events.iter().map(|_| 1)),
            "traffic_errors" => integers(self.events.iter().map(|_| 0)),
            "traffic_first_event" | "traffic_last_event" => integers(times()),
            "traffic_largest_lag_ms" => integers(self.events.iter().map(|_| 1_000)),
            "breach_rule" | "rules" => texts(std::iter::once("x.range")),
            "breach_minute" => integers(std::iter::once(minute(0))),
            "breach_n" => integers(std::iter::once(1)),
            unknown => panic!("the intake has a column {unknown} that this test does not know"),
        }
    }

    /// A list column that holds `items` in its first row and nothing in the others.
    fn first_row(&self, item: &Arc<Field>, items: ArrayRef) -> ArrayRef {
        let items = cast(&items, item.data_type()).expect("the column's type");
        let lengths = (0..self.events.len()).map(|row| if row == 0 { items.len() } else { 0 });
        let offsets = OffsetBuffer::from_lengths(lengths);
        Arc::new(ListArray::try_new(item.clone(), offsets, items.clone(), None).expect("lists"))
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(arrow::array::Int64Array::from_iter_values(values))
}

fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(values))
}

fn instants(kind: &DataType, values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter_values(values).with_data_type(kind.clone()))
}

/// A dictionary that holds each value where it comes first.
fn dictionary<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    let mut known: Vec<&str> = Vec::new();
    let keys: Vec<i32> = values
        .map(|value| {
            let place = known.iter().position(|name| *name == value).unwrap_or_else(|| {
                known.push(value);
                known.len() - 1
            });
            i32::try_from(place).expect("few values")
        })
        .collect();
    let values = Arc::new(StringArray::from_iter_values(known));
    Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from(keys), values).expect("a dictionary"))
}

fn maps(entries: &Arc<Field>, keys: Vec<Vec<&str>>, values: ArrayRef) -> ArrayRef {
    let DataType::Struct(fields) = entries.data_type() else { panic!("entries are pairs") };
    let offsets = OffsetBuffer::from_lengths(keys.iter().map(Vec::len));
    let keys = dictionary(keys.into_iter().flatten());
    let pairs = StructArray::try_new(fields.clone(), vec![keys, values], None).expect("pairs");
    Arc::new(MapArray::try_new(entries.clone(), offsets, pairs, None, false).expect("maps"))
}
