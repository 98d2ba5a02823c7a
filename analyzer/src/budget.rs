//! How a model's budget of false alarms is split over everything that may raise one.
//!
//! A model has two budgets: of pages, which few subjects may cause, and of tickets, which all the others may. Each is
//! split evenly over the subjects and the looks of a month (METHODS 12(3)), so that the sum over them is the budget.

use std::time::Duration;

use domain::signal::{Role, role};
use domain::time::DAY;
use sql::baselines::BySignal;

use crate::config::Config;

const MONTH: Duration = Duration::from_secs(30 * DAY.as_secs());
/// So many times rarer are alarms where two windows in a row are asked for: measured 3 to 17 (METHODS 12, e9). Windows
/// that overlap are nearly the same window, and are counted as so many looks all the same; the two cancel.
const IN_A_ROW: f64 = 5.0;
/// Silence, errors, latency and performance may page for every model.
const PAGES_OF_A_MODEL: usize = 4;
/// Drift, missing values, and values that are beyond the usual range or unseen are looked at for every signal. What else is
/// looked at is behind floors that chance does not reach.
const LOOKS_AT_A_SIGNAL: usize = 3;

/// How many subjects may cause a false alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subjects {
    pub pages: usize,
    pub tickets: usize,
}

impl Subjects {
    /// What is watched where these signals are, in all their segments.
    pub fn of(signals: &BySignal) -> Self {
        let predictions = signals.keys().filter(|(_, signal)| role(signal) == Role::Prediction).count();
        let tickets = LOOKS_AT_A_SIGNAL * signals.len() - predictions;
        Self { pages: predictions + PAGES_OF_A_MODEL, tickets: tickets.max(1) }
    }
}

/// The chance that one look at one healthy subject may be beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    pub page: f64,
    pub ticket: f64,
}

impl Budget {
    /// `budget / (looks a month × subjects)`, times five where an alarm needs two windows in a row.
    pub fn split(config: &Config, subjects: Subjects, step: Duration) -> Self {
        let looks = MONTH.as_secs_f64() / step.as_secs_f64().max(1.0);
        let in_a_row = if config.confirm_windows > 1 { IN_A_ROW } else { 1.0 };
        let level =
            |budget: f64, subjects: usize| (in_a_row * budget / (looks * subjects.max(1) as f64)).min(0.5);
        Self {
            page: level(config.false_pages_a_month, subjects.pages),
            ticket: level(config.false_tickets_a_month, subjects.tickets),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = domain::time::HOUR;

    #[test]
    fn the_parts_of_a_budget_add_to_it() {
        let config = Config { confirm_windows: 1, ..Config::default() };
        let subjects = Subjects { pages: 5, tickets: 100 };
        let budget = Budget::split(&config, subjects, HOUR);
        assert!((budget.page * 720.0 * 5.0 - config.false_pages_a_month).abs() < 1e-12);
        assert!((budget.ticket * 720.0 * 100.0 - config.false_tickets_a_month).abs() < 1e-12);
    }

    #[test]
    fn a_larger_budget_and_fewer_subjects_give_each_more() {
        let subjects = Subjects { pages: 5, tickets: 100 };
        let one = Budget::split(&Config::default(), subjects, HOUR);
        let config = Config { false_pages_a_month: 2.0, ..Config::default() };
        assert!(Budget::split(&config, subjects, HOUR).page > one.page);
        assert!(Budget::split(&Config::default(), Subjects { pages: 10, ..subjects }, HOUR).page < one.page);
    }

    #[test]
    fn predictions_may_page_and_features_may_not() {
        let key = |signal: &str| ((String::new(), signal.to_owned()), Default::default());
        let signals = BySignal::from([key("prediction.score"), key("feature.a"), key("feature.b")]);
        assert_eq!(Subjects::of(&signals), Subjects { pages: 5, tickets: 8 });
    }
}
