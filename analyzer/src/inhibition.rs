//! What one finding explains of others: data that stopped and values that are gone move what is left of a distribution,
//! and the prediction with it. Such drift is told with its cause and is no alarm of its own.
//!
//! Invariant: only what compares values is ever attributed ([`FOLLOWS`]), and only to a finding of the same window that is
//! beyond its own limit.

use domain::evaluation::Monitor;
use domain::signal::{Role, role, segment};

use crate::finding::Finding;
use crate::words;

/// A rise of the missing or invalid share beyond this is a collapse.
const COLLAPSE: f64 = 0.5;

/// What is said of values, and says nothing more where there are none.
const FOLLOWS: [Monitor; 6] = [
    Monitor::Drift,
    Monitor::Range,
    Monitor::Types,
    Monitor::Cardinality,
    Monitor::Stuck,
    Monitor::Completeness,
];

/// Marks the drift that other findings of the same window explain as not to be judged.
pub fn attribute(findings: &mut [Finding]) {
    let stopped = findings.iter().any(is_of_stopped_data);
    let gone: Vec<(String, String)> = findings
        .iter()
        .filter(|finding| is_collapse(finding))
        .map(|finding| (finding.signal.clone(), finding.segment.clone()))
        .collect();
    if !stopped && gone.is_empty() {
        return;
    }
    let drifts =
        findings.iter_mut().filter(|finding| FOLLOWS.contains(&finding.monitor) && finding.is_beyond());
    for drift in drifts {
        let cause = gone.iter().find(|(signal, place)| explains(signal, place, drift));
        let cause = match cause {
            Some((signal, _)) if *signal == drift.signal => "its values are gone".to_owned(),
            Some((signal, place)) => format!("{} is gone{}", words::signal(signal), words::at(place)),
            None if stopped => "the data stopped".to_owned(),
            None => continue,
        };
        drift.is_enough = false;
        drift.facts = format!("{}; {cause}, which explains it: no alarm of its own", drift.facts);
        drift.numbers.insert("attributed".to_owned(), 1.0);
    }
}

fn is_of_stopped_data(finding: &Finding) -> bool {
    match finding.monitor {
        Monitor::Silence => finding.is_beyond(),
        Monitor::Traffic => finding.is_beyond() && finding.n_current < finding.n_baseline,
        _ => false,
    }
}

fn is_collapse(finding: &Finding) -> bool {
    matches!(finding.monitor, Monitor::Missing | Monitor::Invalid)
        && finding.is_beyond()
        && finding.rise() > COLLAPSE
}

/// A collapse explains what else is said of the signal's values, drift of predictions, and that events are incomplete,
/// where the two have events in common.
fn explains(signal: &str, place: &str, drift: &Finding) -> bool {
    let is_shared = place == drift.segment || place == segment::ALL || drift.segment == segment::ALL;
    let follows = role(&drift.signal) == Role::Prediction || drift.monitor == Monitor::Completeness;
    is_shared && (signal == drift.signal || follows)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::numbers;
    use crate::threshold::Limit;

    fn finding(monitor: Monitor, signal: &str, place: &str, value: f64) -> Finding {
        Finding {
            monitor,
            signal: signal.to_owned(),
            segment: place.to_owned(),
            statistic: "value",
            value,
            limit: Limit { threshold: 0.1, ..Limit::default() },
            n_baseline: 1_000,
            n_current: 500,
            is_enough: true,
            is_quiet: false,
            numbers: BTreeMap::new(),
            facts: "it moved".to_owned(),
        }
    }

    fn attributed(mut findings: Vec<Finding>) -> Vec<bool> {
        attribute(&mut findings);
        findings.iter().map(|finding| !finding.is_enough).collect()
    }

    #[test]
    fn a_null_collapse_explains_the_drift_of_the_signal_and_of_the_prediction() {
        let findings = vec![
            finding(Monitor::Missing, "feature.temp", "origin=JFK", 0.98),
            finding(Monitor::Drift, "feature.temp", "", 0.5),
            finding(Monitor::Drift, "prediction.score", "", 0.5),
            finding(Monitor::Drift, "prediction.score", "origin=LGA", 0.5),
            finding(Monitor::Drift, "feature.wind", "", 0.5),
        ];
        assert_eq!(attributed(findings), [false, true, true, false, false]);
    }

    #[test]
    fn a_null_collapse_explains_that_events_are_incomplete_and_not_that_they_come_again() {
        let findings = vec![
            finding(Monitor::Missing, "feature.temp", "", 0.98),
            finding(Monitor::Completeness, "", "", 0.98),
            finding(Monitor::Stuck, "feature.temp", "", 0.9),
            finding(Monitor::Duplicates, "", "", 0.5),
            finding(Monitor::Schema, "feature.temp", "", 1.0),
        ];
        assert_eq!(attributed(findings), [false, true, true, false, false]);
    }

    #[test]
    fn a_few_nulls_more_explain_nothing() {
        let mut missing = finding(Monitor::Missing, "feature.temp", "", 0.6);
        missing.numbers = numbers([("share_baseline", 0.5)]);
        let drift = finding(Monitor::Drift, "feature.temp", "", 0.5);
        assert_eq!(attributed(vec![missing, drift]), [false, false]);
    }

    #[test]
    fn data_that_stopped_explain_all_drift_of_their_window() {
        let drift = finding(Monitor::Drift, "feature.temp", "", 0.5);
        let silence = finding(Monitor::Silence, "", "", 600.0);
        assert_eq!(attributed(vec![silence, drift.clone()]), [false, true]);
        let few = finding(Monitor::Traffic, "", "", 9.0);
        assert_eq!(attributed(vec![few.clone(), drift.clone()]), [false, true]);
        let many = Finding { n_current: 5_000, ..few };
        assert_eq!(attributed(vec![many, drift]), [false, false]);
    }

    #[test]
    fn what_is_attributed_says_to_what() {
        let mut findings = vec![
            finding(Monitor::Missing, "feature.temp", "", 0.98),
            finding(Monitor::Drift, "prediction.score", "", 0.5),
        ];
        attribute(&mut findings);
        assert_eq!(findings[1].facts, "it moved; temp is gone, which explains it: no alarm of its own");
    }
}
