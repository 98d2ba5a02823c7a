//! How events arrive: their number, their silences and their errors, against what is usual at that time.

use std::time::Duration;

use domain::evaluation::Monitor;
use domain::time::{DAY, Interval, MINUTE};
use sql::freshness::InTime;
use sql::traffic_before::Earlier;

use super::Work;
use super::reading::Answers;
use super::watch::{Identity, WatchRun};
use crate::counted::{Stretch, Traffic};
use crate::finding::Finding;
use crate::objectives;
use crate::reference::Reference;
use crate::stats::proportion::Share;
use crate::traffic::{self, Silences, Usual};

/// So many earlier days say how complete a window is a while after its end.
const DAYS_LOOKED_BACK: u32 = 3;
/// Everything has arrived so long after a window's end.
const SETTLED: Duration = DAY;

impl WatchRun {
    pub(super) async fn traffic_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        answers: &Answers,
    ) -> anyhow::Result<Vec<Finding>> {
        let Answers { stretch, habits, .. } = answers;
        let events = stretch.traffic(window);
        let earlier = habits.earlier(window);
        let usual = Usual::of(&events_of(&earlier));
        let grown = usual
            .filter(|_| self.watch.looks_at(Monitor::Traffic))
            .map(|usual| usual.times(self.growth(window)));
        let mut findings = vec![self.volume(work, reference, window, events, (usual, grown)).await?];
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
        (usual, grown): (Option<Usual>, Option<Usual>),
    ) -> anyhow::Result<Finding> {
        let (config, limits) = (&work.config, &reference.limits);
        let Some(grown) = grown else { return Ok(traffic::volume(config, events, usual, limits)) };
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
            // From the first whole minute without an event.
            let start = last_event.saturating_add(2 * MINUTE - Duration::from_millis(1)).floor(MINUTE);
            let silent = Interval::new(start.min(window.end), window.end);
            let habits = self.habits_of(work, self.same_stretch(work, silent), silent.length()).await?;
            silences.of_stretch = Usual::of(&events_of(&habits.earlier(silent)));
            silences.longest = self.usual_gap(work, silent).await?;
        }
        Ok(Some(traffic::silence(config, window, last_event, silences, limits)))
    }

    /// The longest usual silence that touches the same time of earlier days.
    async fn usual_gap(&self, work: &Work, silent: Interval) -> anyhow::Result<Option<f64>> {
        let Identity { model, environment, .. } = &self.identity;
        let before = self.same_stretch(work, silent);
        Ok(traffic::usual_gap(&work.store.gaps_before(model, environment, before).await?))
    }
}

fn events_of(earlier: &[Earlier]) -> Vec<u64> {
    earlier.iter().map(|earlier| earlier.events).collect()
}
