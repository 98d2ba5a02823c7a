//! The engine's life: one on each data directory, restarted when it dies, gone when its parent is.

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::{Engine, EngineConfig, EngineError, Health};
use support::{child, client_of, config, eventually, number, start};

fn kill(signal: &str, pid: u32) {
    let status = Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill is installed");
    assert!(status.success());
}

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/stat")).exists()
        && std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn mode(path: PathBuf) -> u32 {
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[tokio::test]
async fn what_was_written_is_there_after_a_stop_and_a_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let engine = start(&data_dir).await;
    let pid = engine.pid().expect("it runs");
    let client = client_of(&engine);
    client.query("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").execute().await.expect("created");
    client.query("INSERT INTO t SELECT number FROM numbers(1000)").execute().await.expect("inserted");
    assert_eq!((mode(data_dir.clone()), mode(data_dir.join("engine.json"))), (0o700, 0o600));
    let health = engine.health();
    engine.stop().await.expect("a clean stop");
    assert_eq!(*health.borrow(), Health::Stopped);
    assert!(!is_alive(pid) && engine::running(&data_dir).is_none());
    assert!(client.query("SELECT 1").execute().await.is_err());

    let again = start(&data_dir).await;
    assert_ne!(again.password(), "");
    assert_eq!(number(&client_of(&again), "SELECT count() FROM t").await, 1000);
    again.stop().await.expect("a clean stop");
}

/// A kill between the token and the rows leaves what this test makes by hand.
#[tokio::test]
async fn an_insert_whose_rows_were_not_kept_can_be_repeated_under_its_token() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start(folder.path()).await;
    let create = "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a \
                  SETTINGS non_replicated_deduplication_window = 100";
    client_of(&engine).query(create).execute().await.expect("created");
    let insert = async |engine: &Engine, token: &str| {
        let statement = client_of(engine).query("INSERT INTO t SELECT number FROM numbers(10)");
        statement.with_setting("insert_deduplication_token", token).execute().await.expect("inserted");
    };
    insert(&engine, "kept").await;
    insert(&engine, "lost").await;
    engine.stop().await.expect("a clean stop");
    let parts = glob(&folder.path().join("clickhouse/store"), "all_2_2_0");
    assert_eq!(parts.len(), 1, "{parts:?}");
    std::fs::remove_dir_all(&parts[0]).expect("it is gone");

    let again = start(folder.path()).await;
    for token in ["kept", "lost", "kept", "lost"] {
        insert(&again, token).await;
    }
    assert_eq!(number(&client_of(&again), "SELECT count() FROM t").await, 20);
    again.stop().await.expect("a clean stop");
}

/// The folders of this name in tables' folders.
fn glob(store: &Path, name: &str) -> Vec<PathBuf> {
    let below =
        |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    below(store.to_owned())
        .flat_map(below)
        .map(|table| table.join(name))
        .filter(|part| part.is_dir())
        .collect()
}

