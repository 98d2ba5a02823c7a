//! An incident with what is known of its findings now, which may be newer than what its last event said.
//!
//! Invariant: `incident` is exactly the fold of the incident's events; `live` has the same subjects or more.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::evaluation::{Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, Finding, Incident, IncidentEvent};
use domain::time::{DAY, HOUR, Instant};

/// The most findings an incident keeps. A model of 2,000 signals with 20 segments each could else write 40,000 into
/// every event; the worst 200 tell the story, and what recovered makes room.
pub const MOST_FINDINGS: usize = 200;

/// A number grew materially when it is larger than what was last said by more than this share of it.
const MATERIAL: f64 = 0.25;

/// Updates thin out: the first may come a quarter of a window after the last change, and the wait doubles with each
/// event, up to so many windows, or an hour where that is longer.
const MOST_WINDOWS_BETWEEN_UPDATES: u32 = 6;

/// A subject that nobody judged for so many windows, and for at least a week, is no longer looked at: its signal or
/// segment is gone, and no window will ever say that it recovered.
const WINDOWS_UNTIL_FORGOTTEN: u32 = 10;
const LEAST_UNTIL_FORGOTTEN: Duration = Duration::from_secs(7 * DAY.as_secs());

/// The numbers by which the analyzer says that values look like another unit of the same thing.
const UNIT_FACTOR: &str = "unit_factor";
const UNIT_OFFSET: &str = "unit_offset";

/// `now = factor · before + offset`, as far as an analyzer can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnitSlip {
    pub factor: f64,
    pub offset: f64,
}

/// The subjects whose values look like another unit of the same thing.
pub type UnitSlips = BTreeMap<Subject, UnitSlip>;

pub fn unit_slip(evaluation: &Evaluation) -> Option<UnitSlip> {
    let factor = *evaluation.numbers.get(UNIT_FACTOR)?;
    Some(UnitSlip { factor, offset: evaluation.numbers.get(UNIT_OFFSET).copied().unwrap_or(0.0) })
}

#[derive(Clone, Debug)]
pub struct Case {
    pub incident: Incident,
    /// The findings as of the last evaluation, in no order.
    pub live: Vec<Finding>,
    /// The last of its events that came of evaluations.
    pub mark: Option<Mark>,
    /// Whether one of its events was written soon enough after it happened for somebody to be told of it.
    pub was_current: bool,
    /// Why a retraining was last held back.
    pub held_back: Option<String>,
    /// The last retraining that it asked for failed.
    pub retraining_failed: bool,
    pub unit_slips: UnitSlips,
    /// Each finding as it was at its worst in what was told: what the title speaks of, so that it stays when the
    /// numbers get better.
    worst: Vec<Finding>,
    last_change: Instant,
    changed: bool,
}

impl Case {
    pub fn begun_by(event: &IncidentEvent) -> Self {
        let incident = domain::incident::fold([event]).pop().expect("one event makes one incident");
        let mut case = Self {
            live: Vec::new(),
            mark: None,
            was_current: false,
            held_back: None,
            retraining_failed: false,
            unit_slips: UnitSlips::new(),
            worst: Vec::new(),
            last_change: event.at,
            changed: false,
            incident,
        };
        case.noted(event);
        case
    }

    /// Takes one more of its events into account.
    pub fn apply(&mut self, event: &IncidentEvent) {
        self.incident.apply(event);
        self.noted(event);
    }

    fn noted(&mut self, event: &IncidentEvent) {
        match event.kind {
            EventKind::Opened | EventKind::Updated | EventKind::Escalated | EventKind::Resolved => {
                self.last_change = event.at;
                self.changed = false;
                self.live.clone_from(&self.incident.findings);
                self.worst = self.at_worst();
            }
            EventKind::RetrainingHeldBack => self.held_back = Some(event.reason.clone()),
            EventKind::RetrainingRequested => self.retraining_failed = false,
            EventKind::RetrainingReported => self.retraining_failed = event.reason.starts_with("failed"),
            _ => {}
        }
        self.mark = Mark::of(event, self.watch()).or_else(|| self.mark.take());
    }

