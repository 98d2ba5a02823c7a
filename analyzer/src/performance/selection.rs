//! Groups of people by how often they are selected: that needs no outcome, so it is judged as soon as predictions are there
//! (demographic parity, METHODS 11).
//!
//! Invariant: as in [`super::fairness`], a group is held against all others together, and only where it is large enough.

use domain::contract::Fairness;
use domain::evaluation::Monitor;
use domain::signal::segment;
use sql::predicted::Selected;

use super::fairness::{apart, compared, statistic};
use crate::finding::{Finding, numbers};
use crate::stats::confusion::Confusion;
use crate::stats::fairness::{AgainstRest, Criterion, against_rest};
use crate::threshold::Limits;
use crate::words;

const CRITERION: Criterion = Criterion::DemographicParity;

/// One finding a group: how far its share of yes is from that of all others. Nothing where scores are no chances, so that
/// no yes can be told from them.
pub fn findings(
    prediction: &str,
    dimension: &str,
    parts: &[Selected],
    fairness: &Fairness,
    limits: &Limits,
) -> Vec<Finding> {
    if parts.iter().any(|part| part.least < 0.0 || part.greatest > 1.0) {
        return Vec::new();
    }
    let groups = groups(dimension, parts);
    let decided: Vec<Confusion> = groups.iter().map(|(_, group)| decided(group)).collect();
    let all = groups.iter().zip(against_rest(&decided, CRITERION));
    all.filter_map(|((name, group), against)| {
        Some(finding(prediction, name, *group, &against?, fairness.most_gap, limits))
    })
    .collect()
}

/// Predictions, and those of them that are a yes.
type Group = [u64; 2];

/// The groups that have most predictions by the name of their segment, and one of all others.
fn groups(dimension: &str, parts: &[Selected]) -> Vec<(String, Group)> {
    let mut parts: Vec<&Selected> = parts.iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.predictions));
    let rest = parts.split_off(parts.len().min(segment::MOST));
    let named = |part: &Selected| {
        let value = if part.part.is_empty() { segment::MISSING } else { &part.part };
        (segment::name(dimension, value), [part.predictions, part.selected])
    };
    let mut groups: Vec<(String, Group)> = parts.into_iter().map(named).collect();
    if !rest.is_empty() {
        let sum = |of: fn(&Selected) -> u64| rest.iter().map(|part| of(part)).sum::<u64>();
        let others = [sum(|part| part.predictions), sum(|part| part.selected)];
        groups.push((segment::name(dimension, segment::OTHER), others));
    }
    groups
}

/// Who is selected, as if all of it were right: of parity the outcome is no part.
fn decided([predictions, selected]: &Group) -> Confusion {
    Confusion {
        true_positives: *selected as f64,
        true_negatives: predictions.saturating_sub(*selected) as f64,
        ..Confusion::default()
    }
}

fn finding(
    prediction: &str,
    name: &str,
    [predictions, selected]: Group,
    against: &AgainstRest,
    most_gap: f64,
    limits: &Limits,
) -> Finding {
    let mut known = numbers([("selected", selected as f64)]);
    known.extend(compared(CRITERION, against));
    Finding {
        monitor: Monitor::Selection,
        signal: prediction.to_owned(),
        segment: name.to_owned(),
        statistic: statistic(CRITERION),
        value: (against.rate - against.rest).abs(),
        limit: limits.above(0.0, most_gap.max(limits.z() * against.error), against.error),
        n_baseline: 0,
        n_current: predictions,
        is_enough: against.is_enough,
        is_quiet: false,
        numbers: known,
        facts: format!("{}, {}", apart(name, CRITERION, against), words::predictions(predictions)),
    }
}

#[cfg(test)]
mod tests {
    use domain::time::HOUR;

    use super::*;
    use crate::config::Config;

    fn part(name: &str, predictions: u64, selected: u64) -> Selected {
        Selected { part: name.to_owned(), predictions, selected, least: 0.01, greatest: 0.98 }
    }

    fn found(parts: &[Selected]) -> Vec<Finding> {
        let limits = Limits::shared_over(&Config::default(), 20, HOUR);
        findings("prediction.score", "sex", parts, &Fairness::default(), &limits)
    }

    #[test]
    fn a_group_that_is_passed_over_is_told_without_an_outcome() {
        let told = found(&[part("M", 1_000, 400), part("F", 800, 120)]);
        assert!(told.iter().all(Finding::is_beyond), "{told:?}");
        let women = told.iter().find(|finding| finding.segment == "sex=F").expect("a finding");
        let expected = "sex=F: a yes is predicted for 15 %, for all others 40 %; apart by −25 points (";
        assert!(
            women.facts.starts_with(expected) && women.facts.ends_with(", 800 predictions"),
            "{}",
            women.facts
        );
        assert!(found(&[part("M", 1_000, 400), part("F", 800, 300)]).iter().all(|one| !one.is_beyond()));
    }

    #[test]
    fn a_small_group_is_shown_and_one_alone_is_held_against_nobody() {
        let told = found(&[part("M", 1_000, 400), part("X", 40, 0)]);
        assert!(told.iter().any(|one| one.segment == "sex=X" && !one.is_enough), "{told:?}");
        assert_eq!(found(&[part("M", 1_000, 400)]), []);
        assert_eq!(found(&[]), []);
    }

    #[test]
    fn rare_values_are_one_group_and_none_is_missing() {
        let parts: Vec<Selected> = (0..30).map(|n| part(&format!("v{n:02}"), 400 - n, 100)).collect();
        let named: Vec<String> = found(&parts).into_iter().map(|finding| finding.segment).collect();
        assert_eq!((named.len(), named[20].as_str()), (21, "sex=other"));
        assert_eq!(found(&[part("", 400, 100), part("M", 400, 100)])[0].segment, "sex=missing");
    }

    #[test]
    fn scores_that_are_no_chances_decide_nothing() {
        let price = Selected { greatest: 900.0, ..part("M", 1_000, 1_000) };
        assert_eq!(found(&[price, part("F", 1_000, 10)]), []);
    }
}
