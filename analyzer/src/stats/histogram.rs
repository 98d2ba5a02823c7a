//! Two histograms on one grid: what every comparison takes.
//!
//! Invariant: both sides have the same bins and at least one value each, so shares exist.

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};

use crate::stats::groups::Groups;

/// Counts of values by bin, of at least one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    n: u64,
}

impl Histogram {
    /// `None` without a value.
    pub fn of(counts: Vec<u64>) -> Option<Self> {
        let n = counts.iter().sum();
        (n > 0).then_some(Self { counts, n })
    }

    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many values lie in this bin or one before it.
    pub fn cumulative(&self) -> impl Iterator<Item = u64> + '_ {
        self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        })
    }

    /// The bin of the observed quantile `k/of`: the first whose cumulative share reaches it (numpy's `inverted_cdf`).
    pub fn quantile_bin(&self, k: u64, of: u64) -> usize {
        let [bin] = self.quantile_bins([k], of);
        bin
    }

    /// The bins of several observed quantiles, `ks` ascending, in one pass.
    pub fn quantile_bins<const K: usize>(&self, ks: [u64; K], of: u64) -> [usize; K] {
        let rank = |k: u64| (u128::from(self.n) * u128::from(k)).div_ceil(u128::from(of.max(1))).max(1);
        let ranks = ks.map(|k| u64::try_from(rank(k)).unwrap_or(u64::MAX));
        let mut found = [self.counts.len() - 1; K];
        let mut wanted = 0;
        for (bin, sum) in self.cumulative().enumerate() {
            while wanted < K && sum >= ranks[wanted] {
                found[wanted] = bin;
                wanted += 1;
            }
            if wanted == K {
                break;
            }
        }
        found
    }
}

/// How the bins lie.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Bins of numbers, in ascending order.
    Ordered {
        /// The value that stands for each bin, ascending: its mean in the baseline where that is known.
        places: Vec<f64>,
        /// Whether the bin holds one value only.
        atoms: Vec<bool>,
    },
    /// Categories, the last of them *other*.
    Unordered,
}

/// A baseline and a current histogram of one signal.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    pub baseline: Histogram,
    pub current: Histogram,
    pub axis: Axis,
    /// The coarser groups on which PSI and its kin are computed.
    pub groups: Groups,
}

impl Pair {
    /// `None` when a side has no value.
    pub fn new(baseline: Vec<u64>, current: Vec<u64>, axis: Axis) -> Option<Self> {
        debug_assert_eq!(baseline.len(), current.len());
        let (baseline, current) = (Histogram::of(baseline)?, Histogram::of(current)?);
        let groups = Groups::of(&baseline, &current, &axis);
        Some(Self { baseline, current, axis, groups })
    }

    /// The values of two counts on `grid`; missing and invalid are left out. `means` are the baseline's bin means.
    pub fn on(grid: &Grid, baseline: &Counts, current: &Counts, means: &BTreeMap<Bin, f64>) -> Option<Self> {
        let mut sides = [baseline, current].map(|counts| counts.values(grid.value_bins()));
        let axis = match &grid.bins {
            Bins::Numbers(edges) => {
                sides.iter_mut().for_each(|values| values.truncate(edges.bins()));
                ordered(edges, means)
            }
            Bins::Categories(_) => Axis::Unordered,
        };
        let [baseline, current] = sides;
        Self::new(baseline, current, axis)
    }

    /// `1/n + 1/m`, the variance that all noise laws of two samples scale with.
    pub fn s(&self) -> f64 {
        1.0 / self.baseline.n as f64 + 1.0 / self.current.n as f64
    }

    /// The cumulative shares of both sides at each bin's upper edge.
    pub fn cumulative_shares(&self) -> impl Iterator<Item = Sides> + '_ {
        let (n, m) = (self.baseline.n as f64, self.current.n as f64);
        let both = self.baseline.cumulative().zip(self.current.cumulative());
        both.map(move |(below, now)| Sides { baseline: below as f64 / n, current: now as f64 / m })
    }
}

/// One number on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sides {
    pub baseline: f64,
    pub current: f64,
}

fn ordered(edges: &Edges, means: &BTreeMap<Bin, f64>) -> Axis {
    let mut places: Vec<f64> = (0..edges.bins()).map(|position| edges.middle(position)).collect();
    for (bin, mean) in means {
        let Some(position) = bin.value_index().filter(|position| *position < places.len()) else { continue };
        let (low, high) = edges.limits(position);
        // A mean is a quotient of sums and may round out of its bin, which would break the ascending order.
        if mean.is_finite() {
            places[position] = mean.clamp(low, high);
        }
    }
    let atoms = (0..edges.bins()).map(|position| edges.is_atom(position)).collect();
    Axis::Ordered { places, atoms }
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;

    use super::*;

    #[test]
    fn missing_invalid_and_unbinned_are_not_values() {
        let edges = Edges::try_from(vec![1.0, 2.0]).expect("ascending");
        let grid = Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges));
        let baseline = Counts::of([(Bin::MISSING, 9), (Bin(3), 1), (Bin(5), 2)]);
        let means = BTreeMap::from([(Bin(3), 0.25), (Bin(99), 7.0)]);
        let pair = Pair::on(&grid, &baseline, &baseline, &means).expect("values on both sides");
        assert_eq!(pair.baseline.counts(), [1, 0, 2]);
        let Axis::Ordered { places, .. } = &pair.axis else { panic!("numbers are ordered") };
        assert_eq!(places, &[0.25, 1.5, 2.0]);
        assert!(Pair::on(&grid, &baseline, &Counts::of([(Bin::MISSING, 9)]), &means).is_none());
    }

    #[test]
    fn a_quantile_is_the_first_bin_that_reaches_it() {
        let histogram = Histogram::of(vec![5, 0, 5]).expect("values");
        assert_eq!(histogram.quantile_bin(1, 2), 0);
        assert_eq!(histogram.quantile_bin(51, 100), 2);
        assert_eq!(histogram.quantile_bin(1, 1), 2);
    }
}
