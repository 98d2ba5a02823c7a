//! What carries a movement: which segments, and what it did to the prediction (METHODS 10).

use std::collections::BTreeMap;

use domain::baseline::SignalBaseline;
use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::{Bin, Grid};
use domain::signal::segment;

use crate::stats::histogram::Pair;

/// How much the mean prediction moves when only this signal's distribution moves: `Σ_i (q_i − p_i)·(m_i − M)` over its
/// bins, missing ones included, with `m_i` the baseline's mean prediction in the bin and `M` that of all events.
///
/// `None` where the baseline does not know its mean predictions. A bin that the baseline never saw counts as `M`.
pub fn prediction_move(baseline: &SignalBaseline, current: &Counts) -> Option<f64> {
    let (n, m) = (baseline.counts.total() as f64, current.total() as f64);
    if baseline.mean_predictions.is_empty() || n == 0.0 || m == 0.0 {
        return None;
    }
    let weighted = |(bin, mean): (&Bin, &f64)| (baseline.counts.get(*bin) as f64, *mean);
    let known: Vec<(f64, f64)> = baseline.mean_predictions.iter().map(weighted).collect();
    let weight: f64 = known.iter().map(|(weight, _)| weight).sum();
    if weight == 0.0 {
        return None;
    }
    let overall = known.iter().map(|(weight, mean)| weight * mean).sum::<f64>() / weight;
    let moved = baseline.mean_predictions.iter().map(|(bin, mean)| {
        let (p, q) = (baseline.counts.get(*bin) as f64 / n, current.get(*bin) as f64 / m);
        (q - p) * (mean - overall)
    });
    Some(moved.sum()).filter(|moved: &f64| moved.is_finite())
}

/// One segment's counts of a signal on both sides.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub segment: &'a str,
    pub baseline: &'a Counts,
    pub current: &'a Counts,
}

/// How much of what `whole` found each segment carries, as a part of 1. The segments of one dimension add to 1 where
/// every event is in one of them; a negative part counteracts.
///
/// PSI: `Σ_i (q_is − p_is)·ln(q_i/p_i)` over PSI, with `q_is` the share of all of the window's values that are of this
/// segment and group, which is exactly additive. Shares: the segment's part of the rise.
pub fn segment_parts(
    monitor: Monitor,
    grid: &Grid,
    whole: Part<'_>,
    parts: &[Part<'_>],
) -> BTreeMap<String, f64> {
    let raw: Vec<(String, f64)> = match monitor {
        Monitor::Drift => drift_parts(grid, whole, parts),
        Monitor::Missing => share_parts(Bin::MISSING, whole, parts),
        Monitor::Invalid => share_parts(Bin::INVALID, whole, parts),
        Monitor::Unseen => share_parts(Bin::OTHER, whole, parts),
        _ => Vec::new(),
    };
    raw.into_iter().filter(|(_, part)| part.is_finite()).collect()
}

fn share_parts(bin: Bin, whole: Part<'_>, parts: &[Part<'_>]) -> Vec<(String, f64)> {
    let (n, m) = (whole.baseline.total() as f64, whole.current.total() as f64);
    let rise = |part: &Part<'_>| part.current.get(bin) as f64 / m - part.baseline.get(bin) as f64 / n;
    let total = rise(&whole);
    parts.iter().map(|part| (part.segment.to_owned(), rise(part) / total)).collect()
}

