//! Outcomes as they arrive: verdicts on windows whose outcomes have come.

use std::time::Duration;

use domain::contract::Fairness;
use domain::evaluation::{Evaluation, Monitor};
use domain::signal::segment;
use domain::time::{DAY, Instant, Interval};
use sql::performance::{Labels, ScoreCell};
use sql::predicted::ClassRow;

use super::Work;
use super::storing::{Round, Together};
use super::watch::{Identity, STANDINGS_REACH, WatchRun};
use crate::finding::{self, Finding};
use crate::performance::{
    Chance, ClassEstimator, Estimator, Group, Judging, Kind, Measured, Output, Realised, Sums, Task, Usual,
    groups,
};
use crate::standings::Standings;
use crate::threshold::Rules;

/// Windows of outcomes that are judged before others have their turn.
const WINDOWS_A_TURN: usize = 32;
/// What chances of classes meant is learned of so many predictions …
const LEARNED_OF: u32 = 50_000;
/// … and said of a stretch by so many of it: the share that is right is then known to half a point.
pub(super) const ESTIMATED_OF: u32 = 10_000;

/// Pairs of classes that are told by name in a step: fifty classes, each taken for each.
const MOST_PAIRS: u32 = 2_500;

/// Where a watch stands with performance.
#[derive(Debug)]
pub(super) struct LabelRun {
    judged_until: Option<Instant>,
    standings: Standings,
    task: Option<Task>,
    usual: Option<Usual>,
    /// What scores meant in the baseline; only for scores of yes or no, and chances of classes.
    estimator: Option<Estimating>,
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
        let (prediction, output) = match self.listed(work, prediction, grid.is_some()).await? {
            Some(list) => (list, Some(Output::List)),
            None => (prediction.clone(), output),
        };
        let task = output.and_then(|output| Task::of(&prediction, output, &outcomes, &self.contract));
        let Some(mut task) = task else { return Ok(None) };
        if task.kind == Kind::Categories {
            let Identity { model, environment, .. } = &self.identity;
            let names = work.store.class_names(model, environment, &task.prediction).await?;
            task.chances = Chance::all_of(&names);
        }
        Ok(Some(task))
    }

    /// The list that the prediction is, or whose length it is: a list has no grid of its own.
    async fn listed(&self, work: &Work, prediction: &str, has_grid: bool) -> anyhow::Result<Option<String>> {
        let of_length = prediction.strip_suffix(".length");
        if has_grid && of_length.is_none() {
            return Ok(None);
        }
        let list = of_length.unwrap_or(prediction);
        let names = work.store.list_names(&self.identity.model, &self.identity.environment).await?;
        Ok(names.into_iter().find(|name| name == list))
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
        let whole = sums.within(task, stretch);
        if whole.labelled == 0 {
            return Ok(None);
        }
        self.labels.estimator = match &sums {
            Sums::Scores(cells) => Estimator::of(cells).map(Estimating::Scores),
            Sums::Classes(_) if !task.chances.is_empty() => {
                let labels = self.labels_of(task, stretch, 0);
                let rows = classes(work, &labels, task, LEARNED_OF).await?;
                ClassEstimator::of(&task.chances, &rows).map(Estimating::Classes)
            }
            Sums::Errors(_) | Sums::Classes(_) | Sums::Lists(_) => None,
        };
        let windows: Vec<Realised> = healthy
            .into_iter()
            .flat_map(|healthy| healthy.all())
            .map(|window| sums.within(task, window))
            .filter(|window| window.labelled >= self.watch.least_events)
            .collect();
        let independent = healthy.map_or(0, |healthy| healthy.independent(windows.len()));
        let mut usual = Usual::of(task.kind, whole, &windows, independent);
        let days = stretch.length().as_secs_f64() / DAY.as_secs_f64();
        usual.healthy.values_mut().for_each(|spread| spread.days = days);
        Ok(Some(usual))
    }

    fn labels_of(&self, task: &Task, interval: Interval, step_s: u32) -> Labels {
        labels(&self.identity.model, &self.identity.environment, task, interval, step_s)
    }

    async fn sums(&self, work: &Work, task: &Task, interval: Interval, step_s: u32) -> anyhow::Result<Sums> {
        read(work, task, &self.labels_of(task, interval, step_s)).await
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
        let parts = self.parts(work, &task, span).await?;
        let mut stored = self.labels.standings.clone();
        let mut together = Together::default();
        let (mut is_waiting, mut failed) = (false, None);
        for window in windows {
            let made = sums.within(&task, *window);
            let is_mature = usual.is_mature(&work.config, &made);
            is_waiting = work.is_stopping() || (!is_mature && work.now().since(window.end) < patience);
            if is_waiting {
                break;
            }
            if !together.has_room_for(*window) {
                self.store_outcomes(work, &mut together, &mut stored).await?;
            }
            let estimates = match self.check_estimate(work, &task, *window, &sums, is_mature).await {
                Ok(estimates) => estimates,
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            };
            let groups = parts.iter().flat_map(|(dimension, cells)| {
                let cells = cells.iter().filter(|cell| window.contains(cell.at));
                std::iter::once(groups(dimension, cells, task.decision))
            });
            let labelled = Labelled { window: *window, made, estimates, groups: groups.collect() };
            let evaluations = self.judge_performance(work, &task, &usual, labelled);
            self.labels.standings.take(&evaluations);
            together.push(*window, evaluations);
        }
        self.store_outcomes(work, &mut together, &mut stored).await?;
        failed.map_or(Ok(!is_waiting), Err)
    }

    /// Stores what was said together; where that fails, subjects stand where they stood when something was `stored` last.
    async fn store_outcomes(
        &mut self,
        work: &mut Work,
        together: &mut Together,
        stored: &mut Standings,
    ) -> anyhow::Result<()> {
        if let Err(error) = self.store(work, together, Round::Outcomes).await {
            self.labels.standings = stored.clone();
            return Err(error);
        }
        let last = together.windows.last().map(|(window, _)| window.end);
        self.labels.judged_until = last.or(self.labels.judged_until);
        *stored = self.labels.standings.clone();
        *together = Together::default();
        Ok(())
    }

    /// The predictions of each dimension that the contract wants treated alike; only of yes or no.
    async fn parts(
        &self,
        work: &Work,
        task: &Task,
        span: Interval,
    ) -> anyhow::Result<Vec<(String, Vec<ScoreCell>)>> {
        let mut parts = Vec::new();
        if task.kind == Kind::Binary && self.watch.looks_at(Monitor::Fairness) {
            for dimension in &self.contract.fairness.dimensions {
                let labels = self.labels_of(task, span, u32::try_from(self.watch.step_s)?);
                let labels = Labels { dimension: dimension.clone(), ..labels };
                parts.push((dimension.clone(), work.store.labelled_scores(&labels).await?));
            }
        }
        Ok(parts)
    }

    fn judge_performance(
        &self,
        work: &mut Work,
        task: &Task,
        usual: &Usual,
        labelled: Labelled,
    ) -> Vec<Evaluation> {
        let Labelled { window, made, estimates, groups } = labelled;
        let Some(reference) = &self.reference else { return Vec::new() };
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
        let most_gap = self.contract.fairness.most_gap;
        let unfair = groups.iter().flat_map(|groups| judging.unfair(groups, most_gap));
        found.extend(unfair.collect::<Vec<Finding>>());
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
        evaluations
    }

    /// Holds the estimate of a window to its outcomes, and returns what it was; nothing where it is not trusted.
    async fn check_estimate(
        &mut self,
        work: &Work,
        task: &Task,
        window: Interval,
        sums: &Sums,
        is_mature: bool,
    ) -> anyhow::Result<Vec<Measured>> {
        let labels = self.labels_of(task, window, 0);
        Ok(match (&mut self.labels.estimator, sums) {
            (Some(Estimating::Scores(estimator)), Sums::Scores(cells)) => {
                let cells: Vec<&ScoreCell> = cells.iter().filter(|cell| window.contains(cell.at)).collect();
                if is_mature {
                    estimator.check(window, &cells);
                }
                if estimator.is_trusted() { estimator.estimates(cells) } else { Vec::new() }
            }
            (Some(Estimating::Classes(estimator)), _) => {
                let rows = classes(work, &labels, task, ESTIMATED_OF).await?;
                if is_mature {
                    estimator.check(window, &rows);
                }
                if estimator.is_trusted() { estimator.estimates(&rows) } else { Vec::new() }
            }
            _ => Vec::new(),
        })
    }

    /// Which prediction is held against which outcome, once that is known.
    pub(super) fn known_task(&self) -> Option<Known<'_>> {
        let estimator = self.labels.estimator.as_ref().filter(|estimator| estimator.is_trusted());
        Some(Known { task: self.labels.task.as_ref()?, fairness: &self.contract.fairness, estimator })
    }
}

