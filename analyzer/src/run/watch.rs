//! One watch of one model: where it is, what it compares with, and how it judges a window.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::{Against, Contract, Watch};
use domain::evaluation::{Evaluation, Monitor};
use domain::time::{DAY, Instant, Interval};
use domain::window::Schedule;
use sql::evaluations::{ModelSeen, Watched};

use super::Work;
use super::labels::LabelRun;
use super::late::Lateness;
use super::past::Past;
use super::quality::Quality;
use super::reading::Answers;
use super::slips::Slips;
use super::storing::{Round, Together};
use crate::config::Config;
use crate::finding;
use crate::inhibition;
use crate::reference::Reference;
use crate::signals;
use crate::standings::{Key, Standings};
use crate::threshold::Rules;

/// Windows of a history that are judged before others have their turn.
const HISTORY_A_PASS: usize = 32;
/// A subject that said nothing for so long starts anew.
pub(super) const STANDINGS_REACH: Duration = Duration::from_secs(35 * DAY.as_secs());

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(super) model: String,
    pub(super) environment: String,
    pub(super) watch: String,
}

impl Identity {
    pub(crate) fn of(seen: &ModelSeen, watch: &Watch) -> Self {
        Self { model: seen.model.clone(), environment: seen.environment.clone(), watch: watch.name.clone() }
    }
}

/// What one turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) windows: usize,
    pub(crate) is_more: bool,
}

pub(crate) struct WatchRun {
    pub(super) identity: Identity,
    pub(super) contract: Contract,
    pub(super) watch: Watch,
    pub(super) schedule: Schedule,
    pub(super) first_event: Instant,
    last_event: Instant,
    /// The end of the last window that was judged; `None` until it is known.
    pub(super) judged_until: Option<Instant>,
    pub(super) standings: Standings,
    /// The named baseline, or what stands for it.
    pub(super) reference: Option<Arc<Reference>>,
    pub(super) reference_at: Instant,
    /// What windows are compared with where that is no named baseline, and what was learned of it.
    pub(super) past: Past,
    pub(super) lateness: Lateness,
    pub(super) labels: LabelRun,
    /// How much traffic had grown, by the hour: the windows of an hour share it.
    pub(super) growths: BTreeMap<Instant, f64>,
    pub(super) quality: Quality,
    pub(super) slips: Slips,
    /// Whether all closed windows were judged at least once since the start.
    is_caught_up: bool,
}

impl WatchRun {
    pub(crate) fn new(config: &Config, seen: &ModelSeen, contract: Contract, watch: Watch) -> Self {
        Self {
            identity: Identity::of(seen, &watch),
            schedule: watch.schedule(),
            contract,
            watch,
            first_event: seen.first_event,
            last_event: seen.last_event,
            judged_until: None,
            standings: Standings::new(Rules::from(config)),
            reference: None,
            reference_at: Instant::EPOCH,
            past: Past::default(),
            lateness: Lateness::default(),
            labels: LabelRun::new(Rules::from(config)),
            growths: BTreeMap::new(),
            quality: Quality::default(),
            slips: Slips::default(),
            is_caught_up: false,
        }
    }

    pub(crate) fn saw_events(&mut self, seen: &ModelSeen) {
        self.first_event = seen.first_event;
        self.last_event = seen.last_event;
    }

    pub(crate) fn is_of(&self, seen: &ModelSeen) -> bool {
        self.identity.model == seen.model && self.identity.environment == seen.environment
    }

    pub(crate) fn model(&self) -> &str {
        &self.identity.model
    }

    /// How it is called in logs.
    pub(crate) fn name(&self) -> String {
        let Identity { model, environment, watch } = &self.identity;
        format!("watch {watch} of {model} in {environment}")
    }

    pub(crate) fn is_history(&self) -> bool {
        self.watch.history
    }

    /// When the next window closes; `None` where none is left.
    pub(crate) fn next_close(&self, now: Instant) -> Option<Instant> {
        let end = self.schedule.last_closed_end(now).saturating_add(self.schedule.step);
        self.is_watched(end).then(|| end.saturating_add(self.schedule.grace))
    }

    /// For how long a window has been closed and not judged; `None` for history, and while the first catching up goes
    /// on.
    pub(crate) fn behind(&self, now: Instant) -> Option<Duration> {
        let until = self.judged_until.filter(|_| !self.is_history() && self.is_caught_up)?;
        let last = self.schedule.last_closed_end(now);
        let next = until.saturating_add(self.schedule.step);
        let is_behind = next <= last && self.is_watched(next);
        Some(if is_behind { now.since(next.saturating_add(self.schedule.grace)) } else { Duration::ZERO })
    }

