//! Tells events that came before from new ones, by model, version, environment and id.
//!
//! Invariants: an event is called a duplicate only when the earlier one is stored for certain; what is remembered is
//! bounded in time and number, so a repetition that comes very late may be taken for new, and never the reverse (but for
//! one chance in 2^128 a pair).

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::contract::rule;
use domain::time::Instant;
use tokio::sync::watch;

use crate::config;
use crate::event::{Kind, Name, Prediction, Rejection};
use crate::guard::KeptOut;
use crate::predictions::Predictions;

/// A hash that stands for an event.
type Key = u128;
type Keys = HashSet<Key, BuildHasherDefault<AsItIs>>;

/// Keys are hashes already, of secret seeds: hashing them again would cost as much as making them (1.2 µs an event
/// instead of 0.6).
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
    }

    fn write_u128(&mut self, key: u128) {
        self.0 = key as u64;
    }
}

/// Says, once it is known, whether the batch that holds an event was stored.
pub type Fate = watch::Receiver<Option<bool>>;

/// Shared by everything that stores events of one collector.
#[derive(Clone)]
pub struct Duplicates(Arc<Shared>);

struct Shared {
    config: config::Duplicates,
    hashers: [RandomState; 2],
    window: Mutex<Window>,
}

/// What was stored lately, in two generations: the older one is forgotten when the newer one is full or old enough.
#[derive(Default)]
struct Window {
    newer: Keys,
    older: Keys,
    newer_since: Instant,
    under_way: HashMap<Key, Fate, BuildHasherDefault<AsItIs>>,
}

/// A batch, sorted by what is known of its events.
pub struct Sorted {
    pub fresh: Predictions,
    pub duplicates: Vec<Prediction>,
    /// Events that another batch holds, which is under way, with that batch's fate.
    pub undecided: Vec<(Prediction, Fate)>,
    claim: Claim,
}

/// What is known of a batch before it is written down which of its events are left out.
pub struct Told {
    /// The rows of events that came before, ascending.
    pub repeated: Vec<usize>,
    /// The others.
    pub claim: Claim,
}

/// Events that this batch stores. Dropped without a word they are forgotten: nobody knows whether they are stored.
pub struct Claim {
    shared: Arc<Shared>,
    keys: Vec<Key>,
    tell: watch::Sender<Option<bool>>,
}

impl Duplicates {
    pub fn new(config: config::Duplicates) -> Self {
        let hashers = [RandomState::new(), RandomState::new()];
        Self(Arc::new(Shared { config, hashers, window: Mutex::default() }))
    }

    pub fn is_on(&self) -> bool {
        self.0.config.window_s > 0
    }

    pub fn config(&self) -> &config::Duplicates {
        &self.0.config
    }

    /// Remembers an event of an earlier process.
    pub fn remember(&self, model: &str, version: &str, environment: &str, id: &str, now: Instant) {
        let key = self.0.key(model, version, environment, id);
        self.0.lock().add(key, &self.0.config, now);
    }

    /// Which of these events came before: stored for certain, or earlier in the row.
    pub fn came_before(&self, events: &[Prediction], now: Instant) -> Vec<bool> {
        let mut own = Keys::with_capacity_and_hasher(events.len(), BuildHasherDefault::default());
        let mut window = self.0.lock();
        window.turn(&self.0.config, now);
        events
            .iter()
            .map(|event| {
                let key = self.0.key_of(event);
                window.knows(&key) || !own.insert(key)
            })
            .collect()
    }

    /// Claims events that are stored whatever came before.
    pub fn claim(&self, events: &Predictions) -> Claim {
        let (tell, fate) = watch::channel(None);
        let mut claim = Claim { shared: self.0.clone(), keys: Vec::with_capacity(events.len()), tell };
        let keys = self.0.keys_of(events);
        let mut window = self.0.lock();
        for key in keys {
            // What another batch holds is that batch's to give up.
            if let Entry::Vacant(vacant) = window.under_way.entry(key) {
                vacant.insert(fate.clone());
                claim.keys.push(key);
            }
        }
        claim
    }

    /// Tells which events of a batch came before, and claims the others: all of them or none.
    ///
    /// # Errors
    /// Where one of them is under way in another batch: that batch's fate. Nothing is held while it is waited for, so two
    /// batches never wait for each other.
    pub fn claim_new(&self, events: &Predictions, now: Instant) -> Result<Told, Fate> {
        let (tell, fate) = watch::channel(None);
        let all = self.0.keys_of(events);
        let mut own = Keys::with_capacity_and_hasher(all.len(), BuildHasherDefault::default());
        let (mut repeated, mut keys) = (Vec::new(), Vec::with_capacity(all.len()));
        let mut window = self.0.lock();
        window.turn(&self.0.config, now);
        for (row, key) in all.into_iter().enumerate() {
            if window.knows(&key) || !own.insert(key) {
                repeated.push(row);
            } else if let Some(fate) = window.under_way.get(&key) {
                return Err(fate.clone());
            } else {
                keys.push(key);
            }
        }
        keys.iter().for_each(|key| {
            window.under_way.insert(*key, fate.clone());
        });
        Ok(Told { repeated, claim: Claim { shared: self.0.clone(), keys, tell } })
    }

