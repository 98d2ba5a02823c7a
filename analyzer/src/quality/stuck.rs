//! One value that takes the place of all others: a sensor that stands still, a default that nothing overwrites.
//!
//! The share of the most frequent value is held against the baseline's: it must come half of the way from there to
//! "always", and farther than noise explains and healthy windows go. A signal that was constant before cannot get stuck, nor
//! can one that is constant for a window now and then: the weather of an hour, the price of a day without trade.

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bin, Bins, Grid};

use super::{Seen, finding};
use crate::finding::Finding;
use crate::stats::proportion::Share;
use crate::threshold::{Limit, Limits};
use crate::words;

/// How much nearer to "always" the most frequent value must come.
const HALF_WAY: f64 = 0.5;

/// The share of the most frequent value, as far as bins tell: of a bin that holds a stretch of values nobody knows whether
/// they are one. `None` where there are no values.
pub fn top_share(grid: &Grid, counts: &Counts) -> Option<Share> {
    let is_one_value = |bin: Bin| match &grid.bins {
        Bins::Numbers(edges) => bin.value_index().is_some_and(|position| edges.is_atom(position)),
        Bins::Categories(_) => bin.value_index().is_some(),
    };
    let values = counts.iter().filter(|(bin, _)| is_one_value(*bin));
    Share::of(values.map(|(_, n)| n).max().unwrap_or(0), counts.present())
}

pub fn find(seen: &Seen<'_>, limits: &Limits) -> Option<Finding> {
    if !seen.is_enough() {
        return None;
    }
    let sides =
        [(&seen.baseline.counts, &seen.baseline.moments), (&seen.current.counts, &seen.current.moments)].map(
            |(counts, moments)| match moments.n > 0 && moments.least == moments.greatest {
                true => Share::of(counts.present(), counts.present()),
                false => top_share(seen.grid, counts),
            },
        );
    let [Some(before), Some(now)] = sides else { return None };
    if now.n() < seen.least_events || before.n() < seen.least_events {
        return None;
    }
    let usual = limits.share(before, now, seen.healthy.top.as_ref());
    let room = HALF_WAY * (1.0 - before.value());
    let threshold = usual.threshold.max(before.value() + room);
    let limit = limits.above(before.value(), threshold, usual.noise);
    let limit = Limit { floor: room, basis: usual.basis, law: usual.law, ..limit };
    let value = name_of_top(seen);
    let facts = format!(
        "{} is {value} in {} of events; the most frequent value usually in {}, {}",
        words::signal(seen.signal),
        words::percent(now.value()),
        words::percent(before.value()),
        words::events(now.n()),
    );
    let known = [("share_baseline", before.value()), ("share_current", now.value())];
    let subject = (Monitor::Stuck, seen.signal, "top_share");
    Some(finding(subject, now.value(), limit, [before.n(), now.n()], known, facts))
}

fn name_of_top(seen: &Seen<'_>) -> String {
    let moments = &seen.current.moments;
    if moments.n > 0 && moments.least == moments.greatest {
        return words::number(moments.least);
    }
    let values = seen.current.counts.iter().filter(|(bin, _)| *bin > Bin::OTHER);
    let top = values.max_by_key(|(_, n)| *n);
    top.map_or_else(|| "one value".to_owned(), |(bin, _)| words::cut(&seen.grid.label(bin)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{beyond, found, limits, sides};
    use super::*;
    use crate::reference::Healthy;
    use crate::spread::Spread;

    fn wave(n: usize) -> Vec<Option<f64>> {
        (0..n).map(|index| Some(((index * 37) % 1_000) as f64 / 10.0)).collect()
    }

    /// Four weeks of hours of one temperature each, in some of them for all events, and this hour's alike.
    #[test]
    fn a_window_of_one_value_is_usual_where_healthy_windows_are_such() {
        let of_hour = |hour: usize| Some(((hour * 7) % 3) as f64);
        let mixed = |hour: usize, n: usize| of_hour(if n.is_multiple_of(2) { hour } else { hour + 1 });
        let baseline: Vec<Option<f64>> =
            (0..672).flat_map(|hour| (0..100).map(move |n| mixed(hour, n))).collect();
        let now = vec![of_hour(1); 400];
        let rise = |hour: usize| if hour.is_multiple_of(10) { 0.67 } else { 0.17 };
        let values: Vec<f64> = (0..672).map(rise).collect();
        let spread = Spread::of(&values, 672).map(|spread| Spread { days: 28.0, wander: 1.0, ..spread });
        let found = |top| {
            let (grid, baseline, current) = sides(&baseline, &now);
            let seen = Seen {
                signal: "feature.x",
                grid: &grid,
                baseline: &baseline,
                current: &current,
                healthy: Healthy { top, ..Healthy::default() },
                least_events: 50,
            };
            find(&seen, &limits()).expect("values on both sides")
        };
        assert!(found(None).is_beyond(), "where nobody knows");
        assert!(!found(spread).is_beyond(), "{:?}", found(spread));
    }

    #[test]
    fn a_value_that_stands_still_is_found_and_a_constant_that_stays_one_is_not() {
        let still = vec![Some(17.3); 400];
        assert_eq!(beyond(&wave(2_000), &still), [Monitor::Stuck]);
        let facts = &found(&wave(2_000), &still).into_iter().find(Finding::is_beyond).expect("stuck").facts;
        assert!(
            facts.starts_with("x is 17.3 in 100 % of events; the most frequent value usually in "),
            "{facts}"
        );
        assert!(beyond(&vec![Some(1.0); 2_000], &vec![Some(1.0); 400]).is_empty(), "a constant column");
        let zeros = |n: usize| -> Vec<Option<f64>> {
            (0..n).map(|index| Some(if index % 10 < 7 { 0.0 } else { index as f64 })).collect()
        };
        assert!(!beyond(&zeros(2_000), &zeros(400)).contains(&Monitor::Stuck));
    }
}
