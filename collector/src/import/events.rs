//! The events of a file, one row after the other, whichever format and mapping it has.
//!
//! Invariant: every row comes out once, as events or as a refusal, under its number.

use std::collections::BTreeMap;

use domain::time::Instant;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::bind::{Binder, Bound, Reading, Refusal, Stamp, shifted};
use super::cell::Cell;
use super::lines::Lines;
use super::plan::Plan;
use super::source::{BadRow, Column, Format, Row, Rows};
use crate::decode::{self, Framing, Names, Rules};
use crate::event::{Kind, Name, Outcome, Prediction, cut_payload};

/// What one row of the file holds.
#[derive(Debug, Default)]
pub struct Taken {
    pub number: u64,
    pub prediction: Option<Prediction>,
    pub outcome: Option<Outcome>,
    pub refused: Option<Refused>,
}

/// A row, or the outcome in it, that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub kind: Kind,
    pub number: u64,
    /// Empty where it is no single column.
    pub field: String,
    /// What is wrong, the same words for the same mistake.
    pub problem: String,
    /// The value that is wrong; may be empty.
    pub shown: String,
    /// The row as it stood there, cut.
    pub payload: String,
}

pub struct Events {
    inner: Inner,
    model: Name,
}

enum Inner {
    Mapped {
        rows: Rows,
        binder: Box<Binder>,
    },
    /// Leeway's own format: an event a line.
    Native {
        lines: Lines,
        names: Names,
        source: Name,
        id_prefix: String,
        constants: Constants,
    },
}

/// What holds for all events of a file in Leeway's own format that say nothing else.
struct Constants {
    version: Option<Name>,
    environment: Option<Name>,
}

impl Events {
    /// Opens the file and checks the mapping against its columns.
    ///
    /// # Errors
    /// Names the file, the column and what to change.
    pub fn open(plan: &Plan, sha256: &str, readings: &BTreeMap<String, Reading>) -> anyhow::Result<Self> {
        let model = Name::from(plan.model.as_str());
        let source = &plan.source;
        if source.format == Format::Ndjson && !plan.mapping.names_columns() {
            let name = |text: &Option<String>| text.as_deref().map(Name::from);
            let inner = Inner::Native {
                lines: Lines::of(source.unpacked()?),
                names: Names::default(),
                source: Name::from(format!("file {}", source.name)),
                id_prefix: sha256.chars().take(12).collect(),
                constants: Constants {
                    version: name(&plan.mapping.version),
                    environment: name(&plan.mapping.environment),
                },
            };
            return Ok(Self { inner, model });
        }
        let rows = source.rows(&plan.mapping.null_words())?;
        let binder = Binder::new(&plan.mapping, &plan.model, source, sha256, readings.clone())?;
        if source.format == Format::Ndjson {
            binder.check_before_reading(&source.name)?;
        } else {
            binder.check(rows.columns(), &source.name)?;
        }
        Ok(Self { inner: Inner::Mapped { rows, binder: Box::new(binder) }, model })
    }

    /// How many rows there are, where the file says so before it is read.
    pub fn total(&self) -> Option<u64> {
        match &self.inner {
            Inner::Mapped { rows, .. } => rows.total(),
            Inner::Native { .. } => None,
        }
    }

    /// The signals that the mapping makes of the columns seen so far; none for a file in Leeway's own format.
    pub fn signals(&self) -> Vec<Name> {
        match &self.inner {
            Inner::Mapped { binder, .. } => binder.signals(),
            Inner::Native { .. } => Vec::new(),
        }
    }

