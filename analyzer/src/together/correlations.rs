//! Which pairs of numbers go together in another way than they did.

use serde::Serialize;

use super::table::Sides;
use crate::stats::correlation::{Change, CoMoments, change};
use crate::stats::multiple::{Adjustment, adjusted};
use crate::words;

/// So many signals are held against each other: 1,225 pairs.
const MOST_SIGNALS: usize = 50;
/// A smaller change does not matter, however certain it is.
const FLOOR: f64 = 0.1;
const LEVEL: f64 = 0.05;
/// Values beyond these parts of a side are brought to them: Fisher's errors hold for what has no far tails.
const TAILS: [f64; 2] = [0.005, 0.995];
/// A pair needs so many rows with both numbers on each side.
const LEAST_ROWS: f64 = 50.0;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Correlations {
    /// How many pairs were looked at.
    pub pairs: usize,
    /// Signals beyond the first fifty, which were not.
    pub left_out: Vec<String>,
    /// The pairs that changed, the surest first.
    pub changed: Vec<Pair>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    pub first: String,
    pub second: String,
    pub baseline: f64,
    pub current: f64,
    pub z: f64,
    /// Corrected for being one of many (Benjamini and Hochberg).
    pub p: f64,
    pub sentence: String,
}

/// `None` where fewer than two numbers are on both sides.
pub fn correlations(sides: &Sides) -> Option<Correlations> {
    let mut signals = sides.shared_numbers();
    let left_out = signals.split_off(signals.len().min(MOST_SIGNALS));
    let columns: Vec<[Vec<f64>; 2]> = signals.iter().map(|signal| standardised(sides, signal)).collect();
    let mut found: Vec<(usize, usize, Change)> = Vec::new();
    for first in 0..signals.len() {
        for second in first + 1..signals.len() {
            let of = |side: usize| {
                let both = columns[first][side].iter().copied().zip(columns[second][side].iter().copied());
                CoMoments::of(both.filter(|(x, y)| x.is_finite() && y.is_finite()))
            };
            let (before, now) = (of(0), of(1));
            if before.n.min(now.n) >= LEAST_ROWS {
                found.extend(change(&before, &now).map(|change| (first, second, change)));
            }
        }
    }
    let p: Vec<f64> = found.iter().map(|(_, _, change)| change.p).collect();
    let p = adjusted(&p, Adjustment::BenjaminiHochberg);
    let pairs = found.len();
    let mut changed: Vec<Pair> = found
        .into_iter()
        .zip(p)
        .filter(|((_, _, change), p)| *p < LEVEL && (change.current - change.baseline).abs() >= FLOOR)
        .map(|((first, second, change), p)| pair(&signals[first], &signals[second], change, p))
        .collect();
    changed.sort_by(|one, other| other.z.abs().total_cmp(&one.z.abs()));
    (signals.len() > 1).then_some(Correlations { pairs, left_out, changed })
}

fn pair(first: &str, second: &str, change: Change, p: f64) -> Pair {
    let Change { baseline, current, z, .. } = change;
    let sentence = format!(
        "{} and {} correlate by {} ({} before)",
        words::signal(first),
        words::signal(second),
        words::number(current),
        words::number(baseline)
    );
    Pair { first: first.to_owned(), second: second.to_owned(), baseline, current, z, p, sentence }
}

/// Each side without its tails, in its own deviations around its own mean. (The baseline's limits would make a constant of
/// a signal that has left them, and a constant goes together with nothing.)
fn standardised(sides: &Sides, signal: &str) -> [Vec<f64>; 2] {
    [&sides.baseline, &sides.current]
        .map(|table| without_tails(table.numbers.get(signal).map_or(&[], Vec::as_slice)))
}

fn without_tails(column: &[f64]) -> Vec<f64> {
    let mut known: Vec<f64> = column.iter().copied().filter(|value| value.is_finite()).collect();
    if known.is_empty() {
        return column.to_vec();
    }
    known.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| known[((known.len() - 1) as f64 * part).round() as usize];
    let (low, high) = (at(TAILS[0]), at(TAILS[1]));
    let n = known.len() as f64;
    let mean = known.iter().map(|value| value.clamp(low, high)).sum::<f64>() / n;
    let variance = known.iter().map(|value| (value.clamp(low, high) - mean).powi(2)).sum::<f64>() / n;
    let scale = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    let value = |value: &f64| match value.is_finite() {
        true => (value.clamp(low, high) - mean) / scale,
        false => f64::NAN,
    };
    column.iter().map(value).collect()
}
