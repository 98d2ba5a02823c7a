//! Logs that are not what they were: claimed ranges that are finished, beginnings that are gone, topics made again.

use domain::time::Instant;
use sql::kafka_ranges::{EventPlace, Life, Place, Range};
use tests::{OwnEngine, Process, eventually, text};

use crate::process::{Settings, metric};
use crate::world::{World, bodies};

impl World {
    fn place(&self) -> Place {
        Place { group: self.topic.clone(), topic: self.topic.clone(), partition: 0 }
    }

    /// Stores `n` messages in an orderly way, and says in which life.
    async fn begun_with(&self, n: usize) -> Life {
        self.broker.produce(&self.topic, 0, &bodies(0..n)).await;
        let collector = self.collector().await;
        self.stored(n).await;
        collector.stop().await;
        let claims = self.store.kafka_ranges(&self.place()).await.expect("claims");
        assert_eq!(claims.len(), 1);
        assert!(!claims[0].life.topic_id.is_empty(), "the broker knows topic ids");
        claims[0].life.clone()
    }

    /// Claims a range as a collector does that dies right after.
    async fn claim(&self, life: &Life, first: i64, next: i64) -> Instant {
        self.claim_without(life, first, next, Vec::new()).await
    }

    /// The same, leaving out what came before.
    async fn claim_without(&self, life: &Life, first: i64, next: i64, repeated: Vec<EventPlace>) -> Instant {
        let now = domain::time::Clock::System.now();
        let received_at = now.saturating_sub(std::time::Duration::from_secs(7));
        let messages = u32::try_from(next - first).expect("small");
        let range = Range { first, next, messages, received_at, repeated };
        self.store.claim_kafka_range(&self.place(), life, &range, "who died", now).await.expect("claimed");
        received_at
    }

