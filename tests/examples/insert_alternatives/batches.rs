//! One batch of counted events as the collector lays it out, and the same in other shapes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, ListArray, MapArray, RecordBatch,
    StringArray, StructArray, new_empty_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use bytes::Bytes;
use collector::decode::{self, Framing, Names, Rules};
use collector::event::Name;
use collector::known::Known;
use collector::predictions::Predictions;
use domain::contract::Contract;
use domain::grid::{Bins, Edges, Grid};
use domain::time::{Clock, Instant};
use sql::grids::StoredGrid;

pub const ROWS: usize = 50_000;

/// The columns of an event; those of its counts stand behind them.
const OF_AN_EVENT: usize = 14;

/// The columns of an event that the measured ones fill.
pub const FILLED: [usize; 9] = [0, 1, 2, 3, 4, 5, 6, 7, 13];

/// With what the names of the lists begin that make up the counts of a batch, and what their rows are called.
const KINDS: [(&str, &str); 4] =
    [("count", "counts"), ("moment", "moments"), ("traffic", "traffic"), ("breach", "breaches")];

fn value(event: usize, feature: usize) -> f64 {
    ((event * 2_654_435_761 + feature * 40_503) % 1_000_003) as f64 / 997.0
}

fn events(features: usize) -> anyhow::Result<Predictions> {
    let mut lines = String::new();
    for event in 0..ROWS {
        let values: Vec<String> =
            (0..features).map(|n| format!("\"feature_{n}\":{:.4}", value(event, n))).collect();
        lines.push_str(&format!(
            "{{\"id\":\"{:032x}\",\"model\":\"m\",\"features\":{{{},\"country\":\"{}\"}},\"prediction\":0.5}}\n",
            (event as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835),
            values.join(","),
            ["BR", "DE", "FR"][event % 3]
        ));
    }
    let now = Clock::System.now();
    let rules = Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: Instant::EPOCH,
        newest: now,
        models: Vec::new(),
        guards: Default::default(),
    };
    let mut events = Predictions::default();
    let mut names = Names::default();
    let refused =
        decode::predictions_into(lines.as_bytes(), Framing::Lines, &mut names, &rules, &mut events)?;
    anyhow::ensure!(refused.is_empty(), "every event is taken");
    Ok(events)
}

fn known(features: usize) -> Known {
    let grids = (0..features).map(|n| StoredGrid {
        grid: Grid::new(
            "m",
            &format!("feature.feature_{n}"),
            Instant::EPOCH,
            Bins::Numbers(Edges::of_sample((0..5_000).map(|event| value(event, n)).collect())),
        ),
        made_from: String::new(),
        made_of: 0,
        announced_at: Instant::EPOCH,
        recounted_at: None,
    });
    let contract = Contract { segments: vec!["country".to_owned()], ..Contract::default() };
    Known::of(Instant::EPOCH, grids.collect(), BTreeMap::from([("m".to_owned(), contract)]).into())
}

/// A statement and its data.
pub type Part = (String, Bytes);

pub fn insert(table: &str, batch: &RecordBatch) -> Part {
    let schema = batch.schema();
    let names: Vec<String> = schema.fields().iter().map(|field| format!("`{}`", field.name())).collect();
    let statement = format!("INSERT INTO {table} ({}) FORMAT ArrowStream", names.join(", "));
    (statement, sql::store::arrow_stream(batch).expect("bytes"))
}

/// A batch as it goes into `intake`.
pub struct Counted(pub RecordBatch);

impl Counted {
    pub fn of(features: usize) -> anyhow::Result<Self> {
        Ok(Self(collector::batch::predictions(events(features)?, &known(features))?.batch))
    }

    /// The columns of the events alone, those that are filled.
    pub fn filled(&self) -> RecordBatch {
        self.0.project(&FILLED).expect("columns of a batch")
    }

    /// All columns of the events, without counts.
    pub fn events(&self) -> RecordBatch {
        self.0.project(&(0..OF_AN_EVENT).collect::<Vec<_>>()).expect("columns of a batch")
    }

    /// The batch without those columns of events in which nothing stands.
    pub fn without_empty_columns(&self) -> RecordBatch {
        let columns: Vec<usize> = FILLED.into_iter().chain(OF_AN_EVENT..self.0.num_columns()).collect();
        self.0.project(&columns).expect("columns of a batch")
    }

    /// The batch with empty counts: what the events alone cost by the same door.
    pub fn without_counts(&self) -> RecordBatch {
        let columns = self.0.columns().iter().map(|column| match column.as_list_opt::<i32>() {
            None => column.clone(),
            Some(list) => {
                let DataType::List(item) = list.data_type() else { unreachable!("a list is a list") };
                let nothing = new_empty_array(item.data_type());
                let offsets = OffsetBuffer::new_zeroed(list.len());
                Arc::new(ListArray::new(item.clone(), offsets, nothing, None)) as ArrayRef
            }
        });
        RecordBatch::try_new(self.0.schema(), columns.collect()).expect("the same schema")
    }

