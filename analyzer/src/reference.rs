//! What a watch compares its windows with: the baseline, the grids, and how much healthy windows vary.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::baseline::{Baseline, SignalBaseline};
use domain::contract::{Contract, Watch};
use domain::grid::{Grid, GridId};
use domain::signal::segment;
use domain::time::{DAY, HOUR, Interval};
use sql::baselines::BySignal;
use sql::counts::CountSeries;
use sql::grids::StoredGrid;

use crate::budget::{Budget, Subjects};
use crate::calibrate::{self, Past, Rest};
use crate::config::Config;
use crate::spread::{LEAST_WINDOWS, Spread};
use crate::threshold::Limits;

/// No more windows than this are looked at to learn what is healthy: the latest ones of the stretch.
const MOST_WINDOWS: u32 = 2_000;
/// Over a stretch as long as this, windows of less than an hour are learned by the hour: what is learned is freed of
/// sample sizes, and hours are sixty times fewer rows.
const LONG: Duration = Duration::from_secs(14 * DAY.as_secs());
/// With more windows than this only those that do not overlap are looked at.
const MOST_OVERLAPPING: u64 = 500;

/// What was learned of healthy windows, by segment and signal.
pub type Learned = BTreeMap<(String, String), Healthy>;

/// How much healthy windows of a signal vary, by what is measured; `None` where nobody knows yet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Healthy {
    pub drift: Option<Spread>,
    pub missing: Option<Spread>,
    pub invalid: Option<Spread>,
    pub unseen: Option<Spread>,
    pub outside: Option<Spread>,
    /// The share of the most frequent value.
    pub top: Option<Spread>,
}

/// Everything that a watch compares with.
#[derive(Clone, Debug)]
pub struct Reference {
    /// `None` until there is one: traffic and objectives need none.
    pub baseline: Option<Baseline>,
    /// What it is called where it is no named baseline; empty for one.
    pub called: String,
    pub signals: BySignal,
    /// By signal and identity: those of the baseline and those in force.
    pub grids: Arc<BTreeMap<(String, GridId), Grid>>,
    /// The grid that counts for a signal that the baseline does not know.
    pub in_force: Arc<BTreeMap<String, GridId>>,
    pub healthy: Arc<Learned>,
    pub limits: Limits,
    allowance: Allowance,
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
        let allowance = Allowance::new(config, contract, watch);
        let mut reference = Self {
            limits: allowance.limits(&signals),
            allowance,
            called: String::new(),
            grids: Arc::default(),
            in_force: Arc::default(),
            healthy: Arc::default(),
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
        let in_force = in_force.into_iter().map(|stored| (stored.grid.signal, stored.grid.id));
        self.in_force = Arc::new(in_force.collect());
        let keyed = |stored: StoredGrid| ((stored.grid.signal.clone(), stored.grid.id), stored.grid);
        self.grids = Arc::new(grids.into_iter().map(keyed).collect());
        let known = self.signals.keys().filter(|(segment, _)| segment.is_empty()).map(|(_, signal)| signal);
        let known = known.chain(self.in_force.keys()).map(String::as_str);
        self.prediction = contract.prediction_signal(known);
    }

    /// The same with other counts to compare with, which are `called` so. Bin means that only a named baseline knows are
    /// kept where the grid is the same.
    pub fn with(&self, mut signals: BySignal, called: String) -> Self {
        for (key, counted) in &mut signals {
            if let Some(known) = self.signals.get(key).filter(|known| known.grid == counted.grid) {
                counted.means = known.means.clone();
                counted.mean_predictions = known.mean_predictions.clone();
            }
        }
        let is_same = Subjects::of(&signals) == Subjects::of(&self.signals);
        Self {
            limits: if is_same { self.limits.clone() } else { self.allowance.limits(&signals) },
            segments: segment_shares(&signals),
            called,
            signals,
            ..self.clone()
        }
    }

    /// The same with what was learned of healthy windows.
    pub fn learned(&self, healthy: Arc<Learned>) -> Self {
        Self { healthy, ..self.clone() }
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
            outside: here.outside.or(whole.outside),
            top: here.top.or(whole.top),
        }
    }

    /// Which windows of the baseline's own stretch say how much healthy windows vary; `None` where it is too short.
    pub fn healthy_windows(&self, watch: &Watch) -> Option<HealthyWindows> {
        let baseline = self.baseline.as_ref()?;
        healthy_windows(watch, baseline.window)
    }

    /// Learns from the baseline's own counts over `over.windows`.
    pub fn learn(&mut self, over: calibrate::Window<'_>, series: &[CountSeries]) {
        let pasts = series.iter().filter_map(|series| {
            let key = (series.segment.clone(), series.signal.clone());
            let baseline = self.signals.get(&key).filter(|baseline| baseline.grid == series.grid)?;
            let grid = self.grid(&series.signal, series.grid)?;
            Some((key, Past { grid, means: &baseline.means, series, rest: Rest::Of(&baseline.counts) }))
        });
        self.healthy = Arc::new(calibrate::calibrate(pasts, over));
    }
}

/// How many false alarms a watch may cause, and what of it is each signal's.
#[derive(Clone, Debug)]
struct Allowance {
    config: Config,
    step: Duration,
}

impl Allowance {
    /// The live watches of a model share its budget; those of history page nobody.
    fn new(config: &Config, contract: &Contract, watch: &Watch) -> Self {
        let watches = contract.watches().iter().filter(|watch| !watch.history).count().max(1) as f64;
        let mut config = with_floor(config, watch);
        config.false_pages_a_month =
            contract.false_pages_a_month.unwrap_or(config.false_pages_a_month) / watches;
        config.false_tickets_a_month /= watches;
        Self { config, step: Duration::from_secs(watch.step_s) }
    }

    fn limits(&self, signals: &BySignal) -> Limits {
        Limits::new(&self.config, Budget::split(&self.config, Subjects::of(signals), self.step))
    }
}

/// Which windows within `past` say how much healthy windows vary; `None` where they are too few.
pub fn healthy_windows(watch: &Watch, past: Interval) -> Option<HealthyWindows> {
    let (mut length, mut step) = (Duration::from_secs(watch.window_s), Duration::from_secs(watch.step_s));
    if length < HOUR && past.length() >= LONG {
        (length, step) = (HOUR, HOUR);
    }
    let reach = past.length().min(length.saturating_mul(MOST_WINDOWS));
    let stride = if reach.as_secs() / step.as_secs() <= MOST_OVERLAPPING { step } else { length };
    let end = past.end.floor(stride);
    let reach = reach.min(end.since(past.start));
    let is_long_enough = reach.as_secs() / length.as_secs() >= u64::from(LEAST_WINDOWS);
    let count = (reach.saturating_sub(length)).as_secs() / stride.as_secs() + 1;
    let stretch = stride.saturating_mul(u32::try_from(count - 1).unwrap_or(0)) + length;
    is_long_enough.then_some(HealthyWindows { stretch: Interval::ending_at(end, stretch), length, stride })
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

/// The configuration with what the watch says about movement that does not matter to it.
fn with_floor(config: &Config, watch: &Watch) -> Config {
    let mut config = config.clone();
    if let Some(floor) = watch.drift_floor {
        config.floors.feature_psi = floor;
        config.floors.prediction_psi = floor;
        config.floors.start_psi = floor;
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
