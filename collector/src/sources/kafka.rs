//! Kafka as a source: the partitions that the group gives to this collector, each at work by itself, every message stored
//! exactly once (`docs/kafka.md`, `docs/decisions/0007-kafka-exactly-once.md`).
//!
//! Reading order: [`config`] is what a consumer is told; [`resume`] decides where a partition is taken up; `gather` cuts a
//! batch; `decode` reads it; `partition` claims, stores and commits it; `catching_up` learns what others stored; `member`
//! hears what the group decides; `standing` measures; [`gateway`] is the other direction, for what HTTP takes; `topic_id`
//! tells topics of one name apart.
//!
//! Invariant: the group is polled whatever the store does. A partition whose batch waits takes nothing more from its
//! queue, and the client then fetches nothing more for it.

mod catching_up;
pub mod config;
mod decode;
pub mod gateway;
mod gather;
mod member;
mod messages;
mod partition;
pub mod resume;
mod standing;
mod topic_id;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::{ClientConfig, Message as _};
use sql::Store;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::catching_up::CatchingUp;
pub use self::config::Config;
use self::gather::Room;
use self::member::{Brokers, Change, Member};
use self::partition::{Partition, Shared};
use self::standing::{Metrics, Standings};
use crate::config::Limits;
use crate::event::Name;
use crate::intake::Intake;

/// The name under which events of this source are stored.
pub const SOURCE: &str = "kafka";

/// The name of the readiness check.
const CHECK: &str = "collector: Kafka";

/// Brokers that are away are not waited for longer than this; nothing is lost by not saying goodbye.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// A member of the group with its partitions at work.
pub struct Kafka {
    shared: Arc<Shared>,
    changes: mpsc::UnboundedReceiver<Change>,
    at_work: BTreeMap<(String, i32), AtWork>,
}

struct AtWork {
    stopping: CancellationToken,
    task: JoinHandle<()>,
}

impl Kafka {
    /// Joins the group. `None` where no topics are named.
    ///
    /// # Errors
    /// Where the client cannot be made: a file that cannot be read, a setting that its library refuses.
    pub fn join(
        config: &Config,
        limits: &Limits,
        store: Store,
        intake: Intake,
        context: &service::Context,
    ) -> anyhow::Result<Option<Self>> {
        if config.topics.is_empty() {
            return Ok(None);
        }
        let standings = Standings::default();
        let metrics = Arc::new(Metrics::new(&context.meter, &standings));
        let (sender, changes) = mpsc::unbounded_channel();
        let brokers = Brokers::new(context.health.clone(), CHECK);
        let member = Member::new(sender, standings.clone(), brokers);
        let consumer: StreamConsumer<Member> =
            consumer_config(config)?.create_with_context(member).context("Kafka's client cannot be made")?;
        let topics: Vec<&str> = config.topics.iter().map(|topic| topic.name.as_str()).collect();
        consumer.subscribe(&topics).context("the topics of [collector.kafka] cannot be subscribed to")?;
        let shared = Shared {
            consumer: Arc::new(consumer),
            config: config.clone(),
            headers: config.headers.iter().map(|name| Name::from(name.as_str())).collect(),
            kept_days: store.config().retention.events_days,
            store,
            intake,
            clock: context.clock.clone(),
            catching_up: CatchingUp::default(),
            in_flight: Arc::new(Semaphore::new(config.batch.in_flight)),
            room: Room::of(config.limits.waiting_bytes),
            standings,
            metrics,
            future: limits.future(),
            name: uuid::Uuid::now_v7().to_string(),
        };
        Ok(Some(Self { shared: Arc::new(shared), changes, at_work: BTreeMap::new() }))
    }

    /// Works until `stopper` is cancelled; then finishes what is claimed, commits it and leaves the group.
    pub async fn run(mut self, stopper: CancellationToken) {
        let consumer = self.shared.consumer.clone();
        loop {
            tokio::select! {
                biased;
                () = stopper.cancelled() => break,
                Some(change) = self.changes.recv() => self.apply(change).await,
                message = consumer.recv() => match message {
                    // Each partition has a queue of its own from before it is fetched.
                    Ok(message) => {
                        let partition = (message.topic().to_owned(), message.partition());
                        drop(message);
                        self.start_again(partition).await;
                    }
                    Err(error) => tracing::info!(%error, "Kafka's client tells of an error; it tries again"),
                },
            }
        }
        self.leave(consumer).await;
    }

    async fn apply(&mut self, change: Change) {
        match change {
            Change::Given(partitions) => {
                tracing::info!(?partitions, "the group gives partitions");
                // The group need not wait until the store has said where to begin: each partition is fetched when it
                // knows.
                self.answer(true, &TopicPartitionList::new());
                for (topic, partition) in partitions {
                    self.start(topic, partition);
                }
            }
            Change::Taken(partitions) => {
                tracing::info!(?partitions, "the group takes partitions");
                self.stop(&partitions).await;
                self.answer(false, &self.fetched(&partitions));
            }
        }
    }

