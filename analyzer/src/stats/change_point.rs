//! Since when: where the level of a series changed, and whether a step says more than a line.
//!
//! Places count points: a change at k means that the points before the k-th have one level, and it and those after
//! another.

use crate::stats::least_squares::Fit;
use crate::stats::series::Series;

/// Sums of squares about the mean of any stretch, at the cost of two subtractions.
#[derive(Clone, Debug)]
struct Costs {
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Costs {
    /// About the mean of all, so that large levels do not eat the digits.
    fn of(values: &[f64]) -> Self {
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
        for value in values {
            sums.push(sums[sums.len() - 1] + (value - mean));
            squares.push(squares[squares.len() - 1] + (value - mean).powi(2));
        }
        Self { sums, squares }
    }

    fn points(&self) -> usize {
        self.sums.len() - 1
    }

    /// `Σ (x − x̄)²` from `start` up to, not including, `end`; zero of one point.
    fn cost(&self, start: usize, end: usize) -> f64 {
        let sum = self.sums[end] - self.sums[start];
        let squares = self.squares[end] - self.squares[start];
        (squares - sum * sum / (end - start) as f64).max(0.0)
    }

    /// The split of a stretch that takes most off its cost, and how much; the last of several equals.
    fn best_split(&self, start: usize, end: usize, least: usize) -> Option<Change> {
        let whole = self.cost(start, end);
        (start + least..=end.saturating_sub(least))
            .map(|at| Change { at, gain: whole - self.cost(start, at) - self.cost(at, end) })
            .max_by(|one, other| one.gain.total_cmp(&other.gain))
    }
}

/// A change of level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub at: usize,
    /// By how much the sum of squares falls when the levels are kept apart.
    pub gain: f64,
}

/// The one change that explains most: the argmax of the normalised CUSUM `|Σ(x − x̄)|`, which is the greatest fall of the
/// sum of squares (Hawkins 1977, eq. 2.4). Each side has `least` points, one at least; `None` where there are too few.
///
/// ```
/// use analyzer::stats::change_point::one_change;
/// let values: Vec<f64> = (0..40).map(|day| if day < 25 { 1.0 } else { 3.0 }).collect();
/// assert_eq!(one_change(&values, 5).unwrap().at, 25);
/// ```
pub fn one_change(values: &[f64], least: usize) -> Option<Change> {
    Costs::of(values).best_split(0, values.len(), least.max(1))
}

/// Several changes by binary segmentation (Scott and Knott 1974): the split that takes most off is made until none takes
/// more than `penalty` off, which has the unit of the values squared. Ascending places.
pub fn binary_segmentation(values: &[f64], penalty: f64, least: usize) -> Vec<usize> {
    let (costs, least) = (Costs::of(values), least.max(1));
    let mut places = vec![0, costs.points()];
    loop {
        let splits = places.windows(2).filter_map(|pair| costs.best_split(pair[0], pair[1], least));
        let best = splits.max_by(|one, other| one.gain.total_cmp(&other.gain));
        let Some(change) = best.filter(|change| change.gain > penalty) else { break };
        places.push(change.at);
        places.sort_unstable();
    }
    places[1..places.len() - 1].to_vec()
}

/// The best of all ways to cut a series: least `Σ costs + penalty·changes` (PELT, Killick, Fearnhead and Eckley 2012, eq.
/// 4 and 5). Ascending places. O(n²) at worst; a place that can no longer be the last cut is dropped on the way.
pub fn optimal_partition(values: &[f64], penalty: f64, least: usize) -> Vec<usize> {
    let (costs, least) = (Costs::of(values), least.max(1));
    let n = costs.points();
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = -penalty;
    let mut cut = vec![0; n + 1];
    let mut open: Vec<usize> = Vec::new();
    for end in least..=n {
        open.push(end - least);
        let total = |start: usize| best[start] + costs.cost(start, end) + penalty;
        let totals: Vec<f64> = open.iter().map(|start| total(*start)).collect();
        for (start, total) in open.iter().zip(&totals) {
            if *total < best[end] {
                (best[end], cut[end]) = (*total, *start);
            }
        }
        // A start whose cost without the penalty is beaten here is beaten for every later end that lies far enough
        // behind; those nearer than the least length still need it.
        let reached = best[end];
        let mut totals = totals.into_iter();
        open.retain(|start| {
            let total = totals.next().unwrap_or(f64::INFINITY);
            !best[*start].is_finite() || total - penalty <= reached || end - start < 2 * least
        });
    }
    let mut places = Vec::new();
    let mut end = n;
    while end > 0 && best[n].is_finite() {
        end = cut[end];
        if end > 0 {
            places.push(end);
        }
    }
    places.reverse();
    places
}

/// How far apart neighbours lie in the median where noise is normal, in its standard deviations: `√2·Φ⁻¹(¾)`.
const MEDIAN_STEP: f64 = std::f64::consts::SQRT_2 * 0.674_489_750_196_081_7;