    /// The lists of one kind of counts, each with its name within the kind.
    fn lists<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a ListArray)> {
        let schema = self.0.schema_ref();
        let columns = schema.fields().iter().zip(self.0.columns());
        columns.filter_map(move |(field, column)| {
            let name = field.name().strip_prefix(kind)?.strip_prefix('_')?;
            Some((name, column.as_list::<i32>()))
        })
    }

    /// The batch with one list of structures for each kind of counts, instead of a list for each of their fields.
    pub fn in_tuples(&self) -> RecordBatch {
        let events = self.events();
        let mut columns: Vec<(String, ArrayRef)> = events
            .schema()
            .fields()
            .iter()
            .zip(events.columns())
            .map(|(field, column)| (field.name().clone(), column.clone()))
            .collect();
        for (kind, rows_are) in KINDS {
            let offsets = self.lists(kind).next().expect("every kind has lists").1.offsets().clone();
            let parts = self.lists(kind).map(|(name, list)| {
                let values = list.values().clone();
                (Arc::new(Field::new(name, values.data_type().clone(), false)), values)
            });
            let rows = StructArray::from(parts.collect::<Vec<_>>());
            let item = Arc::new(Field::new("item", rows.data_type().clone(), false));
            let list = ListArray::new(item, offsets, Arc::new(rows), None);
            columns.push((rows_are.to_owned(), Arc::new(list)));
        }
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    }

    /// The batch with the segments and signals of its counts as dictionaries.
    pub fn in_dictionaries(&self) -> RecordBatch {
        let renamed = |field: &Field| ["_segment", "_signal"].iter().any(|end| field.name().ends_with(end));
        let schema = self.0.schema();
        let columns = schema.fields().iter().zip(self.0.columns()).map(|(field, column)| {
            if !renamed(field) {
                return (field.name().clone(), column.clone());
            }
            let list = column.as_list::<i32>();
            let texts: DictionaryArray<Int32Type> = list.values().as_string::<i32>().iter().collect();
            let item = Arc::new(Field::new("item", texts.data_type().clone(), true));
            let list = ListArray::new(item, list.offsets().clone(), Arc::new(texts), None);
            (field.name().clone(), Arc::new(list) as ArrayRef)
        });
        RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).expect("columns of one length")
    }

    /// The batch with fields that say of themselves that nothing is null.
    pub fn without_nulls(&self) -> RecordBatch {
        let columns: Vec<ArrayRef> = self.0.columns().iter().map(never_null).collect();
        let old = self.0.schema();
        let fields = old.fields().iter().zip(&columns);
        let fields =
            fields.map(|(field, column)| Field::new(field.name(), column.data_type().clone(), false));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        RecordBatch::try_new(Arc::new(schema), columns).expect("the same columns")
    }

    /// The counts as rows of their own, as `signal_minutes` has them.
    pub fn counts(&self) -> RecordBatch {
        self.rows_of("count")
    }

    /// The same of `signal_moments`.
    pub fn moments(&self) -> RecordBatch {
        self.rows_of("moment")
    }

    fn rows_of(&self, kind: &str) -> RecordBatch {
        let rows = self.lists(kind).next().expect("every kind has lists").1.values().len();
        let same =
            |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..rows).map(|_| text))) };
        let of_all = [("model", same("m")), ("version", same("")), ("environment", same("production"))];
        let lists = self.lists(kind).map(|(name, list)| (name, list.values().clone()));
        RecordBatch::try_from_iter(of_all.into_iter().chain(lists)).expect("columns of one length")
    }

    /// The filled columns with ids of sixteen bytes instead of their hexadecimal text.
    pub fn with_bytes_for_ids(&self) -> RecordBatch {
        let filled = self.filled();
        let ids = filled.column(0).as_string::<i32>().iter().map(|id| {
            let id = u128::from_str_radix(id.unwrap_or_default(), 16).expect("ids are hexadecimal");
            id.to_be_bytes()
        });
        let ids = FixedSizeBinaryArray::try_from_iter(ids).expect("ids of one width");
        let schema = filled.schema();
        let columns =
            schema.fields().iter().zip(filled.columns()).enumerate().map(|(place, (field, column))| {
                let column = if place == 0 { Arc::new(ids.clone()) as ArrayRef } else { column.clone() };
                (field.name().clone(), column)
            });
        RecordBatch::try_from_iter(columns.collect::<Vec<_>>()).expect("columns of one length")
    }
}

/// The same array whose inner fields are not nullable.
fn never_null(array: &ArrayRef) -> ArrayRef {
    let strict = |field: &Field, values: &ArrayRef| {
        Arc::new(Field::new(field.name(), values.data_type().clone(), false))
    };
    match array.data_type() {
        DataType::Map(field, ordered) => {
            let map = array.as_map();
            let columns: Vec<ArrayRef> = map.entries().columns().iter().map(never_null).collect();
            let fields = map.entries().fields().iter().zip(&columns).map(|(f, values)| strict(f, values));
            let entries = StructArray::new(fields.collect(), columns, None);
            let field = Arc::new(Field::new(field.name(), entries.data_type().clone(), false));
            Arc::new(MapArray::new(field, map.offsets().clone(), entries, None, *ordered))
        }
        DataType::List(field) => {
            let list = array.as_list::<i32>();
            let values = never_null(list.values());
            Arc::new(ListArray::new(strict(field, &values), list.offsets().clone(), values, None))
        }
        _ => array.clone(),
    }
}
