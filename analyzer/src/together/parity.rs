//! The same events on both sides, as features computed offline and online: which differ, by how much, in what share of
//! ids.

use std::collections::{BTreeSet, HashMap};

use domain::signal::FEATURE;
use serde::Serialize;
use sql::sampled_events::SampledEvent;

use crate::stats::proportion::{Share, wilson};
use crate::words;

/// Numbers that differ by less than this part of the larger one are the same: what a rounding to single precision does.
const TOLERANCE: f64 = 1e-6;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parity {
    /// Ids that both sides have, of those that were looked at.
    pub ids: usize,
    /// Every feature of either side, the one that differs most often first.
    pub features: Vec<Feature>,
    pub sentence: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feature {
    pub signal: String,
    /// Ids for which it differs: another value, or none on one side.
    pub differing: u64,
    pub share: f64,
    /// Wilson's interval of the share, 95 %.
    pub low: f64,
    pub high: f64,
    pub only_baseline: u64,
    pub only_current: u64,
    /// Of numbers that both sides have: current less baseline.
    pub mean_difference: Option<f64>,
    pub largest_difference: Option<f64>,
    pub sentence: String,
}

enum Value<'a> {
    Number(f64),
    Text(&'a str),
}

/// `None` where no id is on both sides.
pub fn parity(baseline: &[SampledEvent], current: &[SampledEvent]) -> Option<Parity> {
    let by_id: HashMap<&str, &SampledEvent> =
        current.iter().map(|event| (event.id.as_str(), event)).collect();
    let pairs: Vec<(&SampledEvent, &SampledEvent)> =
        baseline.iter().filter_map(|event| Some((event, *by_id.get(event.id.as_str())?))).collect();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for event in pairs.iter().flat_map(|(before, now)| [*before, *now]) {
        let numbers = event.numbers.iter().map(|(name, _)| name.as_str());
        let categories = event.categories.iter().map(|(name, _)| name.as_str());
        names.extend(numbers.chain(categories).filter(|name| name.starts_with(FEATURE)));
    }
    let mut features: Vec<Feature> = names.into_iter().filter_map(|name| feature(name, &pairs)).collect();
    features.sort_by(|one, other| {
        other.differing.cmp(&one.differing).then_with(|| one.signal.cmp(&other.signal))
    });
    let differing = features.iter().filter(|feature| feature.differing > 0).count();
    let ids = words::count(pairs.len() as u64);
    let sentence = match features.first().filter(|first| first.differing > 0) {
        Some(first) => {
            format!("{differing} of {} features differ over {ids} ids; {}", features.len(), first.sentence)
        }
        None => format!("no feature differs over {ids} ids"),
    };
    (!pairs.is_empty()).then_some(Parity { ids: pairs.len(), features, sentence })
}

fn value<'a>(event: &'a SampledEvent, name: &str) -> Option<Value<'a>> {
    let number = event.numbers.iter().find(|(signal, _)| signal == name);
    let category = || event.categories.iter().find(|(signal, _)| signal == name);
    match number {
        Some((_, number)) => Some(Value::Number(*number)),
        None => category().map(|(_, text)| Value::Text(text)),
    }
}

/// Two that are no numbers are the same, too.
fn is_same(one: f64, other: f64) -> bool {
    let apart = (one - other).abs();
    one == other || (one.is_nan() && other.is_nan()) || apart <= TOLERANCE * one.abs().max(other.abs())
}

fn feature(name: &str, pairs: &[(&SampledEvent, &SampledEvent)]) -> Option<Feature> {
    let (mut differing, mut only_baseline, mut only_current) = (0, 0, 0);
    let (mut n, mut sum, mut largest) = (0.0, 0.0, 0.0_f64);
    for (before, now) in pairs {
        let differs = match (value(before, name), value(now, name)) {
            (Some(Value::Number(before)), Some(Value::Number(now))) => {
                if before.is_finite() && now.is_finite() {
                    n += 1.0;
                    sum += now - before;
                    largest = if (now - before).abs() > largest.abs() { now - before } else { largest };
                }
                !is_same(before, now)
            }
            (Some(Value::Text(before)), Some(Value::Text(now))) => before != now,
            (Some(_), Some(_)) => true,
            (Some(_), None) => {
                only_baseline += 1;
                true
            }
            (None, Some(_)) => {
                only_current += 1;
                true
            }
            (None, None) => false,
        };
        differing += u64::from(differs);
    }
    let share = Share::of(differing, pairs.len() as u64)?;
    let between = wilson(share, 1.96);
    let mean_difference = (n > 0.0).then(|| sum / n);
    let by = match mean_difference {
        Some(mean) if differing > 0 => format!(", by {} in the mean", words::number(mean)),
        _ => String::new(),
    };
    Some(Feature {
        signal: name.to_owned(),
        differing,
        share: share.value(),
        low: between.low,
        high: between.high,
        only_baseline,
        only_current,
        mean_difference,
        largest_difference: (n > 0.0).then_some(largest),
        sentence: format!("{} differs for {} of ids{by}", words::signal(name), words::percent(share.value())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str, numbers: &[(&str, f64)], categories: &[(&str, &str)]) -> SampledEvent {
        SampledEvent {
            id: id.to_owned(),
            numbers: numbers.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect(),
            categories: categories
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            vectors: Vec::new(),
        }
    }

    #[test]
    fn what_differs_is_named_with_how_often_and_by_how_much() {
        let offline = [
            event("1", &[("feature.spend", 100.0), ("feature.age", 3.0)], &[("feature.country", "BR")]),
            event("2", &[("feature.spend", 50.0), ("feature.age", 4.0)], &[("feature.country", "DE")]),
            event("3", &[("feature.spend", 9.0)], &[]),
        ];
        let online = [
            event("2", &[("feature.spend", 0.5), ("feature.age", 4.000_000_1)], &[("feature.country", "DE")]),
            event("1", &[("feature.spend", 1.0)], &[("feature.country", "br")]),
        ];
        let found = parity(&offline, &online).expect("ids on both sides");
        assert_eq!(found.ids, 2);
        let told: Vec<(&str, u64)> =
            found.features.iter().map(|feature| (feature.signal.as_str(), feature.differing)).collect();
        assert_eq!(told, [("feature.spend", 2), ("feature.age", 1), ("feature.country", 1)]);
        assert_eq!(found.features[0].mean_difference, Some(-74.25));
        assert_eq!(found.features[0].largest_difference, Some(-99.0));
        assert_eq!(found.features[1].only_baseline, 1);
        assert_eq!(
            found.sentence,
            "3 of 3 features differ over 2 ids; spend differs for 100 % of ids, by −74.2 in the mean"
        );
        assert_eq!(parity(&offline, &[]), None);
    }
}
