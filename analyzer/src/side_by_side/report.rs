//! What is written of a comparison. The JSON form is a promise: `docs/compare.schema.json`.

use serde::Serialize;

use crate::side_by_side::Kind;
use crate::side_by_side::judged::{Judged, Verdict};
use crate::side_by_side::measured::Statistics;

/// One of the two data sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// A file, or a model and its window.
    pub source: String,
    pub rows: u64,
}

/// A whole comparison: every signal judged, the worst first.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub baseline: Source,
    pub current: Source,
    pub signals: Vec<Judged>,
    /// What was not compared, and why; for people.
    pub notes: Vec<String>,
}

/// The report as it is written in JSON: these fields, in this order.
#[derive(Serialize)]
struct Written<'a> {
    baseline: &'a Source,
    current: &'a Source,
    signals: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    signal: &'a str,
    kind: Kind,
    n_baseline: u64,
    n_current: u64,
    missing_baseline: u64,
    missing_current: u64,
    invalid_baseline: u64,
    invalid_current: u64,
    #[serde(flatten)]
    statistics: Statistics,
    verdict: Verdict,
    sentence: &'a str,
}

impl Report {
    /// # Errors
    /// None that is known of: every number in it is finite.
    pub fn json(&self) -> serde_json::Result<String> {
        let signals = self.signals.iter().map(|judged| {
            let (before, now) = (judged.measured.baseline, judged.measured.current);
            Row {
                signal: &judged.measured.name,
                kind: judged.measured.kind,
                n_baseline: before.n,
                n_current: now.n,
                missing_baseline: before.missing,
                missing_current: now.missing,
                invalid_baseline: before.invalid,
                invalid_current: now.invalid,
                statistics: judged.measured.statistics,
                verdict: judged.verdict,
                sentence: &judged.sentence,
            }
        });
        let written =
            Written { baseline: &self.baseline, current: &self.current, signals: signals.collect() };
        serde_json::to_string_pretty(&written)
    }

    pub fn off_course(&self) -> usize {
        self.signals.iter().filter(|judged| judged.verdict == Verdict::OffCourse).count()
    }
}
