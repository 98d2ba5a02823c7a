//! Which watched segments carry a change of counts, or of a ratio of counts (Adtributor).

use std::collections::BTreeMap;

use domain::signal::segment;
use sql::counts::TrafficPoint;

use crate::stats::adtributor::{Amount, Dimension, Ratio, Thresholds, of_amounts, of_ratios};

/// A segment and its part of the change.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributed {
    pub dimension: String,
    pub value: String,
    /// Its part of the change.
    pub part: f64,
    pub surprise: f64,
    /// Before and now, of what is explained: events, or the share of errors.
    pub before: f64,
    pub now: f64,
    /// Events of all, now.
    pub support: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    events: f64,
    errors: f64,
}

/// What is explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Events,
    ErrorShare,
}

/// The elements that the dimension which explains most names, of the traffic before and now. Both stretches are of the
/// same length. Empty where no dimension explains enough, or nothing changed.
pub fn attributed(of: Of, before: &[TrafficPoint], now: &[TrafficPoint]) -> Vec<Attributed> {
    let (before, now) = (by_segment(before), by_segment(now));
    let mut dimensions: BTreeMap<String, Vec<(String, [Traffic; 2])>> = BTreeMap::new();
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    for name in names {
        let Some((dimension, value)) = segment::parts(name) else { continue };
        let sides = [&before, &now].map(|side| side.get(name).copied().unwrap_or_default());
        dimensions.entry(dimension.to_owned()).or_default().push((value.to_owned(), sides));
    }
    let explained = match of {
        Of::Events => of_amounts(&shaped(&dimensions, amount), Thresholds::default()),
        Of::ErrorShare => of_ratios(&shaped(&dimensions, ratio), Thresholds::default()),
    };
    let Some(best) = explained.into_iter().find(|one| one.is_accepted) else { return Vec::new() };
    let elements = best.candidate.iter().filter_map(|place| best.elements.get(*place));
    let known = dimensions.get(&best.dimension).map(Vec::as_slice).unwrap_or_default();
    let all: f64 = known.iter().map(|(_, [_, now])| now.events).sum();
    elements
        .filter_map(|element| {
            let (_, [before, now]) = known.iter().find(|(value, _)| *value == element.name)?;
            let said = |side: &Traffic| match of {
                Of::Events => side.events,
                Of::ErrorShare => side.errors / side.events.max(1.0),
            };
            Some(Attributed {
                dimension: best.dimension.clone(),
                value: element.name.clone(),
                part: element.explanatory_power,
                surprise: element.surprise,
                before: said(before),
                now: said(now),
                support: now.events / all.max(1.0),
            })
        })
        .collect()
}

type Elements = Vec<(String, [Traffic; 2])>;

fn shaped<T>(dimensions: &BTreeMap<String, Elements>, of: fn([Traffic; 2]) -> T) -> Vec<Dimension<T>> {
    let several = dimensions.iter().filter(|(_, elements)| elements.len() > 1);
    several
        .map(|(name, elements)| Dimension {
            name: name.clone(),
            elements: elements.iter().map(|(value, sides)| (value.clone(), of(*sides))).collect(),
        })
        .collect()
}

fn amount([before, now]: [Traffic; 2]) -> Amount {
    Amount { forecast: before.events, actual: now.events }
}

fn ratio([before, now]: [Traffic; 2]) -> Ratio {
    Ratio {
        numerator: Amount { forecast: before.errors, actual: now.errors },
        denominator: Amount { forecast: before.events, actual: now.events },
    }
}

fn by_segment(points: &[TrafficPoint]) -> BTreeMap<String, Traffic> {
    let mut sums: BTreeMap<String, Traffic> = BTreeMap::new();
    for point in points {
        let sum = sums.entry(point.segment.clone()).or_default();
        sum.events += point.events as f64;
        sum.errors += point.errors as f64;
    }
    sums
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;

    use super::*;

    fn point(segment: &str, events: u64, errors: u64) -> TrafficPoint {
        TrafficPoint {
            segment: segment.to_owned(),
            at: Instant::EPOCH,
            events,
            errors,
            first_event: Instant::EPOCH,
            last_event: Instant::EPOCH,
            largest_lag_ms: 0,
            last_received_at: Instant::EPOCH,
        }
    }

    #[test]
    fn the_segment_that_stopped_explains_fewer_events_and_the_one_that_fails_more_errors() {
        let before = [point("", 3_000, 6), point("origin=JFK", 1_000, 2), point("origin=LGA", 2_000, 4)];
        let fewer = [point("", 2_050, 4), point("origin=JFK", 60, 0), point("origin=LGA", 1_990, 4)];
        let found = attributed(Of::Events, &before, &fewer);
        assert_eq!((found.len(), found[0].value.as_str()), (1, "JFK"));
        assert!((found[0].part - 0.99).abs() < 0.01, "{found:?}");
        let failing = [point("", 3_000, 104), point("origin=JFK", 1_000, 100), point("origin=LGA", 2_000, 4)];
        let found = attributed(Of::ErrorShare, &before, &failing);
        assert_eq!((found[0].value.as_str(), found[0].now), ("JFK", 0.1));
        assert!(attributed(Of::Events, &before, &before).is_empty());
        assert!(attributed(Of::Events, &[], &[]).is_empty());
    }
}
