//! The shared engine of a test binary, and what is made fresh for each test.

use std::path::PathBuf;
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

fn start() -> Shared {
    let folder = Folder::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime for the engine's supervision");
    let config = EngineConfig {
        library: std::env::var_os("LEEWAY_ENGINE__LIBRARY").map(PathBuf::from),
        executable: Some(executable()),
        ..EngineConfig::at(folder.path())
    };
    let engine = runtime.block_on(Engine::start(config)).expect("the engine starts");
    Shared { engine, _runtime: runtime, _folder: folder }
}

/// A database of its own on the shared engine, not yet made.
pub fn fresh_config() -> sql::Config {
    let engine = engine();
    sql::Config {
        url: engine.url().to_owned(),
        user: engine.user().to_owned(),
        password: engine.password().to_owned(),
        database: format!("test_{}", uuid::Uuid::new_v4().simple()),
        embedded: true,
        ..sql::Config::default()
    }
}

/// An empty, migrated database of its own on the shared engine.
pub async fn fresh_store() -> Store {
    let store = Store::connect(&fresh_config()).expect("a sound configuration");
    sql::migrate::migrate(&store).await.expect("every migration applies");
    store
}

/// What a statement answers, as tab-separated text without its last line break.
///
/// # Panics
/// Where the store refuses it.
pub async fn text(store: &Store, statement: &str) -> String {
    let answer = store.ask(statement, "TabSeparatedRaw").await.expect("the statement is answered");
    String::from_utf8_lossy(&answer).trim_end_matches('\n').to_owned()
}

/// A role's context whose clock stands at `now` until it is moved.
pub fn manual_context(now: &str) -> (service::Context, ManualClock) {
    let clock = ManualClock::starting_at(now.parse().expect("an instant"));
    let context = service::Context::quiet(Clock::Manual(clock.clone()), std::collections::BTreeMap::new());
    (context, clock)
}
