//! Works out why incidents came about: a few at a time, once when they open and again while they grow.
//!
//! Cost is bounded: so many incidents a turn, so many signals and dimensions each, so many raw events a side.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::evaluation::{Cause, Monitor};
use domain::grid::{Bins, Grid};
use domain::incident::{Finding, Incident, fold};
use domain::signal::{AGE, FEATURE, LATENCY, Role, role, segment, short_name};
use domain::time::{DAY, HOUR, Instant, Interval};
use domain::why::{Example, Why};
use sql::Store;
use sql::causes::{CellsAsked, Measured};
use sql::changes::ChangesAsked;
use sql::counts::{CountSeries, Question, Resolution, Versions};
use sql::evaluations::ModelSeen;
use sql::pages::incident::{ExamplesAsked, Shows};

use super::Work;
use super::watch::WatchRun;
use crate::counted::{BySignal, Stretch};
use crate::explain::{self, Part};
use crate::reference::Reference;
use crate::rootcause::attribution::{self, Attributed, Of};
use crate::rootcause::cells::{self, Carried};
use crate::rootcause::onset::{Weights, changed_at};
use crate::rootcause::report::{About, Found};
use crate::rootcause::signals::{self, Move, Moved};

/// How often it is asked whether there is something to work out.
const EVERY: Duration = Duration::from_secs(10);
/// What is known of an incident that grows is worked out again after so long.
const HOLDS: Duration = Duration::from_secs(600);
/// So many incidents a turn.
const MOST_A_TURN: u32 = 4;
/// So many signals are told, and of so many the segments and the time of change are looked for.
const MOST_SIGNALS: usize = 40;
const MOST_LOOKED_INTO: usize = 12;
/// So many dimensions are held against each other, each of so many values at most.
const MOST_DIMENSIONS: usize = 6;
const MOST_LEVELS: usize = 60;
/// So many raw events a side are looked at.
const MOST_EVENTS: u64 = 100_000;
/// So many windows before the onset tell when a signal changed …
const STEPS_BEFORE: u32 = 36;
/// … and no more than so many since are compared with the baseline.
const MOST_WINDOWS: u32 = 48;
/// Changes are near that were made within a day before the onset or an hour after it.
const NEAR_BEFORE: Duration = DAY;
const NEAR_AFTER: Duration = HOUR;
const MOST_CHANGES: u32 = 50;
const MOST_EXAMPLES: u32 = 5;

/// When the incidents were last looked through.
#[derive(Debug, Default)]
pub(crate) struct Causes {
    looked_at: Option<Instant>,
}

impl Causes {
    /// Works out what is wanted. What fails about one incident is logged and tried again with the next turn.
    pub(crate) async fn follow(&mut self, work: &mut Work, baselines: &[Baseline]) -> anyhow::Result<usize> {
        let now = work.now();
        if self.looked_at.is_some_and(|at| now.since(at) < EVERY && at <= now) {
            return Ok(0);
        }
        self.looked_at = Some(now);
        let wanted = work.store.causes_wanted(now.saturating_sub(HOLDS), MOST_A_TURN).await?;
        let mut done = 0;
        for id in wanted {
            if work.is_stopping() {
                break;
            }
            let events = work.store.incident_events(Some(&id)).await?;
            let Some(incident) = fold(&events).pop() else { continue };
            if incident.cause == Cause::Leeway || !work.shards.living().holds(&incident.model) {
                continue;
            }
            match why(work, &incident, baselines).await {
                Ok(Some(why)) => {
                    work.store.write_causes(&why).await?;
                    done += 1;
                }
                Ok(None) => {}
                Err(error) if super::is_transient(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        incident = id,
                        error = format!("{error:#}"),
                        "causes cannot be worked out"
                    );
                }
            }
        }
        Ok(done)
    }
}

