//! What is in the store: a model whose wind reads 1.6 times too high at one airport, names that an attacker would
//! choose, and a model with very many signals.

use std::collections::BTreeMap;

use domain::evaluation::{Cause, Evaluation, Monitor, Severity, Subject, Verdict};
use domain::incident::{EventKind, Finding, IncidentEvent};
use domain::time::{HOUR, Instant, Interval, MINUTE};
use sql::Store;
use tests::flights::{self, NOW, since};
use tests::text;

/// Names of models.
pub const HOSTILE: [&str; 3] = ["<script>alert(1)</script>", "\u{202e}נהג \"'&/?#", "a very/long name "];

pub fn at(text: &str) -> Instant {
    text.parse().expect("an instant")
}

fn subject(model: &str, signal: &str, segment: &str) -> Subject {
    Subject {
        model: model.to_owned(),
        environment: "production".to_owned(),
        watch: "hourly".to_owned(),
        monitor: Monitor::Drift,
        signal: signal.to_owned(),
        segment: segment.to_owned(),
    }
}

/// Windows to the present, small before the onset and `most` after it.
fn evaluations(subject: &Subject, windows: u32, (small, most): (f64, f64)) -> Vec<Evaluation> {
    let last = at(NOW).floor(MINUTE * 5);
    (0..windows)
        .map(|index| {
            let end = last.saturating_sub(MINUTE * 5 * (windows - 1 - index));
            let value = if end > since() { most } else { small };
            let is_page = subject.signal.starts_with("prediction");
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
                n_current: 1_440,
                verdict: if value > 0.1 { Verdict::OffCourse } else { Verdict::OnCourse },
                severity: if is_page { Severity::Page } else { Severity::Ticket },
                since: since(),
                streak: 3,
                numbers: BTreeMap::from([("ks_low".to_owned(), 0.2), ("ks_high".to_owned(), 0.21)]),
                sentence: format!("{} moved: PSI {value:.2} (limit 0.10), 1,440 events", subject.signal),
                evaluated_at: end.saturating_add(MINUTE),
            }
        })
        .collect()
}

fn opened(finding: &Evaluation) -> IncidentEvent {
    IncidentEvent {
        incident: "7f3ck2m9qx".to_owned(),
        sequence: 1,
        kind: EventKind::Opened,
        model: finding.subject.model.clone(),
        environment: finding.subject.environment.clone(),
        cause: Cause::Data,
        severity: Severity::Page,
        at: since(),
        recorded_at: since(),
        since: since(),
        actor: "leeway".to_owned(),
        reason: String::new(),
        title: "wind_speed moved at origin = JFK".to_owned(),
        findings: vec![Finding {
            subject: finding.subject.clone(),
            severity: finding.severity,
            since: since(),
            window_end: finding.window.end,
            statistic: finding.statistic.clone(),
            value: finding.value,
            threshold: finding.threshold,
            n_current: finding.n_current,
            sentence: finding.sentence.clone(),
            standing: true,
        }],
        until: None,
        action: String::new(),
    }
}

/// A model off course, with all of its evidence. Its tests only read, so they share it.
pub async fn flights() -> Store {
    static MADE: tokio::sync::OnceCell<sql::Config> = tokio::sync::OnceCell::const_new();
    let config = MADE.get_or_init(async || make_flights().await.config().clone()).await;
    // Connections belong to the runtime of a test.
    Store::connect(config).expect("a sound configuration")
}

async fn make_flights() -> Store {
    let store = tests::fresh_store().await;
    flights::seed(&store).await;
    let told = [
        ("feature.wind_speed", "origin=JFK", (0.03, 1.66)),
        ("prediction.score", "", (0.02, 0.21)),
        ("feature.wind_speed", "", (0.02, 0.24)),
        ("feature.temp", "", (0.04, 0.06)),
        ("feature.carrier", "", (0.01, 0.01)),
    ];
    for (signal, segment, sizes) in told {
        let evaluations = evaluations(&subject("flights", signal, segment), 80, sizes);
        store.write_evaluations(&evaluations, &format!("{signal}{segment}")).await.expect("evaluations");
        if segment == "origin=JFK" {
            let last = evaluations.last().expect("some");
            store.write_incident_events(&[opened(last)]).await.expect("an incident");
        }
    }
    flights::deploy(&store).await;
    store
}

/// Models with events and verdicts, called as nobody should call them.
pub async fn hostile() -> Store {
    let store = tests::fresh_store().await;
    for (index, name) in HOSTILE.iter().enumerate() {
        traffic(&store, name).await;
        let signal = format!("feature.<script>alert({index})</script>");
        let mut all = evaluations(&subject(name, &signal, "<b>=\"><script>alert(2)</script>"), 5, (0.4, 0.4));
        all.extend(evaluations(&subject(name, &signal, ""), 5, (0.2, 0.2)));
        all.iter_mut().for_each(|it| it.sentence = "<script>alert(3)</script>".to_owned());
        store.write_evaluations(&all, &format!("hostile {index}")).await.expect("evaluations");
    }
    store
}

/// A model with very many signals, judged over an hour.
pub async fn wide(signals: u32) -> Store {
    let store = tests::fresh_store().await;
    traffic(&store, "wide").await;
    let all: Vec<Evaluation> = (0..signals)
        .flat_map(|index| {
            let size = if index % 100 == 7 { 0.3 } else { 0.01 };
            evaluations(&subject("wide", &format!("feature.f{index}"), ""), 12, (0.01, size))
        })
        .collect();
    store.write_evaluations(&all, "wide").await.expect("evaluations");
    store
}

/// Ten minutes of events without anything in them.
async fn traffic(store: &Store, model: &str) {
    let name = model.replace('\\', "\\\\").replace('\'', "\\'");
    let sql = format!(
        "INSERT INTO traffic_minutes
         SELECT '{name}', 'v1', 'production', '', toDateTime(1795185000 + 60 * number, 'UTC') AS minute, 100, 0,
             toDateTime64(minute, 3, 'UTC'), toDateTime64(minute, 3, 'UTC'), 0, toDateTime64(minute, 3, 'UTC')
         FROM numbers(10)"
    );
    text(store, &sql).await;
}
