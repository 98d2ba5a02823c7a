//! Analyzers that share the models: each says that it lives, and takes over the models of those that do not.
//!
//! Invariant: an analyzer that cannot say that it lives judges nothing. Two that judge the same window for a moment (one
//! that was only slow, and its heir) store it under one token, and the store keeps the first.

use std::time::{Duration, Instant};

use sql::Store;

use crate::config::Config;
use crate::shard::Living;

/// So many signs of life fit into the time after which an analyzer counts as dead.
const BEATS: u32 = 4;

/// Which shards live, asked again a few times within the time of a takeover.
#[derive(Debug)]
pub(crate) struct Shards {
    living: Living,
    takeover: Duration,
    /// Until others had time to be heard of, all count as living.
    listening_since: Option<Instant>,
    asked_at: Option<Instant>,
}

impl Shards {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            living: Living::all(config.shard),
            takeover: Duration::from_secs(config.takeover_s),
            listening_since: None,
            asked_at: None,
        }
    }

    pub(crate) fn living(&self) -> &Living {
        &self.living
    }

    /// Says that this analyzer lives and hears who else does, where that is due; whether something changed.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn follow(&mut self, config: &Config, store: &Store) -> anyhow::Result<bool> {
        let shard = config.shard;
        if shard.is_all() || self.asked_at.is_some_and(|at| at.elapsed() < self.takeover / BEATS) {
            return Ok(false);
        }
        let now = Instant::now();
        store.beat(shard.place(), shard.count()).await?;
        let heard = store.analyzers_living(shard.count(), u32::try_from(config.takeover_s)?).await?;
        let since = *self.listening_since.get_or_insert(now);
        self.asked_at = Some(now);
        let is_early = now.duration_since(since) < self.takeover;
        let living = if is_early { Living::all(shard) } else { Living::of(shard, heard) };
        let changed = living != self.living;
        if changed {
            let dead: Vec<String> = living.dead().iter().map(ToString::to_string).collect();
            match dead.is_empty() {
                true => tracing::info!("all shards live; each has its own models again"),
                false => {
                    tracing::warn!(dead = dead.join(", "), "shards are silent; their models are taken over")
                }
            }
        }
        self.living = living;
        Ok(changed)
    }
}
