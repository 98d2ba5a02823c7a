//! Where every subject of a watch stands: what the next window goes on from.
//!
//! Invariant: it is a fold over the stored evaluations in the order of their windows, so a process that reads the last
//! of them goes on exactly where another one stopped.

use std::collections::{BTreeMap, BTreeSet};

use domain::evaluation::{Evaluation, Monitor, Verdict};
use sql::evaluations::Judged;

use crate::finding::{Context, Finding};
use crate::threshold::{Limit, Rules, Standing, judge};
use crate::words;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub monitor: Monitor,
    pub signal: String,
    pub segment: String,
}

#[derive(Clone, Debug)]
pub struct Standings {
    by_key: BTreeMap<Key, Standing>,
    rules: Rules,
}

impl Standings {
    pub fn new(rules: Rules) -> Self {
        Self { by_key: BTreeMap::new(), rules }
    }

    /// Goes on from what was stored.
    pub fn resumed(rules: Rules, stored: Vec<Judged>) -> Self {
        let pair = |judged: Judged| {
            let standing = Standing { verdict: judged.verdict, streak: judged.streak, since: judged.since };
            (Key { monitor: judged.monitor, signal: judged.signal, segment: judged.segment }, standing)
        };
        Self { by_key: stored.into_iter().map(pair).collect(), rules }
    }

    pub fn get(&self, key: &Key) -> Option<&Standing> {
        self.by_key.get(key)
    }

    /// The verdicts on one window. Changes nothing: [`Standings::take`] does, once they are stored.
    ///
    /// A finding that has nothing to tell makes no row unless it ends something; a subject that is not on course and
    /// about which nothing was found gets one that says so. So does each of `told`: what was said of the window before.
    pub fn judge(&self, findings: Vec<Finding>, context: &Context<'_>, told: &[Key]) -> Vec<Evaluation> {
        let mut open: BTreeSet<&Key> =
            self.by_key.iter().filter(|(_, standing)| is_open(standing)).map(|(key, _)| key).collect();
        open.extend(told);
        let mut evaluations = Vec::with_capacity(findings.len());
        for finding in findings {
            let key = finding.key();
            let is_open = open.remove(&key);
            // Rows of performance also say how far outcomes were followed, past a window without any.
            let is_always =
                matches!(finding.monitor, Monitor::Drift | Monitor::Traffic | Monitor::Performance);
            let is_told = finding.is_enough || is_always;
            if !is_open && (finding.is_quiet || !is_told) {
                continue;
            }
            let standing = judge(self.rules, self.by_key.get(&key), &finding.reading(context.window.start));
            evaluations.push(finding.judged(standing, context));
        }
        for key in open {
            let finding = unknown(key);
            let standing = judge(self.rules, self.by_key.get(key), &finding.reading(context.window.start));
            evaluations.push(finding.judged(standing, context));
        }
        evaluations
    }

    /// Goes on from the verdicts on one window.
    pub fn take(&mut self, evaluations: &[Evaluation]) {
        for evaluation in evaluations.iter().filter(|evaluation| evaluation.verdict != Verdict::TooLittleData)
        {
            self.by_key.insert(Key::of(evaluation), Standing::of(evaluation));
        }
    }
}

fn is_open(standing: &Standing) -> bool {
    standing.verdict != Verdict::OnCourse
}

impl Key {
    pub fn of(evaluation: &Evaluation) -> Self {
        let subject = &evaluation.subject;
        Self { monitor: subject.monitor, signal: subject.signal.clone(), segment: subject.segment.clone() }
    }
}

impl Finding {
    pub fn key(&self) -> Key {
        Key { monitor: self.monitor, signal: self.signal.clone(), segment: self.segment.clone() }
    }
}

/// Nothing was counted of a subject that is not on course.
fn unknown(key: &Key) -> Finding {
    let name = if key.signal.is_empty() { key.monitor.name().to_owned() } else { words::signal(&key.signal) };
    Finding {
        monitor: key.monitor,
        signal: key.signal.clone(),
        segment: key.segment.clone(),
        statistic: "none",
        value: 0.0,
        limit: Limit::default(),
        n_baseline: 0,
        n_current: 0,
        is_enough: false,
        is_quiet: false,
        numbers: BTreeMap::new(),
        facts: format!("{name}{}: nothing was counted", words::at(&key.segment)),
    }
}
