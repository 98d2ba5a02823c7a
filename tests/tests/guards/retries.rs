//! `Idempotency-Key`: whatever happens between two attempts, events are stored once and answered the same.

use std::collections::BTreeMap;
use std::io::Write;

use collector::Config;
use collector::config::Limits;
use serde_json::{Value, json};
use tests::{Folder, OwnEngine, Process, eventually, free_port, fresh_store, text};

use crate::running::{Answer, Running, send};

const STORED: &str = "SELECT count(), uniqExact(id) FROM predictions";
const TRAFFIC: &str = "SELECT sum(events) FROM traffic_minutes WHERE segment = ''";

/// Events that state no id, and one that is refused.
fn body(n: usize) -> Value {
    json!([{"model": "keyed", "features": {"amount": n}}, {"model": "keyed"}, {"model": "keyed", "features": {"amount": n}}])
}

async fn post(collector: &Running, path: &str, key: &str, body: impl Into<reqwest::Body>) -> Answer {
    send(collector.post(path).header("idempotency-key", key).body(body)).await
}

async fn predictions(collector: &Running, key: &str, body: &Value) -> Answer {
    post(collector, "/v1/predictions", key, body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_is_answered_the_same_and_stored_once_also_after_a_restart() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let first = predictions(&collector, "k", &body(1)).await;
    assert_eq!((first.status, &first.body["accepted"]), (200, &json!(2)), "{first:?}");
    let spool = {
        let again = predictions(&collector, "k", &body(1)).await;
        assert_eq!((again.status, &again.body), (200, &first.body));
        collector.crash()
    };
    let collector = Running::start_on(&store, Config::default(), BTreeMap::new(), spool).await;
    let again = predictions(&collector, "k", &body(1)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let other = predictions(&collector, "k", &body(2)).await;
    let reason = other.body["error"].as_str().unwrap_or_default();
    assert!(other.status == 422 && reason.contains("another body"), "{other:?}");

    assert_eq!(text(&store, STORED).await, "2\t2");
    assert_eq!(text(&store, TRAFFIC).await, "2");
    let said = "SELECT count(), countIf(has(rules, 'duplicate')) FROM rejected_events";
    assert_eq!(text(&store, said).await, "1\t0", "what was refused is written down once");
    // Another key means other events, however alike they are.
    assert_eq!(predictions(&collector, "other", &body(1)).await.status, 200);
    assert_eq!(text(&store, STORED).await, "4\t4");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_lost_its_folder_still_tells_the_events_of_a_key() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    assert_eq!(predictions(&collector, "k", &body(1)).await.status, 200);
    drop(collector.crash());
    let collector = Running::start(&store).await;
    let again = predictions(&collector, "k", &body(1)).await;
    assert_eq!((again.status, &again.body["accepted"]), (200, &json!(2)));
    assert_eq!(text(&store, STORED).await, "2\t2");
    assert_eq!(text(&store, TRAFFIC).await, "2");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_once_and_with_the_store_away_and_a_crash_between_store_the_events_once() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let limits = Limits { answer_within_s: 1, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let collector = Running::start_with(&store, config.clone(), BTreeMap::new()).await;
    // Stopped, not killed: it takes the request's batch and answers nobody.
    own.signal("STOP");
    let sent = body(1);
    let attempt = || predictions(&collector, "k", &sent);
    let both = futures_util::future::join(attempt(), attempt()).await;
    assert_eq!((both.0.status, both.1.status), (503, 503), "{both:?}");
    let other = predictions(&collector, "k", &body(2)).await;
    assert!([422, 503].contains(&other.status), "{other:?}");
    let spool = collector.crash();
    own.signal("CONT");
    let collector = Running::start_on(&store, config, BTreeMap::new(), spool).await;
    let mut last = None;
    eventually("the store takes it", async || {
        let answer = predictions(&collector, "k", &body(1)).await;
        let is_taken = answer.status == 200;
        last = Some(answer.body);
        is_taken
    })
    .await;
    assert_eq!(last.expect("an answer")["accepted"], 2);
    assert_eq!(predictions(&collector, "k", &body(2)).await.status, 422);
    eventually("the spool is finished", async || text(&store, TRAFFIC).await == "2").await;
    assert_eq!(text(&store, STORED).await, "2\t2");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_bodies_lines_and_outcomes_are_known_by_what_they_say() {
    let store = fresh_store().await;
    let collector = Running::start(&store).await;
    let lines: String =
        (0..5).map(|n| format!("{{\"model\": \"l\", \"features\": {{\"n\": {n}}}}}\n")).collect();
    let plain = post(&collector, "/v1/predictions", "k", lines.clone()).await;
    assert_eq!((plain.status, &plain.body["accepted"]), (200, &json!(5)));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(lines.as_bytes()).expect("packed");
    let packed =
        collector.post("/v1/predictions").header("idempotency-key", "k").header("content-encoding", "gzip");
    let packed = send(packed.body(encoder.finish().expect("packed"))).await;
    assert_eq!((packed.status, &packed.body), (200, &plain.body));
    assert_eq!(text(&store, STORED).await, "5\t5");

    // The same key stands for something else where outcomes are sent.
    let outcome = r#"{"id": "a", "model": "l", "outcome": 1}"#;
    for _ in 0..2 {
        assert_eq!(post(&collector, "/v1/outcomes", "k", outcome).await.status, 200);
    }
    assert_eq!(text(&store, "SELECT count() FROM outcomes").await, "1");
    let other = post(&collector, "/v1/outcomes", "k", outcome.replace('1', "2")).await;
    assert_eq!(other.status, 422, "{other:?}");
    // A key is spent by what was taken: a body that was refused may be mended.
    let refused = post(&collector, "/v1/predictions", "mended", r#"{"model": "l"}"#).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    let mended =
        post(&collector, "/v1/predictions", "mended", r#"{"model": "l", "features": {"n": 9}}"#).await;
    assert_eq!(mended.status, 200, "{mended:?}");
    let too_long = post(&collector, "/v1/predictions", &"k".repeat(300), lines).await;
    assert_eq!(too_long.status, 400, "{too_long:?}");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_window_the_header_says_nothing() {
    let store = fresh_store().await;
    let mut config = Config::default();
    config.duplicates.window_s = 0;
    let collector = Running::start_with(&store, config, BTreeMap::new()).await;
    for n in [1, 1, 2] {
        assert_eq!(predictions(&collector, "k", &body(n)).await.status, 200);
    }
    assert_eq!(text(&store, STORED).await, "6\t6");
    collector.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_that_is_killed_answers_the_same_when_it_is_back_and_counts_it() {
    service::http::install_tls();
    let store = fresh_store().await;
    let folder = Folder::new();
    let (file, log, port) = (folder.path().join("leeway.toml"), folder.path().join("log"), free_port());
    let sql::Config { url, user, password, database, .. } = store.config();
    let settings = format!(
        "data_dir = \"{data}\"\n[clickhouse]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{password}\"\n\
         database = \"{database}\"\n[collector]\nlisten = \"127.0.0.1:{port}\"\n",
        data = folder.path().join("data").display()
    );
    std::fs::write(&file, settings).expect("written");
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let http = reqwest::Client::new();
    let started = async || {
        let process = Process::start(&["collector"], &file, &log);
        eventually("it is ready", async || {
            let ready = http.get(url("/readyz")).send().await;
            ready.is_ok_and(|ready| ready.status().is_success())
        })
        .await;
        process
    };
    let post = async |body: &Value| {
        send(http.post(url("/v1/predictions")).header("idempotency-key", "k").json(body)).await
    };
    let process = started().await;
    let first = post(&body(1)).await;
    assert_eq!(first.status, 200, "{first:?}");
    process.kill().await;
    let process = started().await;
    let again = post(&body(1)).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(post(&body(2)).await.status, 422);
    let metrics = http.get(url("/metrics")).send().await.expect("metrics").text().await.expect("a text");
    for outcome in ["answered", "refused"] {
        let line = metrics.lines().find(|line| {
            line.starts_with("leeway_collector_repeated_requests_total") && line.contains(outcome)
        });
        assert!(line.is_some_and(|line| line.ends_with(" 1")), "{line:?}");
    }
    assert_eq!(text(&store, STORED).await, "2\t2");
    process.terminate().await;
    let keys = std::fs::read_to_string(folder.path().join("data/spool/keys/newer")).expect("a file");
    assert!(keys.contains("\"accepted\":2") && !keys.contains("amount"), "{keys}");
}