    async fn refused(&self, part: &str) -> String {
        let reasons = format!("SELECT position, reason FROM rejected_events WHERE reason LIKE '%{part}%'");
        text(&self.store, &reasons).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claimed_range_is_finished_with_its_boundaries_and_receive_time() {
    let world = World::new(1).await;
    let life = world.begun_with(10).await;
    let received_at = world.claim(&life, 10, 77).await;
    world.broker.produce(&world.topic, 0, &bodies(10..200)).await;
    let collector = world.collector().await;
    world.stored(200).await;
    collector.stop().await;
    world.holds_exactly(200).await;
    let of_the_range = format!(
        "SELECT count() FROM predictions WHERE toUnixTimestamp64Milli(received_at) = {} \
         AND toUInt32(substring(id, 3)) BETWEEN 10 AND 76",
        received_at.millis()
    );
    assert_eq!(text(&world.store, &of_the_range).await, "67");
    assert_eq!(world.broker.committed(&world.topic, &world.topic, 0).await, Some(200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_whose_claim_a_plain_server_forgot_is_claimed_again() {
    let own = OwnEngine::start().await;
    let world = World::on(own.plain_store().await, 1).await;
    let life = world.begun_with(10).await;
    world.claim(&life, 10, 77).await;
    // Its token is known, and no claim of the offset 10 is there.
    own.forget_rows(&world.store, &["kafka_ranges"]).await;
    eventually("the server is back", async || world.store.ping().await.is_ok()).await;
    assert_eq!(world.store.kafka_ranges(&world.place()).await.expect("claims")[0].range.next, 10);
    world.broker.produce(&world.topic, 0, &bodies(10..200)).await;
    let collector = world.collector().await;
    world.stored(200).await;
    collector.stop().await;
    world.holds_exactly(200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_that_was_stored_before_its_collector_died_is_not_stored_again() {
    let world = World::new(1).await;
    let life = world.begun_with(40).await;
    // The commit never came through: the group is set back to where the batch began.
    world.broker.commit(&world.topic, &world.topic, 0, 0).await;
    let claims = world.store.kafka_ranges(&world.place()).await.expect("claims");
    assert_eq!(claims[0].life, life);
    let collector = world.collector().await;
    world.broker.produce(&world.topic, 0, &bodies(40..60)).await;
    world.stored(60).await;
    collector.stop().await;
    world.holds_exactly(60).await;
    // What it remembers of the store is the range itself, and no repetition of it.
    assert_eq!(world.repeated().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_finished_as_its_claim_says_whatever_is_remembered() {
    let world = World::new(1).await;
    let life = world.begun_with(10).await;
    // An event that comes again and one that does not; its claimant left out neither of them, and another one.
    world.broker.produce(&world.topic, 0, &[bodies(3..4), bodies(10..12)].concat()).await;
    world.claim_without(&life, 10, 13, vec![EventPlace { offset: 12, index: 0 }]).await;
    // Behind the range the window counts again: what it stored, what it left out, and what was there before.
    world.broker.produce(&world.topic, 0, &[bodies(10..12), bodies(0..2)].concat()).await;
    let collector = world.collector().await;
    world.stored(13).await;
    eventually("four came before", async || world.repeated().await == 4).await;
    collector.stop().await;
    let times = "SELECT groupArray((id, n)) FROM (SELECT toUInt8(substring(id, 3)) AS id, count() AS n \
                 FROM predictions GROUP BY id HAVING n > 1 OR id > 9 ORDER BY id)";
    assert_eq!(text(&world.store, times).await, "[(3,2),(10,1),(11,1)]");
    assert_eq!(world.broker.committed(&world.topic, &world.topic, 0).await, Some(17));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_collector_has_claimed_meanwhile_is_taken_as_it_is() {
    let world = World::new(1).await;
    let life = world.begun_with(10).await;
    let mut config = world.config();
    config.kafka.batch.age_ms = 2_000;
    let collector = world.collector_with(config).await;
    world.broker.produce(&world.topic, 0, &bodies(10..60)).await;
    // While the collector gathers, somebody else is first, with other boundaries.
    let received_at = world.claim(&life, 10, 33).await;
    world.stored(60).await;
    collector.stop().await;
    world.holds_exactly(60).await;
    let of_the_range = format!(
        "SELECT count() FROM predictions WHERE toUnixTimestamp64Milli(received_at) = {}",
        received_at.millis()
    );
    assert_eq!(text(&world.store, &of_the_range).await, "23");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_retention_removed_before_it_was_taken_is_said_and_the_rest_is_stored() {
    let world = World::new(1).await;
    world.begun_with(100).await;
    world.broker.produce(&world.topic, 0, &bodies(100..300)).await;
    world.broker.delete_records(&world.topic, 0, 150).await;
    let collector = world.collector().await;
    world.stored(250).await;
    let place = format!("{}-0-100..150\t", world.topic);
    eventually("the gap is told", async || world.refused("removed from the log").await.starts_with(&place))
        .await;
    collector.stop().await;
    world.holds_exactly(250).await;
    assert_eq!(world.refused("removed from the log").await.lines().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_claimed_range_is_stored_and_what_is_missing_is_said() {
    let world = World::new(1).await;
    let life = world.begun_with(10).await;
    world.broker.produce(&world.topic, 0, &bodies(10..120)).await;
    world.claim(&life, 10, 60).await;
    world.broker.delete_records(&world.topic, 0, 40).await;
    let collector = world.collector().await;
    world.stored(90).await;
    eventually("the loss is told", async || {
        world.refused("removed from the log").await.contains("-0-10..40")
            && world.refused("of 50 messages of a batch only 20").await.contains("-0-10..60")
    })
    .await;
    collector.stop().await;
    world.holds_exactly(90).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_emptied_under_a_running_collector_is_gone_on_with() {
    let world = World::new(1).await;
    let collector = world.collector().await;
    world.broker.produce(&world.topic, 0, &bodies(0..100)).await;
    world.stored(100).await;
    world.broker.delete_records(&world.topic, 0, 100).await;
    world.broker.produce(&world.topic, 0, &bodies(100..150)).await;
    world.stored(150).await;
    collector.stop().await;
    world.holds_exactly(150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_deleted_and_made_again_begins_anew() {
    let world = World::new(1).await;
    world.begun_with(100).await;
    world.broker.delete_topic(&world.topic).await;
    world.broker.make_topic(&world.topic, 1).await;
    world.broker.produce(&world.topic, 0, &bodies(100..180)).await;
    let collector = world.collector().await;
    world.stored(180).await;
    // And once more while the collector runs; the offsets go further this time than they went before.
    world.broker.delete_topic(&world.topic).await;
    world.broker.make_topic(&world.topic, 1).await;
    world.broker.produce(&world.topic, 0, &bodies(180..380)).await;
    world.stored(380).await;
    collector.stop().await;
    world.holds_exactly(380).await;
    let lives = world.store.kafka_ranges(&world.place()).await.expect("claims");
    assert_eq!(lives.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_finished_refused_and_gone_is_measured() {
    let world = World::new(1).await;
    let life = world.begun_with(10).await;
    world.claim(&life, 10, 20).await;
    let poison = ["{\"model\":", "no JSON"].map(str::to_owned);
    world.broker.produce(&world.topic, 0, &[&bodies(10..25)[..], &poison].concat()).await;
    let settings = Settings::of(&world);
    let measures = async |what: &str, n: f64| {
        let begins = format!("leeway_collector_kafka_{what}_total{{topic=\"{}\"", world.topic);
        eventually(&format!("{n} {what}"), async || metric(&settings, &begins).await == Some(n)).await;
    };
    let collector = Process::start(&["collector"], settings.file(), &settings.log());
    world.stored(25).await;
    measures("finished_ranges", 1.0).await;
    measures("rejected_messages", 2.0).await;
    measures("batches", 2.0).await;
    assert!(collector.terminate().await.success());

    world.broker.produce(&world.topic, 0, &bodies(27..47)).await;
    world.broker.delete_records(&world.topic, 0, 37).await;
    let collector = Process::start(&["collector"], settings.file(), &settings.log());
    world.stored(35).await;
    measures("lost_messages", 10.0).await;
    measures("finished_ranges", 0.0).await;
    assert!(collector.terminate().await.success());
}
