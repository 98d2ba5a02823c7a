//! What a collector holds in memory, whatever its senders send: the real process, and senders that do not stop.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tests::{Folder, OwnEngine, Process, eventually, free_port};

const MIB: usize = 1 << 20;
const SENDERS: usize = 24;

/// A collector in a process of its own, on an engine of its own.
struct World {
    process: Process,
    url: String,
    client: reqwest::Client,
    _own: OwnEngine,
    _folder: Folder,
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
        let client = reqwest::Client::new();
        let world = Self { process, url, client, _own: own, _folder: folder };
        eventually("the collector takes events", async || world.send(strange(0)).await == Some(200)).await;
        world
    }

    /// The status of the answer, if there is one.
    async fn send(&self, body: Bytes) -> Option<u16> {
        let request = self.client.post(&self.url).header("content-type", "application/x-ndjson").body(body);
        Some(request.send().await.ok()?.status().as_u16())
    }

    fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.pid()));
        let status = status.expect("the collector runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1_024
    }

    /// The most memory that is seen while `SENDERS` send bodies until so many were taken.
    async fn send_until_taken(&self, bodies: usize, body: impl Fn(usize) -> Bytes) -> usize {
        let (taken, next, most) = (AtomicUsize::new(0), AtomicUsize::new(1), AtomicUsize::new(0));
        let senders = (0..SENDERS).map(|_| async {
            while taken.load(Ordering::SeqCst) < bodies {
                match self.send(body(next.fetch_add(1, Ordering::SeqCst))).await {
                    Some(200) => {
                        taken.fetch_add(1, Ordering::SeqCst);
                    }
                    // What is refused before its body was read may reach its sender as a closed connection.
                    Some(429 | 503) | None => tokio::time::sleep(Duration::from_millis(10)).await,
                    other => panic!("{other:?}"),
                }
                most.fetch_max(self.resident(), Ordering::SeqCst);
            }
        });
        futures_util::future::join_all(senders).await;
        most.into_inner()
    }
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
        format!("waiting_bytes = {}", 32 * MIB),
        "answer_within_s = 2".to_owned(),
        "[collector.batch]".to_owned(),
        "rows = 10000".to_owned(),
    ];
    std::fs::write(&config, lines.join("\n")).expect("written");
    config
}

/// A body whose models and names nobody sends twice, longer than any are.
fn strange(n: usize) -> Bytes {
    let event = |event: usize| {
        let name = format!("{n}_{event}_{}", "x".repeat(200));
        format!("{{\"model\":\"m{n}_{event}\",\"features\":{{\"{name}\":1,\"c\":\"{name}\"}}}}\n")
    };
    (0..300).map(event).collect::<String>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn senders_of_ever_new_names_fill_no_memory() {
    let world = World::start().await;
    let early = world.send_until_taken(60, strange).await;
    let late = world.send_until_taken(120, |n| strange(n + 1_000_000)).await;
    assert!(late < early + 64 * MIB, "{} MiB, then {} MiB", early / MIB, late / MIB);
    assert!(late < 300 * MIB, "{} MiB", late / MIB);
}
