//! The numbers behind an incident, read again from counts and evaluations: never kept, so never stale.
//!
//! [`sums`] asks for counts, [`shift`] splits what moved by segments and signals, [`examples`] chooses events to show.

mod examples;
mod shift;
mod sums;

use std::collections::BTreeMap;
use std::time::Duration;

use domain::contract::Contract;
use domain::counts::Counts;
use domain::evaluation::{Evaluation, Monitor, Subject};
use domain::grid::Grid;
use domain::incident::{Finding, Incident};
use domain::signal::segment;
use domain::time::{Instant, Interval, MINUTE};
use serde::Serialize;
use sql::Store;
use sql::pages::Asked;
use sql::pages::incident::{self as questions, EvidenceAsked, Example, HistoryPoint};

use crate::charts::axis::bucket;
use sums::Sums;

/// So many signals are looked into; the others are listed with what was said of them.
pub const MOST_SIGNALS: usize = 4;
/// How many points a line has.
const POINTS: u64 = 96;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// Of each subject looked into, the window that tells most: the last one while it is beyond its limit, else the
    /// one that was farthest beyond.
    pub telling: Vec<Evaluation>,
    /// Those of them that are not the last.
    pub at_worst: Vec<Subject>,
    pub history: Vec<HistoryPoint>,
    pub examples: Vec<Example>,
    /// Which is *the* prediction; empty where there is none with numbers.
    pub prediction: String,
    /// The prediction's mean over the range, and events and errors.
    pub means: Vec<Mean>,
    pub traffic: Vec<Traffic>,
    pub segments: Vec<Part>,
    /// By signal: its part of the move of the prediction's mean away from the baseline's.
    pub parts_of_move: BTreeMap<String, f64>,
    #[serde(skip)]
    pub compared: Vec<Compared>,
    #[serde(skip)]
    pub step: Duration,
    /// Why some of this is missing; empty where all was read.
    pub problem: String,
}

/// The prediction's mean over one stretch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Mean {
    pub at: Instant,
    pub n: u64,
    pub mean: f64,
    pub sd: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Traffic {
    pub at: Instant,
    pub events: u64,
    pub errors: u64,
}

/// A segment's part of the shift of the leading signal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    pub segment: String,
    pub shift: f64,
    pub traffic: f64,
}

/// Baseline and now of one signal in one segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub signal: String,
    pub segment: String,
    pub grid: Grid,
    pub baseline: Counts,
    pub now: Counts,
}

/// The subjects that are looked into: of each signal the first (worst) finding, with the first of them leading.
pub fn leading(findings: &[Finding]) -> Vec<&Finding> {
    let mut leading: Vec<&Finding> = Vec::new();
    for finding in findings {
        let is_new = leading.iter().all(|known| !is_beside(&known.subject, &finding.subject));
        if is_new && leading.len() < MOST_SIGNALS {
            leading.push(finding);
        }
    }
    leading
}

/// Whether two subjects are told of together: the same signal, or without a signal the same monitor.
pub fn is_beside(one: &Subject, other: &Subject) -> bool {
    one.signal == other.signal && (!one.signal.is_empty() || one.monitor == other.monitor)
}

impl Evidence {
    /// The window of a subject that tells most.
    pub fn telling_of(&self, subject: &Subject) -> Option<&Evaluation> {
        self.telling.iter().find(|evaluation| evaluation.subject == *subject)
    }

    /// ` at its worst`, where what is told of a subject is past.
    pub fn when_of(&self, subject: &Subject) -> &'static str {
        if self.at_worst.contains(subject) { " at its worst" } else { "" }
    }

    pub fn compared_of(&self, signal: &str, segment: &str) -> Option<&Compared> {
        self.compared.iter().find(|compared| compared.signal == signal && compared.segment == segment)
    }

    pub fn history_of(&self, subject: &Subject) -> Vec<&HistoryPoint> {
        self.history
            .iter()
            .filter(|point| {
                point.monitor == subject.monitor
                    && point.signal == subject.signal
                    && point.segment == subject.segment
            })
            .collect()
    }
}

/// Of each subject the window that tells most, and the subjects whose window is past: those that are back on course, or
/// stand only because they have not recovered for long enough.
fn telling(
    leads: &[&Finding],
    latest: Vec<Evaluation>,
    peak: Vec<Evaluation>,
) -> (Vec<Evaluation>, Vec<Subject>) {
    let (mut telling, mut at_worst) = (Vec::new(), Vec::new());
    for lead in leads {
        let of = |all: &[Evaluation]| all.iter().find(|one| one.subject == lead.subject).cloned();
        let last = of(&latest).filter(|last| lead.standing && last.value > last.threshold);
        match (last, of(&peak)) {
            (Some(last), _) => telling.push(last),
            (None, Some(peak)) => {
                at_worst.push(lead.subject.clone());
                telling.push(peak);
            }
            (None, None) => telling.extend(of(&latest)),
        }
    }
    (telling, at_worst)
}

