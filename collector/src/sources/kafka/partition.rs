//! One partition at work: a batch is gathered, its range claimed, its events stored under a token made of the range, and
//! its offset committed, in this order (`docs/decisions/0007-kafka-exactly-once.md`).
//!
//! Invariant: nothing is stored before its range is claimed, and nothing is claimed before everything earlier is stored.

mod range;

use std::sync::Arc;
use std::time::Duration;

use domain::time::{Clock, Instant};
use rdkafka::consumer::stream_consumer::StreamPartitionQueue;
use rdkafka::consumer::{CommitMode, Consumer as _, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use service::backoff::Backoff;
use sql::Store;
use sql::kafka_ranges::{Life, Place, Range};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::blocking;
use super::catching_up::CatchingUp;
use super::config::{Config, Kind};
use super::decode;
use super::gather::{Gathered, Room, Until, gather};
use super::member::Member;
use super::resume::{Cause, Gap, Known, Resume, resume};
use super::standing::{Metrics, Standings};
use super::topic_id::{Unknown, topic_id};
use crate::decode::Names;
use crate::event::{Name, Rejection};
use crate::intake::{Intake, IntakeError};

/// How long brokers may take to answer a question.
const ASK: Duration = Duration::from_secs(10);

/// What all partitions of a collector share.
pub struct Shared {
    pub consumer: Arc<StreamConsumer<Member>>,
    pub config: Config,
    pub headers: Vec<Name>,
    pub store: Store,
    pub intake: Intake,
    pub clock: Clock,
    pub in_flight: Arc<Semaphore>,
    pub catching_up: CatchingUp,
    pub room: Room,
    pub standings: Standings,
    pub metrics: Arc<Metrics>,
    /// Days that events are kept; older ones are refused.
    pub kept_days: u32,
    /// How far in the future an event's timestamp may lie.
    pub future: Duration,
    /// Which collector this is, for people who look at claims.
    pub name: String,
}

/// Why a partition has to be taken up again.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("Kafka does not do what it is asked")]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Topic(#[from] Unknown),
    #[error("the store does not take what is given to it")]
    Store(#[from] IntakeError),
    #[error("the topic was deleted and made again")]
    MadeAgain,
    #[error("another collector has claimed the range from offset {0} on")]
    ClaimedByAnother(i64),
    #[error("the store does not know a claim that it has taken")]
    ClaimLost,
}

pub struct Partition {
    shared: Arc<Shared>,
    place: Place,
    kind: Kind,
    queue: StreamPartitionQueue<Member>,
    names: Names,
    /// Up to where everything that was stored of this partition is remembered, whoever stored it.
    remembered: Option<(Life, i64)>,
    /// Whether the client fetches this partition.
    is_fetched: bool,
}

/// Where a partition stands while it is at work.
struct Course {
    life: Life,
    position: i64,
    open: Option<Range>,
}

impl Partition {
    pub fn new(
        shared: Arc<Shared>,
        topic: &str,
        partition: i32,
        kind: Kind,
        queue: StreamPartitionQueue<Member>,
    ) -> Self {
        let place = Place { group: shared.config.group.clone(), topic: topic.to_owned(), partition };
        Self { shared, place, kind, queue, names: Names::default(), remembered: None, is_fetched: false }
    }

    /// Works until `stopping` is cancelled; what is claimed by then is finished.
    pub async fn run(mut self, stopping: CancellationToken) {
        let backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(10) };
        let mut failures = 0;
        while !stopping.is_cancelled() {
            let problem = match stopping.run_until_cancelled(self.take_up()).await {
                None => break,
                Some(Err(problem)) => problem,
                Some(Ok(mut course)) => match self.work(&mut course, &mut failures, &stopping).await {
                    Ok(()) => break,
                    Err(problem) => problem,
                },
            };
            let is_refused =
                matches!(problem, Problem::Store(IntakeError::Refused(_) | IntakeError::Layout(_)));
            let problem = format!("{:#}", anyhow::Error::from(problem));
            let (topic, partition) = (&self.place.topic, self.place.partition);
            if is_refused {
                tracing::error!(
                    topic,
                    partition,
                    problem,
                    "the store refuses a range; the partition stands still"
                );
            } else {
                tracing::info!(topic, partition, problem, "a partition is taken up again");
            }
            stopping.run_until_cancelled(tokio::time::sleep(backoff.random_wait(failures))).await;
            failures += 1;
        }
        self.shared.standings.gave_back(&self.place.topic, self.place.partition);
    }

    async fn work(
        &mut self,
        course: &mut Course,
        failures: &mut u32,
        stopping: &CancellationToken,
    ) -> Result<(), Problem> {
        loop {
            let until = Until {
                limits: &self.shared.config.batch,
                next: course.open.as_ref().map(|open| open.next),
                headers: &self.shared.headers,
            };
            let Some(gathered) = gather(&self.queue, &until, &self.shared.room, stopping).await? else {
                return Ok(());
            };
            self.settle(course, gathered).await?;
            *failures = 0;
        }
    }

    /// Claims, stores and commits one batch.
    async fn settle(&mut self, course: &mut Course, gathered: Gathered) -> Result<(), Problem> {
        let Gathered { messages, went_past, room } = gathered;
        let in_flight = self.shared.in_flight.clone();
        let _one = in_flight.acquire_owned().await.expect("nobody closes this semaphore");
        let was_open = course.open.is_some();
        let claimed = match &course.open {
            Some(open) => self.open(open.clone(), messages).await,
            None => self.claim(course, messages).await?,
        };
        let range = claimed.range.clone();
        let rejected = self.store(&course.life, claimed).await?;
        drop(room);
        self.shared.metrics.batch(&self.place.topic, rejected, was_open);
        let Place { topic, partition, .. } = &self.place;
        // Before the commit, which may be heard of at once.
        self.shared.standings.stored(topic, *partition, range.next);
        self.commit(range.next)?;
        tracing::debug!(topic, partition, first = range.first, next = range.next, was_open, "stored a range");
        *course = Course { life: course.life.clone(), position: range.next, open: None };
        self.remembered = Some((course.life.clone(), course.position));
        if was_open {
            tracing::info!(
                topic,
                partition,
                first = range.first,
                next = range.next,
                "finished a range claimed before"
            );
        }
        if went_past { self.fetch_from(range.next).await } else { Ok(()) }
    }

    fn refusal(&self, received_at: Instant, first: i64, next: i64, reason: String) -> Rejection {
        let Place { topic, partition, .. } = &self.place;
        let position = format!("{topic}-{partition}-{first}..{next}");
        decode::rejection(self.kind.into(), received_at, position, reason, String::new())
    }

    /// Finds out where the partition is to go on, and has it fetched from there.
    async fn take_up(&mut self) -> Result<Course, Problem> {
        let known = self.known().await?;
        let Resume { life, position, open, gap } = resume(&known, self.shared.config.start);
        self.catch_up(&life, position).await;
        if let Some(gap) = gap {
            self.tell(&life, gap).await?;
        }
        let Place { topic, partition, .. } = &self.place;
        tracing::info!(topic, partition, position, open = open.is_some(), "a partition is taken up");
        self.shared.standings.took_up(topic, *partition, position);
        if known.committed.is_none() {
            // "From the latest on" means from now on, also for whoever comes after a crash.
            self.commit(position)?;
        }
        self.fetch_from(position).await?;
        Ok(Course { life, position, open })
    }

    /// Remembers what others stored before `position`, for events of this partition may come again. After its claims were
    /// read: what is stored of it later has a claim that stands in the way of ours.
    async fn catch_up(&mut self, life: &Life, position: i64) {
        let here = Some((life.clone(), position));
        if self.kind == Kind::Predictions && self.remembered != here {
            self.shared.catching_up.catch_up(&self.shared.intake).await;
            self.remembered = here;
        }
    }

    async fn known(&self) -> Result<Known, Problem> {
        let topic_id = self.topic_id().await?;
        let claims = self.shared.intake.patiently(|| self.shared.store.kafka_ranges(&self.place)).await?;
        let (consumer, place) = (self.shared.consumer.clone(), self.place.clone());
        let (committed, (low, high)) = blocking(move || {
            let mut list = TopicPartitionList::new();
            list.add_partition(&place.topic, place.partition);
            // The end of the log is asked for last, so that nothing that is known lies beyond it.
            let list = consumer.committed_offsets(list, ASK)?;
            let committed = list.elements().first().map(|element| element.offset());
            Ok::<_, KafkaError>((committed, consumer.fetch_watermarks(&place.topic, place.partition, ASK)?))
        })
        .await?;
        let committed = match committed {
            Some(Offset::Offset(offset)) => Some(offset),
            _ => None,
        };
        Ok(Known { topic_id, claims, committed, low, high })
    }

    async fn topic_id(&self) -> Result<String, Problem> {
        let (consumer, topic) = (self.shared.consumer.clone(), self.place.topic.clone());
        Ok(blocking(move || topic_id(consumer.client(), &topic, ASK)).await?)
    }

    /// Says that messages are gone, once.
    async fn tell(&self, life: &Life, gap: Gap) -> Result<(), Problem> {
        let Gap { first, next, cause } = gap;
        let reason = match cause {
            Cause::Removed => "these offsets were removed from the log before they were taken",
            Cause::TakenBack => "the log no longer reaches to where it was taken; its end was lost",
        };
        tracing::warn!(topic = self.place.topic, partition = self.place.partition, first, next, "{reason}");
        self.shared.metrics.lost(&self.place.topic, u64::try_from(next - first).unwrap_or(0));
        let refusal = self.refusal(self.shared.clock.now(), first, next, reason.to_owned());
        let token = format!("{}-{next}-gap", range::token(&self.place, life, first));
        Ok(self.shared.intake.insert_rejections(vec![refusal], token).await?)
    }

    fn list(&self, offset: i64) -> Result<TopicPartitionList, KafkaError> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&self.place.topic, self.place.partition, Offset::Offset(offset))?;
        Ok(list)
    }

    /// Has the client fetch from `offset`; what it had fetched before is dropped.
    async fn fetch_from(&mut self, offset: i64) -> Result<(), Problem> {
        let list = self.list(offset)?;
        if self.is_fetched {
            let (consumer, again) = (self.shared.consumer.clone(), list.clone());
            let sought = blocking(move || consumer.seek_partitions(again, ASK)).await;
            if sought.is_ok_and(|list| list.elements().iter().all(|element| element.error().is_ok())) {
                return Ok(());
            }
            // A partition whose offset was out of range is not fetched any more, and cannot be sought in.
            self.shared.consumer.incremental_unassign(&list)?;
            self.is_fetched = false;
        }
        self.shared.consumer.incremental_assign(&list)?;
        self.is_fetched = true;
        Ok(())
    }

    /// Tells the group; whether it heard is not waited for. Where it did not, as when the partition was taken away
    /// meanwhile, the claim says enough.
    fn commit(&self, next: i64) -> Result<(), Problem> {
        if let Err(error) = self.shared.consumer.commit(&self.list(next)?, CommitMode::Async) {
            tracing::debug!(%error, "a commit was not sent");
        }
        Ok(())
    }
}
