//! From a plan to stored and counted events: looks whether the content is there already, surveys the file, announces
//! its grids, then stores it batch by batch.
//!
//! Invariant: a batch has the same rows, the same token and the same receive time whenever it is stored, so an import
//! that was broken off goes on where it stopped, and one that is repeated changes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Stopwatch};

use anyhow::{Context as _, bail};
use domain::signal::TAG;
use domain::time::{Instant, Interval};
use service::Context;
use sql::Store;
use sql::imports::Import;
use tokio::sync::mpsc;

use super::bind::{Reading, Stamp, end_of_time, shifted};
use super::events::{Events, Refused};
use super::grids::{Announced, Announcer};
use super::plan::Plan;
use super::progress::{Observer, Stage};
use super::report::{Refusals, Report};
use super::survey::{Survey, survey};
use crate::config::Config;
use crate::event::{Outcome, Prediction, Rejection};
use crate::guard::GuardBook;
use crate::intake::{Intake, Token};
use crate::known::Grids;

/// How often a wait is told of.
const TICK: Duration = Duration::from_millis(100);
/// Batches that are read while one is stored.
const AHEAD: usize = 1;

/// Rows of the file that are stored at once.
#[derive(Debug, Default)]
struct Batch {
    /// Rows of the file, good and bad.
    rows: u64,
    predictions: Vec<Prediction>,
    outcomes: Vec<Outcome>,
    refused: Vec<Refused>,
}

/// What stays the same from the first batch to the last.
struct Work {
    plan: Plan,
    survey: Survey,
    stamp: Stamp,
    record: Import,
}

/// Imports what `plan` says and reports what came of it; does nothing where the same content is there already.
///
/// # Errors
/// Names the file, the column and what to change; or says that the store was away, after which the same call goes on
/// where this one stopped.
pub async fn load(
    plan: Plan,
    config: &Config,
    context: &Context,
    store: &Store,
    observer: Observer,
) -> anyhow::Result<Report> {
    let began = Stopwatch::now();
    let sha256 = off_thread({
        let source = plan.source.clone();
        move || source.sha256()
    })
    .await?;
    let guards = GuardBook::new(context.contracts.clone(), config.privacy.settings()?).current();
    let plan = Plan { guards, ..plan };
    let before =
        store.imports(&plan.model, &sha256).await.context("what was imported before cannot be read")?;
    let begun = the_same(&plan, before)?;
    if let Some(done) = begun.as_ref().filter(|import| import.finished) {
        return Ok(Report { took: began.elapsed(), ..already(&plan, done) });
    }
    let grids = Grids::new(store.clone(), context, config.grids.freshness());
    let now = context.clock.now();
    let (plan, survey) = surveyed(plan, &sha256, context, &observer).await?;
    let source = format!("file {}", plan.source.name);
    let model = plan.model.clone();
    let announcer = Announcer { model: &model, made_from: &source, config, context, store, grids: &grids };
    let announced = announcer.announce(&survey).await?;
    let record = begun.unwrap_or_else(|| first_record(&plan, &sha256, &survey, now));
    wait_for(announced.hold_from, context, &observer).await?;
    let latest = match plan.end_at {
        Some(_) => end_of_time(),
        None => record.started_at.saturating_add(config.limits.future()),
    };
    let stamp = Stamp { received_at: record.started_at, shift_ms: record.shift_ms, latest };
    let mut report = report_of(&plan, &survey, &announced, &record);
    let intake = Intake::new(store.clone(), grids.clone(), context);
    let work = Work { plan, survey, stamp, record };
    store_all(work, context, store, &intake, &observer, &mut report).await?;
    announcer.mark_complete(&announced).await.context("the new grids cannot be marked as complete")?;
    report.took = began.elapsed();
    Ok(report)
}

/// Runs what reads files beside the threads that wait.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("reading the file was broken off")?
}

/// The import of this very content and mapping, if it was begun.
fn the_same(plan: &Plan, before: Vec<Import>) -> anyhow::Result<Option<Import>> {
    let mapping = plan.mapping_sha256();
    let (same, others): (Vec<Import>, Vec<Import>) =
        before.into_iter().partition(|import| import.mapping_sha256 == mapping);
    if let (None, Some(other), false) = (same.first(), others.first(), plan.again) {
        bail!(
            "the content of {} was imported into {} at {} with another mapping (as {}): its events are there; \
             import into another --model, or add --again to have them twice",
            plan.source.name,
            plan.model,
            other.started_at,
            other.name
        );
    }
    Ok(same.into_iter().next())
}

