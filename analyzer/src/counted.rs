//! What one window holds: counts and moments of each signal in each segment, and traffic.

use std::collections::BTreeMap;

use domain::baseline::Moments;
use domain::counts::Counts;
use domain::grid::GridId;
use domain::time::{Instant, Interval};
use sql::breaches::Breaches;
use sql::counts::{CountSeries, MomentPoint, TrafficPoint};

use crate::slo::objective::Objective;
use crate::slo::record::Record;

/// One signal of one segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counted {
    pub counts: Counts,
    pub moments: Moments,
}

/// The events of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Traffic {
    pub events: u64,
    pub errors: u64,
    pub last_event: Option<Instant>,
}

/// Segment, then signal.
pub type BySignal = BTreeMap<(String, String), Counted>;

/// Answers of the store over a stretch of time, from which the windows within it are cut.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    pub counts: Vec<CountSeries>,
    pub moments: Vec<MomentPoint>,
    pub traffic: Vec<TrafficPoint>,
    pub breaches: Breaches,
    /// Good and bad events of the objectives whose burn rates are followed, over all that the windows look back at.
    pub objectives: Vec<(Objective, Record)>,
}

impl Stretch {
    /// The signals of one window, each on the grid that `grid_of` names for it.
    pub fn signals(&self, window: Interval, grid_of: impl Fn(&str, &str) -> Option<GridId>) -> BySignal {
        let mut by_signal = BySignal::new();
        for series in &self.counts {
            if grid_of(&series.segment, &series.signal) != Some(series.grid) {
                continue;
            }
            let from = series.points.partition_point(|point| point.at < window.start);
            let to = series.points.partition_point(|point| point.at < window.end);
            let counts = Counts::of(series.points[from..to].iter().map(|point| (point.bin, point.n)));
            by_signal
                .entry((series.segment.clone(), series.signal.clone()))
                .or_default()
                .counts
                .merge(&counts);
        }
        for point in self.moments.iter().filter(|point| window.contains(point.at)) {
            let key = (point.segment.clone(), point.signal.clone());
            if let Some(counted) = by_signal.get_mut(&key) {
                counted.moments.merge(&point.moments);
            }
        }
        by_signal
    }

    /// The last event before an instant, as far back as traffic was read.
    pub fn last_event_before(&self, end: Instant) -> Option<Instant> {
        let before = self.traffic.iter().filter(|point| point.segment.is_empty() && point.at < end);
        before.map(|point| point.last_event).filter(|last| *last < end).max()
    }

    /// What broke the contract in one window.
    pub fn breaches(&self, window: Interval) -> Breaches {
        let points = self.breaches.points.iter().filter(|point| window.contains(point.at));
        let events = self.breaches.events.iter().filter(|point| window.contains(point.at));
        Breaches { points: points.cloned().collect(), events: events.copied().collect() }
    }

    /// The traffic of all events of one window.
    pub fn traffic(&self, window: Interval) -> Traffic {
        let of_all = |point: &&TrafficPoint| point.segment.is_empty() && window.contains(point.at);
        self.traffic.iter().filter(of_all).fold(Traffic::default(), |sum, point| Traffic {
            events: sum.events + point.events,
            errors: sum.errors + point.errors,
            last_event: sum.last_event.max(Some(point.last_event)),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::grid::Bin;
    use sql::counts::CountPoint;

    use super::*;

    #[test]
    fn a_window_takes_what_lies_within_it_and_on_its_grid() {
        let at = Instant::from_seconds;
        let series = |grid: u32| CountSeries {
            segment: String::new(),
            signal: "feature.x".to_owned(),
            grid: GridId(grid),
            points: (0..10).map(|step| CountPoint { at: at(step * 60), bin: Bin(3), n: 1 }).collect(),
        };
        let stretch = Stretch { counts: vec![series(1), series(2)], ..Stretch::default() };
        let signals = stretch.signals(Interval::new(at(120), at(300)), |_, _| Some(GridId(2)));
        let counted = &signals[&(String::new(), "feature.x".to_owned())];
        assert_eq!(counted.counts.total(), 3);
    }
}
