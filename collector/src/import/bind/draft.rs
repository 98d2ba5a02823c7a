//! The events of a row while its cells are read, one after the other and each for every role of its column.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::borrow::Cow;

use domain::time::Instant;

use super::{Binder, Bound, EARLIEST, LATEST, Reading, Refusal, Role, Stamp, shifted};
use crate::decode::Names;
use crate::event::{Kind, Name, Outcome, Prediction};
use crate::import::cell::Cell;
use crate::import::mapping::Mapping;

/// What is wrong with a value, before it is known whose.
pub(super) struct Problem {
    problem: &'static str,
    shown: String,
}

impl Problem {
    fn new(problem: &'static str, cell: &Cell) -> Self {
        Self { problem, shown: cell.shown() }
    }

    pub(super) fn into_refusal(self, kind: Kind, field: &str) -> Refusal {
        Refusal { kind, field: field.to_owned(), problem: self.problem.to_owned(), shown: self.shown }
    }
}

/// The events of a row while its cells are read.
pub(super) struct Draft {
    prediction: Prediction,
    outcome: Outcome,
    has_id: bool,
    timestamp: Option<Instant>,
    outcome_timestamp: Option<Result<Instant, Problem>>,
    outcome_problem: Option<(Name, Problem)>,
    /// When features were computed; their ages need the prediction's time, which may stand in a later column.
    computed: Vec<(Name, Instant)>,
}

impl Draft {
    pub(super) fn new(binder: &Binder, stamp: &Stamp) -> Self {
        let prediction = Prediction {
            version: binder.version.clone(),
            environment: binder.environment.clone(),
            source: binder.source.clone(),
            ..Prediction::empty(binder.model.clone(), stamp.received_at)
        };
        let outcome = Outcome {
            id: String::new(),
            model: binder.model.clone(),
            timestamp: Instant::EPOCH,
            received_at: stamp.received_at,
            numbers: Vec::new(),
            categories: Vec::new(),
            lists: Vec::new(),
            source: binder.source.clone(),
        };
        Self {
            prediction,
            outcome,
            has_id: false,
            timestamp: None,
            outcome_timestamp: None,
            outcome_problem: None,
            computed: Vec::new(),
        }
    }

    pub(super) fn take(&mut self, role: &Role, cell: &Cell, names: &mut Names) -> Result<(), Problem> {
        if cell.is_null() {
            return Ok(());
        }
        let word = || cell.word().ok_or_else(|| Problem::new("is a list where one value is expected", cell));
        let instant = || cell.instant().ok_or_else(|| Problem::new("is not an instant", cell));
        match role {
            Role::Id => {
                self.prediction.id = word()?;
                self.has_id = true;
            }
            Role::Timestamp => self.timestamp = Some(instant()?),
            Role::Version => self.prediction.version = names.category(&word()?),
            Role::Environment => self.prediction.environment = names.category(&word()?),
            Role::OutcomeTimestamp => self.outcome_timestamp = Some(instant()),
            Role::Error => self.prediction.error = error_text(cell, word()?),
            Role::TraceId => self.prediction.trace_id = word()?,
            Role::Signal(name, reading) => self.signal(name, *reading, cell, names)?,
            Role::Latency(name) => {
                let latency = cell.number().filter(|value| *value >= 0.0);
                let latency =
                    latency.ok_or_else(|| Problem::new("is not a duration in milliseconds", cell))?;
                self.prediction.numbers.push((name.clone(), latency));
            }
            Role::Outcome(name, reading) => self.outcome_value(name, *reading, cell, names),
            Role::Tag(name) => self.prediction.tags.push((name.clone(), word()?)),
            Role::FeatureTimestamp(name) => self.computed.push((name.clone(), instant()?)),
        }
        Ok(())
    }

    fn signal(
        &mut self,
        name: &Name,
        reading: Reading,
        cell: &Cell,
        names: &mut Names,
    ) -> Result<(), Problem> {
        let event = &mut self.prediction;
        match (cell, reading) {
            (Cell::Numbers(values), _) => {
                let norm = values.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
                event.numbers.push((names.category(&format!("{name}.norm")), norm));
                event.numbers.push((names.category(&format!("{name}.length")), values.len() as f64));
                event.vectors.push((name.clone(), values.clone()));
            }
            (Cell::Texts(values), _) => {
                event.numbers.push((names.category(&format!("{name}.length")), values.len() as f64));
                event.lists.push((name.clone(), values.clone()));
            }
            _ => match value_of(cell, reading)? {
                Value::Number(value) => event.numbers.push((name.clone(), value)),
                Value::Category(value) => event.categories.push((name.clone(), names.category(&value))),
            },
        }
        Ok(())
    }

