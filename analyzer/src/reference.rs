//! What a watch compares its windows with: the baseline, the grids, and how much healthy windows vary.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::baseline::{Baseline, SignalBaseline};
use domain::contract::{Contract, Watch};
use domain::counts::Counts;
use domain::grid::{Bin, Grid, GridId};
use domain::signal::segment;
use domain::time::Interval;
use sql::baselines::BySignal;
use sql::counts::CountSeries;
use sql::grids::StoredGrid;

use crate::config::Config;
use crate::drift::psi::Psi;
use crate::spread::{LEAST_WINDOWS, Spread};
use crate::stats::histogram::Pair;
use crate::threshold::Limits;

/// No more windows than this are looked at to learn what is healthy: the latest ones of the baseline.
const MOST_WINDOWS: u32 = 2_000;
/// With more windows than this only those that do not overlap are looked at.
const MOST_OVERLAPPING: u64 = 500;

/// How much healthy windows of a signal vary, by what is measured; `None` where nobody knows yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Healthy {
    pub drift: Option<Spread>,
    pub missing: Option<Spread>,
    pub invalid: Option<Spread>,
    pub unseen: Option<Spread>,
}

/// Everything that a watch compares with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// `None` until there is one: traffic and objectives need none.
    pub baseline: Option<Baseline>,
    pub signals: BySignal,
    /// By signal and identity: those of the baseline and those in force.
    pub grids: BTreeMap<(String, GridId), Grid>,
    /// The grid that counts for a signal that the baseline does not know.
    pub in_force: BTreeMap<String, GridId>,
    /// What was learned, by segment and signal.
    pub healthy: BTreeMap<(String, String), Healthy>,
    pub limits: Limits,
    /// Which signal is *the* prediction.
    pub prediction: Option<String>,
    /// The share of the baseline's events that each segment holds.
    pub segments: BTreeMap<String, f64>,
}

impl Reference {
    /// `grids` are all grids ever announced for the model.
    pub fn new(
        config: &Config,
        contract: &Contract,
        watch: &Watch,
        baseline: Option<(Baseline, BySignal)>,
        grids: Vec<StoredGrid>,
    ) -> Self {
        let (baseline, signals) = match baseline {
            Some((baseline, signals)) => (Some(baseline), signals),
            None => (None, BySignal::new()),
        };
        let mut reference = Self {
            limits: Limits::shared_over(
                &with_floor(config, watch),
                signals.len(),
                Duration::from_secs(watch.step_s),
            ),
            grids: BTreeMap::new(),
            in_force: BTreeMap::new(),
            healthy: BTreeMap::new(),
            prediction: None,
            segments: segment_shares(&signals),
            baseline,
            signals,
        };
        reference.take_grids(contract, grids);
        reference
    }

    /// All grids ever announced for the model, newly read.
    pub fn take_grids(&mut self, contract: &Contract, grids: Vec<StoredGrid>) {
        let in_force = sql::grids::in_force(grids.clone());
        self.in_force = in_force.into_iter().map(|stored| (stored.grid.signal, stored.grid.id)).collect();
        let keyed = |stored: StoredGrid| ((stored.grid.signal.clone(), stored.grid.id), stored.grid);
        self.grids = grids.into_iter().map(keyed).collect();
        let known = self.signals.keys().filter(|(segment, _)| segment.is_empty()).map(|(_, signal)| signal);
        let known = known.chain(self.in_force.keys()).map(String::as_str);
        self.prediction = contract.prediction_signal(known);
    }

    /// The grid by which a signal is read: the baseline's, or where there is none the one in force.
    pub fn grid_of(&self, segment: &str, signal: &str) -> Option<GridId> {
        let known = self.signals.get(&(segment.to_owned(), signal.to_owned())).map(|counted| counted.grid);
        known.or_else(|| self.in_force.get(signal).copied())
    }

    pub fn grid(&self, signal: &str, id: GridId) -> Option<&Grid> {
        self.grids.get(&(signal.to_owned(), id))
    }

    /// How many counts one step of all signals in all segments has, about.
    pub fn cells(&self) -> usize {
        self.signals.values().map(|counted| counted.counts.iter().count()).sum()
    }

