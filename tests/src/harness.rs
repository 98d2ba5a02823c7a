//! The shared engine of a test binary, and what is made fresh for each test.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use domain::time::{Clock, ManualClock};
use engine::{Engine, EngineConfig};
use sql::Store;

use crate::folder::Folder;

/// The engine and what keeps it alive until the test process ends; then its standard input ends, and so does it.
struct Shared {
    engine: Engine,
    _runtime: tokio::runtime::Runtime,
    _folder: Folder,
}

/// Leeway's executable as built for these tests, which lies beside the folder of test binaries.
///
/// # Panics
/// Where it was not built: `cargo test -p tests` builds it, running a test binary alone does not.
pub fn executable() -> PathBuf {
    let test = std::env::current_exe().expect("the running test");
    let folder = test.ancestors().nth(2).expect("tests lie in target/<profile>/deps");
    let path = folder.join("leeway-under-test");
    assert!(path.is_file(), "{} is not there; run the tests with cargo", path.display());
    path
}

/// The engine of this test binary, started at the first call.
pub fn engine() -> &'static Engine {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    // A thread of its own: each test has a runtime of its own, and the engine's supervision must outlive them all.
    &SHARED.get_or_init(|| std::thread::spawn(start).join().expect("the engine starts")).engine
}

/// An engine that a test has for itself, to kill or to stop.
pub struct OwnEngine {
    pub engine: Engine,
    folder: Folder,
}

impl OwnEngine {
    pub async fn start() -> Self {
        let folder = Folder::new();
        let engine = Engine::start(config_at(&folder)).await.expect("the engine starts");
        Self { engine, folder }
    }

    /// Where the engine keeps its files.
    pub fn data_dir(&self) -> &Path {
        self.folder.path()
    }

    /// An empty, migrated database on it.
    pub async fn fresh_store(&self) -> Store {
        migrated(&config_on(&self.engine)).await
    }

    /// Kills the engine as a crash does; it comes back by itself at the same address.
    pub fn kill(&self) {
        self.signal("KILL");
    }

    /// Sends the engine a signal, such as `STOP`: it then answers nobody.
    pub fn signal(&self, signal: &str) {
        if let Some(pid) = self.engine.pid() {
            let sent =
                std::process::Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status();
            assert!(sent.expect("kill is installed").success());
        }
    }
}

fn config_at(folder: &Folder) -> EngineConfig {
    EngineConfig {
        library: std::env::var_os("LEEWAY_ENGINE__LIBRARY").map(PathBuf::from),
        executable: Some(executable()),
        // A fresh schema is some thirty tables, and a busy disk takes its time to confirm each.
        settings: [("fsync_metadata".to_owned(), "0".to_owned())].into(),
        ..EngineConfig::at(folder.path())
    }
}

fn start() -> Shared {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime for the engine's supervision");
    let engine = runtime.block_on(Engine::start(config_at(&folder))).expect("the engine starts");
    Shared { engine, _runtime: runtime, _folder: folder }
}

/// A database of its own on the shared engine, not yet made.
pub fn fresh_config() -> sql::Config {
    config_on(engine())
}

fn config_on(engine: &Engine) -> sql::Config {
    sql::Config {
        url: engine.url().to_owned(),
        user: engine.user().to_owned(),
        password: engine.password().to_owned(),
        database: format!("test_{}", uuid::Uuid::new_v4().simple()),
        embedded: true,
        // The days of tests are written down; they must not expire when the machine's clock has moved on.
        retention: sql::config::Retention {
            events_days: 7_000,
            rejected_days: 7_000,
            minutes_days: 7_000,
            hours_days: 7_000,
        },
        ..sql::Config::default()
    }
}

/// An empty, migrated database of its own on the shared engine.
pub async fn fresh_store() -> Store {
    migrated(&fresh_config()).await
}

async fn migrated(config: &sql::Config) -> Store {
    let store = Store::connect(config).expect("a sound configuration");
    sql::migrate::migrate(&store).await.expect("every migration applies");
    store
}

/// A bare client of a store's database, for what the crate `sql` does not offer.
pub fn client(store: &Store) -> clickhouse::Client {
    let config = store.config();
    clickhouse::Client::default()
        .with_url(&config.url)
        .with_user(&config.user)
        .with_password(&config.password)
        .with_database(&config.database)
}

/// What a statement answers, as tab-separated text without its last line break.
///
/// # Panics
/// Where the store refuses it.
pub async fn text(store: &Store, statement: &str) -> String {
    let answer = store.ask(statement, "TabSeparatedRaw").await.expect("the statement is answered");
    String::from_utf8_lossy(&answer).trim_end_matches('\n').to_owned()
}

/// Makes of a fresh store one that an earlier Leeway made long ago: with the schema of before the rules of events were kept.
///
/// # Panics
/// Where the store refuses it.
pub async fn before_rules_were_kept(store: &Store) {
    for statement in [
        "DROP VIEW intake_to_broken_rules SYNC",
        "DROP TABLE broken_rules SYNC",
        "ALTER TABLE intake DROP COLUMN rules",
        "INSERT INTO schema_migrations (version, name, applied_at) SELECT version, name, '2000-01-01 00:00:00' \
         FROM schema_migrations FINAL WHERE version <= 49",
        "ALTER TABLE schema_migrations DELETE WHERE applied_at > '2000-01-02 00:00:00'",
    ] {
        let query = client(store).query(statement).with_setting("mutations_sync", "2");
        query.execute().await.expect("the statement runs");
    }
}

/// The tables of a store that hold a text anywhere.
pub async fn tables_with(store: &Store, marker: &str) -> Vec<String> {
    let names =
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'";
    let mut found = Vec::new();
    for table in text(store, names).await.lines() {
        let asked = format!("SELECT count() FROM {table} WHERE position(toString(tuple(*)), '{marker}') > 0");
        if text(store, &asked).await != "0" {
            found.push(table.to_owned());
        }
    }
    found
}

/// A role's context whose clock stands at `now` until it is moved.
pub fn manual_context(now: &str) -> (service::Context, ManualClock) {
    let clock = ManualClock::starting_at(now.parse().expect("an instant"));
    let context = service::Context::quiet(Clock::Manual(clock.clone()), std::collections::BTreeMap::new());
    (context, clock)
}
