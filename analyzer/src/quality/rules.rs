//! What breaks the contract, as the collector counted it: declared limits have no tolerance but for a few events.

use std::collections::BTreeMap;

use domain::contract::rule;
use domain::evaluation::Monitor;
use domain::signal::{FEATURE, Role, role};
use domain::time::Instant;
use sql::breaches::Breaches;

use super::finding;
use crate::finding::Finding;
use crate::slo::record::Step;
use crate::threshold::{Limit, Limits};
use crate::words;

/// The rule about a feature's age.
const FRESHNESS: &str = "freshness";
/// Fewer events than this may be one hiccup.
const LEAST_BAD: u64 = 5;

/// One finding a signal, about the rule of it that most events broke; events that came again are a finding of their own.
/// `known` are the contract's rules: of those that nothing broke it is found that nothing did.
pub fn findings(breaches: &Breaches, known: &[String], limits: &Limits) -> Vec<Finding> {
    let stored: u64 = breaches.events.iter().map(|point| point.n).sum();
    let unbroken = known.iter().map(String::as_str).chain([rule::DUPLICATE]);
    let mut by_rule: BTreeMap<&str, (u64, u64)> = unbroken.map(|name| (name, (0, 0))).collect();
    for point in &breaches.points {
        let sum = by_rule.entry(&point.rule).or_default();
        *sum = (sum.0 + point.n, sum.1 + point.refused);
    }
    let mut by_signal: BTreeMap<&str, Vec<(&str, u64, u64)>> = BTreeMap::new();
    for (name, (n, refused)) in by_rule {
        let of_signal = name.rsplit_once('.').map_or("", |(signal, _)| signal);
        let signal = if name == rule::DUPLICATE { rule::DUPLICATE } else { of_signal };
        by_signal.entry(signal).or_default().push((name, n, refused));
    }
    by_signal.into_iter().filter_map(|(signal, rules)| of_signal(signal, &rules, stored, limits)).collect()
}

/// What a contract names, as a signal: features stand in it without their role.
pub fn subject(named: &str) -> String {
    match role(named) {
        Role::Other if !named.is_empty() => format!("{FEATURE}{named}"),
        _ => named.to_owned(),
    }
}

/// Good and bad events of a signal by the step: an event breaks one rule of it at most, because a value that is missing or
/// of another type has no range. How old it is has an objective of its own.
pub fn steps(breaches: &Breaches, signal: &str) -> Vec<Step> {
    let mut steps: BTreeMap<Instant, Step> = breaches
        .events
        .iter()
        .map(|point| (point.at, Step { at: point.at, events: point.n, bad: 0 }))
        .collect();
    for point in &breaches.points {
        let Some((named, term)) = point.rule.rsplit_once('.') else { continue };
        if term == FRESHNESS || subject(named) != signal {
            continue;
        }
        let step = steps.entry(point.at).or_insert(Step { at: point.at, events: 0, bad: 0 });
        step.events += point.refused;
        step.bad += point.n;
    }
    steps.into_values().collect()
}

fn of_signal(signal: &str, rules: &[(&str, u64, u64)], stored: u64, limits: &Limits) -> Option<Finding> {
    let (worst, n, refused) = *rules.iter().max_by_key(|(_, n, _)| *n)?;
    let events = stored + refused;
    if events == 0 {
        return None;
    }
    let share = n as f64 / events as f64;
    let limit = limits.above(0.0, (LEAST_BAD as f64 - 0.5) / events as f64, 0.0);
    // A declared limit leaves nothing to wait for.
    let limit = Limit { urgent: limit.threshold, ..limit };
    let others = rules
        .iter()
        .filter(|(other, n, _)| *other != worst && *n > 0)
        .map(|(other, n, _)| format!(", {} in {}", words::cut(other), words::count(*n)));
    let kept_out =
        if refused > 0 { format!(", {} of them kept out", words::count(refused)) } else { String::new() };
    let is_again = signal == rule::DUPLICATE;
    let what =
        if is_again { "events came again".to_owned() } else { format!("events break {}", words::cut(worst)) };
    let facts = format!(
        "{} of {what}; {} of {}{kept_out}{}",
        words::percent(share),
        words::count(n),
        words::events(events),
        others.collect::<String>()
    );
    let known = [("broken", n as f64), ("refused", refused as f64)];
    let (monitor, name) = match is_again {
        true => (Monitor::Duplicates, String::new()),
        false => (Monitor::Contract, subject(signal)),
    };
    let mut found = finding((monitor, &name, "broken_share"), share, limit, [0, events], known, facts);
    found.is_enough = true;
    Some(found)
}

#[cfg(test)]
mod tests {
    use sql::breaches::{BreachPoint, EventsPoint};

    use super::super::tests::limits;
    use super::*;

    fn breaches(points: &[(&str, u64, u64)]) -> Breaches {
        let point = |(rule, n, refused): &(&str, u64, u64)| BreachPoint {
            rule: (*rule).to_owned(),
            at: Instant::EPOCH,
            n: *n,
            refused: *refused,
        };
        Breaches {
            points: points.iter().map(point).collect(),
            events: vec![EventsPoint { at: Instant::EPOCH, n: 1_000 }],
        }
    }

    #[test]
    fn the_steps_of_a_signal_hold_what_broke_its_rules_and_what_was_kept_out_for_it() {
        let counted =
            breaches(&[("amount.range", 40, 10), ("amount.freshness", 900, 0), ("fee.range", 7, 0)]);
        let step = Step { at: Instant::EPOCH, events: 1_010, bad: 40 };
        assert_eq!(steps(&counted, "feature.amount"), [step]);
        assert_eq!(steps(&counted, "feature.other"), [Step { events: 1_000, bad: 0, ..step }]);
    }

    #[test]
    fn the_rule_that_most_events_broke_is_named_with_the_others_of_its_signal() {
        let found = findings(
            &breaches(&[
                ("amount.nullable", 3, 0),
                ("amount.range", 40, 10),
                ("environment", 6, 0),
                ("duplicate", 20, 20),
            ]),
            &[],
            &limits(),
        );
        let said: Vec<(Monitor, &str, &str, bool)> = found
            .iter()
            .map(|one| (one.monitor, one.signal.as_str(), one.facts.as_str(), one.is_beyond()))
            .collect();
        assert_eq!(
            said,
            [
                (Monitor::Contract, "", "0.6 % of events break environment; 6 of 1,000 events", true),
                (
                    Monitor::Contract,
                    "feature.amount",
                    "4 % of events break amount.range; 40 of 1,010 events, 10 of them kept out, amount.nullable in 3",
                    true
                ),
                (
                    Monitor::Duplicates,
                    "",
                    "2 % of events came again; 20 of 1,020 events, 20 of them kept out",
                    true
                ),
            ]
        );
        assert!(!findings(&breaches(&[("amount.range", 4, 0)]), &[], &limits())[0].is_beyond());
        assert!(findings(&Breaches::default(), &[], &limits()).is_empty());
        let whole = findings(&breaches(&[]), &["amount.range".to_owned()], &limits());
        assert!(whole.len() == 2 && whole.iter().all(|one| one.is_quiet && !one.is_beyond()), "{whole:?}");
    }
}
