//! One watch of one model: where it is, what it compares with, and how it judges a window.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::evaluation::{Evaluation, Monitor};
use domain::signal::{AGE, LATENCY, segment};
use domain::time::{DAY, HOUR, Instant, Interval};
use domain::window::Schedule;
use sql::counts::{Question, Resolution};
use sql::evaluations::{Before, ModelSeen, Watched};

use super::Work;
use crate::compare::Comparison;
use crate::config::Config;
use crate::counted::{BySignal, Counted, Stretch, Traffic};
use crate::explain::{self, Part};
use crate::finding::{self, Finding};
use crate::objectives;
use crate::reference::Reference;
use crate::standings::Standings;
use crate::stats::proportion::Share;
use crate::threshold::Rules;
use crate::traffic::{self, Usual};
use crate::words;

/// Windows of a history that are judged before others have their turn.
const HISTORY_A_PASS: usize = 16;
/// How long grids are taken for granted.
const GRIDS_HOLD: Duration = Duration::from_secs(300);
/// Without a baseline one is looked for this often.
const BASELINE_EVERY: Duration = Duration::from_secs(10);
/// A subject that said nothing for so long starts anew.
const STANDINGS_REACH: Duration = Duration::from_secs(35 * DAY.as_secs());
/// How many segments a finding names in its numbers.
const MOST_PARTS: usize = 12;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    model: String,
    environment: String,
    watch: String,
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
    first_event: Instant,
    last_event: Instant,
    /// The end of the last window that was judged; `None` until it is known.
    pub(super) judged_until: Option<Instant>,
    pub(super) standings: Standings,
    reference: Option<Reference>,
    reference_at: Instant,
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
            is_caught_up: false,
        }
    }

    pub(crate) fn saw_events(&mut self, seen: &ModelSeen) {
        self.first_event = seen.first_event;
        self.last_event = seen.last_event;
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
        if self.is_history() && !has_baseline {
            return Ok(Advance::default());
        }
        let most = if self.is_history() { HISTORY_A_PASS } else { work.config.windows_a_batch };
        let closed =
            self.schedule.closed_between(until, work.now()).take_while(|window| self.is_watched(window.end));
        let mut windows: Vec<Interval> = closed.take(most + 1).collect();
        let is_more = windows.len() > most;
        windows.truncate(most);
        let judged = self.judge_windows(work, &windows).await?;
        self.is_caught_up |= !is_more;
        if self.is_history() && !windows.is_empty() {
            tracing::info!(
                model = self.identity.model, watch = self.identity.watch, windows = judged,
                until = %self.judged_until.unwrap_or(until), "judged windows of the history"
            );
        }
        Ok(Advance { windows: judged, is_more })
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

    fn first_start(&self, config: &Config, now: Instant) -> Instant {
        let earliest = match (&self.watch.from, self.watch.history) {
            (Some(from), _) => from.0,
            (None, true) => self.first_event,
            (None, false) => self.first_event.max(now.saturating_sub(DAY.saturating_mul(config.first_days))),
        };
        earliest.floor(self.schedule.step)
    }

    /// Reads the baseline and the grids where they may have changed.
    async fn refresh(&mut self, work: &Work, baselines: &[Baseline]) -> anyhow::Result<()> {
        let named = baselines.iter().find(|baseline| {
            baseline.model == self.identity.model
                && baseline.environment == self.identity.environment
                && baseline.name == self.watch.baseline
        });
        let known = self.reference.as_ref().and_then(|reference| reference.baseline.as_ref());
        let holds = if named.is_some() { GRIDS_HOLD } else { BASELINE_EVERY };
        let is_same = self.reference.is_some() && known == named;
        if is_same && work.now().since(self.reference_at) < holds {
            return Ok(());
        }
        let grids = work.store.grids(Some(&self.identity.model)).await?;
        if let (Some(reference), true) = (&mut self.reference, is_same) {
            reference.take_grids(grids);
        } else {
            let counts = match named {
                Some(named) => Some((named.clone(), work.store.baseline_counts(named).await?)),
                None => None,
            };
            let mut reference = Reference::new(&work.config, &self.contract, &self.watch, counts, grids);
            self.learn(work, &mut reference).await?;
            self.reference = Some(reference);
        }
        self.reference_at = work.now();
        Ok(())
    }

    /// Learns from the baseline's own stretch how much healthy windows vary.
    async fn learn(&self, work: &Work, reference: &mut Reference) -> anyhow::Result<()> {
        let Some(windows) = reference.healthy_windows(&self.watch) else { return Ok(()) };
        let question = Question {
            segments: vec![segment::ALL.to_owned()],
            step_s: u32::try_from(windows.stride.as_secs())?,
            ..self.question(windows.stretch)
        };
        let series = work.store.counts(&question).await?;
        reference.learn(windows, &series, self.watch.least_events);
        Ok(())
    }

    /// All signals of all events over `interval`, in one sum.
    fn question(&self, interval: Interval) -> Question {
        let by_hours = self.watch.step_s % HOUR.as_secs() == 0 && self.watch.window_s % HOUR.as_secs() == 0;
        Question {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            interval,
            resolution: if by_hours { Resolution::Hours } else { Resolution::Minutes },
            segments: vec![segment::ALL.to_owned()],
            signals: Vec::new(),
            step_s: 0,
        }
    }

    /// Reads all windows at once and judges them one after the other.
    async fn judge_windows(&mut self, work: &mut Work, windows: &[Interval]) -> anyhow::Result<usize> {
        let stretch = self.read(work, windows).await?;
        for (done, window) in windows.iter().enumerate() {
            if work.is_stopping() {
                return Ok(done);
            }
            let evaluations = self.judge(work, *window, &stretch).await?;
            self.store(work, *window, &evaluations).await?;
            self.standings.take(&evaluations);
            self.judged_until = Some(window.end);
        }
        Ok(windows.len())
    }

    /// The answers over all `windows`, which follow each other: three questions, whatever their number.
    pub(super) async fn read(&self, work: &Work, windows: &[Interval]) -> anyhow::Result<Stretch> {
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Ok(Stretch::default());
        };
        let step_s = if windows.len() == 1 { 0 } else { u32::try_from(self.watch.step_s)? };
        let question = Question { step_s, ..self.question(Interval::new(first.start, last.end)) };
        let (counts, moments, traffic) = tokio::try_join!(
            work.store.counts(&question),
            work.store.moments(&question),
            work.store.traffic(&question)
        )?;
        Ok(Stretch { counts, moments, traffic })
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
    ) -> anyhow::Result<Vec<Evaluation>> {
        let Some(reference) = &self.reference else { return Ok(Vec::new()) };
        let signals = stretch.signals(window, |segment, signal| reference.grid_of(segment, signal));
        let events = stretch.traffic(window);
        let mut findings = self.signal_findings(work, reference, window, &signals).await?;
        findings.extend(self.traffic_findings(work, reference, window, events).await?);
        findings.extend(self.objective_findings(work, reference, &signals));
        findings.retain(|finding| self.watch.looks_at(finding.monitor));
        let context = finding::Context {
            model: &self.identity.model,
            environment: &self.identity.environment,
            watch: &self.identity.watch,
            baseline: &self.watch.baseline,
            window,
            evaluated_at: work.stamp(),
        };
        Ok(self.standings.judge(findings, &context, |key| key.monitor == Monitor::Performance))
    }

    /// All signals of all events; the segments of those that moved.
    async fn signal_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        signals: &BySignal,
    ) -> anyhow::Result<Vec<Finding>> {
        let none = Counted::default();
        let mut findings: Vec<Finding> = Vec::new();
        for (signal, grid, baseline) in reference.whole() {
            let current = signals.get(&(String::new(), signal.to_owned())).unwrap_or(&none);
            findings.extend(
                self.comparison(reference, signal, segment::ALL, grid, baseline, current)
                    .findings(&reference.limits),
            );
        }
        let mut moved: BTreeSet<&str> = self.standings.signals_with_open_segments();
        let beyond: Vec<String> = findings
            .iter()
            .filter(|finding| finding.is_beyond())
            .map(|finding| finding.signal.clone())
            .collect();
        moved.extend(beyond.iter().map(String::as_str));
        share_of_prediction(reference, signals, &mut findings);
        if !moved.is_empty() {
            let parts = self.read_segments(work, reference, window, &moved).await?;
            explain_by_segment(reference, signals, &parts, &mut findings);
            for signal in moved {
                findings.extend(self.segment_findings(reference, signal, &parts));
            }
        }
        Ok(findings)
    }

    fn comparison<'a>(
        &self,
        reference: &Reference,
        signal: &'a str,
        segment: &'a str,
        grid: &'a domain::grid::Grid,
        baseline: &'a domain::baseline::SignalBaseline,
        current: &'a Counted,
    ) -> Comparison<'a> {
        let healthy = reference.healthy_of(signal);
        Comparison {
            signal,
            segment,
            grid,
            baseline,
            current,
            healthy,
            least_events: self.watch.least_events,
        }
    }

    fn segment_findings(&self, reference: &Reference, signal: &str, parts: &BySignal) -> Vec<Finding> {
        let known = reference.segments_of(signal).filter_map(|(segment, baseline)| {
            let current = parts.get(&(segment.to_owned(), signal.to_owned()))?;
            Some((segment, baseline, reference.grid(signal, baseline.grid)?, current))
        });
        known
            .flat_map(|(segment, baseline, grid, current)| {
                self.comparison(reference, signal, segment, grid, baseline, current)
                    .findings(&reference.limits)
            })
            .collect()
    }

    /// The segments of the signals that moved: two more questions.
    async fn read_segments(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        moved: &BTreeSet<&str>,
    ) -> anyhow::Result<BySignal> {
        let segments: BTreeSet<&str> = moved
            .iter()
            .flat_map(|signal| reference.segments_of(signal))
            .map(|(segment, _)| segment)
            .collect();
        if segments.is_empty() {
            return Ok(BySignal::new());
        }
        let question = Question {
            segments: segments.into_iter().map(str::to_owned).collect(),
            signals: moved.iter().map(|signal| (*signal).to_owned()).collect(),
            ..self.question(window)
        };
        let (counts, moments) =
            tokio::try_join!(work.store.counts(&question), work.store.moments(&question))?;
        let stretch = Stretch { counts, moments, traffic: Vec::new() };
        Ok(stretch.signals(window, |segment, signal| reference.grid_of(segment, signal)))
    }

    async fn traffic_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        events: Traffic,
    ) -> anyhow::Result<Vec<Finding>> {
        let (config, limits) = (&work.config, &reference.limits);
        let earlier = self.earlier(work, window).await?;
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

    /// The same stretch in earlier weeks, or else on earlier days, or else the windows just before.
    async fn earlier(
        &self,
        work: &Work,
        stretch: Interval,
    ) -> anyhow::Result<Vec<sql::evaluations::Earlier>> {
        let Identity { model, environment, .. } = &self.identity;
        let length = stretch.length().as_secs().max(60);
        let day = length.div_ceil(DAY.as_secs()) * DAY.as_secs();
        let not_before = self.watch.from.map_or(self.first_event, |from| from.0.max(self.first_event));
        let before = |period_s: u64, periods: u32| Before { stretch, period_s, periods, not_before };
        let days =
            work.store.traffic_before(model, environment, &before(day, work.config.traffic_days)).await?;
        let weekly = usize::try_from(7 * DAY.as_secs() / day).unwrap_or(7).max(1);
        let weeks: Vec<_> = days.iter().skip(weekly - 1).step_by(weekly).copied().collect();
        if weeks.len() >= traffic::LEAST_STRETCHES {
            return Ok(weeks);
        }
        if days.len() >= traffic::LEAST_STRETCHES {
            return Ok(days);
        }
        Ok(work.store.traffic_before(model, environment, &before(length, RECENT_WINDOWS)).await?)
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
        let stale = self.contract.freshness_s.iter().filter_map(|(feature, limit_s)| {
            let age = duration(&format!("{AGE}{feature}"))?;
            objectives::staleness(&work.config, feature, *limit_s, age, &reference.limits)
        });
        latency.into_iter().chain(stale).collect()
    }
}

