//! Stretches of events that were stored when grids had been counted back already, such as the spool of a collector that was
//! down for an hour: compared with the raw events once nobody writes to them, and corrected; then their hours likewise with
//! the minutes, for whoever corrects minutes may die before the hours have it.
//!
//! Invariant: a stretch is settled by two comparisons that find nothing, minutes first, a settling time after the last event
//! and the last correction. A correction that was computed while an insert was half visible is therefore taken back by the next one; and
//! because notes are in the store, by whoever lives then. Several collectors may be at it: each waits for a random while, and
//! whoever was second finds nothing left to correct.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::time::{Instant, Interval, MINUTE};
use sql::counts::Resolution;
use sql::late_stretches::LateStretch;
use sql::recount::{Kept, Stretch, Watched};

use super::Maker;
use super::backfill::counted_by;
use crate::known::ModelGrids;

/// After so many settling times a stretch that is still written to is corrected all the same.
const PATIENCE: u32 = 30;

/// Notes that touch each other, as one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stray {
    model: String,
    interval: Interval,
    last_noted_at: Instant,
    notes: Vec<LateStretch>,
}

/// When a collector looks at late stretches again.
#[derive(Debug, Default)]
pub(super) struct Looks {
    next: Instant,
    by_model: BTreeMap<String, Instant>,
    /// Stretches whose minutes agree with the raw events, while their hours are written to. What is noted beside them
    /// meanwhile does not join them: their minutes would be compared again and again.
    agreeing: Vec<Stray>,
}

impl Looks {
    /// Whether it is time for a model's stretches; a while after they were first seen, so that collectors take turns.
    fn is_time(&mut self, model: &str, now: Instant, settle: Duration) -> bool {
        match self.by_model.get(model) {
            Some(at) => now >= *at,
            None => {
                self.put_off(model, now, settle / 2);
                false
            }
        }
    }

    fn put_off(&mut self, model: &str, now: Instant, at_most: Duration) {
        let most = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(rand::random_range(0..=most));
        self.by_model.insert(model.to_owned(), now.saturating_add(wait));
    }

    /// The stretches of all open notes.
    fn strays(&mut self, notes: Vec<LateStretch>) -> Vec<Stray> {
        self.by_model.retain(|model, _| notes.iter().any(|note| note.model == *model));
        self.agreeing.retain(|stray| stray.notes.iter().all(|note| notes.contains(note)));
        let is_new = |note: &LateStretch| !self.agreeing.iter().any(|stray| stray.notes.contains(note));
        let mut strays = together(notes.into_iter().filter(is_new).collect());
        strays.extend(self.agreeing.iter().cloned());
        strays
    }
}

impl Maker {
    /// Corrects what came late, where it has settled.
    pub(super) async fn correct_late(&self, looks: &mut Looks) -> Result<(), sql::Error> {
        let (now, settle) = (self.clock.now(), self.config.settle());
        if now < looks.next {
            return Ok(());
        }
        looks.next = now.saturating_add(settle / 8);
        for stray in looks.strays(self.store.late_stretches().await?) {
            let now = self.clock.now();
            if looks.is_time(&stray.model, now, settle) {
                self.look_at(&stray, looks, now).await?;
            }
        }
        Ok(())
    }

    /// Compares a stretch as far as it is ripe: its minutes, then its hours. Settles it where both agree.
    async fn look_at(&self, stray: &Stray, looks: &mut Looks, now: Instant) -> Result<(), sql::Error> {
        let settle = self.config.settle();
        let known = self.grids.fresh_for(now).await?.model(&stray.model);
        let minutes = compared(stray, &known);
        let kept = Kept::at(now, &self.store.config().retention);
        for mut stretch in [minutes.clone(), minutes.by_hours()] {
            let by = stretch.resolution;
            if by == Resolution::Minutes && looks.agreeing.contains(stray) {
                continue;
            }
            if !self.is_ripe(stray, &stretch, &known, now).await? {
                return Ok(());
            }
            if self.has_expired(&stretch, kept).await? {
                break;
            }
            if by == Resolution::Minutes {
                stretch.values_kept = self.are_values_kept(stray).await?;
            }
            if self.correct(stray, &stretch, kept).await? {
                tracing::info!(model = stray.model, stretch = %stretch.interval, ?by, "counted late events again");
                looks.put_off(&stray.model, now.saturating_add(settle), settle);
                return Ok(());
            }
            if by == Resolution::Minutes {
                looks.agreeing.push(stray.clone());
            }
        }
        self.store.settle_late_stretches(&stray.notes, self.clock.now()).await
    }

    /// Whether raw events say what the counts of the stretch should be: of none was the value only counted.
    async fn are_values_kept(&self, stray: &Stray) -> Result<bool, sql::Error> {
        if self.is_counts_only(&stray.model) {
            return Ok(false);
        }
        Ok(self.store.hours_without_values(&stray.model, stray.interval).await?.is_empty())
    }

    /// Whether nobody writes to the stretch any more, so that it can be compared.
    async fn is_ripe(
        &self,
        stray: &Stray,
        stretch: &Stretch,
        known: &ModelGrids,
        now: Instant,
    ) -> Result<bool, sql::Error> {
        let settle = self.config.settle();
        let is_counting_back =
            |stored: &sql::grids::StoredGrid| stored.recounted_at.is_none() && stored.grid.holds_from <= now;
        // What counts back at this moment may have read the events or not.
        if now < stray.last_noted_at.saturating_add(settle)
            || known.by_signal.values().any(|stored| is_counting_back(stored))
        {
            return Ok(false);
        }
        // An hour of now is written to as long as it lasts, and that is not what patience is for.
        let since = match stretch.resolution {
            Resolution::Minutes => stray.last_noted_at,
            Resolution::Hours => stray.last_noted_at.max(stretch.interval.end),
        };
        let lately = Interval::new(now.saturating_sub(settle), now.saturating_add(MINUTE));
        Ok(now >= since.saturating_add(settle * PATIENCE)
            || self.store.moving(stretch, lately).await?.is_empty())
    }

