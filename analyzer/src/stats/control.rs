//! Control charts: small lasting moves of a value that was standardised, noticed as soon as they add up.
//!
//! What is given must have mean 0 and standard deviation 1 while all is well; [`Standard`] makes it so.

/// The mean and spread of a healthy stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standard {
    pub mean: f64,
    /// With n − 1.
    pub sd: f64,
}

impl Standard {
    /// `None` below two values, or where they do not differ.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let sd = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        (values.len() > 1 && sd > 0.0 && sd.is_finite()).then_some(Self { mean, sd })
    }

    pub fn z(self, value: f64) -> f64 {
        (value - self.mean) / self.sd
    }
}

/// Which way a value moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Up,
    Down,
}

/// The two sums of a CUSUM: `C⁺ = max(0, C⁺ + z − k)` and `C⁻ = max(0, C⁻ − z − k)` (Page 1954; Montgomery, eq. 9.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cusum {
    /// Half of the move that is to be noticed soonest, in standard deviations.
    pub slack: f64,
    /// Beyond this a sum is an alarm, in standard deviations.
    pub limit: f64,
    up: f64,
    down: f64,
}

impl Cusum {
    pub fn new(slack: f64, limit: f64) -> Self {
        Self { slack, limit, up: 0.0, down: 0.0 }
    }

    /// For moves of a standard deviation (k = ½), with the limit at which healthy values alarm once in `values`, both
    /// sides together, by [`run_length`].
    ///
    /// ```
    /// use analyzer::stats::control::Cusum;
    /// // Hourly windows: one false alarm a month, a year.
    /// assert_eq!(format!("{:.1}", Cusum::once_in(720.0).limit), "5.4");
    /// assert_eq!(format!("{:.1}", Cusum::once_in(8_760.0).limit), "7.9");
    /// ```
    pub fn once_in(values: f64) -> Self {
        let slack = 0.5;
        let (mut low, mut high) = (0.0, 100.0);
        while high - low > 1e-9 {
            let middle = (low + high) / 2.0;
            if run_length(slack, middle) < values { low = middle } else { high = middle }
        }
        Self::new(slack, high)
    }

    /// Takes one more standardised value; where a sum goes beyond the limit both begin anew.
    pub fn next(&mut self, z: f64) -> Option<Way> {
        self.up = (self.up + z - self.slack).max(0.0);
        self.down = (self.down - z - self.slack).max(0.0);
        let alarm = match (self.up > self.limit, self.down > self.limit) {
            (true, _) => Way::Up,
            (false, true) => Way::Down,
            (false, false) => return None,
        };
        (self.up, self.down) = (0.0, 0.0);
        Some(alarm)
    }
}

/// How many healthy values come between two false alarms of a two-sided CUSUM, by Siegmund's approximation: a side has
/// `(e^{2kb} − 2kb − 1)/(2k²)` with `b = h + 1.166`, both together half of that (Siegmund 1985, eq. 2.56).
pub fn run_length(slack: f64, limit: f64) -> f64 {
    let b = limit + 1.166;
    let one_side = ((2.0 * slack * b).exp() - 2.0 * slack * b - 1.0) / (2.0 * slack * slack);
    one_side / 2.0
}

/// An exponentially weighted mean of standardised values, `w = λ·z + (1−λ)·w` from w = 0 (Roberts 1959).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ewma {
    /// λ, within 0 and 1: how much the newest value counts.
    pub weight: f64,
    /// L: how many of its standard deviations it may lie away.
    pub reach: f64,
    mean: f64,
    /// `(1−λ)^{2t}`.
    left: f64,
}

impl Ewma {
    pub fn new(weight: f64, reach: f64) -> Self {
        Self { weight, reach, mean: 0.0, left: 1.0 }
    }

    /// Takes one more value; whether the mean then lies beyond `L·√(λ/(2−λ)·(1 − (1−λ)^{2t}))`.
    pub fn next(&mut self, z: f64) -> bool {
        self.mean += self.weight * (z - self.mean);
        self.left *= (1.0 - self.weight).powi(2);
        let variance = self.weight / (2.0 - self.weight) * (1.0 - self.left);
        self.mean.abs() > self.reach * variance.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_length_is_the_known_one() {
        assert!((run_length(0.5, 5.0) - 469.0).abs() < 1.0, "{}", run_length(0.5, 5.0));
    }

    #[test]
    fn a_lasting_move_is_noticed_and_a_still_value_is_not() {
        let mut cusum = Cusum::once_in(720.0);
        assert!((0..1_000).all(|_| cusum.next(0.0).is_none()));
        let noticed = (0..20).position(|_| cusum.next(-1.5) == Some(Way::Down));
        assert_eq!(noticed, Some(5));
        let mut ewma = Ewma::new(0.2, 3.0);
        assert!((0..100).all(|_| !ewma.next(0.1)));
    }

    #[test]
    fn what_does_not_vary_has_no_standard() {
        assert_eq!(Standard::of(&[1.0; 50]), None);
        assert_eq!(Standard::of(&[1.0]), None);
    }
}
