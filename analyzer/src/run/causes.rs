//! Works out why incidents came about: a few at a time, once when they open and again while they grow.
//!
//! Cost is bounded: so many incidents a turn, so many signals and dimensions each, so many raw events a side.

mod about;
mod examples;
mod split;
mod upstream;

use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::{Contract, Watch};
use domain::evaluation::Cause;
use domain::grid::Grid;
use domain::incident::{Finding, Incident, fold};
use domain::signal::segment;
use domain::time::{DAY, HOUR, Instant, Interval};
use domain::why::Why;
use sql::Store;
use sql::changes::ChangesAsked;
use sql::counts::{Question, Resolution, Versions};
use sql::evaluations::ModelSeen;

use super::Work;
use super::watch::WatchRun;
use crate::counted::{BySignal, Stretch};
use crate::reference::Reference;
use crate::rootcause::report::Found;
use crate::rootcause::signals::{self, Move};

/// How often it is asked whether there is something to work out.
const EVERY: Duration = Duration::from_secs(10);
/// What is known of an incident that grows is worked out again after so long.
const HOLDS: Duration = Duration::from_secs(600);
/// So many incidents a turn.
const MOST_A_TURN: u32 = 4;
/// So many signals are told.
const MOST_SIGNALS: usize = 40;
/// No more than so many windows since the onset are compared with the baseline.
const MOST_WINDOWS: u32 = 48;
/// Changes are near that were made within a day before the onset or an hour after it.
const NEAR_BEFORE: Duration = DAY;
const NEAR_AFTER: Duration = HOUR;
const MOST_CHANGES: u32 = 50;

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
    let mut changes = case.changes(&work.store).await?;
    changes.extend(upstream::aged(case.incident, &moved, &about));
    let found = Found {
        incident,
        lead,
        baseline: if case.reference.called.is_empty() {
            &case.watch.baseline
        } else {
            &case.reference.called
        },
        window: case.window,
        events: case.events,
        prediction_move,
        metric_changed_at: case.metric_changed_at(&about, prediction_move),
        moved,
        about,
        measured: measured.map(|measured| (measured, carried)),
        dimensions: &dimensions,
        attributed,
        changes,
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
    /// Earlier stretches whose events stand for what is usual, the best first; none where there is a baseline for that.
    usual: Vec<Interval>,
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
        let seen = ModelSeen {
            model: incident.model.clone(),
            environment: incident.environment.clone(),
            first_event: Instant::EPOCH,
            last_event: window.end,
        };
        let mut run = WatchRun::new(&work.config, &seen, contract.clone(), watch.clone());
        let reference = run.compared_with(work, window, baselines).await?;
        let case = Self {
            incident,
            lead,
            contract,
            watch,
            reference,
            versions: run.own_versions(),
            beside: run.beside(),
            usual: run.usual_stretches(window),
            window,
            current: BySignal::new(),
            events: 0,
        };
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

    async fn changes(&self, store: &Store) -> anyhow::Result<Vec<sql::changes::Change>> {
        let onset = self.incident.since;
        let near = Interval::new(onset.saturating_sub(NEAR_BEFORE), onset.saturating_add(NEAR_AFTER));
        let Incident { model, environment, .. } = self.incident;
        let asked =
            ChangesAsked { model: model.clone(), kind: String::new(), interval: near, most: MOST_CHANGES };
        let mut changes = store.changes(&asked).await?;
        changes.retain(|change| change.environment.is_empty() || change.environment == *environment);
        let versions = store.versions_first(model, environment).await?;
        changes.extend(upstream::versions(self.incident, &versions, near));
        Ok(changes)
    }
}
