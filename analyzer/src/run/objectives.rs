//! Reads what burn rates and error budgets are sums of: three questions for all windows of a batch.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::evaluation::Monitor;
use domain::grid::{Bin, Bins};
use domain::signal::{AGE, LATENCY, segment};
use domain::time::{DAY, HOUR, Instant, Interval, MINUTE};
use sql::breaches::{Breaches, BreachesAsked};
use sql::counts::{Question, Resolution, TrafficPoint};
use sql::objectives::{Good, GoodStep, StepsAsked};

use super::Work;
use super::watch::{Identity, WatchRun};
use crate::counted::{BySignal, Stretch};
use crate::finding::Finding;
use crate::objectives;
use crate::quality::rules;
use crate::reference::Reference;
use crate::slo;
use crate::slo::objective::{self, Objective, Source};
use crate::slo::record::{Record, Step};

/// The longest window of a rule.
const LONGEST: Duration = Duration::from_secs(3 * DAY.as_secs());
/// The shortest window of a rule: steps are no longer.
const SHORTEST_S: u64 = 300;

impl WatchRun {
    /// The record of every objective whose burn rates this watch follows, over what `windows` look back at.
    pub(super) async fn read_objectives(
        &self,
        work: &Work,
        windows: Interval,
    ) -> anyhow::Result<Vec<(Objective, Record)>> {
        let mut stated = objective::stated(&self.contract);
        stated.retain(|objective| self.is_followed(objective) && self.watch.looks_at(objective.monitor));
        let Some(reference) = self.reference.as_ref().filter(|_| !stated.is_empty()) else {
            return Ok(Vec::new());
        };
        let period = stated.iter().map(|objective| objective.period).max().unwrap_or(LONGEST);
        // A step that divides both the watch's and five minutes, so that windows end where steps do.
        let step_s = u32::try_from(greatest_common_divisor(self.watch.step_s, SHORTEST_S))?;
        let fine = Interval::new(windows.start.saturating_sub(LONGEST), windows.end);
        let coarse = Interval::new(windows.start.saturating_sub(period), windows.end);
        let durations: Vec<Good> = stated.iter().filter_map(|objective| good(objective, reference)).collect();
        let needs = |source| stated.iter().any(|objective| objective.source == source);
        let needs = Needs { traffic: needs(Source::Traffic), rules: needs(Source::Rules) };
        let (steps, hours) = tokio::try_join!(
            self.steps(work, fine, (Resolution::Minutes, step_s), &durations, needs),
            self.steps(work, coarse, (Resolution::Hours, 3_600), &durations, needs),
        )?;
        let record = |objective: Objective| {
            let record = Record::of(steps.of(&objective), hours.of(&objective));
            (objective, record)
        };
        Ok(stated.into_iter().map(record).collect())
    }

    /// Whether this watch looks often enough for an objective's burn rates.
    pub(super) fn is_followed(&self, objective: &Objective) -> bool {
        let step = self.schedule.step;
        !crate::slo::followed(step, objective.period, domain::evaluation::Severity::Page).is_empty()
    }

    /// How fast budgets burn; for objectives whose burn rates this watch cannot follow, the share of bad events in its
    /// window.
    pub(super) fn objective_findings(
        &self,
        work: &Work,
        reference: &Reference,
        window: Interval,
        signals: &BySignal,
        stretch: &Stretch,
    ) -> Vec<Finding> {
        let limits = &reference.limits;
        let burning = stretch.objectives.iter().flat_map(|(objective, record)| {
            slo::findings(objective, record, window.end, self.schedule.step, limits)
        });
        let mut findings: Vec<Finding> = burning.collect();
        for finding in findings.iter_mut().filter(|finding| finding.monitor == Monitor::Latency) {
            finding.numbers.extend(percentiles(reference, signals));
        }
        let is_burning = |monitor: Monitor| stretch.objectives.iter().any(|(one, _)| one.monitor == monitor);
        let duration = |signal: &str| {
            let grid = reference.grid(signal, reference.grid_of(segment::ALL, signal)?)?;
            let counted = signals.get(&(String::new(), signal.to_owned()))?;
            Some(objectives::Duration { grid, counts: &counted.counts })
        };
        if !is_burning(Monitor::Latency) {
            let objective = self.contract.objectives.latency;
            findings.extend(objective.and_then(|it| objectives::latency(it, duration(LATENCY)?, limits)));
        }
        if !is_burning(Monitor::Freshness) {
            findings.extend(self.contract.freshness_limits().iter().filter_map(|(feature, limit_s)| {
                let age = duration(&format!("{AGE}{feature}"))?;
                objectives::staleness(&work.config, feature, *limit_s, age, limits)
            }));
        }
        findings
    }

