//! Everything that is on its way: notes in `deliveries` what is to be sent, and puts it into the couriers' hands.
//!
//! Invariant: what is handed to a courier stands in `deliveries` before, so that a restart finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::delivery::{Attempt, State};
use domain::incident::IncidentEvent;
use domain::time::{Clock, Instant};
use service::Context;
use sql::Store;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, ConfigError};
use crate::courier::{Courier, MOST_WAITING, Order, Parcel, record};
use crate::metrics::Metrics;
use crate::notice::Notice;
use crate::notify::Told;

pub struct Outbox {
    desks: BTreeMap<String, Desk>,
    store: Store,
    clock: Clock,
    stopper: CancellationToken,
}

/// A channel as the outbox sees it: where to put what is to be sent.
struct Desk {
    kind: &'static str,
    target: String,
    orders: mpsc::Sender<Order>,
}

impl Outbox {
    /// Opens every channel and starts its courier as one of `tasks`.
    ///
    /// # Errors
    /// Names the key of a secret or certificate that cannot be read.
    pub fn open(
        config: &Config,
        context: &Context,
        store: &Store,
        metrics: &Metrics,
        tasks: &mut JoinSet<()>,
    ) -> Result<Self, ConfigError> {
        let mut desks = BTreeMap::new();
        for (name, stated) in &config.channels {
            let channel = stated
                .open()
                .map_err(|(key, problem)| ConfigError::new(format!("channels.{name}.{key}"), problem))?;
            let (orders, inbox) = mpsc::channel(MOST_WAITING);
            desks.insert(name.clone(), Desk { kind: stated.kind(), target: channel.target(), orders });
            let courier = Courier {
                name: name.clone(),
                kind: stated.kind(),
                channel,
                retries: config.retries,
                in_flight: config.in_flight,
                clock: context.clock.clone(),
                store: store.clone(),
                metrics: metrics.clone(),
                stopper: context.stopper.clone(),
            };
            tasks.spawn(courier.run(inbox));
        }
        let (clock, stopper) = (context.clock.clone(), context.stopper.clone());
        Ok(Self { desks, store: store.clone(), clock, stopper })
    }

    /// Notes who is to be told of an event, then has it sent.
    pub async fn tell(&self, event: &IncidentEvent, told: Vec<Told>, notice: impl FnOnce() -> Notice) {
        if told.is_empty() {
            return;
        }
        let now = self.clock.now();
        let notice = Arc::new(notice());
        let mut rows = Vec::new();
        let mut parcels = Vec::new();
        for Told { channel, held_back } in told {
            let delivery = notice.delivery(&channel);
            let state = if held_back { State::HeldBack } else { State::Retrying };
            rows.extend(self.row(&channel, &delivery, event, state));
            if !held_back {
                let asked_at = event.recorded_at;
                let parcel = Parcel { delivery, notice: notice.clone(), attempts: 0, due: now, asked_at };
                parcels.push((channel, parcel));
            }
        }
        self.record(&rows).await;
        for (channel, parcel) in parcels {
            self.hand_over(&channel, parcel).await;
        }
    }

    /// Never waits for a channel: one whose queue is full has failed, and the row says so.
    pub async fn hand_over(&self, channel: &str, parcel: Parcel) {
        let Some(desk) = self.desks.get(channel) else { return };
        let refused = desk.orders.try_send(Order::Deliver(parcel));
        let Err(mpsc::error::TrySendError::Full(Order::Deliver(parcel))) = refused else { return };
        let row = self.row(channel, &parcel.delivery, &parcel.notice.event, State::Failed);
        let error = format!("more than {MOST_WAITING} notifications wait for this channel");
        tracing::error!(channel, delivery = parcel.delivery, "nobody was told: {error}");
        let row = row.map(|row| Attempt { attempt: parcel.attempts + 1, error, ..row });
        self.record(row.as_slice()).await;
    }

    /// Has a delivery that waits for its next attempt tried now.
    pub async fn hurry(&self, channel: &str, delivery: String) {
        if let Some(desk) = self.desks.get(channel) {
            // A courier that has ended has stopped for good.
            let _ = desk.orders.send(Order::Hurry(delivery)).await;
        }
    }

    pub fn knows(&self, channel: &str) -> bool {
        self.desks.contains_key(channel)
    }

    /// What waits for a channel that no longer exists, or no longer hears of this, will never be sent.
    pub async fn give_up(&self, left: impl Iterator<Item = Attempt>) {
        let now = self.clock.now();
        let rows: Vec<Attempt> = left
            .filter(|attempt| attempt.state == State::Retrying)
            .map(|attempt| Attempt {
                state: State::Failed,
                attempt: attempt.attempt + 1,
                error: "the channel is no longer configured to hear of this".to_owned(),
                next_attempt_at: None,
                at: now,
                ..attempt
            })
            .collect();
        self.record(&rows).await;
    }

    async fn record(&self, rows: &[Attempt]) {
        record(&self.store, rows, &self.stopper).await;
    }

    /// A row of `deliveries` before anything was tried.
    fn row(&self, channel: &str, delivery: &str, event: &IncidentEvent, state: State) -> Option<Attempt> {
        let desk = self.desks.get(channel)?;
        let now: Instant = self.clock.now();
        Some(Attempt {
            delivery: delivery.to_owned(),
            attempt: 0,
            incident: event.incident.clone(),
            sequence: event.sequence,
            model: event.model.clone(),
            channel: channel.to_owned(),
            kind: desk.kind.to_owned(),
            event: event.kind.name().to_owned(),
            state,
            target: desk.target.clone(),
            answer_code: 0,
            answer: String::new(),
            error: if state == State::HeldBack {
                "the incident is silenced".to_owned()
            } else {
                String::new()
            },
            next_attempt_at: (state == State::Retrying).then_some(now),
            took_ms: 0,
            at: now,
        })
    }
}
