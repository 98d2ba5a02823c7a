//! What windows are compared with where that is no named baseline, and what is learned of the past for it.
//!
//! Invariant: both follow from the window alone and from what the store holds of earlier times, so a window that is judged
//! again, after a restart or for late events, meets the same limits. The past is learned from anew once a week, up to the
//! same instant in every process.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use domain::baseline::SignalBaseline;
use domain::contract::Against;
use domain::signal::segment;
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::baselines::BySignal;
use sql::counts::{CountSeries, Question, Resolution, Versions};

use super::Work;
use super::reading::{MOST_CELLS, resolution};
use super::watch::WatchRun;
use crate::calibrate::{self, Past as SignalPast, Rest, calibrate};
use crate::counted::Stretch;
use crate::hours::{Chosen, Hours, clean_parts, merge};
use crate::reference::{Learned, Reference, healthy_windows};

const WEEK: Duration = Duration::from_secs(7 * DAY.as_secs());
/// What is compared with anything but the same hours is learned from so many weeks.
const WEEKS: u32 = Against::WEEKS;
/// The same hour of the week is usual where so many weeks know it …
const LEAST_WEEKS: usize = 2;
/// … and the same hour of the day where so many days do; else all hours are.
const LEAST_DAYS: usize = 3;

/// What a watch knows of the past.
#[derive(Debug, Default)]
pub(super) struct Past {
    left_out: Vec<Interval>,
    learned: Option<(Instant, Arc<Learned>)>,
    /// References that were made, by the whole hours or days that they are for.
    made: HashMap<Interval, Arc<Reference>>,
}

impl Past {
    /// Stretches from which nothing usual is learned.
    pub(super) fn left_out(&self) -> &[Interval] {
        &self.left_out
    }

    pub(super) fn forget_references(&mut self) {
        self.made.clear();
    }
}

impl WatchRun {
    /// Whose events a window holds.
    pub(super) fn own_versions(&self) -> Versions {
        match self.watch.against() {
            Against::Version { version } => Versions::AllBut(version),
            _ => Versions::All,
        }
    }

    /// The environment and versions that windows are compared with in the same minutes.
    pub(super) fn beside(&self) -> Option<(String, Versions)> {
        match self.watch.against() {
            Against::Version { version } => {
                Some((self.identity.environment.clone(), Versions::Only(version)))
            }
            Against::Environment { environment } if environment != self.identity.environment => {
                Some((environment, Versions::All))
            }
            _ => None,
        }
    }

    /// What the contract calls known-bad, and incidents that people acknowledged.
    pub(super) async fn read_left_out(&mut self, work: &Work) -> anyhow::Result<()> {
        let stated = self.contract.known_bad.iter().map(|bad| Interval::new(bad.from.0, bad.to.0));
        let (model, environment) = (&self.identity.model, &self.identity.environment);
        let acknowledged = work.store.acknowledged_stretches(model, environment).await?;
        self.past.left_out = stated.chain(acknowledged).collect();
        Ok(())
    }

    /// Up to when the past is learned from for a window: the last whole week before it, or at first the day on which there
    /// is enough of it; `None` before.
    fn learned_until(&self, work: &Work, window: Interval) -> Option<Instant> {
        if self.watch.against() == Against::Named {
            return None;
        }
        let first = self.first_event.floor(DAY).saturating_add(DAY);
        let enough = first.saturating_add(DAY.saturating_mul(work.config.history_days));
        let week = window.start.floor(WEEK);
        (window.start >= enough).then(|| week.max(enough))
    }

    /// Keeps the first windows for which the same past is learned from; whether others were left.
    pub(super) fn keep_of_one_past(&self, work: &Work, windows: &mut Vec<Interval>) -> bool {
        let Some(first) = windows.first().copied() else { return false };
        let until = self.learned_until(work, first);
        let same = windows.iter().take_while(|window| self.learned_until(work, **window) == until).count();
        let is_less = same < windows.len();
        windows.truncate(same);
        is_less
    }

    /// What each of `windows` is compared with, by its end. All of them learn from the same past.
    pub(super) async fn references(
        &mut self,
        work: &Work,
        windows: &[Interval],
        question: &Question,
    ) -> anyhow::Result<BTreeMap<Instant, Arc<Reference>>> {
        let (Some(base), Some(first)) = (self.reference.clone(), windows.first()) else {
            return Ok(BTreeMap::new());
        };
        let until = self.learned_until(work, *first);
        let against = self.watch.against();
        let is_plain = matches!(against, Against::Named | Against::Window { .. })
            || (matches!(against, Against::SameHour { .. }) && until.is_none());
        if is_plain {
            return Ok(windows.iter().map(|window| (window.end, base.clone())).collect());
        }
        let learned = self.learned(work, &base, until).await?;
        let base = base.learned(learned);
        match against {
            Against::SameHour { weeks } => self.by_hours(work, windows, &base, weeks).await,
            Against::Rolling { days } => self.by_days(work, windows, &base, days).await,
            _ => self.by_windows(work, windows, &base, question).await,
        }
    }

