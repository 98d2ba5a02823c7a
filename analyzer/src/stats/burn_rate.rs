//! How fast an error budget may burn before somebody is told (METHODS 5; the SRE workbook, alerting on SLOs).
//!
//! A rule fires when the bad share of both its windows is beyond `factor·(1 − SLO)`: the long one says that it matters,
//! the short one that it still goes on.

use std::time::Duration;

use domain::evaluation::Severity;
use domain::objective::BURN_RULES;
use domain::time::DAY;

/// One rule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    pub is_page: bool,
    /// How many times faster than even the budget burns.
    pub factor: f64,
    pub long_min: f64,
    pub short_min: f64,
}

/// The four rules of a period of so many days, each of which fires when the same part of the budget is spent:
/// `factor = spent·period/long`, so 14.4, 6, 3 and 1 for 30 days.
///
/// ```
/// use analyzer::stats::burn_rate::rules;
/// assert_eq!(rules(30.0).map(|rule| rule.factor), [14.4, 6.0, 3.0, 1.0]);
/// ```
pub fn rules(days: f64) -> [Rule; 4] {
    let minutes = |length: Duration| length.as_secs_f64() / 60.0;
    BURN_RULES.map(|rule| Rule {
        is_page: rule.severity == Severity::Page,
        factor: rule.factor(DAY.mul_f64(days)),
        long_min: minutes(rule.long),
        short_min: minutes(rule.short),
    })
}

impl Rule {
    /// The bad share at which it fires.
    pub fn bad_share(&self, objective: f64) -> f64 {
        self.factor * (1.0 - objective)
    }

    /// The part of a period's budget that is spent when it fires.
    pub fn spent(&self, days: f64) -> f64 {
        self.factor * self.long_min / (days * 1_440.0)
    }

    /// Minutes until it fires while `bad` of all events fail: `(1 − SLO)/bad·long·factor`. Beyond the long window it never
    /// does.
    pub fn fires_after_min(&self, objective: f64, bad: f64) -> f64 {
        self.bad_share(objective) / bad * self.long_min
    }

    /// Whether any outage can set it off: `factor·(1 − SLO) < 1`.
    pub fn can_fire(&self, objective: f64) -> bool {
        self.bad_share(objective) < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loose_objective_cannot_set_off_the_fast_rule() {
        let [fast, _, _, slow] = rules(30.0);
        assert!(!fast.can_fire(0.93) && fast.can_fire(0.94) && slow.can_fire(0.5));
    }

    #[test]
    fn an_outage_is_told_within_a_minute() {
        assert!((rules(30.0)[0].fires_after_min(0.999, 1.0) * 60.0 - 51.84).abs() < 1e-9);
    }
}
