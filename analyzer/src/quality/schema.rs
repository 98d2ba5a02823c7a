//! A signal that disappeared, or whose values are of another type altogether.
//!
//! How many values are missing or invalid is said elsewhere; this says that there is not one left, which is what a changed
//! producer looks like. What comes and goes, as gusts on calm days, has not disappeared. What appears anew is recorded as
//! a change when its bins are made.

use domain::evaluation::Monitor;

use super::{Seen, finding};
use crate::finding::Finding;
use crate::stats::proportion::Share;
use crate::threshold::{Limits, was_gone};
use crate::words;

/// A signal that was in fewer events than this part was optional.
const WAS_THERE: f64 = 0.05;
/// Of so many values that should have come not one is chance.
const LEAST_EXPECTED: f64 = 50.0;

pub fn find(seen: &Seen<'_>, limits: &Limits) -> Option<Finding> {
    let (before, now) = (&seen.baseline.counts, &seen.current.counts);
    let (n, m) = (before.total(), now.total());
    let was = before.present() as f64 / n.max(1) as f64;
    if was < WAS_THERE || was * (m as f64) < LEAST_EXPECTED {
        return None;
    }
    let [before_share, now_share] = [before, now].map(|counts| Share::of(counts.missing(), counts.total()));
    if was_gone(before_share?, now_share?, seen.healthy.missing.as_ref()) {
        return None;
    }
    let is_of_another_type = now.present() == 0 && now.invalid() > now.missing();
    let gone = 1.0 - now.present() as f64 / m as f64;
    let name = words::signal(seen.signal);
    let events = words::events(m);
    let facts = match (now.present(), is_of_another_type) {
        (0, true) => format!("{name} has another type; not one of {events} has a usable value"),
        (0, false) => format!("{name} disappeared; not one of {events} carries it"),
        _ => format!("{name} is there"),
    };
    // Only all of them are beyond it: the last value that is left makes it a share, which others judge.
    let last = 1.0 - 0.5 / m as f64;
    let limit = limits.above(0.0, last, 0.0);
    let known = [("is_of_another_type", f64::from(u8::from(is_of_another_type)))];
    let subject = (Monitor::Schema, seen.signal, "gone_share");
    Some(finding(subject, gone, limit, [n, m], known, facts))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{beyond, found, limits, sides};
    use super::*;
    use crate::reference::Healthy;
    use crate::spread::Spread;

    fn wave(n: usize) -> Vec<Option<f64>> {
        (0..n).map(|index| Some(index as f64)).collect()
    }

    #[test]
    fn what_is_gone_and_what_is_of_another_type_are_told_apart() {
        let facts = |now: &[Option<f64>]| {
            let found = found(&wave(500), now).into_iter().filter(Finding::is_beyond);
            found.map(|finding| finding.facts).collect::<Vec<_>>()
        };
        assert_eq!(facts(&vec![None; 300]), ["x disappeared; not one of 300 events carries it"]);
        assert_eq!(
            facts(&vec![Some(f64::NAN); 300]),
            ["x has another type; not one of 300 events has a usable value"]
        );
        let mut one_left = vec![None; 300];
        one_left[0] = Some(7.0);
        assert!(!beyond(&wave(500), &one_left).contains(&Monitor::Schema));
    }

    /// Gusts: of three months every third day has none at all, the others some.
    #[test]
    fn what_comes_and_goes_has_not_disappeared() {
        let usual: Vec<Option<f64>> = (0..900).map(|n| (n % 3 == 0).then_some(f64::from(n))).collect();
        let (grid, baseline, current) = sides(&usual, &vec![None; 300]);
        let days: Vec<f64> = (0..90).map(|day| if day % 3 == 0 { 8.0 } else { -4.0 }).collect();
        let spread = Spread::of(&days, 90).map(|spread| Spread { days: 90.0, wander: 0.08, ..spread });
        let told = |missing| {
            let seen = Seen {
                signal: "feature.gust",
                grid: &grid,
                baseline: &baseline,
                current: &current,
                healthy: Healthy { missing, ..Healthy::default() },
                least_events: 50,
            };
            find(&seen, &limits()).is_some_and(|finding| finding.is_beyond())
        };
        assert!(told(None), "where nobody knows");
        assert!(!told(spread), "{spread:?}");
    }
}
