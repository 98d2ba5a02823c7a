//! What an import did: how many rows, what was refused and why, which time it covers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use domain::time::{Instant, Interval};

use super::events::Refused;
use crate::event::Kind;

/// Examples kept of each reason.
const EXAMPLES: usize = 3;
/// Different reasons kept; what has more is not made by one mistake.
const REASONS: usize = 50;

#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub name: String,
    pub model: String,
    /// Rows of the file that were read in this run.
    pub rows: u64,
    /// Predictions stored in this run.
    pub stored: u64,
    pub outcomes: u64,
    pub refused: Refusals,
    /// Added to every time in the file, in milliseconds.
    pub shift_ms: i64,
    /// From the first prediction up to after the last, shifted; not looked at where nothing was done, and none where the
    /// file holds outcomes only.
    pub window: Option<Interval>,
    /// Signals that got a grid from this file.
    pub new_grids: Vec<String>,
    /// Signals of the file without a value that a grid could be made of.
    pub without_grid: Vec<String>,
    /// Rows that an earlier, broken run had stored.
    pub resumed_after: u64,
    /// When the same content had been imported completely; nothing was done then.
    pub already: Option<Instant>,
    pub took: Duration,
}

/// What came of several files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub files: usize,
    /// Files whose content was there already.
    pub already: usize,
    pub rows: u64,
    pub stored: u64,
    pub outcomes: u64,
    pub refused: u64,
}

impl Totals {
    pub fn add(&mut self, report: &Report) {
        self.files += 1;
        self.already += usize::from(report.already.is_some());
        self.rows += report.rows;
        self.stored += report.stored;
        self.outcomes += report.outcomes;
        self.refused += report.refused.total();
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files, {} of them imported before: {} of {} rows stored, {} outcomes, {} refused",
            self.files,
            self.already,
            thousands(self.stored),
            thousands(self.rows),
            thousands(self.outcomes),
            thousands(self.refused)
        )
    }
}

/// What was refused, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    pub predictions: u64,
    pub outcomes: u64,
    pub reasons: Vec<Reason>,
    /// Refused for reasons beyond those kept.
    pub beyond: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub kind: Kind,
    pub field: String,
    pub problem: String,
    pub n: u64,
    /// Row and value of the first few.
    pub examples: Vec<(u64, String)>,
}

impl Refusals {
    pub fn add(&mut self, refused: &Refused) {
        match refused.kind {
            Kind::Prediction => self.predictions += 1,
            Kind::Outcome => self.outcomes += 1,
        }
        let same = |reason: &&mut Reason| {
            reason.kind == refused.kind && reason.field == refused.field && reason.problem == refused.problem
        };
        let example = (refused.number, refused.shown.clone());
        if let Some(reason) = self.reasons.iter_mut().find(same) {
            reason.n += 1;
            if reason.examples.len() < EXAMPLES {
                reason.examples.push(example);
            }
        } else if self.reasons.len() < REASONS {
            self.reasons.push(Reason {
                kind: refused.kind,
                field: refused.field.clone(),
                problem: refused.problem.clone(),
                n: 1,
                examples: vec![example],
            });
        } else {
            self.beyond += 1;
        }
    }

    /// How many rows or outcomes were refused, by what they were.
    pub fn total(&self) -> u64 {
        self.predictions + self.outcomes
    }

    /// How many of each kind.
    pub fn by_kind(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([(Kind::Prediction.name(), self.predictions), (Kind::Outcome.name(), self.outcomes)])
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.already {
            return write!(
                f,
                "{} was already imported into {} at {at}: nothing to do",
                self.name, self.model
            );
        }
        let rate = self.rows as f64 / self.took.as_secs_f64().max(0.001);
        writeln!(
            f,
            "Imported {} into {}: {} of {} rows stored, {} outcomes, {} a second in {:.1} s",
            self.name,
            self.model,
            thousands(self.stored),
            thousands(self.rows),
            thousands(self.outcomes),
            thousands(rate as u64),
            self.took.as_secs_f64()
        )?;
        if self.resumed_after > 0 {
            writeln!(f, "  went on after {} rows of an earlier run", thousands(self.resumed_after))?;
        }
        if let Some(window) = self.window {
            writeln!(f, "  time: {} to {}", window.start, window.end)?;
        }
        if self.shift_ms != 0 {
            writeln!(f, "  every time in the file was shifted by {}", days_of(self.shift_ms))?;
        }
        if !self.new_grids.is_empty() {
            writeln!(f, "  grids made of the whole file: {}", self.new_grids.join(", "))?;
        }
        if !self.without_grid.is_empty() {
            writeln!(f, "  without a value to count: {}", self.without_grid.join(", "))?;
        }
        write!(f, "{}", self.refused)
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.total() == 0 {
            return writeln!(f, "  refused: nothing");
        }
        writeln!(
            f,
            "  refused: {} predictions, {} outcomes (each is in rejected_events)",
            thousands(self.predictions),
            thousands(self.outcomes)
        )?;
        for reason in &self.reasons {
            let examples: Vec<String> = reason
                .examples
                .iter()
                .map(
                    |(row, shown)| {
                        if shown.is_empty() { row.to_string() } else { format!("{row} ({shown})") }
                    },
                )
                .collect();
            let field =
                if reason.field.is_empty() { String::new() } else { format!("\"{}\" ", reason.field) };
            let (n, kind, problem) = (thousands(reason.n), reason.kind.name(), &reason.problem);
            writeln!(f, "    {n} × {kind}: {field}{problem}; such as {}", examples.join(", "))?;
        }
        if self.beyond > 0 {
            writeln!(f, "    {} more for other reasons", thousands(self.beyond))?;
        }
        Ok(())
    }
}

/// `336,776` for 336776.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or_default())
        .collect();
    groups.join(",")
}

/// A shift as people say it: `+4,715 days 3 h 12 min 5.25 s`.
fn days_of(shift_ms: i64) -> String {
    const SECOND: u64 = 1_000;
    let sign = if shift_ms < 0 { "−" } else { "+" };
    let ms = shift_ms.unsigned_abs();
    let (days, rest) = (ms / (86_400 * SECOND), ms % (86_400 * SECOND));
    let (hours, rest) = (rest / (3_600 * SECOND), rest % (3_600 * SECOND));
    let (minutes, rest) = (rest / (60 * SECOND), rest % (60 * SECOND));
    format!("{sign}{} days {hours} h {minutes} min {} s", thousands(days), rest as f64 / 1_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: u64, problem: &str) -> Refused {
        Refused {
            kind: Kind::Prediction,
            number,
            field: "temp".to_owned(),
            problem: problem.to_owned(),
            shown: "\"warm\"".to_owned(),
            kept_out: None,
            payload: String::new(),
        }
    }

    #[test]
    fn refusals_are_told_by_reason_with_the_first_rows() {
        let mut refusals = Refusals::default();
        (2..8).for_each(|row| refusals.add(&refused(row, "is not a number")));
        refusals.add(&refused(9, "is empty"));
        let text = refusals.to_string();
        assert!(text.contains("refused: 7 predictions"), "{text}");
        let line =
            "6 × prediction: \"temp\" is not a number; such as 2 (\"warm\"), 3 (\"warm\"), 4 (\"warm\")";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn numbers_are_grouped_for_the_eye() {
        assert_eq!([0, 999, 1_000, 336_776].map(thousands), ["0", "999", "1,000", "336,776"]);
        assert_eq!(days_of(-90_061_500), "−1 days 1 h 1 min 1.5 s");
    }
}
