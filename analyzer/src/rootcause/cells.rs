//! Which segments carry the change of a mean or a share: one value of a dimension, or two of two.
//!
//! Invariant: the contributions of all cells of the same dimensions add up to the change, exactly ([`Split`]).

use std::collections::BTreeMap;

use sql::causes::Cell;

use crate::stats::histogram::Sides;
use crate::stats::mix::{Contribution, Segment, Split};
use crate::stats::multiple::{Adjustment, adjusted};
use crate::stats::normal;

/// Which cells are told (METHODS 10).
const LEAST_PART: f64 = 0.1;
const LEAST_SUPPORT: f64 = 0.01;
const LEAST_Z: f64 = 4.0;
/// Means of few events are drawn to those of the cell's parent, as if so many more events had its mean.
const PRIOR: f64 = 100.0;
/// A pair is told in place of its parent where it changed so much more than the parent did …
const SHARPER: f64 = 1.1;
/// … and carries so much of what the parent carries.
const MOST_OF_PARENT: f64 = 0.8;
/// So many cells are told.
const MOST: usize = 12;

/// Sums over the events of a cell on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    n: f64,
    total: f64,
    squares: f64,
}

impl Sums {
    fn mean(self) -> f64 {
        if self.n > 0.0 { self.total / self.n } else { 0.0 }
    }

    fn variance(self) -> f64 {
        if self.n > 1.0 { (self.squares / self.n - self.mean().powi(2)).max(0.0) } else { 0.0 }
    }

    /// The mean with [`PRIOR`] events of the parent's.
    fn shrunk(self, parent: f64) -> f64 {
        (self.total + PRIOR * parent) / (self.n + PRIOR)
    }
}

type Values = Vec<(usize, String)>;
type Both = [Sums; 2];

/// One cell that carries a part of the change.
#[derive(Clone, Debug, PartialEq)]
pub struct Carrier {
    /// Places of dimensions, with the values.
    pub values: Values,
    pub contribution: Contribution,
    /// Of the whole change.
    pub part: f64,
    /// The share of the events now.
    pub support: f64,
    pub means: Sides,
    pub z: f64,
    /// Adjusted over all cells that were looked at.
    pub p: f64,
}

/// A measure over all events and what carries its change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Carried {
    pub measure: Sides,
    pub carriers: Vec<Carrier>,
}

/// `None` where a side has no events.
pub fn carried(cells: &[Cell]) -> Option<Carried> {
    let mut sums: BTreeMap<Values, Both> = BTreeMap::new();
    for cell in cells {
        let side = &mut sums.entry(cell.values.clone()).or_default()[usize::from(cell.is_now)];
        *side = Sums { n: cell.n as f64, total: cell.total, squares: cell.squares };
    }
    let whole = sums.remove(&Vec::new())?;
    if whole.iter().any(|side| side.n <= 0.0) {
        return None;
    }
    let measure = Sides { baseline: whole[0].mean(), current: whole[1].mean() };
    let change = measure.current - measure.baseline;
    let is_finite = change.is_finite();
    let carriers = if is_finite && change != 0.0 { told(&sums, whole, change) } else { Vec::new() };
    is_finite.then_some(Carried { measure, carriers })
}

fn told(sums: &BTreeMap<Values, Both>, whole: Both, change: f64) -> Vec<Carrier> {
    let mut all = split(sums, whole, change, &BTreeMap::new(), 1);
    let parents: BTreeMap<Values, Carrier> =
        all.iter().map(|carrier| (carrier.values.clone(), carrier.clone())).collect();
    all.extend(split(sums, whole, change, &parents, 2));
    let p_values: Vec<f64> = all.iter().map(|carrier| 2.0 * normal::sf(carrier.z)).collect();
    let level = 2.0 * normal::sf(LEAST_Z);
    for (carrier, p) in all.iter_mut().zip(adjusted(&p_values, Adjustment::BenjaminiHochberg)) {
        carrier.p = p;
    }
    all.retain(|carrier| {
        carrier.p <= level && carrier.part.abs() >= LEAST_PART && carrier.support >= LEAST_SUPPORT
    });
    all.retain(|carrier| match carrier.values.len() {
        1 => is_more_than_its_share(carrier, change),
        _ => is_sharper(carrier, &parents),
    });
    let best_pair = |carrier: &Carrier| all_pairs_of(&all, carrier);
    let mut ranked: Vec<(f64, Carrier)> =
        all.iter().map(|carrier| (rank(carrier, best_pair(carrier)), carrier.clone())).collect();
    ranked.sort_by(|one, other| other.0.total_cmp(&one.0).then_with(|| one.1.values.cmp(&other.1.values)));
    ranked.into_iter().map(|(_, carrier)| carrier).take(MOST).collect()
}