    /// Those of `partitions` that the client fetches.
    fn fetched(&self, partitions: &[(String, i32)]) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        if let Ok(assigned) = self.shared.consumer.assignment() {
            for (topic, partition) in partitions {
                if assigned.find_partition(topic, *partition).is_some() {
                    list.add_partition(topic, *partition);
                }
            }
        }
        list
    }

    fn answer(&self, is_given: bool, list: &TopicPartitionList) {
        let consumer = &self.shared.consumer;
        let answered = match is_given {
            true => consumer.incremental_assign(list),
            false => consumer.incremental_unassign(list),
        };
        if let Err(error) = answered {
            tracing::warn!(%error, "the group does not take the answer to a rebalance");
        }
    }

    fn start(&mut self, topic: String, partition: i32) {
        let Some(known) = self.shared.config.topics.iter().find(|known| known.name == topic) else { return };
        // Before it is fetched, so that none of its messages goes elsewhere.
        let Some(queue) = self.shared.consumer.split_partition_queue(&topic, partition) else { return };
        let work = Partition::new(self.shared.clone(), &topic, partition, known.kind, queue);
        let stopping = CancellationToken::new();
        let task = tokio::spawn(work.run(stopping.clone()));
        self.at_work.insert((topic, partition), AtWork { stopping, task });
    }

    /// Takes a partition up anew: one of its messages went astray.
    async fn start_again(&mut self, partition: (String, i32)) {
        tracing::warn!(
            ?partition,
            "a message came past its partition's queue; the partition is taken up again"
        );
        let partitions = [partition];
        self.stop(&partitions).await;
        self.answer(false, &self.fetched(&partitions));
        let [(topic, partition)] = partitions;
        self.start(topic, partition);
    }

    /// Stops partitions; what they have claimed they may finish for a while. The next owner finishes the rest.
    async fn stop(&mut self, partitions: &[(String, i32)]) {
        let stopped: Vec<AtWork> =
            partitions.iter().filter_map(|partition| self.at_work.remove(partition)).collect();
        for work in &stopped {
            work.stopping.cancel();
        }
        let deadline = tokio::time::Instant::now() + self.shared.config.limits.hand_over();
        for AtWork { mut task, .. } in stopped {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                tracing::warn!("a partition is handed over with a range that is not finished");
                task.abort();
                let _ = task.await;
            }
        }
        for (topic, partition) in partitions {
            self.shared.standings.gave_back(topic, *partition);
        }
    }

    async fn leave(mut self, consumer: Arc<StreamConsumer<Member>>) {
        let all: Vec<(String, i32)> = self.at_work.keys().cloned().collect();
        self.stop(&all).await;
        consumer.context().leave();
        // Whatever the group decided meanwhile is answered by leaving it.
        self.changes.close();
        drop(self.shared);
        let (gone, left) = tokio::sync::oneshot::channel();
        // A thread of its own, which ends with the process: one of the runtime's would be waited for.
        std::thread::spawn(move || {
            drop(consumer);
            let _ = gone.send(());
        });
        match tokio::time::timeout(LEAVE_WITHIN, left).await {
            Ok(_) => tracing::info!("left the consumer group"),
            Err(_) => tracing::info!("no broker answers; the group will miss this collector by itself"),
        }
    }
}

fn consumer_config(config: &Config) -> anyhow::Result<ClientConfig> {
    let mut client = config.client()?;
    client
        .set("group.id", &config.group)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", config.limits.session_ms.to_string())
        .set("heartbeat.interval.ms", (config.limits.session_ms / 10).clamp(100, 3_000).to_string())
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        // An offset that is not there is a question for us, not for the client.
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("queued.max.messages.kbytes", (config.limits.prefetch_bytes / 1_024).max(1).to_string())
        // What waits for room is fetched soon after there is some.
        .set("fetch.queue.backoff.ms", "50")
        // Topics that are made later, or again, are found within this time.
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set_log_level(RDKafkaLogLevel::Info);
    Ok(client)
}

/// Runs what waits for brokers, or computes for long, where it holds up nobody.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_become_the_clients_settings() {
        let mut config = Config { group: "g".to_owned(), ..Config::default() };
        config.limits.prefetch_bytes = 2 << 20;
        config.limits.session_ms = 9_000;
        let client = consumer_config(&config).expect("no files to read");
        let expected = [
            ("group.id", "g"),
            ("queued.max.messages.kbytes", "2048"),
            ("session.timeout.ms", "9000"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("enable.auto.commit", "false"),
        ];
        for (key, value) in expected {
            assert_eq!(client.get(key), Some(value), "{key}");
        }
    }
}
