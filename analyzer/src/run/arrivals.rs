//! How events arrive: their number, their silences and their errors, against what is usual at that time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use domain::evaluation::Monitor;
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use sql::evaluations::{Before, Earlier};
use sql::freshness::InTime;

use super::Work;
use super::watch::{Identity, WatchRun};
use crate::counted::{Stretch, Traffic};
use crate::finding::Finding;
use crate::objectives;
use crate::reference::Reference;
use crate::stats::proportion::Share;
use crate::traffic::{self, Silences, Usual};

const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());
/// So many weeks say what is usual of a weekday.
const WEEKS: u32 = 4;
/// So many earlier days say how complete a window is a while after its end.
const DAYS_LOOKED_BACK: u32 = 3;
/// Everything has arrived so long after a window's end.
const SETTLED: Duration = DAY;

/// How much traffic had grown, by the hour at which that was asked: the same answer serves the windows of that hour.
#[derive(Debug, Default)]
pub(super) struct Growths(Mutex<BTreeMap<Instant, f64>>);

impl Growths {
    /// A batch of windows lies within so many hours; older answers are asked for again.
    const MOST: usize = 256;

    fn get(&self, end: Instant) -> Option<f64> {
        self.0.lock().ok()?.get(&end).copied()
    }

    fn put(&self, end: Instant, growth: f64) {
        if let Ok(mut known) = self.0.lock() {
            if known.len() >= Self::MOST {
                known.clear();
            }
            known.insert(end, growth);
        }
    }
}