/// Why one incident came about; `None` where it has no finding.
async fn why(work: &Work, incident: &Incident, baselines: &[Baseline]) -> anyhow::Result<Option<Why>> {
    let Some(lead) = incident.findings.first() else { return Ok(None) };
    let contract = work.context.contract(&incident.model);
    let watches = contract.watches();
    let named = watches.iter().find(|watch| watch.name == lead.subject.watch).or(watches.first());
    let Some(watch) = named.cloned() else { return Ok(None) };
    let case = Case::read(work, incident, lead, contract, watch, baselines).await?;
    let moved = {
        let mut moved = signals::moved(&case.reference, &case.current);
        moved.truncate(MOST_SIGNALS);
        moved
    };
    let about = case.about(&work.store, &moved).await?;
    let prediction_move = Move::of(&case.reference, &case.current);
    let measured = case.measured(prediction_move);
    let dimensions = case.dimensions();
    let carried = case.carried(&work.store, measured.as_ref(), &dimensions).await?;
    let attributed = case.attributed(&work.store, carried.is_some()).await?;
    let examples = case.examples(&work.store, &moved, &about).await?;
    let found = Found {
        incident,
        lead,
        baseline: if case.beside.is_some() { &case.reference.called } else { &case.watch.baseline },
        window: case.window,
        events: case.events,
        prediction_move,
        metric_changed_at: case.metric_changed_at(&about, prediction_move),
        moved,
        about,
        measured: measured.map(|measured| (measured, carried)),
        dimensions: &dimensions,
        attributed,
        changes: case.changes(&work.store).await?,
        examples,
        computed_at: work.now(),
    };
    Ok(Some(found.report()))
}

/// An incident with the counts of its window and those it is compared with.
struct Case<'a> {
    incident: &'a Incident,
    lead: &'a Finding,
    contract: Contract,
    watch: Watch,
    reference: Reference,
    /// Whose events the window holds, and the environment and versions that they are compared with in the same minutes.
    versions: Versions,
    beside: Option<(String, Versions)>,
    /// From the onset to the last window.
    window: Interval,
    current: BySignal,
    events: u64,
}

impl<'a> Case<'a> {
    async fn read(
        work: &Work,
        incident: &'a Incident,
        lead: &'a Finding,
        contract: Contract,
        watch: Watch,
        baselines: &[Baseline],
    ) -> anyhow::Result<Self> {
        let schedule = watch.schedule();
        let longest = schedule.length.saturating_mul(MOST_WINDOWS);
        let start = incident.since.max(lead.window_end.saturating_sub(longest));
        let start = start.min(lead.window_end.saturating_sub(schedule.length));
        let window = Interval::new(start, lead.window_end);
        let store = &work.store;
        let named = baselines.iter().find(|baseline| {
            baseline.model == incident.model
                && baseline.environment == incident.environment
                && baseline.name == watch.baseline
        });
        let counts = match named {
            Some(named) => Some((named.clone(), store.baseline_counts(named).await?)),
            None => None,
        };
        let grids = store.grids(Some(&incident.model)).await?;
        let mut reference = Reference::new(&work.config, &contract, &watch, counts, grids);
        let seen = ModelSeen {
            model: incident.model.clone(),
            environment: incident.environment.clone(),
            first_event: window.start,
            last_event: window.end,
        };
        let run = WatchRun::new(&work.config, &seen, contract.clone(), watch.clone());
        if let Some(others) = run.reference_beside(work, window, &reference).await? {
            reference = others;
        }
        let (versions, beside) = (run.own_versions(), run.beside());
        let (current, events) = (BySignal::new(), 0);
        let case =
            Self { incident, lead, contract, watch, reference, versions, beside, window, current, events };
        let question = case.question(window, vec![segment::ALL.to_owned()], Vec::new(), 0);
        let (counts, moments, traffic) = tokio::try_join!(
            store.counts_of(&question, &case.versions),
            store.moments_of(&question, &case.versions),
            store.traffic(&question)
        )?;
        let stretch = Stretch { counts, moments, traffic, ..Stretch::default() };
        // One sum over all begins at the start of the widened interval.
        let whole = Interval::new(Instant::EPOCH, window.end);
        let current = stretch.signals(whole, |segment, signal| case.reference.grid_of(segment, signal));
        let events = stretch.traffic(whole).events;
        Ok(Self { current, events, ..case })
    }

    fn question(
        &self,
        interval: Interval,
        segments: Vec<String>,
        signals: Vec<String>,
        step_s: u32,
    ) -> Question {
        let ends = [interval.start, interval.end];
        let is_hourly = ends.iter().all(|end| end.floor(HOUR) == *end)
            && (step_s == 0 || u64::from(step_s).is_multiple_of(HOUR.as_secs()));
        Question {
            model: self.incident.model.clone(),
            environment: self.incident.environment.clone(),
            interval,
            resolution: if is_hourly { Resolution::Hours } else { Resolution::Minutes },
            segments,
            signals,
            step_s,
        }
    }

    fn grid(&self, signal: &str) -> Option<&Grid> {
        self.reference.grid(signal, self.reference.grid_of(segment::ALL, signal)?)
    }

