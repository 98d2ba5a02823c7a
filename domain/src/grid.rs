//! The bins of a signal: made once, from its first values or from a file, and kept for years.
//!
//! Invariant: every value falls into exactly one bin, whatever it is. Finite numbers into `(a, b]` between neighbouring
//! edges, with open ends; NaN and infinities, and values of the other type, into *invalid*; absent and null into
//! *missing*; categories that were not among the most frequent into *other*.

mod edges;

pub use edges::{Edges, EdgesError};

use serde::{Deserialize, Serialize};

use crate::signal;
use crate::time::Instant;

/// The number of a bin in its grid. Value bins start at [`Bin::FIRST_VALUE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bin(pub u16);

impl Bin {
    /// Absent or null.
    pub const MISSING: Self = Self(0);
    /// NaN, an infinity, or a value of the wrong type.
    pub const INVALID: Self = Self(1);
    /// A category that has no bin of its own.
    pub const OTHER: Self = Self(2);
    pub const FIRST_VALUE: Self = Self(3);

    /// The position among the value bins, from 0; `None` for missing, invalid and other.
    pub fn value_index(self) -> Option<usize> {
        self.0.checked_sub(Self::FIRST_VALUE.0).map(usize::from)
    }

    fn of_value_index(index: usize) -> Self {
        let number = index + usize::from(Self::FIRST_VALUE.0);
        Self(u16::try_from(number).expect("a grid has fewer bins than u16 counts"))
    }
}

/// The identity of a grid: 32 bits of a hash over all that defines it, unique among the grids of one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GridId(pub u32);

/// The most frequent categories of a signal, most frequent first. Everything else is *other*.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    names: Vec<String>,
    /// Positions in `names`, ordered by name, for the binary search.
    by_name: Vec<u16>,
}

impl Levels {
    /// How many categories get a bin of their own. METHODS 1.7: more levels drown PSI in their own noise.
    pub const MOST: usize = 100;

    /// Keeps the first [`Levels::MOST`] different names, in the order given.
    pub fn of(names: impl IntoIterator<Item = String>) -> Self {
        let mut seen = std::collections::HashSet::new();
        let names: Vec<String> =
            names.into_iter().filter(|name| seen.insert(name.clone())).take(Self::MOST).collect();
        let mut by_name: Vec<u16> = (0..names.len() as u16).collect();
        by_name.sort_by(|a, b| names[usize::from(*a)].cmp(&names[usize::from(*b)]));
        Self { names, by_name }
    }

    /// The most frequent of counted categories; ties go by name, so that the result does not depend on the order.
    pub fn most_frequent(counted: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut counted: Vec<(String, u64)> = counted.into_iter().collect();
        counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Self::of(counted.into_iter().map(|(name, _)| name))
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name
            .binary_search_by(|index| self.names[usize::from(*index)].as_str().cmp(name))
            .ok()
            .map(|found| usize::from(self.by_name[found]))
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Bins {
    Numbers(Edges),
    Categories(Levels),
}

/// The bins of one signal of one model, and the receive time from which collectors count by them.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    pub id: GridId,
    pub model: String,
    pub signal: String,
    /// Events received from this instant on are counted by this grid as they arrive; earlier ones by a recount.
    pub holds_from: Instant,
    pub bins: Bins,
}

impl Grid {
    pub fn new(model: &str, signal: &str, holds_from: Instant, bins: Bins) -> Self {
        let id = identity(model, signal, holds_from, &bins);
        Self { id, model: model.to_owned(), signal: signal.to_owned(), holds_from, bins }
    }

    /// The grid that durations (`latency_ms`, `age_s.*`) have from the start, with `limits` among its edges.
    pub fn of_duration(model: &str, signal: &str, limits: &[f64]) -> Self {
        debug_assert!(signal::is_duration(signal));
        Self::new(model, signal, Instant::EPOCH, Bins::Numbers(Edges::of_duration(limits)))
    }

    /// How many value bins there are, without missing, invalid and other.
    pub fn value_bins(&self) -> usize {
        match &self.bins {
            Bins::Numbers(edges) => edges.bins(),
            Bins::Categories(levels) => levels.names().len(),
        }
    }

    pub fn is_numeric(&self) -> bool {
        matches!(self.bins, Bins::Numbers(_))
    }

