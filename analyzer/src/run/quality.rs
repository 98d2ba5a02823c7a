//! What is wrong with the data of a window: rules of the contract that were broken, as counted, and once an hour what only
//! raw events tell, from a bounded sample: kinds of values, how many different ones, and how late outcomes come.
//!
//! Raw events are looked at only of the present: windows that are caught up with after days are judged by counts alone, or
//! a month of history would be read row by row.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::baseline::Baseline;
use domain::evaluation::{Evaluation, Monitor, Verdict};
use domain::signal::{Role, role, segment};
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::breaches::{Breaches, BreachesAsked};
use sql::changes::Change;
use sql::freshness::{Delays, DelaysAsked};
use sql::shapes::{Shapes, ShapesAsked};
use tokio::sync::Mutex;

use super::Work;
use super::reading::resolution;
use super::watch::{Identity, WatchRun};
use crate::counted::{BySignal, Stretch};
use crate::finding::Finding;
use crate::freshness::label_lag;
use crate::quality::{rules, shape};
use crate::reference::Reference;
use crate::standings::Key;
use crate::words;

/// So many events a side are looked at.
const SAMPLE: u64 = 10_000;
/// A feature that more of the baseline's events than this lacked is optional.
const OPTIONAL: f64 = 0.01;
const MONITORS: [Monitor; 4] =
    [Monitor::Types, Monitor::Cardinality, Monitor::Duplicates, Monitor::Completeness];

/// What is remembered from window to window.
#[derive(Debug, Default)]
pub(super) struct Quality {
    /// What the baseline's own events look like, as long as it is the baseline.
    usual: Mutex<Option<Known>>,
    /// Signals whose appearance was recorded.
    recorded: Mutex<BTreeSet<String>>,
}

#[derive(Clone, Debug)]
struct Known {
    /// Of the baseline that it is about.
    created_at: Instant,
    /// What nearly every event of it carries.
    features: Vec<String>,
    shapes: Shapes,
    delays: Delays,
}

impl WatchRun {
    /// The broken rules of some windows that follow each other.
    pub(super) async fn read_breaches(
        &self,
        work: &Work,
        interval: Interval,
        step_s: u32,
    ) -> anyhow::Result<Breaches> {
        if ![Monitor::Contract, Monitor::Duplicates].into_iter().any(|one| self.watch.looks_at(one)) {
            return Ok(Breaches::default());
        }
        let asked = BreachesAsked {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            interval,
            resolution: resolution([self.schedule.step, self.schedule.length]),
            step_s,
        };
        Ok(work.store.breaches(&asked).await?)
    }

    pub(super) async fn quality_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        stretch: &Stretch,
    ) -> anyhow::Result<Vec<Finding>> {
        let breaches = stretch.breaches(window);
        let mut findings = rules::findings(&breaches, &self.contract.rules(), &reference.limits);
        let is_hourly = window.end.floor(HOUR) == window.end;
        if !is_hourly {
            // Samples are taken by the hour: until the next one, none that is counted is no news.
            findings.retain(|found| found.monitor != Monitor::Duplicates || found.value > 0.0);
        }
        if !(is_hourly && self.is_present(work, window)) {
            return Ok(findings);
        }
        findings.extend(self.selection_findings(work, reference, window).await?);
        let looks = |monitor: Monitor| self.watch.looks_at(monitor);
        let (shapes, lag) = (MONITORS.into_iter().any(looks), looks(Monitor::LabelLag));
        if !(shapes || lag) {
            return Ok(findings);
        }
        let Some(usual) = self.usual(work, reference).await? else { return Ok(findings) };
        let events = stretch.traffic(window).events;
        if shapes {
            let now = self.shapes(work, window, events, &usual.features).await?;
            let sampled = shape::findings(&usual.shapes, &now, &reference.limits);
            findings = with_sampled(findings, sampled);
        }
        if lag && usual.delays.labelled > 0 {
            findings.extend(self.label_lag(work, reference, (window, events), usual.delays).await?);
        }
        Ok(findings)
    }

    /// Whether late events may still lead to a window's being judged again: then it has to be found what was found.
    fn is_present(&self, work: &Work, window: Interval) -> bool {
        let reach = DAY.saturating_mul(work.config.late_days.saturating_add(1));
        !self.is_history() && work.now().since(window.end) < reach
    }

    async fn shapes(
        &self,
        work: &Work,
        interval: Interval,
        events: u64,
        features: &[String],
    ) -> anyhow::Result<Shapes> {
        let Identity { model, environment, .. } = &self.identity;
        let share = SAMPLE as f64 / events.max(1) as f64;
        let asked = ShapesAsked { model, environment, interval, share, features };
        Ok(work.store.event_shapes(&asked).await?)
    }

    /// What the baseline's events look like; `None` without a baseline.
    async fn usual(&self, work: &Work, reference: &Reference) -> anyhow::Result<Option<Known>> {
        let Some(baseline) = &reference.baseline else { return Ok(None) };
        let mut known = self.quality.usual.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.created_at == baseline.created_at) {
            return Ok(Some(known.clone()));
        }
        let events = events_of(baseline, reference);
        let features = required(reference);
        let shapes = self.shapes(work, baseline.window, events, &features).await?;
        let delays = self.usual_delays(work, baseline.window, events).await?;
        let now = Known { created_at: baseline.created_at, features, shapes, delays };
        *known = Some(now.clone());
        Ok(Some(now))
    }

    /// How many outcomes came within the time that half of them took is a half, or more where many took no longer.
    async fn usual_delays(&self, work: &Work, predictions: Interval, events: u64) -> anyhow::Result<Delays> {
        let Identity { model, environment, .. } = &self.identity;
        let every = events.div_ceil(SAMPLE);
        let asked = DelaysAsked { model, environment, predictions, every, within: Duration::ZERO };
        let first = work.store.label_delays(&asked).await?;
        Ok(work.store.label_delays(&DelaysAsked { within: first.median, ..asked }).await?)
    }

    /// Predictions that are now as old as the baseline's were when half of their outcomes had come.
    async fn label_lag(
        &self,
        work: &Work,
        reference: &Reference,
        (window, events): (Interval, u64),
        usual: Delays,
    ) -> anyhow::Result<Option<Finding>> {
        let Identity { model, environment, .. } = &self.identity;
        let end = window.end.saturating_sub(usual.median);
        let predictions = Interval::ending_at(end, window.length());
        if predictions.start < self.first_event {
            return Ok(None);
        }
        // About as many were sent then as are now.
        let every = events.div_ceil(SAMPLE);
        let asked = DelaysAsked { model, environment, predictions, every, within: usual.median };
        let now = work.store.label_delays(&asked).await?;
        Ok(label_lag::find(usual, now, &reference.limits))
    }
}