    async fn has_expired(&self, stretch: &Stretch, kept: Kept) -> Result<bool, sql::Error> {
        let is_expired = !self.store.hours_expired(&stretch.model, stretch.interval, kept).await?.is_empty();
        if is_expired {
            tracing::warn!(
                model = stretch.model, stretch = %stretch.interval,
                "late events lie in hours whose minutes or raw events have expired; their counts stay as they are"
            );
        }
        Ok(is_expired)
    }

    /// Compares a stretch; corrects it where it differs, which it says.
    async fn correct(&self, stray: &Stray, stretch: &Stretch, kept: Kept) -> Result<bool, sql::Error> {
        if stretch.resolution == Resolution::Minutes {
            self.store.reload_grid_dictionaries().await?;
        }
        let counts = !self.store.count_differences(stretch).await?.is_empty();
        let moments = self.store.moment_differences(stretch).await? > 0;
        let traffic = self.store.traffic_differences(stretch).await? > 0;
        let breaches = !self.store.breach_differences(stretch, kept).await?.is_empty();
        if !(counts || moments || traffic || breaches) {
            return Ok(false);
        }
        // First the note that what is corrected now is to be looked at again.
        let again =
            LateStretch { model: stray.model.clone(), interval: stray.interval, noted_at: self.clock.now() };
        self.store.note_late_stretches(&[again]).await?;
        if counts {
            self.store.correct_counts(stretch).await?;
        }
        if moments {
            self.store.correct_moments(stretch).await?;
        }
        if traffic {
            self.store.correct_traffic(stretch).await?;
        }
        if breaches {
            self.store.correct_breaches(stretch, kept).await?;
        }
        Ok(true)
    }
}

/// Neighbouring notes of one model become one stretch; they come by model and start.
fn together(notes: Vec<LateStretch>) -> Vec<Stray> {
    let mut strays: Vec<Stray> = Vec::new();
    for note in notes {
        match strays.last_mut() {
            Some(stray) if stray.model == note.model && note.interval.start <= stray.interval.end => {
                let end = stray.interval.end.max(note.interval.end);
                stray.interval = Interval::new(stray.interval.start, end);
                stray.last_noted_at = stray.last_noted_at.max(note.noted_at);
                stray.notes.push(note);
            }
            _ => strays.push(Stray {
                model: note.model.clone(),
                interval: note.interval,
                last_noted_at: note.noted_at,
                notes: vec![note],
            }),
        }
    }
    strays
}

/// Only grids that were counted back: the others will count the stretch when they are. Whether its values were kept is asked
/// when it is compared.
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
        resolution: Resolution::Minutes,
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
        values_kept: true,
        unvalued: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(start: i64, end: i64) -> Interval {
        Interval::new(Instant::from_seconds(start * 60), Instant::from_seconds(end * 60))
    }

    #[test]
    fn neighbouring_notes_of_a_model_become_one_stretch_that_is_as_young_as_its_youngest() {
        let note = |model: &str, interval, noted_at| LateStretch {
            model: model.to_owned(),
            interval,
            noted_at: Instant::from_seconds(noted_at),
        };
        let notes = vec![
            note("a", minutes(1, 3), 70),
            note("a", minutes(2, 3), 90),
            note("a", minutes(3, 5), 80),
            note("a", minutes(9, 10), 60),
            note("b", minutes(2, 4), 50),
        ];
        let found: Vec<_> = together(notes)
            .into_iter()
            .map(|stray| (stray.model, stray.interval, stray.last_noted_at.seconds(), stray.notes.len()))
            .collect();
        let expected =
            [("a", minutes(1, 5), 90, 3), ("a", minutes(9, 10), 60, 1), ("b", minutes(2, 4), 50, 1)];
        assert_eq!(found, expected.map(|(model, interval, at, n)| (model.to_owned(), interval, at, n)));
    }

    #[test]
    fn what_is_noted_beside_a_stretch_that_waits_for_its_hours_is_a_stretch_of_its_own() {
        let note = |start, end, at| LateStretch {
            model: "a".to_owned(),
            interval: minutes(start, end),
            noted_at: Instant::from_seconds(at),
        };
        let (first, second, third) = (note(1, 3, 70), note(2, 4, 80), note(3, 5, 90));
        let mut looks = Looks::default();
        let intervals =
            |strays: Vec<Stray>| strays.into_iter().map(|stray| stray.interval).collect::<Vec<_>>();
        let strays = looks.strays(vec![first.clone(), second.clone()]);
        assert_eq!(intervals(strays.clone()), [minutes(1, 4)]);
        looks.agreeing = strays;
        let all = vec![first.clone(), second, third.clone()];
        assert_eq!(intervals(looks.strays(all)), [minutes(3, 5), minutes(1, 4)]);
        // Another collector has settled a part of it: what is left is looked at anew.
        assert_eq!(intervals(looks.strays(vec![first, third])), [minutes(1, 5)]);
        assert_eq!(looks.agreeing, []);
    }

    #[test]
    fn a_collector_waits_a_while_before_it_takes_its_turn() {
        let (mut looks, settle) = (Looks::default(), Duration::from_secs(10));
        let start = Instant::from_seconds(1_000);
        assert!(!looks.is_time("m", start, settle));
        assert!(looks.is_time("m", start.saturating_add(settle / 2), settle));
        looks.put_off("m", start.saturating_add(settle), Duration::ZERO);
        assert!(!looks.is_time("m", start.saturating_add(settle / 2), settle));
    }
}
