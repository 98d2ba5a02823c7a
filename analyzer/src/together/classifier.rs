//! Whether a classifier can tell the two samples apart, and by what.

use std::collections::BTreeMap;

use domain::signal::{Role, role};
use serde::Serialize;

use super::table::{Sides, Table};
use crate::stats::boosted::{Column, MOST_BINS, told_apart};
use crate::words;

/// So many signals are told.
const MOST_NAMED: usize = 20;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classifier {
    /// Out of fold: 0.5 where the samples cannot be told apart.
    pub auc: f64,
    /// 95 %.
    pub low: f64,
    pub high: f64,
    /// Above this AUC samples are apart: three standard errors of samples that are alike, and at least 0.55.
    pub limit: f64,
    pub is_apart: bool,
    /// What the classifier went by, most first; parts of all signals add to 1.
    pub signals: Vec<Used>,
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Used {
    pub signal: String,
    pub part: f64,
}

/// By features and outputs. `None` where there is none, or a side has too few events.
pub fn classifier(sides: &Sides) -> Option<Classifier> {
    let is_wanted = |signal: &&&String| matches!(role(signal), Role::Feature | Role::Prediction);
    let mut columns: Vec<(String, Column)> = Vec::new();
    for signal in sides.either(|table| &table.numbers).iter().filter(is_wanted) {
        columns.push(((*signal).clone(), of_numbers(sides, signal)));
    }
    for signal in sides.either(|table| &table.categories).iter().filter(is_wanted) {
        columns.push(((*signal).clone(), of_categories(sides, signal)));
    }
    let (names, columns): (Vec<String>, Vec<Column>) = columns.into_iter().unzip();
    let sample = |table: &Table, is_current: bool| vec![is_current; table.rows];
    let is_current = [sample(&sides.baseline, false), sample(&sides.current, true)].concat();
    let told = told_apart(&columns, &is_current)?;
    let half = 1.96 * told.auc.error;
    let mut signals: Vec<Used> =
        names.into_iter().zip(&told.parts).map(|(signal, part)| Used { signal, part: *part }).collect();
    signals.sort_by(|one, other| other.part.total_cmp(&one.part));
    signals.truncate(MOST_NAMED);
    let is_apart = told.is_apart();
    let by: Vec<String> = signals.iter().take(3).map(|used| words::signal(&used.signal)).collect();
    let auc = words::number(told.auc.value);
    let sentence = match is_apart {
        true => {
            format!("a classifier tells the samples apart with an AUC of {auc}, mostly by {}", by.join(", "))
        }
        false => format!("a classifier cannot tell the samples apart (AUC {auc})"),
    };
    Some(Classifier {
        auc: told.auc.value,
        low: (told.auc.value - half).max(0.0),
        high: (told.auc.value + half).min(1.0),
        limit: (0.5 + 3.0 * told.error_alike).max(0.55),
        is_apart,
        signals,
        sentence,
    })
}

/// Bins of about equal mass of both samples together, and a last one for events without a finite value.
fn of_numbers(sides: &Sides, signal: &str) -> Column {
    let values: Vec<f64> = both(sides, |table| table.numbers.get(signal), f64::NAN);
    let mut known: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    known.sort_unstable_by(f64::total_cmp);
    let inner = MOST_BINS - 2;
    let mut edges: Vec<f64> =
        (1..=inner).filter_map(|edge| known.get(edge * known.len() / (inner + 1)).copied()).collect();
    edges.dedup();
    let bin = |value: f64| match value.is_finite() {
        true => edges.partition_point(|edge| *edge < value) as u8,
        false => (MOST_BINS - 1) as u8,
    };
    Column { bins: values.into_iter().map(bin).collect(), is_ordered: true }
}

/// A bin for each of the most frequent values, one for all others and one for none.
fn of_categories(sides: &Sides, signal: &str) -> Column {
    let values: Vec<Option<String>> = both(sides, |table| table.categories.get(signal), None);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in values.iter().flatten() {
        *counts.entry(value).or_default() += 1;
    }
    let mut levels: Vec<(&str, usize)> = counts.into_iter().collect();
    levels.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let places: BTreeMap<&str, u8> =
        levels.iter().take(MOST_BINS - 2).zip(0_u8..).map(|((level, _), place)| (*level, place)).collect();
    let (other, missing) = ((MOST_BINS - 2) as u8, (MOST_BINS - 1) as u8);
    let bin = |value: &Option<String>| match value {
        Some(value) => places.get(value.as_str()).copied().unwrap_or(other),
        None => missing,
    };
    Column { bins: values.iter().map(bin).collect(), is_ordered: false }
}

fn both<T: Clone>(sides: &Sides, of: impl Fn(&Table) -> Option<&Vec<T>>, nothing: T) -> Vec<T> {
    let side = |table: &Table| of(table).cloned().unwrap_or_else(|| vec![nothing.clone(); table.rows]);
    [side(&sides.baseline), side(&sides.current)].concat()
}
