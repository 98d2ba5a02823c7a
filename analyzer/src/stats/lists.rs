//! Ranked lists: how soon what was wanted is shown, and how much of the catalogue is seen.
//!
//! One list a query, its relevances in the order shown (0 for what was not wanted). Metrics of lists are means over
//! queries with their standard errors, so they add up over time.

use crate::stats::ranking::Estimate;

/// `Σ relevance/log₂(place + 1)` of the first k over that of the best order (Järvelin and Kekäläinen 2002, linear gain).
/// Zero where nothing was wanted, as scikit-learn says.
///
/// ```
/// use analyzer::stats::lists::ndcg;
/// assert_eq!(ndcg(&[3.0, 2.0, 0.0], 3), 1.0);
/// assert!((ndcg(&[0.0, 1.0], 2) - 1.0 / 3.0_f64.log2()).abs() < 1e-12);
/// ```
pub fn ndcg(shown: &[f64], k: usize) -> f64 {
    let gain = |relevances: &[f64]| -> f64 {
        let first = relevances.iter().take(k).enumerate();
        first.map(|(place, relevance)| relevance / (place as f64 + 2.0).log2()).sum()
    };
    let mut best = shown.to_vec();
    best.sort_by(|one, other| other.total_cmp(one));
    let ideal = gain(&best);
    if ideal > 0.0 { gain(shown) / ideal } else { 0.0 }
}

/// The mean of the precision at each hit among the first k, over `min(wanted, k)`. Zero where nothing was wanted.
pub fn average_precision(shown: &[f64], k: usize) -> f64 {
    let wanted = shown.iter().filter(|relevance| **relevance > 0.0).count();
    let (mut hits, mut sum) = (0.0, 0.0);
    for (place, _) in shown.iter().take(k).enumerate().filter(|(_, relevance)| **relevance > 0.0) {
        hits += 1.0;
        sum += hits / (place as f64 + 1.0);
    }
    if wanted > 0 { sum / wanted.min(k) as f64 } else { 0.0 }
}

/// One over the place of the first hit; zero without one.
pub fn reciprocal_rank(shown: &[f64]) -> f64 {
    let first = shown.iter().position(|relevance| *relevance > 0.0);
    first.map_or(0.0, |place| 1.0 / (place as f64 + 1.0))
}

/// One where a hit is among the first k.
pub fn hit(shown: &[f64], k: usize) -> f64 {
    f64::from(shown.iter().take(k).any(|relevance| *relevance > 0.0))
}

/// The share of hits among the first k.
pub fn precision(shown: &[f64], k: usize) -> f64 {
    shown.iter().take(k).filter(|relevance| **relevance > 0.0).count() as f64 / k.max(1) as f64
}

/// The mean over queries with its standard error; `None` of no query.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<Estimate> {
    mean_of(values.into_iter().map(|value| (value, 1)))
}

/// The same of values that so many queries each have.
pub fn mean_of(values: impl IntoIterator<Item = (f64, u64)>) -> Option<Estimate> {
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for (value, queries) in values {
        let queries = queries as f64;
        n += queries;
        sum += queries * value;
        squares += queries * value * value;
    }
    let value = sum / n;
    (n > 0.0).then(|| Estimate { value, error: ((squares / n - value * value).max(0.0) / n).sqrt() })
}

/// How many items were shown so many times (at least once).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownTimes {
    pub times: u64,
    pub items: u64,
}

/// The share of a catalogue that is shown, from how often items were; its standard error by those shown once, which
/// another such stretch shows or does not: `√f₁/catalogue` (Good 1953).
///
/// ```
/// use analyzer::stats::lists::{ShownTimes, coverage_of};
/// let found = coverage_of(&[ShownTimes { times: 1, items: 4 }, ShownTimes { times: 9, items: 16 }], 100);
/// assert_eq!((found.value, found.error), (0.2, 0.02));
/// ```
pub fn coverage_of(shown: &[ShownTimes], catalogue: u64) -> Estimate {
    let items: u64 = shown.iter().map(|one| one.items).sum();
    let once: u64 = shown.iter().filter(|one| one.times == 1).map(|one| one.items).sum();
    let all = catalogue.max(1) as f64;
    Estimate { value: (items as f64 / all).min(1.0), error: (once as f64).sqrt() / all }
}

