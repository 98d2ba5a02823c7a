//! Whether the model goes by other features than it did, from the attributions that events carry.

use domain::signal::{Role, short_name};
use serde::Serialize;

use super::table::{Sides, Table};
use crate::stats::importance::{order_kept, places};
use crate::words;

/// Below this the order is another one (Amazon SageMaker Clarify's limit).
const LIMIT: f64 = 0.9;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Attributions {
    /// NDCG of the order now by what each feature contributed before: 1 for the same order.
    pub order_kept: f64,
    /// The same between two halves of the baseline: what chance alone makes of it.
    pub order_kept_by_chance: f64,
    pub limit: f64,
    pub is_changed: bool,
    /// By what they contribute now, most first.
    pub features: Vec<Feature>,
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    pub signal: String,
    /// From 1.
    pub place_baseline: usize,
    pub place_current: usize,
    /// Mean absolute attributions.
    pub baseline: f64,
    pub current: f64,
}

/// `None` where events carry no attributions on both sides.
pub fn attributions(sides: &Sides) -> Option<Attributions> {
    let both = sides.baseline.numbers_of(Role::Attribution);
    let signals: Vec<&String> = both.filter(|signal| sides.current.numbers.contains_key(*signal)).collect();
    let mean = |table: &Table, keep: &dyn Fn(usize) -> bool| -> Vec<f64> {
        signals.iter().map(|signal| mean_size(table, signal, keep)).collect()
    };
    let all = |_: usize| true;
    let (before, now) = (mean(&sides.baseline, &all), mean(&sides.current, &all));
    let kept = order_kept(&before, &now)?;
    let halves = [0, 1].map(|half| mean(&sides.baseline, &move |row| row % 2 == half));
    let by_chance = order_kept(&halves[0], &halves[1])?;
    let (was, is) = (places(&before), places(&now));
    let place =
        |order: &[usize], feature: usize| order.iter().position(|one| *one == feature).map_or(0, |at| at + 1);
    let feature = |feature: &usize| Feature {
        signal: signals[*feature].clone(),
        place_baseline: place(&was, *feature),
        place_current: place(&is, *feature),
        baseline: before[*feature],
        current: now[*feature],
    };
    let features: Vec<Feature> = is.iter().map(feature).collect();
    let is_changed = kept < LIMIT && kept < by_chance;
    let first = features.first()?;
    let sentence = match is_changed {
        true => format!(
            "the model goes by other features: {} contributes most (place {} before)",
            short_name(&first.signal),
            first.place_baseline
        ),
        false => format!("the order of features is kept (NDCG {})", words::number(kept)),
    };
    Some(Attributions {
        order_kept: kept,
        order_kept_by_chance: by_chance,
        limit: LIMIT,
        is_changed,
        features,
        sentence,
    })
}

/// Events without the attribution contribute nothing to it.
fn mean_size(table: &Table, signal: &str, keep: &dyn Fn(usize) -> bool) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    let values = table.numbers.get(signal).into_iter().flatten().enumerate();
    for (_, value) in values.filter(|(row, value)| keep(*row) && value.is_finite()) {
        sum += value.abs();
        n += 1.0;
    }
    if n > 0.0 { sum / n } else { 0.0 }
}
