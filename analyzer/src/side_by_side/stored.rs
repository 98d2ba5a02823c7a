//! Signals of two windows of a model, from their counts: nothing is read again, and the answer does not depend on how
//! many predictions there were.

use std::collections::BTreeSet;

use domain::baseline::SignalBaseline;
use domain::grid::{Bin, Bins, Grid};
use sql::baselines::BySignal;

use crate::side_by_side::measured::Measured;
use crate::side_by_side::{Kind, Signal, Standing, Tally, Unseen};
use crate::stats::histogram::{Pair, Sides};

/// One window, or a named baseline.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub events: u64,
    pub by_signal: BySignal,
}

/// Measures every signal of all events (no segment) that either window has. `grid_of` knows all grids of the model.
pub fn measured<'a>(
    baseline: &Counted,
    current: &Counted,
    grid_of: impl Fn(&str, &SignalBaseline) -> Option<&'a Grid>,
) -> Vec<Measured> {
    let whole = |(segment, signal): &(String, String)| segment.is_empty().then(|| signal.clone());
    let names: BTreeSet<String> =
        baseline.by_signal.keys().chain(current.by_signal.keys()).filter_map(whole).collect();
    // A window without an event says nothing about which signals there are.
    let side = |counted: &Counted, name: &str| {
        let found = counted.by_signal.get(&(String::new(), name.to_owned())).cloned();
        found.or_else(|| (counted.events == 0).then(SignalBaseline::default))
    };
    names
        .into_iter()
        .filter_map(|name| {
            let (before, now) = (side(baseline, &name), side(current, &name));
            let mut known = before.iter().chain(&now);
            let grid = known.find_map(|counted| grid_of(&name, counted))?;
            Some(Measured::of(signal(&name, grid, before, now)))
        })
        .collect()
}

fn signal(name: &str, grid: &Grid, before: Option<SignalBaseline>, now: Option<SignalBaseline>) -> Signal {
    let kind = if grid.is_numeric() { Kind::Number } else { Kind::Category };
    let standing = match (&before, &now) {
        (Some(_), None) => Standing::BaselineOnly,
        (None, _) => Standing::CurrentOnly,
        (Some(before), Some(now))
            if before.counts.total() > 0 && now.counts.total() > 0 && before.grid != now.grid =>
        {
            Standing::OtherGrid
        }
        _ => Standing::Both,
    };
    let (before, now) = (before.unwrap_or_default(), now.unwrap_or_default());
    let tally = |side: &SignalBaseline| Tally {
        n: side.counts.present(),
        missing: side.counts.missing(),
        invalid: side.counts.invalid(),
    };
    let mut signal = Signal::new(name, kind, tally(&before), tally(&now));
    if standing == Standing::Both {
        signal.pair = Pair::on(grid, &before.counts, &now.counts, &before.means);
        let means = (before.moments.mean(), now.moments.mean());
        if let (Some(baseline), Some(current)) = means {
            signal.means = Some(Sides { baseline, current });
        }
        if let Bins::Categories(levels) = &grid.bins {
            signal.levels = levels.names().to_vec();
            signal.unseen = Some(unseen(levels.names().len(), &before, &now));
        }
    }
    Signal { standing, ..signal }
}

/// Categories that the baseline's counts have none of. What is in *other* is known to neither side by name, so it is
/// unseen only where the baseline has no *other*.
fn unseen(levels: usize, before: &SignalBaseline, now: &SignalBaseline) -> Unseen {
    let first = Bin::FIRST_VALUE.0;
    let last = first + u16::try_from(levels).unwrap_or(u16::MAX - first);
    let bins = (first..last).chain([Bin::OTHER.0]).map(Bin);
    let count = |side: &SignalBaseline, bin: Bin| side.counts.get(bin);
    let different = |side: &SignalBaseline| bins.clone().filter(|bin| count(side, *bin) > 0).count() as u64;
    Unseen {
        rows: bins.clone().filter(|bin| count(before, *bin) == 0).map(|bin| count(now, bin)).sum(),
        once: bins.clone().filter(|bin| count(before, *bin) == 1).count() as u64,
        different: [different(before), different(now)],
    }
}
