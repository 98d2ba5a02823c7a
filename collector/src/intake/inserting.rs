//! A batch into the store, however often it takes.
//!
//! Invariant: `Ok` means that the rows are there. A repetition under the same token completes what is missing, but a store
//! that died in an insert may remember the token and not the rows (`sql::kept`). So where an attempt had no answer, or was
//! another process's, and the store has started since, it is asked; what it has not is inserted under a further token, and
//! the counts, of which some may be missing likewise, are compared with the raw events.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as Moment};

use bytes::Bytes;
use sql::again;
use sql::intake::Door;
use sql::kept::Keeper;

use super::{Intake, IntakeError, Patience, Token, off_the_runtime};
use crate::batch::{Month, Rows, Span};
use crate::spool::Entry;

/// An attempt that has not ended by then is given up and repeated: the store may have died without a word.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A server tells in whole seconds how long it has been up.
const UPTIME_STEP: Duration = Duration::from_secs(2);

/// So far the clocks of two collectors may be apart of which one finishes what the other began.
const CLOCKS_APART: Duration = Duration::from_secs(300);

impl Intake {
    pub(super) async fn insert_stream(
        &self,
        door: Door,
        stream: Bytes,
        token: &Token,
        rows: usize,
        spans: &[Span],
    ) -> Result<(), IntakeError> {
        let began = Moment::now();
        let bytes = stream.len();
        let outcome = match &self.spool {
            Some(spool) => {
                let entry = spool.keep(door, token.text(), stream.clone()).await?;
                self.insert_kept(&entry, token, stream, spans).await
            }
            None => self.insert_surely(door, stream, token, spans).await,
        };
        self.metrics.inserted(door, rows, bytes, began.elapsed(), outcome.is_ok());
        outcome?;
        // Whoever can repeat the batch does so where this fails, and it is noted then.
        if self.spool.is_none() { self.note_late(spans).await } else { Ok(()) }
    }

    /// Inserts a batch that lies in the spool, and clears it away unless its fate is open.
    pub(super) async fn insert_kept(
        &self,
        entry: &Entry,
        token: &Token,
        stream: Bytes,
        spans: &[Span],
    ) -> Result<(), IntakeError> {
        let outcome = self.insert_surely(entry.door, stream, token, spans).await;
        let cleared = match &outcome {
            // It lies in the spool until it is noted: whoever finishes it after a crash notes it again.
            Ok(()) => match self.note_late(spans).await {
                Ok(()) => entry.remove(),
                Err(error) => {
                    tracing::warn!(%error, token = entry.token, "a late batch stays in the spool until the next start");
                    Ok(())
                }
            },
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

    async fn insert_surely(
        &self,
        door: Door,
        stream: Bytes,
        token: &Token,
        spans: &[Span],
    ) -> Result<(), IntakeError> {
        let began = Moment::now();
        let unanswered = self.insert_repeatedly(door, &stream, token).await?;
        if !self.store.may_forget_rows() || self.outlived(token, unanswered, began).await? {
            return Ok(());
        }
        self.complete(door, stream, token).await?;
        self.have_compared(spans.to_vec()).await
    }

    /// Inserts a batch under its token, repeatedly while the store is away; gives the number of attempts without an answer.
    async fn insert_repeatedly(&self, door: Door, stream: &Bytes, token: &Token) -> Result<u32, IntakeError> {
        let unanswered = AtomicU32::new(0);
        let attempt = || async {
            // One that is given up stays counted.
            unanswered.fetch_add(1, Ordering::Relaxed);
            let outcome = self.store.insert_batch(door, stream.clone(), token.text()).await;
            if !matches!(outcome, Err(sql::Error::Unavailable(_))) {
                unanswered.fetch_sub(1, Ordering::Relaxed);
            }
            outcome
        };
        self.patiently(attempt).await?;
        Ok(unanswered.into_inner())
    }

    /// Whether the store has been up since before the first attempt whose end is not known, if there is one.
    async fn outlived(&self, token: &Token, unanswered: u32, began: Moment) -> Result<bool, IntakeError> {
        if unanswered == 0 && token.tried_since().is_none() {
            return Ok(true);
        }
        let up_for = self.patiently(|| self.store.up_for()).await?;
        let own = unanswered == 0 || up_for > began.elapsed() + UPTIME_STEP;
        let started = self.clock.now().saturating_sub(up_for).saturating_add(CLOCKS_APART);
        Ok(own && token.tried_since().is_none_or(|first| started < first))
    }

    /// Inserts those rows of an acknowledged batch again that the store has not.
    async fn complete(&self, door: Door, stream: Bytes, token: &Token) -> Result<(), IntakeError> {
        for keeper in door.keepers() {
            let rows = {
                let (keeper, stream) = (keeper.clone(), stream.clone());
                off_the_runtime(move || Rows::read(&keeper, &stream)).await?
            };
            self.complete_in(&keeper, &rows, token).await?;
        }
        Ok(())
    }

    /// The same of one table that keeps rows of the batch.
    async fn complete_in(&self, keeper: &Keeper, rows: &Rows, token: &Token) -> Result<(), IntakeError> {
        let mut further = again::tokens(&self.store, token.text());
        let mut used: Vec<String> = further.next().into_iter().collect();
        loop {
            let lost = self.lost(keeper, &used, &rows.months).await?;
            if lost.is_empty() {
                return Ok(());
            }
            let lost = rows.of(&lost)?;
            let Some(again) = further.next() else {
                tracing::error!(
                    token = token.text(),
                    table = keeper.table,
                    rows = lost.num_rows(),
                    "the store has taken these rows again and again and does not show them"
                );
                return Ok(());
            };
            tracing::warn!(
                token = token.text(),
                table = keeper.table,
                rows = lost.num_rows(),
                "the store died in an insert and has lost its rows; they are inserted again"
            );
            self.metrics.inserted_again(keeper.table, lost.num_rows());
            self.patiently(|| self.store.insert_kept_rows(keeper, &lost, &again)).await?;
            used.push(again);
        }
    }

    /// Those months of a batch of which the store has nothing.
    async fn lost<'a>(
        &self,
        keeper: &Keeper,
        tokens: &[String],
        months: &'a [Month],
    ) -> Result<Vec<&'a Month>, IntakeError> {
        let mut lost = Vec::new();
        for month in months {
            let is_there = || self.store.holds_of_batch(keeper, tokens, &month.model, month.at);
            let look = || async { Ok::<_, IntakeError>(self.patiently(is_there).await?.then_some(())) };
            if again::found(&self.store, look).await?.is_none() {
                lost.push(month);
            }
        }
        Ok(lost)
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
