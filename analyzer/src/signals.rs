//! Everything that is found about the signals of a window, over all events and in each segment.

use std::collections::{BTreeMap, BTreeSet};

use domain::baseline::SignalBaseline;
use domain::contract::Watch;
use domain::evaluation::Monitor;
use domain::grid::Grid;
use domain::signal::segment;

use crate::compare::Comparison;
use crate::counted::{BySignal, Counted};
use crate::explain::{self, Part};
use crate::finding::Finding;
use crate::quality::{self, Seen, missing, unseen};
use crate::reference::Reference;
use crate::words;

/// How many segments a finding names in its numbers.
const MOST_PARTS: usize = 12;

/// What is found in a window that holds `current`. Segments of a signal that moved nowhere have nothing to tell, so that
/// a quiet window is few rows whatever the number of segments.
pub fn findings(reference: &Reference, watch: &Watch, current: &BySignal) -> Vec<Finding> {
    let none = Counted::default();
    let mut findings: Vec<Finding> = Vec::new();
    for (key, baseline) in &reference.signals {
        let Some(grid) = reference.grid(&key.1, baseline.grid) else { continue };
        findings.extend(of_signal(
            reference,
            watch,
            key,
            Sides { grid, baseline, current: current.get(key).unwrap_or(&none) },
        ));
    }
    findings.retain(|finding| watch.looks_at(finding.monitor));
    let beyond = findings.iter().filter(|finding| finding.is_beyond());
    let moved: BTreeSet<String> = beyond.map(|finding| finding.signal.clone()).collect();
    for finding in &mut findings {
        finding.is_quiet |= !finding.segment.is_empty() && !moved.contains(&finding.signal);
    }
    share_of_prediction(reference, current, &mut findings);
    explain_by_segment(reference, current, &mut findings);
    findings
}

/// One signal in one segment, before and now.
#[derive(Clone, Copy)]
pub(crate) struct Sides<'a> {
    pub grid: &'a Grid,
    pub baseline: &'a SignalBaseline,
    pub current: &'a Counted,
}

/// What is found of one signal in one segment, and how sure that is; of all events also what is wrong with its values.
pub(crate) fn of_signal(
    reference: &Reference,
    watch: &Watch,
    (segment, signal): &(String, String),
    Sides { grid, baseline, current }: Sides<'_>,
) -> Vec<Finding> {
    let (healthy, least_events) = (reference.healthy_of(segment, signal), watch.least_events);
    let comparison = Comparison { signal, segment, grid, baseline, current, healthy, least_events };
    let seen = Seen { signal, grid, baseline, current, healthy, least_events };
    let limits = &reference.limits;
    let mut findings = comparison.findings(limits);
    for finding in &mut findings {
        match finding.monitor {
            Monitor::Missing | Monitor::Invalid => missing::refine(finding),
            Monitor::Unseen => {
                missing::refine(finding);
                unseen::refine(finding, &seen, limits);
            }
            _ => {}
        }
    }
    if segment.is_empty() {
        findings.extend(quality::findings(&seen, limits));
    }
    findings
}

/// Which part of the moved mean prediction each feature's movement would carry.
fn share_of_prediction(reference: &Reference, signals: &BySignal, findings: &mut [Finding]) {
    let Some(prediction) = &reference.prediction else { return };
    let key = (String::new(), prediction.clone());
    let (Some(before), Some(now)) = (reference.signals.get(&key), signals.get(&key)) else { return };
    let (Some(mean_before), Some(mean_now), Some(sd)) =
        (before.moments.mean(), now.moments.mean(), now.moments.sd())
    else {
        return;
    };
    let total = mean_now - mean_before;
    let error = sd / (now.moments.n as f64).sqrt();
    if total.abs() <= 2.0 * error {
        return;
    }
    let others = |finding: &&mut Finding| {
        finding.monitor == Monitor::Drift && finding.segment.is_empty() && finding.signal != *prediction
    };
    for finding in findings.iter_mut().filter(others) {
        let Some(moved) = finding.numbers.get("prediction_move").copied() else { continue };
        finding.numbers.insert("prediction_share".to_owned(), moved / total);
    }
}

/// Adds to each finding of all events which segments carry it.
fn explain_by_segment(reference: &Reference, signals: &BySignal, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.segment.is_empty() && finding.is_beyond()) {
        let key = (String::new(), finding.signal.clone());
        let (Some(before), Some(now)) = (reference.signals.get(&key), signals.get(&key)) else { continue };
        let Some(grid) = reference.grid(&finding.signal, before.grid) else { continue };
        let known: Vec<Part<'_>> = reference
            .segments_of(&finding.signal)
            .filter_map(|(segment, baseline)| {
                let current = signals.get(&(segment.to_owned(), finding.signal.clone()))?;
                Some(Part { segment, baseline: &baseline.counts, current: &current.counts })
            })
            .collect();
        let whole = Part { segment: segment::ALL, baseline: &before.counts, current: &now.counts };
        let shares = explain::segment_parts(finding.monitor, grid, whole, &known);
        let share_of_events = |segment: &str| reference.segments.get(segment).copied().unwrap_or(0.0);
        if let Some((segment, part)) = explain::carrier(&shares, share_of_events) {
            let part = words::percent(part.min(1.0));
            finding.facts = format!("{}; {part} of it{}", finding.facts, words::at(segment));
        }
        let mut largest: Vec<(&String, &f64)> = shares.iter().collect();
        largest.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        let named =
            largest.into_iter().take(MOST_PARTS).map(|(segment, part)| (format!("segment.{segment}"), *part));
        let named: BTreeMap<String, f64> = named.collect();
        finding.numbers.extend(named);
    }
}
