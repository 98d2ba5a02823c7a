//! The best rising curve: what share of each score came true, never falling with the score.

/// A rising curve through points, straight between them, level outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Rising {
    points: Vec<[f64; 2]>,
}

/// What is to be fitted: a place, a value there, and how much it counts (positive).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted {
    pub at: f64,
    pub value: f64,
    pub weight: f64,
}

impl Rising {
    /// The curve with the least weighted sum of squares, by pooling neighbours that fall (Barlow and others 1972, ch. 1);
    /// values at one place are averaged first. Points within a level stretch are left out. `None` of nothing.
    ///
    /// ```
    /// use analyzer::stats::isotonic::{Rising, Weighted};
    /// let fit = |points: [(f64, f64); 3]| {
    ///     Rising::of(points.map(|(at, value)| Weighted { at, value, weight: 1.0 })).unwrap()
    /// };
    /// let curve = fit([(0.1, 0.0), (0.5, 1.0), (0.6, 0.0)]);
    /// assert_eq!(curve.at(0.55), 0.5); // the two that fall are one step
    /// assert_eq!(curve.at(-3.0), 0.0);
    /// ```
    pub fn of(points: impl IntoIterator<Item = Weighted>) -> Option<Self> {
        let is_known =
            |point: &Weighted| point.at.is_finite() && point.value.is_finite() && point.weight > 0.0;
        let mut points: Vec<Weighted> = points.into_iter().filter(is_known).collect();
        points.sort_by(|one, other| one.at.total_cmp(&other.at));
        points.dedup_by(|next, point| {
            let is_same = next.at == point.at;
            if is_same {
                let weight = point.weight + next.weight;
                point.value = (point.value * point.weight + next.value * next.weight) / weight;
                point.weight = weight;
            }
            is_same
        });
        if points.is_empty() {
            return None;
        }
        // Blocks of equal value: the value, its weight and how many places it covers.
        let mut blocks: Vec<(f64, f64, usize)> = Vec::new();
        for point in &points {
            let mut block = (point.value, point.weight, 1);
            while let Some((value, weight, places)) = blocks.pop_if(|before| before.0 >= block.0) {
                let sum = weight + block.1;
                block = ((value * weight + block.0 * block.1) / sum, sum, places + block.2);
            }
            blocks.push(block);
        }
        let levels = blocks.iter().flat_map(|(value, _, places)| std::iter::repeat_n(*value, *places));
        let curve: Vec<[f64; 2]> =
            points.iter().zip(levels).map(|(point, level)| [point.at, level]).collect();
        let is_corner = |at: usize| {
            at == 0
                || at == curve.len() - 1
                || curve[at][1] != curve[at - 1][1]
                || curve[at][1] != curve[at + 1][1]
        };
        let points = (0..curve.len()).filter(|at| is_corner(*at)).map(|at| curve[at]).collect();
        Some(Self { points })
    }

    /// Places and values of the corners, ascending.
    pub fn points(&self) -> &[[f64; 2]] {
        &self.points
    }

    pub fn at(&self, place: f64) -> f64 {
        let above = self.points.partition_point(|point| point[0] < place);
        match (above.checked_sub(1).map(|below| self.points[below]), self.points.get(above)) {
            (Some([x0, y0]), Some([x1, y1])) => y0 + (y1 - y0) * (place - x0) / (x1 - x0),
            (Some([_, value]), None) => value,
            (None, Some([_, value])) => *value,
            (None, None) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_curve_rises_and_keeps_the_mean(values in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 1..40)) {
            let points = values.iter().map(|(at, value)| Weighted { at: *at, value: *value, weight: 1.0 });
            let curve = Rising::of(points).expect("points");
            prop_assert!(curve.points().windows(2).all(|pair| pair[0][1] <= pair[1][1]));
            let fitted: f64 = values.iter().map(|(at, _)| curve.at(*at)).sum();
            let given: f64 = values.iter().map(|(_, value)| value).sum();
            prop_assert!((fitted - given).abs() < 1e-9);
        }
    }
}