impl WatchRun {
    /// Records signals that disappeared or changed their type among the changes, so that they line up with what moved.
    /// The same onset is the same change, however often it is told.
    pub(super) async fn record_schema(&self, work: &Work, evaluations: &[Evaluation]) -> anyhow::Result<()> {
        if work.sink.is_some() {
            return Ok(());
        }
        let is_new = |evaluation: &&Evaluation| {
            let stood = self.standings.get(&Key::of(evaluation));
            evaluation.subject.monitor == Monitor::Schema
                && evaluation.verdict == Verdict::OffCourse
                && !stood.is_some_and(|standing| standing.verdict.is_alarm())
        };
        let change = |evaluation: &Evaluation| {
            let signal = &evaluation.subject.signal;
            let is_of_another_type = evaluation.numbers.get("is_of_another_type") == Some(&1.0);
            let what = if is_of_another_type { "has another type" } else { "disappeared" };
            let title = format!("{} {what}", words::signal(signal));
            self.schema_change(signal, evaluation.since, title, &evaluation.sentence)
        };
        let changes: Vec<Change> = evaluations.iter().filter(is_new).map(change).collect();
        Ok(work.store.write_changes(&changes).await?)
    }

    /// Records signals that the baseline does not know, as of the instant from which they are counted.
    pub(super) async fn record_new_signals(
        &self,
        work: &Work,
        reference: &Reference,
        current: &BySignal,
    ) -> anyhow::Result<()> {
        let Some(baseline) = reference.baseline.as_ref().filter(|_| work.sink.is_none()) else {
            return Ok(());
        };
        let mut recorded = self.quality.recorded.lock().await;
        let mut changes = Vec::new();
        for (signal, id) in reference.in_force.iter() {
            let key = (segment::ALL.to_owned(), signal.clone());
            let Some(grid) = reference.grid(signal, *id) else { continue };
            let is_new = grid.holds_from > baseline.window.end
                && !reference.signals.contains_key(&key)
                && current.get(&key).is_some_and(|counted| counted.counts.present() > 0);
            if is_new && recorded.insert(signal.clone()) {
                let title = format!("{} appeared", words::signal(signal));
                changes.push(self.schema_change(
                    signal,
                    grid.holds_from,
                    title,
                    "the baseline does not know it",
                ));
            }
        }
        Ok(work.store.write_changes(&changes).await?)
    }

    fn schema_change(&self, signal: &str, at: Instant, title: String, detail: &str) -> Change {
        let Identity { model, environment, .. } = &self.identity;
        Change {
            id: format!("schema/{model}/{environment}/{signal}/{}", at.millis()),
            at,
            model: model.clone(),
            environment: environment.clone(),
            kind: "schema".to_owned(),
            title,
            detail: detail.to_owned(),
            actor: "leeway".to_owned(),
            link: String::new(),
        }
    }
}

/// Findings by counts and by a sample: of events that came again what was counted, where anything was.
fn with_sampled(mut counted: Vec<Finding>, sampled: Vec<Finding>) -> Vec<Finding> {
    let is_again = |found: &Finding| found.monitor == Monitor::Duplicates;
    let is_counted = counted.iter().any(|found| is_again(found) && found.value > 0.0);
    let is_sampled = sampled.iter().any(is_again);
    counted.retain(|found| !is_again(found) || is_counted || !is_sampled);
    counted.extend(sampled.into_iter().filter(|found| !is_again(found) || !is_counted));
    counted
}

/// How many events a baseline has; one that is a stated stretch does not say so itself.
fn events_of(baseline: &Baseline, reference: &Reference) -> u64 {
    let whole = reference.signals.iter().filter(|((segment, _), _)| segment == segment::ALL);
    let counted = whole.map(|(_, known)| known.counts.total()).max().unwrap_or(0);
    if baseline.events > 0 { baseline.events } else { counted }
}

/// The features that nearly every event of the baseline carries.
fn required(reference: &Reference) -> Vec<String> {
    let whole = reference.signals.iter().filter(|((segment, _), _)| segment == segment::ALL);
    let features = whole.filter(|((_, signal), _)| role(signal) == Role::Feature);
    features
        .filter(|(_, known)| {
            known.counts.total() > 0
                && known.counts.missing() as f64 <= OPTIONAL * known.counts.total() as f64
        })
        .map(|((_, signal), _)| signal.clone())
        .collect()
}
