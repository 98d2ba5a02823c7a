//! Predicted numbers against the numbers that came, from sums that add up over time.

use crate::stats::ranking::Estimate;

/// Sums over predictions p of outcomes y.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Residuals {
    pub n: f64,
    /// Of `p − y`, of its size, its square and its fourth power.
    pub total: f64,
    pub absolute: f64,
    pub squares: f64,
    pub fourths: f64,
    /// Of `|p − y|/|y|`, and of its square.
    pub relative: f64,
    pub relative_squares: f64,
    /// Of y and of its square.
    pub outcomes: f64,
    pub outcome_squares: f64,
}

impl Residuals {
    /// Of pairs of prediction and outcome; outcomes of zero count in `relative` as the smallest step of a number above
    /// zero would (scikit-learn's way).
    pub fn of(pairs: impl IntoIterator<Item = [f64; 2]>) -> Self {
        let mut all = Self::default();
        for [predicted, outcome] in pairs {
            let off = predicted - outcome;
            let relative = off.abs() / outcome.abs().max(f64::EPSILON);
            all += Self {
                n: 1.0,
                total: off,
                absolute: off.abs(),
                squares: off * off,
                fourths: off.powi(4),
                relative,
                relative_squares: relative * relative,
                outcomes: outcome,
                outcome_squares: outcome * outcome,
            };
        }
        all
    }

    fn mean(&self, sum: f64, squares: f64) -> Option<Estimate> {
        let value = sum / self.n;
        let variance = (squares / self.n - value * value).max(0.0);
        (self.n > 0.0).then(|| Estimate { value, error: (variance / self.n).sqrt() })
    }

    /// The mean error `p − y`, in the outcome's unit.
    pub fn bias(&self) -> Option<Estimate> {
        self.mean(self.total, self.squares)
    }

    /// The mean size of the error.
    pub fn mae(&self) -> Option<Estimate> {
        self.mean(self.absolute, self.squares)
    }

    /// The root of the mean squared error; its standard error by the delta method, `se(√m) = se(m)/2√m`.
    pub fn rmse(&self) -> Option<Estimate> {
        let mean = self.mean(self.squares, self.fourths)?;
        let value = mean.value.sqrt();
        Some(Estimate { value, error: if value > 0.0 { mean.error / (2.0 * value) } else { 0.0 } })
    }

    /// The mean of the error's share of the outcome; of outcomes near zero it says nothing.
    pub fn mape(&self) -> Option<Estimate> {
        self.mean(self.relative, self.relative_squares)
    }

    /// `1 − Σ(p−y)²/Σ(y−ȳ)²`: what part of the outcomes' variance is explained. `None` where outcomes do not vary. Its
    /// standard error is that of the mean squared error over the variance of the outcomes, as if that were known.
    pub fn r2(&self) -> Option<Estimate> {
        let variance = (self.outcome_squares - self.outcomes * self.outcomes / self.n) / self.n;
        let unexplained = self.mean(self.squares, self.fourths).filter(|_| variance > 0.0)?;
        Some(Estimate { value: 1.0 - unexplained.value / variance, error: unexplained.error / variance })
    }
}

impl std::ops::AddAssign for Residuals {
    fn add_assign(&mut self, other: Self) {
        self.n += other.n;
        self.total += other.total;
        self.absolute += other.absolute;
        self.squares += other.squares;
        self.fourths += other.fourths;
        self.relative += other.relative;
        self.relative_squares += other.relative_squares;
        self.outcomes += other.outcomes;
        self.outcome_squares += other.outcome_squares;
    }
}

/// The mean pinball loss of a predicted quantile: `max(τ(y−p), (τ−1)(y−p))` (Koenker and Bassett 1978). `None` of nothing.
pub fn pinball(pairs: &[[f64; 2]], quantile: f64) -> Option<f64> {
    let loss = |[predicted, outcome]: &[f64; 2]| {
        let off = outcome - predicted;
        (quantile * off).max((quantile - 1.0) * off)
    };
    (!pairs.is_empty()).then(|| pairs.iter().map(loss).sum::<f64>() / pairs.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_error() {
        let none = Residuals::default();
        assert_eq!((none.mae(), none.rmse(), none.r2(), none.mape()), (None, None, None, None));
        assert_eq!(pinball(&[], 0.9), None);
        let constant = Residuals::of([[1.0, 2.0], [3.0, 2.0]]);
        assert_eq!((constant.r2(), constant.mae().map(|it| it.value)), (None, Some(1.0)));
    }
}
