//! Of each leading signal: since when it is different, and which segment carries that.

use std::collections::BTreeMap;

use domain::counts::Counts;
use domain::evaluation::Monitor;
use domain::signal::segment;
use domain::time::{Instant, Interval};
use sql::Store;
use sql::counts::CountSeries;

use super::Case;
use crate::explain::{self, Part};
use crate::rootcause::onset::{Weights, changed_at};
use crate::rootcause::report::About;
use crate::rootcause::signals::{Move, Moved};

/// Of so many signals the segments and the time of change are looked for.
const MOST_LOOKED_INTO: usize = 12;
/// So many windows before the onset tell when a signal changed.
const STEPS_BEFORE: u32 = 36;

impl Case<'_> {
    /// Of the leading signals: since when, and where.
    pub(super) async fn about(
        &self,
        store: &Store,
        moved: &[Moved],
    ) -> anyhow::Result<BTreeMap<String, About>> {
        let mut names: Vec<String> =
            moved.iter().take(MOST_LOOKED_INTO).map(|moved| moved.signal.clone()).collect();
        let consequences =
            moved.iter().filter(|moved| moved.is_consequence).map(|moved| moved.signal.clone());
        names.extend(consequences.filter(|name| !names.contains(name)).collect::<Vec<_>>());
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let step = self.watch.schedule().step;
        let began = self.window.start.saturating_sub(step.saturating_mul(STEPS_BEFORE)).floor(step);
        let over_time = self.question(
            Interval::new(began, self.window.end),
            vec![segment::ALL.to_owned()],
            names.clone(),
            u32::try_from(step.as_secs())?,
        );
        let by_segment = self.question(self.window, Vec::new(), names.clone(), 0);
        let (series, segments) = tokio::try_join!(
            store.counts_of(&over_time, &self.versions),
            store.counts_of(&by_segment, &self.versions)
        )?;
        let about = |name: &String| About {
            changed_at: self.changed_at(name, &series),
            carrier: moved
                .iter()
                .find(|moved| moved.signal == *name)
                .and_then(|moved| self.carrier(moved, &segments)),
        };
        Ok(names.iter().map(|name| (name.clone(), about(name))).collect())
    }

    fn changed_at(&self, signal: &str, series: &[CountSeries]) -> Option<Instant> {
        let key = (segment::ALL.to_owned(), signal.to_owned());
        let grid = self.grid(signal)?;
        let (before, now) = (self.reference.signals.get(&key)?, self.current.get(&key)?);
        let weights = Weights::of(grid, &before.counts, &now.counts)?;
        let own = series.iter().find(|one| one.signal == signal && one.grid == grid.id)?;
        changed_at(&weights, &own.points)
    }

    /// The watched segment that carries what happened to a signal.
    fn carrier(&self, moved: &Moved, series: &[CountSeries]) -> Option<(String, f64)> {
        let monitor = if moved.missing_rise() > 0.01 { Monitor::Missing } else { Monitor::Drift };
        let key = (segment::ALL.to_owned(), moved.signal.clone());
        let (before, now) = (self.reference.signals.get(&key)?, self.current.get(&key)?);
        let grid = self.grid(&moved.signal)?;
        let of_signal = series.iter().filter(|one| one.signal == moved.signal && one.grid == grid.id);
        let counted: Vec<(&str, Counts)> = of_signal
            .filter(|one| !one.segment.is_empty())
            .map(|one| {
                let pairs = one.points.iter().map(|point| (point.bin, point.n));
                (one.segment.as_str(), Counts::of(pairs))
            })
            .collect();
        let parts: Vec<Part<'_>> = counted
            .iter()
            .filter_map(|(name, counts)| {
                let known = self.reference.signals.get(&((*name).to_owned(), moved.signal.clone()))?;
                Some(Part { segment: name, baseline: &known.counts, current: counts })
            })
            .collect();
        let whole = Part { segment: segment::ALL, baseline: &before.counts, current: &now.counts };
        let shares = explain::segment_parts(monitor, grid, whole, &parts);
        let of_events = |name: &str| self.reference.segments.get(name).copied().unwrap_or(0.0);
        explain::carrier(&shares, of_events).map(|(name, part)| (name.to_owned(), part))
    }

    /// The prediction's own change where it moved, else that of what the incident is about.
    pub(super) fn metric_changed_at(
        &self,
        about: &BTreeMap<String, About>,
        prediction_move: Option<Move>,
    ) -> Option<Instant> {
        let prediction = self.reference.prediction.as_ref().filter(|_| prediction_move.is_some());
        let of = prediction.unwrap_or(&self.lead.subject.signal);
        about.get(of).and_then(|about| about.changed_at)
    }
}
