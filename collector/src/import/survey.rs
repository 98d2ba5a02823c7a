//! The first pass over a file: which signals it has, what their grids are to be made of, and which time it covers.

use std::collections::{BTreeMap, HashMap};

use anyhow::bail;
use domain::signal::TAG;
use domain::time::Instant;

use super::bind::{Reading, Stamp, end_of_time};
use super::cell::number_of;
use super::events::Events;
use super::plan::Plan;
use super::progress::{Observer, Stage};
use super::row::Stated;
use super::sample::Sample;
use super::source::Format;
use crate::event::{Name, Prediction};

/// What the first pass found.
#[derive(Debug, Default)]
pub struct Survey {
    /// Rows of the file, good and bad.
    pub rows: u64,
    /// The times of the first and the last prediction, as they stand in the file.
    pub times: Option<(Instant, Instant)>,
    /// Outcomes, with a prediction in the same row or without.
    pub outcomes: u64,
    pub signals: HashMap<Name, Sample>,
    /// Signals that the file names and never gives a value.
    pub empty: Vec<String>,
    /// How text columns are to be read.
    pub readings: BTreeMap<String, Reading>,
}

/// Rows between two calls of the observer.
pub const TELL_EVERY: u64 = 10_000;

/// Reads the whole file once; `tags` are those that the model's contract watches.
///
/// # Errors
/// Where the file cannot be read, the mapping does not fit, or no row can be taken.
pub fn survey(
    plan: &Plan,
    sha256: &str,
    now: Instant,
    tags: &[String],
    observer: &Observer,
) -> anyhow::Result<Survey> {
    let readings = readings(plan)?;
    let mut events = Events::open(plan, sha256, &readings)?;
    let mut survey = Survey { readings, ..Survey::default() };
    let stamp = Stamp { received_at: now, shift_ms: 0, latest: end_of_time() };
    let total = events.total();
    let mut first_problem = None;
    while let Some(taken) = events.next(&stamp)? {
        survey.rows += 1;
        if survey.rows.is_multiple_of(TELL_EVERY) {
            observer.tell(Stage::Surveying, survey.rows, total);
        }
        survey.outcomes += u64::from(taken.outcome.is_some());
        if let Some(prediction) = &taken.prediction {
            survey.add(prediction, tags);
        } else if let (None, Some(refused)) = (&first_problem, taken.refused) {
            first_problem = Some(refused);
        }
    }
    observer.tell(Stage::Surveying, survey.rows, Some(survey.rows));
    events.check_after_reading(&plan.source.name)?;
    if let (None, 0, Some(refused)) = (survey.times, survey.outcomes, first_problem) {
        let word = plan.source.format.row_word();
        bail!(
            "no {word} of {} can be taken; the first, {word} {}: {} {} {}",
            plan.source.name,
            refused.number,
            refused.field,
            refused.shown,
            refused.problem
        );
    }
    let is_empty = |signal: &Name| !survey.signals.contains_key(signal);
    survey.empty = events.signals().into_iter().filter(is_empty).map(|signal| signal.to_string()).collect();
    Ok(survey)
}

impl Survey {
    fn add(&mut self, prediction: &Prediction, tags: &[String]) {
        let at = prediction.timestamp;
        let (first, last) = self.times.unwrap_or((at, at));
        self.times = Some((first.min(at), last.max(at)));
        for (name, value) in &prediction.numbers {
            self.sample(name).number(*value);
        }
        for (name, value) in &prediction.categories {
            self.sample(name).category(value);
        }
        for (name, value) in prediction.tags.iter().filter(|(name, _)| tags.iter().any(|tag| **tag == **name))
        {
            let signal = Name::from(format!("{TAG}{name}"));
            self.sample(&signal).category(&Name::from(value.as_str()));
        }
    }

    fn sample(&mut self, name: &Name) -> &mut Sample {
        if !self.signals.contains_key(name) {
            self.signals.insert(name.clone(), Sample::default());
        }
        self.signals.get_mut(name).expect("it was put there")
    }
}

/// How the columns of a file of text are to be read: as numbers where every value is one, else as categories.
fn readings(plan: &Plan) -> anyhow::Result<BTreeMap<String, Reading>> {
    if plan.source.format != Format::Csv {
        return Ok(BTreeMap::new());
    }
    let mut rows = plan.source.rows(&plan.mapping.null_words())?;
    let columns: Vec<String> = rows.columns().iter().map(|column| column.name.clone()).collect();
    debug_assert!(rows.columns().iter().all(|column| column.stated == Stated::Text));
    // Whether all values so far were numbers, and whether any of them was a finite one.
    let mut found = vec![(true, false); columns.len()];
    while let Some(row) = rows.next_row()? {
        let Ok(row) = row else { continue };
        for (cell, (all, any)) in row.cells.iter().zip(&mut found).filter(|(_, (all, _))| *all) {
            if let super::cell::Cell::Text(text) = cell {
                let number = number_of(text);
                *all = number.is_some();
                *any |= number.is_some_and(f64::is_finite);
            }
        }
    }
    let reading = |(all, any): (bool, bool)| if all && any { Reading::Numbers } else { Reading::Categories };
    Ok(columns.into_iter().zip(found.into_iter().map(reading)).collect())
}
