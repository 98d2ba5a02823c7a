//! From understood events to the record batches that the store takes: predictions with their counts, outcomes,
//! rejections.

mod columns;
mod rows;
mod span;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt16Array, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::error::ArrowError;
use domain::signal::TAG;
use domain::time::Instant;

use self::columns::{instants, keyed, list, lists, named, numbered, tags, texts, vectors};
pub use self::rows::{Month, Rows};
pub use self::span::{Span, identities, spans, spans_refused};
use crate::count::{Segments, SignalNumbers, Tally, count, minute_of};
use crate::dictionary::Dictionary;
use crate::event::{Name, Outcome, Rejection};
use crate::import::sample::Sample;
use crate::known::Known;
use crate::predictions::{Entries, Predictions};
use crate::streams::{Stream, streams};

/// Predictions laid out for the store.
#[derive(Clone, Debug)]
pub struct Counted {
    pub batch: RecordBatch,
    pub streams: Vec<Summary>,
}

/// What a batch holds of one (model, version, environment).
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub span: Span,
    /// Signals without a grid in force, with how many values they have.
    pub ungridded: Vec<(String, u64)>,
    pub skew: Skew,
    /// Rules of the contract that stored events break, with how many do.
    pub breaches: Vec<(String, u64)>,
}

/// How long after they happened the events were received, in seconds; negative where the sender's clock is ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Skew {
    pub least_s: f64,
    pub mean_s: f64,
    pub greatest_s: f64,
}

impl Skew {
    fn of(events: impl Iterator<Item = (Instant, Instant)>) -> Self {
        let (mut least_s, mut greatest_s, mut sum, mut n) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0);
        for (timestamp, received_at) in events {
            let skew_s = received_at.millis().saturating_sub(timestamp.millis()) as f64 / 1_000.0;
            least_s = skew_s.min(least_s);
            greatest_s = skew_s.max(greatest_s);
            sum += skew_s;
            n += 1.0;
        }
        Self { least_s, mean_s: sum / n, greatest_s }
    }
}

/// One insert into `intake`: the events and, on the first event of each stream, its counts.
///
/// # Errors
/// None that outside input can cause: the columns are built to the schema.
pub fn predictions(mut events: Predictions, known: &Known) -> Result<Counted, ArrowError> {
    let streams = streams(&events);
    let models: BTreeMap<&str, _> =
        streams.iter().map(|stream| (stream.model.as_str(), known.model(&stream.model))).collect();
    let numbers: BTreeMap<&str, SignalNumbers> =
        models.iter().map(|(name, model)| (*name, SignalNumbers::of(model, &mut events.signals))).collect();
    let mut segments = Segments::default();
    let tallies: Vec<(usize, Tally)> = streams
        .iter()
        .map(|stream| {
            let model = stream.model.as_str();
            let tally = count(&events, stream, &models[model], &numbers[model], &mut segments);
            (stream.rows[0] as usize, tally)
        })
        .collect();
    let summaries = streams
        .iter()
        .zip(&tallies)
        .map(|(stream, (_, tally))| summary(&events, stream, tally, known))
        .collect();
    let mut counts = count_columns(events.len(), &tallies, &segments, &events.signals);
    counts.extend(breach_columns(&events, &streams));
    counts.push(broken(&events));
    let mut columns = event_columns(stored(events));
    columns.extend(counts);
    Ok(Counted { batch: RecordBatch::try_new(sql::intake::schema(), columns)?, streams: summaries })
}

fn summary(events: &Predictions, stream: &Stream, tally: &Tally, known: &Known) -> Summary {
    let model = known.model(&stream.model);
    let rows = || stream.rows.iter().map(|row| *row as usize);
    let received = || rows().map(|row| (events.timestamps[row], events.received_at[row]));
    let mut breaches: BTreeMap<String, u64> = BTreeMap::new();
    for (_, marks) in events.marks.iter().filter(|(row, _)| stream.rows.binary_search(row).is_ok()) {
        marks.breaches.iter().for_each(|rule| *breaches.entry(rule.to_string()).or_default() += 1);
    }
    let carried = tally.ungridded.iter().map(|(signal, n)| (events.signals.text(*signal).to_owned(), *n));
    let tags = known.watched_tags(&stream.model).map(|tag| {
        let label = events.labels.find(tag).map(|label| label as i32);
        let carried = label.map_or(0, |label| rows().filter(|row| events.tag(*row, label).is_some()).count());
        (format!("{TAG}{tag}"), carried as u64)
    });
    Summary {
        span: Span::of(&stream.model, received()),
        skew: Skew::of(received()),
        breaches: breaches.into_iter().collect(),
        // A grid that is announced but does not hold yet is a grid.
        ungridded: carried
            .chain(tags)
            .filter(|(signal, n)| *n > 0 && !model.by_signal.contains_key(signal))
            .collect(),
    }
}

