//! Values beyond those of the baseline.
//!
//! A fresh value of a continuous signal is beyond the least or greatest of n with probability `2/(n + 1)` where nothing
//! changed (order statistics are exchangeable), so how many are is held against that binomial law, and against the
//! practical floor, and against what healthy windows have where that is known. The fence `[Q.001 − 3·IQR, Q.999 + 3·IQR]` says how many are far out. Declared limits are the
//! contract's business.

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bins, Edges, Grid};
use domain::signal::is_duration;

use super::{Seen, finding};
use crate::finding::Finding;
use crate::stats::proportion::{Share, binomial_upper};
use crate::threshold::{Limit, Limits};
use crate::words;

/// How many values are beyond all of those that they are held against, as far as bins tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outside {
    outside: u64,
    n: u64,
    m: u64,
}

impl Outside {
    /// `None` of categories, and where either side has no numbers.
    pub fn of(grid: &Grid, before: &Counts, now: &Counts) -> Option<Self> {
        let Bins::Numbers(edges) = &grid.bins else { return None };
        let (before, now) = (numbers(edges, before), numbers(edges, now));
        let first = before.iter().position(|count| *count > 0)?;
        let last = before.iter().rposition(|count| *count > 0)?;
        let (n, m) = (before.iter().sum::<u64>(), now.iter().sum::<u64>());
        let inside: u64 = now.get(first..=last)?.iter().sum();
        (m > 0).then_some(Self { outside: m - inside, n, m })
    }

    /// At least so many of them.
    fn at_least(self, extremes: u64) -> Self {
        Self { outside: self.outside.max(extremes.min(self.m)), ..self }
    }

    /// The chance of a fresh value, `2/(n + 1)`.
    pub fn chance(self) -> Share {
        Share::of(2.min(self.n + 1), self.n + 1).expect("n + 1 is not 0")
    }

    pub fn share(self) -> Share {
        Share::of(self.outside, self.m).expect("made only where there are values")
    }
}

fn numbers(edges: &Edges, counts: &Counts) -> Vec<u64> {
    let mut values = counts.values(edges.bins());
    values.truncate(edges.bins());
    values
}

pub fn find(seen: &Seen<'_>, limits: &Limits) -> Option<Finding> {
    let Bins::Numbers(edges) = &seen.grid.bins else { return None };
    if is_duration(seen.signal) || !seen.is_enough() {
        return None;
    }
    let moments = (&seen.baseline.moments, &seen.current.moments);
    // A value beyond the baseline's may still lie in the bin of its least or greatest one: then it is one at least.
    let extremes =
        u64::from(moments.1.least < moments.0.least) + u64::from(moments.1.greatest > moments.0.greatest);
    let outside = Outside::of(seen.grid, &seen.baseline.counts, &seen.current.counts)?.at_least(extremes);
    let (chance, current) = (outside.chance(), outside.share());
    let p = binomial_upper(current.hits(), current.n(), chance.value());
    let limit = limits.share(chance, current, seen.healthy.outside.as_ref());
    let is_chance = p >= limits.ticket_level();
    let limit =
        if is_chance { Limit { threshold: limit.threshold.max(current.value()), ..limit } } else { limit };
    let fence = fence(edges, &numbers(edges, &seen.baseline.counts));
    let facts = format!(
        "{} is beyond its usual range in {} of events; {} to {} in the baseline, {} to {} now, {}",
        words::signal(seen.signal),
        words::percent(current.value()),
        words::number(moments.0.least),
        words::number(moments.0.greatest),
        words::number(moments.1.least),
        words::number(moments.1.greatest),
        words::events(current.n()),
    );
    let known = [
        ("outside", current.hits() as f64),
        ("outside_p", p),
        ("fence_low", fence.0),
        ("fence_high", fence.1),
        ("beyond_fence", beyond(fence, edges, &seen.current.counts) as f64),
        ("least", moments.1.least),
        ("greatest", moments.1.greatest),
    ];
    let subject = (Monitor::Range, seen.signal, "outside_share");
    Some(finding(subject, current.value(), limit, [outside.n, outside.m], known, facts))
}

/// How many values lie in bins that are beyond the fence as a whole.
fn beyond(fence: (f64, f64), edges: &Edges, counts: &Counts) -> u64 {
    let counts = numbers(edges, counts).into_iter().enumerate();
    let far = counts.filter(|(position, _)| {
        let (low, high) = edges.limits(*position);
        low >= fence.1 || high <= fence.0
    });
    far.map(|(_, count)| count).sum()
}

/// `[Q.001 − 3·IQR, Q.999 + 3·IQR]` by the edges of the bins that hold the quantiles.
fn fence(edges: &Edges, counts: &[u64]) -> (f64, f64) {
    let n: u64 = counts.iter().sum();
    let at = |share: f64| {
        let rank = (share * n as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        let position = counts.iter().position(|count| {
            sum += count;
            sum >= rank
        });
        edges.middle(position.unwrap_or(0))
    };
    let reach = 3.0 * (at(0.75) - at(0.25));
    (at(0.001) - reach, at(0.999) + reach)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{beyond, found};
    use super::*;

    fn wave(n: usize) -> Vec<Option<f64>> {
        (0..n).map(|index| Some(((index * 37) % 1_000) as f64 / 10.0)).collect()
    }

    #[test]
    fn one_outlier_is_no_alarm_and_a_part_that_left_the_range_is() {
        let mut one = wave(1_000);
        one[7] = Some(1e9);
        assert!(!beyond(&wave(5_000), &one).contains(&Monitor::Range), "{:?}", found(&wave(5_000), &one));
        let mut many = wave(1_000);
        many.iter_mut().step_by(20).for_each(|value| *value = Some(5_000.0));
        assert!(beyond(&wave(5_000), &many).contains(&Monitor::Range));
        let finding =
            found(&wave(5_000), &many).into_iter().find(|one| one.monitor == Monitor::Range).expect("range");
        assert_eq!((finding.value, finding.numbers["beyond_fence"]), (0.05, 50.0));
        assert!(
            finding
                .facts
                .starts_with("x is beyond its usual range in 5 % of events; 0 to 99.9 in the baseline"),
            "{}",
            finding.facts
        );
    }
}