    pub fn is_open(&self) -> bool {
        self.incident.is_open()
    }

    pub fn finding(&self, subject: &Subject) -> Option<&Finding> {
        self.live.iter().find(|finding| finding.subject == *subject)
    }

    pub fn standing(&self) -> impl Iterator<Item = &Finding> {
        self.live.iter().filter(|finding| finding.standing)
    }

    pub fn watch(&self) -> &str {
        self.live.first().map_or("", |finding| finding.subject.watch.as_str())
    }

    /// The severity of what stands; never below what the incident once was.
    pub fn severity(&self) -> Severity {
        let standing = self.standing().map(|finding| finding.severity).max();
        standing.unwrap_or(Severity::Ticket).max(self.incident.severity)
    }

    pub fn since(&self) -> Instant {
        let earliest = self.live.iter().map(|finding| finding.since).min();
        earliest.unwrap_or(self.incident.since).min(self.incident.since)
    }

    /// The end of the last window that any of its findings knows.
    pub fn last_window(&self) -> Instant {
        self.live.iter().map(|finding| finding.window_end).max().unwrap_or(self.incident.opened_at)
    }

    /// Its findings, each at its worst; no more than an incident keeps.
    pub fn at_worst(&self) -> Vec<Finding> {
        let mut worst = self.worst.clone();
        for finding in self.standing() {
            match worst.iter().position(|known| known.subject == finding.subject) {
                Some(place) if is_worse(finding, &worst[place]) => worst[place].clone_from(finding),
                Some(_) => {}
                None if worst.len() < MOST_FINDINGS => worst.push(finding.clone()),
                None => {}
            }
        }
        worst
    }

    /// What is wrong with the data themselves, in words: a new model would learn it. `None` where values moved and
    /// nothing else.
    pub fn data_fault(&self) -> Option<&'static str> {
        let broken = self.standing().find_map(|finding| match finding.subject.monitor {
            Monitor::Missing | Monitor::Invalid | Monitor::Staleness | Monitor::Freshness => {
                Some("values are missing, invalid or stale")
            }
            Monitor::Schema | Monitor::Types | Monitor::Contract | Monitor::Quality => {
                Some("values are not of the right kind")
            }
            Monitor::Stuck => Some("a value stands still"),
            Monitor::Duplicates | Monitor::Completeness => Some("events come again or incomplete"),
            _ => None,
        });
        if broken.is_some() {
            return broken;
        }
        let slipped = |finding: &Finding| self.unit_slips.contains_key(&finding.subject);
        self.standing().any(slipped).then_some("values look like another unit of the same thing")
    }

    /// Takes a new subject in, if there is room.
    pub fn join(&mut self, evaluation: &Evaluation) {
        if self.live.len() >= MOST_FINDINGS {
            let Some(gone) = self.live.iter().position(|finding| !finding.standing) else { return };
            self.live.swap_remove(gone);
        }
        let finding = finding_of(evaluation);
        self.changed |= !is_explained(&finding, &self.live);
        self.live.push(finding);
        self.note(evaluation);
    }

    /// Remembers of a window what a finding does not keep.
    pub fn note(&mut self, evaluation: &Evaluation) {
        let known = self.finding(&evaluation.subject).is_some();
        if let (true, Some(slip)) = (known, unit_slip(evaluation)) {
            self.unit_slips.insert(evaluation.subject.clone(), slip);
        }
    }

    /// Takes a later window of one of its subjects into account. One that was seen already changes nothing.
    pub fn observe(&mut self, evaluation: &Evaluation) {
        let Some(index) = self.live.iter().position(|finding| finding.subject == evaluation.subject) else {
            return;
        };
        self.note(evaluation);
        if evaluation.window.end <= self.live[index].window_end {
            return;
        }
        let explained = is_explained(&self.live[index], &self.live);
        let said = self.incident.findings.iter().find(|said| said.subject == evaluation.subject);
        let said = said.map(|said| said.value);
        let finding = &mut self.live[index];
        match (finding.standing, evaluation.verdict) {
            (true, verdict) if verdict.is_alarm() => {
                *finding = Finding { since: finding.since.min(evaluation.since), ..finding_of(evaluation) };
                self.changed |= !explained && said.is_some_and(|said| grew(said, evaluation.value));
            }
            (false, Verdict::OffCourse) => {
                *finding = finding_of(evaluation);
                self.changed |= !explained;
            }
            (true, _) => {
                finding.standing = false;
                finding.window_end = evaluation.window.end;
                self.changed |= !explained;
            }
            (false, _) => finding.window_end = evaluation.window.end,
        }
    }

    /// Lets go of subjects that no window judges any more; says whether there were any.
    pub fn forget(&mut self, window_end: Instant, window: Duration) -> bool {
        let patience = window.saturating_mul(WINDOWS_UNTIL_FORGOTTEN).max(LEAST_UNTIL_FORGOTTEN);
        let forgotten =
            |finding: &&mut Finding| finding.standing && window_end.since(finding.window_end) >= patience;
        let mut any = false;
        for finding in self.live.iter_mut().filter(forgotten) {
            finding.standing = false;
            any = true;
        }
        self.changed |= any;
        any
    }

    /// Whether what changed since the last event is to be said now.
    pub fn is_update_due(&self, window_end: Instant, window: Duration) -> bool {
        let gap = (window / 8).saturating_mul(1 << self.incident.events.min(16));
        let most = window.saturating_mul(MOST_WINDOWS_BETWEEN_UPDATES).max(HOUR);
        self.changed && window_end >= self.last_change.saturating_add(gap.min(most))
    }
}

