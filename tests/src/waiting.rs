//! Waiting for something to become true, with an end: tests never sleep for a guessed time.

use std::time::{Duration, Instant};

/// How long a test waits for what should come at once. Only a test that fails waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Waits until `condition` holds.
///
/// # Panics
/// With `what` where it does not within [`PATIENCE`].
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually_some(what, async || condition().await.then_some(())).await;
}

/// Waits until `look` finds something, and gives it.
///
/// # Panics
/// With `what` where it does not within [`PATIENCE`].
pub async fn eventually_some<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// For how long a run that kills at random goes on: `usual` seconds, or what `FAULT_SECONDS` says.
///
/// # Panics
/// Where that is no number.
pub fn fault_time(usual: u64) -> Duration {
    let stated = std::env::var("FAULT_SECONDS").ok();
    let seconds = stated.map_or(usual, |text| {
        text.parse().unwrap_or_else(|_| panic!("FAULT_SECONDS is \"{text}\", not a number of seconds"))
    });
    Duration::from_secs(seconds)
}
