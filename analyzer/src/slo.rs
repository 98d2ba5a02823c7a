//! Objectives as good and bad events: how fast their error budgets burn, and how much of them is left (METHODS 5).
//!
//! [`objective`] says which objectives a contract states, [`record`] keeps good and bad by step, [`burn`] judges the
//! pace, [`percentile`] says where quantiles lie, and [`findings`](fn@findings) puts it into words. Where windows are too far apart for
//! burn rates (a watch that looks once a day), [`crate::objectives`] judges the share of bad events in its window.

pub mod burn;
pub mod objective;
pub mod percentile;
pub mod record;

use std::time::Duration;

use domain::evaluation::{Monitor, Severity};
use domain::objective::BurnRule;
use domain::time::Instant;

use crate::finding::{Finding, numbers};
use crate::threshold::{Limit, Limits};
use crate::words;
use burn::Burn;
use objective::Objective;
use record::Record;

/// A rule is judged at least so many times while its long window goes by, else what it sees may be over.
const LOOKS_A_WINDOW: u32 = 4;

/// The rules of a severity that a watch of this step can follow.
pub fn followed(step: Duration, period: Duration, severity: Severity) -> Vec<&'static BurnRule> {
    domain::objective::rules_over(period)
        .filter(|rule| rule.severity == severity && step.saturating_mul(LOOKS_A_WINDOW) <= rule.long)
        .collect()
}

/// What is found about an objective at `end`: the pace that pages, and the slower one that makes a ticket.
pub fn findings(
    objective: &Objective,
    record: &Record,
    end: Instant,
    step: Duration,
    limits: &Limits,
) -> Vec<Finding> {
    let budget_left = record.budget_left(objective, end);
    [Severity::Page, Severity::Ticket]
        .into_iter()
        .filter_map(|severity| {
            let rules = followed(step, objective.period, severity);
            let burn = Burn::fastest(&rules, objective, record, end)?;
            Some(finding(objective, severity, burn, budget_left, limits))
        })
        .collect()
}

fn finding(
    objective: &Objective,
    severity: Severity,
    burn: Burn,
    budget_left: Option<f64>,
    limits: &Limits,
) -> Finding {
    let limit = limits.above(0.0, burn.factor, 0.0);
    // Two windows agree already: nothing is gained by waiting for a second look.
    let limit = Limit { urgent: burn.factor, ..limit };
    let value = if burn.is_guarded { burn.rate.min(burn.factor) } else { burn.rate };
    let is_slow = severity == Severity::Ticket;
    Finding {
        monitor: if is_slow { Monitor::SlowBurn } else { objective.monitor },
        signal: objective.signal.clone(),
        segment: String::new(),
        statistic: "burn_rate",
        value,
        limit,
        n_baseline: 0,
        n_current: burn.long.events,
        is_enough: burn.long.events > 0,
        is_quiet: is_slow && value <= burn.factor,
        numbers: numbers(
            [
                ("burn_rate", burn.rate),
                ("burn_long", burn.long_rate),
                ("burn_short", burn.short_rate),
                ("long_s", burn.long_s),
                ("short_s", burn.short_s),
                ("bad_events", burn.long.bad as f64),
                ("bad_share", burn.long.share()),
                ("allowed_share", objective.allowed()),
                ("period_days", objective.period.as_secs_f64() / 86_400.0),
            ]
            .into_iter()
            .chain(budget_left.map(|left| ("budget_left", left))),
        ),
        facts: facts(objective, &burn, budget_left),
    }
}

fn facts(objective: &Objective, burn: &Burn, budget_left: Option<f64>) -> String {
    let said = format!("{} in {}", objective.bad, words::percent(burn.long.share()));
    let evidence = format!(
        "{} over {} ({} allowed)",
        words::predictions(burn.long.events),
        words::seconds(burn.long_s),
        words::percent(objective.allowed()),
    );
    let period = words::seconds(objective.period.as_secs_f64());
    let left = match budget_left {
        Some(left) if left < 0.0 => format!(", and the budget of {period} is overspent"),
        Some(left) => format!(", and {} of the budget of {period} is left", words::percent(left)),
        None => String::new(),
    };
    if burn.is_guarded && burn.rate > burn.factor {
        return format!("{said}: too few to say that the budget burns; {evidence}{left}");
    }
    let pace = words::number(burn.rate);
    if burn.rate > burn.factor {
        let times = words::number(burn.factor);
        return format!("{said}: budget burns {pace} times too fast; {evidence}, limit {times} times{left}");
    }
    format!("{said}: budget burns at {pace} times its pace; {evidence}{left}")
}

