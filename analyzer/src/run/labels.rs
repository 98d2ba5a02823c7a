//! Outcomes as they arrive: performance by the hour of the prediction, and verdicts on windows whose outcomes have come.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::evaluation::Monitor;
use domain::signal::segment;
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::evaluations::ModelSeen;
use sql::performance::{Labels, PerformanceHour, ScoreCell};

use super::Work;
use super::watch::{Round, STANDINGS_REACH, WatchRun};
use crate::finding;
use crate::performance::{Estimator, Judging, Kind, Measured, Output, Realised, Sums, Task, Usual};
use crate::standings::Standings;
use crate::threshold::Rules;

/// Windows of outcomes that are judged before others have their turn.
const WINDOWS_A_TURN: usize = 32;
/// An hour is estimated so long after its end.
const ESTIMATED_AFTER: Duration = Duration::from_secs(300);
/// An outcome is in the store so long after it was received at the latest.
const MOST_WRITING: Duration = Duration::from_secs(30);

/// Where a watch stands with performance.
#[derive(Debug)]
pub(super) struct LabelRun {
    judged_until: Option<Instant>,
    standings: Standings,
    task: Option<Task>,
    usual: Option<Usual>,
    /// What scores meant in the baseline; only for scores of yes or no.
    estimator: Option<Estimator>,
    checked_at: Option<Instant>,
    /// Where history is replayed: whether all windows were judged before outcomes were asked for.
    was_asked_last: bool,
}

impl LabelRun {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            judged_until: None,
            standings: Standings::new(rules),
            task: None,
            usual: None,
            estimator: None,
            checked_at: None,
            was_asked_last: false,
        }
    }

    pub(super) fn begin_at(&mut self, from: Instant) {
        self.judged_until = Some(from);
    }

    /// Looks for outcomes again, although the clock stands still; whether for the `last` time.
    pub(super) fn ask_again(&mut self, last: bool) {
        self.checked_at = None;
        self.was_asked_last = last;
    }

    pub(super) fn was_asked_last(&self) -> bool {
        self.was_asked_last
    }

    /// A new baseline asks for new comparisons.
    pub(super) fn forget(&mut self) {
        (self.task, self.usual, self.estimator, self.checked_at) = (None, None, None, None);
    }
}

impl WatchRun {
    /// Judges the windows whose outcomes have come, as many as their turn allows. Returns how many, and whether more are
    /// left.
    pub(super) async fn follow_outcomes(&mut self, work: &mut Work) -> anyhow::Result<(usize, bool)> {
        let now = work.now();
        let every = Duration::from_secs(work.config.late_check_s);
        let is_due = self.labels.checked_at.is_none_or(|at| now.since(at) >= every);
        let is_looked_at = self.watch.looks_at(Monitor::Performance);
        if !is_due || !is_looked_at || !self.prepare_labels(work).await? {
            return Ok((0, false));
        }
        let (windows, is_more) = self.judge_labelled(work).await?;
        if !is_more {
            self.labels.checked_at = Some(now);
        }
        Ok((windows, is_more))
    }

    /// Finds out what to compare; `false` where there is nothing.
    async fn prepare_labels(&mut self, work: &Work) -> anyhow::Result<bool> {
        if self.labels.usual.is_none() {
            self.labels.task = self.task(work).await?;
            let Some(task) = self.labels.task.clone() else {
                self.labels.checked_at = Some(work.now());
                return Ok(false);
            };
            self.labels.usual = self.usual_performance(work, &task).await?;
            if self.labels.usual.is_none() {
                // The baseline has no outcomes yet; asking is not cheap.
                self.labels.checked_at = Some(work.now());
                return Ok(false);
            }
        }
        if self.labels.judged_until.is_none() {
            let watched = self.watched(true);
            let until = work.store.evaluations_progress(&watched).await?;
            if let Some(until) = until {
                let reach = Interval::new(until.saturating_sub(STANDINGS_REACH), until);
                let stored = work.store.evaluations_standing(&watched, reach).await?;
                self.labels.standings = Standings::resumed(Rules::from(&work.config), stored);
            }
            self.labels.judged_until =
                Some(until.unwrap_or_else(|| self.first_start(&work.config, work.now())));
        }
        Ok(true)
    }

