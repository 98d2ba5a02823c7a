//! The most that a collector of the usual configuration holds, a fresh one for each kind of load, sent as fast as it is taken.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use tests::bodies::{Bodies, NUMBER};
use tests::{OwnEngine, Process, eventually};

use super::{Place, mib};

const SENDERS: usize = 24;

/// What a sender sends next.
type Body = Box<dyn Fn() -> Bytes>;

/// How a collector is put under load.
struct Load {
    name: &'static str,
    what: &'static str,
    body: Option<fn() -> Body>,
    /// Before the store stops, or all there is.
    seconds: u64,
    /// How long the store then stands still.
    stalled_s: u64,
}

const LOADS: [Load; 5] = [
    Load { name: "idle", what: "nothing", body: None, seconds: 5, stalled_s: 0 },
    Load {
        name: "full",
        what: "500 events of 50 features a body, the store keeping up",
        body: Some(wide),
        seconds: 30,
        stalled_s: 0,
    },
    Load {
        name: "stalled",
        what: "the same, the store stopped for 20 s",
        body: Some(wide),
        seconds: 15,
        stalled_s: 20,
    },
    Load {
        name: "crumbs",
        what: "20,000 events of one number a body, the store stopped for 20 s",
        body: Some(crumbs),
        seconds: 5,
        stalled_s: 20,
    },
    Load {
        name: "names",
        what: "300 events of a new model and a new name of 200 bytes each a body",
        body: Some(names),
        seconds: 40,
        stalled_s: 0,
    },
];

/// Events of 50 numbers.
fn wide() -> Body {
    let event = |event: usize| {
        let value = |n: usize| ((event * 2_654_435_761 + n * 40_503) % 1_000_003) as f64 / 997.0;
        let values: Vec<String> = (0..50).map(|n| format!("\"f{n}\":{:.4}", value(n))).collect();
        format!("{{\"id\":\"{NUMBER}-{event}\",\"model\":\"wide\",\"features\":{{{}}}}}\n", values.join(","))
    };
    different(&(0..500).map(event).collect::<String>())
}

/// Events as small as they can be: their columns take more memory than their text.
fn crumbs() -> Body {
    let event = |event| format!("{{\"model\":\"b\",\"prediction\":{event},\"id\":\"{NUMBER}-{event}\"}}\n");
    different(&(0..20_000).map(event).collect::<String>())
}

fn different(body: &str) -> Body {
    let bodies = Bodies::of(body);
    Box::new(move || bodies.fresh())
}

/// Names and models that nobody sends twice, longer than any are.
fn names() -> Body {
    let sent = AtomicUsize::new(0);
    Box::new(move || {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        let event = |event: usize| {
            let name = format!("{n}_{event}_{}", "x".repeat(200));
            format!("{{\"model\":\"m{n}_{event}\",\"features\":{{\"{name}\":1,\"c\":\"{name}\"}}}}\n")
        };
        (0..300).map(event).collect::<String>().into()
    })
}

pub async fn measure(wanted: &[String]) -> anyhow::Result<()> {
    let known = LOADS.map(|load| load.name);
    if let Some(other) = wanted.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("load \"{other}\" does not exist (known: {})", known.join(", "));
    }
    println!(
        "| what is sent | most MiB | at the end | bodies taken | told to wait |\n|---|---:|---:|---:|---:|"
    );
    for load in LOADS.iter().filter(|load| wanted.is_empty() || wanted.iter().any(|name| *name == load.name))
    {
        under(load).await.with_context(|| format!("load \"{}\"", load.name))?;
    }
    Ok(())
}

async fn under(load: &Load) -> anyhow::Result<()> {
    let own = OwnEngine::start().await;
    let place = Place::new(Some(&own.fresh_store().await));
    let process = Process::start(&["collector"], &place.config, &place.log());
    let client = reqwest::Client::new();
    let health = format!("http://{}/healthz", place.listens[0]);
    eventually("the collector listens", async || client.get(&health).send().await.is_ok()).await;
    let url = format!("http://{}/v1/predictions", place.listens[0]);
    let body = load.body.map(|make| make());
    let (taken, waited, is_over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let send = async || -> anyhow::Result<()> {
        let Some(body) = &body else { return Ok(()) };
        while !is_over.load(Ordering::Relaxed) {
            let request = client.post(&url).header("content-type", "application/x-ndjson").body(body());
            match request.send().await?.status().as_u16() {
                200 => taken.fetch_add(1, Ordering::Relaxed),
                429 | 503 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    waited.fetch_add(1, Ordering::Relaxed)
                }
                other => bail!("answered with {other}"),
            };
        }
        Ok(())
    };
    let watch = async {
        tokio::time::sleep(Duration::from_secs(load.seconds)).await;
        if load.stalled_s > 0 {
            own.signal("STOP");
            tokio::time::sleep(Duration::from_secs(load.stalled_s)).await;
            own.signal("CONT");
        }
        is_over.store(true, Ordering::Relaxed);
        process.memory()
    };
    let senders = futures_util::future::try_join_all((0..SENDERS).map(|_| send()));
    let (memory, sent) = tokio::join!(watch, senders);
    sent?;
    println!(
        "| {} | {} | {} | {} | {} |",
        load.what,
        mib(memory.peak),
        mib(memory.resident),
        taken.into_inner(),
        waited.into_inner()
    );
    anyhow::ensure!(process.terminate().await.success(), "the collector ends well");
    Ok(())
}
