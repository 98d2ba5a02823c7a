//! What signals say: counts by bin, of minutes and of hours, come to the number of events, once their grids are counted
//! back.

use std::collections::BTreeMap;

use sql::Store;
use tests::{eventually, text};

use crate::running::{Running, soon};

/// Signals that every event of these tests carries, or says that it lacks.
const SIGNALS: [&str; 5] =
    ["feature.amount", "feature.country", "feature.day.hour", "latency_ms", "prediction.value"];

/// Holds that each signal's bins come to `n` events. A collector that finds the others gone makes the grids that are
/// lacking, and counts back by them.
pub async fn every_signal_counts(store: &Store, n: usize) {
    let config = collector::Config { grids: soon(), ..collector::Config::default() };
    let last = Running::start_with(store, config, BTreeMap::new()).await;
    let counted_back = "SELECT count() FROM grids FINAL WHERE recounted_at IS NOT NULL";
    eventually("every signal's grid is counted back", async || {
        text(store, counted_back).await == SIGNALS.len().to_string()
    })
    .await;
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
