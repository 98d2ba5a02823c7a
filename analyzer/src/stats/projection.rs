//! Vectors on the axes along which a baseline of them varies most, and in the clusters that it has.
//!
//! Axes and clusters are made of the baseline alone and kept, so that both sides are measured by the same.

/// Passes of the subspace iteration: axes are as good as the gaps between what they explain, which is enough to count on.
const PASSES: usize = 8;
const CLUSTER_PASSES: usize = 15;
/// An axis along which nothing varies is left out: less than this part of the first one's deviation.
const LEAST_DEVIATION: f64 = 1e-6;

/// The first principal axes of a baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Projection {
    mean: Vec<f64>,
    /// Orthonormal, the one that explains most first.
    axes: Vec<Vec<f64>>,
    /// The baseline's standard deviation along each.
    deviations: Vec<f64>,
}

impl Projection {
    /// At most `most` axes of rows of one length (others are left out, and what is not finite), by subspace iteration on
    /// the covariance (Halko, Martinsson and Tropp 2011, algorithm 4.4), from a start that is always the same. `None` of
    /// fewer than two rows, or where nothing varies. O(rows · length · axes) a pass.
    pub fn of(rows: &[Vec<f64>], most: usize) -> Option<Self> {
        let length = rows.first()?.len();
        let rows: Vec<&Vec<f64>> = rows.iter().filter(|row| is_whole(row, length)).collect();
        if rows.len() < 2 || length == 0 {
            return None;
        }
        let n = rows.len() as f64;
        let mut mean = vec![0.0; length];
        rows.iter().for_each(|row| add(&mut mean, row, 1.0 / n));
        let centred: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| row.iter().zip(&mean).map(|(value, mean)| value - mean).collect())
            .collect();
        let mut axes = start(length, most.min(length));
        orthonormalise(&mut axes);
        for _ in 0..PASSES {
            let mut next = vec![vec![0.0; length]; axes.len()];
            for row in &centred {
                for (axis, next) in axes.iter().zip(&mut next) {
                    add(next, row, product(row, axis));
                }
            }
            axes = next;
            orthonormalise(&mut axes);
        }
        let deviation = |axis: &Vec<f64>| {
            (centred.iter().map(|row| product(row, axis).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
        };
        let mut found: Vec<(f64, Vec<f64>)> = axes.into_iter().map(|axis| (deviation(&axis), axis)).collect();
        found.sort_by(|one, other| other.0.total_cmp(&one.0));
        // What the rounding of the mean leaves of rows that are all the same is no deviation.
        let rounding = 1e-12 * product(&mean, &mean).sqrt();
        let least = rounding.max(LEAST_DEVIATION * found.first()?.0);
        found.retain(|(deviation, _)| *deviation > least);
        let (deviations, axes): (Vec<f64>, Vec<Vec<f64>>) = found.into_iter().unzip();
        (!axes.is_empty()).then_some(Self { mean, axes, deviations })
    }

    pub fn axes(&self) -> usize {
        self.axes.len()
    }

    /// A row in standard deviations along each axis; `None` of another length, or of what is not finite.
    pub fn project(&self, row: &[f64]) -> Option<Vec<f64>> {
        if !is_whole(row, self.mean.len()) {
            return None;
        }
        let centred: Vec<f64> = row.iter().zip(&self.mean).map(|(value, mean)| value - mean).collect();
        let along = self.axes.iter().zip(&self.deviations);
        Some(along.map(|(axis, deviation)| product(&centred, axis) / deviation).collect())
    }
}

/// How far the means of two sets of projected rows are apart, `√Σ Δₐ²` in the baseline's standard deviations
/// (Mahalanobis 1936), and what chance alone makes of it: `√(axes·(1/n + 1/m))`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shift {
    pub distance: f64,
    pub by_chance: f64,
}

/// `None` where a side has no row.
pub fn shift(baseline: &[Vec<f64>], current: &[Vec<f64>]) -> Option<Shift> {
    let axes = baseline.first()?.len();
    let (n, m) = (baseline.len() as f64, current.len() as f64);
    if current.is_empty() {
        return None;
    }
    let mean =
        |rows: &[Vec<f64>], axis: usize| rows.iter().map(|row| row[axis]).sum::<f64>() / rows.len() as f64;
    let squares: f64 = (0..axes).map(|axis| (mean(current, axis) - mean(baseline, axis)).powi(2)).sum();
    Some(Shift { distance: squares.sqrt(), by_chance: (axes as f64 * (1.0 / n + 1.0 / m)).sqrt() })
}

/// Centres of clusters of projected rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Clusters {
    centres: Vec<Vec<f64>>,
}

impl Clusters {
    /// At most `most` of a baseline (Lloyd 1982), from rows that lie evenly in their order, so always the same. `None` of
    /// no row.
    pub fn of(rows: &[Vec<f64>], most: usize) -> Option<Self> {
        let length = rows.first()?.len();
        let wanted = most.min(rows.len());
        let mut centres: Vec<Vec<f64>> =
            (0..wanted).map(|place| rows[place * rows.len() / wanted].clone()).collect();
        for _ in 0..CLUSTER_PASSES {
            let held = Self { centres };
            let mut sums = vec![(vec![0.0; length], 0.0); wanted];
            for row in rows {
                let (sum, n) = &mut sums[held.nearest(row)];
                add(sum, row, 1.0);
                *n += 1.0;
            }
            let moved = sums.into_iter().zip(held.centres).map(|((sum, n), kept)| match n > 0.0 {
                true => sum.into_iter().map(|value| value / n).collect(),
                false => kept,
            });
            centres = moved.collect();
        }
        (!centres.is_empty()).then_some(Self { centres })
    }

