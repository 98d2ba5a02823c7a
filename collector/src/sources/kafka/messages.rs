//! Messages of one partition, gathered for a batch: their bodies side by side in one buffer.

use std::ops::Range;

use crate::event::Name;

/// Messages in the order of their offsets.
#[derive(Debug, Default)]
pub struct Messages {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    offset: i64,
    body: Range<usize>,
    tags: Vec<(Name, String)>,
}

/// A message as it is decoded.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub offset: i64,
    /// Empty also for a message that has none.
    pub body: &'a [u8],
    /// Headers that are kept as tags.
    pub tags: &'a [(Name, String)],
}

impl Messages {
    pub fn push(&mut self, offset: i64, body: &[u8], tags: Vec<(Name, String)>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.items.push(Item { offset, body: start..self.bytes.len(), tags });
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The bytes of all bodies.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The first offset after the last message.
    pub fn next_offset(&self) -> Option<i64> {
        self.items.last().map(|item| item.offset + 1)
    }

    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        self.items.iter().map(|item| Message {
            offset: item.offset,
            // The ranges were made of this very buffer, which only grows.
            body: self.bytes.get(item.body.clone()).unwrap_or_default(),
            tags: &item.tags,
        })
    }
}