/// The first pass over the file; gives the plan back.
pub async fn surveyed(
    plan: Plan,
    sha256: &str,
    context: &Context,
    observer: &Observer,
) -> anyhow::Result<(Plan, Survey)> {
    let contract = context.contract(&plan.model);
    let tags: Vec<String> =
        contract.segments.iter().filter_map(|name| name.strip_prefix(TAG)).map(str::to_owned).collect();
    let (sha256, now, observer) = (sha256.to_owned(), context.clock.now(), observer.clone());
    off_thread(move || {
        let survey = survey(&plan, &sha256, now, &tags, &observer)?;
        Ok((plan, survey))
    })
    .await
}

fn first_record(plan: &Plan, sha256: &str, survey: &Survey, now: Instant) -> Import {
    let last = survey.times.map(|(_, last)| last);
    let shift_ms = match (plan.end_at, last) {
        (Some(end), Some(last)) => end.millis().saturating_sub(last.millis()),
        _ => 0,
    };
    Import {
        file_sha256: sha256.to_owned(),
        mapping_sha256: plan.mapping_sha256(),
        model: plan.model.clone(),
        name: plan.source.name.clone(),
        batches: 0,
        batch_rows: plan.batch_rows.max(1),
        rows: 0,
        outcomes: 0,
        rejected: 0,
        shift_ms,
        // Not known before the first batch is about to be stored.
        received_at: Instant::EPOCH,
        finished: false,
        started_at: now,
        written_at: now,
    }
}

async fn wait_for(hold_from: Instant, context: &Context, observer: &Observer) -> anyhow::Result<()> {
    let tenths = |duration: Duration| u64::try_from(duration.as_millis() / TICK.as_millis()).unwrap_or(0);
    let began = context.clock.now();
    let of = tenths(hold_from.since(began));
    loop {
        let now = context.clock.now();
        if now >= hold_from {
            return Ok(());
        }
        observer.tell(Stage::Waiting, tenths(now.since(began)), Some(of));
        stopped(context.stopper.run_until_cancelled(tokio::time::sleep(TICK)).await)?;
    }
}

fn stopped<T>(done: Option<T>) -> anyhow::Result<T> {
    done.context("the import was stopped; the same command goes on where it stopped")
}

fn report_of(plan: &Plan, survey: &Survey, announced: &Announced, record: &Import) -> Report {
    let window = survey.times.map(|(first, last)| {
        let last = last.saturating_add(Duration::from_millis(1));
        Interval::new(shifted(first, record.shift_ms), shifted(last, record.shift_ms))
    });
    Report {
        name: plan.source.name.clone(),
        model: plan.model.clone(),
        rows: 0,
        stored: 0,
        outcomes: 0,
        refused: Refusals::default(),
        shift_ms: record.shift_ms,
        window,
        new_grids: announced.new.clone(),
        without_grid: announced.without.clone(),
        resumed_after: record.rows,
        already: None,
        took: Duration::ZERO,
    }
}

fn already(plan: &Plan, done: &Import) -> Report {
    Report {
        name: plan.source.name.clone(),
        model: plan.model.clone(),
        rows: 0,
        stored: 0,
        outcomes: 0,
        refused: Refusals::default(),
        shift_ms: done.shift_ms,
        window: None,
        new_grids: Vec::new(),
        without_grid: Vec::new(),
        resumed_after: done.rows,
        already: Some(done.written_at),
        took: Duration::ZERO,
    }
}

