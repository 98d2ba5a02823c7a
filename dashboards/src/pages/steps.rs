//! How a range of time is cut into the steps of a picture, and which verdict each step shows.

use std::time::Duration;

use domain::contract::Contract;
use domain::time::{HOUR, Interval, MINUTE};
use sql::counts::Resolution;
use sql::pages::overview::Steps;

use crate::charts::axis::bucket;
use crate::charts::strip::Mark;

/// Beyond this the hours are read instead of the minutes.
const BY_MINUTES: Duration = Duration::from_secs(3 * 86_400);

/// A range cut into at most `most` round steps.
pub fn steps(range: Interval, most: u64) -> Steps {
    let (resolution, least) = match resolution(range) {
        Resolution::Minutes => (Resolution::Minutes, MINUTE),
        Resolution::Hours => (Resolution::Hours, HOUR),
    };
    let step = bucket(range, least, most);
    Steps { interval: Interval::new(range.start.floor(step), range.end).widened_to(step), step, resolution }
}

/// Minutes for short stretches, hours for long ones.
pub fn resolution(range: Interval) -> Resolution {
    if range.length() <= BY_MINUTES { Resolution::Minutes } else { Resolution::Hours }
}

pub fn cells_of(steps: Steps) -> usize {
    (steps.interval.length().as_secs() / steps.step.as_secs().max(1)) as usize
}

/// The longest step of the watches of `contracts`: how far beyond a range a window may end that still speaks of it.
pub fn longest_step<'a>(contracts: impl Iterator<Item = &'a Contract>) -> Duration {
    contracts
        .flat_map(Contract::watches)
        .map(|watch| watch.schedule().step)
        .max()
        .unwrap_or(Duration::from_secs(300))
}

/// The worst verdict among the windows of a watch that end in one step.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub watch: &'a str,
    pub bucket: i32,
    pub rank: u8,
}

/// The worst of all watches, each window over the step that ends with it.
pub fn marks<'a>(
    contract: &Contract,
    steps: Steps,
    seen: impl Iterator<Item = Seen<'a>>,
) -> Vec<Option<Mark>> {
    let mut marks = vec![None; cells_of(steps)];
    let watches = contract.watches();
    for found in seen {
        let step = watches.iter().find(|watch| watch.name == found.watch).map_or(0, |watch| watch.step_s);
        let reach = i32::try_from(step / steps.step.as_secs().max(1)).unwrap_or(0).max(1);
        let mark = Some(Mark::from_rank(found.rank));
        for cell in (found.bucket - reach + 1).max(0)..=found.bucket {
            if let Some(cell) = marks.get_mut(cell as usize) {
                *cell = (*cell).max(mark);
            }
        }
    }
    marks
}

#[cfg(test)]
mod tests {
    use domain::time::Instant;

    use super::*;

    fn range(hours: u32) -> Interval {
        Interval::ending_at("2026-11-20T14:43:10Z".parse().expect("a literal instant"), HOUR * hours)
    }

    #[test]
    fn a_window_covers_the_step_that_ends_with_it() {
        let steps = Steps {
            interval: Interval::new(Instant::EPOCH, Instant::from_seconds(3_600)),
            step: Duration::from_secs(150),
            resolution: Resolution::Minutes,
        };
        let seen =
            [Seen { watch: "hourly", bucket: 5, rank: 5 }, Seen { watch: "hourly", bucket: 99, rank: 5 }];
        let marks = marks(&Contract::default(), steps, seen.into_iter());
        let marked: Vec<usize> = (0..marks.len()).filter(|cell| marks[*cell].is_some()).collect();
        assert_eq!(marked, [4, 5]);
    }

    #[test]
    fn a_short_range_is_read_by_minutes_and_a_long_one_by_hours() {
        assert_eq!(steps(range(6), 72).resolution, Resolution::Minutes);
        assert_eq!(steps(range(6), 72).step, Duration::from_secs(300));
        assert_eq!(steps(range(24 * 30), 72).resolution, Resolution::Hours);
        let long = steps(range(24 * 365), 72);
        assert!(cells_of(long) <= 74, "{}", cells_of(long));
    }
}