    async fn steps(
        &self,
        work: &Work,
        interval: Interval,
        (resolution, step_s): (Resolution, u32),
        durations: &[Good],
        needs: Needs,
    ) -> anyhow::Result<Steps> {
        let Identity { model, environment, .. } = &self.identity;
        let asked = StepsAsked { model, environment, interval, resolution, step_s };
        let traffic = async {
            if !needs.traffic {
                return Ok(Vec::new());
            }
            let question = Question {
                model: model.clone(),
                environment: environment.clone(),
                interval,
                resolution,
                segments: vec![segment::ALL.to_owned()],
                signals: Vec::new(),
                step_s,
            };
            work.store.traffic(&question).await
        };
        let rules = async {
            if !needs.rules {
                return Ok(Breaches::default());
            }
            let unit = if resolution == Resolution::Hours { HOUR } else { MINUTE };
            let interval = interval.widened_to(unit);
            let (model, environment) = (model.clone(), environment.clone());
            work.store.breaches(&BreachesAsked { model, environment, interval, resolution, step_s }).await
        };
        let (traffic, durations, rules) =
            tokio::try_join!(traffic, work.store.good_and_bad(&asked, durations), rules)?;
        Ok(Steps { traffic, durations, rules })
    }
}

/// Where the latencies of a window lie, with intervals: `p95_ms`, `p95_low_ms`, `p95_high_ms`.
fn percentiles(reference: &Reference, signals: &BySignal) -> BTreeMap<String, f64> {
    let found = || {
        let grid = reference.grid(LATENCY, reference.grid_of(segment::ALL, LATENCY)?)?;
        let Bins::Numbers(edges) = &grid.bins else { return None };
        let counts = &signals.get(&(String::new(), LATENCY.to_owned()))?.counts;
        Some(objectives::percentile_numbers(edges, counts))
    };
    found().unwrap_or_default()
}

/// What is read beside durations.
#[derive(Clone, Copy, Debug)]
struct Needs {
    traffic: bool,
    rules: bool,
}

/// What was read in one resolution.
struct Steps {
    traffic: Vec<TrafficPoint>,
    durations: Vec<GoodStep>,
    rules: Breaches,
}

impl Steps {
    fn of(&self, objective: &Objective) -> Vec<Step> {
        let step = |at: Instant, events: u64, bad: u64| Step { at, events, bad };
        match objective.source {
            Source::Traffic => {
                self.traffic.iter().map(|point| step(point.at, point.events, point.errors)).collect()
            }
            Source::Rules => rules::steps(&self.rules, &objective.signal),
            Source::Duration { .. } => self
                .durations
                .iter()
                .filter(|one| one.signal == objective.signal)
                .map(|one| step(one.at, one.events, one.bad))
                .collect(),
        }
    }
}

/// The last bin of the grid in force whose values are good; `None` while nothing is counted of the signal.
fn good(objective: &Objective, reference: &Reference) -> Option<Good> {
    let Source::Duration { limit, missing_is_bad } = objective.source else { return None };
    let id = *reference.in_force.get(&objective.signal)?;
    let Bins::Numbers(edges) = &reference.grid(&objective.signal, id)?.bins else { return None };
    let last = u16::try_from(edges.position(limit)).ok()?;
    let last = Bin(Bin::FIRST_VALUE.0.checked_add(last)?);
    Some(Good { signal: objective.signal.clone(), grid: id, last, missing_is_bad })
}

pub(super) fn greatest_common_divisor(one: u64, other: u64) -> u64 {
    if other == 0 { one.max(1) } else { greatest_common_divisor(other, one % other) }
}
