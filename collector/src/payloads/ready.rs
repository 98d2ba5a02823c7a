//! Groups of payloads that wait to be stored, in the order in which they came.

use std::collections::VecDeque;
use std::time::{Duration, Instant as Moment};

use super::journal::Place;
use super::pairs::Group;

/// Payload bytes of a batch, which bounds what decoding it takes.
const BATCH_BYTES: usize = 4 << 20;

/// Groups that wait to be stored.
#[derive(Default)]
pub(super) struct Ready {
    groups: VecDeque<Group<Place>>,
    bytes: usize,
    since: Option<Moment>,
}

impl Ready {
    pub(super) fn add(&mut self, group: Group<Place>) {
        self.bytes += bytes(&group);
        self.groups.push_back(group);
        self.since.get_or_insert_with(Moment::now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Since when the first of them waits.
    pub(super) fn since(&self) -> Option<Moment> {
        self.since
    }

    /// Whether there is room for more than the next batch takes.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < BATCH_BYTES
    }

    pub(super) fn is_due(&self, age: Duration, now: Moment) -> bool {
        self.bytes >= BATCH_BYTES
            || self.since.is_some_and(|since| now.saturating_duration_since(since) >= age)
    }

    /// Takes out as many groups as one batch may hold, at least one.
    pub(super) fn next_batch(&mut self) -> Vec<Group<Place>> {
        let mut batch = Vec::new();
        let mut taken = 0;
        while let Some(group) = self.groups.pop_front() {
            taken += bytes(&group);
            batch.push(group);
            if taken >= BATCH_BYTES {
                break;
            }
        }
        self.bytes -= taken;
        if self.groups.is_empty() {
            self.since = None;
        }
        batch
    }

    pub(super) fn put_back(&mut self, groups: &[Group<Place>]) {
        for group in groups.iter().rev() {
            self.bytes += bytes(group);
            self.groups.push_front(*group);
        }
        if !self.groups.is_empty() {
            self.since.get_or_insert_with(Moment::now);
        }
    }
}

fn bytes(group: &Group<Place>) -> usize {
    group.parts().map(|place| place.bytes()).sum()
}
