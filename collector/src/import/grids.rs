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

use super::sample::Sample;
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

impl Announcer<'_> {
    /// Makes and announces the grids that are missing.
    ///
    /// # Errors
    /// The store's, or where the store is too slow to announce anything in time.
    pub async fn announce(&self, survey: &Survey) -> anyhow::Result<Announced> {
        let mut new = BTreeSet::new();
        let mut left = usize::MAX;
        loop {
            let known = self.grids.refresh().await.context("the grids cannot be read")?.model(self.model);
            let is_missing = |signal: &&Name| !known.by_signal.contains_key(signal.as_str());
            let missing: Vec<&Name> = survey.signals.keys().filter(is_missing).collect();
            // An announcement that came too late to be heard in time is not made; what is left is tried again.
            let makeable = self.makeable(survey, &missing);
            if makeable.is_empty() {
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
            if makeable.len() == left {
                bail!(
                    "the store takes longer than {} ms to announce a grid: try again, or raise collector.grids.lead_ms",
                    self.config.grids.lead_ms / 2
                );
            }
            left = makeable.len();
            new.extend(makeable.iter().map(|(signal, _)| signal.to_string()));
            self.announce_all(survey, makeable).await?;
        }
    }

    /// The bins of each of `signals` that they can be made for.
    fn makeable<'s>(&self, survey: &Survey, signals: &[&'s Name]) -> Vec<(&'s Name, Bins)> {
        let contract = self.context.contract(self.model);
        let bins = |signal: &Name| {
            let sample = survey.signals.get(signal.as_str());
            duration_bins(signal, &contract).or_else(|| sample.and_then(Sample::bins))
        };
        signals.iter().filter_map(|signal| Some((*signal, bins(signal)?))).collect()
    }

    async fn announce_all(&self, survey: &Survey, made: Vec<(&Name, Bins)>) -> anyhow::Result<()> {
        let lead = self.config.grids.lead();
        let not_after = self.store.clock().await?.saturating_add(lead / 2);
        let now = self.context.clock.now();
        for (signal, bins) in made {
            let stored = StoredGrid {
                grid: Grid::new(self.model, signal, now.saturating_add(lead), bins),
                made_from: self.made_from.to_owned(),
                made_of: survey.signals.get(signal.as_str()).map_or(0, Sample::values),
                announced_at: now,
                recounted_at: None,
            };
            self.store.announce_grid(&stored, not_after).await.context("a grid cannot be announced")?;
        }
        Ok(())
    }

    /// Says of the grids announced that nothing is left to count by them, where the model had no events before they
    /// held: that is known as soon as they have settled, and no collector has to look through the whole import for it.
    pub async fn mark_complete(&self, announced: &Announced) -> anyhow::Result<()> {
        let now = self.context.clock.now();
        let settled = announced.hold_from.saturating_add(self.config.grids.settle());
        if announced.new.is_empty() || now < settled {
            return Ok(());
        }
        if !self.store.received_before(self.model, announced.hold_from, &[]).await?.is_empty() {
            return Ok(());
        }
        let known = self.grids.refresh().await?.model(self.model);
        let own = announced.new.iter().filter_map(|signal| known.by_signal.get(signal));
        let unmarked = own.filter(|stored| stored.recounted_at.is_none());
        let marked: Vec<StoredGrid> =
            unmarked.map(|stored| StoredGrid { recounted_at: Some(now), ..(**stored).clone() }).collect();
        Ok(self.store.write_grids(&marked).await?)
    }
}

/// Durations have their fixed bins, whatever the file holds.
fn duration_bins(signal: &str, contract: &Contract) -> Option<Bins> {
    is_duration(signal).then(|| Bins::Numbers(Edges::of_duration(&contract.duration_limits(signal))))
}
