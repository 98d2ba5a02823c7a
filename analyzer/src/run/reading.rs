//! What a watch asks the store: its reference, the counts of its windows, the traffic of earlier ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::baseline::Baseline;
use domain::contract::Against;
use domain::signal::segment;
use domain::time::{DAY, HOUR, Instant, Interval};
use sql::counts::{Question, Resolution};
use sql::grids::StoredGrid;

use super::Work;
use super::habits::Habits;
use super::watch::WatchRun;
use crate::calibrate;
use crate::counted::Stretch;
use crate::reference::Reference;

/// How long grids are taken for granted.
const GRIDS_HOLD: Duration = Duration::from_secs(300);
/// Without a baseline one is looked for this often.
const BASELINE_EVERY: Duration = Duration::from_secs(10);
/// Counts of one bin in one step that are held at a time: some hundred megabytes.
pub(super) const MOST_CELLS: usize = 4_000_000;

impl WatchRun {
    /// Reads the baseline, the grids and the known-bad stretches where they may have changed.
    pub(super) async fn refresh(&mut self, work: &Work, baselines: &[Baseline]) -> anyhow::Result<()> {
        let stated = self.stated_window(work.now());
        let wanted = stated.as_ref().or(self.named(baselines));
        let known = self.reference.as_ref().and_then(|reference| reference.baseline.as_ref());
        let holds = if wanted.is_some() { GRIDS_HOLD } else { BASELINE_EVERY };
        let is_same = self.reference.is_some() && is_same_baseline(known, wanted);
        if is_same && work.now().since(self.reference_at) < holds {
            return Ok(());
        }
        let grids = work.store.grids(Some(&self.identity.model)).await?;
        self.read_left_out(work).await?;
        if let (Some(reference), true) = (&mut self.reference, is_same) {
            Arc::make_mut(reference).take_grids(&self.contract, grids);
            self.past.forget_references();
        } else {
            let reference = self.reference_to(work, wanted, stated.is_some(), grids).await?;
            self.reference = Some(Arc::new(reference));
            self.past.forget_references();
            self.labels.forget();
        }
        self.reference_at = work.now();
        Ok(())
    }

