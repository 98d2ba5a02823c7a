//! Grids from samples of raw values.

use std::collections::BTreeMap;

use domain::contract::Contract;
use domain::grid::{Bins, Edges, Levels};
use domain::signal::is_duration;
use sql::grid_making::{CategoryCount, NumberSample};

use super::pending::Due;

/// The bins of a signal, made of so many values.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub model: String,
    pub signal: String,
    pub bins: Bins,
    pub of: u64,
}

/// The grids of all due signals that have values. A signal with numbers and categories is what most of its values are.
pub fn grids(
    due: &Due,
    contract: &Contract,
    numbers: Vec<NumberSample>,
    categories: Vec<CategoryCount>,
) -> Vec<Made> {
    let mut numbers: BTreeMap<String, NumberSample> =
        numbers.into_iter().map(|sample| (sample.signal.clone(), sample)).collect();
    let mut levels: BTreeMap<String, Vec<CategoryCount>> = BTreeMap::new();
    for category in categories {
        levels.entry(category.signal.clone()).or_default().push(category);
    }
    let made = due.signals.iter().filter_map(|signal| {
        let (bins, of) =
            bins(signal, contract, numbers.remove(signal), levels.remove(signal).unwrap_or_default())?;
        Some(Made { model: due.model.clone(), signal: signal.clone(), bins, of })
    });
    made.collect()
}

fn bins(
    signal: &str,
    contract: &Contract,
    numbers: Option<NumberSample>,
    categories: Vec<CategoryCount>,
) -> Option<(Bins, u64)> {
    let of_numbers = numbers.as_ref().map_or(0, |sample| sample.n);
    let of_categories = categories.first().map_or(0, |category| category.of_all);
    if is_duration(signal) {
        let limits = contract.duration_limits(signal);
        return Some((Bins::Numbers(Edges::of_duration(&limits)), of_numbers));
    }
    match numbers {
        Some(sample) if of_numbers >= of_categories => {
            let made_of = sample.sample.len() as u64;
            Some((Bins::Numbers(Edges::of_sample(sample.sample)), made_of))
        }
        _ if of_categories > 0 => {
            let counted = categories.into_iter().map(|category| (category.value, category.n));
            Some((Bins::Categories(Levels::most_frequent(counted)), of_categories))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domain::time::{Instant, Interval};

    use super::*;

    fn number(signal: &str, sample: Vec<f64>) -> NumberSample {
        NumberSample { signal: signal.to_owned(), n: sample.len() as u64, sample }
    }

    fn category(signal: &str, value: &str, n: u64, of_all: u64) -> CategoryCount {
        CategoryCount { signal: signal.to_owned(), value: value.to_owned(), n, of_all }
    }

    #[test]
    fn a_signal_is_what_most_of_its_values_are() {
        let signals = ["feature.a", "feature.b", "feature.none", "latency_ms"].map(str::to_owned).to_vec();
        let interval = Interval::new(Instant::EPOCH, Instant::EPOCH);
        let due = Due { model: "m".to_owned(), interval, signals };
        let numbers = vec![number("feature.a", vec![1.0, 2.0]), number("feature.b", vec![f64::NAN])];
        let categories = vec![category("feature.a", "x", 1, 1), category("feature.b", "y", 3, 3)];
        let made = grids(&due, &Contract::default(), numbers, categories);
        let found: Vec<(&str, bool)> =
            made.iter().map(|made| (made.signal.as_str(), matches!(made.bins, Bins::Numbers(_)))).collect();
        assert_eq!(found, [("feature.a", true), ("feature.b", false), ("latency_ms", true)]);
    }
}
