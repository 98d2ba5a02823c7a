//! How fast an error budget may burn before somebody is told: multi-window, multi-burn-rate (METHODS 5; The Site
//! Reliability Workbook, chapter 5, table 5-8).
//!
//! A burn rate of 1 spends the budget in exactly its period. A rule fires when both of its windows burn faster than its
//! factor: the long one says that it matters, the short one that it still goes on.

use std::time::Duration;

use crate::evaluation::Severity;
use crate::time::{DAY, HOUR};

/// The period of an error budget where none is stated, in days.
pub const PERIOD_DAYS: u32 = 30;

/// One pace of burning that somebody must know of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BurnRule {
    pub severity: Severity,
    /// The part of the budget that is spent when the rule fires at the pace of its factor.
    pub spent: f64,
    pub long: Duration,
    pub short: Duration,
}

const fn rule(severity: Severity, spent: f64, long: Duration, short: Duration) -> BurnRule {
    BurnRule { severity, spent, long, short }
}

/// The fastest first.
pub const BURN_RULES: [BurnRule; 4] = [
    rule(Severity::Page, 0.02, HOUR, Duration::from_secs(5 * 60)),
    rule(Severity::Page, 0.05, Duration::from_secs(6 * 3_600), Duration::from_secs(30 * 60)),
    rule(Severity::Ticket, 0.10, DAY, Duration::from_secs(2 * 3_600)),
    rule(Severity::Ticket, 0.10, Duration::from_secs(3 * 86_400), Duration::from_secs(6 * 3_600)),
];

impl BurnRule {
    /// `spent · period / long`: 14.4, 6, 3 and 1 for thirty days. Below 1 the budget would last, and nobody need know.
    pub fn factor(&self, period: Duration) -> f64 {
        self.spent * period.as_secs_f64() / self.long.as_secs_f64()
    }

    /// The share of bad events beyond which the rule fires.
    pub fn error_ratio(&self, target: f64, period: Duration) -> f64 {
        self.factor(period) * (1.0 - target)
    }

    /// How long a total outage lasts until the rule fires: `(1 − target) · long · factor`.
    pub fn fires_after(&self, target: f64, period: Duration) -> Duration {
        self.long.mul_f64(self.error_ratio(target, period).min(1.0))
    }
}

/// The rules that mean something over this period.
pub fn rules_over(period: Duration) -> impl Iterator<Item = &'static BurnRule> {
    BURN_RULES.iter().filter(move |rule| rule.factor(period) >= 1.0)
}

/// Why a share of good events cannot be an objective over this period; `None` where it can.
///
/// A rule fires when the share of bad events exceeds `factor · (1 − target)`. Where that is 1 or more it can never be.
pub fn refusal(target: f64, period: Duration) -> Option<String> {
    if !(target > 0.0 && target < 1.0) {
        return Some("must lie between 0 and 1, such as 0.999".to_owned());
    }
    let steepest =
        rules_over(period).max_by(|one, other| one.factor(period).total_cmp(&other.factor(period)))?;
    let factor = steepest.factor(period);
    (steepest.error_ratio(target, period) >= 1.0).then(|| {
        format!(
            "is so low that its fastest alarm could never fire: it asks for {} times the allowed share of {:.3}, \
             which is more than all events. Must be above {:.3}, such as 0.99",
            (factor * 100.0).round() / 100.0,
            1.0 - target,
            1.0 - 1.0 / factor
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MONTH: Duration = Duration::from_secs(30 * 86_400);

    #[test]
    fn the_factors_are_those_of_the_workbook() {
        let factors = BURN_RULES.map(|rule| (rule.factor(MONTH) * 1e9).round() / 1e9);
        assert_eq!(factors, [14.4, 6.0, 3.0, 1.0]);
        let fires = BURN_RULES.map(|rule| rule.fires_after(0.999, MONTH).as_secs_f64().round());
        assert_eq!(fires, [52.0, 130.0, 259.0, 259.0]);
    }

    #[test]
    fn an_objective_whose_alarm_could_never_fire_is_refused_with_the_reason() {
        assert_eq!(refusal(0.999, MONTH), None);
        assert_eq!(refusal(0.931, MONTH), None);
        let reason = refusal(0.93, MONTH).expect("14.4 × 0.07 is more than one");
        assert!(
            reason.contains("14.4 times the allowed share of 0.070") && reason.contains("above 0.931"),
            "{reason}"
        );
        assert!(refusal(99.9, MONTH).is_some_and(|reason| reason.contains("between 0 and 1")));
    }

    #[test]
    fn a_shorter_period_keeps_the_part_spent_and_drops_what_would_not_spend_it() {
        let week = Duration::from_secs(7 * 86_400);
        let factors: Vec<f64> =
            rules_over(week).map(|rule| (rule.factor(week) * 100.0).round() / 100.0).collect();
        assert_eq!(factors, [3.36, 1.4]);
        assert_eq!(refusal(0.8, week), None);
    }
}
