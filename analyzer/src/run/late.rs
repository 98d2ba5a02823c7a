//! Events that came after their windows were judged: the windows are judged again, and what they led to as well.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::evaluation::{Evaluation, Verdict};
use domain::time::{DAY, Instant, Interval, MINUTE};
use sql::evaluations::Judged;

use super::Work;
use super::storing::{Round, Together};
use super::watch::{STANDINGS_REACH, WatchRun};
use crate::standings::{Key, Standings};
use crate::threshold::{Rules, Standing};

/// An event is in the store so long after it was received at the latest, usually much sooner.
const MOST_WRITING: Duration = Duration::from_secs(10);

/// What is remembered to notice late events.
#[derive(Debug, Default)]
pub(super) struct Lateness {
    /// When each window was judged, by its end, as far back as late events still count; `None` until it was read.
    judged_at: Option<BTreeMap<Instant, Instant>>,
    checked_at: Option<Instant>,
}

impl Lateness {
    /// Looks for nothing while the clock stands at `now`.
    pub(super) fn never(&mut self, now: Instant) {
        self.checked_at = Some(now);
    }

    pub(super) fn judged(&mut self, together: &Together) {
        if let Some(judged_at) = &mut self.judged_at {
            let judged = together.windows.iter().filter_map(|(window, at)| Some((window.end, (*at)?)));
            judged_at.extend(judged);
        }
    }
}

impl WatchRun {
    /// Judges again what late events changed. Returns how many windows that were.
    pub(super) async fn review(&mut self, work: &mut Work) -> anyhow::Result<usize> {
        let now = work.now();
        let every = Duration::from_secs(work.config.late_check_s);
        let is_due = self.lateness.checked_at.is_none_or(|at| now.since(at) >= every);
        let (Some(until), true, true) = (self.judged_until, is_due, self.reference.is_some()) else {
            return Ok(0);
        };
        let reach = match self.watch.history {
            true => Instant::EPOCH,
            false => now.saturating_sub(DAY.saturating_mul(work.config.late_days)),
        };
        let changed = self.changed_windows(work, Interval::new(reach, until)).await?;
        self.lateness.checked_at = Some(now);
        match (changed.first().copied(), changed.last().copied()) {
            (Some(first), Some(last)) => self.judge_again(work, first, last).await,
            _ => Ok(0),
        }
    }

    /// The windows that end within `reach` and in which lies an event that was received after they were judged, or so
    /// shortly before that they may have missed it.
    async fn changed_windows(&mut self, work: &Work, reach: Interval) -> anyhow::Result<Vec<Instant>> {
        let watched = self.watched(false);
        let judged_at = match &mut self.lateness.judged_at {
            Some(judged_at) => judged_at,
            unread => unread.insert(work.store.evaluations_judged_at(&watched, reach.start).await?),
        };
        *judged_at = judged_at.split_off(&reach.start);
        let Some((first, _)) = judged_at.first_key_value() else { return Ok(Vec::new()) };
        let received_after =
            self.lateness.checked_at.map_or(Instant::EPOCH, |at| at.saturating_sub(MOST_WRITING));
        let events = Interval::new(first.saturating_sub(self.schedule.length), reach.end);
        let minutes =
            work.store.minutes_received(&watched.model, &watched.environment, events, received_after).await?;
        let mut changed: Vec<Instant> = Vec::new();
        for (minute, received_at) in minutes {
            let holding =
                judged_at.range(minute.saturating_add(MINUTE)..=minute.saturating_add(self.schedule.length));
            let missed = holding.filter(|(_, judged)| received_at.saturating_add(MOST_WRITING) > **judged);
            changed.extend(missed.map(|(end, _)| *end));
        }
        changed.sort_unstable();
        changed.dedup();
        Ok(changed)
    }

