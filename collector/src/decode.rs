//! Reads events from JSON: an object, an array, or one object a line. A bad event is refused by itself, with the field
//! that is wrong and what would be right; the others are taken.
//!
//! Invariant: every event of a body comes out once, understood or refused, under its index.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod array;
mod draft;
mod fields;
mod names;
pub(crate) mod nonfinite;
pub mod raw;
mod row;
mod scalar;
mod section;
mod split;
mod values;

use std::sync::Arc;

use domain::time::Instant;

use self::draft::Draft;
pub use self::names::Names;
pub use self::split::Framing;
use crate::event::{Kind, Name, Outcome, Prediction, Rejection};
use crate::guard::{Guards, KeptOut};
use crate::predictions::Predictions;

/// What holds for every event of a body.
#[derive(Clone, Debug)]
pub struct Rules {
    pub received_at: Instant,
    pub source: Name,
    /// Events that happened before are refused: they would be dropped by retention.
    pub oldest: Instant,
    /// Events that happen later are refused: the sender's clock is wrong.
    pub newest: Instant,
    /// The models that may be written; all where none is named.
    pub models: Vec<String>,
    /// What contracts say about events, and what is redacted of them.
    pub guards: Arc<Guards>,
}

/// Bad events in one body, beyond which the whole body is refused: it is something else than events.
pub const MOST_REFUSED: usize = 10_000;

/// Events in one body. Small ones take many times the memory of their text, which is not known before they are read.
pub const MOST_EVENTS: usize = 100_000;

/// An event that was refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub index: usize,
    /// Empty where it is no single field.
    pub field: String,
    pub error: String,
    pub model: String,
    pub payload: String,
    /// Whether only the sender's rights are missing.
    pub forbidden: bool,
    /// Where it belongs, if its model's contract keeps it out.
    pub kept_out: Option<Box<KeptOut>>,
}

impl Refused {
    pub fn rejection(&self, kind: Kind, rules: &Rules) -> Rejection {
        Rejection {
            received_at: rules.received_at,
            model: self.model.clone(),
            kind,
            source: rules.source.to_string(),
            position: self.index.to_string(),
            field: self.field.clone(),
            reason: self.error.clone(),
            payload: self.payload.clone(),
            kept_out: self.kept_out.clone(),
        }
    }
}

/// The events of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded<E> {
    pub events: Vec<E>,
    pub refused: Vec<Refused>,
}

/// A body that is no list of events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is empty; send a JSON object, an array of objects, or one object a line")]
    Empty,
    #[error("the body begins with \"{0}\"; send a JSON object, an array of objects, or one object a line")]
    NoEvents(char),
    #[error("the array does not end: the body was cut, or a quote or bracket is missing (event {index})")]
    Open { index: usize },
    #[error("there is more after the end of the array")]
    Trailing,
    #[error("the body has more than {MOST_EVENTS} events; send fewer at once")]
    TooMany,
    #[error("more than {MOST_REFUSED} events are wrong, the first of them: {first}")]
    TooManyRefused { first: String },
}

/// A problem of one event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub field: String,
    pub error: String,
    pub forbidden: bool,
    pub kept_out: Option<Box<KeptOut>>,
}

impl Problem {
    fn of(field: impl Into<String>, error: impl Into<String>) -> Self {
        Self { field: field.into(), error: error.into(), forbidden: false, kept_out: None }
    }
}

/// Reads the predictions of a body into columns; gives what was refused.
///
/// # Errors
/// Where the body is no list of events; then the columns are as they were.
pub fn predictions_into(
    body: &[u8],
    framing: Framing,
    names: &mut Names,
    rules: &Rules,
    columns: &mut Predictions,
) -> Result<Vec<Refused>, Unreadable> {
    completed_into(body, framing, names, rules, columns, |_| ())
}

