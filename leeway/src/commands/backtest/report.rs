//! What is told of a backtest: each configuration's incidents, the days, and what one tells and the other does not.

use analyzer::Replay;
use domain::evaluation::Severity;
use domain::time::{DAY, Instant};
use serde::Serialize;

use super::outcome::{Outcome, Told};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    pub model: String,
    pub from: String,
    pub to: String,
    pub days: usize,
    pub configurations: Vec<Part>,
    /// Only where two configurations are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    #[serde(flatten)]
    pub outcome: Outcome,
    pub pages_a_month: f64,
    pub tickets_a_month: f64,
    pub strip: Vec<Day>,
}

/// What would have been told on a day.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Day {
    pub day: String,
    pub pages: usize,
    pub tickets: usize,
}

/// Incidents of one cause that overlap no incident of that cause on the other side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Differences {
    pub only_this: Vec<Told>,
    pub only_other: Vec<Told>,
}

impl Report {
    pub fn new(replay: &Replay, outcomes: Vec<Outcome>) -> Self {
        let days = replay.stretch.widened_to(DAY).length().as_secs() / DAY.as_secs();
        let first = replay.stretch.start.floor(DAY);
        let months = replay.stretch.length().as_secs_f64() / (30.0 * DAY.as_secs_f64());
        let differences = match outcomes.as_slice() {
            [one, other] => Some(Differences {
                only_this: only(&one.incidents, &other.incidents),
                only_other: only(&other.incidents, &one.incidents),
            }),
            _ => None,
        };
        let part = |outcome: Outcome| Part {
            pages_a_month: outcome.pages as f64 / months,
            tickets_a_month: outcome.tickets as f64 / months,
            strip: (0..days).map(|day| on_day(&outcome, first, day)).collect(),
            outcome,
        };
        Self {
            model: replay.model.clone(),
            from: replay.stretch.start.to_string(),
            to: replay.stretch.end.to_string(),
            days: usize::try_from(days).unwrap_or(usize::MAX),
            configurations: outcomes.into_iter().map(part).collect(),
            differences,
        }
    }
}

fn on_day(outcome: &Outcome, first: Instant, day: u64) -> Day {
    let start = first.saturating_add(DAY.saturating_mul(u32::try_from(day).unwrap_or(u32::MAX)));
    // What is told as a window ends belongs to the day that the window closes.
    let is_on =
        |told: &&Told| told.told_at.saturating_sub(std::time::Duration::from_millis(1)).floor(DAY) == start;
    let count =
        |severity| outcome.incidents.iter().filter(is_on).filter(|told| told.severity == severity).count();
    Day {
        day: start.to_string().get(..10).unwrap_or_default().to_owned(),
        pages: count(Severity::Page),
        tickets: count(Severity::Ticket),
    }
}

fn only(these: &[Told], others: &[Told]) -> Vec<Told> {
    let overlaps = |one: &Told, other: &Told| {
        let ends_after = |end: Option<Instant>, start: Instant| end.is_none_or(|end| end >= start);
        one.cause == other.cause
            && one.environment == other.environment
            && ends_after(one.ended_at, other.since)
            && ends_after(other.ended_at, one.since)
    };
    these.iter().filter(|one| !others.iter().any(|other| overlaps(one, other))).cloned().collect()
}

#[cfg(test)]
pub(super) mod tests {
    use domain::time::Interval;

    use super::*;

    pub fn told(severity: Severity, hours: (i64, i64)) -> Told {
        let at = |hour: i64| Instant::from_seconds(hour * 3_600);
        Told {
            environment: "production".to_owned(),
            watch: "hourly".to_owned(),
            severity,
            cause: "data".to_owned(),
            since: at(hours.0),
            told_at: at(hours.0 + 1),
            ended_at: Some(at(hours.1)),
            title: "amount moved <b>".to_owned(),
            why: "amount moved: PSI 0.4 | limit 0.1".to_owned(),
        }
    }

    pub fn report() -> Report {
        let outcome = |configuration: &str, incidents: Vec<Told>| Outcome {
            configuration: configuration.to_owned(),
            windows: 720,
            pages: incidents.iter().filter(|told| told.severity == Severity::Page).count(),
            tickets: incidents.iter().filter(|told| told.severity == Severity::Ticket).count(),
            incidents,
            without_baseline: Vec::new(),
        };
        let replay = Replay {
            model: "fraud".to_owned(),
            environment: String::new(),
            stretch: Interval::new(Instant::EPOCH, Instant::from_seconds(30 * 86_400)),
        };
        let (page, ticket) = (told(Severity::Page, (23, 30)), told(Severity::Ticket, (100, 110)));
        Report::new(
            &replay,
            vec![
                outcome("this configuration", vec![page.clone(), ticket]),
                outcome("other.toml", vec![page]),
            ],
        )
    }

    #[test]
    fn a_day_holds_what_was_told_as_its_windows_closed() {
        let strip = &report().configurations[0].strip;
        assert_eq!(strip.len(), 30);
        assert_eq!((strip[0].day.as_str(), strip[0].pages), ("1970-01-01", 1), "told at midnight");
        assert_eq!((strip[4].tickets, strip[1].pages), (1, 0));
    }

    #[test]
    fn what_only_one_side_tells_is_a_difference() {
        let differences = report().differences.expect("two sides");
        assert_eq!((differences.only_this.len(), differences.only_other.len()), (1, 0));
        assert_eq!(differences.only_this[0].severity, Severity::Ticket);
        assert_eq!(report().configurations[0].pages_a_month, 1.0);
    }
}