/// Where there are no earlier days, so many windows just before say what is usual.
const RECENT_WINDOWS: u32 = 12;

/// Which part of the moved mean prediction each feature's movement would carry.
fn share_of_prediction(reference: &Reference, signals: &BySignal, findings: &mut [Finding]) {
    let Some(prediction) = &reference.prediction else { return };
    let key = (String::new(), prediction.clone());
    let (Some(before), Some(now)) = (reference.signals.get(&key), signals.get(&key)) else { return };
    let (Some(mean_before), Some(mean_now), Some(sd)) =
        (before.moments.mean(), now.moments.mean(), now.moments.sd())
    else {
        return;
    };
    let total = mean_now - mean_before;
    let error = sd / (now.moments.n as f64).sqrt();
    if total.abs() <= 2.0 * error {
        return;
    }
    for finding in findings
        .iter_mut()
        .filter(|finding| finding.monitor == Monitor::Drift && finding.signal != *prediction)
    {
        let Some(moved) = finding.numbers.get("prediction_move").copied() else { continue };
        finding.numbers.insert("prediction_share".to_owned(), moved / total);
    }
}

/// Adds to each finding of all events which segments carry it.
fn explain_by_segment(reference: &Reference, signals: &BySignal, parts: &BySignal, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.is_beyond()) {
        let key = (String::new(), finding.signal.clone());
        let (Some(before), Some(now)) = (reference.signals.get(&key), signals.get(&key)) else { continue };
        let Some(grid) = reference.grid(&finding.signal, before.grid) else { continue };
        let known: Vec<Part<'_>> = reference
            .segments_of(&finding.signal)
            .filter_map(|(segment, baseline)| {
                let current = parts.get(&(segment.to_owned(), finding.signal.clone()))?;
                Some(Part { segment, baseline: &baseline.counts, current: &current.counts })
            })
            .collect();
        let whole = Part { segment: segment::ALL, baseline: &before.counts, current: &now.counts };
        let shares = explain::segment_parts(finding.monitor, grid, whole, &known);
        let share_of_events = |segment: &str| reference.segments.get(segment).copied().unwrap_or(0.0);
        if let Some((segment, part)) = explain::carrier(&shares, share_of_events) {
            let part = words::percent(part.min(1.0));
            finding.facts = format!("{}; {part} of it{}", finding.facts, words::at(segment));
        }
        let mut largest: Vec<(&String, &f64)> = shares.iter().collect();
        largest.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        let named =
            largest.into_iter().take(MOST_PARTS).map(|(segment, part)| (format!("segment.{segment}"), *part));
        let named: BTreeMap<String, f64> = named.collect();
        finding.numbers.extend(named);
    }
}
