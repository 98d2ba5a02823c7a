//! A classifier that tells two samples apart: boosted trees of two levels on binned columns (Friedman 2001, logistic loss).
//!
//! Trees of two levels see also what no single column shows, such as a correlation that changed. Invariant: a row's score
//! comes from trees that never saw it.

use crate::stats::ranking::Estimate;
use crate::stats::scores::Scores;

/// Bins a column has at most, the last of which may stand for *missing*.
pub const MOST_BINS: usize = 32;
const ROUNDS: usize = 40;
const FOLDS: usize = 5;
/// How much of each tree's answer is taken.
const RATE: f64 = 0.25;
/// Pulls the answers of small leaves to nothing.
const RIDGE: f64 = 1.0;
/// A leaf needs so much weight (`Σ p(1−p)`: about four times as many rows).
const LEAST_WEIGHT: f64 = 10.0;

/// One column of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The bin of each row, below [`MOST_BINS`].
    pub bins: Vec<u8>,
    /// Whether a split may hold all bins below one; else it holds one bin against all others.
    pub is_ordered: bool,
}

/// How well the samples are told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Of scores out of the fold: 0.5 where the samples are alike.
    pub auc: Estimate,
    /// The standard error of 0.5 where they are: `√((n + m + 1)/(12nm))` (Mann and Whitney 1947).
    pub error_alike: f64,
    /// Each column's part in what the trees gained, adding to 1.
    pub parts: Vec<f64>,
}

impl Told {
    /// Beyond chance by three standard errors, and large enough to matter (METHODS 8).
    pub fn is_apart(&self) -> bool {
        self.auc.value > 0.5 + 3.0 * self.error_alike && self.auc.value > 0.55
    }
}

/// `is_current` says of each row to which sample it belongs; rows are dealt to folds in turn, so they should come in no
/// order. `None` where a sample has fewer than two rows a fold, or there is no column.
pub fn told_apart(columns: &[Column], is_current: &[bool]) -> Option<Told> {
    let current = is_current.iter().filter(|is| **is).count();
    let baseline = is_current.len() - current;
    if columns.is_empty() || current.min(baseline) < 2 * FOLDS {
        return None;
    }
    let (mut scores, mut gains) = (Vec::with_capacity(is_current.len()), vec![0.0; columns.len()]);
    // Each sample is dealt by itself, so that every fold has rows of both.
    let mut dealt = [0, 0];
    let folds: Vec<usize> = is_current
        .iter()
        .map(|is_current| {
            let place = &mut dealt[usize::from(*is_current)];
            *place += 1;
            *place % FOLDS
        })
        .collect();
    for fold in 0..FOLDS {
        let rows = |within: bool| -> Vec<usize> {
            (0..folds.len()).filter(|row| (folds[*row] == fold) == within).collect()
        };
        let trees = grown(columns, is_current, rows(false), &mut gains);
        scores.extend(rows(true).into_iter().map(|row| (trees.score(columns, row), is_current[row])));
    }
    let (n, m) = (baseline as f64, current as f64);
    let all: f64 = gains.iter().sum();
    Some(Told {
        auc: Scores::of_rows(scores)?.auc()?,
        error_alike: ((n + m + 1.0) / (12.0 * n * m)).sqrt(),
        parts: gains.iter().map(|gain| if all > 0.0 { gain / all } else { 0.0 }).collect(),
    })
}

#[derive(Clone, Copy, Debug)]
struct Split {
    column: usize,
    bin: u8,
    is_ordered: bool,
    gain: f64,
}

impl Split {
    fn is_left(&self, columns: &[Column], row: usize) -> bool {
        let bin = columns[self.column].bins[row];
        if self.is_ordered { bin <= self.bin } else { bin == self.bin }
    }
}

/// A split, each side of which is split again or answers.
#[derive(Debug)]
struct Tree {
    root: Split,
    sides: [(Option<Split>, [f64; 2]); 2],
}

#[derive(Debug)]
struct Trees {
    start: f64,
    trees: Vec<Tree>,
}

impl Tree {
    fn answer(&self, columns: &[Column], row: usize) -> f64 {
        let (split, answers) = &self.sides[usize::from(!self.root.is_left(columns, row))];
        let is_right = split.is_some_and(|split| !split.is_left(columns, row));
        answers[usize::from(is_right)]
    }
}

impl Trees {
    fn score(&self, columns: &[Column], row: usize) -> f64 {
        self.start + self.trees.iter().map(|tree| tree.answer(columns, row)).sum::<f64>()
    }
}

/// The first and second derivative of the loss of a row, and sums of them.
#[derive(Clone, Copy, Debug, Default)]
struct Slope {
    first: f64,
    second: f64,
}

impl Slope {
    fn add(&mut self, other: Self) {
        self.first += other.first;
        self.second += other.second;
    }

    fn less(self, other: Self) -> Self {
        Self { first: self.first - other.first, second: self.second - other.second }
    }

    fn worth(self) -> f64 {
        self.first * self.first / (self.second + RIDGE)
    }

    fn answer(self) -> f64 {
        RATE * self.first / (self.second + RIDGE)
    }
}

