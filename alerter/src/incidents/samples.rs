//! Evaluations, events and notices for tests: a sensor at one airport that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::evaluation::{Basis, Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, Finding, IncidentEvent, fold};
use domain::time::{HOUR, Instant, Interval};

use super::case::finding_of;
use super::correlate::Correlation;
use super::{LEEWAY, Rules, title};
use crate::notice::Notice;

/// The windows of the samples: an hour, one ending every five minutes.
pub const WINDOW: Duration = HOUR;
pub const STEP: Duration = Duration::from_secs(300);

pub fn rules() -> Rules {
    Rules {
        correlation: Correlation::default(),
        notify_within: 6 * HOUR,
        history: BTreeSet::from([("flights".to_owned(), "days".to_owned())]),
        ends: BTreeMap::new(),
    }
}

/// The end of window number `n`.
pub fn at(n: u32) -> Instant {
    let start: Instant = "2026-11-21T06:40:00Z".parse().expect("an instant");
    start.saturating_add(STEP * n)
}

pub fn subject(monitor: Monitor, signal: &str, segment: &str) -> Subject {
    Subject {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// What window number `n` says of a subject that is off course since window number `first`.
pub fn evaluation(subject: Subject, verdict: Verdict, first: u32, n: u32) -> Evaluation {
    let value = if verdict.is_alarm() { 1.0 } else { 0.002 };
    let start = Interval::ending_at(at(first), WINDOW).start;
    let statistic = if subject.monitor == Monitor::Drift { "psi" } else { "missing_share" };
    Evaluation {
        severity: Severity::of(subject.monitor, &subject.signal, value, Basis::Learned),
        window: Interval::ending_at(at(n), WINDOW),
        baseline: "initial".to_owned(),
        statistic: statistic.to_owned(),
        value,
        threshold: 0.05,
        recovery: 0.03,
        noise: 0.01,
        n_baseline: 80_000,
        n_current: 400,
        verdict,
        since: if verdict == Verdict::OnCourse { Interval::ending_at(at(n), WINDOW).start } else { start },
        streak: 2,
        numbers: BTreeMap::new(),
        sentence: format!("{} is missing in 100 % of 400 events, 0.2 % before", subject.signal),
        evaluated_at: at(n).saturating_add(Duration::from_secs(30)),
        subject,
    }
}

pub fn findings() -> Vec<Finding> {
    let temp = |monitor, segment| subject(monitor, "feature.temp", segment);
    let off = |subject| finding_of(&evaluation(subject, Verdict::OffCourse, 12, 13));
    let mut score = off(subject(Monitor::Drift, "prediction.score", ""));
    score.value = 0.31;
    score.threshold = 0.12;
    score.sentence = "the prediction score moved: PSI 0.31 over 400 events, limit 0.12".to_owned();
    let mut whole = off(temp(Monitor::Missing, ""));
    whole.value = 0.33;
    whole.severity = Severity::Ticket;
    whole.sentence = "temp is missing in 33 % of 1,210 events, 0.2 % before".to_owned();
    vec![off(temp(Monitor::Missing, "origin=JFK")), whole, score]
}

pub fn event(sequence: u32, kind: EventKind) -> IncidentEvent {
    let findings = findings();
    let tells =
        matches!(kind, EventKind::Opened | EventKind::Updated | EventKind::Escalated | EventKind::Resolved);
    IncidentEvent {
        incident: "k7f3m2p9qx".to_owned(),
        sequence,
        kind,
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Ticket,
        at: at(12 + sequence),
        recorded_at: at(12 + sequence).saturating_add(Duration::from_secs(31)),
        since: findings[0].since,
        actor: LEEWAY.to_owned(),
        reason: if kind == EventKind::Resolved {
            "all 3 findings are back on course".to_owned()
        } else {
            String::new()
        },
        title: title::title(&findings, &Default::default(), WINDOW),
        findings: if tells { findings } else { Vec::new() },
        until: None,
        action: String::new(),
    }
}

/// The notice of the second event of an incident, or of the first if it is the opening; a page.
pub fn notice(kind: EventKind) -> Notice {
    let page = |sequence, kind| IncidentEvent { severity: Severity::Page, ..event(sequence, kind) };
    let mut events = vec![page(1, EventKind::Opened)];
    if kind != EventKind::Opened {
        events.push(page(2, kind));
    }
    Notice {
        incident: fold(&events).pop().expect("an incident"),
        event: events.pop().expect("an event"),
        owner: "ops-forecast".to_owned(),
        playbook: "https://wiki.example.com/flights".to_owned(),
        url: "https://leeway.example.com/incidents/k7f3m2p9qx".to_owned(),
        callback_url: "https://leeway.example.com/v1/incidents/k7f3m2p9qx/actions".to_owned(),
    }
}
