//! Unit slips: values that are a known factor away from the baseline and otherwise the same.

use crate::drift::wasserstein::Wasserstein;
use crate::stats::histogram::{Axis, Pair, Sides};
use crate::words;

/// `current = factor · baseline + offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slip {
    pub factor: f64,
    pub offset: f64,
    /// What would explain it.
    pub words: &'static str,
}

impl Slip {
    /// `looks multiplied by 1.609: a unit changed from mph to km/h?`.
    pub fn sentence(&self) -> String {
        let (factor, offset) = (words::number(self.factor), words::number(self.offset));
        let change = match (self.factor == 1.0, self.offset == 0.0) {
            (false, true) => format!("multiplied by {factor}"),
            (true, _) => format!("moved by {offset}"),
            (false, false) => format!("multiplied by {factor} and moved by {offset}"),
        };
        format!("looks {change}: {}?", self.words)
    }
}

const fn times(factor: f64, words: &'static str) -> Slip {
    Slip { factor, offset: 0.0, words }
}

/// What people mix up. The inverse of each is in the list as well.
pub const KNOWN: &[Slip] = &[
    times(1.609_344, "a unit changed from mph to km/h, or from miles to km"),
    times(0.621_371, "a unit changed from km/h to mph, or from km to miles"),
    times(1.852, "a unit changed from knots to km/h"),
    times(0.539_957, "a unit changed from km/h to knots"),
    times(1.150_779, "a unit changed from knots to mph"),
    times(0.868_976, "a unit changed from mph to knots"),
    times(3.6, "a unit changed from m/s to km/h"),
    times(0.277_778, "a unit changed from km/h to m/s"),
    times(2.236_936, "a unit changed from m/s to mph"),
    times(0.447_04, "a unit changed from mph to m/s"),
    times(2.204_623, "a unit changed from kilograms to pounds"),
    times(0.453_592, "a unit changed from pounds to kilograms"),
    times(3.280_84, "a unit changed from metres to feet"),
    times(0.304_8, "a unit changed from feet to metres"),
    times(2.54, "a unit changed from inches to centimetres"),
    times(0.393_701, "a unit changed from centimetres to inches"),
    times(10.0, "a decimal point moved by one"),
    times(0.1, "a decimal point moved by one"),
    times(100.0, "from shares to per cent, or from whole units to cents"),
    times(0.01, "from per cent to shares, or from cents to whole units"),
    times(1_000.0, "a unit changed from s to ms, kg to g, or the like"),
    times(0.001, "a unit changed from ms to s, g to kg, or the like"),
    times(60.0, "a unit changed from minutes to seconds, or from hours to minutes"),
    times(1.0 / 60.0, "a unit changed from seconds to minutes, or from minutes to hours"),
    times(3_600.0, "a unit changed from hours to seconds"),
    times(1.0 / 3_600.0, "a unit changed from seconds to hours"),
    times(-1.0, "the sign was turned round"),
    Slip { factor: 1.8, offset: 32.0, words: "a unit changed from °C to °F" },
    Slip { factor: 1.0 / 1.8, offset: -32.0 / 1.8, words: "a unit changed from °F to °C" },
    Slip { factor: 1.0, offset: 273.15, words: "a unit changed from °C to kelvin" },
    Slip { factor: 1.0, offset: -273.15, words: "a unit changed from kelvin to °C" },
];

/// After the slip is undone the values are no farther apart than this, in spreads of the baseline …
const SAME_SHAPE: f64 = 0.35;
/// … and undoing it explains most of the distance.
const EXPLAINED: f64 = 0.35;
/// Mean and spread of the window agree with the slip's within this part of the slipped spread.
const SAME_MOMENTS: f64 = 0.35;

/// The known slip that explains the movement best; `None` when none does. `means` and `sds` are those of both sides.
pub fn find(pair: &Pair, means: Sides, sds: Sides) -> Option<Slip> {
    let Axis::Ordered { places, .. } = &pair.axis else { return None };
    let moved = Wasserstein::of(pair).filter(|moved| moved.spread > 0.0)?;
    let candidates = KNOWN.iter().filter_map(|slip| {
        let spread = moved.spread * slip.factor.abs();
        let apart = distance_after(pair, places, *slip);
        let mean_apart = (means.current - (slip.factor * means.baseline + slip.offset)).abs();
        let sd_ratio = sds.current / (sds.baseline * slip.factor.abs());
        let is_same = apart <= SAME_SHAPE * spread
            && apart <= EXPLAINED * moved.distance
            && mean_apart <= SAME_MOMENTS * spread
            && (1.0 - SAME_MOMENTS..=1.0 + SAME_MOMENTS).contains(&sd_ratio);
        is_same.then_some((apart / spread, *slip))
    });
    candidates.min_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, slip)| slip)
}

/// W1 between the slipped baseline and the window.
fn distance_after(pair: &Pair, places: &[f64], slip: Slip) -> f64 {
    let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
    let slipped = places
        .iter()
        .zip(pair.baseline.counts())
        .map(|(place, count)| (slip.factor * place + slip.offset, *count as f64 / n));
    let now = places.iter().zip(pair.current.counts()).map(|(place, count)| (*place, -(*count as f64) / m));
    let mut masses: Vec<(f64, f64)> = slipped.chain(now).filter(|(_, mass)| *mass != 0.0).collect();
    masses.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut sum = 0.0;
    masses
        .windows(2)
        .map(|ends| {
            sum += ends[0].1;
            sum.abs() * (ends[1].0 - ends[0].0)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::sample;

    fn found(slip: impl Fn(f64) -> f64) -> Option<Slip> {
        let baseline: Vec<f64> = (0..400).map(|n| f64::from(n % 23) + f64::from(n % 7) / 7.0 + 3.0).collect();
        let current: Vec<f64> = baseline.iter().rev().step_by(2).map(|value| slip(*value)).collect();
        let moments = |values: &[f64]| {
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            (mean, (square / values.len() as f64).sqrt())
        };
        let ((mean, sd), (mean_now, sd_now)) = (moments(&baseline), moments(&current));
        let pair = sample::pair(&baseline, &current).expect("values on both sides");
        find(&pair, Sides { baseline: mean, current: mean_now }, Sides { baseline: sd, current: sd_now })
    }

    #[test]
    fn every_known_slip_is_found_again() {
        for slip in KNOWN {
            let found = found(|value| slip.factor * value + slip.offset);
            assert_eq!(found.map(|found| found.words), Some(slip.words), "{slip:?}");
        }
    }

    #[test]
    fn what_is_unchanged_or_merely_shifted_is_no_slip() {
        assert_eq!(found(|value| value), None);
        assert_eq!(found(|value| value + 12.0), None);
        assert_eq!(found(|value| value * value), None);
    }
}
