//! One channel's queue: sends what is due, records each attempt, tries again when [`crate::retry`] says so.
//!
//! Invariants: messages about one incident go out one after the other, in their order, so that nobody is told of an end
//! before its beginning; a channel that is slow or down holds up nobody but itself; what is not yet delivered stands in
//! `deliveries`, so dropping a queue loses nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{Attempt, State};
use domain::time::{Clock, Instant};
use service::backoff::Backoff;
use sql::Store;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::channels::{Channel, Message, Outcome};
use crate::metrics::Metrics;
use crate::notice::Notice;
use crate::retry::{Next, Retries, Times};

/// So many notifications may wait for one channel. More than this is no longer read by anybody; what comes then is
/// recorded as failed.
pub const MOST_WAITING: usize = 10_000;

/// What is kept of an answer in a row.
const LONGEST_ANSWER: usize = 500;

/// A notification on its way.
#[derive(Clone, Debug)]
pub struct Parcel {
    pub delivery: String,
    pub notice: Arc<Notice>,
    /// Attempts made so far.
    pub attempts: u32,
    pub due: Instant,
    /// The time to give up counts from here.
    pub asked_at: Instant,
}

/// What a courier is told.
pub enum Order {
    Deliver(Parcel),
    /// Try this one now, if it waits for its next attempt.
    Hurry(String),
}

/// What a courier works with.
pub struct Courier {
    pub name: String,
    pub kind: &'static str,
    pub channel: Channel,
    pub retries: Retries,
    pub in_flight: usize,
    pub clock: Clock,
    pub store: Store,
    pub metrics: Metrics,
    pub stopper: CancellationToken,
}

impl Courier {
    /// Works until stopped, then finishes the attempts that are under way.
    pub async fn run(self, mut orders: mpsc::Receiver<Order>) {
        let courier = Arc::new(self);
        let mut queue = Queue::default();
        let mut under_way = JoinSet::new();
        loop {
            let now = courier.clock.now();
            while under_way.len() < courier.in_flight
                && let Some(parcel) = queue.take_due(now)
            {
                under_way.spawn(attempt(courier.clone(), parcel));
            }
            courier.metrics.waiting(&courier.name, queue.len());
            let pause =
                queue.next_due().map(|due| due.since(now)).filter(|_| under_way.len() < courier.in_flight);
            tokio::select! {
                () = courier.stopper.cancelled() => break,
                Some(order) = orders.recv() => queue.take_order(order, courier.clock.now()),
                Some(ended) = under_way.join_next(), if !under_way.is_empty() => match ended {
                    Ok(done) => queue.settle(done),
                    // The rest of that incident's messages stand in `deliveries` and go out after a restart.
                    Err(error) => tracing::error!(channel = courier.name, %error, "an attempt broke down"),
                },
                () = sleep(pause), if pause.is_some() => {}
            }
        }
        while under_way.join_next().await.is_some() {}
    }

    /// A row of `deliveries`.
    pub fn row(&self, parcel: &Parcel, state: State) -> Attempt {
        let event = &parcel.notice.event;
        Attempt {
            delivery: parcel.delivery.clone(),
            attempt: parcel.attempts,
            incident: event.incident.clone(),
            sequence: event.sequence,
            model: event.model.clone(),
            channel: self.name.clone(),
            kind: self.kind.to_owned(),
            event: event.kind.name().to_owned(),
            state,
            target: self.channel.target(),
            answer_code: 0,
            answer: String::new(),
            error: String::new(),
            next_attempt_at: (state == State::Retrying).then_some(parcel.due),
            took_ms: 0,
            at: self.clock.now(),
        }
    }
}

/// A clock that is set by hand in tests may jump, so no sleep is longer than this.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

async fn sleep(pause: Option<Duration>) {
    tokio::time::sleep(pause.unwrap_or(LONGEST_SLEEP).min(LONGEST_SLEEP)).await;
}

/// A parcel after an attempt: delivered or given up (`None`), or due again.
struct Done {
    parcel: Parcel,
    again_at: Option<Instant>,
}

async fn attempt(courier: Arc<Courier>, mut parcel: Parcel) -> Done {
    let began = std::time::Instant::now();
    let message = Message { delivery: &parcel.delivery, notice: &parcel.notice };
    let outcome = courier.channel.send(message, &courier.clock).await;
    parcel.attempts += 1;
    let times = Times { event_at: parcel.asked_at, now: courier.clock.now() };
    let again_at = outcome.failure.as_ref().and_then(|failure| {
        match courier.retries.next(failure, parcel.attempts, times, rand::random()) {
            Next::TryAgainAt(at) => Some(at),
            Next::GiveUp => None,
        }
    });
    parcel.due = again_at.unwrap_or(parcel.due);
    let row = row_of(&courier, &parcel, outcome, again_at, began.elapsed());
    log(&row);
    courier.metrics.attempted(&row);
    record(&courier.store, &[row], &courier.stopper).await;
    Done { parcel, again_at }
}

fn row_of(
    courier: &Courier,
    parcel: &Parcel,
    outcome: Outcome,
    again_at: Option<Instant>,
    took: Duration,
) -> Attempt {
    let state = match (&outcome.failure, again_at) {
        (None, _) => State::Delivered,
        (Some(_), Some(_)) => State::Retrying,
        (Some(_), None) => State::Failed,
    };
    Attempt {
        answer_code: outcome.code,
        answer: outcome.answer.chars().take(LONGEST_ANSWER).collect(),
        error: outcome.error.chars().take(LONGEST_ANSWER).collect(),
        took_ms: u32::try_from(took.as_millis()).unwrap_or(u32::MAX),
        ..courier.row(parcel, state)
    }
}

