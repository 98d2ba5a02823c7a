//! How many values that the baseline does not know are to be expected: as many as it saw once (Good and Turing).
//!
//! A column of ids has new values for ever and is never alarming for it; a closed list of codes is at once.

use domain::grid::Bin;

use super::Seen;
use crate::finding::{Finding, numbers};
use crate::stats::unseen::Unseen;
use crate::threshold::{Limit, Limits};

/// Holds a finding about unseen values against what was to be expected: no limit below what the law reaches by chance, and
/// one window is enough where the baseline knew every one of its own values.
///
/// Of the values that the grid does not name only the sum is known; each is taken as seen once, which expects too many
/// rather than too few.
pub fn refine(finding: &mut Finding, seen: &Seen<'_>, limits: &Limits) {
    let counts = &seen.baseline.counts;
    let named = counts.iter().filter(|(bin, _)| bin.value_index().is_some()).map(|(_, n)| n);
    let others = counts.get(Bin::OTHER);
    let ones = std::iter::repeat_n(1, usize::try_from(others).unwrap_or(usize::MAX));
    let Some(law) = Unseen::of(named.chain(ones)) else { return };
    let now = seen.current.counts.present();
    let unseen = seen.current.counts.get(Bin::OTHER);
    let p = law.p(unseen, now);
    let limit = finding.limit;
    finding.limit = match (p >= limits.ticket_level(), others) {
        (true, _) => Limit { threshold: limit.threshold.max(finding.value), ..limit },
        (false, 0) => Limit { urgent: limit.threshold, ..limit },
        (false, _) => limit,
    };
    finding.numbers.extend(numbers([("unseen_expected", law.rate()), ("unseen_p", p)]));
}

#[cfg(test)]
mod tests {
    use domain::baseline::SignalBaseline;
    use domain::counts::Counts;
    use domain::evaluation::Monitor;
    use domain::grid::{Bins, Grid, Levels};
    use domain::time::Instant;

    use super::super::{finding, tests::limits};
    use super::*;
    use crate::counted::Counted;
    use crate::reference::Healthy;

    /// A finding about `now` of *other* beside `named` values seen `each` times in the baseline.
    fn refined(named: usize, each: u64, others: [u64; 2], now: u64) -> Finding {
        let levels = Levels::of((0..named).map(|level| level.to_string()));
        let grid = Grid::new("m", "feature.c", Instant::EPOCH, Bins::Categories(levels));
        let bins = |n: u64| (0..named).map(move |place| (Bin(3 + place as u16), n));
        let counts = Counts::of(bins(each).chain([(Bin::OTHER, others[0])]));
        let baseline = SignalBaseline { counts, ..SignalBaseline::default() };
        let known = now - others[1];
        let current =
            Counted { counts: Counts::of([(Bin(3), known), (Bin::OTHER, others[1])]), ..Counted::default() };
        let seen = Seen {
            signal: "feature.c",
            grid: &grid,
            baseline: &baseline,
            current: &current,
            healthy: Healthy::default(),
            least_events: 10,
        };
        let value = others[1] as f64 / now as f64;
        let limit = limits().above(0.0, 0.01, 0.0);
        let n = [baseline.counts.present(), now];
        let subject = (Monitor::Unseen, "feature.c", "unseen_share");
        let mut finding = finding(subject, value, limit, n, [], String::new());
        refine(&mut finding, &seen, &limits());
        finding
    }

    #[test]
    fn new_ids_are_expected_and_a_new_code_is_an_alarm_at_once() {
        let ids = refined(100, 1, [4_900, 1_000], 1_000);
        assert!(!ids.is_beyond() && ids.numbers["unseen_p"] > 0.5, "{ids:?}");
        let code = refined(5, 1_000, [0, 20], 1_000);
        assert!(code.is_beyond() && code.value > code.limit.urgent, "{code:?}");
        let some = refined(5, 1_000, [0, 0], 1_000);
        assert!(!some.is_beyond(), "{some:?}");
    }
}
