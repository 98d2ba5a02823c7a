//! Hours of the past that stand for the hours of a window: which they are, and what was counted in them.
//!
//! Invariant: an hour in which something was known to be bad stands for nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::grid::GridId;
use domain::time::{HOUR, Instant, Interval};
use sql::baselines::BySignal;
use sql::counts::{CountSeries, MomentPoint};

/// Counts by the hour of some stretches.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    pub counts: Vec<CountSeries>,
    pub moments: Vec<MomentPoint>,
}

/// Stretches that stand for some hours, and of how many periods they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    pub periods: usize,
    pub stretches: Vec<Interval>,
}

impl Chosen {
    /// The same hours some whole periods ago, each of which holds events and nothing known-bad.
    pub fn of(known: &Hours, hours: Interval, period: Duration, periods: u32, left_out: &[Interval]) -> Self {
        let mut chosen = Self::default();
        for ago in 1..=periods {
            let back = period.saturating_mul(ago);
            let stretch = Interval::new(hours.start.saturating_sub(back), hours.end.saturating_sub(back));
            let is_bad = left_out.iter().any(|bad| bad.overlaps(stretch));
            if !is_bad && known.counts.iter().any(|series| holds(series, stretch)) {
                chosen.periods += 1;
                chosen.stretches.push(stretch);
            }
        }
        chosen
    }

    /// Their counts and moments on the grids in force.
    pub fn pooled(&self, known: &Hours, in_force: &BTreeMap<String, GridId>) -> BySignal {
        let mut signals = BySignal::new();
        for series in known.counts.iter().filter(|series| in_force.get(&series.signal) == Some(&series.grid))
        {
            for stretch in &self.stretches {
                let from = first_after(series, stretch.start);
                let to = first_after(series, stretch.end);
                if from == to {
                    continue;
                }
                let key = (series.segment.clone(), series.signal.clone());
                let counted = signals.entry(key).or_default();
                counted.grid = series.grid;
                series.points[from..to].iter().for_each(|point| counted.counts.add(point.bin, point.n));
            }
        }
        for point in &known.moments {
            let is_chosen = self.stretches.iter().any(|stretch| stretch.contains(point.at));
            if is_chosen
                && let Some(counted) = signals.get_mut(&(point.segment.clone(), point.signal.clone()))
            {
                counted.moments.merge(&point.moments);
            }
        }
        signals
    }
}

fn first_after(series: &CountSeries, instant: Instant) -> usize {
    series.points.partition_point(|point| point.at < instant)
}

fn holds(series: &CountSeries, stretch: Interval) -> bool {
    series.points.get(first_after(series, stretch.start)).is_some_and(|point| stretch.contains(point.at))
}

/// Adds up two sums signal by signal.
pub fn merge(signals: &mut BySignal, more: BySignal) {
    for (key, counted) in more {
        let sum = signals.entry(key).or_default();
        sum.grid = counted.grid;
        sum.counts.merge(&counted.counts);
        sum.moments.merge(&counted.moments);
    }
}

/// What is left of `stretch`, in whole hours, when the bad stretches are taken out.
pub fn clean_parts(stretch: Interval, bad: &[Interval]) -> Vec<Interval> {
    let mut bad: Vec<Interval> =
        bad.iter().filter_map(|bad| bad.intersection(stretch)).map(|bad| bad.widened_to(HOUR)).collect();
    bad.sort_unstable_by_key(|bad| bad.start);
    let mut parts = Vec::new();
    let mut from = stretch.start;
    for bad in bad {
        parts.extend((bad.start > from).then(|| Interval::new(from, bad.start)));
        from = from.max(bad.end);
    }
    parts.extend((stretch.end > from).then(|| Interval::new(from, stretch.end)));
    parts
}

#[cfg(test)]
mod tests {
    use domain::grid::Bin;
    use sql::counts::CountPoint;

    use super::*;

    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn hours(from: i64, to: i64) -> Interval {
        Interval::new(Instant::from_seconds(from * 3_600), Instant::from_seconds(to * 3_600))
    }

    /// One value each hour of four weeks, on grid 1, and one on a grid that is out of force.
    fn known() -> Hours {
        let points = |bin: u16| {
            let point = |hour: i64| CountPoint { at: hours(hour, hour).start, bin: Bin(bin), n: 1 };
            (0..28 * 24).map(point).collect()
        };
        let series = |grid: u32, bin: u16| CountSeries {
            segment: String::new(),
            signal: "feature.x".to_owned(),
            grid: GridId(grid),
            points: points(bin),
        };
        Hours { counts: vec![series(1, 3), series(2, 4)], moments: Vec::new() }
    }

    #[test]
    fn the_same_hours_of_past_weeks_are_pooled_on_the_grid_in_force() {
        let (known, in_force) = (known(), BTreeMap::from([("feature.x".to_owned(), GridId(1))]));
        let now = hours(28 * 24 + 5, 28 * 24 + 7);
        let chosen = Chosen::of(&known, now, WEEK, 8, &[]);
        assert_eq!(chosen.periods, 4, "weeks without events stand for nothing");
        let pooled = chosen.pooled(&known, &in_force);
        let counted = &pooled[&(String::new(), "feature.x".to_owned())];
        assert_eq!((counted.counts.get(Bin(3)), counted.counts.get(Bin(4))), (8, 0));
    }

    #[test]
    fn a_bad_hour_stands_for_nothing() {
        let now = hours(28 * 24 + 5, 28 * 24 + 7);
        let bad = hours(21 * 24 + 6, 21 * 24 + 7);
        let chosen = Chosen::of(&known(), now, WEEK, 4, &[bad]);
        assert_eq!(chosen.periods, 3);
        assert!(chosen.stretches.iter().all(|stretch| !stretch.overlaps(bad)));
    }

    #[test]
    fn what_is_left_of_a_stretch_touches_nothing_bad() {
        let half = Interval::new(Instant::from_seconds(1_800), Instant::from_seconds(5_400));
        assert_eq!(clean_parts(hours(0, 10), &[]), [hours(0, 10)]);
        assert_eq!(clean_parts(hours(0, 10), &[half]), [hours(2, 10)]);
        assert_eq!(clean_parts(hours(0, 10), &[hours(8, 20), hours(3, 5)]), [hours(0, 3), hours(5, 8)]);
        assert_eq!(clean_parts(hours(0, 10), &[hours(0, 6), hours(5, 12)]), []);
    }
}
