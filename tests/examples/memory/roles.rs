//! What each role holds while 4,400 events a second come in, each a process of its own, and a whole system without traffic.

use std::time::{Duration, Instant};

use tests::bodies::{Bodies, NUMBER};
use tests::{Memory, OwnEngine, Process, eventually};

use super::{Place, mib};

const ROLES: [&str; 4] = ["collector", "analyzer", "alerter", "dashboards"];
const EVENTS_PER_S: usize = 4_400;
const BODIES_PER_S: usize = 10;
/// How long a system without traffic is given to come to rest.
const REST: Duration = Duration::from_secs(10);

pub async fn measure(seconds: u64) -> anyhow::Result<()> {
    let own = OwnEngine::start().await;
    let place = Place::new(Some(&own.fresh_store().await));
    let start = |role| Process::start(&[role], &place.config, &place.log());
    let roles = ROLES.map(|role| (role, start(role)));
    let client = reqwest::Client::new();
    for listen in &place.listens {
        let url = format!("http://{listen}/healthz");
        eventually("every role listens", async || client.get(&url).send().await.is_ok()).await;
    }
    let url = format!("http://{}/v1/predictions", place.listens[0]);
    let taken = send(&client, &url, seconds).await?;
    println!("{taken} events in {seconds} s, 53 signals each\n\n| role | MiB | most |\n|---|---:|---:|");
    let engine = Memory::of(own.engine.pid().expect("the engine runs"));
    say("embedded engine", engine);
    for (role, process) in roles {
        say(role, process.memory());
        anyhow::ensure!(process.terminate().await.success(), "the {role} ends well");
    }
    drop(own);
    at_rest(&client).await
}

fn say(what: &str, Memory { resident, peak }: Memory) {
    println!("| {what} | {} | {} |", mib(resident), mib(peak));
}

/// Sends so many events a second; gives how many were taken.
async fn send(client: &reqwest::Client, url: &str, seconds: u64) -> anyhow::Result<usize> {
    let event = |event: usize| {
        let value = |n: usize| ((event * 2_654_435_761 + n * 40_503) % 1_000_003) as f64 / 997.0;
        let values: Vec<String> = (0..50).map(|n| format!("\"f{n}\":{:.4}", value(n))).collect();
        format!(
            "{{\"id\":\"{NUMBER}-{event}\",\"model\":\"roles\",\"features\":{{{},\"country\":\"{}\"}},\
             \"prediction\":0.{event},\"latency_ms\":{}.5}}\n",
            values.join(","),
            ["BR", "DE", "FR"][event % 3],
            event % 90
        )
    };
    let a_body = EVENTS_PER_S / BODIES_PER_S;
    let bodies = Bodies::of(&(0..a_body).map(event).collect::<String>());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / BODIES_PER_S as u32);
    let (began, mut taken) = (Instant::now(), 0);
    let mut under_way = tokio::task::JoinSet::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        ticks.tick().await;
        let request = client.post(url).header("content-type", "application/x-ndjson").body(bodies.fresh());
        under_way.spawn(request.send());
    }
    for answer in under_way.join_all().await {
        answer?.error_for_status()?;
        taken += a_body;
    }
    Ok(taken)
}

/// A whole system to which nobody sends anything.
async fn at_rest(client: &reqwest::Client) -> anyhow::Result<()> {
    let place = Place::new(None);
    let up = Process::start(&["up"], &place.config, &place.log());
    let url = format!("http://{}/healthz", place.listens[3]);
    eventually("the system listens", async || client.get(&url).send().await.is_ok()).await;
    tokio::time::sleep(REST).await;
    say("`leeway up` without traffic", up.memory());
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", up.pid()))?;
    for engine in children.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        say("its engine", Memory::of(engine));
    }
    anyhow::ensure!(up.terminate().await.success(), "the system ends well");
    Ok(())
}
