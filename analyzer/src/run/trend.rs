//! What moves slowly, looked at once a day for each model: reads its closed days, stores what they say.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::grid::Bin;
use domain::signal::{Role, role, segment};
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::counts::{CountSeries, Question, Resolution};
use sql::evaluations::{ModelSeen, Watched};
use sql::pages::model::{ModelAsked, PerformancePoint};

use super::Work;
use super::watch::{STANDINGS_REACH, WatchRun};
use crate::drift::psi::Psi;
use crate::finding::{Context, Finding};
use crate::reference::Reference;
use crate::standings::Standings;
use crate::stats::histogram::Pair;
use crate::stats::series::{Point, median};
use crate::threshold::{Limits, Rules};
use crate::trend::{self, Danger, Days, Quantity, Unit};
use crate::words;

/// The watch as which trends are stored.
pub const WATCH: &str = "trend";
/// So long after its end a day is looked at: what comes later is looked at the next day.
const SETTLED: Duration = HOUR;
/// Signals whose days are read at a time: some ten megabytes.
const SIGNALS_A_READ: usize = 200;
/// A trend is told before what it leads to: at this part of the change that is a finding by itself.
const EARLY: f64 = 0.5;
/// Metrics of performance that have a trend, and whether it is a share.
const METRICS: [(&str, &str); 4] =
    [("auc", "auc_trend"), ("accuracy", "accuracy_trend"), ("brier", "brier_trend"), ("mae", "mae_trend")];

/// Where each model stands.
#[derive(Debug, Default)]
pub(super) struct Trends {
    by_model: BTreeMap<(String, String), Daily>,
}

#[derive(Debug)]
struct Daily {
    judged_until: Instant,
    standings: Standings,
}

impl Trends {
    /// Judges the last closed day where that was not done. `run` is the watch whose baseline and grids are used.
    pub(super) async fn follow(
        &mut self,
        work: &mut Work,
        seen: &ModelSeen,
        run: &WatchRun,
    ) -> anyhow::Result<()> {
        let end = work.now().saturating_sub(SETTLED).floor(DAY);
        // Of a model that fell silent nothing new is known, and other monitors say so.
        if seen.last_event < end.saturating_sub(DAY) {
            return Ok(());
        }
        let Some(reference) = &run.reference else { return Ok(()) };
        let key = (seen.model.clone(), seen.environment.clone());
        if !self.by_model.contains_key(&key) {
            self.by_model.insert(key.clone(), begin(work, seen).await?);
        }
        let Some(daily) = self.by_model.get_mut(&key).filter(|daily| daily.judged_until < end) else {
            return Ok(());
        };
        let reach = Interval::ending_at(end, DAY.saturating_mul(work.config.trend_days));
        let reading = Reading { work, seen, run, reference, reach };
        let quantities = reading.quantities().await?;
        let limits = Limits::shared_over(&work.config, quantities.len(), DAY);
        let findings = strongest(quantities.iter().map(|quantity| trend::finding(quantity, &limits)));
        let context = Context {
            model: &seen.model,
            environment: &seen.environment,
            watch: WATCH,
            baseline: &run.watch.baseline,
            window: Interval::ending_at(end, DAY),
            evaluated_at: work.stamp(),
        };
        let evaluations = daily.standings.judge(findings, &context, &[]);
        let at = context.evaluated_at.millis();
        let token = format!("{}/{}/{WATCH}/{}/{at}", seen.model, seen.environment, end.millis());
        work.store.write_evaluations(&evaluations, &token).await?;
        daily.standings.take(&evaluations);
        daily.judged_until = end;
        Ok(())
    }
}

