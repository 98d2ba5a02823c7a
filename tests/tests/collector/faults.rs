//! The collector and the store killed with SIGKILL at random moments while events come over HTTP: then everything is counted.
//! Senders do as they are told: what was not answered with 200 is sent again.
//!
//! A run takes about 20 s; `FAULT_SECONDS=600 cargo test -p tests --test collector faults` takes longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{OwnEngine, Process, eventually, fault_time};

use crate::counted::{holds_exactly, wait_for_stored};
use crate::process::{Settings, readiness};
use crate::running::{events, spooled};

const SENDERS: usize = 4;

/// Events of a request.
const AT_ONCE: usize = 50;

/// Senders of a collector that is there now and then.
#[derive(Clone)]
struct Load {
    http: reqwest::Client,
    url: String,
    stop: Arc<AtomicBool>,
    taken: Arc<AtomicUsize>,
    again: Arc<AtomicUsize>,
}

impl Load {
    fn on(port: u16) -> Self {
        Self {
            http: service::http::client(Duration::from_secs(5)),
            url: format!("http://127.0.0.1:{port}/v1/predictions"),
            stop: Arc::default(),
            taken: Arc::default(),
            again: Arc::default(),
        }
    }

    /// Sends request after request until told to stop, each until it is answered with 200.
    async fn send(self, who: usize) {
        let mut n = who * 10_000_000;
        while !self.stop.load(Ordering::SeqCst) {
            let body = events("m", n..n + AT_ONCE);
            while !self.is_taken(&body).await {
                self.again.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            self.taken.fetch_add(AT_ONCE, Ordering::SeqCst);
            n += AT_ONCE;
        }
    }

    async fn is_taken(&self, body: &[Value]) -> bool {
        // Nobody is there, or dies before the answer.
        let Ok(answer) = self.http.post(&self.url).json(&body).send().await else { return false };
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap_or_default();
        assert!(matches!(status, 200 | 429 | 503), "{status}: {text}");
        assert!(status != 200 || text.contains(&format!("\"accepted\":{AT_ONCE}")), "{text}");
        status == 200
    }

    async fn goes_on(&self) {
        let before = self.taken.load(Ordering::SeqCst);
        eventually("events are taken", async || self.taken.load(Ordering::SeqCst) > before).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collector_and_store_are_killed_at_random_and_every_event_is_there_once() {
    let own = OwnEngine::start().await;
    let store = own.fresh_store().await;
    let settings = Settings::without_kafka(store.config());
    let start = || Process::start(&["collector"], settings.file(), &settings.log());
    let mut collector = start();
    let load = Load::on(settings.port);
    let senders: Vec<_> = (0..SENDERS).map(|who| tokio::spawn(load.clone().send(who))).collect();
    load.goes_on().await;
    let (began, mut kills) = (Instant::now(), [0, 0]);
    while began.elapsed() < fault_time(20) || kills.iter().any(|kills| *kills < 2) {
        tokio::time::sleep(Duration::from_millis(rand::random_range(150..1_500))).await;
        let both = rand::random_range(0..4);
        if both != 1 {
            own.kill();
            kills[0] += 1;
        }
        if both != 0 {
            collector.kill().await;
            collector = start();
            kills[1] += 1;
        }
        if both == 3 {
            continue;
        }
        load.goes_on().await;
    }
    load.stop.store(true, Ordering::SeqCst);
    for sender in senders {
        sender.await.expect("a sender");
    }
    let sent = load.taken.load(Ordering::SeqCst);
    eventually("it is ready", async || readiness(&settings).await == "ready\n").await;
    eventually("the spool is finished", async || spooled(&settings.spool()) == 0).await;
    wait_for_stored(&store, sent).await;
    assert!(collector.terminate().await.success());
    assert!(load.again.load(Ordering::SeqCst) > 0, "no request was cut off");
    holds_exactly(&store, sent).await;
}
