//! The different values of a column of categories with how often each occurs on either side, in bounded memory.

use std::collections::HashMap;

use crate::files::rungs::Side;
use crate::stats::histogram::{Axis, Pair};

/// Categories that are counted apart; rows of any further one are counted together as the last one.
pub const MOST_LEVELS: usize = 1 << 18;

#[derive(Clone, Debug)]
pub struct Levels {
    places: HashMap<Box<str>, usize>,
    counts: Vec<[u64; 2]>,
    others: [u64; 2],
    most: usize,
}

impl Default for Levels {
    fn default() -> Self {
        Self::of_at_most(MOST_LEVELS)
    }
}

/// What is known once everything is counted: the levels ordered by name, *other* last.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    pub names: Vec<String>,
    pub pair: Option<Pair>,
    /// How many different levels each side has, as far as they were kept apart.
    pub different: [u64; 2],
    /// Levels that the baseline has once, and rows of the current side whose level it does not have.
    pub once: u64,
    pub unseen: u64,
}

impl Levels {
    pub fn of_at_most(most: usize) -> Self {
        Self { places: HashMap::new(), counts: Vec::new(), others: [0, 0], most }
    }

    pub fn add(&mut self, side: Side, level: &str, count: u64) {
        let side = side as usize;
        match self.places.get(level) {
            Some(place) => self.counts[*place][side] += count,
            None if self.counts.len() < self.most => {
                self.places.insert(level.into(), self.counts.len());
                let mut counts = [0, 0];
                counts[side] = count;
                self.counts.push(counts);
            }
            None => self.others[side] += count,
        }
    }

    pub fn counted(self) -> Counted {
        let mut levels: Vec<(Box<str>, [u64; 2])> =
            self.places.into_iter().map(|(name, place)| (name, self.counts[place])).collect();
        levels.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        let different =
            [0, 1].map(|side| levels.iter().filter(|(_, counts)| counts[side] > 0).count() as u64);
        let once = levels.iter().filter(|(_, counts)| counts[0] == 1).count() as u64;
        let unseen = levels.iter().filter(|(_, counts)| counts[0] == 0).map(|(_, counts)| counts[1]).sum();
        let side = |side: usize| -> Vec<u64> {
            let counts = levels.iter().map(|(_, counts)| counts[side]);
            counts.chain([self.others[side]]).collect()
        };
        let pair = Pair::new(side(0), side(1), Axis::Unordered);
        let names = levels.into_iter().map(|(name, _)| name.into_string()).collect();
        Counted { names, pair, different, once, unseen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_counted_by_side_and_the_unknown_ones_are_known() {
        let mut levels = Levels::default();
        levels.add(Side::Baseline, "b", 5);
        levels.add(Side::Baseline, "a", 1);
        levels.add(Side::Current, "b", 2);
        levels.add(Side::Current, "", 3);
        let counted = levels.counted();
        assert_eq!(counted.names, ["", "a", "b"]);
        let pair = counted.pair.expect("values on both sides");
        assert_eq!((pair.baseline.counts(), pair.current.counts()), (&[0, 1, 5, 0][..], &[3, 0, 2, 0][..]));
        assert_eq!((counted.different, counted.once, counted.unseen), ([2, 2], 1, 3));
    }

    #[test]
    fn beyond_the_bound_levels_are_counted_together() {
        let mut levels = Levels::of_at_most(2);
        ["a", "b", "c", "d", "a"].into_iter().for_each(|level| levels.add(Side::Baseline, level, 1));
        levels.add(Side::Current, "d", 7);
        let pair = levels.counted().pair.expect("values on both sides");
        assert_eq!((pair.baseline.counts(), pair.current.counts()), (&[2, 1, 2][..], &[0, 0, 7][..]));
    }
}