    async fn task(&self, work: &Work) -> anyhow::Result<Option<Task>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        let Some(prediction) = &reference.prediction else { return Ok(None) };
        let outcomes = work.store.outcome_kinds(&self.identity.model).await?;
        let grid = reference.grid_of(segment::ALL, prediction).and_then(|id| reference.grid(prediction, id));
        let known = reference.signals.get(&(segment::ALL.to_owned(), prediction.clone()));
        let output = grid.map(|grid| match (grid.is_numeric(), known) {
            (false, _) => Output::Category,
            (true, Some(known)) => {
                Output::Number { least: known.moments.least, greatest: known.moments.greatest }
            }
            // Nothing is known of its range yet; with an outcome of yes or no it is taken as a chance.
            (true, None) => Output::Number { least: 0.0, greatest: 1.0 },
        });
        Ok(output.and_then(|output| Task::of(prediction, output, &outcomes, &self.contract)))
    }

    /// The baseline's own performance, and how much its windows vary.
    async fn usual_performance(&mut self, work: &Work, task: &Task) -> anyhow::Result<Option<Usual>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        let Some(baseline) = &reference.baseline else { return Ok(None) };
        let healthy = reference.healthy_windows(&self.watch);
        let (stretch, step_s) = match healthy {
            Some(windows) => (windows.stretch, u32::try_from(windows.stride.as_secs())?),
            None => (baseline.window, 0),
        };
        let sums = self.sums(work, task, stretch, step_s).await?;
        let whole = realised(task, &sums, stretch);
        if whole.labelled == 0 {
            return Ok(None);
        }
        self.labels.estimator = match &sums {
            Sums::Scores(cells) => Estimator::of(cells),
            Sums::Errors(_) => None,
        };
        let windows: Vec<Realised> = healthy
            .into_iter()
            .flat_map(|healthy| healthy.all())
            .map(|window| realised(task, &sums, window))
            .filter(|window| window.labelled >= self.watch.least_events)
            .collect();
        let independent = healthy.map_or(0, |healthy| healthy.independent(windows.len()));
        let mut usual = Usual::of(task.kind, whole, &windows, independent);
        let days = stretch.length().as_secs_f64() / DAY.as_secs_f64();
        usual.healthy.values_mut().for_each(|spread| spread.days = days);
        Ok(Some(usual))
    }

    async fn sums(&self, work: &Work, task: &Task, interval: Interval, step_s: u32) -> anyhow::Result<Sums> {
        let labels = Labels {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            interval,
            step_s,
            prediction: task.prediction.clone(),
            outcome: task.outcome.clone(),
        };
        read(work, task.kind, &labels).await
    }

    async fn judge_labelled(&mut self, work: &mut Work) -> anyhow::Result<(usize, bool)> {
        let (Some(until), Some(judged_until)) = (self.labels.judged_until, self.judged_until) else {
            return Ok((0, false));
        };
        // Outcomes never overtake the window itself.
        let closed =
            self.schedule.closed_between(until, work.now()).take_while(|window| window.end <= judged_until);
        let windows: Vec<Interval> = closed.take(WINDOWS_A_TURN).collect();
        let Some(first) = windows.first().copied() else { return Ok((0, false)) };
        // Most of the time the first window still waits; then the others need not be read.
        if !self.judge_labelled_windows(work, &[first]).await? {
            return Ok((0, false));
        }
        let rest = &windows[1..];
        let all = rest.is_empty() || self.judge_labelled_windows(work, rest).await?;
        Ok((windows.len(), all && windows.len() == WINDOWS_A_TURN))
    }

    /// Judges windows up to the first that still waits for its outcomes; whether none does.
    async fn judge_labelled_windows(
        &mut self,
        work: &mut Work,
        windows: &[Interval],
    ) -> anyhow::Result<bool> {
        let (Some(task), Some(usual)) = (self.labels.task.clone(), self.labels.usual.clone()) else {
            return Ok(false);
        };
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Ok(true) };
        let span = Interval::new(first.start, last.end);
        let sums = self.sums(work, &task, span, u32::try_from(self.watch.step_s)?).await?;
        let patience = DAY.saturating_mul(work.config.label_patience_days);
        for window in windows {
            let made = realised(&task, &sums, *window);
            let is_mature = usual.is_mature(&work.config, &made);
            if work.is_stopping() || (!is_mature && work.now().since(window.end) < patience) {
                return Ok(false);
            }
            let estimates = self.check_estimate(*window, &sums, is_mature);
            let labelled = Labelled { window: *window, made, estimates };
            self.judge_performance(work, &task, &usual, labelled).await?;
        }
        Ok(true)
    }

    async fn judge_performance(
        &mut self,
        work: &mut Work,
        task: &Task,
        usual: &Usual,
        labelled: Labelled,
    ) -> anyhow::Result<()> {
        let Labelled { window, made, estimates } = labelled;
        let Some(reference) = &self.reference else { return Ok(()) };
        let judging = Judging {
            config: &work.config,
            limits: &reference.limits,
            task,
            usual,
            least_events: self.watch.least_events,
        };
        let mut found = judging.findings(&made);
        for finding in found.iter_mut().filter(|finding| finding.monitor == Monitor::Performance) {
            finding.numbers.extend(estimates.iter().map(|it| (it.metric.to_owned(), it.value)));
        }
        found.retain(|finding| self.watch.looks_at(finding.monitor));
        let context = finding::Context {
            model: &self.identity.model,
            environment: &self.identity.environment,
            watch: &self.identity.watch,
            baseline: &self.watch.baseline,
            window,
            evaluated_at: work.stamp(),
        };
        let evaluations = self.labels.standings.judge(found, &context, &[]);
        debug_assert!(
            evaluations.iter().any(|evaluation| evaluation.subject.monitor == Monitor::Performance)
        );
        self.store(work, window, &evaluations, Round::Outcomes).await?;
        self.labels.standings.take(&evaluations);
        self.labels.judged_until = Some(window.end);
        Ok(())
    }

    /// Holds the estimate of a window to its outcomes, and returns what it was; nothing where it is not trusted.
    fn check_estimate(&mut self, window: Interval, sums: &Sums, is_mature: bool) -> Vec<Measured> {
        let (Some(estimator), Sums::Scores(cells)) = (&mut self.labels.estimator, sums) else {
            return Vec::new();
        };
        let cells: Vec<&ScoreCell> = cells.iter().filter(|cell| window.contains(cell.at)).collect();
        if is_mature {
            estimator.check(window, &cells);
        }
        if estimator.is_trusted() { estimator.estimates(cells) } else { Vec::new() }
    }

    /// Which prediction is held against which outcome, once that is known.
    pub(super) fn known_task(&self) -> Option<Known<'_>> {
        let estimator = self.labels.estimator.as_ref().filter(|estimator| estimator.is_trusted());
        Some(Known { task: self.labels.task.as_ref()?, estimator })
    }
}

