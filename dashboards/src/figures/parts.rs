//! What PSI is a sum of: stretches of bins or categories, bins, and the segments of a dimension.

use domain::counts::Counts;
use domain::grid::{Bin, Bins, Edges, Grid};
use serde::Serialize;

use super::{Pair, bin_at};

/// A part of PSI: a stretch of neighbouring bins, or a category.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    pub label: String,
    pub low: f64,
    pub high: f64,
    pub baseline: f64,
    pub now: f64,
    pub psi: f64,
    /// The positions of its bins.
    #[serde(skip)]
    first: usize,
    #[serde(skip)]
    last: usize,
}

/// The value bin at a position; behind the last one stands *other*.
fn bin_or_other(grid: &Grid, position: usize) -> Bin {
    if position < grid.value_bins() { bin_at(position) } else { Bin::OTHER }
}

/// The part of PSI of each value bin (and of *other* behind them): a part's ln(q/p) times what the bin itself gained or
/// lost, which adds up to the part exactly.
pub(super) fn psi_by_bin(grid: &Grid, pair: Pair<'_>) -> Vec<f64> {
    let mut by_bin = vec![0.0; grid.value_bins() + 1];
    if pair.baseline.total() == 0 || pair.now.total() == 0 {
        return by_bin;
    }
    let parts = contributions(grid, pair);
    let halves = parts.len() as f64 / 2.0;
    let total = |counts: &Counts| -> f64 {
        let values: u64 = counts.values(grid.value_bins()).iter().sum();
        values as f64 + halves
    };
    let (before, after) = (total(pair.baseline), total(pair.now));
    for part in &parts {
        let weight = (part.now / part.baseline).ln();
        let each = 0.5 / (part.last - part.first + 1) as f64;
        for (position, psi) in by_bin.iter_mut().enumerate().take(part.last + 1).skip(part.first) {
            let bin = bin_or_other(grid, position);
            let p = (pair.baseline.get(bin) as f64 + each) / before;
            let q = (pair.now.get(bin) as f64 + each) / after;
            *psi = (q - p) * weight;
        }
    }
    by_bin
}

/// PSI = Σ (qᵢ − pᵢ)·ln(qᵢ/pᵢ) part by part, over the baseline's deciles rounded to edges of the grid (a value heavier
/// than a tenth stands alone) or over categories; half an event is added to each side of each part.
pub fn contributions(grid: &Grid, pair: Pair<'_>) -> Vec<Contribution> {
    let groups = match &grid.bins {
        Bins::Numbers(edges) => deciles(edges, pair.baseline),
        Bins::Categories(levels) => (0..=levels.names().len()).map(|position| (position, position)).collect(),
    };
    let sum = |counts: &Counts, (first, last): (usize, usize)| -> u64 {
        (first..=last).map(|position| counts.get(bin_or_other(grid, position))).sum()
    };
    let counted: Vec<((usize, usize), u64, u64)> = groups
        .into_iter()
        .map(|group| (group, sum(pair.baseline, group), sum(pair.now, group)))
        .filter(|(_, baseline, now)| baseline + now > 0)
        .collect();
    let half_each = counted.len() as f64 / 2.0;
    let totals = counted.iter().fold((half_each, half_each), |totals, (_, baseline, now)| {
        (totals.0 + *baseline as f64, totals.1 + *now as f64)
    });
    counted
        .into_iter()
        .map(|((first, last), baseline, now)| {
            let (p, q) = ((baseline as f64 + 0.5) / totals.0, (now as f64 + 0.5) / totals.1);
            let (low, high, label) = match &grid.bins {
                Bins::Numbers(edges) => {
                    let (low, high) = (edges.limits(first).0, edges.limits(last).1);
                    (low, high, between(low, high))
                }
                Bins::Categories(_) => (0.0, 0.0, grid.label(bin_or_other(grid, first))),
            };
            Contribution { label, low, high, baseline: p, now: q, psi: (q - p) * (q / p).ln(), first, last }
        })
        .collect()
}

