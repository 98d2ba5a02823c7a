//! The grids in force, as this process last read them.
//!
//! Invariant: an event is counted live by a grid if and only if it was received at or after the instant from which the
//! grid holds. So counting an event needs grids that were read recently enough: announcements are in the store half a
//! lead before they hold, and [`Grids::fresh_for`] reads again where the last reading is older than that allows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::contract::Contract;
use domain::grid::{Bins, Grid};
use domain::signal::{FEATURE, TAG, segment};
use domain::time::{Clock, Instant};
use service::context::Contracts;
use sql::Store;
use sql::grids::{StoredGrid, in_force};

/// What is known about one model: its grids in force and the dimensions that it watches.
#[derive(Clone, Debug, Default)]
pub struct ModelGrids {
    pub by_signal: HashMap<String, Arc<StoredGrid>>,
    pub dimensions: Vec<Dimension>,
    /// Every instant from which a grid holds, ascending: between two of them nothing changes.
    pub changes: Vec<Instant>,
}

/// A watched dimension with its frequent values, once they are known.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// As the contract names it and segments begin: `origin`, `tag.region`.
    pub name: String,
    /// The signal whose grid holds the frequent values: `feature.origin`, `tag.region`.
    pub signal: String,
    pub levels: Vec<String>,
    pub holds_from: Instant,
}

/// All that was known at one reading.
#[derive(Debug, Default)]
pub struct Known {
    /// When the reading began; nothing announced before is missing.
    pub read_at: Instant,
    version: u64,
    models: HashMap<String, Arc<ModelGrids>>,
    contracts: Arc<BTreeMap<String, Contract>>,
}

impl Known {
    pub fn of(read_at: Instant, stored: Vec<StoredGrid>, contracts: Arc<BTreeMap<String, Contract>>) -> Self {
        let mut models: HashMap<String, ModelGrids> = HashMap::new();
        for stored in in_force(stored) {
            let model = models.entry(stored.grid.model.clone()).or_default();
            model.by_signal.insert(stored.grid.signal.clone(), Arc::new(stored));
        }
        for (name, model) in &mut models {
            if let Some(contract) = contracts.get(name) {
                model.dimensions = dimensions(contract, &model.by_signal);
            }
            model.changes = model.by_signal.values().map(|stored| stored.grid.holds_from).collect();
            model.changes.sort_unstable();
            model.changes.dedup();
        }
        let models = models.into_iter().map(|(name, model)| (name, Arc::new(model))).collect();
        Self { read_at, version: 0, models, contracts }
    }

    pub fn model(&self, model: &str) -> Arc<ModelGrids> {
        self.models.get(model).cloned().unwrap_or_default()
    }

    /// Tags that the model's contract watches as dimensions.
    pub fn watched_tags(&self, model: &str) -> impl Iterator<Item = &str> {
        let segments = self.contracts.get(model).map(|contract| contract.segments.as_slice());
        segments.unwrap_or_default().iter().filter_map(|name| name.strip_prefix(TAG))
    }

    pub fn models(&self) -> impl Iterator<Item = (&String, &Arc<ModelGrids>)> {
        self.models.iter()
    }
}

/// The signal that carries a dimension's values.
pub fn dimension_signal(dimension: &str) -> String {
    if dimension.starts_with(TAG) { dimension.to_owned() } else { format!("{}{dimension}", FEATURE) }
}

fn dimensions(contract: &Contract, by_signal: &HashMap<String, Arc<StoredGrid>>) -> Vec<Dimension> {
    let known = contract.segments.iter().filter_map(|name| {
        let signal = dimension_signal(name);
        let stored = by_signal.get(&signal)?;
        Some(Dimension {
            name: name.clone(),
            levels: frequent_values(&stored.grid),
            holds_from: stored.grid.holds_from,
            signal,
        })
    });
    known.collect()
}

/// The values of a dimension that are segments of their own.
pub fn frequent_values(grid: &Grid) -> Vec<String> {
    match &grid.bins {
        Bins::Categories(levels) => levels.names().iter().take(segment::MOST).cloned().collect(),
        Bins::Numbers(_) => Vec::new(),
    }
}

