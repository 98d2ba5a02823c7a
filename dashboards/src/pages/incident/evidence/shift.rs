//! What carries a shift: which segments of a signal, and which signals of the prediction's move.

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::evaluation::{Monitor, Subject};
use domain::grid::{Bin, Bins, Grid, GridId};
use domain::signal::{Role, role, segment};
use sql::baselines::BySignal;

use super::{Compared, Part};
use crate::figures::{self, SegmentCounts, SegmentPart};

/// How many segments are shown.
const MOST_SEGMENTS: usize = 5;

/// The segments that carry what happened to a signal, dimension by dimension, the largest parts first. Where values went
/// missing or invalid, only how many did counts; else how the values moved.
pub fn segments_of(compared: &[Compared], lead: &Subject) -> Vec<Part> {
    let mut dimensions: BTreeMap<&str, Vec<SegmentCounts>> = BTreeMap::new();
    let mut grids: BTreeMap<&str, GridId> = BTreeMap::new();
    for one in compared.iter().filter(|one| one.signal == lead.signal) {
        let Some((dimension, _)) = segment::parts(&one.segment) else { continue };
        // Counts of two grids do not add.
        if *grids.entry(dimension).or_insert(one.grid.id) != one.grid.id {
            continue;
        }
        dimensions.entry(dimension).or_default().push(SegmentCounts {
            segment: one.segment.clone(),
            baseline: counted(&one.baseline, lead.monitor),
            now: counted(&one.now, lead.monitor),
        });
    }
    let several = dimensions.values().filter(|parts| parts.len() > 1);
    let mut parts: Vec<SegmentPart> = several.flat_map(|parts| figures::segment_parts(parts)).collect();
    parts.sort_by(|one, other| {
        other.shift.total_cmp(&one.shift).then_with(|| one.segment.cmp(&other.segment))
    });
    parts.truncate(MOST_SEGMENTS);
    parts
        .into_iter()
        .map(|SegmentPart { segment, shift, traffic }| Part { segment, shift, traffic })
        .collect()
}

/// The counts that a monitor is about: with the value or without it, or all bins.
fn counted(counts: &Counts, monitor: Monitor) -> Counts {
    let bin = match monitor {
        Monitor::Missing => Bin::MISSING,
        Monitor::Invalid => Bin::INVALID,
        _ => return counts.clone(),
    };
    Counts::of([(bin, counts.get(bin)), (Bin::FIRST_VALUE, counts.total() - counts.get(bin))])
}

/// The prediction's mean must have moved by so many of its standard errors for parts of the move to mean anything …
const MOVED_ERRORS: f64 = 4.0;
/// … and by this part of its spread.
const MOVED_SPREAD: f64 = 0.02;

/// Each signal's part of the prediction's move from the baseline, by mix: Σ_b (q_b − p_b)·m_b over its bins b, with m_b
/// the baseline's mean prediction in b (METHODS 10), as a share of the whole move. Empty where nothing moved, or the
/// baseline does not know the means.
pub fn parts_of_move(compared: &[Compared], baseline: &BySignal, prediction: &str) -> BTreeMap<String, f64> {
    let of_all =
        |signal: &str| compared.iter().find(|one| one.signal == signal && one.segment == segment::ALL);
    let Some(moved) = of_all(prediction).and_then(|one| move_of(one, baseline)) else {
        return BTreeMap::new();
    };
    compared
        .iter()
        .filter(|one| one.segment == segment::ALL && role(&one.signal) == Role::Feature)
        .filter_map(|one| Some((one.signal.clone(), mix(one, baseline)? / moved)))
        .filter(|(_, part)| part.is_finite())
        .collect()
}

/// How far the prediction's mean moved from the baseline's; `None` where it did not.
fn move_of(prediction: &Compared, baseline: &BySignal) -> Option<f64> {
    let means = &baseline.get(&(segment::ALL.to_owned(), prediction.signal.clone()))?.means;
    let moments = |counts: &Counts| -> Option<(f64, f64, f64)> {
        let mut sums = (0.0, 0.0, 0.0);
        for (bin, n) in counts.iter().filter(|(bin, _)| bin.value_index().is_some()) {
            let (n, mean) = (n as f64, place(&prediction.grid, bin, means)?);
            sums = (sums.0 + n, sums.1 + n * mean, sums.2 + n * mean * mean);
        }
        let mean = sums.1 / sums.0;
        (sums.0 > 0.0).then(|| (mean, (sums.2 / sums.0 - mean * mean).max(0.0).sqrt(), sums.0))
    };
    let (before, sd, n_before) = moments(&prediction.baseline)?;
    let (now, sd_now, n_now) = moments(&prediction.now)?;
    let error = (sd * sd / n_before + sd_now * sd_now / n_now).sqrt();
    let moved = now - before;
    (moved.abs() > MOVED_ERRORS * error && moved.abs() > MOVED_SPREAD * sd).then_some(moved)
}

/// The mean value of a bin: the baseline's, or the middle where the baseline has no value in it.
fn place(grid: &Grid, bin: Bin, means: &BTreeMap<Bin, f64>) -> Option<f64> {
    means.get(&bin).copied().or_else(|| match &grid.bins {
        Bins::Numbers(edges) => Some(edges.middle(bin.value_index()?)),
        Bins::Categories(_) => None,
    })
}

