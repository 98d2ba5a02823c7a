//! The baseline that a model gets by itself: what its first grids were made of.

use domain::baseline::{Baseline, INITIAL};
use domain::time::{Interval, MINUTE};
use sql::baseline_sums::Span;
use sql::baselines::BySignal;
use sql::grid_making::ReceivedBefore;
use sql::recount::CountedBy;

use super::Maker;
use super::backfill::{Group, counted_by};

impl Maker {
    /// Adds the group's signals to the initial baseline of each environment, or makes one where nobody has.
    pub(super) async fn sum_initial_baseline(
        &self,
        group: &Group<'_>,
        received: &[ReceivedBefore],
    ) -> Result<(), sql::Error> {
        let stored = self.store.baselines(Some(group.model)).await?;
        for received in received {
            let before = stored
                .iter()
                .find(|baseline| baseline.name == INITIAL && baseline.environment == received.environment);
            let sums = self.sums(group, received).await?;
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

/// The whole minutes of the events.
fn window(received: &ReceivedBefore) -> Interval {
    Interval::new(
        received.first_event,
        received.last_event.saturating_add(std::time::Duration::from_millis(1)),
    )
    .widened_to(MINUTE)
}
