//! Stores what was acknowledged: pairs payloads, makes batches of their events, writes down what is in each, inserts it,
//! and lets the journal forget it. One batch at a time: what comes meanwhile waits on disk.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use anyhow::Context as _;
use domain::time::{Clock, DAY, Instant};
use service::Context;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::event;
use super::journal::{Journal, Left, Master, Place, Unfinished};
use super::maker::{Made, Maker};
use super::pairs::{Added, Group, Pairs};
use super::ready::Ready;
use super::{Kept, LeftOut, Payloads, Reason, SOURCE};
use crate::config::{Config, Payloads as Settings};
use crate::decode::Names;
use crate::event::Kind;
use crate::intake::{Intake, IntakeError, Token};
use crate::metrics::Metrics;

/// Halves that wait for each other; beyond it the oldest is stored alone.
const MOST_WAITING: usize = 200_000;
/// How often it is told what was left out.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long a batch waits before it is tried again, where the disk refused it.
const DISK_PAUSE: Duration = Duration::from_secs(1);
/// The folder of the journal in the spool's.
const FOLDER: &str = "payloads";

pub struct Worker {
    journal: Arc<Journal>,
    left: Option<Left>,
    receiver: mpsc::UnboundedReceiver<Kept>,
    left_out: Arc<LeftOut>,
    told_at: Moment,
    pairs: Pairs<Place>,
    ready: Ready,
    batch_rows: usize,
    batch_age: Duration,
    maker: Arc<Maker>,
    names: Option<Names>,
    intake: Intake,
    metrics: Arc<Metrics>,
    clock: Clock,
    closing: CancellationToken,
}

/// Opens the journal and makes both ends of it: the door for sources, and the worker.
///
/// # Errors
/// Where the journal or its key cannot be used.
pub fn open(
    config: &Config,
    kept_days: u32,
    intake: &Intake,
    context: &Context,
    closing: &CancellationToken,
) -> anyhow::Result<(Payloads, Worker)> {
    let settings = config.payloads.clone();
    let folder = config.spool_dir.join(FOLDER);
    let master = master(&settings, &folder)?;
    let (journal, left) = Journal::open(&folder, master, settings.journal_bytes)?;
    if left.damaged > 0 {
        tracing::error!(
            segments = left.damaged,
            "segments of the journal are damaged or sealed with another key; they are kept with the ending \"damaged\""
        );
    }
    let journal = Arc::new(journal);
    let (sender, receiver) = mpsc::unbounded_channel();
    let left_out = Arc::new(LeftOut::default());
    let metrics = intake.metrics().clone();
    let door =
        Payloads { journal: journal.clone(), sender, left_out: left_out.clone(), metrics: metrics.clone() };
    let maker = Maker {
        journal: journal.clone(),
        context: context.clone(),
        kept: DAY * kept_days,
        future: config.limits.future(),
        left_out: left_out.clone(),
        guards: intake.guards().clone(),
        settings: settings.clone(),
    };
    let worker = Worker {
        journal,
        left: Some(left),
        receiver,
        left_out,
        told_at: Moment::now(),
        pairs: Pairs::new(Duration::from_secs(settings.pair_within_s), MOST_WAITING),
        ready: Ready::default(),
        batch_rows: config.batch.rows,
        batch_age: Duration::from_millis(config.batch.age_ms),
        maker: Arc::new(maker),
        names: Some(Names::default()),
        intake: intake.clone(),
        metrics,
        clock: context.clock.clone(),
        closing: closing.clone(),
    };
    Ok((door, worker))
}

fn master(settings: &Settings, folder: &Path) -> anyhow::Result<Master> {
    match &settings.key_file {
        Some(path) => {
            let text = std::fs::read(path).with_context(|| {
                format!("collector.payloads.key_file \"{}\" cannot be read", path.display())
            })?;
            let text = text.trim_ascii();
            anyhow::ensure!(!text.is_empty(), "collector.payloads.key_file \"{}\" is empty", path.display());
            Ok(Master::of(text))
        }
        None => std::fs::create_dir_all(folder)
            .and_then(|()| Master::in_file(&folder.join("key")))
            .with_context(|| format!("the key of the journal in \"{}\" cannot be made", folder.display())),
    }
}

