//! Files in Leeway's own event format: a prediction or an outcome a line, understood as the collector's doors understand
//! them.
//!
//! Invariant: a line becomes the same event whenever it is read; an id that it does not state is made of the file and the
//! line.

use std::sync::Arc;

use domain::time::Instant;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::bind::{Stamp, end_of_time, shifted};
use super::events::{Refused, Taken};
use super::lines::{Line, Lines};
use super::plan::Plan;
use crate::decode::{self, Framing, Names, Rules};
use crate::event::{Kind, Name, Outcome, Prediction, cut_payload};

pub struct Native {
    lines: Lines,
    names: Names,
    model: Name,
    source: Name,
    id_prefix: String,
    /// For events that state none.
    version: Option<Name>,
    /// For all events.
    environment: Option<Name>,
}

/// Which of the fields that decide what a line is are there.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Probe {
    id: Option<IgnoredAny>,
    features: Option<IgnoredAny>,
    prediction: Option<IgnoredAny>,
    outcome: Option<IgnoredAny>,
}

/// The field that is wrong, if it is one, and what is wrong with it.
struct Problem {
    field: String,
    problem: String,
    shown: String,
}

impl Native {
    pub fn open(plan: &Plan, sha256: &str) -> anyhow::Result<Self> {
        let name = |text: &Option<String>| text.as_deref().map(Name::from);
        Ok(Self {
            lines: Lines::of(plan.source.unpacked()?),
            names: Names::default(),
            model: Name::from(plan.model.as_str()),
            source: Name::from(format!("file {}", plan.source.name)),
            id_prefix: sha256.chars().take(12).collect(),
            version: name(&plan.mapping.version),
            environment: name(&plan.mapping.environment),
        })
    }

    pub fn next(&mut self, stamp: &Stamp) -> anyhow::Result<Option<Taken>> {
        let Some(line) = self.lines.next_line()? else { return Ok(None) };
        let probe: Probe = serde_json::from_str(&line.text).unwrap_or_default();
        let is_outcome = probe.outcome.is_some() && probe.features.is_none() && probe.prediction.is_none();
        let mut taken = Taken { number: line.number, ..Taken::default() };
        let (kind, problem) = if is_outcome {
            let read = self.outcome(&line, stamp).map(|outcome| taken.outcome = Some(outcome));
            (Kind::Outcome, read.err())
        } else {
            let read = self.prediction(&line, probe.id.is_some(), stamp);
            (Kind::Prediction, read.map(|prediction| taken.prediction = Some(prediction)).err())
        };
        taken.refused = problem.map(|Problem { field, problem, shown }| Refused {
            kind,
            number: line.number,
            field,
            problem,
            shown,
            payload: cut_payload(line.text.as_bytes()),
            kept_out: None,
        });
        Ok(Some(taken))
    }

    fn prediction(&mut self, line: &Line, has_id: bool, stamp: &Stamp) -> Result<Prediction, Problem> {
        let rules = self.rules(stamp);
        let decoded = decode::predictions(line.text.as_bytes(), Framing::Lines, &mut self.names, &rules);
        let mut prediction = only(decoded)?;
        self.check(&prediction.model)?;
        prediction.timestamp = moved(prediction.timestamp, stamp)?;
        if !has_id {
            prediction.id = format!("{}-{}", self.id_prefix, line.number);
        }
        if let (Some(version), true) = (&self.version, prediction.version.is_empty()) {
            prediction.version = version.clone();
        }
        if let Some(environment) = &self.environment {
            prediction.environment = environment.clone();
        }
        Ok(prediction)
    }

    fn outcome(&mut self, line: &Line, stamp: &Stamp) -> Result<Outcome, Problem> {
        let rules = self.rules(stamp);
        let decoded = decode::outcomes(line.text.as_bytes(), Framing::Lines, &mut self.names, &rules);
        let mut outcome = only(decoded)?;
        self.check(&outcome.model)?;
        outcome.timestamp = moved(outcome.timestamp, stamp)?;
        Ok(outcome)
    }

    fn rules(&self, stamp: &Stamp) -> Rules {
        Rules {
            received_at: stamp.received_at,
            source: self.source.clone(),
            // An import never refuses an event for its age.
            oldest: Instant::EPOCH,
            newest: shifted(stamp.latest, -stamp.shift_ms),
            models: Vec::new(),
            // The events of every kind of file pass the guard in one place.
            guards: Arc::default(),
        }
    }

    fn check(&self, named: &Name) -> Result<(), Problem> {
        if *named == self.model {
            return Ok(());
        }
        let problem = format!("is not \"{}\", the model that --model names", self.model);
        Err(Problem { field: "model".to_owned(), problem, shown: format!("\"{named}\"") })
    }
}

/// The one event of a line.
fn only<E>(decoded: Result<decode::Decoded<E>, decode::Unreadable>) -> Result<E, Problem> {
    let problem = |field: String, problem: String| Problem { field, problem, shown: String::new() };
    let decoded = decoded.map_err(|error| problem(String::new(), error.to_string()))?;
    if let Some(refused) = decoded.refused.into_iter().next() {
        return Err(problem(refused.field, refused.error));
    }
    decoded.events.into_iter().next().ok_or_else(|| problem(String::new(), "holds no event".to_owned()))
}

fn moved(timestamp: Instant, stamp: &Stamp) -> Result<Instant, Problem> {
    let moved = shifted(timestamp, stamp.shift_ms);
    if (Instant::EPOCH..end_of_time()).contains(&moved) {
        return Ok(moved);
    }
    let problem = "lies outside the years 1970 to 2106".to_owned();
    Err(Problem { field: "timestamp".to_owned(), problem, shown: format!("\"{timestamp}\"") })
}
