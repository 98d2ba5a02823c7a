//! Passes over one chunk: compare, correct, compare again until nothing is left to correct.

use std::time::Duration;

use domain::time::{Clock, HOUR, Instant, Interval, MINUTE};
use sql::Store;
use sql::counts::Resolution;
use sql::recount::{Kept, RuleDifference, SignalDifference, Stretch};

use super::chunk::{Chunk, Cut, cut};
use super::report::{Change, Found, Report};

/// Passes over a chunk before it is left for a later round.
const PASSES: u32 = 6;

/// Work on one chunk.
pub(super) struct Pass<'a> {
    pub store: &'a Store,
    pub stretch: Stretch,
    pub kept: Kept,
    /// What was received since may be stored in part only.
    pub settle: Duration,
    pub clock: &'a Clock,
}

impl Pass<'_> {
    /// Compares and corrects until nothing is left to correct; in a dry run compares once. Gives back what could not be
    /// finished because events are arriving.
    pub async fn run(&self, chunk: &Chunk, report: &mut Report) -> anyhow::Result<Cut> {
        if report.dry_run {
            report.add(&self.compare().await?);
            return Ok(Cut::default());
        }
        let mut chunk = *chunk;
        for _ in 0..PASSES {
            let moving = self.moving().await?;
            if !moving.is_empty() {
                return Ok(cut(&chunk, &moving, self.step()));
            }
            let found = self.compare().await?;
            if found.is_nothing() {
                return Ok(Cut::default());
            }
            self.correct(&found).await?;
            report.add(&found);
            chunk.touched = true;
        }
        Ok(Cut { settled: Vec::new(), moving: vec![chunk] })
    }

    fn step(&self) -> Duration {
        match self.stretch.resolution {
            Resolution::Minutes => MINUTE,
            Resolution::Hours => HOUR,
        }
    }

    /// The minutes, or hours, in which an event was received so lately that its counts may not be there yet.
    async fn moving(&self) -> anyhow::Result<Vec<Instant>> {
        let now = self.clock.now();
        let received = Interval::new(now.saturating_sub(self.settle), now.saturating_add(MINUTE));
        Ok(self.store.moving(&self.stretch, received).await?)
    }

    async fn compare(&self) -> anyhow::Result<Found> {
        let differences = self.store.count_differences(&self.stretch).await?;
        let signals = differences.into_iter().map(|SignalDifference { signal, cells, lacking, surplus }| {
            (signal, Change { cells, lacking, surplus })
        });
        let differences = self.store.breach_differences(&self.stretch, self.kept).await?;
        let rules = differences.into_iter().map(|RuleDifference { rule, cells, lacking, surplus }| {
            (rule, Change { cells, lacking, surplus })
        });
        Ok(Found {
            by: self.stretch.resolution,
            signals: signals.collect(),
            moments: self.store.moment_differences(&self.stretch).await?,
            traffic: self.store.traffic_differences(&self.stretch).await?,
            rules: rules.collect(),
        })
    }

    async fn correct(&self, found: &Found) -> anyhow::Result<()> {
        if !found.signals.is_empty() {
            self.store.correct_counts(&self.stretch).await?;
        }
        if found.moments > 0 {
            self.store.correct_moments(&self.stretch).await?;
        }
        if found.traffic > 0 {
            self.store.correct_traffic(&self.stretch).await?;
        }
        if !found.rules.is_empty() {
            self.store.correct_breaches(&self.stretch, self.kept).await?;
        }
        Ok(())
    }
}
