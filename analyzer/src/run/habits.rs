//! The traffic that is usual of some windows that follow each other: two questions for all of them.

use std::time::Duration;

use domain::evaluation::Monitor;
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use sql::traffic_before::{Before, Earlier, TrafficBefore};

use super::Work;
use super::objectives::greatest_common_divisor;
use super::watch::{Identity, WatchRun};
use crate::traffic;

const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());
/// So many weeks say what is usual of a weekday.
const WEEKS: u32 = 4;
/// Where there are no earlier days, so many windows just before say what is usual.
const RECENT_WINDOWS: u32 = 12;

/// What earlier times brought, from which the habit of each window is taken.
#[derive(Debug, Default)]
pub(super) struct Habits {
    days: Option<TrafficBefore>,
    /// The windows just before, where there are too few days.
    recent: Option<TrafficBefore>,
}

impl Habits {
    /// The same stretch in earlier weeks, or else on earlier days, or else the windows just before.
    pub(super) fn earlier(&self, stretch: Interval) -> Vec<Earlier> {
        let Some(days) = self.days.as_ref().map(|days| days.of(stretch)) else { return Vec::new() };
        let weekly = usize::try_from(WEEK.as_secs() / period(stretch).as_secs()).unwrap_or(7).max(1);
        let weeks: Vec<Earlier> = days.iter().skip(weekly - 1).step_by(weekly).copied().collect();
        if weeks.len() >= traffic::LEAST_STRETCHES {
            return weeks;
        }
        if days.len() >= traffic::LEAST_STRETCHES {
            return days;
        }
        self.recent.as_ref().map(|recent| recent.of(stretch)).unwrap_or_default()
    }
}

impl WatchRun {
    pub(super) async fn read_habits(&mut self, work: &Work, windows: &[Interval]) -> anyhow::Result<Habits> {
        let looked_at = [Monitor::Traffic, Monitor::Silence, Monitor::Errors];
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Ok(Habits::default());
        };
        if !looked_at.into_iter().any(|monitor| self.watch.looks_at(monitor)) {
            return Ok(Habits::default());
        }
        // One window alone is one step.
        let mut days = self.same_stretch(work, *first);
        if windows.len() > 1 {
            let step = greatest_common_divisor(self.watch.step_s, days.period.as_secs());
            (days.stretch.end, days.step) = (last.end, Duration::from_secs(step));
        }
        if self.watch.looks_at(Monitor::Traffic) {
            self.read_growths(work, windows).await?;
        }
        self.habits_of(work, days, first.length()).await
    }

    /// How much more the day before a window that was read brought than the same weekday usually does.
    pub(super) fn growth(&self, window: Interval) -> f64 {
        self.growths.get(&window.start.floor(HOUR)).copied().unwrap_or(1.0)
    }

    /// A stretch of whole minutes, at the same time of earlier days.
    pub(super) fn same_stretch(&self, work: &Work, stretch: Interval) -> Before {
        let period = period(stretch);
        let not_before = self.habits_from();
        Before { stretch, step: period, period, periods: work.config.traffic_days, not_before }
    }

    /// What is usual of stretches of a `length` that begin and end with the steps of `days`.
    pub(super) async fn habits_of(
        &self,
        work: &Work,
        days: Before,
        length: Duration,
    ) -> anyhow::Result<Habits> {
        let Identity { model, environment, .. } = &self.identity;
        let mut habits = Habits::default();
        let first = Interval::new(days.stretch.start, days.stretch.start.saturating_add(length));
        if (days.periods_of(first) as usize) < traffic::LEAST_STRETCHES {
            let period = length.max(MINUTE);
            let step = greatest_common_divisor(days.step.as_secs(), period.as_secs());
            let step = Duration::from_secs(step);
            let recent = Before { step, period, periods: RECENT_WINDOWS, ..days };
            habits.recent = Some(work.store.traffic_before(model, environment, recent).await?);
        }
        habits.days = Some(work.store.traffic_before(model, environment, days).await?);
        Ok(habits)
    }

    /// Keeps what was read of the hours of `windows`; the windows of an hour share it.
    async fn read_growths(&mut self, work: &Work, windows: &[Interval]) -> anyhow::Result<()> {
        let Identity { model, environment, .. } = &self.identity;
        let mut hours: Vec<Instant> = windows.iter().map(|window| window.start.floor(HOUR)).collect();
        hours.dedup();
        self.growths.retain(|hour, _| hours.contains(hour));
        let length = self.schedule.length.max(DAY);
        let new = hours.iter().filter(|hour| !self.growths.contains_key(*hour));
        let new: Vec<Interval> = new.map(|hour| Interval::ending_at(*hour, length)).collect();
        let (Some(first), Some(last)) = (new.first(), new.last()) else { return Ok(()) };
        let before = Before {
            stretch: Interval::new(first.start, last.end),
            step: HOUR,
            period: weeks_over(length),
            periods: WEEKS,
            not_before: self.habits_from(),
        };
        let traffic = work.store.traffic_before(model, environment, before).await?;
        for day in new {
            let yesterday = if day.start >= before.not_before { traffic.sum(day).events } else { 0 };
            let weeks: Vec<u64> = traffic.of(day).iter().map(|week| week.events).collect();
            self.growths.insert(day.end, traffic::growth(yesterday, &weeks));
        }
        Ok(())
    }

    /// Nothing before this instant says what is usual.
    pub(super) fn habits_from(&self) -> Instant {
        self.watch.from.map_or(self.first_event, |from| from.0.max(self.first_event))
    }
}

/// The whole days after which the same time of day comes again.
fn period(stretch: Interval) -> Duration {
    let days = stretch.length().max(MINUTE).as_secs().div_ceil(DAY.as_secs());
    DAY.saturating_mul(u32::try_from(days).unwrap_or(u32::MAX))
}

/// Whole weeks that hold a stretch.
fn weeks_over(length: Duration) -> Duration {
    let weeks = length.as_secs().div_ceil(WEEK.as_secs()).max(1);
    WEEK.saturating_mul(u32::try_from(weeks).unwrap_or(u32::MAX))
}
