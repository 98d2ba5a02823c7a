//! Notes in the store when events of a model are stored without their values (`privacy.counts_only`), an hour of receipt at a
//! time, so that nobody holds their counts against raw events later on.
//!
//! Invariant: an hour is noted before the first such event of it is handed to the store or the spool.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::time::{DAY, HOUR, Instant};

use super::{Intake, IntakeError};
use crate::event::Name;
use crate::predictions::Predictions;

/// A model, and the begin of an hour of receipt.
type ModelHour = (Name, Instant);

/// What this process has noted already. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted(Arc<Mutex<BTreeSet<ModelHour>>>);

impl Noted {
    fn hours(&self) -> MutexGuard<'_, BTreeSet<ModelHour>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Older hours are forgotten: to note one again changes nothing.
    fn add(&self, added: ModelHour) {
        let mut hours = self.hours();
        hours.retain(|(_, hour)| hour.saturating_add(DAY) > added.1);
        hours.insert(added);
    }
}

impl Intake {
    pub(super) async fn note_unvalued(&self, events: &Predictions) -> Result<(), IntakeError> {
        let mut hours = hours_of(events);
        hours.retain(|hour| !self.noted.hours().contains(hour));
        for (model, hour) in hours {
            self.patiently(|| self.store.note_counts_only(&model, hour)).await?;
            self.noted.add((model, hour));
        }
        Ok(())
    }
}

/// When those events of a batch were received whose values are only counted.
fn hours_of(events: &Predictions) -> BTreeSet<ModelHour> {
    let mut latest: Option<(i32, Instant)> = None;
    let mut hours = BTreeSet::new();
    for (row, _) in events.marks.iter().filter(|(_, marks)| marks.counts_only) {
        let row = *row as usize;
        let at = (events.models[row], events.received_at[row].floor(HOUR));
        // Most have what the one before them has.
        if latest.replace(at) != Some(at) {
            hours.insert((events.labels.name(at.0 as u32).clone(), at.1));
        }
    }
    hours
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Prediction;
    use crate::guard::Marks;

    fn event(model: &str, received_s: i64, counts_only: bool) -> Prediction {
        let marks = Marks { counts_only, ..Marks::default() };
        Prediction {
            marks: Some(Box::new(marks)),
            ..Prediction::empty(Name::from(model), Instant::from_seconds(received_s))
        }
    }

    #[test]
    fn hours_of_receipt_are_those_of_events_whose_values_are_only_counted() {
        let events = vec![
            event("a", 7_199, true),
            event("b", 7_200, false),
            event("a", 7_201, true),
            event("a", 3_600, true),
            event("c", 10_000, true),
        ];
        let found: Vec<(String, i64)> = hours_of(&events.into())
            .into_iter()
            .map(|(model, hour)| (model.to_string(), hour.seconds()))
            .collect();
        let expected = [("a", 3_600), ("a", 7_200), ("c", 7_200)];
        assert_eq!(found, expected.map(|(model, hour)| (model.to_owned(), hour)));
    }

    #[test]
    fn what_was_noted_a_day_ago_is_forgotten() {
        let noted = Noted::default();
        for hour in [0, 1, 25] {
            noted.add((Name::from("a"), Instant::from_seconds(hour * 3_600)));
        }
        let left: Vec<i64> = noted.hours().iter().map(|(_, hour)| hour.seconds() / 3_600).collect();
        assert_eq!(left, [25]);
    }
}
