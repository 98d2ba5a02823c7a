//! Bodies for measurements that differ in their ids only: an id that comes again is told, and not stored.

use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;

/// What stands in a body where the number of the request belongs.
pub const NUMBER: &str = "########";

/// One body, with other ids each time.
pub struct Bodies {
    body: Vec<u8>,
    places: Vec<usize>,
    sent: AtomicU32,
}

impl Bodies {
    /// Of a body that has [`NUMBER`] in every id.
    pub fn of(body: &str) -> Self {
        let places = body.match_indices(NUMBER).map(|(place, _)| place).collect();
        Self { body: body.as_bytes().to_vec(), places, sent: AtomicU32::new(0) }
    }

    /// The body with ids that no other has.
    pub fn fresh(&self) -> Bytes {
        let number = format!("{:08x}", self.sent.fetch_add(1, Ordering::Relaxed));
        let mut body = self.body.clone();
        for place in &self.places {
            body[*place..place + NUMBER.len()].copy_from_slice(number.as_bytes());
        }
        body.into()
    }
}
