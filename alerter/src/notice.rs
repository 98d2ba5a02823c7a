//! What is told of an event, the same for every channel: the incident as of that event, and where to read on.

use domain::evaluation::Severity;
use domain::incident::{EventKind, Finding, Incident, IncidentEvent};
use domain::time::Instant;
use serde_json::{Value, json};

use crate::incidents::{identity, title};

/// Findings that a message carries; the rest stands on the page of the incident.
const MOST_FINDINGS: usize = 20;

#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    pub event: IncidentEvent,
    /// As of the event.
    pub incident: Incident,
    pub owner: String,
    pub playbook: String,
    /// The incident's page; empty where nobody said where the pages are.
    pub url: String,
    /// Where a retraining reports what becomes of it; empty where nobody said where the pages are.
    pub callback_url: String,
}

impl Notice {
    /// The id of the delivery of this notice by a channel: constant over attempts and restarts.
    pub fn delivery(&self, channel: &str) -> String {
        delivery_id(&self.event, channel)
    }

    /// `Page`, `Ticket`, or what became of it.
    pub fn label(&self) -> &'static str {
        match self.event.kind {
            EventKind::Resolved if self.incident.marked_false.is_some() => "False alarm",
            EventKind::Resolved => "Resolved",
            _ if self.incident.severity == Severity::Page => "Page",
            _ => "Ticket",
        }
    }

    /// `flights: temp is missing at origin = JFK since 07:42 UTC, 21 November`.
    pub fn title(&self) -> String {
        format!("{}: {}", self.incident.model, self.incident.title)
    }

    /// What happened now, in a sentence; the title says what the incident is.
    pub fn news(&self) -> String {
        let event = &self.event;
        let by = |what: &str| match event.reason.as_str() {
            "" => format!("{} {what}.", event.actor),
            reason => format!("{} {what}: {reason}.", event.actor),
        };
        match event.kind {
            EventKind::Opened => format!("Found: {}.", self.lead()),
            EventKind::Updated if event.reason.is_empty() => format!("Still off course: {}.", self.lead()),
            EventKind::Updated => format!("Still off course ({}): {}.", event.reason, self.lead()),
            EventKind::Escalated => format!("Grown from a ticket to a page: {}.", self.lead()),
            EventKind::Acknowledged => by("acknowledged it"),
            EventKind::Silenced => by("silenced it"),
            EventKind::Unsilenced => by("ended its silence"),
            EventKind::RetrainingRequested => by("asked for a retraining"),
            EventKind::RetrainingHeldBack => format!("A retraining was held back: {}.", event.reason),
            EventKind::RetrainingReported => format!("The retraining reported: {}.", event.reason),
            EventKind::MarkedFalse => by("marked it as a false alarm"),
            EventKind::Resolved if event.actor == crate::incidents::LEEWAY => {
                format!("It is over: {}.", event.reason)
            }
            EventKind::Resolved => by("resolved it"),
        }
    }

    /// What the worst finding says.
    fn lead(&self) -> &str {
        self.findings().first().map_or("nothing more is known", |finding| finding.sentence.as_str())
    }

    /// What is known, worst first, as far as a message carries it.
    pub fn findings(&self) -> Vec<&Finding> {
        let mut findings = self.incident.findings.clone();
        title::worst_first(&mut findings);
        let place = |finding: &Finding| findings.iter().position(|other| other.subject == finding.subject);
        let mut sorted: Vec<&Finding> = self.incident.findings.iter().collect();
        sorted.sort_by_key(|finding| place(finding));
        sorted.truncate(MOST_FINDINGS);
        sorted
    }

    /// How many findings stand on the page only.
    pub fn further_findings(&self) -> usize {
        self.incident.findings.len().saturating_sub(MOST_FINDINGS)
    }

    /// What programs are told: the `data` of webhooks.
    pub fn data(&self) -> Value {
        json!({
            "incident": self.incident_json(),
            "event": {
                "sequence": self.event.sequence,
                "kind": self.event.kind.name(),
                "at": self.event.at.to_string(),
                "actor": self.event.actor,
                "reason": self.event.reason,
                "sentence": self.news(),
            },
            "findings": self.findings().into_iter().map(finding_json).collect::<Vec<_>>(),
            "further_findings": self.further_findings(),
        })
    }

    fn incident_json(&self) -> Value {
        let incident = &self.incident;
        json!({
            "id": incident.id,
            "model": incident.model,
            "environment": incident.environment,
            "owner": self.owner,
            "cause": incident.cause.name(),
            "severity": incident.severity.name(),
            "state": if incident.is_open() { "open" } else { "resolved" },
            "title": incident.title,
            "since": incident.since.to_string(),
            "opened_at": incident.opened_at.to_string(),
            "acknowledged_by": incident.acknowledged.as_ref().map(|by| &by.actor),
            "silenced_until": incident.silenced_until.map(written),
            "resolved_at": incident.resolved.as_ref().map(|by| written(by.at)),
            "resolved_by": incident.resolved.as_ref().map(|by| &by.actor),
            "marked_false": incident.marked_false.is_some(),
            "url": self.url,
            "playbook": self.playbook,
        })
    }
}

fn written(instant: Instant) -> String {
    instant.to_string()
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "monitor": finding.subject.monitor.name(),
        "signal": finding.subject.signal,
        "segment": finding.subject.segment,
        "severity": finding.severity.name(),
        "standing": finding.standing,
        "since": finding.since.to_string(),
        "window_end": finding.window_end.to_string(),
        "statistic": finding.statistic,
        "value": finding.value,
        "threshold": finding.threshold,
        "events": finding.n_current,
        "sentence": finding.sentence,
    })
}

/// The id of the delivery of an event by a channel.
pub fn delivery_id(event: &IncidentEvent, channel: &str) -> String {
    let sequence = event.sequence.to_string();
    format!("msg_{}-{sequence}-{}", event.incident, identity::short(&[&event.incident, &sequence, channel]))
}
