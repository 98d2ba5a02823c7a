//! The share of bad events in one window: errors, slow answers, stale features.
//!
//! Where an objective is stated and windows are close enough together, burn rates over several windows judge it instead
//! ([`crate::slo`]). This is for what has no objective, and for watches that look once a day.

use std::collections::BTreeMap;

use domain::contract::{Contract, LatencyObjective};
use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bin, Bins, Edges, Grid};
use domain::signal::{AGE, LATENCY};

use crate::config::Config;
use crate::counted::Traffic;
use crate::finding::{Finding, numbers};
use crate::slo::percentile;
use crate::stats::proportion::Share;
use crate::threshold::Limits;
use crate::words;

/// Fewer events than this are too little to judge an objective by.
const LEAST_EVENTS: u64 = 30;

/// The counts of a duration, on its grid.
#[derive(Clone, Copy, Debug)]
pub struct Duration<'a> {
    pub grid: &'a Grid,
    pub counts: &'a Counts,
}

/// Failed predictions against the objective; without one, against `usual`, the share of the same windows before.
pub fn errors(
    contract: &Contract,
    traffic: Traffic,
    usual: Option<Share>,
    limits: &Limits,
) -> Option<Finding> {
    let current = Share::of(traffic.errors, traffic.events)?;
    let limit = match (contract.objectives.availability, usual) {
        (Some(target), _) => limits.allowance(1.0 - target, current.n()),
        (None, Some(usual)) => limits.share(usual, current, None),
        (None, None) => return None,
    };
    let allowed = match (contract.objectives.availability, usual) {
        (Some(target), _) => format!("{} are allowed", words::percent(1.0 - target)),
        (None, usual) => format!("{} before", words::percent(usual.map_or(0.0, Share::value))),
    };
    let facts = format!(
        "{} of {} failed ({allowed})",
        words::percent(current.value()),
        words::predictions(current.n())
    );
    let burn = contract.objectives.availability.map(|target| ("burn_rate", current.value() / (1.0 - target)));
    let mut finding = Finding {
        monitor: Monitor::Errors,
        signal: String::new(),
        segment: String::new(),
        statistic: "error_share",
        value: current.value(),
        limit,
        n_baseline: 0,
        n_current: current.n(),
        is_enough: current.n() >= LEAST_EVENTS,
        is_quiet: false,
        numbers: numbers([("errors", current.hits() as f64)]),
        facts,
    };
    finding.numbers.extend(numbers(burn));
    finding.n_baseline =
        if contract.objectives.availability.is_none() { usual.map_or(0, Share::n) } else { 0 };
    Some(finding)
}

/// Slow predictions against the objective.
pub fn latency(objective: LatencyObjective, latency: Duration<'_>, limits: &Limits) -> Option<Finding> {
    let Bins::Numbers(edges) = &latency.grid.bins else { return None };
    let timed = latency.counts.present();
    let slow = Share::of(beyond(edges, latency.counts, objective.limit_ms), timed)?;
    let allowed = 1.0 - objective.target;
    let facts = format!(
        "{} of {} took longer than {} ms ({} may)",
        words::percent(slow.value()),
        words::predictions(timed),
        words::number(objective.limit_ms),
        words::percent(allowed)
    );
    Some(Finding {
        monitor: Monitor::Latency,
        signal: LATENCY.to_owned(),
        segment: String::new(),
        statistic: "slow_share",
        value: slow.value(),
        limit: limits.allowance(allowed, timed),
        n_baseline: 0,
        n_current: timed,
        is_enough: timed >= LEAST_EVENTS,
        is_quiet: false,
        numbers: [("burn_rate".to_owned(), slow.value() / allowed)]
            .into_iter()
            .chain(percentile_numbers(edges, latency.counts))
            .collect(),
        facts,
    })
}

/// Median, 95 and 99 % of a latency, each with the ends of its interval.
pub fn percentile_numbers(edges: &Edges, counts: &Counts) -> BTreeMap<String, f64> {
    let all = [("p50", 0.5), ("p95", 0.95), ("p99", 0.99)].into_iter().filter_map(|(name, q)| {
        let found = percentile::of(edges, counts, q)?;
        let ends = [("", found.value), ("_low", found.low), ("_high", found.high)];
        Some(ends.map(|(end, value)| (format!("{name}{end}_ms"), value)))
    });
    all.flatten().filter(|(_, value)| value.is_finite()).collect()
}