    async fn by_hours(
        &mut self,
        work: &Work,
        windows: &[Interval],
        base: &Reference,
        weeks: u32,
    ) -> anyhow::Result<BTreeMap<Instant, Arc<Reference>>> {
        let whole = |window: &Interval| window.widened_to(HOUR);
        let wanted: Vec<Interval> = windows.iter().map(whole).collect();
        self.past.made.retain(|hours, _| wanted.contains(hours));
        let new: Vec<Interval> =
            wanted.iter().filter(|hours| !self.past.made.contains_key(hours)).copied().collect();
        if let (Some(first), Some(last)) = (new.first(), new.last()) {
            let span = Interval::new(first.start, last.end);
            let weekly = self.hours_before(work, span, WEEK, weeks).await?;
            let mut daily = None;
            for hours in new {
                let chosen = Chosen::of(&weekly, hours, WEEK, weeks, &self.past.left_out);
                let signals = match chosen.periods >= LEAST_WEEKS {
                    true => chosen.pooled(&weekly, &base.in_force),
                    false => {
                        if daily.is_none() {
                            daily = Some(self.hours_before(work, span, DAY, 7 * weeks).await?);
                        }
                        let daily = daily.as_ref().unwrap_or(&weekly);
                        let chosen = Chosen::of(daily, hours, DAY, 7 * weeks, &self.past.left_out);
                        match chosen.periods >= LEAST_DAYS {
                            true => chosen.pooled(daily, &base.in_force),
                            false => self.sum_of_days(work, hours.start, 7 * weeks, base).await?,
                        }
                    }
                };
                let reference = self.of_the_past(base, signals);
                self.past.made.insert(hours, Arc::new(reference));
            }
        }
        let made = |window: &Interval| Some((window.end, self.past.made.get(&whole(window))?.clone()));
        Ok(windows.iter().filter_map(made).collect())
    }

    async fn by_days(
        &mut self,
        work: &Work,
        windows: &[Interval],
        base: &Reference,
        days: u32,
    ) -> anyhow::Result<BTreeMap<Instant, Arc<Reference>>> {
        let mut references = BTreeMap::new();
        for window in windows {
            let day = Interval::new(window.start.floor(DAY), window.start.floor(DAY).saturating_add(DAY));
            if !self.past.made.contains_key(&day) {
                let signals = self.sum_of_days(work, day.start, days, base).await?;
                let reference = base.with(signals, self.watch.against().words());
                self.past.made.retain(|made, _| made.end >= day.start);
                self.past.made.insert(day, Arc::new(reference));
            }
            references.extend(self.past.made.get(&day).map(|reference| (window.end, reference.clone())));
        }
        Ok(references)
    }

    /// What a stretch is compared with that may be longer than a window, as everything since an incident's onset: as its
    /// windows are, but with nothing of the stretch itself.
    pub(super) async fn reference_since(
        &mut self,
        work: &Work,
        stretch: Interval,
        base: &Reference,
    ) -> anyhow::Result<Reference> {
        let whole = stretch.widened_to(HOUR);
        let made = match self.watch.against() {
            Against::Named | Against::Window { .. } => return Ok(base.clone()),
            Against::SameHour { weeks } if whole.length() <= DAY => {
                self.by_hours(work, &[stretch], base, weeks).await?
            }
            Against::SameHour { weeks } => {
                let weekly = match whole.length() <= WEEK {
                    true => self.hours_before(work, whole, WEEK, weeks).await?,
                    false => Hours::default(),
                };
                let chosen = Chosen::of(&weekly, whole, WEEK, weeks, &self.past.left_out);
                let signals = match chosen.periods >= LEAST_WEEKS {
                    true => chosen.pooled(&weekly, &base.in_force),
                    false => self.sum_of_days(work, stretch.start, 7 * weeks, base).await?,
                };
                return Ok(self.of_the_past(base, signals));
            }
            Against::Rolling { days } => {
                let signals = self.sum_of_days(work, stretch.start, days, base).await?;
                return Ok(self.of_the_past(base, signals));
            }
            Against::Version { .. } | Against::Environment { .. } => {
                self.by_windows(work, &[stretch], base, &self.question(stretch)).await?
            }
        };
        Ok(made.get(&stretch.end).map_or_else(|| base.clone(), |reference| Reference::clone(reference)))
    }

