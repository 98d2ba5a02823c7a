//! When the events of a batch happened and came, by model: also of one that an earlier process wrote down.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, TimestampMillisecondType};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use domain::time::{Instant, Interval};

/// The stretch that the events of one model in a batch cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub model: String,
    /// Event time.
    pub interval: Interval,
    pub first_received_at: Instant,
}

impl Span {
    /// The span of events, each given by its time and when it was received.
    pub fn of(model: &str, events: impl Iterator<Item = (Instant, Instant)>) -> Self {
        let far = Instant::from_millis(i64::MAX);
        let (mut first, mut last, mut received) = (far, Instant::from_millis(i64::MIN), far);
        for (timestamp, received_at) in events {
            first = first.min(timestamp);
            last = last.max(timestamp);
            received = received.min(received_at);
        }
        let interval = Interval::new(first, last.saturating_add(Duration::from_millis(1)));
        Self { model: model.to_owned(), interval, first_received_at: received }
    }
}

/// The spans of a serialised batch of predictions.
///
/// # Errors
/// Where the bytes are no such batch.
pub fn spans(stream: &[u8]) -> Result<Vec<Span>, ArrowError> {
    let mut by_model: BTreeMap<String, Vec<(Instant, Instant)>> = BTreeMap::new();
    for batch in StreamReader::try_new(stream, None)? {
        let batch = batch?;
        let column = |name: &str| {
            let missing =
                || ArrowError::SchemaError(format!("a batch in the spool has no column \"{name}\""));
            batch.column_by_name(name).ok_or_else(missing)
        };
        let models = column("model")?.as_dictionary_opt::<Int32Type>();
        let models = models.and_then(|models| models.downcast_dict::<StringArray>());
        let (Some(models), timestamps, received) =
            (models, millis(&batch, "timestamp"), millis(&batch, "received_at"))
        else {
            return Err(ArrowError::SchemaError("a batch in the spool has another schema".to_owned()));
        };
        for (model, at) in models.into_iter().zip(timestamps.into_iter().zip(received)) {
            by_model.entry(model.unwrap_or_default().to_owned()).or_default().push(at);
        }
    }
    Ok(by_model.into_iter().map(|(model, events)| Span::of(&model, events.into_iter())).collect())
}

fn millis(batch: &RecordBatch, name: &str) -> Vec<Instant> {
    let column = batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
    let values = column.map(|column| column.values().iter().map(|millis| Instant::from_millis(*millis)));
    values.map(Iterator::collect).unwrap_or_default()
}
