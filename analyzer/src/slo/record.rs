//! Good and bad events of an objective over time, for all windows of a batch at once.
//!
//! Invariant: steps ascend in time and do not overlap, so that a trailing sum is a stretch of them.

use std::time::Duration;

use domain::time::{HOUR, Instant, Interval};

use super::objective::Objective;

/// One step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its start.
    pub at: Instant,
    pub events: u64,
    pub bad: u64,
}

/// Events, and those of them that are bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub events: u64,
    pub bad: u64,
}

impl Tally {
    /// Zero of nothing.
    pub fn share(&self) -> f64 {
        self.bad as f64 / self.events.max(1) as f64
    }

    fn add(self, other: Self) -> Self {
        Self { events: self.events + other.events, bad: self.bad + other.bad }
    }
}

/// Good and bad events of one objective.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Fine steps over the longest window of a rule.
    steps: Vec<Step>,
    /// Hours over the period of the budget.
    hours: Vec<Step>,
}

impl Record {
    /// Both ascend in time.
    pub fn of(steps: Vec<Step>, hours: Vec<Step>) -> Self {
        Self { steps, hours }
    }

    /// The fine steps that end by `end` and began no more than `length` before it.
    pub fn trailing(&self, end: Instant, length: Duration) -> Tally {
        sum(&self.steps, Interval::ending_at(end, length))
    }

    /// The part of the error budget that is left at `end`: `1 − bad / ((1 − target) · events)` over the period. Negative
    /// where more was spent; `None` without events.
    ///
    /// Whole hours are read as such, and what has passed of the present one in its steps.
    pub fn budget_left(&self, objective: &Objective, end: Instant) -> Option<f64> {
        let hour = end.floor(HOUR);
        let period = Interval::new(end.saturating_sub(objective.period).floor(HOUR), hour);
        let whole = sum(&self.hours, period);
        let present = sum(&self.steps, Interval::new(hour, end));
        let all = whole.add(present);
        let allowed = objective.allowed() * all.events as f64;
        (all.events > 0).then(|| 1.0 - all.bad as f64 / allowed)
    }
}

fn sum(steps: &[Step], within: Interval) -> Tally {
    let from = steps.partition_point(|step| step.at < within.start);
    let to = steps.partition_point(|step| step.at < within.end);
    let tally = |step: &Step| Tally { events: step.events, bad: step.bad };
    steps.get(from..to).unwrap_or_default().iter().map(tally).fold(Tally::default(), Tally::add)
}

#[cfg(test)]
mod tests {
    use domain::contract::{Contract, Objectives};
    use domain::time::MINUTE;

    use super::*;
    use crate::slo::objective;

    #[test]
    fn the_budget_counts_whole_hours_and_what_has_passed_of_the_present_one() {
        let objectives = Objectives { availability: Some(0.99), ..Objectives::default() };
        let objective = objective::stated(&Contract { objectives, ..Contract::default() }).remove(0);
        let at = |minute: u32| Instant::from_seconds(0).saturating_add(MINUTE * minute);
        let hours =
            vec![Step { at: at(0), events: 1_000, bad: 4 }, Step { at: at(60), events: 9_999, bad: 999 }];
        let steps = vec![Step { at: at(60), events: 500, bad: 1 }, Step { at: at(65), events: 500, bad: 0 }];
        let record = Record::of(steps, hours);
        let left = record.budget_left(&objective, at(70)).expect("events");
        assert!((left - (1.0 - 5.0 / 20.0)).abs() < 1e-12, "{left}");
        assert_eq!(record.trailing(at(70), 5 * MINUTE), Tally { events: 500, bad: 0 });
        assert_eq!(Record::default().budget_left(&objective, at(70)), None);
    }
}
