//! A batch into the store, however often it takes.
//!
//! Invariant: `Ok` means that the rows are there. A repetition under the same token completes what is missing, but a store
//! that died in an insert may remember the token and not the rows (`sql::kept`). So where an attempt had no answer and the
//! store has started since, it is asked; what it has not is inserted under a further token, and the counts, of which some
//! may be missing likewise, are compared with the raw events.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant as Moment};

use bytes::Bytes;
use sql::intake::Door;
use sql::kept::Keeper;

use super::{Intake, IntakeError, Patience, Token, off_the_runtime};
use crate::batch::{self, Month, Rows, Span};
use crate::spool::Entry;

/// An attempt that has not ended by then is given up and repeated: the store may have died without a word.
const ATTEMPT: Duration = Duration::from_secs(60);

/// A server tells in whole seconds how long it has been up.
const UPTIME_STEP: Duration = Duration::from_secs(2);

/// Rows that are not there are looked for once more after this time: another's insert under the same token, such as that of a
/// collector which was taken for dead, may be about to give them their place.
const SECOND_LOOK: Duration = Duration::from_secs(2);

/// Whether the rows of an insert are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Surely,
    /// It was acknowledged, but by a store that may have died in an earlier attempt.
    Perhaps,
}

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
            None => self.insert_surely(door, stream, token).await,
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
        let outcome = self.insert_surely(entry.door, stream, token).await;
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

    async fn insert_surely(&self, door: Door, stream: Bytes, token: &Token) -> Result<(), IntakeError> {
        let attempt = || self.store.insert_batch(door, stream.clone(), token.text());
        let kept = self.attempt(attempt).await?;
        if kept == Kept::Surely && !token.was_tried() || !self.store.may_forget_rows() {
            return Ok(());
        }
        self.complete(door, &stream, token).await?;
        let spans = off_the_runtime(move || batch::spans(door, &stream)).await?;
        self.have_compared(spans).await
    }

    /// Inserts those rows of an acknowledged batch again that the store has not.
    async fn complete(&self, door: Door, stream: &Bytes, token: &Token) -> Result<(), IntakeError> {
        let keeper = door.keeper();
        let rows = {
            let (keeper, stream) = (keeper.clone(), stream.clone());
            off_the_runtime(move || Rows::read(&keeper, &stream)).await?
        };
        let mut tokens = vec![token.text().to_owned()];
        loop {
            let lost = self.lost(&keeper, &tokens, rows.months.iter().collect()).await?;
            if lost.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(SECOND_LOOK).await;
            let lost = self.lost(&keeper, &tokens, lost).await?;
            if lost.is_empty() {
                return Ok(());
            }
            let lost = rows.of(&lost)?;
            tracing::warn!(
                token = token.text(),
                table = keeper.table,
                rows = lost.num_rows(),
                "the store died in an insert and has lost its rows; they are inserted again"
            );
            self.metrics.inserted_again(door, lost.num_rows());
            let again = format!("{}/again/{}", token.text(), tokens.len());
            let attempt = || self.store.insert_kept_rows(&keeper, &lost, &again);
            if self.attempt(attempt).await? == Kept::Surely {
                return Ok(());
            }
            tokens.push(again);
        }
    }

    /// Those months of a batch of which the store has nothing.
    async fn lost<'a>(
        &self,
        keeper: &Keeper,
        tokens: &[String],
        months: Vec<&'a Month>,
    ) -> Result<Vec<&'a Month>, IntakeError> {
        let mut lost = Vec::new();
        for month in months {
            let is_there = || self.store.holds_of_batch(keeper, tokens, &month.model, month.at);
            if !self.patiently(is_there).await? {
                lost.push(month);
            }
        }
        Ok(lost)
    }

    /// Repeats an insert while the store is away, and says whether its rows are there then.
    async fn attempt<F>(&self, insert: impl Fn() -> F) -> Result<Kept, IntakeError>
    where
        F: Future<Output = Result<(), sql::Error>>,
    {
        let began = Moment::now();
        let unanswered = AtomicU32::new(0);
        let attempt = || async {
            // One that is given up stays counted.
            unanswered.fetch_add(1, Ordering::Relaxed);
            let outcome = insert().await;
            if !matches!(outcome, Err(sql::Error::Unavailable(_))) {
                unanswered.fetch_sub(1, Ordering::Relaxed);
            }
            outcome
        };
        self.patiently(attempt).await?;
        if unanswered.into_inner() == 0 {
            return Ok(Kept::Surely);
        }
        let up_for = self.patiently(|| self.store.up_for()).await?;
        Ok(if up_for > began.elapsed() + UPTIME_STEP { Kept::Surely } else { Kept::Perhaps })
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