/// Σ_b (q_b − p_b)·m_b. A bin whose mean prediction nobody knows counts with the overall mean, that is not at all.
fn mix(one: &Compared, baseline: &BySignal) -> Option<f64> {
    let known = baseline.get(&(segment::ALL.to_owned(), one.signal.clone()))?;
    if known.mean_predictions.is_empty() {
        return None;
    }
    let (p, q) = (one.baseline.total() as f64, one.now.total() as f64);
    if p == 0.0 || q == 0.0 {
        return None;
    }
    let weight: f64 = known.mean_predictions.keys().map(|bin| one.baseline.get(*bin) as f64).sum();
    let centre =
        known.mean_predictions.iter().map(|(bin, mean)| one.baseline.get(*bin) as f64 * mean).sum::<f64>()
            / weight.max(1.0);
    Some(
        known
            .mean_predictions
            .iter()
            .map(|(bin, mean)| {
                let share = one.now.get(*bin) as f64 / q - one.baseline.get(*bin) as f64 / p;
                share * (mean - centre)
            })
            .sum(),
    )
}

#[cfg(test)]
mod tests {
    use domain::baseline::SignalBaseline;
    use domain::grid::Edges;
    use domain::time::Instant;

    use super::*;

    const FIRST: u16 = Bin::FIRST_VALUE.0;

    fn grid(signal: &str) -> Grid {
        let edges = Edges::try_from(vec![0.0, 1.0]).expect("ascending");
        Grid::new("m", signal, Instant::EPOCH, Bins::Numbers(edges))
    }

    fn compared(signal: &str, segment: &str, baseline: [u64; 2], now: [u64; 2]) -> Compared {
        let counts = |values: [u64; 2]| Counts::of([(Bin(FIRST), values[0]), (Bin(FIRST + 1), values[1])]);
        Compared {
            signal: signal.to_owned(),
            segment: segment.to_owned(),
            grid: grid(signal),
            baseline: counts(baseline),
            now: counts(now),
        }
    }

    fn known(signal: &str, means: [f64; 2], predictions: [f64; 2]) -> ((String, String), SignalBaseline) {
        let by_bin = |values: [f64; 2]| [(Bin(FIRST), values[0]), (Bin(FIRST + 1), values[1])].into();
        let of = SignalBaseline {
            means: by_bin(means),
            mean_predictions: by_bin(predictions),
            ..Default::default()
        };
        ((String::new(), signal.to_owned()), of)
    }

    /// The prediction is 0.1 where x is low and 0.5 where it is high, whatever y is: x explains the move, y none of it.
    #[test]
    fn the_signal_that_moved_the_prediction_has_all_of_its_move() {
        let compared = [
            compared("feature.x", "", [800, 200], [400, 600]),
            compared("feature.y", "", [500, 500], [100, 900]),
            compared("prediction.score", "", [800, 200], [400, 600]),
        ];
        let baseline: BySignal = [
            known("feature.x", [0.5, 1.5], [0.1, 0.5]),
            known("feature.y", [0.5, 1.5], [0.18, 0.18]),
            known("prediction.score", [0.1, 0.5], [0.1, 0.5]),
        ]
        .into();
        let parts = parts_of_move(&compared, &baseline, "prediction.score");
        assert!((parts["feature.x"] - 1.0).abs() < 1e-9, "{parts:?}");
        assert!(parts["feature.y"].abs() < 1e-9, "{parts:?}");
    }

    #[test]
    fn a_prediction_that_has_not_moved_is_nobodys_doing() {
        let compared = [
            compared("feature.x", "", [800, 200], [400, 600]),
            compared("prediction.score", "", [800, 200], [799, 201]),
        ];
        let baseline: BySignal =
            [known("feature.x", [0.5, 1.5], [0.1, 0.5]), known("prediction.score", [0.1, 0.5], [0.1, 0.5])]
                .into();
        assert!(parts_of_move(&compared, &baseline, "prediction.score").is_empty());
    }

    #[test]
    fn the_segment_that_moved_carries_the_shift() {
        let compared = [
            compared("feature.x", "origin=JFK", [300, 100], [100, 300]),
            compared("feature.x", "origin=EWR", [600, 200], [600, 200]),
            compared("feature.x", "", [900, 300], [700, 500]),
            compared("feature.z", "origin=EWR", [1, 900], [900, 1]),
        ];
        let parts = segments_of(&compared, &subject(Monitor::Drift));
        assert_eq!(parts[0].segment, "origin=JFK");
        assert!((parts[0].shift - 1.0).abs() < 1e-9 && parts.len() == 2, "{parts:?}");
    }

    #[test]
    fn where_values_went_missing_counts_and_not_how_the_others_moved() {
        let missing = |counts: Counts, n: u64| {
            let mut counts = counts;
            counts.add(Bin::MISSING, n);
            counts
        };
        let mut jfk = compared("feature.x", "origin=JFK", [300, 100], [300, 100]);
        jfk.now = missing(jfk.now, 200);
        let ewr = compared("feature.x", "origin=EWR", [600, 200], [200, 600]);
        let parts = segments_of(&[jfk, ewr], &subject(Monitor::Missing));
        assert!(parts[0].segment == "origin=JFK" && parts[0].shift > 0.9, "{parts:?}");
    }

    fn subject(monitor: Monitor) -> Subject {
        Subject {
            model: "m".to_owned(),
            environment: "production".to_owned(),
            watch: "hourly".to_owned(),
            monitor,
            signal: "feature.x".to_owned(),
            segment: String::new(),
        }
    }
}
