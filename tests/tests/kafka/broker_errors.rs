//! Brokers that answer with errors: librdkafka's mock cluster gives them, for a real one gives few of them when asked to.
//! The store is real. Everything else about Kafka is tested with a real broker.

use std::collections::BTreeMap;
use std::time::Duration;

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::Kind;
use collector::sources::kafka::gateway;
use domain::time::Clock;
use futures_util::future::join;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::mocking::{MockCluster, MockCoordinator};
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaApiKey as Api;
use rdkafka::types::RDKafkaRespErr as Error;
use sql::Store;
use sql::kafka_ranges::{Place, Range};
use tests::{eventually, fresh_store, text};

use crate::counted::{holds_exactly, wait_for_stored};
use crate::running::{Running, event, events};
use crate::world::{bodies, config_at};

const TOPIC: &str = "mocked";

/// More errors than anybody meets: until they are cleared.
const NO_END: usize = 100_000;

/// Brokers that do as they are told, and a store.
struct Mocked {
    cluster: MockCluster<'static, DefaultProducerContext>,
    store: Store,
}

impl Mocked {
    async fn new(brokers: i32, partitions: i32) -> Self {
        let cluster = MockCluster::new(brokers).expect("brokers");
        cluster.create_topic(TOPIC, partitions, brokers).expect("a topic");
        Self { cluster, store: fresh_store().await }
    }

    async fn consumer(&self) -> Running {
        let mut config = config_at(self.cluster.bootstrap_servers(), &[(TOPIC, Kind::Predictions)]);
        // At each rejoin the mock waits for other members, for a second less than a session; but a member must outlive the
        // three seconds that it waits at the first one.
        config.kafka.limits.session_ms = 4_000;
        Running::start_with(&self.store, config, BTreeMap::new()).await
    }

