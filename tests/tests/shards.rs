//! Analyzers that share the models, as processes of their own: one is killed, the others take its models over.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use analyzer::shard::Shard;
use sql::Store;
use tests::{Process, free_port};

const MODELS: u32 = 6;
const TAKEOVER_S: u64 = 4;
/// Windows of a minute that are there to be judged, of each model.
const MINUTES: i64 = 40;

/// Models that got an event every second for a while; where the last of their minutes ended, in seconds.
async fn busy_models(store: &Store, name: &str) -> i64 {
    let now: i64 = tests::text(store, "SELECT toUnixTimestamp(now())").await.trim().parse().expect("a time");
    let end = now / 60 * 60 - 60;
    let mut rows = String::new();
    for model in 0..MODELS {
        for minute in 1..=MINUTES {
            let second = end - 60 * minute;
            let _ = write!(
                rows,
                "('{name}{model}','1','production','',{second},60,0,'{second}.000','{}.000',0,'{second}.000'),",
                second + 59
            );
        }
    }
    let rows = rows.trim_end_matches(',');
    // The table's own view fills the hours.
    let columns = "model, version, environment, segment, minute, events, errors, first_event, last_event, \
                   largest_lag_ms, last_received_at";
    tests::text(store, &format!("INSERT INTO traffic_minutes ({columns}) VALUES {rows}")).await;
    end
}

fn configuration(store: &Store, shard: &str) -> String {
    let sql::Config { url, user, password, database, .. } = store.config();
    let mut text = format!(
        "[clickhouse]\nurl = \"{url}\"\nuser = \"{user}\"\npassword = \"{password}\"\ndatabase = \"{database}\"\n\
         [analyzer]\nlisten = \"127.0.0.1:{}\"\ntick_s = 1\nwindows_a_batch = 4\nshard = \"{shard}\"\n\
         takeover_s = {TAKEOVER_S}\n",
        free_port()
    );
    for model in 0..MODELS {
        let watch = "name = \"live\"\nwindow_s = 60\nstep_s = 60\ngrace_s = 1\nmonitors = [\"traffic\"]";
        let _ = write!(
            text,
            "[[models.before{model}.watches]]\n{watch}\n[[models.after{model}.watches]]\n{watch}\n"
        );
    }
    text
}

fn start(store: &Store, folder: &Path, place: u32) -> Process {
    let file = folder.join(format!("leeway-{place}.toml"));
    std::fs::write(&file, configuration(store, &format!("{place}/2"))).expect("written");
    Process::start(&["analyzer"], &file, &folder.join(format!("log-{place}")))
}

/// The end of the latest window that was judged of each model of that name, in seconds.
async fn judged_until(store: &Store, name: &str) -> Vec<(String, i64)> {
    let statement = format!(
        "SELECT model, toUnixTimestamp(max(window_end)) FROM evaluations \
         WHERE watch = 'live' AND startsWith(model, '{name}') GROUP BY model"
    );
    let text = tests::text(store, &statement).await;
    let line = |line: &str| {
        let (model, end) = line.split_once('\t')?;
        Some((model.to_owned(), end.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}

async fn all_are_judged(what: &str, store: &Store, name: &str, end: i64) {
    tests::eventually(what, async || {
        let judged = judged_until(store, name).await;
        judged.len() == MODELS as usize && judged.iter().all(|(_, until)| *until >= end)
    })
    .await;
}

#[tokio::test]
async fn the_models_of_a_killed_analyzer_are_taken_over_and_no_verdict_doubles() {
    let store = tests::fresh_store().await;
    let end = busy_models(&store, "before").await;
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (start(&store, folder.path(), 1), start(&store, folder.path(), 2));
    let of_second: Shard = "2/2".parse().expect("a shard");
    tests::eventually("the second is at work", async || {
        judged_until(&store, "before").await.iter().any(|(model, _)| of_second.holds(model))
    })
    .await;
    second.kill().await;
    let left = judged_until(&store, "before").await;
    let is_left = |(model, until): &(String, i64)| of_second.holds(model) && *until < end;
    assert!(left.iter().any(is_left), "it was killed in the middle: {left:?}");
    let began = Instant::now();
    all_are_judged("the first has taken over", &store, "before", end).await;
    // Silence counts as death, and somebody looks; then its windows are judged.
    let most = Duration::from_secs(TAKEOVER_S + TAKEOVER_S / 4 + 15);
    assert!(began.elapsed() < most, "it took {:?}", began.elapsed());

    let second = start(&store, folder.path(), 2);
    let log = folder.path().join("log-1");
    tests::eventually("the first gives the models back", async || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("each has its own models again"))
    })
    .await;
    let end = busy_models(&store, "after").await;
    all_are_judged("both judge their own", &store, "after", end).await;
    first.terminate().await;
    second.terminate().await;

    let doubled = "SELECT model, monitor, window_end, count() FROM evaluations WHERE watch = 'live' \
                   GROUP BY model, monitor, signal, segment, window_end HAVING count() > 1";
    assert_eq!(tests::text(&store, doubled).await, "", "of each window the first verdict counts");
    let gaps = "SELECT model, windows, expected FROM (SELECT model, count(DISTINCT window_end) AS windows, \
                toInt64(toUnixTimestamp(max(window_end)) - toUnixTimestamp(min(window_end))) / 60 + 1 AS expected \
                FROM evaluations WHERE watch = 'live' GROUP BY model) WHERE windows != expected";
    assert_eq!(tests::text(&store, gaps).await, "", "no window is left out");
}