    /// Judges from the window that ends at `first` to the one that ends at `last`, and on until the verdicts are what
    /// they were.
    async fn judge_again(&mut self, work: &mut Work, first: Instant, last: Instant) -> anyhow::Result<usize> {
        let Some(until) = self.judged_until else { return Ok(0) };
        let step = self.schedule.step;
        let before = first.saturating_sub(step);
        let watched = self.watched(false);
        let reach = Interval::new(before.saturating_sub(STANDINGS_REACH), before);
        let stored = work.store.evaluations_standing(&watched, reach).await?;
        let present =
            std::mem::replace(&mut self.standings, Standings::resumed(Rules::from(&work.config), stored));
        tracing::info!(
            model = watched.model, watch = watched.watch, from = %first, to = %last,
            "events came late: their windows are judged again"
        );
        let outcome = self.judge_until_same(work, Interval::new(before, until), last).await;
        match outcome {
            Ok(Again { windows, is_same: true }) => {
                self.standings = present;
                Ok(windows)
            }
            Ok(Again { windows, is_same: false }) => Ok(windows),
            Err(error) => {
                // What was stored is right; where the subjects stand is read again.
                self.judged_until = None;
                Err(error)
            }
        }
    }

    async fn judge_until_same(
        &mut self,
        work: &mut Work,
        span: Interval,
        last: Instant,
    ) -> anyhow::Result<Again> {
        let mut again = Again::default();
        let mut end = span.start;
        while end < span.end {
            let mut batch: Vec<Interval> = self
                .schedule
                .closed_between(end, work.now())
                .take_while(|window| window.end <= span.end)
                .take(work.config.windows_a_batch)
                .collect();
            self.keep_of_one_past(work, &mut batch);
            let Some(batch_end) = batch.last().map(|window| window.end) else { break };
            let stored =
                work.store.evaluations_judged(&self.watched(false), Interval::new(end, batch_end)).await?;
            let answers = self.read(work, &batch).await?;
            let mut together = Together::default();
            for window in batch {
                if work.is_stopping() || again.is_same {
                    break;
                }
                if !together.has_room_for(window) {
                    self.store_again(work, std::mem::take(&mut together)).await?;
                }
                let then: Vec<&Judged> =
                    stored.iter().filter(|judged| judged.window_end == window.end).collect();
                let evaluations = self.judge(work, window, &answers, &keys(&then)).await?;
                self.standings.take(&evaluations);
                again.windows += 1;
                again.is_same = window.end >= last && leads_to_the_same(&evaluations, &then);
                together.push(window, evaluations);
            }
            self.store_again(work, together).await?;
            if work.is_stopping() || again.is_same {
                break;
            }
            end = batch_end;
        }
        Ok(again)
    }

    async fn store_again(&mut self, work: &mut Work, together: Together) -> anyhow::Result<()> {
        self.store(work, &together, Round::Again).await?;
        self.lateness.judged(&together);
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Again {
    windows: usize,
    /// Whether the verdicts met those of before: what follows stays as it is.
    is_same: bool,
}

fn keys(judged: &[&Judged]) -> Vec<Key> {
    let key = |judged: &&Judged| Key {
        monitor: judged.monitor,
        signal: judged.signal.clone(),
        segment: judged.segment.clone(),
    };
    judged.iter().map(key).collect()
}

/// Whether the next window goes on from the same verdicts as it did before.
fn leads_to_the_same(now: &[Evaluation], then: &[&Judged]) -> bool {
    let counts = |verdict: Verdict| verdict != Verdict::TooLittleData;
    let open = |verdict: Verdict| counts(verdict) && verdict != Verdict::OnCourse;
    let stood: BTreeMap<Key, Standing> = keys(then)
        .into_iter()
        .zip(then)
        .map(|(key, judged)| {
            (key, Standing { verdict: judged.verdict, streak: judged.streak, since: judged.since })
        })
        .collect();
    let is_same = |evaluation: &Evaluation| match stood.get(&Key::of(evaluation)) {
        Some(stood) if open(evaluation.verdict) || open(stood.verdict) => *stood == Standing::of(evaluation),
        Some(stood) => counts(stood.verdict) == counts(evaluation.verdict),
        None => !open(evaluation.verdict),
    };
    now.iter().all(is_same)
}
