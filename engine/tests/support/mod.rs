//! What the engine's tests start from: an engine per test binary, or one of a test's own.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use clickhouse::Client;
use engine::{Engine, EngineConfig};

const PATIENCE: Duration = Duration::from_secs(120);

/// The executable that serves as the engine.
pub fn child() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_engine-child"))
}

/// How tests start an engine: the library from where Leeway would find it, or where the environment says.
pub fn config(data_dir: &Path) -> EngineConfig {
    EngineConfig {
        library: std::env::var_os("LEEWAY_ENGINE__LIBRARY").map(PathBuf::from),
        executable: Some(child()),
        ..EngineConfig::at(data_dir)
    }
}

/// An engine of a test's own.
pub async fn start(data_dir: &Path) -> Engine {
    Engine::start(config(data_dir)).await.expect("the engine starts")
}

/// The engine that the tests of a binary share. It ends with the process, and the next run removes its files.
pub fn shared() -> &'static Engine {
    static SHARED: OnceLock<(Engine, tokio::runtime::Runtime)> = OnceLock::new();
    // A thread and a runtime of its own: each test has its runtime, and the supervision must outlive them all.
    let start = || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let engine = runtime.block_on(start(&shared_folder()));
        (engine, runtime)
    };
    &SHARED.get_or_init(|| std::thread::spawn(start).join().expect("the engine starts")).0
}

fn shared_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let unused =
            |name: &str| File::open(entry.path().join(name)).is_ok_and(|lock| lock.try_lock().is_ok());
        if unused("leeway.lock") && unused("engine.lock") {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    root.join(format!("engine-{}", std::process::id()))
}

/// A client of the engine, as Leeway has it.
pub fn client_of(engine: &Engine) -> Client {
    Client::default()
        .with_url(engine.url())
        .with_user(engine.user())
        .with_password(engine.password())
        .with_database("default")
}

/// A client of the shared engine with a database of its own.
pub async fn client() -> Client {
    let client = client_of(shared());
    let database = format!("test_{:032x}", rand::random::<u128>());
    client.query(&format!("CREATE DATABASE {database}")).execute().await.expect("a database");
    client.with_database(database)
}

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The answer to a statement that gives one number.
pub async fn number(client: &Client, statement: &str) -> u64 {
    client.query(statement).fetch_one().await.expect("a number")
}
