//! Counts by a grid what was received before it held, a day of event time after the other, each under a token of its
//! own: several collectors may do it at once, and one that died is taken up where it stopped.
//!
//! Invariant: a day that may have been broken off is noted, and compared with the raw events once its grid is marked. A store
//! that was killed may know the token of counts that it has lost (`docs/decisions/0002-clickhouse-is-odd.md`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, MutexGuard, PoisonError};

use domain::time::{DAY, Instant, Interval, MINUTE};
use sql::counts::Resolution;
use sql::grid_making::ReceivedBefore;
use sql::grids::StoredGrid;
use sql::late_stretches::LateStretch;
use sql::recount::{CountedBy, Stretch, Watched};

use super::Maker;
use super::initial::Owed;
use crate::known::ModelGrids;

/// A day that was begun to be counted back: of a model, by the grids that hold from an instant, and its own begin.
pub(super) type Begun = (String, Instant, Instant);

/// Grids of a model that hold from the same instant.
pub(super) struct Group<'a> {
    pub model: &'a str,
    pub holds_from: Instant,
    pub grids: Vec<Arc<StoredGrid>>,
    /// When the model was counts only: of what was received then, nothing is left to be counted.
    pub unvalued: Vec<Interval>,
    pub known: &'a ModelGrids,
}

impl Maker {
    /// Counts for all grids that hold and have settled but were not counted back yet.
    pub(super) async fn count_what_came_before(&self, owed: &mut Owed) -> Result<(), sql::Error> {
        let known = self.grids.current();
        let (mut is_reloaded, mut is_marked) = (false, false);
        for (model, known) in known.models() {
            for group in groups(model, known, |stored| stored.recounted_at.is_none()) {
                if !self.is_settled(group.holds_from) {
                    continue;
                }
                if self.is_counts_only(group.model) {
                    // The values that came before are gone: the counts begin with the grid.
                    self.mark_counted(&group).await?;
                    is_marked = true;
                    continue;
                }
                if !is_reloaded {
                    self.store.reload_grid_dictionaries().await?;
                    is_reloaded = true;
                }
                let group = self.with_unvalued(group).await?;
                let received = self.received_before(&group).await?;
                self.count_back(&group, &received).await?;
                self.sum_or_owe(&group, &received, owed).await?;
                self.mark_counted(&group).await?;
            }
        }
        if is_reloaded || is_marked {
            self.grids.refresh().await?;
        }
        Ok(())
    }

    pub(super) async fn with_unvalued<'a>(&self, group: Group<'a>) -> Result<Group<'a>, sql::Error> {
        Ok(Group { unvalued: self.store.counts_only_hours(group.model).await?, ..group })
    }

    /// What can be counted back, by environment.
    pub(super) async fn received_before(&self, group: &Group<'_>) -> Result<Vec<ReceivedBefore>, sql::Error> {
        self.store.received_before(group.model, group.holds_from, &group.unvalued).await
    }

    async fn count_back(&self, group: &Group<'_>, received: &[ReceivedBefore]) -> Result<(), sql::Error> {
        let first = received.iter().map(|received| received.first_event).min();
        let last = received.iter().map(|received| received.last_event).max();
        let (Some(first), Some(last)) = (first, last) else { return Ok(()) };
        let events = Interval::new(first, last.saturating_add(MINUTE)).widened_to(MINUTE);
        for day in self.store.days_of(group.model, events.widened_to(DAY)).await? {
            let day = Interval::new(day.at, day.at.saturating_add(DAY));
            match day.intersection(events).filter(|_| self.store.may_forget_rows()) {
                Some(part) => self.count_noted(group, day, part).await?,
                None => self.count_day_back(group, day).await?,
            }
        }
        Ok(())
    }

    /// Counts a day back under a note of the part of it that the events are in. Whoever dies meanwhile, and whatever fails,
    /// leaves the note.
    async fn count_noted(&self, group: &Group<'_>, day: Interval, part: Interval) -> Result<(), sql::Error> {
        let begun = (group.model.to_owned(), group.holds_from, day.start);
        let was_begun = self.begun().contains(&begun);
        let note = LateStretch { model: group.model.to_owned(), interval: part, noted_at: self.clock.now() };
        if !was_begun {
            self.store.note_late_stretches(std::slice::from_ref(&note)).await?;
            self.begun().insert(begun.clone());
        }
        self.count_day_back(group, day).await?;
        if !was_begun {
            self.store.settle_late_stretches(&[note], self.clock.now()).await?;
        }
        self.begun().remove(&begun);
        Ok(())
    }

    fn begun(&self) -> MutexGuard<'_, BTreeSet<Begun>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn count_day_back(&self, group: &Group<'_>, day: Interval) -> Result<(), sql::Error> {
        let token = format!("grids-{}-{}-{}", group.model, group.holds_from.millis(), day.start.seconds());
        let [first, second] = group.stretches(day);
        if !first.signals.is_empty() {
            self.store.backfill_counts(&first, &format!("{token}-a")).await?;
        }
        if !second.watched.is_empty() {
            self.store.backfill_counts(&second, &format!("{token}-b")).await?;
            self.store.backfill_moments(&second, &format!("{token}-m")).await?;
            self.store.backfill_traffic(&second, &format!("{token}-t")).await?;
        }
        Ok(())
    }

    async fn mark_counted(&self, group: &Group<'_>) -> Result<(), sql::Error> {
        let now = self.clock.now();
        let marked: Vec<StoredGrid> = group
            .grids
            .iter()
            .map(|stored| StoredGrid { recounted_at: Some(now), ..(**stored).clone() })
            .collect();
        self.store.write_grids(&marked).await?;
        tracing::info!(model = group.model, signals = marked.len(), "what came before the grids is counted");
        Ok(())
    }
}

