//! From a row of a file to a prediction and its outcome, by a mapping.
//!
//! Invariant: the same row under the same mapping, stamp and shift becomes the same events, so a batch that is
//! repeated is the same batch.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use domain::contract::DEFAULT_ENVIRONMENT;
use domain::signal::{AGE, ATTRIBUTION, FEATURE, LATENCY, OUTCOME, PREDICTION};
use domain::time::Instant;

use super::cell::Cell;
use super::mapping::Mapping;
use super::source::{Column, Row, Source, Stated};
use crate::decode::Names;
use crate::event::{Kind, Name, Outcome, Prediction};

/// How the values of a column are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As each cell says.
    ByCell,
    Numbers,
    Categories,
}

/// What a column is for.
#[derive(Clone, Debug, PartialEq)]
enum Role {
    Id,
    Timestamp,
    Version,
    Environment,
    OutcomeTimestamp,
    Error,
    TraceId,
    Signal(Name, Reading),
    /// A duration: a number that cannot be negative.
    Latency(Name),
    Outcome(Name, Reading),
    Tag(Name),
    FeatureTimestamp(Name),
}

/// Why a row, or the outcome in it, is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub kind: Kind,
    /// The column.
    pub field: String,
    /// What is wrong, the same words for the same mistake.
    pub problem: String,
    /// The value that is wrong, for people.
    pub shown: String,
}

/// What one row became.
#[derive(Debug)]
pub struct Bound {
    pub prediction: Prediction,
    pub outcome: Option<Outcome>,
    /// The prediction is good, its outcome is not.
    pub refused_outcome: Option<Refusal>,
}

/// What all events of one pass have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub received_at: Instant,
    /// Added to every time in the file.
    pub shift_ms: i64,
    /// Times after this one are mistakes.
    pub latest: Instant,
}

pub struct Binder {
    mapping: Mapping,
    model: Name,
    source: Name,
    /// Begins every id that is made for a row without one.
    id_prefix: String,
    version: Name,
    environment: Name,
    /// How text columns are to be read, found out from their values.
    readings: BTreeMap<String, Reading>,
    roles: Vec<Vec<Role>>,
    names: Names,
}

/// Minutes are kept as 32 bits of seconds since 1970.
const EARLIEST: Instant = Instant::EPOCH;
const LATEST: Instant = Instant::from_seconds(u32::MAX as i64 - 86_400);

/// The end of the years that can be stored.
pub fn end_of_time() -> Instant {
    LATEST
}

impl Binder {
    /// # Errors
    /// Where the mapping names no time, or says twice what excludes itself.
    pub fn new(
        mapping: &Mapping,
        model: &str,
        source: &Source,
        sha256: &str,
        readings: BTreeMap<String, Reading>,
    ) -> anyhow::Result<Self> {
        mapping.check()?;
        let constant = |text: &Option<String>, otherwise: &str| {
            Name::from(text.clone().unwrap_or_else(|| otherwise.to_owned()))
        };
        Ok(Self {
            model: Name::from(model),
            source: Name::from(format!("file {}", source.name)),
            id_prefix: sha256.chars().take(12).collect(),
            version: constant(&mapping.version, ""),
            environment: constant(&mapping.environment, DEFAULT_ENVIRONMENT),
            readings,
            roles: Vec::new(),
            names: Names::default(),
            mapping: mapping.clone(),
        })
    }

    /// Checks what can be checked of a file whose columns come up while it is read.
    pub fn check_before_reading(&self, file: &str) -> anyhow::Result<()> {
        if self.mapping.timestamp.is_none() {
            bail!("which field of {file} holds the time of the prediction? Say it with --timestamp FIELD");
        }
        Ok(())
    }

    /// Checks the mapping against the columns of a file that states them before its first row.
    ///
    /// # Errors
    /// Names the column, the file's columns and the flag to change.
    pub fn check(&self, columns: &[Column], file: &str) -> anyhow::Result<()> {
        let known: BTreeSet<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let list = || known.iter().copied().collect::<Vec<_>>().join(", ");
        for (column, flag) in self.mapping.named() {
            if !known.contains(column) {
                bail!("{file} has no column \"{column}\", which {flag} names (columns: {})", list());
            }
        }
        if self.mapping.timestamp.is_none() {
            bail!(
                "which column of {file} holds the time of the prediction? Say it with --timestamp COLUMN (columns: {})",
                list()
            );
        }
        let mut signals = 0;
        for column in columns {
            if let Err(bad) = Names::default().name(&format!("{ATTRIBUTION}{}", column.name)) {
                bail!("column \"{}\" of {file} {}", column.name, bad.error());
            }
            let roles = self.roles_of(&column.name);
            match &column.stated {
                Stated::Unreadable(kind) if !roles.is_empty() => bail!(
                    "column \"{}\" of {file} is of type {kind}, which cannot be imported: leave it out with --ignore {}",
                    column.name,
                    column.name
                ),
                Stated::Instants if roles.iter().any(|role| matches!(role, Role::Signal(..))) => bail!(
                    "column \"{}\" of {file} holds instants, which are no feature: say --feature-timestamp FEATURE={} \
                     where it says when a feature was computed, or --ignore {}",
                    column.name,
                    column.name,
                    column.name
                ),
                _ => {}
            }
            signals += roles.iter().filter(|role| matches!(role, Role::Signal(..))).count();
        }
        if signals == 0 {
            bail!("no column of {file} is left as a feature or named as a prediction (columns: {})", list());
        }
        Ok(())
    }

