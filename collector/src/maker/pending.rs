//! Signals that have no grid yet: how many values of each were stored, and since when.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::contract::Contract;
use domain::grid::{Bins, Edges};
use domain::signal::is_duration;
use domain::time::{Instant, Interval};

use super::sample::Made;
use crate::config;
use crate::import::sample::Sample;
use crate::known::Known;

/// Signals of one model that wait at most. A sender of random names must not fill the memory; what is beyond waits
/// until others have their grids.
const MOST: usize = 10_000;
/// Models that have such signals at most, for the same reason.
const MODELS: usize = 1_000;

/// Shared by those who store events and the maker.
#[derive(Clone, Debug)]
pub struct Pending {
    models: Arc<Mutex<Models>>,
    /// Signals of all models together that wait at most.
    most: usize,
}

#[derive(Debug, Default)]
struct Models {
    waiting: HashMap<String, Waiting>,
    /// All signals in it.
    signals: usize,
}

#[derive(Debug)]
struct Waiting {
    /// The event time in which their values lie.
    interval: Interval,
    signals: BTreeMap<String, Signal>,
}

#[derive(Debug)]
struct Signal {
    values: u64,
    since: Instant,
    /// The values themselves, where nothing else keeps them: of models whose values are only counted.
    sample: Option<Sample>,
}

/// Signals of one model at most whose values are kept here: at the 5,000 values that make a grid, 40 MB.
const MOST_SAMPLED: usize = 1_000;

/// Signals of a model whose time has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    pub model: String,
    pub interval: Interval,
    pub signals: Vec<String>,
}

impl Pending {
    /// Remembers so many signals at most, and leaves the others for later.
    pub fn of_at_most(most: usize) -> Self {
        Self { models: Arc::default(), most }
    }

    /// Adds `values` of a signal that were stored.
    pub fn add(&self, model: &str, signal: &str, values: u64, received_at: Instant, interval: Interval) {
        let mut models = self.lock();
        let Models { waiting, signals } = &mut *models;
        if (waiting.len() >= MODELS || *signals >= self.most) && !waiting.contains_key(model) {
            return;
        }
        let waiting =
            waiting.entry(model.to_owned()).or_insert_with(|| Waiting { interval, signals: BTreeMap::new() });
        waiting.interval.start = waiting.interval.start.min(interval.start);
        waiting.interval.end = waiting.interval.end.max(interval.end);
        if let Some(known) = waiting.signals.get_mut(signal) {
            known.values += values;
            known.since = known.since.min(received_at);
        } else if waiting.signals.len() < MOST && *signals < self.most {
            *signals += 1;
            waiting.signals.insert(signal.to_owned(), Signal { values, since: received_at, sample: None });
        }
    }

    /// Keeps values of a signal that waits, until it has its grid.
    pub fn add_sample(&self, model: &str, signal: &str, sample: Sample) {
        let mut models = self.lock();
        let Some(waiting) = models.waiting.get_mut(model) else { return };
        let sampled = waiting.signals.values().filter(|signal| signal.sample.is_some()).count();
        if let Some(signal) = waiting.signals.get_mut(signal)
            && (signal.sample.is_some() || sampled < MOST_SAMPLED)
        {
            signal.sample.get_or_insert_default().absorb(sample);
        }
    }

    /// The bins of due signals, made of the values that are kept here.
    pub fn bins(&self, due: &Due, contract: &Contract) -> Vec<Made> {
        let models = self.lock();
        let made = due.signals.iter().filter_map(|signal| {
            let sample = models.waiting.get(&due.model)?.signals.get(signal)?.sample.as_ref()?;
            let bins = match is_duration(signal) {
                true => Bins::Numbers(Edges::of_duration(&contract.duration_limits(signal))),
                false => sample.bins()?,
            };
            Some(Made { model: due.model.clone(), signal: signal.clone(), bins, of: sample.values() })
        });
        made.collect()
    }

    /// Forgets signals that have a grid now.
    pub fn forget(&self, known: &Known) {
        let mut models = self.lock();
        models.waiting.retain(|name, waiting| {
            let model = known.model(name);
            waiting.signals.retain(|signal, _| !model.by_signal.contains_key(signal));
            !waiting.signals.is_empty()
        });
        models.signals = models.waiting.values().map(|waiting| waiting.signals.len()).sum();
    }

    /// What is to get its grid now: signals with enough values, or after the first hour; durations at once.
    pub fn due(&self, now: Instant, config: &config::Grids) -> Vec<Due> {
        let first_hour = Duration::from_secs(config.first_hour_s);
        let is_due = |name: &str, signal: &Signal| {
            is_duration(name) || signal.values >= config.values || now.since(signal.since) >= first_hour
        };
        let models = self.lock();
        let due = models.waiting.iter().map(|(model, waiting)| Due {
            model: model.clone(),
            interval: waiting.interval,
            signals: waiting
                .signals
                .iter()
                .filter(|(name, signal)| is_due(name, signal))
                .map(|(name, _)| name.clone())
                .collect(),
        });
        due.filter(|due| !due.signals.is_empty()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Models> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::grid::{Bins, Edges, Grid};
    use sql::grids::StoredGrid;

    use super::*;

    fn due(pending: &Pending, now: i64) -> Vec<String> {
        let due = pending.due(Instant::from_seconds(now), &config::Grids::default());
        due.into_iter().flat_map(|due| due.signals).collect()
    }

    #[test]
    fn a_signal_is_due_with_its_values_or_after_an_hour_and_a_duration_at_once() {
        let pending = Pending::of_at_most(10);
        let interval = Interval::new(Instant::from_seconds(5), Instant::from_seconds(9));
        for (signal, values) in [("feature.many", 4_999), ("feature.few", 3), ("latency_ms", 1)] {
            pending.add("m", signal, values, Instant::from_seconds(10), interval);
        }
        assert_eq!(due(&pending, 11), ["latency_ms"]);
        pending.add("m", "feature.many", 1, Instant::from_seconds(12), interval);
        assert_eq!(due(&pending, 12), ["feature.many", "latency_ms"]);
        assert_eq!(due(&pending, 3_610).len(), 3);
    }

    #[test]
    fn names_without_end_do_not_fill_the_memory() {
        let interval = Interval::new(Instant::EPOCH, Instant::EPOCH);
        let fill = |pending: &Pending, models: usize, signals: usize| {
            for n in 0..models * signals {
                let (model, signal) = (format!("m{}", n % models), format!("feature.{n}"));
                pending.add(&model, &signal, 5_000, Instant::EPOCH, interval);
            }
            due(pending, 0).len()
        };
        assert_eq!(fill(&Pending::of_at_most(1_000_000), 1, 2 * MOST), MOST);
        assert_eq!(fill(&Pending::of_at_most(1_000_000), 2 * MODELS, 1), MODELS);
        let pending = Pending::of_at_most(500);
        assert_eq!(fill(&pending, 40, 100), 500);
        // What has its grid makes room.
        let grid = |n: usize| {
            let bins = Bins::Numbers(Edges::of_sample(vec![1.0]));
            let grid = Grid::new("m0", &format!("feature.{n}"), Instant::EPOCH, bins);
            StoredGrid {
                grid,
                made_from: String::new(),
                made_of: 0,
                announced_at: Instant::EPOCH,
                recounted_at: None,
            }
        };
        let known = Known::of(Instant::EPOCH, (0..400).step_by(40).map(grid).collect(), Arc::default());
        pending.forget(&known);
        assert_eq!(fill(&pending, 40, 100), 500);
    }
}