/// Four times `σ²·ln n` with σ from the median of the steps between neighbours, which a change of level hardly moves:
/// `median|Δx|/0.954`, of normal noise.
///
/// Points that follow each other (correlation φ) ask for `(1+φ)/(1−φ)` times as much.
pub fn penalty(values: &[f64], phi: f64) -> f64 {
    let steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let sigma = crate::stats::series::median(steps).unwrap_or(0.0) / MEDIAN_STEP;
    4.0 * sigma * sigma * (values.len().max(1) as f64).ln() * (1.0 + phi) / (1.0 - phi)
}

/// What describes a series best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// One level.
    Level,
    /// A straight line.
    Line,
    /// One step.
    Step {
        /// The first point of the new level.
        at: usize,
        before: f64,
        after: f64,
    },
}

/// Level, line or step by the Bayesian information criterion, `n·ln(RSS/n) + k·ln n·(1+φ)/(1−φ)` with k = 1, 2 and 3
/// free numbers (Schwarz 1978; a step's place counts as one). The least wins, the simpler of equals.
///
/// φ is the correlation of neighbours, 0 to 0.98: what wanders looks like steps and lines. Each side of a step has
/// `least` points, two at least.
///
/// ```
/// use analyzer::stats::change_point::{Shape, shape};
/// use analyzer::stats::series::Series;
/// let noise = |day: i32| 0.1 * f64::from(day * 7 % 5 - 2);
/// let step: Vec<f64> = (0..30).map(|day| noise(day) + if day < 12 { 0.0 } else { 1.0 }).collect();
/// assert!(matches!(shape(&Series::of_values(&step), 0.0, 5), Shape::Step { at: 12, .. }));
/// let line: Vec<f64> = (0..30).map(|day| noise(day) + 0.05 * f64::from(day)).collect();
/// assert_eq!(shape(&Series::of_values(&line), 0.0, 5), Shape::Line);
/// ```
pub fn shape(series: &Series, phi: f64, least: usize) -> Shape {
    let values: Vec<f64> = series.values().collect();
    let n = values.len() as f64;
    if values.len() < 3 {
        return Shape::Level;
    }
    let costs = Costs::of(&values);
    let whole = costs.cost(0, values.len());
    let unit = n.ln() * (1.0 + phi) / (1.0 - phi);
    // What rounding leaves of a perfect fit is no better than another's.
    let floor = (whole * 1e-12).max(f64::MIN_POSITIVE);
    let criterion = |residual: f64, numbers: f64| n * (residual.max(floor) / n).ln() + numbers * unit;
    let mut best = (criterion(whole, 1.0), Shape::Level);
    let line = Fit::of(series).map(|fit| (criterion(fit.residual, 2.0), Shape::Line));
    let step = costs.best_split(0, values.len(), least.max(2)).map(|change| {
        let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        let (before, after) = (mean(&values[..change.at]), mean(&values[change.at..]));
        (criterion(whole - change.gain, 3.0), Shape::Step { at: change.at, before, after })
    });
    for one in line.into_iter().chain(step) {
        if one.0 < best.0 {
            best = one;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_no_change() {
        assert_eq!(one_change(&[], 1), None);
        assert_eq!(one_change(&[1.0, 2.0], 2), None);
        assert_eq!(optimal_partition(&[], 1.0, 5), Vec::<usize>::new());
        assert_eq!(binary_segmentation(&[1.0], 1.0, 5), Vec::<usize>::new());
        assert_eq!(shape(&Series::of_values(&[3.0; 40]), 0.0, 5), Shape::Level);
    }

    #[test]
    fn the_penalty_is_paid_once_a_change() {
        let values: Vec<f64> = (0..90).map(|at| f64::from(at / 30) * 5.0 + 0.1 * f64::from(at % 2)).collect();
        assert_eq!(optimal_partition(&values, penalty(&values, 0.0), 10), [30, 60]);
        assert_eq!(binary_segmentation(&values, penalty(&values, 0.0), 10), [30, 60]);
        assert_eq!(optimal_partition(&values, 1e6, 10), Vec::<usize>::new());
    }

    #[test]
    fn pruning_loses_no_partition() {
        // The same search without dropping anything, on series with changes that are near each other.
        for seed in 0..20_u32 {
            let values: Vec<f64> = (0..60_u32)
                .map(|at| {
                    f64::from((at * 7_919 + seed * 104_729) % 97) / 97.0 + f64::from((at + seed) / 13 % 3)
                })
                .collect();
            let costs = Costs::of(&values);
            let (penalty, least) = (0.5, 4);
            let mut best = vec![f64::INFINITY; 61];
            best[0] = -penalty;
            for end in least..=60 {
                for start in 0..=end - least {
                    best[end] = best[end].min(best[start] + costs.cost(start, end) + penalty);
                }
            }
            let places = [vec![0], optimal_partition(&values, penalty, least), vec![60]].concat();
            let found: f64 = places.windows(2).map(|pair| costs.cost(pair[0], pair[1]) + penalty).sum();
            assert!((found - penalty - best[60]).abs() < 1e-9, "seed {seed}");
        }
    }

    #[test]
    fn what_wanders_is_not_called_a_step() {
        let values: Vec<f64> =
            (0..30).map(|day| f64::from(day / 10) * 0.3 + f64::from(day * 7 % 5)).collect();
        assert_eq!(shape(&Series::of_values(&values), 0.6, 5), Shape::Level);
    }
}
