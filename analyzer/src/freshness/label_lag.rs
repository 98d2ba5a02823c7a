//! Outcomes that come later than usual.
//!
//! Of predictions that are as old as the baseline's were when half of their outcomes had come, as many should be labelled as
//! there were then. That is known at once, while the delay of those that have come says nothing of those that have not.

use domain::evaluation::{Basis, Monitor};
use sql::freshness::Delays;

use crate::finding::{Finding, numbers};
use crate::stats::proportion::Share;
use crate::threshold::{Limit, Limits};
use crate::words;

/// Fewer predictions than this say nothing.
const LEAST: u64 = 100;

/// `usual` are the baseline's delays and how many outcomes came within their median; `now` those of predictions that are so
/// old. `None` where there is too little to compare.
pub fn find(usual: Delays, now: Delays, limits: &Limits) -> Option<Finding> {
    let late = |delays: Delays| {
        Share::of(delays.predictions - delays.in_time.min(delays.predictions), delays.predictions)
    };
    let (before, current) = (late(usual)?, late(now)?);
    if before.n().min(current.n()) < LEAST || usual.in_time == 0 {
        return None;
    }
    let limit = Limit { basis: Basis::Stated, ..limits.share(before, current, None) };
    let within = words::seconds(usual.median.as_secs_f64());
    let facts = format!(
        "{} of predictions have no outcome after {within}, usually {}; {}",
        words::percent(current.value()),
        words::percent(before.value()),
        words::predictions(current.n()),
    );
    Some(Finding {
        monitor: Monitor::LabelLag,
        signal: String::new(),
        segment: String::new(),
        statistic: "late_share",
        value: current.value(),
        limit,
        n_baseline: before.n(),
        n_current: current.n(),
        is_enough: true,
        is_quiet: current.value() <= limit.threshold,
        numbers: numbers([
            ("share_baseline", before.value()),
            ("share_current", current.value()),
            ("usual_delay_s", usual.median.as_secs_f64()),
            ("labelled_now", now.labelled as f64),
        ]),
        facts,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::time::HOUR;

    use super::*;
    use crate::config::Config;

    fn delays(predictions: u64, in_time: u64) -> Delays {
        Delays { predictions, labelled: in_time, median: 2 * HOUR, in_time }
    }

    #[test]
    fn outcomes_that_stopped_coming_are_told_and_a_few_fewer_are_not() {
        let limits = Limits::shared_over(&Config::default(), 20, Duration::from_secs(300));
        let found = |now| find(delays(10_000, 4_800), now, &limits);
        assert!(!found(delays(1_000, 470)).expect("enough").is_beyond());
        let stopped = found(delays(1_000, 20)).expect("enough");
        assert!(stopped.is_beyond());
        assert_eq!(
            stopped.facts,
            "98 % of predictions have no outcome after 2 h, usually 52 %; 1,000 predictions"
        );
        assert_eq!(found(delays(0, 0)), None);
        assert_eq!(find(delays(10_000, 0), delays(1_000, 0), &limits), None);
    }
}
