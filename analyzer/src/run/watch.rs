//! One watch of one model: where it is, what it compares with, and how it judges a window.

use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::evaluation::{Evaluation, Monitor};
use domain::signal::{AGE, LATENCY, segment};
use domain::time::{DAY, Instant, Interval};
use domain::window::Schedule;
use sql::evaluations::{ModelSeen, Watched};

use super::Work;
use super::labels::LabelRun;
use super::late::Lateness;
use crate::config::Config;
use crate::counted::{BySignal, Stretch, Traffic};
use crate::finding::{self, Finding};
use crate::objectives;
use crate::reference::Reference;
use crate::signals;
use crate::standings::{Key, Standings};
use crate::stats::proportion::Share;
use crate::threshold::Rules;
use crate::traffic::{self, Usual};

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
    pub(super) reference: Option<Reference>,
    pub(super) reference_at: Instant,
    pub(super) lateness: Lateness,
    pub(super) labels: LabelRun,
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
            lateness: Lateness::default(),
            labels: LabelRun::new(Rules::from(config)),
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

    /// Whether nothing can be said before there is a baseline: history can wait for one, and a watch that looks only at
    /// what is compared with one must, or it would pass over windows without a word.
    fn waits_for_baseline(&self) -> bool {
        const COMPARED: [Monitor; 4] = [Monitor::Drift, Monitor::Missing, Monitor::Invalid, Monitor::Unseen];
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
        let judged = self.judge_windows(work, &windows).await?;
        self.is_caught_up |= !is_more;
        let again = self.review(work).await?;
        let (followed, is_more_labelled) = self.follow_outcomes(work).await?;
        if self.is_history() && !windows.is_empty() {
            tracing::info!(
                model = self.identity.model, watch = self.identity.watch, windows = judged,
                until = %self.judged_until.unwrap_or(until), "judged windows of the history"
            );
        }
        Ok(Advance { windows: judged + again + followed, is_more: is_more || is_more_labelled })
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
        let stretch = self.read(work, windows).await?;
        for (done, window) in windows.iter().enumerate() {
            if work.is_stopping() {
                return Ok(done);
            }
            let evaluations = self.judge(work, *window, &stretch, &[]).await?;
            self.store(work, *window, &evaluations).await?;
            self.standings.take(&evaluations);
            self.lateness.judged(*window, &evaluations);
            self.judged_until = Some(window.end);
        }
        Ok(windows.len())
    }

    pub(super) async fn store(
        &self,
        work: &Work,
        window: Interval,
        evaluations: &[Evaluation],
    ) -> anyhow::Result<()> {
        let Identity { model, environment, watch } = &self.identity;
        let at = evaluations.first().map_or(0, |evaluation| evaluation.evaluated_at.millis());
        let token = format!("{model}/{environment}/{watch}/{}/{at}", window.end.millis());
        Ok(work.store.write_evaluations(evaluations, &token).await?)
    }

    /// The verdicts on one window, from where the subjects stand now.
    pub(super) async fn judge(
        &self,
        work: &mut Work,
        window: Interval,
        stretch: &Stretch,
        told: &[Key],
    ) -> anyhow::Result<Vec<Evaluation>> {
        let Some(reference) = &self.reference else { return Ok(Vec::new()) };
        let counted = stretch.signals(window, |segment, signal| reference.grid_of(segment, signal));
        let events = stretch.traffic(window);
        let mut findings = signals::findings(reference, &self.watch, &counted);
        let traffic = self.traffic_findings(work, reference, window, events).await?;
        let volume = traffic.first().cloned();
        findings.extend(traffic);
        findings.extend(self.objective_findings(work, reference, &counted));
        findings.retain(|finding| self.watch.looks_at(finding.monitor));
        let context = finding::Context {
            model: &self.identity.model,
            environment: &self.identity.environment,
            watch: &self.identity.watch,
            baseline: &self.watch.baseline,
            window,
            evaluated_at: work.stamp(),
        };
        let evaluations = self.standings.judge(findings, &context, told);
        if evaluations.is_empty() {
            // Every window leaves a row, because rows are how far the analyzer came.
            return Ok(self.standings.judge(volume.into_iter().collect(), &context, &[]));
        }
        Ok(evaluations)
    }

    async fn traffic_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        events: Traffic,
    ) -> anyhow::Result<Vec<Finding>> {
        let (config, limits) = (&work.config, &reference.limits);
        let needs_habits = [Monitor::Traffic, Monitor::Silence, Monitor::Errors];
        let earlier = match needs_habits.into_iter().any(|monitor| self.watch.looks_at(monitor)) {
            true => self.earlier(work, window).await?,
            false => Vec::new(),
        };
        let counts: Vec<u64> = earlier.iter().map(|earlier| earlier.events).collect();
        let usual = Usual::of(&counts);
        let mut findings = vec![traffic::volume(config, events, usual, limits)];
        let last_event = events.last_event.or((self.last_event < window.end).then_some(self.last_event));
        if let Some(last_event) = last_event.filter(|last| *last < window.end) {
            let again = if traffic::is_long_silence(config, window, last_event, usual, limits) {
                let stretch = Interval::new(last_event.saturating_add(Duration::from_secs(60)), window.end);
                let earlier = self.earlier(work, stretch).await?;
                Usual::of(&earlier.iter().map(|earlier| earlier.events).collect::<Vec<_>>())
            } else {
                None
            };
            findings.push(traffic::silence(config, window, last_event, usual, again, limits));
        }
        let sums =
            earlier.iter().fold((0, 0), |(events, errors), one| (events + one.events, errors + one.errors));
        let usual_errors = Share::of(sums.1, sums.0).filter(|share| share.n() >= self.watch.least_events);
        findings.extend(objectives::errors(&self.contract, events, usual_errors, limits));
        Ok(findings)
    }

    fn objective_findings(&self, work: &Work, reference: &Reference, signals: &BySignal) -> Vec<Finding> {
        let duration = |signal: &str| {
            let grid = reference.grid(signal, reference.grid_of(segment::ALL, signal)?)?;
            let counted = signals.get(&(String::new(), signal.to_owned()))?;
            Some(objectives::Duration { grid, counts: &counted.counts })
        };
        let latency = self
            .contract
            .objectives
            .latency
            .and_then(|objective| objectives::latency(objective, duration(LATENCY)?, &reference.limits));
        let limits = self.contract.freshness_limits();
        let stale = limits.iter().filter_map(|(feature, limit_s)| {
            let age = duration(&format!("{AGE}{feature}"))?;
            objectives::staleness(&work.config, feature, *limit_s, age, &reference.limits)
        });
        latency.into_iter().chain(stale).collect()
    }
}