impl WatchRun {
    pub(super) async fn traffic_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        stretch: &Stretch,
    ) -> anyhow::Result<Vec<Finding>> {
        let events = stretch.traffic(window);
        let needs_habits = [Monitor::Traffic, Monitor::Silence, Monitor::Errors];
        let earlier = match needs_habits.into_iter().any(|monitor| self.watch.looks_at(monitor)) {
            true => self.earlier(work, window).await?,
            false => Vec::new(),
        };
        let usual = Usual::of(&events_of(&earlier));
        let mut findings = vec![self.volume(work, reference, window, events, usual).await?];
        findings.extend(self.silence(work, reference, window, stretch, usual).await?);
        if stretch.objectives.iter().all(|(objective, _)| objective.monitor != Monitor::Errors) {
            let sums = earlier.iter().fold((0, 0), |sum, one| (sum.0 + one.events, sum.1 + one.errors));
            let usual = Share::of(sums.1, sums.0).filter(|share| share.n() >= self.watch.least_events);
            findings.extend(objectives::errors(&self.contract, events, usual, &reference.limits));
        }
        Ok(findings)
    }

    /// The number of events against what is usual, grown as the day before was, and as far as it has arrived.
    async fn volume(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        events: Traffic,
        usual: Option<Usual>,
    ) -> anyhow::Result<Finding> {
        let (config, limits) = (&work.config, &reference.limits);
        let Some(usual) = usual.filter(|_| self.watch.looks_at(Monitor::Traffic)) else {
            return Ok(traffic::volume(config, events, usual, limits));
        };
        let grown = usual.times(self.growth(work, window).await?);
        let finding = traffic::volume(config, events, Some(grown), limits);
        let is_low = (events.events as f64) < grown.expected;
        if !(finding.is_beyond() && is_low) {
            return Ok(finding);
        }
        let complete = self.completeness(work, window).await?;
        let mut finding = traffic::volume(config, events, Some(grown.times(complete)), limits);
        finding.numbers.insert("complete".to_owned(), complete);
        Ok(finding)
    }

    /// How much more the day before this window brought than the same weekday usually does.
    async fn growth(&self, work: &Work, window: Interval) -> anyhow::Result<f64> {
        let length = window.length().max(DAY);
        let end = window.start.floor(HOUR);
        if let Some(known) = self.growths.get(end) {
            return Ok(known);
        }
        let Identity { model, environment, .. } = &self.identity;
        let day = Interval::ending_at(end, length);
        let not_before = self.habits_from();
        let before = |stretch: Interval, period: Duration, periods: u32| Before {
            stretch,
            period_s: period.as_secs(),
            periods,
            not_before,
        };
        let next = Interval::ending_at(end.saturating_add(length), length);
        let (last, same_weekdays) = (before(next, length, 1), before(day, weeks_over(length), WEEKS));
        let (yesterday, weeks) = tokio::try_join!(
            work.store.traffic_before(model, environment, &last),
            work.store.traffic_before(model, environment, &same_weekdays),
        )?;
        let growth = traffic::growth(yesterday.first().map_or(0, |day| day.events), &events_of(&weeks));
        self.growths.put(end, growth);
        Ok(growth)
    }

    /// The part of a window's events that has arrived so long after its end, as it was on earlier days; of the windows
    /// just before where there are none. One where nobody knows, and long after.
    async fn completeness(&self, work: &Work, window: Interval) -> anyhow::Result<f64> {
        let delay = work.now().since(window.end);
        if delay >= SETTLED {
            return Ok(1.0);
        }
        let length = window.length();
        for (period, ago) in [(DAY, 1..=DAYS_LOOKED_BACK), (length, 2..=1 + DAYS_LOOKED_BACK)] {
            let mut all = InTime::default();
            for ago in ago {
                let back = period.saturating_mul(ago);
                let earlier = Interval::ending_at(window.end.saturating_sub(back), length);
                let by = earlier.end.saturating_add(delay);
                let Identity { model, environment, .. } = &self.identity;
                let one = work.store.arrived_in_time(model, environment, earlier, by).await?;
                all = InTime { events: all.events + one.events, in_time: all.in_time + one.in_time };
            }
            if let Some(share) = Share::of(all.in_time, all.events) {
                return Ok(share.value());
            }
        }
        Ok(1.0)
    }

    async fn silence(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        stretch: &Stretch,
        usual: Option<Usual>,
    ) -> anyhow::Result<Option<Finding>> {
        let (config, limits) = (&work.config, &reference.limits);
        let last_event = stretch.last_event_before(window.end).or(self.last_event_before(window.end));
        let Some(last_event) = last_event.filter(|last| *last < window.end) else { return Ok(None) };
        let mut silences = Silences { of_window: usual, ..Silences::default() };
        if traffic::is_long_silence(config, window, last_event, usual, limits) {
            let silent = Interval::new(last_event.saturating_add(MINUTE).min(window.end), window.end);
            let earlier = self.earlier(work, silent).await?;
            silences.of_stretch = Usual::of(&events_of(&earlier));
            silences.longest = self.usual_gap(work, silent).await?;
        }
        Ok(Some(traffic::silence(config, window, last_event, silences, limits)))
    }

    /// The longest usual silence that touches the same time of earlier days.
    async fn usual_gap(&self, work: &Work, silent: Interval) -> anyhow::Result<Option<f64>> {
        let Identity { model, environment, .. } = &self.identity;
        let day = silent.length().as_secs().div_ceil(DAY.as_secs()).max(1) * DAY.as_secs();
        let before = Before {
            stretch: silent,
            period_s: day,
            periods: work.config.traffic_days,
            not_before: self.habits_from(),
        };
        Ok(traffic::usual_gap(&work.store.gaps_before(model, environment, &before).await?))
    }

    /// Nothing before this instant says what is usual.
    fn habits_from(&self) -> Instant {
        self.watch.from.map_or(self.first_event, |from| from.0.max(self.first_event))
    }
}

/// Whole weeks that hold a stretch.
fn weeks_over(length: Duration) -> Duration {
    let weeks = length.as_secs().div_ceil(WEEK.as_secs()).max(1);
    WEEK.saturating_mul(u32::try_from(weeks).unwrap_or(u32::MAX))
}

fn events_of(earlier: &[Earlier]) -> Vec<u64> {
    earlier.iter().map(|earlier| earlier.events).collect()
}
