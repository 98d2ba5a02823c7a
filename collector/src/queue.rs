//! Gathers the events of many requests into one insert: cut by rows, bytes or age, whichever comes first, and answered
//! when the store has it.
//!
//! Invariant: every submission is answered once; nothing that was accepted into the queue is dropped, not at shutdown
//! either.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::intake::{IntakeError, off_the_runtime};
use crate::predictions::Predictions;

/// Requests that may stand before the queue itself; more wait to be let in, which slows their senders.
const DOORSTEP: usize = 4_096;

/// What the texts and lists of an event that is a row take beside it: an id and a value or two.
const ROW_HEAP_BYTES: usize = 256;

/// What comes in parts and is stored as one.
pub trait Gather: Send + Sized + 'static {
    fn rows(&self) -> usize;

    /// The memory that it takes, roughly.
    fn bytes(&self) -> usize;

    /// All parts as one, in their order.
    fn gather(parts: Vec<Self>) -> Self;
}

impl<E: Send + 'static> Gather for Vec<E> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.capacity() * (size_of::<E>() + ROW_HEAP_BYTES)
    }

    fn gather(parts: Vec<Self>) -> Self {
        parts.into_iter().flatten().collect()
    }
}

impl Gather for Predictions {
    fn rows(&self) -> usize {
        self.len()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn gather(parts: Vec<Self>) -> Self {
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        all.reserve(parts.as_slice().iter());
        parts.for_each(|part| all.append(part));
        all
    }
}

/// What one request brings.
struct Submission<B> {
    events: B,
    bytes: usize,
    /// The room that its bytes take, given back once they are stored.
    room: Option<OwnedSemaphorePermit>,
    done: oneshot::Sender<Result<(), Arc<IntakeError>>>,
}

/// An entrance of a queue.
pub struct Queue<B> {
    sender: mpsc::Sender<Submission<B>>,
}

impl<B> Clone for Queue<B> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

/// Why events were not stored.
#[derive(Debug, thiserror::Error)]
pub enum NotStored {
    #[error("the collector is stopping")]
    Stopping,
    #[error("the batch was not stored")]
    Failed(#[source] Arc<IntakeError>),
}

impl<B: Gather> Queue<B> {
    /// Starts a queue whose batches are stored by `store(events, token)`. When `closing` is cancelled, or the last
    /// entrance is gone, it takes no more; the second part ends when all it took is stored.
    pub fn start<S, F>(
        limits: config::Batch,
        closing: CancellationToken,
        store: S,
    ) -> (Self, tokio::task::JoinHandle<()>)
    where
        S: Fn(B, String) -> F + Clone + Send + 'static,
        F: Future<Output = Result<(), IntakeError>> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(DOORSTEP);
        let ended = tokio::spawn(gather(receiver, closing, limits, store));
        (Self { sender }, ended)
    }

    /// Hands events in and waits until they are stored. Dropped while it waits, the events are stored all the same.
    pub async fn submit(
        &self,
        events: impl Into<B>,
        bytes: usize,
        room: Option<OwnedSemaphorePermit>,
    ) -> Result<(), NotStored> {
        let events = events.into();
        if events.rows() == 0 {
            return Ok(());
        }
        let (done, stored) = oneshot::channel();
        let submission = Submission { events, bytes, room, done };
        self.sender.send(submission).await.map_err(|_| NotStored::Stopping)?;
        stored.await.map_err(|_| NotStored::Stopping)?.map_err(NotStored::Failed)
    }
}

async fn gather<B, S, F>(
    mut receiver: mpsc::Receiver<Submission<B>>,
    closing: CancellationToken,
    limits: config::Batch,
    store: S,
) where
    B: Gather,
    S: Fn(B, String) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), IntakeError>> + Send + 'static,
{
    let at_once = Arc::new(Semaphore::new(limits.in_flight));
    let mut gathered = Gathered::new(limits);
    let mut in_flight = JoinSet::new();
    let mut is_closing = false;
    loop {
        let wait = gathered.due_in(Moment::now());
        tokio::select! {
            biased;
            () = closing.cancelled(), if !is_closing => {
                // What stands in the queue is still taken out of it.
                receiver.close();
                is_closing = true;
            }
            submission = receiver.recv(), if !gathered.is_full() => match submission {
                Some(submission) => {
                    let (rows, bytes) = (submission.events.rows(), submission.bytes);
                    gathered.add(submission, rows, bytes, Moment::now());
                }
                None => break,
            },
            // While all inserts are at work, the batch goes on growing until it is full.
            permit = after(wait, at_once.clone()), if wait.is_some() => {
                let batch = gathered.take();
                in_flight.spawn(commit(batch, store.clone(), permit));
            }
            Some(_) = in_flight.join_next() => {}
        }
    }
    if let (false, Ok(permit)) = (gathered.is_empty(), at_once.acquire_owned().await) {
        in_flight.spawn(commit(gathered.take(), store, permit));
    }
    while in_flight.join_next().await.is_some() {}
}

async fn after(wait: Option<Duration>, at_once: Arc<Semaphore>) -> OwnedSemaphorePermit {
    tokio::time::sleep(wait.unwrap_or_default()).await;
    at_once.acquire_owned().await.expect("nobody closes this semaphore")
}