fn between(low: f64, high: f64) -> String {
    let number = crate::text::number;
    match (low.is_infinite(), high.is_infinite()) {
        (true, true) => "all values".to_owned(),
        (true, false) => format!("≤ {}", number(high)),
        (false, true) => format!("> {}", number(low)),
        (false, false) if low.next_up() == high => number(high),
        (false, false) => format!("({}, {}]", number(low), number(high)),
    }
}

/// Stretches of positions that hold about a tenth of the baseline each.
fn deciles(edges: &Edges, baseline: &Counts) -> Vec<(usize, usize)> {
    const PARTS: u64 = 10;
    let values = baseline.values(edges.bins());
    let total: u64 = values.iter().take(edges.bins()).sum();
    if total == 0 {
        return Vec::new();
    }
    let (mut groups, mut first, mut below) = (Vec::new(), 0, 0_u64);
    for (position, n) in values.iter().enumerate().take(edges.bins()) {
        let heavy = n * PARTS > total && edges.is_atom(position);
        if heavy && position > first {
            groups.push((first, position - 1));
            first = position;
        }
        let reached = (below + n) * PARTS / total;
        let ends = reached > below * PARTS / total && below + n < total;
        below += n;
        if heavy || ends {
            groups.push((first, position));
            first = position + 1;
        }
    }
    if first < edges.bins() {
        groups.push((first, edges.bins() - 1));
    }
    groups
}

/// A segment's part of a shift.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SegmentPart {
    pub segment: String,
    /// The part of the shift; negative where the segment works against it.
    pub shift: f64,
    /// The part of the events.
    pub traffic: f64,
}

/// The counts of one segment on the grid of the whole.
#[derive(Clone, Debug)]
pub struct SegmentCounts {
    pub segment: String,
    pub baseline: Counts,
    pub now: Counts,
}

/// Splits PSI by the segments of one dimension, exactly additively: Σᵢ (qᵢₛ − pᵢₛ)·ln(qᵢ/pᵢ) over the segments s adds
/// up to Σᵢ (qᵢ − pᵢ)·ln(qᵢ/pᵢ) (METHODS 10); missing and invalid count as bins. Largest part first.
pub fn segment_parts(segments: &[SegmentCounts]) -> Vec<SegmentPart> {
    let (mut baseline, mut now) = (Counts::default(), Counts::default());
    for part in segments {
        baseline.merge(&part.baseline);
        now.merge(&part.now);
    }
    let (n_baseline, n_now) = (baseline.total() as f64, now.total() as f64);
    if n_baseline == 0.0 || n_now == 0.0 {
        return Vec::new();
    }
    let bins: std::collections::BTreeSet<Bin> =
        baseline.iter().chain(now.iter()).map(|(bin, _)| bin).collect();
    let half_each = bins.len() as f64 / 2.0;
    let weight = |bin: Bin| {
        let p = (baseline.get(bin) as f64 + 0.5) / (n_baseline + half_each);
        let q = (now.get(bin) as f64 + 0.5) / (n_now + half_each);
        (q / p).ln()
    };
    let weights: Vec<(Bin, f64)> = bins.into_iter().map(|bin| (bin, weight(bin))).collect();
    let shift_of = |part: &SegmentCounts| -> f64 {
        weights
            .iter()
            .map(|(bin, weight)| {
                let (p, q) = (part.baseline.get(*bin) as f64 / n_baseline, part.now.get(*bin) as f64 / n_now);
                (q - p) * weight
            })
            .sum()
    };
    let total: f64 = segments.iter().map(shift_of).sum();
    let mut parts: Vec<SegmentPart> = segments
        .iter()
        .map(|part| SegmentPart {
            segment: part.segment.clone(),
            shift: if total.abs() > 1e-12 { shift_of(part) / total } else { 0.0 },
            traffic: part.now.total() as f64 / n_now,
        })
        .collect();
    parts.sort_by(|a, b| b.shift.total_cmp(&a.shift).then_with(|| a.segment.cmp(&b.segment)));
    parts
}