    /// Sorts a batch, and claims its fresh events.
    pub fn sort(&self, events: Predictions, now: Instant) -> Sorted {
        let (tell, fate) = watch::channel(None);
        let mut claim = Claim { shared: self.0.clone(), keys: Vec::with_capacity(events.len()), tell };
        let (mut duplicates, mut undecided, mut others) = (Vec::new(), Vec::new(), Vec::new());
        let keys = self.0.keys_of(&events);
        let mut own = Keys::with_capacity_and_hasher(events.len(), BuildHasherDefault::default());
        let mut window = self.0.lock();
        window.turn(&self.0.config, now);
        for (row, key) in keys.into_iter().enumerate() {
            if window.knows(&key) || own.contains(&key) {
                duplicates.push(events.row(row));
                others.push(row);
            } else if let Some(fate) = window.under_way.get(&key) {
                undecided.push((events.row(row), fate.clone()));
                others.push(row);
            } else {
                own.insert(key);
                window.under_way.insert(key, fate.clone());
                claim.keys.push(key);
            }
        }
        Sorted { fresh: events.without(&others), duplicates, undecided, claim }
    }
}

impl Sorted {
    /// Says whether the fresh events were stored.
    pub fn settle(self, is_stored: bool, now: Instant) {
        self.claim.settle(is_stored, now);
    }
}