    /// Of the leading signals: since when, and where.
    async fn about(&self, store: &Store, moved: &[Moved]) -> anyhow::Result<BTreeMap<String, About>> {
        let mut names: Vec<String> =
            moved.iter().take(MOST_LOOKED_INTO).map(|moved| moved.signal.clone()).collect();
        let consequences =
            moved.iter().filter(|moved| moved.is_consequence).map(|moved| moved.signal.clone());
        names.extend(consequences.filter(|name| !names.contains(name)).collect::<Vec<_>>());
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let step = self.watch.schedule().step;
        let began = self.window.start.saturating_sub(step.saturating_mul(STEPS_BEFORE)).floor(step);
        let over_time = self.question(
            Interval::new(began, self.window.end),
            vec![segment::ALL.to_owned()],
            names.clone(),
            u32::try_from(step.as_secs())?,
        );
        let by_segment = self.question(self.window, Vec::new(), names.clone(), 0);
        let (series, segments) = tokio::try_join!(
            store.counts_of(&over_time, &self.versions),
            store.counts_of(&by_segment, &self.versions)
        )?;
        let about = |name: &String| About {
            changed_at: self.changed_at(name, &series),
            carrier: moved
                .iter()
                .find(|moved| moved.signal == *name)
                .and_then(|moved| self.carrier(moved, &segments)),
        };
        Ok(names.iter().map(|name| (name.clone(), about(name))).collect())
    }

    fn changed_at(&self, signal: &str, series: &[CountSeries]) -> Option<Instant> {
        let key = (segment::ALL.to_owned(), signal.to_owned());
        let grid = self.grid(signal)?;
        let (before, now) = (self.reference.signals.get(&key)?, self.current.get(&key)?);
        let weights = Weights::of(grid, &before.counts, &now.counts)?;
        let own = series.iter().find(|one| one.signal == signal && one.grid == grid.id)?;
        changed_at(&weights, &own.points)
    }

    /// The watched segment that carries what happened to a signal.
    fn carrier(&self, moved: &Moved, series: &[CountSeries]) -> Option<(String, f64)> {
        let monitor = if moved.missing_rise() > 0.01 { Monitor::Missing } else { Monitor::Drift };
        let key = (segment::ALL.to_owned(), moved.signal.clone());
        let (before, now) = (self.reference.signals.get(&key)?, self.current.get(&key)?);
        let grid = self.grid(&moved.signal)?;
        let of_signal = series.iter().filter(|one| one.signal == moved.signal && one.grid == grid.id);
        let counted: Vec<(&str, domain::counts::Counts)> = of_signal
            .filter(|one| !one.segment.is_empty())
            .map(|one| {
                let pairs = one.points.iter().map(|point| (point.bin, point.n));
                (one.segment.as_str(), domain::counts::Counts::of(pairs))
            })
            .collect();
        let parts: Vec<Part<'_>> = counted
            .iter()
            .filter_map(|(name, counts)| {
                let known = self.reference.signals.get(&((*name).to_owned(), moved.signal.clone()))?;
                Some(Part { segment: name, baseline: &known.counts, current: counts })
            })
            .collect();
        let whole = Part { segment: segment::ALL, baseline: &before.counts, current: &now.counts };
        let shares = explain::segment_parts(monitor, grid, whole, &parts);
        let of_events = |name: &str| self.reference.segments.get(name).copied().unwrap_or(0.0);
        explain::carrier(&shares, of_events).map(|(name, part)| (name.to_owned(), part))
    }

    /// The prediction's own change where it moved, else that of what the incident is about.
    fn metric_changed_at(
        &self,
        about: &BTreeMap<String, About>,
        prediction_move: Option<Move>,
    ) -> Option<Instant> {
        let prediction = self.reference.prediction.as_ref().filter(|_| prediction_move.is_some());
        let of = prediction.unwrap_or(&self.lead.subject.signal);
        about.get(of).and_then(|about| about.changed_at)
    }

    /// What is split over segments: what the incident is about, or else the prediction's mean where that moved.
    fn measured(&self, prediction_move: Option<Move>) -> Option<Measured> {
        let subject = &self.lead.subject;
        let signal = subject.signal.clone();
        let prediction =
            || self.reference.prediction.clone().filter(|_| prediction_move.is_some()).map(Measured::Number);
        match subject.monitor {
            Monitor::Missing => Some(Measured::Missing(signal)),
            Monitor::Invalid => Some(Measured::Invalid(signal)),
            Monitor::Errors => Some(Measured::Error),
            Monitor::SlowBurn if signal.is_empty() => Some(Measured::Error),
            Monitor::Latency | Monitor::SlowBurn | Monitor::Staleness | Monitor::Freshness => {
                self.duration_limit(&signal).map(|limit| Measured::Beyond(signal, limit))
            }
            Monitor::Silence | Monitor::Traffic | Monitor::Analyzer => None,
            _ if role(&signal) == Role::Feature && prediction_move.is_none() => self.of_feature(signal),
            _ => prediction().or_else(|| self.of_feature(signal)),
        }
        .filter(|measured| !matches!(measured, Measured::Missing(signal) if signal.is_empty()))
    }

