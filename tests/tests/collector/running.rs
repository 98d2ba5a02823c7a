//! A collector that runs for a test, and what the tests send it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use collector::Config;
use collector::config::Grids;
use domain::contract::Contract;
use domain::time::Clock;
use serde_json::{Value, json};
use service::Context;
use sql::Store;
use sql::intake::Door;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub struct Running {
    pub url: String,
    client: reqwest::Client,
    stopper: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
    /// Its own, so that a crash takes everything that the collector does with it.
    runtime: Runtime,
    spool: Arc<TempDir>,
}

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub retry_after: Option<String>,
    pub request_id: Option<String>,
}

impl Running {
    pub async fn start(store: &Store) -> Self {
        Self::start_with(store, Config::default(), BTreeMap::new()).await
    }

    pub async fn start_with(store: &Store, config: Config, contracts: BTreeMap<String, Contract>) -> Self {
        let spool = Arc::new(tempfile::tempdir().expect("a folder for the spool"));
        Self::start_on(store, config, contracts, spool).await
    }

    /// A collector on a spool that another one may have left behind.
    pub async fn start_on(
        store: &Store,
        config: Config,
        contracts: BTreeMap<String, Contract>,
        spool: Arc<TempDir>,
    ) -> Self {
        service::http::install_tls();
        let listen = format!("127.0.0.1:{}", tests::free_port());
        let config = Config { listen: listen.clone(), spool_dir: spool.path().to_owned(), ..config };
        let context = Context::quiet(Clock::System, contracts);
        let stopper = context.stopper.clone();
        let operations = axum::Router::new().route("/healthz", axum::routing::get(|| async { "ok" }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime for the collector");
        // A store of its own: connections belong to the runtime that opened them.
        let store = Store::connect(store.config()).expect("a sound configuration");
        let task = runtime.spawn(collector::run(config, context, store, operations));
        let client = reqwest::Client::new();
        let running = Self { url: format!("http://{listen}"), client, stopper, task, runtime, spool };
        tests::eventually("the collector listens", async || running.is_up().await).await;
        running
    }

    async fn is_up(&self) -> bool {
        assert!(!self.task.is_finished(), "the collector ended at once");
        self.client.get(format!("{}/healthz", self.url)).send().await.is_ok()
    }

    pub fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    pub async fn predictions(&self, events: &[Value]) -> Answer {
        send(self.post("/v1/predictions").json(&events)).await
    }

    pub async fn outcomes(&self, events: &[Value]) -> Answer {
        send(self.post("/v1/outcomes").json(&events)).await
    }

    pub fn spool(&self) -> &Path {
        self.spool.path()
    }

    /// Asks the collector to stop and waits until it has.
    pub async fn stop(self) {
        self.stopper.cancel();
        self.task.await.expect("no panic").expect("an orderly end");
        self.runtime.shutdown_background();
    }

    /// Ends the collector without giving it a chance, as a crash does; gives what it leaves behind.
    pub fn crash(self) -> Arc<TempDir> {
        let runtime = self.runtime;
        // Gone for good when this returns, as a dead process is: the next one takes the lock of its spool.
        let gone = std::thread::spawn(move || runtime.shutdown_timeout(tests::PATIENCE)).join();
        gone.expect("a runtime can be shut down");
        self.spool
    }

    /// Asks the collector to stop; it goes on with what it has begun.
    pub fn ask_to_stop(&self) {
        self.stopper.cancel();
    }
}

pub async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.expect("an answer");
    let header =
        |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, retry_after, request_id) =
        (answer.status().as_u16(), header("retry-after"), header("x-request-id"));
    let body = answer.json().await.unwrap_or(Value::Null);
    Answer { status, body, retry_after, request_id }
}

/// Grids as in production, only sooner.
pub fn soon() -> Grids {
    Grids {
        values: 500,
        first_hour_s: 2,
        lead_ms: 1_500,
        refresh_ms: 100,
        settle_ms: 1_500,
        ..Default::default()
    }
}

/// An event of a model with a number, a category, now and then neither.
pub fn event(model: &str, n: usize) -> Value {
    let (country, region) = (["BR", "DE", "FR", "JP"][n % 4], ["eu", "us"][n % 2]);
    let amount = if n.is_multiple_of(7) { Value::Null } else { json!((n * 37 % 1_000) as f64 / 10.0) };
    json!({
        "id": format!("{model}-{n}"),
        "model": model,
        "version": "v1",
        "features": {"amount": amount, "country": country, "day": {"hour": n % 24}},
        "prediction": (n % 100) as f64 / 100.0,
        "latency_ms": 5.0 + (n % 50) as f64,
        "tags": {"region": region},
    })
}

pub fn events(model: &str, range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| event(model, n)).collect()
}

/// The spool of a collector that died before it could store a batch.
pub fn spool_of(door: Door, batch: &RecordBatch) -> Arc<TempDir> {
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = sql::store::arrow_stream(batch).expect("bytes");
    std::fs::write(folder.path().join(format!("0001.{}.arrow", door.name())), bytes).expect("written");
    Arc::new(folder)
}

/// How many files of batches lie in a spool.
pub fn spooled(folder: &Path) -> usize {
    let files = std::fs::read_dir(folder).expect("a spool");
    files.flatten().filter(|file| file.path().extension().is_some_and(|ending| ending == "arrow")).count()
}