impl Claim {
    /// Says whether the events were stored.
    pub fn settle(self, is_stored: bool, now: Instant) {
        if is_stored {
            let mut window = self.shared.lock();
            self.keys.iter().for_each(|key| window.add(*key, &self.shared.config, now));
        }
        let _ = self.tell.send(Some(is_stored));
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut window = self.shared.lock();
        for key in &self.keys {
            window.under_way.remove(key);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key_of(&self, event: &Prediction) -> Key {
        self.key(&event.model, &event.version, &event.environment, &event.id)
    }

    fn keys_of(&self, events: &Predictions) -> Vec<Key> {
        let key = |row: usize| {
            let label = |numbers: &[i32]| events.labels.text(numbers[row] as u32);
            let (model, version) = (label(&events.models), label(&events.versions));
            self.key(model, version, label(&events.environments), events.ids.get(row))
        };
        (0..events.len()).map(key).collect()
    }

    fn key(&self, model: &str, version: &str, environment: &str, id: &str) -> Key {
        let [one, other] = &self.hashers;
        let whole = (model, version, environment, id);
        (u128::from(one.hash_one(whole)) << 64) | u128::from(other.hash_one(whole))
    }
}

impl Window {
    fn knows(&self, key: &Key) -> bool {
        self.newer.contains(key) || self.older.contains(key)
    }

    fn add(&mut self, key: Key, config: &config::Duplicates, now: Instant) {
        self.turn(config, now);
        self.newer.insert(key);
    }

    fn turn(&mut self, config: &config::Duplicates, now: Instant) {
        let is_old = now.since(self.newer_since).as_secs() >= config.window_s;
        if is_old || self.newer.len() >= config.most.div_ceil(2) {
            self.older = std::mem::take(&mut self.newer);
            self.newer_since = now;
        }
    }
}

/// Waits until it is known whether the batch that holds an event was stored.
pub async fn is_stored(mut fate: Fate) -> bool {
    // A batch that ended without a word is not known to be stored.
    fate.wait_for(Option::is_some).await.is_ok_and(|fate| *fate == Some(true))
}

/// What stands in `rejected_events` for an event that came before: the event itself is stored, so it is not kept again.
pub fn rejection(event: Prediction) -> Rejection {
    Rejection {
        received_at: event.received_at,
        model: event.model.to_string(),
        kind: Kind::Prediction,
        source: event.source.to_string(),
        position: String::new(),
        field: "id".to_owned(),
        reason: "came before, and is stored and counted once".to_owned(),
        payload: String::new(),
        kept_out: Some(Box::new(KeptOut {
            version: event.version,
            environment: event.environment,
            happened_at: event.timestamp,
            rules: vec![Name::from(rule::DUPLICATE)],
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> Prediction {
        Prediction { id: id.to_owned(), ..Prediction::empty(Name::from("m"), Instant::EPOCH) }
    }

    fn at(seconds: i64) -> Instant {
        Instant::from_seconds(1_000_000 + seconds)
    }

    fn sorted(duplicates: &Duplicates, ids: &[&str], seconds: i64) -> Sorted {
        duplicates.sort(ids.iter().map(|id| event(id)).collect::<Vec<_>>().into(), at(seconds))
    }

    fn numbers(sorted: &Sorted) -> (usize, usize, usize) {
        (sorted.fresh.len(), sorted.duplicates.len(), sorted.undecided.len())
    }

    fn window(window_s: u64, most: usize) -> Duplicates {
        Duplicates::new(config::Duplicates { window_s, most })
    }

    #[test]
    fn what_was_stored_is_told_and_what_was_not_is_new_again() {
        let duplicates = window(600, 1_000);
        let first = sorted(&duplicates, &["a", "b", "a"], 0);
        assert_eq!(numbers(&first), (2, 1, 0));
        first.settle(true, at(0));
        let second = sorted(&duplicates, &["b", "c"], 1);
        assert_eq!(numbers(&second), (1, 1, 0));
        second.settle(false, at(1));
        assert_eq!(numbers(&sorted(&duplicates, &["c"], 2)), (1, 0, 0));
        // The last one was dropped without a word.
        assert_eq!(numbers(&sorted(&duplicates, &["c"], 3)), (1, 0, 0));
    }

    #[tokio::test]
    async fn what_is_under_way_is_decided_by_the_batch_that_holds_it() {
        for stored in [true, false] {
            let duplicates = window(600, 1_000);
            let first = sorted(&duplicates, &["a"], 0);
            let mut second = sorted(&duplicates, &["a"], 0);
            assert_eq!(numbers(&second), (0, 0, 1));
            first.settle(stored, at(0));
            let (_, fate) = second.undecided.pop().expect("undecided");
            assert_eq!(is_stored(fate).await, stored);
        }
    }

    #[tokio::test]
    async fn a_batch_that_is_stored_as_it_is_makes_others_wait_and_is_known_afterwards() {
        let duplicates = window(600, 1_000);
        let whole = [event("a"), event("b"), event("a")];
        assert_eq!(duplicates.came_before(&whole, at(0)), [false, false, true]);
        let claim = duplicates.claim(&whole.iter().collect());
        let mut other = sorted(&duplicates, &["a"], 0);
        assert_eq!(numbers(&other), (0, 0, 1));
        claim.settle(true, at(1));
        let (_, fate) = other.undecided.pop().expect("undecided");
        assert!(is_stored(fate).await);
        assert_eq!(duplicates.came_before(&whole, at(2)), [true, true, true]);
    }

    #[tokio::test]
    async fn a_batch_is_claimed_whole_or_waits_for_what_is_under_way() {
        let duplicates = window(600, 1_000);
        let batch =
            |ids: &[&str]| -> Predictions { ids.iter().map(|id| event(id)).collect::<Vec<_>>().into() };
        sorted(&duplicates, &["a"], 0).settle(true, at(0));
        let other = sorted(&duplicates, &["c"], 0);
        let events = batch(&["a", "b", "b", "c"]);
        let Err(fate) = duplicates.claim_new(&events, at(1)) else { panic!("c is under way") };
        // Nothing of it is claimed while it waits.
        assert_eq!(numbers(&sorted(&duplicates, &["b"], 1)), (1, 0, 0));
        other.settle(false, at(1));
        assert!(!is_stored(fate).await);
        let Ok(Told { repeated, claim }) = duplicates.claim_new(&events, at(2)) else { panic!("c is free") };
        assert_eq!(repeated, [0, 2]);
        assert_eq!(numbers(&sorted(&duplicates, &["b", "c"], 2)), (0, 0, 2));
        claim.settle(true, at(3));
        assert_eq!(numbers(&sorted(&duplicates, &["a", "b", "c"], 3)), (0, 3, 0));
    }

    #[test]
    fn other_versions_and_environments_are_other_events() {
        let duplicates = window(600, 1_000);
        sorted(&duplicates, &["a"], 0).settle(true, at(0));
        let shadow = Prediction { version: Name::from("challenger"), ..event("a") };
        assert_eq!(numbers(&duplicates.sort(vec![shadow].into(), at(1))), (1, 0, 0));
    }

    #[test]
    fn an_earlier_process_counts_and_time_and_number_bound_the_memory() {
        let duplicates = window(60, 1_000);
        duplicates.remember("m", "", "production", "a", at(0));
        assert_eq!(numbers(&sorted(&duplicates, &["a"], 59)), (0, 1, 0));
        assert_eq!(numbers(&sorted(&duplicates, &["a"], 200)), (0, 1, 0), "remembered for a generation more");
        assert_eq!(numbers(&sorted(&duplicates, &["a"], 300)), (1, 0, 0));
        for n in 0..10_000 {
            duplicates.remember("m", "", "production", &n.to_string(), at(300));
        }
        let window = duplicates.0.lock();
        assert!(window.newer.len() + window.older.len() <= 1_000);
    }
}
