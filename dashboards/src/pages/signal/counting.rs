//! The figures of a signal's page, made of its counts: the window beside the baseline, the values over time, the segments.

use std::collections::{BTreeMap, BTreeSet};

use domain::baseline::SignalBaseline;
use domain::contract::Contract;
use domain::counts::Counts;
use domain::grid::{Bin, Bins, Grid};
use domain::signal::segment as segments;
use domain::time::Instant;
use sql::baselines::BySignal;
use sql::counts::{CountSeries, MomentPoint};
use sql::grids::StoredGrid;
use sql::pages::overview::Steps;

use super::{Compared, Data, Dimension, Plan, Sides, Step};
use crate::figures::{self, Pair, SegmentCounts};
use crate::pages::grids::grid_of;
use crate::pages::model::{counted, instants};

/// How many categories are drawn over time.
const LEVELS: usize = 5;

/// What the counts come from, before they are made into figures.
pub struct Rows<'a> {
    pub contract: &'a Contract,
    pub grids: &'a [StoredGrid],
    pub now: Vec<CountSeries>,
    pub before: BySignal,
    pub moments: Vec<MomentPoint>,
    pub over_time: Vec<CountSeries>,
}

impl Rows<'_> {
    fn grid(&self, data: &Data, series: &CountSeries) -> Option<Grid> {
        grid_of(self.grids, &data.model, &data.signal, self.contract, series.grid)
    }

    fn baseline(&self, segment: &str, signal: &str) -> Option<&SignalBaseline> {
        self.before.get(&(segment.to_owned(), signal.to_owned()))
    }
}

pub fn fill(data: &mut Data, plan: &Plan, rows: Rows<'_>) {
    let current = counted(&rows.now, &data.signal, &data.segment);
    let shown = current.as_ref().map(|(series, _)| *series).or(rows.over_time.last());
    let Some(grid) = shown.and_then(|series| rows.grid(data, series)) else { return };
    data.numeric = grid.is_numeric();
    data.made_from = rows
        .grids
        .iter()
        .find(|stored| stored.grid.id == grid.id)
        .map(|stored| stored.made_from.clone())
        .unwrap_or_default();
    let baseline = rows.baseline(&data.segment, &data.signal).filter(|base| base.grid == grid.id);
    if let Some((_, counts)) = &current {
        let nothing = SignalBaseline::default();
        data.compared = Some(compared(&grid, baseline.unwrap_or(&nothing), counts, &rows.moments));
    }
    data.levels = levels(&grid, baseline, current.as_ref().map(|(_, counts)| counts));
    data.over_time = over_time(&grid, &rows.over_time, plan.steps, &data.levels);
    data.parts = parts(&grid, data, &rows);
}

fn compared(grid: &Grid, baseline: &SignalBaseline, counts: &Counts, moments: &[MomentPoint]) -> Compared {
    let pair = Pair { baseline: &baseline.counts, now: counts };
    let contributions =
        if baseline.counts.total() > 0 { figures::contributions(grid, pair) } else { Vec::new() };
    let share = |bin: Bin| Sides { baseline: share_of(&baseline.counts, bin), now: share_of(counts, bin) };
    Compared {
        events_now: counts.total(),
        events_baseline: baseline.counts.total(),
        bars: figures::bars(grid, pair),
        psi: contributions.iter().map(|part| part.psi).sum(),
        contributions,
        mean: Sides {
            baseline: mean_of(baseline),
            now: moments.first().and_then(|point| point.moments.mean()),
        },
        missing: share(Bin::MISSING),
        invalid: share(Bin::INVALID),
        other: share(Bin::OTHER),
        outside: match &grid.bins {
            Bins::Numbers(edges) => figures::share_outside(edges, pair),
            Bins::Categories(_) => None,
        },
    }
}

fn share_of(counts: &Counts, bin: Bin) -> Option<f64> {
    (counts.total() > 0).then(|| counts.get(bin) as f64 / counts.total() as f64)
}