    fn named<'a>(&self, baselines: &'a [Baseline]) -> Option<&'a Baseline> {
        baselines.iter().find(|baseline| {
            baseline.model == self.identity.model
                && baseline.environment == self.identity.environment
                && baseline.name == self.watch.baseline
        })
    }

    /// What everything in a stretch is compared with, without what is learned of healthy windows.
    pub(super) async fn compared_with(
        &mut self,
        work: &Work,
        stretch: Interval,
        baselines: &[Baseline],
    ) -> anyhow::Result<Reference> {
        self.read_left_out(work).await?;
        let stated = self.stated_window(work.now());
        let wanted = stated.as_ref().or(self.named(baselines));
        let grids = work.store.grids(Some(&self.identity.model)).await?;
        let base = self.unlearned_reference_to(work, wanted, stated.is_some(), grids).await?;
        self.reference_since(work, stretch, &base).await
    }

    async fn reference_to(
        &self,
        work: &Work,
        wanted: Option<&Baseline>,
        is_stated: bool,
        grids: Vec<StoredGrid>,
    ) -> anyhow::Result<Reference> {
        let mut reference = self.unlearned_reference_to(work, wanted, is_stated, grids).await?;
        self.learn(work, &mut reference).await?;
        Ok(reference)
    }

    async fn unlearned_reference_to(
        &self,
        work: &Work,
        wanted: Option<&Baseline>,
        is_stated: bool,
        grids: Vec<StoredGrid>,
    ) -> anyhow::Result<Reference> {
        let make = |counts| Reference::new(&work.config, &self.contract, &self.watch, counts, grids.clone());
        Ok(match wanted {
            Some(named) if !is_stated => {
                make(Some((named.clone(), work.store.baseline_counts(named).await?)))
            }
            Some(stated) => {
                let signals = self.sum(work, stated.window, &make(None)).await?;
                let is_empty = signals.is_empty();
                let mut reference = make((!is_empty).then(|| (stated.clone(), signals)));
                reference.called = self.watch.against().words();
                reference
            }
            None => make(None),
        })
    }

    /// The stretch that the watch compares with, as if it were a baseline.
    fn stated_window(&self, now: Instant) -> Option<Baseline> {
        let Against::Window { from, to } = self.watch.against() else { return None };
        Some(Baseline {
            model: self.identity.model.clone(),
            environment: self.identity.environment.clone(),
            name: self.watch.against().words(),
            window: Interval::new(from.0, to.0),
            source: "window".to_owned(),
            events: 0,
            created_at: now,
        })
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
        let least_events = self.watch.least_events;
        reference.learn(calibrate::Window { windows, left_out: self.past.left_out(), least_events }, &series);
        Ok(())
    }

    /// All signals in all segments over `interval`, in one sum.
    pub(super) fn question(&self, interval: Interval) -> Question {
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
        let cells = self.reference.as_deref().map_or(0, Reference::cells);
        (MOST_CELLS / cells.max(1)).max(1)
    }

    /// The answers over all `windows`, which follow each other, and what each is compared with: a few questions, whatever
    /// their number.
    pub(super) async fn read(&mut self, work: &Work, windows: &[Interval]) -> anyhow::Result<Answers> {
        let (Some(first), Some(last)) = (windows.first(), windows.last()) else {
            return Ok(Answers::default());
        };
        let step_s = if windows.len() == 1 { 0 } else { u32::try_from(self.watch.step_s)? };
        let question = Question { step_s, ..self.question(Interval::new(first.start, last.end)) };
        // A silence may have begun before the first window.
        let back = self.schedule.step.as_secs() * (DAY.as_secs() / self.schedule.step.as_secs()).max(1);
        let whole = Question {
            segments: vec![segment::ALL.to_owned()],
            interval: Interval::new(first.start.saturating_sub(Duration::from_secs(back)), last.end),
            step_s: u32::try_from(self.watch.step_s)?,
            ..question.clone()
        };
        let versions = self.own_versions();
        let (counts, moments, traffic) = tokio::try_join!(
            work.store.counts_of(&question, &versions),
            work.store.moments_of(&question, &versions),
            work.store.traffic(&whole)
        )?;
        let references = self.references(work, windows, &question).await?;
        let span = Interval::new(first.start, last.end);
        let objectives = self.read_objectives(work, span).await?;
        let breaches = self.read_breaches(work, span, step_s).await?;
        let habits = self.read_habits(work, windows).await?;
        let stretch = Stretch { counts, moments, traffic, breaches, objectives };
        Ok(Answers { stretch, references, habits })
    }
}

/// What the store said of some windows.
#[derive(Default)]
pub(super) struct Answers {
    pub(super) stretch: Stretch,
    /// What each window is compared with, by its end.
    pub(super) references: BTreeMap<Instant, Arc<Reference>>,
    pub(super) habits: Habits,
}

/// A stretch that a contract states has no time of making.
fn is_same_baseline(known: Option<&Baseline>, wanted: Option<&Baseline>) -> bool {
    match (known, wanted) {
        (Some(known), Some(wanted)) => {
            known.name == wanted.name
                && known.window == wanted.window
                && (known == wanted || wanted.events == 0)
        }
        (None, None) => true,
        _ => false,
    }
}

/// Hours where whole hours are asked for: sixty times fewer rows, which are kept for longer.
pub(super) fn resolution(lengths: [Duration; 2]) -> Resolution {
    let is_whole = lengths.iter().all(|length| length.as_secs().is_multiple_of(HOUR.as_secs()));
    if is_whole { Resolution::Hours } else { Resolution::Minutes }
}
