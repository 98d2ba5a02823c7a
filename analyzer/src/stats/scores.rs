//! Scores between 0 and 1 against yes or no, as counts by score: what is asked of them in many ways.
//!
//! Invariant: cells ascend by score, each score once, and there is a row. A cell a different score is exact; cells that
//! are bins of scores are as exact as they are narrow. Counts need not be whole (see [`crate::stats::estimated`]).

use std::f64::consts::PI;

use crate::stats::confusion::Confusion;
use crate::stats::ranking::{Estimate, auc_of_weights, hanley_mcneil_of_weights};

/// Predictions of one score and what came of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scored {
    pub score: f64,
    pub negatives: f64,
    pub positives: f64,
}

impl Scored {
    fn rows(&self) -> f64 {
        self.negatives + self.positives
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    cells: Vec<Scored>,
}

/// How far scores are from being chances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// The expected calibration error: `Σ share·|mean score − rate|` over bins (Naeini and others 2015). In points.
    pub expected: f64,
    /// The largest of the bins.
    pub largest: f64,
    /// What the expected one would be of perfectly calibrated scores, only because rows are few:
    /// `Σ √(2s̄(1−s̄)n_b/π)/n`.
    pub by_chance: f64,
}

impl Scores {
    /// In any order; cells without rows or with a score that is no number are left out. `None` where none is left.
    pub fn of(cells: impl IntoIterator<Item = Scored>) -> Option<Self> {
        let is_known = |cell: &Scored| cell.score.is_finite() && cell.rows() > 0.0;
        let mut cells: Vec<Scored> = cells.into_iter().filter(is_known).collect();
        cells.sort_by(|one, other| one.score.total_cmp(&other.score));
        cells.dedup_by(|next, cell| {
            let is_same = next.score == cell.score;
            if is_same {
                cell.negatives += next.negatives;
                cell.positives += next.positives;
            }
            is_same
        });
        (!cells.is_empty()).then_some(Self { cells })
    }

    /// Of single predictions: a score, and whether it came true.
    pub fn of_rows(rows: impl IntoIterator<Item = (f64, bool)>) -> Option<Self> {
        Self::of(rows.into_iter().map(|(score, is_positive)| Scored {
            score,
            negatives: f64::from(!is_positive),
            positives: f64::from(is_positive),
        }))
    }

    pub fn cells(&self) -> &[Scored] {
        &self.cells
    }

    pub fn rows(&self) -> f64 {
        self.cells.iter().map(Scored::rows).sum()
    }

    pub fn positives(&self) -> f64 {
        self.cells.iter().map(|cell| cell.positives).sum()
    }

    /// The area under the ROC curve with the error of Hanley and McNeil; `None` without both classes.
    pub fn auc(&self) -> Option<Estimate> {
        let value = auc_of_weights(self.cells.iter().map(|cell| [cell.negatives, cell.positives]))?;
        let positives = self.positives();
        let error = hanley_mcneil_of_weights(value, [self.rows() - positives, positives]);
        Some(Estimate { value, error })
    }

    /// The average precision `Σ (Rₖ − Rₖ₋₁)·Pₖ` over scores from the highest (no interpolation, as scikit-learn's). Its
    /// standard error on the logit scale, `√(AP(1−AP)/positives)` (Boyd and others 2013). `None` without a positive.
    ///
    /// ```
    /// use analyzer::stats::scores::Scores;
    /// let scores = Scores::of_rows([(0.9, true), (0.8, false), (0.7, true), (0.1, false)]).unwrap();
    /// assert!((scores.average_precision().unwrap().value - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-12);
    /// ```
    pub fn average_precision(&self) -> Option<Estimate> {
        let positives = self.positives();
        if positives <= 0.0 {
            return None;
        }
        let (mut hits, mut shown, mut value) = (0.0, 0.0, 0.0);
        for cell in self.cells.iter().rev() {
            hits += cell.positives;
            shown += cell.rows();
            value += cell.positives / positives * (hits / shown);
        }
        Some(Estimate { value, error: (value * (1.0 - value) / positives).max(0.0).sqrt() })
    }

