//! Everything that `docs/sending-events.md` shows is run as it stands there: by a shell with curl, by Python, by Node.
//! And so are the statements of `docs/files-and-lakes.md`, on the embedded engine.

use std::collections::BTreeMap;
use std::path::Path;

use tests::{eventually, fresh_store, text};
use tokio::process::Command;

use crate::running::Running;
use crate::sent::impatient;

/// The blocks of the page on sending events in one language.
fn blocks(language: &str) -> Vec<String> {
    blocks_of("sending-events.md", language)
}

fn blocks_of(page: &str, language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(page);
    let page = std::fs::read_to_string(path).expect("the page");
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Runs a block with the collector's address in the place of the usual one.
async fn run(program: &[&str], block: &str, collector: &Running) -> String {
    let address = collector.url.trim_start_matches("http://");
    let block = block.replace("localhost:4841", address);
    let (program, arguments) = program.split_first().expect("a program");
    let output = Command::new(program).args(arguments).arg(&block).output().await;
    let output = output.unwrap_or_else(|error| panic!("{program} is needed (./test says how): {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{block}\n{said}\n{complained}");
    assert!(!said.contains("error"), "{block}\n{said}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn every_documented_command_is_taken_by_a_collector() {
    let store = fresh_store().await;
    let collector = Running::start_with(&store, impatient(), BTreeMap::new()).await;
    let shell = blocks("sh");
    assert!(shell.len() >= 5, "{shell:?}");
    for block in &shell {
        run(&["bash", "-ec"], block, &collector).await;
    }
    for block in blocks("python") {
        assert!(run(&["python3", "-c"], &block, &collector).await.contains("'accepted': 1"), "{block}");
    }
    for block in blocks("js") {
        assert!(run(&["node", "-e"], &block, &collector).await.contains("accepted: 1"), "{block}");
    }
    let ids = "SELECT arraySort(groupUniqArray(id)) FROM predictions";
    let expected = "['5a1f-0','5a1f-1','77c2','7f3c','ce-1','js-1','otlp-1','py-1']";
    eventually("everything is stored", async || text(&store, ids).await == expected).await;
    let whole = "SELECT count() FROM predictions WHERE source = 'payloads' AND length(numbers) < 2";
    assert_eq!(text(&store, whole).await, "0", "requests and responses are brought together");
    let outcomes = "SELECT arraySort(groupArray(id)) FROM outcomes";
    eventually("the outcomes are stored", async || text(&store, outcomes).await == "['77c2','7f3c']").await;
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_address_in_the_manifest_is_one_that_the_collector_serves() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let manifests = blocks("yaml");
    assert_eq!(manifests.len(), 1);
    let url = manifests[0].lines().find_map(|line| line.trim().strip_prefix("url: ")).expect("a url");
    let path = url.trim_start_matches("http://").split_once('/').map(|(_, path)| format!("/{path}"));
    let answer = crate::running::send(collector.post(&path.expect("a path")).body("{}")).await;
    assert_eq!(answer.status, 400, "it is served: {answer:?}");
    collector.stop().await;
}

/// What a lake's table or files hold: 8,000 scores of a day.
fn scores() -> String {
    "SELECT number AS request_id, '7' AS model_version, \
     toDateTime64('2026-11-01 00:00:00', 3, 'UTC') + number * 10 AS scored_at, \
     CAST(number % 100 AS Decimal(9, 2)) AS amount, CAST(if(number % 4 = 0, NULL, 0.5) AS Nullable(Float32)) AS score, \
     ['BR', 'DE'][number % 2 + 1] AS country FROM numbers(8000)"
        .to_owned()
}

async fn execute(store: &sql::Store, statement: &str) {
    let client = tests::client(store);
    let done = client.query(&statement.replace('?', "??")).execute().await;
    done.unwrap_or_else(|error| panic!("{statement}: {error}"));
}

/// Runs the documented command and gives what it said.
async fn recounted(store: &sql::Store) -> String {
    let context = service::Context::quiet(domain::time::Clock::System, BTreeMap::new());
    let grids =
        collector::config::Grids { lead_ms: 4_000, refresh_ms: 200, settle_ms: 0, ..Default::default() };
    let interval = "2026-11-01..2026-11-02".parse().expect("an interval");
    let plan = collector::recount::Plan { model: "fraud".to_owned(), interval, dry_run: false };
    let report = collector::recount::recount(&plan, &grids, &context, store, &|_| ()).await;
    report.expect("recounted").to_string()
}

async fn counted(store: &sql::Store, signal: &str, table: &str) -> String {
    text(store, &format!("SELECT sum(n) FROM {table} WHERE signal = '{signal}' AND segment = ''")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_store_already_is_counted_after_the_documented_statement() {
    let store = fresh_store().await;
    let statements = blocks_of("files-and-lakes.md", "sql");
    assert_eq!(statements.len(), 2);
    let lake = format!("{}_lake", store.config().database);
    execute(&store, &format!("CREATE DATABASE {lake}")).await;
    let whole =
        scores().replace("if(number % 4 = 0, NULL, 0.5)", "0.5").replace("Nullable(Float32)", "Float32");
    let table = format!("CREATE TABLE {lake}.scores ENGINE = MergeTree ORDER BY request_id AS {whole}");
    execute(&store, &table).await;
    let statement = statements[0].replace("lake.scores", &format!("{lake}.scores"));
    for _ in 0..2 {
        execute(&store, &statement).await;
        assert_eq!(text(&store, "SELECT count() FROM predictions").await, "8000", "once under its token");
    }
    let report = recounted(&store).await;
    for (signal, table) in [
        ("feature.amount", "signal_minutes"),
        ("feature.country", "signal_hours"),
        ("prediction.score", "signal_hours"),
    ] {
        assert_eq!(counted(&store, signal, table).await, "8000", "{signal}: {report}");
    }
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "8000");
    execute(&store, &format!("DROP DATABASE {lake}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_parquet_files_is_counted_after_the_documented_statement() {
    let (store, folder) = (fresh_store().await, tests::Folder::new());
    let lake = folder.path().display();
    for (day, half) in [("01", "< 4000"), ("02", ">= 4000")] {
        let file = format!("INSERT INTO FUNCTION file('{lake}/2026-11-{day}.parquet', 'Parquet')");
        execute(&store, &format!("{file} {} WHERE number {half}", scores())).await;
    }
    let statement = blocks_of("files-and-lakes.md", "sql")[1].replace("/data/scores", &lake.to_string());
    for _ in 0..2 {
        execute(&store, &statement).await;
        assert_eq!(text(&store, "SELECT count() FROM predictions").await, "8000", "once under its token");
    }
    let report = recounted(&store).await;
    assert_eq!(counted(&store, "feature.amount", "signal_hours").await, "8000", "{report}");
    let missing =
        "SELECT sum(n) FROM signal_hours WHERE signal = 'prediction.score' AND segment = '' AND bin = 0";
    assert_eq!(text(&store, missing).await, "2000", "a quarter has no score: {report}");
}