/// The second pass: one thread reads, this one stores.
async fn store_all(
    work: Work,
    context: &Context,
    store: &Store,
    intake: &Intake,
    observer: &Observer,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Work { plan, survey, stamp, mut record } = work;
    let total = survey.rows;
    let reader = Cutter {
        plan: plan.clone(),
        sha256: record.file_sha256.clone(),
        readings: survey.readings,
        stamp,
        skip: record.rows,
        batch_rows: u64::from(record.batch_rows),
    };
    let (sender, mut batches) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || reader.read(&sender));
    // Only the batch that may have been stored in part keeps the time at which that was tried.
    let mut resumed = Some(record.received_at).filter(|at| *at > Instant::EPOCH);
    while let Some(batch) = stopped(context.stopper.run_until_cancelled(batches.recv()).await)? {
        let batch: Batch = batch;
        let now = context.clock.now();
        let tried_at = resumed.take();
        record.received_at = tried_at.unwrap_or(now);
        record.written_at = now;
        store.write_import(&record).await.context("the progress of the import cannot be recorded")?;
        store_batch(batch, tried_at, &plan, &mut record, intake, report).await?;
        observer.tell(Stage::Loading, record.rows, Some(total));
    }
    reading.await.context("reading the file was broken off")??;
    record.finished = true;
    record.received_at = Instant::EPOCH;
    record.written_at = context.clock.now();
    store.write_import(&record).await.context("the end of the import cannot be recorded")
}

async fn store_batch(
    batch: Batch,
    tried_at: Option<Instant>,
    plan: &Plan,
    record: &mut Import,
    intake: &Intake,
    report: &mut Report,
) -> anyhow::Result<()> {
    let Batch { rows, mut predictions, mut outcomes, refused } = batch;
    let received_at = record.received_at;
    predictions.iter_mut().for_each(|event| event.received_at = received_at);
    outcomes.iter_mut().for_each(|event| event.received_at = received_at);
    let rejections: Vec<Rejection> =
        refused.iter().map(|refused| rejection(refused, plan, received_at)).collect();
    let (stored, known) = (predictions.len() as u64, outcomes.len() as u64);
    let token = |what: &str| {
        let (file, mapping) = (&record.file_sha256[..24], &record.mapping_sha256[..16]);
        Token::from(format!("import-{file}-{mapping}-{}-{what}", record.batches)).tried(tried_at)
    };
    let again = "the store did not take a batch; the same command goes on where this one stopped";
    if !predictions.is_empty() {
        intake.insert(predictions, token("predictions")).await.context(again)?;
    }
    if !outcomes.is_empty() {
        intake.insert_outcomes(outcomes, token("outcomes")).await.context(again)?;
    }
    if !rejections.is_empty() {
        intake.insert_rejections(rejections, token("rejections")).await.context(again)?;
    }
    refused.iter().for_each(|refused| report.refused.add(refused));
    report.rows += rows;
    report.stored += stored;
    report.outcomes += known;
    record.batches += 1;
    record.rows += rows;
    record.outcomes += known;
    record.rejected += refused.len() as u64;
    Ok(())
}

fn rejection(refused: &Refused, plan: &Plan, received_at: Instant) -> Rejection {
    let reason = match refused.shown.as_str() {
        "" => refused.problem.clone(),
        shown => format!("{shown} {}", refused.problem),
    };
    Rejection {
        received_at,
        model: plan.model.clone(),
        kind: refused.kind,
        source: format!("file {}", plan.source.name),
        position: format!("{} {}", plan.source.format.row_word(), refused.number),
        field: refused.field.clone(),
        reason,
        payload: refused.payload.clone(),
        kept_out: refused.kept_out.clone(),
    }
}

/// Cuts the file into batches.
struct Cutter {
    plan: Plan,
    sha256: String,
    readings: BTreeMap<String, Reading>,
    stamp: Stamp,
    /// Rows that are stored already.
    skip: u64,
    batch_rows: u64,
}

impl Cutter {
    /// Sends batch after batch; ends early where nobody takes them any more.
    fn read(self, sender: &mpsc::Sender<Batch>) -> anyhow::Result<()> {
        let mut events = Events::open(&self.plan, &self.sha256, &self.readings)?;
        for _ in 0..self.skip {
            if events.next(&self.stamp)?.is_none() {
                break;
            }
        }
        let mut batch = Batch::default();
        while let Some(taken) = events.next(&self.stamp)? {
            batch.rows += 1;
            batch.predictions.extend(taken.prediction);
            batch.outcomes.extend(taken.outcome);
            batch.refused.extend(taken.refused);
            if batch.rows == self.batch_rows && sender.blocking_send(std::mem::take(&mut batch)).is_err() {
                return Ok(());
            }
        }
        if batch.rows > 0 {
            let _nobody_takes_it = sender.blocking_send(batch).is_err();
        }
        Ok(())
    }
}
