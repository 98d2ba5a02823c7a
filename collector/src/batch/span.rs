//! When the events of a batch happened and came, by model: also of one that an earlier process wrote down.

use std::collections::BTreeMap;
use std::time::Duration;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampMillisecondType;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use domain::time::{Instant, Interval};
use sql::grid_making::Identity;
use sql::intake::Door;

use crate::event::Rejection;

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

/// The stretches of event time in which a serialised batch feeds counts: those of predictions, and of rejections the rules
/// that they broke.
///
/// # Errors
/// Where the bytes are no batch of this door.
pub fn spans(door: Door, stream: &[u8]) -> Result<Vec<Span>, ArrowError> {
    let time = match door {
        Door::Intake => "timestamp",
        Door::RejectedEvents => "happened_at",
        Door::Outcomes => return Ok(Vec::new()),
    };
    let mut by_model: BTreeMap<String, Vec<(Instant, Instant)>> = BTreeMap::new();
    for batch in StreamReader::try_new(stream, None)? {
        let batch = batch?;
        let (models, timestamps, received) =
            (texts(&batch, "model"), millis(&batch, time), millis(&batch, "received_at"));
        if [models.len(), timestamps.len(), received.len()] != [batch.num_rows(); 3] {
            return Err(ArrowError::SchemaError("a batch in the spool has another schema".to_owned()));
        }
        for (model, at) in models.into_iter().zip(timestamps.into_iter().zip(received)) {
            // What cannot be read has no model.
            if !model.is_empty() {
                by_model.entry(model).or_default().push(at);
            }
        }
    }
    Ok(by_model.into_iter().map(|(model, events)| Span::of(&model, events.into_iter())).collect())
}

/// The spans of refused events whose breaches are counted.
pub fn spans_refused(rejections: &[Rejection]) -> Vec<Span> {
    let mut by_model: BTreeMap<&str, Vec<(Instant, Instant)>> = BTreeMap::new();
    for rejection in rejections {
        if let Some(kept_out) = &rejection.kept_out {
            let at = (kept_out.happened_at, rejection.received_at);
            by_model.entry(&rejection.model).or_default().push(at);
        }
    }
    by_model.into_iter().map(|(model, events)| Span::of(model, events.into_iter())).collect()
}

/// By what the events of a serialised batch of predictions are known.
///
/// # Errors
/// Where the bytes are no such batch.
pub fn identities(stream: &[u8]) -> Result<Vec<Identity>, ArrowError> {
    let mut all = Vec::new();
    for batch in StreamReader::try_new(stream, None)? {
        let batch = batch?;
        let ids = batch.column_by_name("id").and_then(|column| column.as_string_opt::<i32>());
        let [models, versions, environments] =
            ["model", "version", "environment"].map(|name| texts(&batch, name));
        let Some(ids) = ids else {
            return Err(ArrowError::SchemaError("a batch in the spool has no ids".to_owned()));
        };
        let names = models.into_iter().zip(versions).zip(environments);
        all.extend(ids.iter().zip(names).map(|(id, ((model, version), environment))| Identity {
            model,
            version,
            environment,
            id: id.unwrap_or_default().to_owned(),
        }));
    }
    Ok(all)
}

/// The texts of a column, with a dictionary of keys of any width or without; none where it is no such column.
pub(super) fn texts(batch: &RecordBatch, name: &str) -> Vec<String> {
    let Some(column) = batch.column_by_name(name) else { return Vec::new() };
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.iter().map(|text| text.unwrap_or_default().to_owned()).collect();
    }
    let Some(column) = column.as_any_dictionary_opt().filter(|column| !column.values().is_empty()) else {
        return Vec::new();
    };
    let Some(texts) = column.values().as_string_opt::<i32>() else { return Vec::new() };
    column.normalized_keys().into_iter().map(|key| texts.value(key).to_owned()).collect()
}

pub(super) fn millis(batch: &RecordBatch, name: &str) -> Vec<Instant> {
    let column = batch.column_by_name(name).and_then(|c| c.as_primitive_opt::<TimestampMillisecondType>());
    let values = column.map(|column| column.values().iter().map(|millis| Instant::from_millis(*millis)));
    values.map(Iterator::collect).unwrap_or_default()
}
