//! Stores events and their counts: counted by the grids in force, one insert under one token, repeated whole until the
//! store has it.
//!
//! Invariant: what was handed over under a token is in every table once, or the call has not returned `Ok`.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use domain::time::Clock;
use service::backoff::Backoff;
use sql::Store;
use sql::intake::Door;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Counted, Span, Summary};
use crate::config;
use crate::event::{Outcome, Rejection};
use crate::guard::{GuardBook, Settings};
use crate::health::StoreHealth;
use crate::known::Grids;
use crate::maker::{Late, Pending};
use crate::metrics::Metrics;
use crate::predictions::Predictions;
use crate::spool::{Entry, Spool};

/// An attempt that has not ended by then is given up and repeated: the store may have died without a word.
const ATTEMPT: Duration = Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The store was away for longer than the caller wants to wait. Whether it has the batch is not known: repeat with
    /// the same events and token.
    #[error("the store did not take the batch within {} s", waited.as_secs())]
    Away {
        waited: Duration,
        #[source]
        source: sql::Error,
    },
    /// The store refuses the batch, and would refuse it again.
    #[error("the store refuses the batch")]
    Refused(#[source] sql::Error),
    #[error("the batch cannot be laid out in columns")]
    Layout(#[from] ArrowError),
    #[error("the batch cannot be kept in the spool")]
    Spool(#[from] std::io::Error),
}

/// How long a store that is away is asked again.
#[derive(Clone, Debug)]
pub enum Patience {
    /// So long.
    Up(Duration),
    /// Until the process is asked to stop, and then so long.
    UntilStopped(CancellationToken, Duration),
}

/// The one way into the store for events, whatever their source. Clones share everything.
#[derive(Clone)]
pub struct Intake {
    store: Store,
    grids: Grids,
    patience: Patience,
    backoff: Backoff,
    spool: Option<Arc<Spool>>,
    health: StoreHealth,
    metrics: Arc<Metrics>,
    guards: GuardBook,
    pending: Pending,
    late: Late,
    clock: Clock,
    settle: Duration,
}

impl Intake {
    /// An intake for a source that can repeat its batches by itself, such as a file.
    pub fn new(store: Store, grids: Grids, context: &service::Context) -> Self {
        Self {
            store,
            grids,
            patience: Patience::Up(Duration::from_secs(60)),
            backoff: Backoff { first: Duration::from_millis(100), most: Duration::from_secs(2) },
            spool: None,
            health: StoreHealth::new(context.health.clone()),
            metrics: Arc::new(Metrics::new(&context.meter)),
            guards: GuardBook::new(context.contracts.clone(), Settings::default()),
            pending: Pending::default(),
            late: Late::default(),
            clock: context.clock.clone(),
            settle: config::Grids::default().settle(),
        }
    }

    /// The same for a source that cannot: batches lie in `spool` from before their insert until after it.
    pub fn with_spool(self, spool: Spool, patience: Patience) -> Self {
        Self { spool: Some(Arc::new(spool)), patience, ..self }
    }

    /// The same for a source that can repeat its batches by itself, and waits for the store as long as it takes.
    pub fn without_spool(self, patience: Patience) -> Self {
        Self { spool: None, patience, ..self }
    }

    /// The same where more than contracts says what is redacted.
    pub fn with_guards(self, guards: GuardBook) -> Self {
        Self { guards, ..self }
    }

    /// The same where grids settle in another time than usual.
    pub fn with_settle(self, settle: Duration) -> Self {
        Self { settle, ..self }
    }

    pub fn store_health(&self) -> &StoreHealth {
        &self.health
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// What contracts say about events: whoever reads events takes the guards in force.
    pub fn guards(&self) -> &GuardBook {
        &self.guards
    }

    /// Signals among those stored that have no grid yet.
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// What came so late that it is to be counted again.
    pub fn late(&self) -> &Late {
        &self.late
    }

    /// Stores predictions with their counts. Repeated with the same events and token it changes nothing more.
    #[tracing::instrument(skip_all, fields(token))]
    pub async fn insert(&self, events: impl Into<Predictions>, token: &str) -> Result<(), IntakeError> {
        let events: Predictions = events.into();
        let Some(newest) = events.received_at.iter().copied().max() else { return Ok(()) };
        let known = self.patiently(|| self.grids.fresh_for(newest)).await?;
        let n = events.len();
        let (stream, streams) = off_the_runtime(move || {
            let Counted { batch, streams } = batch::predictions(events, &known)?;
            Ok::<_, IntakeError>((serialised(batch)?, streams))
        })
        .await?;
        self.insert_stream(Door::Intake, stream, token, n).await?;
        let spans: Vec<Span> = streams.iter().map(|stream| stream.span.clone()).collect();
        for Summary { span, ungridded } in streams {
            for (signal, values) in ungridded {
                self.pending.add(&span.model, &signal, values, span.first_received_at, span.interval);
            }
        }
        self.look_for_late(spans).await
    }

    /// Has what came so late counted again by grids that may have been counted back before it was there.
    async fn look_for_late(&self, spans: Vec<Span>) -> Result<(), IntakeError> {
        let now = self.clock.now();
        let half = self.settle / 2;
        let late: Vec<Span> =
            spans.into_iter().filter(|span| now.since(span.first_received_at) >= half).collect();
        if late.is_empty() {
            return Ok(());
        }
        let known = self.patiently(|| self.grids.fresh_for(now)).await?;
        for span in late {
            let missed = known.model(&span.model).changes.iter().any(|holds_from| {
                *holds_from > span.first_received_at && now >= holds_from.saturating_add(half)
            });
            if missed {
                tracing::info!(
                    model = span.model,
                    "a late batch is counted again by grids that came meanwhile"
                );
                self.late.add(span.model, span.interval, now);
            }
        }
        Ok(())
    }

    pub async fn insert_outcomes(&self, outcomes: Vec<Outcome>, token: &str) -> Result<(), IntakeError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let n = outcomes.len();
        let stream = off_the_runtime(move || serialised(batch::outcomes(&outcomes)?)).await?;
        self.insert_stream(Door::Outcomes, stream, token, n).await
    }

    pub async fn insert_rejections(
        &self,
        rejections: Vec<Rejection>,
        token: &str,
    ) -> Result<(), IntakeError> {
        if rejections.is_empty() {
            return Ok(());
        }
        let stream = serialised(batch::rejections(&rejections)?)?;
        self.insert_stream(Door::RejectedEvents, stream, token, rejections.len()).await
    }

    /// Finishes what an earlier process left behind.
    pub async fn finish(&self, left: Vec<Entry>) -> Result<(), IntakeError> {
        for entry in left {
            let stream = entry.read()?;
            let spans = match entry.door {
                Door::Intake => batch::spans(&stream)?,
                Door::Outcomes | Door::RejectedEvents => Vec::new(),
            };
            self.insert_kept(&entry, stream).await?;
            self.look_for_late(spans).await?;
        }
        Ok(())
    }

    async fn insert_stream(
        &self,
        door: Door,
        stream: Bytes,
        token: &str,
        rows: usize,
    ) -> Result<(), IntakeError> {
        let began = Moment::now();
        let bytes = stream.len();
        let outcome = match &self.spool {
            Some(spool) => {
                let entry = spool.keep(door, token, stream.clone()).await?;
                self.insert_kept(&entry, stream).await
            }
            None => self.patiently(|| self.store.insert_batch(door, stream.clone(), token)).await,
        };
        self.metrics.inserted(door, rows, bytes, began.elapsed(), outcome.is_ok());
        outcome
    }

    /// Inserts a batch that lies in the spool, and clears it away unless its fate is open.
    async fn insert_kept(&self, entry: &Entry, stream: Bytes) -> Result<(), IntakeError> {
        let attempt = || self.store.insert_batch(entry.door, stream.clone(), &entry.token);
        let outcome = self.patiently(attempt).await;
        let cleared = match &outcome {
            Ok(()) => entry.remove(),
            // It would be refused again: out of the way, for a person to look at.
            Err(IntakeError::Refused(error)) => {
                tracing::error!(%error, token = entry.token, table = entry.door.name(), "the store refuses a batch; it is kept in the spool's folder \"refused\"");
                entry.set_aside()
            }
            Err(_) => Ok(()),
        };
        if let Err(error) = cleared {
            // Harmless: repeated under its token it changes nothing.
            tracing::warn!(%error, token = entry.token, "a batch stays in the spool");
        }
        outcome
    }

    /// Repeats `attempt` while the store is away.
    pub(crate) async fn patiently<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, IntakeError>
    where
        F: Future<Output = Result<T, sql::Error>>,
    {
        let began = Moment::now();
        let mut attempts = 0;
        loop {
            let outcome = tokio::time::timeout(ATTEMPT, attempt()).await.unwrap_or_else(|_| Err(slow()));
            let error = match outcome {
                Ok(value) => {
                    self.health.answered();
                    return Ok(value);
                }
                Err(error) if !error.is_transient() => {
                    self.health.answered();
                    return Err(IntakeError::Refused(error));
                }
                Err(error) => error,
            };
            self.health.away(&error);
            let wait = self.backoff.random_wait(attempts);
            attempts += 1;
            if !self.may_wait(began, wait).await {
                return Err(IntakeError::Away { waited: began.elapsed(), source: error });
            }
        }
    }

    /// Waits before the next attempt; false where there shall be none.
    async fn may_wait(&self, began: Moment, wait: Duration) -> bool {
        match &self.patience {
            Patience::Up(most) if began.elapsed() + wait > *most => return false,
            Patience::UntilStopped(stopper, most) if stopper.is_cancelled() && began.elapsed() > *most => {
                return false;
            }
            _ => {}
        }
        tokio::time::sleep(wait).await;
        true
    }
}

fn slow() -> sql::Error {
    sql::Error::Busy { code: 159, message: format!("no answer within {} s", ATTEMPT.as_secs()) }
}

fn serialised(batch: RecordBatch) -> Result<Bytes, IntakeError> {
    sql::store::arrow_stream(&batch).map_err(IntakeError::Refused)
}

/// Runs what computes for long where it holds up nobody who waits.
pub async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
