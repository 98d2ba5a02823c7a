//! What is in the store: an open incident with all of its evidence, two that are over, deliveries and a deployment.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::delivery::{Attempt, State};
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use sql::Store;
use tests::flights::{self, NOW, since};

pub const INCIDENT: &str = "7f3ck2m9qx";

pub fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn subject(signal: &str, segment: &str) -> Subject {
    Subject {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor: Monitor::Drift,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// A statistic that is small, and from the onset on climbs to `most` within the hour of a window.
fn evaluations(subject: &Subject, small: f64, most: f64, sentence: &str) -> Vec<Evaluation> {
    let step = MINUTE * 5;
    (0..80_u32)
        .map(|index| {
            let end = at("2026-11-20T08:05:00Z").saturating_add(step * index);
            let into = (end.since(since()).as_secs_f64() / 3_600.0).min(1.0);
            let value = small * (1.0 + 0.4 * f64::from(index * 7 % 5) / 5.0) + most * into;
            let verdict = if value > 0.1 { Verdict::OffCourse } else { Verdict::OnCourse };
            Evaluation {
                subject: subject.clone(),
                window: Interval::ending_at(end, HOUR),
                baseline: "initial".to_owned(),
                statistic: "psi".to_owned(),
                value,
                threshold: 0.1,
                recovery: 0.07,
                noise: 0.02,
                n_baseline: 17_280,
                n_current: if subject.segment.is_empty() { 1_440 } else { 504 },
                verdict,
                severity: if subject.signal.starts_with("prediction") {
                    Severity::Page
                } else {
                    Severity::Ticket
                },
                since: since(),
                streak: 12,
                numbers: BTreeMap::new(),
                sentence: sentence.to_owned(),
                evaluated_at: end.saturating_add(MINUTE),
            }
        })
        .filter(|evaluation| evaluation.window.end < at(NOW))
        .collect()
}

fn finding(evaluation: &Evaluation, since: Instant) -> Finding {
    Finding {
        subject: evaluation.subject.clone(),
        severity: evaluation.severity,
        since,
        window_end: evaluation.window.end,
        statistic: evaluation.statistic.clone(),
        value: evaluation.value,
        threshold: evaluation.threshold,
        n_current: evaluation.n_current,
        sentence: evaluation.sentence.clone(),
        standing: true,
    }
}

async fn seed_evaluations(store: &Store) -> Vec<Finding> {
    let told = [
        (
            "feature.wind_speed",
            "origin=JFK",
            0.03,
            1.66,
            "wind_speed at origin=JFK looks multiplied by 1.61 (mph to km/h, or miles to km?); mean 16.6, usually 10.4",
        ),
        ("prediction.score", "", 0.02, 0.21, "the prediction score moved from 0.19 to 0.21 on average"),
        ("feature.wind_speed", "", 0.02, 0.24, "wind_speed moved: mean 12.5, baseline 10.4"),
        ("feature.temp", "", 0.06, 0.06, "temp is 1.1 higher than in the baseline"),
    ];
    let mut findings = Vec::new();
    for (signal, segment, small, most, sentence) in told {
        let subject = subject(signal, segment);
        let evaluations = evaluations(&subject, small, most, sentence);
        let token = format!("{signal}{segment}");
        store.write_evaluations(&evaluations, &token).await.expect("evaluations");
        let later = if signal.ends_with("temp") { MINUTE * 15 } else { Duration::ZERO };
        findings.push(finding(evaluations.last().expect("some"), since().saturating_add(later)));
    }
    findings
}

pub fn event(sequence: u32, kind: EventKind, minute: u64, findings: &[Finding]) -> IncidentEvent {
    let when = since().saturating_add(MINUTE * minute as u32);
    IncidentEvent {
        incident: INCIDENT.to_owned(),
        sequence,
        kind,
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Page,
        at: when,
        recorded_at: when,
        since: since(),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "wind_speed moved at origin = JFK, and 2 more signals moved since 13:35 UTC, 20 November"
            .to_owned(),
        findings: findings.to_vec(),
        until: None,
        action: String::new(),
    }
}

fn past(id: &str, model: &str, title: &str, days: u32, hours: u32) -> Vec<IncidentEvent> {
    let opened = at(NOW).saturating_sub(HOUR * 24 * days);
    let with = |sequence, kind, at: Instant, actor: &str, reason: &str| IncidentEvent {
        incident: id.to_owned(),
        model: model.to_owned(),
        title: title.to_owned(),
        severity: if days.is_multiple_of(2) { Severity::Page } else { Severity::Ticket },
        at,
        since: opened,
        actor: actor.to_owned(),
        reason: reason.to_owned(),
        ..event(sequence, kind, 0, &[])
    };
    vec![
        with(1, EventKind::Opened, opened, "leeway", ""),
        with(2, EventKind::Acknowledged, opened.saturating_add(MINUTE * 7), "ada", ""),
        with(3, EventKind::Resolved, opened.saturating_add(HOUR * hours), "leeway", "back on course"),
    ]
}

fn attempt(delivery: &str, number: u32, channel: (&str, &str), state: State) -> Attempt {
    let failed = matches!(state, State::Retrying | State::Failed);
    let when =
        since().saturating_add(MINUTE * 10).saturating_add(Duration::from_secs(u64::from(number) * 30));
    Attempt {
        delivery: delivery.to_owned(),
        attempt: number,
        incident: INCIDENT.to_owned(),
        sequence: 1,
        model: "flights".to_owned(),
        channel: channel.1.to_owned(),
        kind: channel.0.to_owned(),
        event: "opened".to_owned(),
        state,
        target: "hooks.example.com".to_owned(),
        answer_code: if failed { 503 } else { 202 },
        answer: if failed { "upstream is away".to_owned() } else { "Event processed".to_owned() },
        error: if failed { "answered 503 Service Unavailable".to_owned() } else { String::new() },
        next_attempt_at: (state == State::Retrying).then(|| when.saturating_add(MINUTE)),
        took_ms: 412,
        at: when,
    }
}

/// A store with an open incident and all of its evidence, two that are over, deliveries and a deployment.
pub async fn seeded() -> Store {
    let store = tests::fresh_store().await;
    flights::seed(&store).await;
    let findings = seed_evaluations(&store).await;
    let mut held = event(3, EventKind::RetrainingHeldBack, 11, &[]);
    held.reason = "the data are at fault, not the world: a new model would learn it".to_owned();
    let mut events = vec![
        event(1, EventKind::Opened, 10, &findings[..2]),
        event(2, EventKind::Updated, 20, &findings),
        held,
    ];
    events.extend(past(
        "p1aaaaaaaa",
        "flights",
        "temp is missing at origin = EWR since 02:10 UTC, 18 November",
        2,
        3,
    ));
    events.extend(past("p2bbbbbbbb", "car-loan", "salary_range moved since 5 November 2026", 15, 90));
    store.write_incident_events(&events).await.expect("events");
    let attempts = [
        attempt("msg_pager", 1, ("pagerduty", "pagerduty"), State::Delivered),
        attempt("msg_mail", 1, ("email", "ops-forecast"), State::Delivered),
        attempt("msg_hook", 1, ("webhook", "lake"), State::Retrying),
        attempt("msg_hook", 2, ("webhook", "lake"), State::Failed),
    ];
    store.write_attempts(&attempts).await.expect("attempts");
    flights::deploy(&store).await;
    store
}
