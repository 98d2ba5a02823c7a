//! What a recount found and did, for people.

use std::collections::BTreeMap;
use std::fmt;

use domain::time::Interval;
use sql::counts::Resolution;
use sql::recount::CarriedSignal;

use crate::import::report::thousands;

const COUNTS_ONLY: &str = "the model is counts only, and no raw event keeps a value (privacy.counts_only)";
const WERE_COUNTS_ONLY: &str = "they hold events that were received while the model was counts only";
const RULES_UNKNOWN: &str = "they hold events that were stored before their rules were kept";

/// What a recount found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub events: u64,
    /// By signal: values that were not counted, and counts without a value.
    pub signals: BTreeMap<String, Change>,
    /// Minutes of moments and of traffic that were wrong.
    pub moments: u64,
    pub traffic: u64,
    /// By rule: breaches that were not counted, and counts without a breach.
    pub rules: BTreeMap<String, Change>,
    /// Counts, moments, traffic and breaches of hours that were not the sums of their minutes.
    pub hours: u64,
    /// Stretches that events kept arriving in.
    pub unsettled: Vec<Interval>,
    /// Hours that events kept arriving in: their minutes may be right, and they were not compared with them.
    pub unsettled_hours: Vec<Interval>,
    /// Stretches that cannot be counted again: raw events or counts by the minute are no longer kept.
    pub expired: Vec<Interval>,
    /// Signals that raw events carry and that have no grid: they are not counted.
    pub without_grid: Vec<CarriedSignal>,
    /// Signals whose grid is new: what came before it is not counted yet, here neither.
    pub pending: Vec<String>,
    /// Whether values are only counted, so that nothing says what bins and moments by the minute should be.
    pub without_values: bool,
    /// Stretches of which the same is true, because they hold events that were received while the model was counts only.
    pub unvalued: Vec<Interval>,
    /// Minutes whose breaches were left alone: of some event nobody knows what it broke.
    pub unknown_rules: u64,
    pub dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Bins of a minute of a segment, or minutes of a rule, that were wrong.
    pub cells: u64,
    pub lacking: u64,
    pub surplus: u64,
}

/// What one comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub by: Resolution,
    pub signals: BTreeMap<String, Change>,
    pub moments: u64,
    pub traffic: u64,
    pub rules: BTreeMap<String, Change>,
}

impl Found {
    pub fn is_nothing(&self) -> bool {
        self.signals.is_empty() && self.moments == 0 && self.traffic == 0 && self.rules.is_empty()
    }
}

impl Change {
    fn add(&mut self, other: &Self) {
        self.cells += other.cells;
        self.lacking += other.lacking;
        self.surplus += other.surplus;
    }
}

impl Report {
    pub(super) fn add(&mut self, found: &Found) {
        if found.by == Resolution::Hours {
            let counted = found.signals.values().chain(found.rules.values());
            let cells: u64 = counted.map(|change| change.cells).sum();
            self.hours += cells + found.moments + found.traffic;
            return;
        }
        for (signal, change) in &found.signals {
            self.signals.entry(signal.clone()).or_default().add(change);
        }
        for (rule, change) in &found.rules {
            self.rules.entry(rule.clone()).or_default().add(change);
        }
        self.moments += found.moments;
        self.traffic += found.traffic;
    }

    /// Whether nothing was wrong.
    pub fn is_clean(&self) -> bool {
        self.signals.is_empty()
            && self.rules.is_empty()
            && self.moments == 0
            && self.traffic == 0
            && self.hours == 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.dry_run { "would be corrected" } else { "corrected" };
        writeln!(f, "{} events compared with their counts", thousands(self.events))?;
        if self.is_clean() {
            let is_partial = self.without_values || !self.unvalued.is_empty();
            let that = if is_partial { " that can be compared" } else { "" };
            writeln!(f, "  every count{that} is right")?;
        }
        for (signal, change) in &self.signals {
            writeln!(
                f,
                "  {signal}: {} counts {done} ({} values were not counted, {} counted too much)",
                thousands(change.cells),
                thousands(change.lacking),
                thousands(change.surplus)
            )?;
        }
        if self.moments + self.traffic > 0 {
            let (moments, traffic) = (thousands(self.moments), thousands(self.traffic));
            writeln!(f, "  moments of {moments} and traffic of {traffic} minutes {done}")?;
        }
        for (rule, change) in &self.rules {
            writeln!(
                f,
                "  breaches of {rule}: {} minutes {done} ({} were not counted, {} counted too much)",
                thousands(change.cells),
                thousands(change.lacking),
                thousands(change.surplus)
            )?;
        }
        if self.hours > 0 {
            let hours = thousands(self.hours);
            writeln!(
                f,
                "  {hours} counts, moments, traffic and breaches by the hour {done}, which were not the sums of their minutes"
            )?;
        }
        for interval in &self.unsettled {
            writeln!(f, "  not finished: {interval}, where events are arriving; run again later")?;
        }
        for interval in &self.unsettled_hours {
            writeln!(f, "  hours not compared with their minutes: {interval}, where events are arriving")?;
        }
        for interval in &self.expired {
            writeln!(
                f,
                "  left as it is: {interval}, of which raw events or counts by the minute are no longer kept"
            )?;
        }
        for carried in &self.without_grid {
            writeln!(
                f,
                "  not counted: {} has {} values and no grid yet",
                carried.signal,
                thousands(carried.numbers + carried.categories)
            )?;
        }
        if self.without_values {
            writeln!(f, "  bins, moments and segments by the minute were not compared: {COUNTS_ONLY}")?;
        }
        for interval in &self.unvalued {
            writeln!(
                f,
                "  bins, moments and segments by the minute of {interval} were not compared: {WERE_COUNTS_ONLY}"
            )?;
        }
        if self.unknown_rules > 0 {
            let minutes = thousands(self.unknown_rules);
            writeln!(f, "  breaches of {minutes} minutes were not compared: {RULES_UNKNOWN}")?;
        }
        if !self.pending.is_empty() {
            writeln!(f, "  not compared, because their grids are new: {}", self.pending.join(", "))?;
        }
        Ok(())
    }
}