/// The values of events that are only counted, by model and signal, where there is no grid yet: nothing else keeps them
/// until there is one.
pub fn uncounted(events: &Predictions, known: &Known) -> BTreeMap<(Name, Name), Sample> {
    let mut samples: BTreeMap<(Name, Name), Sample> = BTreeMap::new();
    for (row, _) in events.marks.iter().filter(|(_, marks)| marks.counts_only) {
        let event = events.row(*row as usize);
        let model = known.model(&event.model);
        let mut sample = |name: &Name, take: &dyn Fn(&mut Sample)| {
            if !model.by_signal.contains_key(name.as_str()) {
                take(samples.entry((event.model.clone(), name.clone())).or_default());
            }
        };
        for (name, value) in &event.numbers {
            sample(name, &|sample| sample.number(*value));
        }
        for (name, value) in &event.categories {
            sample(name, &|sample| sample.category(value));
        }
        for (name, value) in &event.tags {
            sample(&Name::from(format!("{TAG}{name}")), &|sample| {
                sample.category(&Name::from(value.as_str()))
            });
        }
    }
    samples
}

/// The columns of the events: the very memory into which they were read.
fn event_columns(events: Predictions) -> Vec<ArrayRef> {
    let Predictions { signals, words, labels, .. } = &events;
    let (signals, words, labels) = (texts(signals), texts(words), texts(labels));
    vec![
        columns::text(events.ids),
        numbered(events.models, &labels),
        numbered(events.versions, &labels),
        numbered(events.environments, &labels),
        instants(events.timestamps.into_iter()),
        instants(events.received_at.into_iter()),
        keyed(events.numbers, &signals, |values| Arc::new(Float64Array::from(values))),
        keyed(events.categories, &signals, |values| numbered(values, &words)),
        vectors(events.vectors, &signals),
        lists(events.lists, &signals),
        tags(events.tags, &labels),
        columns::text(events.errors),
        columns::text(events.trace_ids),
        numbered(events.sources, &labels),
    ]
}

fn count_columns(
    events: usize,
    tallies: &[(usize, Tally)],
    segments: &Segments,
    signals: &Dictionary,
) -> Vec<ArrayRef> {
    let segment = |number: u32| segments.texts()[number as usize].as_str();
    let signal = |number: u32| signals.text(number);
    let counts = || tallies.iter().flat_map(|(_, tally)| &tally.counts);
    let moments = || tallies.iter().flat_map(|(_, tally)| &tally.moments);
    let traffic = || tallies.iter().flat_map(|(_, tally)| &tally.traffic);
    let lay = |length: fn(&Tally) -> usize, parts: Vec<ArrayRef>| -> Vec<ArrayRef> {
        let offsets = columns::offsets_on_rows(events, tallies.iter().map(|(row, t)| (*row, length(t))));
        parts.into_iter().map(|values| list(offsets.clone(), values)).collect()
    };
    let mut all = lay(
        |tally| tally.counts.len(),
        vec![
            Arc::new(StringArray::from_iter_values(counts().map(|row| segment(row.segment)))),
            Arc::new(StringArray::from_iter_values(counts().map(|row| signal(row.signal)))),
            Arc::new(UInt32Array::from_iter_values(counts().map(|row| row.grid.0))),
            Arc::new(UInt32Array::from_iter_values(counts().map(|row| row.minute))),
            Arc::new(UInt16Array::from_iter_values(counts().map(|row| row.bin.0))),
            Arc::new(Int64Array::from_iter_values(counts().map(|row| row.n))),
        ],
    );
    let float = |of: fn(&domain::baseline::Moments) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(moments().map(|row| of(&row.moments))))
    };
    all.extend(lay(
        |tally| tally.moments.len(),
        vec![
            Arc::new(StringArray::from_iter_values(moments().map(|row| segment(row.segment)))),
            Arc::new(StringArray::from_iter_values(moments().map(|row| signal(row.signal)))),
            Arc::new(UInt32Array::from_iter_values(moments().map(|row| row.minute))),
            Arc::new(Int64Array::from_iter_values(moments().map(|row| row.moments.n as i64))),
            float(|moments| moments.sum),
            float(|moments| moments.sum_of_squares),
            float(|moments| moments.least),
            float(|moments| moments.greatest),
        ],
    ));
    let whole = |of: fn(&crate::count::TrafficRow) -> i64| -> ArrayRef {
        Arc::new(Int64Array::from_iter_values(traffic().map(of)))
    };
    all.extend(lay(
        |tally| tally.traffic.len(),
        vec![
            Arc::new(StringArray::from_iter_values(traffic().map(|row| segment(row.segment)))),
            Arc::new(UInt32Array::from_iter_values(traffic().map(|row| row.minute))),
            whole(|row| row.events),
            whole(|row| row.errors),
            whole(|row| row.first_event.millis()),
            whole(|row| row.last_event.millis()),
            whole(|row| row.largest_lag_ms),
        ],
    ));
    all
}