/// What a watch knows of its model's performance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub(super) task: &'a Task,
    pub(super) fairness: &'a Fairness,
    /// `None` also where it has been wrong.
    pub(super) estimator: Option<&'a Estimating>,
}

/// What predictions meant in the baseline, by which they are judged before their outcomes come.
#[derive(Clone, Debug)]
pub(super) enum Estimating {
    Scores(Estimator),
    Classes(ClassEstimator),
}

impl Estimating {
    fn is_trusted(&self) -> bool {
        match self {
            Self::Scores(estimator) => estimator.is_trusted(),
            Self::Classes(estimator) => estimator.is_trusted(),
        }
    }
}

/// A window whose outcomes have come.
struct Labelled {
    window: Interval,
    made: Realised,
    /// What was expected of it before; empty where that is not trusted.
    estimates: Vec<Measured>,
    /// Of each dimension that the contract wants treated alike.
    groups: Vec<Vec<Group>>,
}

pub(super) fn labels(model: &str, environment: &str, task: &Task, interval: Interval, step_s: u32) -> Labels {
    Labels {
        model: model.to_owned(),
        environment: environment.to_owned(),
        interval,
        step_s,
        prediction: task.prediction.clone(),
        outcome: task.outcome.clone(),
        dimension: String::new(),
    }
}

/// At most so many predictions of each step, with the chances of their classes.
pub(super) async fn classes(
    work: &Work,
    labels: &Labels,
    task: &Task,
    most: u32,
) -> anyhow::Result<Vec<ClassRow>> {
    let signals: Vec<String> = task.chances.iter().map(|chance| chance.signal.clone()).collect();
    Ok(work.store.labelled_classes(labels, &signals, most).await?)
}

pub(super) async fn read(work: &Work, task: &Task, labels: &Labels) -> anyhow::Result<Sums> {
    Ok(match task.kind {
        Kind::Lists => Sums::Lists(work.store.labelled_lists(labels, task.ranking.places).await?),
        Kind::Binary => Sums::Scores(work.store.labelled_scores(labels).await?),
        Kind::Regression => Sums::Errors(work.store.labelled_errors(labels).await?),
        Kind::Categories => Sums::Classes(work.store.labelled_pairs(labels, MOST_PAIRS).await?),
    })
}