#[cfg(test)]
mod tests {
    use domain::contract::{Contract, Objectives};
    use domain::time::{DAY, HOUR, MINUTE};

    use super::record::Step;
    use super::*;
    use crate::config::Config;

    fn objective(target: f64) -> Objective {
        let objectives = Objectives { availability: Some(target), ..Objectives::default() };
        let contract = Contract { objectives, ..Contract::default() };
        objective::stated(&contract).remove(0)
    }

    /// Three days of five-minute steps, `per_step` events each, with a bad share that depends on the step's age.
    fn record(per_step: u64, bad: impl Fn(Duration) -> f64) -> (Record, Instant) {
        let end = Instant::from_seconds(30 * 86_400);
        let step = 5 * MINUTE;
        let steps = (1..=3 * 288_u32).rev().map(|ago| {
            let age = step * (ago - 1);
            let bad = (per_step as f64 * bad(age)).round() as u64;
            Step { at: end.saturating_sub(step * ago), events: per_step, bad }
        });
        (Record::of(steps.collect(), Vec::new()), end)
    }

    fn found(target: f64, per_step: u64, bad: impl Fn(Duration) -> f64) -> Vec<Finding> {
        let (record, end) = record(per_step, bad);
        let limits = Limits::shared_over(&Config::default(), 10, 5 * MINUTE);
        findings(&objective(target), &record, end, 5 * MINUTE, &limits)
    }

    #[test]
    fn a_fast_burn_is_a_page_in_its_first_window() {
        let burning = found(0.999, 1_000, |age| if age < HOUR { 0.02 } else { 0.0 });
        let page = &burning[0];
        assert_eq!((page.monitor, page.statistic), (Monitor::Errors, "burn_rate"));
        assert!(page.is_beyond() && page.value > page.limit.urgent - 1e-9, "{page:?}");
        assert!((page.value - 20.0).abs() < 1e-9 && (page.limit.threshold - 14.4).abs() < 1e-9);
        assert!(page.facts.starts_with("failed in 2 %: budget burns 20 times too fast; 12,000 predictions over 60 min (0.1 % allowed), limit 14.4 times"), "{}", page.facts);
    }

    #[test]
    fn what_is_over_does_not_page_because_the_short_window_is_good() {
        let over = found(0.999, 1_000, |age| if age >= 30 * MINUTE && age < 2 * HOUR { 0.05 } else { 0.0 });
        assert!(!over[0].is_beyond(), "{:?}", over[0]);
    }

    #[test]
    fn a_slow_burn_is_a_ticket() {
        let slow = found(0.999, 1_000, |_| 0.004);
        assert!(!slow[0].is_beyond());
        let ticket = &slow[1];
        assert!(ticket.is_beyond() && ticket.monitor == Monitor::SlowBurn, "{ticket:?}");
        assert!((ticket.value - 4.0).abs() < 1e-9);
    }

    #[test]
    fn one_bad_event_of_forty_says_nothing() {
        let one = found(0.999, 1, |age| if age == 5 * MINUTE { 1.0 } else { 0.0 });
        assert!(one.iter().all(|finding| !finding.is_beyond()), "{one:?}");
        let few = found(0.999, 4, |age| if age == Duration::ZERO { 0.25 } else { 0.0 });
        assert!(!few[0].is_beyond(), "{}", few[0].facts);
    }

    #[test]
    fn nothing_is_said_where_there_are_no_events() {
        let none = found(0.999, 0, |_| 0.0);
        assert!(none.iter().all(|finding| !finding.is_enough || finding.value == 0.0), "{none:?}");
    }

    #[test]
    fn a_watch_that_looks_once_a_day_follows_no_burn_rate_that_pages() {
        let month = DAY * 30;
        assert_eq!(followed(5 * MINUTE, month, Severity::Page).len(), 2);
        assert_eq!(followed(HOUR, month, Severity::Page).len(), 1);
        assert!(followed(DAY, month, Severity::Page).is_empty());
    }
}
