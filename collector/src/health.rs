//! Whether the store answers, as seen by those who write to it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use service::Health;

/// The name of the readiness check.
const CHECK: &str = "collector: store";

#[derive(Clone, Debug)]
pub struct StoreHealth {
    health: Health,
    away_since: Arc<Mutex<Option<Moment>>>,
}

impl StoreHealth {
    pub fn new(health: Health) -> Self {
        Self { health, away_since: Arc::default() }
    }

    pub fn answered(&self) {
        let before = self.lock().take();
        if before.is_some() {
            tracing::info!("the store answers again");
        }
        if before.is_some() || self.health.problems().contains_key(CHECK) {
            self.health.ready(CHECK);
        }
    }

    pub fn away(&self, error: &sql::Error) {
        let mut since = self.lock();
        if since.is_none() {
            tracing::warn!(%error, "the store is away; batches are repeated until it is back");
            *since = Some(Moment::now());
            self.health.not_ready(CHECK, error.to_string());
        }
    }

    /// For how long the store has been away; `None` when it answers.
    pub fn away_for(&self) -> Option<Duration> {
        self.lock().map(|since| since.elapsed())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Moment>> {
        self.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
