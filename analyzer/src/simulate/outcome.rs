//! What became of models that were judged: alarms while nothing was wrong, and how surely and soon faults were found.

use std::collections::BTreeMap;

/// What became of one model, or of several together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    pub signals: usize,
    /// Months of models that were judged.
    pub months: f64,
    /// How often a person was told that something is off course while nothing was wrong. Alarms that begin within two
    /// windows of each other are one, as the alerter's incidents are (its `correlation`).
    pub pages: usize,
    /// Runs of windows of one subject that page, and what they said.
    pub sentences: Vec<String>,
    /// Runs of windows of one subject that make a ticket, by what found them.
    pub tickets: BTreeMap<&'static str, usize>,
    /// Single windows beyond their limit.
    pub beyond: usize,
    pub windows: usize,
    /// The same of how numbers are distributed: what a shift is found by.
    pub drifted: usize,
    pub compared: usize,
    /// What was found of each of the plan's faults.
    pub found: Vec<Found>,
}

/// How a fault was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub tried: usize,
    /// Of the first windows after the fault, how many were beyond their limit.
    pub at_once: usize,
    /// Of all windows that were tried.
    pub windows: usize,
    pub beyond: usize,
    /// After how many windows the alarm came, where it came.
    pub delays: Vec<usize>,
}

impl Outcome {
    pub fn add(&mut self, other: &Self) {
        self.signals += other.signals;
        self.months += other.months;
        self.pages += other.pages;
        self.sentences.extend_from_slice(&other.sentences);
        for (monitor, tickets) in &other.tickets {
            *self.tickets.entry(monitor).or_default() += tickets;
        }
        self.beyond += other.beyond;
        self.windows += other.windows;
        self.drifted += other.drifted;
        self.compared += other.compared;
        self.found.resize(self.found.len().max(other.found.len()), Found::default());
        for (found, more) in self.found.iter_mut().zip(&other.found) {
            found.tried += more.tried;
            found.at_once += more.at_once;
            found.windows += more.windows;
            found.beyond += more.beyond;
            found.delays.extend(&more.delays);
        }
    }
}

impl Found {
    /// The share of windows with the fault that were beyond their limit; `None` where it was never tried.
    pub fn power(&self) -> Option<f64> {
        (self.windows > 0).then(|| self.beyond as f64 / self.windows as f64)
    }

    /// The share of faults that became an alarm while they were followed.
    pub fn told(&self) -> Option<f64> {
        (self.tried > 0).then(|| self.delays.len() as f64 / self.tried as f64)
    }

    pub fn median_delay(&self) -> Option<usize> {
        let mut sorted = self.delays.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}