    /// How many closed windows are not judged yet.
    pub(crate) fn windows_left(&self, now: Instant) -> u64 {
        let last = self.schedule.last_closed_end(now);
        let last = self.watch.until.map_or(last, |until| until.0.floor(self.schedule.step).min(last));
        let from = self.judged_until.unwrap_or(last);
        last.since(from).as_secs() / self.schedule.step.as_secs().max(1)
    }

    /// Whether nothing can be said before there is a baseline: history can wait for one, and a watch that looks only at
    /// what is compared with one must, or it would pass over windows without a word.
    fn waits_for_baseline(&self) -> bool {
        if !matches!(self.watch.against(), Against::Named | Against::SameHour { .. }) {
            return false;
        }
        const COMPARED: [Monitor; 10] = [
            Monitor::Drift,
            Monitor::Missing,
            Monitor::Invalid,
            Monitor::Unseen,
            Monitor::Range,
            Monitor::Types,
            Monitor::Cardinality,
            Monitor::Stuck,
            Monitor::Schema,
            Monitor::Completeness,
        ];
        self.is_history()
            || Monitor::ALL.iter().all(|one| COMPARED.contains(one) || !self.watch.looks_at(*one))
    }

    fn is_watched(&self, end: Instant) -> bool {
        self.watch.until.is_none_or(|until| end <= until.0)
    }

    pub(super) fn watched(&self, performance: bool) -> Watched {
        Watched {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            watch: self.identity.watch.clone(),
            performance,
        }
    }

    /// Judges the closed windows that are next, up to a bound.
    pub(crate) async fn advance(
        &mut self,
        work: &mut Work,
        baselines: &[Baseline],
    ) -> anyhow::Result<Advance> {
        let until = match self.judged_until {
            Some(until) => until,
            None => self.begin(work).await?,
        };
        self.refresh(work, baselines).await?;
        let has_baseline = self.reference.as_ref().is_some_and(|reference| reference.baseline.is_some());
        if !has_baseline && self.waits_for_baseline() {
            return Ok(Advance::default());
        }
        let most = if self.is_history() { HISTORY_A_PASS } else { work.config.windows_a_batch };
        let most = most.min(self.windows_that_fit());
        let closed =
            self.schedule.closed_between(until, work.now()).take_while(|window| self.is_watched(window.end));
        let mut windows: Vec<Interval> = closed.take(most + 1).collect();
        let is_more = windows.len() > most;
        windows.truncate(most);
        let is_more = self.keep_of_one_past(work, &mut windows) || is_more;
        let is_more = self.keep_last_alone(work, &mut windows).await? || is_more;
        let judged = self.judge_windows(work, &windows).await?;
        self.is_caught_up |= !is_more;
        let again = self.review(work).await?;
        let (followed, is_more_labelled) = self.follow_outcomes(work).await?;
        if (self.is_history() || is_more) && !windows.is_empty() {
            tracing::info!(
                model = self.identity.model, watch = self.identity.watch, windows = judged,
                until = %self.judged_until.unwrap_or(until), left = self.windows_left(work.now()),
                "judged windows of the past"
            );
        }
        Ok(Advance { windows: judged + again + followed, is_more: is_more || is_more_labelled })
    }

    /// With the last window of a history all that stands in it is over. So it is judged alone, after the outcomes of those
    /// before it, or what they say would come as news of incidents that are over. Whether it was left.
    async fn keep_last_alone(
        &mut self,
        work: &mut Work,
        windows: &mut Vec<Interval>,
    ) -> anyhow::Result<bool> {
        let until = self.watch.until.map(|until| until.0.floor(self.schedule.step));
        let holds_last = self.is_history() && windows.last().map(|window| window.end) == until;
        if !holds_last || until.is_none() {
            return Ok(false);
        }
        if windows.len() > 1 {
            windows.pop();
            return Ok(true);
        }
        self.labels.ask_again(false);
        while self.follow_outcomes(work).await?.1 {}
        // Its own come last, and need not wait either.
        self.labels.ask_again(false);
        Ok(false)
    }

