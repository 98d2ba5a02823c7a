//! Numbers the different names of one batch: Arrow's dictionaries, and the key by which counting finds a signal.
//!
//! Most names are shared between events, so they are found by where they lie; equal names that lie elsewhere are found
//! by their text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::event::Name;

/// Addresses remembered at most: names that are not shared gain nothing from it.
const ADDRESSES: usize = 1 << 16;

/// Lives no longer than the events whose names it has seen, so that an address cannot be taken by another name.
#[derive(Debug, Default)]
pub struct Dictionary<'a> {
    texts: Vec<&'a str>,
    by_address: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    by_text: HashMap<&'a str, u32>,
    /// What stood at each place of the event before: events of a model mostly name their signals in one order.
    before: Vec<(usize, u32)>,
}

impl<'a> Dictionary<'a> {
    pub fn index(&mut self, name: &'a Name) -> u32 {
        let address = name.address();
        if let Some(index) = self.by_address.get(&address) {
            return *index;
        }
        let index = self.index_of_text(name.as_str());
        if self.by_address.len() < ADDRESSES {
            self.by_address.insert(address, index);
        }
        index
    }

    /// The same for the name at `place` of an event.
    pub fn index_at(&mut self, place: usize, name: &'a Name) -> u32 {
        let address = name.address();
        if let Some((_, index)) = self.before.get(place).filter(|(before, _)| *before == address) {
            return *index;
        }
        let index = self.index(name);
        if self.before.len() <= place {
            self.before.resize(place + 1, (0, 0));
        }
        self.before[place] = (address, index);
        index
    }

    pub fn index_of_text(&mut self, text: &'a str) -> u32 {
        let next = self.texts.len() as u32;
        let index = *self.by_text.entry(text).or_insert(next);
        if index == next {
            self.texts.push(text);
        }
        index
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    pub fn texts(&self) -> &[&'a str] {
        &self.texts
    }

    pub fn text(&self, index: u32) -> &'a str {
        self.texts[index as usize]
    }

    pub fn len(&self) -> usize {
        self.texts.len()
    }
}

/// Addresses are all different already; this only spreads them over the buckets.
#[derive(Debug, Default)]
pub struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ (address as u64 >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_names_have_one_number_wherever_they_lie() {
        let names = [Name::from("a"), Name::from("b"), Name::from("a"), Name::from("")];
        let mut dictionary = Dictionary::default();
        let indices: Vec<u32> = names.iter().map(|name| dictionary.index(name)).collect();
        assert_eq!(indices, [0, 1, 0, 2]);
        let again: Vec<u32> =
            names.iter().enumerate().map(|(place, name)| dictionary.index_at(place, name)).collect();
        assert_eq!(again, indices);
        assert_eq!(dictionary.texts(), ["a", "b", ""]);
        assert_eq!((dictionary.find("b"), dictionary.find("c")), (Some(1), None));
    }
}