/// How many events of each stream broke which rule, by minute.
fn breach_columns(events: &Predictions, streams: &[Stream]) -> Vec<ArrayRef> {
    let mut broken: Vec<BTreeMap<(Name, u32), i64>> = vec![BTreeMap::new(); streams.len()];
    for (row, marks) in &events.marks {
        let stream = streams.iter().position(|stream| stream.rows.binary_search(row).is_ok());
        let stream = stream.expect("every row belongs to a stream");
        let minute = minute_of(events.timestamps[*row as usize]);
        for rule in &marks.breaches {
            *broken[stream].entry((rule.clone(), minute)).or_default() += 1;
        }
    }
    let all = || broken.iter().flatten();
    let lengths = streams.iter().zip(&broken).map(|(stream, broken)| (stream.rows[0] as usize, broken.len()));
    let offsets = columns::offsets_on_rows(events.len(), lengths);
    let parts: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(all().map(|((rule, _), _)| rule.as_str()))),
        Arc::new(UInt32Array::from_iter_values(all().map(|((_, minute), _)| *minute))),
        Arc::new(Int64Array::from_iter_values(all().map(|(_, n)| *n))),
    ];
    parts.into_iter().map(|values| list(offsets.clone(), values)).collect()
}

/// The rules that each event broke: of most of them none.
fn broken(events: &Predictions) -> ArrayRef {
    let marked = || events.marks.iter().map(|(row, marks)| (*row as usize, &marks.breaches));
    let offsets = columns::offsets_on_rows(events.len(), marked().map(|(row, rules)| (row, rules.len())));
    let rules = marked().flat_map(|(_, rules)| rules).map(Name::as_str);
    list(offsets, Arc::new(StringArray::from_iter_values(rules)))
}

/// The events as they are kept: of those that are only counted, no value and no word of a dictionary is left.
fn stored(events: Predictions) -> Predictions {
    if !events.marks.iter().any(|(_, marks)| marks.counts_only) {
        return events;
    }
    let mut kept = Predictions::default();
    for mut event in events.rows() {
        if event.is_counts_only() {
            event.numbers.clear();
            event.categories.clear();
            event.vectors.clear();
            event.lists.clear();
            event.tags.clear();
        }
        kept.push(&event);
    }
    kept
}

/// One insert into `outcomes`.
///
/// # Errors
/// None that outside input can cause.
pub fn outcomes(outcomes: &[Outcome]) -> Result<RecordBatch, ArrowError> {
    let mut signals = Dictionary::default();
    let mut seen = Dictionary::default();
    let mut numbers: Entries<Vec<f64>> = Entries::default();
    let mut categories: Entries<Vec<i32>> = Entries::default();
    for outcome in outcomes {
        for (name, value) in &outcome.numbers {
            numbers.push(signals.index(name), *value);
        }
        numbers.end_row();
        for (name, value) in &outcome.categories {
            categories.push(signals.index(name), seen.index(value) as i32);
        }
        categories.end_row();
    }
    let names = texts(&signals);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(outcomes.iter().map(|outcome| &outcome.id))),
        named(outcomes, |outcome| &outcome.model),
        instants(outcomes.iter().map(|outcome| outcome.timestamp)),
        instants(outcomes.iter().map(|outcome| outcome.received_at)),
        keyed(numbers, &names, |values| Arc::new(Float64Array::from(values))),
        keyed(categories, &names, |values| numbered(values, &texts(&seen))),
        named(outcomes, |outcome| &outcome.source),
    ];
    RecordBatch::try_new(sql::outcomes::schema(), columns)
}

/// One insert into `rejected_events`.
///
/// # Errors
/// None that outside input can cause.
pub fn rejections(rejections: &[Rejection]) -> Result<RecordBatch, ArrowError> {
    let text = |of: fn(&Rejection) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rejections.iter().map(of)))
    };
    let columns: Vec<ArrayRef> = vec![
        instants(rejections.iter().map(|rejection| rejection.received_at)),
        text(|rejection| &rejection.model),
        text(|rejection| rejection.kind.name()),
        text(|rejection| &rejection.source),
        text(|rejection| &rejection.position),
        text(|rejection| &rejection.field),
        text(|rejection| &rejection.reason),
        text(|rejection| &rejection.payload),
        text(|rejection| rejection.kept_out.as_ref().map_or("", |kept| &kept.version)),
        text(|rejection| rejection.kept_out.as_ref().map_or("", |kept| &kept.environment)),
        instants(rejections.iter().map(|rejection| {
            rejection.kept_out.as_ref().map_or(rejection.received_at, |kept| kept.happened_at)
        })),
        broken_rules(rejections),
    ];
    RecordBatch::try_new(sql::rejected_events::schema(), columns)
}

fn broken_rules(rejections: &[Rejection]) -> ArrayRef {
    let rules =
        |rejection: &Rejection| rejection.kept_out.iter().flat_map(|kept| kept.rules.clone()).collect();
    let rules: Vec<Vec<Name>> = rejections.iter().map(rules).collect();
    let offsets = OffsetBuffer::from_lengths(rules.iter().map(Vec::len));
    let texts = StringArray::from_iter_values(rules.iter().flatten().map(Name::as_str));
    list(offsets, Arc::new(texts))
}

#[cfg(test)]
mod tests;
