//! What messages hold, and what becomes of those that hold nothing of use.

use std::collections::BTreeMap;

use collector::config::Batch;
use collector::sources::kafka::config::{Kind, Start};
use domain::contract::Contract;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use serde_json::json;
use tests::{eventually, tables_with, text};

use crate::running::{Running, event, events};
use crate::world::{World, bodies, config};

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_events_arrays_and_lines_are_stored_and_counted_once() {
    let world = World::new(3).await;
    let collector = world.collector().await;
    for partition in 0..3 {
        let start = partition as usize * 1_000;
        world.broker.produce(&world.topic, partition, &bodies(start..start + 700)).await;
        let array = serde_json::to_string(&events("m", start + 700..start + 800)).expect("JSON");
        let lines: String = bodies(start + 800..start + 900).join("\n");
        world.broker.produce(&world.topic, partition, &[array, lines]).await;
    }
    world.stored(2_700).await;
    collector.stop().await;
    world.holds_exactly(2_700).await;
    for partition in 0..3 {
        assert_eq!(world.broker.committed(&world.topic, &world.topic, partition).await, Some(702));
    }
    let source = "SELECT DISTINCT source FROM predictions";
    assert_eq!(text(&world.store, source).await, "kafka");
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_is_kept_with_its_place_and_the_rest_goes_on() {
    let world = World::new(1).await;
    let mut messages = bodies(0..10);
    messages[3] = "{\"model\":".to_owned();
    messages[7] = json!([event("m", 7), {"model": "m"}]).to_string();
    world.broker.produce(&world.topic, 0, &messages).await;
    let tombstone = FutureRecord::<str, str>::to(&world.topic).partition(0).key("k");
    world.broker.producer().send(tombstone, std::time::Duration::from_secs(10)).await.expect("taken");
    world.broker.produce(&world.topic, 0, &bodies(10..20)).await;
    let collector = world.collector().await;
    world.stored(19).await;
    let refused = "SELECT position, model, source, reason FROM rejected_events ORDER BY position";
    eventually("three are refused", async || text(&world.store, refused).await.lines().count() == 3).await;
    let refused = text(&world.store, refused).await;
    let place = |offset: &str| format!("{}-0-{offset}", world.topic);
    for (line, (position, reason)) in refused.lines().zip([
        (place("10"), "the message has no body"),
        (place("3"), "is no valid JSON"),
        (place("7[1]"), "is missing"),
    ]) {
        assert!(line.starts_with(&format!("{position}\t")), "{line}");
        assert!(line.contains("\tkafka\t") && line.contains(reason), "{line}");
    }
    collector.stop().await;
    world.holds_exactly(19).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_kept_as_tags_where_asked() {
    let world = World::new(1).await;
    let producer = world.broker.producer();
    let body = json!({"id": "h", "model": "m", "features": {"x": 1}}).to_string();
    let headers = OwnedHeaders::new()
        .insert(Header { key: "region", value: Some("eu-west") })
        .insert(Header { key: "secret", value: Some("not kept") });
    let record = FutureRecord::<(), String>::to(&world.topic).payload(&body).headers(headers);
    producer.send(record, std::time::Duration::from_secs(10)).await.expect("taken");
    let mut config = world.config();
    config.kafka.headers = vec!["region".to_owned()];
    let collector = world.collector_with(config).await;
    world.at_least(1).await;
    assert_eq!(text(&world.store, "SELECT toString(tags) FROM predictions").await, "{'region':'eu-west'}");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_come_from_topics_of_their_own() {
    let world = World::new(1).await;
    let outcomes = format!("{}-outcomes", world.topic);
    world.broker.make_topic(&outcomes, 2).await;
    let collector = world
        .collector_with(config(
            world.broker,
            &[(&world.topic, Kind::Predictions), (&outcomes, Kind::Outcomes)],
        ))
        .await;
    world.broker.produce(&world.topic, 0, &bodies(0..5)).await;
    let truth =
        |n: usize| json!({"id": format!("m-{n}"), "model": "m", "outcome": {"late": n % 2}}).to_string();
    world.broker.produce(&outcomes, 1, &(0..5).map(truth).collect::<Vec<_>>()).await;
    world.broker.produce(&outcomes, 0, &["{}".to_owned()]).await;
    let joined = "SELECT count() FROM predictions INNER JOIN outcomes USING (model, id)";
    eventually("all are there", async || text(&world.store, joined).await == "5").await;
    let refused = "SELECT kind, position FROM rejected_events";
    let expected = format!("outcome\t{outcomes}-0-0");
    eventually("one is refused", async || text(&world.store, refused).await == expected).await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_compression_of_kafkas_own_producer_is_read() {
    let world = World::new(1).await;
    let collector = world.collector().await;
    for (n, codec) in ["gzip", "snappy", "lz4", "zstd"].into_iter().enumerate() {
        let lines = bodies(n * 300..(n + 1) * 300).join("\n");
        world.broker.console_produce(&world.topic, codec, &[], lines).await;
    }
    world.stored(1_200).await;
    collector.stop().await;
    world.holds_exactly(1_200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_may_begin_with_what_comes_from_now_on() {
    let world = World::new(1).await;
    world.broker.produce(&world.topic, 0, &bodies(0..10)).await;
    let mut config = world.config();
    config.kafka.start = Start::Latest;
    let collector = world.collector_with(config.clone()).await;
    eventually("the beginning is committed", async || {
        world.broker.committed(&world.topic, &world.topic, 0).await == Some(10)
    })
    .await;
    // Also after a crash: it began, and what came meanwhile is taken.
    collector.crash();
    world.broker.produce(&world.topic, 0, &bodies(10..30)).await;
    let collector = world.collector_with(config).await;
    world.stored(20).await;
    collector.stop().await;
    world.holds_exactly(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_of_all_partitions_have_no_more_room_than_they_are_given() {
    const ROOM: usize = 1 << 19;
    let world = World::new(2).await;
    for partition in 0..2 {
        let start = partition as usize * 10_000;
        world.broker.produce(&world.topic, partition, &bodies(start..start + 6_000)).await;
    }
    let mut config = world.config();
    // Neither rows nor bytes cut a batch; only that there is no more room, and age where a partition's last batch holds the
    // room that another one waits for.
    config.kafka.batch = Batch { rows: 1_000_000, age_ms: 3_000, ..config.kafka.batch };
    config.kafka.limits.waiting_bytes = ROOM;
    let collector = world.collector_with(config).await;
    world.stored(12_000).await;
    let most = "SELECT max(n) FROM (SELECT count() AS n FROM predictions GROUP BY received_at)";
    let most: usize = text(&world.store, most).await.parse().expect("a number");
    assert!(most * bodies(0..1)[0].len() <= ROOM + 1_000, "{most} messages in a batch");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_a_redacted_value_of_a_message_or_its_headers_reaches_a_table() {
    const MARKER: &str = "xq7wmarker";
    let world = World::new(1).await;
    let contract =
        "[privacy.fields]\nid = \"hash\"\nname = \"mask\"\nnote = \"drop\"\n\"tag.user\" = \"hash\"";
    let contract: Contract = toml::from_str(contract).expect("a contract");
    let contracts = BTreeMap::from([("secret".to_owned(), contract)]);
    let mut config = config(world.broker, &[(&world.topic, Kind::Predictions)]);
    config.kafka.headers = vec!["user".to_owned()];
    config.privacy.key = service::Secret::new("0123456789abcdef0123456789abcdef");
    let secret = |n: usize, name: serde_json::Value| {
        let features = json!({"name": name, "note": format!("{MARKER}-note"), "amount": n});
        json!({"id": format!("{MARKER}-{n}"), "model": "secret", "features": features}).to_string()
    };
    let good: Vec<String> = (0..20).map(|n| secret(n, json!(format!("{MARKER}-{n}")))).collect();
    let poison = [
        secret(98, json!([[MARKER]])),
        format!("{{\"model\": \"secret\", \"features\": {{\"note\": \"{MARKER}"),
        MARKER.to_owned(),
    ];
    world.broker.produce(&world.topic, 0, &good).await;
    world.broker.produce(&world.topic, 0, &poison).await;
    let with_header = secret(99, json!("x"));
    let user = OwnedHeaders::new().insert(Header { key: "user", value: Some(MARKER) });
    let record = FutureRecord::<str, _>::to(&world.topic).partition(0).payload(&with_header).headers(user);
    world.broker.producer().send(record, std::time::Duration::from_secs(10)).await.expect("taken");
    let control = json!({"id": "xq7wcontrol", "model": "open", "features": {"amount": 1}}).to_string();
    world.broker.produce(&world.topic, 0, &[control]).await;
    let collector = Running::start_with(&world.store, config, contracts).await;
    world.at_least(22).await;
    collector.stop().await;
    assert_eq!(text(&world.store, "SELECT count() FROM rejected_events").await, "3");
    assert_eq!(tables_with(&world.store, MARKER).await, [] as [&str; 0]);
    assert_eq!(tables_with(&world.store, "xq7wcontrol").await, ["predictions"]);
    let tagged = "SELECT countIf(tags['user'] != ''), countIf(mapContains(categories, 'feature.note')) FROM predictions";
    assert_eq!(text(&world.store, tagged).await, "1\t0");
}
