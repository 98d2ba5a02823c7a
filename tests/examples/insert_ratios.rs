//! How fast events come from NDJSON over HTTP into the store, as a ratio to ClickHouse's own inserts into the same table:
//! `JSONEachRow` of the same events, and `ArrowStream` of batches that lie ready. All on this machine, in turns. The threads of
//! the collector and of its senders carry their names, so that a profile can tell them apart (`docs/benchmarks/profile.py`).
//!
//! ```text
//! cargo build --release -p tests --bin leeway-under-test --example insert_ratios --no-default-features --features collector
//! target/release/examples/insert_ratios [seconds a turn] [rounds] [features …]
//! ```

use std::time::Duration;

use bytes::Bytes;
use collector::Config;
use collector::decode::{self, Framing, Names, Rules};
use collector::event::Name;
use collector::known::Known;
use collector::predictions::Predictions;
use domain::time::Clock;
use service::Context;
use sql::Store;
use tests::bodies::{Bodies, NUMBER};
use tests::own_inserts::{clear, insert, rate};
use tests::{OwnEngine, eventually, free_port, text};

/// Events in a request, and in an insert of ClickHouse's own.
const A_BODY: usize = 2_000;
const AN_INSERT: usize = 50_000;
const SENDERS: usize = 48;
/// Inserts at once, as the collector has them.
const AT_ONCE: usize = 2;

fn ndjson(features: usize, events: usize) -> String {
    let mut lines = String::new();
    for event in 0..events {
        let value = |n: usize| ((event * 2_654_435_761 + n * 40_503) % 1_000_003) as f64 / 997.0;
        let values: Vec<String> = (0..features).map(|n| format!("\"feature_{n}\":{:.4}", value(n))).collect();
        lines.push_str(&format!(
            "{{\"id\":\"{NUMBER}-{event}\",\"model\":\"ratios\",\"features\":{{{},\"country\":\"{}\"}},\
             \"prediction\":{{\"score\":0.5}},\"latency_ms\":12.5}}\n",
            values.join(","),
            ["BR", "DE", "FR"][event % 3]
        ));
    }
    lines
}

/// The events of a body as ClickHouse's own formats have them, with the columns that they fill.
struct Ready {
    json: Bytes,
    arrow: Bytes,
    columns: String,
}

async fn ready(store: &Store, lines: &str) -> anyhow::Result<Ready> {
    let now = Clock::System.now();
    let rules = Rules {
        received_at: now,
        source: Name::from("http"),
        oldest: domain::time::Instant::EPOCH,
        newest: now,
        models: Vec::new(),
        guards: Default::default(),
    };
    let mut events = Predictions::default();
    decode::predictions_into(lines.as_bytes(), Framing::Lines, &mut Names::default(), &rules, &mut events)?;
    let batch = collector::batch::predictions(events, &Known::default())?.batch;
    let filled: Vec<usize> = [0, 1, 2, 3, 4, 5, 6, 7, 13].into();
    let batch = batch.project(&filled)?;
    let schema = batch.schema();
    let columns: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = columns.join(", ");
    let arrow = sql::store::arrow_stream(&batch)?;
    insert(store, &columns, "ArrowStream", arrow.clone()).await?;
    let json = store.ask(&format!("SELECT {columns} FROM predictions"), "JSONEachRow").await?;
    Ok(Ready { json, arrow, columns })
}

/// A collector on the store, and where it listens.
struct Running {
    url: String,
    context: Context,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    runtime: tokio::runtime::Runtime,
    _spool: tempfile::TempDir,
}

impl Running {
    /// One that makes grids after so many values.
    async fn start(store: &Store, values: u64) -> anyhow::Result<Self> {
        let spool = tempfile::tempdir()?;
        let listen = format!("127.0.0.1:{}", free_port());
        let defaults = Config::default().grids;
        let grids = collector::config::Grids {
            values,
            lead_ms: 2_000,
            refresh_ms: 200,
            settle_ms: 2_000,
            ..defaults
        };
        let config =
            Config { listen: listen.clone(), spool_dir: spool.path().to_owned(), grids, ..Config::default() };
        let context = Context::quiet(Clock::System, [].into());
        let runtime = threads("collector")?;
        // Connections of its own: those of another runtime are at work in its threads.
        let store = Store::connect(store.config())?;
        let run = collector::run(config, context.clone(), store, axum::Router::new());
        let url = format!("http://{listen}/v1/predictions");
        Ok(Self { url, context, task: runtime.spawn(run), runtime, _spool: spool })
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.context.stopper.cancel();
        let outcome = self.task.await?;
        self.runtime.shutdown_background();
        outcome
    }
}