/// Where an earlier process stopped.
async fn begin(work: &Work, seen: &ModelSeen) -> anyhow::Result<Daily> {
    let watched = Watched {
        model: seen.model.clone(),
        environment: seen.environment.clone(),
        watch: WATCH.to_owned(),
        performance: false,
    };
    let rules = Rules::from(&work.config);
    let Some(until) = work.store.evaluations_progress(&watched).await? else {
        return Ok(Daily { judged_until: Instant::EPOCH, standings: Standings::new(rules) });
    };
    let reach = Interval::new(until.saturating_sub(STANDINGS_REACH), until);
    let stored = work.store.evaluations_standing(&watched, reach).await?;
    Ok(Daily { judged_until: until, standings: Standings::resumed(rules, stored) })
}

/// One finding a signal: that which is farthest beyond its limit.
fn strongest(findings: impl Iterator<Item = Finding>) -> Vec<Finding> {
    let excess = |finding: &Finding| {
        if finding.is_enough { finding.value / finding.limit.threshold.max(f64::MIN_POSITIVE) } else { -1.0 }
    };
    let mut by_signal: BTreeMap<String, Finding> = BTreeMap::new();
    for finding in findings {
        match by_signal.get_mut(&finding.signal) {
            Some(known) if excess(known) >= excess(&finding) => {}
            Some(known) => *known = finding,
            None => {
                by_signal.insert(finding.signal.clone(), finding);
            }
        }
    }
    by_signal.into_values().collect()
}

/// What is read of one model.
struct Reading<'a> {
    work: &'a Work,
    seen: &'a ModelSeen,
    run: &'a WatchRun,
    reference: &'a Reference,
    reach: Interval,
}

