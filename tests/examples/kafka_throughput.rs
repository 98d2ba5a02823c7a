//! Events per second from Kafka to stored and counted, 50 features an event, everything on this machine: the broker, the
//! collector and the embedded engine. The log is filled first, then the collector is started and timed; then ClickHouse's own
//! `JSONEachRow` inserts of the same events into the same table, as two at once.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example kafka_throughput
//! target/release/examples/kafka_throughput [events] [partitions] [events a message]
//! ```

use std::time::{Duration, Instant};

use collector::Config;
use collector::sources::kafka;
use collector::sources::kafka::config::{Kind, Topic};
use domain::time::Clock;
use rdkafka::producer::{FutureProducer, FutureRecord};
use service::Context;
use sql::Store;
use tests::bodies::NUMBER;
use tests::own_inserts::{clear, insert, rate};
use tests::{Broker, Doors, OwnEngine, eventually, free_port, text};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const FEATURES: usize = 50;
const TOPIC: &str = "throughput";
/// Different events; more would only cost the producer time.
const BODIES: usize = 4_000;

fn event(seed: usize) -> String {
    let value = |feature: usize| ((seed * 2_654_435_761 + feature * 40_503) % 1_000_003) as f64 / 997.0;
    let features: Vec<String> = (0..FEATURES).map(|n| format!("\"feature_{n}\":{:.4}", value(n))).collect();
    format!(
        "{{\"id\":\"{NUMBER}-{seed}\",\"model\":\"throughput\",\"features\":{{{},\"country\":\"{}\"}},\
         \"prediction\":{{\"score\":0.5}},\"latency_ms\":12.5}}",
        features.join(","),
        ["BR", "DE", "FR"][seed % 3]
    )
}

fn message(number: usize, events: usize) -> String {
    match events {
        1 => event(number),
        many => {
            let all: Vec<String> = (0..many).map(|n| event((number * many + n) % BODIES)).collect();
            format!("[{}]", all.join(","))
        }
    }
}

/// Fills the log with messages of these numbers, whose ids are their own; gives their bytes.
async fn fill(
    producer: &FutureProducer,
    bodies: &[String],
    messages: std::ops::Range<usize>,
    partitions: i32,
) -> usize {
    const AT_ONCE: usize = 2_000;
    let mut bytes = 0;
    let mut number = messages.start;
    while number < messages.end {
        let until = (number + AT_ONCE).min(messages.end);
        let sent: Vec<_> = (number..until)
            .map(|n| {
                let body = bodies[n % bodies.len()].replace(NUMBER, &format!("{n:08x}"));
                bytes += body.len();
                let partition = i32::try_from(n).expect("few messages") % partitions;
                let record = FutureRecord::<(), String>::to(TOPIC).partition(partition).payload(&body);
                producer.send_result(record).expect("the producer has room")
            })
            .collect();
        for delivery in sent {
            delivery.await.expect("the producer lives").expect("the broker takes it");
        }
        number = until;
    }
    bytes
}

fn collector(
    broker: &Broker,
    store: &Store,
    spool: &std::path::Path,
) -> (CancellationToken, JoinHandle<anyhow::Result<()>>) {
    let grids = collector::config::Grids {
        lead_ms: 2_000,
        refresh_ms: 200,
        settle_ms: 2_000,
        ..Config::default().grids
    };
    let kafka = kafka::Config {
        brokers: broker.address(),
        topics: vec![Topic { name: TOPIC.to_owned(), kind: Kind::Predictions }],
        ..kafka::Config::default()
    };
    let listen = format!("127.0.0.1:{}", free_port());
    let config = Config { listen, spool_dir: spool.to_owned(), grids, kafka, ..Config::default() };
    let context = Context::quiet(Clock::System, Default::default());
    let stopper = context.stopper.clone();
    (stopper, tokio::spawn(collector::run(config, context, store.clone(), axum::Router::new())))
}

async fn stored(store: &Store) -> usize {
    text(store, "SELECT count() FROM predictions").await.parse().expect("a number")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let events: usize = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let partitions: i32 = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let a_message: usize = arguments.next().map_or(Ok(1), |text| text.parse())?;
    service::http::install_tls();
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let broker = Broker::start(Doors::Plain).await;
    broker.make_topic(TOPIC, partitions).await;
    let spool = tempfile::tempdir()?;
    let producer = broker.producer();
    let bodies: Vec<String> = (0..BODIES.div_ceil(a_message)).map(|n| message(n, a_message)).collect();

    let first = 20_000_usize.div_ceil(a_message);
    fill(&producer, &bodies, 0..first, partitions).await;
    let (stopper, running) = collector(&broker, &store, spool.path());
    eventually("every signal has its grid", async || {
        let counted = "SELECT count() FROM grids FINAL WHERE recounted_at IS NOT NULL";
        text(&store, counted).await == (FEATURES + 3).to_string()
    })
    .await;
    stopper.cancel();
    running.await??;

    let messages = events.div_ceil(a_message);
    let bytes = fill(&producer, &bodies, first..first + messages, partitions).await;
    let before = stored(&store).await;
    let began = Instant::now();
    let (stopper, running) = collector(&broker, &store, spool.path());
    let mut first_at = None;
    loop {
        let now = stored(&store).await - before;
        if now > 0 {
            first_at.get_or_insert_with(|| began.elapsed());
        }
        if now >= messages * a_message {
            break;
        }
        anyhow::ensure!(began.elapsed() < Duration::from_secs(600), "only {now} events were stored");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let took = began.elapsed();
    stopper.cancel();
    running.await??;
    let all = stored(&store).await;
    let sums = "SELECT uniqExact(n), any(n) FROM (SELECT signal, sum(n) AS n FROM signal_minutes WHERE segment = '' \
                GROUP BY signal)";
    let events = messages * a_message;
    println!("events: {events} in {messages} messages, {partitions} partitions, {:.1} s", took.as_secs_f64());
    println!("first batch stored after {:.1} s", first_at.unwrap_or_default().as_secs_f64());
    println!("events per second, stored and counted: {:.0}", events as f64 / took.as_secs_f64());
    println!("JSON: {:.0} MB/s", bytes as f64 / took.as_secs_f64() / 1e6);
    println!("batches: {}", text(&store, "SELECT uniqExact(received_at) FROM predictions").await);
    println!(
        "different sums of counts over signals, and the sum (all events are {all}): {}",
        text(&store, sums).await
    );
    let own = own_inserts_a_second(&store).await?;
    println!(
        "JSONEachRow inserts of the same events: {own:.0} a second; ratio {:.2}",
        events as f64 / took.as_secs_f64() / own
    );
    Ok(())
}

/// Of events that are stored, in blocks of 50,000.
async fn own_inserts_a_second(store: &Store) -> anyhow::Result<f64> {
    const AN_INSERT: usize = 50_000;
    let filled = "SELECT arrayStringConcat(groupArray(name), ', ') FROM system.columns WHERE database = currentDatabase() \
                  AND table = 'predictions' AND default_kind = ''";
    let columns = &text(store, filled).await;
    let some = format!("SELECT {columns} FROM predictions LIMIT {AN_INSERT}");
    let events = store.ask(&some, "JSONEachRow").await?;
    clear(store).await;
    let work = |_| async {
        insert(store, columns, "JSONEachRow", events.clone()).await.expect("stored");
        AN_INSERT
    };
    Ok(rate(10, 2, work).await)
}
