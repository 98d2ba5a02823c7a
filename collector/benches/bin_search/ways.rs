//! Ways to find the bins of numbers: how many edges lie below each.

use collector::count::search::Search;
use domain::grid::{Bin, Edges};

pub trait Way {
    /// Adds the bin of each number to `bins`.
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>);
}

fn bin(number: f64, position: usize) -> u16 {
    if number.is_finite() { Bin::FIRST_VALUE.0 + position as u16 } else { Bin::INVALID.0 }
}

/// Places numbers `N` at a time, and the rest one by one.
fn abreast<const N: usize>(
    numbers: &[f64],
    bins: &mut Vec<u16>,
    many: impl Fn([f64; N]) -> [usize; N],
    one: impl Fn(f64) -> usize,
) {
    bins.reserve(numbers.len());
    let (chunks, rest) = numbers.as_chunks::<N>();
    for numbers in chunks {
        let positions = many(*numbers);
        bins.extend(numbers.iter().zip(positions).map(|(number, position)| bin(*number, position)));
    }
    bins.extend(rest.iter().map(|number| bin(*number, one(*number))));
}

impl Way for Search {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        Self::place(self, numbers, bins);
    }
}

/// The standard library's binary search, one number after the other.
pub struct Partition(Edges);

impl Partition {
    pub fn of(edges: &Edges) -> Self {
        Self(edges.clone())
    }
}

impl Way for Partition {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        bins.extend(numbers.iter().map(|number| match number.is_finite() {
            true => Bin::FIRST_VALUE.0 + self.0.position(*number) as u16,
            false => Bin::INVALID.0,
        }));
    }
}

/// Edges filled up with infinity to a power of two.
fn padded(edges: &Edges) -> Vec<f64> {
    let size = (edges.as_slice().len() + 1).next_power_of_two();
    let mut padded = edges.as_slice().to_vec();
    padded.resize(size, f64::INFINITY);
    padded
}

/// A binary search of `N` numbers step by step. It looks free of branches; the compiler makes one of each comparison.
pub struct Halving<const N: usize>(Vec<f64>);

impl<const N: usize> Halving<N> {
    pub fn of(edges: &Edges) -> Self {
        Self(padded(edges))
    }

    fn positions<const M: usize>(&self, numbers: [f64; M]) -> [usize; M] {
        let edges = self.0.as_slice();
        let mut positions = [0; M];
        let mut step = edges.len() / 2;
        while step > 0 {
            for (position, number) in positions.iter_mut().zip(numbers) {
                let is_above = edges[(*position + step - 1) & (edges.len() - 1)] < number;
                *position += if is_above { step } else { 0 };
            }
            step /= 2;
        }
        positions
    }
}

impl<const N: usize> Way for Halving<N> {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        abreast::<N>(numbers, bins, |many| self.positions(many), |one| self.positions([one])[0]);
    }
}

/// The edges as a tree by levels, each node's children at twice its place: the first levels share a cache line.
pub struct Eytzinger<const N: usize>(Vec<f64>);

impl<const N: usize> Eytzinger<N> {
    pub fn of(edges: &Edges) -> Self {
        let sorted = padded(edges);
        let mut tree = sorted.clone();
        // The node `place` of a level with `width` nodes is the middle of its part of the sorted edges.
        let mut width = 1;
        while width < sorted.len() {
            let part = sorted.len() / width;
            (0..width).for_each(|node| tree[width + node] = sorted[node * part + part / 2 - 1]);
            width *= 2;
        }
        Self(tree)
    }

    fn positions<const M: usize>(&self, numbers: [f64; M]) -> [usize; M] {
        let tree = self.0.as_slice();
        let mut places = [1; M];
        for _ in 0..tree.len().trailing_zeros() {
            for (place, number) in places.iter_mut().zip(numbers) {
                *place = 2 * *place + usize::from(tree[*place & (tree.len() - 1)] < number);
            }
        }
        places.map(|place| place - tree.len())
    }
}

impl<const N: usize> Way for Eytzinger<N> {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        abreast::<N>(numbers, bins, |many| self.positions(many), |one| self.positions([one])[0]);
    }
}

/// Every edge compared with a number, and what lies below it added up.
pub struct Linear(Vec<f64>);

impl Linear {
    pub fn of(edges: &Edges) -> Self {
        Self(edges.as_slice().to_vec())
    }
}

impl Way for Linear {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        let position = |number: f64| -> i64 { self.0.iter().map(|edge| i64::from(*edge < number)).sum() };
        bins.extend(numbers.iter().map(|number| bin(*number, position(*number) as usize)));
    }
}

/// Every edge compared with `N` numbers at once.
pub struct LinearAcross<const N: usize>(Vec<f64>);

impl<const N: usize> LinearAcross<N> {
    pub fn of(edges: &Edges) -> Self {
        Self(edges.as_slice().to_vec())
    }

    fn positions<const M: usize>(&self, numbers: [f64; M]) -> [usize; M] {
        let mut positions = [0_i64; M];
        for edge in &self.0 {
            for (position, number) in positions.iter_mut().zip(numbers) {
                *position += i64::from(*edge < number);
            }
        }
        positions.map(|position| position as usize)
    }
}

impl<const N: usize> Way for LinearAcross<N> {
    fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        abreast::<N>(numbers, bins, |many| self.positions(many), |one| self.positions([one])[0]);
    }
}