async fn commit<B, S, F>(batch: Vec<Submission<B>>, store: S, _permit: OwnedSemaphorePermit)
where
    B: Gather,
    S: Fn(B, String) -> F,
    F: Future<Output = Result<(), IntakeError>>,
{
    let (mut parts, mut waiting) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
    for submission in batch {
        parts.push(submission.events);
        waiting.push((submission.done, submission.room));
    }
    // Ascending in time, so that a spool is finished in the order in which it was written.
    let token = uuid::Uuid::now_v7().simple().to_string();
    let events = off_the_runtime(move || B::gather(parts)).await;
    let outcome = store(events, token).await.map_err(Arc::new);
    for (done, room) in waiting {
        drop(room);
        // A requester that has gone away misses only the answer.
        let _ = done.send(outcome.clone());
    }
}

/// What has come since the last batch was cut: rows, bytes, and since when.
#[derive(Debug)]
struct Gathered<T> {
    limits: config::Batch,
    items: VecDeque<T>,
    rows: usize,
    bytes: usize,
    since: Option<Moment>,
}

impl<T> Gathered<T> {
    fn new(limits: config::Batch) -> Self {
        Self { limits, items: VecDeque::new(), rows: 0, bytes: 0, since: None }
    }

    fn add(&mut self, item: T, rows: usize, bytes: usize, now: Moment) {
        self.items.push_back(item);
        self.rows += rows;
        self.bytes += bytes;
        self.since.get_or_insert(now);
    }

    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn is_full(&self) -> bool {
        self.rows >= self.limits.rows || self.bytes >= self.limits.bytes
    }

    /// How long until the batch is to be cut; `None` while there is none.
    fn due_in(&self, now: Moment) -> Option<Duration> {
        let since = self.since?;
        if self.is_full() {
            return Some(Duration::ZERO);
        }
        let age = Duration::from_millis(self.limits.age_ms);
        Some((since + age).saturating_duration_since(now))
    }

    fn take(&mut self) -> Vec<T> {
        self.rows = 0;
        self.bytes = 0;
        self.since = None;
        std::mem::take(&mut self.items).into()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    fn limits(rows: usize, age_ms: u64) -> config::Batch {
        config::Batch { rows, bytes: 1_000, age_ms, in_flight: 1 }
    }

    proptest! {
        #[test]
        fn a_batch_is_cut_when_it_is_full_or_old_and_loses_nothing(
            items in prop::collection::vec((1_usize..50, 1_usize..400, 0_u64..30), 1..100)
        ) {
            let mut gathered = Gathered::new(limits(100, 50));
            let (mut now, mut taken, mut batch_rows) = (Moment::now(), 0, 0);
            for (rows, bytes, wait_ms) in &items {
                now += Duration::from_millis(*wait_ms);
                if gathered.due_in(now) == Some(Duration::ZERO) {
                    prop_assert!(gathered.is_full() || batch_rows < 100);
                    taken += gathered.take().len();
                    batch_rows = 0;
                    prop_assert_eq!(gathered.due_in(now), None);
                }
                prop_assert!(!gathered.is_full());
                gathered.add((), *rows, *bytes, now);
                batch_rows += rows;
            }
            taken += gathered.take().len();
            prop_assert_eq!(taken, items.len());
        }
    }

    #[tokio::test]
    async fn many_requests_become_few_batches_and_each_is_answered() {
        let batches = Arc::new(Mutex::new(Vec::new()));
        let seen = batches.clone();
        let (queue, ended) =
            Queue::start(limits(1_000, 20), CancellationToken::new(), move |events: Vec<usize>, _| {
                seen.lock().expect("sound").push(events);
                async { Ok(()) }
            });
        let submissions = (0..100).map(|n| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.submit(vec![n; 3], 1, None).await })
        });
        for submission in submissions.collect::<Vec<_>>() {
            submission.await.expect("no panic").expect("stored");
        }
        drop(queue);
        ended.await.expect("no panic");
        let batches = batches.lock().expect("sound");
        assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 300);
        assert!(batches.len() < 20, "{}", batches.len());
    }

    #[tokio::test]
    async fn what_is_in_the_queue_when_it_closes_is_stored() {
        let (sender, stored) = std::sync::mpsc::channel();
        let closing = CancellationToken::new();
        let (queue, ended) =
            Queue::start(limits(1_000, 3_600_000), closing.clone(), move |events: Vec<u8>, _| {
                sender.send(events).expect("the test listens");
                async { Ok(()) }
            });
        // The request goes away before the batch is cut; then the queue closes.
        let patience = Duration::from_millis(5);
        tokio::time::timeout(patience, queue.submit(vec![1, 2], 1, None))
            .await
            .expect_err("an hour is longer");
        closing.cancel();
        ended.await.expect("no panic");
        assert_eq!(stored.try_iter().collect::<Vec<_>>(), [vec![1, 2]]);
        let late = queue.submit(vec![3], 1, None).await;
        assert!(matches!(late, Err(NotStored::Stopping)), "{late:?}");
    }
}
