//! From a row of a file to a prediction and its outcome, by a mapping.
//!
//! Invariant: the same row under the same mapping, stamp and shift becomes the same events, so a batch that is
//! repeated is the same batch.

#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

mod draft;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use domain::contract::DEFAULT_ENVIRONMENT;
use domain::signal::{AGE, ATTRIBUTION, FEATURE, LATENCY, OUTCOME, PREDICTION};
use domain::time::Instant;

use super::mapping::Mapping;
use super::row::{Column, Row, Stated};
use super::source::Source;
use crate::decode::Names;
use crate::event::{Kind, Name, Outcome, Prediction};

use self::draft::Draft;

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

pub fn shifted(instant: Instant, shift_ms: i64) -> Instant {
    Instant::from_millis(instant.millis().saturating_add(shift_ms))
}

#[cfg(test)]
mod tests;