    /// The mean of `(score − outcome)²` (Brier 1950).
    pub fn brier(&self) -> Estimate {
        self.mean(|score, outcome| (score - outcome).powi(2))
    }

    /// The mean of `−ln(chance given to what came)`, in nats; a score of 0 or 1 counts as 2.2e-16 away from it.
    pub fn log_loss(&self) -> Estimate {
        self.mean(|score, outcome| {
            let score = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            -if outcome > 0.5 { score.ln() } else { (-score).ln_1p() }
        })
    }

    /// The mean over rows of a function of score and outcome, with its standard error.
    fn mean(&self, of: impl Fn(f64, f64) -> f64) -> Estimate {
        let (mut sum, mut squares) = (0.0, 0.0);
        for cell in &self.cells {
            for (rows, value) in
                [(cell.negatives, of(cell.score, 0.0)), (cell.positives, of(cell.score, 1.0))]
            {
                if rows > 0.0 {
                    sum += rows * value;
                    squares += rows * value * value;
                }
            }
        }
        let n = self.rows();
        let value = sum / n;
        Estimate { value, error: ((squares / n - value * value).max(0.0) / n).sqrt() }
    }

    /// What a threshold makes of the scores; one that is met is a yes.
    pub fn confusion(&self, threshold: f64) -> Confusion {
        let mut all = Confusion::default();
        for cell in &self.cells {
            if cell.score >= threshold {
                all.true_positives += cell.positives;
                all.false_positives += cell.negatives;
            } else {
                all.false_negatives += cell.positives;
                all.true_negatives += cell.negatives;
            }
        }
        all
    }

    /// How far the scores of both classes are apart: `max|F₁ − F₀|`. `None` without both classes.
    pub fn separation(&self) -> Option<f64> {
        let (positives, rows) = (self.positives(), self.rows());
        let negatives = rows - positives;
        if positives <= 0.0 || negatives <= 0.0 {
            return None;
        }
        let (mut one, mut none, mut largest) = (0.0, 0.0, 0.0_f64);
        for cell in &self.cells {
            one += cell.positives / positives;
            none += cell.negatives / negatives;
            largest = largest.max((one - none).abs());
        }
        Some(largest)
    }

    /// Over bins of equal width, `min(⌊score·bins⌋, bins − 1)`.
    pub fn calibration(&self, bins: usize) -> Calibration {
        let mut sums = vec![Sum::default(); bins.max(1)];
        let last = sums.len() - 1;
        for cell in &self.cells {
            let place = (cell.score.max(0.0) * sums.len() as f64) as usize;
            sums[place.min(last)].add(cell, 1.0);
        }
        calibration(&sums, self.rows())
    }

    /// Over bins of about equal count: `⌊n/bins⌋` rows each, the last one takes what is left; rows of one score that lie
    /// in two bins are shared.
    pub fn calibration_by_count(&self, bins: usize) -> Calibration {
        let rows = self.rows();
        let width = (rows / bins.max(1) as f64).floor().max(1.0);
        let count = ((rows / width).floor() as usize).max(1);
        let mut sums = vec![Sum::default(); count];
        let mut at = 0.0;
        for cell in &self.cells {
            let (begin, end) = (at, at + cell.rows());
            let place = |row: f64| ((row / width) as usize).min(count - 1);
            for (bin, sum) in sums.iter_mut().enumerate().take(place(end) + 1).skip(place(begin)) {
                let low = begin.max(bin as f64 * width);
                let high = if bin == count - 1 { end } else { end.min((bin + 1) as f64 * width) };
                sum.add(cell, (high - low).max(0.0) / cell.rows());
            }
            at = end;
        }
        calibration(&sums, rows)
    }

    /// Calibration in the large: the mean score less the rate of positives, with its standard error. In points.
    pub fn bias(&self) -> Estimate {
        self.mean(|score, outcome| score - outcome)
    }

