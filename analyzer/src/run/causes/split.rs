//! What an incident's measure is made of: split over the segments of some dimensions, by raw events or by counts.

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bins, Grid};
use domain::signal::{AGE, FEATURE, LATENCY, Role, role, segment, short_name};
use domain::time::Interval;
use sql::Store;
use sql::causes::{CellsAsked, Measured};
use sql::counts::Versions;

use super::Case;
use crate::rootcause::attribution::{self, Attributed, Of};
use crate::rootcause::cells::{self, Carried};
use crate::rootcause::signals::Move;

/// So many dimensions are held against each other, each of so many values at most.
const MOST_DIMENSIONS: usize = 6;
const MOST_LEVELS: usize = 60;
/// So many raw events a side are looked at.
const MOST_EVENTS: u64 = 100_000;

impl Case<'_> {
    /// What is split over segments: what the incident is about, or else the prediction's mean where that moved.
    pub(super) fn measured(&self, prediction_move: Option<Move>) -> Option<Measured> {
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
        let share = |counts: &Counts, n: u64| n as f64 / counts.total().max(1) as f64;
        let sides = before.values(levels.names().len()).into_iter().zip(now.values(levels.names().len()));
        let grown = levels.names().iter().zip(sides).max_by(|one, other| {
            let growth = |(_, (was, is)): &(&String, (u64, u64))| share(now, *is) - share(before, *was);
            growth(one).total_cmp(&growth(other))
        });
        grown.map(|(level, _)| Measured::Category(signal, level.clone()))
    }

    /// What segments are made of: what the contract watches, the version, and categories of few values.
    pub(super) fn dimensions(&self) -> Vec<String> {
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

    pub(super) async fn carried(
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
        let Some((before, before_events)) = self.events_before(store).await? else { return Ok(None) };
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

    /// Where raw events lie that those of the window are held against, and how many there are.
    async fn events_before(&self, store: &Store) -> anyhow::Result<Option<(Interval, u64)>> {
        // Beside each other both sides have the same minutes, and about as many events are looked at of each.
        if self.beside.is_some() {
            return Ok(Some((self.window, self.events)));
        }
        let baseline = self.reference.baseline.as_ref();
        if let (true, Some(counted)) =
            (self.usual.is_empty(), baseline.filter(|baseline| baseline.events > 0))
        {
            return Ok(Some((counted.window, counted.events)));
        }
        for stretch in self.usual.iter().copied().chain(baseline.map(|baseline| baseline.window)) {
            let question = self.question(stretch, vec![segment::ALL.to_owned()], Vec::new(), 0);
            let events: u64 = store.traffic(&question).await?.iter().map(|point| point.events).sum();
            if events > 0 {
                return Ok(Some((stretch, events)));
            }
        }
        Ok(None)
    }

    /// Counts, and errors of which no raw events are left, by the watched segments, against as long a time before.
    pub(super) async fn attributed(&self, store: &Store, is_split: bool) -> anyhow::Result<Vec<Attributed>> {
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
}
