//! Which events show an incident: those without the value, with one that has become more frequent, or that broke a rule.

use domain::evaluation::Monitor;
use domain::grid::Bins;
use domain::incident::Finding;
use sql::counts::Question;
use sql::pages::incident::{ExamplesAsked, Shows};

use super::Compared;
use crate::figures::{self, Pair};

const MOST: u32 = 4;
/// Longer texts do not fit into an address of a question; examples are then any of the segment.
const LONGEST_LEVELS: usize = 3_000;

/// Events of the leading subject in the window that `now` counts.
pub fn asked(now: &Question, lead: &Finding, compared: &[Compared]) -> ExamplesAsked {
    let of_lead =
        compared.iter().find(|one| one.signal == lead.subject.signal && one.segment == lead.subject.segment);
    ExamplesAsked {
        model: now.model.clone(),
        environment: now.environment.clone(),
        interval: now.interval,
        signal: lead.subject.signal.clone(),
        segment: lead.subject.segment.clone(),
        shows: shows(lead.subject.monitor, of_lead),
        most: MOST,
    }
}

/// What would show a finding: the values that became more frequent, or none at all.
fn shows(monitor: Monitor, compared: Option<&Compared>) -> Shows {
    match monitor {
        Monitor::Missing | Monitor::Schema => Shows::Missing,
        Monitor::Invalid => Shows::Invalid,
        Monitor::Errors => Shows::Error,
        Monitor::Contract | Monitor::Quality => Shows::Broken,
        Monitor::Unseen => known_levels(compared).map_or(Shows::Anything, Shows::Unseen),
        Monitor::Drift
        | Monitor::Latency
        | Monitor::Staleness
        | Monitor::Freshness
        | Monitor::Range
        | Monitor::Stuck => compared.and_then(more_frequent).unwrap_or(Shows::Anything),
        Monitor::Silence
        | Monitor::Traffic
        | Monitor::Performance
        | Monitor::Fairness
        | Monitor::Selection
        | Monitor::Trend
        | Monitor::Analyzer
        | Monitor::SlowBurn
        | Monitor::Types
        | Monitor::Cardinality
        | Monitor::Duplicates
        | Monitor::Completeness
        | Monitor::LabelLag => Shows::Anything,
    }
}

fn known_levels(compared: Option<&Compared>) -> Option<Vec<String>> {
    match &compared?.grid.bins {
        Bins::Categories(levels) => short_enough(levels.names().to_vec()),
        Bins::Numbers(_) => None,
    }
}

fn short_enough(levels: Vec<String>) -> Option<Vec<String>> {
    (levels.iter().map(String::len).sum::<usize>() <= LONGEST_LEVELS).then_some(levels)
}

/// The part of PSI whose share grew the most in proportion to what it says.
fn more_frequent(compared: &Compared) -> Option<Shows> {
    let pair = Pair { baseline: &compared.baseline, now: &compared.now };
    let grown = figures::contributions(&compared.grid, pair)
        .into_iter()
        .filter(|part| part.now > part.baseline)
        .max_by(|one, other| one.psi.total_cmp(&other.psi))?;
    match compared.grid.bins {
        Bins::Numbers(_) => Some(Shows::Number { low: grown.low, high: grown.high }),
        Bins::Categories(_) => short_enough(vec![grown.label]).map(Shows::Category),
    }
}

#[cfg(test)]
mod tests {
    use domain::counts::Counts;
    use domain::grid::{Bin, Edges, Grid, Levels};
    use domain::time::Instant;

    use super::*;

    fn compared(bins: Bins, baseline: &[u64], now: &[u64]) -> Compared {
        let counts = |values: &[u64]| {
            let of = |(index, n): (usize, &u64)| (Bin(Bin::FIRST_VALUE.0 + index as u16), *n);
            Counts::of(values.iter().enumerate().map(of))
        };
        Compared {
            signal: "feature.x".to_owned(),
            segment: String::new(),
            grid: Grid::new("m", "feature.x", Instant::EPOCH, bins),
            baseline: counts(baseline),
            now: counts(now),
        }
    }

    #[test]
    fn a_moved_number_is_shown_by_values_that_became_more_frequent() {
        let edges = Edges::try_from(vec![0.0, 10.0, 20.0]).expect("ascending");
        let moved = compared(Bins::Numbers(edges), &[0, 500, 500, 0], &[0, 100, 100, 800]);
        let Shows::Number { low, high } = shows(Monitor::Drift, Some(&moved)) else { panic!("a range") };
        assert_eq!((low, high), (10.0, f64::INFINITY));
    }

    #[test]
    fn a_moved_category_is_shown_by_name_and_an_endless_one_not_at_all() {
        let levels = |names: Vec<String>| Bins::Categories(Levels::of(names));
        let named = levels(vec!["a".to_owned(), "b".to_owned()]);
        let moved = compared(named, &[90, 10], &[10, 90]);
        assert_eq!(shows(Monitor::Drift, Some(&moved)), Shows::Category(vec!["b".to_owned()]));
        let endless = levels(vec!["a".to_owned(), "x".repeat(4_000)]);
        let moved = compared(endless, &[90, 10], &[10, 90]);
        assert_eq!(shows(Monitor::Drift, Some(&moved)), Shows::Anything);
        assert_eq!(shows(Monitor::Unseen, Some(&moved)), Shows::Anything);
        assert_eq!(shows(Monitor::Missing, None), Shows::Missing);
        assert_eq!(shows(Monitor::Contract, Some(&moved)), Shows::Broken);
    }
}