impl Reading<'_> {
    async fn quantities(&self) -> anyhow::Result<Vec<Quantity>> {
        let mut all: Vec<Quantity> = self.prediction().await?.into_iter().collect();
        let signals: Vec<&String> = self.reference.in_force.keys().collect();
        for signals in signals.chunks(SIGNALS_A_READ) {
            let names = signals.iter().map(|signal| (*signal).clone()).collect();
            let series = self.work.store.counts(&self.question(names)).await?;
            for series in series.chunk_by(|one, other| one.signal == other.signal) {
                all.push(self.missing(series));
                all.extend(self.moved(series));
            }
        }
        let asked = ModelAsked {
            model: self.seen.model.clone(),
            environment: self.seen.environment.clone(),
            interval: self.reach,
        };
        let points = self.work.store.model_performance(&asked, DAY).await?;
        all.extend(METRICS.iter().filter_map(|(metric, statistic)| {
            let of: Vec<&PerformancePoint> = points.iter().filter(|point| point.metric == *metric).collect();
            self.performance(metric, statistic, &of)
        }));
        Ok(all)
    }

    fn question(&self, signals: Vec<String>) -> Question {
        Question {
            model: self.seen.model.clone(),
            environment: self.seen.environment.clone(),
            interval: self.reach,
            resolution: Resolution::Hours,
            segments: vec![segment::ALL.to_owned()],
            signals,
            step_s: DAY.as_secs() as u32,
        }
    }

    /// The mean of the prediction, where it is a number.
    async fn prediction(&self) -> anyhow::Result<Option<Quantity>> {
        let Some(signal) = &self.reference.prediction else { return Ok(None) };
        let points = self.work.store.moments(&self.question(vec![signal.clone()])).await?;
        let mut whole = domain::baseline::Moments::default();
        points.iter().for_each(|point| whole.merge(&point.moments));
        let Some(sd) = whole.sd() else { return Ok(None) };
        let enough = points.iter().filter(|point| point.moments.n >= self.run.watch.least_events);
        let days = enough.filter_map(|point| Some(trend::day(point.at, point.moments.mean()?)));
        Ok(Some(Quantity {
            statistic: "mean_trend",
            name: format!("the mean of {}", words::signal(signal)),
            unit: Unit::Number,
            floor: self.work.config.floors.trend_sd * sd,
            danger: None,
            days: Days::of(days),
            n: whole.n,
            signal: signal.clone(),
        }))
    }

    /// The share of events without the value; `series` are those of one signal, one a grid.
    fn missing(&self, series: &[CountSeries]) -> Quantity {
        let days = by_day(series.iter(), self.run.watch.least_events);
        let signal = series[0].signal.clone();
        let share = |(at, counts): &(Instant, Counts)| -> Point {
            trend::day(*at, counts.get(Bin::MISSING) as f64 / counts.total() as f64)
        };
        Quantity {
            statistic: "missing_trend",
            name: format!("the share of events without {}", words::signal(&signal)),
            unit: Unit::Share,
            floor: EARLY * self.work.config.floors.share,
            danger: Some(Danger { at: 0.5, what: "half of all" }),
            days: Days::of(days.iter().map(share)),
            n: days.iter().map(|(_, counts)| counts.total()).sum(),
            signal,
        }
    }

    /// How far a feature is from its baseline, by the day: PSI less its noise, on the baseline's grid.
    fn moved(&self, series: &[CountSeries]) -> Option<Quantity> {
        let signal = &series[0].signal;
        let known = self.reference.signals.get(&(segment::ALL.to_owned(), signal.clone()))?;
        let grid = self.reference.grid(signal, known.grid).filter(|_| role(signal) == Role::Feature)?;
        let least = self.run.watch.least_events;
        let days = by_day(series.iter().filter(|series| series.grid == known.grid), least);
        let psi = |(at, counts): &(Instant, Counts)| {
            let psi = Psi::of(&Pair::on(grid, &known.counts, counts, &known.means)?);
            Some(trend::day(*at, psi.value - psi.noise()))
        };
        let floor = self.work.config.floors.feature_psi;
        Some(Quantity {
            statistic: "psi_trend",
            name: format!("the PSI of {} against its baseline", words::signal(signal)),
            unit: Unit::Number,
            floor: EARLY * floor,
            danger: Some(Danger { at: floor, what: "the limit of drift" }),
            days: Days::of(days.iter().filter_map(psi)),
            n: days.iter().map(|(_, counts)| counts.total()).sum(),
            signal: signal.clone(),
        })
    }

    /// A metric by the day of the prediction, of days whose outcomes have come.
    fn performance(
        &self,
        metric: &str,
        statistic: &'static str,
        points: &[&PerformancePoint],
    ) -> Option<Quantity> {
        let config = &self.work.config;
        let come = |point: &PerformancePoint| point.labelled as f64 / point.predictions.max(1) as f64;
        let usual = median(points.iter().map(|point| come(point)).collect())?;
        let least = self.run.watch.least_events;
        let mature: Vec<&&PerformancePoint> = points
            .iter()
            .filter(|point| point.labelled >= least && come(point) >= config.label_maturity * usual)
            .collect();
        let days = Days::of(mature.iter().map(|point| trend::day(point.at, point.mean)));
        let first = median(days.values().take(trend::LEAST_DAYS / 2).collect())?;
        let is_better_high = matches!(metric, "auc" | "accuracy");
        let floor = if is_better_high { config.floors.auc } else { config.floors.error_rise * first.abs() };
        let limit = if is_better_high { first - floor } else { first + floor };
        Some(Quantity {
            signal: String::new(),
            statistic,
            name: format!("the {}", words::metric(metric)),
            unit: Unit::Number,
            floor: EARLY * floor,
            danger: Some(Danger { at: limit, what: "the limit of performance" }),
            days,
            n: mature.iter().map(|point| point.labelled).sum(),
        })
    }
}

/// The counts of each day with enough events, over all grids.
fn by_day<'a>(series: impl Iterator<Item = &'a CountSeries>, least: u64) -> Vec<(Instant, Counts)> {
    let mut days: BTreeMap<Instant, Counts> = BTreeMap::new();
    for point in series.flat_map(|series| &series.points) {
        days.entry(point.at).or_default().add(point.bin, point.n);
    }
    days.into_iter().filter(|(_, counts)| counts.total() >= least.max(1)).collect()
}

/// Whether a model's trends are looked at, and with which of its watches.
pub(super) fn is_looked_at(run: &WatchRun) -> bool {
    !run.is_history() && run.watch.looks_at(Monitor::Trend) && run.reference.is_some()
}
