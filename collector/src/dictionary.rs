//! Numbers different names: Arrow's dictionaries, and the key by which counting finds a signal.
//!
//! Most names are shared between events, so they are found by where they lie; equal names that lie elsewhere are found
//! by their text.
//!
//! Invariant: every name whose address is remembered is kept, so that no other name can come to lie there.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::event::Name;

/// Addresses remembered at most: names that are not shared gain nothing from it.
const ADDRESSES: usize = 1 << 16;

#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    names: Vec<Name>,
    by_text: HashMap<Name, u32>,
    by_address: HashMap<usize, u32, BuildHasherDefault<AddressHasher>>,
    /// Names that are equal to one of `names` and lie elsewhere.
    twins: Vec<Name>,
    /// What stood at each place of the event before: events of a model mostly name their signals in one order.
    before: Vec<(usize, u32)>,
}

impl Dictionary {
    pub fn index(&mut self, name: &Name) -> u32 {
        let address = name.address();
        if let Some(index) = self.by_address.get(&address) {
            return *index;
        }
        match self.by_text.get(name.as_str()) {
            Some(index) => {
                let index = *index;
                if self.by_address.len() < ADDRESSES {
                    self.by_address.insert(address, index);
                    self.twins.push(name.clone());
                }
                index
            }
            None => self.add(name.clone()),
        }
    }

    /// The same for the name at `place` of an event.
    pub fn index_at(&mut self, place: usize, name: &Name) -> u32 {
        let address = name.address();
        if let Some((_, index)) = self.before.get(place).filter(|(before, _)| *before == address) {
            return *index;
        }
        let index = self.index(name);
        if self.by_address.contains_key(&address) {
            if self.before.len() <= place {
                self.before.resize(place + 1, (0, 0));
            }
            self.before[place] = (address, index);
        }
        index
    }

    pub fn index_of_text(&mut self, text: &str) -> u32 {
        match self.by_text.get(text) {
            Some(index) => *index,
            None => self.add(Name::from(text)),
        }
    }

    fn add(&mut self, name: Name) -> u32 {
        let index = u32::try_from(self.names.len()).expect("a batch is bounded far below 2^32 names");
        if self.by_address.len() < ADDRESSES {
            self.by_address.insert(name.address(), index);
        }
        self.by_text.insert(name.clone(), index);
        self.names.push(name);
        index
    }

    pub fn find(&self, text: &str) -> Option<u32> {
        self.by_text.get(text).copied()
    }

    /// In the order of their numbers.
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    pub fn name(&self, index: u32) -> &Name {
        &self.names[index as usize]
    }

    pub fn text(&self, index: u32) -> &str {
        &self.names[index as usize]
    }

    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Adds the names of `other`; gives the number here of each, or nothing where all numbers are the same.
    pub fn adopt(&mut self, other: &Self) -> Option<Vec<i32>> {
        let numbers: Vec<i32> = other.names.iter().map(|name| self.index(name) as i32).collect();
        let is_same = (0_i32..).zip(&numbers).all(|(there, here)| there == *here);
        (!is_same).then_some(numbers)
    }
}

/// Addresses are all different already; this only spreads them over the buckets.
#[derive(Clone, Debug, Default)]
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
        assert_eq!(dictionary.names().iter().map(Name::as_str).collect::<Vec<_>>(), ["a", "b", ""]);
        assert_eq!((dictionary.find("b"), dictionary.find("c")), (Some(1), None));
    }

    #[test]
    fn a_name_that_comes_where_another_was_is_not_taken_for_it() {
        let mut dictionary = Dictionary::default();
        for n in 0..2_000_u32 {
            // Each lies somewhere for a moment only, mostly where the one before lay.
            let (one, other) = (Name::from(format!("{n:08}")), Name::from("00000000"));
            assert_eq!((dictionary.index_at(0, &one), dictionary.index_at(1, &other)), (n, 0));
        }
    }

    #[test]
    fn the_names_of_another_dictionary_get_numbers_here() {
        let of = |texts: &[&str]| {
            let mut dictionary = Dictionary::default();
            for text in texts {
                dictionary.index_of_text(text);
            }
            dictionary
        };
        let mut dictionary = of(&["a", "b"]);
        assert_eq!(dictionary.adopt(&of(&["a", "b", "c"])), None);
        assert_eq!(dictionary.adopt(&of(&["d", "b"])), Some(vec![3, 1]));
    }
}
