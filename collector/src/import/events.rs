//! The events of a file, one row after the other, whichever format and mapping it has.
//!
//! Invariant: every row comes out once, as events or as a refusal, under its number.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bind::{Binder, Bound, Reading, Refusal, Stamp};
use super::cell::Cell;
use super::native::Native;
use super::plan::Plan;
use super::row::{BadRow, Column, Row};
use super::source::{Format, Rows};
use crate::event::{Kind, Name, Outcome, Prediction, cut_payload};
use crate::guard::{Broken, Carried, Guards, KeptOut};

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
    /// Where it belongs, if the model's contract keeps it out.
    pub kept_out: Option<Box<KeptOut>>,
}

pub struct Events {
    inner: Inner,
    guards: Arc<Guards>,
    model: String,
}

enum Inner {
    /// Rows that a mapping makes events of.
    Mapped(Box<Mapped>),
    Native(Box<Native>),
}

struct Mapped {
    rows: Rows,
    binder: Binder,
}

impl Events {
    /// Opens the file and checks the mapping against its columns.
    ///
    /// # Errors
    /// Names the file, the column and what to change.
    pub fn open(plan: &Plan, sha256: &str, readings: &BTreeMap<String, Reading>) -> anyhow::Result<Self> {
        let of = |inner| Self { inner, guards: plan.guards.clone(), model: plan.model.clone() };
        let source = &plan.source;
        if source.format == Format::Ndjson && !plan.mapping.names_columns() {
            return Ok(of(Inner::Native(Box::new(Native::open(plan, sha256)?))));
        }
        let rows = source.rows(&plan.mapping.null_words())?;
        let binder = Binder::new(&plan.mapping, &plan.model, source, sha256, readings.clone())?;
        if source.format == Format::Ndjson {
            binder.check_before_reading(&source.name)?;
        } else {
            binder.check(rows.columns(), &source.name)?;
        }
        Ok(of(Inner::Mapped(Box::new(Mapped { rows, binder }))))
    }

    /// How many rows there are, where the file says so before it is read.
    pub fn total(&self) -> Option<u64> {
        match &self.inner {
            Inner::Mapped(mapped) => mapped.rows.total(),
            Inner::Native(_) => None,
        }
    }

    /// The signals that the mapping makes of the columns seen so far; none for a file in Leeway's own format.
    pub fn signals(&self) -> Vec<Name> {
        match &self.inner {
            Inner::Mapped(mapped) => mapped.binder.signals(),
            Inner::Native(_) => Vec::new(),
        }
    }

    /// Checks the mapping against the columns that came up.
    ///
    /// # Errors
    /// Names the column that never did.
    pub fn check_after_reading(&self, file: &str) -> anyhow::Result<()> {
        match &self.inner {
            Inner::Mapped(mapped) => mapped.binder.check(mapped.rows.columns(), file),
            Inner::Native(_) => Ok(()),
        }
    }

    /// The next row; `None` at the end.
    ///
    /// # Errors
    /// Where the file itself cannot be read further.
    pub fn next(&mut self, stamp: &Stamp) -> anyhow::Result<Option<Taken>> {
        let taken = match &mut self.inner {
            Inner::Mapped(mapped) => mapped.next(stamp),
            Inner::Native(native) => native.next(stamp),
        };
        Ok(taken?.map(|taken| self.guarded(taken)))
    }

    /// What is left of a row behind the guard.
    fn guarded(&self, mut taken: Taken) -> Taken {
        if let Some(mut event) = taken.prediction.take() {
            let carried = Carried {
                environment: &event.environment,
                id: &mut event.id,
                numbers: &mut event.numbers,
                categories: &mut event.categories,
                vectors: &mut event.vectors,
                lists: &mut event.lists,
                tags: &mut event.tags,
                error: &mut event.error,
                trace_id: &mut event.trace_id,
            };
            match self.guards.prediction(&self.model, carried) {
                Ok(marks) => {
                    if event.id.is_empty() {
                        event.id = uuid::Uuid::now_v7().to_string();
                    }
                    taken.prediction = Some(Prediction { marks, ..event });
                }
                Err(broken) => taken.refused = Some(kept_out(taken.number, event, broken)),
            }
        }
        if let Some(outcome) = &mut taken.outcome {
            let Outcome { id, numbers, categories, lists, .. } = outcome;
            self.guards.outcome(&self.model, id, numbers, categories, lists);
        }
        if let (Some(refused), false) = (&mut taken.refused, self.guards.keeps_payload(&self.model)) {
            refused.payload.clear();
            refused.shown.clear();
            refused.problem = self.guards.told(&self.model, std::mem::take(&mut refused.problem));
        }
        taken
    }
}

fn kept_out(number: u64, event: Prediction, broken: Broken) -> Refused {
    let kept_out = KeptOut {
        version: event.version,
        environment: event.environment,
        happened_at: event.timestamp,
        rules: broken.rules,
    };
    Refused {
        kind: Kind::Prediction,
        number,
        field: broken.field,
        problem: broken.reason,
        shown: String::new(),
        payload: String::new(),
        kept_out: Some(Box::new(kept_out)),
    }
}

impl Mapped {
    fn next(&mut self, stamp: &Stamp) -> anyhow::Result<Option<Taken>> {
        let Self { rows, binder } = self;
        Ok(rows.next_row()?.map(|row| match row {
            Err(bad) => of_bad_row(bad),
            Ok(row) => of_bound(&row, binder.bind(&row, rows.columns(), stamp), rows.columns()),
        }))
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
        kept_out: None,
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
        kept_out: None,
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
