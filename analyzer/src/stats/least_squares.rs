//! The straight line of least squares: what a step is held against.

use crate::stats::beta;
use crate::stats::series::Series;

/// A fitted line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    pub slope: f64,
    pub intercept: f64,
    /// The sum of the squared residuals.
    pub residual: f64,
    /// Of the slope; `None` where the line leaves nothing over or there are two points.
    pub error: Option<f64>,
    points: usize,
}

impl Fit {
    /// `slope = Σ(t−t̄)(x−x̄)/Σ(t−t̄)²`, its error `√(residual/(n−2)/Σ(t−t̄)²)`. `None` below two points.
    pub fn of(series: &Series) -> Option<Self> {
        let n = series.len() as f64;
        let mean_at = series.points().iter().map(|point| point.at).sum::<f64>() / n;
        let mean = series.mean();
        let (mut tt, mut tx) = (0.0, 0.0);
        for point in series.points() {
            tt += (point.at - mean_at).powi(2);
            tx += (point.at - mean_at) * (point.value - mean);
        }
        if series.len() < 2 {
            return None;
        }
        let slope = tx / tt;
        let left = |at: f64, value: f64| value - mean - slope * (at - mean_at);
        let residual: f64 = series.points().iter().map(|point| left(point.at, point.value).powi(2)).sum();
        let error = (residual > 0.0 && n > 2.0).then(|| (residual / (n - 2.0) / tt).sqrt());
        Some(Self { slope, intercept: mean - slope * mean_at, residual, error, points: series.len() })
    }

    /// The two-sided p-value of a slope of zero, by Student's law with n − 2 degrees of freedom.
    pub fn p(&self) -> Option<f64> {
        let error = self.error?;
        Some((2.0 * beta::student_sf((self.slope / error).abs(), self.points as f64 - 2.0)).min(1.0))
    }
}
