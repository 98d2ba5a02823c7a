//! Invented signals whose habits are known (METHODS 12): independent rows; rows whose mean wanders from hour to hour; and
//! such with a daily wave on top.

use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid, Levels};
use domain::time::Instant;
use rand::RngExt;
use rand::rngs::StdRng;

use super::{Fault, MODEL, Signal};
use crate::stats::normal;

/// What the mean of a healthy stream does from hour to hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    Independent,
    /// An AR(1) of 0.03 standard deviations, with φ = 0.9.
    Wander,
    /// The same on a daily wave of 0.1 standard deviations.
    WaveAndWander,
}

const WANDER_SD: f64 = 0.03;
const WAVE: f64 = 0.1;
/// So many standard deviations is a quantity with a unit above its zero on average.
const ABOVE_ZERO: f64 = 3.0;
/// Of every value so many are null when nothing is wrong.
const NULLS: f64 = 0.001;
const SAMPLE: usize = 5_000;
const LEVELS: usize = 12;

impl Habit {
    /// How much of the wander of one hour is left in the next: φ.
    pub(super) const MEMORY: f64 = 0.9;

    /// The variance of the wander, in those of the rows.
    pub(super) fn wander(self) -> f64 {
        match self {
            Self::Independent => 0.0,
            Self::Wander | Self::WaveAndWander => WANDER_SD * WANDER_SD,
        }
    }

    /// The mean of each hour, in standard deviations.
    pub(super) fn means(self, hours: usize, random: &mut StdRng) -> Vec<f64> {
        let phase = random.random::<f64>();
        let mut wander = WANDER_SD * standard(random);
        let step = WANDER_SD * (1.0 - Self::MEMORY * Self::MEMORY).sqrt();
        let mean = |hour: usize| {
            wander = Self::MEMORY * wander + step * standard(random);
            let wave = WAVE * (std::f64::consts::TAU * (hour as f64 / 24.0 + phase)).sin();
            match self {
                Self::Independent => 0.0,
                Self::Wander => wander,
                Self::WaveAndWander => wander + wave,
            }
        };
        (0..hours).map(mean).collect()
    }
}

/// A standard normal value.
pub(super) fn standard(random: &mut StdRng) -> f64 {
    normal::upper_quantile(random.random::<f64>().max(1e-300))
}

/// A signal of normal values, `rows` each hour.
pub fn numbers(name: &str, habit: Habit, rows: u64, hours: usize, random: &mut StdRng) -> Signal {
    let means = habit.means(hours, random);
    let edges = Edges::of_sample((0..SAMPLE).map(|_| standard(random)).collect());
    let grid = Grid::new(MODEL, name, Instant::EPOCH, Bins::Numbers(edges.clone()));
    let draw = move |hour: usize, fault: Fault, random: &mut StdRng| {
        let (mean, sd) = match fault {
            Fault::Shift(by) => (means[hour] + by, 1.0),
            Fault::Unit(factor) => (factor * (means[hour] + ABOVE_ZERO) - ABOVE_ZERO, factor),
            Fault::Stuck => (0.0, 0.0),
            _ => (means[hour], 1.0),
        };
        let nulls = nulls(fault);
        let below = |edge: f64| {
            if sd > 0.0 { 1.0 - normal::sf((edge - mean) / sd) } else { f64::from(u8::from(edge >= mean)) }
        };
        let shares = edges.as_slice().iter().map(|edge| below(*edge)).chain([1.0]);
        let cumulative: Vec<f64> =
            [nulls].into_iter().chain(shares.map(|share| nulls + (1.0 - nulls) * share)).collect();
        multinomial(&cumulative, rows, random, |place| match place {
            0 => Bin::MISSING,
            place => Bin(Bin::FIRST_VALUE.0 + (place - 1) as u16),
        })
    };
    Signal { name: name.to_owned(), grid, draw: Box::new(draw) }
}

/// A signal of a few categories, the k-th about 1/k as frequent as the first, whose shares wander against each other.
pub fn categories(name: &str, habit: Habit, rows: u64, hours: usize, random: &mut StdRng) -> Signal {
    let means = habit.means(hours, random);
    let levels = Levels::of((0..LEVELS).map(|level| format!("level {level}")));
    let grid = Grid::new(MODEL, name, Instant::EPOCH, Bins::Categories(levels));
    let draw = move |hour: usize, fault: Fault, random: &mut StdRng| {
        let new = if let Fault::NewCategory(share) = fault { share } else { 0.0 };
        let nulls = nulls(fault);
        let weight = |level: usize| {
            if fault == Fault::Stuck {
                return f64::from(u8::from(level == 0));
            }
            let lean = if level.is_multiple_of(2) { means[hour] } else { -means[hour] };
            lean.exp() / (level + 1) as f64
        };
        let total: f64 = (0..LEVELS).map(weight).sum();
        let mut sum = nulls + (1.0 - nulls) * new;
        let mut cumulative = vec![nulls, sum];
        for level in 0..LEVELS {
            sum += (1.0 - nulls) * (1.0 - new) * weight(level) / total;
            cumulative.push(sum);
        }
        multinomial(&cumulative, rows, random, |place| match place {
            0 => Bin::MISSING,
            1 => Bin::OTHER,
            place => Bin(Bin::FIRST_VALUE.0 + (place - 2) as u16),
        })
    };
    Signal { name: name.to_owned(), grid, draw: Box::new(draw) }
}

fn nulls(fault: Fault) -> f64 {
    NULLS + if let Fault::Nulls(share) = fault { share } else { 0.0 }
}

/// `rows` values over bins whose cumulative shares are given.
fn multinomial(cumulative: &[f64], rows: u64, random: &mut StdRng, bin: impl Fn(usize) -> Bin) -> Counts {
    let mut places = vec![0_u64; cumulative.len()];
    for _ in 0..rows {
        let value = random.random::<f64>();
        let place = cumulative.partition_point(|share| *share <= value);
        places[place.min(cumulative.len() - 1)] += 1;
    }
    Counts::of(places.into_iter().enumerate().filter(|(_, n)| *n > 0).map(|(place, n)| (bin(place), n)))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_fault_is_drawn_as_it_is_stated() {
        let mut random = StdRng::seed_from_u64(1);
        let numbers = numbers("feature.x", Habit::Independent, 100_000, 1, &mut random);
        let nulls = (numbers.draw)(0, Fault::Nulls(0.05), &mut random).missing() as f64 / 1e5;
        assert!((nulls - 0.051).abs() < 0.003, "{nulls}");
        let categories = categories("feature.c", Habit::Wander, 100_000, 1, &mut random);
        let drawn = (categories.draw)(0, Fault::NewCategory(0.02), &mut random);
        let new = drawn.get(Bin::OTHER) as f64 / 1e5;
        assert!((new - 0.02).abs() < 0.002, "{new}");
        assert_eq!(drawn.total(), 100_000);
    }

    #[test]
    fn a_wandering_mean_is_as_far_off_as_stated() {
        let mut random = StdRng::seed_from_u64(2);
        let means = Habit::Wander.means(50_000, &mut random);
        let sd = (means.iter().map(|mean| mean * mean).sum::<f64>() / 50_000.0).sqrt();
        assert!((sd - WANDER_SD).abs() < 0.003, "{sd}");
    }
}
