//! What everything that is counted says: traffic, moments, and counts by bin, of minutes and of hours, come to the number of
//! events, once grids are counted back.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sql::Store;
use tests::{eventually, text};

use crate::running::{Running, soon};

/// What says how many events there are.
const COUNTED: [&str; 5] = [
    "SELECT count() FROM predictions",
    "SELECT sum(events) FROM traffic_minutes WHERE segment = ''",
    "SELECT sum(events) FROM traffic_hours WHERE segment = ''",
    "SELECT sum(n) FROM signal_moments WHERE signal = 'feature.day.hour' AND segment = ''",
    "SELECT sum(n) FROM signal_moment_hours WHERE signal = 'feature.day.hour' AND segment = ''",
];

/// A store that was killed some times starts ten seconds after the last; then late stretches are compared.
const UNTIL_COUNTED: Duration = Duration::from_secs(240);

/// Waits until `n` events are stored and counted: the views of the last insert may still be at work, and what was stored
/// late may still be compared with the raw events.
pub async fn wait_for_stored(store: &Store, n: usize) {
    let expected = [n; COUNTED.len()].map(|n| n.to_string()).join("\t");
    let counted = format!("SELECT {}", COUNTED.map(|sum| format!("({sum})")).join(", "));
    let since = Instant::now();
    loop {
        // The store may be coming up again.
        let found = store.ask(&counted, "TabSeparatedRaw").await.unwrap_or_default();
        let found = String::from_utf8_lossy(&found).trim_end().to_owned();
        if found == expected {
            return;
        }
        assert!(since.elapsed() < UNTIL_COUNTED, "{n} events are expected, and in {COUNTED:?} are {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub async fn holds_exactly(store: &Store, n: usize) {
    let raw = text(store, "SELECT count(), uniqExact(id) FROM predictions").await;
    assert_eq!(raw, format!("{n}\t{n}"));
    // What was taken over from a collector that died is compared with the raw events, and put right once more where an
    // insert was half visible then.
    for sum in COUNTED {
        eventually(&format!("{sum} says {n}"), async || text(store, sum).await == n.to_string()).await;
    }
    every_signal_counts(store, n).await;
}

/// Signals that every event of these tests carries, or says that it lacks.
const SIGNALS: [&str; 5] =
    ["feature.amount", "feature.country", "feature.day.hour", "latency_ms", "prediction.value"];

/// Holds that each signal's bins come to `n` events. A collector that finds the others gone makes the grids that are
/// lacking, and counts back by them.
async fn every_signal_counts(store: &Store, n: usize) {
    let config = collector::Config { grids: soon(), ..collector::Config::default() };
    let last = Running::start_with(store, config, BTreeMap::new()).await;
    grids_are_counted_back(store).await;
    for table in ["signal_minutes", "signal_hours"] {
        let sums = format!(
            "SELECT groupArray((signal, n)) FROM (SELECT toString(signal) AS signal, sum(n) AS n FROM {table} \
             WHERE segment = '' GROUP BY signal ORDER BY signal)"
        );
        let expected: Vec<String> = SIGNALS.iter().map(|signal| format!("('{signal}',{n})")).collect();
        let expected = format!("[{}]", expected.join(","));
        // What came late is compared once it has settled.
        eventually(&format!("{table} says {expected}"), async || text(store, &sums).await == expected).await;
    }
    last.stop().await;
}

/// Waits until the signals of these tests have grids, and what came before them is counted.
pub async fn grids_are_counted_back(store: &Store) {
    let counted_back = "SELECT count() FROM grids FINAL WHERE recounted_at IS NOT NULL";
    eventually("every signal's grid is counted back", async || {
        text(store, counted_back).await == SIGNALS.len().to_string()
    })
    .await;
}