    /// The signals that columns seen so far become.
    pub fn signals(&self) -> Vec<Name> {
        let signals = self.roles.iter().flatten().filter_map(|role| match role {
            Role::Signal(name, _) | Role::Latency(name) | Role::FeatureTimestamp(name) => Some(name.clone()),
            _ => None,
        });
        signals.collect()
    }

    /// Reads one row.
    ///
    /// # Errors
    /// Where the prediction in it cannot be taken.
    pub fn bind(&mut self, row: &Row, columns: &[Column], stamp: &Stamp) -> Result<Bound, Refusal> {
        for column in columns.iter().skip(self.roles.len()) {
            let roles = self.roles_of(&column.name);
            self.roles.push(roles);
        }
        self.names.begin();
        let mut draft = Draft::new(self, stamp);
        for (position, cell) in row.cells.iter().enumerate() {
            let roles = self.roles.get(position).map_or(&[] as &[Role], Vec::as_slice);
            let column = columns.get(position).map_or("", |column| column.name.as_str());
            for role in roles {
                draft
                    .take(role, cell, &mut self.names)
                    .map_err(|problem| problem.into_refusal(Kind::Prediction, column))?;
            }
        }
        draft.finish(self, row.number, stamp)
    }

    fn roles_of(&self, column: &str) -> Vec<Role> {
        let mapping = &self.mapping;
        if mapping.ignore.contains(column) {
            return Vec::new();
        }
        let is = |named: &Option<String>| named.as_deref() == Some(column);
        let reading = self.reading(column);
        let signal = |prefix: &str, name: &str| Role::Signal(Name::from(format!("{prefix}{name}")), reading);
        let single = [
            (&mapping.id, Role::Id),
            (&mapping.timestamp, Role::Timestamp),
            (&mapping.version_column, Role::Version),
            (&mapping.environment_column, Role::Environment),
            (&mapping.outcome_timestamp, Role::OutcomeTimestamp),
            (&mapping.error, Role::Error),
            (&mapping.trace_id, Role::TraceId),
            (&mapping.latency_ms, Role::Latency(Name::from(LATENCY))),
        ];
        let mut roles: Vec<Role> =
            single.into_iter().filter(|(named, _)| is(named)).map(|(_, role)| role).collect();
        let of = |map: &'_ BTreeMap<String, String>| -> Vec<String> {
            map.iter().filter(|(_, named)| *named == column).map(|(name, _)| name.clone()).collect()
        };
        roles.extend(of(&mapping.predictions).iter().map(|name| signal(PREDICTION, name)));
        roles.extend(of(&mapping.attributions).iter().map(|name| signal(ATTRIBUTION, name)));
        let outcome = |name: &String| Role::Outcome(Name::from(format!("{OUTCOME}{name}")), reading);
        roles.extend(of(&mapping.outcomes).iter().map(outcome));
        roles.extend(of(&mapping.tags).iter().map(|name| Role::Tag(Name::from(name.as_str()))));
        let age = |name: &String| Role::FeatureTimestamp(Name::from(format!("{AGE}{name}")));
        roles.extend(of(&mapping.feature_timestamps).iter().map(age));
        if mapping.features.contains(column) || (mapping.features.is_empty() && roles.is_empty()) {
            roles.push(signal(FEATURE, column));
        }
        roles
    }

    fn reading(&self, column: &str) -> Reading {
        if self.mapping.numbers.contains(column) {
            Reading::Numbers
        } else if self.mapping.categories.contains(column) {
            Reading::Categories
        } else {
            self.readings.get(column).copied().unwrap_or(Reading::ByCell)
        }
    }
}

/// What is wrong with a value, before it is known whose.
struct Problem {
    problem: &'static str,
    shown: String,
}

impl Problem {
    fn new(problem: &'static str, cell: &Cell) -> Self {
        Self { problem, shown: cell.shown() }
    }

    fn into_refusal(self, kind: Kind, field: &str) -> Refusal {
        Refusal { kind, field: field.to_owned(), problem: self.problem.to_owned(), shown: self.shown }
    }
}

/// The events of a row while its cells are read.
struct Draft {
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
    fn new(binder: &Binder, stamp: &Stamp) -> Self {
        let prediction = Prediction {
            id: String::new(),
            model: binder.model.clone(),
            version: binder.version.clone(),
            environment: binder.environment.clone(),
            timestamp: Instant::EPOCH,
            received_at: stamp.received_at,
            numbers: Vec::new(),
            categories: Vec::new(),
            vectors: Vec::new(),
            lists: Vec::new(),
            tags: Vec::new(),
            error: String::new(),
            trace_id: String::new(),
            source: binder.source.clone(),
        };
        let outcome = Outcome {
            id: String::new(),
            model: binder.model.clone(),
            timestamp: Instant::EPOCH,
            received_at: stamp.received_at,
            numbers: Vec::new(),
            categories: Vec::new(),
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

    fn take(&mut self, role: &Role, cell: &Cell, names: &mut Names) -> Result<(), Problem> {
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

    fn finish(mut self, binder: &Binder, number: u64, stamp: &Stamp) -> Result<Bound, Refusal> {
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

pub fn shifted(instant: Instant, shift_ms: i64) -> Instant {
    Instant::from_millis(instant.millis().saturating_add(shift_ms))
}

#[cfg(test)]
#[path = "bind_tests.rs"]
mod tests;