/// Predictions that used a feature older than it may be. Without a time the feature counts as too old.
pub fn staleness(
    config: &Config,
    feature: &str,
    limit_s: f64,
    age: Duration<'_>,
    limits: &Limits,
) -> Option<Finding> {
    let Bins::Numbers(edges) = &age.grid.bins else { return None };
    let without = age.counts.get(Bin::MISSING) + age.counts.get(Bin::INVALID);
    let stale = Share::of(beyond(edges, age.counts, limit_s) + without, age.counts.total())?;
    let oldest = quantile(edges, age.counts, 1.0);
    let facts = format!(
        "{feature} is older than {} in {} of predictions; {}, the oldest about {}",
        words::seconds(limit_s),
        words::percent(stale.value()),
        words::predictions(stale.n()),
        words::seconds(oldest)
    );
    Some(Finding {
        monitor: Monitor::Staleness,
        signal: format!("{AGE}{feature}"),
        segment: String::new(),
        statistic: "stale_share",
        value: stale.value(),
        limit: limits.allowance(config.floors.stale, stale.n()),
        n_baseline: 0,
        n_current: stale.n(),
        is_enough: stale.n() >= LEAST_EVENTS,
        is_quiet: false,
        numbers: numbers([
            ("limit_s", limit_s),
            ("age_p50_s", quantile(edges, age.counts, 0.5)),
            ("age_p95_s", quantile(edges, age.counts, 0.95)),
            ("age_largest_s", oldest),
            ("without_time", without as f64),
        ]),
        facts,
    })
}

/// How many values lie beyond `limit`, which is an edge of the grid unless the objective is newer than the grid; then
/// the bin that holds it counts as within.
fn beyond(edges: &Edges, counts: &Counts, limit: f64) -> u64 {
    let within = edges.position(limit);
    counts
        .iter()
        .filter(|(bin, _)| bin.value_index().is_some_and(|index| index > within))
        .map(|(_, n)| n)
        .sum()
}

/// The upper edge of the bin that holds the quantile: never too small, at most 5 % too large.
fn quantile(edges: &Edges, counts: &Counts, q: f64) -> f64 {
    let values: Vec<(usize, u64)> =
        counts.iter().filter_map(|(bin, n)| Some((bin.value_index()?, n))).collect();
    let total: u64 = values.iter().map(|(_, n)| n).sum();
    let rank = (q * total as f64).ceil().max(1.0);
    let mut sum = 0;
    for (index, n) in values {
        sum += n;
        if sum as f64 >= rank {
            let (low, high) = edges.limits(index);
            return if high.is_finite() { high } else { low };
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration as Span;

    use super::*;

    fn counted(grid: &Grid, values: impl IntoIterator<Item = f64>) -> Counts {
        Counts::of(values.into_iter().map(|value| (grid.bin_of_number(value), 1)))
    }

    fn limits() -> Limits {
        Limits::shared_over(&Config::default(), 10, Span::from_secs(300))
    }

    #[test]
    fn slow_predictions_are_counted_exactly_at_the_objective() {
        let grid = Grid::of_duration("m", LATENCY, &[250.0]);
        let values = (0..1_000).map(|n| if n % 10 == 0 { 250.1 } else { 250.0 });
        let counts = counted(&grid, values);
        let objective = LatencyObjective { limit_ms: 250.0, target: 0.99 };
        let finding =
            latency(objective, Duration { grid: &grid, counts: &counts }, &limits()).expect("timed");
        assert_eq!(finding.value, 0.1);
        assert!(finding.is_beyond());
        assert_eq!(finding.facts, "10 % of 1,000 predictions took longer than 250 ms (1 % may)");
    }

    #[test]
    fn a_feature_without_a_time_is_stale() {
        let grid = Grid::of_duration("m", "age_s.spend", &[60.0]);
        let mut counts = counted(&grid, (0..100).map(|_| 12.0));
        counts.add(Bin::MISSING, 100);
        let age = Duration { grid: &grid, counts: &counts };
        let finding = staleness(&Config::default(), "spend", 60.0, age, &limits()).expect("events");
        assert_eq!(finding.value, 0.5);
        assert!(finding.is_beyond());
    }

    #[test]
    fn one_error_of_few_predictions_breaks_no_objective() {
        let mut contract = Contract::default();
        contract.objectives.availability = Some(0.999);
        let traffic = |events, errors| Traffic { events, errors, last_event: None };
        let one = errors(&contract, traffic(40, 1), None, &limits()).expect("events");
        assert!(!one.is_beyond());
        let many = errors(&contract, traffic(4_000, 100), None, &limits()).expect("events");
        assert!(many.is_beyond());
        assert_eq!(many.facts, "2.5 % of 4,000 predictions failed (0.1 % are allowed)");
    }
}
