//! `intake`: the one door for events and their counts. One record batch is one insert under one token.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

use bytes::Bytes;

use crate::error::Error;
use crate::store::Store;

/// Names and values of low variety travel as dictionaries: they are half of the bytes otherwise.
pub fn dictionary() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

pub fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()))
}

/// `Map(key, value)` with dictionary-encoded keys, in the layout that `MapBuilder` and ClickHouse share.
pub fn map_of(value: DataType, value_nullable: bool) -> DataType {
    let entries = Fields::from(vec![
        Field::new("keys", dictionary(), false),
        Field::new("values", value, value_nullable),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

pub fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// The columns of an event, as `predictions` keeps them.
pub fn event_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let event = [
            ("id", DataType::Utf8),
            ("model", dictionary()),
            ("version", dictionary()),
            ("environment", dictionary()),
            ("timestamp", instant()),
            ("received_at", instant()),
            ("numbers", map_of(DataType::Float64, true)),
            ("categories", map_of(dictionary(), true)),
            ("vectors", map_of(list_of(DataType::Float32), true)),
            ("lists", map_of(list_of(DataType::Utf8), true)),
            ("tags", map_of(DataType::Utf8, true)),
            ("error", DataType::Utf8),
            ("trace_id", DataType::Utf8),
            ("source", dictionary()),
        ];
        let fields = event.map(|(name, kind)| Field::new(name, kind, false));
        Arc::new(Schema::new(fields.to_vec()))
    });
    SCHEMA.clone()
}

/// The columns of `intake`, in order: those of an event, then the arrays of counts that stand on the first row of each
/// (model, version, environment) of the batch, then the rules that each event broke.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let lists = [
            ("count_segment", DataType::Utf8),
            ("count_signal", DataType::Utf8),
            ("count_grid", DataType::UInt32),
            ("count_minute", DataType::UInt32),
            ("count_bin", DataType::UInt16),
            ("count_n", DataType::Int64),
            ("moment_segment", DataType::Utf8),
            ("moment_signal", DataType::Utf8),
            ("moment_minute", DataType::UInt32),
            ("moment_n", DataType::Int64),
            ("moment_sum", DataType::Float64),
            ("moment_sum_of_squares", DataType::Float64),
            ("moment_least", DataType::Float64),
            ("moment_greatest", DataType::Float64),
            ("traffic_segment", DataType::Utf8),
            ("traffic_minute", DataType::UInt32),
            ("traffic_events", DataType::Int64),
            ("traffic_errors", DataType::Int64),
            ("traffic_first_event", DataType::Int64),
            ("traffic_last_event", DataType::Int64),
            ("traffic_largest_lag_ms", DataType::Int64),
            ("breach_rule", DataType::Utf8),
            ("breach_minute", DataType::UInt32),
            ("breach_n", DataType::Int64),
            ("rules", DataType::Utf8),
        ];
        let lists = lists.map(|(name, item)| Arc::new(Field::new(name, list_of(item), false)));
        let event = event_schema();
        Arc::new(Schema::new(event.fields().iter().cloned().chain(lists).collect::<Fields>()))
    });
    SCHEMA.clone()
}

/// The columns of a batch that `broken_rules` keeps, of events that broke any.
pub fn broken_rules_schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
        let kept = ["id", "model", "version", "environment", "timestamp", "received_at", "rules"];
        let all = schema();
        let fields = all.fields().iter().filter(|field| kept.contains(&field.name().as_str()));
        Arc::new(Schema::new(fields.cloned().collect::<Fields>()))
    });
    SCHEMA.clone()
}

/// The tables that take batches from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// Predictions with their counts.
    Intake,
    Outcomes,
    RejectedEvents,
}

impl Door {
    pub const ALL: [Self; 3] = [Self::Intake, Self::Outcomes, Self::RejectedEvents];

    /// The table's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Outcomes => "outcomes",
            Self::RejectedEvents => "rejected_events",
        }
    }

    pub fn schema(self) -> SchemaRef {
        match self {
            Self::Intake => schema(),
            Self::Outcomes => crate::outcomes::schema(),
            Self::RejectedEvents => crate::rejected_events::schema(),
        }
    }
}

impl Store {
    /// Stores a batch of the door's schema, serialised by [`crate::store::arrow_stream`]; for the intake: events and
    /// their counts. The same bytes again under the same `token`, also after a failure of which nobody knows how far it
    /// came, complete what is missing and double nothing.
    ///
    /// # Errors
    /// The store's; repeat with the same bytes and token where [`Error::is_transient`].
    pub async fn insert_batch(&self, door: Door, stream: Bytes, token: &str) -> Result<(), Error> {
        self.insert_arrow_stream(door.name(), &door.schema(), stream, token).await
    }
}