    /// The slope b of `logit P(yes) = a + b·logit(score)`: below 1 where scores are too extreme (Cox 1958). By Newton's
    /// method, with the standard error of the curvature. `None` without both classes or where scores do not vary.
    pub fn slope(&self) -> Option<Estimate> {
        let logit = |score: f64| {
            let score = score.clamp(1e-9, 1.0 - 1e-9);
            (score / (1.0 - score)).ln()
        };
        let (mut a, mut b) = (0.0, 1.0);
        for _ in 0..50 {
            let (mut ga, mut gb, mut haa, mut hab, mut hbb) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for cell in &self.cells {
                let x = logit(cell.score);
                let chance = 1.0 / (1.0 + (-(a + b * x)).exp());
                let (left, weight) =
                    (cell.positives - cell.rows() * chance, cell.rows() * chance * (1.0 - chance));
                ga += left;
                gb += left * x;
                haa += weight;
                hab += weight * x;
                hbb += weight * x * x;
            }
            let determinant = haa * hbb - hab * hab;
            if determinant <= 1e-12 * haa * hbb {
                return None;
            }
            let (da, db) = ((hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant);
            a += da;
            b += db;
            if da.abs() + db.abs() < 1e-12 * (1.0 + a.abs() + b.abs()) {
                return Some(Estimate { value: b, error: (haa / determinant).sqrt() });
            }
        }
        // Classes that a threshold parts have no finite slope.
        None
    }
}

/// Sums over a bin of scores.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    rows: f64,
    scores: f64,
    positives: f64,
}

impl Sum {
    fn add(&mut self, cell: &Scored, part: f64) {
        self.rows += part * cell.rows();
        self.scores += part * cell.rows() * cell.score;
        self.positives += part * cell.positives;
    }
}

fn calibration(sums: &[Sum], rows: f64) -> Calibration {
    let mut all = Calibration { expected: 0.0, largest: 0.0, by_chance: 0.0 };
    for sum in sums.iter().filter(|sum| sum.rows > 0.0) {
        let gap = (sum.scores - sum.positives).abs();
        let mean = (sum.scores / sum.rows).clamp(0.0, 1.0);
        all.expected += gap / rows;
        all.largest = all.largest.max(gap / sum.rows);
        all.by_chance += (2.0 * mean * (1.0 - mean) * sum.rows / PI).sqrt() / rows;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_has_no_area_and_no_slope() {
        let yes = Scores::of_rows([(0.2, true), (0.9, true)]).expect("rows");
        assert_eq!((yes.auc(), yes.separation(), yes.slope()), (None, None, None));
        assert!(yes.average_precision().is_some_and(|it| it.value == 1.0));
        assert_eq!(Scores::of_rows([(f64::NAN, true)]), None);
    }

    #[test]
    fn scores_that_are_the_chances_have_slope_one_and_no_bias() {
        let cells = [0.1, 0.3, 0.5, 0.8].map(|score| Scored {
            score,
            negatives: 1_000.0 * (1.0 - score),
            positives: 1_000.0 * score,
        });
        let scores = Scores::of(cells).expect("rows");
        assert!((scores.slope().expect("both classes").value - 1.0).abs() < 1e-9);
        assert!(scores.bias().value.abs() < 1e-12);
        let calibration = scores.calibration(10);
        assert!(calibration.expected < 1e-12 && calibration.by_chance > 0.0);
    }

    #[test]
    fn too_extreme_scores_have_a_slope_below_one() {
        let sharper = |chance: f64| 1.0 / (1.0 + ((1.0 - chance) / chance).powi(2));
        let cells = [0.1, 0.3, 0.5, 0.8].map(|chance| Scored {
            score: sharper(chance),
            negatives: 1_000.0 * (1.0 - chance),
            positives: 1_000.0 * chance,
        });
        let slope = Scores::of(cells).and_then(|scores| scores.slope()).expect("both classes");
        assert!((slope.value - 0.5).abs() < 1e-9, "{slope:?}");
    }
}