/// What a watch knows of its model's performance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) task: &'a Task,
    /// `None` also where it has been wrong.
    estimator: Option<&'a Estimator>,
}

/// A window whose outcomes have come.
struct Labelled {
    window: Interval,
    made: Realised,
    /// What was expected of it before; empty where that is not trusted.
    estimates: Vec<Measured>,
}

async fn read(work: &Work, kind: Kind, labels: &Labels) -> anyhow::Result<Sums> {
    Ok(match kind {
        Kind::Binary => Sums::Scores(work.store.labelled_scores(labels).await?),
        Kind::Regression | Kind::Categories => Sums::Errors(work.store.labelled_errors(labels).await?),
    })
}

fn realised(task: &Task, sums: &Sums, window: Interval) -> Realised {
    match sums {
        Sums::Scores(cells) => {
            Realised::of_scores(cells.iter().filter(|cell| window.contains(cell.at)), task.decision)
        }
        Sums::Errors(sums) => {
            Realised::of_errors(task.kind, sums.iter().filter(|sum| window.contains(sum.at)))
        }
    }
}

/// The performance of one model by the hour, kept up to date as outcomes arrive.
#[derive(Debug, Default)]
pub(super) struct Hours {
    checked_at: BTreeMap<(String, String), Instant>,
    estimated_until: BTreeMap<(String, String), Instant>,
}

impl Hours {
    /// Computes again the hours for whose predictions outcomes arrived.
    pub(super) async fn follow(
        &mut self,
        work: &mut Work,
        seen: &ModelSeen,
        known: Known<'_>,
    ) -> anyhow::Result<()> {
        self.estimate(work, seen, known).await?;
        let task = known.task;
        let now = work.now();
        let key = (seen.model.clone(), seen.environment.clone());
        let every = Duration::from_secs(work.config.late_check_s);
        let checked_at = match self.checked_at.get(&key) {
            Some(at) if now.since(*at) < every => return Ok(()),
            Some(at) => *at,
            None => work.store.performance_latest(&seen.model, &seen.environment).await?,
        };
        let since = match checked_at {
            Instant::EPOCH => Instant::EPOCH,
            at => at.saturating_sub(DAY.saturating_mul(2 * work.config.label_patience_days.max(1))),
        };
        let received_after = checked_at.saturating_sub(MOST_WRITING);
        let hours = work.store.hours_labelled(&seen.model, &seen.environment, since, received_after).await?;
        for run in runs(&hours) {
            let labels = Labels {
                model: seen.model.clone(),
                environment: seen.environment.clone(),
                interval: run,
                step_s: u32::try_from(HOUR.as_secs())?,
                prediction: task.prediction.clone(),
                outcome: task.outcome.clone(),
            };
            let rows = by_hour(task, &read(work, task.kind, &labels).await?);
            let computed_at = work.stamp();
            work.store.write_performance_hours(&seen.model, &seen.environment, &rows, computed_at).await?;
        }
        self.checked_at.insert(key, now);
        Ok(())
    }

