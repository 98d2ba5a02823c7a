//! What becomes of findings. An incident is nothing but its events; its state is a fold over them, and the events are
//! the audit trail.
//!
//! Invariant: events are only ever appended. Whoever reads the same events sees the same incident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::evaluation::{Cause, Severity, Subject, UnknownWord, parse_word};
use crate::time::Instant;

/// What happened to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    Opened,
    /// A finding joined, left, or changed its numbers.
    Updated,
    /// Grew from a ticket to a page.
    Escalated,
    Acknowledged,
    Silenced,
    Unsilenced,
    RetrainingRequested,
    /// A retraining was due and was held back, with the reason.
    RetrainingHeldBack,
    /// The retraining job reported back: accepted, running, succeeded, failed (in `reason`).
    RetrainingReported,
    MarkedFalse,
    Resolved,
}

impl EventKind {
    pub const ALL: [Self; 11] = [
        Self::Opened,
        Self::Updated,
        Self::Escalated,
        Self::Acknowledged,
        Self::Silenced,
        Self::Unsilenced,
        Self::RetrainingRequested,
        Self::RetrainingHeldBack,
        Self::RetrainingReported,
        Self::MarkedFalse,
        Self::Resolved,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Silenced => "silenced",
            Self::Unsilenced => "unsilenced",
            Self::RetrainingRequested => "retraining_requested",
            Self::RetrainingHeldBack => "retraining_held_back",
            Self::RetrainingReported => "retraining_reported",
            Self::MarkedFalse => "marked_false",
            Self::Resolved => "resolved",
        }
    }
}

impl FromStr for EventKind {
    type Err = UnknownWord;
    fn from_str(value: &str) -> Result<Self, UnknownWord> {
        parse_word("incident event", &Self::ALL, Self::name, value)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One subject that is off course, as an incident keeps it: what its last evaluation said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub subject: Subject,
    pub severity: Severity,
    pub since: Instant,
    pub window_end: Instant,
    pub statistic: String,
    pub value: f64,
    pub threshold: f64,
    pub n_current: u64,
    pub sentence: String,
    /// Still off course; false once it recovered while others of the incident have not.
    pub standing: bool,
}

/// An appended fact about an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncidentEvent {
    /// Stable: a hash of model, environment, cause and onset, so a replay finds the same incidents.
    pub incident: String,
    /// The order of the events of one incident, from 1.
    pub sequence: u32,
    pub kind: EventKind,
    pub model: String,
    pub environment: String,
    pub cause: Cause,
    pub severity: Severity,
    /// When it happened, on the clock of the data: the end of the window that showed it, or when a person acted.
    pub at: Instant,
    /// When it was written.
    pub recorded_at: Instant,
    /// The start of the first window that was off course.
    pub since: Instant,
    /// `leeway`, or the name of a person or program.
    pub actor: String,
    /// Why, in the actor's words; empty where nothing was asked for.
    pub reason: String,
    /// The incident's title as of this event.
    pub title: String,
    /// The findings as of this event, worst first; empty on events that change none.
    pub findings: Vec<Finding>,
    /// For `Silenced`: until when.
    pub until: Option<Instant>,
    /// The id of the [`Action`](crate::action::Action) that asked for it; empty where Leeway acted by itself.
    /// It makes an action count once: one whose id stands on an event was carried out.
    pub action: String,
}

/// The state of an incident after all of its events.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    pub id: String,
    pub model: String,
    pub environment: String,
    pub cause: Cause,
    pub severity: Severity,
    pub title: String,
    pub since: Instant,
    pub opened_at: Instant,
    pub updated_at: Instant,
    pub acknowledged: Option<By>,
    pub silenced_until: Option<Instant>,
    pub resolved: Option<By>,
    pub marked_false: Option<By>,
    pub retraining_requested_at: Option<Instant>,
    pub findings: Vec<Finding>,
    pub events: u32,
}

/// Who did something, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct By {
    pub at: Instant,
    pub actor: String,
    pub reason: String,
}

impl Incident {
    /// The incident as its first event makes it.
    fn begun_by(event: &IncidentEvent) -> Self {
        Self {
            id: event.incident.clone(),
            model: event.model.clone(),
            environment: event.environment.clone(),
            cause: event.cause,
            severity: event.severity,
            title: event.title.clone(),
            since: event.since,
            opened_at: event.at,
            updated_at: event.at,
            acknowledged: None,
            silenced_until: None,
            resolved: None,
            marked_false: None,
            retraining_requested_at: None,
            findings: event.findings.clone(),
            events: 0,
        }
    }

