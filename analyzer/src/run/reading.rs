//! What a watch asks the store: its reference, the counts of its windows, the traffic of earlier ones.

use std::time::Duration;

use domain::baseline::Baseline;
use domain::signal::segment;
use domain::time::{DAY, HOUR, Interval};
use sql::counts::{Question, Resolution};
use sql::evaluations::{Before, Earlier};

use super::Work;
use super::watch::{Identity, WatchRun};
use crate::counted::Stretch;
use crate::reference::Reference;
use crate::traffic;

/// How long grids are taken for granted.
const GRIDS_HOLD: Duration = Duration::from_secs(300);
/// Without a baseline one is looked for this often.
const BASELINE_EVERY: Duration = Duration::from_secs(10);
/// Counts of one bin in one step that are held at a time: some hundred megabytes.
const MOST_CELLS: usize = 4_000_000;
/// Where there are no earlier days, so many windows just before say what is usual.
const RECENT_WINDOWS: u32 = 12;

impl WatchRun {
    /// Reads the baseline and the grids where they may have changed.
    pub(super) async fn refresh(&mut self, work: &Work, baselines: &[Baseline]) -> anyhow::Result<()> {
        let named = baselines.iter().find(|baseline| {
            baseline.model == self.identity.model
                && baseline.environment == self.identity.environment
                && baseline.name == self.watch.baseline
        });
        let known = self.reference.as_ref().and_then(|reference| reference.baseline.as_ref());
        let holds = if named.is_some() { GRIDS_HOLD } else { BASELINE_EVERY };
        let is_same = self.reference.is_some() && known == named;
        if is_same && work.now().since(self.reference_at) < holds {
            return Ok(());
        }
        let grids = work.store.grids(Some(&self.identity.model)).await?;
        if let (Some(reference), true) = (&mut self.reference, is_same) {
            reference.take_grids(&self.contract, grids);
        } else {
            let counts = match named {
                Some(named) => Some((named.clone(), work.store.baseline_counts(named).await?)),
                None => None,
            };
            let mut reference = Reference::new(&work.config, &self.contract, &self.watch, counts, grids);
            self.learn(work, &mut reference).await?;
            self.reference = Some(reference);
            self.labels.forget();
        }
        self.reference_at = work.now();
        Ok(())
    }

    /// Learns from the baseline's own stretch how much healthy windows vary.
    async fn learn(&self, work: &Work, reference: &mut Reference) -> anyhow::Result<()> {
        let Some(windows) = reference.healthy_windows(&self.watch) else { return Ok(()) };
        let steps = windows.stretch.length().as_secs() / windows.stride.as_secs().max(1);
        let is_small = reference.cells() as u64 * steps <= MOST_CELLS as u64;
        let question = Question {
            segments: if is_small { Vec::new() } else { vec![segment::ALL.to_owned()] },
            resolution: resolution([windows.stride, windows.length]),
            step_s: u32::try_from(windows.stride.as_secs())?,
            ..self.question(windows.stretch)
        };
        let series = work.store.counts(&question).await?;
        reference.learn(windows, &series, self.watch.least_events);
        Ok(())
    }

    /// All signals in all segments over `interval`, in one sum.
    fn question(&self, interval: Interval) -> Question {
        Question {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            interval,
            resolution: resolution([self.schedule.step, self.schedule.length]),
            segments: Vec::new(),
            signals: Vec::new(),
            step_s: 0,
        }
    }

    /// How many windows can be read at once without holding more than [`MOST_CELLS`].
    pub(super) fn windows_that_fit(&self) -> usize {
        let cells = self.reference.as_ref().map_or(0, Reference::cells);
        (MOST_CELLS / cells.max(1)).max(1)
    }

    /// The answers over all `windows`, which follow each other: three questions, whatever their number.
    pub(super) async fn read(&self, work: &Work, windows: &[Interval]) -> anyhow::Result<Stretch> {
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Ok(Stretch::default());
        };
        let step_s = if windows.len() == 1 { 0 } else { u32::try_from(self.watch.step_s)? };
        let question = Question { step_s, ..self.question(Interval::new(first.start, last.end)) };
        let whole = Question { segments: vec![segment::ALL.to_owned()], ..question.clone() };
        let (counts, moments, traffic) = tokio::try_join!(
            work.store.counts(&question),
            work.store.moments(&question),
            work.store.traffic(&whole)
        )?;
        Ok(Stretch { counts, moments, traffic })
    }

    /// The same stretch in earlier weeks, or else on earlier days, or else the windows just before.
    pub(super) async fn earlier(&self, work: &Work, stretch: Interval) -> anyhow::Result<Vec<Earlier>> {
        let Identity { model, environment, .. } = &self.identity;
        let length = stretch.length().as_secs().max(60);
        let day = length.div_ceil(DAY.as_secs()) * DAY.as_secs();
        let not_before = self.watch.from.map_or(self.first_event, |from| from.0.max(self.first_event));
        let before = |period_s: u64, periods: u32| Before { stretch, period_s, periods, not_before };
        let days =
            work.store.traffic_before(model, environment, &before(day, work.config.traffic_days)).await?;
        let weekly = usize::try_from(7 * DAY.as_secs() / day).unwrap_or(7).max(1);
        let weeks: Vec<_> = days.iter().skip(weekly - 1).step_by(weekly).copied().collect();
        if weeks.len() >= traffic::LEAST_STRETCHES {
            return Ok(weeks);
        }
        if days.len() >= traffic::LEAST_STRETCHES {
            return Ok(days);
        }
        Ok(work.store.traffic_before(model, environment, &before(length, RECENT_WINDOWS)).await?)
    }
}

/// Hours where whole hours are asked for: sixty times fewer rows, which are kept for longer.
fn resolution(lengths: [Duration; 2]) -> Resolution {
    let is_whole = lengths.iter().all(|length| length.as_secs().is_multiple_of(HOUR.as_secs()));
    if is_whole { Resolution::Hours } else { Resolution::Minutes }
}