    /// Estimates the hours that closed since the last time, whose outcomes are mostly still to come; after a start those
    /// of the last two days once more, which replaces them.
    async fn estimate(&mut self, work: &mut Work, seen: &ModelSeen, known: Known<'_>) -> anyhow::Result<()> {
        let Some(estimator) = known.estimator else { return Ok(()) };
        let key = (seen.model.clone(), seen.environment.clone());
        let until = work.now().saturating_sub(ESTIMATED_AFTER).floor(HOUR);
        let from = match self.estimated_until.get(&key) {
            Some(from) => *from,
            None => until.saturating_sub(2 * DAY),
        };
        let from = from.max(seen.first_event.floor(HOUR));
        if from >= until || seen.last_event < from {
            return Ok(());
        }
        let labels = Labels {
            model: seen.model.clone(),
            environment: seen.environment.clone(),
            interval: Interval::new(from, until),
            step_s: u32::try_from(HOUR.as_secs())?,
            prediction: known.task.prediction.clone(),
            outcome: known.task.outcome.clone(),
        };
        let cells = work.store.labelled_scores(&labels).await?;
        let rows = estimates_by_hour(estimator, &cells);
        let computed_at = work.stamp();
        work.store.write_performance_hours(&seen.model, &seen.environment, &rows, computed_at).await?;
        self.estimated_until.insert(key, until);
        Ok(())
    }
}

/// Ascending hours as stretches: gaps of less than a day are read along, so that a year is few questions, and no stretch
/// is longer than four weeks.
fn runs(hours: &[Instant]) -> Vec<Interval> {
    let mut runs: Vec<Interval> = Vec::new();
    for hour in hours {
        let end = hour.saturating_add(HOUR);
        match runs.last_mut() {
            Some(run) if hour.since(run.end) < DAY && end.since(run.start) <= 28 * DAY => run.end = end,
            _ => runs.push(Interval::new(*hour, end)),
        }
    }
    runs
}

fn estimates_by_hour(estimator: &Estimator, cells: &[ScoreCell]) -> Vec<PerformanceHour> {
    let mut rows = Vec::new();
    for group in cells.chunk_by(|one, other| one.at == other.at && one.version == other.version) {
        let predictions = group.iter().map(|cell| cell.predictions).sum();
        rows.extend(estimator.estimates(group).into_iter().map(|measured| PerformanceHour {
            version: group[0].version.clone(),
            hour: group[0].at,
            metric: measured.metric,
            value: measured.value,
            standard_error: measured.error,
            predictions,
            // An estimate is made of all of them.
            labelled: predictions,
        }));
    }
    rows
}

fn by_hour(task: &Task, sums: &Sums) -> Vec<PerformanceHour> {
    let mut groups: BTreeMap<(Instant, String), Realised> = BTreeMap::new();
    match sums {
        Sums::Scores(cells) => {
            for group in cells.chunk_by(|one, other| one.at == other.at && one.version == other.version) {
                groups.insert(
                    (group[0].at, group[0].version.clone()),
                    Realised::of_scores(group.iter(), task.decision),
                );
            }
        }
        Sums::Errors(sums) => {
            for sum in sums {
                groups.insert(
                    (sum.at, sum.version.clone()),
                    Realised::of_errors(task.kind, std::iter::once(sum)),
                );
            }
        }
    }
    let rows = groups.into_iter().flat_map(|((hour, version), realised)| {
        let Realised { predictions, labelled, metrics } = realised;
        metrics.into_iter().map(move |measured| PerformanceHour {
            version: version.clone(),
            hour,
            metric: measured.metric,
            value: measured.value,
            standard_error: measured.error,
            predictions,
            labelled,
        })
    });
    rows.collect()
}
