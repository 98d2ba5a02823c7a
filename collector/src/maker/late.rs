//! Stretches of events that came when grids had been counted back already, such as the spool of a collector that was
//! down for an hour: compared with the raw events once nobody writes to them, and corrected.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::{DAY, Instant, Interval, MINUTE};
use sql::recount::{Stretch, Watched};

use super::Maker;
use super::backfill::counted_by;
use crate::known::ModelGrids;

/// After so many settling times a stretch that is still written to is corrected all the same.
const PATIENCE: u32 = 30;

/// Shared by those who store events and the maker.
#[derive(Clone, Debug, Default)]
pub struct Late(Arc<Mutex<Vec<Stray>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stray {
    model: String,
    interval: Interval,
    since: Instant,
}

impl Late {
    pub fn add(&self, model: String, interval: Interval, since: Instant) {
        let stray = Stray { model, interval: interval.widened_to(MINUTE), since };
        let mut strays = self.lock();
        // Neighbouring batches of one model become one stretch.
        match strays.iter_mut().find(|known| known.model == stray.model && known.touches(stray.interval)) {
            Some(known) => {
                let (start, end) = (known.interval.start, known.interval.end);
                known.interval = Interval::new(start.min(stray.interval.start), end.max(stray.interval.end));
            }
            None => strays.push(stray),
        }
    }

    fn all(&self) -> Vec<Stray> {
        self.lock().clone()
    }

    fn remove(&self, done: &Stray) {
        self.lock().retain(|stray| stray != done);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Stray>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stray {
    fn touches(&self, other: Interval) -> bool {
        self.interval.start <= other.end && other.start <= self.interval.end
    }
}

impl Maker {
    /// Corrects what came late, where it has settled.
    pub(super) async fn correct_late(&self) -> Result<(), sql::Error> {
        for stray in self.late.all() {
            if self.is_counts_only(&stray.model) {
                self.late.remove(&stray);
                continue;
            }
            let now = self.clock.now();
            let settle = self.config.settle();
            let lately = Interval::new(now.saturating_sub(settle), now.saturating_add(MINUTE));
            let is_quiet = now >= stray.since.saturating_add(settle)
                && self.store.minutes_moving(&stray.model, stray.interval, lately).await?.is_empty();
            if !is_quiet && now < stray.since.saturating_add(settle * PATIENCE) {
                continue;
            }
            if !self.store.hours_expired(&stray.model, stray.interval, self.kept_since(now)).await?.is_empty()
            {
                tracing::warn!(
                    model = stray.model, stretch = %stray.interval,
                    "late events lie in hours whose minutes or raw events have expired; their counts stay as they are"
                );
                self.late.remove(&stray);
                continue;
            }
            let known = self.grids.fresh_for(now).await?.model(&stray.model);
            let stretch = compared(&stray, &known);
            self.store.reload_grid_dictionaries().await?;
            self.store.correct_counts(&stretch).await?;
            self.store.correct_moments(&stretch).await?;
            self.store.correct_traffic(&stretch).await?;
            tracing::info!(model = stray.model, stretch = %stray.interval, "counted late events again");
            self.late.remove(&stray);
        }
        Ok(())
    }
}

impl Maker {
    /// Raw events that were received before this may have expired.
    fn kept_since(&self, now: Instant) -> Instant {
        now.saturating_sub(DAY * self.store.config().retention.events_days.saturating_sub(1))
    }
}

/// Only grids that were counted back: the others will count the stretch when they are.
fn compared(stray: &Stray, known: &ModelGrids) -> Stretch {
    let is_done = |signal: &str| known.by_signal.get(signal).is_some_and(|s| s.recounted_at.is_some());
    let watched =
        known.dimensions.iter().filter(|dimension| is_done(&dimension.signal)).map(|dimension| Watched {
            dimension: dimension.name.clone(),
            signal: dimension.signal.clone(),
            levels: dimension.levels.clone(),
        });
    Stretch {
        model: stray.model.clone(),
        interval: stray.interval,
        received_before: None,
        signals: known
            .by_signal
            .values()
            .filter(|stored| stored.recounted_at.is_some())
            .map(|stored| counted_by(stored))
            .collect(),
        watched: watched.collect(),
        whole: true,
        compared: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(start: i64, end: i64) -> Interval {
        Interval::new(Instant::from_seconds(start * 60), Instant::from_seconds(end * 60))
    }

    #[test]
    fn neighbouring_stretches_of_a_model_become_one() {
        let late = Late::default();
        late.add("a".to_owned(), minutes(1, 3), Instant::EPOCH);
        late.add("a".to_owned(), minutes(3, 5), Instant::EPOCH);
        late.add("b".to_owned(), minutes(2, 4), Instant::EPOCH);
        late.add("a".to_owned(), minutes(9, 10), Instant::EPOCH);
        let found: Vec<(String, Interval)> =
            late.all().into_iter().map(|stray| (stray.model, stray.interval)).collect();
        let expected = [("a", minutes(1, 5)), ("b", minutes(2, 4)), ("a", minutes(9, 10))];
        assert_eq!(found, expected.map(|(model, interval)| (model.to_owned(), interval)));
    }
}
