//! The pace at which an error budget burns, over a long and a short window (METHODS 5).

use domain::objective::BurnRule;
use domain::time::Instant;

use super::objective::Objective;
use super::record::{Record, Tally};
use crate::stats::counts::Clumped;

/// So many bad events in the long window are no chance …
const ENOUGH_BAD: u64 = 10;
/// … and fewer are none if the allowed share brings so many this rarely, but never a single one.
const RARE: f64 = 1e-3;
const LEAST_BAD: u64 = 2;

/// What a rule says of an objective at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    /// The lesser of both rates: what must exceed the factor.
    pub rate: f64,
    pub long_rate: f64,
    pub short_rate: f64,
    pub factor: f64,
    pub long: Tally,
    pub long_s: f64,
    pub short_s: f64,
    /// Whether there are too few bad events to say anything (the low-traffic guard).
    pub is_guarded: bool,
}

impl Burn {
    /// `rate = share of bad events / (1 − target)`, in both windows of the rule.
    pub fn of(rule: &BurnRule, objective: &Objective, record: &Record, end: Instant) -> Self {
        let (long, short) = (record.trailing(end, rule.long), record.trailing(end, rule.short));
        let allowed = objective.allowed();
        let (long_rate, short_rate) = (long.share() / allowed, short.share() / allowed);
        Self {
            rate: long_rate.min(short_rate),
            long_rate,
            short_rate,
            factor: rule.factor(objective.period),
            long,
            long_s: rule.long.as_secs_f64(),
            short_s: rule.short.as_secs_f64(),
            is_guarded: is_chance(long, allowed),
        }
    }

    /// The first rule that fires; where none does, the one that is nearest to it. `None` without rules.
    pub fn fastest(
        rules: &[&BurnRule],
        objective: &Objective,
        record: &Record,
        end: Instant,
    ) -> Option<Self> {
        let burns: Vec<Self> = rules.iter().map(|rule| Self::of(rule, objective, record, end)).collect();
        let fires = |burn: &&Self| !burn.is_guarded && burn.rate > burn.factor;
        let nearest = |burns: &[Self]| {
            let pace = |burn: &Self| burn.rate / burn.factor;
            burns.iter().copied().max_by(|one, other| pace(one).total_cmp(&pace(other)))
        };
        burns.iter().find(fires).copied().or_else(|| nearest(&burns))
    }
}

/// Whether so few bad events may be chance: fewer than ten, and as many are not rare under the allowed share.
fn is_chance(long: Tally, allowed: f64) -> bool {
    if long.bad >= ENOUGH_BAD {
        return false;
    }
    if long.bad < LEAST_BAD {
        return true;
    }
    let law = Clumped::even(allowed * long.events as f64);
    law.is_none_or(|law| law.sf(long.bad - 1) >= RARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bad_events_count_only_where_they_are_rare() {
        let tally = |events, bad| Tally { events, bad };
        assert!(is_chance(tally(40, 1), 0.001));
        assert!(is_chance(tally(40, 1), 1e-6), "a single event is never an alarm");
        assert!(is_chance(tally(1_000, 3), 0.001));
        assert!(!is_chance(tally(40, 3), 0.001));
        assert!(!is_chance(tally(1_000_000, 10), 0.1));
        assert!(is_chance(tally(0, 0), 0.001));
    }
}
