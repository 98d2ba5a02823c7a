//! The coarser groups on which PSI and its kin are computed: ten of about equal mass for numbers, for categories each
//! one that is frequent enough.
//!
//! Numbers: cut after the stored bin of each of the baseline's deciles (duplicates removed), which is the baseline's
//! decile rounded up to a stored edge, and before a value heavier than a tenth, so that it stays by itself (METHODS
//! 1.1). Categories: rare ones are pooled with *other*, and no more are kept than noise allows (METHODS 1.7). A group
//! that is empty on both sides says nothing and is left out.

use crate::stats::histogram::{Axis, Histogram};

/// How many groups of equal mass are made of numbers.
const DECILES: u64 = 10;
/// A category that is expected fewer times than this on a side is pooled.
const LEAST_EXPECTED: f64 = 5.0;
/// Categories are pooled until their noise `(K − 1)·s` is below this PSI, half of what is looked for.
const MOST_NOISE: f64 = 0.05;

/// Counts of both sides by group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Baseline and current of each group.
    pub counts: Vec<[u64; 2]>,
    /// The group of each bin; `None` where the group is empty.
    pub of_bin: Vec<Option<usize>>,
}

impl Groups {
    pub fn of(baseline: &Histogram, current: &Histogram, axis: &Axis) -> Self {
        let (counts, of_bin) = match axis {
            Axis::Ordered { atoms, .. } => ordered(baseline, current, atoms),
            Axis::Unordered => pooled(baseline, current),
        };
        Self::without_empty(counts, &of_bin)
    }

    /// Groups that were made elsewhere, one a bin.
    pub fn of_counts(counts: Vec<[u64; 2]>) -> Self {
        let of_bin: Vec<usize> = (0..counts.len()).collect();
        Self::without_empty(counts, &of_bin)
    }

    fn without_empty(counts: Vec<[u64; 2]>, of_bin: &[usize]) -> Self {
        let mut kept = Vec::with_capacity(counts.len());
        let places: Vec<Option<usize>> = counts
            .into_iter()
            .map(|pair| {
                (pair != [0, 0]).then(|| {
                    kept.push(pair);
                    kept.len() - 1
                })
            })
            .collect();
        let of_bin = of_bin.iter().map(|group| places.get(*group).copied().flatten()).collect();
        Self { counts: kept, of_bin }
    }

    /// Degrees of freedom: one fewer than there are groups.
    pub fn df(&self) -> u32 {
        u32::try_from(self.counts.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// All counts of both sides.
    pub fn totals(&self) -> [u64; 2] {
        self.counts.iter().fold([0, 0], |[n, m], [below, now]| [n + below, m + now])
    }
}

/// The counts by group, and the group of each bin.
type Grouped = (Vec<[u64; 2]>, Vec<usize>);

fn ordered(baseline: &Histogram, current: &Histogram, atoms: &[bool]) -> Grouped {
    let bins = baseline.counts().len();
    let mut begins = vec![false; bins + 1];
    begins[0] = true;
    for decile in baseline.quantile_bins([1, 2, 3, 4, 5, 6, 7, 8, 9], DECILES) {
        begins[decile + 1] = true;
    }
    for (bin, count) in baseline.counts().iter().enumerate() {
        if count * DECILES > baseline.n() && atoms.get(bin) == Some(&true) {
            begins[bin] = true;
        }
    }
    let mut groups: Vec<[u64; 2]> = Vec::with_capacity(2 * DECILES as usize);
    let mut of_bin = Vec::with_capacity(bins);
    for (bin, counts) in baseline.counts().iter().zip(current.counts()).enumerate() {
        if begins[bin] {
            groups.push([0, 0]);
        }
        if let Some(group) = groups.last_mut() {
            group[0] += counts.0;
            group[1] += counts.1;
        }
        of_bin.push(groups.len().saturating_sub(1));
    }
    (groups, of_bin)
}

/// The last entry of both histograms is *other*, which takes what is pooled; its group is the last one.
fn pooled(baseline: &Histogram, current: &Histogram) -> Grouped {
    let (n, m) = (baseline.n() as f64, current.n() as f64);
    let both: Vec<[u64; 2]> =
        baseline.counts().iter().zip(current.counts()).map(|(below, now)| [*below, *now]).collect();
    let Some((other, levels)) = both.split_last() else { return (Vec::new(), Vec::new()) };
    let expected = |[below, now]: [u64; 2]| (below + now) as f64 * n.min(m) / (n + m);
    let most = 1 + ((MOST_NOISE / (1.0 / n + 1.0 / m)).floor() as usize).max(1);
    let mut kept: Vec<usize> =
        (0..levels.len()).filter(|level| expected(levels[*level]) >= LEAST_EXPECTED).collect();
    kept.sort_by_key(|level| std::cmp::Reverse((levels[*level][0], levels[*level][1])));
    kept.truncate(most);
    kept.sort_unstable();
    let mut counts: Vec<[u64; 2]> = kept.iter().map(|level| levels[*level]).collect();
    let mut of_bin = vec![kept.len(); both.len()];
    kept.iter().enumerate().for_each(|(group, level)| of_bin[*level] = group);
    let mut other = *other;
    let pooled = levels.iter().zip(&of_bin).filter(|(_, group)| **group == kept.len());
    pooled.for_each(|(level, _)| join(&mut other, *level));
    counts.push(other);
    (counts, of_bin)
}

fn join(other: &mut [u64; 2], level: [u64; 2]) {
    other[0] += level[0];
    other[1] += level[1];
}

#[cfg(test)]
mod tests {
    use crate::stats::histogram::Pair;

    use super::*;

    fn ordered_pair(baseline: Vec<u64>, current: Vec<u64>, atom: impl Fn(usize) -> bool) -> Pair {
        let atoms = (0..baseline.len()).map(atom).collect();
        let places = (0..baseline.len()).map(|place| place as f64).collect();
        Pair::new(baseline, current, Axis::Ordered { places, atoms }).expect("values on both sides")
    }

    #[test]
    fn many_bins_become_ten_of_equal_mass() {
        let pair = ordered_pair(vec![7; 100], vec![3; 100], |_| false);
        assert_eq!(pair.groups.counts, vec![[70, 30]; 10]);
        assert_eq!(pair.groups.df(), 9);
    }

    #[test]
    fn a_value_that_is_most_of_the_data_stays_by_itself() {
        let pair = ordered_pair(vec![5, 90, 5], vec![50, 30, 20], |bin| bin == 1);
        assert_eq!(pair.groups.counts, vec![[5, 50], [90, 30], [5, 20]]);
    }

    #[test]
    fn what_appears_between_two_heavy_values_is_seen() {
        let pair = ordered_pair(vec![50, 0, 50, 0], vec![30, 40, 30, 0], |bin| bin % 2 == 0);
        assert_eq!(pair.groups.counts, vec![[50, 30], [0, 40], [50, 30]]);
    }

    #[test]
    fn rare_categories_are_pooled_with_other() {
        let pair = Pair::new(vec![500, 496, 2, 2, 0], vec![500, 490, 3, 2, 5], Axis::Unordered);
        assert_eq!(pair.expect("values").groups.counts, vec![[500, 500], [496, 490], [4, 10]]);
    }

    #[test]
    fn few_rows_keep_few_categories() {
        let pair = Pair::new(vec![100; 50], vec![4; 50], Axis::Unordered).expect("values");
        assert!(f64::from(pair.groups.df()) * pair.s() < 0.06, "{:?}", pair.groups);
        assert_eq!(pair.groups.totals(), [5_000, 200]);
    }
}
