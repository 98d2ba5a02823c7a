//! What the grid of a signal is made from: a uniform sample of its numbers, and how often each category occurs.
//!
//! Invariant: the same values in the same order give the same sample, in every run.

use std::collections::HashMap;

use domain::grid::{Bins, Edges, Levels};

use crate::event::Name;

/// Numbers kept of each signal: one MiB. With up to so many values the grid is made of all of them; of more, each has
/// the same chance to be among those kept. Quantiles of such a sample are off by less than 0.3 % of the values, which
/// moves edges a little and falsifies no count.
const NUMBERS_KEPT: usize = 131_072;
/// Different categories counted of each signal. What comes up only after so many others is rare, or an id.
const CATEGORIES_KEPT: usize = 100_000;

/// The values of one signal.
#[derive(Debug, Default)]
pub struct Sample {
    numbers: Vec<f64>,
    /// Finite numbers seen.
    pub finite: u64,
    pub not_finite: u64,
    pub categories: u64,
    least: Option<f64>,
    greatest: Option<f64>,
    levels: HashMap<Name, u64>,
    random: Random,
}

impl Sample {
    pub fn number(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite += 1;
            return;
        }
        self.finite += 1;
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        self.greatest = Some(self.greatest.map_or(value, |greatest| greatest.max(value)));
        if self.numbers.len() < NUMBERS_KEPT {
            self.numbers.push(value);
            return;
        }
        // Algorithm R: the n-th value replaces one of those kept with probability kept / n.
        let place = self.random.below(self.finite);
        if let Some(kept) = usize::try_from(place).ok().and_then(|place| self.numbers.get_mut(place)) {
            *kept = value;
        }
    }

    pub fn category(&mut self, value: &Name) {
        self.categories += 1;
        if let Some(n) = self.levels.get_mut(value) {
            *n += 1;
        } else if self.levels.len() < CATEGORIES_KEPT {
            self.levels.insert(value.clone(), 1);
        }
    }

    /// Adds the values of another sample.
    pub fn absorb(&mut self, other: Self) {
        other.numbers.into_iter().for_each(|value| self.number(value));
        self.not_finite += other.not_finite;
        for (value, n) in other.levels {
            self.categories += n;
            *self.levels.entry(value).or_default() += n;
        }
    }

    /// How many values there were.
    pub fn values(&self) -> u64 {
        self.finite + self.not_finite + self.categories
    }

    /// The bins for what most of the values are; `None` without any value that has a place in a bin.
    pub fn bins(&self) -> Option<Bins> {
        if self.categories > self.finite + self.not_finite {
            let counted = self.levels.iter().map(|(name, n)| (name.to_string(), *n));
            return Some(Bins::Categories(Levels::most_frequent(counted)));
        }
        if self.finite == 0 {
            return None;
        }
        let mut numbers = self.numbers.clone();
        // The extremes are exact: what lies outside the range has to be outside of all that was seen.
        numbers.extend(self.least.into_iter().chain(self.greatest));
        Some(Bins::Numbers(Edges::of_sample(numbers)))
    }
}

/// A small generator of numbers without a pattern (splitmix64), always from the same start.
#[derive(Debug)]
struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x1ee5_1de0_f1a5_411f)
    }
}

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // The product's upper half is uniform below the bound but for one part in 2^64 / bound.
        ((u128::from(mixed) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(bins: Option<Bins>) -> Edges {
        match bins {
            Some(Bins::Numbers(edges)) => edges,
            other => panic!("numbers expected, found {other:?}"),
        }
    }

    #[test]
    fn a_sample_of_many_values_has_their_quantiles_and_their_exact_range() {
        let mut sample = Sample::default();
        let n = 4 * NUMBERS_KEPT;
        // A rising file: a sample of its beginning would have no value from its end.
        (0..n).for_each(|k| sample.number(k as f64));
        assert_eq!(sample.numbers.len(), NUMBERS_KEPT);
        let edges = edges(sample.bins());
        let middle = edges.position(n as f64 / 2.0) as f64 / edges.bins() as f64;
        assert!((middle - 0.5).abs() < 0.02, "{middle}");
        assert!(edges.as_slice().contains(&((n - 1) as f64)));
        assert!(edges.as_slice().contains(&0.0_f64.next_down()));
    }

    #[test]
    fn the_same_values_give_the_same_bins() {
        let sample = || {
            let mut sample = Sample::default();
            (0..2 * NUMBERS_KEPT).for_each(|k| sample.number((k as f64).sin()));
            sample.bins()
        };
        assert_eq!(sample(), sample());
    }

    #[test]
    fn what_most_values_are_decides() {
        let mut sample = Sample::default();
        ["b", "a", "b"].iter().for_each(|text| sample.category(&Name::from(*text)));
        sample.number(1.0);
        match sample.bins() {
            Some(Bins::Categories(levels)) => assert_eq!(levels.names(), ["b", "a"]),
            other => panic!("categories expected, found {other:?}"),
        }
        assert_eq!(Sample::default().bins(), None);
        let mut nothing = Sample::default();
        nothing.number(f64::NAN);
        assert_eq!(nothing.bins(), None);
    }
}
