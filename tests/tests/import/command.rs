//! The command itself, as a process that is killed.

use std::fmt::Write as _;
use std::path::Path;

use domain::contract::Contract;
use domain::time::Clock;
use sql::Store;
use sql::contracts::StoredContract;
use tests::{Folder, Process, tables_with};

use super::system::sums;

/// A batch of the command is 25,000 rows; the process is killed while the second or third is stored.
const ROWS: u64 = 55_000;

/// A configuration for the store, with grids that hold a little sooner than usual.
fn write_config(folder: &Path, store: &Store) -> std::path::PathBuf {
    let config = store.config();
    let text = format!(
        "[collector.privacy]\nkey = \"0123456789abcdef0123456789abcdef\"\n\
         [clickhouse]\nurl = \"{}\"\nuser = \"{}\"\npassword = \"{}\"\ndatabase = \"{}\"\n\
         [collector.grids]\nlead_ms = 4000\nrefresh_ms = 500\n[models.flights]\nsegments = [\"origin\"]\n",
        config.url, config.user, config.password, config.database
    );
    let path = folder.join("leeway.toml");
    std::fs::write(&path, text).expect("a configuration");
    path
}

fn write_events(folder: &Path) -> std::path::PathBuf {
    let mut text = String::from("id,at,origin,temp,score\n");
    for row in 0..ROWS {
        let (minute, second) = (row / 60 % 60, row % 60);
        let hour = row / 3_600;
        let (day, hour) = (1 + hour / 24, hour % 24);
        let airport = ["JFK", "LGA", "EWR"][(row % 3) as usize];
        writeln!(
            text,
            "e{row},2026-01-{day:02} {hour:02}:{minute:02}:{second:02},{airport},{},0.5",
            row % 40
        )
        .expect("text takes text");
    }
    let path = folder.join("departures.csv");
    std::fs::write(&path, text).expect("a file");
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_was_killed_goes_on_when_it_is_run_again() {
    let (store, folder) = (tests::fresh_store().await, Folder::new());
    let config = write_config(folder.path(), &store);
    let events = write_events(folder.path());
    let events = events.to_str().expect("a plain path");
    let arguments =
        ["import", events, "--model", "flights", "--id", "id", "--timestamp", "at", "--prediction", "score"];
    let log = folder.path().join("log");
    let first = Process::start(&arguments, &config, &log);
    let steps = [
        ("grids are announced", "SELECT toUInt8(count() > 0) FROM grids"),
        ("the first batch is about to be stored", "SELECT toUInt8(count() > 0) FROM imports"),
        ("a batch is stored", "SELECT toUInt8(max(rows) >= 25000) FROM imports"),
    ];
    for (step, statement) in steps {
        tests::eventually(step, async || tests::text(&store, statement).await == "1").await;
    }
    first.kill().await;

    let second = Process::start(&arguments, &config, &log);
    let finished = "SELECT max(finished) FROM imports";
    tests::eventually("it went on to the end", async || tests::text(&store, finished).await == "1").await;
    drop(second);
    let said = std::fs::read_to_string(&log).expect("a log");
    let ids = tests::text(&store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(ids, format!("{ROWS}\t{ROWS}"), "{said}");
    for table in ["signal_minutes", "signal_hours"] {
        let sums = sums(&store, table).await;
        assert!(sums.len() == 3 && sums.values().all(|n| *n == ROWS), "{table}: {sums:?}");
    }
    let airports = "SELECT sum(events) FROM traffic_minutes WHERE segment LIKE 'origin=%'";
    assert_eq!(tests::text(&store, airports).await, ROWS.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_redacted_value_of_a_file_reaches_a_table_or_the_log() {
    const MARKER: &str = "xq7wmarker";
    let (store, folder) = (tests::fresh_store().await, Folder::new());
    let config = write_config(folder.path(), &store);
    // Stated by the API: the command has to ask the store for it.
    let contract: Contract =
        toml::from_str("[privacy.fields]\nid = \"hash\"\nname = \"mask\"\nnote = \"drop\"")
            .expect("a contract");
    let stated = StoredContract {
        model: "secret".to_owned(),
        version: 1,
        contract,
        actor: "chief".to_owned(),
        written_at: Clock::System.now(),
    };
    assert!(store.write_contract(&stated).await.expect("stated"));
    let mut text = String::from("id,at,name,note,score\n");
    for row in 0..200 {
        writeln!(text, "{MARKER}-{row},2026-01-01 00:00:{:02},{MARKER}{row},{MARKER} said,0.{row}", row % 60)
            .expect("text takes text");
    }
    writeln!(text, "{MARKER}-bad,{MARKER} o'clock,x,y,0.5").expect("text takes text");
    let file = folder.path().join("secret.csv");
    std::fs::write(&file, text).expect("a file");
    let file = file.to_str().expect("a plain path");
    let log = folder.path().join("log");
    for model in ["secret", "open"] {
        let arguments =
            ["import", file, "--model", model, "--id", "id", "--timestamp", "at", "--prediction", "score"];
        let process = Process::start(&arguments, &config, &log);
        let stored = format!("SELECT count() FROM predictions WHERE model = '{model}'");
        let finished = format!("SELECT max(finished) FROM imports WHERE model = '{model}'");
        tests::eventually("it is imported", async || tests::text(&store, &stored).await == "200").await;
        tests::eventually("it is finished", async || tests::text(&store, &finished).await == "1").await;
        if model == "secret" {
            assert_eq!(tables_with(&store, MARKER).await, [] as [&str; 0]);
            let said = std::fs::read_to_string(&log).expect("a log");
            assert!(!said.contains(MARKER), "{said}");
        }
        drop(process);
    }
    // The control says that the search would find what is there.
    assert!(tables_with(&store, MARKER).await.contains(&"predictions".to_owned()));
}