/// The grids of a model that are `wanted`, those that hold first before the others.
pub(super) fn groups<'a>(
    model: &'a str,
    known: &'a ModelGrids,
    wanted: impl Fn(&StoredGrid) -> bool,
) -> Vec<Group<'a>> {
    let mut by_instant: BTreeMap<Instant, Vec<Arc<StoredGrid>>> = BTreeMap::new();
    for stored in known.by_signal.values().filter(|stored| wanted(stored)) {
        by_instant.entry(stored.grid.holds_from).or_default().push(stored.clone());
    }
    let group = |(holds_from, mut grids): (Instant, Vec<Arc<StoredGrid>>)| {
        grids.sort_by(|a, b| a.grid.signal.cmp(&b.grid.signal));
        Group { model, holds_from, grids, unvalued: Vec::new(), known }
    };
    by_instant.into_iter().map(group).collect()
}

impl Group<'_> {
    /// What is counted of a day. First the group's signals, in all events and in the segments of dimensions known
    /// before; then every signal known by now in the segments of dimensions that hold from the same instant. So each
    /// pair of a signal and a dimension is counted once: by the group of whichever holds later.
    fn stretches(&self, day: Interval) -> [Stretch; 2] {
        let stretch = |signals: Vec<CountedBy>, watched: Vec<Watched>, whole: bool| Stretch {
            model: self.model.to_owned(),
            resolution: Resolution::Minutes,
            interval: day,
            received_before: Some(self.holds_from),
            signals,
            watched,
            whole,
            compared: false,
            values_kept: true,
            unvalued: self.unvalued.clone(),
        };
        let earlier = self.watched(|holds_from| holds_from < self.holds_from);
        let same = self.watched(|holds_from| holds_from == self.holds_from);
        let own = self.grids.iter().map(|stored| counted_by(stored)).collect();
        [stretch(own, earlier, true), stretch(self.known_by_then(), same, false)]
    }

    fn watched(&self, holds: impl Fn(Instant) -> bool) -> Vec<Watched> {
        let dimensions = self.known.dimensions.iter().filter(|dimension| holds(dimension.holds_from));
        dimensions
            .map(|dimension| Watched {
                dimension: dimension.name.clone(),
                signal: dimension.signal.clone(),
                levels: dimension.levels.clone(),
            })
            .collect()
    }

    fn known_by_then(&self) -> Vec<CountedBy> {
        let grids = self.known.by_signal.values();
        let mut known: Vec<CountedBy> = grids
            .filter(|stored| stored.grid.holds_from <= self.holds_from)
            .map(|stored| counted_by(stored))
            .collect();
        known.sort_by(|a, b| a.signal.cmp(&b.signal));
        known
    }

    /// All dimensions that are known by now.
    pub(super) fn all_watched(&self) -> Vec<Watched> {
        self.watched(|holds_from| holds_from <= self.holds_from)
    }
}

pub(super) fn counted_by(stored: &StoredGrid) -> CountedBy {
    CountedBy {
        signal: stored.grid.signal.clone(),
        grid: stored.grid.id,
        is_numeric: stored.grid.is_numeric(),
    }
}
