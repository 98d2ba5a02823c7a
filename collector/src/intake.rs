//! Stores events and their counts: counted by the grids in force, one insert under one token, repeated whole until the
//! store has it.
//!
//! Invariant: what was handed over under a token is in every table once, or the call has not returned `Ok`.

mod inserting;
mod token;
mod unvalued;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use bytes::Bytes;
use domain::time::{Clock, MINUTE};
use service::backoff::Backoff;
use sql::Store;
use sql::grid_making::Identity;
use sql::intake::Door;
use sql::late_stretches::LateStretch;
use tokio_util::sync::CancellationToken;

use crate::batch::{self, Counted, Span, Summary};
use crate::config;
use crate::duplicates::{self, Claim, Duplicates, Told};
use crate::event::{Outcome, Prediction, Rejection};
use crate::guard::{GuardBook, Settings};
use crate::health::StoreHealth;
use crate::known::Grids;
use crate::maker::Pending;
use crate::metrics::Metrics;
use crate::predictions::Predictions;
use crate::spool::{Entry, Spool};

pub use self::token::Token;

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
    duplicates: Duplicates,
    pending: Pending,
    clock: Clock,
    settle: Duration,
    noted: unvalued::Noted,
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
            duplicates: Duplicates::new(config::Duplicates { window_s: 0, ..Default::default() }),
            pending: Pending::of_at_most(config::Grids::default().waiting_signals),
            clock: context.clock.clone(),
            settle: config::Grids::default().settle(),
            noted: unvalued::Noted::default(),
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

    /// The same where more is said of grids than usual.
    pub fn with_grids(self, config: &config::Grids) -> Self {
        let pending = Pending::of_at_most(config.waiting_signals);
        Self { settle: config.settle(), pending, ..self }
    }

    /// The same where repeated events are told from new ones by [`Self::insert_new`].
    pub fn with_duplicates(self, duplicates: Duplicates) -> Self {
        Self { duplicates, ..self }
    }

    pub fn store(&self) -> &Store {
        &self.store
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

    /// Stores predictions with their counts. Repeated with the same events and token it changes nothing more.
    #[tracing::instrument(skip_all, fields(token = tracing::field::Empty))]
    pub async fn insert(
        &self,
        events: impl Into<Predictions>,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        let (events, token): (Predictions, Token) = (events.into(), token.into());
        tracing::Span::current().record("token", token.text());
        let Some(newest) = events.received_at.iter().copied().max() else { return Ok(()) };
        let known = self.patiently(|| self.grids.fresh_for(newest)).await?;
        self.note_unvalued(&events).await?;
        let n = events.len();
        let (stream, streams, uncounted) = off_the_runtime(move || {
            let uncounted = batch::uncounted(&events, &known);
            let Counted { batch, streams } = batch::predictions(events, &known)?;
            Ok::<_, IntakeError>((serialised(batch)?, streams, uncounted))
        })
        .await?;
        let spans: Vec<Span> = streams.iter().map(|stream| stream.span.clone()).collect();
        self.insert_stream(Door::Intake, stream, &token, n, &spans).await?;
        for Summary { span, ungridded, skew, breaches } in streams {
            self.metrics.skew(&span.model, skew);
            for (rule, n) in breaches {
                self.metrics.breaches(&span.model, &rule, n);
            }
            for (signal, values) in ungridded {
                self.pending.add(&span.model, &signal, values, span.first_received_at, span.interval);
            }
        }
        for ((model, signal), sample) in uncounted {
            self.pending.add_sample(&model, &signal, sample);
        }
        Ok(())
    }

    /// Stores those predictions that did not come before, and says of the others in `rejected_events` that they did.
    pub async fn insert_new(&self, events: Predictions, token: impl Into<Token>) -> Result<(), IntakeError> {
        let token = token.into();
        if !self.duplicates.is_on() {
            return self.insert(events, token).await;
        }
        let (mut left, mut duplicates, mut round) = (events, Vec::new(), 0);
        while !left.is_empty() {
            let mut sorted = self.duplicates.sort(left, self.clock.now());
            duplicates.append(&mut sorted.duplicates);
            let undecided = std::mem::take(&mut sorted.undecided);
            let part = if round == 0 { token.clone() } else { token.part(round) };
            let outcome = self.insert(std::mem::take(&mut sorted.fresh), part).await;
            sorted.settle(outcome.is_ok(), self.clock.now());
            outcome?;
            left = Predictions::default();
            for (event, fate) in undecided {
                match duplicates::is_stored(fate).await {
                    true => duplicates.push(event),
                    false => left.push(&event),
                }
            }
            round += 1;
        }
        self.insert_duplicates(duplicates, token).await
    }

    /// Stores all of these predictions, as a source must that has written down what is in the batch. Repetitions of them
    /// are told by [`Self::insert_new`] and [`Self::came_before`].
    pub async fn insert_whole(
        &self,
        events: impl Into<Predictions>,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        if !self.duplicates.is_on() {
            return self.insert(events, token).await;
        }
        let events = events.into();
        let claim = self.duplicates.claim(&events);
        self.insert_claimed(events, claim, token).await
    }

    /// Stores predictions that were claimed before.
    pub async fn insert_claimed(
        &self,
        events: Predictions,
        claim: Claim,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        let outcome = self.insert(events, token).await;
        claim.settle(outcome.is_ok(), self.clock.now());
        outcome
    }

    /// Tells which of these predictions came before, in the store or among themselves, and claims the others. Waits
    /// while it depends on another batch.
    pub async fn claim_new(&self, mut events: Predictions) -> (Predictions, Told) {
        if !self.duplicates.is_on() {
            let claim = self.duplicates.claim(&Predictions::default());
            return (events, Told { repeated: Vec::new(), claim });
        }
        loop {
            let (duplicates, now) = (self.duplicates.clone(), self.clock.now());
            let (same, told) = off_the_runtime(move || {
                let told = duplicates.claim_new(&events, now);
                (events, told)
            })
            .await;
            events = same;
            match told {
                Ok(told) => return (events, told),
                Err(fate) => {
                    duplicates::is_stored(fate).await;
                }
            }
        }
    }

    /// Which of these predictions came before, in the store or among themselves.
    pub fn came_before(&self, events: &[Prediction]) -> Vec<bool> {
        match self.duplicates.is_on() {
            true => self.duplicates.came_before(events, self.clock.now()),
            false => vec![false; events.len()],
        }
    }

    /// Says of events that they came before.
    pub async fn insert_duplicates(
        &self,
        duplicates: Vec<Prediction>,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        let mut by_model: BTreeMap<&str, usize> = BTreeMap::new();
        duplicates.iter().for_each(|event| *by_model.entry(&event.model).or_default() += 1);
        by_model.into_iter().for_each(|(model, events)| self.metrics.duplicates(model, events));
        let rejections = duplicates.into_iter().map(duplicates::rejection).collect();
        self.insert_rejections(rejections, token.into().part("duplicates")).await
    }

    /// Remembers what earlier processes left to be stored, so that repetitions of it are told.
    pub fn remember_left(&self, left: &[Entry]) -> Result<(), IntakeError> {
        if !self.duplicates.is_on() {
            return Ok(());
        }
        let now = self.clock.now();
        for entry in left.iter().filter(|entry| entry.door == Door::Intake) {
            for Identity { model, version, environment, id } in batch::identities(&entry.read()?)? {
                self.duplicates.remember(&model, &version, &environment, &id, now);
            }
        }
        Ok(())
    }

    /// The same of what earlier processes stored lately. Waits for the store.
    pub async fn remember_stored(&self) -> Result<(), IntakeError> {
        if !self.duplicates.is_on() {
            return Ok(());
        }
        let now = self.clock.now();
        let config::Duplicates { window_s, most } = *self.duplicates.config();
        let since = now.saturating_sub(Duration::from_secs(window_s));
        let most = u32::try_from(most.div_ceil(2)).unwrap_or(u32::MAX);
        let stored = self.patiently(|| self.store.recent_ids(since, most)).await?;
        for Identity { model, version, environment, id } in stored {
            self.duplicates.remember(&model, &version, &environment, &id, now);
        }
        Ok(())
    }

    /// Notes what was stored so late that grids may have been counted back before it was there, or that somebody may have
    /// corrected counts while only a part of it was.
    async fn note_late(&self, spans: &[Span]) -> Result<(), IntakeError> {
        let now = self.clock.now();
        let half = self.settle / 2;
        let late: Vec<&Span> =
            spans.iter().filter(|span| now.since(span.first_received_at) >= half).collect();
        if late.is_empty() {
            return Ok(());
        }
        let known = self.patiently(|| self.grids.fresh_for(now)).await?;
        let mut noted = Vec::new();
        for span in late {
            let Span { model, interval, first_received_at } = span;
            let missed =
                known.model(model).changes.iter().any(|holds_from| {
                    *holds_from > *first_received_at && now >= holds_from.saturating_add(half)
                });
            let may_be_corrected = || self.store.may_be_corrected(model, *interval, *first_received_at);
            if missed || self.patiently(may_be_corrected).await? {
                tracing::info!(model, "a batch came late; its stretch is compared with the raw events");
                noted.push(span.clone());
            }
        }
        self.have_compared(noted).await
    }

    /// Has counts of these stretches compared with the raw events, and corrected where they differ.
    pub async fn have_compared(&self, spans: Vec<Span>) -> Result<(), IntakeError> {
        let noted_at = self.clock.now();
        let stretches: Vec<LateStretch> = spans
            .into_iter()
            .map(|Span { model, interval, .. }| LateStretch {
                model,
                interval: interval.widened_to(MINUTE),
                noted_at,
            })
            .collect();
        self.patiently(|| self.store.note_late_stretches(&stretches)).await
    }

    pub async fn insert_outcomes(
        &self,
        outcomes: Vec<Outcome>,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let n = outcomes.len();
        let stream = off_the_runtime(move || serialised(batch::outcomes(&outcomes)?)).await?;
        self.insert_stream(Door::Outcomes, stream, &token.into(), n, &[]).await
    }

    pub async fn insert_rejections(
        &self,
        rejections: Vec<Rejection>,
        token: impl Into<Token>,
    ) -> Result<(), IntakeError> {
        if rejections.is_empty() {
            return Ok(());
        }
        let stream = serialised(batch::rejections(&rejections)?)?;
        let spans = batch::spans_refused(&rejections);
        self.insert_stream(Door::RejectedEvents, stream, &token.into(), rejections.len(), &spans).await
    }

    /// Finishes what an earlier process left behind.
    pub async fn finish(&self, left: Vec<Entry>) -> Result<(), IntakeError> {
        for entry in left {
            let stream = entry.read()?;
            let spans = batch::spans(entry.door, &stream)?;
            let token = Token::from(entry.token.as_str()).tried(Some(entry.written_at()?));
            self.insert_kept(&entry, &token, stream, &spans).await?;
        }
        Ok(())
    }
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