/// A handle to what is known, shared by everything in the process that counts.
#[derive(Clone)]
pub struct Grids {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    clock: Clock,
    contracts: Contracts,
    freshness: Duration,
    known: RwLock<Arc<Known>>,
    /// One reading at a time: the second of two that wait finds what the first has read.
    reading: tokio::sync::Mutex<()>,
}

impl Grids {
    /// Nothing is known yet; the first use reads.
    pub fn new(store: Store, context: &service::Context, freshness: Duration) -> Self {
        let shared = Shared {
            store,
            clock: context.clock.clone(),
            contracts: context.contracts.clone(),
            freshness,
            known: RwLock::new(Arc::new(Known { read_at: Instant::EPOCH, ..Known::default() })),
            reading: tokio::sync::Mutex::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What was known at the last reading, however old.
    pub fn current(&self) -> Arc<Known> {
        self.shared.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is surely all that counts for events received up to `newest`.
    pub async fn fresh_for(&self, newest: Instant) -> Result<Arc<Known>, sql::Error> {
        let enough = |known: &Known| known.read_at.saturating_add(self.shared.freshness) > newest;
        let known = self.current();
        if enough(&known) {
            return Ok(known);
        }
        let _one = self.shared.reading.lock().await;
        let known = self.current();
        if enough(&known) { Ok(known) } else { self.read().await }
    }

    /// Reads again, now.
    pub async fn refresh(&self) -> Result<Arc<Known>, sql::Error> {
        let _one = self.shared.reading.lock().await;
        self.read().await
    }

    async fn read(&self) -> Result<Arc<Known>, sql::Error> {
        let read_at = self.shared.clock.now();
        let version = self.shared.store.grids_version().await?;
        let (before, contracts) = (self.current(), self.shared.contracts.current());
        let is_as_before = before.version == version && Arc::ptr_eq(&before.contracts, &contracts);
        let known = if is_as_before && before.read_at > Instant::EPOCH {
            Known { read_at, version, models: before.models.clone(), contracts: before.contracts.clone() }
        } else {
            let stored = self.shared.store.grids(None).await?;
            Known { version, ..Known::of(read_at, stored, contracts) }
        };
        let known = Arc::new(known);
        *self.shared.known.write().unwrap_or_else(PoisonError::into_inner) = known.clone();
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use domain::grid::Levels;

    use super::*;

    fn stored(signal: &str, holds_from: i64, levels: usize) -> StoredGrid {
        let levels = Levels::of((0..levels).map(|n| format!("v{n:03}")));
        let grid = Grid::new("m", signal, Instant::from_seconds(holds_from), Bins::Categories(levels));
        StoredGrid {
            grid,
            made_from: String::new(),
            made_of: 0,
            announced_at: Instant::EPOCH,
            recounted_at: None,
        }
    }

    #[test]
    fn the_most_frequent_values_of_a_watched_dimension_are_its_segments() {
        let contract =
            Contract { segments: vec!["origin".to_owned(), "tag.region".to_owned()], ..Contract::default() };
        let contracts = BTreeMap::from([("m".to_owned(), contract)]);
        let all =
            vec![stored("feature.origin", 5, 50), stored("tag.region", 9, 3), stored("feature.x", 5, 1)];
        let model = Known::of(Instant::EPOCH, all, Arc::new(contracts)).model("m");
        let found: Vec<(&str, usize)> =
            model.dimensions.iter().map(|d| (d.name.as_str(), d.levels.len())).collect();
        assert_eq!(found, [("origin", segment::MOST), ("tag.region", 3)]);
        assert_eq!(model.changes, [Instant::from_seconds(5), Instant::from_seconds(9)]);
    }

    #[test]
    fn a_model_that_nobody_described_has_no_segments() {
        let model =
            Known::of(Instant::EPOCH, vec![stored("feature.origin", 5, 2)], Arc::default()).model("m");
        assert!(model.dimensions.is_empty());
        assert_eq!(model.by_signal.len(), 1);
    }
}
