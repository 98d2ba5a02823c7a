//! Alarms of one window that no open incident takes, sorted into those that will be one incident each.

use std::time::Duration;

use domain::evaluation::{Evaluation, Severity};
use domain::incident::Finding;

use super::case::{MOST_FINDINGS, UnitSlips, finding_of, unit_slip};
use super::correlate::fit;

/// Alarms of one window that will be one incident.
pub struct Draft<'a> {
    /// The one that began first: it gives the incident its name.
    pub first: &'a Evaluation,
    alarms: Vec<&'a Evaluation>,
    /// Of the worst alarms, no more than an incident keeps.
    pub findings: Vec<Finding>,
    pub severity: Severity,
}

impl<'a> Draft<'a> {
    pub fn begun_by(alarm: &'a Evaluation) -> Self {
        let findings = vec![finding_of(alarm)];
        Self { first: alarm, alarms: vec![alarm], findings, severity: alarm.severity }
    }

    /// Takes one more in; beyond what an incident keeps, a page takes the place of a ticket.
    pub fn take(&mut self, alarm: &'a Evaluation) {
        self.severity = self.severity.max(alarm.severity);
        self.alarms.push(alarm);
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding_of(alarm));
            return;
        }
        let milder = |finding: &Finding| finding.severity < alarm.severity;
        if let Some(place) = self.findings.iter().rposition(milder) {
            self.findings[place] = finding_of(alarm);
        }
    }

    /// The subjects among the findings whose values look like another unit.
    pub fn slips(&self) -> UnitSlips {
        let kept =
            |alarm: &&&Evaluation| self.findings.iter().any(|finding| finding.subject == alarm.subject);
        let slipped = self.alarms.iter().filter(|alarm| unit_slip(alarm).is_some());
        let slips = slipped.filter(kept).filter_map(|alarm| Some((alarm.subject.clone(), unit_slip(alarm)?)));
        slips.collect()
    }
}

/// The draft that an alarm fits best.
pub fn best_draft<'a, 'b>(
    drafts: &'a mut [Draft<'b>],
    alarm: &Evaluation,
    span: Duration,
) -> Option<&'a mut Draft<'b>> {
    let finding = finding_of(alarm);
    let fitting = drafts.iter_mut().filter_map(|draft| Some((fit(&finding, &draft.findings, span)?, draft)));
    fitting.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, draft)| draft)
}
