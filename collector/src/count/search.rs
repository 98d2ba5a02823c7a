//! Finds the bins of many numbers at once: eight searches step by step side by side, without a branch that depends on a value,
//! so that none waits for another and none is guessed wrongly.
//!
//! A search that halves sorted edges was made of branches by the compiler, whatever it looked like, and took eight times as
//! long on values that cannot be guessed (`benches/bin_search`).

use domain::grid::{Bin, Edges};

/// Searches at once: as many as the processor keeps under way.
const ABREAST: usize = 8;

/// Edges laid out for the search: a tree by levels (Eytzinger's layout), the children of a node at twice its place and the place
/// after. Each step goes down one level, to the right where the edge lies below the number; where it ends says how many do.
#[derive(Debug)]
pub struct Search {
    /// A power of two; the first place is not used. Beyond the edges stands infinity, which lies below nothing.
    tree: Vec<f64>,
}

impl Search {
    pub fn of(edges: &Edges) -> Self {
        let size = (edges.as_slice().len() + 1).next_power_of_two();
        let mut sorted = edges.as_slice().to_vec();
        sorted.resize(size, f64::INFINITY);
        let mut tree = vec![f64::INFINITY; size];
        let mut width = 1;
        while width < size {
            // Each of the `width` nodes of a level is the middle of its part of the edges.
            let part = size / width;
            (0..width).for_each(|node| tree[width + node] = sorted[node * part + part / 2 - 1]);
            width *= 2;
        }
        Self { tree }
    }

    /// Adds the bin of each number to `bins`: that of [`Edges::position`], or *invalid*.
    pub fn place(&self, numbers: &[f64], bins: &mut Vec<u16>) {
        bins.reserve(numbers.len());
        let (abreast, rest) = numbers.as_chunks::<ABREAST>();
        for numbers in abreast {
            let positions = self.positions(*numbers);
            bins.extend(numbers.iter().zip(positions).map(|(number, position)| bin(*number, position)));
        }
        for number in rest {
            let [position] = self.positions([*number]);
            bins.push(bin(*number, position));
        }
    }

    /// How many edges lie below each number.
    fn positions<const N: usize>(&self, numbers: [f64; N]) -> [usize; N] {
        let tree = self.tree.as_slice();
        let mut places = [1; N];
        for _ in 0..tree.len().trailing_zeros() {
            for (place, number) in places.iter_mut().zip(numbers) {
                // The mask changes nothing; it spares a check of the bounds.
                *place = 2 * *place + usize::from(tree[*place & (tree.len() - 1)] < number);
            }
        }
        places.map(|place| place - tree.len())
    }
}

fn bin(number: f64, position: usize) -> u16 {
    if number.is_finite() { Bin::FIRST_VALUE.0 + position as u16 } else { Bin::INVALID.0 }
}

#[cfg(test)]
mod tests {
    use domain::grid::{Bins, Grid};
    use domain::time::Instant;
    use proptest::prelude::*;

    use super::*;

    /// The bins that the search gives, and those that the grid says.
    fn both(edges: Edges, numbers: &[f64]) -> (Vec<u16>, Vec<u16>) {
        let search = Search::of(&edges);
        let grid = Grid::new("m", "x", Instant::EPOCH, Bins::Numbers(edges));
        let mut bins = Vec::new();
        search.place(numbers, &mut bins);
        (bins, numbers.iter().map(|number| grid.bin_of_number(*number).0).collect())
    }

    #[test]
    fn edges_zeros_and_what_is_not_finite_have_the_bins_that_the_grid_says_at_every_place() {
        for count in [0, 1, 2, 3, 7, 8, 9, 19, 49, 127, 128, 199, Edges::MOST] {
            // Zero is an edge of half of them.
            let edges: Vec<f64> = (0..count).map(|edge| (edge as f64 - (count / 2) as f64) / 4.0).collect();
            let on_edges = edges.iter().flat_map(|edge| [*edge, edge.next_down(), edge.next_up()]);
            let not_finite = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
            let others = [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, -f64::MIN_POSITIVE];
            let all: Vec<f64> = on_edges.chain(not_finite).chain(others).collect();
            let edges = Edges::try_from(edges).expect("ascending");
            // Each among those that are searched side by side, and among the rest.
            for skipped in 0..ABREAST {
                let (found, expected) = both(edges.clone(), &all[skipped..]);
                assert_eq!(found, expected, "{count} edges, without the first {skipped} numbers");
            }
        }
    }

    proptest! {
        #[test]
        fn every_number_has_the_bin_that_its_grid_says(
            sample in prop::collection::vec(-5.0..5.0_f64, 0..300),
            others in prop::collection::vec(prop::num::f64::ANY, 0..40)
        ) {
            let edges = Edges::of_sample(sample.clone());
            let on_edges = edges.as_slice().to_vec();
            let numbers: Vec<f64> = sample.into_iter().chain(others).chain(on_edges).collect();
            let (found, expected) = both(edges, &numbers);
            prop_assert_eq!(found, expected);
        }
    }
}
