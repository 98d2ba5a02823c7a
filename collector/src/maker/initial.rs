//! The baseline that a model gets by itself: what its first grids were made of.
//!
//! Invariant: it is not summed of counts that lack events and are noted to be compared: it waits until they were.

use std::collections::{BTreeMap, BTreeSet};

use domain::baseline::{Baseline, INITIAL};
use domain::time::{Instant, Interval, MINUTE};
use sql::baseline_sums::Span;
use sql::baselines::BySignal;
use sql::grid_making::ReceivedBefore;
use sql::grids::StoredGrid;
use sql::recount::CountedBy;

use super::Maker;
use super::backfill::{Group, counted_by, groups};

/// Models of which counts are noted: initial baselines may be owed to them.
#[derive(Debug, Default)]
pub(super) struct Owed {
    models: BTreeSet<String>,
    next: Instant,
}

impl Maker {
    /// Adds the group's signals to the initial baselines; where their counts lack events, and are noted, when that is settled.
    pub(super) async fn sum_or_owe(
        &self,
        group: &Group<'_>,
        received: &[ReceivedBefore],
        owed: &mut Owed,
    ) -> Result<(), sql::Error> {
        let sums = self.sums_of_all(group, received).await?;
        let is_lacking = received.iter().zip(&sums).any(|(received, sums)| lacks(group, received, sums));
        if is_lacking && self.noted_models().await?.contains(group.model) {
            tracing::info!(model = group.model, "its first baseline waits until its counts are compared");
            owed.models.insert(group.model.to_owned());
            return Ok(());
        }
        self.write_initials(group, received, sums).await
    }

    /// Sums the initial baselines that waited for notes which are settled now.
    pub(super) async fn sum_owed(&self, owed: &mut Owed) -> Result<(), sql::Error> {
        let now = self.clock.now();
        if now < owed.next {
            return Ok(());
        }
        // What somebody else noted and left stands for a settling time at least.
        owed.next = now.saturating_add(self.config.settle() / 8);
        let noted = self.noted_models().await?;
        let settled: Vec<String> = owed.models.difference(&noted).cloned().collect();
        owed.models.extend(noted);
        for model in settled {
            if !self.is_counts_only(&model) {
                self.sum_lacking(&model).await?;
            }
            owed.models.remove(&model);
        }
        Ok(())
    }

    /// Adds signals that were counted back and are in no initial baseline of their model.
    async fn sum_lacking(&self, model: &str) -> Result<(), sql::Error> {
        let known = self.grids.current().model(model);
        let mut summed = BTreeSet::new();
        for baseline in self.store.baselines(Some(model)).await?.iter().filter(|one| one.name == INITIAL) {
            summed.extend(self.store.baseline_counts(baseline).await?.into_keys().map(|(_, signal)| signal));
        }
        let is_owed =
            |stored: &StoredGrid| stored.recounted_at.is_some() && !summed.contains(&stored.grid.signal);
        for group in groups(model, &known, is_owed) {
            let group = self.with_unvalued(group).await?;
            let received = self.received_before(&group).await?;
            let sums = self.sums_of_all(&group, &received).await?;
            self.write_initials(&group, &received, sums).await?;
        }
        Ok(())
    }

    /// The models of which counts are to be compared with the raw events.
    async fn noted_models(&self) -> Result<BTreeSet<String>, sql::Error> {
        Ok(self.store.late_stretches().await?.into_iter().map(|note| note.model).collect())
    }

    /// Of each environment.
    async fn sums_of_all(
        &self,
        group: &Group<'_>,
        received: &[ReceivedBefore],
    ) -> Result<Vec<BySignal>, sql::Error> {
        let mut sums = Vec::with_capacity(received.len());
        for received in received {
            sums.push(self.sums(group, received).await?);
        }
        Ok(sums)
    }

    /// Adds the group's signals to the initial baseline of each environment, or makes one where nobody has.
    async fn write_initials(
        &self,
        group: &Group<'_>,
        received: &[ReceivedBefore],
        sums: Vec<BySignal>,
    ) -> Result<(), sql::Error> {
        let stored = self.store.baselines(Some(group.model)).await?;
        for (received, sums) in received.iter().zip(sums) {
            let before = stored
                .iter()
                .find(|baseline| baseline.name == INITIAL && baseline.environment == received.environment);
            self.write_initial(group, received, before, sums).await?;
        }
        Ok(())
    }

    async fn sums(&self, group: &Group<'_>, received: &ReceivedBefore) -> Result<BySignal, sql::Error> {
        let span = Span {
            model: group.model.to_owned(),
            environment: received.environment.clone(),
            window: window(received),
            version: String::new(),
        };
        let signals: Vec<CountedBy> = group.grids.iter().map(|stored| counted_by(stored)).collect();
        let contract = self.contracts.get(group.model).unwrap_or_default();
        let prediction = contract.prediction_signal(group.known.by_signal.keys().map(String::as_str));
        self.store.sum_baseline(&span, &signals, &group.all_watched(), prediction.as_deref()).await
    }

    async fn write_initial(
        &self,
        group: &Group<'_>,
        received: &ReceivedBefore,
        before: Option<&Baseline>,
        sums: BySignal,
    ) -> Result<(), sql::Error> {
        let mut by_signal = match before {
            Some(before) => self.store.baseline_counts(before).await?,
            None => BySignal::new(),
        };
        let known = by_signal.len();
        for (key, sum) in sums {
            by_signal.entry(key).or_insert(sum);
        }
        if by_signal.len() == known {
            return Ok(());
        }
        let created_at = self.clock.now();
        let baseline = match before {
            Some(before) => Baseline { created_at, ..before.clone() },
            None => Baseline {
                model: group.model.to_owned(),
                environment: received.environment.clone(),
                name: INITIAL.to_owned(),
                window: window(received),
                source: format!("the first {} events", received.events),
                events: received.events,
                created_at,
            },
        };
        self.store.write_baseline(&baseline, &by_signal).await
    }
}

/// Whether there are fewer counts of a signal than events, in all of them or in the segments of a dimension: each event is
/// counted once in either, by a value or as missing.
fn lacks(group: &Group<'_>, received: &ReceivedBefore, sums: &BySignal) -> bool {
    let mut totals: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for ((segment, signal), sum) in sums {
        let dimension = segment.split_once('=').map_or("", |(dimension, _)| dimension);
        *totals.entry((signal.as_str(), dimension)).or_default() += sum.counts.total();
    }
    let watched = group.all_watched();
    let dimensions = || watched.iter().map(|watched| watched.dimension.as_str()).chain([""]);
    let total = |signal: &str, dimension: &str| totals.get(&(signal, dimension)).copied().unwrap_or(0);
    group.grids.iter().any(|stored| {
        dimensions().any(|dimension| total(stored.grid.signal.as_str(), dimension) < received.events)
    })
}

/// The whole minutes of the events.
fn window(received: &ReceivedBefore) -> Interval {
    Interval::new(
        received.first_event,
        received.last_event.saturating_add(std::time::Duration::from_millis(1)),
    )
    .widened_to(MINUTE)
}