async fn send(client: &reqwest::Client, url: &str, body: Bytes) -> Option<usize> {
    let request = client.post(url).header("content-type", "application/x-ndjson").body(body);
    let answer = request.send().await.ok()?;
    if answer.status().is_success() {
        return Some(A_BODY);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    Some(0)
}

/// Rates of one size of event, each the best of its turns.
#[derive(Default)]
struct Rates {
    json_each_row: f64,
    arrow_stream: f64,
    http: f64,
    http_counted: f64,
}

async fn measure(features: usize, seconds: u64, rounds: usize) -> anyhow::Result<Rates> {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let bodies = Bodies::of(&ndjson(features, A_BODY));
    let Ready { json, arrow, columns } = ready(&store, &ndjson(features, AN_INSERT)).await?;
    let http = reqwest::Client::new();
    let mut best = Rates::default();
    for _ in 0..rounds {
        let of = async |format: &'static str, data: &Bytes| {
            let (store, columns) = (&store, &columns);
            rate(seconds, AT_ONCE, move |_| async move {
                insert(store, columns, format, data.clone()).await.expect("stored");
                AN_INSERT
            })
            .await
        };
        best.json_each_row = best.json_each_row.max(of("JSONEachRow", &json).await);
        clear(&store).await;
        best.arrow_stream = best.arrow_stream.max(of("ArrowStream", &arrow).await);
        clear(&store).await;
        for counted in [false, true] {
            let collector = Running::start(&store, if counted { 5_000 } else { u64::MAX }).await?;
            let url = collector.url.as_str();
            eventually("it listens", async || send(&http, url, bodies.fresh()).await.is_some()).await;
            if counted {
                for _ in 0..4 {
                    send(&http, url, bodies.fresh()).await;
                }
                eventually("every signal has its grid", async || {
                    let grids = "SELECT count() FROM grids FINAL WHERE recounted_at IS NOT NULL";
                    text(&store, grids).await == (features + 3).to_string()
                })
                .await;
            }
            let (http, bodies) = (&http, &bodies);
            let work = |_| async move { send(http, url, bodies.fresh()).await.expect("an answer") };
            let rate = rate(seconds, SENDERS, work).await;
            let of = if counted { &mut best.http_counted } else { &mut best.http };
            *of = of.max(rate);
            collector.stop().await?;
            clear(&store).await;
        }
    }
    Ok(best)
}

/// A runtime as large as the machine, by the name of those who work in it.
fn threads(name: &str) -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_name(name).enable_all().build()
}

fn main() -> anyhow::Result<()> {
    threads("senders")?.block_on(compare())
}

async fn compare() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let seconds: u64 = arguments.next().map_or(Ok(4), |text| text.parse())?;
    let rounds: usize = arguments.next().map_or(Ok(2), |text| text.parse())?;
    let mut sizes: Vec<usize> = arguments.map(|text| text.parse()).collect::<Result<_, _>>()?;
    if sizes.is_empty() {
        sizes = vec![10, 50, 200];
    }
    service::http::install_tls();
    println!(
        "| features | JSONEachRow | ArrowStream | HTTP | HTTP, counted | HTTP ÷ JSONEachRow | HTTP ÷ ArrowStream | counted ÷ JSONEachRow | counted ÷ ArrowStream |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for features in sizes {
        let Rates { json_each_row, arrow_stream, http, http_counted } =
            measure(features, seconds, rounds).await?;
        println!(
            "| {features} | {json_each_row:.0} | {arrow_stream:.0} | {http:.0} | {http_counted:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
            http / json_each_row,
            http / arrow_stream,
            http_counted / json_each_row,
            http_counted / arrow_stream
        );
    }
    Ok(())
}