/// A value of which a pair says more comes after the pair.
fn rank(carrier: &Carrier, is_said_by_pair: bool) -> f64 {
    let part = carrier.part.abs();
    if is_said_by_pair { part * MOST_OF_PARENT * 0.99 } else { part }
}

fn all_pairs_of(all: &[Carrier], carrier: &Carrier) -> bool {
    carrier.values.len() == 1
        && all.iter().any(|pair| pair.values.len() == 2 && pair.values.contains(&carrier.values[0]))
}

fn moved(carrier: &Carrier) -> f64 {
    (carrier.means.current - carrier.means.baseline).abs()
}

/// Whether a value changed more than everything did, or its weight did part of it: what moved everywhere alike is in no
/// segment.
fn is_more_than_its_share(carrier: &Carrier, change: f64) -> bool {
    moved(carrier) >= SHARPER * change.abs() || carrier.contribution.mix.abs() >= LEAST_PART * change.abs()
}

/// Whether a pair changed more than each of its values alone did, and carries nearly all that the stronger one carries.
fn is_sharper(pair: &Carrier, parents: &BTreeMap<Values, Carrier>) -> bool {
    let of = |value: &(usize, String)| parents.get(std::slice::from_ref(value));
    let parents: Vec<&Carrier> = pair.values.iter().filter_map(of).collect();
    let strongest = parents.iter().map(|parent| parent.part.abs()).fold(0.0, f64::max);
    parents.iter().all(|parent| moved(pair) >= SHARPER * moved(parent))
        && pair.part.abs() >= MOST_OF_PARENT * strongest
}

/// The cells of every set of `depth` dimensions, each set split exactly.
fn split(
    sums: &BTreeMap<Values, Both>,
    whole: Both,
    change: f64,
    parents: &BTreeMap<Values, Carrier>,
    depth: usize,
) -> Vec<Carrier> {
    let mut by_dimensions: BTreeMap<Vec<usize>, Vec<(&Values, &Both)>> = BTreeMap::new();
    for (values, both) in sums.iter().filter(|(values, _)| values.len() == depth) {
        by_dimensions
            .entry(values.iter().map(|(place, _)| *place).collect())
            .or_default()
            .push((values, both));
    }
    let several = by_dimensions.values().filter(|cells| cells.len() > 1);
    several
        .flat_map(|cells| {
            let segments: Vec<Segment> = cells.iter().map(|(_, both)| segment(both)).collect();
            let contributions = Split::of(&segments).map(|split| split.segments).unwrap_or_default();
            let of = |((values, both), contribution): (&(&Values, &Both), Contribution)| {
                let parent = parent_means(values, parents, whole);
                let weighed = weighed(both, whole, parent);
                let z = weighed.value.abs() / weighed.error;
                Carrier {
                    values: (*values).clone(),
                    contribution,
                    part: contribution.total() / change,
                    support: both[1].n / whole[1].n,
                    means: Sides { baseline: both[0].mean(), current: both[1].mean() },
                    z: if z.is_finite() { z } else { 0.0 },
                    p: 1.0,
                }
            };
            cells.iter().zip(contributions).map(of).collect::<Vec<_>>()
        })
        .collect()
}

fn segment(both: &Both) -> Segment {
    Segment {
        weight: Sides { baseline: both[0].n, current: both[1].n },
        value: Sides { baseline: both[0].mean(), current: both[1].mean() },
    }
}

/// The means that a cell's are drawn to: those of its value that carries most, or of all events.
fn parent_means(values: &Values, parents: &BTreeMap<Values, Carrier>, whole: Both) -> [f64; 2] {
    let of = |value: &(usize, String)| parents.get(std::slice::from_ref(value));
    let strongest =
        values.iter().filter_map(of).max_by(|one, other| one.part.abs().total_cmp(&other.part.abs()));
    strongest
        .map_or([whole[0].mean(), whole[1].mean()], |parent| [parent.means.baseline, parent.means.current])
}

