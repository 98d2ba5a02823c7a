//! When a signal changed, from its counts by step.
//!
//! Each step's counts become one number: the mean over its events of `ln(q_b/p_b)`, by how much more frequent its bin has
//! become. Of all projections this tells the two distributions apart best (Neyman and Pearson), for numbers, categories and
//! missing values alike. One change of its level is looked for ([`one_change`]).

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::grid::{Bin, Grid};
use domain::time::Instant;
use sql::counts::CountPoint;

use crate::stats::change_point::one_change;
use crate::stats::histogram::Pair;

/// Fewer steps than this on a side tell no change.
const LEAST_SIDE: usize = 2;
const LEAST_STEPS: usize = 6;
/// The sum of squares must fall by so many times what is left of its variance: about four standard errors.
const LEAST_GAIN: f64 = 16.0;

/// What each bin says about the change: `ln(q/p)` of its group, and of being there at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    by_bin: BTreeMap<Bin, f64>,
}

impl Weights {
    /// `None` where neither side has a value or something missing to compare.
    pub fn of(grid: &Grid, before: &Counts, now: &Counts) -> Option<Self> {
        if before.total() == 0 || now.total() == 0 {
            return None;
        }
        let share = |n: u64, of: u64, kinds: f64| (n as f64 + 0.5) / (of as f64 + kinds / 2.0);
        let mut by_bin = BTreeMap::new();
        for bin in [Bin::MISSING, Bin::INVALID] {
            let ratio = share(now.get(bin), now.total(), 3.0) / share(before.get(bin), before.total(), 3.0);
            by_bin.insert(bin, ratio.ln());
        }
        let present =
            (share(now.present(), now.total(), 3.0) / share(before.present(), before.total(), 3.0)).ln();
        let pair = Pair::on(grid, before, now, &BTreeMap::new());
        let kinds = pair.as_ref().map_or(1, |pair| pair.groups.counts.len()) as f64;
        let of_group: Vec<f64> = pair
            .iter()
            .flat_map(|pair| &pair.groups.counts)
            .map(|[before, now]| {
                let [n, m] = pair.as_ref().map_or([1, 1], |pair| pair.groups.totals());
                (share(*now, m, kinds) / share(*before, n, kinds)).ln()
            })
            .collect();
        let last = grid.value_bins();
        for position in 0..=last {
            let group = pair.as_ref().and_then(|pair| pair.groups.of_bin.get(position).copied().flatten());
            let bin = if position == last { Bin::OTHER } else { bin_at(position)? };
            let weight = group.and_then(|group| of_group.get(group)).copied().unwrap_or(0.0);
            by_bin.insert(bin, present + weight);
        }
        Some(Self { by_bin })
    }

    fn of_step(&self, counts: &Counts) -> Option<f64> {
        let total = counts.total();
        let sum: f64 =
            counts.iter().map(|(bin, n)| n as f64 * self.by_bin.get(&bin).copied().unwrap_or(0.0)).sum();
        (total > 0).then(|| sum / total as f64)
    }
}

fn bin_at(position: usize) -> Option<Bin> {
    u16::try_from(position).ok().and_then(|position| Bin::FIRST_VALUE.0.checked_add(position)).map(Bin)
}

/// The start of the first step after the change; `None` where no step differs enough.
pub fn changed_at(weights: &Weights, points: &[CountPoint]) -> Option<Instant> {
    let mut steps: BTreeMap<Instant, Counts> = BTreeMap::new();
    for point in points {
        steps.entry(point.at).or_default().add(point.bin, point.n);
    }
    let known: Vec<(Instant, f64)> =
        steps.iter().filter_map(|(at, counts)| Some((*at, weights.of_step(counts)?))).collect();
    if known.len() < LEAST_STEPS {
        return None;
    }
    let values: Vec<f64> = known.iter().map(|(_, value)| *value).collect();
    let change = one_change(&values, LEAST_SIDE)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let left = (squares - change.gain).max(0.0) / (values.len() - 2) as f64;
    let is_clear = change.gain > 1e-12 && change.gain > LEAST_GAIN * left;
    is_clear.then(|| known[change.at].0)
}

#[cfg(test)]
mod tests {
    use domain::grid::{Bins, Edges};

    use super::*;

    fn grid() -> Grid {
        let edges = Edges::try_from(vec![1.0, 2.0]).expect("ascending");
        Grid::new("m", "feature.x", Instant::EPOCH, Bins::Numbers(edges))
    }

    fn points(step: usize, values: [u64; 4]) -> Vec<CountPoint> {
        let at = Instant::from_seconds(step as i64 * 600);
        let bins = [Bin::MISSING, Bin(3), Bin(4), Bin(5)];
        bins.into_iter().zip(values).map(|(bin, n)| CountPoint { at, bin, n }).collect()
    }

    fn series(steps: usize, values: impl Fn(usize) -> [u64; 4]) -> Vec<CountPoint> {
        (0..steps).flat_map(|step| points(step, values(step))).collect()
    }

    fn weights(before: [u64; 4], now: [u64; 4]) -> Weights {
        let counts =
            |values: [u64; 4]| Counts::of(points(0, values).into_iter().map(|point| (point.bin, point.n)));
        Weights::of(&grid(), &counts(before), &counts(now)).expect("events")
    }

    #[test]
    fn the_step_in_which_values_moved_or_went_missing_is_found() {
        let wobble = |step: usize| (step % 3) as u64;
        let moved = weights([1, 500, 300, 200], [1, 200, 300, 500]);
        let points = series(20, |step| match step < 13 {
            true => [0, 50 + wobble(step), 30, 20],
            false => [0, 20 + wobble(step), 30, 50],
        });
        assert_eq!(changed_at(&moved, &points), Some(Instant::from_seconds(13 * 600)));
        let gone = weights([1, 500, 300, 200], [400, 300, 180, 120]);
        let points = series(20, |step| match step < 9 {
            true => [0, 50 + wobble(step), 30, 20],
            false => [40 + wobble(step), 30, 18, 12],
        });
        assert_eq!(changed_at(&gone, &points), Some(Instant::from_seconds(9 * 600)));
    }

    #[test]
    fn what_only_wobbles_changed_never() {
        let weights = weights([1, 500, 300, 200], [1, 490, 310, 200]);
        let points = series(20, |step| [0, 50 + (step * 7 % 5) as u64, 30, 20 + (step * 3 % 4) as u64]);
        assert_eq!(changed_at(&weights, &points), None);
        assert_eq!(changed_at(&weights, &[]), None);
    }
}
