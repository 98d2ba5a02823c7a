//! How verdicts are stored: those of windows that follow each other in one insert, under a token that names them.
//!
//! Invariant: rows are how far the analyzer came, so no later window is stored without the earlier ones. One insert is one
//! part of a table, whole or not there, as long as its rows are one block of one partition.

use domain::evaluation::Evaluation;
use domain::time::{Instant, Interval};

use super::Work;
use super::watch::{Identity, WatchRun};

/// No insert is given more rows once it has so many: a block of ClickHouse holds twenty times as many.
const MOST_ROWS: usize = 50_000;

/// Which time a window is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    First,
    /// Its outcomes, which come later.
    Outcomes,
    /// For events that came late.
    Again,
}

/// Verdicts that are stored together.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    /// The windows, and when each was judged, where anything was said of it.
    pub(super) windows: Vec<(Interval, Option<Instant>)>,
    evaluations: Vec<Evaluation>,
}

impl Together {
    pub(super) fn push(&mut self, window: Interval, evaluations: Vec<Evaluation>) {
        self.windows.push((window, evaluations.first().map(|one| one.evaluated_at)));
        self.evaluations.extend(evaluations);
    }

    /// Evaluations are partitioned by the year of their window's end.
    pub(super) fn has_room_for(&self, window: Interval) -> bool {
        let is_of_its_year =
            self.windows.first().is_none_or(|(first, _)| first.end.year() == window.end.year());
        self.evaluations.len() < MOST_ROWS && is_of_its_year
    }
}

impl WatchRun {
    pub(super) async fn store(
        &self,
        work: &mut Work,
        together: &Together,
        round: Round,
    ) -> anyhow::Result<()> {
        let Identity { model, environment, watch } = &self.identity;
        let (Some((first, evaluated_at)), Some((last, _))) =
            (together.windows.first(), together.windows.last())
        else {
            return Ok(());
        };
        let windows = match first == last {
            true => first.end.millis().to_string(),
            false => format!("{}-{}", first.end.millis(), last.end.millis()),
        };
        let round = match round {
            // Whoever judges a window first has judged it: a second analyzer that says the same changes nothing.
            Round::First => "first".to_owned(),
            Round::Outcomes => "outcomes".to_owned(),
            Round::Again => evaluated_at.unwrap_or(Instant::EPOCH).millis().to_string(),
        };
        work.write(&together.evaluations, &format!("{model}/{environment}/{watch}/{windows}/{round}")).await
    }
}

#[cfg(test)]
mod tests {
    use domain::time::HOUR;

    use super::*;

    fn hour_until(end: &str) -> Interval {
        Interval::ending_at(end.parse().expect("an instant"), HOUR)
    }

    #[test]
    fn windows_of_two_years_are_not_stored_together() {
        let mut together = Together::default();
        assert!(together.has_room_for(hour_until("2026-12-31T23:00:00Z")));
        together.push(hour_until("2026-12-31T23:00:00Z"), Vec::new());
        assert!(!together.has_room_for(hour_until("2027-01-01T00:00:00Z")), "the end decides");
        assert!(together.has_room_for(hour_until("2026-12-31T23:59:00Z")));
    }
}
