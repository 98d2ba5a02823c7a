//! What the page says of an incident made up for it, also one with hostile names and one without evidence.

use askama::Template;
use domain::action::{Action, ActionKind};
use domain::contract::Contract;
use domain::counts::Counts;
use domain::delivery::{Attempt, State};
use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::incident::{EventKind, Finding, IncidentEvent, fold};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use sql::changes::Change;
use sql::pages::OpenIncidents;
use sql::pages::incident::{Example, HistoryPoint};

use super::evidence::{Compared, Evidence, Mean, Part};
use super::{Data, IncidentPage, around, chosen, still_waiting};
use crate::layout::{Layout, Section};
use crate::visit::{Now, Session, Visit};

fn now() -> Instant {
    "2026-11-20T14:43:10Z".parse().expect("an instant")
}

fn since() -> Instant {
    "2026-11-20T13:38:00Z".parse().expect("an instant")
}

pub(super) fn subject(signal: &str, segment: &str, monitor: Monitor) -> Subject {
    Subject {
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

pub(super) fn finding(subject: Subject, value: f64, sentence: &str) -> Finding {
    Finding {
        subject,
        severity: Severity::Ticket,
        since: since(),
        window_end: now().floor(MINUTE),
        statistic: "psi".to_owned(),
        value,
        threshold: 0.1,
        n_current: 2_744,
        sentence: sentence.to_owned(),
        standing: true,
    }
}

fn event(sequence: u32, kind: EventKind, at: Instant, findings: Vec<Finding>) -> IncidentEvent {
    IncidentEvent {
        incident: "7f3c".to_owned(),
        sequence,
        kind,
        model: "flights".to_owned(),
        environment: "production".to_owned(),
        cause: Cause::Data,
        severity: Severity::Page,
        at,
        recorded_at: at,
        since: since(),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "wind_speed moved at origin = JFK since 13:38 UTC, 20 November".to_owned(),
        findings,
        until: None,
        action: String::new(),
    }
}

pub(super) fn evaluation(finding: &Finding) -> Evaluation {
    Evaluation {
        subject: finding.subject.clone(),
        window: Interval::ending_at(finding.window_end, HOUR),
        baseline: "initial".to_owned(),
        statistic: finding.statistic.clone(),
        value: finding.value,
        threshold: finding.threshold,
        recovery: 0.07,
        noise: 0.02,
        n_baseline: 81_000,
        n_current: finding.n_current,
        verdict: Verdict::OffCourse,
        severity: finding.severity,
        since: finding.since,
        streak: 12,
        numbers: Default::default(),
        sentence: finding.sentence.clone(),
        evaluated_at: finding.window_end,
    }
}

fn history(finding: &Finding, range: Interval) -> Vec<HistoryPoint> {
    let steps = 1 + range.length().as_secs() / 300;
    (1..u32::try_from(steps).expect("few"))
        .map(|index| {
            let window_end = range.start.floor(MINUTE).saturating_add(MINUTE * 5 * index);
            let value = if window_end > since() { finding.value } else { 0.03 };
            HistoryPoint {
                monitor: finding.subject.monitor,
                signal: finding.subject.signal.clone(),
                segment: finding.subject.segment.clone(),
                window_end,
                value,
                threshold: 0.1,
                verdict: if value > 0.1 { Verdict::OffCourse } else { Verdict::OnCourse },
                n_current: 2_744,
            }
        })
        .collect()
}

fn compared(signal: &str, segment: &str) -> Compared {
    let edges = Edges::try_from((0..8).map(f64::from).collect::<Vec<_>>()).expect("ascending");
    let counts = |values: [u64; 5]| {
        Counts::of(values.into_iter().enumerate().map(|(index, n)| (Bin(4 + index as u16), n)))
    };
    Compared {
        signal: signal.to_owned(),
        segment: segment.to_owned(),
        grid: Grid::new("flights", signal, Instant::EPOCH, Bins::Numbers(edges)),
        baseline: counts([10, 40, 30, 15, 5]),
        now: counts([2, 10, 25, 40, 23]),
    }
}

fn evidence(findings: &[Finding], range: Interval) -> Evidence {
    let means = (0..70_u32).map(|index| {
        let at = range.start.floor(MINUTE * 5).saturating_add(MINUTE * 5 * index);
        Mean { at, n: 500, mean: if at >= since() { 0.24 } else { 0.18 }, sd: 0.1 }
    });
    Evidence {
        telling: findings.iter().map(evaluation).collect(),
        at_worst: Vec::new(),
        history: findings.iter().flat_map(|finding| history(finding, range)).collect(),
        examples: vec![Example {
            id: "087909".to_owned(),
            at: since().saturating_add(MINUTE * 3),
            version: "v7".to_owned(),
            numbers: [("feature.wind_speed".to_owned(), 16.7), ("prediction.score".to_owned(), 0.27)].into(),
            categories: [("feature.origin".to_owned(), "JFK".to_owned())].into(),
        }],
        prediction: "prediction.score".to_owned(),
        means: means.collect(),
        traffic: Vec::new(),
        segments: vec![
            Part { segment: "origin=JFK".to_owned(), shift: 0.94, traffic: 0.35 },
            Part { segment: "origin=EWR".to_owned(), shift: 0.03, traffic: 0.36 },
        ],
        parts_of_move: [("feature.wind_speed".to_owned(), 0.81)].into(),
        compared: vec![compared("feature.wind_speed", "origin=JFK"), compared("feature.temp", "")],
        step: MINUTE * 5,
        problem: String::new(),
    }
}

fn attempt(channel: &str, kind: &str, state: State) -> Attempt {
    Attempt {
        delivery: format!("msg_{channel}"),
        attempt: 1,
        incident: "7f3c".to_owned(),
        sequence: 1,
        model: "flights".to_owned(),
        channel: channel.to_owned(),
        kind: kind.to_owned(),
        event: "opened".to_owned(),
        state,
        target: "events.example.com".to_owned(),
        answer_code: 202,
        answer: "accepted".to_owned(),
        error: if state == State::Failed { "answered 410 Gone".to_owned() } else { String::new() },
        next_attempt_at: None,
        took_ms: 412,
        at: since().saturating_add(MINUTE * 3),
    }
}

fn visit() -> Visit {
    visit_at("/incidents/7f3c")
}

fn visit_at(address: &str) -> Visit {
    let session = Session { csrf: "token".to_owned(), ..Session::default() };
    let now = Now { at: now(), usual: HOUR * 6 };
    Visit::parse(&address.parse().expect("an address"), session, now).expect("a visit")
}

fn data() -> Data {
    let findings = vec![
        finding(
            subject("feature.wind_speed", "origin=JFK", Monitor::Drift),
            1.69,
            "wind_speed reads 1.6 times too high",
        ),
        finding(subject("feature.temp", "", Monitor::Drift), 0.12, "temp is warmer than the baseline"),
        finding(subject("prediction.score", "", Monitor::Drift), 0.2, "the prediction score moved"),
    ];
    let opened_at = since().saturating_add(MINUTE * 3);
    let events = vec![event(1, EventKind::Opened, opened_at, findings.clone())];
    let incident = fold(&events).pop().expect("one");
    let range = around(&incident, HOUR, now());
    Data {
        now: now(),
        range,
        evidence: evidence(&findings, range),
        deliveries: vec![
            attempt("pagerduty", "pagerduty", State::Delivered),
            attempt("lake", "webhook", State::Failed),
        ],
        waiting: Vec::new(),
        changes: vec![Change {
            id: "c1".to_owned(),
            at: since().saturating_sub(MINUTE * 7),
            model: "flights".to_owned(),
            environment: "production".to_owned(),
            kind: "deployment".to_owned(),
            title: "weather-feed 4.2".to_owned(),
            detail: String::new(),
            actor: "ci".to_owned(),
            link: String::new(),
        }],
        incident,
        events,
    }
}

fn html(data: &Data, visit: Visit) -> String {
    let contract = Contract { playbook: "https://wiki.example.com/x".to_owned(), ..Contract::default() };
    let visit = chosen(visit, &data.incident, &contract);
    let open = OpenIncidents { pages: 1, ..OpenIncidents::default() };
    let layout = Layout::new(&visit, Section::Incidents, "incident", open);
    IncidentPage::new(layout, &visit, data, &contract).render().expect("a page")
}

/// The page's words, without its pictures and the identities that are new each time.
pub fn words_of(html: &str) -> String {
    let (_, main) = html.split_once("<main").expect("a main part");
    let mut words = String::new();
    let (mut rest, mut space) = (main.split_once('>').map_or("", |(_, rest)| rest), true);
    while let Some((text, tag)) = rest.split_once('<') {
        if !text.trim().is_empty() {
            words.push_str(text.trim());
            words.push(' ');
            space = false;
        }
        let skip = ["svg", "select"].into_iter().find(|name| tag.starts_with(name));
        rest = match skip.and_then(|name| tag.split_once(&format!("</{name}>"))) {
            Some((_, after)) => after,
            None => tag.split_once('>').map_or("", |(_, after)| after),
        };
        let breaks = ["/p", "/h1", "/h2", "/li", "/summary", "/section", "/button", "/tr", "/a>"];
        if breaks.iter().any(|end| tag.starts_with(end)) && !space {
            words.push('\n');
            space = true;
        }
    }
    words
}

#[test]
fn the_page_says_what_since_when_why_and_what_to_do() {
    insta::assert_snapshot!(words_of(&html(&data(), visit())));
}

#[test]
fn what_was_asked_for_is_shown_and_not_offered_again() {
    let mut data = data();
    data.waiting = vec![Action {
        id: "a1".to_owned(),
        incident: "7f3c".to_owned(),
        kind: ActionKind::Acknowledge,
        actor: "ada".to_owned(),
        reason: String::new(),
        until: None,
        payload: String::new(),
        asked_at: now().saturating_sub(MINUTE * 5),
    }];
    let html = html(&data, visit());
    assert!(html.contains("Acknowledgement asked for by ada"), "{html}");
    assert!(html.contains("waits for the alerter for 5\u{a0}min: is it running?"), "{html}");
    assert!(!html.contains("value=\"acknowledge\""));
    assert!(html.contains("value=\"resolve\""));
}

#[test]
fn an_address_can_open_a_form() {
    let html = html(&data(), visit_at("/incidents/7f3c?do=mark_false"));
    assert!(html.contains("<details class=\"menu act\" open"), "{html}");
}

#[test]
fn a_resolved_incident_says_how_it_ended_and_offers_what_is_left() {
    let mut data = data();
    let mut resolved = event(2, EventKind::Resolved, since().saturating_add(MINUTE * 50), Vec::new());
    resolved.actor = "ada".to_owned();
    resolved.reason = "rolled back".to_owned();
    data.events.push(resolved);
    data.incident = fold(&data.events).pop().expect("one");
    let html = html(&data, visit());
    assert!(
        html.contains("resolved") && html.contains("rolled back") && html.contains("after 50\u{a0}min"),
        "{html}"
    );
    assert!(html.contains("value=\"mark_false\"") && !html.contains("value=\"acknowledge\""));
}

#[test]
fn an_incident_without_evidence_still_says_what_it_knows() {
    let mut data = data();
    data.evidence = Evidence { problem: "the store is busy".to_owned(), ..Evidence::default() };
    let html = html(&data, visit());
    assert!(html.contains("The evidence cannot be read just now (the store is busy)"), "{html}");
    assert!(html.contains("wind_speed reads 1.6 times too high") && html.contains("incident opened"));
    data.incident.findings.clear();
    data.events.clear();
    data.deliveries.clear();
    assert!(super::tests::html(&data, visit()).contains("names no finding"));
}

#[test]
fn hostile_names_break_nothing() {
    const EVIL: &str = "\"><script>alert(1)</script>'&\u{202e}";
    let mut data = data();
    let long = "x".repeat(4_000);
    data.incident.model = EVIL.to_owned();
    data.incident.environment = EVIL.to_owned();
    data.incident.title = format!("{EVIL}{long} since now");
    data.incident.id = EVIL.to_owned();
    for finding in &mut data.incident.findings {
        finding.subject.signal = format!("feature.{EVIL}");
        finding.subject.segment = format!("{EVIL}={EVIL}{long}");
        finding.sentence = format!("{EVIL}{long}");
    }
    for event in &mut data.events {
        event.actor = EVIL.to_owned();
        event.reason = format!("{EVIL}{long}");
    }
    for attempt in &mut data.deliveries {
        attempt.channel = EVIL.to_owned();
        attempt.kind = EVIL.to_owned();
        attempt.error = format!("{EVIL}{long}");
    }
    for change in &mut data.changes {
        (change.title, change.actor, change.kind) = (EVIL.to_owned(), EVIL.to_owned(), EVIL.to_owned());
    }
    data.evidence.segments = vec![Part { segment: format!("{EVIL}={EVIL}"), shift: f64::NAN, traffic: 2.0 }];
    data.evidence.prediction = format!("prediction.{EVIL}");
    data.evidence.problem = EVIL.to_owned();
    data.evidence.examples[0].id = EVIL.to_owned();
    data.evidence.examples[0].categories = [(format!("feature.{EVIL}"), EVIL.to_owned())].into();
    let html = html(&data, visit());
    assert!(!html.contains("<script>"), "{html}");
    assert!(!html.contains("\"><script"), "{html}");
    assert!(html.len() < 120_000, "{} bytes", html.len());
    let by_script = html.matches("<script").count();
    assert_eq!(by_script, 1, "only the script of the layout");
}

#[test]
fn a_delivery_that_was_tried_again_is_not_waited_for() {
    let data = data();
    let action = |kind, asked_at| Action {
        id: "a".to_owned(),
        incident: "7f3c".to_owned(),
        kind,
        actor: "ada".to_owned(),
        reason: String::new(),
        until: None,
        payload: r#"{"delivery":"msg_lake"}"#.to_owned(),
        asked_at,
    };
    let before = action(ActionKind::SendAgain, since());
    let after = action(ActionKind::SendAgain, now());
    let waiting = still_waiting(vec![before, after.clone()], &data.deliveries, &data.incident);
    assert_eq!(waiting, vec![after]);
}

#[test]
fn the_range_shows_what_was_before_and_never_ends_before_the_incident() {
    let mut incident = data().incident;
    let range = around(&incident, HOUR, now());
    assert!(range.start <= since().saturating_sub(HOUR * 5) && range.end == now());
    incident.resolved = Some(domain::incident::By {
        at: since().saturating_add(MINUTE * 30),
        actor: "leeway".to_owned(),
        reason: String::new(),
    });
    let range = around(&incident, MINUTE, now());
    assert!(range.end < now() && range.end > since().saturating_add(MINUTE * 30));
}