    pub fn nearest(&self, row: &[f64]) -> usize {
        let distance =
            |centre: &[f64]| -> f64 { centre.iter().zip(row).map(|(c, value)| (c - value).powi(2)).sum() };
        let nearest = self.centres.iter().map(|centre| distance(centre)).enumerate();
        nearest.min_by(|one, other| one.1.total_cmp(&other.1)).map_or(0, |(place, _)| place)
    }

    /// How many rows are in each.
    pub fn occupancy(&self, rows: &[Vec<f64>]) -> Vec<u64> {
        let mut counts = vec![0; self.centres.len()];
        rows.iter().for_each(|row| counts[self.nearest(row)] += 1);
        counts
    }
}

fn is_whole(row: &[f64], length: usize) -> bool {
    row.len() == length && row.iter().all(|value| value.is_finite())
}

fn product(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], row: &[f64], times: f64) {
    to.iter_mut().zip(row).for_each(|(to, value)| *to += times * value);
}

/// Vectors in all directions, always the same ones (a linear congruential sequence; Knuth's constants).
fn start(length: usize, axes: usize) -> Vec<Vec<f64>> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..axes).map(|_| (0..length).map(|_| next()).collect()).collect()
}

/// Gram and Schmidt's, twice for its rounding; what depends on the others becomes nothing.
fn orthonormalise(axes: &mut [Vec<f64>]) {
    for place in 0..axes.len() {
        let (done, rest) = axes.split_at_mut(place);
        let axis = &mut rest[0];
        let before = product(axis, axis).sqrt();
        for _ in 0..2 {
            for other in done.iter() {
                let along = product(axis, other);
                add(axis, other, -along);
            }
        }
        let length = product(axis, axis).sqrt();
        let scale = if length > 1e-10 * before { 1.0 / length } else { 0.0 };
        axis.iter_mut().for_each(|value| *value *= scale);
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    fn normal(random: &mut StdRng) -> f64 {
        (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Rows of eight numbers that vary along two directions, with deviations 3 and 1, around `at`.
    fn rows(n: usize, at: f64, seed: u64) -> Vec<Vec<f64>> {
        let mut random = StdRng::seed_from_u64(seed);
        let row = |random: &mut StdRng| {
            let (long, short) = (3.0 * normal(random), normal(random));
            (0..8).map(|place| at + if place % 2 == 0 { long / 2.0 } else { short / 2.0 }).collect()
        };
        (0..n).map(|_| row(&mut random)).collect()
    }

    #[test]
    fn the_axes_are_those_along_which_rows_vary() {
        let projection = Projection::of(&rows(4_000, 10.0, 1), 5).expect("rows");
        assert_eq!(projection.axes(), 2, "no third direction: {projection:?}");
        assert!(
            (projection.deviations[0] - 3.0).abs() < 0.1 && (projection.deviations[1] - 1.0).abs() < 0.05
        );
        assert!(projection.axes[0].iter().step_by(2).all(|part| (part.abs() - 0.5).abs() < 0.01));
        assert_eq!(projection.project(&[0.0; 7]), None);
        assert_eq!(projection.project(&[f64::NAN; 8]), None);
    }

    #[test]
    fn a_moved_mean_is_told_in_deviations() {
        let (before, same, moved) = (rows(4_000, 10.0, 1), rows(4_000, 10.0, 2), rows(4_000, 10.5, 3));
        let projection = Projection::of(&before, 5).expect("rows");
        let project = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
            rows.iter().filter_map(|row| projection.project(row)).collect()
        };
        let (before, same, moved) = (project(&before), project(&same), project(&moved));
        let nothing = shift(&before, &same).expect("rows");
        assert!(nothing.distance < 3.0 * nothing.by_chance, "{nothing:?}");
        // Half a unit in each of eight numbers is 1 along both axes: 1/3 and 1 deviations.
        let found = shift(&before, &moved).expect("rows");
        assert!((found.distance - (1.0_f64 / 9.0 + 1.0).sqrt()).abs() < 0.1, "{found:?}");
        assert_eq!(shift(&before, &[]), None);
    }

    #[test]
    fn every_row_is_in_one_cluster() {
        let before = rows(1_000, 0.0, 1);
        let clusters = Clusters::of(&before, 16).expect("rows");
        let occupancy = clusters.occupancy(&before);
        assert_eq!((occupancy.len(), occupancy.iter().sum::<u64>()), (16, 1_000));
        assert_eq!(Clusters::of(&[], 16), None);
    }

    #[test]
    fn what_does_not_vary_has_no_axis() {
        assert_eq!(Projection::of(&vec![vec![1.0, 2.0]; 50], 2), None);
        assert_eq!(Projection::of(&[], 2), None);
    }
}
