//! A series of values at ascending times: what trends and change points are looked for in.
//!
//! Invariant: values and times are finite, times ascend strictly. A day without a value is simply absent.

/// A value at a time; the unit of time is the caller's (days, mostly).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub at: f64,
    pub value: f64,
}

/// Points in order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    points: Vec<Point>,
}

impl Series {
    /// Sorts by time; a point that is not finite is left out, and of several at one time all but the first.
    pub fn of(points: impl IntoIterator<Item = Point>) -> Self {
        let is_known = |point: &Point| point.at.is_finite() && point.value.is_finite();
        let mut points: Vec<Point> = points.into_iter().filter(is_known).collect();
        points.sort_by(|one, other| one.at.total_cmp(&other.at));
        points.dedup_by(|later, earlier| later.at <= earlier.at);
        Self { points }
    }

    /// Values at 0, 1, 2 …; one that is not finite leaves a gap.
    pub fn of_values(values: &[f64]) -> Self {
        let points = values.iter().enumerate().map(|(at, value)| Point { at: at as f64, value: *value });
        Self::of(points)
    }

    pub fn points(&self) -> &[Point] {
        &self.points
    }

    pub fn len(&self) -> usize {
        self.points.len()
    }

    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().map(|point| point.value)
    }

    pub fn mean(&self) -> f64 {
        self.values().sum::<f64>() / self.len() as f64
    }

    /// From the first point to the last, in the unit of time.
    pub fn span(&self) -> f64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => 0.0,
        }
    }

    /// The same times with other values.
    pub fn with_values(&self, value: impl Fn(&Point) -> f64) -> Self {
        Self::of(self.points.iter().map(|point| Point { at: point.at, value: value(point) }))
    }

    /// What is left of the values about a fit; what is only rounding beside the largest value is nothing.
    pub fn residuals(&self, fit: impl Fn(&Point) -> f64) -> Self {
        let rounding = 1e-12 * self.values().map(f64::abs).fold(0.0, f64::max);
        self.with_values(|point| {
            let left = point.value - fit(point);
            if left.abs() <= rounding { 0.0 } else { left }
        })
    }

    /// The correlation of neighbours, `r₁ = Σ (xᵢ − x̄)(xᵢ₊₁ − x̄) / Σ (xᵢ − x̄)²`; `None` where nothing varies.
    pub fn neighbour_correlation(&self) -> Option<f64> {
        let mean = self.mean();
        let all: f64 = self.values().map(|value| (value - mean).powi(2)).sum();
        let next = self.points.windows(2).map(|pair| (pair[0].value - mean) * (pair[1].value - mean));
        // What is left of a constant or a perfect line is rounding, which correlates with nothing.
        let largest = self.values().map(f64::abs).fold(0.0, f64::max);
        (all > self.len() as f64 * (1e-13 * largest).powi(2)).then(|| next.sum::<f64>() / all)
    }
}

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if below.len() == values.len() - middle - 1 {
        return Some(upper);
    }
    let lower = values[..middle].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some((lower + upper) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![7.0]), Some(7.0));
        assert_eq!(median(Vec::new()), None);
    }

    #[test]
    fn what_is_no_number_leaves_a_gap() {
        let series = Series::of_values(&[1.0, f64::NAN, 3.0]);
        assert_eq!((series.len(), series.span()), (2, 2.0));
        assert_eq!(Series::of_values(&[2.0; 9]).neighbour_correlation(), None);
    }
}