    /// Where an earlier process stopped, or where the first window begins.
    async fn begin(&mut self, work: &Work) -> anyhow::Result<Instant> {
        let watched = self.watched(false);
        let until = match work.store.evaluations_progress(&watched).await? {
            Some(until) => {
                let reach = Interval::new(until.saturating_sub(STANDINGS_REACH), until);
                let stored = work.store.evaluations_standing(&watched, reach).await?;
                self.standings = Standings::resumed(Rules::from(&work.config), stored);
                until
            }
            None => self.first_start(&work.config, work.now()),
        };
        self.judged_until = Some(until);
        Ok(until)
    }

    /// Begins there, whatever was judged before: nothing that is stored is gone on from or judged again.
    pub(super) fn begin_at(&mut self, from: Instant, work: &Work) {
        self.judged_until = Some(from.floor(self.schedule.step));
        self.labels.begin_at(from.floor(self.schedule.step));
        self.lateness.never(work.now());
    }

    pub(super) fn first_start(&self, config: &Config, now: Instant) -> Instant {
        let earliest = match (&self.watch.from, self.watch.history) {
            (Some(from), _) => from.0,
            (None, true) => self.first_event,
            (None, false) => self.first_event.max(now.saturating_sub(DAY.saturating_mul(config.first_days))),
        };
        earliest.floor(self.schedule.step)
    }

    /// Reads all windows at once and judges them one after the other.
    async fn judge_windows(&mut self, work: &mut Work, windows: &[Interval]) -> anyhow::Result<usize> {
        let answers = self.read(work, windows).await?;
        let mut left = windows;
        while !left.is_empty() && !work.is_stopping() {
            let judged = self.judge_together(work, left, &answers).await?;
            left = &left[judged..];
        }
        Ok(windows.len() - left.len())
    }

    /// Judges as many windows as are stored together. Returns how many.
    async fn judge_together(
        &mut self,
        work: &mut Work,
        windows: &[Interval],
        answers: &Answers,
    ) -> anyhow::Result<usize> {
        let stored = self.standings.clone();
        let mut together = Together::default();
        let mut failed = None;
        for window in windows {
            if work.is_stopping() || !together.has_room_for(*window) {
                break;
            }
            match self.judge(work, *window, answers, &[]).await {
                Ok(evaluations) => {
                    self.standings.take(&evaluations);
                    together.push(*window, evaluations);
                }
                Err(error) => {
                    // What was said of the windows before it holds.
                    failed = Some(error);
                    break;
                }
            }
        }
        if let Err(error) = self.store(work, &together, Round::First).await {
            self.standings = stored;
            return Err(error);
        }
        self.lateness.judged(&together);
        self.judged_until = together.windows.last().map_or(self.judged_until, |(window, _)| Some(window.end));
        failed.map_or(Ok(together.windows.len()), Err)
    }

    /// The verdicts on one window, from where the subjects stand now.
    pub(super) async fn judge(
        &self,
        work: &mut Work,
        window: Interval,
        answers: &Answers,
        told: &[Key],
    ) -> anyhow::Result<Vec<Evaluation>> {
        let Some(reference) = answers.references.get(&window.end) else { return Ok(Vec::new()) };
        let stretch = &answers.stretch;
        let counted = stretch.signals(window, |segment, signal| reference.grid_of(segment, signal));
        let mut findings = signals::findings(reference, &self.watch, &counted);
        self.confirm_slips(work, window, &mut findings).await?;
        let traffic = self.traffic_findings(work, reference, window, answers).await?;
        let volume = traffic.first().cloned();
        findings.extend(traffic);
        findings.extend(self.quality_findings(work, reference, window, stretch).await?);
        self.record_new_signals(work, reference, &counted).await?;
        findings.extend(self.objective_findings(work, reference, window, &counted, stretch));
        inhibition::attribute(&mut findings);
        findings.retain(|finding| self.watch.looks_at(finding.monitor));
        let called = match reference.called.as_str() {
            "" => self.watch.baseline.as_str(),
            called => called,
        };
        let context = finding::Context {
            model: &self.identity.model,
            environment: &self.identity.environment,
            watch: &self.identity.watch,
            baseline: called,
            window,
            evaluated_at: work.stamp(),
        };
        let evaluations = self.standings.judge(findings, &context, told);
        if evaluations.is_empty() {
            // Every window leaves a row, because rows are how far the analyzer came.
            return Ok(self.standings.judge(volume.into_iter().collect(), &context, &[]));
        }
        self.record_schema(work, &evaluations).await?;
        Ok(evaluations)
    }

    /// When the model's last event was, where that is before `end`.
    pub(super) fn last_event_before(&self, end: Instant) -> Option<Instant> {
        (self.last_event < end).then_some(self.last_event)
    }
}
