//! How good predictions probably are before their outcomes come: confidence-based estimation (METHODS 7).
//!
//! Assumes that a score means what it meant: P(yes | score) as it was where outcomes were known. A changed concept is
//! unseen, so an estimate is shown with its standard error, checked against outcomes as they come, and hidden when wrong.

use crate::stats::isotonic::{Rising, Weighted};
use crate::stats::ranking::Estimate;
use crate::stats::scores::{Scored, Scores};

/// Predictions of about one score, outcomes unknown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unlabelled {
    pub score: f64,
    pub rows: f64,
}

/// What a score has meant: the calibrated chance of yes, learned where outcomes were known.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    curve: Option<Rising>,
    /// How many rows it was learned from.
    rows: f64,
}

impl Meaning {
    /// Learned by isotonic regression; only where that lowers the Brier score of rows it has not seen: odd and even cells
    /// teach each other. Else scores are taken for chances as they are. (A proper score decides, because the error of
    /// ten bins does not see scores that are all a little too timid.)
    pub fn of(labelled: &Scores) -> Self {
        let (mut raw, mut mended) = (0.0, 0.0);
        for parity in 0..2 {
            let part = |keep: usize| {
                let cells = labelled.cells().iter().enumerate().filter(move |(at, _)| at % 2 == keep);
                Scores::of(cells.map(|(_, cell)| *cell))
            };
            let (Some(teachers), Some(pupils)) = (part(parity), part(1 - parity)) else { continue };
            let Some(curve) = curve_of(&teachers) else { continue };
            let moved = pupils.cells().iter().map(|cell| Scored { score: curve.at(cell.score), ..*cell });
            let Some(moved) = Scores::of(moved) else { continue };
            raw += pupils.brier().value;
            mended += moved.brier().value;
        }
        let curve = if mended < raw * (1.0 - 1e-9) { curve_of(labelled) } else { None };
        Self { curve, rows: labelled.rows() }
    }

    /// Scores are chances.
    pub fn as_told() -> Self {
        Self { curve: None, rows: f64::INFINITY }
    }

    pub fn is_calibrated(&self) -> bool {
        self.curve.is_some()
    }

    /// The chance of yes at a score.
    pub fn chance(&self, score: f64) -> f64 {
        self.curve.as_ref().map_or(score, |curve| curve.at(score)).clamp(0.0, 1.0)
    }
}

fn curve_of(scores: &Scores) -> Option<Rising> {
    Rising::of(scores.cells().iter().map(|cell| {
        let weight = cell.negatives + cell.positives;
        Weighted { at: cell.score, value: cell.positives / weight, weight }
    }))
}

/// Estimated metrics of one stretch of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimated {
    scores: Scores,
    rows: f64,
    learned_from: f64,
}

impl Estimated {
    /// Each score counts as `chance` of a yes and the rest of a no: `TP = Σ_{ŷ=1} c`, `FP = Σ_{ŷ=1} (1−c)` …, ranks by the
    /// raw score. All are sums, so bins of scores add up. `None` of no rows.
    ///
    /// ```
    /// use analyzer::stats::estimated::{Estimated, Meaning, Unlabelled};
    /// let rows = [Unlabelled { score: 0.2, rows: 80.0 }, Unlabelled { score: 0.9, rows: 20.0 }];
    /// let estimated = Estimated::of(&rows, &Meaning::as_told()).unwrap();
    /// // 80 rows are right with chance 0.8, 20 with chance 0.9.
    /// assert!((estimated.scores().confusion(0.5).accuracy().unwrap().value - 0.82).abs() < 1e-12);
    /// ```
    pub fn of(rows: &[Unlabelled], meaning: &Meaning) -> Option<Self> {
        let scores = Scores::of(rows.iter().map(|row| {
            let chance = meaning.chance(row.score);
            Scored { score: row.score, negatives: row.rows * (1.0 - chance), positives: row.rows * chance }
        }))?;
        let rows = scores.rows();
        Some(Self { scores, rows, learned_from: meaning.rows })
    }

    /// The expected counts, of which any metric of scores can be asked.
    pub fn scores(&self) -> &Scores {
        &self.scores
    }

    /// A metric of the expected counts. Its standard error is that of the same metric realised on as many rows, together
    /// with that of what was learned from: `σ·√(1 + n/N)`, n rows now and N then.
    pub fn metric(&self, metric: impl Fn(&Scores) -> Option<Estimate>) -> Option<Estimate> {
        let found = metric(&self.scores)?;
        Some(Estimate {
            value: found.value,
            error: found.error * (1.0 + self.rows / self.learned_from).sqrt(),
        })
    }
}

/// An estimate and what came true of it, in one window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Checked {
    pub estimated: Estimate,
    pub realised: f64,
}

impl Checked {
    /// `|estimate − realised|` beyond three standard errors.
    pub fn is_wrong(&self) -> bool {
        (self.estimated.value - self.realised).abs() > 3.0 * self.estimated.error
    }
}

/// Whether estimates may still be shown: not once two windows whose outcomes have come were beyond three standard errors.
///
/// ```
/// use analyzer::stats::{estimated::{Checked, is_trusted}, ranking::Estimate};
/// let window = |realised| Checked { estimated: Estimate { value: 0.75, error: 0.01 }, realised };
/// assert!(is_trusted(&[window(0.74), window(0.70), window(0.76)]));
/// assert!(!is_trusted(&[window(0.65), window(0.73), window(0.70)]));
/// ```
pub fn is_trusted(matured: &[Checked]) -> bool {
    matured.iter().filter(|window| window.is_wrong()).count() < 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(meant: impl Fn(f64) -> f64) -> Scores {
        let cells = (1..100).map(|at| {
            let score = f64::from(at) / 100.0;
            Scored { score, negatives: 100.0 * (1.0 - meant(score)), positives: 100.0 * meant(score) }
        });
        Scores::of(cells).expect("rows")
    }

    #[test]
    fn what_a_score_meant_is_learned() {
        let squared = labelled(|score| score * score);
        let meaning = Meaning::of(&squared);
        assert!(meaning.is_calibrated());
        assert!((meaning.chance(0.7) - 0.49).abs() < 0.01);
        let honest = labelled(|score| score);
        assert!(!Meaning::of(&honest).is_calibrated());
    }

    #[test]
    fn an_estimate_of_the_same_rows_is_what_was_realised() {
        let then = labelled(|score| score * score);
        let rows: Vec<Unlabelled> = then
            .cells()
            .iter()
            .map(|cell| Unlabelled { score: cell.score, rows: cell.negatives + cell.positives })
            .collect();
        let estimated = Estimated::of(&rows, &Meaning::of(&then)).expect("rows");
        let (guess, truth) = (estimated.metric(Scores::auc).expect("both"), then.auc().expect("both"));
        assert!((guess.value - truth.value).abs() < 1e-3, "{guess:?} {truth:?}");
        assert!((guess.error / truth.error - 2.0_f64.sqrt()).abs() < 0.01);
    }

    #[test]
    fn a_metric_needs_both_classes_here_too() {
        let rows = [Unlabelled { score: 0.0, rows: 5.0 }];
        let estimated = Estimated::of(&rows, &Meaning::as_told()).expect("rows");
        assert_eq!(estimated.metric(Scores::auc), None);
        assert_eq!(Estimated::of(&[], &Meaning::as_told()), None);
    }
}