    pub fn bin_of_number(&self, value: f64) -> Bin {
        match &self.bins {
            Bins::Numbers(edges) if value.is_finite() => Bin::of_value_index(edges.position(value)),
            Bins::Numbers(_) | Bins::Categories(_) => Bin::INVALID,
        }
    }

    pub fn bin_of_category(&self, value: &str) -> Bin {
        match &self.bins {
            Bins::Categories(levels) => levels.position(value).map_or(Bin::OTHER, Bin::of_value_index),
            Bins::Numbers(_) => Bin::INVALID,
        }
    }

    /// What a person calls the bin: `missing`, `other`, a category, or `(16.1, 18.4]`.
    pub fn label(&self, bin: Bin) -> String {
        match (bin, &self.bins) {
            (Bin::MISSING, _) => "missing".to_owned(),
            (Bin::INVALID, _) => "invalid".to_owned(),
            (Bin::OTHER, _) => "other".to_owned(),
            (bin, Bins::Numbers(edges)) => edges.label(bin.value_index().unwrap_or(0)),
            (bin, Bins::Categories(levels)) => bin
                .value_index()
                .and_then(|index| levels.names().get(index))
                .cloned()
                .unwrap_or_else(|| format!("bin {}", bin.0)),
        }
    }
}

/// FNV-1a over the definition, folded to 32 bits: the same definition has the same identity in every process.
fn identity(model: &str, signal: &str, holds_from: Instant, bins: &Bins) -> GridId {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut feed = |bytes: &[u8]| {
        for byte in bytes.iter().chain([0xff_u8].iter()) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    feed(model.as_bytes());
    feed(signal.as_bytes());
    feed(&holds_from.millis().to_le_bytes());
    match bins {
        Bins::Numbers(edges) => edges.as_slice().iter().for_each(|edge| feed(&edge.to_le_bytes())),
        Bins::Categories(levels) => levels.names().iter().for_each(|name| feed(name.as_bytes())),
    }
    GridId((hash >> 32) as u32 ^ hash as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(edges: &[f64]) -> Grid {
        let edges = Edges::try_from(edges.to_vec()).expect("ascending edges");
        Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges))
    }

    #[test]
    fn a_value_on_an_edge_belongs_to_the_bin_below_it() {
        let grid = numbers(&[1.0, 2.0]);
        let index = |value| grid.bin_of_number(value).value_index();
        assert_eq!(index(f64::MIN), Some(0));
        assert_eq!(index(1.0), Some(0));
        assert_eq!(index(1.0_f64.next_up()), Some(1));
        assert_eq!(index(2.0), Some(1));
        assert_eq!(index(f64::MAX), Some(2));
        assert_eq!(grid.value_bins(), 3);
    }

    #[test]
    fn what_is_no_finite_number_is_invalid_in_a_numeric_grid() {
        let grid = numbers(&[0.0]);
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(grid.bin_of_number(value), Bin::INVALID);
        }
        assert_eq!(grid.bin_of_category("12"), Bin::INVALID);
    }

    #[test]
    fn the_most_frequent_categories_have_bins_and_the_rest_is_other() {
        let counted = [("b", 5), ("a", 9), ("c", 5)].map(|(name, n)| (name.to_owned(), n));
        let levels = Levels::most_frequent(counted);
        assert_eq!(levels.names(), ["a", "b", "c"]);
        let grid = Grid::new("m", "feature.c", Instant::EPOCH, Bins::Categories(levels));
        assert_eq!(grid.bin_of_category("a"), Bin::FIRST_VALUE);
        assert_eq!(grid.bin_of_category("zzz"), Bin::OTHER);
        assert_eq!(grid.bin_of_number(1.0), Bin::INVALID);
        assert_eq!(grid.label(Bin(4)), "b");
    }

    #[test]
    fn no_more_than_a_hundred_categories_are_kept() {
        let levels = Levels::of((0..1_000).map(|n| n.to_string()));
        assert_eq!(levels.names().len(), Levels::MOST);
        assert_eq!(levels.position("99"), Some(99));
        assert_eq!(levels.position("100"), None);
    }

    #[test]
    fn the_identity_follows_the_definition() {
        assert_eq!(numbers(&[1.0]).id, numbers(&[1.0]).id);
        assert_ne!(numbers(&[1.0]).id, numbers(&[1.5]).id);
    }
}
