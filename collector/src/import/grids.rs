//! The grids of a file's signals: those in force are used as they are; for the others new ones are made of the whole
//! file and announced like any other grid, before the first event is stored.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use domain::contract::Contract;
use domain::grid::{Bins, Edges, Grid};
use domain::signal::is_duration;
use domain::time::Instant;
use service::Context;
use sql::Store;
use sql::grids::StoredGrid;

use super::survey::Survey;
use crate::config::Config;
use crate::event::Name;
use crate::known::Grids;

/// What was announced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// Events received from here on are counted by every grid of the file as they arrive.
    pub hold_from: Instant,
    /// Signals that got a grid.
    pub new: Vec<String>,
    /// Signals without a value that a grid could be made of.
    pub without: Vec<String>,
}

/// Where grids are announced, and in whose name.
pub struct Announcer<'a> {
    pub model: &'a str,
    /// From what they are made, for people: `file flights.parquet`.
    pub made_from: &'a str,
    pub config: &'a Config,
    pub context: &'a Context,
    pub store: &'a Store,
    pub grids: &'a Grids,
}

/// An announcement that came too late to be heard in time is not made; it is then tried again.
const ATTEMPTS: u32 = 3;

impl Announcer<'_> {
    /// Makes and announces the grids that are missing.
    ///
    /// # Errors
    /// The store's, or where the store is too slow to announce anything in time.
    pub async fn announce(&self, survey: &Survey) -> anyhow::Result<Announced> {
        let mut new = BTreeSet::new();
        for _ in 0..ATTEMPTS {
            let known = self.grids.refresh().await.context("the grids cannot be read")?.model(self.model);
            let is_missing = |signal: &&Name| !known.by_signal.contains_key(signal.as_str());
            let missing: Vec<&Name> = survey.signals.keys().filter(is_missing).collect();
            let made = self.make(survey, &missing).await?;
            if made.is_empty() {
                let hold_from =
                    survey.signals.keys().filter_map(|signal| known.by_signal.get(signal.as_str()));
                let mut without = survey.empty.clone();
                without.extend(missing.iter().map(|signal| signal.to_string()));
                without.sort();
                return Ok(Announced {
                    hold_from: hold_from.map(|stored| stored.grid.holds_from).max().unwrap_or_default(),
                    new: new.into_iter().collect(),
                    without,
                });
            }
            new.extend(made);
        }
        bail!(
            "the store takes longer than {} ms to announce grids: try again, or raise collector.grids.lead_ms",
            self.config.grids.lead_ms / 2
        )
    }

    /// Announces a grid for each of `signals` that one can be made for; gives those.
    async fn make(&self, survey: &Survey, signals: &[&Name]) -> anyhow::Result<Vec<String>> {
        let (model, lead) = (self.model, self.config.grids.lead());
        let contract = self.context.contract(model);
        let not_after = self.store.clock().await?.saturating_add(lead / 2);
        let now = self.context.clock.now();
        let mut made = Vec::new();
        for signal in signals {
            let Some(sample) = survey.signals.get(signal.as_str()) else { continue };
            let Some(bins) = duration_bins(signal, &contract).or_else(|| sample.bins()) else { continue };
            let stored = StoredGrid {
                grid: Grid::new(model, signal, now.saturating_add(lead), bins),
                made_from: self.made_from.to_owned(),
                made_of: sample.values(),
                announced_at: now,
                recounted_at: None,
            };
            self.store.announce_grid(&stored, not_after).await.context("a grid cannot be announced")?;
            made.push(signal.to_string());
        }
        Ok(made)
    }
}

/// Durations have their fixed bins, whatever the file holds.
fn duration_bins(signal: &str, contract: &Contract) -> Option<Bins> {
    is_duration(signal).then(|| Bins::Numbers(Edges::of_duration(&contract.duration_limits(signal))))
}
