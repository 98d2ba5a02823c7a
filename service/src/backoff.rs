//! When to try again: exponential, capped, with jitter, so that many clients do not come back at the same instant.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    pub first: Duration,
    pub most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), most: Duration::from_secs(10) }
    }
}

impl Backoff {
    /// The wait before attempt `attempt + 1`: `first · 2^attempt` up to `most`, between half of it and all of it by
    /// `jitter` (0 to 1).
    pub fn wait(&self, attempt: u32, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1_u32.checked_shl(attempt).unwrap_or(u32::MAX));
        let full = doubled.min(self.most);
        full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
    }

    /// The same with a random jitter.
    pub fn random_wait(&self, attempt: u32) -> Duration {
        self.wait(attempt, rand::random())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_never_overflow() {
        let backoff = Backoff::default();
        assert_eq!(backoff.wait(0, 1.0), Duration::from_millis(100));
        assert_eq!(backoff.wait(3, 1.0), Duration::from_millis(800));
        assert_eq!(backoff.wait(3, 0.0), Duration::from_millis(400));
        assert_eq!(backoff.wait(u32::MAX, 1.0), backoff.most);
    }
}