    fn duration_limit(&self, signal: &str) -> Option<f64> {
        if signal == LATENCY {
            return self.contract.objectives.latency.map(|latency| latency.limit_ms);
        }
        signal
            .starts_with(AGE)
            .then(|| self.contract.freshness_limits().get(short_name(signal)).copied())
            .flatten()
    }

    /// The mean of a number, or the share of the category that became more frequent than any other.
    fn of_feature(&self, signal: String) -> Option<Measured> {
        let key = (segment::ALL.to_owned(), signal.clone());
        let grid = self.grid(&signal)?;
        let Bins::Categories(levels) = &grid.bins else { return Some(Measured::Number(signal)) };
        let (before, now) = (&self.reference.signals.get(&key)?.counts, &self.current.get(&key)?.counts);
        let share = |counts: &domain::counts::Counts, n: u64| n as f64 / counts.total().max(1) as f64;
        let sides = before.values(levels.names().len()).into_iter().zip(now.values(levels.names().len()));
        let grown = levels.names().iter().zip(sides).max_by(|one, other| {
            let growth = |(_, (was, is)): &(&String, (u64, u64))| share(now, *is) - share(before, *was);
            growth(one).total_cmp(&growth(other))
        });
        grown.map(|(level, _)| Measured::Category(signal, level.clone()))
    }

    /// What segments are made of: what the contract watches, the version, and categories of few values.
    fn dimensions(&self) -> Vec<String> {
        let named = |dimension: &String| match dimension.starts_with("tag.") {
            true => dimension.clone(),
            false => format!("{FEATURE}{dimension}"),
        };
        let mut dimensions: Vec<String> = self.contract.segments.iter().map(named).collect();
        // Two versions beside each other differ in that by nature.
        if self.versions == Versions::All {
            dimensions.push("version".to_owned());
        }
        let is_small = |grid: &Grid| match &grid.bins {
            Bins::Categories(levels) => (2..=MOST_LEVELS).contains(&levels.names().len()),
            Bins::Numbers(_) => false,
        };
        let features = self.reference.in_force.keys().filter(|signal| role(signal) == Role::Feature);
        for signal in features {
            let is_new = !dimensions.contains(signal) && *signal != self.lead.subject.signal;
            if is_new && self.grid(signal).is_some_and(is_small) {
                dimensions.push(signal.clone());
            }
        }
        dimensions.truncate(MOST_DIMENSIONS);
        dimensions
    }

    async fn carried(
        &self,
        store: &Store,
        measured: Option<&Measured>,
        dimensions: &[String],
    ) -> anyhow::Result<Option<Carried>> {
        let Some(measured) = measured else { return Ok(None) };
        let (environment, versions) = match &self.beside {
            Some((environment, versions)) => (environment.clone(), versions.clone()),
            None => (self.incident.environment.clone(), Versions::All),
        };
        // Beside each other both sides have the same minutes, and about as many events are looked at of each.
        let (before, before_events) = match (&self.beside, &self.reference.baseline) {
            (Some(_), _) => (self.window, self.events),
            (None, Some(baseline)) => (baseline.window, baseline.events),
            (None, None) => return Ok(None),
        };
        let every = |events: u64| events.div_ceil(MOST_EVENTS).max(1);
        let asked = CellsAsked {
            model: self.incident.model.clone(),
            environment: self.incident.environment.clone(),
            environment_before: environment,
            versions: [versions, self.versions.clone()],
            before,
            now: self.window,
            every: [every(before_events), every(self.events)],
            measured: measured.clone(),
            dimensions: dimensions.to_vec(),
        };
        Ok(cells::carried(&store.cause_cells(&asked).await?))
    }