fn log(row: &Attempt) {
    let (incident, channel, delivery) = (&row.incident, &row.channel, &row.delivery);
    match row.state {
        State::Delivered => tracing::info!(incident, channel, event = row.event, "told"),
        State::Failed => {
            tracing::error!(incident, channel, delivery, error = row.error, "nobody was told: given up");
        }
        _ => {
            tracing::warn!(incident, channel, delivery, error = row.error, "not told yet: tried again later")
        }
    }
}

/// Writes attempts, again and again until the store has them: an attempt that is not recorded would be repeated after a
/// restart. Gives up only when the process stops.
pub async fn record(store: &Store, rows: &[Attempt], stopper: &CancellationToken) {
    let backoff = Backoff::default();
    for tries in 0.. {
        match store.write_attempts(rows).await {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "attempts cannot be recorded"),
        }
        if stopper.run_until_cancelled(tokio::time::sleep(backoff.random_wait(tries))).await.is_none() {
            return;
        }
    }
}

/// Parcels by incident, each incident's in order.
#[derive(Default)]
struct Queue {
    lanes: BTreeMap<String, VecDeque<Parcel>>,
    /// Incidents of which a message is under way.
    busy: BTreeSet<String>,
}

impl Queue {
    fn len(&self) -> usize {
        self.lanes.values().map(VecDeque::len).sum::<usize>() + self.busy.len()
    }

    fn take_order(&mut self, order: Order, now: Instant) {
        match order {
            Order::Deliver(parcel) => {
                self.lanes.entry(parcel.notice.event.incident.clone()).or_default().push_back(parcel);
            }
            Order::Hurry(delivery) => {
                for parcel in self.lanes.values_mut().flatten().filter(|parcel| parcel.delivery == delivery) {
                    parcel.due = now;
                }
            }
        }
    }

    /// The first parcels of the incidents of which none is under way.
    fn heads(&self) -> impl Iterator<Item = &Parcel> {
        let free = self.lanes.iter().filter(|(incident, _)| !self.busy.contains(*incident));
        free.filter_map(|(_, lane)| lane.front())
    }

    fn next_due(&self) -> Option<Instant> {
        self.heads().map(|parcel| parcel.due).min()
    }

    /// The parcel that is due for the longest time; it is under way from now on.
    fn take_due(&mut self, now: Instant) -> Option<Parcel> {
        let head = self.heads().filter(|parcel| parcel.due <= now).min_by_key(|parcel| parcel.due)?;
        let incident = head.notice.event.incident.clone();
        let parcel = self.lanes.get_mut(&incident)?.pop_front();
        self.busy.insert(incident);
        parcel
    }

    /// A parcel that was under way is delivered, given up, or first in its lane again.
    fn settle(&mut self, done: Done) {
        let incident = done.parcel.notice.event.incident.clone();
        self.busy.remove(&incident);
        if done.again_at.is_some() {
            self.lanes.entry(incident.clone()).or_default().push_front(done.parcel);
        }
        if self.lanes.get(&incident).is_some_and(VecDeque::is_empty) {
            self.lanes.remove(&incident);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents::samples;
    use domain::incident::EventKind;

    fn parcel(incident: &str, delivery: &str, due: i64) -> Parcel {
        let mut notice = samples::notice(EventKind::Opened);
        notice.event.incident = incident.to_owned();
        let due = Instant::from_seconds(due);
        Parcel { delivery: delivery.to_owned(), notice: Arc::new(notice), attempts: 0, due, asked_at: due }
    }

    fn queue(parcels: &[Parcel]) -> Queue {
        let mut queue = Queue::default();
        parcels.iter().for_each(|parcel| queue.take_order(Order::Deliver(parcel.clone()), Instant::EPOCH));
        queue
    }

    fn due(queue: &mut Queue, now: i64) -> Option<String> {
        queue.take_due(Instant::from_seconds(now)).map(|parcel| parcel.delivery)
    }

    #[test]
    fn messages_about_one_incident_wait_for_each_other_and_others_do_not() {
        let first = parcel("a", "a1", 0);
        let mut queue = queue(&[first.clone(), parcel("a", "a2", 0), parcel("b", "b1", 1)]);
        assert_eq!(due(&mut queue, 5).as_deref(), Some("a1"));
        assert_eq!(due(&mut queue, 5).as_deref(), Some("b1"));
        assert_eq!(due(&mut queue, 5), None, "a2 waits for a1");
        let again_at = Some(Instant::from_seconds(60));
        queue.settle(Done { parcel: Parcel { due: Instant::from_seconds(60), ..first.clone() }, again_at });
        assert_eq!(due(&mut queue, 5), None, "a1 is to be tried again first");
        assert_eq!(queue.next_due(), again_at);
        assert_eq!(due(&mut queue, 60).as_deref(), Some("a1"));
        queue.settle(Done { parcel: first, again_at: None });
        assert_eq!(due(&mut queue, 60).as_deref(), Some("a2"));
    }

    #[test]
    fn who_is_hurried_does_not_wait() {
        let mut queue = queue(&[parcel("a", "a1", 1_000)]);
        assert_eq!(due(&mut queue, 5), None);
        queue.take_order(Order::Hurry("a1".to_owned()), Instant::from_seconds(5));
        assert_eq!(due(&mut queue, 5).as_deref(), Some("a1"));
    }
}