fn drift_parts(grid: &Grid, whole: Part<'_>, parts: &[Part<'_>]) -> Vec<(String, f64)> {
    let Some(pair) = Pair::on(grid, whole.baseline, whole.current, &BTreeMap::new()) else {
        return Vec::new();
    };
    let (n, m) = (pair.baseline.n() as f64, pair.current.n() as f64);
    let half = pair.groups.counts.len() as f64 / 2.0;
    let shares: Vec<(f64, f64)> = pair
        .groups
        .counts
        .iter()
        .map(|[before, now]| ((*before as f64 + 0.5) / (n + half), (*now as f64 + 0.5) / (m + half)))
        .collect();
    let total: f64 = shares.iter().map(|(p, q)| (q - p) * (q / p).ln()).sum();
    let of = |part: &Part<'_>| -> f64 {
        let sides = [part.baseline, part.current].map(|counts| counts.values(grid.value_bins()));
        let bins = pair.groups.of_bin.iter().enumerate();
        bins.filter_map(|(bin, group)| {
            let (p, q) = shares[(*group)?];
            let (before, now) = (*sides[0].get(bin)? as f64, *sides[1].get(bin)? as f64);
            Some((now / m - before / n) * (q / p).ln())
        })
        .sum()
    };
    parts.iter().map(|part| (part.segment.to_owned(), of(part) / total)).collect()
}

/// The segment that carries most of a finding, with its part, if one carries more than half and more than the events
/// that are in it would explain.
pub fn carrier(parts: &BTreeMap<String, f64>, share_of_events: impl Fn(&str) -> f64) -> Option<(&str, f64)> {
    const MOST: f64 = 0.5;
    let candidates = parts.iter().filter(|(name, part)| {
        let value = segment::parts(name).map_or("", |(_, value)| value);
        **part > MOST && **part > 1.2 * share_of_events(name) && value != segment::OTHER
    });
    candidates.max_by(|one, other| one.1.total_cmp(other.1)).map(|(name, part)| (name.as_str(), *part))
}

#[cfg(test)]
mod tests {
    use domain::grid::Edges;
    use domain::time::Instant;

    use super::*;

    fn grid() -> Grid {
        let edges = Edges::try_from(vec![1.0, 2.0]).expect("ascending");
        Grid::new("m", "feature.x", Instant::EPOCH, domain::grid::Bins::Numbers(edges))
    }

    fn counts(values: [u64; 4]) -> Counts {
        Counts::of([(Bin::MISSING, values[0]), (Bin(3), values[1]), (Bin(4), values[2]), (Bin(5), values[3])])
    }

    fn part<'a>(segment: &'a str, sides: &'a (Counts, Counts)) -> Part<'a> {
        Part { segment, baseline: &sides.0, current: &sides.1 }
    }

    #[test]
    fn a_moved_input_moves_the_prediction_by_its_bins_means() {
        let baseline = SignalBaseline {
            counts: counts([0, 50, 0, 50]),
            mean_predictions: BTreeMap::from([(Bin(3), 0.2), (Bin(5), 0.6)]),
            ..SignalBaseline::default()
        };
        let moved = prediction_move(&baseline, &counts([0, 0, 0, 10])).expect("known means");
        assert!((moved - 0.2).abs() < 1e-12, "{moved}");
        assert_eq!(prediction_move(&SignalBaseline::default(), &counts([0, 1, 0, 0])), None);
    }

    #[test]
    fn the_parts_of_the_segments_of_a_dimension_add_to_one() {
        let (jfk, lga) = (
            (counts([1, 30, 30, 40]), counts([80, 10, 5, 5])),
            (counts([0, 60, 20, 20]), counts([0, 30, 40, 30])),
        );
        let mut all = jfk.clone();
        all.0.merge(&lga.0);
        all.1.merge(&lga.1);
        let parts = [part("origin=JFK", &jfk), part("origin=LGA", &lga)];
        for monitor in [Monitor::Drift, Monitor::Missing] {
            let shares = segment_parts(monitor, &grid(), part("", &all), &parts);
            let sum: f64 = shares.values().sum();
            assert!((sum - 1.0).abs() < 0.03, "{monitor}: {shares:?}");
        }
        let missing = segment_parts(Monitor::Missing, &grid(), part("", &all), &parts);
        assert_eq!(carrier(&missing, |_| 0.5).map(|(segment, _)| segment), Some("origin=JFK"));
    }
}