    /// Checks the mapping against the columns that came up.
    ///
    /// # Errors
    /// Names the column that never did.
    pub fn check_after_reading(&self, file: &str) -> anyhow::Result<()> {
        match &self.inner {
            Inner::Mapped { rows, binder } => binder.check(rows.columns(), file),
            Inner::Native { .. } => Ok(()),
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Where the file itself cannot be read further.
    pub fn next(&mut self, stamp: &Stamp) -> anyhow::Result<Option<Taken>> {
        match &mut self.inner {
            Inner::Mapped { rows, binder } => Ok(match rows.next_row()? {
                None => None,
                Some(Err(bad)) => Some(of_bad_row(bad)),
                Some(Ok(row)) => {
                    Some(of_bound(&row, binder.bind(&row, rows.columns(), stamp), rows.columns()))
                }
            }),
            Inner::Native { lines, names, source, id_prefix, constants } => {
                let Some(line) = lines.next_line()? else { return Ok(None) };
                let rules = Rules {
                    received_at: stamp.received_at,
                    source: source.clone(),
                    oldest: Instant::EPOCH,
                    newest: Instant::from_millis(stamp.latest.millis().saturating_sub(stamp.shift_ms)),
                    models: Vec::new(),
                };
                let mut taken = native(&line.text, names, &rules, &self.model);
                taken.number = line.number;
                if let Some(refused) = &mut taken.refused {
                    refused.number = line.number;
                }
                if let Some(prediction) = &mut taken.prediction {
                    finish_native(prediction, constants, stamp);
                    if prediction.id.is_empty() {
                        prediction.id = format!("{id_prefix}-{}", line.number);
                    }
                }
                if let Some(outcome) = &mut taken.outcome {
                    outcome.timestamp = shifted(outcome.timestamp, stamp.shift_ms);
                }
                Ok(Some(taken))
            }
        }
    }
}

fn of_bad_row(bad: BadRow) -> Taken {
    let refused = Refused {
        kind: Kind::Prediction,
        number: bad.number,
        field: String::new(),
        problem: bad.problem,
        shown: String::new(),
        payload: cut_payload(bad.text.as_bytes()),
    };
    Taken { number: bad.number, refused: Some(refused), ..Taken::default() }
}

fn of_bound(row: &Row, bound: Result<Bound, Refusal>, columns: &[Column]) -> Taken {
    let number = row.number;
    let refused = |refusal: Refusal| Refused {
        kind: refusal.kind,
        number,
        field: refusal.field,
        problem: refusal.problem,
        shown: refusal.shown,
        payload: payload(row, columns),
    };
    match bound {
        Ok(bound) => Taken {
            number,
            prediction: Some(bound.prediction),
            outcome: bound.outcome,
            refused: bound.refused_outcome.map(refused),
        },
        Err(refusal) => Taken { number, refused: Some(refused(refusal)), ..Taken::default() },
    }
}

/// A row as one JSON object, for `rejected_events`.
fn payload(row: &Row, columns: &[Column]) -> String {
    let values = columns.iter().zip(&row.cells).filter_map(|(column, cell)| {
        let value = match cell {
            Cell::Null => return None,
            Cell::Integer(value) => serde_json::Value::from(*value),
            Cell::Number(value) => serde_json::Value::from(*value),
            other => serde_json::Value::from(other.word().unwrap_or_else(|| other.shown())),
        };
        Some((column.name.clone(), value))
    });
    let object: serde_json::Map<String, serde_json::Value> = values.collect();
    cut_payload(serde_json::Value::Object(object).to_string().as_bytes())
}

/// Which of the fields that decide what a line is are there.
#[derive(Deserialize)]
struct Probe {
    #[serde(default)]
    id: Option<IgnoredAny>,
    #[serde(default)]
    features: Option<IgnoredAny>,
    #[serde(default)]
    prediction: Option<IgnoredAny>,
    #[serde(default)]
    outcome: Option<IgnoredAny>,
}

/// One line in Leeway's own format. A prediction without an id comes out with an empty one.
fn native(text: &str, names: &mut Names, rules: &Rules, model: &Name) -> Taken {
    let probe: Option<Probe> = serde_json::from_str(text).ok();
    let is_outcome = probe.as_ref().is_some_and(|probe| {
        probe.outcome.is_some() && probe.features.is_none() && probe.prediction.is_none()
    });
    let mut taken = Taken::default();
    let refusal = if is_outcome {
        match decode::outcomes(text.as_bytes(), Framing::Lines, names, rules) {
            Ok(decoded) => {
                taken.outcome = decoded.events.into_iter().next();
                decoded.refused.into_iter().next().map(|refused| (refused.field, refused.error))
            }
            Err(error) => Some((String::new(), error.to_string())),
        }
    } else {
        match decode::predictions(text.as_bytes(), Framing::Lines, names, rules) {
            Ok(decoded) => {
                taken.prediction = decoded.events.into_iter().next();
                decoded.refused.into_iter().next().map(|refused| (refused.field, refused.error))
            }
            Err(error) => Some((String::new(), error.to_string())),
        }
    };
    if let (Some(prediction), false) = (&mut taken.prediction, probe.is_some_and(|probe| probe.id.is_some()))
    {
        prediction.id.clear();
    }
    let kind = if is_outcome { Kind::Outcome } else { Kind::Prediction };
    let refused = |field: String, problem: String, shown: String| Refused {
        kind,
        number: 0,
        field,
        problem,
        shown,
        payload: cut_payload(text.as_bytes()),
    };
    taken.refused = refusal.map(|(field, problem)| refused(field, problem, String::new()));
    let named = taken.prediction.as_ref().map(|event| &event.model);
    let named = named.or(taken.outcome.as_ref().map(|event| &event.model));
    if let Some(other) = named.filter(|named| *named != model) {
        let problem = format!("is not \"{model}\", the model that --model names");
        let refused = refused("model".to_owned(), problem, format!("\"{other}\""));
        return Taken { refused: Some(refused), ..Taken::default() };
    }
    taken
}

fn finish_native(prediction: &mut Prediction, constants: &Constants, stamp: &Stamp) {
    prediction.timestamp = shifted(prediction.timestamp, stamp.shift_ms);
    if let (Some(version), true) = (&constants.version, prediction.version.is_empty()) {
        prediction.version = version.clone();
    }
    if let Some(environment) = &constants.environment {
        prediction.environment = environment.clone();
    }
}