#[tokio::test]
async fn time_is_utc_wherever_the_machine_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start(folder.path()).await;
    let zone = "SELECT toUInt64(timezone() = 'UTC' AND toString(toDateTime(0)) = '1970-01-01 00:00:00')";
    assert_eq!(number(&client_of(&engine), zone).await, 1);
    engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn another_process_finds_a_running_engine_and_uses_it() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(engine::running(folder.path()).is_none());
    let engine = start(folder.path()).await;
    let found = engine::running(folder.path()).expect("it runs");
    assert_eq!((found.url.as_str(), found.user.as_str()), (engine.url(), engine.user()));
    let client =
        clickhouse::Client::default().with_url(found.url).with_user(found.user).with_password(found.password);
    assert_eq!(number(&client, "SELECT toUInt64(7)").await, 7);
    engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_second_start_says_who_was_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = start(folder.path()).await;
    let refused = Engine::start(config(folder.path())).await.expect_err("one is enough");
    assert!(matches!(refused, EngineError::InUse { .. }));
    let message = refused.to_string();
    assert!(message.contains(&format!("process {} since 20", std::process::id())), "{message}");
    assert!(message.contains(&*folder.path().to_string_lossy()), "{message}");
    // The first did not notice.
    assert_eq!(number(&client_of(&first), "SELECT toUInt64(1)").await, 1);
    first.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_killed_engine_comes_back_at_the_same_address_with_all_it_had_answered_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start(folder.path()).await;
    let client = client_of(&engine);
    client.query("CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").execute().await.expect("created");
    let mut answered = Vec::new();
    for round in 0..3_u64 {
        let pid = engine.pid().expect("it runs");
        let killer = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300 + 137 * round)).await;
            kill("-KILL", pid);
        });
        // Single rows as fast as they go, until the engine is gone.
        for row in round * 1_000_000.. {
            match client.query("INSERT INTO t SELECT {row:UInt64}").param("row", row).execute().await {
                Ok(()) => answered.push(row),
                Err(_) => break,
            }
        }
        killer.await.expect("killed");
        eventually("it is back", async || client.query("SELECT 1").execute().await.is_ok()).await;
        eventually("it is known to be back", async || engine.pid().is_some_and(|now| now != pid)).await;
    }
    assert!(answered.len() > 30, "only {} rows", answered.len());
    let kept: Vec<u64> = client.query("SELECT a FROM t").fetch_all().await.expect("rows");
    let lost: Vec<_> = answered.iter().filter(|row| !kept.contains(row)).collect();
    assert!(lost.is_empty(), "{} of {} are lost: {lost:?}", lost.len(), answered.len());
    let found = engine::running(folder.path()).expect("it is announced again");
    assert_eq!((found.url.as_str(), Some(found.pid)), (engine.url(), engine.pid()));
    engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn the_engine_goes_when_its_parent_is_killed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut parent = Command::new(child());
    parent.arg("hold").arg(folder.path()).stdout(Stdio::piped());
    // The parent starts itself as the engine.
    let mut parent = parent.spawn().expect("a parent");
    eventually("the engine runs", async || engine::running(folder.path()).is_some()).await;
    let engine = engine::running(folder.path()).expect("it runs").pid;
    assert!(is_alive(engine));
    parent.kill().expect("killed");
    parent.wait().expect("gone");
    eventually("the engine is gone", async || !is_alive(engine)).await;
    assert!(engine::running(folder.path()).is_none());
    start(folder.path()).await.stop().await.expect("the next one has the directory");
}

#[tokio::test]
async fn a_stop_lets_short_statements_end_and_kills_long_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine =
        Engine::start(EngineConfig { stop_timeout_s: 2, ..config(folder.path()) }).await.expect("it starts");
    let client = client_of(&engine);
    let short = client.query("SELECT toUInt64(sleep(1))");
    let short = tokio::spawn(async move { short.fetch_one::<u64>().await });
    let long = client.query("SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1");
    let long = tokio::spawn(async move { long.fetch_one::<u64>().await });
    eventually("both run", async || {
        number(
            &client,
            "SELECT count() FROM system.processes WHERE query LIKE '%s%' AND query NOT LIKE '%processes%'",
        )
        .await
            == 2
    })
    .await;
    let begun = std::time::Instant::now();
    engine.stop().await.expect("a clean stop");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(short.await.expect("no panic").expect("answered"), 0);
    assert!(long.await.expect("no panic").is_err());
}

