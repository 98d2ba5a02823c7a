//! Whatever dies: what was acknowledged is stored, once, and the counts agree with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use collector::Config;
use tests::{OwnEngine, eventually, fresh_store, text};

use crate::running::{Running, send, soon};
use crate::sent::{acknowledged, impatient, inputs, kserve, outputs, stored};

/// Grids come while things are killed.
fn quick() -> Config {
    Config { grids: soon(), ..Config::default() }
}

/// A store that nobody answers for.
fn nobody() -> sql::Store {
    let url = format!("http://127.0.0.1:{}", tests::free_port());
    sql::Store::connect(&sql::Config { url, ..sql::Config::default() }).expect("a sound configuration")
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_acknowledged_at_once_while_the_store_is_away_and_stored_by_the_next_process() {
    let collector = Running::start(&nobody()).await;
    for n in 0..50 {
        let began = Instant::now();
        acknowledged(kserve(&collector, &n.to_string(), "request", inputs(2))).await;
        acknowledged(kserve(&collector, &n.to_string(), "response", outputs(2))).await;
        assert!(began.elapsed() < Duration::from_secs(5), "a slow store slows no model server");
    }
    acknowledged(kserve(&collector, "half", "request", inputs(1))).await;
    let spool = collector.crash();
    let store = fresh_store().await;
    let again = Running::start_on(&store, impatient(), BTreeMap::new(), spool).await;
    stored(&store, 101).await;
    assert_eq!(text(&store, "SELECT uniqExact(id) FROM predictions").await, "101");
    // Nothing is left but the beginning of a segment.
    eventually("the journal is empty", async || journal_bytes(again.spool()) == 32).await;
    again.stop().await;
}

/// Bytes of all segments of a journal.
fn journal_bytes(spool: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(spool.join("payloads")).expect("a journal").flatten();
    let segments = files.filter(|file| file.path().extension().is_some_and(|ending| ending == "payloads"));
    segments.map(|file| file.metadata().expect("a file").len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_every_acknowledged_payload_is_stored_once() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let mut collector = Running::start_with(&store, quick(), BTreeMap::new()).await;
    let mut taken = Vec::new();
    for round in 0..6 {
        for n in 0..150 {
            let id = format!("{round}-{n}");
            let request = send(kserve(&collector, &id, "request", inputs(3))).await;
            let response = send(kserve(&collector, &id, "response", outputs(3))).await;
            assert_eq!((request.status, response.status), (200, 200));
            taken.push(id);
            // In the middle of a batch, and again while the engine comes back.
            if n == 60 && round % 2 == 0 {
                own.kill();
            }
        }
        let spool = collector.crash();
        collector = Running::start_on(&store, quick(), BTreeMap::new(), spool).await;
    }
    eventually("the engine is back", async || store.ping().await.is_ok()).await;
    let expected = taken.len() * 3;
    // The engine may not be back from its last death yet.
    let ids = async || store.ask("SELECT uniqExact(id) FROM predictions", "TabSeparatedRaw").await;
    eventually("all are stored", async || {
        ids().await.is_ok_and(|answer| answer.trim_ascii() == expected.to_string().as_bytes())
    })
    .await;
    assert_eq!(text(&store, "SELECT count() FROM predictions").await, expected.to_string());
    for counted in [
        "SELECT sum(events) FROM traffic_minutes WHERE segment = ''",
        "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.width' AND segment = ''",
        "SELECT sum(n) FROM signal_moment_hours WHERE signal = 'prediction.score' AND segment = ''",
        // What came before the grids is counted back, and what came late is compared.
        "SELECT sum(n) FROM signal_minutes WHERE signal = 'feature.width' AND segment = ''",
        "SELECT sum(n) FROM signal_hours WHERE signal = 'prediction.score' AND segment = ''",
    ] {
        eventually(counted, async || text(&store, counted).await == expected.to_string()).await;
    }
    collector.stop().await;
}
