//! Why a limit lies where it does and how often chance would reach a value: in numbers, and as the end of a sentence.

use std::time::Duration;

use domain::evaluation::Basis;
use domain::time::{DAY, Interval};

use crate::finding::{Finding, numbers};
use crate::threshold::Law;
use crate::words;

const YEAR: Duration = Duration::from_secs(365 * DAY.as_secs());
/// Nobody has seen enough to say more than this.
const LONGEST: Duration = Duration::from_secs(10 * YEAR.as_secs());
/// What so many healthy windows reach is said as a share of them.
const COMMON: f64 = 0.05;

/// Adds floor, chance, return time and history to the finding's numbers, and gives the clause that says them; empty where
/// no statistics were needed.
pub fn explain(finding: &mut Finding, window: Interval) -> String {
    let limit = finding.limit;
    let chance = limit.law.chance(finding.value).filter(|_| finding.is_enough);
    let back = chance.map(|chance| window.length().as_secs_f64() / chance);
    let known = [
        ("floor", Some(limit.floor).filter(|floor| *floor > 0.0)),
        ("chance", chance),
        ("return_days", back.map(|seconds| seconds / DAY.as_secs_f64())),
    ];
    finding.numbers.extend(numbers(known.into_iter().filter_map(|(name, value)| Some((name, value?)))));
    if let Law::Learned { spread, .. } = limit.law {
        finding.numbers.extend(numbers([
            ("history_windows", f64::from(spread.windows)),
            ("history_days", spread.days),
            ("history_wander", spread.wander),
            ("history_greatest", spread.greatest),
        ]));
    }
    match (chance, back) {
        (Some(chance), Some(back)) => {
            format!("; {}; {} ({})", sizes(finding), reached(chance, back), history(finding))
        }
        _ => String::new(),
    }
}

/// `floor 0.01, noise 0.006, 11,200 events in the baseline`.
fn sizes(finding: &Finding) -> String {
    let is_share = finding.statistic.ends_with("_share");
    let said = |value: f64| if is_share { words::percent(value) } else { words::statistic(value) };
    format!(
        "floor {}, noise {}, {} in the baseline",
        said(finding.limit.floor),
        said(finding.limit.noise),
        words::events(finding.n_baseline)
    )
}

/// `healthy windows reach this about once in 40 days`.
fn reached(chance: f64, back_s: f64) -> String {
    if chance >= COMMON {
        return format!("{} of healthy windows reach this", words::percent(chance));
    }
    if back_s.is_nan() || back_s > LONGEST.as_secs_f64() {
        return "healthy windows reach this less than once in 10 years".to_owned();
    }
    let time = match back_s / YEAR.as_secs_f64() {
        years if years >= 2.0 => format!("{years:.0} years"),
        _ => words::seconds(back_s),
    };
    format!("healthy windows reach this about once in {time}")
}

fn history(finding: &Finding) -> String {
    match (finding.limit.law, finding.limit.basis) {
        (_, Basis::Assumed) => "assumed until more days are known".to_owned(),
        (Law::Learned { spread, .. }, _) if spread.days >= 1.0 => {
            format!("from {} windows in {:.0} days", words::count(u64::from(spread.windows)), spread.days)
        }
        (Law::Learned { spread, .. }, _) => {
            format!("from {} windows", words::count(u64::from(spread.windows)))
        }
        _ => "if nothing but chance were at work".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::evaluation::Monitor;
    use domain::time::{HOUR, Instant};

    use super::*;
    use crate::spread::{Form, Spread};
    use crate::threshold::Limit;

    fn finding(law: Law, basis: Basis, value: f64) -> Finding {
        Finding {
            monitor: Monitor::Drift,
            signal: "feature.x".to_owned(),
            segment: String::new(),
            statistic: "psi",
            value,
            limit: Limit { threshold: 0.05, floor: 0.01, noise: 0.0056, basis, law, ..Limit::default() },
            n_baseline: 11_200,
            n_current: 2_000,
            is_enough: true,
            is_quiet: false,
            numbers: BTreeMap::new(),
            facts: String::new(),
        }
    }

    fn hour() -> Interval {
        Interval::ending_at(Instant::from_seconds(3_600), HOUR)
    }

    fn learned() -> Law {
        let values: Vec<f64> = (0..672).map(|k| 2.0 * f64::from(k) / 672.0).collect();
        let spread = Spread::fitted(Form::Squares, &values, 672, Some(0.0)).expect("enough");
        Law::Learned { spread: Spread { days: 28.0, ..spread }, base: 0.0, scale: 0.01 }
    }

    #[test]
    fn a_verdict_says_floor_noise_sizes_history_and_return_time() {
        let mut moved = finding(learned(), Basis::Learned, 0.023);
        let said = explain(&mut moved, hour());
        let expected = "; floor 0.01, noise 0.0056, 11,200 events in the baseline; healthy windows reach this about once in ";
        assert!(
            said.starts_with(expected) && said.ends_with(" days (from 672 windows in 28 days)"),
            "{said}"
        );
        for name in ["floor", "chance", "return_days", "history_windows", "history_days", "history_greatest"]
        {
            assert!(moved.numbers.contains_key(name), "{name} of {:?}", moved.numbers);
        }
        let (chance, days) = (moved.numbers["chance"], moved.numbers["return_days"]);
        assert!((chance * days * 24.0 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_common_is_a_share_and_what_never_was_is_so_rare_that_it_is_said() {
        let common = explain(&mut finding(learned(), Basis::Learned, 0.01), hour());
        assert!(common.contains(" % of healthy windows reach this"), "{common}");
        let never = explain(&mut finding(learned(), Basis::Learned, 3.0), hour());
        assert!(never.contains("less than once in 10 years"), "{never}");
    }

    #[test]
    fn what_is_assumed_says_so_and_what_is_stated_needs_no_words() {
        let law = Law::ChiSquared { df: 9, scale: 0.0025 };
        let said = explain(&mut finding(law, Basis::Assumed, 0.06), hour());
        assert!(said.ends_with("(assumed until more days are known)"), "{said}");
        assert_eq!(explain(&mut finding(Law::Unknown, Basis::Stated, 1.0), hour()), "");
    }
}
