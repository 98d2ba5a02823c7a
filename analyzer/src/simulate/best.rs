//! The most that any test could find of a shift, to hold the simulation's figures to: tests that know the law by which the
//! mean of a stream wanders, which nobody knows of real data.
//!
//! Of n normal rows with a known spread their mean x̄ says all there is about a shift δ (it is sufficient), so the best
//! two-sided test at level α compares x̄ with what was expected, and finds a window with probability
//! `Φ(δ/σ − z_{α/2}) + Φ(−δ/σ − z_{α/2})` (Lehmann and Romano 2005, section 4.2), in standard deviations of the rows. What it
//! may look at makes σ. With the wander's variance w², its memory φ and `s = 1/n`:
//!
//! ```text
//! the same hours of k weeks   σ² = (w² + s)(1 + 1/k)     their own hours wandered as well
//! the law alone               σ² = w² + s
//! all hours before            σ² = P + s,  P = φ²·P·s/(P + s) + w²(1 − φ²)     Kalman's, where it has settled
//! ```

use super::{Habit, WEEKS};
use crate::stats::normal;

/// What a test looks at beside the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sees {
    /// The same hours of the last weeks, as Leeway does.
    SameHours,
    /// That the mean wanders about a known value, and how far.
    Law,
    /// All healthy hours before, and how the mean follows itself.
    HoursBefore,
}

impl Sees {
    pub const ALL: [Self; 3] = [Self::SameHours, Self::Law, Self::HoursBefore];

    /// The variance of what is left of a window's mean, where `rows` are of variance 1.
    fn variance(self, habit: Habit, rows: u64) -> f64 {
        let (wander, noise) = (habit.wander(), 1.0 / rows as f64);
        match self {
            Self::SameHours => (wander + noise) * (1.0 + 1.0 / WEEKS as f64),
            Self::Law => wander + noise,
            Self::HoursBefore => settled(wander, noise) + noise,
        }
    }

    /// The share of windows that the best test finds of a stream whose mean has moved by `shift` standard deviations, and
    /// that it would take for such with probability `level` where nothing moved. A daily wave is known to all of them.
    ///
    /// ```
    /// use analyzer::simulate::{Habit, Sees};
    /// // 0.2 sd of 2,000 independent rows against four times as many: σ² = 1.25/2000, δ/σ = 8.
    /// assert!(Sees::SameHours.power(Habit::Independent, 2_000, 0.2, 1e-4) > 0.9999);
    /// // Where the mean wanders by 0.03: σ² = 1.25·(0.0009 + 0.0005), δ/σ = 4.78, z = 3.89.
    /// assert!((Sees::SameHours.power(Habit::Wander, 2_000, 0.2, 1e-4) - 0.813).abs() < 0.001);
    /// ```
    pub fn power(self, habit: Habit, rows: u64, shift: f64, level: f64) -> f64 {
        let (z, far) = (normal::upper_quantile(level / 2.0), shift.abs() / self.variance(habit, rows).sqrt());
        normal::sf(z - far) + normal::sf(z + far)
    }
}

/// What one hour's mean still varies after all hours before were seen.
fn settled(wander: f64, noise: f64) -> f64 {
    let memory = Habit::MEMORY * Habit::MEMORY;
    let next = |known: f64| memory * known * noise / (known + noise) + wander * (1.0 - memory);
    (0..1_000).fold(wander, |known, _| next(known))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn who_knows_more_finds_more_and_nobody_finds_what_is_not_there() {
        for habit in [Habit::Independent, Habit::Wander] {
            let of = |shift: f64| Sees::ALL.map(|sees| sees.power(habit, 2_000, shift, 1e-4));
            assert!(of(0.1).is_sorted(), "{habit:?}: {:?}", of(0.1));
            assert!(of(0.0).iter().all(|power| (power / 1e-4 - 1.0).abs() < 1e-6), "{:?}", of(0.0));
        }
    }

    /// The filter itself over a drawn wander: what it is left with varies as said.
    #[test]
    fn the_hours_before_leave_as_much_as_they_are_said_to() {
        let mut random = StdRng::seed_from_u64(6);
        let (wander, noise): (f64, f64) = (Habit::Wander.wander(), 1.0 / 2_000.0);
        let means = Habit::Wander.means(200_000, &mut random);
        let (mut expected, mut known, mut squares) = (0.0, wander, 0.0);
        for mean in &means {
            let seen = mean + noise.sqrt() * super::super::streams::standard(&mut random);
            squares += (seen - expected).powi(2);
            let gain = known / (known + noise);
            expected = Habit::MEMORY * (expected + gain * (seen - expected));
            known = Habit::MEMORY.powi(2) * (1.0 - gain) * known + wander * (1.0 - Habit::MEMORY.powi(2));
        }
        let found = squares / means.len() as f64;
        let said = Sees::HoursBefore.variance(Habit::Wander, 2_000);
        assert!((found / said - 1.0).abs() < 0.02, "{found} and {said}");
    }
}
