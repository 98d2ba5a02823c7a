//! What a collector holds in memory while its senders are faster than the store, and what becomes of it: the real process,
//! a store that stands still, and senders that do not stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tests::{Folder, OwnEngine, Process, eventually, free_port, text};

const MIB: usize = 1 << 20;
/// What may wait in these tests.
const WAITING: usize = 32 * MIB;
const SENDERS: usize = 24;

/// A collector in a process of its own, on an engine of its own.
struct World {
    own: OwnEngine,
    store: sql::Store,
    process: Process,
    url: String,
    client: reqwest::Client,
    folder: Folder,
}

impl World {
    async fn start() -> Self {
        service::http::install_tls();
        let own = OwnEngine::start().await;
        let store = own.fresh_store().await;
        let folder = Folder::new();
        let listen = format!("127.0.0.1:{}", free_port());
        let config = configuration(&folder, store.config(), &own, &listen);
        let process = Process::start(&["collector"], &config, &folder.path().join("log"));
        let url = format!("http://{listen}/v1/predictions");
        let world = Self { own, store, process, url, client: reqwest::Client::new(), folder };
        eventually("the collector takes events", async || world.send(body(0, 1, 1)).await == Some(200)).await;
        world
    }

    /// The status of the answer, if there is one.
    async fn send(&self, body: Bytes) -> Option<u16> {
        let request = self.client.post(&self.url).header("content-type", "application/x-ndjson").body(body);
        Some(request.send().await.ok()?.status().as_u16())
    }

    fn resident(&self) -> usize {
        self.process.memory().resident as usize
    }

    /// The batches that lie in the spool, and the bytes of all its files.
    fn spooled(&self) -> (usize, u64) {
        let files = std::fs::read_dir(self.folder.path().join("spool")).expect("a spool").flatten();
        let files: Vec<_> = files.filter(|file| file.path().extension().is_some()).collect();
        let batches =
            files.iter().filter(|file| file.path().extension().is_some_and(|ending| ending == "arrow"));
        (batches.count(), files.iter().map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum())
    }

    /// Stops the engine in its tracks until what this gives is dropped.
    fn stand_still(&self) -> Still {
        let pid = self.own.engine.pid().expect("the engine runs").to_string();
        signal("STOP", &pid);
        Still { pid }
    }

    /// The most memory that is seen while `SENDERS` send bodies until `enough` holds of what was taken and refused.
    async fn send_until(
        &self,
        body: impl Fn(usize) -> Bytes,
        enough: impl Fn(usize, usize) -> bool,
    ) -> (usize, usize) {
        let (taken, refused, next) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(1));
        let (most, done) = (AtomicUsize::new(0), AtomicBool::new(false));
        let senders = (0..SENDERS).map(|_| async {
            while !done.load(Ordering::SeqCst) {
                match self.send(body(next.fetch_add(1, Ordering::SeqCst))).await {
                    Some(200) => taken.fetch_add(1, Ordering::SeqCst),
                    Some(429 | 503) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        refused.fetch_add(1, Ordering::SeqCst)
                    }
                    other => panic!("{other:?}"),
                };
                most.fetch_max(self.resident(), Ordering::SeqCst);
                let (taken, refused) = (taken.load(Ordering::SeqCst), refused.load(Ordering::SeqCst));
                if enough(taken, refused) {
                    done.store(true, Ordering::SeqCst);
                }
            }
        });
        futures_util::future::join_all(senders).await;
        (most.into_inner(), taken.into_inner())
    }
}

/// An engine that neither works nor answers.
struct Still {
    pid: String,
}

impl Drop for Still {
    fn drop(&mut self) {
        signal("CONT", &self.pid);
    }
}

fn signal(name: &str, pid: &str) {
    let sent = std::process::Command::new("kill").args([format!("-{name}").as_str(), pid]).status();
    assert!(sent.is_ok_and(|status| status.success()), "the engine can be sent {name}");
}

