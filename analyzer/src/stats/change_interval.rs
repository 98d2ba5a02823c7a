//! How well the place of a change is known: found again in series that could have been.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::change_point::one_change;
use super::quantile::{Convention, of_sorted};

/// So many series are made: the ends of the interval are then known to a few hundredths of it.
const ROUNDS: usize = 400;

/// Places of a series, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub first: usize,
    pub last: usize,
}

/// Between which places the change lies that [`one_change`] found at `at`, as sure as `level` (0.95): the middle part of
/// where it is found again in series of the same two levels, each point with a residual drawn from its own side, with
/// replacement and in blocks of `block` neighbours, so that days that follow each other still do (Hušková and Kirch 2008,
/// section 3; Künsch 1989 for blocks). Places are numbers of points.
///
/// The same series has the same interval: what is drawn depends on its length alone. `None` where `at` leaves one side
/// without points. O(400·n).
///
/// ```
/// use analyzer::stats::change_interval::{Places, places};
/// let step: Vec<f64> = (0..40).map(|day| f64::from(day * 7 % 5) + if day < 25 { 0.0 } else { 20.0 }).collect();
/// assert_eq!(places(&step, 25, 1, 4, 0.95), Some(Places { first: 25, last: 25 }));
/// ```
pub fn places(values: &[f64], at: usize, block: usize, least: usize, level: f64) -> Option<Places> {
    let (before, after) = values.split_at_checked(at)?;
    if before.is_empty() || after.is_empty() {
        return None;
    }
    let mut random = StdRng::seed_from_u64(values.len() as u64);
    let found = (0..ROUNDS).filter_map(|_| {
        let series: Vec<f64> =
            [before, after].into_iter().flat_map(|side| redrawn(side, block.max(1), &mut random)).collect();
        Some(one_change(&series, least)?.at as f64)
    });
    let mut found: Vec<f64> = found.collect();
    found.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    let place = |share: f64| Some(of_sorted(&found, share, Convention::Observed)? as usize);
    Some(Places { first: place(tail)?, last: place(1.0 - tail)? })
}

/// As many values of the same mean, with residuals of the side in circular blocks.
fn redrawn(side: &[f64], block: usize, random: &mut StdRng) -> Vec<f64> {
    let starts = side.len().div_ceil(block);
    let drawn = (0..starts).flat_map(|_| {
        let start = random.random_range(0..side.len());
        (start..start + block).map(|place| side[place % side.len()]).collect::<Vec<_>>()
    });
    drawn.take(side.len()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Noise of the same values each time, of about one standard deviation.
    fn noise(seed: u64) -> impl FnMut() -> f64 {
        let mut random = StdRng::seed_from_u64(seed);
        move || (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
    }

    fn step(size: f64, seed: u64) -> Vec<f64> {
        let mut noise = noise(seed);
        (0..60).map(|day| noise() + if day < 30 { 0.0 } else { size }).collect()
    }

    #[test]
    fn a_small_step_is_known_less_well_than_a_large_one() {
        let width = |size: f64| {
            let values = step(size, 3);
            let at = one_change(&values, 4).expect("points").at;
            let found = places(&values, at, 1, 4, 0.95).expect("two sides");
            assert!(found.first <= at && at <= found.last, "{found:?} around {at}");
            found.last - found.first
        };
        assert!(width(4.0) <= 2 && width(1.0) > width(4.0), "{} {}", width(4.0), width(1.0));
    }

    #[test]
    fn the_interval_holds_the_true_place_about_as_often_as_it_says() {
        let holds = (0..200).filter(|seed| {
            let values = step(1.5, *seed);
            let at = one_change(&values, 4).expect("points").at;
            places(&values, at, 1, 4, 0.95).is_some_and(|found| (found.first..=found.last).contains(&30))
        });
        let share = holds.count() as f64 / 200.0;
        assert!((0.85..=1.0).contains(&share), "{share}");
    }

    #[test]
    fn one_side_alone_has_no_change() {
        assert_eq!(places(&[1.0, 2.0], 0, 1, 1, 0.95), None);
        assert_eq!(places(&[1.0, 2.0], 2, 1, 1, 0.95), None);
        assert_eq!(places(&[1.0, 2.0], 3, 1, 1, 0.95), None);
    }

    proptest! {
        #[test]
        fn places_lie_within_the_series_in_order(values in prop::collection::vec(-1e6_f64..1e6, 8..40), at in 4_usize..8, block in 1_usize..9) {
            if let Some(found) = places(&values, at, block, 2, 0.95) {
                prop_assert!(found.first <= found.last && found.last <= values.len() && found.first >= 2);
            }
        }
    }
}