    async fn gateway(&self, answer_within_s: u64) -> Running {
        let gateway = gateway::Config { predictions_topic: TOPIC.to_owned(), ..gateway::Config::default() };
        let kafka = kafka::Config { brokers: self.cluster.bootstrap_servers(), ..kafka::Config::default() };
        let mut config = Config { gateway, kafka, ..Config::default() };
        config.limits.answer_within_s = answer_within_s;
        let door = Running::start_with(&self.store, config, BTreeMap::new()).await;
        eventually("the gateway is ready", async || {
            door.predictions(&[event("m", 999_999)]).await.status == 200
        })
        .await;
        door
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.cluster.bootstrap_servers());
        client
    }

    async fn produce(&self, partition: i32, bodies: &[String]) {
        let producer: FutureProducer = self.client().create().expect("a producer");
        for body in bodies {
            let record = FutureRecord::<(), String>::to(TOPIC).partition(partition).payload(body);
            producer.send(record, Duration::from_secs(10)).await.expect("taken");
        }
    }

    /// The same events to both of two partitions, but for their numbers.
    async fn produce_to_both(&self, range: std::ops::Range<usize>) {
        self.produce(0, &bodies(range.clone())).await;
        self.produce(1, &bodies(range.start + 10_000..range.end + 10_000)).await;
    }

    /// What the group of the collectors has committed.
    async fn committed(&self) -> Option<i64> {
        let consumer: BaseConsumer =
            self.client().set("group.id", TOPIC).create().expect("a consumer that joins nothing");
        let ask = move || {
            let mut list = TopicPartitionList::new();
            list.add_partition(TOPIC, 0);
            consumer.committed_offsets(list, Duration::from_secs(10))
        };
        let list = tokio::task::spawn_blocking(ask).await.expect("no panic").expect("an answer");
        list.elements().first().and_then(|element| element.offset().to_raw()).filter(|offset| *offset >= 0)
    }

    fn fails(&self, api: Api, errors: &[Error]) {
        self.cluster.request_errors(api, errors);
    }

    fn fails_without_end(&self, api: Api, error: Error) {
        self.cluster.request_errors(api, &vec![error; NO_END]);
    }

    fn succeeds(&self, api: Api) {
        self.cluster.clear_request_errors(api);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brokers_refuse_for_the_moment_is_produced_again_and_answered_when_they_have_it() {
    let mocked = Mocked::new(1, 1).await;
    let door = mocked.gateway(20).await;
    let consumer = mocked.consumer().await;
    let passing = [
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Error::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
        Error::RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
    ];
    for (round, error) in passing.into_iter().enumerate() {
        mocked.fails(Api::Produce, &[error]);
        let answer = door.predictions(&events("m", round * 50..round * 50 + 50)).await;
        assert_eq!((answer.status, &answer.body["accepted"]), (200, &50.into()), "{error:?}: {answer:?}");
    }
    let n = passing.len() * 50 + 1;
    wait_for_stored(&mocked.store, n).await;
    door.stop().await;
    consumer.stop().await;
    holds_exactly(&mocked.store, n).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brokers_refuse_for_long_is_answered_with_503_and_taken_once_they_do_not() {
    let mocked = Mocked::new(1, 1).await;
    let door = mocked.gateway(2).await;
    mocked.fails_without_end(Api::Produce, Error::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    let answer = door.predictions(&events("m", 0..20)).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.retry_after.is_some());
    mocked.succeeds(Api::Produce);
    eventually("events are taken again", async || door.predictions(&events("m", 0..20)).await.status == 200)
        .await;
    let consumer = mocked.consumer().await;
    wait_for_stored(&mocked.store, 21).await;
    door.stop().await;
    consumer.stop().await;
    // Whatever of the first attempt is in the log as well.
    holds_exactly(&mocked.store, 21).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_cannot_go_on_is_answered_with_503_and_another_one_takes_its_place() {
    let mocked = Mocked::new(1, 1).await;
    let door = mocked.gateway(5).await;
    for round in 0..2 {
        mocked.fails(Api::Produce, &[Error::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
        let body = events("m", round * 20..round * 20 + 20);
        let answer = door.predictions(&body).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.retry_after.is_some());
        assert_eq!(door.predictions(&body).await.status, 200);
    }
    let consumer = mocked.consumer().await;
    wait_for_stored(&mocked.store, 41).await;
    door.stop().await;
    consumer.stop().await;
    holds_exactly(&mocked.store, 41).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_brokers_would_never_take_is_said() {
    let mocked = Mocked::new(1, 1).await;
    let door = mocked.gateway(5).await;
    mocked.fails(Api::Produce, &[Error::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let answer = door.predictions(&events("m", 0..20)).await;
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(door.predictions(&events("m", 0..20)).await.status, 200, "the next ones are taken");
    door.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fetches_that_fail_lose_and_double_nothing() {
    let mocked = Mocked::new(1, 1).await;
    mocked.produce(0, &bodies(0..200)).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 200).await;
    mocked.fails_without_end(Api::Fetch, Error::RD_KAFKA_RESP_ERR_UNKNOWN);
    mocked.produce(0, &bodies(200..250)).await;
    // Long enough for it to come if it came.
    tokio::time::sleep(Duration::from_millis(2_000)).await;
    assert_eq!(text(&mocked.store, "SELECT count() FROM predictions").await, "200");
    mocked.succeeds(Api::Fetch);
    wait_for_stored(&mocked.store, 250).await;
    let failures = [
        Error::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Error::RD_KAFKA_RESP_ERR__TRANSPORT,
        Error::RD_KAFKA_RESP_ERR_UNKNOWN,
        Error::RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR,
        Error::RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE,
        // Nothing is gone from the log: a question for the claims, which know better.
        Error::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
        Error::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    ];
    for (round, error) in failures.into_iter().enumerate() {
        let sent = 250 + round * 50;
        mocked.fails(Api::Fetch, &[error, error]);
        mocked.produce(0, &bodies(sent..sent + 50)).await;
        wait_for_stored(&mocked.store, sent + 50).await;
    }
    collector.stop().await;
    let n = 250 + failures.len() * 50;
    holds_exactly(&mocked.store, n).await;
    assert_eq!(text(&mocked.store, "SELECT count() FROM rejected_events").await, "0");
}

/// Whoever loses a partition may not hear of it for a while; an error is as good a reason as any to look where it stands.
#[tokio::test(flavor = "multi_thread")]
async fn what_others_stored_of_a_partition_meanwhile_is_known_after_an_error() {
    let mocked = Mocked::new(1, 1).await;
    mocked.produce(0, &bodies(0..10)).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 10).await;
    mocked.fails_without_end(Api::Fetch, Error::RD_KAFKA_RESP_ERR_UNKNOWN);
    mocked.produce(0, &bodies(10..35)).await;
    // Others store two ranges, and claim a third one.
    let other = Running::start_with(&mocked.store, Config::default(), BTreeMap::new()).await;
    assert_eq!(other.predictions(&events("m", 10..30)).await.status, 200);
    let place = Place { group: TOPIC.to_owned(), topic: TOPIC.to_owned(), partition: 0 };
    let life = mocked.store.kafka_ranges(&place).await.expect("claims").remove(0).life;
    for [first, next] in [[10, 20], [20, 30], [30, 35]] {
        let (messages, received_at) = (u32::try_from(next - first).expect("small"), Clock::System.now());
        let range = Range { first, next, messages, received_at, repeated: Vec::new() };
        let claimed = mocked.store.claim_kafka_range(&place, &life, &range, "another", received_at).await;
        assert_eq!(claimed.expect("claims")[0].range, range);
    }
    mocked.produce(0, &bodies(10..40)).await;
    mocked.succeeds(Api::Fetch);
    mocked.fails(Api::Fetch, &[Error::RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE]);
    wait_for_stored(&mocked.store, 40).await;
    collector.stop().await;
    other.stop().await;
    holds_exactly(&mocked.store, 40).await;
    let repeated = "SELECT count() FROM rejected_events WHERE has(rules, 'duplicate')";
    assert_eq!(text(&mocked.store, repeated).await, "25");
}

/// Commits that fail with one error until they are let through.
async fn commits_fail(error: Error) {
    let mocked = Mocked::new(1, 1).await;
    mocked.fails_without_end(Api::OffsetCommit, error);
    mocked.produce(0, &bodies(0..100)).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 100).await;
    mocked.produce(0, &bodies(100..200)).await;
    wait_for_stored(&mocked.store, 200).await;
    assert_eq!(mocked.committed().await, None, "{error:?}");
    // Whoever comes next finds no commit, and the claims.
    collector.crash();
    let collector = mocked.consumer().await;
    mocked.produce(0, &bodies(200..300)).await;
    wait_for_stored(&mocked.store, 300).await;
    assert_eq!(mocked.committed().await, None, "{error:?}");
    mocked.succeeds(Api::OffsetCommit);
    mocked.produce(0, &bodies(300..310)).await;
    wait_for_stored(&mocked.store, 310).await;
    eventually("all is committed", async || mocked.committed().await == Some(310)).await;
    collector.stop().await;
    holds_exactly(&mocked.store, 310).await;
    assert_eq!(text(&mocked.store, "SELECT count() FROM rejected_events").await, "0");
}

// What these tests do is mostly waiting for a group's timers, so they do several things at a time.

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_fail_lose_and_double_nothing() {
    join(
        commits_fail(Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS),
        commits_fail(Error::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_coordinator_is_not_there_or_moves_goes_on() {
    let mocked = Mocked::new(3, 2).await;
    mocked.fails(Api::FindCoordinator, &[Error::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE; 3]);
    mocked.fails(Api::JoinGroup, &[Error::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 2]);
    mocked.fails(Api::OffsetFetch, &[Error::RD_KAFKA_RESP_ERR_NOT_COORDINATOR; 2]);
    mocked.produce_to_both(0..100).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 200).await;
    let mut stored = 200;
    // To another broker, as when its own one is replaced.
    for broker in [1, 2, 3] {
        mocked.cluster.coordinator(MockCoordinator::Group(TOPIC.to_owned()), broker).expect("moved");
        mocked.produce(0, &bodies(stored..stored + 100)).await;
        stored += 100;
        wait_for_stored(&mocked.store, stored).await;
    }
    collector.stop().await;
    holds_exactly(&mocked.store, stored).await;
}

/// A group that is told something else by its coordinator each time.
async fn coordinator_says(answers: &[(Api, Error)]) {
    let mocked = Mocked::new(3, 2).await;
    mocked.produce_to_both(0..100).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 200).await;
    let mut sent = 100;
    for (api, error) in answers {
        mocked.fails(*api, &[*error]);
        mocked.produce_to_both(sent..sent + 50).await;
        sent += 50;
        wait_for_stored(&mocked.store, 2 * sent).await;
    }
    collector.stop().await;
    holds_exactly(&mocked.store, 2 * sent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_coordinator_forgets_its_members_goes_on() {
    join(
        coordinator_says(&[
            (Api::Heartbeat, Error::RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE),
            (Api::Heartbeat, Error::RD_KAFKA_RESP_ERR_NOT_COORDINATOR),
            (Api::Heartbeat, Error::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS),
            (Api::OffsetCommit, Error::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID),
        ]),
        coordinator_says(&[
            (Api::Heartbeat, Error::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID),
            (Api::Heartbeat, Error::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION),
            (Api::OffsetCommit, Error::RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION),
        ]),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_go_down_and_come_back_are_waited_for() {
    let mocked = Mocked::new(1, 1).await;
    let door = mocked.gateway(2).await;
    let collector = mocked.consumer().await;
    wait_for_stored(&mocked.store, 1).await;
    for round in 0..2 {
        let body = events("m", round * 100..round * 100 + 100);
        mocked.cluster.broker_down(-1).expect("down");
        let answer = door.predictions(&body).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        mocked.cluster.broker_up(-1).expect("up");
        eventually("events are taken again", async || door.predictions(&body).await.status == 200).await;
        wait_for_stored(&mocked.store, 1 + (round + 1) * 100).await;
    }
    door.stop().await;
    collector.stop().await;
    holds_exactly(&mocked.store, 201).await;
}
