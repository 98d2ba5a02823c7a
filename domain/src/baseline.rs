//! Named counts that later windows are compared with: of a stretch of time, a file, or a version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counts::Counts;
use crate::grid::{Bin, GridId};
use crate::time::{Instant, Interval};

/// Made by itself from a model's first events, where nobody made one.
pub const INITIAL: &str = "initial";

/// What a baseline is, without its counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    pub model: String,
    pub environment: String,
    pub name: String,
    /// The stretch of event time that it counts.
    pub window: Interval,
    /// Where it came from, for people: `window`, `file flights.parquet`, `version 2026-11-01`.
    pub source: String,
    pub events: u64,
    pub created_at: Instant,
}

/// The baseline's counts of one signal in one segment, with what bins alone do not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SignalBaseline {
    pub grid: GridId,
    pub counts: Counts,
    pub moments: Moments,
    /// The mean value in each numeric bin.
    pub means: BTreeMap<Bin, f64>,
    /// The mean of the model's prediction over the events of each bin.
    pub mean_predictions: BTreeMap<Bin, f64>,
}

/// Sums over the finite numeric values of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    pub n: u64,
    pub sum: f64,
    pub sum_of_squares: f64,
    pub least: f64,
    pub greatest: f64,
}

impl Default for Moments {
    fn default() -> Self {
        Self { n: 0, sum: 0.0, sum_of_squares: 0.0, least: f64::INFINITY, greatest: f64::NEG_INFINITY }
    }
}

impl Moments {
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.sum_of_squares += value * value;
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }

    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_of_squares += other.sum_of_squares;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
    }

    /// `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// Standard deviation with divisor n; `None` without values.
    pub fn sd(&self) -> Option<f64> {
        let mean = self.mean()?;
        Some((self.sum_of_squares / self.n as f64 - mean * mean).max(0.0).sqrt())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_give_mean_and_spread() {
        let mut moments = Moments::default();
        [1.0, 2.0, 3.0, 4.0].into_iter().for_each(|value| moments.add(value));
        assert_eq!(moments.mean(), Some(2.5));
        assert!((moments.sd().expect("values") - 1.25_f64.sqrt()).abs() < 1e-15);
        assert_eq!(Moments::default().mean(), None);
    }
}