/// How unlike the lists of different requests are: one less the chance that an item of one list is also in another, by
/// pairs of `lists` lists: `1 − Σ x(x−1)/((n−1)·Σx)`, x in how many lists an item is. 0 where all are the same, 1 where no
/// two share an item. Its standard error treats lists as the sample: `√(4·Var(h)/n)` with h the mean overlap of one list
/// with the others, bounded by `h(1−h)` (Hoeffding 1948). `None` of fewer than two lists or of nothing shown.
///
/// ```
/// use analyzer::stats::lists::{ShownTimes, personalisation};
/// // Ten lists of the same two items; ten lists of two items each that nobody else sees.
/// assert_eq!(personalisation(&[ShownTimes { times: 10, items: 2 }], 10).unwrap().value, 0.0);
/// assert_eq!(personalisation(&[ShownTimes { times: 1, items: 20 }], 10).unwrap().value, 1.0);
/// ```
pub fn personalisation(shown: &[ShownTimes], lists: u64) -> Option<Estimate> {
    let sum =
        |of: fn(f64) -> f64| -> f64 { shown.iter().map(|one| one.items as f64 * of(one.times as f64)).sum() };
    let (all, n) = (sum(|times| times), lists as f64);
    if all == 0.0 || lists < 2 {
        return None;
    }
    let overlap = (sum(|times| times * (times - 1.0)) / ((n - 1.0) * all)).clamp(0.0, 1.0);
    Some(Estimate { value: 1.0 - overlap, error: (4.0 * overlap * (1.0 - overlap) / n).sqrt() })
}

/// [`inequality`] of the items that were shown, from how many were so often.
pub fn inequality_of(shown: &[ShownTimes]) -> f64 {
    let mut ascending = shown.to_vec();
    ascending.sort_by_key(|one| one.times);
    let n: f64 = ascending.iter().map(|one| one.items as f64).sum();
    let all: f64 = ascending.iter().map(|one| one.items as f64 * one.times as f64).sum();
    if all == 0.0 {
        return 0.0;
    }
    let (mut before, mut weighted) = (0.0, 0.0);
    for one in &ascending {
        let items = one.items as f64;
        // Σ (2i − n − 1) over places before+1 to before+items.
        weighted += one.times as f64 * items * (2.0 * before + items - n);
        before += items;
    }
    weighted / (n * all)
}

/// What part of a catalogue is shown at all, from how often each item that was shown was. In shares; more than everything
/// is everything.
pub fn coverage(shown: &[u64], catalogue: u64) -> f64 {
    let seen = shown.iter().filter(|times| **times > 0).count() as f64;
    if catalogue == 0 { 0.0 } else { (seen / catalogue as f64).min(1.0) }
}

/// How unevenly items are shown: Gini's `Σ (2i − n − 1)·xᵢ/(n·Σx)` of ascending counts, 0 for evenly, near 1 where one item
/// has all. Zero of nothing.
pub fn inequality(shown: &[u64]) -> f64 {
    let mut counts = shown.to_vec();
    counts.sort_unstable();
    let (n, sum) = (counts.len() as f64, counts.iter().sum::<u64>() as f64);
    if sum == 0.0 {
        return 0.0;
    }
    let weighted =
        counts.iter().enumerate().map(|(at, count)| (2.0 * (at as f64 + 1.0) - n - 1.0) * *count as f64);
    weighted.sum::<f64>() / (n * sum)
}

/// How unlike the items of one list are: the mean of `1 − cosine` over its pairs of vectors. `None` of fewer than two
/// vectors that have a length.
pub fn diversity(items: &[Vec<f64>]) -> Option<f64> {
    let length = |item: &[f64]| item.iter().map(|value| value * value).sum::<f64>().sqrt();
    let items: Vec<(&Vec<f64>, f64)> =
        items.iter().map(|item| (item, length(item))).filter(|(_, length)| *length > 0.0).collect();
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (at, (one, length)) in items.iter().enumerate() {
        for (other, other_length) in &items[..at] {
            let product: f64 = one.iter().zip(other.iter()).map(|(a, b)| a * b).sum();
            sum += 1.0 - product / (length * other_length);
            pairs += 1.0;
        }
    }
    (pairs > 0.0).then(|| sum / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_scores_nothing() {
        assert_eq!(
            (ndcg(&[], 5), average_precision(&[], 5), reciprocal_rank(&[]), hit(&[], 5)),
            (0.0, 0.0, 0.0, 0.0)
        );
        assert_eq!(mean([]), None);
        assert_eq!(diversity(&[vec![1.0]]), None);
    }

    #[test]
    fn one_item_that_has_all_the_exposure_is_uneven() {
        assert_eq!(inequality(&[5, 5, 5, 5]), 0.0);
        assert_eq!(inequality(&[0, 0, 0, 20]), 0.75);
        assert_eq!((coverage(&[3, 0, 1], 10), coverage(&[], 0)), (0.2, 0.0));
    }

    #[test]
    fn counts_of_counts_say_the_same_as_counts() {
        let counts = [1, 1, 4, 4, 4, 9];
        let shown = [(1, 2), (4, 3), (9, 1)].map(|(times, items)| ShownTimes { times, items });
        assert!((inequality_of(&shown) - inequality(&counts)).abs() < 1e-12);
        assert_eq!(coverage_of(&shown, 12).value, coverage(&counts, 12));
        assert_eq!(inequality_of(&[]), 0.0);
        assert_eq!(personalisation(&[], 9), None);
    }

    #[test]
    fn unlike_items_are_diverse() {
        assert_eq!(diversity(&[vec![1.0, 0.0], vec![0.0, 1.0]]), Some(1.0));
        assert!(diversity(&[vec![1.0, 1.0], vec![2.0, 2.0]]).is_some_and(|it| it.abs() < 1e-12));
    }
}
