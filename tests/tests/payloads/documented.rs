//! Everything that `docs/sending-events.md` shows is run as it stands there: by a shell with curl, by Python, by Node.

use std::collections::BTreeMap;
use std::path::Path;

use tests::{eventually, fresh_store, text};
use tokio::process::Command;

use crate::running::Running;
use crate::sent::impatient;

/// The blocks of the page in one language.
fn blocks(language: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/sending-events.md");
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

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_in_the_store_already_is_counted_after_the_documented_statement() {
    let store = fresh_store().await;
    let statements = blocks("sql");
    assert_eq!(statements.len(), 1);
    let lake = format!("{}_lake", store.config().database);
    let client = tests::client(&store);
    for statement in [
        format!("CREATE DATABASE {lake}"),
        format!(
            "CREATE TABLE {lake}.scores (request_id UInt64, model_version String, scored_at DateTime64(3, 'UTC'), \
             amount Decimal(9, 2), score Float32, country String) ENGINE = MergeTree ORDER BY request_id"
        ),
        format!(
            "INSERT INTO {lake}.scores SELECT number, '7', toDateTime64('2026-11-01 00:00:00', 3, 'UTC') + number * 10, \
             number % 100, 0.5, ['BR', 'DE'][number % 2 + 1] FROM numbers(8000)"
        ),
        statements[0].replace("lake.scores", &format!("{lake}.scores")),
    ] {
        client
            .query(&statement.replace('?', "??"))
            .execute()
            .await
            .unwrap_or_else(|e| panic!("{statement}: {e}"));
    }
    let context = service::Context::quiet(domain::time::Clock::System, BTreeMap::new());
    let grids =
        collector::config::Grids { lead_ms: 4_000, refresh_ms: 200, settle_ms: 0, ..Default::default() };
    let interval = "2026-11-01..2026-11-02".parse().expect("an interval");
    let plan = collector::recount::Plan { model: "fraud".to_owned(), interval, dry_run: false };
    let report =
        collector::recount::recount(&plan, &grids, &context, &store, &|_| ()).await.expect("recounted");
    for (signal, table) in [
        ("feature.amount", "signal_minutes"),
        ("feature.country", "signal_hours"),
        ("prediction.score", "signal_hours"),
    ] {
        let sum = format!("SELECT sum(n) FROM {table} WHERE signal = '{signal}' AND segment = ''");
        assert_eq!(text(&store, &sum).await, "8000", "{signal}: {report}");
    }
    let traffic = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";
    assert_eq!(text(&store, traffic).await, "8000");
    client.query(&format!("DROP DATABASE {lake}")).execute().await.expect("dropped");
}
