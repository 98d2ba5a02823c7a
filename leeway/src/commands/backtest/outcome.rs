//! What became of the verdicts of a replay: incidents, as the alerter would have opened and ended them.

use std::collections::{BTreeMap, BTreeSet};

use alerter::incidents::{Incidents, Rules};
use analyzer::Replayed;
use domain::evaluation::Severity;
use domain::incident::{EventKind, IncidentEvent, fold};
use domain::time::Instant;
use serde::Serialize;

/// One configuration's part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    pub configuration: String,
    pub windows: usize,
    pub pages: usize,
    pub tickets: usize,
    pub incidents: Vec<Told>,
    /// Watches of which nothing could be said.
    pub without_baseline: Vec<String>,
}

/// An incident that somebody would have been told of.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Told {
    pub environment: String,
    pub watch: String,
    pub severity: Severity,
    pub cause: String,
    #[serde(serialize_with = "rfc3339")]
    pub since: Instant,
    /// The end of the window that told.
    #[serde(serialize_with = "rfc3339")]
    pub told_at: Instant,
    /// `None` where it still stood at the end.
    #[serde(serialize_with = "maybe_rfc3339")]
    pub ended_at: Option<Instant>,
    pub title: String,
    /// Why: the worst finding's sentence.
    pub why: String,
}

fn rfc3339<S: serde::Serializer>(instant: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(instant)
}

fn maybe_rfc3339<S: serde::Serializer>(instant: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    match instant {
        Some(instant) => serializer.collect_str(instant),
        None => serializer.serialize_none(),
    }
}

impl Outcome {
    pub fn of(configuration: &str, alerter: &alerter::Config, replayed: Replayed) -> Self {
        let rules = Rules {
            correlation: alerter.correlation,
            notify_within: alerter.notify_within,
            history: BTreeSet::new(),
            ends: BTreeMap::new(),
        };
        let mut incidents = Incidents::new(rules);
        let mut events: Vec<IncidentEvent> = Vec::new();
        let by_window = |one: &domain::evaluation::Evaluation, other: &domain::evaluation::Evaluation| {
            one.window.end == other.window.end && one.subject.watch == other.subject.watch
        };
        for window in replayed.evaluations.chunk_by(by_window) {
            // Each window is taken as it closes, so that nothing is too old to be told.
            let now = window[0].window.end;
            events.extend(incidents.take(window.to_vec(), now));
        }
        let told = told(&events);
        let count = |severity| told.iter().filter(|told| told.severity == severity).count();
        let lacking = replayed.without_baseline.iter();
        Self {
            configuration: configuration.to_owned(),
            windows: replayed.windows,
            pages: count(Severity::Page),
            tickets: count(Severity::Ticket),
            without_baseline: lacking.map(|(place, watch)| format!("watch {watch} in {place}")).collect(),
            incidents: told,
        }
    }
}

fn told(events: &[IncidentEvent]) -> Vec<Told> {
    let mut told: Vec<Told> = fold(events)
        .into_iter()
        .map(|incident| {
            let own = || events.iter().filter(|event| event.incident == incident.id);
            let opened = own().find(|event| event.kind == EventKind::Opened);
            let worst = own().filter(|event| !event.findings.is_empty()).max_by_key(|event| event.severity);
            let finding = worst.and_then(|event| event.findings.first());
            let watch = finding.map_or("", |finding| finding.subject.watch.as_str());
            Told {
                environment: incident.environment.clone(),
                watch: watch.to_owned(),
                severity: own().map(|event| event.severity).max().unwrap_or(incident.severity),
                cause: incident.cause.name().to_owned(),
                since: incident.since,
                told_at: opened.map_or(incident.opened_at, |event| event.at),
                ended_at: incident.resolved.as_ref().map(|by| by.at),
                title: opened.map_or_else(|| incident.title.clone(), |event| event.title.clone()),
                why: finding.map_or_else(String::new, |finding| finding.sentence.clone()),
            }
        })
        .collect();
    told.sort_by_key(|told| told.told_at);
    told
}