fn grown(columns: &[Column], is_current: &[bool], rows: Vec<usize>, gains: &mut [f64]) -> Trees {
    let share = rows.iter().filter(|row| is_current[**row]).count() as f64 / rows.len() as f64;
    let start = (share / (1.0 - share)).ln();
    let mut scores = vec![start; is_current.len()];
    let mut slopes = vec![Slope::default(); is_current.len()];
    let mut trees = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        for row in &rows {
            let chance = 1.0 / (1.0 + (-scores[*row]).exp());
            let came = f64::from(is_current[*row]);
            slopes[*row] = Slope { first: came - chance, second: chance * (1.0 - chance) };
        }
        let Some(root) = best(columns, &rows, &slopes) else { break };
        gains[root.column] += root.gain.max(0.0);
        let (left, right): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|row| root.is_left(columns, **row));
        let sides = [left, right].map(|side| {
            let split = best(columns, &side, &slopes).filter(|split| split.gain > 0.0);
            let mut sums = [Slope::default(); 2];
            for row in &side {
                let is_right = split.is_some_and(|split| !split.is_left(columns, *row));
                sums[usize::from(is_right)].add(slopes[*row]);
            }
            if let Some(split) = split {
                gains[split.column] += split.gain;
            }
            (split, sums.map(Slope::answer))
        });
        let tree = Tree { root, sides };
        for row in &rows {
            scores[*row] += tree.answer(columns, *row);
        }
        trees.push(tree);
    }
    Trees { start, trees }
}

/// The split that lowers the loss most; `None` where no column can be split.
fn best(columns: &[Column], rows: &[usize], slopes: &[Slope]) -> Option<Split> {
    let mut whole = Slope::default();
    rows.iter().for_each(|row| whole.add(slopes[*row]));
    let mut best: Option<Split> = None;
    for (place, column) in columns.iter().enumerate() {
        let mut by_bin = [Slope::default(); MOST_BINS];
        for row in rows {
            by_bin[usize::from(column.bins[*row]) % MOST_BINS].add(slopes[*row]);
        }
        let mut below = Slope::default();
        for (bin, own) in by_bin.iter().enumerate() {
            below.add(*own);
            let left = if column.is_ordered { below } else { *own };
            let right = whole.less(left);
            if left.second < LEAST_WEIGHT || right.second < LEAST_WEIGHT {
                continue;
            }
            let gain = left.worth() + right.worth() - whole.worth();
            if best.is_none_or(|best| gain > best.gain) {
                best = Some(Split { column: place, bin: bin as u8, is_ordered: column.is_ordered, gain });
            }
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// Rows of two samples in turn, with columns as `values` makes them: two ordered ones and a category.
    fn samples(rows: usize, values: impl Fn(bool, &mut StdRng) -> [u8; 3]) -> (Vec<Column>, Vec<bool>) {
        let mut random = StdRng::seed_from_u64(5);
        let is_current: Vec<bool> = (0..rows).map(|row| row % 2 == 1).collect();
        let all: Vec<[u8; 3]> =
            is_current.iter().map(|is_current| values(*is_current, &mut random)).collect();
        let column =
            |place: usize| Column { bins: all.iter().map(|row| row[place]).collect(), is_ordered: place < 2 };
        ((0..3).map(column).collect(), is_current)
    }

    fn any(random: &mut StdRng) -> u8 {
        random.random_range(0..20)
    }

    #[test]
    fn samples_that_are_alike_are_not_told_apart() {
        let (columns, is_current) = samples(4_000, |_, random| [any(random), any(random), any(random) % 5]);
        let told = told_apart(&columns, &is_current).expect("rows");
        assert!((told.auc.value - 0.5).abs() < 3.0 * told.error_alike && !told.is_apart(), "{told:?}");
        assert!((told.parts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_column_that_moved_is_named() {
        let (columns, is_current) = samples(4_000, |is_current, random| {
            let moved = if is_current { any(random).max(any(random)) } else { any(random) };
            [any(random), moved, any(random) % 5]
        });
        let told = told_apart(&columns, &is_current).expect("rows");
        // Of the larger of two against one of a uniform law the best score has an AUC of 2/3.
        assert!(told.is_apart() && (told.auc.value - 0.66).abs() < 0.04, "{told:?}");
        assert!(told.parts[1] > 0.7, "{told:?}");
    }

    #[test]
    fn what_no_single_column_shows_is_seen() {
        let (columns, is_current) = samples(6_000, |is_current, random| {
            let first = any(random);
            let second = if is_current { any(random) } else { (first + random.random_range(0..4)) % 20 };
            [first, second, 0]
        });
        let told = told_apart(&columns, &is_current).expect("rows");
        assert!(told.is_apart(), "each column by itself is as before: {told:?}");
    }

    #[test]
    fn too_few_rows_tell_nothing() {
        let (columns, is_current) = samples(12, |_, random| [any(random), 0, 0]);
        assert_eq!(told_apart(&columns, &is_current), None);
        assert_eq!(told_apart(&[], &[]), None);
    }
}