    /// The baseline where nothing is known of the past.
    fn of_the_past(&self, base: &Reference, signals: BySignal) -> Reference {
        match signals.is_empty() {
            true => base.clone(),
            false => base.with(signals, self.watch.against().words()),
        }
    }

    /// Earlier stretches whose events stand for what is usual in this one, the best first, without what is known to be
    /// bad; none where there is a baseline for that.
    pub(super) fn usual_stretches(&self, stretch: Interval) -> Vec<Interval> {
        let weeks = match self.watch.against() {
            Against::SameHour { weeks } if stretch.length() <= WEEK => weeks,
            Against::SameHour { .. } | Against::Rolling { .. } => 0,
            _ => return Vec::new(),
        };
        let earlier = |back: Duration| {
            Interval::new(stretch.start.saturating_sub(back), stretch.end.saturating_sub(back))
        };
        let weekly = (1..=weeks).map(|ago| earlier(WEEK.saturating_mul(ago)));
        let all = weekly.chain([earlier(stretch.length())]);
        all.filter(|one| !self.past.left_out.iter().any(|bad| bad.overlaps(*one))).collect()
    }

    async fn by_windows(
        &self,
        work: &Work,
        windows: &[Interval],
        base: &Reference,
        question: &Question,
    ) -> anyhow::Result<BTreeMap<Instant, Arc<Reference>>> {
        let mut stretch = Stretch::default();
        if let Some((environment, versions)) = self.beside() {
            let question = Question { environment, ..question.clone() };
            let (counts, moments) = tokio::try_join!(
                work.store.counts_of(&question, &versions),
                work.store.moments_of(&question, &versions)
            )?;
            stretch = Stretch { counts, moments, ..Stretch::default() };
        }
        let called = self.watch.against().words();
        let in_force = |_: &str, signal: &str| base.in_force.get(signal).copied();
        let reference = |window: &Interval| {
            let counted = stretch.signals(*window, in_force).into_iter().filter_map(|(key, counted)| {
                let grid = *base.in_force.get(&key.1)?;
                let (counts, moments) = (counted.counts, counted.moments);
                Some((key, SignalBaseline { grid, counts, moments, ..SignalBaseline::default() }))
            });
            (window.end, Arc::new(base.with(counted.collect(), called.clone())))
        };
        Ok(windows.iter().map(reference).collect())
    }

    /// The hours of `span`, some whole periods ago each.
    async fn hours_before(
        &self,
        work: &Work,
        span: Interval,
        period: Duration,
        periods: u32,
    ) -> anyhow::Result<Hours> {
        let mut hours = Hours::default();
        for ago in 1..=periods {
            let back = period.saturating_mul(ago);
            let stretch = Interval::new(span.start.saturating_sub(back), span.end.saturating_sub(back));
            if stretch.end <= self.first_event {
                break;
            }
            let question = self.hourly(stretch);
            let (counts, moments) =
                tokio::try_join!(work.store.counts(&question), work.store.moments(&question))?;
            hours.counts.extend(counts);
            hours.moments.extend(moments);
        }
        Ok(hours)
    }

    fn hourly(&self, stretch: Interval) -> Question {
        Question {
            resolution: Resolution::Hours,
            step_s: u32::try_from(HOUR.as_secs()).unwrap_or(u32::MAX),
            ..self.question(stretch)
        }
    }

    /// All hours of the last whole days before an instant, without what is known to be bad.
    async fn sum_of_days(
        &self,
        work: &Work,
        before: Instant,
        days: u32,
        base: &Reference,
    ) -> anyhow::Result<BySignal> {
        let end = before.floor(DAY);
        let stretch = Interval::new(end.saturating_sub(DAY.saturating_mul(days)), end);
        let mut signals = BySignal::new();
        for clean in clean_parts(stretch, &self.past.left_out) {
            merge(&mut signals, self.sum(work, clean, base).await?);
        }
        Ok(signals)
    }

    /// What was counted in `interval`, widened to whole hours, on the grids in force.
    pub(super) async fn sum(
        &self,
        work: &Work,
        interval: Interval,
        base: &Reference,
    ) -> anyhow::Result<BySignal> {
        let question = Question { step_s: 0, ..self.hourly(interval) };
        let (counts, moments) =
            tokio::try_join!(work.store.counts(&question), work.store.moments(&question))?;
        let all = Chosen { periods: 1, stretches: vec![interval.widened_to(HOUR)] };
        Ok(all.pooled(&Hours { counts, moments }, &base.in_force))
    }

