//! Makes the grids of signals that have none, counts by them what came before they held, and sums the first baseline.
//!
//! Invariant: a grid is in the table half a lead before it holds, or not at all; what was received before is counted by
//! it once, after it has settled (`docs/decisions/0003-grids-without-loss.md`).

mod backfill;
mod initial;
mod late;
mod on_demand;
mod pending;
mod sample;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::grid::Grid;
use domain::time::{Clock, DAY, HOUR, Instant, Interval};
use service::context::Contracts;
use sql::Store;
use sql::grids::StoredGrid;
use tokio_util::sync::CancellationToken;

use self::backfill::Begun;
use self::initial::Owed;
use self::late::Looks;
use self::pending::Due;
pub use self::pending::Pending;
use crate::config;
use crate::intake::Intake;
use crate::known::Grids;
use crate::metrics::Metrics;

/// How far back a starting collector looks for signals that wait for a grid: whatever waited longer was made by the
/// one before.
const LOOK_BACK: Duration = DAY;

#[derive(Clone)]
pub struct Maker {
    store: Store,
    grids: Grids,
    config: config::Grids,
    clock: Clock,
    contracts: Contracts,
    pending: Pending,
    /// What this process has begun to count back: its notes stand.
    begun: Arc<Mutex<BTreeSet<Begun>>>,
    metrics: Arc<Metrics>,
}

impl Maker {
    /// A maker for what `intake` stores.
    pub fn new(
        store: Store,
        grids: Grids,
        config: &config::Grids,
        context: &service::Context,
        intake: &Intake,
    ) -> Self {
        Self {
            store,
            grids,
            config: config.clone(),
            clock: context.clock.clone(),
            contracts: context.contracts.clone(),
            pending: intake.pending().clone(),
            begun: Arc::default(),
            metrics: intake.metrics().clone(),
        }
    }

    /// Works until stopped. What is broken off is done again by the next start, or by another collector.
    pub async fn run(self, stopper: CancellationToken) {
        tokio::join!(self.keep_making(&stopper), self.keep_counting(&stopper));
    }

    async fn keep_making(&self, stopper: &CancellationToken) {
        let mut is_seeded = false;
        let mut tick = tokio::time::interval(Duration::from_millis(self.config.refresh_ms));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stopper.run_until_cancelled(tick.tick()).await.is_some() {
            let work = async {
                self.grids.refresh().await?;
                if !is_seeded {
                    self.seed().await?;
                    is_seeded = true;
                }
                self.make().await
            };
            if let Some(Err(error)) = stopper.run_until_cancelled(work).await {
                tracing::warn!(error = %error, "grids cannot be made now; tried again soon");
            }
        }
    }

    async fn keep_counting(&self, stopper: &CancellationToken) {
        let (mut looks, mut owed) = (Looks::default(), Owed::default());
        let mut tick = tokio::time::interval(Duration::from_millis(self.config.refresh_ms));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while stopper.run_until_cancelled(tick.tick()).await.is_some() {
            let work = async {
                self.count_what_came_before(&mut owed).await?;
                self.correct_late(&mut looks).await?;
                self.sum_owed(&mut owed).await
            };
            if let Some(Err(error)) = stopper.run_until_cancelled(work).await {
                tracing::warn!(error = %error, "events before a grid cannot be counted now; tried again soon");
            }
        }
    }

    /// Finds signals that wait for a grid since before this process started.
    async fn seed(&self) -> Result<(), sql::Error> {
        let now = self.clock.now();
        let interval = Interval::new(now.saturating_sub(LOOK_BACK), now.saturating_add(HOUR));
        let known = self.grids.current();
        for (model, first_received_at) in self.store.models_since(interval.start).await? {
            let gridded: Vec<String> = known.model(&model).by_signal.keys().cloned().collect();
            for carried in self.store.signals_beside(&model, interval, &gridded).await? {
                let n = carried.numbers + carried.categories;
                self.pending.add(&model, &carried.signal, n, first_received_at, interval);
            }
        }
        Ok(())
    }

    /// Makes and announces the grids that are due.
    async fn make(&self) -> Result<(), sql::Error> {
        let known = self.grids.current();
        self.pending.forget(&known);
        let due = self.pending.due(self.clock.now(), &self.config);
        for due in &due {
            let made = self.made_of(due).await?;
            self.announce(made).await?;
        }
        if !due.is_empty() {
            self.grids.refresh().await?;
        }
        Ok(())
    }

    async fn made_of(&self, due: &Due) -> Result<Vec<sample::Made>, sql::Error> {
        let contract = self.contracts.get(&due.model).unwrap_or_default();
        if contract.privacy.counts_only {
            return Ok(self.pending.bins(due, &contract));
        }
        let numbers = self.store.sample_numbers(&due.model, due.interval, &due.signals).await?;
        let categories = self.store.sample_categories(&due.model, due.interval, &due.signals).await?;
        Ok(sample::grids(due, &contract, numbers, categories))
    }

    async fn announce(&self, made: Vec<sample::Made>) -> Result<(), sql::Error> {
        if made.is_empty() {
            return Ok(());
        }
        // The store's clock is read first: what passes until ours is read makes the limit earlier, not later.
        let not_after = self.store.clock().await?.saturating_add(self.config.lead() / 2);
        let now = self.clock.now();
        let holds_from = now.saturating_add(self.config.lead());
        let (model, signals) = (made[0].model.clone(), made.len());
        for made in made {
            let stored = StoredGrid {
                grid: Grid::new(&made.model, &made.signal, holds_from, made.bins),
                made_from: format!("the first {} values", made.of),
                made_of: made.of,
                announced_at: now,
                recounted_at: None,
            };
            self.store.announce_grid(&stored, not_after).await?;
        }
        self.metrics.grids(signals);
        tracing::info!(model, signals, holds_from = %holds_from, "announced grids");
        Ok(())
    }

    /// Whether no raw event holds a value, so that nothing can be counted again.
    fn is_counts_only(&self, model: &str) -> bool {
        self.contracts.get(model).is_some_and(|contract| contract.privacy.counts_only)
    }

    fn is_settled(&self, holds_from: Instant) -> bool {
        self.clock.now() >= holds_from.saturating_add(self.config.settle())
    }
}