/// The same where something that came beside the body completes each event.
pub fn completed_into(
    body: &[u8],
    framing: Framing,
    names: &mut Names,
    rules: &Rules,
    columns: &mut Predictions,
    complete: impl Fn(&mut Prediction),
) -> Result<Vec<Refused>, Unreadable> {
    let before = columns.len();
    let read = |text: &[u8]| {
        let mut event = read(text, Kind::Prediction, names, |draft| draft.prediction(rules))?;
        complete(&mut event);
        columns.push(&event);
        names.reuse(event);
        Ok(())
    };
    let decoded = each(body, framing, rules, read);
    decoded.map(|decoded| decoded.refused).inspect_err(|_| columns.truncate(before))
}

/// The same as rows, for what looks at each.
pub fn predictions(
    body: &[u8],
    framing: Framing,
    names: &mut Names,
    rules: &Rules,
) -> Result<Decoded<Prediction>, Unreadable> {
    let read = |text: &[u8]| read(text, Kind::Prediction, names, |draft| draft.prediction(rules));
    each(body, framing, rules, read)
}

pub fn outcomes(
    body: &[u8],
    framing: Framing,
    names: &mut Names,
    rules: &Rules,
) -> Result<Decoded<Outcome>, Unreadable> {
    let read = |text: &[u8]| read(text, Kind::Outcome, names, |draft| draft.outcome(rules));
    each(body, framing, rules, read)
}

fn each<E>(
    body: &[u8],
    framing: Framing,
    rules: &Rules,
    mut read: impl FnMut(&[u8]) -> Result<E, (Problem, String)>,
) -> Result<Decoded<E>, Unreadable> {
    let mut decoded = Decoded { events: Vec::new(), refused: Vec::<Refused>::new() };
    for (index, text) in split::split(body, framing)?.enumerate() {
        let text = text?;
        if index == MOST_EVENTS {
            return Err(Unreadable::TooMany);
        }
        match read(text) {
            Ok(event) => decoded.events.push(event),
            Err((problem, model)) => {
                if let (MOST_REFUSED, Some(first)) = (decoded.refused.len(), decoded.refused.first()) {
                    let first = format!("event {}: {}", first.index, first.error);
                    return Err(Unreadable::TooManyRefused { first });
                }
                let Problem { field, error, forbidden, kept_out } = problem;
                let error = rules.guards.told(&model, error);
                let payload = rules.guards.kept_payload(&model, text);
                decoded.refused.push(Refused { index, field, error, model, payload, forbidden, kept_out });
            }
        }
    }
    Ok(decoded)
}

/// Reads one event; where it is refused, says for which model as far as that is known.
fn read<E>(
    text: &[u8],
    kind: Kind,
    names: &mut Names,
    finish: impl FnOnce(Draft<'_>) -> Result<E, (Problem, String)>,
) -> Result<E, (Problem, String)> {
    let mut draft = Draft::new(kind, names);
    // Looked at once as a whole, not string by string.
    let Ok(text) = std::str::from_utf8(text) else {
        return Err((Problem::of("", "is not written in UTF-8; JSON must be"), String::new()));
    };
    if fields::read_quickly(text, &mut draft) {
        return finish(draft);
    }
    // Once more by a parser that says where and why, which is worth its time only here.
    let mut draft = Draft::new(kind, draft.into_names());
    match fields::read(text, &mut draft) {
        Ok(()) => finish(draft),
        Err(error) => {
            // Python's json module writes NaN and Infinity as they are; they mean a number that is none.
            if let Some(quoted) = nonfinite::quoted(text) {
                let mut again = Draft::new(kind, draft.into_names());
                if fields::read(&quoted, &mut again).is_ok() {
                    return finish(again);
                }
                return Err((Problem::of("", format!("is no valid JSON: {error}")), again.model_name()));
            }
            Err((Problem::of("", format!("is no valid JSON: {error}")), draft.model_name()))
        }
    }
}

#[cfg(test)]
mod tests;
