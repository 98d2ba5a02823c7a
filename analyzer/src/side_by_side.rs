//! Two data sets side by side: how far each of their signals is apart, which of it is more than chance, and what a
//! release may be refused for. What `leeway compare` answers, for files and for windows of a model.
//!
//! Reading order: [`Signal`] holds the counts of both sides, [`measured`] works out every statistic, [`judged`] says
//! which signals are off course once all are known, [`report`] is what is written, [`rules`] decides pass or fail.

pub mod judged;
pub mod measured;
pub mod report;
pub mod rules;
pub mod sentence;
pub mod stored;

use serde::Serialize;

use crate::stats::histogram::{Pair, Sides};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Number,
    Category,
}

/// What one side has of a signal: values, nulls, and what is no value of its kind (NaN, infinities, another type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub n: u64,
    pub missing: u64,
    pub invalid: u64,
}

impl Tally {
    pub fn rows(&self) -> u64 {
        self.n + self.missing + self.invalid
    }
}

/// On which sides a signal is, and as what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Both,
    BaselineOnly,
    CurrentOnly,
    OtherType {
        baseline: &'static str,
        current: &'static str,
    },
    /// The two sides were counted on different grids, which cannot be compared.
    OtherGrid,
}

/// Categories that the baseline does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unseen {
    /// Rows of the current side with one.
    pub rows: u64,
    /// Categories that the baseline has once: how likely an unknown one is anyway (Good 1953).
    pub once: u64,
    /// Different categories of each side.
    pub different: [u64; 2],
}

/// One signal with both of its sides.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    pub name: String,
    pub kind: Kind,
    pub baseline: Tally,
    pub current: Tally,
    pub standing: Standing,
    /// `None` where a side has no value.
    pub pair: Option<Pair>,
    /// What the bins of categories are called; the last bin, *other*, has no name here.
    pub levels: Vec<String>,
    /// Of categories.
    pub unseen: Option<Unseen>,
    /// Where they are known better than from the bins.
    pub means: Option<Sides>,
}

impl Signal {
    /// Of what is on both sides, without counts.
    pub fn new(name: &str, kind: Kind, baseline: Tally, current: Tally) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            baseline,
            current,
            standing: Standing::Both,
            pair: None,
            levels: Vec::new(),
            unseen: None,
            means: None,
        }
    }
}