fn evidence_asked(incident: &Incident, leading: &[&Finding], interval: Interval) -> EvidenceAsked {
    let mut monitors: Vec<Monitor> = leading.iter().map(|finding| finding.subject.monitor).collect();
    let mut signals: Vec<String> = leading.iter().map(|finding| finding.subject.signal.clone()).collect();
    let mut segments: Vec<String> = leading.iter().map(|finding| finding.subject.segment.clone()).collect();
    monitors.sort();
    monitors.dedup();
    for names in [&mut signals, &mut segments] {
        names.sort();
        names.dedup();
    }
    EvidenceAsked {
        model: incident.model.clone(),
        environment: incident.environment.clone(),
        watch: leading.first().map_or(String::new(), |finding| finding.subject.watch.clone()),
        monitors,
        signals,
        segments,
        interval,
    }
}

/// Reads what can be read; what cannot is named in `problem`, so that the rest is still shown.
pub async fn load(
    store: &Store,
    incident: &Incident,
    contract: &Contract,
    range: Interval,
) -> (Evidence, Vec<Asked>) {
    let mut asked = Vec::new();
    match read(store, incident, contract, range, &mut asked).await {
        Ok(evidence) => (evidence, asked),
        Err(error) => {
            tracing::warn!(
                incident = incident.id,
                error = &error as &dyn std::error::Error,
                "the evidence of an incident could not be read"
            );
            (Evidence { problem: error.to_string(), ..Evidence::default() }, asked)
        }
    }
}

async fn read(
    store: &Store,
    incident: &Incident,
    contract: &Contract,
    range: Interval,
    asked: &mut Vec<Asked>,
) -> Result<Evidence, sql::Error> {
    let leads = leading(&incident.findings);
    let Some(lead) = leads.first() else { return Ok(Evidence::default()) };
    let step = bucket(range, MINUTE, POINTS);
    // The last alarm may lie outside the range that somebody chose.
    let whole = Interval::new(incident.since.min(range.start), incident.updated_at.max(range.end));
    let latest_asked = evidence_asked(incident, &leads, whole);
    let history_asked = EvidenceAsked { interval: range, ..latest_asked.clone() };
    asked.extend([
        questions::latest(&latest_asked).asked(),
        questions::peak(&latest_asked).asked(),
        questions::history(&history_asked, step).asked(),
    ]);
    let (latest, peak, history, outputs) = tokio::try_join!(
        store.incident_latest(&latest_asked),
        store.incident_peak(&latest_asked),
        store.incident_history(&history_asked, step),
        store.prediction_signals(&incident.model),
    )?;
    let prediction = contract.prediction_signal(outputs.iter().map(String::as_str)).unwrap_or_default();
    let (telling, at_worst) = telling(&leads, latest, peak);
    let of_lead = telling.iter().find(|evaluation| evaluation.subject == lead.subject);
    let sums = Sums::new(incident, &leads, of_lead, &prediction, range, step);
    let read = sums.read(store, asked).await?;
    let compared = read.compared(&sums.signals);
    let examples_asked = examples::asked(sums.now(), lead, &compared);
    asked.push(questions::examples(&examples_asked).asked());
    let examples = store.incident_examples(&examples_asked).await?;
    let mut evidence = Evidence {
        segments: shift::segments_of(&compared, &lead.subject),
        parts_of_move: shift::parts_of_move(&compared, &read.baseline, &prediction),
        prediction,
        means: read.means,
        traffic: read.traffic,
        telling,
        at_worst,
        history,
        examples,
        compared,
        step,
        problem: String::new(),
    };
    // Pictures need the leading segments and the whole; the rest has been summed up.
    evidence.compared.retain(|compared| {
        compared.segment == segment::ALL
            || leads.iter().any(|lead| {
                lead.subject.signal == compared.signal && lead.subject.segment == compared.segment
            })
    });
    Ok(evidence)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{evaluation, finding, subject};
    use super::*;

    #[test]
    fn what_is_coming_back_is_told_at_its_worst() {
        let lead = finding(subject("feature.temp", "", Monitor::Drift), 1.2, "temp moved");
        let at = |value: f64| Evaluation { value, ..evaluation(&lead) };
        let (told, past) = telling(&[&lead], vec![at(1.2)], vec![at(3.4)]);
        assert_eq!((told[0].value, past.len()), (1.2, 0));
        let (told, past) = telling(&[&lead], vec![at(0.08)], vec![at(3.4)]);
        assert_eq!((told[0].value, past.len()), (3.4, 1));
        let over = Finding { standing: false, ..lead.clone() };
        let (told, past) = telling(&[&over], vec![at(1.2)], vec![at(3.4)]);
        assert_eq!((told[0].value, past.len()), (3.4, 1));
        assert_eq!(telling(&[&lead], Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn one_finding_of_each_signal_is_looked_into() {
        let of = |signal: &str, segment: &str| finding(subject(signal, segment, Monitor::Drift), 1.0, "");
        let findings = [
            of("feature.a", "x=1"),
            of("feature.a", ""),
            of("feature.b", ""),
            of("", ""),
            of("feature.c", ""),
            of("feature.d", ""),
        ];
        let leads: Vec<&str> = leading(&findings).iter().map(|lead| lead.subject.signal.as_str()).collect();
        assert_eq!(leads, ["feature.a", "feature.b", "", "feature.c"]);
        assert_eq!(leading(&findings)[0].subject.segment, "x=1");
    }
}
