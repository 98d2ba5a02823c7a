//! Performance by the hour of the prediction, kept up to date as outcomes arrive, and estimated until they do.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::signal::segment;
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::evaluations::ModelSeen;
use sql::performance::{Labels, PerformanceHour, ScoreCell};
use sql::predicted::{ClassRow, Shown};

use super::Work;
use super::labels::{ESTIMATED_OF, Estimating, Known, classes, labels, read};
use crate::performance::{
    Group, Kind, Measured, Realised, Step, Sums, Task, gaps, groups, realised_chances, shown,
};

/// An hour is estimated so long after its end.
const ESTIMATED_AFTER: Duration = Duration::from_secs(300);
/// An outcome is in the store so long after it was received at the latest.
const MOST_WRITING: Duration = Duration::from_secs(30);
const HOUR_S: u32 = HOUR.as_secs() as u32;

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
            let labels = labels(&seen.model, &seen.environment, task, run, HOUR_S);
            let sums = read(work, task, &labels).await?;
            let mut rows = by_hour(task, &sums);
            if let Sums::Lists(_) = sums {
                let items = work.store.shown_items(&labels, task.ranking.places).await?;
                rows.extend(shown_by_hour(task, &sums, &items));
            }
            if !task.chances.is_empty() {
                let read = classes(work, &labels, task, ESTIMATED_OF).await?;
                rows.extend(chances_by_hour(task, read));
            }
            for dimension in known.fairness.dimensions.iter().filter(|_| task.kind == Kind::Binary) {
                let labels = Labels { dimension: dimension.clone(), ..labels.clone() };
                let cells = work.store.labelled_scores(&labels).await?;
                rows.extend(groups_by_hour(task, dimension, &cells));
            }
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
        let stretch = Interval::new(from, until);
        let labels = labels(&seen.model, &seen.environment, known.task, stretch, HOUR_S);
        let rows = match estimator {
            Estimating::Scores(estimator) => {
                let cells = work.store.labelled_scores(&labels).await?;
                estimates_by_hour(
                    &cells,
                    |cell| (cell.at, &cell.version),
                    |cells| {
                        let predictions = cells.iter().map(|cell| cell.predictions).sum();
                        (estimator.estimates(cells), predictions, predictions)
                    },
                )
            }
            Estimating::Classes(estimator) => {
                let rows = by_time(classes(work, &labels, known.task, ESTIMATED_OF).await?);
                estimates_by_hour(
                    &rows,
                    |row| (row.at, &row.version),
                    |rows| {
                        let predictions = rows.first().map_or(0, |row| row.predictions);
                        (estimator.estimates(rows), predictions, rows.len() as u64)
                    },
                )
            }
        };
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

/// Rows of one hour and version, as their estimates. `estimate` also says how many predictions there are, and how many
/// of them it is made of, which stands where others say how many have an outcome.
fn estimates_by_hour<T>(
    rows: &[T],
    key: impl Fn(&T) -> (Instant, &String),
    estimate: impl Fn(&[T]) -> (Vec<Measured>, u64, u64),
) -> Vec<PerformanceHour> {
    let mut hours = Vec::new();
    for run in rows.chunk_by(|one, other| key(one) == key(other)) {
        let (at, version) = key(&run[0]);
        let (metrics, predictions, labelled) = estimate(run);
        let realised = Realised { predictions, labelled, metrics };
        hours.extend(hour(&Step { at, version: version.clone(), realised }, segment::ALL));
    }
    hours
}

/// One row a metric.
fn hour(step: &Step, segment: &str) -> Vec<PerformanceHour> {
    let row = |measured: &Measured| PerformanceHour {
        version: step.version.clone(),
        segment: segment.to_owned(),
        hour: step.at,
        metric: measured.metric,
        value: measured.value,
        standard_error: measured.error,
        predictions: step.realised.predictions,
        labelled: step.realised.labelled,
    };
    step.realised.metrics.iter().map(row).collect()
}

fn by_hour(task: &Task, sums: &Sums) -> Vec<PerformanceHour> {
    sums.by_step(task).iter().flat_map(|step| hour(step, segment::ALL)).collect()
}

/// How much of the catalogue the lists of an hour show; that needs no outcome, so all of them are what it is made of.
fn shown_by_hour(task: &Task, sums: &Sums, items: &[Shown]) -> Vec<PerformanceHour> {
    let mut rows = Vec::new();
    for step in sums.by_step(task) {
        let of_step: Vec<Shown> =
            items.iter().filter(|one| one.at == step.at && one.version == step.version).cloned().collect();
        let lists = step.realised.predictions;
        let metrics = shown(&of_step, lists, task.ranking);
        let realised = Realised { predictions: lists, labelled: lists, metrics };
        rows.extend(hour(&Step { realised, ..step }, segment::ALL));
    }
    rows
}

/// How good the chances of classes were, of those predictions of an hour that were read.
fn chances_by_hour(task: &Task, rows: Vec<ClassRow>) -> Vec<PerformanceHour> {
    estimates_by_hour(
        &by_time(rows),
        |row| (row.at, &row.version),
        |rows| {
            let (labelled, metrics) = realised_chances(&task.chances, rows);
            (metrics, rows.first().map_or(0, |row| row.predictions), labelled)
        },
    )
}

/// In the order of time and version.
fn by_time(mut rows: Vec<ClassRow>) -> Vec<ClassRow> {
    rows.sort_by(|one, other| (one.at, &one.version).cmp(&(other.at, &other.version)));
    rows
}

/// The groups of a dimension (`sex=F`), and what lies between them (`sex`).
fn groups_by_hour(task: &Task, dimension: &str, cells: &[ScoreCell]) -> Vec<PerformanceHour> {
    let mut rows = Vec::new();
    for run in cells.chunk_by(|one, other| one.at == other.at && one.version == other.version) {
        let step = |metrics, predictions, labelled| Step {
            at: run[0].at,
            version: run[0].version.clone(),
            realised: Realised { predictions, labelled, metrics },
        };
        let groups = groups(dimension, run, task.decision);
        for group in &groups {
            let Realised { predictions, labelled, .. } = group.realised;
            rows.extend(hour(&step(group.metrics(), predictions, labelled), &group.segment));
        }
        let all = |count: fn(&Group) -> u64| groups.iter().map(count).sum::<u64>();
        let between = step(
            gaps(&groups),
            all(|group| group.realised.predictions),
            all(|group| group.realised.labelled),
        );
        rows.extend(hour(&between, dimension));
    }
    rows
}