impl Worker {
    /// Runs until `closing` is cancelled and everything whole is stored; halves stay in the journal. Begins when the
    /// batches of an earlier process are `finished`: some of them may be this journal's, under the same tokens; and when
    /// it `is_told` what contracts say.
    pub async fn run(mut self, finished: oneshot::Receiver<()>, mut is_told: watch::Receiver<bool>) {
        let ready = async { (finished.await, is_told.wait_for(|told| *told).await.is_ok()) };
        tokio::select! {
            (_, is_told) = ready => if !is_told { return },
            () = self.closing.cancelled() => return,
        }
        if let Some(left) = self.left.take() {
            self.take_up(left).await;
        }
        while !self.closing.is_cancelled() {
            let closing = self.closing.clone();
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                () = tokio::time::sleep(self.due_in(Moment::now())) => {}
                kept = self.receiver.recv(), if self.ready.has_room() => match kept {
                    Some(kept) => self.take(kept),
                    None => break,
                },
            }
            self.expire();
            if self.ready.is_due(self.batch_age, Moment::now()) {
                self.store_next().await;
            }
            self.tell().await;
        }
        self.receiver.close();
        while let Ok(kept) = self.receiver.try_recv() {
            self.take(kept);
        }
        while !self.ready.is_empty() && self.store_next().await {}
        self.tell_now().await;
    }

    /// Finishes what an earlier process began, and takes up what it had only acknowledged.
    async fn take_up(&mut self, left: Left) {
        let Left { unfinished, waiting, .. } = left;
        if !unfinished.is_empty() || !waiting.is_empty() {
            let (batches, payloads) = (unfinished.len(), waiting.len());
            tracing::info!(batches, payloads, "takes up payloads of an earlier run");
        }
        for Unfinished { token, received_at, groups } in unfinished {
            let made = self.make(&groups, received_at, usize::MAX).await;
            let token = Token::from(token).tried(Some(received_at));
            self.insert(token, received_at, &groups, made).await;
        }
        waiting.into_iter().for_each(|kept| self.take(kept));
    }

    fn take(&mut self, kept: Kept) {
        let Kept { place, part, key } = kept;
        match self.pairs.add(key, part, place, Moment::now()) {
            Added::Waits => {}
            Added::Whole(group) => {
                self.metrics.payloads(if group.feedback.is_some() { "feedback" } else { "paired" }, 1);
                self.ready.add(group);
            }
            Added::Duplicate(place) => self.leave_out(place),
        }
    }

    fn leave_out(&self, place: Place) {
        self.metrics.payloads("duplicate", 1);
        let model = self.journal.read(place).ok();
        let model = model.and_then(|payload| event::model(&payload.event, &self.maker.settings));
        self.left_out.count(Reason::Duplicate, &model.unwrap_or_default(), 1, self.clock.now());
        if let Err(error) = self.journal.leave_out([place].into_iter()) {
            tracing::warn!(%error, "a duplicate payload stays in the journal until the next start");
        }
    }

    fn expire(&mut self) {
        for group in self.pairs.expire(Moment::now()) {
            self.metrics.payloads(if group.request.is_some() { "request_only" } else { "response_only" }, 1);
            self.ready.add(group);
        }
        self.metrics.pairs_waiting(self.pairs.len());
    }

    fn due_in(&self, now: Moment) -> Duration {
        let batch = self.ready.since().map(|since| since + self.batch_age);
        let due = [batch, self.pairs.due(), Some(self.told_at + TELL_EVERY)].into_iter().flatten().min();
        due.map_or(TELL_EVERY, |due| due.saturating_duration_since(now))
    }

    /// Stores the next batch; false where it could not be, which at the end is left to the next process.
    async fn store_next(&mut self) -> bool {
        let groups = self.ready.next_batch();
        let received_at = self.clock.now();
        let made = self.make(&groups, received_at, self.batch_rows).await;
        let (groups, later) = groups.split_at(made.ends.len());
        self.ready.put_back(later);
        let Some((groups, made)) = self.without_repeated(groups, received_at, made).await else {
            return false;
        };
        if groups.is_empty() {
            return true;
        }
        let token = uuid::Uuid::now_v7().simple().to_string();
        while let Err(error) = self.journal.begin(&token, received_at, &groups) {
            tracing::warn!(%error, "the journal cannot be written; payloads wait");
            if !self.pause().await {
                return false;
            }
        }
        self.insert(token.into(), received_at, &groups, made).await
    }

    /// Leaves out inferences of which every event came before. Only here: what is written down as begun is stored as it
    /// is, however often. `None` where the process is to end before that is told.
    async fn without_repeated(
        &mut self,
        groups: &[Group<Place>],
        received_at: Instant,
        made: Made,
    ) -> Option<(Vec<Group<Place>>, Made)> {
        let came_before = self.intake.came_before(&made.predictions);
        let is_new = made.has_new(&came_before);
        if is_new.iter().all(|is_new| *is_new) {
            return Some((groups.to_vec(), made));
        }
        let mut repeated = Vec::new();
        for (is_new, range) in is_new.iter().zip(made.ranges()) {
            if !is_new {
                repeated.extend_from_slice(&made.predictions[range]);
            }
        }
        let token = uuid::Uuid::now_v7().simple().to_string();
        if let Err(error) = settled(self.intake.insert_duplicates(repeated, token).await) {
            tracing::warn!(%error, "repeated payloads are left to the next process");
            self.ready.put_back(groups);
            return None;
        }
        let (mut new, mut old) = (Vec::new(), Vec::new());
        for (group, is_new) in groups.iter().zip(is_new) {
            if is_new { new.push(*group) } else { old.push(*group) }
        }
        self.metrics.payloads("duplicate", old.len());
        if let Err(error) = self.journal.leave_out(old.iter().flat_map(Group::parts)) {
            tracing::warn!(%error, "a duplicate payload stays in the journal until the next start");
        }
        let made = self.make(&new, received_at, usize::MAX).await;
        Some((new, made))
    }

    /// Makes events of the first of `groups`: of as many as give some `rows`.
    async fn make(&mut self, groups: &[Group<Place>], received_at: Instant, rows: usize) -> Made {
        let (maker, groups) = (self.maker.clone(), groups.to_vec());
        let mut names = self.names.take().unwrap_or_default();
        let work = move || {
            let made = maker.make(&groups, received_at, rows, &mut names);
            (made, names)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok((made, names)) => {
                self.names = Some(names);
                made
            }
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Stores a batch that was begun, whatever it takes; false where the process is to end before.
    async fn insert(
        &mut self,
        mut token: Token,
        received_at: Instant,
        groups: &[Group<Place>],
        mut made: Made,
    ) -> bool {
        self.metrics.events(Kind::Prediction, SOURCE, made.predictions.len(), made.rejections.len());
        self.metrics.events(Kind::Outcome, SOURCE, made.outcomes.len(), 0);
        while let Err(error) = self.insert_once(&token, made).await {
            let error = anyhow::Error::from(error);
            tracing::warn!(
                error = format!("{error:#}"),
                token = token.text(),
                "a batch of payloads is not stored yet"
            );
            if !self.pause().await {
                return false;
            }
            made = self.make(groups, received_at, usize::MAX).await;
            token = token.tried(Some(received_at));
        }
        if let Err(error) = self.journal.end(token.text(), groups.iter().flat_map(Group::parts)) {
            // Repeated by the next process under its token, which changes nothing.
            tracing::warn!(%error, token = token.text(), "stored payloads stay in the journal");
        }
        self.metrics.journal(self.journal.bytes());
        true
    }

    async fn insert_once(&self, token: &Token, made: Made) -> Result<(), IntakeError> {
        let Made { predictions, outcomes, rejections, .. } = made;
        settled(self.intake.insert_whole(predictions, token.clone()).await)?;
        settled(self.intake.insert_outcomes(outcomes, token.clone()).await)?;
        settled(self.intake.insert_rejections(rejections, token.clone()).await)
    }

    async fn pause(&self) -> bool {
        tokio::select! {
            () = self.closing.cancelled() => false,
            () = tokio::time::sleep(DISK_PAUSE) => true,
        }
    }

    async fn tell(&mut self) {
        if self.told_at.elapsed() >= TELL_EVERY {
            self.tell_now().await;
        }
    }

    /// Writes down what was left out since the last time.
    async fn tell_now(&mut self) {
        self.told_at = Moment::now();
        let rejections = self.left_out.take(self.clock.now());
        if rejections.is_empty() {
            return;
        }
        tracing::warn!(rows = rejections.len(), "payloads were left out; rejected_events says which and why");
        let token = uuid::Uuid::now_v7().simple().to_string();
        if let Err(error) = self.intake.insert_rejections(rejections, token).await {
            let error = anyhow::Error::from(error);
            tracing::error!(error = format!("{error:#}"), "what was left out is not written down");
        }
    }
}

/// A batch that the store refuses lies in the spool's folder for refused ones, and is settled.
fn settled(outcome: Result<(), IntakeError>) -> Result<(), IntakeError> {
    match outcome {
        Err(IntakeError::Refused(_)) => Ok(()),
        other => other,
    }
}