fn configuration(folder: &Folder, store: &sql::Config, own: &OwnEngine, listen: &str) -> PathBuf {
    let config = folder.path().join("leeway.toml");
    let lines = [
        format!("data_dir = \"{}\"", folder.path().display()),
        "[clickhouse]".to_owned(),
        format!("url = \"{}\"", own.engine.url()),
        format!("user = \"{}\"", own.engine.user()),
        format!("password = \"{}\"", own.engine.password()),
        format!("database = \"{}\"", store.database),
        "[clickhouse.retention]".to_owned(),
        format!("events_days = {}", store.retention.events_days),
        format!("rejected_days = {}", store.retention.rejected_days),
        format!("minutes_days = {}", store.retention.minutes_days),
        format!("hours_days = {}", store.retention.hours_days),
        "[collector]".to_owned(),
        format!("listen = \"{listen}\""),
        "[collector.limits]".to_owned(),
        format!("body_bytes = {}", 4 * MIB),
        format!("unpacked_bytes = {}", 4 * MIB),
        format!("waiting_bytes = {WAITING}"),
        "answer_within_s = 5".to_owned(),
        "[collector.batch]".to_owned(),
        "rows = 10000".to_owned(),
    ];
    std::fs::write(&config, lines.join("\n")).expect("written");
    config
}

/// A body of `events` with so many features each.
fn body(n: usize, events: usize, features: usize) -> Bytes {
    let features: Vec<String> = (0..features).map(|f| format!("\"f{f}\":{}.5", n % 1_000 + f)).collect();
    let features = features.join(",");
    let event = |event: usize| {
        format!("{{\"id\":\"{n}-{event}\",\"model\":\"bounds\",\"features\":{{{features}}}}}\n")
    };
    (0..events).map(event).collect::<String>().into()
}

/// The same as small as events can be: their columns take more memory than their text.
fn crumbs(n: usize) -> Bytes {
    let event = |event: usize| format!("{{\"model\":\"b\",\"prediction\":{event},\"id\":\"{n}-{event}\"}}\n");
    (0..20_000).map(event).collect::<String>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stands_still_makes_senders_wait_and_fills_no_memory() {
    let world = World::start().await;
    // Everything that is needed once is there: threads, grids, the engine's connections.
    let (busy, _) = world.send_until(|n| body(n, 500, 50), |taken, _| taken >= 150).await;
    let mut most_batches = 0;
    for (what, bodies) in
        [("wide events", (|n| body(n + 1_000_000, 500, 50)) as fn(usize) -> Bytes), ("small events", crumbs)]
    {
        let still = world.stand_still();
        let (stalled, _) = world.send_until(bodies, |_, refused| refused >= 300).await;
        let (batches, bytes) = world.spooled();
        drop(still);
        // On the disk lies what is at work, and no more comes to it while the store does not answer.
        let at_once = collector::config::Batch::default().in_flight;
        assert!(batches <= at_once, "{what}: {batches} batches in the spool");
        most_batches = most_batches.max(batches);
        assert!(bytes < 2 * WAITING as u64, "{what}: {bytes} bytes in the spool");
        let more = stalled.saturating_sub(busy) / MIB;
        assert!(
            stalled < busy + 3 * WAITING,
            "{what}: {more} MiB more than the {} MiB at full load",
            busy / MIB
        );
        assert!(stalled < 300 * MIB, "{what}: {} MiB", stalled / MIB);
        eventually("events are taken again", async || world.send(body(1, 1, 1)).await == Some(200)).await;
    }
    // Once grids are too old to count by, what comes is not even written down.
    assert!(most_batches > 0, "nothing was at work when the store stood still");
    let World { store, process, .. } = world;
    assert!(process.terminate().await.success());
    let twice = "SELECT count() FROM (SELECT id FROM predictions WHERE id LIKE '%-%' GROUP BY model, id, received_at HAVING count() > 1)";
    assert_eq!(text(&store, twice).await, "0", "a batch that waited is stored once");
    let counts = "SELECT (SELECT count() FROM predictions) = (SELECT sum(events) FROM traffic_minutes WHERE segment = '')";
    assert_eq!(text(&store, counts).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_of_ever_new_names_fill_no_memory() {
    let world = Arc::new(World::start().await);
    // Names and models that nobody sends twice, longer than any are.
    let strange = |n: usize| -> Bytes {
        let event = |event: usize| {
            let name = format!("{n}_{event}_{}", "x".repeat(200));
            format!("{{\"model\":\"m{n}_{event}\",\"features\":{{\"{name}\":1,\"c\":\"{name}\"}}}}\n")
        };
        (0..300).map(event).collect::<String>().into()
    };
    let (early, _) = world.send_until(strange, |taken, _| taken >= 60).await;
    let (late, _) = world.send_until(|n| strange(n + 1_000_000), |taken, _| taken >= 120).await;
    assert!(late < early + 64 * MIB, "{} MiB, then {} MiB", early / MIB, late / MIB);
    assert!(late < 300 * MIB, "{} MiB", late / MIB);
}
