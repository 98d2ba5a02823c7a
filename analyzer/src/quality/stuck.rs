//! One value that takes the place of all others: a sensor that stands still, a default that nothing overwrites.
//!
//! The share of the most frequent value is held against the baseline's: it must come half of the way from there to
//! "always", and more than noise explains. A signal that was constant before cannot get stuck.

use domain::evaluation::Monitor;
use domain::grid::{Bin, Bins};

use super::{Seen, finding, unlearned};
use crate::finding::Finding;
use crate::stats::proportion::Share;
use crate::threshold::{Limit, Limits};
use crate::words;

/// How much nearer to "always" the most frequent value must come.
const HALF_WAY: f64 = 0.5;

pub fn find(seen: &Seen<'_>, limits: &Limits) -> Option<Finding> {
    if !seen.is_enough() {
        return None;
    }
    let moments = (&seen.baseline.moments, &seen.current.moments);
    let is_constant = |least: f64, greatest: f64| least == greatest;
    let sides =
        [(&seen.baseline.counts, moments.0), (&seen.current.counts, moments.1)].map(|(counts, moments)| {
            let present = counts.present();
            let top = match &seen.grid.bins {
                Bins::Numbers(_) if moments.n > 0 && is_constant(moments.least, moments.greatest) => present,
                // Of a bin that holds a stretch of values nobody knows whether they are one value.
                Bins::Numbers(edges) => {
                    let atoms = counts
                        .iter()
                        .filter(|(bin, _)| bin.value_index().is_some_and(|position| edges.is_atom(position)));
                    atoms.map(|(_, n)| n).max().unwrap_or(0)
                }
                Bins::Categories(_) => {
                    let levels = counts.iter().filter(|(bin, _)| bin.value_index().is_some());
                    levels.map(|(_, n)| n).max().unwrap_or(0)
                }
            };
            Share::of(top, present)
        });
    let [Some(before), Some(now)] = sides else { return None };
    if now.n() < seen.least_events || before.n() < seen.least_events {
        return None;
    }
    let chance = limits.share(before, now, None);
    let room = HALF_WAY * (1.0 - before.value());
    let threshold = chance.threshold.max(before.value() + room);
    let limit = limits.above(before.value(), threshold, chance.noise);
    let limit = unlearned(Limit { floor: room, law: chance.law, ..limit });
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
    use super::super::tests::{beyond, found};
    use super::*;

    fn wave(n: usize) -> Vec<Option<f64>> {
        (0..n).map(|index| Some(((index * 37) % 1_000) as f64 / 10.0)).collect()
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