    /// Takes one more event into account. An event that was already counted (same or lower sequence) changes nothing,
    /// so reading an event twice is harmless.
    pub fn apply(&mut self, event: &IncidentEvent) {
        if event.sequence <= self.events {
            return;
        }
        self.events = event.sequence;
        self.updated_at = self.updated_at.max(event.at);
        let by = || By { at: event.at, actor: event.actor.clone(), reason: event.reason.clone() };
        match event.kind {
            EventKind::Opened | EventKind::Updated | EventKind::Escalated => self.refresh(event),
            EventKind::Acknowledged => self.acknowledged = Some(by()),
            EventKind::Silenced => self.silenced_until = event.until,
            EventKind::Unsilenced => self.silenced_until = None,
            EventKind::RetrainingRequested => self.retraining_requested_at = Some(event.at),
            EventKind::RetrainingHeldBack | EventKind::RetrainingReported => {}
            EventKind::MarkedFalse => self.marked_false = Some(by()),
            EventKind::Resolved => {
                self.resolved = Some(by());
                if !event.findings.is_empty() {
                    self.findings.clone_from(&event.findings);
                }
                self.findings.iter_mut().for_each(|finding| finding.standing = false);
            }
        }
    }

    fn refresh(&mut self, event: &IncidentEvent) {
        self.severity = self.severity.max(event.severity);
        self.title.clone_from(&event.title);
        self.since = self.since.min(event.since);
        if !event.findings.is_empty() {
            self.findings.clone_from(&event.findings);
        }
    }

    pub fn is_open(&self) -> bool {
        self.resolved.is_none()
    }

    pub fn is_silenced_at(&self, now: Instant) -> bool {
        self.silenced_until.is_some_and(|until| now < until)
    }
}

/// The incidents that a list of events tells of, in the order in which they were opened.
///
/// Events of one incident must come in the order of their sequence; those of different incidents may be mixed.
pub fn fold<'a>(events: impl IntoIterator<Item = &'a IncidentEvent>) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    let mut place = std::collections::HashMap::new();
    for event in events {
        let index = *place.entry(event.incident.clone()).or_insert_with(|| {
            incidents.push(Incident::begun_by(event));
            incidents.len() - 1
        });
        incidents[index].apply(event);
    }
    incidents
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u32, kind: EventKind) -> IncidentEvent {
        IncidentEvent {
            incident: "7f3c".to_owned(),
            sequence,
            kind,
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            cause: Cause::Data,
            severity: Severity::Ticket,
            at: Instant::from_seconds(i64::from(sequence)),
            recorded_at: Instant::from_seconds(i64::from(sequence)),
            since: Instant::EPOCH,
            actor: "leeway".to_owned(),
            reason: String::new(),
            title: format!("title {sequence}"),
            findings: Vec::new(),
            until: None,
            action: String::new(),
        }
    }

    #[test]
    fn the_state_is_what_the_events_tell() {
        let mut escalated = event(2, EventKind::Escalated);
        escalated.severity = Severity::Page;
        let events = [
            event(1, EventKind::Opened),
            escalated,
            event(3, EventKind::Acknowledged),
            event(4, EventKind::Resolved),
        ];
        let incidents = fold(&events);
        let [incident] = incidents.as_slice() else { panic!("one incident") };
        assert_eq!(incident.severity, Severity::Page);
        assert_eq!(incident.title, "title 2");
        assert!(incident.acknowledged.is_some());
        assert!(!incident.is_open());
    }

    #[test]
    fn an_event_read_twice_counts_once() {
        let events = [event(1, EventKind::Opened), event(2, EventKind::Acknowledged)];
        let twice = fold(events.iter().chain(&events));
        assert_eq!(twice, fold(&events));
    }

    #[test]
    fn a_silence_ends_by_itself() {
        let mut silenced = event(2, EventKind::Silenced);
        silenced.until = Some(Instant::from_seconds(100));
        let incidents = fold(&[event(1, EventKind::Opened), silenced]);
        assert!(incidents[0].is_silenced_at(Instant::from_seconds(99)));
        assert!(!incidents[0].is_silenced_at(Instant::from_seconds(100)));
    }
}
