//! Rows per second from NDJSON over HTTP to stored and counted, 50 features an event, everything on this machine: the
//! senders, the collector and the embedded engine.
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example http_throughput
//! target/release/examples/http_throughput [seconds] [watched dimensions: 0 or 1] [senders]
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use collector::Config;
use domain::contract::Contract;
use domain::time::Clock;
use service::Context;
use tests::bodies::{Bodies, NUMBER};
use tests::{OwnEngine, eventually, free_port, text};

const FEATURES: usize = 50;
const EVENTS_A_BODY: usize = 2_000;
const BODIES: usize = 8;

fn body(seed: usize) -> Bodies {
    let mut lines = String::new();
    for event in 0..EVENTS_A_BODY {
        let value = |feature: usize| {
            let mixed = ((seed * EVENTS_A_BODY + event) * 2_654_435_761 + feature * 40_503) % 1_000_003;
            mixed as f64 / 997.0
        };
        let features: Vec<String> =
            (0..FEATURES).map(|n| format!("\"feature_{n}\":{:.4}", value(n))).collect();
        lines.push_str(&format!(
            "{{\"id\":\"{NUMBER}-{seed}-{event}\",\"model\":\"throughput\",\"features\":{{{},\"country\":\"{}\"}},\
             \"prediction\":{{\"score\":0.5}},\"latency_ms\":12.5}}\n",
            features.join(","),
            ["BR", "DE", "FR"][event % 3]
        ));
    }
    Bodies::of(&lines)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(20), |text| text.parse())?;
    let is_watched = arguments.next().is_some_and(|text| text == "1");
    let senders: usize = arguments.next().map_or(Ok(16), |text| text.parse())?;
    service::http::install_tls();
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let spool = tempfile::tempdir()?;
    let listen = format!("127.0.0.1:{}", free_port());
    let grids = collector::config::Grids {
        lead_ms: 2_000,
        refresh_ms: 200,
        settle_ms: 2_000,
        ..Config::default().grids
    };
    let config =
        Config { listen: listen.clone(), spool_dir: spool.path().to_owned(), grids, ..Config::default() };
    let segments = if is_watched { vec!["country".to_owned()] } else { Vec::new() };
    let contracts = BTreeMap::from([("throughput".to_owned(), Contract { segments, ..Contract::default() })]);
    let context = Context::quiet(Clock::System, contracts);
    let stopper = context.stopper.clone();
    let collector = tokio::spawn(collector::run(config, context, store.clone(), axum::Router::new()));

    let url = format!("http://{listen}/v1/predictions");
    let bodies: Arc<Vec<Bodies>> = Arc::new((0..BODIES).map(body).collect());
    let client = reqwest::Client::new();
    let post = |n: usize| {
        client
            .post(&url)
            .header("content-type", "application/x-ndjson")
            .body(bodies[n % BODIES].fresh())
            .send()
    };
    eventually("the collector listens", async || post(0).await.is_ok()).await;
    for n in 0..4 {
        post(n).await?.error_for_status()?;
    }
    eventually("every signal has its grid", async || {
        let counted = "SELECT count() FROM grids FINAL WHERE recounted_at IS NOT NULL";
        text(&store, counted).await == (FEATURES + 3).to_string()
    })
    .await;

    let before: u64 = text(&store, "SELECT count() FROM predictions").await.parse()?;
    let (taken, told_to_wait) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let senders = (0..senders).map(|sender| {
        let (client, url, bodies) = (client.clone(), url.clone(), bodies.clone());
        let (taken, told_to_wait) = (taken.clone(), told_to_wait.clone());
        tokio::spawn(async move {
            let mut n = sender;
            while began.elapsed() < Duration::from_secs(seconds) {
                let request = client.post(&url).header("content-type", "application/x-ndjson");
                let answer = request.body(bodies[n % BODIES].fresh()).send().await.expect("an answer");
                if answer.status().is_success() {
                    taken.fetch_add(EVENTS_A_BODY as u64, Ordering::Relaxed);
                } else {
                    told_to_wait.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                n += 1;
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await?;
    }
    let took = began.elapsed();
    let taken = taken.load(Ordering::Relaxed);
    let stored: u64 = text(&store, "SELECT count() FROM predictions").await.parse::<u64>()? - before;
    let counted = text(
        &store,
        "SELECT uniqExact(n), any(n) FROM (SELECT signal, sum(n) AS n FROM signal_minutes WHERE segment = '' GROUP BY signal)",
    )
    .await;
    println!("events answered with 200: {taken} in {:.1} s", took.as_secs_f64());
    println!("events per second, stored and counted: {:.0}", taken as f64 / took.as_secs_f64());
    println!(
        "JSON: {:.0} MB/s",
        taken as f64 / EVENTS_A_BODY as f64 * bodies[0].fresh().len() as f64 / took.as_secs_f64() / 1e6
    );
    println!("stored meanwhile: {stored}; told to wait: {}", told_to_wait.load(Ordering::Relaxed));
    println!(
        "different sums of counts over signals, and the sum (all events are {}): {counted}",
        stored + before
    );
    stopper.cancel();
    collector.await?
}