/// The mean of the baseline's values, of the means of its bins.
fn mean_of(baseline: &SignalBaseline) -> Option<f64> {
    let known = baseline.means.iter().map(|(bin, mean)| (baseline.counts.get(*bin) as f64, *mean));
    let (weight, sum) = known.fold((0.0, 0.0), |(weight, sum), (n, mean)| (weight + n, sum + n * mean));
    (weight > 0.0).then(|| sum / weight)
}

/// The categories whose share is largest on either side.
fn levels(grid: &Grid, baseline: Option<&SignalBaseline>, now: Option<&Counts>) -> Vec<String> {
    let Bins::Categories(levels) = &grid.bins else { return Vec::new() };
    let share = |counts: Option<&Counts>, bin| counts.and_then(|counts| share_of(counts, bin)).unwrap_or(0.0);
    let before = baseline.map(|baseline| &baseline.counts);
    let mut ordered: Vec<(f64, &String)> = levels
        .names()
        .iter()
        .map(|level| {
            let bin = grid.bin_of_category(level);
            (share(before, bin).max(share(now, bin)), level)
        })
        .collect();
    ordered.sort_by(|a, b| b.0.total_cmp(&a.0));
    ordered
        .into_iter()
        .take(LEVELS)
        .filter(|(share, _)| *share > 0.0)
        .map(|(_, level)| level.clone())
        .collect()
}

fn over_time(grid: &Grid, series: &[CountSeries], steps: Steps, levels: &[String]) -> Vec<Step> {
    let mut by_step: BTreeMap<Instant, Counts> = BTreeMap::new();
    for point in series.iter().filter(|series| series.grid == grid.id).flat_map(|series| &series.points) {
        by_step.entry(point.at).or_default().add(point.bin, point.n);
    }
    let nothing = Counts::default();
    instants(steps)
        .map(|at| {
            let counts = by_step.get(&at).unwrap_or(&nothing);
            let share = |bin| share_of(counts, bin).unwrap_or(0.0);
            Step {
                at,
                events: counts.total(),
                quantiles: quantiles(grid, counts),
                missing: share(Bin::MISSING),
                invalid: share(Bin::INVALID),
                other: share(Bin::OTHER),
                levels: levels.iter().map(|level| share(grid.bin_of_category(level))).collect(),
            }
        })
        .collect()
}

fn quantiles(grid: &Grid, counts: &Counts) -> Option<[f64; 5]> {
    let Bins::Numbers(edges) = &grid.bins else { return None };
    let mut found = [0.0; 5];
    for (place, share) in found.iter_mut().zip(crate::charts::quantiles::SHARES) {
        *place = figures::percentile(edges, counts, share)?;
    }
    Some(found)
}

/// The shift, split by the segments of each watched dimension.
fn parts(grid: &Grid, data: &Data, rows: &Rows<'_>) -> Vec<Dimension> {
    let dimensions: BTreeSet<&str> = rows
        .now
        .iter()
        .filter(|series| series.grid == grid.id)
        .filter_map(|series| segments::parts(&series.segment).map(|(dimension, _)| dimension))
        .collect();
    let of = |dimension: &str| -> Vec<SegmentCounts> {
        let mine = |segment: &str| segments::parts(segment).is_some_and(|(it, _)| it == dimension);
        let names: BTreeSet<&str> = rows
            .now
            .iter()
            .map(|series| series.segment.as_str())
            .chain(rows.before.keys().map(|(segment, _)| segment.as_str()))
            .filter(|segment| mine(segment))
            .collect();
        names
            .into_iter()
            .map(|segment| SegmentCounts {
                segment: segment.to_owned(),
                baseline: rows
                    .baseline(segment, &data.signal)
                    .filter(|base| base.grid == grid.id)
                    .map(|base| base.counts.clone())
                    .unwrap_or_default(),
                now: counted(&rows.now, &data.signal, segment).map(|(_, counts)| counts).unwrap_or_default(),
            })
            .collect()
    };
    dimensions
        .into_iter()
        .map(|dimension| Dimension {
            dimension: dimension.to_owned(),
            parts: figures::segment_parts(&of(dimension)),
        })
        .filter(|dimension| !dimension.parts.is_empty())
        .collect()
}
