//! How many values fell into each bin of a grid: the one shape that every comparison starts from.

use crate::grid::Bin;

/// Counts by bin number of one grid. Bins that are not stored count zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    by_bin: Vec<u64>,
}

impl Counts {
    pub fn of(pairs: impl IntoIterator<Item = (Bin, u64)>) -> Self {
        let mut counts = Self::default();
        for (bin, n) in pairs {
            counts.add(bin, n);
        }
        counts
    }

    pub fn add(&mut self, bin: Bin, n: u64) {
        let index = usize::from(bin.0);
        if index >= self.by_bin.len() {
            self.by_bin.resize(index + 1, 0);
        }
        self.by_bin[index] += n;
    }

    pub fn merge(&mut self, other: &Self) {
        for (bin, n) in other.iter() {
            self.add(bin, n);
        }
    }

    pub fn get(&self, bin: Bin) -> u64 {
        self.by_bin.get(usize::from(bin.0)).copied().unwrap_or(0)
    }

    /// All events: those with a value and those without one.
    pub fn total(&self) -> u64 {
        self.by_bin.iter().sum()
    }

    /// Events whose value lies in a value bin or in *other*: neither missing nor invalid.
    pub fn present(&self) -> u64 {
        self.total() - self.get(Bin::MISSING) - self.get(Bin::INVALID)
    }

    pub fn missing(&self) -> u64 {
        self.get(Bin::MISSING)
    }

    pub fn invalid(&self) -> u64 {
        self.get(Bin::INVALID)
    }

    /// The bins that hold something, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = (Bin, u64)> + '_ {
        self.by_bin
            .iter()
            .enumerate()
            .filter(|(_, n)| **n > 0)
            .map(|(index, n)| (Bin(u16::try_from(index).expect("bins are numbered by u16")), *n))
    }

    /// The counts of the value bins `Bin::FIRST_VALUE ..`, padded with zeros to `bins` entries,
    /// with *other* as one more entry at the end.
    pub fn values(&self, bins: usize) -> Vec<u64> {
        let first = usize::from(Bin::FIRST_VALUE.0);
        let mut values: Vec<u64> =
            (first..first + bins).map(|index| self.by_bin.get(index).copied().unwrap_or(0)).collect();
        values.push(self.get(Bin::OTHER));
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_invalid_are_events_but_not_values() {
        let counts = Counts::of([(Bin::MISSING, 3), (Bin::INVALID, 1), (Bin::OTHER, 2), (Bin(4), 10)]);
        assert_eq!(counts.total(), 16);
        assert_eq!(counts.present(), 12);
        assert_eq!(counts.values(3), vec![0, 10, 0, 2]);
    }

    #[test]
    fn merging_adds_bin_by_bin() {
        let mut one = Counts::of([(Bin(3), 1)]);
        one.merge(&Counts::of([(Bin(3), 2), (Bin(9), 5)]));
        assert_eq!(one.iter().collect::<Vec<_>>(), vec![(Bin(3), 3), (Bin(9), 5)]);
    }
}
