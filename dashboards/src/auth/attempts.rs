//! How often a password may be wrong: by name and by address, within a stretch of time.
//!
//! Invariant: bounded memory, whatever strangers send.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use domain::time::Instant;

/// Failures are remembered this long.
const STRETCH: Duration = Duration::from_secs(300);
/// So many of one name in that time, then it waits. A person who mistypes needs fewer; who guesses gets 2,880 a day.
const MOST_OF_A_NAME: usize = 10;
/// So many from one address: several people may share one.
const MOST_OF_AN_ADDRESS: usize = 30;
/// Names and addresses remembered at most; then the one whose last failure is oldest is forgotten.
const MOST_REMEMBERED: usize = 4_096;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Name(String),
    Address(IpAddr),
}

#[derive(Debug, Default)]
pub struct Attempts {
    failures: HashMap<Who, Vec<Instant>>,
}

impl Attempts {
    /// How long to wait before the next attempt; `None` where one may be made now.
    pub fn wait(&self, name: &str, address: Option<IpAddr>, now: Instant) -> Option<Duration> {
        let name = (Who::Name(name.to_owned()), MOST_OF_A_NAME);
        let address = address.map(|address| (Who::Address(address), MOST_OF_AN_ADDRESS));
        [Some(name), address]
            .into_iter()
            .flatten()
            .filter_map(|(who, most)| {
                let failures = self.failures.get(&who)?;
                let earliest = failures.len().checked_sub(most).and_then(|index| failures.get(index))?;
                let until = earliest.saturating_add(STRETCH);
                (now < until).then(|| until.since(now))
            })
            .max()
    }

    pub fn failed(&mut self, name: &str, address: Option<IpAddr>, now: Instant) {
        let name = Who::Name(crate::text::cut(name, 64));
        for who in std::iter::once(name).chain(address.map(Who::Address)) {
            self.forget_one(&who);
            let failures = self.failures.entry(who).or_default();
            failures.retain(|at| now < at.saturating_add(STRETCH));
            if failures.len() >= MOST_OF_AN_ADDRESS {
                failures.remove(0);
            }
            failures.push(now);
        }
    }

    /// A right password: the name starts anew. The address does not, or one valid account would unlock guessing others.
    pub fn succeeded(&mut self, name: &str) {
        self.failures.remove(&Who::Name(name.to_owned()));
    }

    fn forget_one(&mut self, newcomer: &Who) {
        if self.failures.len() < MOST_REMEMBERED || self.failures.contains_key(newcomer) {
            return;
        }
        let oldest = self.failures.iter().min_by_key(|(_, failures)| failures.last().copied());
        if let Some(who) = oldest.map(|(who, _)| who.clone()) {
            self.failures.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(seconds)
    }

    #[test]
    fn a_name_waits_after_ten_failures_and_is_free_after_five_minutes() {
        let mut attempts = Attempts::default();
        for second in 0..10 {
            assert_eq!(attempts.wait("ada", None, at(second)), None);
            attempts.failed("ada", None, at(second));
        }
        assert_eq!(attempts.wait("ada", None, at(10)), Some(Duration::from_secs(290)));
        assert_eq!(attempts.wait("bob", None, at(10)), None);
        assert_eq!(attempts.wait("ada", None, at(301)), None);
    }

    #[test]
    fn an_address_waits_whatever_names_it_tries() {
        let mut attempts = Attempts::default();
        let address = Some(IpAddr::from([10, 0, 0, 1]));
        for n in 0..30 {
            attempts.failed(&format!("user{n}"), address, at(0));
        }
        assert!(attempts.wait("somebody", address, at(1)).is_some());
        attempts.succeeded("somebody");
        assert!(attempts.wait("somebody", address, at(1)).is_some());
        assert_eq!(attempts.wait("somebody", Some(IpAddr::from([10, 0, 0, 2])), at(1)), None);
    }

    #[test]
    fn strangers_cannot_fill_the_memory() {
        let mut attempts = Attempts::default();
        for n in 0..10_000_i64 {
            attempts.failed(&format!("user{n}"), None, at(n / 100));
        }
        assert!(attempts.failures.len() <= MOST_REMEMBERED);
    }
}
