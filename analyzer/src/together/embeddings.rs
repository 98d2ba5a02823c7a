//! Vector signals: did their mean move, and do they fill the same clusters?

use serde::Serialize;

use super::table::Sides;
use crate::drift::psi::Psi;
use crate::stats::histogram::{Axis, Pair};
use crate::stats::projection::{Clusters, Projection, shift};
use crate::words;

/// METHODS 9.
const AXES: usize = 32;
const CLUSTERS: usize = 64;
/// A cluster of the baseline should hold so many rows.
const LEAST_IN_CLUSTER: usize = 20;
/// So many vectors a side are enough for axes and clusters, and bound what they cost.
const MOST_ROWS: usize = 5_000;
/// What is farther out than all but this part of the baseline.
const FAR: f64 = 0.001;
/// A PSI without its noise that matters.
const FLOOR_PSI: f64 = 0.1;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Embedding {
    pub signal: String,
    pub n_baseline: usize,
    pub n_current: usize,
    /// The axes on which the baseline was projected.
    pub axes: usize,
    /// Of the means, in the baseline's standard deviations; and what chance alone makes of it.
    pub mean_shift: f64,
    pub mean_shift_by_chance: f64,
    pub clusters: usize,
    /// Of how the clusters are filled, without noise, and the chance of it where nothing changed.
    pub cluster_psi: f64,
    pub cluster_p: f64,
    /// The share of vectors farther from the baseline's mean than 99.9 % of it.
    pub far_share: f64,
    pub is_moved: bool,
    pub sentence: String,
}

/// Of every vector signal that both sides have.
pub fn embeddings(sides: &Sides) -> Vec<Embedding> {
    let both = sides.baseline.vectors.iter();
    both.filter_map(|(signal, before)| embedding(signal, before, sides.current.vectors.get(signal)?))
        .collect()
}

fn embedding(signal: &str, before: &[Vec<f64>], now: &[Vec<f64>]) -> Option<Embedding> {
    let known = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        rows.iter().filter(|row| !row.is_empty()).take(MOST_ROWS).cloned().collect()
    };
    let (before, now) = (known(before), known(now));
    let projection = Projection::of(&before, AXES)?;
    let project = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        rows.iter().filter_map(|row| projection.project(row)).collect()
    };
    let (before, now) = (project(&before), project(&now));
    let shift = shift(&before, &now)?;
    let clusters = Clusters::of(&before, (before.len() / LEAST_IN_CLUSTER).clamp(1, CLUSTERS))?;
    let pair = Pair::new(clusters.occupancy(&before), clusters.occupancy(&now), Axis::Unordered)?;
    let psi = Psi::of(&pair);
    let norm = |row: &Vec<f64>| row.iter().map(|value| value * value).sum::<f64>();
    let mut norms: Vec<f64> = before.iter().map(norm).collect();
    norms.sort_unstable_by(f64::total_cmp);
    let far = norms[((norms.len() - 1) as f64 * (1.0 - FAR)).round() as usize];
    let far_share = now.iter().filter(|row| norm(row) > far).count() as f64 / now.len() as f64;
    // Three times what chance makes of the mean: its square is a χ² over the axes.
    let is_moved = shift.distance > 3.0 * shift.by_chance || (psi.p() < 0.001 && psi.corrected() > FLOOR_PSI);
    let name = words::signal(signal);
    let sentence = format!(
        "{name} {}: its mean is {} deviations away (chance makes {}), cluster PSI {}, {} far out",
        if is_moved { "moved" } else { "is as before" },
        words::number(shift.distance),
        words::number(shift.by_chance),
        words::statistic(psi.corrected()),
        words::percent(far_share)
    );
    Some(Embedding {
        signal: signal.to_owned(),
        n_baseline: before.len(),
        n_current: now.len(),
        axes: projection.axes(),
        mean_shift: shift.distance,
        mean_shift_by_chance: shift.by_chance,
        clusters: pair.baseline.counts().len(),
        cluster_psi: psi.corrected(),
        cluster_p: psi.p(),
        far_share,
        is_moved,
        sentence,
    })
}
