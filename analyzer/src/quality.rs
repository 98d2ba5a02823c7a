//! Whether data are as they should be, beyond how they are distributed (METHODS 3).
//!
//! One file a check, one line in [`CHECKS`]. A check sees counts of one signal, never rows, and says nothing about what is
//! well: its findings are quiet unless they are beyond their limit. What needs rows is in [`shape`], over a bounded sample.

pub mod missing;
pub mod range;
pub mod rules;
pub mod schema;
pub mod shape;
pub mod stuck;
pub mod unseen;

use domain::baseline::SignalBaseline;
use domain::evaluation::{Basis, Monitor};
use domain::grid::Grid;

use crate::counted::Counted;
use crate::finding::{Finding, numbers};
use crate::reference::Healthy;
use crate::threshold::{Limit, Limits};

/// One signal over all events: in the baseline, and now.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub signal: &'a str,
    pub grid: &'a Grid,
    pub baseline: &'a SignalBaseline,
    pub current: &'a Counted,
    /// How much healthy windows vary, where that is known.
    pub healthy: Healthy,
    /// Fewer values than this are too little to say anything.
    pub least_events: u64,
}

impl Seen<'_> {
    pub fn is_enough(&self) -> bool {
        self.baseline.counts.total().min(self.current.counts.total()) >= self.least_events
    }
}

/// What can be wrong with a signal.
pub struct Check {
    pub monitor: Monitor,
    /// `None` where the check does not apply to the signal.
    pub find: fn(&Seen<'_>, &Limits) -> Option<Finding>,
}

/// Every check of one signal by its counts.
pub const CHECKS: [Check; 3] = [
    Check { monitor: Monitor::Range, find: range::find },
    Check { monitor: Monitor::Stuck, find: stuck::find },
    Check { monitor: Monitor::Schema, find: schema::find },
];

/// What all checks find about a signal.
pub fn findings(seen: &Seen<'_>, limits: &Limits) -> Vec<Finding> {
    CHECKS.iter().filter_map(|check| (check.find)(seen, limits)).collect()
}

/// A limit that rests on a law and a floor alone: its history is never learned.
fn unlearned(limit: Limit) -> Limit {
    Limit { basis: Basis::Stated, ..limit }
}

/// A finding that is told only where it is beyond its limit.
fn finding<'a>(
    (monitor, signal, statistic): (Monitor, &str, &'static str),
    value: f64,
    limit: Limit,
    [n_baseline, n_current]: [u64; 2],
    known: impl IntoIterator<Item = (&'a str, f64)>,
    facts: String,
) -> Finding {
    Finding {
        monitor,
        signal: signal.to_owned(),
        segment: String::new(),
        statistic,
        value,
        limit,
        n_baseline,
        n_current,
        is_enough: n_baseline > 0 && n_current > 0,
        is_quiet: value <= limit.threshold,
        numbers: numbers(known),
        facts,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use domain::baseline::Moments;
    use domain::counts::Counts;
    use domain::grid::{Bin, Bins, Edges};
    use domain::time::Instant;
    use proptest::prelude::*;

    use super::*;
    use crate::config::Config;

    pub(crate) fn limits() -> Limits {
        Limits::shared_over(&Config::default(), 50, Duration::from_secs(300))
    }

    /// A grid of the numbers, and both sides counted on it. `None` is a missing value.
    pub(crate) fn sides(
        baseline: &[Option<f64>],
        current: &[Option<f64>],
    ) -> (Grid, SignalBaseline, Counted) {
        let edges =
            Edges::of_sample(baseline.iter().copied().flatten().filter(|it| it.is_finite()).collect());
        let grid = Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges));
        let counted = |values: &[Option<f64>]| {
            let bin = |value: &Option<f64>| value.map_or(Bin::MISSING, |value| grid.bin_of_number(value));
            let mut moments = Moments::default();
            values.iter().flatten().filter(|it| it.is_finite()).for_each(|value| moments.add(*value));
            Counted { counts: Counts::of(values.iter().map(|value| (bin(value), 1))), moments }
        };
        let (before, now) = (counted(baseline), counted(current));
        let known = SignalBaseline {
            grid: grid.id,
            counts: before.counts,
            moments: before.moments,
            ..SignalBaseline::default()
        };
        (grid, known, now)
    }

    pub(crate) fn found(baseline: &[Option<f64>], current: &[Option<f64>]) -> Vec<Finding> {
        let (grid, baseline, current) = sides(baseline, current);
        let seen = Seen {
            signal: "feature.x",
            grid: &grid,
            baseline: &baseline,
            current: &current,
            healthy: Healthy::default(),
            least_events: 50,
        };
        findings(&seen, &limits())
    }

    pub(crate) fn beyond(baseline: &[Option<f64>], current: &[Option<f64>]) -> Vec<Monitor> {
        found(baseline, current)
            .into_iter()
            .filter(Finding::is_beyond)
            .map(|finding| finding.monitor)
            .collect()
    }

    fn values() -> impl Strategy<Value = Vec<Option<f64>>> {
        let value = prop_oneof![
            6 => (-50.0..50.0_f64).prop_map(Some),
            1 => Just(None),
            1 => Just(Some(0.0)),
            1 => Just(Some(f64::NAN)),
            1 => Just(Some(1e9)),
        ];
        prop::collection::vec(value, 0..400)
    }

    proptest! {
        #[test]
        fn no_check_says_anything_about_equal_sides_nor_anything_that_is_no_number(one in values(), other in values()) {
            prop_assert!(beyond(&one, &one).is_empty(), "{:?}", found(&one, &one));
            for finding in found(&one, &other) {
                prop_assert!(finding.value.is_finite() && finding.limit.threshold.is_finite(), "{finding:?}");
                prop_assert!(!finding.facts.contains("NaN"), "{}", finding.facts);
                prop_assert!(finding.is_quiet || finding.is_beyond() || !finding.is_enough, "{finding:?}");
            }
        }
    }

    #[test]
    fn no_two_checks_are_one_monitor() {
        let mut monitors: Vec<&str> = CHECKS.iter().map(|check| check.monitor.name()).collect();
        monitors.sort_unstable();
        monitors.dedup();
        assert_eq!(monitors.len(), CHECKS.len());
    }
}