    fn outcome_value(&mut self, name: &Name, reading: Reading, cell: &Cell, names: &mut Names) {
        match value_of(cell, reading) {
            Ok(Value::Number(value)) => self.outcome.numbers.push((name.clone(), value)),
            Ok(Value::Category(value)) => {
                self.outcome.categories.push((name.clone(), names.category(&value)));
            }
            Err(problem) => self.outcome_problem = Some((name.clone(), problem)),
        }
    }

    pub(super) fn finish(mut self, binder: &Binder, number: u64, stamp: &Stamp) -> Result<Bound, Refusal> {
        let refuse = |column: &Option<String>, problem: &str, shown: String| Refusal {
            kind: Kind::Prediction,
            field: column.clone().unwrap_or_default(),
            problem: problem.to_owned(),
            shown,
        };
        let Some(original) = self.timestamp else {
            return Err(refuse(&binder.mapping.timestamp, "is empty", String::new()));
        };
        let timestamp = shifted(original, stamp.shift_ms);
        if !(EARLIEST..LATEST).contains(&timestamp) {
            let problem = "lies outside the years 1970 to 2106";
            return Err(refuse(&binder.mapping.timestamp, problem, original.to_string()));
        }
        if timestamp > stamp.latest {
            return Err(refuse(&binder.mapping.timestamp, "lies in the future", original.to_string()));
        }
        self.prediction.timestamp = timestamp;
        if !self.has_id {
            self.prediction.id = format!("{}-{number}", binder.id_prefix);
        }
        for (name, computed) in std::mem::take(&mut self.computed) {
            let age_ms = original.millis().saturating_sub(computed.millis());
            self.prediction.numbers.push((name, age_ms as f64 / 1_000.0));
        }
        let (outcome, refused_outcome) = self.finish_outcome(&binder.mapping, original, stamp);
        Ok(Bound { prediction: self.prediction, outcome, refused_outcome })
    }

    /// The outcome, where the row holds one.
    fn finish_outcome(
        &mut self,
        mapping: &Mapping,
        predicted_at: Instant,
        stamp: &Stamp,
    ) -> (Option<Outcome>, Option<Refusal>) {
        if let Some((name, problem)) = self.outcome_problem.take() {
            return (None, Some(problem.into_refusal(Kind::Outcome, &name)));
        }
        if self.outcome.numbers.is_empty() && self.outcome.categories.is_empty() {
            return (None, None);
        }
        let known_at = match (self.outcome_timestamp.take(), &mapping.outcome_timestamp) {
            (Some(Ok(at)), _) => at,
            (Some(Err(problem)), column) => {
                let column = column.as_deref().unwrap_or_default();
                return (None, Some(problem.into_refusal(Kind::Outcome, column)));
            }
            (None, Some(column)) => {
                let problem =
                    Problem { problem: "is empty where the row holds an outcome", shown: String::new() };
                return (None, Some(problem.into_refusal(Kind::Outcome, column)));
            }
            (None, None) => predicted_at,
        };
        let mut outcome = self.outcome.clone();
        outcome.id = self.prediction.id.clone();
        outcome.timestamp = shifted(known_at, stamp.shift_ms);
        (Some(outcome), None)
    }
}

enum Value<'a> {
    Number(f64),
    Category(Cow<'a, str>),
}

/// Longer texts are no categories; the collector refuses them as well.
const TEXT_BYTES: usize = 4_096;

fn value_of(cell: &Cell, reading: Reading) -> Result<Value<'_>, Problem> {
    match (reading, cell) {
        (Reading::Categories | Reading::ByCell, Cell::Text(text)) if text.len() > TEXT_BYTES => {
            Err(Problem::new("is longer than 4096 bytes, which is no category", cell))
        }
        (Reading::Categories | Reading::ByCell, Cell::Text(text)) => Ok(Value::Category(Cow::Borrowed(text))),
        (Reading::Numbers, cell) => {
            cell.number().map(Value::Number).ok_or_else(|| Problem::new("is not a number", cell))
        }
        (Reading::ByCell, Cell::Integer(_) | Cell::Number(_)) => {
            cell.number().map(Value::Number).ok_or_else(|| Problem::new("is not a number", cell))
        }
        (Reading::Categories | Reading::ByCell, cell) => cell
            .word()
            .map(|word| Value::Category(Cow::Owned(word)))
            .ok_or_else(|| Problem::new("is not a category", cell)),
    }
}

/// A flag says only whether it failed; text says how.
fn error_text(cell: &Cell, word: String) -> String {
    match cell {
        Cell::Flag(false) => String::new(),
        Cell::Flag(true) => "error".to_owned(),
        _ => word,
    }
}
