//! What a monitor found in one window before it is judged: a value, its limit and the facts in words.

use std::collections::BTreeMap;

use domain::evaluation::{Evaluation, Monitor, Severity, Subject, Verdict};
use domain::time::{Instant, Interval};

use crate::evidence;
use crate::threshold::{Limit, Reading, Standing};
use crate::words;

#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub monitor: Monitor,
    pub signal: String,
    pub segment: String,
    pub statistic: &'static str,
    pub value: f64,
    pub limit: Limit,
    pub n_baseline: u64,
    pub n_current: u64,
    /// Whether there was enough to say anything.
    pub is_enough: bool,
    /// Whether there is nothing to tell: such a finding is stored only where it ends something.
    pub is_quiet: bool,
    pub numbers: BTreeMap<String, f64>,
    /// What was found, in 80 characters where names are short; then, after semicolons, the evidence. Without what the
    /// windows before made of it.
    pub facts: String,
}

/// The watch and window that findings belong to.
#[derive(Clone, Debug, PartialEq)]
pub struct Context<'a> {
    pub model: &'a str,
    pub environment: &'a str,
    pub watch: &'a str,
    pub baseline: &'a str,
    pub window: Interval,
    pub evaluated_at: Instant,
}

impl Finding {
    pub fn is_beyond(&self) -> bool {
        self.is_enough && self.value > self.limit.threshold
    }

    pub fn reading(&self, window_start: Instant) -> Reading {
        Reading { value: self.value, limit: self.limit, is_enough: self.is_enough, window_start }
    }

    /// The value, or by how much a share is greater than in the baseline: what is mostly missing by nature does not
    /// collapse.
    pub(crate) fn rise(&self) -> f64 {
        self.value - self.numbers.get("share_baseline").copied().unwrap_or(0.0)
    }

    /// The row to be stored.
    pub fn judged(mut self, standing: Standing, context: &Context<'_>) -> Evaluation {
        let severity = Severity::of(self.monitor, &self.signal, self.rise(), self.limit.basis);
        let why = evidence::explain(&mut self, context.window);
        let sentence = sentence(self.facts, standing, context.window) + &why;
        Evaluation {
            severity,
            subject: Subject {
                model: context.model.to_owned(),
                environment: context.environment.to_owned(),
                watch: context.watch.to_owned(),
                monitor: self.monitor,
                signal: self.signal,
                segment: self.segment,
            },
            window: context.window,
            baseline: if self.n_baseline > 0 { context.baseline.to_owned() } else { String::new() },
            statistic: self.statistic.to_owned(),
            value: finite(self.value),
            threshold: finite(self.limit.threshold),
            recovery: finite(self.limit.recovery),
            noise: finite(self.limit.noise),
            n_baseline: self.n_baseline,
            n_current: self.n_current,
            verdict: standing.verdict,
            since: standing.since,
            streak: standing.streak,
            numbers: self.numbers,
            sentence,
            evaluated_at: context.evaluated_at,
        }
    }
}

/// The store keeps no infinities: pages and JSON could not show them.
fn finite(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(f64::MIN, f64::MAX) }
}

fn sentence(facts: String, standing: Standing, window: Interval) -> String {
    match standing.verdict {
        Verdict::OffCourse if standing.since < window.start => {
            format!("{facts}; since {}", words::when(standing.since))
        }
        Verdict::Suspect => format!("{facts}; seen in {} so far", windows(standing.streak)),
        Verdict::Recovering => {
            format!("{facts}; coming back, below the recovery level for {}", windows(standing.streak))
        }
        _ => facts,
    }
}

fn windows(n: u32) -> String {
    if n == 1 { "one window".to_owned() } else { format!("{n} windows") }
}

/// Finite numbers by name.
pub fn numbers<'a>(pairs: impl IntoIterator<Item = (&'a str, f64)>) -> BTreeMap<String, f64> {
    pairs
        .into_iter()
        .filter(|(_, value)| value.is_finite())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