/// A contribution of shrunk means with its standard error: `w̄²(s₀²/n₀ + s₁²/n₁)` of the means, and
/// `(m̄ − M̄)²·(w₀(1−w₀)/N₀ + w₁(1−w₁)/N₁)` of the weights.
struct Weighed {
    value: f64,
    error: f64,
}

fn weighed(both: &Both, whole: Both, parent: [f64; 2]) -> Weighed {
    let share = [both[0].n / whole[0].n, both[1].n / whole[1].n];
    let mut means = [both[0].shrunk(parent[0]), both[1].shrunk(parent[1])];
    // A value that is new or gone did all it did by its weight.
    if both[0].n == 0.0 {
        means[0] = means[1];
    }
    if both[1].n == 0.0 {
        means[1] = means[0];
    }
    let weight = (share[0] + share[1]) / 2.0;
    let above = (means[0] + means[1]) / 2.0 - (whole[0].mean() + whole[1].mean()) / 2.0;
    let value = weight * (means[1] - means[0]) + (share[1] - share[0]) * above;
    // A cell without a spread of its own (all of a few events alike) has that of all events.
    let spread = |side: usize| {
        let own = both[side].variance();
        let all = whole[side].variance();
        let n = both[side].n;
        (n * own + PRIOR * all) / (n + PRIOR) / (n + 1.0)
    };
    let of_means = weight * weight * (spread(0) + spread(1));
    let of_share = |side: usize| share[side] * (1.0 - share[side]) / whole[side].n;
    let of_weights = above * above * (of_share(0) + of_share(1));
    Weighed { value, error: (of_means + of_weights).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cells of 30,000 events a side over two dimensions of three values each, in which `mean` is the measure.
    fn cells(mean: impl Fn(bool, usize, usize) -> f64) -> Vec<Cell> {
        let mut cells = Vec::new();
        for is_now in [false, true] {
            let mut grouped: BTreeMap<Values, (u64, f64)> = BTreeMap::new();
            for one in 0..3 {
                for other in 0..3 {
                    let n = 3_000 + 500 * one as u64;
                    let total = n as f64 * mean(is_now, one, other);
                    let (one, other) = ((0, format!("a{one}")), (1, format!("b{other}")));
                    for values in [vec![], vec![one.clone()], vec![other.clone()], vec![one, other]] {
                        let sum = grouped.entry(values).or_default();
                        *sum = (sum.0 + n, sum.1 + total);
                    }
                }
            }
            // Of ones and zeros the squares are the total.
            cells.extend(grouped.into_iter().map(|(values, (n, total))| Cell {
                is_now,
                values,
                n,
                total,
                squares: total,
            }));
        }
        cells
    }

    fn named(carried: &Carried) -> Vec<String> {
        let name = |carrier: &Carrier| {
            carrier.values.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join("×")
        };
        carried.carriers.iter().map(name).collect()
    }

    #[test]
    fn one_value_of_one_dimension_is_named_and_no_pair_of_it() {
        let carried = carried(&cells(|now, one, _| if now && one == 1 { 0.4 } else { 0.1 })).expect("events");
        assert_eq!(named(&carried), ["a1"]);
        let carrier = &carried.carriers[0];
        assert!((carrier.part - 1.0).abs() < 1e-9 && carrier.z > 40.0, "{carrier:?}");
        assert!((carrier.contribution.within - carrier.contribution.total()).abs() < 1e-9);
    }

    #[test]
    fn two_values_together_come_before_each_of_them() {
        let broken = |now, one, other| if now && one == 2 && other == 0 { 0.9 } else { 0.1 };
        let carried = carried(&cells(broken)).expect("events");
        assert_eq!(named(&carried)[0], "a2×b0", "{:?}", named(&carried));
        assert!((carried.carriers[0].part - 1.0).abs() < 0.15, "{:?}", carried.carriers[0]);
    }

    #[test]
    fn nothing_carries_a_change_that_is_everywhere_more_than_its_share_or_is_none() {
        assert_eq!(named(&carried(&cells(|_, _, _| 0.1)).expect("events")), Vec::<String>::new());
        let everywhere = carried(&cells(|now, _, _| if now { 0.2 } else { 0.1 })).expect("events");
        assert_eq!(named(&everywhere), Vec::<String>::new());
        assert_eq!(carried(&[]), None);
    }
}