#[tokio::test]
async fn the_memory_limit_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let limit = 600 * 1024 * 1024;
    let engine = Engine::start(EngineConfig { memory_limit_bytes: limit, ..config(folder.path()) })
        .await
        .expect("it starts");
    let client = client_of(&engine);
    let greedy = "SELECT length(groupArray(toString(number))) FROM numbers(100000000)";
    let error = client.query(greedy).fetch_one::<u64>().await.expect_err("too much").to_string();
    assert!(error.contains("MEMORY_LIMIT_EXCEEDED"), "{error}");
    assert_eq!(number(&client, "SELECT toUInt64(1)").await, 1);
    engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn settings_hold_for_every_statement_and_wrong_ones_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let with = |name: &str, value: &str| {
        let settings = [(name.to_owned(), value.to_owned())].into();
        Engine::start(EngineConfig { settings, ..config(folder.path()) })
    };
    let unknown = with("max_thread", "1").await.expect_err("no such setting").to_string();
    assert!(unknown.contains("\"max_thread\", which is no setting"), "{unknown}");
    let wrong = with("max_threads", "many").await.expect_err("no number").to_string();
    assert!(wrong.contains("`engine.settings`"), "{wrong}");
    let engine = with("max_threads", "1").await.expect("it starts");
    assert_eq!(number(&client_of(&engine), "SELECT toUInt64(getSetting('max_threads'))").await, 1);
    engine.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = Engine::start(EngineConfig { port, ..config(folder.path()) }).await.expect_err("it is taken");
    assert!(error.to_string().contains(&format!("port {port} on 127.0.0.1 is not free")), "{error}");
    // Nothing is left that would keep the next from starting.
    start(folder.path()).await.stop().await.expect("a clean stop");
}

#[tokio::test]
async fn a_library_that_is_none_is_named_with_the_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let library = folder.path().join("libchdb.so");
    let missing = EngineConfig { library: Some(library.clone()), ..config(folder.path()) };
    let error = Engine::start(missing.clone()).await.expect_err("there is none").to_string();
    assert!(error.contains("libchdb.so") && error.contains("does not exist"), "{error}");
    std::fs::write(&library, "no library").expect("written");
    let error = Engine::start(missing).await.expect_err("it is none").to_string();
    assert!(error.contains("did not start") && error.contains("cannot load the library"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_no_engine_is_named_with_what_it_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = folder.path().join("no-engine");
    std::fs::write(&script, "#!/bin/sh\necho 'I am none' >&2\nexit 3\n").expect("written");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let other = EngineConfig { executable: Some(script), ..config(&folder.path().join("data")) };
    let error = Engine::start(other).await.expect_err("it is none").to_string();
    assert!(error.contains("exit status: 3") && error.contains("I am none"), "{error}");
}

#[tokio::test]
async fn signals_meant_for_the_parent_do_not_stop_the_engine() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start(folder.path()).await;
    let pid = engine.pid().expect("it runs");
    for signal in ["-TERM", "-INT"] {
        kill(signal, pid);
        assert_eq!(number(&client_of(&engine), "SELECT toUInt64(1)").await, 1);
    }
    assert_eq!(engine.pid(), Some(pid));
    engine.stop().await.expect("a clean stop");
    assert!(!is_alive(pid));
}

#[tokio::test]
async fn what_failed_is_in_the_log_and_what_did_not_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let engine = start(folder.path()).await;
    let client = client_of(&engine);
    client.query("CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a").execute().await.expect("created");
    let mut insert = client.insert_formatted_with("INSERT INTO t FORMAT CSV");
    insert.send("1\n2\n".into()).await.expect("sent");
    insert.end().await.expect("inserted");
    client.query("SELECT no_such_column FROM t").fetch_one::<u8>().await.expect_err("no such column");
    let password = engine.password().to_owned();
    engine.stop().await.expect("a clean stop");
    let logs = ["engine.log", "clickhouse.log"]
        .map(|name| std::fs::read_to_string(folder.path().join(name)).expect("a log"));
    assert!(logs[0].contains("the engine booted") && logs[0].contains("the engine stopped"), "{}", logs[0]);
    assert!(logs[1].contains("no_such_column"), "{}", logs[1]);
    assert!(!logs.iter().any(|log| log.contains("Fatal") || log.contains(&password)));
}