    /// How much healthy windows varied over the weeks before `until`.
    async fn learned(
        &mut self,
        work: &Work,
        base: &Reference,
        until: Option<Instant>,
    ) -> anyhow::Result<Arc<Learned>> {
        let Some(until) = until else { return Ok(Arc::default()) };
        if let Some((known, learned)) = &self.past.learned
            && *known == until
        {
            return Ok(learned.clone());
        }
        let weeks = match self.watch.against() {
            Against::SameHour { weeks } => weeks,
            _ => WEEKS,
        };
        let past = Interval::ending_at(until, WEEK.saturating_mul(weeks));
        let past = Interval::new(past.start.max(self.first_event.floor(HOUR)), past.end);
        let mut learned = Learned::new();
        if let Some(windows) = healthy_windows(&self.watch, past) {
            let began = std::time::Instant::now();
            let over = calibrate::Window {
                windows,
                left_out: &self.past.left_out,
                least_events: self.watch.least_events,
            };
            let (segments, parts) = shares_of_memory(base, windows.all().count());
            for signals in parts {
                let question = Question {
                    segments: segments.clone(),
                    signals,
                    resolution: resolution([windows.stride, windows.length]),
                    step_s: u32::try_from(windows.stride.as_secs())?,
                    ..self.question(windows.stretch)
                };
                learned.extend(self.calibrated(work, base, &question, over).await?);
            }
            tracing::info!(
                model = self.identity.model, watch = self.identity.watch, %until, signals = learned.len(),
                took_ms = began.elapsed().as_millis() as u64, "learned how much healthy windows vary"
            );
        }
        let learned = Arc::new(learned);
        self.past.learned = Some((until, learned.clone()));
        self.past.forget_references();
        Ok(learned)
    }

    async fn calibrated(
        &self,
        work: &Work,
        base: &Reference,
        question: &Question,
        over: calibrate::Window<'_>,
    ) -> anyhow::Result<Learned> {
        let series = work.store.counts_of(question, &self.own_versions()).await?;
        let others = match self.beside() {
            Some((environment, versions)) => {
                let question = Question { environment, ..question.clone() };
                Some(work.store.counts_of(&question, &versions).await?)
            }
            None => None,
        };
        let in_force = |series: &&CountSeries| base.in_force.get(&series.signal) == Some(&series.grid);
        let sums: Vec<_> = series.iter().filter(in_force).map(|series| (series, whole(series))).collect();
        let none = BTreeMap::new();
        let pasts = sums.iter().filter_map(|(series, sum)| {
            let grid = base.grid(&series.signal, series.grid)?;
            let rest = match (&others, self.watch.against()) {
                (Some(others), _) => Rest::Beside(others.iter().find(|other| is_same_signal(other, series))),
                (None, Against::SameHour { .. }) => Rest::SameHours,
                (None, _) => Rest::Of(sum),
            };
            let key = (series.segment.clone(), series.signal.clone());
            Some((key, SignalPast { grid, means: &none, series, rest }))
        });
        Ok(calibrate(pasts, over))
    }
}

fn is_same_signal(one: &CountSeries, other: &CountSeries) -> bool {
    one.signal == other.signal && one.segment == other.segment && one.grid == other.grid
}

fn whole(series: &CountSeries) -> domain::counts::Counts {
    domain::counts::Counts::of(series.points.iter().map(|point| (point.bin, point.n)))
}

/// Which segments are learned, and which signals at a time, so that so many windows of them fit into memory: where all
/// segments are too much, what is learned of all events stands for them.
fn shares_of_memory(base: &Reference, windows: usize) -> (Vec<String>, Vec<Vec<String>>) {
    let cells = |signal: &str| {
        let grid = base.in_force.get(signal).and_then(|id| base.grid(signal, *id));
        grid.map_or(0, |grid| grid.value_bins() + 3) * windows
    };
    let all: usize = base.in_force.keys().map(|signal| cells(signal)).sum();
    let is_small = all * (1 + base.segments.len()) <= MOST_CELLS;
    let segments = if is_small { Vec::new() } else { vec![segment::ALL.to_owned()] };
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut room = 0;
    for signal in base.in_force.keys() {
        let needed = cells(signal) * if is_small { 1 + base.segments.len() } else { 1 };
        if needed > room {
            parts.push(Vec::new());
            room = MOST_CELLS;
        }
        room = room.saturating_sub(needed);
        parts.last_mut().expect("one was pushed").push(signal.clone());
    }
    (segments, parts)
}