    /// Counts, and errors of which no raw events are left, by the watched segments, against as long a time before.
    async fn attributed(&self, store: &Store, is_split: bool) -> anyhow::Result<Vec<Attributed>> {
        let of = match self.lead.subject.monitor {
            Monitor::Silence | Monitor::Traffic => Of::Events,
            Monitor::Errors if !is_split => Of::ErrorShare,
            _ => return Ok(Vec::new()),
        };
        let before = Interval::ending_at(self.window.start, self.window.length());
        let (then, now) = (
            self.question(before, Vec::new(), Vec::new(), 0),
            self.question(self.window, Vec::new(), Vec::new(), 0),
        );
        let (then, now) = tokio::try_join!(store.traffic(&then), store.traffic(&now))?;
        Ok(attribution::attributed(of, &then, &now))
    }

    async fn changes(&self, store: &Store) -> anyhow::Result<Vec<sql::changes::Change>> {
        let onset = self.incident.since;
        let asked = ChangesAsked {
            model: self.incident.model.clone(),
            kind: String::new(),
            interval: Interval::new(onset.saturating_sub(NEAR_BEFORE), onset.saturating_add(NEAR_AFTER)),
            most: MOST_CHANGES,
        };
        let mut changes = store.changes(&asked).await?;
        let environment = &self.incident.environment;
        changes.retain(|change| change.environment.is_empty() || change.environment == *environment);
        Ok(changes)
    }

    /// Events of the segment that carries it, with what the leading signal now has more often.
    async fn examples(
        &self,
        store: &Store,
        moved: &[Moved],
        about: &BTreeMap<String, About>,
    ) -> anyhow::Result<Vec<Example>> {
        let lead = moved.iter().find(|moved| !moved.is_consequence);
        let (signal, shows, said) = match (self.lead.subject.monitor, lead) {
            (Monitor::Errors, _) => (String::new(), Shows::Error, "a prediction that failed".to_owned()),
            (_, Some(moved)) => {
                let (shows, said) = self.shows(moved);
                (moved.signal.clone(), shows, said)
            }
            (_, None) => return Ok(Vec::new()),
        };
        let carrier = about.get(&signal).and_then(|about| about.carrier.clone());
        let asked = ExamplesAsked {
            model: self.incident.model.clone(),
            environment: self.incident.environment.clone(),
            interval: self.window,
            signal,
            segment: carrier.map_or_else(String::new, |(segment, _)| segment),
            shows,
            most: MOST_EXAMPLES,
        };
        let found = store.incident_examples(&asked).await?;
        let example = |one: sql::pages::incident::Example| Example {
            id: one.id,
            at: one.at,
            version: one.version,
            // JSON has no infinities; what is not finite is not shown.
            numbers: one.numbers.into_iter().filter(|(_, value)| value.is_finite()).collect(),
            categories: one.categories,
            shows: said.clone(),
        };
        Ok(found.into_iter().map(example).collect())
    }

    /// What became more frequent: no value, an unusable one, or those of the bin that grew most.
    fn shows(&self, moved: &Moved) -> (Shows, String) {
        let key = (segment::ALL.to_owned(), moved.signal.clone());
        let name = crate::words::signal(&moved.signal);
        if moved.missing_rise() > 0.01 {
            let now = self.current.get(&key).map(|now| (now.counts.missing(), now.counts.invalid()));
            return match now {
                Some((missing, invalid)) if invalid > missing => {
                    (Shows::Invalid, format!("{name} is unusable"))
                }
                _ => (Shows::Missing, format!("{name} is missing")),
            };
        }
        self.grown(&key).unwrap_or((Shows::Anything, name))
    }

    fn grown(&self, key: &(String, String)) -> Option<(Shows, String)> {
        let grid = self.grid(&key.1)?;
        let (before, now) = (&self.reference.signals.get(key)?.counts, &self.current.get(key)?.counts);
        let share = |counts: &domain::counts::Counts, bin| {
            (counts.get(bin) as f64 + 0.5) / (counts.total() as f64 + 1.0)
        };
        let says = |bin| (share(now, bin) - share(before, bin)) * (share(now, bin) / share(before, bin)).ln();
        let grown = now
            .iter()
            .map(|(bin, _)| bin)
            .filter(|bin| bin.value_index().is_some() && share(now, *bin) > share(before, *bin))
            .max_by(|one, other| says(*one).total_cmp(&says(*other)))?;
        let label = grid.label(grown);
        let said = format!("{} in {label}", crate::words::signal(&key.1));
        Some(match &grid.bins {
            Bins::Numbers(edges) => {
                let (low, high) = edges.limits(grown.value_index()?);
                (Shows::Number { low, high }, said)
            }
            Bins::Categories(_) => (Shows::Category(vec![label]), said),
        })
    }
}