/// Up to which window an incident has told what was found: what was found later may be known to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub model: String,
    pub environment: String,
    pub watch: String,
    pub window_end: Instant,
    pub recorded_at: Instant,
}

impl Mark {
    /// `None` for events that people asked for.
    pub fn of(event: &IncidentEvent, watch: &str) -> Option<Self> {
        let found = matches!(
            event.kind,
            EventKind::Opened | EventKind::Updated | EventKind::Escalated | EventKind::Resolved
        );
        (found && event.action.is_empty()).then(|| Self {
            model: event.model.clone(),
            environment: event.environment.clone(),
            watch: watch.to_owned(),
            window_end: event.at,
            recorded_at: event.recorded_at,
        })
    }
}

/// Whether a number is materially larger than what was last said. That it gets better is said when it is over.
pub fn grew(said: f64, now: f64) -> bool {
    now - said > MATERIAL * said.abs().max(f64::MIN_POSITIVE)
}

fn is_worse(finding: &Finding, known: &Finding) -> bool {
    (finding.severity, finding.value) > (known.severity, known.value)
}

/// Missing or invalid values explain why the rest of a signal's values look different: its drift, their range and the like
/// say nothing more.
pub fn is_explained(finding: &Finding, beside: &[Finding]) -> bool {
    const FOLLOW: [Monitor; 6] = [
        Monitor::Drift,
        Monitor::Range,
        Monitor::Types,
        Monitor::Cardinality,
        Monitor::Stuck,
        Monitor::Schema,
    ];
    let of = &finding.subject;
    FOLLOW.contains(&of.monitor)
        && beside.iter().any(|other| {
            other.standing
                && matches!(other.subject.monitor, Monitor::Missing | Monitor::Invalid)
                && other.subject.signal == of.signal
                && other.subject.segment == of.segment
        })
}

/// What an incident keeps of an evaluation.
pub fn finding_of(evaluation: &Evaluation) -> Finding {
    Finding {
        subject: evaluation.subject.clone(),
        severity: evaluation.severity,
        since: evaluation.since,
        window_end: evaluation.window.end,
        statistic: evaluation.statistic.clone(),
        value: evaluation.value,
        threshold: evaluation.threshold,
        n_current: evaluation.n_current,
        sentence: evaluation.sentence.clone(),
        standing: evaluation.verdict.is_alarm(),
    }
}