    /// The segments in which the baseline knows a signal.
    pub fn segments_of<'a>(&'a self, signal: &'a str) -> impl Iterator<Item = (&'a str, &'a SignalBaseline)> {
        let here =
            self.signals.iter().filter(move |((segment, name), _)| !segment.is_empty() && name == signal);
        here.map(|((segment, _), baseline)| (segment.as_str(), baseline))
    }

    /// What was learned of a signal in a segment; where that is too little, of the signal in all events.
    pub fn healthy_of(&self, segment: &str, signal: &str) -> Healthy {
        let learned = |segment: &str| self.healthy.get(&(segment.to_owned(), signal.to_owned())).copied();
        let whole = learned(segment::ALL).unwrap_or_default();
        let here = learned(segment).unwrap_or_default();
        Healthy {
            drift: here.drift.or(whole.drift),
            missing: here.missing.or(whole.missing),
            invalid: here.invalid.or(whole.invalid),
            unseen: here.unseen.or(whole.unseen),
        }
    }

    /// Which windows of the baseline's own stretch say how much healthy windows vary; `None` where it is too short.
    pub fn healthy_windows(&self, watch: &Watch) -> Option<HealthyWindows> {
        let baseline = self.baseline.as_ref()?;
        let (length, step) = (Duration::from_secs(watch.window_s), Duration::from_secs(watch.step_s));
        let reach = baseline.window.length().min(length.saturating_mul(MOST_WINDOWS));
        let stride = if reach.as_secs() / watch.step_s <= MOST_OVERLAPPING { step } else { length };
        let end = baseline.window.end.floor(stride);
        let reach = reach.min(end.since(baseline.window.start));
        let is_long_enough = reach.as_secs() / watch.window_s >= u64::from(LEAST_WINDOWS);
        let count = (reach.saturating_sub(length)).as_secs() / stride.as_secs() + 1;
        let stretch = stride.saturating_mul(u32::try_from(count - 1).unwrap_or(0)) + length;
        is_long_enough.then_some(HealthyWindows {
            stretch: Interval::ending_at(end, stretch),
            length,
            stride,
        })
    }

    /// Learns from the baseline's own counts over `windows.stretch`, in steps of `windows.stride`.
    pub fn learn(&mut self, windows: HealthyWindows, series: &[CountSeries], least_events: u64) {
        let mut healthy = BTreeMap::new();
        for series in series {
            let key = (series.segment.clone(), series.signal.clone());
            let Some(baseline) = self.signals.get(&key) else { continue };
            let Some(grid) = self.grid(&series.signal, series.grid).filter(|_| baseline.grid == series.grid)
            else {
                continue;
            };
            healthy.insert(key, learned(grid, baseline, windows, series, least_events));
        }
        self.healthy = healthy;
    }
}

/// Windows of `length`, one each `stride`, over `stretch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthyWindows {
    pub stretch: Interval,
    pub length: Duration,
    pub stride: Duration,
}

impl HealthyWindows {
    /// How many of so many windows do not overlap.
    pub fn independent(self, windows: usize) -> u32 {
        let overlap = self.length.as_secs_f64() / self.stride.as_secs_f64().max(1.0);
        (windows as f64 / overlap.max(1.0)).ceil() as u32
    }

    pub fn all(self) -> impl Iterator<Item = Interval> {
        let first = self.stretch.start.saturating_add(self.length);
        std::iter::successors(Some(first), move |end| Some(end.saturating_add(self.stride)))
            .take_while(move |end| *end <= self.stretch.end)
            .map(move |end| Interval::ending_at(end, self.length))
    }
}

/// Each window against the rest of the baseline (leave one out).
fn learned(
    grid: &Grid,
    baseline: &SignalBaseline,
    windows: HealthyWindows,
    series: &CountSeries,
    least_events: u64,
) -> Healthy {
    let mut values: [Vec<f64>; 4] = Default::default();
    for window in windows.all() {
        let from = series.points.partition_point(|point| point.at < window.start);
        let to = series.points.partition_point(|point| point.at < window.end);
        let counts = Counts::of(series.points[from..to].iter().map(|point| (point.bin, point.n)));
        let rest = without(&baseline.counts, &counts);
        if counts.total() >= least_events && rest.total() >= least_events {
            let shares =
                [Bin::MISSING, Bin::INVALID, Bin::OTHER].map(|bin| share(&counts, bin) - share(&rest, bin));
            shares.into_iter().zip(&mut values[1..]).for_each(|(rise, values)| values.push(rise));
        }
        if counts.present().min(rest.present()) >= least_events
            && let Some(pair) = Pair::on(grid, &rest, &counts, &baseline.means)
        {
            values[0].push(Psi::of(&pair).value);
        }
    }
    let spread = |values: &Vec<f64>| Spread::of(values, windows.independent(values.len()));
    let [drift, missing, invalid, unseen] = values;
    Healthy {
        drift: spread(&drift),
        missing: spread(&missing),
        invalid: spread(&invalid),
        unseen: spread(&unseen),
    }
}

fn share(counts: &Counts, bin: Bin) -> f64 {
    counts.get(bin) as f64 / counts.total().max(1) as f64
}

fn without(whole: &Counts, part: &Counts) -> Counts {
    Counts::of(whole.iter().map(|(bin, n)| (bin, n.saturating_sub(part.get(bin)))))
}

/// The configuration with what the watch says about movement that does not matter to it.
fn with_floor(config: &Config, watch: &Watch) -> Config {
    let mut config = config.clone();
    if let Some(floor) = watch.drift_floor {
        config.floors.feature_psi = floor;
        config.floors.prediction_psi = floor;
    }
    config
}

fn segment_shares(signals: &BySignal) -> BTreeMap<String, f64> {
    let events = |segment: &str| {
        let here = signals.iter().filter(|((name, _), _)| name == segment);
        here.map(|(_, counted)| counted.counts.total()).max().unwrap_or(0)
    };
    let all = events(segment::ALL).max(1) as f64;
    let names: std::collections::BTreeSet<&String> = signals.keys().map(|(segment, _)| segment).collect();
    names
        .into_iter()
        .filter(|name| !name.is_empty())
        .map(|name| (name.clone(), events(name) as f64 / all))
        .collect()
}
